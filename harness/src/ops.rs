//! The table of operations: the one place where an operation of the case language is declared.
//!
//! Parser, checker, JSON Schema and the manual are made from it; [`crate::actor::perform`] says how
//! each operation becomes system calls, and the compiler demands an arm there for each row here.

use serde::{Deserialize, Serialize};

/// What a parameter accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A serial or a special id such as `@s`.
    Key,
    /// An integer.
    Int,
    /// A permission mask: names of bits joined by `|`, or a number.
    Mask,
    /// Flags: names joined by `|`, or a number.
    Flags,
    /// A string, `NULL` or `BAD_POINTER`.
    Text,
    /// `buffer(N)`, `NULL` or `BAD_POINTER`.
    Buffer,
    /// The name of an actor of the case.
    Actor,
    /// An error name.
    Errno,
    /// Whatever has a value.
    Any,
}

/// What an operation gives when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Nothing but success; its value is 0.
    Zero,
    /// The serial of a key.
    Serial,
    /// A number.
    Number,
    /// A byte string.
    Text,
    /// Bytes: the payload of a key, or the members of a keyring, as the outcome asks.
    Content,
    /// `type;uid;gid;perm;description`; in an outcome `*` matches a field.
    Description,
    /// Words; in an outcome a `*` matches a word or a part of one, and an absent line is `""`.
    Line,
    /// A new actor.
    Actor,
}

/// What an operation takes for granted of a target beyond the system calls themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// User and group ids that nobody else has, or several of them.
    Ids,
    /// A file system of the case's own, for copies of the actor's program.
    Files,
    /// /proc for the case's pid namespace.
    Proc,
    /// Foreign programs of the machine.
    Programs,
    /// A VM: the operation reaches what no namespace holds.
    Vm,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in the manual and in messages.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
}

/// One row of the table.
#[derive(Debug)]
pub struct Spec {
    /// The operation.
    pub op: Op,
    /// Its name in a case.
    pub name: &'static str,
    /// Parameters that have to be given.
    pub params: &'static [Param],
    /// Parameters that may follow.
    pub optional: &'static [Param],
    /// A parameter that may be repeated at the end.
    pub rest: Option<Param>,
    /// What success gives.
    pub gives: Gives,
    /// What it takes for granted.
    pub needs: &'static [Need],
    /// One line for the manual.
    pub doc: &'static str,
    /// Where it is specified.
    pub from: &'static str,
}

macro_rules! ops {
    ($($op:ident = $name:literal ($($param:ident: $kind:ident),* $(; $opt:ident: $optkind:ident)* $(;; $rest:ident: $restkind:ident)?)
        -> $gives:ident $([$($need:ident),+])?, $from:literal, $doc:literal;)+) => {
        /// An operation of the case language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Op {
            $(#[doc = $doc] #[serde(rename = $name)] $op,)+
        }

        /// Every operation.
        pub static OPS: &[Spec] = &[$(Spec {
            op: Op::$op,
            name: $name,
            params: &[$(Param { name: stringify!($param), kind: Kind::$kind }),*],
            optional: &[$(Param { name: stringify!($opt), kind: Kind::$optkind }),*],
            rest: ops!(@rest $($rest: $restkind)?),
            gives: Gives::$gives,
            needs: &[$($(Need::$need),+)?],
            doc: $doc,
            from: $from,
        }),+];
    };
    (@rest) => { None };
    (@rest $rest:ident: $kind:ident) => { Some(Param { name: stringify!($rest), kind: Kind::$kind }) };
}

// Op = "name"(required; optional;; repeated) -> result [needs], source, doc;
ops! {
    GetKeyringId = "get_keyring_ID"(id: Key, create: Int) -> Serial,
        "keyctl(2) KEYCTL_GET_KEYRING_ID", "The serial that an id stands for; a non-zero `create` makes a missing keyring.";
    JoinSessionKeyring = "join_session_keyring"(name: Text) -> Serial,
        "keyctl(2) KEYCTL_JOIN_SESSION_KEYRING", "Joins or creates the session keyring `name`; NULL makes an anonymous one.";
    Update = "update"(id: Key, payload: Text; length: Int) -> Zero,
        "keyctl(2) KEYCTL_UPDATE", "Replaces the payload of a key; `length` overrides the payload's own.";
    Revoke = "revoke"(id: Key) -> Zero,
        "keyctl(2) KEYCTL_REVOKE", "Revokes a key.";
    Chown = "chown"(id: Key, uid: Int, gid: Int) -> Zero,
        "keyctl(2) KEYCTL_CHOWN", "Changes owner and group of a key; -1 leaves one as it is.";
    Setperm = "setperm"(id: Key, mask: Mask) -> Zero,
        "keyctl(2) KEYCTL_SETPERM", "Changes the permission mask of a key.";
    Describe = "describe"(id: Key; buffer: Buffer) -> Description,
        "keyctl(2) KEYCTL_DESCRIBE", "The kernel's description of a key; with a buffer the number that the call returns.";
    Clear = "clear"(keyring: Key) -> Zero,
        "keyctl(2) KEYCTL_CLEAR", "Removes all links of a keyring.";
    Link = "link"(id: Key, keyring: Key) -> Zero,
        "keyctl(2) KEYCTL_LINK", "Links a key into a keyring.";
    Unlink = "unlink"(id: Key, keyring: Key) -> Zero,
        "keyctl(2) KEYCTL_UNLINK", "Removes the link of a key from a keyring.";
    Search = "search"(keyring: Key, r#type: Text, description: Text, destination: Key) -> Serial,
        "keyctl(2) KEYCTL_SEARCH", "Searches a keyring tree; a destination other than 0 gets a link.";
    Read = "read"(id: Key; buffer: Buffer) -> Content,
        "keyctl(2) KEYCTL_READ", "The payload of a key, or the set of links of a keyring; with a buffer the number that the call returns.";
    Instantiate = "instantiate"(id: Key, payload: Text, keyring: Key; length: Int) -> Zero,
        "keyctl(2) KEYCTL_INSTANTIATE", "Gives a key under construction its payload.";
    InstantiateIov = "instantiate_iov"(id: Key, first: Text, second: Text, keyring: Key) -> Zero,
        "keyctl(2) KEYCTL_INSTANTIATE_IOV", "Instantiates from two parts.";
    Negate = "negate"(id: Key, timeout: Int, keyring: Key) -> Zero,
        "keyctl(2) KEYCTL_NEGATE", "Marks a key under construction as absent for `timeout` seconds.";
    Reject = "reject"(id: Key, timeout: Int, error: Any, keyring: Key) -> Zero,
        "keyctl(2) KEYCTL_REJECT", "Marks a key under construction as refused with `error` for `timeout` seconds.";
    SetReqkeyKeyring = "set_reqkey_keyring"(default: Int) -> Number,
        "keyctl(2) KEYCTL_SET_REQKEY_KEYRING", "Sets the thread's default destination of request_key and gives the former one.";
    SetTimeout = "set_timeout"(id: Key, seconds: Int) -> Zero,
        "keyctl(2) KEYCTL_SET_TIMEOUT", "Lets a key expire after so many seconds; 0 takes the limit away.";
    AssumeAuthority = "assume_authority"(id: Key) -> Serial,
        "keyctl(2) KEYCTL_ASSUME_AUTHORITY", "Assumes the authority to instantiate a key; 0 drops it.";
    GetSecurity = "get_security"(id: Key; buffer: Buffer) -> Text,
        "keyctl(2) KEYCTL_GET_SECURITY", "The security label of a key; with a buffer the number that the call returns.";
    SessionToParent = "session_to_parent"() -> Zero,
        "keyctl(2) KEYCTL_SESSION_TO_PARENT", "Gives the parent process the caller's session keyring.";
    Invalidate = "invalidate"(id: Key) -> Zero,
        "keyctl(2) KEYCTL_INVALIDATE", "Invalidates a key.";
    GetPersistent = "get_persistent"(uid: Int, keyring: Key) -> Serial,
        "keyctl(2) KEYCTL_GET_PERSISTENT", "Links the persistent keyring of a user into a keyring.";
    RestrictKeyring = "restrict_keyring"(keyring: Key, r#type: Text, restriction: Text) -> Zero,
        "keyctl(2) KEYCTL_RESTRICT_KEYRING", "Restricts what may be linked into a keyring.";
    Move = "move"(id: Key, from: Key, to: Key, flags: Flags) -> Zero,
        "keyctl(2) KEYCTL_MOVE", "Moves a link from one keyring to another.";
    Capabilities = "capabilities"(buffer: Buffer) -> Number,
        "keyctl(2) KEYCTL_CAPABILITIES", "Fills a buffer with the capabilities of the key facility and gives the number that the call returns.";
    HasCapability = "has_capability"(bit: Int) -> Number,
        "keyctl(2) KEYCTL_CAPABILITIES", "1 if a CAPS_ bit of the key facility is set, else 0.";
    DhCompute = "dh_compute"(private: Key, prime: Key, base: Key; buffer: Buffer) -> Content,
        "keyctl(2) KEYCTL_DH_COMPUTE", "A Diffie-Hellman value from three keys.";
    WatchKey = "watch_key"(id: Key, queue: Int, watch: Int) -> Zero,
        "keyctl(2) KEYCTL_WATCH_KEY", "Watches a key through the file descriptor of a notification queue.";
    AddKey = "add_key"(r#type: Text, description: Text, payload: Text, keyring: Key; length: Int) -> Serial,
        "add_key(2)", "Adds or updates a key; `length` overrides the payload's own.";
    RequestKey = "request_key"(r#type: Text, description: Text, callout: Text, destination: Key) -> Serial,
        "request_key(2)", "Searches the process's keyrings; with callout data other than NULL a missing key is constructed.";
    Keyctl = "keyctl"(command: Int;; argument: Any) -> Number,
        "keyctl(2)", "The bare system call with up to four arguments, for what the operations above refuse to say.";
    BytesWritten = "bytes_written"() -> Number,
        "keyctl(2)", "How many bytes of its buffer the actor's last call with a buffer has written.";

    Fork = "fork"() -> Actor,
        "fork(2)", "A child process.";
    Vfork = "vfork"() -> Actor,
        "vfork(2)", "A child process that shares the caller's memory; the caller is suspended until the child executes a program or exits.";
    Clone = "clone"(flags: Flags) -> Actor,
        "clone(2)", "A child process made with these flags and SIGCHLD.";
    Clone3 = "clone3"(flags: Flags) -> Actor,
        "clone3(2)", "A child process made by clone3 with these flags and SIGCHLD.";
    Thread = "thread"() -> Actor,
        "clone(2) CLONE_THREAD", "A thread of the caller's process.";
    Exec = "exec"(; path: Text) -> Zero,
        "execve(2)", "Executes the actor's own program anew, or the file at `path`.";
    ExecSetuid = "exec_setuid"(uid: Int) -> Zero [Ids, Files],
        "execve(2) Set-user-ID", "Executes a set-user-ID copy of the actor's program owned by `uid`.";
    ExecSetgid = "exec_setgid"(gid: Int) -> Zero [Ids, Files],
        "execve(2) Set-group-ID", "Executes a set-group-ID copy of the actor's program owned by group `gid`.";
    ExecFilecaps = "exec_filecaps"(;; capability: Text) -> Zero [Ids, Files],
        "capabilities(7) File capabilities", "Executes a copy of the actor's program with these file capabilities, permitted and effective.";
    ExecScript = "exec_script"() -> Zero [Files],
        "execve(2) Interpreter scripts", "Executes a script whose interpreter is the actor's program.";
    Run = "run"(program: Text;; argument: Any) -> Text [Proc, Programs],
        "execve(2)", "Runs a foreign program and gives what it printed, or hosts the actor that `ACTOR` among the arguments stands for.";
    RunStatus = "run_status"(program: Text;; argument: Any) -> Number [Programs],
        "waitpid(2)", "Runs a foreign program and gives its exit status.";
    Exit = "exit"() -> Zero,
        "_exit(2)", "Ends the actor; done when the process is reaped or the kernel has let go of the thread.";
    ExitUnreaped = "exit_unreaped"() -> Zero [Proc],
        "_exit(2)", "Ends the actor's process and leaves a zombie to its parent.";
    Wait = "wait"(child: Actor) -> Zero,
        "waitpid(2)", "Reaps a child that has ended.";
    Kill = "kill"(target: Actor, signal: Int) -> Zero,
        "kill(2)", "Sends a signal to another actor.";
    Nanosleep = "nanosleep"(milliseconds: Int) -> Zero,
        "nanosleep(2)", "Sleeps in the kernel, for 8000 ms at most.";
    Spin = "spin"(milliseconds: Int) -> Zero,
        "getpid(2)", "Computes in user space without a system call, for 8000 ms at most.";

    Setuid = "setuid"(uid: Int) -> Zero [Ids],
        "setuid(2)", "Sets the user ids as the privileges of the caller allow. Of the calling thread only, like all that follow.";
    Setgid = "setgid"(gid: Int) -> Zero [Ids],
        "setgid(2)", "Sets the group ids.";
    Setreuid = "setreuid"(real: Int, effective: Int) -> Zero [Ids],
        "setreuid(2)", "Sets real and effective user id; -1 leaves one as it is.";
    Setregid = "setregid"(real: Int, effective: Int) -> Zero [Ids],
        "setregid(2)", "Sets real and effective group id.";
    Setresuid = "setresuid"(real: Int, effective: Int, saved: Int) -> Zero [Ids],
        "setresuid(2)", "Sets real, effective and saved user id.";
    Setresgid = "setresgid"(real: Int, effective: Int, saved: Int) -> Zero [Ids],
        "setresgid(2)", "Sets real, effective and saved group id.";
    Setfsuid = "setfsuid"(uid: Int) -> Number [Ids],
        "setfsuid(2)", "Sets the filesystem user id and gives the former one; -1 only reads it.";
    Setfsgid = "setfsgid"(gid: Int) -> Number [Ids],
        "setfsgid(2)", "Sets the filesystem group id and gives the former one; -1 only reads it.";
    Setgroups = "setgroups"(;; gid: Int) -> Zero [Ids],
        "setgroups(2)", "Sets the supplementary groups.";
    Getuid = "getuid"() -> Number, "getuid(2)", "The real user id.";
    Geteuid = "geteuid"() -> Number, "geteuid(2)", "The effective user id.";
    Getgid = "getgid"() -> Number, "getgid(2)", "The real group id.";
    Getegid = "getegid"() -> Number, "getegid(2)", "The effective group id.";
    Prctl = "prctl"(option: Int;; argument: Int) -> Number,
        "prctl(2)", "An operation on the process or thread.";
    Capset = "capset"(;; capability: Text) -> Zero,
        "capset(2)", "Sets permitted and effective capabilities to just these.";
    CapsetInheritable = "capset_inheritable"(;; capability: Text) -> Zero,
        "capset(2)", "Sets permitted, effective and inheritable capabilities to just these.";
    HasCap = "has_cap"(capability: Text) -> Number,
        "capget(2)", "1 if the capability is effective, else 0.";

    Unshare = "unshare"(flags: Flags) -> Zero,
        "unshare(2)", "Moves the caller into new namespaces.";
    Setns = "setns"(target: Actor, kind: Flags) -> Zero [Proc],
        "setns(2)", "Enters a namespace of another actor.";
    WriteUidMap = "write_uid_map"(target: Actor, map: Text) -> Zero [Ids, Proc],
        "user_namespaces(7)", "Writes the uid_map of another actor's user namespace.";
    WriteGidMap = "write_gid_map"(target: Actor, map: Text) -> Zero [Ids, Proc],
        "user_namespaces(7)", "Writes the gid_map of another actor's user namespace.";
    WriteSetgroups = "write_setgroups"(target: Actor, word: Text) -> Zero [Ids, Proc],
        "user_namespaces(7)", "Writes `allow` or `deny` to the setgroups file of another actor.";
    Setsid = "setsid"() -> Number, "setsid(2)", "Starts a POSIX session; gives its id.";
    Setpgid = "setpgid"() -> Zero, "setpgid(2)", "Starts a process group.";
    Chdir = "chdir"(path: Text) -> Zero, "chdir(2)", "Changes the working directory.";
    Chroot = "chroot"(path: Text) -> Zero, "chroot(2)", "Changes the root directory.";
    PtraceSeize = "ptrace_seize"(target: Actor) -> Zero,
        "ptrace(2) PTRACE_SEIZE", "Becomes the tracer of another actor.";

    Open = "open"(path: Text) -> Number [Proc],
        "open(2)", "Opens a file below /proc for reading and gives its descriptor.";
    Close = "close"(fd: Int) -> Zero,
        "close(2)", "Closes a descriptor.";
    ProcKeys = "proc_keys"(id: Key; fd: Int) -> Line [Proc],
        "proc(5) /proc/keys", "The line of a key in /proc/keys, or in a descriptor opened from it.";
    ProcKeysSorted = "proc_keys_sorted"() -> Number [Ids, Proc],
        "proc(5) /proc/keys", "1 if the serials in /proc/keys ascend and none comes twice, else 0.";
    ProcKeyUsers = "proc_key_users"(uid: Int) -> Line [Ids, Proc],
        "proc(5) /proc/key-users", "The line of a user in /proc/key-users.";
    ProcSysKeys = "proc_sys_keys"(name: Text) -> Number [Proc],
        "proc(5) /proc/sys/kernel/keys", "A limit of the key facility.";
    SetProcSysKeys = "set_proc_sys_keys"(name: Text, number: Int) -> Zero [Proc, Vm],
        "proc(5) /proc/sys/kernel/keys", "Sets a limit of the key facility.";
    FileMode = "file_mode"(path: Text) -> Number [Proc],
        "stat(2)", "The permission bits of a file below /proc.";
    ProcCmdline = "proc_cmdline"() -> Line [Proc],
        "proc(5) /proc/pid/cmdline", "The words with which the actor's program was executed.";
    ProcArgument = "proc_argument"(position: Int) -> Number [Proc],
        "proc(5) /proc/pid/cmdline", "One of these words, by its position from 0, if it is a number in decimal.";
    ProcEnviron = "proc_environ"() -> Line [Proc],
        "proc(5) /proc/pid/environ", "The environment with which the actor's program was executed.";
    ProcStatus = "proc_status"(target: Actor, field: Text) -> Line [Proc],
        "proc(5) /proc/pid/status", "A field such as `State` or `Uid` in the status of another actor's process.";
}

impl Op {
    /// The operation's row.
    pub fn spec(self) -> &'static Spec {
        &OPS[self as usize]
    }

    /// The operation of this name.
    pub fn from_name(name: &str) -> Option<Op> {
        OPS.iter().find(|spec| spec.name == name).map(|spec| spec.op)
    }

    /// If the operation is one of the three system calls of the key facility, so that it can be made
    /// through the 32-bit entry.
    pub fn is_key_call(self) -> bool {
        (self as usize) <= Op::Keyctl as usize
    }
}

impl Spec {
    /// The smallest and the largest number of arguments; `None` where there is no largest.
    pub fn arity(&self) -> (usize, Option<usize>) {
        let least = self.params.len();
        (least, self.rest.is_none().then_some(least + self.optional.len()))
    }

    /// The parameter at a position.
    pub fn param(&self, at: usize) -> Option<Param> {
        self.params.iter().chain(self.optional).copied().nth(at).or(self.rest)
    }

    /// The operation as one writes it: `describe(id [, buffer])`.
    pub fn signature(&self) -> String {
        let mut text = self.params.iter().map(Param::shown).collect::<Vec<_>>().join(", ");
        for param in self.optional {
            text += &if text.is_empty() {
                format!("[{}]", param.shown())
            } else {
                format!(" [, {}]", param.shown())
            };
        }
        if let Some(param) = self.rest {
            text += &format!("{}{}…", if text.is_empty() { "" } else { ", " }, param.shown());
        }
        format!("{}({text})", self.name)
    }
}

impl Param {
    /// The parameter's name without Rust's mark for reserved words.
    pub fn shown(&self) -> &'static str {
        self.name.strip_prefix("r#").unwrap_or(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_row_is_found_by_its_name_and_number() {
        let names: HashSet<&str> = OPS.iter().map(|spec| spec.name).collect();
        assert_eq!(names.len(), OPS.len());
        for spec in OPS {
            assert_eq!(Op::from_name(spec.name), Some(spec.op));
            assert_eq!(spec.op.spec().name, spec.name);
        }
    }

    #[test]
    fn a_signature_reads_as_it_is_written() {
        assert_eq!(Op::Describe.spec().signature(), "describe(id [, buffer])");
        assert_eq!(Op::Exec.spec().signature(), "exec([path])");
        assert_eq!(Op::Run.spec().signature(), "run(program, argument…)");
        assert_eq!(Op::Setgroups.spec().signature(), "setgroups(gid…)");
        assert_eq!(Op::Search.spec().signature(), "search(keyring, type, description, destination)");
    }
}
