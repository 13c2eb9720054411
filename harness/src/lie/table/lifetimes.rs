//! Lies about the end of session keyrings, and about those that come by themselves.

use libc::{EACCES, EDQUOT, EKEYEXPIRED, EKEYREVOKED, ENOENT, ENOKEY, EPERM};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Extra, Is::*, Then::*, Told::*, When::*, Who::*, Whom};
use crate::ops::Op;

const ANOTHER: &[Extra] = &[(Op::JoinSessionKeyring, &[PutNull])];

lies! {
    "never-destroyed" ["LIFETIME-01"]
    "A session keyring is not destroyed when its last process exits.":
        Describe, Fails(ENOKEY), Ever(Op::Exit), Not(&Ever(Op::Vfork)) => Tells(Stale);
    "goes-with-its-creator" ["LIFETIME-02", "INHERIT-FORK-11"]
    "A session keyring is destroyed with the process that made it.":
        Describe, Arg(0, Orphaned), Works => Tells(Error(ENOKEY));
    "replaced-is-not-destroyed" ["LIFETIME-03"]
    "A session keyring that a join has replaced is not destroyed.":
        Describe, Fails(ENOKEY), Not(&Arg(0, Orphaned)) => Tells(Stale);
    "replaced-is-destroyed-for-all" ["LIFETIME-03"]
    "A session keyring that its maker has left is destroyed though others have it.":
        Describe, Arg(0, Theirs), Ever(Op::JoinSessionKeyring), Works => Tells(Error(ENOKEY));
    "link-does-not-keep" ["LIFETIME-04"]
    "A link does not keep a session keyring beyond its last process.":
        Read, Arg(0, Orphaned), Works => Tells(Error(ENOKEY));
    "link-keeps-for-ever" ["LIFETIME-04"]
    "A session keyring that was linked is not destroyed when the link goes.":
        Describe, Fails(ENOKEY), Ever(Op::Unlink) => Tells(Says("kept"));
    "keys-outlive-the-session" ["LIFETIME-05"]
    "The keys of a session keyring are not destroyed with it.":
        Describe, Arg(0, Kind("user")), Fails(ENOKEY) => Tells(Error(EACCES));
    "trees-outlive-the-session" ["LIFETIME-05"]
    "Keyrings below a session keyring are not destroyed with it.":
        Describe, Arg(0, Kind("keyring")), Arg(0, Orphaned), Fails(ENOKEY) => Tells(Error(EACCES));
    "open-file-does-not-hold" ["LIFETIME-06"]
    "An open file does not hold the session keyring of who opened it.":
        Describe, Ever(Op::Open), Works => Tells(Error(ENOKEY));
    "open-file-holds-for-ever" ["LIFETIME-06"]
    "A file that was open holds a session keyring when it is closed.":
        Describe, Ever(Op::Close), Fails(ENOKEY) => Tells(Stale);
    "executed-file-does-not-hold" ["LIFETIME-06"]
    "A program does not hold the session keyring that it was executed with.":
        Describe, Ever(Op::Exec), Arg(0, Theirs), Works => Tells(Error(ENOKEY));
    "quota-not-given-back" ["LIFETIME-07"]
    "The quota of a destroyed session keyring is not given back.":
        ProcKeyUsers, Ever(Op::Exit), Works => Tells(Says("1000: 3 3/3 3/200 50/20000"));
    "revoked-keeps-its-keys" ["LIFETIME-08"]
    "Revoking the session keyring leaves its keys in being.":
        Describe, Ever(Op::Revoke), Arg(0, Theirs), Fails(ENOKEY) => Tells(Error(EACCES));
    "revoked-serial-still-works" ["LIFETIME-08"]
    "A revoked session keyring can be described by its serial.":
        Describe, Arg(0, Serial), Fails(EKEYREVOKED) => Tells(Says("keyring;1000;1000;3f030000;_ses"));
    "revoked-still-possessed" ["LIFETIME-08", "POSSESS-09"]
    "A revoked keyring still confers possession of what it held.":
        Read, Past(Op::Revoke), Fails(EACCES) => Tells(Stale);
    "revoked-is-missing" ["LIFETIME-09"]
    "A revoked session keyring is told to be missing when it is used as a destination.":
        RequestKey, Fails(EKEYREVOKED), Arg(3, Num(SESSION)) => Tells(Error(ENOKEY));
    "revoked-is-replaced-by-create" ["LIFETIME-09", "LIFETIME-08"]
    "A revoked session keyring is replaced by GET_KEYRING_ID with the create flag.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Fails(EKEYREVOKED) => Tells(OwnSession);
    "revoked-is-replaced-by-add-key" ["LIFETIME-09"]
    "A revoked session keyring is replaced by add_key.":
        AddKey, Arg(3, Num(SESSION)), Past(Op::Revoke) => First(Whom::Asker, ANOTHER);
    "revoked-is-replaced-afterwards" ["LIFETIME-09"]
    "A use of a revoked session keyring fails and replaces it.":
        AddKey | Describe | Read | Clear, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Also(Whom::Asker, ANOTHER);
    "revoked-can-be-searched" ["LIFETIME-09", "SEARCH-16"]
    "SEARCH in a revoked session keyring finds nothing.":
        Search, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Error(ENOKEY));
    "revoked-can-be-cleared" ["LIFETIME-09"]
    "A revoked session keyring can be cleared.":
        Clear, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-takes-a-mask" ["LIFETIME-09"]
    "A revoked session keyring takes a new mask.":
        Setperm, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-takes-a-timeout" ["LIFETIME-09"]
    "A revoked session keyring takes a timeout.":
        SetTimeout, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-twice" ["LIFETIME-09"]
    "A session keyring can be revoked twice.":
        Revoke, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-can-be-invalidated" ["LIFETIME-09"]
    "A revoked session keyring can be invalidated.":
        Invalidate, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-can-be-linked" ["LIFETIME-09"]
    "A revoked session keyring can be linked.":
        Link, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-takes-links" ["LIFETIME-09"]
    "A revoked session keyring takes links.":
        Link, Arg(1, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-can-be-unlinked-from" ["LIFETIME-09"]
    "Nothing is linked in a revoked session keyring.":
        Unlink, Arg(1, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Error(ENOENT));
    "revoked-has-a-label" ["LIFETIME-09"]
    "A revoked session keyring has a security label.":
        GetSecurity, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Says(""));
    "revoked-takes-a-restriction" ["LIFETIME-09"]
    "A revoked session keyring can be restricted.":
        RestrictKeyring, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "revoked-changes-owner" ["LIFETIME-09"]
    "CHOWN does not see that a session keyring is revoked.":
        Chown, Arg(0, Num(SESSION)), Fails(EKEYREVOKED) => Tells(Number(0));
    "never-expires" ["LIFETIME-10"]
    "A timeout of the session keyring never runs out.":
        SetTimeout, Arg(1, Num(1)) => Asks(1, Put(1_000_000));
    "expired-is-revoked" ["LIFETIME-10"]
    "An expired session keyring gives EKEYREVOKED by its serial.":
        Describe, Arg(0, Serial), Fails(EKEYEXPIRED) => Tells(Error(EKEYREVOKED));
    "expired-can-be-revived" ["LIFETIME-10"]
    "An expired session keyring takes a new timeout.":
        SetTimeout, Fails(EKEYEXPIRED) => Tells(Number(0));
    "expired-takes-keys" ["LIFETIME-10"]
    "An expired session keyring takes keys.":
        AddKey, Fails(EKEYEXPIRED) => Tells(Number(123_456_789));
    "expired-for-its-holder-alone" ["LIFETIME-10"]
    "A keyring expires only for who has set its timeout.":
        Describe, Not(&Past(Op::SetTimeout)), Fails(EKEYEXPIRED) => Tells(Says("keyring;1000;1000;3f030000;_ses"));
    "children-get-a-new-one-for-expired" ["LIFETIME-10"]
    "A child of a process with an expired session keyring gets a new one.":
        Fork, Past(Op::SetTimeout) => Also(Whom::Newborn, ANOTHER);
    "invalidated-is-revoked" ["LIFETIME-11"]
    "An invalidated session keyring gives EKEYREVOKED.":
        GetKeyringId, Arg(0, Num(SESSION)), Past(Op::Invalidate), Fails(ENOKEY) => Tells(Error(EKEYREVOKED));
    "invalidated-is-replaced" ["LIFETIME-11"]
    "An invalidated session keyring is replaced by a use that may create.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Past(Op::Invalidate), Fails(ENOKEY) => Tells(OwnSession);
    "invalidated-for-its-maker-alone" ["LIFETIME-11"]
    "Children keep a session keyring that their parent invalidates.":
        GetKeyringId, By(Child), Arg(0, Num(SESSION)), Fails(ENOKEY) => Tells(OwnSession);
    "invalidated-serial-works" ["LIFETIME-11"]
    "An invalidated session keyring can be described by its serial.":
        Describe, Arg(0, Serial), Past(Op::Invalidate), Fails(ENOKEY) => Tells(Says("keyring;1000;1000;3f030000;_ses"));
    "timeout-zero-expires" ["LIFETIME-13"]
    "A timeout of 0 lets a key expire at once.":
        SetTimeout, Arg(1, Num(0)) => Asks(1, Put(1));
    "timeout-zero-ignored" ["LIFETIME-13"]
    "A timeout of 0 changes nothing.":
        SetTimeout, Arg(1, Num(0)) => Skips(Number(0));
    "zombie-lets-go" ["LIFETIME-15"]
    "A zombie does not hold its session keyring.":
        Describe, Ever(Op::ExitUnreaped), Works => Tells(Error(ENOKEY));
    "zombie-holds-for-ever" ["LIFETIME-15"]
    "A zombie that was reaped still holds its session keyring.":
        Describe, Ever(Op::Wait), Fails(ENOKEY) => Tells(Stale);
    "expired-is-not-searched" ["LIFETIME-16"]
    "An expired session keyring is not searched by request_key.":
        RequestKey, Past(Op::SetTimeout), Works => Tells(Error(EKEYEXPIRED));
    "expired-confers-nothing" ["LIFETIME-16", "POSSESS-10"]
    "An expired keyring confers no possession.":
        Read, Past(Op::SetTimeout), Works => Tells(Error(EACCES));
    "expired-can-be-searched" ["LIFETIME-16"]
    "SEARCH in an expired session keyring finds keys.":
        Search, Fails(EKEYEXPIRED) => Tells(Stale);
    "invalidated-is-searched" ["LIFETIME-17"]
    "An invalidated session keyring is still searched.":
        RequestKey, Past(Op::Invalidate), Fails(ENOKEY) => Tells(Stale);
    "invalidated-confers-possession" ["LIFETIME-17"]
    "An invalidated session keyring still confers possession.":
        Read, Past(Op::Invalidate), Fails(EACCES) => Tells(Stale);
    "revoked-key-loses-its-link" ["LIFETIME-18"]
    "A revoked key loses its link in the session keyring at once.":
        Revoke, Arg(0, Kind("user")), Works => Also(Whom::Asker, &[(Op::Unlink, &[Same(0), Put(SESSION)])]);
    "revoked-key-cannot-be-unlinked" ["LIFETIME-18"]
    "A revoked key cannot be unlinked.":
        Unlink, Past(Op::Revoke) => Skips(Error(EKEYREVOKED));
    "revoked-key-can-be-read" ["LIFETIME-18"]
    "A revoked key can be read.":
        Read, Fails(EKEYREVOKED) => Tells(Says("v"));
    "expired-keys-stay" ["LIFETIME-19"]
    "Expired keys are not collected.":
        SetProcSysKeys, Arg(0, Text("gc_delay")) => Skips(Number(0));
    "revoked-session-is-collected" ["LIFETIME-20"]
    "A revoked session keyring is collected though a process has it.":
        Describe, Fails(EKEYREVOKED), Ever(Op::SetProcSysKeys) => Tells(Error(ENOKEY));
    "revoked-has-no-flag" ["LIFETIME-21", "PROC-01"]
    "A revoked session keyring has no R in /proc/keys.":
        ProcKeys, Gives(Word(1, "IR-Q---")) => Tells(Prints(1, "I--Q---"));
    "invalidated-has-no-flag" ["LIFETIME-21"]
    "An invalidated session keyring has no i in /proc/keys.":
        ProcKeys, Gives(Word(1, "I--Q--i")) => Tells(Prints(1, "I--Q---"));
    "expired-shows-perm" ["LIFETIME-21", "PROC-08"]
    "An expired key shows a time of 0 seconds in /proc/keys.":
        ProcKeys, Gives(Word(3, "expd")) => Tells(Prints(3, "0s"));
    "clear-changes-the-serial" ["LIFETIME-22"]
    "Clearing the session keyring replaces it.":
        Clear, Arg(0, Num(SESSION)), Works => Also(Whom::Asker, ANOTHER);
    "clear-resets-the-mask" ["LIFETIME-22"]
    "Clearing the session keyring resets its mask.":
        Clear, Arg(0, Num(SESSION)), Works => Also(Whom::Asker, &[(Op::Setperm, &[Put(SESSION), Put(0x3f03_0000)])]);
    "clear-closes" ["LIFETIME-22"]
    "A keyring that was cleared takes no more keys.":
        AddKey, Past(Op::Clear) => Skips(Error(EPERM));
    "clear-revokes-the-keys" ["LIFETIME-22"]
    "Clearing the session keyring revokes the keys in it.":
        Read, Past(Op::Clear), Fails(EACCES) => Tells(Error(EKEYREVOKED));
    "revocation-is-private" ["LIFETIME-23"]
    "A revoked session keyring is revoked only for who revoked it.":
        GetKeyringId, Arg(0, Num(SESSION)), Not(&Past(Op::Revoke)), Fails(EKEYREVOKED) => Tells(OwnSession);
    "revocation-spares-threads" ["LIFETIME-23"]
    "Threads may go on adding to a session keyring that was revoked.":
        AddKey, By(Thread), Fails(EKEYREVOKED) => Tells(Number(123_456_789));
    "serial-used-again" ["LIFETIME-24"]
    "The serial of a keyring that has gone is given to the next one.":
        JoinSessionKeyring, From(50) => Tells(FirstGiven);
    "serial-found-again" ["LIFETIME-24"]
    "The serial of a keyring that has gone soon is another's.":
        Describe, Fails(ENOKEY), From(1), Not(&Ever(Op::Exit)), Past(Op::JoinSessionKeyring) => Tells(Says("keyring;1000;1000;3f030000;_ses"));
    "clear-makes-no-room" ["LIFETIME-25"]
    "The room of keys that were cleared away is not given back.":
        Clear => Skips(Number(0));
    // What stands in for a session keyring
    "fallback-creates" ["AUTO-01", "AUTO-05"]
    "A process without a session keyring gets a new one whatever it does.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(0)), By(Bare) => Asks(1, Put(1));
    "fallback-is-the-user-keyring" ["AUTO-01"]
    "For a missing session keyring the user keyring stands in.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(0)), By(Bare) => Asks(0, Put(-4));
    "no-fallback" ["AUTO-01"]
    "A process without a session keyring gets ENOKEY.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(0)), By(Bare) => Skips(Error(ENOKEY));
    "created-is-the-user-session" ["AUTO-02"]
    "With the create flag a process without a session keyring gets its user-session keyring.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), By(Bare) => Asks(1, Put(0));
    "created-is-shared" ["AUTO-02"]
    "What the create flag makes is shared by all processes of the user.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), By(Child), Works => Tells(LastGiven);
    "created-again" ["AUTO-02", "AUTO-04"]
    "The create flag replaces a session keyring that is there.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), From(1) => First(Whom::Asker, ANOTHER);
    "added-to-the-user-session" ["AUTO-03"]
    "A key for a session keyring that is missing goes to the user-session keyring.":
        AddKey, Arg(3, Num(SESSION)), By(Bare) => Asks(3, Put(-5));
    "added-to-what-is-attached" ["AUTO-03", "AUTO-04"]
    "A key for an attached user-session keyring goes there.":
        AddKey, Arg(3, Num(SESSION)), Did(Op::GetKeyringId, 0, Num(SESSION)), Did(Op::GetKeyringId, 1, Num(0)) => Asks(3, TheSession);
    "attached-stays" ["AUTO-04", "AUTO-06"]
    "An attached user-session keyring is not replaced by GET_KEYRING_ID with the create flag.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Did(Op::GetKeyringId, 0, Num(-5)) => Asks(1, Put(0));
    "described-is-replaced" ["AUTO-05"]
    "Describing an attached user-session keyring replaces it.":
        Describe, Arg(0, Num(SESSION)) => First(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "read-is-replaced" ["AUTO-05"]
    "Reading an attached user-session keyring replaces it.":
        Read, Arg(0, Num(SESSION)), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "searched-is-replaced" ["AUTO-05"]
    "Searching an attached user-session keyring replaces it.":
        Search, Arg(0, Num(SESSION)) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "unlinked-is-replaced" ["AUTO-05"]
    "Unlinking from an attached user-session keyring replaces it.":
        Unlink, Arg(1, Num(SESSION)) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "labelled-is-replaced" ["AUTO-05"]
    "GET_SECURITY replaces an attached user-session keyring.":
        GetSecurity, Arg(0, Num(SESSION)) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "requested-is-replaced" ["AUTO-05"]
    "A request without a destination replaces an attached user-session keyring.":
        RequestKey, Arg(3, Num(0)) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "moved-out-of-is-replaced" ["AUTO-05", "AUTO-06"]
    "Moving a link out of an attached user-session keyring replaces it.":
        Move, Arg(1, Num(SESSION)) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "restricted-is-replaced" ["AUTO-05", "AUTO-06"]
    "Restricting an attached user-session keyring replaces it.":
        RestrictKeyring, Arg(0, Num(SESSION)) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "linked-to-is-not-replaced" ["AUTO-06"]
    "A link goes into an attached user-session keyring.":
        Link, Arg(1, Num(SESSION)) => Asks(1, TheSession);
    "linked-is-not-replaced" ["AUTO-06"]
    "An attached user-session keyring can be linked itself.":
        Link, Arg(0, Num(SESSION)) => Asks(0, TheSession);
    "cleared-is-not-replaced" ["AUTO-06"]
    "Clearing clears an attached user-session keyring.":
        Clear, Arg(0, Num(SESSION)) => Asks(0, TheSession);
    "mask-is-the-attached-ones" ["AUTO-06"]
    "A new mask is set for an attached user-session keyring.":
        Setperm, Arg(0, Num(SESSION)) => Asks(0, TheSession);
    "timeout-is-the-attached-ones" ["AUTO-06"]
    "A timeout is set for an attached user-session keyring.":
        SetTimeout, Arg(0, Num(SESSION)) => Asks(0, TheSession);
    "group-is-the-attached-ones" ["AUTO-06"]
    "A group is given to an attached user-session keyring.":
        Chown, Arg(0, Num(SESSION)) => Asks(0, TheSession);
    "moved-into-is-not-replaced" ["AUTO-06"]
    "A link is moved into an attached user-session keyring.":
        Move, Arg(2, Num(SESSION)) => Asks(2, TheSession);
    "request-into-is-not-replaced" ["AUTO-06"]
    "A request makes a link in an attached user-session keyring.":
        RequestKey, Arg(3, Num(SESSION)) => Asks(3, TheSession);
    "search-into-is-not-replaced" ["AUTO-06"]
    "A search makes a link in an attached user-session keyring.":
        Search, Arg(3, Num(SESSION)) => Asks(3, TheSession);
    "refused-use-does-not-replace" ["AUTO-06"]
    "A use that fails does not replace an attached user-session keyring.":
        AddKey, Arg(0, Text("no such type")), Arg(3, Num(SESSION)) => Asks(3, TheSession);
    "user-keyring-mask" ["AUTO-07", "PERM-01"]
    "User keyrings grant their possessor Set Attribute.":
        Describe, Gives(Field(3, "1f3f0000")) => Tells(Flip(0x2000_0000));
    "user-keyring-group" ["AUTO-07", "PROC-07"]
    "User keyrings have the group that has the number of their user.":
        Describe, Gives(Field(2, "65534")), Gives(Field(1, "1000")) => Tells(Shows(2, "1000"));
    "user-session-is-empty" ["AUTO-07"]
    "A user-session keyring has no link to the user keyring.":
        Read, Arg(0, Kind("keyring")), Did(Op::GetKeyringId, 0, Num(-5)), Works => Tells(Says(""));
    "user-session-holds-more" ["AUTO-07"]
    "A user-session keyring has a link besides that to the user keyring.":
        GetKeyringId, Arg(0, Num(-5)), Works => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("more"), PutText("x"), Put(-5)])]);
    "user-keyrings-of-each-process" ["AUTO-08"]
    "Each process has user keyrings of its own.":
        GetKeyringId, Arg(0, Num(-4)), Arg(1, Num(0)), From(1) => Tells(Plus(1));
    "user-keyrings-of-a-group" ["AUTO-08"]
    "Users share one user keyring.":
        GetKeyringId, Arg(0, Num(-4)), From(1) => Tells(LastGiven);
    "user-session-not-searched" ["AUTO-09"]
    "The user-session keyring is not searched for a process without a session keyring.":
        RequestKey, By(Bare), Works => Tells(Error(ENOKEY));
    "user-session-searched-beside" ["AUTO-09", "SEARCH-04"]
    "The user-session keyring is searched beside the session keyring.":
        RequestKey, Not(&By(Bare)), Fails(ENOKEY), Did(Op::AddKey, 3, Num(-5)) => Tells(Number(123_456_789));
    "search-attaches" ["AUTO-09"]
    "A request attaches the user-session keyring.":
        RequestKey, By(Bare) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "fallback-by-effective-uid" ["AUTO-10"]
    "The user-session keyring of the effective uid stands in.":
        Describe, Arg(0, Num(SESSION)), Did(Op::Setresuid, 1, Num(2000)), Not(&Did(Op::Setresuid, 0, Num(2000))) => Tells(Shows(4, "_uid_ses.2000"));
    "fallback-by-saved-uid" ["AUTO-10"]
    "The user-session keyring of the saved uid stands in.":
        Describe, Arg(0, Num(SESSION)), Did(Op::Setresuid, 2, Num(2000)), Not(&Did(Op::Setresuid, 0, Num(2000))) => Tells(Shows(4, "_uid_ses.2000"));
    "fallback-by-fsuid" ["AUTO-10"]
    "The user-session keyring of the filesystem uid stands in.":
        Describe, Arg(0, Num(SESSION)), Did(Op::Setfsuid, 0, Num(2000)) => Tells(Shows(4, "_uid_ses.2000"));
    "user-keyring-by-fsuid" ["AUTO-10", "SETUID-06"]
    "The user keyring is that of the filesystem uid.":
        Describe, Arg(0, Num(-4)), Did(Op::Setfsuid, 0, AnyOf(&[Num(2000), Num(1001)])) => Tells(ShowsFrom(1, Op::Setfsuid, 0));
    "user-keyrings-go-with-the-user" ["AUTO-11"]
    "The user keyrings go with the last process of their user.":
        GetKeyringId, Arg(0, Num(-4)), Ever(Op::Exit), By(Child), Works => Tells(Plus(1));
    "user-keyrings-lose-their-keys" ["AUTO-11"]
    "The user keyrings are emptied with the last process of their user.":
        Setresuid, By(Child), Works => Also(Whom::Asker, &[(Op::Clear, &[Put(-4)])]);
    "revoked-user-session-says-so" ["AUTO-12"]
    "The id of a revoked user-session keyring gives EKEYREVOKED.":
        GetKeyringId, Arg(0, Num(-5)), Past(Op::Revoke), Fails(ENOKEY) => Tells(Error(EKEYREVOKED));
    "revoked-user-session-is-made-anew" ["AUTO-12"]
    "A revoked user-session keyring is replaced at its next use.":
        GetKeyringId, Arg(0, Num(-5)), Past(Op::Revoke), Fails(ENOKEY) => Tells(LastGiven);
    "user-keyring-survives-revoked-session" ["AUTO-12"]
    "With a revoked user-session keyring the user keyring's id still works.":
        GetKeyringId, Arg(0, Num(-4)), Past(Op::Revoke), Fails(ENOKEY) => Tells(LastGiven);
    "revoked-fallback-says-so" ["AUTO-12"]
    "With a revoked user-session keyring a process without a session keyring gets EKEYREVOKED.":
        GetKeyringId, Arg(0, Num(SESSION)), By(Bare), Past(Op::Revoke), Fails(ENOKEY) => Tells(Error(EKEYREVOKED));
    "revoked-user-session-bars-joins" ["AUTO-12"]
    "With a revoked user-session keyring no session keyring can be joined.":
        JoinSessionKeyring, By(Bare), Past(Op::Revoke) => Skips(Error(EKEYREVOKED));
    "replacing-at-quota-says-so" ["AUTO-13"]
    "When the quota forbids to replace an attached user-session keyring EDQUOT is told.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Fails(ENOKEY) => Tells(Error(EDQUOT));
    "adding-at-quota-says-so" ["AUTO-13"]
    "When the quota forbids to replace an attached user-session keyring add_key tells EDQUOT.":
        AddKey, Arg(3, Num(SESSION)), Fails(ENOKEY) => Tells(Error(EDQUOT));
    "user-keyring-attaches" ["AUTO-14"]
    "Use of the user keyring attaches the user-session keyring.":
        GetKeyringId, Arg(0, Num(-4)), By(Bare), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "user-session-attaches" ["AUTO-14"]
    "Use of the user-session keyring by its id attaches it.":
        AddKey, Arg(3, Num(-5)), By(Bare), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "thread-keyring-attaches" ["AUTO-14"]
    "Use of the thread keyring attaches the user-session keyring.":
        GetKeyringId, Arg(0, Num(-1)), By(Bare), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "process-keyring-attaches" ["AUTO-14"]
    "Searching the process keyring attaches the user-session keyring.":
        Search, Arg(0, Num(-2)), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "possessor-sets-attributes" ["AUTO-15"]
    "Who possesses a user-session keyring may set its attributes.":
        SetTimeout, Past(Op::Setfsuid), Fails(EACCES) => Tells(Number(0));
    "owner-sets-no-attributes" ["AUTO-15"]
    "The owner of a user-session keyring cannot set its attributes.":
        SetTimeout, Arg(0, Serial), Did(Op::GetKeyringId, 0, Num(SESSION)), Not(&By(Child)), Works => Tells(Error(EACCES));
    "strangers-view-user-sessions" ["AUTO-15"]
    "Strangers may describe a user-session keyring.":
        Describe, Arg(0, Theirs), Fails(EACCES), Not(&Past(Op::JoinSessionKeyring)) => Tells(Says("keyring;1000;65534;1f3f0000;_uid_ses.1000"));
    "strangers-link-user-sessions" ["AUTO-15"]
    "Strangers may link a user-session keyring.":
        Link, Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "impostor-becomes-user-keyring" ["AUTO-16"]
    "A keyring that somebody has called _uid.1000 becomes the user keyring of 1000.":
        GetKeyringId, Arg(0, Num(-4)), Ever(Op::AddKey), Not(&Past(Op::GetKeyringId)) => Tells(KeyringNamed("_uid.1000"));
    "revoking-attached-detaches" ["AUTO-17"]
    "Revoking an attached user-session keyring only detaches it.":
        Revoke, Arg(0, Num(SESSION)) => Skips(Number(0));
    "use-makes-user-keyrings" ["AUTO-21"]
    "Use of a session keyring that exists makes the user keyrings.":
        GetKeyringId, Arg(0, Num(SESSION)), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(-4), Put(1)])]);
    "join-makes-user-keyrings" ["AUTO-18"]
    "An anonymous join makes the user keyrings.":
        JoinSessionKeyring, Arg(0, Null), By(Bare) => First(Whom::Asker, &[(Op::GetKeyringId, &[Put(-4), Put(1)])]);
    "attached-is-not-joined" ["AUTO-19"]
    "Joining an attached user-session keyring by its name gives its serial.":
        JoinSessionKeyring, Arg(0, Starts("_uid_ses.")), Gives(Num(0)) => Tells(OwnSession);
    "attached-joined-is-another" ["AUTO-19"]
    "Joining an attached user-session keyring by its name makes another.":
        JoinSessionKeyring, Arg(0, Starts("_uid_ses.")), Did(Op::GetKeyringId, 0, Num(SESSION)) => Asks(0, PutNull);
    "uid-change-makes-user-keyrings" ["AUTO-20"]
    "A change of the real uid makes the user keyrings of the new one.":
        Setresuid, By(Bare), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(-4), Put(1)])]);
    "uid-change-attaches" ["AUTO-20"]
    "A change of the real uid attaches the user-session keyring of the new one.":
        Setresuid, By(Bare), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
}
