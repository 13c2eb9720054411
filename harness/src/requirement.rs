//! The behaviours that cases decide: `cases/requirements.yaml`, read.

use serde::Serialize;

use crate::case::diagnostic::{Problems, Source, shown};
use crate::case::fields::Fields;
use crate::case::yaml::{self, Data, Key, Node};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The session keyring itself.
    Core,
    /// Neighbouring behaviour that belongs beside it.
    Extended,
}

/// How binding a behaviour is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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

const TIERS: &[(&str, Tier)] = &[("core", Tier::Core), ("extended", Tier::Extended)];

const LEVELS: &[(&str, Level)] = &[
    ("must", Level::Must),
    ("should", Level::Should),
    ("kernel-defined", Level::KernelDefined),
    ("documented-but-kernel-differs", Level::DocumentedButKernelDiffers),
];

const KEYS: &[&str] = &["tier", "level", "says", "from", "needs", "since", "changed"];

/// Reads the requirements, in the order of the file.
pub fn read(source: &Source, problems: &mut Problems) -> Vec<Requirement> {
    let Some(root) = yaml::parse(source, problems) else { return Vec::new() };
    let mut fields = Fields { source, problems };
    let entries = fields.map(&root, "requirements.yaml").unwrap_or_default();
    entries.iter().filter_map(|(key, node)| requirement(&mut fields, key, node)).collect()
}

fn requirement(fields: &mut Fields<'_, '_>, key: &Key, node: &Node) -> Option<Requirement> {
    if !is_id(&key.name) {
        let error =
            fields.source.error(key.place.clone(), format!("`{}` is no requirement id", shown(&key.name)));
        fields.push(error.help("an id reads CHAPTER-01: capitals, digits and `-`"));
    }
    let entries = fields.map(node, &key.name)?;
    fields.unknown_keys(entries, KEYS, "a requirement");
    let tier = fields.required(node, "tier").and_then(|node| fields.one_of(node, TIERS));
    let level = fields.required(node, "level").and_then(|node| fields.one_of(node, LEVELS));
    let says = fields.required(node, "says").and_then(|node| text(fields, node, "says"));
    let from = fields.required(node, "from").map(|node| words(fields, node, "from")).unwrap_or_default();
    Some(Requirement {
        id: key.name.clone(),
        tier: tier?,
        level: level?,
        says: says?,
        from,
        needs: node.get("needs").map(|node| words(fields, node, "needs")).unwrap_or_default(),
        since: node.get("since").and_then(|node| text(fields, node, "since")),
        changed: node.get("changed").and_then(|node| text(fields, node, "changed")),
    })
}

/// If a word can be a requirement's id.
pub fn is_id(word: &str) -> bool {
    let legal = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '-';
    word.len() <= 40 && word.starts_with(|first: char| first.is_ascii_uppercase()) && word.chars().all(legal)
}

fn text(fields: &mut Fields<'_, '_>, node: &Node, key: &str) -> Option<String> {
    Some(fields.text(node, key)?.text.trim().to_owned())
}

/// A list of texts that holds at least one.
fn words(fields: &mut Fields<'_, '_>, node: &Node, key: &str) -> Vec<String> {
    let words = fields.words(node, key);
    if matches!(&node.data, Data::List(items) if items.is_empty()) {
        fields.error(node.place.clone(), format!("`{key}` is empty"));
    }
    fields.twice(&words);
    words.into_iter().map(|(word, _)| word).collect()
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
    #[case("A-1: {tier: core, level: must, from: [x]}", "`says` is missing")]
    #[case("A-1: {tier: cor, level: must, says: x, from: [x]}", "`cor` is not known here")]
    #[case("A-1: {tier: core, level: must, says: x, from: [x], say: y}", "a requirement has no key `say`")]
    #[case("A-1: {tier: core, level: must, says: x, from: []}", "`from` is empty")]
    #[case("a: {tier: core, level: must, says: x, from: [x]}", "`a` is no requirement id")]
    #[case("[]", "`requirements.yaml` is a map, and here is a list")]
    fn a_wrong_entry_is_told(#[case] text: &str, #[case] message: &str) {
        assert_eq!(requirements(text), Err(vec![message.to_owned()]));
    }
}
