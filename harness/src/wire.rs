//! Frames: how coordinator and worker speak over any byte stream.
//!
//! A frame is one line: mark, the run's random token, a sequence number, a checksum, one JSON message.
//! Lines without the mark are console text of whatever else prints on the stream, and are kept. A line
//! with the mark that is not the frame that has to come next is damage: the stream counts as lost.
//!
//! Over a line where every byte costs, the messages of one direction are one compressed stream, flushed
//! after each: see [`Sender::pack`]. Where both sides see the same memory, frames are laid there, and the
//! line only says so: see [`shared`].

mod packed;
pub mod shared;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use flate2::{Compress, Compression, Decompress};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::packed::{PACKED, pack, unpack};
use self::shared::Slot;
use crate::plan::Plan;
use crate::record::CaseRecord;
use crate::target::Target;

/// The version of the protocol; both sides have to speak the same.
pub const PROTOCOL: u32 = 5;

/// What begins a frame.
const MARK: &str = "\u{1}skc";
/// The longest frame: a case with texts of a megabyte fits many times.
const LONGEST_FRAME: usize = 64 << 20;
/// How much console text is kept between two frames.
const KEPT_NOISE: usize = 64 << 10;
/// How long whoever reads a message lets more of it come.
const GATHER: Duration = Duration::from_millis(1);

/// From the coordinator to a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The first frame: what is expected of the worker.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Foreign programs that cases want to run: which of them are there?
        programs: BTreeSet<String>,
        /// If all messages after the greeting and its answer are to be packed.
        packed: bool,
    },
    /// Play this.
    Play(Box<Plan>),
    /// End, once everything that was started is gone and this much more time is over. Some streams
    /// cannot end by themselves: a serial line does not tell its reader that nobody writes any more.
    End {
        /// For what the kernel still does about it, and may stumble over.
        linger: Duration,
    },
}

/// From a worker to the coordinator. The worker itself does not look into records: it has them as text.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word<R = Box<CaseRecord>> {
    /// The answer to the greeting: the facts of the target.
    Ready(Box<Target>),
    /// The answer to the greeting: why no case can be played here.
    Refused(String),
    /// What came of a case.
    Record {
        /// Its record.
        record: R,
        /// If nothing of the case is left that another could meet, as far as the worker can see.
        fit: bool,
    },
    /// The answer to the order to end: nothing of any case is left.
    Ended,
}

/// Why a stream can no longer be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The stream ended.
    Ended,
    /// The stream ended within a frame.
    Truncated,
    /// A frame that is not whole, or not what its checksum says.
    Garbled,
    /// A whole frame with a foreign token: something else pretends to be the other side.
    Forged,
    /// A frame out of its order: one was lost, doubled or replayed.
    Sequence {
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A frame that holds no message of this protocol.
    Message(String),
    /// Whoever was watched beside the stream has hung up.
    HungUp,
    /// Nothing came in time.
    Silent(Duration),
    /// Reading or writing failed.
    Io(String),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Damage::Ended => write!(f, "the stream ended: the other side died"),
            Damage::Truncated => write!(f, "the stream ended within a frame: the other side died"),
            Damage::Garbled => write!(f, "a frame was damaged on its way"),
            Damage::Forged => write!(f, "a frame with a foreign token was found on the stream"),
            Damage::Sequence { expected, found } => {
                write!(f, "frame {found} came where frame {expected} had to come")
            }
            Damage::Message(what) => write!(f, "a frame holds no message of this protocol: {what}"),
            Damage::HungUp => write!(f, "the coordinator has hung up"),
            Damage::Silent(limit) => write!(f, "nothing was heard for {} s", limit.as_secs_f32()),
            Damage::Io(what) => write!(f, "{what}"),
        }
    }
}

/// What follows the mark on the line instead of a frame that lies in shared memory.
const SHARED: &str = "@";

/// Writes frames.
pub struct Sender<W> {
    out: W,
    token: String,
    next: u64,
    packing: Option<Compress>,
    slot: Option<Slot>,
}

impl<W: Write> Sender<W> {
    /// Frames with this token, to this stream.
    pub fn new(out: W, token: String) -> Sender<W> {
        Sender { out, token, next: 1, packing: None, slot: None }
    }

    /// The same, with memory that the receiver sees too: what fits is laid there, and the stream says so.
    pub fn sharing(self, slot: Option<Slot>) -> Sender<W> {
        Sender { slot, ..self }
    }

    /// The same, after so many frames that somebody else has sent.
    pub fn after(self, frames: u64) -> Sender<W> {
        Sender { next: self.next + frames, ..self }
    }

    /// Packs messages from now on. A virtual machine's serial port takes some microseconds for each byte;
    /// messages have much in common with those before them, and become an eighth.
    pub fn pack(&mut self) {
        self.packing = Some(Compress::new(Compression::fast(), false));
    }

    /// Sends one message.
    pub fn send(&mut self, message: &impl Serialize) -> Result<(), Damage> {
        let json = serde_json::to_string(message).map_err(|error| Damage::Message(error.to_string()))?;
        let sequence = self.next;
        self.next += 1;
        if let Some(slot) = &self.slot {
            let frame = frame(&self.token, sequence, &json);
            if slot.put(frame.as_bytes()).map_err(|error| Damage::Io(error.to_string()))? {
                return self.write(&format!("{MARK} {SHARED}\n"));
            }
        }
        let json = match &mut self.packing {
            Some(packing) => pack(packing, json.as_bytes())?,
            None => json,
        };
        self.write(&frame(&self.token, sequence, &json))
    }

    fn write(&mut self, line: &str) -> Result<(), Damage> {
        // The line break in front ends whatever noise stands on the line already.
        let line = format!("\n{line}");
        self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush()).map_err(|error| {
            match error.kind() {
                io::ErrorKind::BrokenPipe => Damage::Ended,
                _ => Damage::Io(error.to_string()),
            }
        })
    }
}

/// One frame with its line break.
pub fn frame(token: &str, sequence: u64, json: &str) -> String {
    let body = format!("{token} {sequence} {json}");
    format!("{MARK} {:08x} {body}\n", crc32fast::hash(body.as_bytes()))
}

/// Reads frames from a descriptor, and keeps what stands between them.
pub struct Receiver {
    input: OwnedFd,
    token: Option<String>,
    next: u64,
    buffer: Vec<u8>,
    /// How far the buffer is known to hold no line break.
    scanned: usize,
    noise: Vec<u8>,
    /// From the first message on that is packed: it is large, and most streams have none.
    packing: Option<Decompress>,
    slot: Option<Slot>,
}

impl Receiver {
    /// Frames with this token; without one, with the token of the first frame.
    pub fn new(input: OwnedFd, token: Option<String>) -> Receiver {
        let (buffer, noise) = (Vec::new(), Vec::new());
        Receiver { input, token, next: 1, buffer, scanned: 0, noise, packing: None, slot: None }
    }

    /// The same, with memory that the sender sees too.
    pub fn sharing(self, slot: Option<Slot>) -> Receiver {
        Receiver { slot, ..self }
    }

    /// The token, once it is known.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same, after so many frames that somebody else has received.
    pub fn after(self, frames: u64) -> Receiver {
        Receiver { next: self.next + frames, ..self }
    }

    /// The descriptor that is read from.
    pub fn descriptor(&self) -> &OwnedFd {
        &self.input
    }

    /// The console text since the last call, line by line; too much of it is cut.
    pub fn take_noise(&mut self) -> Vec<String> {
        let noise = std::mem::take(&mut self.noise);
        String::from_utf8_lossy(&noise)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// If a frame has begun to come that nobody has asked for yet.
    pub fn has_more(&self) -> bool {
        position(&self.buffer, MARK.as_bytes()).is_some()
    }

    /// The next message; waits for it no longer than the limit, if there is one.
    pub fn receive<T: DeserializeOwned>(&mut self, limit: Option<Duration>) -> Result<T, Damage> {
        self.next(limit, None)
    }

    /// The next message, unless whoever holds the other end of `watched` hangs up meanwhile.
    pub fn receive_unless_hung_up<T: DeserializeOwned>(
        &mut self,
        limit: Duration,
        watched: BorrowedFd,
    ) -> Result<T, Damage> {
        self.next(Some(limit), Some(watched))
    }

    fn next<T: DeserializeOwned>(
        &mut self,
        limit: Option<Duration>,
        watched: Option<BorrowedFd>,
    ) -> Result<T, Damage> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let mut late = false;
        loop {
            while let Some(line) = self.line() {
                if let Some(json) = self.unframe(&line)? {
                    return serde_json::from_str(&json).map_err(|error| Damage::Message(error.to_string()));
                }
            }
            if late {
                return Err(Damage::Silent(limit.unwrap_or_default()));
            }
            // There is one look after the deadline and no more, however much noise may come.
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            late = left == Some(Duration::ZERO);
            let timeout = match left {
                None => PollTimeout::NONE,
                Some(Duration::ZERO) => PollTimeout::ZERO,
                // Rounded up, so that the last wait does not become a busy loop.
                Some(left) => {
                    PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
                }
            };
            let mut fds = vec![PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
            // A hang-up is told without being asked for.
            fds.extend(watched.map(|watched| PollFd::new(watched, PollFlags::empty())));
            let count = poll(&mut fds, timeout);
            // Whoever never stops speaking is not to drown that.
            let hung_up = fds[1..].iter().any(|fd| fd.any().unwrap_or(false));
            match count {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) if hung_up => return Err(Damage::HungUp),
                Ok(_) => {
                    self.fill()?;
                    self.let_gather();
                }
                Err(error) => return Err(Damage::Io(error.to_string())),
            }
        }
    }

    fn fill(&mut self) -> Result<(), Damage> {
        let mut chunk = [0; 4 << 10];
        match nix::unistd::read(&self.input, &mut chunk) {
            Ok(0) => {
                let rest = std::mem::take(&mut self.buffer);
                let cut = position(&rest, MARK.as_bytes()).is_some();
                self.keep(&rest);
                Err(if cut { Damage::Truncated } else { Damage::Ended })
            }
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                match self.buffer.len() > LONGEST_FRAME {
                    true => Err(Damage::Garbled),
                    false => Ok(()),
                }
            }
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => Ok(()),
            // A serial line or a pseudo terminal that was hung up.
            Err(nix::errno::Errno::EIO) => Err(Damage::Ended),
            Err(error) => Err(Damage::Io(error.to_string())),
        }
    }

    /// A serial port gives byte after byte. Whoever looks at each is woken some hundred times for a message;
    /// so if one has begun to come, it is given the time in which such a port gives a good part of it.
    fn let_gather(&self) {
        if self.buffer.last() != Some(&b'\n') {
            std::thread::sleep(GATHER);
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            return None;
        };
        let rest = self.buffer.split_off(self.scanned + end + 1);
        self.scanned = 0;
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// The JSON of a line that holds the frame which has to come; `None` for noise.
    fn unframe(&mut self, line: &[u8]) -> Result<Option<String>, Damage> {
        let Some(at) = position(line, MARK.as_bytes()) else {
            self.keep(line);
            return Ok(None);
        };
        self.keep(&line[..at]);
        let marked = |line: &'_ [u8]| -> Option<String> {
            let text = std::str::from_utf8(line).ok()?.strip_prefix(MARK)?.strip_prefix(' ')?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        };
        let mut text = marked(&line[at..]).ok_or(Damage::Garbled)?;
        if text == SHARED {
            let slot = self.slot.as_ref().ok_or(Damage::Garbled)?;
            let frame = slot.take().map_err(|error| Damage::Io(error.to_string()))?;
            text = frame.as_deref().and_then(marked).ok_or(Damage::Garbled)?;
        }
        let (checksum, body) = text.split_once(' ').ok_or(Damage::Garbled)?;
        if u32::from_str_radix(checksum, 16) != Ok(crc32fast::hash(body.as_bytes())) {
            return Err(Damage::Garbled);
        }
        let mut words = body.splitn(3, ' ');
        let (Some(token), Some(sequence), Some(json)) = (words.next(), words.next(), words.next()) else {
            return Err(Damage::Garbled);
        };
        if self.token.get_or_insert_with(|| token.to_owned()) != token {
            return Err(Damage::Forged);
        }
        let found = sequence.parse().map_err(|_| Damage::Garbled)?;
        if found != self.next {
            return Err(Damage::Sequence { expected: self.next, found });
        }
        self.next += 1;
        match json.strip_prefix(PACKED) {
            Some(packed) => {
                let packing = self.packing.get_or_insert_with(|| Decompress::new(false));
                unpack(packing, packed).map(Some)
            }
            None => Ok(Some(json.to_owned())),
        }
    }

    fn keep(&mut self, noise: &[u8]) {
        let room = KEPT_NOISE.saturating_sub(self.noise.len());
        self.noise.extend_from_slice(&noise[..noise.len().min(room)]);
        if noise.last().is_some_and(|byte| *byte != b'\n') && room > 0 {
            self.noise.push(b'\n');
        }
    }
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs::File;

    const TOKEN: &str = "0123456789abcdef";

    /// What a receiver makes of these bytes, up to the first error.
    fn heard(bytes: &[u8]) -> (Vec<u32>, Damage, Vec<String>) {
        let (read, write) = nix::unistd::pipe().unwrap();
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || File::from(write).write_all(&bytes));
        let mut receiver = Receiver::new(read, Some(TOKEN.into()));
        let mut messages = Vec::new();
        let damage = loop {
            match receiver.receive(Some(Duration::from_secs(5))) {
                Ok(message) => messages.push(message),
                Err(damage) => break damage,
            }
        };
        let noise = receiver.take_noise();
        drop(receiver);
        // A writer whose reader gave up gets EPIPE, which is no failure of the test.
        let _ = writer.join();
        (messages, damage, noise)
    }

    fn framed(sequence: u64, message: u32) -> String {
        frame(TOKEN, sequence, &message.to_string())
    }

    #[test]
    fn what_one_side_sends_the_other_receives() {
        let mut bytes = Vec::new();
        let mut sender = Sender::new(&mut bytes, TOKEN.into());
        for message in [7u32, 8, 9] {
            sender.send(&message).unwrap();
        }
        assert_eq!(heard(&bytes), (vec![7, 8, 9], Damage::Ended, vec![]));
    }

    #[test]
    fn packed_messages_are_smaller_and_the_same() {
        let messages: Vec<String> = (0..50)
            .map(|at| format!("{at} {}", "alice: get_keyring_ID(@s, 0) = $ring; ".repeat(at * at)))
            .collect();
        let (read, write) = nix::unistd::pipe().unwrap();
        let (mut bytes, mut plain) = (Vec::new(), Vec::new());
        let mut sender = Sender::new(&mut bytes, TOKEN.into());
        let mut other = Sender::new(&mut plain, TOKEN.into());
        sender.pack();
        for message in &messages {
            sender.send(message).unwrap();
            other.send(message).unwrap();
        }
        drop((sender, other));
        assert!(bytes.len() * 8 < plain.len(), "{} of {}", bytes.len(), plain.len());
        let writer = std::thread::spawn(move || File::from(write).write_all(&bytes));
        let mut receiver = Receiver::new(read, Some(TOKEN.into()));
        for message in &messages {
            assert_eq!(receiver.receive(Some(Duration::from_secs(5))), Ok(message.clone()));
        }
        writer.join().unwrap().unwrap();
    }

    #[rstest]
    #[case::no_base64("~*")]
    #[case::no_stream("~//8")]
    fn what_cannot_be_unpacked_is_damage(#[case] json: &str) {
        assert_eq!(heard(frame(TOKEN, 1, json).as_bytes()).1, Damage::Garbled);
    }

    #[test]
    fn noise_is_kept_and_hides_nothing() {
        let bytes = format!(
            "Linux version 6.1\n{}[    1.0] oops{}plain\r\n\n  \n\u{1b}[0m{}no line end",
            framed(1, 10),
            framed(2, 20),
            framed(3, 30)
        );
        let (messages, damage, noise) = heard(bytes.as_bytes());
        assert_eq!((messages, damage), (vec![10, 20, 30], Damage::Ended));
        assert_eq!(noise, ["Linux version 6.1", "[    1.0] oops", "plain", "\u{1b}[0m", "no line end"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_noise() {
        let bytes = [b"\xff\xfe\0\n", framed(1, 10).as_bytes()].concat();
        assert_eq!(heard(&bytes).0, [10]);
    }

    #[test]
    fn a_flood_of_noise_is_cut() {
        let bytes = format!("{}\n{}", "x".repeat(1 << 20), framed(1, 10));
        let (messages, _, noise) = heard(bytes.as_bytes());
        assert_eq!(messages, [10]);
        assert!(noise.iter().map(String::len).sum::<usize>() <= KEPT_NOISE + 1);
    }

    #[test]
    fn a_line_break_of_a_terminal_is_none_of_the_frame() {
        let bytes = framed(1, 10).replace('\n', "\r\n");
        assert_eq!(heard(bytes.as_bytes()).0, [10]);
    }

    #[rstest]
    #[case::cut(framed(2, 20).trim_end().to_owned(), Damage::Truncated)]
    #[case::cut_in_the_middle(framed(2, 20)[..30].to_owned(), Damage::Truncated)]
    #[case::a_bit_flipped(framed(2, 20).replace("20\n", "21\n"), Damage::Garbled)]
    #[case::no_checksum(format!("{MARK} {TOKEN} 2 20\n"), Damage::Garbled)]
    #[case::mark_alone(format!("{MARK}\n"), Damage::Garbled)]
    #[case::shared_where_nothing_is(format!("{MARK} @\n"), Damage::Garbled)]
    #[case::noise_within(framed(2, 20).replace(' ', " [1.0] oops\n"), Damage::Garbled)]
    #[case::foreign_token(frame("fedcba9876543210", 2, "20"), Damage::Forged)]
    #[case::replayed(framed(1, 10), Damage::Sequence { expected: 2, found: 1 })]
    #[case::lost(framed(3, 30), Damage::Sequence { expected: 2, found: 3 })]
    fn damage_has_a_name_and_never_becomes_a_message(#[case] second: String, #[case] damage: Damage) {
        let bytes = format!("{}{second}", framed(1, 10));
        let (messages, found, _) = heard(bytes.as_bytes());
        assert_eq!((messages, found), (vec![10], damage));
    }

    #[rstest]
    #[case(frame(TOKEN, 1, "\"text\""))]
    #[case(frame(TOKEN, 1, "10 20"))]
    #[case(frame(TOKEN, 1, ""))]
    fn a_foreign_message_is_damage(#[case] bytes: String) {
        assert!(matches!(heard(bytes.as_bytes()).1, Damage::Message(_)));
    }

    #[test]
    fn the_first_frame_teaches_the_token() {
        let (read, write) = nix::unistd::pipe().unwrap();
        let mut sender = Sender::new(File::from(write), TOKEN.into());
        sender.send(&1u32).unwrap();
        sender.token = "another".into();
        sender.send(&2u32).unwrap();
        let mut receiver = Receiver::new(read, None);
        assert_eq!(receiver.receive(None), Ok(1u32));
        assert_eq!(receiver.token(), Some(TOKEN));
        assert_eq!(receiver.receive::<u32>(None), Err(Damage::Forged));
    }

    #[test]
    fn silence_and_a_hang_up_are_told_apart() {
        let (read, _write) = nix::unistd::pipe().unwrap();
        let (watched, other) = nix::unistd::pipe().unwrap();
        let mut receiver = Receiver::new(read, None);
        let limit = Duration::from_millis(20);
        assert_eq!(
            receiver.receive_unless_hung_up::<u32>(limit, watched.as_fd()),
            Err(Damage::Silent(limit))
        );
        drop(other);
        assert_eq!(receiver.receive_unless_hung_up::<u32>(limit, watched.as_fd()), Err(Damage::HungUp));
        // Nor does noise that never ends hide it.
        let noise = File::open("/dev/zero").unwrap();
        let mut receiver = Receiver::new(noise.into(), None);
        let long = Duration::from_secs(60);
        assert_eq!(receiver.receive_unless_hung_up::<u32>(long, watched.as_fd()), Err(Damage::HungUp));
    }
}
