//! The grammar, rule by rule: what a line becomes, which bytes each part takes up, what is refused.

use rstest::rstest;

use super::*;

fn value_of(text: &str) -> Expr {
    call(&format!("keyctl({text}) = ok")).unwrap().args.remove(0).value
}

#[rstest]
#[case("NULL", Expr::Null)]
#[case("BAD_POINTER", Expr::BadPointer)]
#[case("0", Expr::Number(0))]
#[case("-1", Expr::Number(-1))]
#[case("0x3f010000", Expr::Number(0x3f01_0000))]
#[case("0xffffffffffffffff", Expr::Number(-1))]
#[case("-0x10", Expr::Number(-16))]
#[case("0o600", Expr::Number(0o600))]
#[case("-9223372036854775808", Expr::Number(i64::MIN))]
#[case("\"a, (b) \\\"c\\\"\"", Expr::Text(Bytes::from("a, (b) \"c\"")))]
#[case("\"\"", Expr::Text(Bytes::default()))]
#[case("\"\\xff\\\\\"", Expr::Text(Bytes(vec![0xff, b'\\'])))]
#[case("text(4096)", Expr::Filled(4096))]
#[case("numbered(\"k\")", Expr::Numbered(Bytes::from("k")))]
#[case("words(\"k\", $x , 3)", Expr::Words(vec![Expr::Text(Bytes::from("k")), Expr::Var("x".into()), Expr::Number(3)]))]
#[case("buffer(0)", Expr::Buffer(0))]
#[case("$ring_2", Expr::Var("ring_2".into()))]
#[case("@s", Expr::Number(-3))]
#[case("@us", Expr::Number(-5))]
#[case("{}", Expr::Set(vec![]))]
#[case("{$a, 7}", Expr::Set(vec![Expr::Var("a".into()), Expr::Number(7)]))]
#[case("POS_ALL | USR_ALL", Expr::Number(0x3f3f_0000))]
#[case("POS_ALL|0x40000000", Expr::Number(0x7f00_0000))]
#[case("KEYCTL_REVOKE", Expr::Number(3))]
#[case("ACTOR", Expr::Name("ACTOR".into()))]
#[case("child", Expr::Name("child".into()))]
#[case("EKEYREJECTED", Expr::Errno(Errno(129)))]
fn a_value_is_read(#[case] text: &str, #[case] value: Expr) {
    assert_eq!(value_of(text), value);
}

fn is(number: i64) -> Alternative {
    Alternative::Is(Expr::Number(number))
}

#[rstest]
#[case("-> $x", Outcome::Bind("x".into()), &["$x"])]
#[case("-> child", Outcome::Born("child".into()), &["child"])]
#[case("= ok", Outcome::OneOf(vec![Alternative::Ok]), &["ok"])]
#[case("= 0 | EPERM", Outcome::OneOf(vec![is(0), Alternative::Fails(Errno(1))]), &["0", "EPERM"])]
#[case("= 1 | 2", Outcome::OneOf(vec![is(1), is(2)]), &["1", "2"])]
#[case("= POS_VIEW | USR_VIEW", Outcome::OneOf(vec![is(0x0101_0000)]), &["POS_VIEW | USR_VIEW"])]
#[case("= POS_VIEW | 0 | USR_VIEW", Outcome::OneOf(vec![is(0x0100_0000), is(0), is(0x1_0000)]), &["POS_VIEW", "0", "USR_VIEW"])]
#[case("= KEYCTL_UPDATE | KEYCTL_REVOKE", Outcome::OneOf(vec![is(2), is(3)]), &["KEYCTL_UPDATE", "KEYCTL_REVOKE"])]
#[case("!= $x", Outcome::Not(Expr::Var("x".into())), &["$x"])]
#[case("= \"a | b\"", Outcome::OneOf(vec![Alternative::Is(Expr::Text(Bytes::from("a | b")))]), &["\"a | b\""])]
fn an_outcome_is_read(#[case] text: &str, #[case] value: Outcome, #[case] parts: &[&str]) {
    let read = outcome(text).unwrap();
    assert_eq!(read.value, value);
    assert_eq!(read.span, 0..text.len());
    let shown: Vec<&str> = read.parts.iter().map(|part| &text[part.clone()]).collect();
    assert_eq!(shown, parts);
}

#[test]
fn each_part_of_a_call_knows_its_bytes() {
    let text = "  setperm( $ring , POS_ALL |USR_ALL )=0 | EACCES ";
    let line = call(text).unwrap();
    assert_eq!(&text[line.op.span.clone()], "setperm");
    assert_eq!(&text[line.args[0].span.clone()], "$ring");
    assert_eq!(&text[line.args[1].span.clone()], "POS_ALL |USR_ALL");
    assert_eq!(&text[line.span.clone()], "setperm( $ring , POS_ALL |USR_ALL )");
    let outcome = line.outcome.unwrap();
    assert_eq!(&text[outcome.span.clone()], "=0 | EACCES");
    assert_eq!(&text[outcome.parts[1].clone()], "EACCES");
}

#[test]
fn a_call_without_outcome_is_told_apart() {
    assert_eq!(call("exit()").unwrap().outcome, None);
}

#[rstest]
#[case("", "an operation belongs here", "")]
#[case("jion_session_keyring(NULL) = ok", "no operation `jion_session_keyring`", "jion_session_keyring")]
#[case("exit", "`(` belongs here", "")]
#[case("exit(", "a value belongs here", "")]
#[case("revoke($a", "`,` or `)` belongs here", "")]
#[case("revoke($a $b) = 0", "`,` or `)` belongs here", "$")]
#[case("revoke($a,) = 0", "a value belongs here", ")")]
#[case("revoke($) = 0", "`$` is no variable", "$")]
#[case("revoke($Ring) = 0", "`$Ring` is no variable", "$Ring")]
#[case("revoke(@x) = 0", "no special key id `@x`", "@x")]
#[case("revoke(12x) = 0", "this is no number", "12x")]
#[case("revoke(-) = 0", "this is no number", "-")]
#[case("revoke(0x) = 0", "this is no number", "0x")]
#[case("revoke(99999999999999999999) = 0", "this number does not fit into 64 bits", "99999999999999999999")]
#[case("revoke(0x1ffffffffffffffff) = 0", "this number does not fit into 64 bits", "0x1ffffffffffffffff")]
#[case("revoke({$a, \"b\"}) = 0", "a set holds serials: `$variables` and numbers", "\"b\"")]
#[case("revoke({{}}) = 0", "a set holds no sets", "{")]
#[case("revoke({$a", "`,` or `}` belongs here", "")]
#[case("update(@s, \"x) = 0", "a text has no closing quote", "\"x) = 0")]
#[case("update(@s, \"a\\q\") = 0", "unknown escape: use \\n \\t \\r \\\\ \\\" or \\xNN", "\\q")]
#[case("update(@s, text) = 0", "`text` needs a length in bytes", "text")]
#[case("update(@s, text(-1)) = 0", "`text` needs a length in bytes", "text(-1")]
#[case("read(@s, buffer(99999999)) = 0", "`buffer` needs a length in bytes", "buffer(99999999")]
#[case("setperm(@s, POS_VEIW) = 0", "no name `POS_VEIW`", "POS_VEIW")]
#[case(
    "setperm(@s, POS_ALL | KEYCTL_MOVE) = 0",
    "only flags and numbers can be joined by `|`",
    "KEYCTL_MOVE"
)]
#[case("setperm(@s, POS_ALL | $x) = 0", "only flags and numbers can be joined by `|`", "$x")]
#[case("revoke(@s) 0", "an outcome belongs here", "0")]
#[case("revoke(@s) = ENOKYE", "no name `ENOKYE`", "ENOKYE")]
#[case("revoke(@s) =", "a value belongs here", "")]
#[case("revoke(@s) ->", "`->` needs a name: `-> $x` for a value, `-> name` for an actor", "")]
#[case("revoke(@s) -> ENOKEY", "no name `ENOKEY`", "ENOKEY")]
#[case("revoke(@s) = 0 -> $x", "the line goes on after its end", "-> $x")]
#[case("revoke(@s) -> $x | EPERM", "the line goes on after its end", "| EPERM")]
#[case("revoke(@s) = 0 é", "the line goes on after its end", "é")]
fn a_wrong_line_is_told_with_its_place(#[case] text: &str, #[case] message: &str, #[case] marked: &str) {
    let fault = call(text).unwrap_err();
    assert_eq!(fault.message, message);
    assert_eq!(&text[fault.span], marked);
}

#[rstest]
#[case("ring = $a", "a check begins with the `$variable` that it is about")]
#[case("$ring", "an outcome belongs here")]
fn a_wrong_check_is_told(#[case] text: &str, #[case] message: &str) {
    assert_eq!(check(text).unwrap_err().message, message);
}

#[rstest]
#[case("setperm(@s, POS_VEIW) = 0", "did you mean `POS_VIEW`?")]
#[case("revoke(@s) = ENOKYE", "did you mean `ENOKEY`?")]
#[case("revok(@s) = 0", "did you mean `revoke`?")]
fn a_misspelt_word_is_recognised(#[case] text: &str, #[case] help: &str) {
    assert_eq!(call(text).unwrap_err().help.as_deref(), Some(help));
}
