//! What the Hub's newer clients send large files in.

use std::io::Cursor;

use sinew_hub::serve::xet::shard::Files;
use sinew_hub::serve::xet::xorb::{Layout, MOST};

/// What takes bytes for a xorb finds chunks inside them, and never unpacks more than they say.
pub fn hub_xorb(bytes: &[u8]) {
    let mut file = Cursor::new(bytes);
    let Ok(layout) = Layout::read(&mut file) else { return };
    let (mut total, mut unpacked) = (0, Vec::new());
    for first in 0.. {
        let Some([chunk]) = layout.chunks(first, first + 1) else { break };
        total += u64::from(chunk.raw());
        if chunk.unpack(&mut file, &mut unpacked).is_ok() {
            assert_eq!(unpacked.len(), chunk.raw() as usize);
        }
        assert!(unpacked.len() <= chunk.raw() as usize + 1);
    }
    assert!(0 < total && total <= MOST, "{total}");
}

/// What takes bytes for a shard finds no more in it than they have room for.
pub fn hub_shard(bytes: &[u8]) {
    let mut files = Files::new(bytes);
    let mut rows = 0;
    while let Ok(Some(file)) = files.next_file() {
        rows += 1 + file.segments.len();
        assert!(file.segments.iter().all(|segment| segment.first < segment.end));
        assert!(rows * 48 <= bytes.len(), "{rows}");
    }
}
