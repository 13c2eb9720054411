//! What each operation is in system calls, and what their answer means.
//!
//! The second of the three edits that a new operation takes: the compiler asks for its arm in [`work`].
//! No process is born and nothing is sent here.

use std::time::Duration;

use super::message::{Answer, Arg, Back, How, Kind, Request};
use super::sys;
use crate::case::{Abi, limits};
use crate::judge::Observed;
use crate::ops::Op;
use crate::run::{Lost, Question};
use crate::value::{Bytes, Errno, Value, capability};

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

/// How an answer becomes an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The number that the kernel returned.
    Number,
    /// Success, whatever number was returned.
    Zero,
    /// A string that the kernel counts with its NUL.
    Text,
    /// Bytes.
    Bytes,
    /// The line that begins with this word, or `""`.
    Line(String),
    /// What follows this word in the line that begins with it, or `""`.
    Field(String),
    /// 1 if the first words of all lines ascend as hexadecimal numbers.
    Ascending,
    /// The number that the bytes spell.
    Spelled,
    /// One bit of the bytes.
    Bit(usize),
    /// The permission bits in a `struct statx`.
    Mode,
    /// What a program printed, if it succeeded.
    Output,
    /// The exit status of a program.
    Status,
    /// 1 if this capability is effective in the data of capget(2).
    Effective(u32),
}

/// What an operation may need to know or to have made.
pub trait Surroundings {
    /// The process id of a living actor.
    fn process(&self, actor: &str) -> Result<i32, Lost>;
    /// How far the actor's last buffer was written to.
    fn written(&self, actor: &str) -> u32;
    /// The descriptor of the actor's program, and of the actor's channel, in the actor.
    fn descriptors(&self, actor: &str) -> Result<(i32, i32), Lost>;
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

/// An address that no process has mapped: the first page is never given out.
const BAD_POINTER: i64 = 8;
/// The size that goes with a NULL or bad output pointer.
const CLAIMED: i64 = 4096;
/// The buffer of a description: names have 4095 bytes at most.
const DESCRIPTION: usize = 8 << 10;
/// The buffer of a payload or a keyring's links.
const CONTENT: usize = 128 << 10;
/// The buffer of a file below /proc.
const LISTING: usize = 512 << 10;
/// Where foreign programs are looked for, and what they get as PATH.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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
                let (program, _) = around.descriptors(actor)?;
                execute(around, actor, program, "", "skc")?
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
        Op::Capset => {
            let words: Vec<u8> = sys::capability_words(args.capabilities()?)
                .iter()
                .flat_map(|word| word.to_ne_bytes())
                .collect();
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
                sys::capability_words(0)[..2].iter().flat_map(|word| word.to_ne_bytes()).collect();
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
        Op::ProcStatus => {
            let process = around.process(args.name(0)?)?;
            Work::Ask(
                file(&format!("/proc/{process}/status")),
                Reading::Field(format!("{}:", args.string(1)?)),
            )
        }
    })
}

/// What an answer says, read as its question asks.
pub fn observe(reading: &Reading, answer: &Answer, out: usize) -> Observed {
    if answer.touched as usize > out {
        let written = answer.touched;
        return Observed::Wrong(format!("{written} bytes written into a buffer of {out}: past its end"));
    }
    if sys::is_error(answer.result as isize) {
        return Observed::Fails(Errno(-answer.result as i32));
    }
    let number = |number: i64| Observed::Value(Value::Number(number));
    let text = |bytes: &[u8]| Observed::Value(Value::Text(Bytes(bytes.to_vec())));
    match reading {
        Reading::Number => number(answer.result),
        Reading::Zero => number(0),
        Reading::Text if answer.result as usize > out => {
            Observed::Wrong(format!("a text of {} bytes, more than the {out} of its buffer", answer.result))
        }
        Reading::Text => match answer.out.split_last() {
            Some((0, bytes)) => text(bytes),
            _ => Observed::Wrong(format!("{}, which has no terminating NUL", Bytes(answer.out.clone()))),
        },
        Reading::Bytes if answer.result as usize > out => Observed::Wrong(format!(
            "a content of {} bytes, more than the {out} of its buffer",
            answer.result
        )),
        Reading::Bytes => text(&answer.out),
        Reading::Line(first) => text(&line(&answer.out, first).join(&b' ')),
        Reading::Field(first) => text(&line(&answer.out, first).get(1..).unwrap_or_default().join(&b' ')),
        Reading::Ascending => {
            let serials: Vec<Option<u32>> = answer
                .out
                .split(|byte| *byte == b'\n')
                .filter_map(|line| words(line).next())
                .map(|word| {
                    std::str::from_utf8(word).ok().and_then(|word| u32::from_str_radix(word, 16).ok())
                })
                .collect();
            let ascend = serials.iter().all(Option::is_some) && serials.is_sorted() && !serials.is_empty();
            number(ascend.into())
        }
        Reading::Spelled => {
            let spelled = std::str::from_utf8(&answer.out).ok().and_then(|text| text.trim().parse().ok());
            spelled
                .map_or_else(|| Observed::Wrong(format!("{}, no number", Bytes(answer.out.clone()))), number)
        }
        Reading::Bit(bit) => {
            // Bytes that the kernel did not fill are no capabilities.
            let byte = if bit / 8 < answer.touched as usize { answer.out[bit / 8] } else { 0 };
            number((byte >> (bit % 8) & 1).into())
        }
        Reading::Mode => {
            const MODE: usize = std::mem::offset_of!(libc::statx, stx_mode);
            number((u16::from_ne_bytes([answer.out[MODE], answer.out[MODE + 1]]) & 0o7777).into())
        }
        Reading::Output => match status(answer.result) {
            Ok(0) => text(printed(answer).strip_suffix(b"\n").unwrap_or(printed(answer))),
            Ok(status) => {
                Observed::Wrong(format!("exit status {status}: {}", Bytes(printed(answer).to_vec())))
            }
            Err(signal) => Observed::Wrong(format!("killed by signal {signal}")),
        },
        Reading::Status => match status(answer.result) {
            Ok(status) => number(status.into()),
            Err(signal) => Observed::Wrong(format!("killed by signal {signal}")),
        },
        Reading::Effective(capability) => {
            let at = if *capability < 32 { 0 } else { 12 };
            let word = u32::from_ne_bytes(std::array::from_fn(|index| answer.out[at + index]));
            number((word >> (capability % 32) & 1).into())
        }
    }
}

/// The words of the line that begins with this one.
fn line<'a>(out: &'a [u8], first: &str) -> Vec<&'a [u8]> {
    let line = out.split(|byte| *byte == b'\n').find(|line| words(line).next() == Some(first.as_bytes()));
    words(line.unwrap_or_default()).collect()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

fn printed(answer: &Answer) -> &[u8] {
    &answer.out[..answer.out.len().min(answer.touched as usize)]
}

/// The exit status in a wait status, or the signal that ended the process.
fn status(status: i64) -> Result<i32, i32> {
    let status = status as i32;
    match libc::WIFEXITED(status) {
        true => Ok(libc::WEXITSTATUS(status)),
        false => Err(libc::WTERMSIG(status)),
    }
}

/// A request of calls whose arguments are numbers.
fn calls(list: &[(i64, &[i64])]) -> Request {
    let mut request = Request::new(Kind::Calls);
    for (number, args) in list {
        request.call(*number, &args.iter().map(|arg| Arg::Number(*arg)).collect::<Vec<_>>());
    }
    request
}

/// A request that begins by opening a file.
fn opened(path: &str, flags: i32) -> Request {
    let mut request = Request::new(Kind::Calls);
    let path = request.text(path.as_bytes());
    let directory = Arg::Number(libc::AT_FDCWD.into());
    request.call(libc::SYS_openat, &[directory, Arg::Image(path), Arg::Number(flags.into()), Arg::Number(0)]);
    request
}

/// A request for the content of a file.
fn file(path: &str) -> Request {
    let mut request = opened(path, libc::O_RDONLY);
    request.out(LISTING, Back::Result);
    request.call(libc::SYS_read, &[Arg::Result(0)]);
    request.drain();
    request.main();
    request.call(libc::SYS_close, &[Arg::Result(0)]);
    request
}

fn write_and_close(request: &mut Request, bytes: &[u8]) {
    let at = request.place(bytes);
    request.call(libc::SYS_write, &[Arg::Result(0), Arg::Image(at), Arg::Number(bytes.len() as i64)]);
    request.call(libc::SYS_close, &[Arg::Result(0)]);
}

/// Executes a program that will serve the actor's channel.
fn execute(
    around: &dyn Surroundings,
    actor: &str,
    directory: i32,
    path: &str,
    name: &str,
) -> Result<Work, Lost> {
    let (_, channel) = around.descriptors(actor)?;
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

/// The arguments of a question, by position.
struct Args<'a> {
    op: Op,
    args: &'a [Value],
}

impl Args<'_> {
    fn len(&self) -> usize {
        self.args.len()
    }

    fn unfit(&self, at: usize) -> Lost {
        let param = self.op.spec().param(at).map_or("argument", |param| param.shown());
        let value = self.args.get(at).map_or("nothing".into(), Value::to_string);
        Lost(format!("{value} cannot be the {param} of {}", self.op.spec().name))
    }

    fn number(&self, at: usize) -> Result<i64, Lost> {
        self.args.get(at).and_then(Value::number).ok_or_else(|| self.unfit(at))
    }

    fn word(&self, at: usize) -> Result<Arg, Lost> {
        self.number(at).map(Arg::Number)
    }

    fn id(&self, at: usize) -> Result<u32, Lost> {
        u32::try_from(self.number(at)?).map_err(|_| self.unfit(at))
    }

    fn serial(&self, at: usize) -> Result<u32, Lost> {
        u32::try_from(self.number(at)?).ok().filter(|serial| *serial > 0).ok_or_else(|| self.unfit(at))
    }

    fn pause(&self) -> Result<Duration, Lost> {
        match self.number(0)? {
            pause @ 0..=limits::PAUSE => Ok(Duration::from_millis(pause as u64)),
            _ => Err(self.unfit(0)),
        }
    }

    fn name(&self, at: usize) -> Result<&str, Lost> {
        match self.args.get(at) {
            Some(Value::Name(name)) => Ok(name),
            _ => Err(self.unfit(at)),
        }
    }

    fn string(&self, at: usize) -> Result<String, Lost> {
        match self.args.get(at) {
            Some(Value::Text(bytes)) => String::from_utf8(bytes.0.clone()).map_err(|_| self.unfit(at)),
            _ => Err(self.unfit(at)),
        }
    }

    fn below_proc(&self, at: usize) -> Result<String, Lost> {
        let path = self.string(at)?;
        match path.starts_with("/proc/") && !path.contains("..") {
            true => Ok(path),
            false => Err(self.unfit(at)),
        }
    }

    fn limit(&self, at: usize) -> Result<String, Lost> {
        let name = self.string(at)?;
        match name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            true => Ok(format!("/proc/sys/kernel/keys/{name}")),
            false => Err(self.unfit(at)),
        }
    }

    fn capabilities(&self) -> Result<u64, Lost> {
        (0..self.len()).try_fold(0, |bits, at| {
            Ok(bits | 1 << capability(&self.string(at)?).ok_or_else(|| self.unfit(at))?)
        })
    }

    /// An argument as the kernel gets it: texts and buffers as addresses.
    fn pointer(&self, at: usize, request: &mut Request) -> Result<Arg, Lost> {
        Ok(match self.args.get(at) {
            Some(Value::Number(number)) => Arg::Number(*number),
            Some(Value::Null) => Arg::Number(0),
            Some(Value::BadPointer) => Arg::Number(BAD_POINTER),
            Some(Value::Text(bytes)) => Arg::Image(request.text(&bytes.0)),
            Some(Value::Buffer(size)) => {
                request.out(*size as usize, Back::None);
                Arg::Out(0)
            }
            _ => return Err(self.unfit(at)),
        })
    }

    /// An output buffer and its size.
    fn buffer(&self, at: usize, request: &mut Request) -> Result<(Arg, Arg), Lost> {
        let pointer = self.pointer(at, request)?;
        let size = match self.args[at] {
            Value::Buffer(size) => size.into(),
            _ => CLAIMED,
        };
        Ok((pointer, Arg::Number(size)))
    }

    fn key_call(&self, compat: bool, request: &mut Request, words: &[Arg]) {
        request.call(if compat { 288 } else { libc::SYS_keyctl }, words);
        if compat {
            request.compat();
        }
    }

    fn finish(&self, compat: bool, mut request: Request) -> Work {
        if compat {
            request.compat();
        }
        Work::Ask(request, Reading::Number)
    }

    /// keyctl with this command and these of the arguments.
    fn keyctl(&self, compat: bool, command: i64, positions: &[usize]) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let mut words = vec![Arg::Number(command)];
        for at in positions {
            words.push(self.pointer(*at, &mut request)?);
        }
        self.key_call(compat, &mut request, &words);
        Ok(Work::Ask(request, Reading::Number))
    }

    /// keyctl of a key and a buffer: the case's own, or one that holds the whole answer.
    fn buffer_call(&self, compat: bool, command: i64, size: usize, reading: Reading) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let (buffer, size, reading) = match self.len() {
            1 => {
                request.out(size, Back::Result);
                (Arg::Out(0), Arg::Number(size as i64), reading)
            }
            _ => {
                let (buffer, size) = self.buffer(1, &mut request)?;
                (buffer, size, Reading::Number)
            }
        };
        self.key_call(compat, &mut request, &[Arg::Number(command), self.word(0)?, buffer, size]);
        Ok(Work::Ask(request, reading))
    }

    /// A payload and its length: the optional argument, or else its own.
    fn payload(&self, at: usize, length: usize, request: &mut Request) -> Result<(Arg, Arg), Lost> {
        let pointer = self.pointer(at, request)?;
        let own = match &self.args[at] {
            Value::Text(bytes) => bytes.0.len() as i64,
            Value::BadPointer => 16,
            _ => 0,
        };
        let length = if self.len() > length { self.number(length)? } else { own };
        Ok((pointer, Arg::Number(length)))
    }

    fn payload_call(
        &self,
        compat: bool,
        arrange: impl Fn(Arg, Arg) -> Result<(i64, Vec<Arg>), Lost>,
        payload: usize,
        length: usize,
    ) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let (pointer, length) = self.payload(payload, length, &mut request)?;
        let (command, words) = arrange(pointer, length)?;
        self.key_call(compat, &mut request, &[&[Arg::Number(command)], words.as_slice()].concat());
        Ok(Work::Ask(request, Reading::Number))
    }

    fn add_key(&self, compat: bool) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let (kind, description) = (self.pointer(0, &mut request)?, self.pointer(1, &mut request)?);
        let (payload, length) = self.payload(2, 4, &mut request)?;
        let words = [kind, description, payload, length, self.word(3)?];
        request.call(if compat { 286 } else { libc::SYS_add_key }, &words);
        Ok(self.finish(compat, request))
    }

    /// INSTANTIATE_IOV: pointers and lengths are as wide as the entry's words.
    fn vector_call(&self, compat: bool) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let width = if compat { 4 } else { 8 };
        let mut vector = Vec::new();
        let mut fixes = Vec::new();
        for at in [1, 2] {
            let (pointer, length) = self.payload(at, usize::MAX, &mut request)?;
            for word in [pointer, length] {
                let number = match word {
                    Arg::Number(number) => number,
                    Arg::Image(offset) => {
                        fixes.push(vector.len());
                        offset as i64
                    }
                    _ => return Err(self.unfit(at)),
                };
                vector.extend_from_slice(&number.to_le_bytes()[..width]);
            }
        }
        let base = request.place(&vector);
        fixes.into_iter().for_each(|at| request.fix(base + at, width));
        let words = [Arg::Number(20), self.word(0)?, Arg::Image(base), Arg::Number(2), self.word(3)?];
        self.key_call(compat, &mut request, &words);
        Ok(Work::Ask(request, Reading::Number))
    }

    fn diffie_hellman(&self, compat: bool) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let mut keys = Vec::new();
        for at in 0..3 {
            keys.extend_from_slice(&(self.number(at)? as i32).to_ne_bytes());
        }
        let keys = Arg::Image(request.place(&keys));
        let (buffer, size, reading) = match self.len() {
            3 => {
                request.out(DESCRIPTION, Back::Result);
                (Arg::Out(0), Arg::Number(DESCRIPTION as i64), Reading::Bytes)
            }
            _ => {
                let (buffer, size) = self.buffer(3, &mut request)?;
                (buffer, size, Reading::Number)
            }
        };
        self.key_call(compat, &mut request, &[Arg::Number(23), keys, buffer, size, Arg::Number(0)]);
        Ok(Work::Ask(request, reading))
    }

    /// A system call that takes the arguments as they are.
    fn plain(&self, number: i64) -> Result<Work, Lost> {
        let words = (0..self.len()).map(|at| self.word(at)).collect::<Result<Vec<Arg>, Lost>>()?;
        let mut request = Request::new(Kind::Calls);
        request.call(number, &words);
        Ok(Work::Ask(request, Reading::Number))
    }

    fn path_call(&self, number: i64) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let path = self.pointer(0, &mut request)?;
        request.call(number, &[path]);
        Ok(Work::Ask(request, Reading::Number))
    }

    fn write_file(&self, around: &dyn Surroundings, name: &str) -> Result<Work, Lost> {
        let process = around.process(self.name(0)?)?;
        let mut request = opened(&format!("/proc/{process}/{name}"), libc::O_WRONLY);
        write_and_close(&mut request, self.string(1)?.as_bytes());
        Ok(Work::Ask(request, Reading::Zero))
    }

    /// A foreign program with its arguments; serials and other numbers in decimal.
    fn program(&self, around: &dyn Surroundings, reporter: Option<&str>) -> Result<Request, Lost> {
        let path = around.foreign(&self.string(0)?)?;
        let mut words = vec![self.string(0)?.into_bytes()];
        for (at, value) in self.args.iter().enumerate().skip(1) {
            words.push(match (value, reporter) {
                (Value::Text(bytes), _) => bytes.0.clone(),
                (Value::Number(number), _) => number.to_string().into_bytes(),
                (Value::Name(name), Some(reporter)) if name == "ACTOR" => reporter.as_bytes().to_vec(),
                _ => return Err(self.unfit(at)),
            });
        }
        let mut request = Request::new(Kind::Run);
        let path = request.text(path.as_bytes());
        let argv = request.texts(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let environment = [format!("PATH={PATH}"), "HOME=/".into(), "LC_ALL=C".into(), "TERM=dumb".into()];
        let envp = request.texts(&environment.iter().map(String::as_bytes).collect::<Vec<_>>());
        request.out(CONTENT, Back::Whole);
        let numbers = [path, argv, envp, reporter.is_some().into()];
        request.call(0, &numbers.map(|number| Arg::Number(number as i64)));
        Ok(request)
    }
}
