//! A xorb: chunks one after the other, each behind eight bytes that say how it is packed.
//!
//! ```text
//! version u8 | packed length u24 | scheme u8 | raw length u24 | packed bytes …      little endian
//! ```

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use lz4_flex::frame::FrameDecoder;

/// How many bytes the chunks of a xorb have together, packed or not; clients stop at 64 MiB.
pub const MOST: u64 = 80 << 20;
/// How many chunks there are; clients stop at 8192.
const CHUNKS: usize = 1 << 17;
/// What a chunk begins with.
const HEAD: usize = 8;
/// What stands in the place of a chunk where some clients say once more what is in the xorb.
const FOOTER: [u8; HEAD - 1] = *b"XETBLOB";

/// Where the chunks of a xorb are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(Vec<Chunk>);

/// Where a chunk is, and how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    offset: u64,
    packed: u32,
    scheme: Scheme,
    raw: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// As it is.
    Plain,
    /// An LZ4 frame.
    Packed,
    /// An LZ4 frame of the first bytes of all groups of four, then the second ones, and so on.
    Grouped,
}

impl Layout {
    /// Reads where the chunks are, and refuses what is larger, packed or not, than a xorb may be.
    pub fn read(from: &mut (impl Read + Seek)) -> io::Result<Self> {
        let size = from.seek(SeekFrom::End(0))?;
        from.seek(SeekFrom::Start(0))?;
        let mut from = BufReader::new(from);
        let (mut chunks, mut at, mut raw) = (Vec::new(), 0, 0);
        if size > MOST {
            return Err(wrong("it is larger than a xorb may be"));
        }
        while at < size {
            let mut head = [0; HEAD];
            from.read_exact(&mut head)?;
            if head.starts_with(&FOOTER) {
                break;
            }
            let chunk = Chunk::of(head, at + HEAD as u64)?;
            at = chunk.offset + u64::from(chunk.packed);
            raw += u64::from(chunk.raw);
            if at > size {
                return Err(wrong("its last chunk is not whole"));
            }
            if raw > MOST || chunks.len() >= CHUNKS {
                return Err(wrong("there is more in it than may be"));
            }
            from.seek_relative(i64::from(chunk.packed))?;
            chunks.push(chunk);
        }
        match chunks.is_empty() {
            true => Err(wrong("there is nothing in it")),
            false => Ok(Self(chunks)),
        }
    }

    /// The chunks from one to before another.
    pub fn chunks(&self, first: u32, end: u32) -> Option<&[Chunk]> {
        self.0.get(usize::try_from(first).ok()?..usize::try_from(end).ok()?)
    }
}

impl Chunk {
    fn of(head: [u8; HEAD], offset: u64) -> io::Result<Self> {
        let [version, a, b, c, scheme, x, y, z] = head;
        let (packed, raw) = (u32::from_le_bytes([a, b, c, 0]), u32::from_le_bytes([x, y, z, 0]));
        let scheme = match scheme {
            0 => Scheme::Plain,
            1 => Scheme::Packed,
            2 => Scheme::Grouped,
            _ => return Err(wrong("a chunk is packed in an unknown way")),
        };
        if version != 0 {
            return Err(wrong("a chunk is of an unknown version"));
        }
        if packed == 0 || raw == 0 || (scheme == Scheme::Plain && packed != raw) {
            return Err(wrong("a chunk's lengths do not fit"));
        }
        Ok(Self { offset, packed, scheme, raw })
    }

    /// How many bytes it has.
    pub fn raw(&self) -> u32 {
        self.raw
    }

    /// Its bytes, into the place of what was in `to`.
    pub fn unpack(&self, from: &mut (impl Read + Seek), to: &mut Vec<u8>) -> io::Result<()> {
        from.seek(SeekFrom::Start(self.offset))?;
        let packed = from.take(u64::from(self.packed));
        to.clear();
        let most = u64::from(self.raw) + 1;
        match self.scheme {
            Scheme::Plain => packed.take(most).read_to_end(to),
            Scheme::Packed | Scheme::Grouped => {
                FrameDecoder::new(packed).take(most).read_to_end(to)
            }
        }?;
        if to.len() as u64 + 1 != most {
            return Err(wrong("a chunk has not as many bytes as it says"));
        }
        if self.scheme == Scheme::Grouped {
            *to = interleaved(to);
        }
        Ok(())
    }
}

/// Groups of four bytes, out of all first bytes, all second bytes and so on.
fn interleaved(planes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; planes.len()];
    let mut rest = planes;
    for plane in 0..4 {
        let length = (planes.len() + 3 - plane) / 4;
        let (these, others) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        for (to, from) in bytes.iter_mut().skip(plane).step_by(4).zip(these) {
            *to = *from;
        }
        rest = others;
    }
    bytes
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use lz4_flex::frame::FrameEncoder;
    use proptest::prelude::*;

    use super::*;

    fn chunk(scheme: u8, packed: &[u8], raw: usize) -> Vec<u8> {
        let length = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        let (a, b) = (length(packed.len()), length(raw));
        [&[0], &a[..3], &[scheme], &b[..3], packed].concat()
    }

    fn frame(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// As in `interleaved`, the other way round.
    fn planes(bytes: &[u8]) -> Vec<u8> {
        (0..4).flat_map(|plane| bytes.iter().skip(plane).step_by(4).copied()).collect()
    }

    fn all(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut file = Cursor::new(bytes);
        let layout = Layout::read(&mut file)?;
        let (mut whole, mut one) = (Vec::new(), Vec::new());
        for chunk in &layout.0 {
            chunk.unpack(&mut file, &mut one)?;
            assert_eq!(one.len(), chunk.raw() as usize);
            whole.extend_from_slice(&one);
        }
        Ok(whole)
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(
            parts in prop::collection::vec((0u8..3, prop::collection::vec(any::<u8>(), 1..300)), 1..6),
        ) {
            let packed = parts.iter().flat_map(|(scheme, bytes)| match scheme {
                0 => chunk(0, bytes, bytes.len()),
                1 => chunk(1, &frame(bytes), bytes.len()),
                _ => chunk(2, &frame(&planes(bytes)), bytes.len()),
            });
            let raw: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            prop_assert_eq!(all(&packed.collect::<Vec<_>>()).unwrap(), raw);
        }
    }

    #[test]
    fn what_is_no_xorb_is_refused() {
        let good = chunk(1, &frame(&[5; 1000]), 1000);
        assert_eq!(all(&good).unwrap(), [5; 1000]);
        assert_eq!(all(&[&good, &b"XETBLOB\x01 and more"[..]].concat()).unwrap(), [5; 1000]);
        for length in 0..good.len() {
            assert!(all(&good[..length]).is_err(), "{length}");
        }
        let says_less = chunk(1, &frame(&[5; 1000]), 999);
        let says_more = chunk(1, &frame(&[5; 1000]), 1001);
        let plain = chunk(0, b"abc", 4);
        let unknown = chunk(3, b"abc", 3);
        let mut newer = chunk(0, b"abc", 3);
        newer[0] = 1;
        for wrong in [says_less, says_more, plain, unknown, newer, chunk(0, b"", 0)] {
            assert!(all(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_bomb_is_known_by_its_heads() {
        // Six chunks that say they have 16 MiB each are more than a xorb may have.
        let one = chunk(1, &frame(&[0; 10]), 0xff_ffff);
        let bomb = one.repeat(6);
        assert!(Layout::read(&mut Cursor::new(&bomb)).is_err());
        assert!(Layout::read(&mut Cursor::new(&one)).is_ok());
    }
}
