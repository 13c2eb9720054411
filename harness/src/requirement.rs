//! The behaviours that cases decide: `cases/requirements.yaml`, read.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::case::diagnostic::{Problems, Source, shown};

/// One observable behaviour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requirement {
    /// Its id, as `covers` names it.
    pub id: String,
    /// If it is about the session keyring itself.
    pub tier: Tier,
    /// How binding it is.
    pub level: Level,
    /// The behaviour.
    pub says: String,
    /// Where it is written down.
    pub from: Vec<String>,
    /// What shows it, beyond a plain process.
    pub needs: Vec<String>,
    /// The first kernel version that has it, where that matters.
    pub since: Option<String>,
    /// What changed in which version.
    pub changed: Option<String>,
}

impl Requirement {
    /// The id without its number: the chapter that it belongs to.
    pub fn group(&self) -> &str {
        self.id.rsplit_once('-').map_or(&self.id, |(group, _)| group)
    }
}

/// If a behaviour is the session keyring's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The session keyring itself.
    Core,
    /// Neighbouring behaviour that belongs beside it.
    Extended,
}

/// How binding a behaviour is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Documentation and kernels agree.
    Must,
    /// Recommended.
    Should,
    /// Nothing is written down, and kernels agree.
    KernelDefined,
    /// A page claims otherwise.
    DocumentedButKernelDiffers,
}

impl Level {
    /// Every level, the most binding first.
    pub const ALL: [Level; 4] =
        [Level::Must, Level::Should, Level::KernelDefined, Level::DocumentedButKernelDiffers];

    /// The level as requirements.yaml has it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Must => "must",
            Level::Should => "should",
            Level::KernelDefined => "kernel-defined",
            Level::DocumentedButKernelDiffers => "documented-but-kernel-differs",
        }
    }
}

/// Reads the requirements, in the order of the file. The file is the project's own and not written
/// by hand every day: its first error is told, where cases are told all of theirs.
pub fn read(source: &Source, problems: &mut Problems) -> Vec<Requirement> {
    match serde_yaml::from_str::<Entries>(&source.text) {
        Ok(Entries(requirements)) => requirements,
        Err(error) => {
            let mut message = error.to_string();
            let at = error.location().map_or(0, |location| {
                let place = format!(" at line {} column {}", location.line(), location.column());
                message = message.replace(&place, "");
                location.index().min(source.text.len())
            });
            problems.push(source.error(at..at, message));
            Vec::new()
        }
    }
}

/// The file: a map from ids to what they stand for.
struct Entries(Vec<Requirement>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    tier: Tier,
    level: Level,
    says: String,
    from: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    since: Option<String>,
    changed: Option<String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from requirement ids to requirements")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut requirements: Vec<Requirement> = Vec::new();
        while let Some(id) = map.next_key::<String>()? {
            if !is_id(&id) {
                let what = "an id reads CHAPTER-01: capitals, digits and `-`";
                return Err(A::Error::custom(format!("`{}` is no requirement id: {what}", shown(&id))));
            }
            if requirements.iter().any(|other| other.id == id) {
                return Err(A::Error::custom(format!("`{id}` stands twice")));
            }
            let Entry { tier, level, says, from, needs, since, changed } = map.next_value()?;
            if from.is_empty() {
                return Err(A::Error::custom(format!("{id}: `from` is empty")));
            }
            requirements.push(Requirement { id, tier, level, says, from, needs, since, changed });
        }
        Ok(Entries(requirements))
    }
}

/// If a word can be a requirement's id.
pub fn is_id(word: &str) -> bool {
    let legal = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '-';
    word.len() <= 40 && word.starts_with(|first: char| first.is_ascii_uppercase()) && word.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn requirements(text: &str) -> Result<Vec<Requirement>, Vec<String>> {
        let mut problems = Problems::default();
        let read = read(&Source::new("requirements.yaml", text), &mut problems);
        let errors: Vec<String> = problems.finish().into_iter().map(|error| error.message).collect();
        if errors.is_empty() { Ok(read) } else { Err(errors) }
    }

    #[test]
    fn a_requirement_is_read() {
        let text = "INHERIT-EXEC-01: {tier: core, level: must, says: It holds., from: [execve(2)]}";
        let read = requirements(text).unwrap().remove(0);
        assert_eq!((read.group(), read.tier, read.level), ("INHERIT-EXEC", Tier::Core, Level::Must));
    }

    #[rstest]
    #[case("A-1: {tier: core, level: must, from: [x]}", "missing field `says`")]
    #[case("A-1: {tier: cor, level: must, says: x, from: [x]}", "unknown variant `cor`")]
    #[case("A-1: {tier: core, level: must, says: x, from: [x], say: y}", "unknown field `say`")]
    #[case("A-1: {tier: core, level: must, says: x, from: []}", "`from` is empty")]
    #[case("a: {tier: core, level: must, says: x, from: [x]}", "`a` is no requirement id")]
    #[case("[]", "expected a map from requirement ids")]
    #[case("A-1: {", "did not find expected")]
    fn a_wrong_entry_is_told(#[case] text: &str, #[case] message: &str) {
        let told = requirements(text).unwrap_err();
        assert!(told.len() == 1 && told[0].contains(message), "{told:?}");
    }

    #[test]
    fn a_level_has_the_word_by_which_it_is_read() {
        for level in Level::ALL {
            let text = format!("A-1: {{tier: core, level: {}, says: x, from: [x]}}", level.word());
            assert_eq!(requirements(&text).unwrap()[0].level, level);
        }
    }

    #[test]
    fn an_id_stands_once() {
        let entry = "A-1: {tier: core, level: must, says: x, from: [x]}\n";
        let told = requirements(&entry.repeat(2)).unwrap_err();
        assert!(told[0].contains("A-1"), "{told:?}");
    }
}
