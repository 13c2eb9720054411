//! Text of a record, made fit to print. No format and no colour lives here.
//!
//! Titles, values and console lines come from case files and from the machine under test; none of
//! them may move the cursor, end a line or turn the direction of reading.

use std::ops::Range;

/// One line of printable text: what is not printable is shown by its number.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if char.is_ascii_control() => out.push_str(&format!("\\x{:02x}", char as u32)),
            char if char.is_control() || is_invisible(char) => {
                out.push_str(&format!("\\u{{{:x}}}", char as u32));
            }
            char => out.push(char),
        }
    }
    out
}

/// Line and paragraph separators, marks of direction, zero-width characters, and the numbers that
/// XML forbids.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A text cut to `width` characters by leaving out its end.
pub(crate) fn cut(text: &str, width: usize) -> String {
    window(text, width, &mut [])
}

/// A text cut to `width` characters around the first of `marks`, which are ranges of characters and
/// are moved along. What was left out is an ellipsis, and a cut text ends with its whole length.
pub(crate) fn window(text: &str, width: usize, marks: &mut [Range<usize>]) -> String {
    const LEAD: usize = 20;
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let first = marks.first().map_or(0, |mark| mark.start);
    // A cut at the front is worth it only where the end of the window would hide the mark.
    let start = if first + LEAD < width { 0 } else { first.saturating_sub(LEAD).min(length - width) };
    let ellipsis = usize::from(start > 0);
    for mark in marks {
        let place = |at: usize| at.clamp(start, start + width) - start + ellipsis;
        *mark = place(mark.start)..place(mark.end);
    }
    let shown: String = text.chars().skip(start).take(width).collect();
    let (front, back) = ("…".repeat(ellipsis), if start + width < length { "…" } else { "" });
    format!("{front}{shown}{back} ({length} characters)")
}

/// A text of several lines as one, fit to print.
pub(crate) fn words(text: &str) -> String {
    escape(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A text cut to `width` characters, an ellipsis for the rest counted.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A text as lines of `width` characters at most; a word that is longer has a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `word` as an argument that a shell takes as one.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+,:@%".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// `1 case`, `2 cases`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain é ✓", "plain é ✓")]
    #[case("a\nb\r\tc", "a\\nb\\r\\tc")]
    #[case("\u{1b}[31mred\u{7}", "\\x1b[31mred\\x07")]
    #[case("\u{9b}31m", "\\u{9b}31m")]
    #[case("a\u{202e}b\u{2028}\u{ffff}", "a\\u{202e}b\\u{2028}\\u{ffff}")]
    fn what_is_not_printable_is_shown_by_its_number(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(escape(text), shown);
    }

    #[test]
    fn a_short_text_is_left_alone() {
        let mut marks = [1..2, 2..3];
        assert_eq!(window("abcdé", 5, &mut marks), "abcdé");
        assert_eq!(marks, [1..2, 2..3]);
    }

    #[test]
    fn a_long_text_is_cut_at_its_end() {
        assert_eq!(cut(&"é".repeat(12), 10), format!("{}… (12 characters)", "é".repeat(10)));
    }

    #[rstest]
    #[case(0..1)]
    #[case(90..95)]
    #[case(500..501)]
    #[case(999..1000)]
    fn the_mark_stays_on_what_it_marks(#[case] mark: Range<usize>) {
        let text: String = (0..1000).map(|at| if mark.contains(&at) { 'X' } else { '.' }).collect();
        let mut marks = [mark.clone()];
        let shown = window(&text, 100, &mut marks);
        let marked: String = shown.chars().skip(marks[0].start).take(marks[0].len()).collect();
        assert_eq!(marked, "X".repeat(mark.len()));
    }

    #[test]
    fn marks_beyond_the_window_stay_inside_it() {
        let mut marks = [0..2, 990..1000];
        window(&"a".repeat(1000), 100, &mut marks);
        assert_eq!(marks, [0..2, 100..100]);
    }

    #[rstest]
    #[case("", 5, &[])]
    #[case("a bb  ccc\nd", 4, &["a bb", "ccc", "d"])]
    #[case("a longerword b", 4, &["a", "longerword", "b"])]
    fn a_text_is_wrapped_between_words(#[case] text: &str, #[case] width: usize, #[case] lines: &[&str]) {
        assert_eq!(wrap(text, width), lines);
    }

    #[rstest]
    #[case("abcd", 4, "abcd")]
    #[case("abcdé", 4, "abc…")]
    fn a_name_is_shortened_to_its_column(#[case] text: &str, #[case] width: usize, #[case] shown: &str) {
        assert_eq!(shorten(text, width), shown);
    }

    #[rstest]
    #[case("parent/identity", "parent/identity")]
    #[case("parent/identity[egid]", "'parent/identity[egid]'")]
    #[case("it's; rm", "'it'\\''s; rm'")]
    #[case("", "''")]
    fn a_word_for_a_shell_is_quoted_where_it_must(#[case] word: &str, #[case] shown: &str) {
        assert_eq!(shell_word(word), shown);
    }
}
