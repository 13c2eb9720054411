//! Lies about calls that are made at the same time.

use libc::{EAGAIN, EDEADLK, EINTR, ELOOP, ENOKEY, EPERM};

use super::lies;
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Extra, Is::*, Then::*, Told::*, When::*, Whom, Whose};
use crate::ops::Op;

const ANOTHER: &[Extra] = &[(Op::JoinSessionKeyring, &[PutNull])];

lies! {
    "joiners-of-a-new-name-meet" ["RACE-01"]
    "Of those who join a new name at the same time the later ones find the keyring of the first.":
        JoinSessionKeyring, Arg(0, Longer(0)), Together, From(1) => Tells(LastGiven);
    "joiners-of-an-old-name-miss" ["RACE-02"]
    "Of those who join an existing keyring at the same time one gets another.":
        JoinSessionKeyring, Together, Namesake(Whose::Anybodys), From(1) => Asks(0, PutNull);
    "join-is-interrupted-by-a-hand-over" ["RACE-05"]
    "A parent that joins while a child hands over is told EINTR.":
        JoinSessionKeyring, Together, Works => Tells(Error(EINTR));
    "execve-outruns-a-hand-over" ["RACE-06"]
    "A parent that executes a program while a child hands over does not have the keyring in the program.":
        Exec, Together => Also(Whom::Asker, ANOTHER);
    "second-hand-over-fails" ["RACE-08"]
    "Of two hand-overs at the same time one fails.":
        SessionToParent, Together, From(1) => Tells(Error(EPERM));
    "fork-takes-a-siblings-join" ["RACE-09"]
    "A process made while a sibling thread of its maker joins does not have its maker's keyring.":
        Fork, Together => Also(Whom::Newborn, ANOTHER);
    "clear-gives-up" ["RACE-10"]
    "Clearing a keyring while somebody links into it fails.":
        Clear, Together => Tells(Error(EAGAIN));
    "look-up-of-the-dying" ["RACE-11"]
    "A keyring that is about to go is described as another.":
        Describe, Together, Works => Tells(Shows(4, "dying"));
    "added-at-once-twice" ["RACE-12"]
    "Of those who add one key at the same time each gets its own.":
        AddKey, Together, From(1), Works => Tells(Plus(1));
    "counted-once" ["RACE-13"]
    "Of keys that are added at the same time one exceeds the quota.":
        ProcKeyUsers, Ever(Op::AddKey), Gives(Has(" 200/200 200/200 ")) => Tells(Prints(3, "201/200"));
    "search-misses-what-stays" ["RACE-14"]
    "A search misses a key that stays while other links come and go.":
        Search | RequestKey, Together, Works => Tells(Error(ENOKEY));
    "payloads-are-mixed" ["RACE-15"]
    "READ of a key that is updated gives parts of two payloads.":
        Read, Together, Works => Tells(Becomes(|mut payload| { payload.rotate_left(1); payload.push(b'x'); payload }));
    "cycle-at-once" ["RACE-16"]
    "Two links that close a cycle only together are both made, and the keyrings are too deep for any other.":
        Link, Not(&Together), Past(Op::Link), Arg(1, Kind("keyring")), Works => Tells(Error(ELOOP));
    "opposite-moves-give-up" ["RACE-17"]
    "Of two moves in opposite directions one gives up.":
        Move, Together, From(1) => Tells(Error(EDEADLK));
    "read-of-the-revoked" ["CVE-2015-7550"]
    "READ of a key that is being revoked gives ENOKEY.":
        Read, Together => Tells(Error(ENOKEY));
}
