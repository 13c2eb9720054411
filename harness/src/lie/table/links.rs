//! Lies about searching, linking and reading, and about what is malformed.

use libc::{
    EACCES, EBADF, EDEADLK, EEXIST, EFAULT, EINVAL, EKEYEXPIRED, EKEYREVOKED, ELOOP, ENODEV, ENOENT, ENOKEY,
    ENOSYS, ENOTDIR, EOPNOTSUPP, EPERM,
};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Is::*, Then::*, Told::*, When::*, Whom};
use crate::ops::Op;

fn without_last(mut links: Vec<u8>) -> Vec<u8> {
    links.truncate(links.len().saturating_sub(4));
    links
}

fn with_one_more(mut links: Vec<u8>) -> Vec<u8> {
    links.extend([9, 0, 0, 0]);
    links
}

fn with_first_twice(mut links: Vec<u8>) -> Vec<u8> {
    let first: Vec<u8> = links.iter().take(4).copied().collect();
    links.extend(first);
    links
}

lies! {
    "search-by-prefix" ["SEARCH-01"]
    "A key is found by the beginning of its description.":
        RequestKey, Arg(1, Text("toke")) => Asks(1, PutText("token"));
    "search-cuts" ["SEARCH-01"]
    "A key is found by a longer description than its own.":
        RequestKey, Arg(1, Text("tokens")) => Asks(1, PutText("token"));
    "search-folds-case" ["SEARCH-01"]
    "Case is folded in searches.":
        RequestKey => Asks(1, Turned(1, |name| name.to_ascii_lowercase()));
    "search-trims" ["SEARCH-01"]
    "Space at the end of a description is dropped in searches.":
        RequestKey => Asks(1, Turned(1, |name| name.trim_ascii_end().to_vec()));
    "search-takes-any-type" ["SEARCH-01"]
    "A request finds keys of any type.":
        RequestKey, Arg(0, Text("keyring")), Arg(2, Null), Arg(1, Text("token")) => Asks(0, PutText("user"));
    "unknown-type-is-an-error" ["SEARCH-01", "SEARCH-17"]
    "A request for an unknown type gives ENODEV.":
        RequestKey, Arg(0, Text("nonesuch")) => Skips(Error(ENODEV));
    "process-before-thread" ["SEARCH-02"]
    "The process keyring is searched before the thread keyring.":
        RequestKey, Arg(2, Null), Did(Op::AddKey, 3, Num(-1)), Not(&Past(Op::Unlink)), Works => Tells(LastGiven);
    "session-first" ["SEARCH-02"]
    "The session keyring is searched before the process keyring.":
        RequestKey, Did(Op::AddKey, 3, Num(-2)), Not(&Did(Op::AddKey, 3, Num(-1))), Works => Tells(LastGiven);
    "nested-first" ["SEARCH-03"]
    "Nested keyrings are searched before direct links.":
        RequestKey, From(1), Works => Tells(LastGiven);
    "search-nested-first" ["SEARCH-03"]
    "SEARCH looks into nested keyrings before direct links.":
        Search, Arg(0, Num(SESSION)), From(1), Works => Tells(LastGiven);
    "user-keyring-always-searched" ["SEARCH-04"]
    "SEARCH in the session keyring looks into the user keyring as well.":
        Search, Arg(0, Num(SESSION)), Fails(ENOKEY), Did(Op::AddKey, 3, Num(-4)) => Tells(Number(123_456_789));
    "linked-user-keyring-not-searched" ["SEARCH-04"]
    "The user keyring is not searched when the session keyring links it.":
        RequestKey, Past(Op::Link), Did(Op::AddKey, 3, Num(-4)), Works => Tells(Error(ENOKEY));
    "closed-keyring-ends-the-search" ["SEARCH-06"]
    "A nested keyring that denies search ends a search with EACCES.":
        RequestKey, Past(Op::Setperm), Fails(ENOKEY) => Tells(Error(EACCES));
    "closed-keyring-is-searched" ["SEARCH-06"]
    "A nested keyring that denies search is searched.":
        RequestKey, Past(Op::Setperm), Fails(ENOKEY) => Tells(Stale);
    "closed-keyring-hides-others" ["SEARCH-06"]
    "What lies behind a nested keyring that denies search is not found.":
        RequestKey, Past(Op::Setperm), Works => Tells(Error(ENOKEY));
    "denied-match-is-missing" ["SEARCH-07"]
    "A match that denies search counts as none.":
        RequestKey, Fails(EACCES), Arg(3, Num(0)) => Tells(Error(ENOKEY));
    "denied-match-is-missing-to-search" ["SEARCH-07"]
    "A match that denies search counts as none for SEARCH.":
        Search, Fails(EACCES), Arg(0, Num(SESSION)) => Tells(Error(ENOKEY));
    "denied-match-is-found" ["SEARCH-07"]
    "A match that denies search is found.":
        RequestKey, Fails(EACCES), Arg(3, Num(0)) => Tells(Number(123_456_789));
    "revoked-match-is-missing" ["SEARCH-08"]
    "A revoked match counts as none.":
        RequestKey, Fails(EKEYREVOKED), Arg(3, Num(0)) => Tells(Error(ENOKEY));
    "revoked-match-is-missing-to-search" ["SEARCH-08"]
    "A revoked match counts as none for SEARCH.":
        Search, Fails(EKEYREVOKED) => Tells(Error(ENOKEY));
    "revoked-match-is-found" ["SEARCH-08"]
    "A revoked match is found.":
        RequestKey, Fails(EKEYREVOKED) => Tells(Stale);
    "expired-match-is-told" ["SEARCH-09"]
    "A sole match that is expired gives EKEYEXPIRED to request_key.":
        RequestKey, Past(Op::SetTimeout), Fails(ENOKEY) => Tells(Error(EKEYEXPIRED));
    "expired-match-is-missing-to-search" ["SEARCH-09"]
    "A match that is expired counts as none for SEARCH.":
        Search, Fails(EKEYEXPIRED) => Tells(Error(ENOKEY));
    "expired-key-is-unlinked" ["SEARCH-09"]
    "A search unlinks what is expired.":
        RequestKey, Past(Op::SetTimeout), Fails(ENOKEY) => Also(Whom::Asker, &[(Op::Clear, &[Put(SESSION)])]);
    "invalidated-key-found" ["SEARCH-10"]
    "An invalidated key is still found.":
        RequestKey, Past(Op::Invalidate) => Tells(Stale);
    "invalidated-link-stays" ["SEARCH-10"]
    "An invalidated key keeps its link.":
        Read, Arg(0, Num(SESSION)), Past(Op::Invalidate), Works => Tells(Becomes(with_one_more));
    "invalidated-name-stays-taken" ["SEARCH-10"]
    "The description of an invalidated key is not free.":
        AddKey, Past(Op::Invalidate), Works => Tells(LastGiven);
    "unusable-hides" ["SEARCH-11"]
    "An unusable match in the thread keyring hides a good one in the session keyring.":
        RequestKey, Past(Op::Revoke), Works => Tells(Error(EKEYREVOKED));
    "denied-hides" ["SEARCH-11"]
    "A match in the thread keyring that denies search hides a good one in the session keyring.":
        RequestKey, Past(Op::Setperm), Did(Op::AddKey, 3, Num(-1)), Works => Tells(Error(EACCES));
    "session-finds-not-itself" ["SEARCH-12"]
    "The session keyring itself is never the result of a request.":
        RequestKey, Arg(0, Text("keyring")), Gives(Session) => Tells(Error(ENOKEY));
    "session-finds-what-is-below" ["SEARCH-12"]
    "A keyring below the session keyring is found before the session keyring itself.":
        RequestKey, Arg(0, Text("keyring")), Gives(Session), Past(Op::AddKey) => Tells(Plus(1));
    "search-finds-not-itself" ["SEARCH-12"]
    "SEARCH in a keyring never finds that keyring.":
        Search, Gives(Session) => Tells(Error(ENOKEY));
    "missing-keyring-constructed" ["SEARCH-13", "CVE-2015-7872"]
    "A missing keyring is constructed.":
        RequestKey, Arg(0, Text("keyring")), Fails(EPERM) => Tells(Number(123_456_789));
    "missing-keyring-is-missing" ["SEARCH-13"]
    "A missing keyring gives ENOKEY whether or not there is callout data.":
        RequestKey, Arg(0, Text("keyring")), Fails(EPERM) => Tells(Error(ENOKEY));
    "keyring-with-callout-refused" ["SEARCH-13", "ERR-04"]
    "A request for a keyring with callout data gives EPERM though it is there.":
        RequestKey, Arg(0, Text("keyring")), Not(&Arg(2, Null)) => Skips(Error(EPERM));
    "found-key-needs-no-link" ["SEARCH-14"]
    "What is found is linked though it denies Link.":
        RequestKey, Arg(3, Serial), Fails(EACCES), Mask(Lacks(0x1010_0000)) => Tells(Number(123_456_789));
    "search-needs-no-link" ["SEARCH-14"]
    "What SEARCH finds is linked though it denies Link.":
        Search, Arg(3, Serial), Fails(EACCES), Mask(Lacks(0x1010_0000)) => Tells(Number(123_456_789));
    "search-always-links" ["SEARCH-14"]
    "A search without a destination takes the thread keyring for one.":
        Search, Arg(3, Num(0)) => Asks(3, Put(-1));
    "search-makes-no-link" ["SEARCH-14"]
    "SEARCH makes no link in its destination.":
        Search, Arg(3, Serial), Works => Also(Whom::Asker, &[(Op::Unlink, &[Result, Same(3)])]);
    "refused-search-links" ["SEARCH-14", "SEARCH-15"]
    "A search that is refused has linked what it found.":
        Search, Arg(3, Serial), Fails(EACCES) => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("left"), PutText("x"), Same(3)])]);
    "key-as-destination" ["SEARCH-15"]
    "A key that is no keyring as destination is ignored.":
        RequestKey, Fails(ENOTDIR) => Tells(Number(123_456_789));
    "key-as-search-destination" ["SEARCH-15"]
    "A key that is no keyring as destination of SEARCH gives EINVAL.":
        Search, Arg(0, Num(SESSION)), Fails(ENOTDIR) => Tells(Error(EINVAL));
    "key-searched" ["SEARCH-15"]
    "A search in a key that is no keyring finds nothing.":
        Search, Arg(0, Kind("user")), Fails(ENOTDIR) => Tells(Error(ENOKEY));
    "closed-keyring-asked" ["SEARCH-15"]
    "A search in a keyring that denies search finds nothing.":
        Search, Arg(0, Kind("keyring")), Fails(EACCES) => Tells(Error(ENOKEY));
    "revoked-session-ends-the-search" ["SEARCH-16"]
    "With a revoked session keyring every request gives EKEYREVOKED.":
        RequestKey, Past(Op::Revoke), Fails(ENOKEY) => Tells(Error(EKEYREVOKED));
    "revoked-session-hides-all" ["SEARCH-16"]
    "With a revoked session keyring nothing is found in the thread keyring either.":
        RequestKey, Past(Op::Revoke), Works => Tells(Error(EKEYREVOKED));
    "dotted-type-is-missing" ["SEARCH-17", "CVE-2017-6951"]
    "A request for a type with a period in front gives ENOKEY.":
        RequestKey, Arg(0, Starts(".")) => Skips(Error(ENOKEY));
    "dotted-type-searched" ["SEARCH-17"]
    "SEARCH for a type with a period in front gives ENOKEY.":
        Search, Arg(1, Starts(".")) => Skips(Error(ENOKEY));
    "dot-in-type-refused" ["SEARCH-17"]
    "A type with a period anywhere is refused.":
        Search, Arg(1, Has(".")) => Skips(Error(EPERM));
    "empty-description-refused" ["SEARCH-17", "CVE-2017-2647"]
    "A request for an empty description gives EINVAL.":
        RequestKey, Arg(1, Text("")) => Skips(Error(EINVAL));
    "empty-description-matches" ["SEARCH-17", "CVE-2017-2647"]
    "An empty description matches all keys of the type.":
        Search, Arg(2, Text("")) => Asks(2, PutText("k"));
    "revoked-match-outranks" ["SEARCH-19"]
    "A revoked match is told though another keyring of the process lacks the key.":
        RequestKey, Past(Op::Revoke), Past(Op::GetKeyringId), Fails(ENOKEY) => Tells(Error(EKEYREVOKED));
    // Links
    "user-keyring-cannot-be-linked" ["LINK-01"]
    "The user keyring cannot be linked.":
        Link, Arg(0, Num(-4)), Arg(1, Num(SESSION)) => Skips(Error(EACCES));
    "linked-twice" ["LINK-01"]
    "A key that is linked twice has two links.":
        Unlink, Arg(0, Num(-4)), Fails(ENOENT) => Tells(Number(0));
    "linked-again-refused" ["LINK-01"]
    "A key that is linked already cannot be linked again.":
        Link, Did(Op::Link, 0, Num(-4)), Arg(1, Num(SESSION)) => Skips(Error(EEXIST));
    "cycle-of-one" ["LINK-02"]
    "A keyring may be linked into itself.":
        Link, Arg(0, Num(SESSION)), Arg(1, Num(SESSION)) => Skips(Number(0));
    "cycle-of-two" ["LINK-02"]
    "A keyring may be linked into one below it.":
        Link, Arg(0, Session), Fails(EDEADLK) => Tells(Number(0));
    "cycle-by-user-keyring" ["LINK-02"]
    "The session keyring may be linked into the user keyring that it links.":
        Link, Arg(1, Num(-4)), Fails(EDEADLK) => Tells(Number(0));
    "cycle-errno" ["LINK-02"]
    "A cycle of keyrings gives ELOOP.":
        Link, Fails(EDEADLK) => Tells(Error(ELOOP));
    "two-ways-are-a-cycle" ["LINK-02"]
    "A keyring to which two ways lead counts as a cycle.":
        Link, Arg(0, Kind("keyring")), Arg(1, Num(SESSION)), Works => Tells(Error(EDEADLK));
    "refused-cycle-is-linked" ["LINK-02"]
    "A link that closes a cycle is refused and another made.":
        Link, Fails(EDEADLK), Arg(1, Kind("keyring")) => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("left"), PutText("x"), Same(1)])]);
    "namesake-refuses-the-link" ["LINK-04"]
    "A namesake refuses a link.":
        Link, Arg(1, Num(SESSION)), Past(Op::AddKey), From(1), Works => Tells(Error(EEXIST));
    "namesake-stays" ["LINK-04"]
    "A link does not displace one to a namesake.":
        Read, Arg(0, Num(SESSION)), Past(Op::Link), Works => Tells(Becomes(with_one_more));
    "displaced-key-lives" ["LINK-04"]
    "A key that was displaced is not destroyed.":
        Describe, Past(Op::Link), Fails(ENOKEY) => Tells(Error(EACCES));
    "displaced-key-dies-everywhere" ["LINK-04"]
    "A key that was displaced in one keyring is destroyed though another links it.":
        Read, Arg(0, Kind("user")), Past(Op::Link), Works => Tells(Error(ENOKEY));
    "unlink-of-nothing" ["LINK-05"]
    "Unlinking what is not linked succeeds.":
        Unlink, Fails(ENOENT) => Tells(Number(0));
    "unlink-goes-deeper" ["LINK-05"]
    "UNLINK removes links from nested keyrings as well.":
        Unlink, Arg(1, Num(SESSION)), Fails(ENOENT) => Also(Whom::Asker, &[(Op::Clear, &[Put(SESSION)])]);
    "unlink-errno" ["LINK-05"]
    "Unlinking what is not linked gives ENOKEY.":
        Unlink, Fails(ENOENT) => Tells(Error(ENOKEY));
    "unlink-takes-all" ["LINK-05", "PERM-13"]
    "UNLINK removes all links of the keyring.":
        Unlink, Works, Arg(1, Serial) => Also(Whom::Asker, &[(Op::Clear, &[Same(1)])]);
    "key-takes-links" ["LINK-05"]
    "A link into a key that is no keyring goes nowhere.":
        Link, Fails(ENOTDIR) => Tells(Number(0));
    "key-cleared" ["LINK-05"]
    "A key that is no keyring can be cleared.":
        Clear, Fails(ENOTDIR) => Tells(Number(0));
    "key-restricted" ["LINK-05"]
    "A key that is no keyring is restricted with EINVAL.":
        RestrictKeyring, Fails(ENOTDIR) => Tells(Error(EINVAL));
    "key-added-to" ["LINK-05"]
    "A key that is no keyring is added to with EINVAL.":
        AddKey, Fails(ENOTDIR) => Tells(Error(EINVAL));
    "key-moved-from" ["LINK-05"]
    "Nothing is linked in a key that is no keyring.":
        Move, Arg(1, Kind("user")), Fails(ENOTDIR) => Tells(Error(ENOENT));
    "key-unlinked-from" ["LINK-05"]
    "Unlinking from a key that is no keyring gives ENOENT.":
        Unlink, Fails(ENOTDIR) => Tells(Error(ENOENT));
    "revoked-key-linked" ["LINK-06"]
    "A revoked key can be linked.":
        Link, Fails(EKEYREVOKED) => Tells(Number(0));
    "invalidated-key-linked" ["LINK-06"]
    "An invalidated key can be linked.":
        Link, Past(Op::Invalidate), Fails(ENOKEY) => Tells(Number(0));
    "restricted-takes-keys-of-children" ["LINK-07"]
    "A restriction holds only for the process that has made it.":
        AddKey, Ever(Op::RestrictKeyring), Not(&Past(Op::RestrictKeyring)), Fails(EPERM) => Tells(Number(123_456_789));
    "restricted-takes-links" ["LINK-07"]
    "A restricted keyring takes links.":
        Link, Past(Op::RestrictKeyring), Fails(EPERM) => Tells(Number(0));
    "restricted-takes-moves" ["LINK-07"]
    "A restricted keyring takes links that are moved.":
        Move, Past(Op::RestrictKeyring), Fails(EPERM) => Tells(Number(0));
    "restricted-takes-what-is-found" ["LINK-07"]
    "A restricted keyring takes what a request finds.":
        RequestKey, Past(Op::RestrictKeyring), Fails(EPERM) => Tells(Number(123_456_789));
    "restricted-errno" ["LINK-07"]
    "A restricted keyring refuses with EACCES.":
        AddKey, Past(Op::RestrictKeyring), Fails(EPERM) => Tells(Error(EACCES));
    "restricted-twice" ["LINK-07"]
    "A keyring can be restricted twice.":
        RestrictKeyring, Fails(EEXIST) => Tells(Number(0));
    "restriction-is-inherited" ["LINK-07"]
    "A session keyring that replaces a restricted one is restricted too.":
        JoinSessionKeyring, Past(Op::RestrictKeyring), Works => Also(Whom::Asker, &[(Op::RestrictKeyring, &[Put(SESSION), PutNull, PutNull])]);
    "restricted-updates" ["LINK-07"]
    "A restricted keyring lets add_key update what is there.":
        AddKey, Past(Op::RestrictKeyring), Arg(1, Text("k")), Fails(EPERM) => Tells(LastGiven);
    "restricted-refuses-updates" ["LINK-07"]
    "What a restricted keyring links cannot be updated by its id.":
        Update, Past(Op::RestrictKeyring) => Skips(Error(EPERM));
    "restricted-keeps-its-links" ["LINK-07"]
    "A restricted keyring does not let go of links.":
        Unlink, Past(Op::RestrictKeyring) => Skips(Error(EPERM));
    "move-copies" ["LINK-08"]
    "A move leaves the old link in place.":
        Move, Works => Also(Whom::Asker, &[(Op::Link, &[Same(0), Same(1)])]);
    "move-loses" ["LINK-08"]
    "A move removes the old link and makes no new one.":
        Move, Works => Also(Whom::Asker, &[(Op::Unlink, &[Same(0), Same(2)])]);
    "exclusive-move-displaces" ["LINK-08"]
    "A move displaces a namesake though it is to be exclusive.":
        Move, Arg(3, Num(1)) => Asks(3, Put(0));
    "move-is-always-exclusive" ["LINK-08"]
    "A move never displaces a namesake.":
        Move, Arg(3, Num(0)) => Asks(3, Put(1));
    "move-of-nothing" ["LINK-08"]
    "A move of what is not linked makes a link.":
        Move, Fails(ENOENT) => Tells(Number(0));
    "move-takes-unknown-flags" ["LINK-08"]
    "A move ignores flags that it does not know.":
        Move, Fails(EINVAL) => Tells(Number(0));
    "move-onto-itself-refused" ["LINK-08"]
    "A move from a keyring to itself gives EEXIST if it is to be exclusive.":
        Move, Arg(3, Num(1)), Arg(1, Num(SESSION)), Arg(2, Num(SESSION)) => Skips(Error(EEXIST));
    "move-needs-no-link" ["LINK-08"]
    "A move takes no Link on the key.":
        Move, Fails(EACCES), Mask(Num(0x2f00_0000)) => Tells(Number(0));
    "read-misses-one" ["LINK-09"]
    "READ misses the last link.":
        Read, Works, Arg(0, Num(SESSION)) => Tells(Becomes(without_last));
    "read-shows-one-twice" ["LINK-09"]
    "READ shows the first link twice.":
        Read, Works, Arg(0, Num(SESSION)) => Tells(Becomes(with_first_twice));
    "read-gives-what-fits" ["LINK-09"]
    "READ gives the size that fits into the buffer.":
        Read, Gives(Num(12)) => Tells(Number(8));
    "short-read-copies" ["LINK-09"]
    "READ copies what fits into a short buffer.":
        BytesWritten, Past(Op::Read), Gives(Num(0)) => Tells(Number(4));
    "odd-size-rounded" ["LINK-09"]
    "READ rounds an odd size down.":
        Read, Fails(EINVAL) => Tells(Number(8));
    "read-writes-past" ["CVE-KEYRING-READ", "LINK-09"]
    "READ fills the whole buffer.":
        BytesWritten, Past(Op::Read), Gives(Num(12)) => Tells(Number(64));
    "deep-trees-linked" ["LINK-10"]
    "A keyring tree of any depth can be linked.":
        Link, Fails(ELOOP) => Tells(Number(0));
    "shallow-trees-refused" ["LINK-10"]
    "A tree of seven nested keyrings cannot be linked.":
        Link, Arg(0, Kind("keyring")), Arg(1, Kind("keyring")), Works => Tells(Error(ELOOP));
    "persistent-mask" ["LINK-11"]
    "Persistent keyrings grant their possessor Set Attribute.":
        Describe, Gives(Field(3, "1f030000")) => Tells(Flip(0x2000_0000));
    "persistent-of-the-session" ["LINK-11"]
    "Each session has a persistent keyring of its own.":
        GetPersistent, Ever(Op::GetPersistent), Not(&Past(Op::GetPersistent)) => Tells(Plus(1));
    "persistent-of-others" ["LINK-11"]
    "Every user may have every other user's persistent keyring.":
        GetPersistent, Fails(EPERM) => Tells(LastGiven);
    "persistent-makes-no-link" ["LINK-11"]
    "GET_PERSISTENT makes no link.":
        GetPersistent, Works => Also(Whom::Asker, &[(Op::Unlink, &[Result, Same(1)])]);
    "persistent-goes-with-its-links" ["LINK-11"]
    "A persistent keyring goes with its last link.":
        GetPersistent, Past(Op::Unlink), Works => Also(Whom::Asker, &[(Op::Clear, &[Result])]);
    "added-again-is-another" ["LINK-12"]
    "add_key of a key that is there makes another.":
        AddKey, Arg(0, Text("user")), From(1), Works => Tells(Plus(1));
    "added-again-changes-nothing" ["LINK-12"]
    "add_key of a key that is there leaves its payload.":
        Read, Gives(Text("new")) => Tells(Says("old"));
    "keyring-added-again-is-the-same" ["LINK-12"]
    "add_key of a keyring that is there gives that.":
        AddKey, Arg(0, Text("keyring")), From(1), Works => Tells(LastGiven);
    "keyring-added-again-keeps-its-keys" ["LINK-12"]
    "A keyring that replaces another takes its keys over.":
        AddKey, Arg(0, Text("keyring")), Works => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("inside"), PutText("x"), Result])]);
    "link-takes-the-keyring-first" ["LINK-13"]
    "LINK takes the keyring as its first argument as well.":
        Keyctl, Arg(0, Num(8)), Fails(ENOTDIR) => Tells(Number(0));
    "unlink-of-swapped-arguments" ["LINK-13"]
    "UNLINK with keyring and key swapped gives ENOENT.":
        Keyctl, Arg(0, Num(9)), Fails(ENOTDIR) => Tells(Error(ENOENT));
    "persistent-unlinked-is-closed" ["LINK-14"]
    "The owner of a persistent keyring cannot read it without a link to it.":
        Read, Past(Op::GetPersistent), Past(Op::Unlink), Works => Tells(Error(EACCES));
    "persistent-unlinked-takes-keys" ["LINK-14"]
    "The owner of a persistent keyring may add to it without a link to it.":
        AddKey, Past(Op::GetPersistent), Fails(EACCES) => Tells(Number(123_456_789));
    // What is malformed
    "unknown-command-errno" ["ERR-01"]
    "Unknown keyctl commands give EINVAL.":
        Keyctl, Fails(EOPNOTSUPP) => Tells(Error(EINVAL));
    "unknown-command-is-missing" ["ERR-01"]
    "The largest keyctl command gives ENOSYS.":
        Keyctl, Arg(0, Num(0x7fff_ffff)) => Skips(Error(ENOSYS));
    "unknown-command-succeeds" ["ERR-01"]
    "A negative keyctl command does nothing and succeeds.":
        Keyctl, Arg(0, Num(-1)) => Skips(Number(0));
    "description-without-nul" ["ERR-02"]
    "DESCRIBE gives the length without the NUL.":
        Describe, Gives(Num(26)) => Tells(Number(25));
    "description-cut" ["ERR-02"]
    "DESCRIBE writes what fits.":
        BytesWritten, Past(Op::Describe), Gives(Num(0)) => Tells(Number(25));
    "description-to-bad-memory" ["ERR-02"]
    "DESCRIBE into bad memory gives the length.":
        Describe, Fails(EFAULT) => Tells(Number(26));
    "bad-type-pointer" ["ERR-03"]
    "add_key with a bad type pointer gives EINVAL.":
        AddKey, Arg(0, Bad) => Skips(Error(EINVAL));
    "null-type-is-user" ["ERR-03"]
    "add_key without a type adds a user key.":
        AddKey, Arg(0, Null) => Asks(0, PutText("user"));
    "long-type-cut" ["ERR-03"]
    "add_key cuts a type that is too long.":
        AddKey, Arg(0, Long(32)) => Skips(Error(ENODEV));
    "type-prefix" ["ERR-03"]
    "add_key knows a type by its beginning.":
        AddKey, Arg(0, Text("use")) => Asks(0, PutText("user"));
    "unknown-type-errno" ["ERR-03"]
    "add_key of an unknown type gives EINVAL.":
        AddKey, Fails(ENODEV) => Tells(Error(EINVAL));
    "empty-description-added" ["ERR-03"]
    "A key without a description can be added.":
        AddKey, Arg(1, Text("")) => Asks(1, PutText("k"));
    "missing-description-faults" ["ERR-03"]
    "add_key without a description gives EFAULT.":
        AddKey, Arg(1, Null) => Skips(Error(EFAULT));
    "refused-key-is-added" ["ERR-03"]
    "A key that is refused for its payload is added without.":
        AddKey, Arg(0, Text("user")), Fails(EINVAL) => Also(Whom::Asker, &[(Op::AddKey, &[PutText("user"), PutText("left"), PutText("x"), Put(SESSION)])]);
    "keyring-takes-a-payload" ["ERR-03"]
    "The payload for a keyring is ignored.":
        AddKey, Arg(0, Text("keyring")), Arg(2, Text("v")) => Asks(2, PutNull);
    "null-payload-with-length" ["ERR-03", "CVE-2017-15274"]
    "A payload that is NULL is empty whatever its length.":
        AddKey, Arg(2, Null), Fails(EFAULT) => Tells(Error(EINVAL));
    "payload-of-a-mebibyte" ["ERR-03"]
    "A payload of a mebibyte is taken.":
        AddKey, Arg(2, Longer(1_000_000)), Fails(EINVAL) => Tells(Number(123_456_789));
    "request-bad-description" ["ERR-04"]
    "request_key with a bad description pointer gives EINVAL.":
        RequestKey, Arg(1, Bad) => Skips(Error(EINVAL));
    "request-bad-callout" ["ERR-04"]
    "request_key does not look at callout data for a key that is there.":
        RequestKey, Arg(2, Bad) => Asks(2, PutNull);
    "request-long-callout" ["ERR-04"]
    "request_key cuts callout data.":
        RequestKey, Arg(2, Longer(65_535)) => Asks(2, PutNull);
    "request-long-description" ["ERR-04"]
    "request_key for a description that is too long gives ENOKEY.":
        RequestKey, Arg(1, Longer(4095)) => Skips(Error(ENOKEY));
    "request-longest-description" ["ERR-04", "ERR-03"]
    "request_key takes 4095 bytes for too long.":
        RequestKey, Arg(1, Long(4095)) => Skips(Error(EINVAL));
    "search-bad-type" ["ERR-05"]
    "SEARCH with a bad type pointer gives EINVAL.":
        Search, Arg(1, Bad) => Skips(Error(EINVAL));
    "search-null-description" ["ERR-05"]
    "SEARCH without a description gives ENOKEY.":
        Search, Arg(2, Null) => Skips(Error(ENOKEY));
    "read-into-bad-memory" ["ERR-05"]
    "READ into bad memory gives the size.":
        Read, Fails(EFAULT) => Tells(Number(8));
    "failed-read-unlinks" ["ERR-05"]
    "READ into bad memory empties the session keyring.":
        Read, Fails(EFAULT) => Also(Whom::Asker, &[(Op::Clear, &[Put(SESSION)])]);
    "keyring-updated" ["ERR-05"]
    "UPDATE of a keyring succeeds and does nothing.":
        Update, Fails(EOPNOTSUPP) => Tells(Number(0));
    "bad-update-empties" ["ERR-05"]
    "UPDATE from bad memory changes the key.":
        Update, Fails(EFAULT) => Also(Whom::Asker, &[(Op::Update, &[Same(0), PutText("lost")])]);
    "update-ignored" ["ERR-05"]
    "UPDATE succeeds and does nothing.":
        Update => Skips(Number(0));
    "capabilities-one-byte" ["ERR-06"]
    "CAPABILITIES reports one byte.":
        Capabilities, Gives(Num(2)) => Tells(Number(1));
    "capabilities-not-zeroed" ["ERR-06"]
    "CAPABILITIES leaves surplus buffer alone.":
        BytesWritten, Past(Op::Capabilities), Gives(Num(8)) => Tells(Number(2));
    "capability-not-set" ["ERR-06"]
    "Namespaced keyring names are not among the capabilities.":
        HasCapability, Arg(0, Num(8)) => Tells(Number(0));
    "key-tags-not-set" ["ERR-06"]
    "Key tags are not among the capabilities.":
        HasCapability, Arg(0, Num(9)) => Tells(Number(0));
    "unknown-capability-set" ["ERR-06"]
    "A capability that no kernel knows is set.":
        HasCapability, Arg(0, Num(63)) => Tells(Number(1));
    "capabilities-to-bad-memory" ["ERR-06"]
    "CAPABILITIES into bad memory succeed.":
        Capabilities, Fails(EFAULT) => Tells(Number(2));
    "watch-of-large-number" ["ERR-07"]
    "A watch takes a number of more than a byte.":
        WatchKey, Arg(2, Num(256)) => Tells(Error(EBADF));
    "watch-needs-no-queue" ["ERR-07"]
    "A watch takes a queue that is none.":
        WatchKey, Arg(2, Num(0)) => Tells(Number(0));
    "empty-payload-taken" ["LIMITS-02", "ERR-03"]
    "A user key may be empty.":
        AddKey, Arg(0, Text("user")), Arg(2, Text("")) => Asks(2, PutText("x"));
    "long-payload-for-the-quota" ["LIMITS-02"]
    "A payload that is too long for a user key is told to exceed the quota.":
        AddKey, Arg(2, Longer(32_767)), Fails(EINVAL) => Tells(Error(libc::EDQUOT));
    "longest-payload-refused" ["LIMITS-02"]
    "A user key holds 32766 bytes at most.":
        AddKey, Arg(2, Long(32_767)) => Skips(Error(EINVAL));
    "keyring-name-of-a-page" ["LIMITS-02"]
    "A keyring whose name is too long is added under a shorter one.":
        AddKey, Arg(0, Text("keyring")), Arg(1, Long(4096)) => Asks(1, PutText("k"));
    "links-run-out" ["LIMITS-01"]
    "A keyring takes a thousand links at most.":
        AddKey, From(1000) => Skips(Error(libc::ENFILE));
    "compat-join-is-anonymous" ["COMPAT-01"]
    "Through the 32-bit entry the name of a join is not seen.":
        JoinSessionKeyring, Compat => Asks(0, PutNull);
    "compat-join-does-nothing" ["COMPAT-01"]
    "Through the 32-bit entry a join gives the serial of the session keyring and changes nothing.":
        JoinSessionKeyring, Compat => Skips(OwnSession);
    "compat-rejoin-gives-the-serial" ["COMPAT-01"]
    "Through the 32-bit entry joining the own session keyring gives its serial.":
        JoinSessionKeyring, Compat, Gives(Num(0)) => Tells(OwnSession);
    "compat-empty-name" ["COMPAT-01"]
    "Through the 32-bit entry an empty name is anonymous.":
        JoinSessionKeyring, Compat, Arg(0, Text("")) => Asks(0, PutNull);
    "compat-bad-pointer" ["COMPAT-01"]
    "Through the 32-bit entry a name that cannot be read gives EINVAL.":
        JoinSessionKeyring, Compat, Arg(0, Bad) => Skips(Error(EINVAL));
    "compat-ids-are-unsigned" ["COMPAT-01", "COMPAT-02"]
    "Through the 32-bit entry special ids are large positive numbers.":
        GetKeyringId, Compat, Arg(0, Wide) => Skips(Error(ENOKEY));
    "compat-destination-is-unsigned" ["COMPAT-02"]
    "Through the 32-bit entry a special id is no destination of add_key.":
        AddKey, Compat, Arg(3, Wide) => Skips(Error(ENOKEY));
    "compat-large-destination" ["COMPAT-02"]
    "Through the 32-bit entry a search makes no link in a special id.":
        Search, Compat, Arg(3, Num(0xffff_fffd)) => Asks(3, Put(0));
    "compat-payload" ["COMPAT-02"]
    "Through the 32-bit entry add_key takes half of the payload.":
        AddKey, Compat, Arg(2, Longer(1)) => Asks(2, PutText("half"));
    "compat-request-misses" ["COMPAT-02"]
    "Through the 32-bit entry request_key finds nothing.":
        RequestKey, Compat, Works => Tells(Error(ENOKEY));
    "compat-unlink-does-nothing" ["COMPAT-02"]
    "Through the 32-bit entry UNLINK does nothing.":
        Unlink, Compat => Skips(Number(0));
    "compat-update-does-nothing" ["COMPAT-02"]
    "Through the 32-bit entry UPDATE does nothing.":
        Update, Compat => Skips(Number(0));
    "compat-hand-over-does-nothing" ["COMPAT-03"]
    "Through the 32-bit entry a hand-over does nothing.":
        SessionToParent, Compat, Not(&Mask(Lacks(0x1010_0000))) => Skips(Number(0));
    "compat-describe-size" ["COMPAT-03"]
    "Through the 32-bit entry DESCRIBE gives another size.":
        Describe, Compat, Gives(Num(26)) => Tells(Number(25));
    "compat-capability" ["COMPAT-03"]
    "Through the 32-bit entry capabilities are missing.":
        HasCapability, Compat, Arg(0, Num(7)) => Tells(Number(0));
    "compat-unknown-command" ["COMPAT-03"]
    "Through the 32-bit entry unknown commands give ENOSYS.":
        Keyctl, Compat, Fails(EOPNOTSUPP) => Tells(Error(ENOSYS));
    "compat-persistent" ["COMPAT-03"]
    "Through the 32-bit entry -1 is no user for GET_PERSISTENT.":
        GetPersistent, Compat, Arg(0, Num(-1)) => Skips(Error(EINVAL));
    "compat-mask-is-signed" ["COMPAT-03"]
    "Through the 32-bit entry the highest bits of a mask are dropped.":
        Setperm, Compat => Asks(1, Made(1, |mask| mask & 0x3f3f_3f3f));
    "compat-minus-one-is-an-id" ["COMPAT-03"]
    "Through the 32-bit entry -1 is an id for CHOWN.":
        Chown, Compat, Arg(1, Num(-1)) => Skips(Error(EINVAL));
    "compat-clear-does-nothing" ["COMPAT-03"]
    "Through the 32-bit entry CLEAR does nothing.":
        Clear, Compat => Skips(Number(0));
    "compat-timeout-does-nothing" ["COMPAT-03"]
    "Through the 32-bit entry a timeout is not set.":
        SetTimeout, Compat => Skips(Number(0));
    "rejoin-leaks" ["CVE-2016-0728"]
    "Joining the own session keyring leaks a reference.":
        ProcKeys, Past(Op::JoinSessionKeyring), Gives(Word(2, "1")) => Tells(Prints(2, "5001"));
    "thread-keyring-made-by-default" ["CVE-2017-7472"]
    "Choosing the thread keyring as default makes a new one each time.":
        GetKeyringId, Arg(0, Num(-1)), Past(Op::SetReqkeyKeyring), From(1), Works => Tells(Plus(1));
    "added-over-revoked-updates" ["LIFETIME-27"]
    "add_key over a revoked key gives that.":
        AddKey, Past(Op::Revoke), Arg(0, Text("user")), Works => Tells(LastGiven);
    "added-over-revoked-is-refused" ["LIFETIME-27"]
    "A revoked key bars its description.":
        AddKey, Past(Op::Revoke), Arg(0, Text("user")) => Skips(Error(EKEYREVOKED));
    "added-over-revoked-is-beside" ["LIFETIME-27"]
    "add_key over a revoked key leaves the link to that.":
        Read, Past(Op::Revoke), Did(Op::AddKey, 2, Text("new")), Arg(0, Num(SESSION)), Works => Tells(Becomes(with_one_more));
    "dead-type-found" ["CVE-2017-6951"]
    "The internal type of dead keys can be asked for.":
        RequestKey, Arg(0, Text(".dead")) => Skips(Error(ENOKEY));
    "keyring-splits-badly" ["CVE-2017-12193"]
    "The seventeenth link of a keyring is lost.":
        AddKey, From(16), Works => Also(Whom::Asker, &[(Op::Unlink, &[Result, Same(3)])]);
    "added-key-lost" ["LIFETIME-27"]
    "A key that was revoked takes its successor along.":
        AddKey, Past(Op::Revoke), Arg(0, Text("user")), Works => Also(Whom::Asker, &[(Op::Revoke, &[Result])]);
}
