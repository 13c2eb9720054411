//! What each operation is in system calls, and what their answer means.
//!
//! The second of the three edits that a new operation takes: the compiler asks for its arm in [`work`].
//! No process is born and nothing is sent here.

use super::arguments::{Args, CONTENT, DESCRIPTION, LISTING, calls, file, opened, write_and_close};
use super::message::{Arg, Back, How, Kind, Request};
use super::reading::Reading;
use super::sys;
use crate::case::Abi;
use crate::judge::Observed;
use crate::ops::Op;
use crate::run::{Lost, Question};
use crate::value::{Value, capability};

/// What a stage has to do for a question.
#[derive(Debug)]
pub enum Work {
    /// Send the request and read its answer so.
    Ask(Request, Reading),
    /// Let the actor bear a child.
    Birth {
        /// How.
        how: How,
        /// Flags of clone(2).
        flags: i64,
    },
    /// Send the request; the executed program reports in, or the call fails.
    Exec(Request),
    /// Send the request; the program that it starts hosts an actor, who connects.
    Host(Request),
    /// End the actor, and reap it unless it is to stay a zombie.
    Exit {
        /// If its parent's wait has to be asked for.
        reap: bool,
    },
    /// Send the request, a signal, and read its answer as a number; then see what became of the target.
    Signal(Request, String),
    /// Send the request, a wait for this child.
    Wait(Request, String),
    /// Nothing: the stage knows the answer.
    Known(Observed),
}

/// What an operation may need to know or to have made.
pub trait Surroundings {
    /// The process id of a living actor.
    fn process(&self, actor: &str) -> Result<i32, Lost>;
    /// How far the actor's last buffer was written to.
    fn written(&self, actor: &str) -> u32;
    /// The descriptor of the actor's channel, in the actor.
    fn channel(&self, actor: &str) -> Result<i32, Lost>;
    /// The actor's own program as execveat(2) takes it: a descriptor and an empty path, or a path.
    fn own_program(&mut self) -> Result<(i32, String), Lost>;
    /// The path of a copy of the actor's program.
    fn copy(&mut self, copy: Copy, actor: &str) -> Result<String, Lost>;
    /// The path of a foreign program.
    fn foreign(&self, name: &str) -> Result<String, Lost>;
    /// The command by which an actor that is born in a foreign program reports in.
    fn reporter(&mut self, child: &str) -> Result<String, Lost>;
}

/// A copy of the actor's program in the case's private file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copy {
    /// Owned by this user, mode 4755.
    SetUser(u32),
    /// Owned by this group, mode 2755.
    SetGroup(u32),
    /// With these file capabilities, permitted and effective.
    Capabilities(u64),
    /// A script whose interpreter is the actor's program.
    Script,
}

/// What a question takes.
pub fn work(question: &Question, around: &mut dyn Surroundings) -> Result<Work, Lost> {
    use libc as c;
    let args = Args { op: question.op, args: &question.args };
    let actor = question.actor.as_str();
    let compat = question.abi == Abi::Compat32;
    let key = |number, words: &[usize]| args.keyctl(compat, number, words);

    Ok(match question.op {
        Op::GetKeyringId => key(0, &[0, 1])?,
        Op::JoinSessionKeyring => key(1, &[0])?,
        Op::Update => {
            args.payload_call(compat, |payload, length| Ok((2, vec![args.word(0)?, payload, length])), 1, 2)?
        }
        Op::Revoke => key(3, &[0])?,
        Op::Chown => key(4, &[0, 1, 2])?,
        Op::Setperm => key(5, &[0, 1])?,
        Op::Describe => args.buffer_call(compat, 6, DESCRIPTION, Reading::Text)?,
        Op::Clear => key(7, &[0])?,
        Op::Link => key(8, &[0, 1])?,
        Op::Unlink => key(9, &[0, 1])?,
        Op::Search => key(10, &[0, 1, 2, 3])?,
        Op::Read => args.buffer_call(compat, 11, CONTENT, Reading::Bytes)?,
        Op::Instantiate => args.payload_call(
            compat,
            |payload, length| Ok((12, vec![args.word(0)?, payload, length, args.word(2)?])),
            1,
            3,
        )?,
        Op::InstantiateIov => args.vector_call(compat)?,
        Op::Negate => key(13, &[0, 1, 2])?,
        Op::SetReqkeyKeyring => key(14, &[0])?,
        Op::SetTimeout => key(15, &[0, 1])?,
        Op::AssumeAuthority => key(16, &[0])?,
        Op::GetSecurity => args.buffer_call(compat, 17, DESCRIPTION, Reading::Text)?,
        Op::SessionToParent => key(18, &[])?,
        Op::Reject => key(19, &[0, 1, 2, 3])?,
        Op::Invalidate => key(21, &[0])?,
        Op::GetPersistent => key(22, &[0, 1])?,
        Op::DhCompute => args.diffie_hellman(compat)?,
        Op::RestrictKeyring => key(29, &[0, 1, 2])?,
        Op::Move => key(30, &[0, 1, 2, 3])?,
        Op::Capabilities => {
            let mut request = Request::new(Kind::Calls);
            let (buffer, size) = args.buffer(0, &mut request)?;
            args.key_call(compat, &mut request, &[Arg::Number(31), buffer, size]);
            Work::Ask(request, Reading::Number)
        }
        Op::HasCapability => {
            let mut request = Request::new(Kind::Calls);
            request.out(8, Back::Whole);
            args.key_call(compat, &mut request, &[Arg::Number(31), Arg::Out(0), Arg::Number(8)]);
            let bit = usize::try_from(args.number(0)?).ok().filter(|bit| *bit < 64);
            Work::Ask(request, Reading::Bit(bit.ok_or_else(|| args.unfit(0))?))
        }
        Op::WatchKey => key(32, &[0, 1, 2])?,
        Op::AddKey => args.add_key(compat)?,
        Op::RequestKey => {
            let mut request = Request::new(Kind::Calls);
            let words =
                (0..4).map(|at| args.pointer(at, &mut request)).collect::<Result<Vec<Arg>, Lost>>()?;
            request.call(if compat { 287 } else { c::SYS_request_key }, &words);
            args.finish(compat, request)
        }
        Op::Keyctl => {
            let mut request = Request::new(Kind::Calls);
            let words = (0..args.len())
                .map(|at| args.pointer(at, &mut request))
                .collect::<Result<Vec<Arg>, Lost>>()?;
            args.key_call(compat, &mut request, &words);
            Work::Ask(request, Reading::Number)
        }
        Op::BytesWritten => Work::Known(Observed::Value(Value::Number(around.written(actor).into()))),

        Op::Fork => Work::Birth { how: How::Copy, flags: c::SIGCHLD.into() },
        Op::Vfork => {
            Work::Birth { how: How::Shared, flags: (c::CLONE_VM | c::CLONE_VFORK | c::SIGCHLD).into() }
        }
        Op::Clone => {
            let flags = args.number(0)?;
            if flags & i64::from(c::CLONE_THREAD | c::CLONE_SETTLS | 0xff) != 0 {
                return Err(Lost("clone takes no CLONE_THREAD, CLONE_SETTLS or signal number".into()));
            }
            let how = if flags & i64::from(c::CLONE_VM) != 0 { How::Shared } else { How::Copy };
            Work::Birth { how, flags: flags | i64::from(c::SIGCHLD) }
        }
        Op::Clone3 => {
            let flags = args.number(0)?;
            if flags & i64::from(c::CLONE_VM | c::CLONE_THREAD | c::CLONE_SETTLS | 0xff) != 0 {
                return Err(Lost(
                    "clone3 takes no CLONE_VM, CLONE_THREAD, CLONE_SETTLS or signal number".into(),
                ));
            }
            Work::Birth { how: How::Clone3, flags }
        }
        Op::Thread => {
            let flags = c::CLONE_VM
                | c::CLONE_FS
                | c::CLONE_FILES
                | c::CLONE_SIGHAND
                | c::CLONE_THREAD
                | c::CLONE_SYSVSEM;
            Work::Birth { how: How::Shared, flags: flags.into() }
        }
        Op::Exec => match args.len() {
            0 => {
                let (directory, path) = around.own_program()?;
                execute(around, actor, directory, &path, "skc")?
            }
            _ => {
                let path = args.string(0)?;
                execute(around, actor, c::AT_FDCWD, &path, &path)?
            }
        },
        Op::ExecSetuid => {
            let path = around.copy(Copy::SetUser(args.id(0)?), actor)?;
            execute(around, actor, c::AT_FDCWD, &path, &path)?
        }
        Op::ExecSetgid => {
            let path = around.copy(Copy::SetGroup(args.id(0)?), actor)?;
            execute(around, actor, c::AT_FDCWD, &path, &path)?
        }
        Op::ExecFilecaps => {
            let path = around.copy(Copy::Capabilities(args.capabilities()?), actor)?;
            execute(around, actor, c::AT_FDCWD, &path, &path)?
        }
        Op::ExecScript => {
            let path = around.copy(Copy::Script, actor)?;
            execute(around, actor, c::AT_FDCWD, &path, &path)?
        }
        Op::Run => match &question.born {
            Some(child) => {
                let reporter = around.reporter(child)?;
                Work::Host(args.program(around, Some(&reporter))?)
            }
            None => Work::Ask(args.program(around, None)?, Reading::Output),
        },
        Op::RunStatus => Work::Ask(args.program(around, None)?, Reading::Status),
        Op::Exit => Work::Exit { reap: true },
        Op::ExitUnreaped => Work::Exit { reap: false },
        Op::Wait => {
            let child = args.name(0)?;
            let process = around.process(child)?;
            let wall = i64::from(c::__WALL);
            Work::Wait(calls(&[(c::SYS_wait4, &[process.into(), 0, wall, 0])]), child.to_owned())
        }
        Op::Kill => {
            let target = args.name(0)?;
            let process = around.process(target)?;
            Work::Signal(calls(&[(c::SYS_kill, &[process.into(), args.number(1)?])]), target.to_owned())
        }
        Op::Nanosleep => {
            let pause = args.pause()?;
            let mut request = Request::new(Kind::Calls);
            let words: Vec<u8> = [pause.as_secs() as i64, pause.subsec_nanos().into()]
                .iter()
                .flat_map(|word| word.to_ne_bytes())
                .collect();
            let at = request.place(&words);
            request.call(c::SYS_nanosleep, &[Arg::Image(at), Arg::Number(0)]);
            Work::Ask(request, Reading::Number)
        }
        Op::Spin => {
            let mut request = Request::new(Kind::Spin);
            request.call(0, &[Arg::Number(args.pause()?.as_nanos() as i64)]);
            Work::Ask(request, Reading::Number)
        }

        Op::Setuid => args.plain(c::SYS_setuid)?,
        Op::Setgid => args.plain(c::SYS_setgid)?,
        Op::Setreuid => args.plain(c::SYS_setreuid)?,
        Op::Setregid => args.plain(c::SYS_setregid)?,
        Op::Setresuid => args.plain(c::SYS_setresuid)?,
        Op::Setresgid => args.plain(c::SYS_setresgid)?,
        Op::Setfsuid => args.plain(c::SYS_setfsuid)?,
        Op::Setfsgid => args.plain(c::SYS_setfsgid)?,
        Op::Setgroups => {
            let groups = (0..args.len()).map(|at| args.id(at)).collect::<Result<Vec<u32>, Lost>>()?;
            let mut request = Request::new(Kind::Calls);
            let list: Vec<u8> = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
            let at = request.place(&list);
            request.call(c::SYS_setgroups, &[Arg::Number(groups.len() as i64), Arg::Image(at)]);
            Work::Ask(request, Reading::Number)
        }
        Op::Getuid => args.plain(c::SYS_getuid)?,
        Op::Geteuid => args.plain(c::SYS_geteuid)?,
        Op::Getgid => args.plain(c::SYS_getgid)?,
        Op::Getegid => args.plain(c::SYS_getegid)?,
        Op::Prctl => args.plain(c::SYS_prctl)?,
        Op::Capset | Op::CapsetInheritable => {
            let bits = args.capabilities()?;
            let inheritable = if question.op == Op::CapsetInheritable { bits } else { 0 };
            let words: Vec<u8> =
                sys::capability_words(bits, inheritable).iter().flat_map(|word| word.to_ne_bytes()).collect();
            let mut request = Request::new(Kind::Calls);
            let at = request.place(&words);
            request.call(c::SYS_capset, &[Arg::Image(at), Arg::Image(at + sys::CAPABILITY_HEADER)]);
            Work::Ask(request, Reading::Number)
        }
        Op::HasCap => {
            let name = args.string(0)?;
            let number = capability(&name).ok_or_else(|| args.unfit(0))?;
            let mut request = Request::new(Kind::Calls);
            let header: Vec<u8> =
                sys::capability_words(0, 0)[..2].iter().flat_map(|word| word.to_ne_bytes()).collect();
            let at = request.place(&header);
            request.out(24, Back::Whole);
            request.call(c::SYS_capget, &[Arg::Image(at), Arg::Out(0)]);
            Work::Ask(request, Reading::Effective(number))
        }

        Op::Unshare => args.plain(c::SYS_unshare)?,
        Op::Setns => {
            let process = around.process(args.name(0)?)?;
            let kind = args.number(1)?;
            let name = match kind as i32 {
                c::CLONE_NEWUSER => "user",
                c::CLONE_NEWPID => "pid",
                c::CLONE_NEWNS => "mnt",
                c::CLONE_NEWIPC => "ipc",
                c::CLONE_NEWUTS => "uts",
                _ => return Err(args.unfit(1)),
            };
            let mut request = opened(&format!("/proc/{process}/ns/{name}"), c::O_RDONLY);
            request.call(c::SYS_setns, &[Arg::Result(0), Arg::Number(kind)]);
            request.call(c::SYS_close, &[Arg::Result(0)]);
            Work::Ask(request, Reading::Zero)
        }
        Op::WriteUidMap => args.write_file(around, "uid_map")?,
        Op::WriteGidMap => args.write_file(around, "gid_map")?,
        Op::WriteSetgroups => args.write_file(around, "setgroups")?,
        Op::Setsid => args.plain(c::SYS_setsid)?,
        Op::Setpgid => Work::Ask(calls(&[(c::SYS_setpgid, &[0, 0])]), Reading::Number),
        Op::Chdir => args.path_call(c::SYS_chdir)?,
        Op::Chroot => args.path_call(c::SYS_chroot)?,
        Op::PtraceSeize => {
            let process = around.process(args.name(0)?)?;
            Work::Ask(
                calls(&[(c::SYS_ptrace, &[c::PTRACE_SEIZE.into(), process.into(), 0, 0])]),
                Reading::Number,
            )
        }

        Op::Open => Work::Ask(opened(&args.below_proc(0)?, c::O_RDONLY), Reading::Number),
        Op::Close => args.plain(c::SYS_close)?,
        Op::ProcKeys => {
            let serial = args.serial(0)?;
            let reading = Reading::Line(format!("{serial:08x}"));
            match args.len() {
                1 => Work::Ask(file("/proc/keys"), reading),
                _ => {
                    let fd = args.number(1)?;
                    let mut request = calls(&[(c::SYS_lseek, &[fd, 0, c::SEEK_SET.into()])]);
                    request.out(LISTING, Back::Result);
                    request.call(c::SYS_read, &[Arg::Number(fd)]);
                    request.drain();
                    Work::Ask(request, reading)
                }
            }
        }
        Op::ProcKeysSorted => Work::Ask(file("/proc/keys"), Reading::Ascending),
        Op::ProcKeyUsers => Work::Ask(file("/proc/key-users"), Reading::Line(format!("{}:", args.id(0)?))),
        Op::ProcSysKeys => Work::Ask(file(&args.limit(0)?), Reading::Spelled),
        Op::SetProcSysKeys => {
            let mut request = opened(&args.limit(0)?, c::O_WRONLY);
            write_and_close(&mut request, args.number(1)?.to_string().as_bytes());
            Work::Ask(request, Reading::Zero)
        }
        Op::FileMode => {
            let mut request = Request::new(Kind::Calls);
            let path = request.text(args.below_proc(0)?.as_bytes());
            request.out(256, Back::Whole);
            let (directory, mode) = (Arg::Number(c::AT_FDCWD.into()), Arg::Number(c::STATX_MODE.into()));
            request.call(c::SYS_statx, &[directory, Arg::Image(path), Arg::Number(0), mode, Arg::Out(0)]);
            Work::Ask(request, Reading::Mode)
        }
        Op::ProcCmdline => Work::Ask(file("/proc/self/cmdline"), Reading::Words),
        Op::ProcArgument => {
            let position = usize::try_from(args.number(0)?).map_err(|_| args.unfit(0))?;
            Work::Ask(file("/proc/self/cmdline"), Reading::Word(position))
        }
        Op::ProcEnviron => Work::Ask(file("/proc/self/environ"), Reading::Words),
        Op::ProcStatus => {
            let process = around.process(args.name(0)?)?;
            let field = Reading::Field(format!("{}:", args.string(1)?));
            Work::Ask(file(&format!("/proc/{process}/status")), field)
        }
    })
}

/// Executes a program that will serve the actor's channel.
fn execute(
    around: &dyn Surroundings,
    actor: &str,
    directory: i32,
    path: &str,
    name: &str,
) -> Result<Work, Lost> {
    let channel = around.channel(actor)?;
    let mut request = Request::new(Kind::Calls);
    let flag = format!("{}{channel}", super::life::ACTOR_FLAG);
    let file = request.text(path.as_bytes());
    let argv = request.texts(&[name.as_bytes(), flag.as_bytes()]);
    let envp = request.texts(&[]);
    let flags = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    let words = [
        Arg::Number(directory.into()),
        Arg::Image(file),
        Arg::Image(argv),
        Arg::Image(envp),
        Arg::Number(flags.into()),
    ];
    request.call(libc::SYS_execveat, &words);
    Ok(Work::Exec(request))
}
