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
