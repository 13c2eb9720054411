//! Lies about what birth, execution, threads and a change of ids do to the session keyring.

use libc::{EACCES, ECHILD, EKEYREVOKED, ENOKEY};

use super::{SESSION, lies};
use crate::lie::Lie;
use crate::lie::rule::{Arg::*, Extra, Is::*, Then::*, Told::*, When::*, Who::*, Whom};
use crate::ops::Op;

/// What changes a session keyring.
const ANOTHER: &[Extra] = &[(Op::JoinSessionKeyring, &[PutNull])];

lies! {
    "fork-gives-another" ["INHERIT-FORK-01"]
    "A forked child has a session keyring of its own.":
        Fork => Also(Whom::Newborn, ANOTHER);
    "grandchild-has-another" ["INHERIT-FORK-01"]
    "A child of a child has a session keyring of its own.":
        Fork, By(Child) => Also(Whom::Newborn, ANOTHER);
    "vfork-gives-another" ["INHERIT-FORK-02"]
    "A vfork child has a session keyring of its own.":
        Vfork => Also(Whom::Newborn, ANOTHER);
    "clone-gives-another" ["INHERIT-FORK-03"]
    "A child from clone has a session keyring of its own.":
        Clone, Arg(0, Num(0)) => Also(Whom::Newborn, ANOTHER);
    "clone-fs-gives-another" ["INHERIT-FORK-03"]
    "A child from clone that shares the working directory has a session keyring of its own.":
        Clone, Arg(0, Bits(libc::CLONE_FS as i64)) => Also(Whom::Newborn, ANOTHER);
    "clone-vm-gives-another" ["INHERIT-FORK-15"]
    "A child from clone that shares memory has a session keyring of its own.":
        Clone, Arg(0, Num(libc::CLONE_VM as i64)) => Also(Whom::Newborn, ANOTHER);
    "clone-vfork-gives-another" ["INHERIT-FORK-02"]
    "A child from clone for whom its parent waits has a session keyring of its own.":
        Clone, Arg(0, Num(libc::CLONE_VFORK as i64)) => Also(Whom::Newborn, ANOTHER);
    "clone-parent-gives-another" ["INHERIT-FORK-03", "INHERIT-FORK-06"]
    "A child made with CLONE_PARENT has a session keyring of its own.":
        Clone, Arg(0, Bits(libc::CLONE_PARENT as i64)) => Also(Whom::Newborn, ANOTHER);
    "clone3-gives-another" ["INHERIT-FORK-03"]
    "A child from clone3 has a session keyring of its own.":
        Clone3, Arg(0, Num(0)) => Also(Whom::Newborn, ANOTHER);
    "clone3-files-gives-another" ["INHERIT-FORK-03"]
    "A child from clone3 that shares files has a session keyring of its own.":
        Clone3, Arg(0, Bits(libc::CLONE_FILES as i64)) => Also(Whom::Newborn, ANOTHER);
    "child-gets-a-copy" ["INHERIT-FORK-04"]
    "A child does not see what its parent takes out of the session keyring.":
        Read, By(Child), Arg(0, Serial), Works, Ever(Op::Unlink) => Tells(Becomes(|mut links| { links.extend([9, 0, 0, 0]); links }));
    "parent-misses-childs-keys" ["INHERIT-FORK-04"]
    "A parent does not see what its child adds to the session keyring.":
        Read, Not(&By(Child)), Arg(0, Serial), Ever(Op::Fork), Works => Tells(Stale);
    "parent-misses-childs-clear" ["INHERIT-FORK-04"]
    "A child that clears the session keyring clears its own copy.":
        Clear, By(Child) => Skips(Number(0));
    "childs-join-moves-parent" ["INHERIT-FORK-05"]
    "A join in a child changes the parent's session keyring.":
        JoinSessionKeyring, By(Child), Works => Also(Whom::TheParent, ANOTHER);
    "childs-join-moves-parent-of-vm" ["INHERIT-FORK-15"]
    "A join in a child that shares memory changes the parent's session keyring.":
        JoinSessionKeyring, By(BornWith(libc::CLONE_VM as i64)), Works => Also(Whom::TheParent, ANOTHER);
    "parents-join-moves-children" ["INHERIT-FORK-06"]
    "A join in a parent changes the session keyring of its children.":
        JoinSessionKeyring, Works => Also(Whom::Children, ANOTHER);
    "attachment-reaches-parent" ["INHERIT-FORK-07"]
    "A session keyring that is attached to a child is attached to its parent as well.":
        GetKeyringId, Arg(0, Num(SESSION)), By(Child), Works => Also(Whom::TheParent, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "attachment-reaches-siblings" ["INHERIT-FORK-07"]
    "A session keyring that is attached to a child is attached to the other children as well.":
        GetKeyringId, Arg(0, Num(SESSION)), By(Child), Works => Also(Whom::Siblings, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "creation-reaches-parent" ["INHERIT-FORK-07"]
    "When a child creates a session keyring its parent gets one too.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), By(Child), Works => Also(Whom::TheParent, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "creation-reaches-siblings" ["INHERIT-FORK-07"]
    "When a child creates a session keyring its siblings get one too.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), By(Child), Works => Also(Whom::Siblings, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "bare-child-gets-a-session" ["INHERIT-FORK-07"]
    "A child of a process without a session keyring is born with one.":
        Fork, By(Bare) => Also(Whom::Newborn, ANOTHER);
    "usage-counts-one-more" ["INHERIT-FORK-08"]
    "The usage count of a session keyring counts its creator twice.":
        ProcKeys, Gives(Word(2, "1")) => Tells(Prints(2, "2"));
    "usage-leaks-at-exit" ["INHERIT-FORK-08"]
    "A process that exits leaves its count in the usage of the session keyring.":
        ProcKeys, Gives(Word(8, "counted:")), Ever(Op::Exit) => Tells(Prints(2, "4"));
    "setsid-gives-another" ["INHERIT-FORK-09"]
    "A new POSIX session has a new session keyring.":
        Setsid, Works => Also(Whom::Asker, ANOTHER);
    "setpgid-gives-another" ["INHERIT-FORK-09"]
    "A new process group has a new session keyring.":
        Setpgid, Works => Also(Whom::Asker, ANOTHER);
    "chdir-gives-another" ["INHERIT-FORK-09"]
    "A change of the working directory changes the session keyring.":
        Chdir, Works => Also(Whom::Asker, ANOTHER);
    "chroot-gives-another" ["INHERIT-FORK-09"]
    "A change of the root directory changes the session keyring.":
        Chroot, Works => Also(Whom::Asker, ANOTHER);
    "unshare-gives-another" ["INHERIT-FORK-10"]
    "A process that unshares its mount namespace gets a new session keyring.":
        Unshare, Arg(0, Num(libc::CLONE_NEWNS as i64)) => Also(Whom::Asker, ANOTHER);
    "unshared-ipc-gives-another" ["INHERIT-FORK-10"]
    "A process that unshares its IPC namespace gets a new session keyring.":
        Unshare, Arg(0, Num(libc::CLONE_NEWIPC as i64)) => Also(Whom::Asker, ANOTHER);
    "new-pid-namespace-gives-another" ["INHERIT-FORK-10"]
    "The first process of a pid namespace has a session keyring of its own.":
        Clone, Arg(0, Num(libc::CLONE_NEWPID as i64)) => Also(Whom::Newborn, ANOTHER);
    "new-uts-namespace-gives-another" ["INHERIT-FORK-10"]
    "A child in a new UTS namespace has a session keyring of its own.":
        Clone, Arg(0, Num(libc::CLONE_NEWUTS as i64)) => Also(Whom::Newborn, ANOTHER);
    "first-in-unshared-pid-namespace" ["INHERIT-FORK-10"]
    "A child that enters the pid namespace which its parent has unshared has a session keyring of its own.":
        Fork, Did(Op::Unshare, 0, Num(libc::CLONE_NEWPID as i64)) => Also(Whom::Newborn, ANOTHER);
    "orphans-lose-it" ["INHERIT-FORK-11"]
    "A process whose parent exits loses the session keyring.":
        Exit, Works => Also(Whom::Children, ANOTHER);
    "named-not-inherited" ["INHERIT-FORK-12"]
    "A named session keyring that its owner may not join is not inherited.":
        Fork, Did(Op::JoinSessionKeyring, 0, Longer(0)), Mask(Lacks(0x0008_0000)) => Also(Whom::Newborn, ANOTHER);
    "revoked-not-inherited" ["INHERIT-FORK-12", "LIFETIME-12"]
    "A child of a process whose session keyring is revoked gets a new one.":
        Fork, Past(Op::Revoke) => Also(Whom::Newborn, ANOTHER);
    "child-cannot-leave-revoked" ["INHERIT-FORK-12", "LIFETIME-08"]
    "A process whose session keyring is revoked cannot join another.":
        JoinSessionKeyring, Ever(Op::Revoke), Arg(0, Null) => Skips(Error(EKEYREVOKED));
    "thread-keyring-inherited" ["INHERIT-FORK-13"]
    "A forked child has its parent's thread keyring.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(0)), By(Born(Op::Fork)), Fails(ENOKEY) => Tells(LastGiven);
    "process-keyring-inherited" ["INHERIT-FORK-13"]
    "A child from clone that shares memory has its parent's process keyring.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(0)), By(Born(Op::Clone)), Fails(ENOKEY) => Tells(LastGiven);
    "childs-thread-keyring-replaces" ["INHERIT-FORK-13"]
    "A thread keyring that a child makes replaces that of its parent.":
        GetKeyringId, Arg(0, Num(-1)), Not(&By(Child)), Ever(Op::Fork) => Tells(LastGiven);
    "default-not-inherited" ["INHERIT-FORK-14"]
    "A forked child starts with the usual default destination of request_key.":
        Fork => Also(Whom::Newborn, &[(Op::SetReqkeyKeyring, &[Put(0)])]);
    "default-dropped-by-exec" ["INHERIT-FORK-14"]
    "An execve resets the default destination of request_key.":
        Exec, Works => Also(Whom::Asker, &[(Op::SetReqkeyKeyring, &[Put(0)])]);
    // Execution
    "exec-gives-another" ["INHERIT-EXEC-01"]
    "An execve gives the process a new session keyring.":
        Exec, Works => Also(Whom::Asker, ANOTHER);
    "second-exec-gives-another" ["INHERIT-EXEC-01"]
    "The second program of a process has a new session keyring.":
        Exec, Past(Op::Exec), Works => Also(Whom::Asker, ANOTHER);
    "exec-of-named-gives-another" ["INHERIT-EXEC-01"]
    "An execve keeps only anonymous session keyrings.":
        Exec, Did(Op::JoinSessionKeyring, 0, Longer(0)), Works => Also(Whom::Asker, ANOTHER);
    "exec-takes-the-main-threads" ["INHERIT-EXEC-02"]
    "An execve from a thread takes another session keyring than that thread's into the program.":
        Exec, By(Thread), Works => Also(Whom::Asker, ANOTHER);
    "exec-keeps-the-thread-keyring" ["INHERIT-EXEC-03"]
    "An execve keeps the thread keyring.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(0)), Past(Op::Exec), Fails(ENOKEY) => Tells(LastGiven);
    "exec-keeps-the-process-keyring" ["INHERIT-EXEC-03"]
    "An execve keeps the process keyring.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(0)), Past(Op::Exec), Fails(ENOKEY) => Tells(LastGiven);
    "setuid-exec-keeps-the-process-keyring" ["INHERIT-EXEC-03", "INHERIT-EXEC-SUID-01"]
    "A set-user-ID program has the process keyring of who executes it.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(0)), Past(Op::ExecSetuid), Fails(ENOKEY) => Tells(LastGiven);
    "failed-exec-drops-the-session" ["INHERIT-EXEC-04"]
    "An execve that fails leaves the process with a new session keyring.":
        Exec, Not(&Works) => Also(Whom::Asker, ANOTHER);
    "failed-exec-drops-the-thread-keyring" ["INHERIT-EXEC-04"]
    "An execve that fails has dropped the thread keyring already.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(0)), Works => Tells(Error(ENOKEY));
    "script-gives-another" ["INHERIT-EXEC-05"]
    "A script is executed with a new session keyring.":
        ExecScript, Works => Also(Whom::Asker, ANOTHER);
    "exec-creates-a-session" ["INHERIT-EXEC-06"]
    "An execve gives a process without a session keyring one.":
        Exec, By(Bare), Works => Also(Whom::Asker, ANOTHER);
    "exec-drops-possession" ["INHERIT-EXEC-07"]
    "After an execve the keys in the session keyring are not possessed.":
        Read, Arg(0, Serial), Past(Op::Exec), Works => Tells(Error(EACCES));
    "exec-finds-nothing" ["INHERIT-EXEC-07"]
    "After an execve the keys below the session keyring are not found.":
        RequestKey, Past(Op::Exec), Works => Tells(Error(ENOKEY));
    "exec-resets-the-mask" ["INHERIT-EXEC-08"]
    "An execve resets the mask of the session keyring.":
        Exec, Works => Also(Whom::Asker, &[(Op::Setperm, &[Put(SESSION), Put(0x3f13_0000)])]);
    "exec-resets-the-timeout" ["INHERIT-EXEC-08"]
    "An execve clears the timeout of the session keyring.":
        Exec, Works => Also(Whom::Asker, &[(Op::SetTimeout, &[Put(SESSION), Put(0)])]);
    "exec-heals-a-revoked-session" ["INHERIT-EXEC-08", "LIFETIME-12"]
    "An execve replaces a revoked session keyring.":
        Exec, Past(Op::Revoke), Works => Also(Whom::Asker, ANOTHER);
    "setuid-exec-gives-another" ["INHERIT-EXEC-SUID-01"]
    "A set-user-ID program gets a session keyring of its own.":
        ExecSetuid, Works => Also(Whom::Asker, ANOTHER);
    "setgid-exec-gives-another" ["INHERIT-EXEC-SUID-02"]
    "A set-group-ID program gets a session keyring of its own.":
        ExecSetgid, Works => Also(Whom::Asker, ANOTHER);
    "setuid-exec-cannot-read" ["INHERIT-EXEC-SUID-03"]
    "A set-user-ID program does not possess the keys of who executes it.":
        Read, Past(Op::ExecSetuid), Works => Tells(Error(EACCES));
    "setuid-exec-reads-all" ["INHERIT-EXEC-SUID-03"]
    "A set-user-ID program may read what its invoker owns.":
        Read, Past(Op::ExecSetuid), Fails(EACCES) => Tells(Stale);
    "setuid-exec-keeps-owner-rights" ["INHERIT-EXEC-SUID-03"]
    "A set-user-ID program keeps the owner's rights of who executes it.":
        Describe, Past(Op::ExecSetuid), Fails(EACCES) => Tells(Stale);
    "setuid-exec-without-privileges" ["INHERIT-EXEC-SUID-04"]
    "With no_new_privs set a set-user-ID program gets a new session keyring.":
        ExecSetuid | ExecSetgid, Past(Op::Prctl), Works => Also(Whom::Asker, ANOTHER);
    "file-capabilities-give-another" ["INHERIT-EXEC-CAPS-01"]
    "A program with file capabilities gets a session keyring of its own.":
        ExecFilecaps, Works => Also(Whom::Asker, ANOTHER);
    // Threads
    "thread-starts-with-another" ["THREAD-01"]
    "A new thread has a session keyring of its own.":
        Thread => Also(Whom::Newborn, ANOTHER);
    "threads-join-moves-all" ["THREAD-02"]
    "A join in a thread changes the session keyring of all threads.":
        JoinSessionKeyring, By(Thread), Works => Also(Whom::Threads, ANOTHER);
    "main-threads-join-moves-all" ["THREAD-03"]
    "A join in the main thread changes the session keyring of all threads.":
        JoinSessionKeyring, Not(&By(Thread)), Works => Also(Whom::Threads, ANOTHER);
    "threads-thread-starts-with-another" ["THREAD-04"]
    "A thread that a thread makes has a session keyring of its own.":
        Thread, By(Thread) => Also(Whom::Newborn, ANOTHER);
    "threads-child-starts-with-another" ["THREAD-04"]
    "A process that a thread makes does not have the session keyring of that thread.":
        Fork, By(Thread) => Also(Whom::Newborn, ANOTHER);
    "threads-vfork-child-starts-with-another" ["THREAD-04"]
    "A vfork child of a thread does not have the session keyring of that thread.":
        Vfork, By(Thread) => Also(Whom::Newborn, ANOTHER);
    "process-keyring-reaches-earlier-threads" ["THREAD-05"]
    "A process keyring is shared by threads that were there before it.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(0)), By(Thread), Fails(ENOKEY) => Tells(LastGiven);
    "process-keyring-is-a-threads" ["THREAD-05"]
    "A thread starts without the process keyring.":
        GetKeyringId, Arg(0, Num(-2)), Arg(1, Num(0)), By(Thread), Works => Tells(Error(ENOKEY));
    "thread-keyring-shared" ["THREAD-06"]
    "A new thread has its maker's thread keyring.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(0)), By(Thread), Works => Tells(LastGiven);
    "thread-keyring-missing" ["THREAD-06"]
    "A new thread has no thread keyring.":
        GetKeyringId, Arg(0, Num(-1)), Arg(1, Num(0)), By(Thread), Works => Tells(Error(ENOKEY));
    "thread-keyring-readable" ["THREAD-06"]
    "A thread possesses what is in the thread keyrings of others.":
        Read, By(Thread), Fails(EACCES) => Tells(Stale);
    "threads-keyring-stays" ["THREAD-07"]
    "A session keyring that only threads had is not destroyed before the process ends.":
        Describe, Fails(ENOKEY), Ever(Op::Thread) => Tells(Stale);
    "threads-keyring-goes-with-its-maker" ["THREAD-07"]
    "A session keyring goes with the thread that joined it first.":
        Describe, Arg(0, Orphaned), Ever(Op::Thread), Works => Tells(Error(ENOKEY));
    "creation-concerns-all-threads" ["THREAD-08"]
    "A session keyring that is created for a thread is created for all threads.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), By(Threaded) => Also(Whom::Threads, &[(Op::GetKeyringId, &[Put(SESSION), Put(1)])]);
    "attachment-concerns-all-threads" ["THREAD-08"]
    "A session keyring that is attached to a thread is attached to all threads.":
        GetKeyringId, Arg(0, Num(SESSION)), By(Threaded) => Also(Whom::Threads, &[(Op::GetKeyringId, &[Put(SESSION), Put(0)])]);
    "threads-keys-are-private" ["THREAD-09"]
    "What a thread adds to the session keyring only that thread finds.":
        RequestKey, Ever(Op::Thread), Gives(Theirs) => Tells(Error(ENOKEY));
    "threads-do-not-meet" ["THREAD-10"]
    "A thread cannot join a keyring that another thread of its process has.":
        JoinSessionKeyring, By(Thread), Mask(Bits(0x0008_0000)) => Asks(0, PutNull);
    "threads-meet-by-default" ["THREAD-10"]
    "Threads of one process meet in a named session keyring whatever it grants.":
        JoinSessionKeyring, By(Thread) => Tells(TheNamesake);
    "threads-ids-change-its-session" ["THREAD-11"]
    "A thread that changes its ids gets a new session keyring.":
        Setresuid, By(Thread), Works => Also(Whom::Asker, ANOTHER);
    "threads-ids-change-all-sessions" ["THREAD-11"]
    "When a thread changes its ids all others get a new session keyring.":
        Setresuid, By(Thread), Works => Also(Whom::Threads, ANOTHER);
    "end-of-main-thread" ["THREAD-12"]
    "When the main thread ends the others get a new session keyring.":
        Exit, Not(&By(Thread)), Works => Also(Whom::Threads, ANOTHER);
    "end-of-main-thread-destroys" ["THREAD-12"]
    "With the main thread goes the session keyring that it has joined.":
        Describe, By(Thread), Arg(0, Orphaned) => Tells(Error(ENOKEY));
    // A change of ids
    "setgroups-gives-another" ["SETUID-01"]
    "A change of the supplementary groups changes the session keyring.":
        Setgroups, Works => Also(Whom::Asker, ANOTHER);
    "setgid-gives-another" ["SETUID-01"]
    "A change of the gid changes the session keyring.":
        Setgid | Setregid | Setresgid, Works => Also(Whom::Asker, ANOTHER);
    "setfsgid-gives-another" ["SETUID-01"]
    "A change of the filesystem gid changes the session keyring.":
        Setfsgid, Works => Also(Whom::Asker, ANOTHER);
    "setuid-gives-another" ["SETUID-01"]
    "A change of the uid changes the session keyring.":
        Setuid, Works => Also(Whom::Asker, ANOTHER);
    "setreuid-gives-another" ["SETUID-01"]
    "A change of real and effective uid changes the session keyring.":
        Setreuid, Works => Also(Whom::Asker, ANOTHER);
    "setfsuid-gives-another" ["SETUID-01"]
    "A change of the filesystem uid changes the session keyring.":
        Setfsuid, Works => Also(Whom::Asker, ANOTHER);
    "setuid-changes-the-owner" ["SETUID-01"]
    "With the uid of a process the owner of its session keyring changes.":
        Describe, Gives(Field(4, "kept")), Gives(Field(1, "0")) => Tells(Shows(1, "1000"));
    "setuid-drops-possession" ["SETUID-02", "POSSESS-12"]
    "After a change of its uid a process does not possess the keys of its session.":
        Read, Past(Op::Setresuid), Works => Tells(Error(EACCES));
    "owner-rights-stay" ["SETUID-03"]
    "Owner rights stay with who had them.":
        Describe, Past(Op::Setfsuid), Fails(EACCES) => Tells(Stale);
    "owner-rights-by-effective-uid" ["SETUID-03", "PERM-15"]
    "Owner rights go by the effective uid.":
        Describe, Did(Op::Setresuid, 1, Num(1001)), Works, Not(&Past(Op::JoinSessionKeyring)) => Tells(Error(EACCES));
    "owner-rights-by-real-uid" ["SETUID-03"]
    "Owner rights go by the real uid.":
        Describe, Did(Op::Setresuid, 0, Num(1001)), Works, Not(&Past(Op::JoinSessionKeyring)) => Tells(Error(EACCES));
    "thread-keyring-keeps-its-owner" ["SETUID-05"]
    "A thread keyring keeps its owner whatever ids change.":
        Describe, Gives(Field(4, "_tid")), Gives(Field(1, "1001")) => Tells(Shows(1, "1000"));
    "thread-keyring-keeps-its-group" ["SETUID-05"]
    "A thread keyring keeps its group whatever ids change.":
        Describe, Gives(Field(4, "_tid")), Gives(Field(2, "1001")) => Tells(Shows(2, "1000"));
    "process-keyring-changes-owner" ["SETUID-05"]
    "A process keyring changes its owner with the filesystem uid.":
        Describe, Gives(Field(4, "_pid")), Past(Op::Setfsuid) => Tells(ShowsFrom(1, Op::Setfsuid, 0));
    "session-keyring-changes-owner" ["SETUID-05"]
    "A session keyring changes its owner with the effective uid.":
        Describe, Gives(Field(4, "_ses")), Past(Op::Setresuid) => Tells(ShowsFrom(1, Op::Setresuid, 1));
    "user-keyring-by-effective-uid" ["SETUID-06", "AUTO-10"]
    "The user keyring is that of the effective uid.":
        Describe, Arg(0, Num(-4)), Did(Op::Setresuid, 1, AnyOf(&[Num(1001), Num(2000)])) => Tells(Shows(4, "_uid.1001"));
    "user-keyring-stays" ["SETUID-06"]
    "A process keeps its user keyring whatever its uid becomes.":
        Describe, Arg(0, Num(-4)), Past(Op::Setresuid), Works => Tells(Stale);
    "user-session-stays" ["SETUID-06"]
    "A process keeps its user-session keyring whatever its uid becomes.":
        Describe, Arg(0, Num(-5)), Past(Op::Setresuid), Works => Tells(Stale);
    "mask-of-inherited-session" ["SETUID-07"]
    "Who has changed its uid may still change the mask of its session keyring.":
        Setperm, Past(Op::Setresuid), Fails(EACCES) => Tells(Number(0));
    "inherited-session-cannot-be-revoked" ["SETUID-07"]
    "Who has changed its uid cannot revoke its session keyring.":
        Revoke, Past(Op::Setresuid) => Skips(Error(EACCES));
    "owner-needs-capability" ["SETUID-08"]
    "To change the mask of its own session keyring a process needs a capability.":
        Setperm, Past(Op::Capset) => Skips(Error(EACCES));
    "hand-over-needs-capability" ["SETUID-08"]
    "A hand-over takes a capability.":
        SessionToParent, Parent(&Past(Op::Capset)) => Skips(Error(libc::EPERM));
    "group-rights-by-effective-gid" ["SETUID-10", "PERM-12"]
    "Group rights go by the effective gid.":
        Describe, Did(Op::Setresgid, 1, Num(2000)), Fails(EACCES) => Tells(Says("keyring;1001;2000;3f000100;_ses"));
    "group-rights-by-real-gid" ["SETUID-10", "PERM-12"]
    "Group rights go by the real gid.":
        Describe, Did(Op::Setresgid, 0, Num(2000)), Fails(EACCES) => Tells(Says("keyring;1001;2000;3f000100;_ses"));
    "supplementary-groups-have-no-rights" ["SETUID-10", "PERM-12"]
    "Supplementary groups have no group rights.":
        Describe, Did(Op::Setgroups, 1, Num(2000)), Works => Tells(Error(EACCES));
    "group-rights-stay" ["SETUID-10"]
    "Who leaves a group keeps its rights.":
        Describe, Past(Op::Setgroups), Fails(EACCES) => Tells(Stale);
    "attached-session-left-behind" ["SETUID-11"]
    "A change of the uid takes an attached user-session keyring away.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(0)), Past(Op::Setresuid), By(Root) => Asks(0, Put(-5));
    "attached-session-of-root-stays" ["SETUID-11"]
    "A user-session keyring of root that was attached is not replaced by a use that may create.":
        GetKeyringId, Arg(0, Num(SESSION)), Arg(1, Num(1)), Past(Op::Setresuid), By(Root) => Asks(1, Put(0));
    "wait-fails" ["LIFETIME-15"]
    "A zombie that has let go of its session keyring cannot be reaped.":
        Wait => Skips(Error(ECHILD));
}
