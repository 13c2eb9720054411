//! How stage and actor speak where they share memory: request and answer lie in the actor's arena, and two words say
//! whose turn it is. Under an emulator, where a case consists of turns, a step by futex(2) takes two thirds of the time of one
//! by a socket.
//!
//! Not here: what they say (`message`), and the channels of actors with memory of their own (`life`).
#![expect(unsafe_code, reason = "two processes take turns with the same memory")]

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::life;
use super::message::{Answer, AnswerHead, OUT, WAKE};
use super::sys::syscall;

/// The actor's turn is over, and the stage has taken the answer.
const IDLE: u32 = 0;
/// There is a request.
const ASKED: u32 = 1;
/// There is an answer.
const ANSWERED: u32 = 2;

/// The stage looks at its mailboxes.
const AWAKE: u32 = 0;
/// An actor has answered since the stage last woke.
const RUNG: u32 = 1;
/// The stage sleeps on the bell.
const ASLEEP: u32 = 2;
/// The stage sleeps on channels: an actor that answers has to say so on its own.
const POLLING: u32 = 3;

/// What wakes a stage when one of its actors has answered. It is to outlive them.
#[derive(Default)]
pub struct Bell(AtomicU32);

impl Bell {
    /// Waits until an actor has answered since the last wait, but no longer than that.
    pub fn wait(&self, limit: Duration) {
        if self.0.swap(ASLEEP, Ordering::AcqRel) != RUNG && !limit.is_zero() {
            wait(&self.0, ASLEEP, Some(limit));
        }
        self.0.store(AWAKE, Ordering::Release);
    }

    /// From now on actors that answer send [`WAKE`] on their channels; not if one has answered since the last wait.
    pub fn begin_polling(&self) -> bool {
        let begins = self.0.swap(POLLING, Ordering::AcqRel) != RUNG;
        if !begins {
            self.end_polling();
        }
        begins
    }

    /// The stage no longer sleeps on channels.
    pub fn end_polling(&self) {
        self.0.store(AWAKE, Ordering::Release);
    }

    /// The actor that has this channel has answered.
    pub(super) fn ring(&self, channel: i32) {
        match self.0.swap(RUNG, Ordering::AcqRel) {
            ASLEEP => wake(&self.0),
            POLLING => {
                let size = size_of::<AnswerHead>();
                let head = AnswerHead { size: size as u64, id: WAKE.into(), ..AnswerHead::default() };
                // SAFETY: the head lives until it is sent.
                unsafe { life::send(channel, (&raw const head).cast(), size) };
            }
            _ => {}
        }
    }
}

/// The words that lie in an arena beside request and answer.
#[repr(C)]
pub(super) struct Words {
    turn: AtomicU32,
    /// The descriptor of the actor's channel.
    pub(super) channel: i32,
    /// The stage's; null, if the actor speaks by its channel alone.
    pub(super) bell: *const Bell,
}

impl Words {
    /// Those of an actor that finds its first request beside them, if it has a bell to ring.
    pub(super) fn new(channel: i32, bell: *const Bell) -> Words {
        let turn = if bell.is_null() { IDLE } else { ASKED };
        Words { turn: AtomicU32::new(turn), channel, bell }
    }

    /// The actor waits for its turn.
    pub(super) fn await_request(&self) {
        loop {
            match self.turn.load(Ordering::Acquire) {
                ASKED => return,
                turn => wait(&self.turn, turn, None),
            }
        }
    }

    /// The actor's turn is over.
    ///
    /// # Safety
    ///
    /// The stage, and so its bell, is still there.
    pub(super) unsafe fn answer(&self) {
        self.turn.store(ANSWERED, Ordering::Release);
        // SAFETY: the caller's promise.
        unsafe { (*self.bell).ring(self.channel) };
    }
}

/// The stage's side of an actor's arena. It may be used until the arena is given back.
pub struct Mailbox {
    request: *mut u8,
    words: *const Words,
    answer: *const u8,
}

impl Mailbox {
    /// # Safety
    ///
    /// The three lie in an arena, with as much room as the largest request and answer take; only the actor that lives in it
    /// and the mailbox use them.
    pub(super) unsafe fn new(request: *mut u8, words: *const Words, answer: *const u8) -> Mailbox {
        Mailbox { request, words, answer }
    }

    fn turn(&self) -> &AtomicU32 {
        // SAFETY: see `new`.
        unsafe { &(*self.words).turn }
    }

    /// If the actor can be asked: it was not, or its answer was taken.
    pub fn is_idle(&self) -> bool {
        self.turn().load(Ordering::Acquire) == IDLE
    }

    /// Hands an idle actor a request, as [`super::message::Request::encode`] gives it.
    pub fn ask(&self, request: &[u8]) {
        debug_assert!(self.is_idle());
        // SAFETY: see `new`; no encoded request is larger than the largest, and the actor is not at its turn.
        unsafe { ptr::copy_nonoverlapping(request.as_ptr(), self.request, request.len()) };
        self.turn().store(ASKED, Ordering::Release);
        wake(self.turn());
    }

    /// The answer, if there is one; `Err` if it is none.
    pub fn take(&self) -> Result<Option<Answer>, String> {
        if self.turn().load(Ordering::Acquire) != ANSWERED {
            return Ok(None);
        }
        const HEAD: usize = size_of::<AnswerHead>();
        // SAFETY: see `new`; the actor is not at its turn.
        let head = unsafe { self.answer.cast::<AnswerHead>().read() };
        let out = (head.size as usize).checked_sub(HEAD).filter(|out| *out <= OUT);
        let out = out.ok_or_else(|| format!("an answer of {} bytes", head.size))?;
        // SAFETY: the same, and so many bytes belong to the answer.
        let out = unsafe { std::slice::from_raw_parts(self.answer.add(HEAD), out) }.to_vec();
        self.turn().store(IDLE, Ordering::Release);
        Ok(Some(Answer { id: head.id as u32, result: head.result, touched: head.touched as u32, out }))
    }
}

// Not FUTEX_PRIVATE_FLAG, although all is private: from Linux 6.17 to 6.19 who sleeps so is woken no more once a process that
// shares the memory has started a thread, because such futexes then move to a table of their own, without their sleepers.

/// Sleeps while the word has this value, or until it is woken, or so long.
fn wait(word: &AtomicU32, value: u32, limit: Option<Duration>) {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let args = [word.as_ptr() as usize, libc::FUTEX_WAIT as usize, value as usize, limit as usize, 0, 0];
    // SAFETY: word and limit outlive the call.
    unsafe { syscall(libc::SYS_futex as usize, args) };
}

/// Wakes who sleeps on the word.
fn wake(word: &AtomicU32) {
    let args = [word.as_ptr() as usize, libc::FUTEX_WAKE as usize, 1, 0, 0, 0];
    // SAFETY: the word outlives the call.
    unsafe { syscall(libc::SYS_futex as usize, args) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::all(size_of::<AnswerHead>() + OUT, true)]
    #[case::more_than_there_is(size_of::<AnswerHead>() + OUT + 1, false)]
    #[case::less_than_its_head(size_of::<AnswerHead>() - 1, false)]
    fn an_answer_has_a_size_that_can_be(#[case] size: usize, #[case] can_be: bool) {
        let bell = Bell::default();
        let words = Words::new(-1, &raw const bell);
        let mut answer = vec![0u64; (size_of::<AnswerHead>() + OUT).div_ceil(8)];
        answer[0] = size as u64;
        // SAFETY: words and answer outlive the mailbox, which is asked nothing, and the bell rings nobody.
        let mailbox = unsafe { Mailbox::new(ptr::null_mut(), &raw const words, answer.as_ptr().cast()) };
        assert_eq!(mailbox.take(), Ok(None));
        // SAFETY: the bell is there.
        unsafe { words.answer() };
        assert_eq!(mailbox.take().map(|answer| answer.is_some()).is_ok(), can_be);
    }
}
