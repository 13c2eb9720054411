//! (expected, observed) → met or not. A pure function of its arguments, and how both sides read.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Alternative, Expr, Outcome};
use crate::ops::Gives;
use crate::record::Shown;
use crate::value::{Bytes, Errno, Value};

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It succeeded with this value.
    Value(Value),
    /// It failed.
    Fails(Errno),
    /// It succeeded, and the new actor reported in.
    Born,
    /// What is right in no case, such as a write past the end of a buffer: described for a person.
    Wrong(String),
}

/// A variable of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Its value.
    pub value: Value,
    /// What kind of result it is.
    pub gives: Gives,
    /// The line that bound it.
    pub line: u32,
}

/// The variables that are bound so far.
pub type Bindings = BTreeMap<String, Binding>;

/// If an outcome is met. `Err` says what in it has no meaning, such as a variable without a value.
pub fn met(
    outcome: &Outcome,
    gives: Gives,
    observed: &Observed,
    bindings: &Bindings,
) -> Result<bool, String> {
    Ok(match (outcome, observed) {
        (_, Observed::Wrong(_)) => false,
        (_, Observed::Value(Value::Number(number))) if gives == Gives::Serial && !may_be_serial(*number) => {
            false
        }
        (Outcome::Born(_), observed) => *observed == Observed::Born,
        (Outcome::Bind(_), observed) => matches!(observed, Observed::Value(_)),
        (Outcome::Not(expr), Observed::Value(value)) => !same(gives, &resolve(expr, bindings)?, value),
        (Outcome::Not(_), _) => false,
        (Outcome::OneOf(alternatives), observed) => {
            for alternative in alternatives {
                let met = match (alternative, observed) {
                    (Alternative::Ok, Observed::Value(_) | Observed::Born) => true,
                    (Alternative::Fails(expected), Observed::Fails(errno)) => expected == errno,
                    (Alternative::Is(expr), Observed::Value(value)) => {
                        same(gives, &resolve(expr, bindings)?, value)
                    }
                    _ => false,
                };
                if met {
                    return Ok(true);
                }
            }
            false
        }
    })
}

/// If a key can have this number. Where a serial may come, some calls also succeed with 0.
fn may_be_serial(number: i64) -> bool {
    matches!(number, 0 | 3..=0x7fff_ffff)
}

/// The value that an expression stands for. `Err` says why it has none.
pub fn resolve(expr: &Expr, bindings: &Bindings) -> Result<Value, String> {
    Ok(match expr {
        Expr::Null => Value::Null,
        Expr::BadPointer => Value::BadPointer,
        Expr::Number(number) => Value::Number(*number),
        Expr::Text(bytes) => Value::Text(bytes.clone()),
        Expr::Filled(length) => Value::Text(Bytes(vec![b'a'; *length as usize])),
        // The number is the repetition's, which only a call has.
        Expr::Numbered(text) => Value::Text(text.clone()),
        Expr::Words(parts) => {
            let mut words = Vec::new();
            for part in parts {
                words.push(match resolve(part, bindings)? {
                    Value::Text(bytes) => bytes.0,
                    Value::Number(number) => number.to_string().into_bytes(),
                    other => return Err(format!("{other} is no word")),
                });
            }
            Value::Text(Bytes(words.join(&b' ')))
        }
        Expr::Buffer(size) => Value::Buffer(*size),
        Expr::Name(name) => Value::Name(name.clone()),
        Expr::Errno(errno) => Value::Number(errno.0.into()),
        Expr::Var(name) => {
            let binding = bindings.get(name).ok_or_else(|| format!("${name} has no value"))?;
            binding.value.clone()
        }
        Expr::Set(members) => {
            let mut set = BTreeSet::new();
            for member in members {
                match resolve(member, bindings)? {
                    Value::Number(number) => set.insert(number),
                    other => return Err(format!("{other} cannot be a member of a set")),
                };
            }
            Value::Members(set)
        }
    })
}

/// If an observed value is the expected one, in the sense that its kind of result gives to it.
fn same(gives: Gives, expected: &Value, observed: &Value) -> bool {
    match (gives, expected, observed) {
        (_, Value::Members(expected), Value::Text(bytes)) => members(bytes).as_ref() == Some(expected),
        (Gives::Description, Value::Text(expected), Value::Text(observed)) => {
            // The last field is the description, which may hold semicolons of its own.
            let fields = |text| <[u8]>::splitn(text, 5, |byte| *byte == b';').collect();
            all_match(fields(&expected.0), fields(&observed.0), |field, value| {
                field == b"*" || field == value
            })
        }
        (Gives::Line, Value::Text(expected), Value::Text(observed)) => {
            all_match(words(&expected.0), words(&observed.0), word_matches)
        }
        _ => expected == observed,
    }
}

fn words(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty()).collect()
}

fn all_match(expected: Vec<&[u8]>, observed: Vec<&[u8]>, matches: fn(&[u8], &[u8]) -> bool) -> bool {
    expected.len() == observed.len()
        && expected.into_iter().zip(observed).all(|(expected, observed)| matches(expected, observed))
}

/// If a word is as expected, where the first `*` stands for any run of characters.
fn word_matches(expected: &[u8], word: &[u8]) -> bool {
    match expected.iter().position(|byte| *byte == b'*') {
        None => expected == word,
        Some(star) => {
            let (head, tail) = (&expected[..star], &expected[star + 1..]);
            word.len() >= head.len() + tail.len() && word.starts_with(head) && word.ends_with(tail)
        }
    }
}

/// The links in the bytes that READ gives for a keyring. A serial that stands twice is no set.
fn members(bytes: &Bytes) -> Option<BTreeSet<i64>> {
    let (serials, rest) = bytes.0.as_chunks::<4>();
    let set: BTreeSet<i64> = serials.iter().map(|serial| i32::from_ne_bytes(*serial).into()).collect();
    (rest.is_empty() && set.len() == serials.len()).then_some(set)
}

/// An outcome as a person reads it.
pub fn show_outcome(outcome: &Outcome, bindings: &Bindings) -> Shown {
    match outcome {
        Outcome::Bind(_) => plain("success".into()),
        Outcome::Born(name) => plain(format!("success: {name} is born")),
        Outcome::Not(expr) => {
            let shown = show_expr(expr, bindings);
            Shown { text: format!("anything but {}", shown.text), variable: shown.variable }
        }
        Outcome::OneOf(alternatives) => {
            let mut shown: Vec<Shown> = alternatives
                .iter()
                .map(|alternative| match alternative {
                    Alternative::Ok => plain("success".into()),
                    Alternative::Fails(errno) => plain(errno.to_string()),
                    Alternative::Is(expr) => show_expr(expr, bindings),
                })
                .collect();
            match shown.len() {
                1 => shown.remove(0),
                _ => plain(shown.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join(" or ")),
            }
        }
    }
}

/// What was observed as a person reads it: a value by the name of the variable that it equals.
/// The outcome decides how bytes are read that may be a payload or the links of a keyring.
pub fn show_observed(observed: &Observed, outcome: &Outcome, bindings: &Bindings) -> Shown {
    match observed {
        Observed::Fails(errno) => plain(errno.to_string()),
        Observed::Born => plain("success: a new actor".into()),
        Observed::Wrong(what) => plain(what.clone()),
        Observed::Value(value) => {
            let wants_set = match outcome {
                Outcome::OneOf(alternatives) => {
                    alternatives.iter().any(|one| matches!(one, Alternative::Is(Expr::Set(_))))
                }
                Outcome::Not(Expr::Set(_)) => true,
                _ => false,
            };
            match value {
                Value::Text(bytes) if wants_set => match members(bytes) {
                    Some(set) => show_value(&Value::Members(set), bindings),
                    None => plain(format!("{bytes}, which is no set of serials")),
                },
                value => show_value(value, bindings),
            }
        }
    }
}

fn show_expr(expr: &Expr, bindings: &Bindings) -> Shown {
    match (expr, resolve(expr, bindings)) {
        (Expr::Var(name), Ok(value)) => Shown {
            text: value.to_string(),
            variable: bindings.get(name).map(|binding| (name.clone(), binding.line)),
        },
        (_, Ok(value @ Value::Members(_))) => show_value(&value, bindings),
        (_, Ok(value)) => plain(value.to_string()),
        (_, Err(why)) => plain(why),
    }
}

fn show_value(value: &Value, bindings: &Bindings) -> Shown {
    match value {
        Value::Members(set) => {
            let names: Vec<String> = set
                .iter()
                .map(|member| match serial_name(*member, bindings) {
                    Some((name, _)) => format!("${name}"),
                    None => member.to_string(),
                })
                .collect();
            plain(format!("{{{}}}", names.join(", ")))
        }
        Value::Number(number) => Shown { text: number.to_string(), variable: serial_name(*number, bindings) },
        value => plain(value.to_string()),
    }
}

/// The variable that holds this serial. Small numbers are no serials: 0 would match by accident.
fn serial_name(number: i64, bindings: &Bindings) -> Option<(String, u32)> {
    bindings
        .iter()
        .filter(|(_, binding)| binding.gives == Gives::Serial && number > 2)
        .find(|(_, binding)| binding.value == Value::Number(number))
        .map(|(name, binding)| (name.clone(), binding.line))
}

fn plain(text: String) -> Shown {
    Shown { text, variable: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn text(text: &str) -> Expr {
        Expr::Text(text.into())
    }

    fn is(expr: Expr) -> Outcome {
        Outcome::OneOf(vec![Alternative::Is(expr)])
    }

    fn value(text: &str) -> Observed {
        Observed::Value(Value::Text(text.into()))
    }

    fn number(number: i64) -> Observed {
        Observed::Value(Value::Number(number))
    }

    #[rstest]
    #[case(0, true)]
    #[case(1, false)]
    #[case(2, false)]
    #[case(3, true)]
    #[case(0x7fff_ffff, true)]
    #[case(0x8000_0000, false)]
    #[case(-3, false)]
    fn what_cannot_be_a_serial_is_none(#[case] serial: i64, #[case] may_be: bool) {
        for outcome in
            [Outcome::Bind("x".into()), is(Expr::Number(serial)), Outcome::OneOf(vec![Alternative::Ok])]
        {
            assert_eq!(met(outcome.clone(), Gives::Serial, &number(serial)), may_be);
            assert!(met(outcome, Gives::Number, &number(serial)));
        }
    }

    fn links(serials: &[i32]) -> Observed {
        Observed::Value(Value::Text(Bytes(serials.iter().flat_map(|serial| serial.to_ne_bytes()).collect())))
    }

    fn bindings() -> Bindings {
        [("ring", 932_995_531, 4), ("zero", 0, 5)]
            .map(|(name, number, line)| {
                (name.into(), Binding { value: Value::Number(number), gives: Gives::Serial, line })
            })
            .into()
    }

    fn met(outcome: Outcome, gives: Gives, observed: &Observed) -> bool {
        super::met(&outcome, gives, observed, &bindings()).unwrap()
    }

    #[rstest]
    #[case(number(7), true, false)]
    #[case(number(8), false, false)]
    #[case(Observed::Fails(Errno(libc::ENOKEY)), false, true)]
    #[case(Observed::Fails(Errno(libc::EACCES)), false, false)]
    #[case(Observed::Wrong("past the end".into()), false, false)]
    #[case(Observed::Born, false, false)]
    fn values_and_errors_never_stand_for_each_other(
        #[case] observed: Observed,
        #[case] seven: bool,
        #[case] enokey: bool,
    ) {
        assert_eq!(met(is(Expr::Number(7)), Gives::Number, &observed), seven);
        let fails = Outcome::OneOf(vec![Alternative::Fails(Errno(libc::ENOKEY))]);
        assert_eq!(met(fails.clone(), Gives::Number, &observed), enokey);
        let either =
            Outcome::OneOf(vec![Alternative::Is(Expr::Number(7)), Alternative::Fails(Errno(libc::ENOKEY))]);
        assert_eq!(met(either, Gives::Number, &observed), seven || enokey);
    }

    #[rstest]
    #[case(Outcome::OneOf(vec![Alternative::Ok]))]
    #[case(Outcome::Bind("x".into()))]
    #[case(Outcome::Not(Expr::Number(5)))]
    #[case(Outcome::Born("child".into()))]
    fn what_is_wrong_in_every_case_meets_nothing(#[case] outcome: Outcome) {
        assert!(!met(outcome.clone(), Gives::Number, &Observed::Wrong("past the end".into())));
        assert!(!met(outcome, Gives::Number, &Observed::Fails(Errno(libc::EPERM))));
    }

    #[rstest]
    #[case("keyring;1000;1000;3f030000;_ses", "keyring;1000;1000;3f030000;_ses", true)]
    #[case("keyring;*;1000;*;_ses", "keyring;1000;1000;3f030000;_ses", true)]
    #[case("keyring;1000;1000;3f030000;_ses", "keyring;1000;1000;3f030001;_ses", false)]
    #[case("keyring;*;*;*;a;b", "keyring;0;0;3f030000;a;b", true)]
    #[case("keyring;*;*;*;*", "keyring;0;0;3f030000;a;b", true)]
    #[case("keyring;*;*;*;a", "keyring;0;0;3f030000;a;b", false)]
    #[case("keyring;*;*;*", "keyring;0;0;3f030000;a", false)]
    #[case("keyring;**;0;3f030000;a", "keyring;0;0;3f030000;a", false)]
    fn a_star_stands_for_one_field(#[case] expected: &str, #[case] observed: &str, #[case] same: bool) {
        assert_eq!(met(is(text(expected)), Gives::Description, &value(observed)), same);
    }

    #[rstest]
    #[case("* I--Q--- 1 perm", "1859bb64 I--Q--- 1 perm", true)]
    #[case("* I--Q--- 1 perm", "1859bb64 I--QR-- 1 perm", false)]
    #[case("*  I--Q---   1 perm", "1859bb64 I--Q--- 1 perm", true)]
    #[case("*", "1859bb64 I--Q---", false)]
    #[case("1000: * 2/2 2/* 16/*", "1000: 2 2/2 2/200 16/20000", true)]
    #[case("1000: * 2/2 2/* 1/*", "1000: 2 2/2 2/200 16/20000", false)]
    #[case("*/200", "7/200", true)]
    #[case("*/200", "7/1200", false)]
    #[case("5*s", "58s", true)]
    #[case("5*s", "5s", true)]
    #[case("ab*b", "ab", false)]
    #[case("a*", "ab c", false)]
    #[case("", "", true)]
    #[case("", "1859bb64", false)]
    fn a_line_is_its_words(#[case] expected: &str, #[case] observed: &str, #[case] same: bool) {
        assert_eq!(met(is(text(expected)), Gives::Line, &value(observed)), same);
    }

    #[rstest]
    #[case("id: 932995531 0", true)]
    #[case("id:\n932995531\n 0\n", true)]
    #[case("id: 932995531 1", false)]
    #[case("id: 93299553 0", false)]
    #[case("id: 932995531", false)]
    fn words_have_the_numbers_of_variables(#[case] observed: &str, #[case] same: bool) {
        let words = Expr::Words(vec![text("i*:"), Expr::Var("ring".into()), Expr::Number(0)]);
        assert_eq!(met(is(words.clone()), Gives::Line, &value(observed)), same);
        assert_eq!(show_outcome(&is(words), &bindings()).text, "\"i*: 932995531 0\"");
    }

    #[test]
    fn elsewhere_a_star_is_a_star() {
        assert!(!met(is(text("*")), Gives::Text, &value("x")));
        assert!(!met(is(text("a;*;*;*;b")), Gives::Content, &value("a;b;c;d;b")));
    }

    #[rstest]
    #[case(vec![], &[], true)]
    #[case(vec![Expr::Var("ring".into()), Expr::Number(5)], &[5, 932_995_531], true)]
    #[case(vec![Expr::Number(5)], &[5, 6], false)]
    #[case(vec![Expr::Number(5), Expr::Number(6)], &[5], false)]
    #[case(vec![Expr::Number(5)], &[5, 5], false)]
    fn links_are_a_set(#[case] expected: Vec<Expr>, #[case] observed: &[i32], #[case] same: bool) {
        assert_eq!(met(is(Expr::Set(expected)), Gives::Content, &links(observed)), same);
    }

    #[test]
    fn half_a_serial_is_no_set() {
        let observed = Observed::Value(Value::Text(Bytes(vec![5, 0, 0])));
        assert!(!met(is(Expr::Set(vec![])), Gives::Content, &observed));
        let shown = show_observed(&observed, &is(Expr::Set(vec![])), &bindings());
        assert_eq!(shown.text, "\"\\x05\\x00\\x00\", which is no set of serials");
    }

    #[test]
    fn an_observed_serial_is_shown_by_its_name() {
        let named = |observed| show_observed(&observed, &Outcome::Not(Expr::Null), &bindings()).variable;
        assert_eq!(named(number(932_995_531)), Some(("ring".into(), 4)));
        assert_eq!(named(number(932_995_532)), None);
        assert_eq!(named(number(0)), None);
        let set = is(Expr::Set(vec![]));
        assert_eq!(show_observed(&links(&[7, 932_995_531]), &set, &bindings()).text, "{7, $ring}");
    }

    #[test]
    fn alternatives_are_shown_as_alternatives() {
        let outcome = Outcome::OneOf(vec![Alternative::Ok, Alternative::Fails(Errno(libc::EKEYREVOKED))]);
        assert_eq!(show_outcome(&outcome, &bindings()).text, "success or EKEYREVOKED");
    }

    #[test]
    fn a_variable_without_a_value_is_named() {
        let outcome = is(Expr::Var("nobody".into()));
        assert_eq!(
            super::met(&outcome, Gives::Serial, &number(7), &bindings()),
            Err("$nobody has no value".into())
        );
    }
}
