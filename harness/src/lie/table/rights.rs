//! Lies about possession and permissions.

use libc::{EACCES, EINVAL, EKEYREVOKED, ENOKEY, EPERM};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Is::*, Then::*, Told::*, When::*, Who::*, Whom};
use crate::ops::Op;

lies! {
    "holder-cannot-describe" ["POSSESS-01"]
    "By the possessor's bits alone the session keyring cannot be described.":
        Describe, Arg(0, Session), Mask(Num(0x3f00_0000)) => Skips(Error(EACCES));
    "holder-cannot-link" ["POSSESS-01"]
    "By the possessor's bits alone the session keyring cannot be linked.":
        Link, Arg(0, Session), Mask(Num(0x3f00_0000)) => Skips(Error(EACCES));
    "holder-cannot-search" ["POSSESS-01"]
    "By the possessor's bits alone the session keyring cannot be searched by its serial.":
        Search, Arg(0, Session), Mask(Num(0x3f00_0000)) => Skips(Error(EACCES));
    "holder-cannot-revoke" ["POSSESS-01"]
    "By the possessor's bits alone the session keyring cannot be revoked.":
        Revoke, Arg(0, Session), Mask(Num(0x3f00_0000)) => Skips(Error(EACCES));
    "outsider-holds" ["POSSESS-01"]
    "All processes of a user possess all session keyrings of that user.":
        Read, Arg(0, Theirs), Mask(Num(0x3f00_0000)), Fails(EACCES) => Tells(Says(""));
    "chain-is-one-long" ["POSSESS-02"]
    "Only keys that the session keyring links itself are possessed.":
        Read, Arg(0, Kind("user")), Ever(Op::Fork), Works => Tells(Error(EACCES));
    "cut-chain-still-possessed" ["POSSESS-02", "POSSESS-15"]
    "Possession is remembered when the chain to a key is cut.":
        Read, Arg(0, Kind("user")), Ever(Op::Unlink), Fails(EACCES) => Tells(Stale);
    "new-chain-not-possessed" ["POSSESS-15"]
    "Possession is not gained by a link that another process makes.":
        Read, Arg(0, Kind("user")), Ever(Op::Unlink), Works, From(1) => Tells(Error(EACCES));
    "chain-without-search" ["POSSESS-03"]
    "A keyring that denies search passes possession on.":
        Read, Arg(0, Kind("user")), Mask(Lacks(0x0808_0000)), Fails(EACCES) => Tells(Stale);
    "chain-needs-read" ["POSSESS-03"]
    "A keyring passes possession on only if it grants read as well.":
        Read, Arg(0, Kind("user")), Mask(Num(0x0800_0000)), Works => Tells(Error(EACCES));
    "chain-by-owner-search" ["POSSESS-03"]
    "A keyring that grants search to its owner alone does not pass possession on.":
        Read, Arg(0, Kind("user")), Mask(Num(0x0108_0000)), Works => Tells(Error(EACCES));
    "chain-by-others-search" ["POSSESS-03"]
    "Search for others passes the owner's possession on.":
        Read, Arg(0, Kind("user")), Mask(Bits(0x0808)), Fails(EACCES) => Tells(Stale);
    "serial-is-possessed-without-search" ["POSSESS-04"]
    "By its serial too the session keyring is possessed without search.":
        Read, Arg(0, Session), Fails(EACCES) => Tells(Says(""));
    "serial-described-without-search" ["POSSESS-04"]
    "By its serial the session keyring can be described without search.":
        Describe, Arg(0, Session), Fails(EACCES) => Tells(Says("keyring;1000;1000;37000000;_ses"));
    "serial-added-to-without-search" ["POSSESS-04"]
    "By its serial keys can be added to a session keyring that denies search.":
        AddKey, Arg(3, Session), Fails(EACCES) => Tells(Number(123_456_789));
    "id-needs-search-to-link" ["POSSESS-04"]
    "By its special id the session keyring cannot be linked without search.":
        Link, Arg(0, Num(SESSION)), Mask(Lacks(0x0808_0808)) => Skips(Error(EACCES));
    "id-needs-search-to-expire" ["POSSESS-04"]
    "By its special id the session keyring takes no timeout without search.":
        SetTimeout, Arg(0, Num(SESSION)), Mask(Lacks(0x0808_0808)) => Skips(Error(EACCES));
    "leaver-keeps-setattr" ["POSSESS-05"]
    "Who leaves a session may still set attributes of its keys.":
        SetTimeout, Past(Op::JoinSessionKeyring), Fails(EACCES) => Tells(Number(0));
    "leaver-loses-owner-rights" ["POSSESS-05"]
    "Who leaves a session has no rights on its keys, not even the owner's.":
        Update, Past(Op::JoinSessionKeyring), Works => Tells(Error(EACCES));
    "returner-possesses-nothing" ["POSSESS-05"]
    "Who comes back to a session does not possess its keys.":
        Read, Past(Op::Update), Works => Tells(Error(EACCES));
    "user-keyring-is-possessed" ["POSSESS-06"]
    "Keys in the user keyring are possessed.":
        Read, Arg(0, Kind("user")), Did(Op::AddKey, 3, Num(-4)), Fails(EACCES) => Tells(Says("v"));
    "user-keyring-is-searched" ["POSSESS-06", "SEARCH-04"]
    "request_key searches the user keyring though nothing links it.":
        RequestKey, Fails(ENOKEY), Did(Op::AddKey, 3, Num(-4)) => Tells(Number(123_456_789));
    "linked-user-keyring-is-no-help" ["POSSESS-06"]
    "Keys in the user keyring are not possessed when the session keyring links it.":
        Read, Arg(0, Kind("user")), Past(Op::Link), Did(Op::AddKey, 3, Num(-4)), Works => Tells(Error(EACCES));
    "user-keyring-serial-is-possessed" ["POSSESS-07"]
    "The user keyring is possessed also when it is addressed by its serial.":
        Describe, Arg(0, Serial), Mask(Num(0x3f00_0000)), Fails(EACCES) => Tells(Says("keyring;1000;65534;3f000000;_uid.1000"));
    "user-keyring-id-is-not-possessed" ["POSSESS-07"]
    "The user keyring is not possessed when it is addressed by its id.":
        AddKey, Arg(3, Num(-4)), Mask(Num(0x3f00_0000)) => Skips(Error(EACCES));
    "user-session-id-is-not-possessed" ["POSSESS-07"]
    "The user-session keyring is not possessed when it is addressed by its id.":
        Describe, Arg(0, Num(-5)), Mask(Num(0x3f00_0000)) => Skips(Error(EACCES));
    "possessors-set-alone" ["POSSESS-08"]
    "A possessor who is the owner has only the possessor's rights.":
        Update, Arg(0, Mine), Past(Op::Setperm), Works => Tells(Error(EACCES));
    "possessor-other" ["POSSESS-08"]
    "A possessor of another user has not the rights of others beside.":
        SetTimeout, Past(Op::JoinSessionKeyring), Arg(0, Theirs), Works => Tells(Error(EACCES));
    "all-sets-add-up" ["POSSESS-08", "PERM-12"]
    "An owner has the rights of others too.":
        SetTimeout, Arg(0, Mine), Mask(Bits(0x20)), Fails(EACCES) => Tells(Number(0));
    "key-without-search-possessed" ["POSSESS-08", "POSSESS-13"]
    "A key that denies search is possessed all the same.":
        Describe, Arg(0, Kind("user")), Mask(Lacks(0x0808_0000)), Fails(EACCES) => Tells(Says("user;1000;1000;01000000;k"));
    "revoked-link-confers" ["POSSESS-09"]
    "A revoked keyring still confers possession of a key below.":
        Read, Ever(Op::Revoke), Arg(0, Kind("user")), Fails(EACCES) => Tells(Stale);
    "expired-link-confers-nothing" ["POSSESS-10"]
    "An expired keyring confers no possession of what is added below.":
        AddKey, Past(Op::SetTimeout), Ever(Op::Link) => Skips(Error(EACCES));
    "seven-levels" ["POSSESS-11"]
    "Searches reach seven levels.":
        RequestKey, Arg(1, Text("in seven")), Fails(ENOKEY) => Tells(Number(123_456_789));
    "search-seven-levels" ["POSSESS-11"]
    "SEARCH reaches further than request_key.":
        Search, Arg(0, Num(SESSION)), Arg(2, Text("in seven")), Fails(ENOKEY) => Tells(Number(123_456_789));
    "five-levels" ["POSSESS-11"]
    "Searches reach five levels.":
        RequestKey, Arg(1, Text("in six")) => Skips(Error(ENOKEY));
    "search-five-levels" ["POSSESS-11"]
    "SEARCH reaches five levels.":
        Search, Arg(0, Num(SESSION)), Arg(2, Text("in six")) => Skips(Error(ENOKEY));
    "possession-reaches-five-levels" ["POSSESS-11"]
    "Possession reaches five levels.":
        Read, Arg(0, Kind("user")), Past(Op::RequestKey), Works => Tells(Error(EACCES));
    "possession-reaches-seven-levels" ["POSSESS-11"]
    "Possession reaches seven levels.":
        Read, Arg(0, Kind("user")), Past(Op::RequestKey), Fails(EACCES) => Tells(Says("v"));
    "other-user-possesses-nothing" ["POSSESS-12"]
    "A process of another user does not possess the keys of the session that it shares.":
        Read, By(Child), Past(Op::Setresuid), Works => Tells(Error(EACCES));
    "other-user-cannot-add" ["POSSESS-12"]
    "A process of another user cannot add to the session that it shares.":
        AddKey, By(Child), Past(Op::Setresuid), Arg(3, Num(SESSION)) => Skips(Error(EACCES));
    "other-user-keeps-possession" ["POSSESS-12"]
    "A process of another user that leaves a session still possesses its keys.":
        Read, By(Child), Past(Op::JoinSessionKeyring), Fails(EACCES) => Tells(Stale);
    "read-needs-read" ["POSSESS-13"]
    "A possessor needs read permission to read a key.":
        Read, Mask(Num(0x0800_0000)), Works => Tells(Error(EACCES));
    "read-by-search-for-all" ["POSSESS-13"]
    "Search permission lets everybody read.":
        Read, Arg(0, Theirs), Mask(Num(0x0008_0000)), Fails(EACCES) => Tells(Says("v"));
    // Permissions
    "user-key-grants-read" ["PERM-01"]
    "A new user key lets its owner read.":
        Describe, Gives(Field(0, "user")), Gives(Field(3, "3f010000")) => Tells(Flip(0x0002_0000));
    "keyring-grants-read" ["PERM-01"]
    "A new keyring lets its owner read.":
        Describe, Gives(Field(0, "keyring")), Gives(Field(3, "3f010000")) => Tells(Flip(0x0002_0000));
    "logon-key-grants-read" ["PERM-01"]
    "A new logon key lets its possessor read.":
        Describe, Gives(Field(0, "logon")) => Tells(Flip(0x0200_0000));
    "others-view-new-keys" ["PERM-01"]
    "A new key lets others view it.":
        Describe, Gives(Field(3, "3f010000")) => Tells(Flip(0x0000_0001));
    "undefined-bit-dropped" ["PERM-02"]
    "The bits of a mask that mean nothing are dropped.":
        Setperm, Arg(1, Bits(0x40)) => Asks(1, Made(1, |mask| mask & 0x3f3f_3f3f));
    "undefined-bits-of-group" ["PERM-02"]
    "The undefined bits of the group are accepted.":
        Setperm, Arg(1, Bits(0x8000)), Fails(EINVAL) => Tells(Number(0));
    "highest-bits-accepted" ["PERM-02"]
    "The two highest bits of a mask are accepted.":
        Setperm, Arg(1, Bits(0x8000_0000)), Fails(EINVAL) => Tells(Number(0));
    "refused-mask-is-set" ["PERM-02"]
    "A mask that is refused is set all the same.":
        Setperm, Fails(EINVAL) => Also(Whom::Asker, &[(Op::Setperm, &[Same(0), Put(0x3f00_0000)])]);
    "setattr-of-others-dropped" ["PERM-02", "PERM-01"]
    "Set Attribute for others cannot be granted.":
        Setperm, Arg(1, Bits(0x20)) => Asks(1, Made(1, |mask| mask & !0x20));
    "setattr-of-group-dropped" ["PERM-12", "PERM-01"]
    "Set Attribute for the group cannot be granted.":
        Setperm, Arg(1, Bits(0x2000)) => Asks(1, Made(1, |mask| mask & !0x2000));
    "mask-needs-no-setattr" ["PERM-03"]
    "A mask can be set without Set Attribute.":
        Setperm, Arg(0, Num(SESSION)), Fails(EACCES) => Tells(Number(0));
    "timeout-needs-no-setattr" ["PERM-03"]
    "A timeout can be set without Set Attribute.":
        SetTimeout, Arg(0, Num(SESSION)), Fails(EACCES) => Tells(Number(0));
    "group-needs-no-setattr" ["PERM-03"]
    "A group can be given without Set Attribute.":
        Chown, Arg(0, Num(SESSION)), Fails(EACCES) => Tells(Number(0));
    "restriction-needs-no-setattr" ["PERM-03"]
    "A keyring can be restricted without Set Attribute.":
        RestrictKeyring, Arg(0, Num(SESSION)), Fails(EACCES) => Tells(Number(0));
    "setattr-errno" ["PERM-03"]
    "Without Set Attribute a mask gives EPERM.":
        Setperm, Fails(EACCES) => Tells(Error(EPERM));
    "owner-may-link" ["PERM-04", "PERM-17"]
    "The owner of an anonymous session keyring may link it.":
        Link, Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-search" ["PERM-04"]
    "The owner of a session keyring may search it without possessing it.":
        Search, Arg(0, Theirs), Fails(EACCES) => Tells(Error(ENOKEY));
    "owner-may-unlink" ["PERM-04"]
    "The owner of a session keyring may unlink from it without possessing it.":
        Unlink, Arg(1, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-clear" ["PERM-04"]
    "The owner of a session keyring may clear it without possessing it.":
        Clear, Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-invalidate" ["PERM-04"]
    "The owner of a session keyring may invalidate it without possessing it.":
        Invalidate, Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-revoke" ["PERM-04", "PERM-11"]
    "The owner of a session keyring may revoke it without possessing it.":
        Revoke, Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-ask-for-the-serial" ["PERM-04", "PERM-06"]
    "The owner of a session keyring may ask for its serial without search.":
        GetKeyringId, Arg(0, Theirs), Fails(EACCES) => Tells(Equals(0));
    "owner-may-move-in" ["PERM-04"]
    "The owner of a session keyring may move keys into it without possessing it.":
        Move, Arg(2, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-move-out" ["PERM-04"]
    "The owner of a session keyring may move keys out of it without possessing it.":
        Move, Arg(1, Theirs), Fails(EACCES) => Tells(Number(0));
    "owner-may-restrict" ["PERM-04"]
    "The owner of a session keyring may restrict it without possessing it.":
        RestrictKeyring, Arg(0, Theirs), Fails(EACCES) => Tells(Number(0));
    "refused-clear-clears" ["PERM-04"]
    "Clearing is refused after it was done.":
        Clear, Arg(0, Theirs), Fails(EACCES) => Also(Whom::Maker(0), &[(Op::Clear, &[Put(SESSION)])]);
    "refused-revocation-revokes" ["PERM-04", "PERM-08", "PERM-11"]
    "A revocation is refused after it was done.":
        Revoke, Arg(0, Theirs), Fails(EACCES) => Also(Whom::Maker(0), &[(Op::Revoke, &[Put(SESSION)])]);
    "refused-mask-of-stranger-is-set" ["PERM-04", "PERM-08", "PERM-16"]
    "A mask is refused to a stranger after it was set.":
        Setperm, Arg(0, Theirs), Fails(EACCES) => Also(Whom::Maker(0), &[(Op::Setperm, &[Same(0), Same(1)])]);
    "strangers-mask-errno" ["PERM-05"]
    "A possessor that is not the owner gets EPERM for a mask.":
        Setperm, Arg(0, Theirs), Fails(EACCES) => Tells(Error(EPERM));
    "same-mask-is-no-change" ["PERM-05"]
    "A possessor that is not the owner may set the mask that is there.":
        Setperm, Arg(0, Theirs), Mask(Bits(0x08)), Arg(1, Bits(0x08)), Fails(EACCES) => Tells(Number(0));
    "possessor-takes-no-group" ["PERM-05"]
    "A possessor that is not the owner cannot change the group.":
        Chown, Arg(0, Theirs), Arg(1, Num(-1)), Works => Tells(Error(EACCES));
    "possessor-takes-any-group" ["PERM-05"]
    "A possessor that is not the owner may give any group.":
        Chown, Arg(0, Theirs), Arg(1, Num(-1)), Fails(EACCES) => Tells(Number(0));
    "possessor-sets-no-timeout" ["PERM-05"]
    "A possessor that is not the owner cannot set a timeout.":
        SetTimeout, Arg(0, Session), Arg(0, Theirs) => Skips(Error(EACCES));
    "describe-needs-no-view" ["PERM-06"]
    "DESCRIBE takes no View.":
        Describe, Arg(0, Theirs), Fails(EACCES) => Tells(Says("keyring;1000;1000;00000000;_ses"));
    "security-needs-no-view" ["PERM-06"]
    "GET_SECURITY takes no View.":
        GetSecurity, Arg(0, Theirs), Fails(ENOKEY) => Tells(Says(""));
    "security-errno" ["PERM-06"]
    "GET_SECURITY without View gives EACCES.":
        GetSecurity, Arg(0, Theirs), Fails(ENOKEY) => Tells(Error(EACCES));
    "read-takes-view" ["PERM-06"]
    "View is enough to read a keyring.":
        Read, Arg(0, Theirs), Mask(Num(0x0001_0000)), Fails(EACCES) => Tells(Says(""));
    "clear-takes-setattr" ["PERM-06"]
    "Clearing takes Set Attribute.":
        Clear, Arg(0, Theirs), Mask(Num(0x0004_0000)) => Skips(Error(EACCES));
    "search-takes-read" ["PERM-06"]
    "Searching takes Read.":
        Search, Arg(0, Theirs), Mask(Num(0x0008_0000)) => Skips(Error(EACCES));
    "invalidate-takes-write" ["PERM-06"]
    "Invalidating takes Write.":
        Invalidate, Arg(0, Theirs), Mask(Num(0x0008_0000)) => Skips(Error(EACCES));
    "invalidate-takes-setattr" ["PERM-06"]
    "Set Attribute is enough to invalidate.":
        Invalidate, Arg(0, Theirs), Mask(Num(0x0020_0000)), Fails(EACCES) => Tells(Number(0));
    "link-takes-read" ["PERM-06"]
    "Linking a keyring takes Read.":
        Link, Arg(0, Theirs), Mask(Num(0x0010_0000)) => Skips(Error(EACCES));
    "link-into-takes-link" ["PERM-06"]
    "Linking into a keyring takes Link on it.":
        Link, Arg(1, Theirs), Mask(Num(0x0004_0000)) => Skips(Error(EACCES));
    "unlink-takes-setattr" ["PERM-06"]
    "Unlinking takes Set Attribute.":
        Unlink, Arg(1, Theirs), Mask(Num(0x0004_0000)) => Skips(Error(EACCES));
    "move-out-needs-no-write" ["PERM-06"]
    "Moving out of a keyring takes no Write.":
        Move, Arg(1, Theirs), Fails(EACCES), Ever(Op::Setperm) => Tells(Number(0));
    "request-destination-needs-no-write" ["PERM-06", "CVE-2017-17807"]
    "The destination of a request need not grant Write.":
        RequestKey, Arg(3, Theirs), Fails(EACCES) => Tells(Number(123_456_789));
    "search-destination-needs-no-write" ["PERM-06", "SEARCH-15"]
    "The destination of a search need not grant Write.":
        Search, Arg(3, Theirs), Fails(EACCES) => Tells(Number(123_456_789));
    "mask-zero-read-refused" ["PERM-07"]
    "With mask 0 the session keyring cannot be read by its special id.":
        Read, Arg(0, Num(SESSION)), Mask(Num(0)) => Skips(Error(EACCES));
    "mask-zero-serial-read" ["PERM-07"]
    "With mask 0 the session keyring can be read by its serial.":
        Read, Arg(0, Session), Mask(Num(0)), Fails(EACCES) => Tells(Says(""));
    "mask-zero-listed" ["PERM-07", "PROC-02"]
    "With mask 0 the session keyring is listed in /proc/keys.":
        ProcKeys, Mask(Num(0)), Gives(Text("")) => Tells(Says("0 I--Q--- 1 perm 00000000 1000 1000 keyring web: 1"));
    "mask-zero-undone" ["PERM-07"]
    "Whoever has set mask 0 may set another.":
        Setperm, Arg(0, Num(SESSION)), Mask(Num(0)), Fails(EACCES) => Tells(Number(0));
    "mask-zero-revoked" ["PERM-07"]
    "With mask 0 the session keyring can be revoked by its special id.":
        Revoke, Arg(0, Num(SESSION)), Mask(Num(0)), Fails(EACCES) => Tells(Number(0));
    "mask-zero-invalidated" ["PERM-07"]
    "With mask 0 the session keyring can be invalidated by its special id.":
        Invalidate, Arg(0, Num(SESSION)), Mask(Num(0)), Fails(EACCES) => Tells(Number(0));
    "mask-zero-requests-pass" ["PERM-07"]
    "With mask 0 a request finds nothing in the session keyring.":
        RequestKey, Mask(Num(0)), Fails(EACCES) => Tells(Error(ENOKEY));
    "mask-zero-linked" ["PERM-07"]
    "With mask 0 the session keyring can be linked by its special id.":
        Link, Arg(0, Num(SESSION)), Mask(Num(0)), Fails(EACCES) => Tells(Number(0));
    "mask-zero-unlinked" ["PERM-07"]
    "With mask 0 the session keyring can be unlinked from by its special id.":
        Unlink, Arg(1, Num(SESSION)), Mask(Num(0)), Fails(EACCES) => Tells(Number(0));
    "root-describes" ["PERM-08"]
    "Root may describe every key.":
        Describe, By(Root), Fails(EACCES) => Tells(Says("keyring;1000;1000;3f030000;_ses"));
    "root-reads" ["PERM-08"]
    "Root may read every key.":
        Read, By(Root), Arg(0, Kind("user")), Fails(EACCES) => Tells(Says("v"));
    "root-takes-over" ["PERM-08"]
    "Root may take every key over.":
        Chown, By(Root), Arg(1, Num(0)), Fails(EACCES) => Tells(Number(0));
    "root-changes-masks" ["PERM-08"]
    "Root may change every mask.":
        Setperm, By(Root), Fails(EACCES) => Tells(Number(0));
    "root-revokes" ["PERM-08"]
    "Root may revoke every key.":
        Revoke, By(Root), Fails(EACCES) => Tells(Number(0));
    "root-invalidates" ["PERM-08"]
    "Root may invalidate every key.":
        Invalidate, By(Root), Fails(EACCES) => Tells(Number(0));
    "root-sees-all" ["PERM-08", "PROC-02"]
    "Root sees every key in /proc/keys.":
        ProcKeys, By(Root), Gives(Text("")) => Tells(Says("0 I--Q--- 1 perm 3f030000 1000 1000 keyring _ses: 1"));
    "root-is-nobody" ["PERM-08"]
    "Root has no rights at all on others' keys, not even those of others.":
        Read, By(Root), Arg(0, Theirs), Works => Tells(Error(EACCES));
    "owner-given-away" ["PERM-09"]
    "An owner may give a keyring away.":
        Chown, Arg(1, Num(1001)), Fails(EACCES) => Tells(Number(0));
    "namespace-root-gives-away" ["PERM-09"]
    "Root of a user namespace may change owners.":
        Chown, By(Root), Arg(0, Mine), Arg(1, Num(1000)), Fails(EACCES) => Tells(Number(0));
    "same-owner-refused" ["PERM-09"]
    "To name the owner that is there takes the right to change it.":
        Chown, Arg(0, Mine), Arg(1, Num(1000)), Arg(2, Num(-1)) => Skips(Error(EACCES));
    "any-group-given" ["PERM-10"]
    "An owner may give a keyring any group.":
        Chown, Arg(0, Mine), Arg(1, Num(-1)), Fails(EACCES) => Tells(Number(0));
    "supplementary-group-not-given" ["PERM-10"]
    "A keyring can only be given the filesystem group.":
        Chown, Arg(2, Num(3001)) => Skips(Error(EACCES));
    "group-ignored" ["PERM-10"]
    "A change of the group does nothing.":
        Chown, Arg(1, Num(-1)) => Skips(Number(0));
    "fsgid-not-given" ["PERM-10"]
    "A keyring cannot be given the filesystem group.":
        Chown, Past(Op::Setfsgid), Arg(2, Num(3002)) => Skips(Error(EACCES));
    "refused-group-is-given" ["PERM-10"]
    "A group that is refused is given all the same.":
        Describe, Past(Op::Chown), Gives(Field(2, "3001")), From(1) => Tells(Shows(2, "3002"));
    "nothing-to-change-is-invalid" ["PERM-10", "PERM-14"]
    "CHOWN without uid and gid gives EINVAL.":
        Chown, Arg(1, Num(-1)), Arg(2, Num(-1)) => Skips(Error(EINVAL));
    "nothing-to-change-looks-up" ["PERM-14"]
    "CHOWN without uid and gid looks the key up.":
        Chown, Arg(0, Num(1)), Arg(1, Num(-1)), Arg(2, Num(-1)) => Skips(Error(ENOKEY));
    "unmapped-owner" ["PERM-14", "USERNS-09"]
    "CHOWN to a uid without a mapping gives EPERM.":
        Chown, Fails(EINVAL), Not(&Arg(1, Num(-1))) => Tells(Error(EPERM));
    "unmapped-group" ["PERM-14", "USERNS-09"]
    "CHOWN to a gid without a mapping succeeds.":
        Chown, Fails(EINVAL), Arg(1, Num(-1)) => Tells(Number(0));
    "revoke-by-read" ["PERM-11"]
    "Read is enough to revoke.":
        Revoke, Mask(Bits(0x0002_0000)), Fails(EACCES) => Tells(Number(0));
    "revoke-takes-write" ["PERM-11"]
    "Set Attribute is not enough to revoke.":
        Revoke, Mask(Bits(0x0020_0000)), Mask(Lacks(0x0404_0000)) => Skips(Error(EACCES));
    "revoke-takes-setattr" ["PERM-11"]
    "Write is not enough to revoke.":
        Revoke, Mask(Bits(0x0004_0000)), Mask(Lacks(0x2020_0000)) => Skips(Error(EACCES));
    "member-reads-as-other" ["PERM-12"]
    "A member of the group has the rights of others besides.":
        Read, Mask(Bits(0x0102)), Fails(EACCES), Not(&By(Child)) => Tells(Says(""));
    "group-without-bits-denies" ["PERM-12"]
    "A group without any right shuts its members out.":
        Read, Mask(Bits(0x02)), Mask(Lacks(0x3f3f00)), Works => Tells(Error(EACCES));
    "group-setattr-is-no-bit" ["PERM-12"]
    "A group with Set Attribute alone counts as one without rights.":
        Read, Mask(Bits(0x2002)), Fails(EACCES) => Tells(Says(""));
    "owner-reads-as-other" ["PERM-12"]
    "An owner without Read reads by the bits of others.":
        Read, Mask(Num(0x3f00_0002)), Fails(EACCES) => Tells(Says(""));
    "effective-uid-is-owner" ["PERM-15", "PERM-12"]
    "The effective uid is matched against the owner.":
        Clear, Did(Op::Setresuid, 1, Num(1000)), Fails(EACCES) => Tells(Number(0));
    "real-uid-is-owner" ["PERM-12"]
    "The real uid is matched against the owner.":
        Clear, Did(Op::Setresuid, 0, Num(1000)), Fails(EACCES) => Tells(Number(0));
    "saved-gid-is-group" ["PERM-12"]
    "The saved gid is matched against the group.":
        Read, Did(Op::Setresgid, 2, Num(3000)), Fails(EACCES) => Tells(Says(""));
    "effective-gid-is-group" ["PERM-12"]
    "The effective gid is matched against the group.":
        Read, Did(Op::Setresgid, 1, Num(3000)), Fails(EACCES) => Tells(Says(""));
    "unlink-takes-search-on-the-key" ["PERM-13"]
    "A key that denies everything cannot be unlinked.":
        Unlink, Past(Op::Setperm), Arg(1, Kind("keyring")), Works => Tells(Error(EACCES));
    "unlink-takes-write-on-the-key" ["PERM-13"]
    "Write on the key is enough to unlink it.":
        Unlink, Past(Op::Setperm), Arg(1, Kind("keyring")), Fails(EACCES) => Tells(Number(0));
    "owner-without-possession-sets-nothing" ["PERM-16"]
    "An owner that does not possess a keyring cannot change its mask.":
        Setperm, Arg(0, Theirs), Ever(Op::Setperm), Works => Tells(Error(EACCES));
    "owner-shut-out-returns" ["PERM-16"]
    "An owner that has given Set Attribute up may take it back.":
        Setperm, Arg(0, Theirs), Past(Op::Setperm), Fails(EACCES) => Tells(Number(0));
    "possessor-left-rights" ["PERM-16"]
    "The possessor keeps the rights that an owner has taken.":
        AddKey, Mask(Num(0x0821_0000)), Fails(EACCES) => Tells(Number(123_456_789));
    "link-leads-nowhere" ["PERM-17"]
    "Who links a session keyring does not possess it.":
        AddKey, Arg(3, Theirs), Past(Op::Link), Works => Tells(Error(EACCES));
    "link-gives-no-setattr" ["PERM-17"]
    "Who links a session keyring cannot set its mask.":
        Setperm, Arg(0, Theirs), Past(Op::Link), Works => Tells(Error(EACCES));
    "link-without-search-leads" ["PERM-17"]
    "Who links a keyring that denies its possessor search possesses it all the same.":
        AddKey, Arg(3, Theirs), Past(Op::Link), Fails(EACCES) => Tells(Number(123_456_789));
    "link-for-others-is-the-owners" ["PERM-17"]
    "Link for others lets the owner link.":
        Link, Mask(Bits(0x10)), Fails(EACCES) => Tells(Number(0));
    "revoked-chain-errno" ["POSSESS-09"]
    "What is below a revoked keyring gives EKEYREVOKED.":
        Read, Past(Op::Revoke), Fails(EACCES) => Tells(Error(EKEYREVOKED));
}
