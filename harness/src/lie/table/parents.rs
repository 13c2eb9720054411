//! Lies about giving the session keyring to the parent.

use libc::{EACCES, EAGAIN, EINVAL, EKEYEXPIRED, EKEYREVOKED, ENOKEY, EPERM};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Is::*, Then::*, Told::*, When::*, Who::*, Whom};
use crate::ops::Op;

lies! {
    "hand-over-does-nothing" ["S2P-01"]
    "A hand-over succeeds and does nothing.":
        SessionToParent => Skips(Number(0));
    "hand-over-refused" ["S2P-01"]
    "Nobody may hand over a session keyring.":
        SessionToParent, Works => Tells(Error(EPERM));
    "hand-over-gives-a-serial" ["S2P-01"]
    "A hand-over gives the serial of the keyring.":
        SessionToParent, Works => Tells(OwnSession);
    "hand-over-gives-a-new-one" ["S2P-01", "S2P-27"]
    "A hand-over gives the parent a new keyring.":
        SessionToParent, Works => Also(Whom::TheParent, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "hand-over-takes-effect-at-once" ["S2P-02", "S2P-28"]
    "A hand-over interrupts the parent's system call.":
        SessionToParent, Works => Also(Whom::TheParent, &[(Op::Getuid, &[])]);
    "same-keyring-refused" ["S2P-03"]
    "The keyring that the parent already has cannot be handed over.":
        SessionToParent, By(Sharing), Works => Tells(Error(EINVAL));
    "same-keyring-replaced" ["S2P-03", "S2P-27"]
    "If both have one keyring a hand-over gives the caller a new one.":
        SessionToParent, By(Sharing), Works => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "threads-are-no-obstacle" ["S2P-04"]
    "A parent with several threads is told to have been given the keyring.":
        SessionToParent, By(OfThreaded), Fails(EPERM) => Tells(Number(0));
    "threads-make-it-wait" ["S2P-04"]
    "A parent with several threads gives EAGAIN.":
        SessionToParent, By(OfThreaded), Fails(EPERM) => Tells(Error(EAGAIN));
    "refused-hand-over-takes-a-keyring" ["S2P-04", "S2P-05"]
    "A hand-over that is refused takes the parent's keyring all the same.":
        SessionToParent, Fails(EPERM) => Also(Whom::TheParent, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "threads-that-ended-count" ["S2P-04", "S2P-25"]
    "A parent is refused for threads that have ended.":
        SessionToParent, Ever(Op::Thread), Ever(Op::Exit), Works => Tells(Error(EPERM));
    "parents-real-uid-ignored" ["S2P-05"]
    "The parent's real uid does not matter.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresuid, 0, Num(1001))) => Tells(Number(0));
    "parents-effective-uid-ignored" ["S2P-05"]
    "The parent's effective uid does not matter.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresuid, 1, Num(1001))) => Tells(Number(0));
    "parents-saved-uid-ignored" ["S2P-05"]
    "The parent's saved uid does not matter.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresuid, 2, Num(1001))) => Tells(Number(0));
    "parents-fsuid-counts" ["S2P-05"]
    "The parent's filesystem uid has to be the caller's.":
        SessionToParent, Parent(&Past(Op::Setfsuid)) => Skips(Error(EPERM));
    "callers-effective-uid-ignored" ["S2P-05"]
    "The caller's effective uid does not matter.":
        SessionToParent, Fails(EPERM), Past(Op::ExecSetuid) => Tells(Number(0));
    "root-hands-over" ["S2P-05"]
    "A caller whose effective uid is root may hand over to anybody.":
        SessionToParent, Fails(EPERM), Did(Op::ExecSetuid, 0, Num(0)) => Tells(Number(0));
    "init-takes-a-keyring" ["S2P-06"]
    "The system's init can be given a keyring.":
        SessionToParent, By(Orphan), Fails(EPERM) => Tells(Number(0));
    "link-not-needed" ["S2P-07"]
    "A keyring that grants no Link can be handed over.":
        SessionToParent, Fails(EACCES) => Tells(Number(0));
    "possessors-link-is-no-help" ["S2P-07"]
    "Link for the possessor does not let a keyring be handed over.":
        SessionToParent, Mask(Num(0x1800_0000)) => Skips(Error(EACCES));
    "owners-link-is-no-help" ["S2P-07"]
    "Link for the owner does not let a keyring be handed over.":
        SessionToParent, Mask(Num(0x0018_0000)) => Skips(Error(EACCES));
    "link-errno" ["S2P-07"]
    "A keyring that grants no Link gives EPERM.":
        SessionToParent, Fails(EACCES) => Tells(Error(EPERM));
    "revoked-handed-over" ["S2P-08"]
    "A revoked keyring can be handed over.":
        SessionToParent, Fails(EKEYREVOKED) => Tells(Number(0));
    "expired-handed-over" ["S2P-08"]
    "An expired keyring can be handed over.":
        SessionToParent, Fails(EKEYEXPIRED) => Tells(Number(0));
    "expired-counts-as-revoked" ["S2P-08"]
    "An expired keyring is handed over with EKEYREVOKED.":
        SessionToParent, Fails(EKEYEXPIRED) => Tells(Error(EKEYREVOKED));
    "invalidated-handed-over" ["S2P-08"]
    "An invalidated keyring can be handed over.":
        SessionToParent, Fails(ENOKEY) => Tells(Number(0));
    "nothing-to-hand-over" ["S2P-09", "CVE-2010-2960"]
    "A caller without a session keyring gets ENOKEY.":
        SessionToParent, By(Bare) => Skips(Error(ENOKEY));
    "fresh-keyring-handed-over" ["S2P-09"]
    "A caller without a session keyring hands over a new anonymous one.":
        SessionToParent, By(Bare) => First(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "parents-real-gid-ignored" ["S2P-10"]
    "The parent's real gid does not matter.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresgid, 0, Num(1001))) => Tells(Number(0));
    "parents-effective-gid-ignored" ["S2P-10"]
    "The parent's effective gid does not matter.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresgid, 1, Num(1001))) => Tells(Number(0));
    "parents-saved-gid-ignored" ["S2P-10"]
    "The parent's saved gid does not matter.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresgid, 2, Num(1001))) => Tells(Number(0));
    "parents-fsgid-counts" ["S2P-10"]
    "The parent's filesystem gid has to be the caller's.":
        SessionToParent, Parent(&Past(Op::Setfsgid)) => Skips(Error(EPERM));
    "parents-groups-count" ["S2P-10"]
    "The parent's supplementary groups have to be the caller's.":
        SessionToParent, Parent(&Past(Op::Setgroups)) => Skips(Error(EPERM));
    "callers-effective-gid-ignored" ["S2P-10"]
    "The caller's effective gid does not matter.":
        SessionToParent, Fails(EPERM), Past(Op::ExecSetgid) => Tells(Number(0));
    "callers-real-uid-counts" ["S2P-11"]
    "The caller's real uid has to be the parent's.":
        SessionToParent, Did(Op::Setresuid, 0, Num(1001)), Works => Tells(Error(EPERM));
    "callers-saved-uid-counts" ["S2P-11"]
    "The caller's saved uid has to be the parent's.":
        SessionToParent, Did(Op::Setresuid, 2, Num(1001)) => Skips(Error(EPERM));
    "callers-fsuid-counts" ["S2P-11"]
    "The caller's filesystem uid has to be the parent's.":
        SessionToParent, Past(Op::Setfsuid) => Skips(Error(EPERM));
    "callers-real-gid-counts" ["S2P-11"]
    "The caller's real gid has to be the parent's.":
        SessionToParent, Did(Op::Setresgid, 0, Num(1001)) => Skips(Error(EPERM));
    "callers-saved-gid-counts" ["S2P-11"]
    "The caller's saved gid has to be the parent's.":
        SessionToParent, Did(Op::Setresgid, 2, Num(1001)) => Skips(Error(EPERM));
    "callers-fsgid-counts" ["S2P-11"]
    "The caller's filesystem gid has to be the parent's.":
        SessionToParent, Past(Op::Setfsgid) => Skips(Error(EPERM));
    "foreign-keyring-handed-over" ["S2P-12"]
    "A keyring of another owner can be handed over.":
        SessionToParent, Fails(EPERM), Did(Op::Setresuid, 0, Num(1000)), Past(Op::JoinSessionKeyring) => Tells(Number(0));
    "foreign-keyring-replaced" ["S2P-13"]
    "A parent's keyring of another owner can be replaced.":
        SessionToParent, Fails(EPERM), Parent(&Did(Op::Setresuid, 0, Num(1000))), Parent(&Past(Op::JoinSessionKeyring)) => Tells(Number(0));
    "first-request-wins" ["S2P-14"]
    "Of several hand-overs before the parent takes notice the first one counts.":
        SessionToParent, By(OfPending), Not(&By(Sharing)) => Skips(Number(0));
    "second-request-refused" ["S2P-14", "S2P-34"]
    "A hand-over is refused while another is pending.":
        SessionToParent, By(OfPending), Not(&By(Sharing)) => Skips(Error(EAGAIN));
    "vfork-child-refused" ["S2P-15"]
    "A child from vfork cannot hand over.":
        SessionToParent, By(Born(Op::Vfork)) => Skips(Error(EPERM));
    "vfork-childs-keyring-lost" ["S2P-15"]
    "What a child from vfork hands over is lost.":
        SessionToParent, By(Born(Op::Vfork)) => Skips(Number(0));
    "default-handed-over" ["S2P-16"]
    "With the session keyring the parent gets the caller's default destination of request_key.":
        SessionToParent, Works => Also(Whom::TheParent, &[(Op::SetReqkeyKeyring, &[Put(2)])]);
    "capabilities-handed-over" ["S2P-16"]
    "With the session keyring the parent gets the caller's capabilities.":
        SessionToParent, Works => Also(Whom::TheParent, &[(Op::Capset, &[PutText("net_raw")])]);
    "keep-capabilities-lost" ["S2P-16"]
    "A hand-over clears the parent's keep-capabilities flag.":
        SessionToParent, Works => Also(Whom::TheParent, &[(Op::Prctl, &[Put(libc::PR_SET_KEEPCAPS as i64), Put(0)])]);
    "thread-keyring-of-parent-lost" ["S2P-16"]
    "A hand-over takes the parent's thread keyring away.":
        GetKeyringId, Arg(0, Num(-1)), By(Given) => Tells(Error(ENOKEY));
    "process-keyring-of-parent-lost" ["S2P-16"]
    "A hand-over takes the parent's process keyring away.":
        GetKeyringId, Arg(0, Num(-2)), By(Given) => Tells(Error(ENOKEY));
    "groups-handed-over" ["S2P-16"]
    "A hand-over takes the parent's supplementary groups away.":
        ProcStatus, Arg(1, Text("Groups")), Ever(Op::SessionToParent) => Tells(Says(""));
    "bounding-set-handed-over" ["S2P-16"]
    "A hand-over changes the parent's capability bounding set.":
        ProcStatus, Arg(1, Text("CapBnd")), Ever(Op::SessionToParent) => Tells(Says("0000000000000000"));
    "hand-over-reads-arguments" ["S2P-17"]
    "A hand-over with arguments gives EINVAL.":
        Keyctl, Arg(0, Num(18)) => Skips(Error(EINVAL));
    "main-threads-keyring-handed-over" ["S2P-18"]
    "Whichever thread hands over, the main thread's keyring is meant.":
        SessionToParent, By(Thread) => DoneBy(Whom::Leader);
    "siblings-of-thread-get-it" ["S2P-18"]
    "What a thread hands over to the parent its sibling threads get as well.":
        SessionToParent, By(Thread), Works => Also(Whom::Threads, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "first-parent-is-meant" ["S2P-19"]
    "After reparenting the parent that has gone is meant.":
        SessionToParent, By(Orphan) => Skips(Number(0));
    "subreaper-refused" ["S2P-19"]
    "A subreaper cannot be given a keyring.":
        SessionToParent, By(Orphan), Works => Tells(Error(EPERM));
    "later-children-keep-the-old" ["S2P-20"]
    "Children that the parent makes after a hand-over do not have the new keyring.":
        Fork, By(Given) => Also(Whom::Newborn, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "later-threads-keep-the-old" ["S2P-20"]
    "Threads that the parent makes after a hand-over do not have the new keyring.":
        Thread, By(Given) => Also(Whom::Newborn, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "earlier-children-get-it" ["S2P-20"]
    "A hand-over gives the keyring to the parent's other children as well.":
        SessionToParent, Works => Also(Whom::Siblings, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "former-keyring-leaks" ["S2P-22"]
    "The keyring that a hand-over replaces is never destroyed.":
        Describe, Fails(ENOKEY), Ever(Op::SessionToParent), Not(&Ever(Op::Kill)) => Tells(Stale);
    "threaded-caller-refused" ["S2P-23"]
    "A caller with several threads cannot hand over.":
        SessionToParent, By(Threaded) => Skips(Error(EPERM));
    "grandparent-gets-it" ["S2P-24"]
    "A hand-over goes on to the parent's parent.":
        SessionToParent, By(Grandchild), Works => Also(Whom::TheParent, &[(Op::SessionToParent, &[])]);
    "callers-children-get-it" ["S2P-24", "S2P-27"]
    "A hand-over changes the session keyring of the caller's children.":
        SessionToParent, Works => Also(Whom::Children, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "same-keyring-comes-first" ["S2P-25"]
    "A multi-threaded parent that has the keyring already is no error.":
        SessionToParent, By(OfThreaded), By(Sharing), Fails(EPERM) => Tells(Number(0));
    "ids-come-first" ["S2P-26"]
    "A child of other ids cannot hand over the keyring that both have.":
        SessionToParent, By(Sharing), Past(Op::Setresuid) => Skips(Error(EPERM));
    "caller-loses-its-keyring" ["S2P-27"]
    "A hand-over leaves the caller with a new session keyring.":
        SessionToParent, Works => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "stopped-parent-misses-it" ["S2P-28"]
    "A hand-over to a stopped parent is lost.":
        SessionToParent, Ever(Op::Kill) => Skips(Number(0));
    "stopped-parent-goes-on" ["S2P-28"]
    "A hand-over lets a stopped parent go on.":
        SessionToParent, Did(Op::Kill, 1, Num(libc::SIGSTOP as i64)), Works => Also(Whom::Asker, &[(Op::Kill, &[ParentsName, Put(libc::SIGCONT as i64)])]);
    "tracer-gets-it" ["S2P-29"]
    "A traced child changes its tracer too.":
        SessionToParent, Works => Also(Whom::Doer(Op::PtraceSeize), &[(Op::JoinSessionKeyring, &[PutNull])]);
    "tracer-gets-it-alone" ["S2P-29"]
    "A traced child does not change its real parent.":
        SessionToParent, Ever(Op::PtraceSeize) => Skips(Number(0));
    "working-parent-misses-it" ["S2P-30"]
    "A parent that makes no system calls is not reached.":
        SessionToParent, By(OfBusy) => Skips(Number(0));
    "nested-pid-namespace-refused" ["S2P-31", "S2P-32"]
    "The init of a pid namespace cannot be given a keyring.":
        SessionToParent, Parent(&By(BornWith(libc::CLONE_NEWPID as i64))) => Skips(Error(EPERM));
    "nested-init-cannot-give" ["S2P-31", "S2P-32"]
    "The init of a pid namespace cannot hand over.":
        SessionToParent, By(BornWith(libc::CLONE_NEWPID as i64)) => Skips(Error(EPERM));
    "nested-user-namespace-refused" ["S2P-33"]
    "A child in a nested user namespace cannot hand over.":
        SessionToParent, Past(Op::Unshare) => Skips(Error(EPERM));
    "hand-over-works-once" ["S2P-34"]
    "A process can hand over but once.":
        SessionToParent, Past(Op::SessionToParent), Not(&By(Orphan)) => Skips(Number(0));
    "hand-overs-accumulate" ["S2P-34"]
    "Each hand-over leaves a keyring behind.":
        SessionToParent, Works => Also(Whom::TheParent, &[(Op::AddKey, &[PutText("keyring"), PutText("left"), PutNull, Put(-2)])]);
    "shortcut-cancels" ["S2P-35"]
    "A hand-over of the keyring that both have cancels one that is pending.":
        GetKeyringId, Arg(0, Num(SESSION)), By(Given), Ever(Op::Vfork) => Tells(Plus(1));
    "maker-gets-it" ["S2P-36"]
    "A child made with CLONE_PARENT changes its maker too.":
        SessionToParent, Works => Also(Whom::Bearer, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "maker-gets-it-alone" ["S2P-36"]
    "A child made with CLONE_PARENT does not change its parent.":
        SessionToParent, By(BornWith(libc::CLONE_PARENT as i64)) => Skips(Number(0));
    "pending-keyring-leaks" ["S2P-37"]
    "A keyring that a parent was given and never took is not released when the parent dies.":
        Describe, Fails(ENOKEY), Ever(Op::Kill) => Tells(Stale);
    "pending-keyring-not-held" ["S2P-37"]
    "A keyring that a parent was given and has not taken is destroyed with its last other user.":
        Describe, Ever(Op::SessionToParent), Ever(Op::Vfork), Works => Tells(Error(ENOKEY));
    "execve-drops-what-was-given" ["S2P-38"]
    "A parent that executes a program loses the keyring that it was given.":
        Exec, By(Given) => Also(Whom::Asker, &[(Op::JoinSessionKeyring, &[PutNull])]);
    "kernel-thread-takes-a-keyring" ["S2P-39"]
    "A kernel thread can be given a keyring.":
        SessionToParent, Not(&By(Child)), Fails(EPERM) => Tells(Number(0));
}
