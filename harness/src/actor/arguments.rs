//! The arguments of a question, and the requests that are made of them: numbers as they are, texts and
//! buffers as addresses in the actor's memory.

use std::time::Duration;

use super::message::{Arg, Back, Kind, Request};
use super::perform::{Surroundings, Work};
use super::reading::Reading;
use crate::case::{HOSTED, limits};
use crate::ops::Op;
use crate::run::Lost;
use crate::value::{Value, capability};

/// An address that no process has mapped: the first page is never given out.
const BAD_POINTER: i64 = 8;
/// The size that goes with a NULL or bad output pointer.
const CLAIMED: i64 = 4096;
/// The buffer of a description: names have 4095 bytes at most.
pub(super) const DESCRIPTION: usize = 8 << 10;
/// The buffer of a payload or a keyring's links: the largest payload of a user key, and 8,192 links.
pub(super) const CONTENT: usize = 32 << 10;
/// The buffer of a file below /proc.
pub(super) const LISTING: usize = 512 << 10;
/// Where foreign programs are looked for, and what they get as PATH.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The arguments of a question, by position.
pub(super) struct Args<'a> {
    pub(super) op: Op,
    pub(super) args: &'a [Value],
}

impl Args<'_> {
    pub(super) fn len(&self) -> usize {
        self.args.len()
    }

    pub(super) fn unfit(&self, at: usize) -> Lost {
        let param = self.op.spec().param(at).map_or("argument", |param| param.shown());
        let value = self.args.get(at).map_or("nothing".into(), Value::to_string);
        Lost(format!("{value} cannot be the {param} of {}", self.op.spec().name))
    }

    pub(super) fn number(&self, at: usize) -> Result<i64, Lost> {
        self.args.get(at).and_then(Value::number).ok_or_else(|| self.unfit(at))
    }

    pub(super) fn word(&self, at: usize) -> Result<Arg, Lost> {
        self.number(at).map(Arg::Number)
    }

    pub(super) fn id(&self, at: usize) -> Result<u32, Lost> {
        u32::try_from(self.number(at)?).map_err(|_| self.unfit(at))
    }

    pub(super) fn serial(&self, at: usize) -> Result<u32, Lost> {
        u32::try_from(self.number(at)?).ok().filter(|serial| *serial > 0).ok_or_else(|| self.unfit(at))
    }

    pub(super) fn pause(&self) -> Result<Duration, Lost> {
        match self.number(0)? {
            pause @ 0..=limits::PAUSE => Ok(Duration::from_millis(pause as u64)),
            _ => Err(self.unfit(0)),
        }
    }

    pub(super) fn name(&self, at: usize) -> Result<&str, Lost> {
        match self.args.get(at) {
            Some(Value::Name(name)) => Ok(name),
            _ => Err(self.unfit(at)),
        }
    }

    pub(super) fn string(&self, at: usize) -> Result<String, Lost> {
        match self.args.get(at) {
            Some(Value::Text(bytes)) => String::from_utf8(bytes.0.clone()).map_err(|_| self.unfit(at)),
            _ => Err(self.unfit(at)),
        }
    }

    pub(super) fn below_proc(&self, at: usize) -> Result<String, Lost> {
        let path = self.string(at)?;
        match path.starts_with("/proc/") && !path.contains("..") {
            true => Ok(path),
            false => Err(self.unfit(at)),
        }
    }

    pub(super) fn limit(&self, at: usize) -> Result<String, Lost> {
        let name = self.string(at)?;
        match name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            true => Ok(format!("/proc/sys/kernel/keys/{name}")),
            false => Err(self.unfit(at)),
        }
    }

    pub(super) fn capabilities(&self) -> Result<u64, Lost> {
        (0..self.len()).try_fold(0, |bits, at| {
            Ok(bits | 1 << capability(&self.string(at)?).ok_or_else(|| self.unfit(at))?)
        })
    }

    /// An argument as the kernel gets it: texts and buffers as addresses.
    pub(super) fn pointer(&self, at: usize, request: &mut Request) -> Result<Arg, Lost> {
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
    pub(super) fn buffer(&self, at: usize, request: &mut Request) -> Result<(Arg, Arg), Lost> {
        let pointer = self.pointer(at, request)?;
        let size = match self.args[at] {
            Value::Buffer(size) => size.into(),
            _ => CLAIMED,
        };
        Ok((pointer, Arg::Number(size)))
    }

    pub(super) fn key_call(&self, compat: bool, request: &mut Request, words: &[Arg]) {
        request.call(if compat { 288 } else { libc::SYS_keyctl }, words);
        if compat {
            request.compat();
        }
    }

    pub(super) fn finish(&self, compat: bool, mut request: Request) -> Work {
        if compat {
            request.compat();
        }
        Work::Ask(request, Reading::Number)
    }

    /// keyctl with this command and these of the arguments.
    pub(super) fn keyctl(&self, compat: bool, command: i64, positions: &[usize]) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let mut words = vec![Arg::Number(command)];
        for at in positions {
            words.push(self.pointer(*at, &mut request)?);
        }
        self.key_call(compat, &mut request, &words);
        Ok(Work::Ask(request, Reading::Number))
    }

    /// keyctl of a key and a buffer: the case's own, or one that holds the whole answer.
    pub(super) fn buffer_call(
        &self,
        compat: bool,
        command: i64,
        size: usize,
        reading: Reading,
    ) -> Result<Work, Lost> {
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
    pub(super) fn payload(
        &self,
        at: usize,
        length: usize,
        request: &mut Request,
    ) -> Result<(Arg, Arg), Lost> {
        let pointer = self.pointer(at, request)?;
        let own = match &self.args[at] {
            Value::Text(bytes) => bytes.0.len() as i64,
            Value::BadPointer => 16,
            _ => 0,
        };
        let length = if self.len() > length { self.number(length)? } else { own };
        Ok((pointer, Arg::Number(length)))
    }

    pub(super) fn payload_call(
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

    pub(super) fn add_key(&self, compat: bool) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let (kind, description) = (self.pointer(0, &mut request)?, self.pointer(1, &mut request)?);
        let (payload, length) = self.payload(2, 4, &mut request)?;
        let words = [kind, description, payload, length, self.word(3)?];
        request.call(if compat { 286 } else { libc::SYS_add_key }, &words);
        Ok(self.finish(compat, request))
    }

    /// INSTANTIATE_IOV: pointers and lengths are as wide as the entry's words.
    pub(super) fn vector_call(&self, compat: bool) -> Result<Work, Lost> {
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

    pub(super) fn diffie_hellman(&self, compat: bool) -> Result<Work, Lost> {
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
    pub(super) fn plain(&self, number: i64) -> Result<Work, Lost> {
        let words = (0..self.len()).map(|at| self.word(at)).collect::<Result<Vec<Arg>, Lost>>()?;
        let mut request = Request::new(Kind::Calls);
        request.call(number, &words);
        Ok(Work::Ask(request, Reading::Number))
    }

    pub(super) fn path_call(&self, number: i64) -> Result<Work, Lost> {
        let mut request = Request::new(Kind::Calls);
        let path = self.pointer(0, &mut request)?;
        request.call(number, &[path]);
        Ok(Work::Ask(request, Reading::Number))
    }

    pub(super) fn write_file(&self, around: &dyn Surroundings, name: &str) -> Result<Work, Lost> {
        let process = around.process(self.name(0)?)?;
        let mut request = opened(&format!("/proc/{process}/{name}"), libc::O_WRONLY);
        write_and_close(&mut request, self.string(1)?.as_bytes());
        Ok(Work::Ask(request, Reading::Zero))
    }

    /// A foreign program with its arguments; serials and other numbers in decimal.
    pub(super) fn program(&self, around: &dyn Surroundings, reporter: Option<&str>) -> Result<Request, Lost> {
        let path = around.foreign(&self.string(0)?)?;
        let mut words = vec![self.string(0)?.into_bytes()];
        for (at, value) in self.args.iter().enumerate().skip(1) {
            words.push(match (value, reporter) {
                (Value::Text(bytes), _) => bytes.0.clone(),
                (Value::Number(number), _) => number.to_string().into_bytes(),
                (Value::Name(name), Some(reporter)) if name == HOSTED => reporter.as_bytes().to_vec(),
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

/// A request of calls whose arguments are numbers.
pub(super) fn calls(list: &[(i64, &[i64])]) -> Request {
    let mut request = Request::new(Kind::Calls);
    for (number, args) in list {
        request.call(*number, &args.iter().map(|arg| Arg::Number(*arg)).collect::<Vec<_>>());
    }
    request
}

/// A request that begins by opening a file.
pub(super) fn opened(path: &str, flags: i32) -> Request {
    let mut request = Request::new(Kind::Calls);
    let path = request.text(path.as_bytes());
    let directory = Arg::Number(libc::AT_FDCWD.into());
    request.call(libc::SYS_openat, &[directory, Arg::Image(path), Arg::Number(flags.into()), Arg::Number(0)]);
    request
}

/// A request for the content of a file.
pub(super) fn file(path: &str) -> Request {
    let mut request = opened(path, libc::O_RDONLY);
    request.out(LISTING, Back::Result);
    request.call(libc::SYS_read, &[Arg::Result(0)]);
    request.drain();
    request.main();
    request.call(libc::SYS_close, &[Arg::Result(0)]);
    request
}

pub(super) fn write_and_close(request: &mut Request, bytes: &[u8]) {
    let at = request.text(bytes);
    request.call(libc::SYS_write, &[Arg::Result(0), Arg::Image(at), Arg::Number(bytes.len() as i64)]);
    request.call(libc::SYS_close, &[Arg::Result(0)]);
}
