//! A small kernel of one's own, from the sources that Debian packages: configured from fragments, looked at
//! whether it is what they ask for, compiled, and put into the [`Store`] under a name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::acquire::{self, Package};
use crate::contained::Contained;
use crate::fragment::{Fragment, Refused, refused};
use crate::manifest;
use crate::sources::{self, tail};
use crate::store::{Identity, Store};
use crate::{Doing, Error, Kernel, Told, failed, tell};

/// The sources that are taken if nobody says which.
pub const SOURCE: &str = "linux-source-6.12";

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Order {
    /// By which name it can be asked for afterwards.
    pub name: String,
    /// The Debian package of sources, as in `linux-source-6.12`.
    pub source: String,
    /// What its configuration has to be beyond what all kernels here have. The last that names an option counts.
    pub fragments: Vec<Fragment>,
    /// Patches to the sources, which are applied in this order.
    pub patches: Vec<PathBuf>,
    /// How many files are compiled at a time.
    pub jobs: usize,
}

/// Builds a kernel, or takes it from the cache if the same has been built before.
pub fn build(store: &Store, order: &Order, told: &mut Told<'_>) -> Result<Kernel, Error> {
    manifest::free_name(&order.name)?;
    let suite = sources::suite(&order.source)?;
    let mut fragments = vec![Fragment::base()?];
    fragments.extend(order.fragments.iter().cloned());
    let patches = order.patches.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    if store.cached(&order.name).is_empty() {
        // Nothing is there that could make them unneeded.
        lacking_tools(!patches.is_empty())?;
    }
    let package = acquire::package(store, suite, &order.source, None, told)?;
    let digest = digest(&package, &fragments, &patches);
    let identity = Identity { name: &order.name, version: &package.version, digest: &digest };
    let parts: Vec<&str> = fragments[1..].iter().map(|fragment| fragment.name.as_str()).collect();
    let origin = format!("{} {} with {}", order.source, package.version, parts.join(" and "));
    if let Some(kernel) = store.take(identity, told)? {
        // The name means what was asked for last.
        return match store.cached(&order.name).first() {
            Some(latest) if latest.record.digest == digest => Ok(kernel),
            _ => store.renew(identity).map(|()| kernel),
        };
    }
    lacking_tools(!patches.is_empty())?;
    let scratch = store.scratch()?;
    let mut build =
        Build { order, tree: sources::unpack(&package, &order.name, scratch.path(), &[], told)?, told };
    for (path, text) in order.patches.iter().zip(&patches) {
        build.patch(path, text)?;
    }
    build.configure(&fragments)?;
    build.compile()?;
    let image = build.tree.join("arch/x86/boot/bzImage");
    store.keep(identity, &origin, &image, Some(&build.tree.join(".config")))
}

/// What tells a kernel from all others.
fn digest(package: &Package, fragments: &[Fragment], patches: &[Vec<u8>]) -> String {
    let mut digest = Sha256::new();
    let texts = fragments.iter().map(|fragment| fragment.text.as_bytes());
    for part in [package.sha256.as_bytes()].into_iter().chain(texts).chain(patches.iter().map(Vec::as_slice))
    {
        // With its length, so that nothing can move from one part to the next.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The programs that a build needs, and the packages of Debian that have them.
const TOOLS: [(&str, &str); 9] = [
    ("gcc", "gcc libc6-dev"),
    ("ld", "binutils"),
    ("make", "make"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("perl", "perl"),
    ("xz", "xz-utils"),
    ("tar", "tar"),
];

fn lacking_tools(patches: bool) -> Result<(), Error> {
    let there = |program: &str, args: &[&str]| {
        let mut trial = Command::new(program);
        trial.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    };
    let mut lacking: Vec<&str> = TOOLS
        .into_iter()
        .chain(patches.then_some(("patch", "patch")))
        .filter(|(program, _)| !there(program, &["--version"]))
        .map(|(_, package)| package)
        .collect();
    // The kernel's own tool that checks what was compiled reads ELF files with it.
    if !there("gcc", &["-fsyntax-only", "-include", "gelf.h", "-x", "c", "/dev/null"]) {
        lacking.push("libelf-dev");
    }
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(Error::Environment(format!(
            "to build a kernel, what these packages of Debian have is needed and not here: {0}; as root, `apt-get \
             install {0}` installs it",
            lacking.join(" ")
        ))),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::Reference(format!("{}: {error}", path.display())))
}

/// Sources on their way to a kernel.
struct Build<'b, 't> {
    order: &'b Order,
    tree: PathBuf,
    told: &'b mut Told<'t>,
}

impl Build<'_, '_> {
    fn patch(&mut self, path: &Path, text: &[u8]) -> Result<(), Error> {
        let copy = self.tree.join("../patch");
        fs::write(&copy, text).map_err(|error| failed(&copy, &error))?;
        let mut said = Vec::new();
        let patch = Contained::new("patch", &self.tree);
        let applied =
            patch.arg("--batch").arg("--forward").arg("-p1").arg("--input=../patch").run(&mut |line| {
                said.extend(line.map(str::to_owned));
                Ok(())
            })?;
        match applied {
            true => Ok(()),
            false => Err(Error::Reference(format!(
                "{} does not apply to {}: {}",
                path.display(),
                self.order.source,
                tail(&said)
            ))),
        }
    }

    /// Makes a configuration in which everything is off that no fragment asks for, and looks whether it has what
    /// they ask for.
    fn configure(&mut self, fragments: &[Fragment]) -> Result<(), Error> {
        let doing = Doing::Configuring;
        let mut said = Vec::new();
        let mut merge = Contained::new("scripts/kconfig/merge_config.sh", &self.tree).arg("-n");
        for (number, fragment) in fragments.iter().enumerate() {
            let copy = format!("../fragment-{number}");
            fs::write(self.tree.join(&copy), &fragment.text).map_err(|error| failed(&self.tree, &error))?;
            merge = merge.arg(copy);
        }
        let (told, name) = (&mut *self.told, &self.order.name);
        let merged = merge.env("ARCH", "x86").run(&mut |line| {
            said.extend(line.map(str::to_owned));
            tell(told, name, doing)
        })?;
        let path = self.tree.join(".config");
        let configuration = match merged {
            true => fs::read_to_string(&path).map_err(|error| failed(&path, &error))?,
            false => {
                let text = format!("{} cannot be configured: {}", self.order.source, tail(&said));
                return Err(Error::Environment(text));
            }
        };
        let mut refused = refused(fragments, &configuration);
        // Options have other names in other versions. Only for what comes with the suite is that no mistake.
        refused.retain(|one| one.place != fragments[0].place || declared(&one.option, &self.tree).is_some());
        match refused.is_empty() {
            true => Ok(()),
            false => Err(Error::Reference(
                refused.iter().map(|refused| explain(refused, &self.tree)).collect::<Vec<_>>().join("\n"),
            )),
        }
    }

    fn compile(&mut self) -> Result<(), Error> {
        let (mut said, mut files) = (Vec::new(), 0);
        let (told, name) = (&mut *self.told, &self.order.name);
        let made = Contained::new("make", &self.tree)
            .arg(format!("-j{}", self.order.jobs))
            .arg("bzImage")
            .env("ARCH", "x86")
            // What is built twice is the same, and does not say where it was built.
            .env("KBUILD_BUILD_USER", "skc")
            .env("KBUILD_BUILD_HOST", "skc")
            .env("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970")
            .run(&mut |line| {
                match line {
                    Some(step) if step.starts_with("  ") => files += 1,
                    Some(line) => said.push(line.to_owned()),
                    None => {}
                }
                tell(told, name, Doing::Compiling { files })
            })?;
        match made {
            true => Ok(()),
            false => Err(Error::Environment(format!("{name} cannot be built: {}", tail(&said)))),
        }
    }
}

/// Why an option may not have taken: that there is none of that name, or what it depends on.
fn explain(refused: &Refused, tree: &Path) -> String {
    let Refused { option, place, wanted, found } = refused;
    let why = match declared(option, tree) {
        None => "these sources have no option of that name".into(),
        Some((file, needs)) if needs.is_empty() => format!("what {file} says of it forbids that"),
        Some((file, needs)) => format!("see {file}: {}", needs.join("; ")),
    };
    format!("{place}: CONFIG_{option}={wanted} did not take, it is {found}: {why}")
}

/// Where an option is declared in some sources, and on what it depends.
fn declared(option: &str, tree: &Path) -> Option<(String, Vec<String>)> {
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort_unstable();
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // Other architectures declare options of the same names.
            if path.is_dir() && (!folder.ends_with("arch") || name == "x86") {
                folders.push(path);
            } else if name.starts_with("Kconfig")
                && let Some(needs) = needs_of(option, &fs::read_to_string(&path).unwrap_or_default())
            {
                let file = path.strip_prefix(tree).unwrap_or(&path).display().to_string();
                return Some((file, needs));
            }
        }
    }
    None
}

/// The dependencies of an option, if a file declares it with a text by which it can be chosen.
fn needs_of(option: &str, text: &str) -> Option<Vec<String>> {
    let mut lines = text.lines();
    let declares = |line: &str| {
        ["config", "menuconfig"].iter().any(|word| {
            line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\t']) && rest.trim() == option)
        })
    };
    lines.find(|line| declares(line))?;
    let own = lines.take_while(|line| line.is_empty() || line.starts_with([' ', '\t', '#']));
    Some(own.map(str::trim).filter(|line| line.starts_with("depends on ")).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn whatever_goes_into_a_kernel_counts() {
        let package = |sha256: &str| Package {
            path: "/p".into(),
            name: "linux-source-6.12".into(),
            version: "1".into(),
            sha256: sha256.into(),
        };
        let folder = tempfile::tempdir().unwrap();
        let fragment = |text: &str| {
            let path = folder.path().join("f.config");
            fs::write(&path, text).unwrap();
            Fragment::find(path.to_str().unwrap()).unwrap()
        };
        let made_of = |sources: &str, texts: &[&str], patches: &[&[u8]]| {
            let fragments: Vec<Fragment> = texts.iter().map(|text| fragment(text)).collect();
            let patches: Vec<Vec<u8>> = patches.iter().map(|patch| patch.to_vec()).collect();
            digest(&package(sources), &fragments, &patches)
        };
        let (x, y) = ("CONFIG_X=y\n", "CONFIG_Y=y\n");
        let all = [
            made_of("a", &[], &[]),
            made_of("b", &[], &[]),
            made_of("a", &[x], &[]),
            made_of("a", &[y], &[]),
            made_of("a", &[x, y], &[]),
            made_of("a", &[y, x], &[]),
            made_of("a", &[x], &[b"p"]),
            made_of("a", &[x], &[b"q"]),
        ];
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    const KCONFIG: &str = "config KEYS\n\tbool \"Keys\"\n\tselect X\n\nconfig BIG_KEYS\n\tbool \"Large\"\n\tdepends on KEYS\n\n\tdepends on TMPFS\n\thelp\n\t  Words.\n\nmenuconfig MENU\n\tdepends on A\n";

    #[rstest]
    #[case("KEYS", Some(&[][..]))]
    #[case("BIG_KEYS", Some(&["depends on KEYS", "depends on TMPFS"][..]))]
    #[case("MENU", Some(&["depends on A"][..]))]
    #[case("BIG", None)]
    fn what_an_option_needs_is_found(#[case] option: &str, #[case] expected: Option<&[&str]>) {
        assert_eq!(
            needs_of(option, KCONFIG).as_deref(),
            expected.map(|needs| needs.iter().map(|need| (*need).to_owned()).collect::<Vec<_>>()).as_deref()
        );
    }

    #[test]
    fn an_option_that_did_not_take_is_explained() {
        let tree = tempfile::tempdir().unwrap();
        for folder in ["security/keys", "arch/arm64"] {
            fs::create_dir_all(tree.path().join(folder)).unwrap();
        }
        fs::write(tree.path().join("security/keys/Kconfig"), KCONFIG).unwrap();
        fs::write(tree.path().join("arch/arm64/Kconfig"), "config ARM\n").unwrap();
        let explained = |option: &str| {
            let (place, wanted, found) = ("f.config".into(), "y".into(), "n".into());
            explain(&Refused { option: option.into(), place, wanted, found }, tree.path())
        };
        let text = explained("BIG_KEYS");
        assert!(text.contains("f.config: CONFIG_BIG_KEYS=y did not take, it is n: see security/keys/Kconfig: depends on KEYS; depends on TMPFS"), "{text}");
        assert!(explained("KEYS").contains("Kconfig says of it"));
        assert!(explained("ARM").contains("no option of that name"));
    }
}
