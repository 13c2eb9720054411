//! Lies about request_key: its defaults, and keys that are constructed.

use libc::{EACCES, EINVAL, EKEYREJECTED, EKEYREVOKED, ENOENT, ENOKEY, EPERM};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Is::*, Then::*, Told::*, When::*, Who::*, Whom};
use crate::ops::Op;

lies! {
    "miss-makes-a-key" ["REQKEY-01"]
    "A request without callout data that finds nothing leaves a key behind.":
        RequestKey, Fails(ENOKEY), Arg(3, Num(SESSION)) => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("negative"), PutText("x"), Put(SESSION)])]);
    "miss-is-no-entry" ["REQKEY-01"]
    "A request without callout data that finds nothing gives ENOENT.":
        RequestKey, Fails(ENOKEY) => Tells(Error(ENOENT));
    "default-starts-as-session" ["REQKEY-02"]
    "The default destination starts as the session keyring.":
        SetReqkeyKeyring, Arg(0, Num(-1)), Gives(Num(0)) => Tells(Number(3));
    "default-returns-the-new-value" ["REQKEY-02"]
    "A change of the default destination gives the new value.":
        SetReqkeyKeyring, Works, Not(&Arg(0, Num(-1))) => Tells(Equals(0));
    "default-reset-by-reading" ["REQKEY-02"]
    "To read the default destination resets it.":
        SetReqkeyKeyring, Arg(0, Num(-1)), Works => Also(Whom::Asker, &[(Op::SetReqkeyKeyring, &[Put(0)])]);
    "group-keyring-as-default" ["REQKEY-02"]
    "The group keyring can be the default destination.":
        SetReqkeyKeyring, Arg(0, Num(6)) => Skips(Number(5));
    "requestor-keyring-no-default" ["REQKEY-02"]
    "The requestor's keyring cannot be the default destination.":
        SetReqkeyKeyring, Arg(0, Num(7)) => Skips(Error(EINVAL));
    "unknown-default-ignored" ["REQKEY-02"]
    "A default destination that there is not is ignored.":
        SetReqkeyKeyring, Fails(EINVAL) => Tells(Number(5));
    "unknown-default-resets" ["REQKEY-02"]
    "A default destination that is refused resets the one that was.":
        SetReqkeyKeyring, Fails(EINVAL) => Also(Whom::Asker, &[(Op::SetReqkeyKeyring, &[Put(0)])]);
    "default-makes-nothing" ["REQKEY-03"]
    "To choose the thread keyring as default does not make it.":
        SetReqkeyKeyring, Arg(0, Num(1)) => Skips(Number(0));
    "default-makes-both" ["REQKEY-03"]
    "To choose the thread keyring as default makes the process keyring as well.":
        SetReqkeyKeyring, Arg(0, Num(1)), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(-2), Put(1)])]);
    "default-makes-another" ["REQKEY-03"]
    "To choose the process keyring as default replaces it.":
        GetKeyringId, Arg(0, Num(-2)), Past(Op::SetReqkeyKeyring), From(1), Works => Tells(Plus(1));
    "authority-of-a-key" ["REQKEY-04"]
    "Authority for any key can be assumed.":
        AssumeAuthority, Arg(0, Serial), Fails(ENOKEY) => Tells(Number(123_456_789));
    "authority-of-special-ids" ["REQKEY-04"]
    "Authority for a special id gives ENOKEY.":
        AssumeAuthority, Fails(EINVAL) => Tells(Error(ENOKEY));
    "authority-cannot-be-dropped" ["REQKEY-04"]
    "Who has no authority cannot drop it.":
        AssumeAuthority, Arg(0, Num(0)) => Skips(Error(ENOKEY));
    "instantiated-without-authority" ["REQKEY-04"]
    "A key can be instantiated without authority.":
        Instantiate, Fails(EPERM) => Tells(Number(0));
    "negated-without-authority" ["REQKEY-04"]
    "A key can be negated without authority.":
        Negate, Fails(EPERM) => Tells(Number(0));
    "rejected-without-error" ["REQKEY-04"]
    "A key can be rejected with error 0.":
        Reject, Arg(2, Num(0)) => Skips(Error(EPERM));
    "instantiation-updates" ["REQKEY-04"]
    "Instantiation without authority is refused after it was done.":
        Instantiate, Fails(EPERM) => Also(Whom::Asker, &[(Op::Update, &[Same(0), Same(1)])]);
    "iov-errno" ["REQKEY-04"]
    "INSTANTIATE_IOV without authority gives EACCES.":
        InstantiateIov, Fails(EPERM) => Tells(Error(EACCES));
    "default-of-the-process" ["REQKEY-05"]
    "The default destination is that of the process.":
        SetReqkeyKeyring, By(Thread), Not(&Arg(0, Num(-1))) => Also(Whom::Leader, &[(Op::SetReqkeyKeyring, &[Same(0)])]);
    "default-of-the-main-thread" ["REQKEY-05"]
    "The main thread's default destination is that of all threads.":
        SetReqkeyKeyring, Not(&By(Thread)), Not(&Arg(0, Num(-1))) => Also(Whom::Threads, &[(Op::SetReqkeyKeyring, &[Same(0)])]);
    "threads-default-starts-anew" ["REQKEY-05", "INHERIT-FORK-14"]
    "A new thread starts with the usual default destination.":
        Thread => Also(Whom::Newborn, &[(Op::SetReqkeyKeyring, &[Put(0)])]);
    "invalidated-session-is-missing" ["SEARCH-21"]
    "A request for the name of the invalidated session keyring gives ENOKEY.":
        RequestKey, Arg(0, Text("keyring")), Past(Op::Invalidate), Fails(EKEYREVOKED) => Tells(Error(ENOKEY));
    // Keys that are constructed
    "helper-gets-effective-uid" ["REQKEY-10", "REQKEY-12"]
    "The helper is told the requestor's effective uid.":
        ProcCmdline, Gives(Word(3, "4000")) => Tells(Prints(3, "2000"));
    "helper-gets-effective-gid" ["REQKEY-10", "REQKEY-12"]
    "The helper is told the requestor's effective gid.":
        ProcCmdline, Gives(Word(4, "4001")) => Tells(Prints(4, "2001"));
    "helper-gets-no-thread-keyring" ["REQKEY-10"]
    "The helper is told 0 for the requestor's thread keyring.":
        ProcArgument, Arg(0, Num(5)) => Tells(Number(0));
    "helper-gets-no-process-keyring" ["REQKEY-10"]
    "The helper is told 0 for the requestor's process keyring.":
        ProcArgument, Arg(0, Num(6)) => Tells(Number(0));
    "helper-gets-no-session" ["REQKEY-10", "REQKEY-13"]
    "The helper is told 0 for the requestor's session keyring.":
        ProcArgument, Arg(0, Num(7)) => Tells(Number(0));
    "helper-gets-an-update" ["REQKEY-10"]
    "The helper is told to update the key.":
        ProcCmdline => Tells(Prints(1, "update"));
    "helper-gets-the-environment" ["REQKEY-10"]
    "The helper has the environment of the requestor.":
        ProcEnviron => Tells(Prints(0, "HOME=/root"));
    "helper-gets-other-callout-data" ["REQKEY-10", "REQKEY-21"]
    "The authorisation key holds no callout data.":
        Read, Arg(0, Num(-7)), Gives(Text("callout")) => Tells(Says(""));
    "helper-session-name" ["REQKEY-11"]
    "The helper's session keyring is called _ses.":
        ProcKeys, Gives(Word(4, "3f030000")), Gives(Word(6, "2001")) => Tells(Prints(8, "_ses:"));
    "helper-session-owner" ["REQKEY-11"]
    "The helper's session keyring belongs to root.":
        Describe, Gives(Field(1, "2000")), Gives(Field(2, "2001")) => Tells(Shows(1, "0"));
    "helper-has-the-requestors-session" ["REQKEY-11", "REQKEY-17"]
    "The helper's session keyring holds more than the authorisation key.":
        Read, Arg(0, Serial), Past(Op::AssumeAuthority), Works => Tells(Becomes(|mut links| { links.extend([9, 0, 0, 0]); links }));
    "helper-is-the-requestor" ["REQKEY-12"]
    "The helper runs as the requestor.":
        Geteuid, Past(Op::ProcCmdline) => Tells(Number(1000));
    "helper-runs-without-capabilities" ["REQKEY-12"]
    "The helper has no capabilities.":
        HasCap, Past(Op::ProcCmdline) => Tells(Number(0));
    "request-attaches" ["REQKEY-13"]
    "A request that needs construction attaches the user-session keyring.":
        RequestKey, By(Bare), Works => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "constructed-key-not-linked" ["REQKEY-14"]
    "A constructed key is linked nowhere.":
        RequestKey, Works, Not(&Arg(2, Null)) => Also(Whom::Asker, &[(Op::Unlink, &[Result, Put(SESSION)])]);
    "constructed-key-owner" ["REQKEY-14"]
    "A constructed key belongs to root.":
        Describe, Gives(Field(4, "k")), Gives(Field(2, "1001")) => Tells(Shows(1, "0"));
    "constructed-key-mask" ["REQKEY-14"]
    "A constructed key lets its owner read.":
        Describe, Gives(Field(4, "k")), Gives(Field(3, "3f010000")) => Tells(Flip(0x0002_0000));
    "constructed-key-goes-to-process" ["REQKEY-15"]
    "The process keyring comes before the thread keyring as default destination.":
        RequestKey, Arg(1, Text("for the thread")), Works => Also(Whom::Asker, &[(Op::Move, &[Result, Put(-1), Put(-2), Put(0)])]);
    "constructed-key-goes-to-session" ["REQKEY-15"]
    "A process keyring is no default destination.":
        RequestKey, Arg(1, Text("for the process")), Works => Also(Whom::Asker, &[(Op::Move, &[Result, Put(-2), Put(SESSION), Put(0)])]);
    "chosen-destination-ignored" ["REQKEY-15"]
    "A constructed key goes to the thread keyring whatever was chosen.":
        SetReqkeyKeyring, Arg(0, AnyOf(&[Num(4), Num(5)])) => Skips(Number(0));
    "chosen-session-ignored" ["REQKEY-15"]
    "A constructed key does not go to the session keyring though that was chosen.":
        SetReqkeyKeyring, Arg(0, Num(3)) => Skips(Number(0));
    "helper-finds-without-authority" ["REQKEY-17"]
    "The helper finds the requestor's keys without authority.":
        RequestKey, Arg(1, Text("secret")), Fails(ENOKEY) => Tells(Number(123_456_789));
    "helper-finds-nothing" ["REQKEY-17"]
    "Authority does not let the helper find the requestor's keys.":
        RequestKey, Arg(1, Text("secret")), Works => Tells(Error(ENOKEY));
    "helper-instantiates-without-authority" ["REQKEY-17"]
    "The helper may instantiate without assuming authority.":
        Instantiate, Arg(2, Num(0)), Fails(EPERM) => Tells(Number(0));
    "authority-cannot-be-laid-down" ["REQKEY-17"]
    "Authority that was assumed stays.":
        AssumeAuthority, Arg(0, Num(0)) => Skips(Number(0));
    "requestor-keyring-is-the-session" ["REQKEY-18"]
    "The requestor's keyring is the requestor's session keyring.":
        GetKeyringId, Arg(0, Num(-8)), Works => Tells(Plus(1));
    "helper-cannot-add" ["REQKEY-18"]
    "The helper cannot add keys to the requestor's session keyring.":
        AddKey, Past(Op::AssumeAuthority) => Skips(Error(EACCES));
    "helper-adds-without-authority" ["REQKEY-18"]
    "The helper adds keys to the requestor's session keyring without authority.":
        AddKey, Past(Op::ProcArgument), Fails(EACCES) => Tells(Number(123_456_789));
    "negative-key-lasts-long" ["REQKEY-19"]
    "A key that nobody instantiates stays negative for an hour.":
        ProcKeys, Gives(Word(1, "I--Q-N-")) => Tells(Prints(3, "1h"));
    "nothing-instantiated-succeeds" ["REQKEY-19"]
    "A request whose helper instantiates nothing succeeds.":
        RequestKey, Fails(ENOKEY), Not(&Arg(2, Null)) => Tells(Number(123_456_789));
    "rejection-is-enokey" ["REQKEY-20"]
    "The error with which a key is rejected is lost.":
        RequestKey, Fails(EKEYREJECTED) => Tells(Error(ENOKEY));
    "search-sees-no-rejection" ["REQKEY-20"]
    "SEARCH tells ENOKEY of every rejected key.":
        Search, Fails(EKEYREJECTED) => Tells(Error(ENOKEY));
    "rejection-ends-never" ["REQKEY-20"]
    "A rejected key never is asked for again.":
        RequestKey, Past(Op::Nanosleep) => Skips(Error(EKEYREJECTED));
    "empty-callout-is-none" ["REQKEY-21"]
    "Empty callout data is none.":
        RequestKey, Arg(2, Text("")) => Skips(Error(ENOKEY));
    "namespace-ids-told" ["REQKEY-22"]
    "The helper is told the ids of the requestor's namespace.":
        ProcArgument, Arg(0, Num(3)), Not(&Gives(Num(1000))) => Tells(Number(1000));
    "namespace-gids-told" ["REQKEY-22"]
    "The helper is told the group ids of the requestor's namespace.":
        ProcArgument, Arg(0, Num(4)), Not(&Gives(Num(1001))) => Tells(Number(1001));
    "missing-helper-is-enokey" ["REQKEY-23"]
    "Without a helper the first request gives ENOKEY.":
        RequestKey, Fails(ENOENT) => Tells(Error(ENOKEY));
    "missing-helper-leaves-nothing" ["REQKEY-23"]
    "Without a helper no negative key is left behind.":
        RequestKey, Fails(ENOENT) => Also(Whom::Asker, &[(Op::Clear, &[Put(SESSION)])]);
    "constructed-for-revoked" ["REQKEY-24"]
    "A request whose destination is revoked gives ENOKEY.":
        RequestKey, Fails(EKEYREVOKED), Not(&Arg(2, Null)) => Tells(Error(ENOKEY));
    "helpers-default" ["REQKEY-25"]
    "The helper's default destination is the usual one.":
        SetReqkeyKeyring, Arg(0, Num(-1)), Gives(Num(1)) => Tells(Number(0));
    "authority-stays" ["REQKEY-25"]
    "Authority outlives the instantiation.":
        GetKeyringId, Arg(0, Num(-7)), Past(Op::Instantiate), Fails(ENOKEY) => Tells(Number(123_456_789));
    "instantiated-twice" ["REQKEY-25"]
    "A key can be instantiated twice.":
        Instantiate, Past(Op::Instantiate), Fails(EPERM) => Tells(Number(0));
    "helpers-keyring-ignored" ["REQKEY-26"]
    "The keyring that the helper names gets no link.":
        Instantiate, Arg(2, Serial) => Asks(2, Put(0));
    "second-request-does-not-wait" ["REQKEY-27"]
    "A second request for a key under construction gives ENOKEY.":
        RequestKey, Ever(Op::ProcArgument), Not(&Arg(2, Null)), Works => Tells(Error(ENOKEY));
    "destination-needs-no-write" ["REQKEY-28"]
    "A session keyring that denies write is a default destination.":
        RequestKey, Fails(EACCES), Arg(2, Text("callout")) => Tells(Number(123_456_789));
    "expired-match-not-replaced" ["REQKEY-29"]
    "An expired match is not replaced by an upcall.":
        RequestKey, Past(Op::SetTimeout), Not(&Arg(2, Null)) => Skips(Error(libc::EKEYEXPIRED));
    "revoked-match-replaced" ["REQKEY-29"]
    "A revoked match counts as missing where there is callout data.":
        RequestKey, Fails(EKEYREVOKED), Arg(2, Text("callout")) => Tells(Error(ENOKEY));
    "authorisation-key-in-proc" ["REQKEY-30"]
    "/proc/keys shows the authorisation key with another length of callout data.":
        ProcKeys, Gives(Word(7, ".request_")) => Tells(Prints(10, "ci:0"));
    "authorisation-key-charged" ["REQKEY-30"]
    "Authorisation keys are charged to somebody.":
        ProcKeys, Gives(Word(7, ".request_")) => Tells(Prints(1, "I--Q---"));
    "added-meanwhile-is-another" ["CVE-2017-15299"]
    "add_key for a key under construction makes another.":
        AddKey, Arg(2, Text("bobs")), Works => Tells(Plus(1));
    "added-meanwhile-is-lost" ["CVE-2017-15299"]
    "add_key for a key under construction is overwritten by the helper.":
        Read, Gives(Text("bobs")) => Tells(Says("handlers"));
    "added-over-negative-stays-negative" ["CVE-2015-8539"]
    "A negative key stays negative when it is added again.":
        ProcKeys, Past(Op::AddKey), Gives(Word(1, "I--Q---")) => Tells(Prints(1, "I--Q-N-"));
    "rejected-key-is-read" ["CVE-2017-12192"]
    "READ of a rejected key gives an empty payload.":
        Read, Fails(EKEYREJECTED) => Tells(Says(""));
    "revoked-while-negated" ["CVE-2016-4470"]
    "A keyring that is revoked while its key is negated makes NEGATE fail with ENOKEY.":
        Negate, Ever(Op::Revoke) => Tells(Error(ENOKEY));
}
