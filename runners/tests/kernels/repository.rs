//! A small Debian mirror of our own: packages that hold fabricated kernels, lists that are signed with a key of its
//! own, and a server that can stall, forget and stop.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;
use vm_images::Store;
use vm_images::settings::Settings;

/// A mirror, and a cache to fetch into.
pub(crate) struct Repository {
    folder: TempDir,
    address: String,
    server: Arc<Server>,
}

#[derive(Default)]
struct Server {
    asked: Mutex<Vec<String>>,
    gone: AtomicBool,
    stalls: AtomicBool,
}

impl Repository {
    /// An empty mirror.
    pub(crate) fn new() -> Repository {
        let folder = tempfile::tempdir().unwrap();
        for name in ["www/pool", "keys", "build"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let server = Arc::new(Server::default());
        let (serving, www) = (Arc::clone(&server), folder.path().join("www"));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serving, www) = (Arc::clone(&serving), www.clone());
                thread::spawn(move || drop(serving.serve(stream, &www)));
            }
        });
        let repository = Repository { folder, address, server };
        repository.add_key("ours");
        repository.add_key("strange");
        repository
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn gpg(&self, args: &[&str]) {
        let keys = self.at("keys");
        fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let mut command = Command::new("gpg");
        command.args(["--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        done(command.arg("--homedir").arg(keys).args(args));
    }

    fn add_key(&self, name: &str) {
        self.gpg(&["--quick-generate-key", name, "ed25519", "sign", "never"]);
        self.gpg(&["--output", self.keyring(name).to_str().unwrap(), "--export", name]);
    }

    /// A file with a key: `ours`, which signs, or `strange`.
    pub(crate) fn keyring(&self, name: &str) -> PathBuf {
        self.at(&format!("{name}.gpg"))
    }

    /// Builds a package with files, and gives its path.
    pub(crate) fn package(
        &self,
        name: &str,
        version: &str,
        depends: &str,
        files: &[(&str, Vec<u8>)],
    ) -> PathBuf {
        let build = self.at("build").join(format!("{name}_{version}"));
        let mut control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody\nDescription: a kernel\n"
        );
        if !depends.is_empty() {
            let _ = writeln!(control, "Depends: {depends}");
        }
        for (path, bytes) in [("DEBIAN/control", control.into_bytes())].iter().chain(files) {
            let path = build.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let package = self.at("www/pool").join(format!("{name}_{version}_amd64.deb"));
        done(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(build).arg(&package));
        package
    }

    /// Makes the lists of a suite, with all packages whose name is given, and signs them.
    pub(crate) fn publish(&self, suite: &str, packages: &[&Path]) {
        let mut list = String::new();
        for package in packages {
            let control = done(Command::new("dpkg-deb").arg("--field").arg(package)).stdout;
            let name = package.file_name().unwrap().to_str().unwrap();
            let size = fs::metadata(package).unwrap().len();
            let digest = vm_images::sha256(package).unwrap();
            list += std::str::from_utf8(&control).unwrap().trim_end();
            let _ = write!(list, "\nFilename: pool/{name}\nSize: {size}\nSHA256: {digest}\n\n");
        }
        let folder = self.at("www/dists").join(suite);
        let path = "main/binary-amd64/Packages";
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), &list).unwrap();
        let digest = vm_images::sha256(&folder.join(path)).unwrap();
        let release = format!(
            "Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {}\nArchitectures: amd64\n\
             Components: main\nSHA256:\n {digest} {} {path}\n",
            text(&done(Command::new("date").args(["--utc", "--rfc-email"])).stdout).trim(),
            list.len()
        );
        let plain = folder.join("Release");
        fs::write(&plain, release).unwrap();
        let signed = folder.join("InRelease");
        self.gpg(&[
            "--local-user",
            "ours",
            "--output",
            signed.to_str().unwrap(),
            "--clear-sign",
            plain.to_str().unwrap(),
        ]);
    }

    /// Takes the signature off the lists of a suite.
    pub(crate) fn unsign(&self, suite: &str) {
        fs::remove_file(self.at("www/dists").join(suite).join("InRelease")).unwrap();
    }

    /// Answers no more, or again.
    pub(crate) fn be_gone(&self, gone: bool) {
        self.server.gone.store(gone, Ordering::SeqCst);
    }

    /// Sends only half of a package, and waits.
    pub(crate) fn stall(&self, stalls: bool) {
        self.server.stalls.store(stalls, Ordering::SeqCst);
    }

    /// What was asked for since the last call, and ends in some way.
    pub(crate) fn asked(&self, end: &str) -> usize {
        let asked = std::mem::take(&mut *self.server.asked.lock().unwrap());
        asked.iter().filter(|path| path.ends_with(end)).count()
    }

    /// Where kernels are kept.
    pub(crate) fn cache(&self) -> PathBuf {
        self.at("cache")
    }

    /// Lets the lists of a suite look as if they had been read a day ago.
    pub(crate) fn age(&self, suite: &str) {
        let index =
            fs::File::options().append(true).open(self.cache().join("apt").join(suite).join("packages"));
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        index.unwrap().set_modified(std::time::SystemTime::now() - day).unwrap();
    }

    /// Files below a folder of the cache.
    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.cache().join(folder)]);
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }

    /// How many folders there are in which something is made, or was when somebody was killed.
    pub(crate) fn being_made(&self) -> usize {
        let entries = fs::read_dir(self.cache().join("tmp")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    }

    /// The same without the program.
    pub(crate) fn store(&self) -> Store {
        let (mirror, keyring) = (Some(self.address.clone()), Some(self.keyring("ours")));
        Store::new(Settings { root: self.cache(), mirror, keyring })
    }

    /// `skc kernels`, with this mirror.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
        command.arg("kernels").args(args).stdin(Stdio::null());
        command.env("SKC_CACHE", self.cache()).env("SKC_DEBIAN_MIRROR", &self.address);
        command.env("SKC_DEBIAN_KEYRING", self.keyring("ours"));
        command
    }

    /// What `skc kernels` says: its exit status, and both outputs.
    pub(crate) fn kernels(&self, args: &[&str]) -> (i32, String, String) {
        said(&mut self.command(args))
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        // gpg leaves an agent behind.
        let _ =
            Command::new("gpgconf").arg("--homedir").arg(self.at("keys")).args(["--kill", "all"]).status();
    }
}

impl Server {
    fn serve(&self, mut stream: TcpStream, www: &Path) -> io::Result<()> {
        if self.gone.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut path = String::new();
        for (count, line) in BufReader::new(stream.try_clone()?).lines().enumerate() {
            let line = line?;
            if count == 0 {
                path = line.split(' ').nth(1).unwrap_or_default().replace("%2b", "+").replace("%7e", "~");
            }
            if line.is_empty() {
                break;
            }
        }
        self.asked.lock().map_err(|_| io::ErrorKind::Other)?.push(path.clone());
        let Ok(bytes) = fs::read(www.join(path.trim_start_matches('/'))) else {
            return stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len())?;
        if path.ends_with(".deb") && self.stalls.load(Ordering::SeqCst) {
            stream.write_all(&bytes[..bytes.len() / 2])?;
            // The client goes first.
            io::copy(&mut stream, &mut io::sink())?;
            return Ok(());
        }
        stream.write_all(&bytes)
    }
}

/// An image that tells its release, of some size that cannot be compressed away.
pub(crate) fn image(release: &str, size: usize) -> Vec<u8> {
    let mut image = vec![0; 0x1000];
    image[0x1fe..0x200].copy_from_slice(b"\x55\xaa");
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    image[0x20e..0x210].copy_from_slice(&0x400_u16.to_le_bytes());
    image[0x236] = 1;
    image[0x600..0x600 + release.len()].copy_from_slice(release.as_bytes());
    let mut chance = fastrand::Rng::with_seed(7);
    image.extend(std::iter::repeat_with(|| chance.u8(..)).take(size));
    image
}

/// The exit status and the outputs of a command.
pub(crate) fn said(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    output
}
