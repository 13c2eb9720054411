//! Messages as one compressed stream, flushed after each, in base64: for a line where every byte costs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};

use super::{Damage, LONGEST_FRAME};

/// What stands before a message that is packed; no JSON begins with it.
pub(super) const PACKED: char = '~';

/// The next piece of the stream, as text.
pub(super) fn pack(packing: &mut Compress, message: &[u8]) -> Result<String, Damage> {
    let (mut rest, mut packed) = (message, Vec::with_capacity(message.len() / 4 + 64));
    loop {
        let before = packing.total_in();
        packing
            .compress_vec(rest, &mut packed, FlushCompress::Sync)
            .map_err(|error| Damage::Message(error.to_string()))?;
        rest = &rest[(packing.total_in() - before) as usize..];
        // Room that is left means that the flush has come to its end.
        if rest.is_empty() && packed.len() < packed.capacity() {
            return Ok(format!("{PACKED}{}", BASE64_STANDARD_NO_PAD.encode(packed)));
        }
        packed.reserve(packed.capacity());
    }
}

/// The message that a piece of the stream is.
pub(super) fn unpack(packing: &mut Decompress, packed: &str) -> Result<String, Damage> {
    let packed = BASE64_STANDARD_NO_PAD.decode(packed).map_err(|_| Damage::Garbled)?;
    let (mut rest, mut message) = (packed.as_slice(), Vec::with_capacity(packed.len() * 8 + 64));
    loop {
        let before = packing.total_in();
        packing.decompress_vec(rest, &mut message, FlushDecompress::Sync).map_err(|_| Damage::Garbled)?;
        rest = &rest[(packing.total_in() - before) as usize..];
        if message.len() > LONGEST_FRAME {
            return Err(Damage::Garbled);
        }
        if rest.is_empty() && message.len() < message.capacity() {
            return String::from_utf8(message).map_err(|_| Damage::Garbled);
        }
        message.reserve(message.capacity());
    }
}
