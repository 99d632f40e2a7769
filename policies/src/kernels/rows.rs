//! Rows of channels in a program's memory: what every kernel reads and writes.

use std::ops::Range;

/// So many rows of so many channels, `stride` numbers apart. A plain description, like a pointer:
/// its maker answers for the memory, and its user for not writing what another thread uses.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// The first channel of the first row.
    pub start: *mut f32,
    /// How many rows.
    pub count: usize,
    /// How many numbers in each.
    pub channels: usize,
    /// From one row to the next.
    pub stride: usize,
}

// SAFETY: it only describes memory; every use of it is an unsafe block with its own reason.
unsafe impl Send for Rows {}
// SAFETY: as above.
unsafe impl Sync for Rows {}

impl Rows {
    /// Rows that lie one behind the other.
    pub fn dense(start: *mut f32, count: usize, channels: usize) -> Self {
        Self { start, count, channels, stride: channels }
    }

    /// Where a row begins.
    pub fn at(&self, row: usize) -> *mut f32 {
        debug_assert!(row < self.count, "row {row} of {}", self.count);
        self.start.wrapping_add(row * self.stride)
    }

    /// A row's numbers.
    ///
    /// # Safety
    /// The memory is there, and nobody writes the row meanwhile.
    pub unsafe fn row<'a>(&self, row: usize) -> &'a [f32] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts(self.at(row), self.channels) }
    }

    /// Some of a row's numbers, to be written.
    ///
    /// # Safety
    /// The memory is there, and nobody else reads or writes these channels meanwhile.
    pub unsafe fn part<'a>(&self, row: usize, channels: Range<usize>) -> &'a mut [f32] {
        debug_assert!(channels.end <= self.channels);
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.at(row).add(channels.start), channels.len()) }
    }
}
