//! Where an observed value differs from the expected one: fields, words, members, permission bits.
//!
//! Judging is not done here; the two are known to differ.

use std::ops::Range;

use harness::value::FLAGS;

/// Where two values differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Ranges of characters in the observed text.
    pub(crate) marks: Vec<Range<usize>>,
    /// What the marks mean, a line each.
    pub(crate) notes: Vec<String>,
}

/// Finds the difference between two printable texts. `name` knows the variable that
/// holds a value.
pub(crate) fn between(expected: &str, observed: &str, name: impl Fn(&str) -> Option<String>) -> Difference {
    if let (Some(expected), Some(observed)) = (members(expected), members(observed)) {
        return of_members(&expected, &observed, name);
    }
    match (quoted(expected), quoted(observed)) {
        (Some(expected), Some(observed)) => of_texts(expected, observed),
        _ => Difference::default(),
    }
}

fn members(text: &str) -> Option<Vec<&str>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    Some(inner.split(',').map(str::trim).filter(|member| !member.is_empty()).collect())
}

fn of_members(expected: &[&str], observed: &[&str], name: impl Fn(&str) -> Option<String>) -> Difference {
    let without = |some: &[&str], others: &[&str]| -> Vec<String> {
        some.iter()
            .filter(|member| !others.contains(member))
            .map(|member| match name(member) {
                Some(variable) => format!("{variable} = {member}"),
                None => (*member).to_owned(),
            })
            .collect()
    };
    let mut notes = Vec::new();
    for (says, list) in [("lacks", without(expected, observed)), ("also has", without(observed, expected))] {
        if !list.is_empty() {
            notes.push(format!("{says} {}", list.join(", ")));
        }
    }
    Difference { marks: Vec::new(), notes }
}

/// The inside of one text in quotes; alternatives, `"a" | "b"`, are not one.
fn quoted(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains("\" | ")).then_some(inner)
}

/// A part of a text: where it stands and what it says.
type Part<'a> = (Range<usize>, &'a str);

fn of_texts(expected: &str, observed: &str) -> Difference {
    let described = (description(expected), description(observed));
    if let (Some(expected), Some(observed)) = described {
        const NAMES: [&str; 5] = ["type", "uid", "gid", "permissions", "description"];
        return of_parts(&expected, &observed, |at| NAMES.get(at).copied(), 3);
    }
    let (expected_words, observed_words) = (words(expected), words(observed));
    if expected_words.len() > 1 && expected_words.len() == observed_words.len() {
        // The permissions are the fifth word of a line of /proc/keys.
        return of_parts(&expected_words, &observed_words, |_| None, 4);
    }
    of_characters(expected, observed)
}

/// The fields of `type;uid;gid;perm;description`; the last may hold semicolons itself.
fn description(text: &str) -> Option<Vec<Part<'_>>> {
    let parts = place(text, text.splitn(5, ';'));
    let [_, (_, uid), (_, gid), (_, mask), _] = parts[..] else { return None };
    let id = |field: &str| field == "*" || field.parse::<i64>().is_ok();
    (id(uid) && id(gid) && (mask == "*" || bits(mask).is_some())).then_some(parts)
}

fn words(text: &str) -> Vec<Part<'_>> {
    place(text, text.split_whitespace())
}

/// Adds to each part of `text` its range in characters, one more for the opening quote.
fn place<'a>(text: &'a str, parts: impl Iterator<Item = &'a str>) -> Vec<Part<'a>> {
    parts
        .map(|part| {
            let byte = part.as_ptr() as usize - text.as_ptr() as usize;
            let start = 1 + text[..byte].chars().count();
            (start..start + part.chars().count(), part)
        })
        .collect()
}

fn of_parts(
    expected: &[Part<'_>],
    observed: &[Part<'_>],
    name: impl Fn(usize) -> Option<&'static str>,
    mask: usize,
) -> Difference {
    let mut difference = Difference::default();
    for (at, ((_, expected), (range, observed))) in expected.iter().zip(observed).enumerate() {
        if *expected == "*" || expected == observed {
            continue;
        }
        // An empty field has to be marked, too.
        difference.marks.push(range.start..range.end.max(range.start + 1));
        let named = if at == mask { mask_note(expected, observed) } else { None };
        let place = match (name(at), &named) {
            (Some(name), _) => name.to_owned(),
            (None, Some(_)) => "permissions".to_owned(),
            (None, None) => format!("word {}", at + 1),
        };
        difference.notes.push(match named {
            Some(bits) => format!("{place}: {bits}"),
            None => format!("{place}: `{observed}` instead of `{expected}`"),
        });
    }
    difference
}

fn of_characters(expected: &str, observed: &str) -> Difference {
    let (expected, observed): (Vec<char>, Vec<char>) =
        (expected.chars().collect(), observed.chars().collect());
    let front = expected.iter().zip(&observed).take_while(|(a, b)| a == b).count();
    let rest = expected.len().min(observed.len()) - front;
    let back =
        expected.iter().rev().zip(observed.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (start, end) = (1 + front, 1 + observed.len() - back);
    let notes = if expected.len() == observed.len() {
        Vec::new()
    } else {
        vec![format!("{} characters instead of {}", observed.len(), expected.len())]
    };
    let mark = start..end.max(start + 1);
    Difference { marks: vec![mark], notes }
}

/// A permission mask as the kernel writes it: eight hexadecimal digits.
fn bits(text: &str) -> Option<i64> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| i64::from_str_radix(text, 16).ok()).flatten()
}

fn mask_note(expected: &str, observed: &str) -> Option<String> {
    let (expected, observed) = (bits(expected)?, bits(observed)?);
    let mut says = Vec::new();
    for (word, bits) in [("lacks", expected & !observed), ("also has", observed & !expected)] {
        if bits != 0 {
            says.push(format!("{word} {}", bit_names(bits)));
        }
    }
    (!says.is_empty()).then(|| says.join("; "))
}

/// The names of permission bits, shortest first: a whole class is one name.
fn bit_names(mut bits: i64) -> String {
    let classes = || FLAGS.iter().filter(|(name, _)| ["POS_", "USR_", "GRP_", "OTH_"].contains(&&name[..4]));
    let whole = classes().filter(|(name, _)| name.ends_with("_ALL"));
    let single = classes().filter(|(name, _)| !name.ends_with("_ALL"));
    let mut names = Vec::new();
    for (name, value) in whole.chain(single) {
        if bits & value == *value {
            bits &= !value;
            names.push((*name).to_owned());
        }
    }
    if bits != 0 {
        names.push(format!("{bits:#x}"));
    }
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn plain(expected: &str, observed: &str) -> Difference {
        between(expected, observed, |_| None)
    }

    fn marked(observed: &str, difference: &Difference) -> Vec<String> {
        let cut = |mark: &Range<usize>| observed.chars().skip(mark.start).take(mark.len()).collect();
        difference.marks.iter().map(cut).collect()
    }

    #[rstest]
    #[case("3f130000", "3f030000", "permissions: lacks USR_LINK")]
    #[case("3f030000", "3f130008", "permissions: also has USR_LINK OTH_SEARCH")]
    #[case("3f3f0000", "3f000001", "permissions: lacks USR_ALL; also has OTH_VIEW")]
    #[case("3f000000", "ff000000", "permissions: also has 0xc0000000")]
    fn differing_permission_bits_are_named(
        #[case] expected: &str,
        #[case] observed: &str,
        #[case] note: &str,
    ) {
        let describe = |mask: &str| format!("\"keyring;1000;1000;{mask};web\"");
        let difference = plain(&describe(expected), &describe(observed));
        assert_eq!(marked(&describe(observed), &difference), [observed]);
        assert_eq!(difference.notes, [note]);
    }

    #[test]
    fn each_differing_field_of_a_description_is_marked_but_what_any_value_meets() {
        let observed = "\"keyring;0;0;3f030000;a;b\"";
        let difference = plain("\"keyring;1000;*;3f030000;_ses\"", observed);
        assert_eq!(marked(observed, &difference), ["0", "a;b"]);
        assert_eq!(difference.notes, ["uid: `0` instead of `1000`", "description: `a;b` instead of `_ses`"]);
    }

    #[test]
    fn semicolons_alone_make_no_description() {
        let observed = "\"a;b;c;d;X\"";
        let difference = plain("\"a;b;c;d;e\"", observed);
        assert_eq!(marked(observed, &difference), ["X"]);
        assert!(difference.notes.is_empty());
    }

    #[test]
    fn the_differing_words_of_a_line_are_marked() {
        let observed = "\"3f I--Q--- 2 perm 3f010000 1000 65534 keyring _ses: 1\"";
        let difference = plain("\"* I--Q--- 1 perm 3f030000 1000 65534 keyring _ses: 1\"", observed);
        assert_eq!(marked(observed, &difference), ["2", "3f010000"]);
        assert_eq!(difference.notes, ["word 3: `2` instead of `1`", "permissions: lacks USR_READ"]);
    }

    #[rstest]
    #[case("\"abcdef\"", "\"abXYef\"", "XY")]
    #[case("\"abc\"", "\"abcd\"", "d")]
    #[case("\"aé\"", "\"aö\"", "ö")]
    #[case("\"abab\"", "\"ab\"", "\"")]
    fn the_differing_middle_of_a_text_is_marked(
        #[case] expected: &str,
        #[case] observed: &str,
        #[case] mark: &str,
    ) {
        assert_eq!(marked(observed, &plain(expected, observed)), [mark]);
    }

    #[test]
    fn members_of_a_set_are_named() {
        let name = |value: &str| (value == "30").then(|| "$ring".to_owned());
        let difference = between("{10, 20, 30}", "{10, 40}", name);
        assert_eq!(difference.notes, ["lacks 20, $ring = 30", "also has 40"]);
        assert_eq!(plain("{1}", "{}").notes, ["lacks 1"]);
    }

    #[rstest]
    #[case("EACCES", "932995531")]
    #[case("EACCES | EPERM", "ENOKEY")]
    #[case("\"a\" | \"b\"", "\"c\"")]
    #[case("\"a\"", "ENOKEY")]
    fn what_has_no_parts_in_common_is_not_marked(#[case] expected: &str, #[case] observed: &str) {
        assert_eq!(plain(expected, observed), Difference::default());
    }
}
