//! Reading the fields of a YAML tree: kinds, closed lists of words, keys that do not exist.
//!
//! What is shared by all files of the suite lives here; what a key means is its reader's knowledge.

use std::ops::Range;

use super::diagnostic::{Diagnostic, Problems, Source, shown};
use super::yaml::{Data, Key, Node, Scalar};

/// Reads fields, and gathers what is wrong with them.
pub struct Fields<'s, 'p> {
    /// The file.
    pub source: &'s Source,
    /// What is wrong with it.
    pub problems: &'p mut Problems,
}

impl Fields<'_, '_> {
    /// The meaning of a scalar out of a closed list of words.
    pub fn one_of<T: Copy>(&mut self, node: &Node, known: &[(&str, T)]) -> Option<T> {
        let word = match &node.data {
            Data::Scalar(scalar) => scalar.text.as_str(),
            _ => node.kind(),
        };
        self.known(word, &node.place, known)
    }

    /// The meaning of a word out of a closed list.
    pub fn known<T: Copy>(&mut self, word: &str, place: &Range<usize>, known: &[(&str, T)]) -> Option<T> {
        let found = known.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let error = self.source.error(place.clone(), format!("`{}` is not known here", shown(word)));
            self.push(error.label(format!("one of: {}", names.join(", "))).suggest(word, names));
        }
        found
    }

    /// The value of a key that has to be there.
    pub fn required<'n>(&mut self, root: &'n Node, key: &str) -> Option<&'n Node> {
        let found = root.get(key);
        if found.is_none() {
            self.error(root.place.clone(), format!("`{key}` is missing"));
        }
        found
    }

    /// Refuses the keys that `what` does not have.
    pub fn unknown_keys(&mut self, entries: &[(Key, Node)], known: &[&str], what: &str) {
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let error =
                self.source.error(key.place.clone(), format!("{what} has no key `{}`", shown(&key.name)));
            let label = format!("there are {}", known.join(", "));
            self.push(error.label(label).suggest(&key.name, known.iter().copied()));
        }
    }

    /// A text; numbers and truth values need quotes to be one.
    pub fn text<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Scalar> {
        match &node.data {
            Data::Scalar(scalar) if scalar.is_text() => Some(scalar),
            _ => {
                let error = self
                    .source
                    .error(node.place.clone(), format!("`{key}` is a text, and here is {}", node.kind()));
                self.push(error.help("quotes make a text of anything"));
                None
            }
        }
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n [Node]> {
        match &node.data {
            Data::List(items) => Some(items),
            _ => {
                self.error(node.place.clone(), format!("`{key}` is a list, and here is {}", node.kind()));
                None
            }
        }
    }

    /// The entries of a map.
    pub fn map<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n [(Key, Node)]> {
        match &node.data {
            Data::Map(entries) => Some(entries),
            _ => {
                self.error(
                    node.place.clone(),
                    format!("`{}` is a map, and here is {}", shown(key), node.kind()),
                );
                None
            }
        }
    }

    /// The texts of a list, with their places.
    pub fn words(&mut self, node: &Node, key: &str) -> Vec<(String, Range<usize>)> {
        let items = self.list(node, key).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| Some((self.text(item, key)?.text.clone(), item.place.clone())))
            .collect()
    }

    /// Refuses words that stand twice.
    pub fn twice(&mut self, words: &[(String, Range<usize>)]) {
        for (at, (word, place)) in words.iter().enumerate() {
            if words[..at].iter().any(|(earlier, _)| earlier == word) {
                self.error(place.clone(), format!("`{}` stands twice", shown(word)));
            }
        }
    }

    /// Adds a diagnostic without help.
    pub fn error(&mut self, place: Range<usize>, message: impl AsRef<str>) {
        self.push(self.source.error(place, message));
    }

    /// Adds a diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }
}
