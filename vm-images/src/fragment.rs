//! Parts of a kernel's configuration: those that come with the suite, those of files, what several of them
//! ask for together, and what a kernel's own configuration made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{Error, failed};

/// What every kernel that is built here has.
pub const BASE: &str = include_str!("../config/base.config");
/// Everything that a case may want.
pub const FULL: &str = include_str!("../config/full.config");
/// The kernel watches itself.
pub const DEBUG: &str = include_str!("../config/debug.config");

/// The fragments that have a name.
const NAMED: [(&str, &str); 2] = [("full", FULL), ("debug", DEBUG)];

/// Some options and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its name, or that of its file without `.config`.
    pub name: String,
    /// Where it stands, for messages.
    pub place: String,
    /// What it says.
    pub text: String,
    /// Each option, with the value that it is given. An option that is not set has `n`.
    options: BTreeMap<String, String>,
}

impl Fragment {
    /// The fragment of a name, or of a file.
    pub fn find(text: &str) -> Result<Fragment, Error> {
        if let Some((name, known)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Fragment::parse(name, &format!("{name}.config"), known);
        }
        let path = Path::new(text);
        if !path.exists() {
            let names = NAMED.map(|(name, _)| name).join(", ");
            return Err(Error::Reference(format!("`{text}` is no fragment ({names}) and no file")));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Fragment::parse(&name, text, &fs::read_to_string(path).map_err(|error| failed(path, &error))?)
    }

    /// What every kernel that is built here has.
    pub fn base() -> Result<Fragment, Error> {
        Fragment::parse("base", "base.config", BASE)
    }

    fn parse(name: &str, place: &str, text: &str) -> Result<Fragment, Error> {
        let mut options = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            match option(line) {
                Line::Option(name, value) => options.insert(name.to_owned(), value.to_owned()),
                Line::Comment => continue,
                Line::Other => {
                    return Err(Error::Reference(format!(
                        "{place}:{}: a line is CONFIG_NAME=value, # CONFIG_NAME is not set, or a comment",
                        number + 1
                    )));
                }
            };
        }
        if options.is_empty() {
            return Err(Error::Reference(format!("{place}: there is no option in it")));
        }
        Ok(Fragment { name: name.to_owned(), place: place.to_owned(), text: text.to_owned(), options })
    }
}

enum Line<'l> {
    Option(&'l str, &'l str),
    Comment,
    Other,
}

fn option(line: &str) -> Line<'_> {
    let line = line.trim();
    let unset = || line.strip_prefix("# CONFIG_")?.strip_suffix(" is not set");
    let set = || line.strip_prefix("CONFIG_")?.split_once('=');
    let valid = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match (unset(), set()) {
        (Some(name), _) if valid(name) => Line::Option(name, "n"),
        (_, Some((name, value))) if valid(name) && !value.is_empty() => Line::Option(name, value),
        _ if line.is_empty() || line.starts_with('#') => Line::Comment,
        _ => Line::Other,
    }
}

/// An option that a configuration does not have as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its name without `CONFIG_`.
    pub option: String,
    /// Where it was asked for.
    pub place: String,
    /// The value that was asked for.
    pub wanted: String,
    /// The value that it has.
    pub found: String,
}

/// What fragments ask for that a kernel's configuration does not have. The last that names an option counts.
pub fn refused(fragments: &[Fragment], configuration: &str) -> Vec<Refused> {
    let mut wanted: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for fragment in fragments {
        for (option, value) in &fragment.options {
            wanted.insert(option, (value, &fragment.place));
        }
    }
    let set: BTreeMap<&str, &str> = configuration
        .lines()
        .filter_map(|line| match option(line) {
            Line::Option(name, value) => Some((name, value)),
            _ => None,
        })
        .collect();
    wanted
        .into_iter()
        .filter_map(|(option, (wanted, place))| {
            let found = set.get(option).copied().unwrap_or("n");
            (found != wanted).then(|| Refused {
                option: option.into(),
                place: place.into(),
                wanted: wanted.into(),
                found: found.into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn fragment(name: &str, text: &str) -> Fragment {
        Fragment::parse(name, name, text).unwrap()
    }

    #[test]
    fn what_comes_with_the_suite_is_right() {
        assert_eq!(Fragment::base().unwrap().name, "base");
        for (name, _) in NAMED {
            assert_eq!(Fragment::find(name).unwrap().name, name);
        }
    }

    #[test]
    fn a_file_is_named_after_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.config");
        fs::write(&path, "CONFIG_X=y\n").unwrap();
        let found = Fragment::find(path.to_str().unwrap()).unwrap();
        assert_eq!((found.name.as_str(), found.text.as_str()), ("mine", "CONFIG_X=y\n"));
    }

    #[rstest]
    #[case("CONFIG_X=y\nKEYS=y\n", "f:2: a line is")]
    #[case("CONFIG_X\n", "f:1: a line is")]
    #[case("CONFIG_X=\n", "f:1: a line is")]
    #[case("CONFIG_a-b=y\n", "f:1: a line is")]
    #[case("# only words\n", "no option")]
    fn a_line_that_is_no_option_is_named(#[case] text: &str, #[case] expected: &str) {
        let error = Fragment::parse("f", "f", text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_neither_name_nor_file_is_refused() {
        let error = Fragment::find("nonesuch").unwrap_err();
        assert!(matches!(&error, Error::Reference(why) if why.contains("full, debug")), "{error}");
    }

    #[rstest]
    #[case("CONFIG_X=y\n", None)]
    #[case("CONFIG_X=m\n", Some(("y", "m")))]
    #[case("# CONFIG_X is not set\n", Some(("y", "n")))]
    #[case("", Some(("y", "n")))]
    #[case("CONFIG_X_Y=y\n", Some(("y", "n")))]
    fn an_option_that_did_not_take_is_told(#[case] result: &str, #[case] expected: Option<(&str, &str)>) {
        let found = refused(&[fragment("f", "CONFIG_X=y\n")], result);
        let found: Vec<_> =
            found.iter().map(|refused| (refused.wanted.as_str(), refused.found.as_str())).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }

    #[rstest]
    #[case("# CONFIG_X is not set\n")]
    #[case("CONFIG_X=n\n")]
    fn the_last_fragment_counts(#[case] last: &str) {
        let fragments = [fragment("one", "CONFIG_X=y\nCONFIG_T=\"a b\"\n"), fragment("two", last)];
        assert_eq!(refused(&fragments, "CONFIG_T=\"a b\"\n"), []);
        let found = refused(&fragments, "CONFIG_X=y\nCONFIG_T=\"a\"\n");
        let places: Vec<_> =
            found.iter().map(|refused| (refused.option.as_str(), refused.place.as_str())).collect();
        assert_eq!(places, [("T", "one"), ("X", "two")]);
    }
}
