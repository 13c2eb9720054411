//! What is wrong with a file, where, and what to do about it: in words for a person.
//!
//! No rule of the language lives here, only the way in which a breach of one is told.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// How many diagnostics of one file are shown; the rest are counted.
pub const SHOWN: usize = 40;

/// A text with its name: what diagnostics point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as a person would name it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Where each line but the first starts.
    starts: Vec<usize>,
}

impl Source {
    /// A text with its name.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Source {
        let text = text.into();
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Source { file: file.into(), text, starts }
    }

    /// The line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at) + 1
    }

    /// The range of the line that holds a byte, without its line break.
    pub fn line_range(&self, at: usize) -> Range<usize> {
        let next = self.starts.partition_point(|start| *start <= at);
        let start = next.checked_sub(1).map_or(0, |line| self.starts[line]);
        let bytes = self.text.as_bytes();
        let end = self.starts.get(next).map_or(bytes.len(), |start| start - 1);
        let end = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
        start..end
    }

    /// A diagnostic about a range of bytes; of a longer range its first line is marked.
    pub fn error(&self, place: Range<usize>, message: impl AsRef<str>) -> Diagnostic {
        let start = self.boundary(place.start);
        let line = self.line_range(start);
        let start = start.clamp(line.start, line.end);
        let end = self.boundary(place.end).clamp(start, line.end);
        Diagnostic {
            file: self.file.clone(),
            line: self.line(line.start),
            column: self.text[line.start..start].chars().count() + 1,
            span: start - line.start..end - line.start,
            source: self.text[line].to_owned(),
            message: visible(message.as_ref()),
            label: String::new(),
            help: None,
        }
    }

    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as a person would name it.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text.
    pub source: String,
    /// The bytes of that text to mark.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to say beside the mark.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic about a file as a whole.
    pub fn file(file: impl Into<String>, message: impl AsRef<str>) -> Diagnostic {
        Diagnostic {
            file: file.into(),
            line: 0,
            column: 0,
            source: String::new(),
            span: 0..0,
            message: visible(message.as_ref()),
            label: String::new(),
            help: None,
        }
    }

    /// Adds what stands beside the mark.
    pub fn label(mut self, label: impl AsRef<str>) -> Diagnostic {
        self.label = visible(label.as_ref());
        self
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl AsRef<str>) -> Diagnostic {
        self.help = Some(visible(help.as_ref()));
        self
    }

    /// Adds the known word that is nearest to a wrong one, if one is near.
    pub fn suggest<'w>(self, word: &str, known: impl IntoIterator<Item = &'w str>) -> Diagnostic {
        match did_you_mean(word, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// The diagnostic as compilers show theirs, with or without colours.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let file = visible(&self.file);
        let title = Level::ERROR.primary_title(self.message.as_str());
        let group = if self.line == 0 {
            title.element(annotate_snippets::Origin::path(file))
        } else {
            let mark = AnnotationKind::Primary.span(self.span.clone());
            let mark = if self.label.is_empty() { mark } else { mark.label(self.label.as_str()) };
            title.element(
                Snippet::source(self.source.as_str()).line_start(self.line).path(file).annotation(mark),
            )
        };
        let group = match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Gathers the diagnostics of one file: in the order of the text, each once, so many and no more.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Diagnostic>,
    more: usize,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // The rows of a table repeat their steps, and so the errors in them.
        if self.found.contains(&diagnostic) {
            return;
        }
        if self.found.len() < SHOWN {
            self.found.push(diagnostic);
        } else {
            self.more += 1;
        }
    }

    /// If nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// If so much is wrong that looking on is of no use.
    pub fn is_full(&self) -> bool {
        self.more > 0
    }

    /// All of them.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        if let Some(last) = self.found.last().filter(|_| self.more > 0) {
            let message = format!("more is wrong with this file than the {SHOWN} errors above");
            self.found.push(Diagnostic::file(last.file.clone(), message));
        }
        self.found
    }
}

/// The known word that is nearest to a wrong one, if one is near enough to be meant.
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // A hostile word must not cost more than its refusal.
    if word.len() > 64 {
        return None;
    }
    let distance = |known: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &known.to_lowercase());
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, known)| *distance <= allowed && *known != word)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A word of the file for use in a message: cut to a readable length.
pub fn shown(word: &str) -> String {
    const LONGEST: usize = 60;
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

/// The text with everything that could move a cursor or turn the reading direction made visible.
fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, char| {
        if char.is_control() || is_deceptive(char) {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
        out
    })
}

/// If a character changes how those around it are shown.
pub fn is_deceptive(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_diagnostic_reads_like_a_compilers() {
        let source = Source::new("cases/a.yaml", "title: x\nsteps:\n  - chidl: exit() = ok\n");
        let diagnostic = source
            .error(20..25, "no actor `chidl` is alive here")
            .label("alive at this step: alice, child")
            .suggest("chidl", ["alice", "child"]);
        let expected = "\
error: no actor `chidl` is alive here
 --> cases/a.yaml:3:5
  |
3 |   - chidl: exit() = ok
  |     ^^^^^ alive at this step: alice, child
  |
  = help: did you mean `child`?";
        assert_eq!(diagnostic.render(false), expected);
        assert!(diagnostic.render(true).contains("\u{1b}["));
    }

    #[test]
    fn a_long_line_is_cut_around_its_mark() {
        let text = format!("{}wrong{}", "a".repeat(50_000), "b".repeat(50_000));
        let shown =
            Source::new("cases/a.yaml", text).error(50_000..50_005, "long").label("here").render(false);
        assert!(shown.contains("cases/a.yaml:1:50001"), "{shown}");
        assert!(shown.contains("wrong") && shown.contains("^^^^^ here"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
    }

    #[test]
    fn nothing_in_a_file_reaches_the_terminal_raw() {
        let source = Source::new("a\u{1b}[2J.yaml", "x\u{1b}[31m\u{202e}y\u{7}");
        let text = source.error(0..1, "bad \u{1b}[0m").label("\u{8}").help("\r").render(false);
        assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
        assert!(!text.chars().any(is_deceptive), "{text:?}");
    }

    #[rstest]
    #[case("get_keyring_id", Some("get_keyring_ID"))]
    #[case("chidl", Some("child"))]
    #[case("zzz", None)]
    #[case("child", None)]
    fn only_a_near_word_is_suggested(#[case] word: &str, #[case] near: Option<&str>) {
        assert_eq!(did_you_mean(word, ["alice", "child", "get_keyring_ID"]), near);
    }

    #[test]
    fn a_file_that_is_all_wrong_is_not_listed_in_full() {
        let source = Source::new("a.yaml", "x\n".repeat(500));
        let mut problems = Problems::default();
        for line in 0..500 {
            problems.push(source.error(line * 2..line * 2 + 1, "wrong"));
            problems.push(source.error(line * 2..line * 2 + 1, "wrong"));
        }
        assert_eq!(problems.finish().len(), SHOWN + 1);
    }

    #[rstest]
    #[case(0..1, 1, 1)]
    #[case(3..4, 2, 1)]
    #[case(7..8, 2, 3)]
    #[case(900..900, 3, 1)]
    fn places_are_counted_in_characters(
        #[case] place: Range<usize>,
        #[case] line: usize,
        #[case] column: usize,
    ) {
        let diagnostic = Source::new("a.yaml", "ab\néàz\r\n").error(place, "here");
        assert_eq!((diagnostic.line, diagnostic.column), (line, column));
    }
}
