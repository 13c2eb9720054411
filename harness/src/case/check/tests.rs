//! Each rule of a case as a whole: what breaks it, and what is said.

use rstest::rstest;

use crate::case::load::load;

fn case(actors: &str, steps: &[&str]) -> Result<(), Vec<String>> {
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    let text = format!("title: A title\ncovers: [X-1]\nactors:\n{actors}steps:\n{steps}");
    load("a.yaml", "a", text.as_bytes())
        .map(|_| ())
        .map_err(|errors| errors.into_iter().map(|error| error.message).collect())
}

fn alice(steps: &[&str]) -> Result<(), Vec<String>> {
    case("  alice: {uid: 0}\n", steps)
}

#[rstest]
#[case(&["alice: exec() = ok"])]
#[case(&["alice: fork() = EAGAIN | ENOMEM"])]
#[case(&["alice: vfork() -> child", "child: exec() = ok", "alice: getuid() = 0"])]
#[case(&["alice: vfork() -> child", "child: exit() = ok", "alice: getuid() = 0"])]
#[case(&["alice: vfork() -> child", "child: exec(\"/nowhere\") = ENOENT", "child: exit() = ok", "alice: getuid() = 0"])]
#[case(&["alice: clone(CLONE_VM | CLONE_VFORK) -> child", "child: exit() = ok", "alice: getuid() = 0"])]
#[case(&["alice: thread() -> sibling", "alice: exit() = ok", "sibling: getuid() = 0"])]
#[case(&["alice: fork() -> child", "child: exit_unreaped() = ok", "alice: wait(child) = ok"])]
#[case(&["alice: fork() -> child", "alice: kill(child, SIGKILL) = 0", "alice: wait(child) = ok"])]
#[case(&["alice: fork() -> child", "child: exit() = ok", "alice: kill(child, SIGKILL) = ESRCH"])]
#[case(&["alice: fork() -> child", "alice: kill(child, SIGSTOP) = 0", "alice: kill(child, SIGCONT) = 0", "child: getuid() = 0"])]
#[case(&["alice: run(\"su\", \"-\", \"bob\", \"-c\", ACTOR) -> child", "child: getuid() = 0"])]
#[case(&["alice: run(\"id\", \"-u\") = \"0\""])]
#[case(&["{alice: nanosleep(10), starts: nap}", "ends: nap = ok", "alice: getuid() = 0"])]
#[case(&["alice: fork() -> child", "{alice: nanosleep(10), starts: nap}", "child: kill(alice, SIGKILL) = 0"])]
#[case(&["alice: fork() -> child", "together: [alice: getuid() -> $a, child: getuid() -> $b]", "check: $a = $b"])]
#[case(&["alice: fork() -> child", "{together: [alice: exec() = ok, child: getuid() = 0 | EPERM], times: 3}"])]
#[case(&["alice: read(@s) = {}", "alice: read(@s) = \"bytes\"", "alice: read(@s, buffer(4)) = 4"])]
#[case(&["{alice: revoke(@s) = 0, abi: compat32}"])]
#[case(&["{alice: exec() = ok, times: 3}"])]
#[case(&["{alice: revoke(@s) = 0, before 5.3: = EPERM, since 5.8: = EACCES}"])]
#[case(&["alice: getuid() -> $a\n    before 5.3: -> $a", "check: $a != 1\n    before 5.3: $a = 1"])]
#[case(&["alice: getuid() = 0\n    before 5.3: \"!= 0\""])]
#[case(&["alice: reject(1, 10, EKEYREJECTED, 0) = EPERM"])]
#[case(&["alice: describe(@s) = \"keyring;0;0;*;a;b\""])]
fn what_makes_sense_is_taken(#[case] steps: &[&str]) {
    assert_eq!(alice(steps), Ok(()));
}

#[rstest]
#[case(&["alice: vfork() -> child", "alice: getuid() = 0"], "`alice` is suspended until `child` executes a program or exits")]
#[case(&["alice: vfork() -> child", "child: exec(\"/nowhere\") = ENOENT", "alice: getuid() = 0"], "`alice` is suspended until `child` executes a program or exits")]
#[case(&["alice: exit() = ok", "alice: getuid() = 0"], "`alice` has ended at line 6")]
#[case(&["alice: thread() -> sibling", "sibling: exec() = ok", "alice: getuid() = 0"], "`alice` has ended at line 7")]
#[case(&["alice: thread() -> sibling", "alice: exit_unreaped() = ok", "sibling: getuid() = 0"], "`sibling` has ended at line 7")]
#[case(&["alice: fork() -> child", "alice: kill(child, SIGKILL) = 0", "child: getuid() = 0"], "`child` has ended at line 7")]
#[case(&["alice: fork() -> child", "alice: kill(child, SIGSTOP) = 0", "child: getuid() = 0"], "`child` was stopped at line 7 and has not been continued")]
#[case(&["alice: fork() -> child", "alice: wait(child) = ok"], "`child` is still alive; it has to end by `exit_unreaped` or `kill`")]
#[case(&["alice: fork() -> child", "child: exit() = ok", "alice: wait(child) = ok"], "`child` was reaped when it ended at line 7")]
#[case(&["alice: kill(alice, SIGKILL) = 0"], "`alice` could not answer any more; `exit()` ends an actor")]
#[case(&["alice: exit() = ok | EPERM"], "this outcome leaves open who is alive afterwards")]
#[case(&["alice: fork() -> alice"], "an actor is already named `alice`")]
#[case(&["alice: fork() = ok"], "`fork` gives an actor, and an actor needs a name")]
#[case(&["alice: fork() -> $child"], "`fork` gives an actor, and an actor needs a name")]
#[case(&["alice: getuid() -> child"], "`getuid` gives no actor `child`")]
#[case(&["alice: kill(bob, SIGTERM) = 0"], "no actor `bob` is alive here")]
#[case(&["alice: revoke($x) = 0"], "`$x` is not bound here")]
#[case(&["alice: getuid() -> $x"], "`$x` is bound and never used")]
#[case(&["alice: getuid() -> $x", "alice: getuid() -> $x", "check: $x = 0"], "`$x` is bound already")]
#[case(&["alice: exec() -> $x"], "`exec` gives nothing but success")]
#[case(&["alice: revoke(@s) = 1"], "the operation gives nothing but success")]
#[case(&["alice: getuid() = \"0\""], "the operation gives a number")]
#[case(&["alice: getuid() != EPERM"], "`!=` means success with another value, and EPERM is none")]
#[case(&["alice: describe(@s) = \"keyring\""], "a description has five fields")]
#[case(&["alice: describe(@s) = 3"], "the operation gives a text")]
#[case(&["alice: describe(@s) = {}"], "the operation gives a text")]
#[case(&["alice: describe(@s) -> $d", "alice: read(@s) = {$d}"], "a set holds serials, and `$d` is a text")]
#[case(&["alice: read(@s) = 3"], "the operation gives a text or, of a keyring, a set")]
#[case(&["alice: revoke() = 0"], "`revoke` is written revoke(id)")]
#[case(&["alice: revoke(@s, 1) = 0"], "`revoke` is written revoke(id)")]
#[case(&["alice: revoke(\"x\") = 0"], "`revoke` takes a key (`$x`, `@s` or a number) as its `id`")]
#[case(&["alice: revoke(alice) = 0"], "`revoke` takes a key (`$x`, `@s` or a number) as its `id`")]
#[case(&["alice: describe(@s) -> $d", "alice: revoke($d) = 0"], "`revoke` takes a key (`$x`, `@s` or a number) as its `id`")]
#[case(&["alice: add_key(1, \"d\", \"p\", @s) = ok"], "`add_key` takes a text (`\"…\"`, `text(N)`, NULL or BAD_POINTER) as its `type`")]
#[case(&["alice: keyctl(0, {}) = 0"], "`keyctl` takes a number, a text or a buffer as its `argument`")]
#[case(&["alice: keyctl(0, ACTOR) = 0"], "`keyctl` takes a number, a text or a buffer as its `argument`")]
#[case(&["alice: nanosleep(8001) = 0"], "`nanosleep` takes 0 to 8000 milliseconds")]
#[case(&["{alice: getuid() = 0, abi: compat32}"], "`getuid` has no 32-bit form")]
#[case(&["{alice: getuid() -> $x, times: 2}", "check: $x = 0"], "a variable is bound once, and `times` would bind it again")]
#[case(&["{alice: fork() -> c, times: 2}"], "`fork` cannot be made several times, as `times` would")]
#[case(&["{alice: exit() = ok, within: 1s}"], "`exit` cannot be made several times, as `within` would")]
#[case(&["{alice: getuid() = 0, times: 2, within: 1s}"], "a step has one of `within`, `times` and `starts`")]
#[case(&["{alice: nanosleep(1), starts: nap}"], "no step ends `nap`")]
#[case(&["{alice: nanosleep(1), starts: nap}", "alice: getuid() = 0", "ends: nap = ok"], "`alice` is busy with `nap`, which no step has ended yet")]
#[case(&["ends: nap = ok", "alice: getuid() = 0"], "no step has started `nap`")]
#[case(&["{alice: nanosleep(1), starts: nap}", "ends: nap = ok", "ends: nap = ok"], "`nap` has ended at line 7")]
#[case(&["alice: fork() -> c", "{c: nanosleep(1), starts: nap}", "alice: kill(c, SIGKILL) = 0", "ends: nap = ok"], "`nap` cannot end: its actor did at line 8")]
#[case(&["{alice: exit(), starts: end}", "ends: end = ok"], "a call that gives birth or ends an actor cannot be started")]
#[case(&["together: [alice: getuid() = 0]"], "`together` has 2 to 16 steps, and here are 1")]
#[case(&["together: [alice: getuid() = 0, alice: getgid() = 0]"], "`alice` can do one thing at a time")]
#[case(&["alice: fork() -> c", "together: [alice: getuid() = 0, together: [c: getuid() = 0]]"], "only calls of actors can be made together")]
#[case(&["alice: fork() -> c", "together: [alice: getuid() = 0, {c: getuid() = 0, within: 1s}]"], "a step within `together` has no `within`")]
#[case(&["alice: fork() -> c", "together: [alice: getuid() -> $a, c: setuid($a) = 0]"], "`$a` is not bound here")]
#[case(&["alice: fork() -> c", "{together: [alice: getuid() = 0, c: getuid() = 0], within: 1s}"], "only the call of an actor can have `within`")]
#[case(&["alice: fork() -> c", "{together: [alice: getuid() -> $a, c: getuid() = 0], times: 2}", "check: $a = 0"], "a variable is bound once, and `times` would bind it again")]
#[case(&["alice: fork() -> c", "{together: [alice: getuid() = 0, c: exit() = ok], times: 2}"], "`exit` cannot be made several times, as `times` would")]
#[case(&["alice: fork() -> c", "{together: [alice: getuid() = 0, {c: getuid() = 0, times: 2}], times: 2}"], "a step within `together` has no `times`")]
#[case(&["alice: getuid() -> $a", "{check: $a = 0, within: 1s}"], "only the call of an actor can have `within`")]
#[case(&["alice: getuid() -> $a", "check: $a = EPERM"], "a check compares with values")]
#[case(&["alice: getuid() -> $a", "check: $a -> $b"], "a check compares, it names nothing")]
#[case(&["alice: getuid() -> $a", "check: $a = \"x\""], "the variable holds a number")]
#[case(&["{alice: getuid() -> $a, before 5.3: = EPERM}", "check: $a = 0"], "the outcomes of the step name different things")]
#[case(&["{alice: revoke(@s) = 0, before 5.8: = EPERM, since 5.3: = EACCES}"], "two of the step's outcomes hold on the same versions")]
fn what_makes_no_sense_is_told(#[case] steps: &[&str], #[case] message: &str) {
    assert_eq!(alice(steps), Err(vec![message.to_owned()]));
}

#[test]
fn an_idle_actor_is_told() {
    let error = case("  alice: {uid: 0}\n  bob: {uid: 1}\n", &["alice: exit() = ok"]);
    assert_eq!(error, Err(vec!["actor `bob` takes part in no step".to_owned()]));
}
