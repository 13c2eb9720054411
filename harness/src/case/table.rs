//! `table:`: rows of named texts, and their places in the steps.
//!
//! A substitution is made in the text of a step before its grammar is read; each piece of the result
//! remembers where it came from, so that an error in it points into the file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::call::{NAME_RULE, is_name};
use super::diagnostic::{Diagnostic, Problems, Source, shown};
use super::limits;
use super::yaml::{Data, Key, Node};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, as the case's id has it.
    pub name: String,
    /// The texts by column.
    pub columns: BTreeMap<String, String>,
}

/// A scalar's text after substitution.
pub struct Text<'n> {
    /// The text.
    pub text: String,
    node: &'n Node,
    pieces: Vec<Piece>,
}

/// A run of the text, and what it was made from.
struct Piece {
    /// Its bytes in the text.
    to: Range<usize>,
    /// The bytes of the scalar's own text.
    from: Range<usize>,
    /// If they are the same text.
    copied: bool,
}

/// Makes one row's substitutions, and remembers which columns were of use.
pub struct Substitution<'r> {
    row: Option<&'r Row>,
    used: BTreeSet<String>,
    bytes: usize,
}

impl<'r> Substitution<'r> {
    /// Substitutes from a row; without one, every text stays as it is.
    pub fn new(row: Option<&'r Row>) -> Substitution<'r> {
        Substitution { row, used: BTreeSet::new(), bytes: 0 }
    }

    /// The columns that were of use.
    pub fn used(&self) -> &BTreeSet<String> {
        &self.used
    }

    /// How many bytes came of it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The text of a scalar with each `<column>` replaced.
    pub fn apply<'n>(
        &mut self,
        source: &Source,
        node: &'n Node,
        text: &str,
    ) -> Result<Text<'n>, Box<Diagnostic>> {
        let mut out = Text { text: String::new(), node, pieces: Vec::new() };
        let mut at = 0;
        while let Some((placeholder, column)) = self.row.and_then(|_| placeholder(text, at)) {
            out.push(&text[at..placeholder.start], at..placeholder.start, true);
            let value = self.column(column).map_err(|known| {
                let place = node.within(source, placeholder.clone());
                let diagnostic = source.error(place, format!("the table has no column `{column}`"));
                Box::new(diagnostic.suggest(column, known.iter().map(String::as_str)))
            })?;
            out.push(value, placeholder.clone(), false);
            at = placeholder.end;
            if out.text.len() > limits::STEP {
                break;
            }
        }
        out.push(&text[at..], at..text.len(), true);
        self.bytes += out.text.len();
        if out.text.len() > limits::STEP {
            let message = format!("the text of a step has more than {} bytes", limits::STEP);
            let error = source.error(node.place.clone(), message);
            return Err(Box::new(error.help("write text(N) for a long text")));
        }
        Ok(out)
    }

    fn column(&mut self, name: &str) -> Result<&'r str, Vec<String>> {
        let columns = &self.row.ok_or_else(Vec::new)?.columns;
        let value = columns.get(name).ok_or_else(|| columns.keys().cloned().collect::<Vec<_>>())?;
        self.used.insert(name.to_owned());
        Ok(value)
    }
}

/// The next `<name>` from a place on.
fn placeholder(text: &str, from: usize) -> Option<(Range<usize>, &str)> {
    text[from..].match_indices('<').find_map(|(at, _)| {
        let start = from + at;
        let name = &text[start + 1..start + 1 + text[start + 1..].find('>')?];
        is_name(name).then(|| (start..start + name.len() + 2, name))
    })
}

impl Text<'_> {
    fn push(&mut self, text: &str, from: Range<usize>, copied: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push(Piece { to: start..self.text.len(), from, copied });
    }

    /// Where a range of the text stands in the file.
    pub fn place(&self, source: &Source, range: &Range<usize>) -> Range<usize> {
        let origin = |at: usize, end: bool| {
            let held = |piece: &&Piece| if end { at <= piece.to.end } else { at < piece.to.end };
            match self.pieces.iter().find(held).or(self.pieces.last()) {
                Some(piece) if piece.copied => piece.from.start + (at - piece.to.start),
                Some(piece) if end => piece.from.end,
                Some(piece) => piece.from.start,
                None => 0,
            }
        };
        let start = origin(range.start, false);
        let end = if range.is_empty() { start } else { origin(range.end, true) };
        self.node.within(source, start..end.max(start))
    }

    /// If a part of the range was put there by a row.
    pub fn is_substituted(&self, range: &Range<usize>) -> bool {
        self.pieces
            .iter()
            .any(|piece| !piece.copied && piece.to.start < range.end && range.start < piece.to.end)
    }

    /// The scalar.
    pub fn node(&self) -> &Node {
        self.node
    }
}

/// Reads a table. Each row has the columns of the first.
pub fn read(source: &Source, node: &Node, problems: &mut Problems) -> Vec<Row> {
    let Data::Map(entries) = &node.data else {
        let message = format!("`table` maps row names to their texts, and here is {}", node.kind());
        problems.push(source.error(node.place.clone(), message).help("write `row: {column: text}`"));
        return Vec::new();
    };
    if entries.is_empty() {
        problems.push(source.error(node.place.clone(), "the table has no row").help("leave `table` out"));
    }
    if entries.len() > limits::ROWS {
        let message = format!("a table has up to {} rows, and this one {}", limits::ROWS, entries.len());
        problems.push(source.error(node.place.clone(), message));
        return Vec::new();
    }
    let mut rows: Vec<Row> = Vec::new();
    for (key, value) in entries {
        if let Some(row) = row(source, key, value, problems)
            && rows.first().is_none_or(|first| is_alike(source, key, first, &row, problems))
        {
            rows.push(row);
        }
    }
    rows
}

fn row(source: &Source, key: &Key, value: &Node, problems: &mut Problems) -> Option<Row> {
    let legal = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_.".contains(char);
    if key.name.is_empty() || key.name.len() > 64 || !key.name.chars().all(legal) {
        let message = format!("`{}` cannot name a row", shown(&key.name));
        problems.push(
            source.error(key.place.clone(), message).help("a row's name has up to 64 of a-z, 0-9, - _ and ."),
        );
        return None;
    }
    let Data::Map(entries) = &value.data else {
        let message = format!("a row maps columns to texts, and here is {}", value.kind());
        problems.push(source.error(value.place.clone(), message).help("write `row: {column: text}`"));
        return None;
    };
    let mut columns = BTreeMap::new();
    for (column, text) in entries {
        if !is_name(&column.name) {
            let message = format!("`{}` cannot name a column", shown(&column.name));
            problems.push(source.error(column.place.clone(), message).help(NAME_RULE));
            continue;
        }
        match &text.data {
            Data::Scalar(scalar) if scalar.text.contains('\n') => {
                problems.push(source.error(text.place.clone(), "the text of a row stands on one line"));
            }
            Data::Scalar(scalar) => {
                columns.insert(column.name.clone(), scalar.text.clone());
            }
            _ => problems
                .push(source.error(text.place.clone(), format!("here is {} and not a text", text.kind()))),
        }
    }
    Some(Row { name: key.name.clone(), columns })
}

/// If a row has the columns of the first one.
fn is_alike(source: &Source, key: &Key, first: &Row, row: &Row, problems: &mut Problems) -> bool {
    let missing = first.columns.keys().find(|column| !row.columns.contains_key(*column));
    let extra = row.columns.keys().find(|column| !first.columns.contains_key(*column));
    let message = match (missing, extra) {
        (Some(column), _) => format!("row `{}` lacks the column `{column}`", row.name),
        (None, Some(column)) => format!("row `{}` has a column `{column}` more", row.name),
        (None, None) => return true,
    };
    let columns: Vec<&str> = first.columns.keys().map(String::as_str).collect();
    let label = format!("row `{}` has: {}", first.name, columns.join(", "));
    problems.push(source.error(key.place.clone(), message).label(label));
    false
}
