//! What a well-formed file becomes. What a malformed one is told stands in `tests/malformed`.

use std::time::Duration;

use super::*;
use crate::case::{Abi, Act, Alternative, Bound, Call, Expr, Outcome, Version};
use crate::ops::Op;
use crate::value::Errno;

fn loaded(text: &str) -> Vec<Case> {
    load("cases/a/b.yaml", "a/b", text.as_bytes())
        .unwrap_or_else(|errors| panic!("{}", errors[0].render(false)))
}

const FULL: &str = r#"
title: A case with everything
covers: [X-1, X-2]
about: |
  Two lines
  of text.
norm: documentation
needs: [vm, big-keys]
programs: [keyctl, pam_keyinit.so, /usr/share/x/y.sh]
files:
  /etc/passwd: |
    root:x:0:0::/:/bin/sh
  /etc/pam.d/skc: "x y"
actors:
  alice: {uid: 0}
  bob: {uid: 1000, gid: 100, groups: [7, 8], caps: [setuid, cap_kill], userns: inner, session: inherited}
  handler: {upcall: "user"}
steps:
  - alice: fork() -> child
  - child: join_session_keyring(NULL) -> $x
  - within: 500ms
    alice: read(@s) = {$x, 3}   # out of order
  - together:
      - alice: getuid() -> $y
      - handler: getuid() = 0
  - check: $y != 1
  - {bob: 'nanosleep(5)', starts: nap}
  - ends: nap = ok | EINTR
  - bob: "revoke(@s) = 0"
    abi: compat32
    times: 3
    since 5.3: = EACCES
"#;

#[test]
fn everything_has_its_place() {
    let case = loaded(FULL).remove(0);
    assert_eq!((case.id.as_str(), case.file.as_str()), ("a/b", "cases/a/b.yaml"));
    assert_eq!(case.covers, ["X-1", "X-2"]);
    assert_eq!(case.about.as_deref(), Some("Two lines\nof text."));
    assert_eq!(case.norm, Norm::Documentation);
    assert_eq!(case.needs, [Prerequisite::Vm, Prerequisite::BigKeys]);

    assert_eq!(case.programs, ["keyctl", "pam_keyinit.so", "/usr/share/x/y.sh"]);
    let [passwd, pam] = case.files.as_slice() else { panic!("{:?}", case.files) };
    assert_eq!((passwd.path.as_str(), passwd.text.as_str()), ("/etc/passwd", "root:x:0:0::/:/bin/sh\n"));
    assert_eq!((pam.path.as_str(), pam.text.as_str()), ("/etc/pam.d/skc", "x y"));

    let [alice, bob, handler] = case.actors.as_slice() else { panic!("{:?}", case.actors) };
    assert_eq!((alice.uid, alice.gid, alice.caps, alice.session), (0, 0, ALL_CAPS, Session::Fresh));
    assert_eq!((bob.uid, bob.gid, bob.groups.as_slice()), (1000, 100, [7, 8].as_slice()));
    assert_eq!((bob.caps, bob.session), (1 << 7 | 1 << 5, Session::Inherited));
    assert_eq!(bob.userns.as_deref(), Some("inner"));
    assert_eq!(handler.upcall.as_deref(), Some("user"));

    let read = &case.steps[2];
    assert_eq!(read.within, Some(Duration::from_millis(500)));
    assert_eq!(read.text, "alice: read(@s) = {$x, 3}");
    let line = FULL.lines().nth(read.line as usize - 1).unwrap();
    assert_eq!(line.trim(), "alice: read(@s) = {$x, 3}   # out of order");
    let set = Expr::Set(vec![Expr::Var("x".into()), Expr::Number(3)]);
    let wanted = Act::Call {
        actor: "alice".into(),
        call: Call { op: Op::Read, args: vec![Expr::Number(-3)] },
        outcome: Outcome::OneOf(vec![Alternative::Is(set)]),
    };
    assert_eq!(read.act, wanted);

    let Act::Together(inner) = &case.steps[3].act else { panic!("{:?}", case.steps[3]) };
    assert_eq!(inner.len(), 2);
    assert_eq!(case.steps[3].text, "together: alice: getuid() -> $y; handler: getuid() = 0");
    assert_eq!(case.steps[5].starts.as_deref(), Some("nap"));
    let outcome = Outcome::OneOf(vec![Alternative::Ok, Alternative::Fails(Errno(libc::EINTR))]);
    assert_eq!(case.steps[6].act, Act::Ends { name: "nap".into(), outcome });

    let last = &case.steps[7];
    assert_eq!((last.abi, last.times), (Abi::Compat32, 3));
    assert_eq!((last.variants[0].bound, last.variants[0].version), (Bound::Since, Version(5, 3)));
}

#[test]
fn each_row_of_a_table_is_a_case() {
    let text = r#"
title: A table
covers: [X-1]
actors: {alice: {uid: 0}, bob: {uid: 1}}
table:
  first: {who: alice, mask: POS_ALL | USR_ALL, out: "= 0"}
  2nd.row: {who: bob, mask: 0x1f, out: '!= 1'}
steps:
  - alice: getuid() = 0
  - bob: keyctl(KEYCTL_SETPERM, @s, <mask>) <out>
  - alice: kill(<who>, 0) = 0
  - alice: join_session_keyring("<WHO>, a < b > c") = ok
"#;
    let cases = loaded(text);
    let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids, ["a/b[first]", "a/b[2nd.row]"]);
    assert_eq!(cases[0].steps[1].text, "bob: keyctl(KEYCTL_SETPERM, @s, POS_ALL | USR_ALL) = 0");
    assert_eq!(cases[1].steps[1].text, "bob: keyctl(KEYCTL_SETPERM, @s, 0x1f) != 1");
    assert_eq!(cases[1].steps[3].text, "alice: join_session_keyring(\"<WHO>, a < b > c\") = ok");
    assert_eq!(cases[0].steps[2].line, cases[1].steps[2].line);
}

#[test]
fn without_a_table_angle_brackets_mean_nothing() {
    let text =
        "title: A\ncovers: [X-1]\nactors: {a: {uid: 0}}\nsteps:\n  - a: join_session_keyring(\"<a>\") = ok\n";
    assert_eq!(loaded(text)[0].steps[0].text, "a: join_session_keyring(\"<a>\") = ok");
}
