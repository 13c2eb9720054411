//! Memory that both sides of a stream see, for what a slow line would carry byte by byte: each direction has
//! a slot for one message, and the line only says that it is there.
//!
//! How a side comes to see the memory is not known here.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes of the memory: a power of two, as PCI wants it. Nearly all messages have less than a tenth of a slot.
pub const SIZE: usize = 1 << 20;
/// Bytes of a slot: the length of its message, and the message.
const SLOT: usize = SIZE / 2;
/// Bytes of the length, which is 0 while there is no message.
const LENGTH: usize = size_of::<u32>();

/// Memory of [`SIZE`] bytes that another side may change at any time.
pub trait Memory: Send + Sync {
    /// Copies what lies there.
    fn read(&self, at: usize, to: &mut [u8]) -> io::Result<()>;
    /// Puts something there.
    fn write(&self, at: usize, from: &[u8]) -> io::Result<()>;
}

/// The file that the memory is on the other side.
impl Memory for File {
    fn read(&self, at: usize, to: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(to, at as u64)
    }

    fn write(&self, at: usize, from: &[u8]) -> io::Result<()> {
        self.write_all_at(from, at as u64)
    }
}

/// Where the messages of one direction lie.
#[derive(Clone)]
pub struct Slot {
    memory: Arc<dyn Memory>,
    at: usize,
}

impl Slot {
    /// What a coordinator orders.
    pub fn of_orders(memory: &Arc<dyn Memory>) -> Slot {
        Slot { memory: Arc::clone(memory), at: 0 }
    }

    /// What a worker says.
    pub fn of_words(memory: &Arc<dyn Memory>) -> Slot {
        Slot { memory: Arc::clone(memory), at: SLOT }
    }

    /// Lays a message down; gives if there was room for it, which there is not before the last one was taken.
    pub(super) fn put(&self, message: &[u8]) -> io::Result<bool> {
        if message.len() > SLOT - LENGTH || self.length()? != 0 {
            return Ok(false);
        }
        self.memory.write(self.at + LENGTH, message)?;
        self.memory.write(self.at, &(message.len() as u32).to_ne_bytes())?;
        Ok(true)
    }

    /// Takes the message away. `None` if there is none.
    pub(super) fn take(&self) -> io::Result<Option<Vec<u8>>> {
        let length = self.length()?;
        if length == 0 || length > SLOT - LENGTH {
            return Ok(None);
        }
        let mut message = vec![0; length];
        self.memory.read(self.at + LENGTH, &mut message)?;
        self.memory.write(self.at, &[0; LENGTH])?;
        Ok(Some(message))
    }

    fn length(&self) -> io::Result<usize> {
        let mut length = [0; LENGTH];
        self.memory.read(self.at, &mut length)?;
        Ok(u32::from_ne_bytes(length) as usize)
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot at {}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use rstest::rstest;

    use crate::wire::{Damage, MARK, Receiver, SHARED, Sender, frame};

    const TOKEN: &str = "0123456789abcdef";

    /// Both ends of a stream whose sides share memory, and that memory.
    fn shared() -> (Sender<File>, Receiver, Arc<dyn Memory>) {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SIZE as u64).unwrap();
        let memory: Arc<dyn Memory> = Arc::new(file);
        let (read, write) = nix::unistd::pipe().unwrap();
        let sender = Sender::new(File::from(write), TOKEN.into()).sharing(Some(Slot::of_words(&memory)));
        let receiver = Receiver::new(read, Some(TOKEN.into())).sharing(Some(Slot::of_words(&memory)));
        (sender, receiver, memory)
    }

    const LIMIT: Option<Duration> = Some(Duration::from_secs(5));

    #[test]
    fn what_is_shared_does_not_go_over_the_line() {
        let (mut sender, receiver, _memory) = shared();
        sender.send(&"x".repeat(10_000)).unwrap();
        let mut line = [0; 100];
        let count = nix::unistd::read(&receiver.input, &mut line).unwrap();
        assert_eq!(&line[..count], format!("\n{MARK} @\n").as_bytes());
    }

    #[test]
    fn what_is_shared_is_received_in_its_order() {
        let (mut sender, mut receiver, _memory) = shared();
        sender.pack();
        // The second finds the first still there, and the last is too long: both take the line.
        for round in 0..3 {
            sender.send(&round).unwrap();
            sender.send(&"second").unwrap();
            assert_eq!(receiver.receive(LIMIT), Ok(round));
            assert_eq!(receiver.receive(LIMIT), Ok("second".to_owned()));
            let long = "y".repeat(SIZE / 2);
            sender.send(&long).unwrap();
            assert_eq!(receiver.receive(LIMIT), Ok(long));
        }
    }

    #[rstest]
    #[case::nothing(|memory: &dyn Memory| memory.write(SIZE / 2, &[0; 4]), Damage::Garbled)]
    #[case::more_than_there_is(|memory: &dyn Memory| memory.write(SIZE / 2, &[255; 4]), Damage::Garbled)]
    #[case::something_else(|memory: &dyn Memory| memory.write(SIZE / 2 + 40, b"#"), Damage::Garbled)]
    #[case::another_frame(
        |memory: &dyn Memory| memory.write(SIZE / 2 + 4, frame(TOKEN, 7, "1").as_bytes()),
        Damage::Garbled
    )]
    fn what_is_shared_is_checked(#[case] spoil: fn(&dyn Memory) -> io::Result<()>, #[case] damage: Damage) {
        let (mut sender, mut receiver, memory) = shared();
        sender.send(&"a message of some length, so that something of it can be spoiled").unwrap();
        spoil(&*memory).unwrap();
        assert_eq!(receiver.receive::<String>(LIMIT), Err(damage));
    }

    #[test]
    fn a_replayed_frame_is_found_in_shared_memory_too() {
        let (mut sender, mut receiver, memory) = shared();
        sender.send(&1u32).unwrap();
        assert_eq!(receiver.receive(LIMIT), Ok(1u32));
        let again = frame(TOKEN, 1, "1");
        memory.write(SIZE / 2 + 4, again.as_bytes()).unwrap();
        memory.write(SIZE / 2, &(again.len() as u32).to_ne_bytes()).unwrap();
        sender.write(&format!("{MARK} {SHARED}\n")).unwrap();
        assert_eq!(receiver.receive::<u32>(LIMIT), Err(Damage::Sequence { expected: 2, found: 1 }));
    }
}
