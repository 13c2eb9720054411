//! Lies about special ids and serials.

use libc::{EACCES, EINVAL, ENOKEY, ENOTDIR};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Is::*, Then::*, Told::*, When::*, Whom};
use crate::ops::Op;

lies! {
    "id-keeps-the-first-session" ["SPECIAL-ID-01"]
    "The session keyring's id stands for the keyring that was joined before the last one.":
        GetKeyringId, Arg(0, Num(SESSION)), Past(Op::JoinSessionKeyring) => Tells(FormerSession);
    "id-describes-another-mask" ["SPECIAL-ID-01"]
    "Described by its special id the session keyring shows Link for its owner the wrong way round.":
        Describe, Arg(0, Num(SESSION)) => Tells(Flip(0x0010_0000));
    "id-describes-another-name" ["SPECIAL-ID-01"]
    "Described by its special id a named session keyring is called _ses.":
        Describe, Arg(0, Num(SESSION)), Not(&Gives(Field(4, "_ses"))) => Tells(Shows(4, "_ses"));
    "serial-twice" ["SPECIAL-ID-02", "JOIN-ANON-03"]
    "A keyring is given the serial of one that exists.":
        JoinSessionKeyring, Arg(0, Null), From(1) => Tells(LastGiven);
    "serial-of-two" ["SPECIAL-ID-02"]
    "The hundredth keyring is given the serial 2.":
        AddKey, Arg(0, Text("keyring")), From(99) => Tells(Number(2));
    "serial-negative" ["SPECIAL-ID-02"]
    "A serial has its highest bit set.":
        JoinSessionKeyring, Arg(0, Text("named")) => Tells(Plus(-0x8000_0000));
    "group-id-is-a-missing-key" ["SPECIAL-ID-03"]
    "The group keyring's id gives ENOKEY where it is to be moved from or to.":
        Move, Fails(EINVAL) => Tells(Error(ENOKEY));
    "group-id-can-be-created" ["SPECIAL-ID-03"]
    "With the create flag the group keyring's id stands for the session keyring.":
        GetKeyringId, Arg(0, Num(-6)), Arg(1, Num(1)) => Asks(0, Put(SESSION));
    "group-id-takes-links" ["SPECIAL-ID-03"]
    "A link to the group keyring's id goes nowhere and succeeds.":
        Link, Arg(1, Num(-6)) => Skips(Number(0));
    "group-id-is-the-session" ["SPECIAL-ID-03"]
    "Revoking the group keyring's id revokes the session keyring.":
        Revoke, Arg(0, Num(-6)) => Asks(0, Put(SESSION));
    "group-id-as-destination" ["SPECIAL-ID-03"]
    "A search takes the group keyring's id for no destination.":
        Search, Arg(3, Num(-6)) => Asks(3, Put(0));
    "group-id-added-to" ["SPECIAL-ID-03"]
    "A key that is added to the group keyring's id goes to the session keyring, and EINVAL is told.":
        AddKey, Arg(3, Num(-6)) => First(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("lost"), PutText("x"), Put(SESSION)])]);
    "read-tells-bad-ids" ["SPECIAL-ID-03", "SPECIAL-ID-04"]
    "READ gives EINVAL for an id that is none.":
        Read, Arg(0, Num(-6)) => Skips(Error(EINVAL));
    "id-zero-read" ["SPECIAL-ID-04"]
    "READ takes id 0 for the session keyring.":
        Read, Arg(0, Num(0)) => Asks(0, Put(SESSION));
    "id-zero-is-the-session" ["SPECIAL-ID-04"]
    "DESCRIBE takes id 0 for the session keyring.":
        Describe, Arg(0, Num(0)) => Asks(0, Put(SESSION));
    "id-below-the-special-ones" ["SPECIAL-ID-04"]
    "REVOKE takes an id below the special ones for a key that is missing.":
        Revoke, Arg(0, Num(-9)) => Skips(Error(ENOKEY));
    "lowest-id-wraps" ["SPECIAL-ID-04"]
    "The lowest of all numbers can be unlinked.":
        Unlink, Arg(0, Num(-0x8000_0000)) => Skips(Number(0));
    "id-zero-timeout" ["SPECIAL-ID-04"]
    "A timeout for id 0 succeeds and is nobody's.":
        SetTimeout, Arg(0, Num(0)) => Skips(Number(0));
    "dead-serial-is-invalid" ["SPECIAL-ID-05"]
    "Clearing a keyring that is gone gives EINVAL.":
        Clear, Arg(0, Serial), Fails(ENOKEY) => Tells(Error(EINVAL));
    "dead-serial-unlinked" ["SPECIAL-ID-05"]
    "Unlinking a keyring that is gone succeeds.":
        Unlink, Arg(0, Serial), Arg(1, Num(SESSION)), Fails(ENOKEY) => Tells(Number(0));
    "dead-serial-as-destination" ["SPECIAL-ID-05"]
    "A request whose destination is gone succeeds without one.":
        RequestKey, Arg(3, Serial), Fails(ENOKEY) => Tells(Number(123_456_789));
    "dead-destination-ignored" ["SPECIAL-ID-05"]
    "A search whose destination is gone finds the key all the same.":
        Search, Arg(3, Serial), Fails(ENOKEY) => Tells(Number(123_456_789));
    "dead-serial-made-anew" ["SPECIAL-ID-05"]
    "With the create flag the serial of a keyring that is gone is given again.":
        GetKeyringId, Arg(0, Serial), Arg(1, Num(1)), Fails(ENOKEY) => Tells(Equals(0));
    "dead-serial-invalidated" ["SPECIAL-ID-05"]
    "Invalidating a keyring that is gone gives EACCES.":
        Invalidate, Arg(0, Serial), Fails(ENOKEY) => Tells(Error(EACCES));
    "authorisation-id-created" ["SPECIAL-ID-06"]
    "The create flag makes an authorisation key.":
        GetKeyringId, Arg(0, Num(-7)), Arg(1, Num(1)) => Asks(0, Put(-2));
    "requestor-id-unknown" ["SPECIAL-ID-06"]
    "The requestor's keyring has no id.":
        GetKeyringId, Arg(0, Num(-8)), Fails(ENOKEY) => Tells(Error(EINVAL));
    "requestor-id-added-to" ["SPECIAL-ID-06"]
    "What is added to the requestor's keyring goes to the session keyring where there is no requestor.":
        AddKey, Arg(3, Num(-8)) => Asks(3, Put(SESSION));
    "thread-keyring-without-create" ["SPECIAL-ID-07"]
    "The thread keyring is made though the create flag is not set.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(0)) => Asks(1, Put(1));
    "process-keyring-without-create" ["SPECIAL-ID-07"]
    "The process keyring is made though the create flag is not set.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(0)) => Asks(1, Put(1));
    "thread-and-process-keyring-are-one" ["SPECIAL-ID-07"]
    "The process keyring is the thread keyring.":
        GetKeyringId, Arg(0, Num(-2)) => Asks(0, Put(-1));
    "thread-keyring-grants-read" ["SPECIAL-ID-07", "PERM-01"]
    "A thread keyring lets its owner read.":
        Describe, Gives(Field(4, "_tid")) => Tells(Flip(0x0002_0000));
    "process-keyring-misnamed" ["SPECIAL-ID-07"]
    "The process keyring is called _tid.":
        Describe, Gives(Field(4, "_pid")) => Tells(Shows(4, "_tid"));
    "thread-keyring-made-again" ["SPECIAL-ID-07"]
    "The create flag replaces a thread keyring that is there.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(1)), From(1) => Tells(Plus(1));
    "missing-thread-keyring-not-linked" ["SPECIAL-ID-13"]
    "A missing thread keyring cannot be linked.":
        Link, Arg(0, Num(-1)) => Skips(Error(ENOKEY));
    "missing-process-keyring-takes-no-timeout" ["SPECIAL-ID-13"]
    "A missing process keyring takes no timeout.":
        SetTimeout, Arg(0, Num(-2)) => Skips(Error(ENOKEY));
    "missing-thread-keyring-is-read" ["SPECIAL-ID-13"]
    "READ makes a missing thread keyring.":
        Read, Arg(0, Num(-1)) => First(Whom::Asker, &[(Op::GetKeyringId, &[Put(-1), Put(1)])]);
    "missing-process-keyring-is-searched" ["SPECIAL-ID-13"]
    "SEARCH makes a missing process keyring, and finds nothing.":
        Search, Arg(0, Num(-2)), Fails(ENOKEY) => Also(Whom::Asker, &[(Op::GetKeyringId, &[Put(-2), Put(1)])]);
    "serial-of-a-key-refused" ["SPECIAL-ID-08"]
    "The serial of a key that is no keyring cannot be asked for.":
        GetKeyringId, Arg(0, Kind("user")) => Skips(Error(ENOTDIR));
    "serial-of-a-key-with-create" ["SPECIAL-ID-08"]
    "With the create flag a serial does not stand for itself.":
        GetKeyringId, Arg(0, Kind("logon")), Arg(1, Num(1)) => Skips(Error(EINVAL));
    "id-without-search" ["SPECIAL-ID-09"]
    "The session keyring's serial is told to who may not search it.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(0)), Fails(EACCES) => Tells(OwnSession);
    "create-flag-stands-for-search" ["SPECIAL-ID-09"]
    "With the create flag the session keyring's serial is told to who may not search it.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Fails(EACCES) => Tells(OwnSession);
    "serial-without-search" ["SPECIAL-ID-09"]
    "A serial stands for itself also where search is denied.":
        GetKeyringId, Arg(0, Serial), Fails(EACCES) => Tells(Equals(0));
    "without-search-nothing-works" ["SPECIAL-ID-09", "POSSESS-04"]
    "Without search its holder cannot add to the session keyring by its special id.":
        AddKey, Arg(3, Num(SESSION)), Mask(Lacks(0x0808_0808)) => Skips(Error(EACCES));
    "without-search-not-described" ["SPECIAL-ID-09", "POSSESS-04"]
    "Without search its holder cannot describe the session keyring by its special id.":
        Describe, Arg(0, Num(SESSION)), Mask(Lacks(0x0808_0808)) => Skips(Error(EACCES));
    "create-flag-is-one-bit" ["SPECIAL-ID-10"]
    "Only the lowest bit of the create flag counts.":
        GetKeyringId, Arg(0, Num(SESSION)) => Asks(1, Made(1, |flag| flag & 1));
    "create-flag-is-a-sign" ["SPECIAL-ID-10"]
    "A negative create flag counts as zero.":
        GetKeyringId, Arg(0, Num(SESSION)) => Asks(1, Made(1, |flag| if flag as i32 > 0 { 1 } else { 0 }));
    "create-flag-is-wide" ["SPECIAL-ID-10"]
    "The upper half of the create flag counts.":
        GetKeyringId, Arg(0, Num(SESSION)) => Asks(1, Made(1, |flag| i64::from(flag != 0)));
    "zero-extended-id-refused" ["SPECIAL-ID-11"]
    "A special id in a register whose upper half is zero is no special id.":
        GetKeyringId, Arg(0, Num(0xffff_fffd)) => Skips(Error(EINVAL));
    "wide-destination-refused" ["SPECIAL-ID-11"]
    "A destination with stray upper bits is no key.":
        AddKey, Arg(3, Wide) => Skips(Error(ENOKEY));
    "wide-id-read" ["SPECIAL-ID-11"]
    "READ looks at all bits of an id's register.":
        Read, Arg(0, Wide) => Skips(Error(ENOKEY));
    "wide-id-unlinked" ["SPECIAL-ID-11"]
    "UNLINK looks at all bits of the keyring's register.":
        Unlink, Arg(1, Wide) => Skips(Error(ENOKEY));
    "wide-id-requested" ["SPECIAL-ID-11"]
    "A request does not know its destination by an id with stray upper bits.":
        RequestKey, Arg(3, Wide) => Asks(3, Put(0));
    "add-key-elsewhere" ["SPECIAL-ID-12"]
    "What is added to the session keyring's id goes to the process keyring.":
        AddKey, Arg(3, Num(SESSION)) => Asks(3, Put(-2));
    "request-destination-elsewhere" ["SPECIAL-ID-12"]
    "A request whose destination is the session keyring's id makes no link.":
        RequestKey, Arg(3, Num(SESSION)) => Asks(3, Put(0));
    "search-destination-elsewhere" ["SPECIAL-ID-12"]
    "A search whose destination is the session keyring's id makes no link.":
        Search, Arg(3, Num(SESSION)) => Asks(3, Put(0));
    "link-goes-elsewhere" ["SPECIAL-ID-12"]
    "A link into the session keyring's id goes to the process keyring.":
        Link, Arg(1, Num(SESSION)) => Asks(1, Put(-2));
    "move-into-nothing" ["SPECIAL-ID-12"]
    "A move to the session keyring's id is a no-op.":
        Move, Arg(2, Num(SESSION)) => Skips(Number(0));
    "move-out-of-nothing" ["SPECIAL-ID-12"]
    "A move out of the session keyring's id leaves the link there.":
        Move, Arg(1, Num(SESSION)), Works => Also(Whom::Asker, &[(Op::Link, &[Same(0), Put(SESSION)])]);
    "setperm-of-id-ignored" ["SPECIAL-ID-12"]
    "A new mask for the session keyring's id is not set.":
        Setperm, Arg(0, Num(SESSION)) => Skips(Number(0));
    "chown-of-id-ignored" ["SPECIAL-ID-12"]
    "A new group for the session keyring's id is not set.":
        Chown, Arg(0, Num(SESSION)) => Skips(Number(0));
    "timeout-of-id-ignored" ["SPECIAL-ID-12"]
    "A timeout for the session keyring's id is not set.":
        SetTimeout, Arg(0, Num(SESSION)) => Skips(Number(0));
    "timeout-of-id-goes-below" ["SPECIAL-ID-12", "LIFETIME-10"]
    "A timeout for the session keyring's id is set for the user keyring.":
        SetTimeout, Arg(0, Num(SESSION)) => Asks(0, Put(-4));
    "clear-of-id-ignored" ["SPECIAL-ID-12", "LIFETIME-22"]
    "Clearing the session keyring's id does nothing.":
        Clear, Arg(0, Num(SESSION)) => Skips(Number(0));
    "restriction-of-id-ignored" ["SPECIAL-ID-12", "LINK-07"]
    "A restriction of the session keyring's id does nothing.":
        RestrictKeyring, Arg(0, Num(SESSION)) => Skips(Number(0));
    "invalidate-of-id-ignored" ["SPECIAL-ID-12", "LIFETIME-11"]
    "Invalidating the session keyring's id does nothing.":
        Invalidate, Arg(0, Num(SESSION)) => Skips(Number(0));
    "revoke-of-id-ignored" ["SPECIAL-ID-12", "LIFETIME-08"]
    "Revoking the session keyring's id does nothing.":
        Revoke, Arg(0, Num(SESSION)) => Skips(Number(0));
    "unlink-of-id-ignored" ["SPECIAL-ID-12"]
    "Unlinking from the session keyring's id does nothing.":
        Unlink, Arg(1, Num(SESSION)) => Skips(Number(0));
    "persistent-elsewhere" ["SPECIAL-ID-12", "LINK-11"]
    "The persistent keyring is linked into the process keyring instead of the session keyring.":
        GetPersistent, Arg(1, Num(SESSION)) => Asks(1, Put(-2));
    "security-of-id" ["SPECIAL-ID-12", "AUTO-05"]
    "The security label cannot be had by the session keyring's id.":
        GetSecurity, Arg(0, Num(SESSION)), Works => Tells(Error(ENOKEY));
    "search-in-id-finds-nothing" ["SPECIAL-ID-12"]
    "SEARCH in the session keyring's id finds only keyrings.":
        Search, Arg(0, Num(SESSION)), Arg(1, Text("user")), Works => Tells(Error(ENOKEY));
}
