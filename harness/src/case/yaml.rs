//! A YAML text as a tree whose nodes know their places.
//!
//! Only what a plain record needs is taken: one document of maps, lists and scalars. Anchors, aliases,
//! tags and merge keys are refused as they are met, so that nothing can be multiplied by them. What
//! the keys mean is not known here.

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::diagnostic::{Diagnostic, Problems, Source, is_deceptive, shown};

/// How deep maps and lists may stand in each other.
const DEPTH: usize = 12;

/// A node and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The bytes of the source that it takes up; of a map or list the first one.
    pub place: Range<usize>,
    /// What it is.
    pub data: Data,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A piece of text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; no key stands twice.
    Map(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Its place.
    pub place: Range<usize>,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text, without quotes and escapes.
    pub text: String,
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}

impl Node {
    /// What kind of node this is, in a message.
    pub fn kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar(scalar) if scalar.is_null() => "nothing",
            Data::Scalar(scalar) if scalar.is_text() => "text",
            Data::Scalar(_) => "a number or truth value",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// The value under a key, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.data {
            Data::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Where a range of this scalar's text stands in the source: exact as long as the scalar stands on
    /// one line, else the scalar's first line.
    pub fn within(&self, source: &Source, range: Range<usize>) -> Range<usize> {
        let Data::Scalar(scalar) = &self.data else { return self.place.clone() };
        let raw = &source.text[self.place.clone()];
        if raw.contains('\n') || scalar.style == Style::Block {
            return self.place.clone();
        }
        let to = |at| self.place.start + scalar.raw_offset(raw, at);
        to(range.start)..to(range.end)
    }
}

impl Scalar {
    /// If nothing is written, or the word for nothing.
    pub fn is_null(&self) -> bool {
        self.style == Style::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// If YAML takes this for text rather than for a number, a truth value or nothing.
    pub fn is_text(&self) -> bool {
        let word = self.text.as_str();
        let number = || word.parse::<f64>().is_ok() || word.starts_with("0x") || word.starts_with("0o");
        let truth = || matches!(word.to_ascii_lowercase().as_str(), "true" | "false");
        self.style != Style::Plain || !(self.is_null() || number() || truth())
    }

    /// If the text ends where a comment may begin.
    pub fn is_plain(&self) -> bool {
        self.style == Style::Plain
    }

    /// The offset in the raw text of an offset in the decoded one.
    fn raw_offset(&self, raw: &str, at: usize) -> usize {
        let (mut decoded, mut from) = (0, if self.style == Style::Plain { 0 } else { 1 });
        let mut chars = self.text.chars();
        while decoded < at {
            let Some(char) = chars.next() else { break };
            decoded += char.len_utf8();
            from += match self.style {
                Style::SingleQuoted if char == '\'' => 2,
                Style::DoubleQuoted if raw[from..].starts_with('\\') => escape_length(&raw[from..]),
                _ => char.len_utf8(),
            };
        }
        from.min(raw.len())
    }
}

/// How many bytes an escape of a double-quoted scalar takes.
fn escape_length(raw: &str) -> usize {
    match raw.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 1 + raw.chars().nth(1).map_or(0, char::len_utf8),
    }
}

/// Decodes a file: UTF-8 without characters that hide something. The diagnostic points to the byte.
pub fn decode(file: &str, bytes: &[u8]) -> Result<Source, Box<Diagnostic>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.valid_up_to();
            let source = Source::new(file, String::from_utf8_lossy(bytes));
            let place = good..good + '\u{fffd}'.len_utf8();
            let error = source.error(place, "the file is not UTF-8").label("this byte");
            let help = "save the file as UTF-8; in a text of a step, write \\xNN for such a byte";
            return Err(Box::new(error.help(help)));
        }
    };
    let source = Source::new(file, text);
    let Some((at, char)) = hidden(text) else { return Ok(source) };
    let what = match char {
        '\u{feff}' if at == 0 => "the file begins with a byte order mark".to_owned(),
        '\r' => "a carriage return stands without its line feed".to_owned(),
        char => format!("the file holds the invisible character U+{:04X}", char as u32),
    };
    let help = "take it out; in a text of a step, write \\xNN for such a byte";
    Err(Box::new(source.error(at..at + char.len_utf8(), what).label("here").help(help)))
}

/// The first character that a reader would not see.
fn hidden(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(at, char)| match char {
        '\n' | '\t' => false,
        '\r' => !text[at + 1..].starts_with('\n'),
        char => char.is_control() || is_deceptive(*char),
    })
}

/// Reads the one document of a text. What is wrong goes to `problems`; a tree comes back if the text
/// as a whole could be read, keys that stand twice left out.
pub fn parse(source: &Source, problems: &mut Problems) -> Option<Node> {
    match (Builder { source, offsets: offsets(&source.text), problems }).document() {
        Ok(root) => Some(root),
        Err(diagnostic) => {
            problems.push(*diagnostic);
            None
        }
    }
}

/// The byte at which each character starts, and the end.
fn offsets(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

struct Builder<'s, 'p> {
    source: &'s Source,
    offsets: Vec<usize>,
    problems: &'p mut Problems,
}

type Built<T> = Result<T, Box<Diagnostic>>;
type Events<'s> = Parser<'s, saphyr_parser::StrInput<'s>>;

impl<'s> Builder<'s, '_> {
    fn document(mut self) -> Built<Node> {
        let mut events = Parser::new_from_str(&self.source.text);
        let mut root = None;
        loop {
            let (event, span) = self.next(&mut events)?;
            match event {
                Event::StreamEnd => break,
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    let text = "a file holds one document";
                    return Err(Box::new(
                        self.source
                            .error(self.place(span), text)
                            .label("a second one begins here")
                            .help("put each case in a file of its own"),
                    ));
                }
                event => root = Some(self.node(&mut events, event, span, 0)?),
            }
        }
        let empty = || Box::new(self.source.error(0..0, "the file is empty"));
        root.filter(|node| node.kind() != "nothing").ok_or_else(empty)
    }

    fn next(&self, events: &mut Events<'s>) -> Built<(Event<'s>, Span)> {
        match events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(Box::new(self.syntax(&error))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, events: &mut Events<'s>, event: Event<'s>, span: Span, depth: usize) -> Built<Node> {
        let place = self.place(span);
        if depth > DEPTH {
            return Err(Box::new(self.too_deep(place)));
        }
        self.refuse_features(&event, &place)?;
        let data = match event {
            Event::Scalar(text, style, ..) => {
                Data::Scalar(Scalar { text: text.into_owned(), style: style.into() })
            }
            Event::SequenceStart(..) => Data::List(self.list(events, depth)?),
            Event::MappingStart(..) => Data::Map(self.map(events, depth)?),
            other => return Err(Box::new(self.source.error(place, format!("unexpected YAML: {other:?}")))),
        };
        Ok(Node { place, data })
    }

    fn list(&mut self, events: &mut Events<'s>, depth: usize) -> Built<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next(events)? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(events, event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, events: &mut Events<'s>, depth: usize) -> Built<Vec<(Key, Node)>> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        loop {
            let (event, span) = self.next(events)?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let key = self.node(events, event, span, depth + 1)?;
            let Data::Scalar(Scalar { text: name, .. }) = key.data else {
                return Err(Box::new(self.source.error(key.place, "a key has to be a word")));
            };
            let key = Key { name, place: key.place };
            let (event, span) = self.next(events)?;
            let value = self.node(events, event, span, depth + 1)?;
            if key.name == "<<" {
                let refused = self.source.error(key.place, "merge keys are not part of the language");
                self.problems.push(refused.help("write the keys out"));
            } else if let Some(first) = seen.insert(key.name.clone(), key.place.start) {
                let twice = self.source.error(key.place, format!("`{}` stands twice", shown(&key.name)));
                self.problems.push(twice.label(format!("first at line {}", self.source.line(first))));
            } else {
                entries.push((key, value));
            }
        }
    }

    /// Refuses what could multiply a text or change the meaning of its parts.
    fn refuse_features(&self, event: &Event<'_>, place: &Range<usize>) -> Built<()> {
        let (anchor, tag) = match event {
            Event::Alias(_) => (1, false),
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 {
            let refused = "anchors and aliases (`&` and `*` before a word) are not part of the language";
            let help = "write the value out, or put it in quotes if `&` or `*` belongs to it";
            return Err(Box::new(self.source.error(place.clone(), refused).help(help)));
        }
        if tag {
            let refused = "tags (`!` before a word) are not part of the language";
            let help = "put text that begins with `!` in quotes";
            return Err(Box::new(self.source.error(place.clone(), refused).help(help)));
        }
        Ok(())
    }

    fn too_deep(&self, place: Range<usize>) -> Diagnostic {
        self.source.error(place, format!("maps and lists stand more than {DEPTH} deep in each other"))
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = self.at(*error.marker());
        if error.info().contains("recursion limit") {
            return self.too_deep(at..at + 1);
        }
        let diagnostic = self.source.error(at..at + 1, format!("this is not YAML: {}", error.info()));
        let line = &self.source.text[self.source.line_range(at)];
        let indent = &line[..line.len() - line.trim_start().len()];
        let step = line.trim_start().trim_start_matches("- ");
        if error.info().contains("anchor") {
            let help = "anchors and aliases are not part of the language; put text that begins with `&` or `*` in quotes";
            diagnostic.help(help)
        } else if indent.contains('\t') {
            diagnostic.help("indent with spaces: YAML takes no tabs there")
        } else if step.matches(": ").count() > 1 {
            diagnostic.help("text that holds `: ` or ` #` needs quotes: put all that follows the first `: ` in single quotes")
        } else {
            diagnostic
        }
    }

    fn place(&self, span: Span) -> Range<usize> {
        let range = self.at(span.start)..self.at(span.end);
        let raw = &self.source.text[range.clone()];
        range.start..range.start + raw.trim_end().len().max(usize::from(!raw.is_empty()))
    }

    fn at(&self, marker: Marker) -> usize {
        self.offsets.get(marker.index()).copied().unwrap_or(self.source.text.len())
    }
}

impl From<ScalarStyle> for Style {
    fn from(style: ScalarStyle) -> Style {
        match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn tree(text: &str) -> Result<(Source, Node), String> {
        let source = decode("a.yaml", text.as_bytes()).map_err(|error| error.message)?;
        let mut problems = Problems::default();
        let node = parse(&source, &mut problems);
        match problems.finish().first() {
            Some(first) => Err(first.message.clone()),
            None => Ok((source, node.expect("a tree"))),
        }
    }

    #[rstest]
    #[case("k: a word here", 2..6, "word")]
    #[case("# é\nk: a word here  # comment", 2..6, "word")]
    #[case("k: 'a ''word'' here'", 3..7, "word")]
    #[case(r#"k: "a \"word\" here""#, 3..7, "word")]
    #[case(r#"k: "\x41\u0042 word""#, 3..7, "word")]
    #[case("x: 1\r\nk: a word here\r\nz: 2", 2..6, "word")]
    #[case("k: é word", 3..7, "word")]
    fn a_part_of_a_scalar_is_found_in_the_source(
        #[case] text: &str,
        #[case] range: Range<usize>,
        #[case] part: &str,
    ) {
        let (source, root) = tree(text).unwrap();
        let place = root.get("k").unwrap().within(&source, range);
        assert_eq!(&source.text[place], part);
    }

    #[rstest]
    #[case("k: |\n  some\n  lines\n")]
    #[case("k: some\n  lines\n")]
    fn a_part_of_a_longer_scalar_is_its_start(#[case] text: &str) {
        let (source, root) = tree(text).unwrap();
        let diagnostic = source.error(root.get("k").unwrap().within(&source, 6..7), "here");
        assert!(diagnostic.line <= 2, "{diagnostic}");
    }

    #[rstest]
    #[case("a: &x 1\nb: *x", "anchors and aliases")]
    #[case("a: *x", "this is not YAML")]
    #[case("a: !!str 1", "tags")]
    #[case("a: != $x", "tags")]
    #[case("<<: {b: 1}", "merge keys")]
    #[case("a: 1\n---\nb: 1", "one document")]
    #[case("a: 1\na: 2", "`a` stands twice")]
    #[case("a: {b: 1, b: 2}", "`b` stands twice")]
    #[case("[a]: 1", "a key has to be a word")]
    #[case("", "the file is empty")]
    #[case("---\n", "the file is empty")]
    #[case("# nothing\n", "the file is empty")]
    #[case("a:\n\t- b", "this is not YAML")]
    #[case("a: [", "this is not YAML")]
    #[case("a: \"x", "this is not YAML")]
    #[case("\u{feff}a: 1", "byte order mark")]
    #[case("a: \0", "U+0000")]
    #[case("a: \u{202e}", "U+202E")]
    #[case("a: 1\rb: 2", "carriage return")]
    fn what_a_plain_record_does_not_need_is_refused(#[case] text: &str, #[case] message: &str) {
        let error = tree(text).unwrap_err();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn depth_is_bounded_however_it_is_written() {
        for text in ["[".repeat(100_000), "- ".repeat(60_000), "{a: ".repeat(30_000), "a:\n ".repeat(9000)] {
            assert!(tree(&text).is_err());
        }
        let nested: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(tree(&nested).unwrap_err().contains("deep"));
    }
}
