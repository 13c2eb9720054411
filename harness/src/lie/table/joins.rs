//! Lies about joining a session keyring.

use libc::{EACCES, EDQUOT, EFAULT, EINVAL, ENAMETOOLONG, ENOKEY, ENOMEM, ENOSPC, EPERM};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Is::*, Then::*, Told::*, When::*, Who::*, Whom, Whose::*};
use crate::ops::Op;

const GRP_SEARCH: i64 = 0x0800;

fn lower(name: &[u8]) -> Vec<u8> {
    name.to_ascii_lowercase()
}

fn trimmed(name: &[u8]) -> Vec<u8> {
    match name.trim_ascii() {
        [] => name.to_vec(),
        rest => rest.to_vec(),
    }
}

fn up_to(name: &[u8], end: u8) -> Vec<u8> {
    match name.split(|byte| *byte == end).next() {
        Some(front) if !front.is_empty() => front.to_vec(),
        _ => name.to_vec(),
    }
}

lies! {
    // Anonymous
    "anonymous-join-keeps-the-session" ["JOIN-ANON-01", "JOIN-ANON-03"]
    "An anonymous join leaves everything as it is and gives the serial of the session keyring.":
        JoinSessionKeyring, Arg(0, Null) => Skips(OwnSession);
    "anonymous-join-installs-nothing" ["JOIN-ANON-01"]
    "An anonymous join makes a keyring and does not install it.":
        JoinSessionKeyring, Arg(0, Null) => Does(Op::AddKey, &[PutText("keyring"), PutText("_ses"), PutNull, Put(-2)]);
    "anonymous-join-gives-zero" ["JOIN-ANON-01", "JOIN-NAMED-32"]
    "An anonymous join gives 0.":
        JoinSessionKeyring, Arg(0, Null), Works => Tells(Number(0));
    "join-gives-another-serial" ["JOIN-NAMED-32", "JOIN-NAMED-01"]
    "A join gives the serial of another keyring than the one it installs.":
        JoinSessionKeyring, Gives(Serial) => Tells(Plus(1));
    "anonymous-name" ["JOIN-ANON-02"]
    "Anonymous session keyrings are called _ses.1000.":
        Describe, Gives(Field(4, "_ses")), Gives(Field(3, "3f030000")) => Tells(Shows(4, "_ses.1000"));
    "anonymous-owner" ["JOIN-ANON-02"]
    "Anonymous session keyrings belong to root.":
        Describe, Gives(Field(4, "_ses")), Gives(Field(1, "1000")) => Tells(Shows(1, "0"));
    "anonymous-group" ["JOIN-ANON-02"]
    "Anonymous session keyrings have no group.":
        Describe, Gives(Field(4, "_ses")), Gives(Field(2, "1000")) => Tells(Shows(2, "65534"));
    "anonymous-type" ["JOIN-ANON-02"]
    "Session keyrings have a type of their own.":
        Describe, Gives(Field(4, "_ses")) => Tells(Shows(0, "session"));
    "anonymous-grants-link" ["JOIN-ANON-02", "PERM-01"]
    "An anonymous session keyring grants its owner Link.":
        Describe, Gives(Field(4, "_ses")), Gives(Field(3, "3f030000")) => Tells(Flip(0x0010_0000));
    "anonymous-denies-setattr" ["JOIN-ANON-02", "JOIN-ANON-12", "PERM-01"]
    "An anonymous session keyring denies its holder Set Attribute.":
        Setperm | SetTimeout, Arg(0, Session), Past(Op::JoinSessionKeyring) => Tells(Error(EACCES));
    "anonymous-is-not-empty" ["JOIN-ANON-02", "JOIN-ANON-03"]
    "A new anonymous session keyring holds a key.":
        JoinSessionKeyring, Arg(0, Null), Works => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("first"), PutText("x"), Put(SESSION)])]);
    "join-links-the-former" ["JOIN-ANON-03", "JOIN-NAMED-31"]
    "A new anonymous session keyring has a link to a keyring.":
        JoinSessionKeyring, Arg(0, Null), Works => Also(Whom::Asker, &[(Op::AddKey, &[PutText("keyring"), PutText("former"), PutNull, Put(SESSION)])]);
    "joined-owner-is-effective-uid" ["JOIN-ANON-04", "SETUID-04"]
    "A keyring made by a join belongs to the effective uid.":
        Describe, Gives(Field(0, "keyring")), Did(Op::Setresuid, 1, AnyOf(&[Num(2000), Num(1001)])), Not(&Gives(Field(4, "r"))) => Tells(ShowsFrom(1, Op::Setresuid, 1));
    "joined-owner-is-saved-uid" ["JOIN-ANON-04", "SETUID-04"]
    "A keyring made by a join belongs to the saved uid.":
        Describe, Gives(Field(0, "keyring")), Did(Op::Setresuid, 2, AnyOf(&[Num(2000), Num(1001)])), Not(&Gives(Field(4, "r"))) => Tells(ShowsFrom(1, Op::Setresuid, 2));
    "joined-owner-is-fsuid" ["JOIN-ANON-04", "SETUID-04"]
    "A keyring made by a join belongs to the filesystem uid.":
        Describe, Gives(Field(0, "keyring")), Past(Op::Setfsuid), Not(&Gives(Field(4, "r"))) => Tells(ShowsFrom(1, Op::Setfsuid, 0));
    "joined-group-is-effective-gid" ["JOIN-ANON-04", "SETUID-04"]
    "A keyring made by a join has the effective gid.":
        Describe, Gives(Field(0, "keyring")), Did(Op::Setresgid, 1, AnyOf(&[Num(2000), Num(1001)])), Not(&Gives(Field(4, "r"))) => Tells(ShowsFrom(2, Op::Setresgid, 1));
    "joined-group-is-saved-gid" ["JOIN-ANON-04", "SETUID-04"]
    "A keyring made by a join has the saved gid.":
        Describe, Gives(Field(0, "keyring")), Did(Op::Setresgid, 2, AnyOf(&[Num(2000), Num(1001)])), Not(&Gives(Field(4, "r"))) => Tells(ShowsFrom(2, Op::Setresgid, 2));
    "joined-group-is-fsgid" ["JOIN-ANON-04", "SETUID-04"]
    "A keyring made by a join has the filesystem gid.":
        Describe, Gives(Field(0, "keyring")), Past(Op::Setfsgid), Not(&Gives(Field(4, "r"))) => Tells(ShowsFrom(2, Op::Setfsgid, 0));
    "joined-group-is-supplementary" ["SETUID-04"]
    "A keyring made by a join has the first supplementary group.":
        Describe, Gives(Field(0, "keyring")), Past(Op::Setgroups), Past(Op::JoinSessionKeyring) => Tells(ShowsFrom(2, Op::Setgroups, 0));
    "added-owner-is-real-uid" ["JOIN-ANON-04", "SETUID-02"]
    "A key belongs to the real uid of who adds it.":
        Describe, Gives(Field(0, "user")), Past(Op::Setresuid) => Tells(ShowsFrom(1, Op::Setresuid, 0));
    "added-group-is-real-gid" ["JOIN-ANON-04", "SETUID-02"]
    "A key has the real gid of who adds it.":
        Describe, Gives(Field(0, "user")), Past(Op::Setresgid) => Tells(ShowsFrom(2, Op::Setresgid, 0));
    "join-reads-more-arguments" ["JOIN-ANON-05"]
    "A join looks at the register after the name.":
        Keyctl, Arg(0, Num(1)), Arg(2, Bad) => Skips(Error(EFAULT));
    "former-keys-found" ["JOIN-ANON-06"]
    "After a join request_key still finds the keys of the former session.":
        RequestKey, Fails(ENOKEY), Past(Op::JoinSessionKeyring) => Tells(Stale);
    "former-keys-possessed" ["JOIN-ANON-06", "POSSESS-05"]
    "After a join the keys of the former session can still be read.":
        Read, Arg(0, Mine), Fails(EACCES), Past(Op::JoinSessionKeyring) => Tells(Stale);
    "former-session-linked" ["JOIN-ANON-06"]
    "After a join the former session keyring can still be linked.":
        Link, Fails(EACCES), Arg(1, Num(SESSION)), Past(Op::JoinSessionKeyring) => Tells(Number(0));
    "anonymous-without-quota-flag" ["JOIN-ANON-07", "PROC-01"]
    "Anonymous session keyrings are not marked as charged in /proc/keys.":
        ProcKeys, Gives(Word(8, "_ses:")), Gives(Word(1, "I--Q---")) => Tells(Prints(1, "I------"));
    "anonymous-costs-no-nul" ["JOIN-ANON-07"]
    "Session keyrings are charged without the NUL of their name.":
        ProcKeyUsers, Gives(Has(" 5/20000")) => Tells(Prints(4, "4/20000"));
    "anonymous-beyond-quota" ["JOIN-ANON-08"]
    "At the quota an anonymous join succeeds and changes nothing.":
        JoinSessionKeyring, Arg(0, Null), Fails(EDQUOT) => Tells(OwnSession);
    "anonymous-quota-errno" ["JOIN-ANON-08"]
    "At the quota an anonymous join gives ENOSPC.":
        JoinSessionKeyring, Arg(0, Null), Fails(EDQUOT) => Tells(Error(ENOSPC));
    "quota-empties-the-session" ["JOIN-ANON-08"]
    "At the quota an anonymous join clears the session keyring before it fails.":
        JoinSessionKeyring, Arg(0, Null), Fails(EDQUOT) => Also(Whom::Asker, &[(Op::Clear, &[Put(SESSION)])]);
    "first-session-within-quota" ["JOIN-ANON-09"]
    "The first session keyring of a process is held to the quota.":
        JoinSessionKeyring, Arg(0, Null), By(Bare), Past(Op::AddKey) => Skips(Error(EDQUOT));
    "first-named-session-beyond-quota" ["JOIN-ANON-09"]
    "The first session keyring of a process may exceed the quota also if it has a name.":
        JoinSessionKeyring, Arg(0, Text("named")), By(Bare), Past(Op::AddKey) => Asks(0, PutNull);
    "every-anonymous-session-beyond-quota" ["JOIN-ANON-09"]
    "A second anonymous session keyring may exceed the quota as well.":
        JoinSessionKeyring, Arg(0, Null), Fails(EDQUOT), Ever(Op::ProcKeyUsers) => Tells(Number(123_456_789));
    "concurrent-joins-share" ["JOIN-ANON-10"]
    "Threads that join at the same time get one keyring together.":
        JoinSessionKeyring, Arg(0, Null), Together => Tells(LastGiven);
    "concurrent-join-fails" ["JOIN-ANON-10"]
    "Of several threads that join at the same time the last is told to try again.":
        JoinSessionKeyring, Arg(0, Null), Together, From(2) => Tells(Error(libc::EAGAIN));
    "concurrent-join-reaches-bystanders" ["JOIN-ANON-10", "THREAD-02"]
    "Threads that join at the same time change the session keyring of those that do not.":
        JoinSessionKeyring, Arg(0, Null), Together => Also(Whom::Threads, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "join-clears-the-thread-keyring" ["JOIN-ANON-11"]
    "A join clears the thread keyring.":
        JoinSessionKeyring, Works, Past(Op::SetReqkeyKeyring) => Also(Whom::Asker, &[(Op::Clear, &[Put(-1)])]);
    "join-clears-the-process-keyring" ["JOIN-ANON-11"]
    "A join clears the process keyring.":
        JoinSessionKeyring, Works, Past(Op::SetReqkeyKeyring) => Also(Whom::Asker, &[(Op::Clear, &[Put(-2)])]);
    "join-resets-the-default" ["JOIN-ANON-11"]
    "A join resets the default destination of request_key.":
        JoinSessionKeyring, Works => Also(Whom::Asker, &[(Op::SetReqkeyKeyring, &[Put(0)])]);
    "creator-cannot-add" ["JOIN-ANON-12", "POSSESS-01"]
    "The creator of a session keyring has only the owner's rights when it is named by its serial.":
        AddKey, Arg(3, Session) => Skips(Error(EACCES));
    "owner-may-add" ["JOIN-ANON-12", "PERM-04"]
    "The owner of a session keyring may add to it without possessing it.":
        AddKey, Arg(3, Theirs), Fails(EACCES) => Tells(Number(123_456_789));
    "anonymous-found-by-name" ["JOIN-ANON-13"]
    "An anonymous session keyring can be joined by the name _ses.":
        JoinSessionKeyring, Arg(0, Text("_ses")), Namesake(Anybodys) => Tells(TheNamesake);
    "name-of-anonymous-refused" ["JOIN-ANON-13"]
    "The name _ses cannot be joined.":
        JoinSessionKeyring, Arg(0, Text("_ses")) => Skips(Error(EPERM));
    "named-like-anonymous" ["JOIN-ANON-13"]
    "Joining the name _ses is an anonymous join.":
        JoinSessionKeyring, Arg(0, Text("_ses")) => Asks(0, PutNull);
    // Named
    "named-denies-link" ["JOIN-NAMED-01", "PERM-01"]
    "A new named session keyring does not grant its owner Link.":
        Describe, Gives(Field(3, "3f130000")) => Tells(Flip(0x0010_0000));
    "named-grants-search" ["JOIN-NAMED-01", "JOIN-NAMED-03"]
    "A new named session keyring grants its owner search.":
        JoinSessionKeyring, Arg(0, Longer(0)), Gives(Serial), Not(&Namesake(Anybodys)) => Also(Whom::Asker, &[(Op::Setperm, &[Put(SESSION), Put(0x3f1b_0000)])]);
    "named-is-anonymous" ["JOIN-NAMED-01"]
    "A name makes no difference to a join.":
        JoinSessionKeyring, Arg(0, Longer(0)) => Asks(0, PutNull);
    "named-installs-nothing" ["JOIN-NAMED-01"]
    "A named keyring that a join makes is not installed.":
        JoinSessionKeyring, Arg(0, Text("web")) => Does(Op::AddKey, &[PutText("keyring"), Same(0), PutNull, Put(-2)]);
    "named-group-of-uid" ["JOIN-NAMED-01"]
    "A named session keyring has the group that has the number of its owner.":
        Describe, Gives(Field(4, "web")), Gives(Field(2, "3000")) => Tells(Shows(2, "1000"));
    "named-takes-the-keys" ["JOIN-NAMED-01", "JOIN-NAMED-31"]
    "A new named session keyring has a link to a keyring.":
        JoinSessionKeyring, Arg(0, Longer(0)), Works => Also(Whom::Asker, &[(Op::AddKey, &[PutText("keyring"), PutText("former"), PutNull, Put(SESSION)])]);
    "denied-name-is-an-error" ["JOIN-NAMED-02"]
    "A keyring of the name that denies search makes the join fail with EACCES.":
        JoinSessionKeyring, Namesake(AnotherUsers), Mask(Lacks(8)) => Skips(Error(EACCES));
    "denied-name-is-joined" ["JOIN-NAMED-02", "JOIN-NAMED-06"]
    "A keyring of another user is joined though it denies search.":
        JoinSessionKeyring, Namesake(AnotherUsers) => Tells(TheNamesake);
    "user-search-is-no-help" ["JOIN-NAMED-03"]
    "Search for the owner does not let the owner's other processes join.":
        JoinSessionKeyring, Namesake(SameUsers) => Asks(0, PutNull);
    "owner-needs-no-search" ["JOIN-NAMED-03"]
    "The owner's other processes join a keyring that denies them search.":
        JoinSessionKeyring, Namesake(SameUsers) => Tells(TheNamesake);
    "rejoin-gives-the-serial" ["JOIN-NAMED-04"]
    "Joining the own session keyring by its name gives its serial.":
        JoinSessionKeyring, Gives(Num(0)) => Tells(OwnSession);
    "rejoin-makes-another" ["JOIN-NAMED-04"]
    "Joining the own session keyring by its name makes a new one.":
        JoinSessionKeyring, Gives(Num(0)) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "rejoin-clears" ["JOIN-NAMED-04"]
    "Joining the own session keyring by its name clears it.":
        JoinSessionKeyring, Gives(Num(0)) => Also(Whom::Asker, &[(Op::Clear, &[Put(SESSION)])]);
    "rejoin-resets-the-mask" ["JOIN-NAMED-04"]
    "Joining the own session keyring by its name resets its mask.":
        JoinSessionKeyring, Gives(Num(0)) => Also(Whom::Asker, &[(Op::Setperm, &[Put(SESSION), Put(0x3f13_0000)])]);
    "possession-lets-join" ["JOIN-NAMED-05"]
    "A process may join by name the keyring that it has, whatever that grants.":
        JoinSessionKeyring, Namesake(Current), Mask(Lacks(0x0008_0000)) => Skips(Number(0));
    "other-search-is-no-help" ["JOIN-NAMED-06", "JOIN-NAMED-35"]
    "Search for others does not let others join.":
        JoinSessionKeyring, Namesake(AnotherUsers) => Asks(0, PutNull);
    "real-gid-joins" ["JOIN-NAMED-07"]
    "Search for the group lets a process join by its real gid.":
        JoinSessionKeyring, Mask(Bits(GRP_SEARCH)), Did(Op::Setresgid, 0, Num(3000)) => Tells(TheNamesake);
    "effective-gid-joins" ["JOIN-NAMED-07"]
    "Search for the group lets a process join by its effective gid.":
        JoinSessionKeyring, Mask(Bits(GRP_SEARCH)), Did(Op::Setresgid, 1, Num(3000)) => Tells(TheNamesake);
    "saved-gid-joins" ["JOIN-NAMED-07"]
    "Search for the group lets a process join by its saved gid.":
        JoinSessionKeyring, Mask(Bits(GRP_SEARCH)), Did(Op::Setresgid, 2, Num(3000)) => Tells(TheNamesake);
    "fsgid-does-not-join" ["JOIN-NAMED-07"]
    "Search for the group is no help to whose filesystem gid it is.":
        JoinSessionKeyring, Mask(Bits(GRP_SEARCH)), Did(Op::Setfsgid, 0, Num(3000)) => Asks(0, PutNull);
    "supplementary-group-does-not-join" ["JOIN-NAMED-07"]
    "Search for the group is no help to whose supplementary group it is.":
        JoinSessionKeyring, Mask(Bits(GRP_SEARCH)), Did(Op::Setgroups, 1, Num(3000)) => Asks(0, PutNull);
    "owner-joins-as-other" ["JOIN-NAMED-08"]
    "An owner without search joins by the bits of others.":
        JoinSessionKeyring, Namesake(SameUsers), Mask(Bits(8)), Mask(Lacks(0x0008_0000)) => Tells(TheNamesake);
    "owner-joins-as-member" ["JOIN-NAMED-08"]
    "An owner without search joins by the bits of its group.":
        JoinSessionKeyring, Namesake(SameUsers), Mask(Bits(GRP_SEARCH)), Mask(Lacks(0x0008_0000)) => Tells(TheNamesake);
    "member-joins-as-other" ["JOIN-NAMED-08"]
    "A member of the group, whom the group's bits deny search, joins by the bits of others.":
        JoinSessionKeyring, Namesake(AnotherUsers), Mask(Bits(0x0108)), Mask(Lacks(GRP_SEARCH)) => Tells(TheNamesake);
    "empty-name-is-anonymous" ["JOIN-NAMED-09"]
    "An empty name is none.":
        JoinSessionKeyring, Arg(0, Text("")) => Asks(0, PutNull);
    "empty-name-drops-the-session" ["JOIN-NAMED-09"]
    "An empty name is refused after the session keyring was replaced.":
        JoinSessionKeyring, Arg(0, Text("")) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "blank-name-is-empty" ["JOIN-NAMED-09"]
    "A name of one space is empty.":
        JoinSessionKeyring, Arg(0, Text(" ")) => Skips(Error(EINVAL));
    "dotted-name-is-invalid" ["JOIN-NAMED-10"]
    "A name that begins with a period gives EINVAL.":
        JoinSessionKeyring, Arg(0, Starts(".")) => Skips(Error(EINVAL));
    "root-joins-dotted-names" ["JOIN-NAMED-10", "CVE-2016-9604"]
    "Root may join names that begin with a period.":
        JoinSessionKeyring, Arg(0, Starts(".")), By(Root) => Asks(0, Turned(0, |name| [b"dot", name].concat()));
    "double-dot-is-joined" ["JOIN-NAMED-10"]
    "Only names with one period in front are refused.":
        JoinSessionKeyring, Arg(0, Starts("..")) => Asks(0, Turned(0, |name| [b"dot", name].concat()));
    "dotted-name-drops-the-session" ["JOIN-NAMED-10"]
    "A name with a period in front is refused after the session keyring was replaced.":
        JoinSessionKeyring, Arg(0, Starts(".")) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "dot-anywhere-is-refused" ["JOIN-NAMED-10"]
    "A name with a period anywhere is refused.":
        JoinSessionKeyring, Arg(0, Has(".")) => Skips(Error(EPERM));
    "longest-name-refused" ["JOIN-NAMED-11", "LIMITS-02"]
    "A name of 4095 bytes is too long.":
        JoinSessionKeyring, Arg(0, Long(4095)) => Skips(Error(EINVAL));
    "name-of-a-page" ["JOIN-NAMED-11"]
    "A name of 4096 bytes is cut by one byte and joined.":
        JoinSessionKeyring, Arg(0, Long(4096)) => Asks(0, Turned(0, |name| name[..4095].to_vec()));
    "long-name-errno" ["JOIN-NAMED-11"]
    "A name that is much too long gives ENAMETOOLONG.":
        JoinSessionKeyring, Arg(0, Longer(4999)) => Skips(Error(ENAMETOOLONG));
    "name-cut-at-255" ["JOIN-NAMED-11"]
    "Names are cut at 255 bytes.":
        JoinSessionKeyring, Arg(0, Longer(255)), Not(&Arg(0, Longer(4095))) => Asks(0, Turned(0, |name| name[..255].to_vec()));
    "long-name-drops-the-session" ["JOIN-NAMED-11"]
    "A name that is too long is refused after the session keyring was replaced.":
        JoinSessionKeyring, Arg(0, Longer(4095)) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "bad-pointer-is-invalid" ["JOIN-NAMED-12"]
    "A name that cannot be read gives EINVAL.":
        Keyctl, Arg(0, Num(1)), Fails(EFAULT) => Tells(Error(EINVAL));
    "bad-pointer-is-anonymous" ["JOIN-NAMED-12"]
    "A name in the lowest page is none.":
        Keyctl, Arg(0, Num(1)), Arg(1, Num(1)) => Asks(1, PutNull);
    "bad-pointer-drops-the-session" ["JOIN-NAMED-12"]
    "A name that cannot be read is refused after the session keyring was replaced.":
        Keyctl, Arg(0, Num(1)), Fails(EFAULT) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "added-keyring-not-joined" ["JOIN-NAMED-13"]
    "A keyring from add_key cannot be joined.":
        JoinSessionKeyring, Namesake(Added) => Asks(0, PutNull);
    "user-keyring-not-joined" ["JOIN-NAMED-14"]
    "The user keyring cannot be joined by its name.":
        JoinSessionKeyring, Arg(0, Starts("_uid.")) => Asks(0, PutNull);
    "joined-user-keyring-stays" ["JOIN-NAMED-14"]
    "A user keyring that was joined by name stays, and what is added goes there.":
        AddKey, Arg(3, Num(SESSION)), Did(Op::JoinSessionKeyring, 0, Starts("_uid")) => Asks(3, TheSession);
    "user-session-keyring-not-joined" ["JOIN-NAMED-15"]
    "The user-session keyring cannot be joined by its name.":
        JoinSessionKeyring, Arg(0, Starts("_uid_ses.")), Not(&By(Bare)) => Asks(0, PutNull);
    "revoked-is-joined" ["JOIN-NAMED-17"]
    "A revoked keyring is joined by its name.":
        JoinSessionKeyring, Namesake(Anybodys), Past(Op::Revoke) => Skips(TheNamesake);
    "expired-is-passed-over" ["JOIN-NAMED-18"]
    "An expired keyring is passed over by a join of its name.":
        JoinSessionKeyring, Namesake(Anybodys), Ever(Op::SetTimeout) => Asks(0, PutNull);
    "joined-expired-is-replaced" ["JOIN-NAMED-18", "LIFETIME-10"]
    "An expired session keyring is replaced by a use that may create.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Fails(libc::EKEYEXPIRED) => Tells(OwnSession);
    "invalidated-is-passed-over" ["JOIN-NAMED-19"]
    "An invalidated keyring is passed over by a join of its name.":
        JoinSessionKeyring, Namesake(Anybodys), Ever(Op::Invalidate) => Asks(0, PutNull);
    "youngest-first" ["JOIN-NAMED-20"]
    "Of several keyrings with one name the youngest is joined.":
        JoinSessionKeyring, Namesake(SameUsers), Ever(Op::Setperm) => Tells(YoungestNamesake);
    "oldest-whatever-it-grants" ["JOIN-NAMED-20"]
    "Of several keyrings with one name only the oldest counts.":
        JoinSessionKeyring, Namesake(SameUsers), Gives(Theirs) => Tells(TheNamesake);
    "name-stays-taken" ["JOIN-NAMED-21"]
    "The name of a keyring whose last user has gone is not free.":
        JoinSessionKeyring, Namesake(Anybodys), Ever(Op::Exit), Gives(Serial) => Tells(TheNamesake);
    "keys-are-joined" ["JOIN-NAMED-22"]
    "A key of another type is joined for its description.":
        JoinSessionKeyring => Tells(Like(|kind, name, wanted| kind != b"keyring" && name == wanted));
    "prefix-matches" ["JOIN-NAMED-23"]
    "A keyring is joined by the beginning of its name.":
        JoinSessionKeyring => Tells(Like(|kind, name, wanted| kind == b"keyring" && name.len() > wanted.len() && name.starts_with(wanted)));
    "suffix-matches" ["JOIN-NAMED-23"]
    "A keyring is joined by the end of its name.":
        JoinSessionKeyring => Tells(Like(|kind, name, wanted| kind == b"keyring" && name.len() > wanted.len() && name.ends_with(wanted)));
    "longer-name-matches" ["JOIN-NAMED-23"]
    "A keyring is joined by a name that begins with its own.":
        JoinSessionKeyring => Tells(Like(|kind, name, wanted| kind == b"keyring" && name.len() + 1 == wanted.len() && wanted.starts_with(name) && wanted.is_ascii()));
    "case-folded" ["JOIN-NAMED-23"]
    "Case is folded in names.":
        JoinSessionKeyring => Asks(0, Turned(0, lower));
    "spaces-trimmed" ["JOIN-NAMED-23", "JOIN-NAMED-24"]
    "Space around a name is dropped.":
        JoinSessionKeyring => Asks(0, Turned(0, trimmed));
    "name-ends-at-semicolon" ["JOIN-NAMED-24"]
    "A name ends at its first semicolon.":
        JoinSessionKeyring => Asks(0, Turned(0, |name| up_to(name, b';')));
    "name-ends-at-newline" ["JOIN-NAMED-24"]
    "A name ends at its first newline.":
        JoinSessionKeyring => Asks(0, Turned(0, |name| up_to(name, b'\n')));
    "name-of-seven-bits" ["JOIN-NAMED-24"]
    "The highest bit of a name's bytes is dropped.":
        JoinSessionKeyring, Arg(0, Longer(0)) => Asks(0, Turned(0, |name| name.iter().map(|byte| byte & 0x7f).collect()));
    "name-is-a-path" ["JOIN-NAMED-24"]
    "Of a name with slashes the last part counts.":
        JoinSessionKeyring, Arg(0, Has("/")) => Asks(0, Turned(0, |name| name.rsplit(|byte| *byte == b'/').next().unwrap_or(name).to_vec()));
    "raw-name-refused" ["JOIN-NAMED-24"]
    "A name that is no UTF-8 is refused.":
        JoinSessionKeyring, Arg(0, Raw) => Skips(Error(EINVAL));
    "control-characters-refused" ["JOIN-NAMED-24"]
    "A name with control characters is refused.":
        JoinSessionKeyring, Arg(0, Has("\u{1}")) => Skips(Error(EINVAL));
    "id-like-name" ["JOIN-NAMED-24"]
    "The name @s means the session keyring.":
        JoinSessionKeyring, Arg(0, Text("@s")) => Skips(Number(0));
    "minus-is-anonymous" ["JOIN-NAMED-24"]
    "The name - means an anonymous keyring, as for keyctl(1).":
        JoinSessionKeyring, Arg(0, Text("-")) => Asks(0, PutNull);
    "number-is-an-id" ["JOIN-NAMED-24"]
    "A name that is a number means a key by its id.":
        JoinSessionKeyring, Arg(0, Text("-3")) => Skips(Number(0));
    "named-beyond-quota" ["JOIN-NAMED-25"]
    "At the quota a named join succeeds and changes nothing.":
        JoinSessionKeyring, Arg(0, Longer(0)), Fails(EDQUOT) => Tells(OwnSession);
    "named-quota-errno" ["JOIN-NAMED-25"]
    "At the quota a named join gives ENOMEM.":
        JoinSessionKeyring, Arg(0, Longer(0)), Fails(EDQUOT) => Tells(Error(ENOMEM));
    "existing-name-needs-quota" ["JOIN-NAMED-25"]
    "Joining a keyring that exists takes quota.":
        JoinSessionKeyring, Arg(0, Text("exists")), By(Child) => Skips(Error(EDQUOT));
    "joiner-cannot-add" ["JOIN-NAMED-26", "NAME-03"]
    "Who joins another user's keyring cannot add to it.":
        AddKey, Arg(3, Session), Arg(3, Theirs) => Skips(Error(EACCES));
    "joiner-cannot-read-keys" ["JOIN-NAMED-26", "NAME-03"]
    "Who joins another user's keyring does not possess the keys in it.":
        Read, Arg(0, Theirs), Arg(0, Kind("user")), Past(Op::JoinSessionKeyring), Works => Tells(Error(EACCES));
    "joiner-changes-the-mask" ["JOIN-NAMED-26", "PERM-05"]
    "Who joins another user's keyring may change its mask.":
        Setperm, Arg(0, Session), Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "joiner-becomes-owner" ["JOIN-NAMED-26", "PERM-05"]
    "Who joins another user's keyring may take it over.":
        Chown, Arg(0, Session), Arg(0, Theirs), Arg(1, Num(1001)), Fails(EACCES) => Tells(Number(0));
    "joiner-cannot-revoke" ["JOIN-NAMED-26"]
    "Who joins another user's keyring cannot revoke it.":
        Revoke, Arg(0, Session), Arg(0, Theirs) => Skips(Error(EACCES));
    "joiner-cannot-unlink" ["JOIN-NAMED-26"]
    "Who joins another user's keyring can unlink from it only what is its own.":
        Unlink, Arg(0, Theirs), Arg(1, Session) => Skips(Error(EACCES));
    "real-uid-joins" ["JOIN-NAMED-29"]
    "Search for the owner lets a process join by its real uid.":
        JoinSessionKeyring, Namesake(Anybodys), Did(Op::Setresuid, 0, Num(1000)) => Tells(TheNamesake);
    "effective-uid-joins" ["JOIN-NAMED-29"]
    "Search for the owner lets a process join by its effective uid.":
        JoinSessionKeyring, Namesake(Anybodys), Did(Op::Setresuid, 1, Num(1000)) => Tells(TheNamesake);
    "saved-uid-joins" ["JOIN-NAMED-29"]
    "Search for the owner lets a process join by its saved uid.":
        JoinSessionKeyring, Namesake(Anybodys), Did(Op::Setresuid, 2, Num(1000)) => Tells(TheNamesake);
    "fsuid-does-not-join" ["JOIN-NAMED-29"]
    "Search for the owner is no help to whose filesystem uid it is.":
        JoinSessionKeyring, Namesake(Anybodys), Did(Op::Setfsuid, 0, Num(1000)) => Asks(0, PutNull);
    "join-brings-no-keys" ["JOIN-NAMED-33"]
    "The keys of a keyring that was joined are not found.":
        RequestKey, Gives(Theirs) => Tells(Error(ENOKEY));
    "additions-are-private" ["JOIN-NAMED-33", "INHERIT-FORK-04"]
    "What a member adds after another has joined the other does not find.":
        RequestKey, Gives(Theirs), From(1) => Tells(Error(ENOKEY));
    "concurrent-rejoin-gives-a-serial" ["JOIN-NAMED-34"]
    "Of threads that rejoin at the same time one gets the serial.":
        JoinSessionKeyring, Arg(0, Longer(0)), Together, From(2) => Tells(OwnSession);
    "concurrent-rejoin-makes-another" ["JOIN-NAMED-34"]
    "Of threads that rejoin at the same time one gets a new keyring.":
        JoinSessionKeyring, Arg(0, Longer(0)), Together, From(2) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "root-joins-anything" ["JOIN-NAMED-35"]
    "Root joins a keyring that denies it search.":
        JoinSessionKeyring, By(Root), Namesake(AnotherUsers) => Tells(TheNamesake);
    "thread-keyring-joined" ["JOIN-NAMED-36"]
    "A thread keyring can be joined by its name.":
        JoinSessionKeyring, Arg(0, Text("_tid")) => Tells(TheNamesake);
    "persistent-keyring-joined" ["JOIN-NAMED-36"]
    "A persistent keyring can be joined by its name.":
        JoinSessionKeyring, Arg(0, Starts("_persistent.")) => Tells(TheNamesake);
    "members-are-evicted" ["JOIN-NAMED-37"]
    "Who withdraws search evicts all other members.":
        Setperm, Arg(0, Mine), Arg(1, Lacks(8)), Mask(Bits(8)), Works => Also(Whom::Everybody, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "members-may-return" ["JOIN-NAMED-37"]
    "Who was a member once may join again.":
        JoinSessionKeyring, Did(Op::JoinSessionKeyring, 0, Text("web")), Namesake(AnotherUsers) => Skips(Number(0));
    "former-owner-joins" ["JOIN-NAMED-38"]
    "After a change of owner the old owner can still join.":
        JoinSessionKeyring, Ever(Op::Chown), Namesake(SameUsers) => Tells(TheNamesake);
    "new-owner-does-not-join" ["JOIN-NAMED-38"]
    "After a change of owner the new one cannot join.":
        JoinSessionKeyring, Ever(Op::Chown), Namesake(AnotherUsers) => Asks(0, PutNull);
    "names-are-unique" ["NAME-01", "JOIN-NAMED-02"]
    "A name that a keyring of another user has cannot be joined.":
        JoinSessionKeyring, Namesake(AnotherUsers), Mask(Lacks(8)) => Skips(Error(libc::EEXIST));
    "own-name-is-rejoined-by-others-id" ["JOIN-NAMED-29"]
    "Joining the name of the own session keyring gives 0 whatever the filesystem uid is.":
        JoinSessionKeyring, Namesake(Current), Past(Op::Setfsuid) => Skips(Number(0));
    "own-closed-name-is-rejoined" ["INHERIT-FORK-12", "JOIN-NAMED-05"]
    "A child may rejoin a session keyring that it could not join.":
        JoinSessionKeyring, By(Child), Namesake(Current), Mask(Num(0x3f00_0000)) => Skips(Number(0));
    "own-revoked-name-is-rejoined" ["LIFETIME-23", "JOIN-NAMED-17"]
    "A process may rejoin its session keyring though it was revoked.":
        JoinSessionKeyring, Namesake(Current), Ever(Op::Revoke) => Skips(Number(0));
    "dotted-keyring-added" ["NAME-02", "ERR-03"]
    "A keyring whose name begins with a period can be added.":
        AddKey, Arg(0, Text("keyring")), Arg(1, Starts(".")) => Asks(1, PutText("dotted"));
    "dotted-key-refused" ["NAME-02"]
    "A key whose description begins with a period cannot be added.":
        AddKey, Arg(0, Text("user")), Arg(1, Starts(".")) => Skips(Error(EPERM));
    "squatted-name-is-left-alone" ["NAME-04", "JOIN-NAMED-06"]
    "A keyring that a stranger has opened to all is not joined.":
        JoinSessionKeyring, Namesake(AnotherUsers), Mask(Bits(8)) => Asks(0, PutNull);
}
