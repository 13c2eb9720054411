//! The life of an actor: birth, the loop of requests and answers, and the programs that it runs.
//!
//! With [`super::turn`] the only file that creates processes, and with that, [`super::mailbox`] and [`super::sys`] the only place of
//! `unsafe`. In the loop nothing allocates, panics or uses libc: see the module above.
#![expect(unsafe_code, reason = "creates processes and works on raw memory that is shared with them")]

#[cfg(test)]
mod tests;

use std::ffi::CStr;
use std::mem::offset_of;
use std::rc::Rc;

use super::mailbox::{Bell, Mailbox, Words};
use super::message::{
    AnswerHead, Back, CALLS, CallWords, FILL, Fix, Head, How, IMAGE, Kind, LEAST, MARGIN, OUT,
};
use super::sys::{self, is_error, syscall, syscall32};

/// Room for a request: heads, calls and fixes before the image.
const REQUEST: usize = IMAGE + (64 << 10);
const ANSWER: usize = size_of::<AnswerHead>() + OUT + MARGIN;
const STACK: usize = 128 << 10;
/// An arena and, above it, a stack for a child that shares memory.
const SPACE: usize = REQUEST + (NOTE + ANSWER).next_multiple_of(4096) + STACK;
/// Room for [`Note`], between request and answer.
const NOTE: usize = 64;
/// Who never had a larger message has touched so little memory that it may be kept.
const LITTLE: usize = 16 << 10;

/// The argument by which a freshly executed program knows that it is an actor: the descriptor of its
/// channel follows.
pub const ACTOR_FLAG: &str = "--skc-actor=";
/// The argument by which it knows that it has to connect: the path of the stage's socket follows.
pub const CONNECT_FLAG: &str = "--skc-connect=";

/// The exit status of an actor that finds nobody at the other end of its channel.
pub const NO_CHANNEL: i32 = 102;

/// Starts the life of a freshly executed actor on its channel.
pub fn begin(channel: i32) -> ! {
    match sys::map(SPACE) {
        // SAFETY: the arena is fresh and this task is the only one that uses it.
        Some(arena) => unsafe {
            report(channel);
            serve(channel, arena, false)
        },
        None => exit(101),
    }
}

/// Ends the calling task.
pub fn exit(status: i32) -> ! {
    loop {
        let _ = sys::plain(libc::SYS_exit, &[status.into()]);
    }
}

/// Ends the calling process, without running what libc has to do at an end.
pub fn exit_process(status: i32) -> ! {
    loop {
        let _ = sys::plain(libc::SYS_exit_group, &[status.into()]);
    }
}

/// What a process comes to know by [`fork`].
pub enum Side {
    /// It is the new process.
    Child,
    /// It is the old one; the new one has this process id.
    Parent(i32),
}

/// Creates a process with memory of its own, in new namespaces as the flags say.
///
/// The caller is single-threaded, as worker and stage always are, so that the child may allocate.
pub fn fork(flags: i32) -> Result<Side, nix::errno::Errno> {
    // SAFETY: without CLONE_VM the child has a copy of everything; no other thread holds a lock in it.
    let result =
        unsafe { syscall(libc::SYS_clone as usize, [(flags | libc::SIGCHLD) as usize, 0, 0, 0, 0, 0]) };
    match sys::checked(result)? {
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid as i32)),
    }
}

/// What lies in an arena between request and answer.
#[repr(C)]
struct Note {
    /// The size of the largest message.
    largest: usize,
    /// Of an actor that shares memory: what it finds when it begins.
    words: Words,
}

const _: () = assert!(size_of::<Note>() <= NOTE);

/// The memory of actors that share it with whoever bears them.
#[derive(Default)]
pub struct Arenas {
    /// Rung by all actors that live here.
    bell: Rc<Bell>,
    taken: Vec<*mut u8>,
    free: Vec<*mut u8>,
}

impl Arenas {
    /// What tells that one of the actors has answered.
    pub fn bell(&self) -> Rc<Bell> {
        Rc::clone(&self.bell)
    }

    fn take(&mut self) -> Option<*mut u8> {
        let space = self.free.pop().or_else(|| sys::map(SPACE))?;
        self.taken.push(space);
        Some(space)
    }

    /// Makes ready for others what was taken: none of those actors lives any more. They find what is left there of
    /// requests and answers, and have no use for it: each request brings its own, and buffers are filled first.
    pub fn clear(&mut self) {
        for space in self.taken.drain(..) {
            // SAFETY: nobody else uses the space any more, and the word lies in it.
            match unsafe { (*note(space)).largest } > LITTLE {
                true => sys::unmap(space, SPACE),
                false => self.free.push(space),
            }
        }
    }
}

/// An actor that shares memory with whoever bore it.
pub struct Sharing {
    /// Its process id.
    pub process: i32,
    /// How to speak to it.
    pub mailbox: Mailbox,
}

/// Creates a process that shares memory with the caller and begins the life of an actor there, with this as its first
/// request. It does not report in. The channel is for what it cannot say by its mailbox: see [`Bell::begin_polling`].
pub fn begin_sharing(
    channel: i32,
    arenas: &mut Arenas,
    request: &[u8],
) -> Result<Sharing, nix::errno::Errno> {
    let space = arenas.take().ok_or(nix::errno::Errno::ENOMEM)?;
    let flags = (libc::CLONE_VM | libc::SIGCHLD) as usize;
    // SAFETY: the child gets the space for its own, with its stack at the upper end; it finds its request and its words
    // in the arena, and does nothing to memory beyond.
    let (result, mailbox) = unsafe {
        std::ptr::copy_nonoverlapping(request.as_ptr(), space, request.len());
        (&raw mut (*note(space)).words).write(Words::new(channel, Rc::as_ptr(&arenas.bell)));
        let mailbox = Mailbox::new(space, &raw const (*note(space)).words, space.add(REQUEST + NOTE));
        (sys::clone_on_stack(flags, space.add(SPACE), born, space as usize), mailbox)
    };
    sys::checked(result).map(|process| Sharing { process: process as i32, mailbox })
}

fn note(arena: *mut u8) -> *mut Note {
    arena.wrapping_add(REQUEST).cast()
}

/// Tells the stage that the actor is there, and who it is.
///
/// # Safety
///
/// None but what a write to the channel asks for.
unsafe fn report(channel: i32) {
    let head = AnswerHead {
        size: size_of::<AnswerHead>() as u64,
        id: 0,
        result: sys::plain(libc::SYS_getpid, &[]).unwrap_or(0),
        touched: sys::plain(libc::SYS_gettid, &[]).unwrap_or(0) as u64,
    };
    // SAFETY: the head lives on this stack until the write is over.
    unsafe { send(channel, (&raw const head).cast(), size_of::<AnswerHead>()) };
}

/// # Safety
///
/// `from` points to `size` readable bytes.
pub(super) unsafe fn send(channel: i32, mut from: *const u8, mut size: usize) {
    while size > 0 {
        let flags = libc::MSG_NOSIGNAL as usize;
        // SAFETY: the caller's promise.
        let sent = unsafe {
            syscall(libc::SYS_sendto as usize, [channel as usize, from as usize, size, flags, 0, 0])
        };
        if sent == -(libc::EINTR as isize) {
            continue;
        }
        if sent <= 0 {
            // The stage has gone: so has the case.
            exit_process(NO_CHANNEL);
        }
        // SAFETY: the kernel has sent no more than there was.
        from = unsafe { from.add(sent as usize) };
        size -= sent as usize;
    }
}

/// # Safety
///
/// `to` points to `size` writable bytes.
pub(super) unsafe fn receive(channel: i32, mut to: *mut u8, mut size: usize) {
    while size > 0 {
        // SAFETY: the caller's promise.
        let got = unsafe { syscall(libc::SYS_read as usize, [channel as usize, to as usize, size, 0, 0, 0]) };
        if got == -(libc::EINTR as isize) {
            continue;
        }
        if got <= 0 {
            exit_process(103);
        }
        // SAFETY: the kernel has written no more than there was room for.
        to = unsafe { to.add(got as usize) };
        size -= got as usize;
    }
}

/// Takes requests and answers them until the stage hangs up or an exit is asked for.
///
/// # Safety
///
/// `arena` points to [`SPACE`] bytes that no other living task uses, but for the stage by a [`Mailbox`]. If there is one,
/// the words for it are in the arena.
unsafe fn serve(channel: i32, arena: *mut u8, by_mailbox: bool) -> ! {
    const HEAD: usize = size_of::<Head>();
    // SAFETY: all offsets stay within the arena: the stage keeps to the limits of `Request::encode`, and
    // what it says is checked again here. Heads and call words are aligned, being at multiples of eight.
    unsafe {
        let answer = arena.add(REQUEST + NOTE);
        let out = answer.add(size_of::<AnswerHead>());
        let largest = &raw mut (*note(arena)).largest;
        let words = &raw const (*note(arena)).words;
        loop {
            match by_mailbox {
                true => (*words).await_request(),
                // Most requests are no longer: they are read at once.
                false => receive(channel, arena, LEAST),
            }
            let head = arena.cast::<Head>().read();
            let (calls, fixes, size) = (head.calls as usize, head.fixes as usize, head.size as usize);
            if !(LEAST..=REQUEST).contains(&size)
                || calls > CALLS
                || fixes > REQUEST
                || head.out as usize > OUT
            {
                exit_process(104);
            }
            let image = HEAD + calls * size_of::<CallWords>() + fixes * size_of::<Fix>();
            if image > size {
                exit_process(104);
            }
            let room = size - image;
            *largest = size.max(head.out as usize).max(*largest);
            if !by_mailbox {
                receive(channel, arena.add(LEAST), size - LEAST);
            }
            let call = arena.add(HEAD).cast::<CallWords>();
            let image = arena.add(image);
            let fix = call.add(calls).cast::<Fix>();
            for at in 0..fixes {
                let Fix { at, width } = fix.add(at).read();
                let at = at as usize;
                if at > room || width as usize > room - at {
                    exit_process(104);
                }
                let place = image.add(at);
                match width {
                    4 => place
                        .cast::<u32>()
                        .write_unaligned(place.cast::<u32>().read_unaligned().wrapping_add(image as u32)),
                    _ => place
                        .cast::<u64>()
                        .write_unaligned(place.cast::<u64>().read_unaligned().wrapping_add(image as u64)),
                }
            }
            let watched = if head.watched != 0 && head.out > 0 { head.out as usize + MARGIN } else { 0 };
            out.write_bytes(FILL, watched);
            wait_for(head.release);

            let mut results = [0isize; CALLS];
            let result = match head.kind {
                kind if kind == Kind::Birth as u64 => birth(call.read(), arena),
                kind if kind == Kind::Run as u64 => run(call.read(), image, out, head.out as usize),
                kind if kind == Kind::Spin as u64 => spin(call.read().args[0]),
                _ => {
                    let mut end = 0;
                    for at in 0..calls {
                        end = one(call.add(at).read(), image, out, head.out as usize, &results);
                        results[at] = end;
                        if is_error(end) {
                            break;
                        }
                    }
                    if is_error(end) { end } else { results[head.main as usize % CALLS] }
                }
            };

            let touched = touched(out, watched);
            let back = match head.back {
                back if back == Back::Whole as u64 => head.out as usize,
                back if back == Back::Result as u64 && result > 0 => (result as usize).min(head.out as usize),
                _ => 0,
            };
            answer.cast::<AnswerHead>().write(AnswerHead {
                size: (size_of::<AnswerHead>() + back) as u64,
                id: head.id,
                result: result as i64,
                touched: touched as u64,
            });
            match by_mailbox {
                true => (*words).answer(),
                false => send(channel, answer, size_of::<AnswerHead>() + back),
            }
        }
    }
}

/// How far so many bytes, which were filled with [`FILL`], were written to.
///
/// # Safety
///
/// `from` points to `size` readable bytes.
unsafe fn touched(from: *const u8, mut size: usize) -> usize {
    const FILLED: u64 = u64::from_ne_bytes([FILL; 8]);
    // SAFETY: all that is read lies below `from + size`.
    unsafe {
        while size >= 8 && from.add(size - 8).cast::<u64>().read_unaligned() == FILLED {
            size -= 8;
        }
        while size > 0 && from.add(size - 1).read() == FILL {
            size -= 1;
        }
    }
    size
}

/// # Safety
///
/// The words come from the stage, `image` and `out` are the arena's.
unsafe fn one(call: CallWords, image: *mut u8, out: *mut u8, room: usize, results: &[isize; CALLS]) -> isize {
    let mut args = [0; 6];
    for (at, arg) in args.iter_mut().enumerate() {
        let word = call.args[at] as usize;
        *arg = match 1 << at {
            bit if call.image & bit != 0 => image as usize + word,
            bit if call.out & bit != 0 => out as usize + word,
            bit if call.result & bit != 0 => results[word % CALLS] as usize,
            _ => word,
        };
    }
    // SAFETY: what the calls point to lies in the arena; beyond that a call can do no more to this
    // process than its case asks for, and the process exists for that case alone.
    unsafe {
        if call.compat != 0 {
            return syscall32(call.number as u32, args.map(|arg| arg as u32));
        }
        if call.drain == 0 {
            return syscall(call.number as usize, args);
        }
        let mut filled = 0;
        while filled < room {
            match syscall(call.number as usize, [args[0], out as usize + filled, room - filled, 0, 0, 0]) {
                0 => break,
                error if is_error(error) => return error,
                count => filled += count as usize,
            }
        }
        filled as isize
    }
}

/// Bears a child that serves the channel named in the words. A child that shares memory gets an arena
/// and a stack of its own.
///
/// # Safety
///
/// `arena` is the caller's own.
unsafe fn birth(call: CallWords, arena: *mut u8) -> isize {
    let [how, flags, channel, ..] = call.args;
    let (flags, channel) = (flags as usize, channel as i32);
    // SAFETY: a child with a copy of the memory goes on with its copy of the arena; one that shares
    // memory starts on the upper end of a fresh mapping, whose lower part is its arena.
    unsafe {
        let result = match how {
            how if how == How::Shared as u64 => {
                let Some(space) = sys::map(SPACE) else { return -(libc::ENOMEM as isize) };
                (&raw mut (*note(space)).words).write(Words::new(channel, std::ptr::null()));
                return sys::clone_on_stack(flags, space.add(SPACE), born, space as usize);
            }
            how if how == How::Clone3 as u64 => {
                let exit_signal = libc::SIGCHLD as u64;
                let args = libc::clone_args { flags: flags as u64, exit_signal, ..std::mem::zeroed() };
                let size = offset_of!(libc::clone_args, set_tid);
                syscall(libc::SYS_clone3 as usize, [&raw const args as usize, size, 0, 0, 0, 0])
            }
            _ => syscall(libc::SYS_clone as usize, [flags, 0, 0, 0, 0, 0]),
        };
        if result == 0 {
            report(channel);
            serve(channel, arena, false);
        }
        result
    }
}

extern "C" fn born(space: usize) -> ! {
    let arena: *mut u8 = std::ptr::with_exposed_provenance_mut(space);
    // SAFETY: the parent wrote the words and gave the space away.
    unsafe {
        let words = &raw const (*note(arena)).words;
        let (channel, by_mailbox) = ((*words).channel, !(*words).bell.is_null());
        if !by_mailbox {
            report(channel);
        }
        serve(channel, arena, by_mailbox)
    }
}

/// Runs a foreign program with its output in the output buffer; gives its wait status, or, if it hosts
/// an actor, its process id at once.
///
/// # Safety
///
/// The words hold offsets of a path, argv and envp in the image; `out` has room for so many bytes.
unsafe fn run(call: CallWords, image: *mut u8, out: *mut u8, room: usize) -> isize {
    let [path, argv, envp, hosts, ..] = call.args;
    let address = |offset: u64| image as usize + offset as usize;
    // SAFETY: the pointers lie in the image; the child has memory of its own.
    unsafe {
        let file = syscall(libc::SYS_memfd_create as usize, [c"output".as_ptr() as usize, 0, 0, 0, 0, 0]);
        if is_error(file) {
            return file;
        }
        let child = syscall(libc::SYS_clone as usize, [libc::SIGCHLD as usize, 0, 0, 0, 0, 0]);
        if child == 0 {
            let null = open(c"/dev/null", libc::O_RDWR);
            for (from, to) in [(null, 0), (file, 1), (file, 2)] {
                syscall(libc::SYS_dup3 as usize, [from as usize, to, 0, 0, 0, 0]);
            }
            // The harness ignores SIGPIPE, and programs would inherit that.
            let default = [0u64; 4];
            syscall(
                libc::SYS_rt_sigaction as usize,
                [libc::SIGPIPE as usize, default.as_ptr() as usize, 0, 8, 0, 0],
            );
            syscall(libc::SYS_execve as usize, [address(path), address(argv), address(envp), 0, 0, 0]);
            exit(127);
        }
        let mut result = child;
        if hosts == 0 && !is_error(child) {
            let mut status = 0i32;
            result = loop {
                let place = &raw mut status as usize;
                match syscall(libc::SYS_wait4 as usize, [child as usize, place, 0, 0, 0, 0]) {
                    error if error == -(libc::EINTR as isize) => {}
                    // Without a wait there is no status, and none must not look like success.
                    error if is_error(error) => break error,
                    _ => break status as isize,
                }
            };
            let mut filled = 0;
            while filled < room {
                let from = [file as usize, out as usize + filled, room - filled, filled, 0, 0];
                match syscall(libc::SYS_pread64 as usize, from) {
                    count if count <= 0 => break,
                    count => filled += count as usize,
                }
            }
        }
        syscall(libc::SYS_close as usize, [file as usize, 0, 0, 0, 0, 0]);
        result
    }
}

/// # Safety
///
/// None beyond the call's own.
unsafe fn open(path: &CStr, flags: i32) -> isize {
    let directory = libc::AT_FDCWD as usize;
    // SAFETY: the path is a string that outlives the call.
    unsafe {
        syscall(libc::SYS_openat as usize, [directory, path.as_ptr() as usize, flags as usize, 0, 0, 0])
    }
}

/// Waits until CLOCK_MONOTONIC has reached so many nanoseconds: awake, to be exact. No loop here says that it is one
/// (`pause`): where QEMU translates, its processor then ends its turn, and where it counts, without any time going by.
fn wait_for(release: u64) {
    while release > 0 && monotonic() < release {}
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives until the call is over.
    unsafe {
        let clock = libc::CLOCK_MONOTONIC as usize;
        syscall(libc::SYS_clock_gettime as usize, [clock, &raw mut time as usize, 0, 0, 0, 0]);
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Computes for so many nanoseconds without a system call.
fn spin(nanoseconds: u64) -> isize {
    // How fast the counter runs is measured first, against the clock, which is a system call here. Should something
    // else run between the look at the one and at the other, the counter seems faster than it is: so the least counts.
    const MEASURE: u64 = 200_000;
    const MEASURES: usize = 5;
    let measure = || {
        let (count, time) = (counter(), monotonic());
        while monotonic() < time + MEASURE {}
        let (time, count) = (monotonic() - time, counter().saturating_sub(count));
        (u128::from(count) * u128::from(nanoseconds) / u128::from(time.max(1))) as u64
    };
    let turns = (0..MEASURES).map(|_| measure()).min().unwrap_or(0);
    let start = counter();
    // On another processor the counter may stand a little behind.
    while counter().saturating_sub(start) < turns {}
    0
}

/// A counter that user space can read and that runs at a steady pace.
fn counter() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let count;
        // SAFETY: the virtual counter is readable in user space on every Linux.
        unsafe { std::arch::asm!("mrs {}, cntvct_el0", out(reg) count) };
        count
    }
}
