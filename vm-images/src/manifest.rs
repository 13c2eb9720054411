//! The catalogue: which kernels have a name here. How to get them is in [`crate::acquire`].

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Names that `--kernel` has for other things.
const RESERVED: [&str; 3] = ["all", "host", "uml"];

/// A kernel of the catalogue.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// The suite of Debian that has it.
    pub suite: String,
    /// With which its version begins, as in `6.12`.
    pub series: String,
    /// Which of Debian's builds it is.
    pub flavour: Flavour,
    /// What it runs on.
    pub architecture: Architecture,
    /// Why it is not meant when all are asked for.
    pub only_by_name: Option<String>,
}

/// Which of Debian's builds a kernel is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// For virtual machines: the smallest.
    Cloud,
    /// PREEMPT_RT.
    Rt,
    /// With all drivers.
    Full,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Flavour::Cloud => "cloud",
            Flavour::Rt => "rt",
            Flavour::Full => "full",
        })
    }
}

/// An architecture, as Debian calls it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64.
    Amd64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Architecture::Amd64 => "amd64",
        })
    }
}

/// The kernels of the catalogue, in its order.
///
/// # Panics
///
/// If the catalogue is wrong, which a test of this file excludes.
pub fn catalogue() -> &'static [Entry] {
    static CATALOGUE: LazyLock<Vec<Entry>> =
        LazyLock::new(|| parse(include_str!("../kernels.yaml")).unwrap_or_else(|why| panic!("{why}")));
    &CATALOGUE
}

/// The entry with a name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    catalogue().iter().find(|entry| entry.name == name)
}

/// The kernels that `all` means.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    catalogue().iter().filter(|entry| entry.only_by_name.is_none())
}

/// Refuses a name for a kernel that is not of the catalogue, if it could be taken for something else.
pub fn free_name(name: &str) -> Result<(), Error> {
    let why = if !well_formed(name, ".-") {
        "a name has a-z, 0-9, `.` and `-`".to_owned()
    } else if RESERVED.contains(&name) {
        format!("{} mean something else", RESERVED.join(", "))
    } else if entry(name).is_some() {
        "the catalogue has that name".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Reference(format!("a kernel cannot be called `{name}`: {why}")))
}

fn well_formed(text: &str, more: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit())
        && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || more.contains(char))
}

fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let entries: Vec<Entry> = serde_yaml::from_str(text).map_err(|error| format!("kernels.yaml: {error}"))?;
    for (index, entry) in entries.iter().enumerate() {
        let wrong = |what: String| Err(format!("kernels.yaml: {}: {what}", entry.name));
        if !well_formed(&entry.name, ".-") || RESERVED.contains(&entry.name.as_str()) {
            return wrong(format!(
                "`name` has a-z, 0-9, `.` and `-`, and is none of {}",
                RESERVED.join(", ")
            ));
        }
        if entries[..index].iter().any(|other| other.name == entry.name) {
            return wrong("`name` stands twice".into());
        }
        if !well_formed(&entry.suite, "-") {
            return wrong(format!("`suite` is `{}`, which is no suite of Debian", entry.suite));
        }
        if !entry.series.split('.').all(|part| part.parse::<u16>().is_ok()) || !entry.series.contains('.') {
            return wrong(format!("`series` is `{}`, and should be like 6.12", entry.series));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_catalogue_is_right() {
        let listed: Vec<&str> = all().map(|entry| entry.name.as_str()).collect();
        for series in ["5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3"] {
            assert!(listed.contains(&format!("debian-{series}").as_str()), "{series} in {listed:?}");
        }
        assert!(!listed.contains(&"debian-6.12.95"));
        assert!(entry("debian-6.12.95").is_some());
    }

    #[rstest]
    #[case("full", true)]
    #[case("my-6.12", true)]
    #[case("host", false)]
    #[case("debian-6.12", false)]
    #[case("../x", false)]
    #[case(".deb", false)]
    #[case("a_b", false)]
    #[case("", false)]
    fn a_name_must_be_free(#[case] name: &str, #[case] free: bool) {
        assert_eq!(free_name(name).is_ok(), free);
    }

    const ENTRY: &str = "{name: a, suite: sid, series: \"6.1\", flavour: cloud, architecture: amd64}";

    #[rstest]
    #[case("", "", "")]
    #[case("name: a", "name: host", "none of all, host, uml")]
    #[case("name: a", "name: A/b", "`name` has")]
    #[case("suite: sid", "suite: \"sid main\"", "no suite")]
    #[case("\"6.1\"", "\"6\"", "should be like")]
    #[case("\"6.1\"", "\"6.x\"", "should be like")]
    #[case("flavour: cloud", "flavour: tiny", "unknown variant `tiny`")]
    #[case("amd64}", "amd64, version: 1}", "unknown field `version`")]
    #[case("suite: sid, ", "", "missing field `suite`")]
    fn an_entry_is_checked(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
        let text = format!("- {}\n", ENTRY.replacen(from, to, 1));
        match parse(&text) {
            Ok(entries) => assert_eq!((expected, entries.len()), ("", 1)),
            Err(error) => assert!(!expected.is_empty() && error.contains(expected), "{error}"),
        }
    }

    #[test]
    fn a_name_stands_once() {
        let error = parse(&format!("- {ENTRY}\n- {ENTRY}\n")).unwrap_err();
        assert_eq!(error, "kernels.yaml: a: `name` stands twice");
    }
}
