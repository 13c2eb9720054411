//! Text in Markdown: prose that stays prose, code that stays code.
//!
//! Texts of the suite have `code` in them, which is kept. Whatever else a renderer would take for more than
//! text is made plain, because a folder of cases may come from anyone.

use crate::text::{escape, words};

/// How many characters a line of prose has, so that it can be mailed.
const WIDTH: usize = 78;

/// Prose on one line.
pub(crate) fn prose(text: &str) -> String {
    let text = words(text);
    // An odd mark opens code that nothing ends.
    if text.matches('`').count() % 2 == 1 {
        return plain(&text).replace('`', "\\`");
    }
    let pieces = text.split('`').enumerate();
    pieces
        .map(|(at, piece)| if at % 2 == 0 { plain(piece) } else { piece.to_owned() })
        .collect::<Vec<_>>()
        .join("`")
}

fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let inside = before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric());
        // An underscore within a name is one; around a word it is emphasis.
        if "\\*<[".contains(char) || (char == '_' && !inside) {
            out.push('\\');
        }
        out.push(char);
        before = char;
    }
    out
}

/// A paragraph of what is fit for Markdown already. None of its lines begins a list, a heading or a
/// quotation.
pub(crate) fn paragraph(text: &str) -> String {
    folded(text, WIDTH).join("\n")
}

/// An item of a list, of several lines where it is long, of what is fit for Markdown already.
pub(crate) fn item(text: &str) -> String {
    format!("- {}", folded(text, WIDTH - 2).join("\n  "))
}

fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            // A mark may be inside of code, where nothing takes its meaning away.
            Some(line)
                if line.chars().count() + 1 + word.chars().count() <= width || mark(word).is_some() =>
            {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(word.to_owned()),
            None => lines.push(match mark(word) {
                Some(at) => format!("{}\\{}", &word[..at], &word[at..]),
                None => word.to_owned(),
            }),
        }
    }
    lines
}

/// Where a word has something that would begin more than a line of a paragraph, if it stood first.
fn mark(word: &str) -> Option<usize> {
    let digits = word.chars().take_while(char::is_ascii_digit).count();
    match word[digits..].chars().next()? {
        '.' | ')' if digits > 0 => Some(digits),
        first if digits == 0 && "#>+-=|~:".contains(first) => Some(0),
        _ => None,
    }
}

/// Code in a line.
pub(crate) fn code(text: &str) -> String {
    let text = escape(text);
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // A mark of code at an end would be taken for one of the fence.
    let gap = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// Code on lines of its own.
pub(crate) fn block(language: &str, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| escape(line).trim_end().to_owned()).collect();
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", lines.join("\n"))
}

fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or_default()
}

/// What stands in a cell of a table already fit for Markdown: nothing in it ends the cell.
pub(crate) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain text", "plain text")]
    #[case("two\n  lines", "two lines")]
    #[case("`_uid.N` and *bold* <b> [x](y) \\", "`_uid.N` and \\*bold\\* \\<b> \\[x](y) \\\\")]
    #[case("join_session_keyring() _x_", "join_session_keyring() \\_x\\_")]
    #[case("open ` mark *", "open \\` mark \\*")]
    #[case("\u{1b}[31m", "\\\\x1b\\[31m")]
    fn prose_stays_prose(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(prose(text), shown);
    }

    #[rstest]
    #[case("# a", "\\# a")]
    #[case("- a", "\\- a")]
    #[case("-3 is a key", "\\-3 is a key")]
    #[case("5. a", "5\\. a")]
    #[case("5.3 a", "5\\.3 a")]
    #[case("60 seconds", "60 seconds")]
    fn no_paragraph_begins_more_than_itself(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(paragraph(text), shown);
    }

    #[test]
    fn no_line_of_a_paragraph_begins_more_than_a_line() {
        let text = "word - 1. # > + word ".repeat(20);
        let shown = paragraph(&text);
        assert!(shown.lines().count() > 4 && shown.lines().all(|line| line.starts_with("word")), "{shown}");
    }

    #[rstest]
    #[case("describe(@s)", "`describe(@s)`")]
    #[case("a ` b", "``a ` b``")]
    #[case("`a", "`` `a ``")]
    #[case("", "")]
    fn code_stays_code(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(code(text), shown);
    }

    #[test]
    fn a_block_ends_where_it_does() {
        assert_eq!(block("yaml", "a: 1\n```\nb: \u{1b}"), "````yaml\na: 1\n```\nb: \\x1b\n````");
    }
}
