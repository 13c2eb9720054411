//! What stage and actor say to each other: plain words of memory, laid out for an actor that must not
//! allocate.
//!
//! A request carries system calls and an *image*: the bytes of strings and structures that the calls
//! point to. The actor places the image in its arena and turns offsets into addresses.

use std::ops::Range;

/// The largest image: two texts of a megabyte and room for the rest.
pub const IMAGE: usize = 3 << 20;
/// The largest output buffer.
pub const OUT: usize = 1 << 20;
/// Bytes behind an output buffer that have to stay as they were.
pub const MARGIN: usize = 64;
/// What output buffers are filled with, so that a write shows.
pub const FILL: u8 = 0xa5;

/// Result words of earlier calls of the same request that an argument may stand for.
pub const CALLS: usize = 20;

/// What an actor is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    /// Make the calls in order, up to the first error.
    Calls = 1,
    /// Bear a child: how, flags, descriptor of the child's channel.
    Birth = 2,
    /// Run a foreign program: path, argv, envp, and if it hosts an actor (then it is not awaited).
    Run = 3,
    /// Compute for so many nanoseconds without a system call.
    Spin = 4,
}

/// How a child is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum How {
    /// clone with memory of its own.
    Copy = 1,
    /// clone3 with memory of its own.
    Clone3 = 2,
    /// clone on a new stack in the shared memory.
    Shared = 3,
}

/// The head of a request.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Head {
    /// Bytes of the whole request.
    pub size: u64,
    /// The question's number.
    pub id: u64,
    /// A [`Kind`].
    pub kind: u64,
    /// Not before this time of CLOCK_MONOTONIC, in nanoseconds.
    pub release: u64,
    /// How many [`CallWords`] follow.
    pub calls: u64,
    /// How many [`Fix`]es follow them; then comes the image.
    pub fixes: u64,
    /// Bytes of the output buffer.
    pub out: u64,
    /// How many bytes of the output buffer to give back: a [`Back`].
    pub back: u64,
    /// The call whose result is the answer's, if all succeed.
    pub main: u64,
    /// 1: the output buffer is filled first, and watched for what is written and how far.
    pub watched: u64,
}

/// Which bytes of the output buffer go back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u64)]
pub enum Back {
    /// None.
    #[default]
    None = 0,
    /// As many as the main call says, if they fit.
    Result = 1,
    /// All.
    Whole = 2,
}

/// One system call.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct CallWords {
    /// Its number.
    pub number: u64,
    /// 1: through the 32-bit entry.
    pub compat: u64,
    /// 1: repeat as a read until nothing comes, the buffer moving on.
    pub drain: u64,
    /// Bit i: argument i is an offset into the image.
    pub image: u64,
    /// Bit i: argument i is an offset into the output buffer.
    pub out: u64,
    /// Bit i: argument i is the result of that earlier call.
    pub result: u64,
    /// The arguments.
    pub args: [u64; 6],
}

/// An offset within the image that has to become an address.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Fix {
    /// Where it stands in the image.
    pub at: u64,
    /// Its width in bytes: 4 or 8.
    pub width: u64,
}

/// The question's number in what is no answer, and only says that there is one in the actor's mailbox.
pub const WAKE: u32 = u32::MAX - 3;

/// The least that a request is.
pub const LEAST: usize = size_of::<Head>() + size_of::<CallWords>();

/// The head of an answer.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct AnswerHead {
    /// Bytes of the whole answer.
    pub size: u64,
    /// The question's number; 0 is the report of a newborn or newly executed actor.
    pub id: u64,
    /// The main call's result, or the first error, negated; of a report, the process id in its own namespace.
    pub result: i64,
    /// How far the output buffer was written to; of a report, the thread id.
    pub touched: u64,
}

/// An answer, as the stage reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question's number; 0 is a report.
    pub id: u32,
    /// The result, errors negated.
    pub result: i64,
    /// How far the output buffer was written to.
    pub touched: u32,
    /// Bytes of the output buffer.
    pub out: Vec<u8>,
}

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A number.
    Number(i64),
    /// An address in the image.
    Image(usize),
    /// An address in the output buffer.
    Out(usize),
    /// The result of an earlier call.
    Result(usize),
}

/// Something that was placed in an image.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where, without padding and terminating NUL.
    pub range: Range<usize>,
    /// If a NUL follows, and else it is a structure.
    pub is_text: bool,
}

/// A request under construction.
#[derive(Clone, Debug)]
pub struct Request {
    kind: Kind,
    calls: Vec<CallWords>,
    fixes: Vec<Fix>,
    image: Vec<u8>,
    pieces: Vec<Piece>,
    given: Vec<usize>,
    out: usize,
    back: Back,
    main: Option<usize>,
}

impl Request {
    /// An empty request.
    pub fn new(kind: Kind) -> Request {
        Request {
            kind,
            calls: Vec::new(),
            fixes: Vec::new(),
            image: Vec::new(),
            pieces: Vec::new(),
            given: Vec::new(),
            out: 0,
            back: Back::None,
            main: None,
        }
    }

    /// Places bytes in the image, aligned to eight; gives their offset.
    pub fn place(&mut self, bytes: &[u8]) -> usize {
        let at = self.image.len().next_multiple_of(8);
        self.image.resize(at, 0);
        self.image.extend_from_slice(bytes);
        self.pieces.push(Piece { range: at..self.image.len(), is_text: false });
        at
    }

    /// What is to be done.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The calls.
    pub fn calls(&self) -> &[CallWords] {
        &self.calls
    }

    /// The words that become addresses.
    pub fn fixes(&self) -> &[Fix] {
        &self.fixes
    }

    /// The bytes that the calls point to.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// What was placed in the image.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// How many arguments a call was given.
    pub fn given(&self, call: usize) -> usize {
        self.given.get(call).copied().unwrap_or(0)
    }

    /// The call whose result counts.
    pub fn counts(&self) -> usize {
        self.main.unwrap_or(self.calls.len().saturating_sub(1))
    }

    /// Places a string with its NUL.
    pub fn text(&mut self, bytes: &[u8]) -> usize {
        let at = self.place(bytes);
        self.image.push(0);
        if let Some(piece) = self.pieces.last_mut() {
            piece.is_text = true;
        }
        at
    }

    /// Places a list of pointers to strings, ended by NULL.
    pub fn texts(&mut self, texts: &[&[u8]]) -> usize {
        let pointers: Vec<u64> = texts.iter().map(|text| self.text(text) as u64).collect();
        let mut bytes: Vec<u8> = pointers.iter().flat_map(|pointer| pointer.to_ne_bytes()).collect();
        bytes.extend_from_slice(&[0; 8]);
        let at = self.place(&bytes);
        (0..texts.len()).for_each(|index| self.fix(at + index * 8, 8));
        at
    }

    /// Marks an offset within the image as one that becomes an address.
    pub fn fix(&mut self, at: usize, width: usize) {
        self.fixes.push(Fix { at: at as u64, width: width as u64 });
    }

    /// Asks for an output buffer.
    pub fn out(&mut self, size: usize, back: Back) {
        self.out = size;
        self.back = back;
    }

    /// The size of the output buffer.
    pub fn out_size(&self) -> usize {
        self.out
    }

    /// Adds a call; gives its index.
    pub fn call(&mut self, number: i64, args: &[Arg]) -> usize {
        let mut words = CallWords { number: number as u64, ..CallWords::default() };
        for (at, arg) in args.iter().enumerate() {
            words.args[at] = match *arg {
                Arg::Number(number) => number as u64,
                Arg::Image(offset) => {
                    words.image |= 1 << at;
                    offset as u64
                }
                Arg::Out(offset) => {
                    words.out |= 1 << at;
                    offset as u64
                }
                Arg::Result(call) => {
                    words.result |= 1 << at;
                    call as u64
                }
            };
        }
        self.calls.push(words);
        self.given.push(args.len());
        self.calls.len() - 1
    }

    /// Lets the last call be repeated as a read into the output buffer until nothing more comes.
    pub fn drain(&mut self) {
        if let Some(call) = self.calls.last_mut() {
            call.drain = 1;
        }
    }

    /// Makes the last call the one whose result counts.
    pub fn main(&mut self) {
        self.main = Some(self.calls.len().saturating_sub(1));
    }

    /// Lets the calls be made through the 32-bit entry.
    pub fn compat(&mut self) {
        self.calls.iter_mut().for_each(|call| call.compat = 1);
    }

    /// The bytes to send, or `None` if the image is too large for an arena.
    pub fn encode(&self, id: u32, release: u64) -> Option<Vec<u8>> {
        if self.image.len() > IMAGE || self.out > OUT || self.calls.len() > CALLS {
            return None;
        }
        let mut words: Vec<u64> = vec![
            0,
            id.into(),
            self.kind as u64,
            release,
            self.calls.len() as u64,
            self.fixes.len() as u64,
            self.out as u64,
            self.back as u64,
            self.counts() as u64,
            // Only a single call can be said to have written so far and no further.
            self.calls.iter().all(|call| call.drain == 0).into(),
        ];
        for call in &self.calls {
            words.extend([call.number, call.compat, call.drain, call.image, call.out, call.result]);
            words.extend(call.args);
        }
        words.extend(self.fixes.iter().flat_map(|fix| [fix.at, fix.width]));
        let size = (words.len() * 8 + self.image.len()).max(LEAST);
        words[0] = size as u64;
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(&self.image);
        bytes.resize(size, 0);
        Some(bytes)
    }
}

impl Answer {
    /// Takes the first whole answer from the front of the bytes; `Err` if they are none.
    pub fn take(bytes: &mut Vec<u8>) -> Result<Option<Answer>, String> {
        const HEAD: usize = size_of::<AnswerHead>();
        if bytes.len() < HEAD {
            return Ok(None);
        }
        let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|index| bytes[at * 8 + index]));
        let size = word(0) as usize;
        if !(HEAD..=HEAD + OUT + MARGIN).contains(&size) {
            return Err(format!("an answer of {size} bytes"));
        }
        if bytes.len() < size {
            return Ok(None);
        }
        let (id, result, touched) = (word(1) as u32, word(2) as i64, word(3) as u32);
        let rest = bytes.split_off(size);
        let mut answer = std::mem::replace(bytes, rest);
        Ok(Some(Answer { id, result, touched, out: answer.split_off(HEAD) }))
    }
}
