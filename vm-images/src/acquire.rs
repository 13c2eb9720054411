//! How the kernels of the catalogue are had: the newest package of a series is looked up, its image and its
//! configuration are taken out of it, and both are put into the [`Store`].

use std::fs;
use std::path::{Path, PathBuf};

use deb_version::compare_versions;

use crate::apt::{Fault, Listed, Lists, Suite};
use crate::deb::{self, CONFIG, IMAGE};
use crate::manifest::{Entry, Flavour};
use crate::record::sha256;
use crate::store::{Identity, Store, short};
use crate::{Doing, Error, Kernel, Told, failed, tell};

/// A package on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The file.
    pub path: PathBuf,
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its digest, as the suite signs it.
    pub sha256: String,
}

/// A kernel of the catalogue: the newest that its suite has. If that cannot be looked up or fetched then
/// the last one that was, and this is told.
pub fn kernel(store: &Store, entry: &Entry, told: &mut Told<'_>) -> Result<Kernel, Error> {
    let suite = Suite::open(store, &entry.suite, &entry.name, told)?;
    let why = match newest(store, &suite, entry, told) {
        Err(Fault::Unreachable(why)) => why,
        other => return Ok(other?),
    };
    match store.latest(&entry.name, told)? {
        Some(kernel) => {
            note_cached(entry, &kernel, &why, told)?;
            Ok(kernel)
        }
        None => Err(Error::Environment(format!("{}: {why}", entry.name))),
    }
}

/// A package of a suite, by its name: the newest version, or the one that is asked for.
pub fn package(
    store: &Store,
    suite: &str,
    name: &str,
    version: Option<&str>,
    told: &mut Told<'_>,
) -> Result<Package, Error> {
    let known = Suite::open(store, suite, name, told)?;
    with_lists(&known, told, |lists, told| {
        let versions = lists.named(name).filter(|listed| listed.name == name);
        let found = versions
            .filter(|listed| version.is_none_or(|version| listed.version == version))
            .max_by(|one, other| compare_versions(&one.version, &other.version));
        let Some(found) = found else {
            let version = version.map(|version| format!(" {version}")).unwrap_or_default();
            return Err(Error::Environment(format!("{suite} has no package {name}{version}")).into());
        };
        keep_package(store, &known, &found, told)
    })
    .map_err(Error::from)
}

fn keep_package(
    store: &Store,
    suite: &Suite<'_>,
    found: &Listed,
    told: &mut Told<'_>,
) -> Result<Package, Fault> {
    let Listed { name, version, sha256: digest, .. } = found;
    let folder = store.root().join("packages");
    let path = folder.join(format!("{name}_{version}_{}.deb", short(digest)));
    let package = Package { path, name: name.clone(), version: version.clone(), sha256: digest.clone() };
    if package.path.exists() {
        if sha256(&package.path).is_ok_and(|found| found == *digest) {
            return Ok(package);
        }
        let text = format!("{} is not what it was when it came, and was removed", package.path.display());
        tell(told, name, Doing::Note(&text))?;
        fs::remove_file(&package.path).map_err(|error| failed(&package.path, &error))?;
    }
    let scratch = store.scratch()?;
    let fetched = suite.download(found, scratch.path(), told)?;
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::rename(fetched, &package.path));
    kept.map_err(|error| failed(&package.path, &error))?;
    Ok(package)
}

/// A mirror forgets packages, so that lists of some hours ago may name what is no longer there.
fn with_lists<T>(
    suite: &Suite<'_>,
    told: &mut Told<'_>,
    mut act: impl FnMut(&Lists, &mut Told<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let lists = suite.lists(false, told)?;
    match act(&lists, told) {
        Err(Fault::Unreachable(_)) if !lists.new => act(&suite.lists(true, told)?, told),
        done => done,
    }
}

fn newest(store: &Store, suite: &Suite<'_>, entry: &Entry, told: &mut Told<'_>) -> Result<Kernel, Fault> {
    with_lists(suite, told, |lists, told| {
        let build = builds(lists, entry).into_iter().next().ok_or_else(|| {
            let Entry { name, suite, series, flavour, .. } = entry;
            Error::Environment(format!("{name}: {suite} has no {flavour} kernel {series}"))
        })?;
        let Listed { version, sha256: digest, .. } = &build.image;
        let identity = Identity { name: &entry.name, version, digest };
        if let Some(kernel) = store.take(identity, told)? {
            if let Some(why) = &lists.stale {
                note_cached(entry, &kernel, why, told)?;
            }
            return Ok(kernel);
        }
        fetch(store, suite, entry, &build, told)
    })
}

fn note_cached(entry: &Entry, kernel: &Kernel, why: &str, told: &mut Told<'_>) -> Result<(), Error> {
    let version = kernel.version.as_deref().unwrap_or_default();
    let text = format!("the newest could not be looked up, so {version} from the cache is used ({why})");
    tell(told, &entry.name, Doing::Note(&text))
}

fn fetch(
    store: &Store,
    suite: &Suite<'_>,
    entry: &Entry,
    build: &Build,
    told: &mut Told<'_>,
) -> Result<Kernel, Fault> {
    let scratch = store.scratch()?;
    let mut found = Vec::new();
    for package in [Some(&build.image), build.config.as_ref()].into_iter().flatten() {
        let file = suite.download(package, scratch.path(), told)?;
        tell(told, &entry.name, Doing::Unpacking { package: &package.name })?;
        let wanted = |path: &Path| deb::kernel_file(path);
        found.extend(deb::take(&file, scratch.path(), wanted)?);
    }
    let path = |name: &str| found.iter().any(|(found, _)| *found == name).then(|| scratch.path().join(name));
    let Listed { name, version, sha256: digest, .. } = &build.image;
    let origin = format!("{name} {version} of {}", entry.suite);
    let Some(image) = path(IMAGE) else {
        return Err(Error::Environment(format!("{}: {origin} has no kernel in it", entry.name)).into());
    };
    let identity = Identity { name: &entry.name, version, digest };
    Ok(store.keep(identity, &origin, &image, path(CONFIG).as_deref())?)
}

/// The packages that a kernel is in.
#[derive(Debug, PartialEq, Eq)]
struct Build {
    image: Listed,
    /// Where the configuration is elsewhere. Superseded versions have none: their image stays longer in a suite.
    config: Option<Listed>,
}

/// The builds of an entry that a suite has, newest first, and those that are signed for Secure Boot before
/// their like.
fn builds(lists: &Lists, entry: &Entry) -> Vec<Build> {
    let mut found: Vec<(bool, Build)> = lists
        .named("linux-image-")
        .filter_map(|image| {
            let signed = fits(&image.name, entry)?;
            // Since 6.19 linux-image is empty, and depends on what has the kernel and its configuration.
            let needed = |prefix: &str| {
                let (name, version) = dependency(&image.depends, prefix)?;
                Some(lists.named(&name).find(|listed| listed.name == name && listed.version == version))
            };
            let config = needed("linux-base-").flatten();
            let image = match needed("linux-binary-") {
                Some(binary) => binary?,
                None => image.clone(),
            };
            Some((signed, Build { image, config }))
        })
        .collect();
    found.sort_by(|(signed, one), (other_signed, other)| {
        compare_versions(&other.image.version, &one.image.version).then(other_signed.cmp(signed))
    });
    found.into_iter().map(|(_, build)| build).collect()
}

/// If a package is a build of an entry, and then if it is signed.
fn fits(package: &str, entry: &Entry) -> Option<bool> {
    let (build, signed) = match package.strip_suffix("-unsigned") {
        Some(build) => (build, false),
        None => (package, true),
    };
    let flavour = match entry.flavour {
        Flavour::Cloud => "-cloud",
        Flavour::Rt => "-rt",
        Flavour::Full => "",
    };
    let version =
        build.strip_prefix("linux-image-")?.strip_suffix(&format!("{flavour}-{}", entry.architecture))?;
    let rest = version.strip_prefix(&entry.series)?;
    let other = entry.flavour == Flavour::Full && (rest.ends_with("-cloud") || rest.ends_with("-rt"));
    (rest.starts_with(['.', '-', '+']) && !other).then_some(signed)
}

/// The name and version of what a package needs in just one version.
fn dependency(depends: &str, prefix: &str) -> Option<(String, String)> {
    depends.split([',', '|']).map(str::trim).find_map(|need| {
        let (name, version) = need.strip_suffix(')')?.split_once(" (= ")?;
        name.starts_with(prefix).then(|| (name.to_owned(), version.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Architecture;
    use rstest::rstest;

    fn entry(series: &str, flavour: Flavour) -> Entry {
        let (name, suite, architecture) = ("a".into(), "sid".into(), Architecture::Amd64);
        Entry { name, suite, series: series.into(), flavour, architecture, only_by_name: None }
    }

    #[rstest]
    #[case("linux-image-6.12.117+deb13-cloud-amd64", "6.12", Flavour::Cloud, Some(true))]
    #[case("linux-image-6.12.117+deb13-cloud-amd64-unsigned", "6.12", Flavour::Cloud, Some(false))]
    #[case("linux-image-6.12.117+deb13-cloud-amd64", "6.12", Flavour::Full, None)]
    #[case("linux-image-6.12.117+deb13-rt-amd64", "6.12", Flavour::Full, None)]
    #[case("linux-image-6.12.117+deb13-rt-amd64", "6.12", Flavour::Rt, Some(true))]
    #[case("linux-image-6.12.117+deb13-amd64", "6.12", Flavour::Full, Some(true))]
    #[case("linux-image-6.12.117+deb13-amd64-dbg", "6.12", Flavour::Full, None)]
    #[case("linux-image-6.12.95+deb12-cloud-amd64", "6.12.95", Flavour::Cloud, Some(true))]
    #[case("linux-image-6.1.0-50-cloud-amd64", "6.1", Flavour::Cloud, Some(true))]
    #[case("linux-image-6.12.1-cloud-amd64", "6.1", Flavour::Cloud, None)]
    #[case("linux-image-6.1-cloud-arm64", "6.1", Flavour::Cloud, None)]
    fn a_package_fits_an_entry(
        #[case] package: &str,
        #[case] series: &str,
        #[case] flavour: Flavour,
        #[case] expected: Option<bool>,
    ) {
        assert_eq!(fits(package, &entry(series, flavour)), expected);
    }

    fn images(text: &str) -> Vec<(String, Option<String>)> {
        let lists = Lists::of(text);
        let builds = builds(&lists, &entry("7.3", Flavour::Cloud)).into_iter();
        builds.map(|build| (build.image.name, build.config.map(|config| config.name))).collect()
    }

    #[test]
    fn the_newest_comes_first_and_signed_before_unsigned() {
        let text = "linux-image-7.3.9-cloud-amd64 7.3.9-1~bpo1 1 a \n\
                    linux-image-7.3.10-cloud-amd64-unsigned 7.3.10-1 1 a \n\
                    linux-image-7.3.10-cloud-amd64 7.3.10-1 1 a \n\
                    linux-image-7.3~rc1-cloud-amd64 7.3~rc1-1 1 a \n\
                    linux-image-7.3-rc1-cloud-amd64 7.3~rc1-1 1 a \n";
        let names: Vec<String> = images(text).into_iter().map(|(name, _)| name).collect();
        let expected =
            ["7.3.10-cloud-amd64", "7.3.10-cloud-amd64-unsigned", "7.3.9-cloud-amd64", "7.3-rc1-cloud-amd64"];
        assert_eq!(names, expected.map(|name| format!("linux-image-{name}")));
    }

    #[test]
    fn an_empty_package_is_followed() {
        let image = "linux-image-7.3.4-cloud-amd64 7.3.4-1 1 a linux-base-7.3.4-cloud-amd64 (= 7.3.4-1), \
                     linux-binary-7.3.4-cloud-amd64 (= 7.3.4-1), linux-base (>= 4)\n";
        let binary = "linux-binary-7.3.4-cloud-amd64 7.3.4-1 1 a \n";
        let base = "linux-base-7.3.4-cloud-amd64 7.3.4-1 1 a \n";
        let names = |image: &str, config: Option<&str>| vec![(image.to_owned(), config.map(str::to_owned))];
        let name = "linux-binary-7.3.4-cloud-amd64";
        assert_eq!(
            images(&[image, binary, base].concat()),
            names(name, Some("linux-base-7.3.4-cloud-amd64"))
        );
        assert_eq!(images(&[image, binary].concat()), names(name, None));
        assert_eq!(images(image), []);
        assert_eq!(images(&[image, &binary.replace("4-1", "4-2")].concat()), []);
    }
}
