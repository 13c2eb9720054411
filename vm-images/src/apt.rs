//! One suite of Debian, as apt knows it: the lists of its packages, and packages. apt runs with a state of its own
//! below the cache, so that the machine's is neither needed nor touched, but takes from the machine's
//! configuration how to reach the net. It believes nothing that is not signed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, PipeReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::poll::{PollFd, PollFlags, poll};
use std::os::fd::AsFd;

use crate::record::sha256;
use crate::scratch::locked;
use crate::settings::Settings;
use crate::store::Store;
use crate::{Doing, Error, Told, failed, tell};

/// How old lists may be.
const FRESH: Duration = Duration::from_secs(12 * 60 * 60);
/// How often somebody is told.
const TICK: u16 = 200;
/// Where Debian's keys are, in newer and older releases.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// Reads lists, however apt has compressed them.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Why apt could not do what it should.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The net or the mirror. What is in the cache can still be used.
    Unreachable(String),
    /// All else.
    Final(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Final(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Unreachable(why) => Error::Environment(why),
            Fault::Final(error) => error,
        }
    }
}

/// A package of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    pub(crate) depends: String,
}

/// The packages of a suite.
pub(crate) struct Lists {
    text: String,
    /// If they were read just now.
    pub(crate) new: bool,
    /// Why they could not be read anew, though they are old.
    pub(crate) stale: Option<String>,
}

impl Lists {
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Lists {
        Lists { text: text.to_owned(), new: false, stale: None }
    }

    /// The packages whose name begins in a way.
    pub(crate) fn named<'l>(&'l self, prefix: &'l str) -> impl Iterator<Item = Listed> + 'l {
        self.text.lines().filter(move |line| line.starts_with(prefix)).filter_map(listed)
    }
}

/// A line: name, version, size, digest, and the packages that it depends on.
fn listed(line: &str) -> Option<Listed> {
    let mut words = line.splitn(5, ' ');
    let mut word = || words.next().map(str::to_owned);
    let (name, version) = (word()?, word()?);
    let size = word()?.parse().ok()?;
    Some(Listed { name, version, size, sha256: word()?, depends: word().unwrap_or_default() })
}

/// A suite, while nobody else works with its lists.
pub(crate) struct Suite<'s> {
    store: &'s Store,
    name: &'s str,
    /// For whom: a kernel or a package.
    what: &'s str,
    folder: PathBuf,
    _held: Flock<File>,
}

impl<'s> Suite<'s> {
    /// Waits until nobody else works with a suite.
    pub(crate) fn open(
        store: &'s Store,
        name: &'s str,
        what: &'s str,
        told: &mut Told<'_>,
    ) -> Result<Suite<'s>, Error> {
        let folder = store.root_to_write().join("apt").join(name);
        let partial = folder.join("lists/partial");
        fs::create_dir_all(&partial).map_err(|error| failed(&partial, &error))?;
        let held = loop {
            match locked(&folder, FlockArg::LockExclusiveNonblock) {
                Ok(held) => break held,
                Err(error) if error.raw_os_error() == Some(Errno::EWOULDBLOCK as i32) => {
                    tell(told, what, Doing::Waiting { suite: name })?;
                    std::thread::sleep(Duration::from_millis(TICK.into()));
                }
                Err(error) => return Err(failed(&folder, &error)),
            }
        };
        Ok(Suite { store, name, what, folder, _held: held })
    }

    /// The packages: as they were read less than half a day ago, or else read anew.
    pub(crate) fn lists(&self, anew: bool, told: &mut Told<'_>) -> Result<Lists, Fault> {
        let known = self.known();
        let fresh = known.as_ref().is_some_and(|(_, age)| age.is_some_and(|age| age < FRESH));
        match known {
            Some((text, _)) if fresh && !anew => Ok(Lists { text, new: false, stale: None }),
            known => match self.update(told) {
                Ok(text) => Ok(Lists { text, new: true, stale: None }),
                Err(Fault::Unreachable(why)) => match known {
                    Some((text, _)) => Ok(Lists { text, new: true, stale: Some(why) }),
                    None => Err(Fault::Unreachable(why)),
                },
                Err(fault) => Err(fault),
            },
        }
    }

    fn index(&self) -> PathBuf {
        self.folder.join("packages")
    }

    /// Lists from elsewhere, or signed by somebody else, are not those that are asked for.
    fn source(&self) -> String {
        let Settings { mirror, keyring, .. } = &self.store.settings;
        format!("# {mirror:?} {keyring:?}\n")
    }

    /// What was read before, and its age unless the clock was wrong then or is now.
    fn known(&self) -> Option<(String, Option<Duration>)> {
        let text = fs::read_to_string(self.index()).ok()?;
        let age = fs::metadata(self.index()).and_then(|file| file.modified()).ok()?;
        text.starts_with(&self.source()).then(|| (text, SystemTime::now().duration_since(age).ok()))
    }

    /// Lets apt read the lists anew, and makes an index of them: apt itself takes a second to look one up.
    fn update(&self, told: &mut Told<'_>) -> Result<String, Fault> {
        let unreachable = |text: &Store| text.unreachable.lock().ok()?.get(self.name).cloned();
        if let Some(why) = unreachable(self.store) {
            return Err(Fault::Unreachable(why));
        }
        let keyring = self.configure()?;
        let suite = self.name;
        let mut tick = |_: f64| tell(told, self.what, Doing::Lists { suite });
        tick(0.0)?;
        let updated = self.apt("apt-get", &["update"], &self.folder, &mut tick).and_then(|said| match said {
            Ok(_) => Ok(()),
            Err(said) if said.distrusted() => Err(Fault::Final(Error::Environment(format!(
                "{suite}: its lists are not signed with a key in {}, and nothing was fetched: {}",
                keyring.display(),
                said.why()
            )))),
            Err(said) => Err(said.fault(&format!("the package lists of {suite} cannot be read"))),
        });
        if let Err(Fault::Unreachable(why)) = &updated
            && let Ok(mut known) = self.store.unreachable.lock()
        {
            known.insert(suite.to_owned(), why.clone());
        }
        updated?;
        self.digest().map_err(|error| failed(&self.index(), &error).into())
    }

    /// apt-cache would tell one version of each package, and a suite may have several.
    fn digest(&self) -> io::Result<String> {
        let mut targets = self.command("apt-get");
        targets.args(["indextargets", "--format", "$(FILENAME)", "Created-By: Packages"]);
        let files = targets.stdin(Stdio::null()).output()?.stdout;
        let files = String::from_utf8_lossy(&files).into_owned();
        let mut command = self.command(HELPER);
        command.arg("cat-file").args(files.lines()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Guarded(command.spawn()?);
        let stream = child.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let text = digest(BufReader::with_capacity(1 << 16, stream), self.source())?;
        if files.is_empty() || !child.0.wait()?.success() {
            return Err(io::Error::other(format!("{HELPER} cannot read what apt-get has fetched")));
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(self.index())?;
        Ok(text)
    }

    /// Downloads a package to a folder.
    pub(crate) fn download(
        &self,
        package: &Listed,
        folder: &Path,
        told: &mut Told<'_>,
    ) -> Result<PathBuf, Fault> {
        self.configure()?;
        let Listed { name, version, size, .. } = package;
        let mut tick = |part: f64| {
            // A percentage that is not quite exact is exact enough.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let bytes = (*size as f64 * part) as u64;
            tell(told, self.what, Doing::Downloading { package: name, bytes, of: *size })
        };
        tick(0.0)?;
        let place = folder.join(name);
        fs::create_dir_all(&place).map_err(|error| failed(&place, &error))?;
        let asked = format!("{name}={version}");
        if let Err(said) = self.apt("apt-get", &["download", &asked], &place, &mut tick)? {
            // What apt leaves of a package that it refuses goes with the folder.
            return Err(if said.has(&["Hash Sum mismatch", "unexpected size"]) {
                let text = format!(
                    "{asked} is not the package that {} signs, and was removed: {}",
                    self.name,
                    said.why()
                );
                Fault::Final(Error::Environment(text))
            } else {
                said.fault(&format!("{asked} cannot be fetched from {}", self.name))
            });
        }
        let fetched = fs::read_dir(&place).map_err(|error| failed(&place, &error))?;
        let Some(path) = fetched.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some())
        else {
            let text = format!("{asked} cannot be fetched from {}: apt-get has left no file", self.name);
            return Err(Fault::Unreachable(text));
        };
        // apt has looked as well; but what is recorded from now on is this digest.
        let digest = sha256(&path).map_err(|error| failed(&path, &error))?;
        if digest != package.sha256 {
            let text = format!(
                "{asked} is not the package that {} signs, and was removed: its digest is {digest}",
                self.name
            );
            return Err(Fault::Final(Error::Environment(text)));
        }
        Ok(path)
    }

    /// Writes the configuration of a private apt, and tells the keyring in it.
    fn configure(&self) -> Result<PathBuf, Error> {
        let Settings { mirror, keyring, .. } = &self.store.settings;
        let keyring = match keyring {
            Some(keyring) if keyring.is_file() => keyring.clone(),
            Some(keyring) => {
                let text = format!("{}: there is no such keyring for {}", keyring.display(), self.name);
                return Err(Error::Environment(text));
            }
            None => KEYRINGS.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
                Error::Environment(
                    "the keys of Debian's archive are not here: install debian-archive-keyring, or set \
                     SKC_DEBIAN_KEYRING to a file with them"
                        .into(),
                )
            })?,
        };
        let mirror = match mirror {
            Some(mirror) => mirror.clone(),
            None => machines_mirror(self.name)?,
        };
        let source = format!(
            "Types: deb\nURIs: {mirror}\nSuites: {}\nComponents: main\nArchitectures: amd64\nTargets: Packages\n\
             PDiffs: no\nSigned-By: {}\n",
            self.name,
            keyring.display()
        );
        for (name, text) in [("suite.sources", source), ("apt.conf", self.configuration())] {
            let path = self.folder.join(name);
            fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        }
        Ok(keyring)
    }

    /// Read after the machine's configuration, so that this is what counts.
    fn configuration(&self) -> String {
        let mut text = String::new();
        for hooks in ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"] {
            let _ = writeln!(text, "#clear APT::Update::{hooks};");
        }
        let folder = self.folder.display();
        let _ = write!(
            text,
            r#"#clear APT::Architectures;
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::GzipIndexes "true";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Acquire::http::Proxy::127.0.0.1 "DIRECT";
Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{folder}";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "{folder}/suite.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
"#
        );
        text
    }

    /// A program of apt, which ends when we do, be it by SIGKILL.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program, "-c"]).arg(self.folder.join("apt.conf"));
        command.env("LC_ALL", "C").env_remove("LANGUAGE");
        command
    }

    /// Lets a program of apt work, and says several times a second how much of its work is done.
    fn apt(
        &self,
        program: &str,
        args: &[&str],
        folder: &Path,
        tick: &mut dyn FnMut(f64) -> Result<(), Error>,
    ) -> Result<Result<Said, Said>, Fault> {
        let start = || -> io::Result<(Guarded, PipeReader)> {
            let (reader, writer) = io::pipe()?;
            let mut command = self.command(program);
            command.args(["-q", "-o", "APT::Status-Fd=1"]).args(args).current_dir(folder);
            command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
            Ok((Guarded(command.spawn()?), reader))
        };
        let unstarted = |error| {
            Error::Environment(format!("setpriv, which starts {program}, cannot be started: {error}"))
        };
        let (mut child, mut reader) = start().map_err(unstarted)?;
        let (mut said, mut part, mut buffer) = (Vec::new(), 0.0, [0; 4096]);
        loop {
            tick(part)?;
            let mut waits = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waits, TICK) {
                Ok(0) | Err(Errno::EINTR) => continue,
                _ => {}
            }
            match reader.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => said.extend_from_slice(&buffer[..count]),
            }
            part = status(&said).unwrap_or(part);
        }
        let said = Said(String::from_utf8_lossy(&said).into_owned());
        let status = child.0.wait().map_err(|error| Error::Environment(format!("{program}: {error}")))?;
        match status.code() {
            Some(0) => Ok(Ok(said)),
            Some(127) => {
                let text = format!(
                    "{program} is not here, and kernels of the catalogue are fetched by it: give a kernel by its path"
                );
                Err(Error::Environment(text).into())
            }
            _ => Ok(Err(said)),
        }
    }
}

/// The part of its work that apt says is done, if the last whole line that it wrote says so.
fn status(said: &[u8]) -> Option<f64> {
    let said = &said[..said.iter().rposition(|byte| *byte == b'\n')?];
    let line = said.rsplit(|byte| *byte == b'\n').next()?;
    let percent = std::str::from_utf8(line).ok()?.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    Some(percent.parse::<f64>().ok()? / 100.0)
}

/// What apt wrote.
struct Said(String);

impl Said {
    fn has(&self, any: &[&str]) -> bool {
        any.iter().any(|text| self.0.contains(text))
    }

    fn distrusted(&self) -> bool {
        self.has(&["is not signed", "NO_PUBKEY", "GPG error", "OpenPGP signature verification failed"])
    }

    /// Its errors and warnings.
    fn why(&self) -> String {
        let lines = self.0.lines().filter_map(|line| {
            line.strip_prefix("E: ")
                .or_else(|| line.strip_prefix("W: "))
                .or_else(|| line.strip_prefix("setpriv: "))
        });
        let mut why: Vec<&str> = Vec::new();
        for line in lines.map(str::trim) {
            if !why.contains(&line) {
                why.push(line);
            }
        }
        if why.is_empty() { self.0.trim().to_owned() } else { why.join("; ") }
    }

    fn fault(&self, what: &str) -> Fault {
        if self.has(&["No space left on device", "enough free space"]) {
            return Fault::Final(Error::Environment(format!(
                "{what}: there is no room on the disk: {}",
                self.why()
            )));
        }
        Fault::Unreachable(format!("{what}: {}", self.why()))
    }
}

/// A process that is ended and reaped with this.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The mirror that apt uses on this machine for the archive that has a suite.
fn machines_mirror(suite: &str) -> Result<String, Error> {
    let (label, folder) = if suite.ends_with("-security") {
        ("Debian-Security", "/debian-security")
    } else {
        ("Debian", "/debian")
    };
    let targets = |more: &[&str]| {
        let format = "$(ORIGIN)|$(LABEL)|$(REPO_URI)";
        let output = Command::new("apt-get")
            .args(["indextargets", "--format", format])
            .args(more)
            .arg("Created-By: Packages")
            .stdin(Stdio::null())
            .output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    let known = targets(&[]);
    let labelled = known.lines().find_map(|line| line.strip_prefix(&format!("Debian|{label}|")));
    // On a machine that has no lists yet nothing is labelled. A wrong guess does no harm: it is not signed.
    let unknown = targets(&["--no-release-info"]);
    let guessed = || {
        let addresses = unknown.lines().filter_map(|line| line.rsplit('|').next());
        addresses.into_iter().find(|address| address.trim_end_matches('/').ends_with(folder))
    };
    labelled.or_else(guessed).map(str::to_owned).ok_or_else(|| {
        Error::Environment(format!(
            "{suite}: apt on this machine has no mirror of Debian: set SKC_DEBIAN_MIRROR to one, or give a kernel \
             by its path"
        ))
    })
}

/// What [`listed`] reads, of lists as a suite has them.
fn digest(lists: impl BufRead, mut text: String) -> io::Result<String> {
    const FIELDS: [&str; 5] = ["Package", "Version", "Size", "SHA256", "Depends"];
    let mut values: [String; 5] = Default::default();
    for line in lists.lines().chain([Ok(String::new())]) {
        let line = line?;
        if line.is_empty() {
            let [name, version, size, sha256, depends] = std::mem::take(&mut values);
            if [&name, &version, &size, &sha256].iter().any(|value| value.is_empty()) {
                continue;
            }
            // Only kernels are followed to others.
            let depends = if name.starts_with("linux-") { depends.as_str() } else { "" };
            let _ = writeln!(text, "{name} {version} {size} {sha256} {depends}");
        } else if let Some((field, value)) = line.split_once(": ")
            && let Some(place) = FIELDS.iter().position(|name| *name == field)
        {
            value.clone_into(&mut values[place]);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_digested() {
        let lists = "Package: linux-image-6\nVersion: 6-1\nDepends: kmod, linux-base-6 (= 6-1)\n\
                    Description: a kernel\n Size: 7\nSize: 12\nSHA256: ab\n\nPackage: none\nVersion: 1\n\n\
                    Package: zsh\nVersion: 5\nDepends: libc6\nSize: 3\nSHA256: cd\n";
        let text = digest(lists.as_bytes(), "# here\n".into()).unwrap();
        assert_eq!(text, "# here\nlinux-image-6 6-1 12 ab kmod, linux-base-6 (= 6-1)\nzsh 5 3 cd \n");
        let lists = Lists { text, new: false, stale: None };
        let found: Vec<Listed> = lists.named("linux-image-").collect();
        let depends = "kmod, linux-base-6 (= 6-1)".to_owned();
        let (name, version, sha256) = ("linux-image-6".into(), "6-1".into(), "ab".into());
        assert_eq!(found, [Listed { name, version, size: 12, sha256, depends }]);
        assert_eq!(lists.named("").count(), 2);
    }

    #[test]
    fn the_progress_of_apt_is_its_last_whole_line() {
        assert_eq!(status(b"dlstatus:1:25.0000:Retrieving file 1 of 1\ndlstatus:1:9"), Some(0.25));
        assert_eq!(status(b"dlstatus:1:25.0000:Retrieving\nGet:1 http\n"), None);
        assert_eq!(status(b"dlstatus:1:25"), None);
    }

    #[test]
    fn what_apt_says_is_told_apart() {
        let room = Said("E: Write error - write (28: No space left on device)\n".into());
        assert!(matches!(room.fault("x"), Fault::Final(Error::Environment(why)) if why.contains("no room")));
        let net = Said("dlstatus:1:0\nE: Failed to fetch x\nE: Failed to fetch x\nW: Retry\n".into());
        assert!(matches!(net.fault("x"), Fault::Unreachable(why) if why == "x: Failed to fetch x; Retry"));
    }
}
