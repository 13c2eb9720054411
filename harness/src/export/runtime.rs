//! The fixed part of an exported program, in C, less what a case has no use for.
//!
//! The files below `runtime/` are cut into chunks by lines `//# NAME…`: a chunk goes into the program if one
//! of its names occurs in what the case has, or in a chunk that goes in; one without a name always does. Of
//! `one+other` both have to occur. So nothing stands there that the compiler would call unused.

use std::collections::BTreeSet;

const FILES: [&str; 11] = [
    include_str!("runtime/system.c"),
    include_str!("runtime/actor.c"),
    include_str!("runtime/upcall.c"),
    include_str!("runtime/stage.c"),
    include_str!("runtime/ends.c"),
    include_str!("runtime/reading.c"),
    include_str!("runtime/outcome.c"),
    include_str!("runtime/judge.c"),
    include_str!("runtime/files.c"),
    include_str!("runtime/enclosure.c"),
    include_str!("runtime/machine.c"),
];

/// The line that begins a chunk.
const MARK: &str = "//#";

struct Chunk {
    names: Vec<&'static str>,
    text: &'static str,
}

/// The runtime for a program whose own part uses these words.
pub(super) fn chosen(own: &str) -> String {
    let chunks: Vec<Chunk> = FILES.iter().flat_map(|file| cut(file)).collect();
    let mut known: BTreeSet<&str> = words(own).collect();
    let mut taken = vec![false; chunks.len()];
    loop {
        let mut grown = false;
        for (chunk, taken) in chunks.iter().zip(&mut taken) {
            let occurs = |names: &&str| names.split('+').all(|name| known.contains(name));
            let wanted = chunk.names.is_empty() || chunk.names.iter().any(occurs);
            if wanted && !*taken {
                *taken = true;
                grown = true;
                known.extend(words(chunk.text));
            }
        }
        if !grown {
            break;
        }
    }
    let texts = chunks.iter().zip(taken).filter(|(_, taken)| *taken).map(|(chunk, _)| chunk.text);
    texts.collect()
}

/// The words that macros of the runtime stand for or expand to, which a case's names must not be. What is inside of its
/// functions does not meet them.
pub(super) fn reserved() -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for file in FILES {
        let mut goes_on = false;
        let mut parameters: BTreeSet<&str> = BTreeSet::new();
        for line in file.lines() {
            let defines = line.strip_prefix("#define ");
            if let Some(rest) = defines {
                let list = rest.split_once('(').filter(|(name, _)| !name.contains(' '));
                let list = list.and_then(|(_, rest)| rest.split_once(')')).map_or("", |(list, _)| list);
                parameters = words(list).collect();
            }
            if defines.is_some() || goes_on {
                found.extend(words(line).filter(|word| !parameters.contains(word)));
            }
            goes_on = (defines.is_some() || goes_on) && line.ends_with('\\');
        }
    }
    found
}

fn cut(file: &'static str) -> Vec<Chunk> {
    let mut chunks = vec![Chunk { names: Vec::new(), text: "" }];
    let mut start = 0;
    let mut at = 0;
    for line in file.split_inclusive('\n') {
        if let Some(names) = line.strip_prefix(MARK) {
            if let Some(chunk) = chunks.last_mut() {
                chunk.text = &file[start..at];
            }
            chunks.push(Chunk { names: names.split_ascii_whitespace().collect(), text: "" });
            start = at + line.len();
        }
        at += line.len();
    }
    if let Some(chunk) = chunks.last_mut() {
        chunk.text = &file[start..];
    }
    chunks
}

/// The words of some C outside of comments and strings.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"']) {
        let (code, here) = rest.split_at(at);
        found.push(code);
        rest = if here.starts_with("/*") {
            here.split_once("*/").map_or("", |(_, rest)| rest)
        } else if here.starts_with("//") {
            here.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(string) = here.strip_prefix('"') {
            after_string(string)
        } else {
            &here[1..]
        };
    }
    found.push(rest);
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    found
        .into_iter()
        .flat_map(move |code| code.split(move |char: char| !is_word(char)))
        .filter(|word| !word.is_empty())
}

/// What follows a string of which the first quote has been read.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}
