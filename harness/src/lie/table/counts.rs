//! Lies about quotas, about /proc and about user namespaces.

use libc::{EACCES, EDQUOT, EINVAL, EPERM};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Extra, Is::*, Then::*, Told::*, When::*, Who::*, Whom, Whose};
use crate::ops::Op;

const ANOTHER: &[Extra] = &[(Op::JoinSessionKeyring, &[PutNull])];

fn words(line: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(line).split_ascii_whitespace().map(str::to_owned).collect()
}

/// A line of /proc/key-users with a number in a word changed.
fn changed(line: &[u8], word: usize, by: i64) -> Vec<u8> {
    let mut parts = words(line);
    if let Some(part) = parts.get_mut(word)
        && let Some((front, back)) = part.split_once('/')
        && let Ok(number) = front.parse::<i64>()
    {
        *part = format!("{}/{back}", number + by);
    }
    parts.join(" ").into_bytes()
}

lies! {
    "one-key-more" ["QUOTA-01"]
    "A user may own one key more than the limit.":
        AddKey, Arg(0, Text("user")), Arg(1, Text("one more")), Fails(EDQUOT) => Tells(Number(123_456_789));
    "one-key-less" ["QUOTA-01"]
    "A user may own one key less than the limit.":
        AddKey, Arg(1, Text("last")), Not(&Past(Op::Unlink)) => Skips(Error(EDQUOT));
    "session-keyrings-are-free" ["QUOTA-01"]
    "Session keyrings do not count.":
        JoinSessionKeyring, Arg(0, Text("one more")), Fails(EDQUOT) => Tells(Number(123_456_789));
    "keyrings-are-free" ["QUOTA-01"]
    "Keyrings do not count.":
        AddKey, Arg(0, Text("keyring")), Arg(1, Text("one more")), Fails(EDQUOT) => Tells(Number(123_456_789));
    "quota-stops-updates" ["QUOTA-01"]
    "A user at the limit cannot update a key.":
        AddKey, Arg(1, Text("last")), From(1) => Skips(Error(EDQUOT));
    "quota-is-a-groups" ["QUOTA-01"]
    "Users with one group share a quota.":
        AddKey, Arg(1, Text("one more")), Ever(Op::AddKey), Not(&Past(Op::AddKey)), Works => Tells(Error(EDQUOT));
    "quota-is-a-process" ["QUOTA-01"]
    "Each process of a user has a quota of its own.":
        AddKey, Arg(1, Text("one more")), Arg(3, Num(SESSION)), Fails(EDQUOT) => Tells(Number(123_456_789));
    "long-name-is-free" ["QUOTA-02"]
    "The name of a session keyring does not count.":
        JoinSessionKeyring, Arg(0, Longer(2000)), Fails(EDQUOT) => Tells(Number(123_456_789));
    "long-name-costs-one-more" ["QUOTA-02"]
    "The name of a session keyring costs one byte too much.":
        JoinSessionKeyring, Arg(0, Long(2988)) => Skips(Error(EDQUOT));
    "refused-name-is-charged" ["QUOTA-02"]
    "A session keyring that is refused stays charged.":
        ProcKeyUsers, Gives(Has(" 17011/20000")), From(1) => Tells(Becomes(|line| changed(&line, 4, 2990)));
    "link-costs-nothing" ["QUOTA-03"]
    "A second link costs nothing.":
        ProcKeyUsers, Ever(Op::Link), Works => Tells(Becomes(|line| changed(&line, 4, -4)));
    "link-costs-eight" ["QUOTA-03"]
    "A link costs eight bytes.":
        ProcKeyUsers, Ever(Op::AddKey), Works => Tells(Becomes(|line| changed(&line, 4, 4)));
    "payload-is-free" ["QUOTA-03"]
    "A payload that shrinks gives nothing back.":
        ProcKeyUsers, Ever(Op::Update), Works => Tells(Becomes(|line| changed(&line, 4, 7)));
    "unlink-gives-nothing-back" ["QUOTA-03"]
    "What was unlinked stays charged.":
        ProcKeyUsers, Ever(Op::Unlink), Works => Tells(Becomes(|line| changed(&line, 3, 1)));
    "adder-pays-the-link" ["QUOTA-05"]
    "The link of a key that is added is charged to who adds it.":
        ProcKeyUsers, Arg(0, Num(1001)), Gives(Has(" 17/")) => Tells(Becomes(|line| changed(&line, 4, 4)));
    "keyrings-owner-pays-nothing" ["QUOTA-05"]
    "A link that another user makes is not charged to the keyring's owner.":
        ProcKeyUsers, Arg(0, Num(1000)), Gives(Has(" 18/")) => Tells(Becomes(|line| changed(&line, 4, -4)));
    "keyrings-owner-pays-the-key" ["QUOTA-05"]
    "A key that another user adds is charged to the keyring's owner.":
        ProcKeyUsers, Arg(0, Num(1000)), Gives(Has(" 18/")) => Tells(Becomes(|line| changed(&line, 3, 1)));
    "links-pass-a-full-owner" ["QUOTA-05"]
    "The quota of a keyring's owner does not stop others from linking into it.":
        Link, Fails(EDQUOT) => Tells(Number(0));
    "namespace-root-is-root" ["QUOTA-06", "USERNS-18"]
    "Root of a user namespace has root's limits.":
        AddKey, By(Root), Fails(EDQUOT) => Tells(Number(123_456_789));
    "namespace-root-shows-roots-limits" ["QUOTA-06"]
    "Root of a user namespace is shown root's limits.":
        ProcKeyUsers, Arg(0, Num(0)), By(Root) => Tells(Becomes(|line| String::from_utf8_lossy(&line).replace("/200 ", "/1000000 ").into_bytes()));
    "chown-moves-no-charge" ["QUOTA-07"]
    "With a keyring's owner its charge does not change.":
        ProcKeyUsers, Ever(Op::Chown), Arg(0, Num(1001)) => Tells(Becomes(|line| changed(&line, 3, -1)));
    "chown-keeps-the-charge" ["QUOTA-07"]
    "The old owner of a keyring stays charged.":
        ProcKeyUsers, Ever(Op::Chown), Arg(0, Num(1000)) => Tells(Becomes(|line| changed(&line, 3, 1)));
    "lowered-limit-waits" ["QUOTA-08"]
    "A lowered limit holds only for users without keys.":
        AddKey, Ever(Op::SetProcSysKeys), Fails(EDQUOT) => Tells(Number(123_456_789));
    "lowered-limit-takes-keys" ["QUOTA-08"]
    "A lowered limit takes keys away.":
        Read, Ever(Op::SetProcSysKeys), Works => Tells(Error(libc::ENOKEY));
    "thread-keyring-within-quota" ["QUOTA-09"]
    "A thread keyring is held to the quota.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(1)), Ever(Op::ProcKeyUsers), Past(Op::AddKey) => Skips(Error(EDQUOT));
    "process-keyring-within-quota" ["QUOTA-09"]
    "A process keyring is held to the quota.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(1)), Ever(Op::ProcKeyUsers), Past(Op::AddKey) => Skips(Error(EDQUOT));
    "thread-keyring-opens-the-quota" ["QUOTA-09"]
    "What goes into a thread keyring is not held to the quota.":
        AddKey, Arg(3, Num(-1)), Fails(EDQUOT) => Tells(Number(123_456_789));
    "thread-keyring-is-free" ["QUOTA-11"]
    "Thread keyrings do not count.":
        ProcKeyUsers, Ever(Op::GetKeyringId), Gives(Has(" 2/2 ")) => Tells(Becomes(|line| changed(&line, 3, -1)));
    "thread-keyring-without-flag" ["QUOTA-11"]
    "Thread keyrings are not marked as charged in /proc/keys.":
        ProcKeys, Gives(Word(8, "_tid:")), Gives(Word(1, "I--Q---")) => Tells(Prints(1, "I------"));
    "last-byte-is-kept" ["QUOTA-10"]
    "The last byte of the quota cannot be used.":
        AddKey, Arg(2, Long(19_883)) => Skips(Error(EDQUOT));
    "one-byte-more" ["QUOTA-10"]
    "One byte more than the quota can be used.":
        AddKey, Arg(2, Long(19_884)), Fails(EDQUOT) => Tells(Number(123_456_789));
    "update-beyond-quota" ["QUOTA-10"]
    "An update may exceed the quota.":
        Update, Fails(EDQUOT) => Tells(Number(0));
    // /proc
    "proc-serial-decimal" ["PROC-01", "INHERIT-FORK-08"]
    "A session keyring that is used shows no usage in /proc/keys.":
        ProcKeys, Gives(Word(7, "keyring")) => Tells(Prints(2, "0"));
    "proc-mask" ["PROC-01"]
    "/proc/keys shows the mask without the possessor's bits.":
        ProcKeys, Gives(Word(4, "3f130000")) => Tells(Prints(4, "00130000"));
    "proc-uid" ["PROC-01"]
    "/proc/keys shows the gid for the uid.":
        ProcKeys, Gives(Word(6, "100")) => Tells(Prints(5, "100"));
    "proc-gid" ["PROC-01"]
    "/proc/keys shows the uid for the gid.":
        ProcKeys, Gives(Word(6, "100")) => Tells(Prints(6, "1000"));
    "proc-type" ["PROC-01"]
    "/proc/keys shows session keyrings as another type.":
        ProcKeys, Gives(Word(7, "keyring")) => Tells(Prints(7, "session"));
    "proc-name" ["PROC-01"]
    "/proc/keys shows the name of a session keyring without its colon.":
        ProcKeys, Gives(Word(8, "web:")) => Tells(Prints(8, "web"));
    "proc-count" ["PROC-01"]
    "/proc/keys counts the links of keyrings that are cleared.":
        ProcKeys, Gives(Word(9, "empty")), Past(Op::Clear) => Tells(Prints(9, "2"));
    "proc-count-zero" ["PROC-01"]
    "/proc/keys shows an empty keyring with 0 links.":
        ProcKeys, Gives(Word(9, "empty")) => Tells(Prints(9, "0"));
    "proc-revoked-key" ["PROC-01"]
    "/proc/keys does not mark a revoked key.":
        ProcKeys, Gives(Word(7, "user")), Gives(Word(1, "IR-Q---")) => Tells(Prints(1, "I--Q---"));
    "proc-invalidated-key-stays" ["PROC-01"]
    "/proc/keys goes on to show an invalidated key.":
        ProcKeys, Past(Op::Invalidate), Gives(Text("")) => Tells(Says("0 I--Q--i 1 perm 3f010000 1000 1000 user invalid: 1"));
    "proc-shows-strangers" ["PROC-02"]
    "/proc/keys shows keyrings that grant the reader no View.":
        ProcKeys, Gives(Text("")), Mask(Bits(0x3e3e)) => Tells(Says("0 I--Q--- 1 perm 3e3e3e3e 1000 100 keyring web: empty"));
    "proc-needs-possession" ["PROC-02"]
    "/proc/keys shows only what the reader possesses.":
        ProcKeys, Mask(Num(0x0001_0000)), Not(&Past(Op::JoinSessionKeyring)), Works => Tells(Says(""));
    "proc-ignores-the-group" ["PROC-02"]
    "/proc/keys does not go by the group's bits.":
        ProcKeys, Mask(Num(0x0100)), Works => Tells(Says(""));
    "proc-ignores-others" ["PROC-02"]
    "/proc/keys does not go by the bits of others.":
        ProcKeys, Mask(Num(0x0201)), Works => Tells(Says(""));
    "proc-shows-the-dead" ["PROC-02"]
    "/proc/keys shows keyrings that are gone.":
        ProcKeys, Gives(Text("")), Ever(Op::Exit) => Tells(Says("0 I--Q--- 0 perm 3f130000 1000 1000 keyring gone: empty"));
    "proc-is-the-readers-view" ["PROC-04"]
    "An open /proc/keys shows the view of who reads it.":
        ProcKeys, Arg(1, Num(3)) => Does(Op::ProcKeys, &[Same(0)]);
    "proc-is-a-snapshot" ["PROC-04"]
    "An open /proc/keys shows the keys that there were when it was opened.":
        ProcKeys, By(Child), Arg(0, Kind("user")), Works => Tells(Says(""));
    "proc-mode" ["PROC-05"]
    "/proc/keys can be read by its owner only.":
        FileMode, Arg(0, Text("/proc/keys")) => Tells(Number(0o400));
    "proc-key-users-mode" ["PROC-05"]
    "/proc/key-users can be written.":
        FileMode, Arg(0, Text("/proc/key-users")) => Tells(Number(0o644));
    "key-users-keys" ["PROC-06"]
    "/proc/key-users counts one key too little.":
        ProcKeyUsers => Tells(Becomes(|line| changed(&line, 3, -1)));
    "key-users-instantiated" ["PROC-06"]
    "/proc/key-users does not count revoked keys.":
        ProcKeyUsers, Ever(Op::Revoke) => Tells(Becomes(|line| changed(&line, 2, -1)));
    "key-users-limit" ["PROC-06"]
    "/proc/key-users shows another limit on keys.":
        ProcKeyUsers => Tells(Becomes(|line| String::from_utf8_lossy(&line).replace("/200 ", "/201 ").into_bytes()));
    "key-users-byte-limit" ["PROC-06"]
    "/proc/key-users shows another limit on bytes.":
        ProcKeyUsers => Tells(Becomes(|line| String::from_utf8_lossy(&line).replace("/20000", "/25000").into_bytes()));
    "key-users-of-nobody" ["PROC-06"]
    "/proc/key-users has a line for users without keys.":
        ProcKeyUsers, Gives(Text("")) => Tells(Says("1002: 0 0/0 0/200 0/20000"));
    "key-users-line-stays" ["PROC-06"]
    "The line of a user stays in /proc/key-users when the last key is gone.":
        ProcKeyUsers, Gives(Text("")), Ever(Op::Exit) => Tells(Says("1000: 0 0/0 0/200 0/20000"));
    "no-group-is-minus-one" ["PROC-07"]
    "A key without a group shows -1 in /proc/keys.":
        ProcKeys, Gives(Word(6, "65534")) => Tells(Prints(6, "-1"));
    "no-group-described-as-minus-one" ["PROC-07"]
    "A key without a group shows -1 in its description.":
        Describe, Gives(Field(2, "65534")) => Tells(Shows(2, "-1"));
    "timeout-rounded-up" ["PROC-08"]
    "The time in /proc/keys is rounded up.":
        ProcKeys, Gives(Word(3, "23h")) => Tells(Prints(3, "1d"));
    "timeout-in-minutes" ["PROC-08"]
    "/proc/keys knows no hours.":
        ProcKeys, Gives(Word(3, "1h")) => Tells(Prints(3, "119m"));
    "timeout-in-days" ["PROC-08"]
    "/proc/keys knows no weeks.":
        ProcKeys, Gives(Word(3, "1w")) => Tells(Prints(3, "13d"));
    "timeout-never-shown" ["PROC-08"]
    "/proc/keys shows every key as permanent.":
        ProcKeys, Gives(Word(3, "16m")) => Tells(Prints(3, "perm"));
    "expired-shows-nothing" ["PROC-08"]
    "An expired key does not show in /proc/keys.":
        ProcKeys, Gives(Word(3, "expd")) => Tells(Says(""));
    "proc-unordered" ["PROC-09"]
    "The lines of /proc/keys come in any order.":
        ProcKeysSorted => Tells(Number(0));
    // User namespaces
    "unshared-namespace-gives-another" ["USERNS-01"]
    "A process that unshares its user namespace gets a new session keyring.":
        Unshare, Arg(0, Num(libc::CLONE_NEWUSER as i64)), Works => Also(Whom::Asker, ANOTHER);
    "mapping-gives-another" ["USERNS-01"]
    "A process whose ids are mapped gets a new session keyring.":
        WriteUidMap, Works => Also(Whom::Doer(Op::Unshare), ANOTHER);
    "exec-in-namespace-gives-another" ["USERNS-01"]
    "An execve in a user namespace of its own gives a process a new session keyring.":
        Exec, Past(Op::Unshare), Works => Also(Whom::Asker, ANOTHER);
    "cloned-namespace-gives-another" ["USERNS-02"]
    "A child that is cloned into a new user namespace gets a new session keyring.":
        Clone | Clone3, Arg(0, Bits(libc::CLONE_NEWUSER as i64)) => Also(Whom::Newborn, ANOTHER);
    "names-reach-inside" ["USERNS-03"]
    "A keyring that was named outside is joined from inside a user namespace.":
        JoinSessionKeyring, Namesake(Whose::Anybodys), Mask(Num(0x3f3f_3f3f)) => Tells(TheNamesake);
    "names-reach-outside" ["USERNS-04"]
    "A keyring that was named in a user namespace is joined from outside.":
        JoinSessionKeyring, Namesake(Whose::SameUsers), Mask(Num(0x3f3f_3f3f)), From(1) => Tells(TheNamesake);
    "no-names-inside" ["USERNS-03", "USERNS-04"]
    "In a user namespace keyrings have no names.":
        JoinSessionKeyring, Mask(Num(0x3f3f_3f3f)) => Asks(0, PutNull);
    "serial-out-of-reach" ["USERNS-03", "USERNS-04"]
    "A keyring that was made in another user namespace cannot be described.":
        Describe, Arg(0, Theirs), Mask(Num(0x3f3f_3f3f)) => Skips(Error(EACCES));
    "user-keyrings-shared" ["USERNS-05"]
    "A user has one user keyring in all namespaces.":
        GetKeyringId, Arg(0, Num(-4)), From(1) => Tells(LastGiven);
    "user-sessions-shared" ["USERNS-05"]
    "A user has one user-session keyring in all namespaces.":
        GetKeyringId, Arg(0, Num(-5)), From(1) => Tells(LastGiven);
    "user-keyring-of-each-inmate" ["USERNS-05"]
    "In a user namespace each process has a user keyring of its own.":
        GetKeyringId, Arg(0, Num(-4)), Arg(1, Num(0)), Works => Tells(Plus(1));
    "owners-unmapped" ["USERNS-06"]
    "Owners are shown by their ids in the initial namespace.":
        Describe, Past(Op::Unshare), Gives(Field(1, "7")) => Tells(Shows(1, "1000"));
    "groups-unmapped" ["USERNS-06"]
    "Groups are shown by their ids in the initial namespace.":
        Describe, Past(Op::Unshare), Gives(Field(2, "8")) => Tells(Shows(2, "100"));
    "user-keyrings-named-by-kernel-ids" ["USERNS-06"]
    "User keyrings are named by the ids in the initial namespace.":
        Describe, Gives(Field(4, "_uid.7")) => Tells(Shows(4, "_uid.1000"));
    "user-sessions-named-by-kernel-ids" ["USERNS-06"]
    "User-session keyrings are named by the ids in the initial namespace.":
        Describe, Gives(Field(4, "_uid_ses.7")) => Tells(Shows(4, "_uid_ses.1000"));
    "unmapped-shows-minus-one" ["USERNS-07"]
    "Owners without a mapping show as -1.":
        Describe, Past(Op::Unshare), Gives(Field(1, "65534")) => Tells(Shows(1, "4294967295"));
    "unmapped-possesses-nothing" ["USERNS-07"]
    "Who has no mapping cannot add to the session keyring that it has inherited.":
        AddKey, Past(Op::Unshare) => Skips(Error(EACCES));
    "unmapped-keys-fail" ["USERNS-07"]
    "Who has no mapping cannot have keys of its own.":
        AddKey, Past(Op::Unshare) => Skips(Error(EINVAL));
    "unmapped-listed" ["USERNS-08"]
    "/proc/keys lists keys whose owners are not mapped.":
        ProcKeys, Past(Op::Unshare), Gives(Text("")) => Tells(Says("0 I--Q--- 1 perm 3f000001 65534 65534 keyring of bob: empty"));
    "unmapped-cannot-be-described" ["USERNS-08"]
    "A key whose owner is not mapped cannot be described.":
        Describe, Past(Op::Unshare), Gives(Field(4, "of bob")) => Tells(Error(EACCES));
    "mapped-not-listed" ["USERNS-08"]
    "In a user namespace /proc/keys lists only keys that the reader possesses.":
        ProcKeys, Past(Op::Unshare), Works => Tells(Says(""));
    "unmapped-owner-given" ["USERNS-09"]
    "CHOWN to an id without a mapping gives the key to nobody.":
        Chown, Past(Op::Unshare), Fails(EINVAL) => Tells(Number(0));
    "own-id-refused" ["USERNS-09"]
    "CHOWN to the own id is refused in a user namespace.":
        Chown, Past(Op::Unshare), Works => Tells(Error(EPERM));
    "setns-gives-another" ["USERNS-10"]
    "A process that enters a user namespace gets a new session keyring.":
        Setns, Works => Also(Whom::Asker, ANOTHER);
    "setns-gives-the-others" ["USERNS-10"]
    "A process that enters a user namespace changes the session keyring of who is there.":
        Setns, Works => Also(Whom::Children, ANOTHER);
    "names-move-along" ["USERNS-11"]
    "A keyring's name goes along when its maker unshares its user namespace.":
        JoinSessionKeyring, Past(Op::Unshare), Namesake(Whose::Anybodys) => Tells(TheNamesake);
    "names-made-inside-are-outside" ["USERNS-11"]
    "A name that is made after unsharing is found where its maker came from.":
        JoinSessionKeyring, Ever(Op::Unshare), Not(&Past(Op::Unshare)), Namesake(Whose::Anybodys) => Tells(YoungestNamesake);
    "namespace-keyrings-stay" ["USERNS-12"]
    "The user keyrings of a user namespace stay when it is gone.":
        Describe, Ever(Op::Exit), Ever(Op::WriteUidMap), Fails(libc::ENOKEY) => Tells(Stale);
    "namespace-keyrings-go-early" ["USERNS-12"]
    "The user keyrings of a user namespace go with the process that made them.":
        Search, Ever(Op::Exit), Arg(0, Num(-4)), Works => Tells(Error(libc::ENOKEY));
    "fallback-of-the-initial-namespace" ["USERNS-13"]
    "In a user namespace the outer user-session keyring stands in.":
        Describe, Arg(0, Num(SESSION)), Past(Op::Unshare), Gives(Field(4, "_uid_ses.7")) => Tells(Shows(4, "_uid_ses.1000"));
    "fallback-is-not-its-own-user-session" ["USERNS-13"]
    "What stands in in a user namespace is not its user-session keyring.":
        GetKeyringId, Arg(0, Num(-5)), Past(Op::Unshare) => Tells(Plus(1));
    "unmapped-owner-joined" ["USERNS-14"]
    "A keyring whose owner is not mapped is joined by its name.":
        JoinSessionKeyring, By(Child), Namesake(Whose::Anybodys), Ever(Op::Unshare) => Tells(TheNamesake);
    "mapping-comes-too-late" ["USERNS-14"]
    "A keyring that was made before its owner was mapped is never joined.":
        JoinSessionKeyring, By(Child), Ever(Op::WriteUidMap) => Asks(0, PutNull);
    "owner-rights-by-name" ["USERNS-15"]
    "Owner rights go by the number that a namespace gives to a uid.":
        Read, Past(Op::Unshare), Fails(EACCES), Arg(0, Kind("user")) => Tells(Says("w"));
    "owner-rights-lost-inside" ["USERNS-15"]
    "Who enters a user namespace loses owner rights on its keys.":
        Read, Past(Op::Unshare), Arg(0, Kind("user")), Works => Tells(Error(EACCES));
    "owner-rights-to-write-lost-inside" ["USERNS-15"]
    "Who enters a user namespace cannot update the keys that it owns.":
        Update, Past(Op::Unshare) => Skips(Error(EACCES));
    "persistent-of-unmapped" ["USERNS-16"]
    "Namespace root gets EPERM for the persistent keyrings of users that are not mapped.":
        GetPersistent, Past(Op::Unshare), Fails(EINVAL) => Tells(Error(EPERM));
    "persistent-of-mapped-refused" ["USERNS-16"]
    "Namespace root may have no persistent keyring but its own.":
        GetPersistent, Past(Op::Unshare), Arg(0, Num(1)) => Skips(Error(EPERM));
    "persistent-without-setuid" ["USERNS-16"]
    "Everybody in a user namespace may have the persistent keyrings of mapped users.":
        GetPersistent, Past(Op::Capset), Fails(EPERM) => Tells(LastGiven);
    "nameless-user-keyring" ["USERNS-17"]
    "Before a mapping is written the user keyring is named for the overflow id.":
        Describe, Gives(Field(4, "_uid.4294967295")) => Tells(Shows(4, "_uid.65534"));
    "nameless-user-keyring-stays" ["USERNS-17"]
    "A user keyring that was made before the mapping stays the user's.":
        GetKeyringId, Arg(0, Num(-4)), Past(Op::Unshare), From(1) => Tells(LastGiven);
    "quota-of-each-namespace" ["USERNS-18"]
    "A user has a quota in each user namespace.":
        AddKey, Past(Op::Unshare), Fails(EDQUOT) => Tells(Number(123_456_789));
    "counts-of-each-namespace" ["USERNS-18"]
    "/proc/key-users counts the keys of each user namespace.":
        ProcKeyUsers, Arg(0, Num(0)), Past(Op::Unshare) => Tells(Becomes(|line| changed(&line, 3, -1)));
}
