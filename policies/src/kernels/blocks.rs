//! Products whose numbers are rounded on both sides, as processors multiply them that take several at
//! once, or whole blocks: sixteen rows times sixteen outputs, 64 bytes deep. These are pairs of bf16, whose
//! sums stay in f32, or four whole numbers of a byte, whose sums are whole too.
//!
//! What the rows find their numbers in is rounded once, as a [`Strip`]; all taps read it from there, and
//! so do all panels of weights.

use std::ops::Range;

use super::product::{Product, Taps};
use super::rows::Rows;
use super::strip::{Strip, Unit};
use super::tile::{LANES, Tile};

/// Rows of a block.
pub const SIDE: usize = 16;
/// Bytes of a row in a block.
pub const BYTES: usize = 64;
/// Pairs of bf16 in a row of a block, both counted.
pub const PAIRS: usize = BYTES / size_of::<u16>();
/// Whole numbers of a byte in a row of a block.
pub const FOURS: usize = BYTES;
/// What two blocks of rows and two panels give: f32, or the bits of whole numbers.
pub type Sums = [[f32; 2 * LANES]; 2 * SIDE];
/// Makes a range so wide that so many numbers lie in it; without an end where one of them is none.
pub type Widen = unsafe fn(*const f32, usize, &mut [f32; 2]);

/// How a processor multiplies blocks.
pub struct Blocks {
    /// Whether it is so much faster than what multiplies f32 that a convolution of 3×3 is not worth turning
    /// into Winograd's products.
    pub direct: bool,
    /// Numbers of a row in a block.
    pub deep: usize,
    /// What finds the range of rows before they are rounded; none where each number is rounded by itself.
    pub range: Option<Widen>,
    /// Rounds so many numbers. Behind the last one nothing matters until there are whole blocks of them,
    /// but it must be a number.
    pub round: unsafe fn(*const f32, usize, *mut u8, Worth),
    /// Makes the sums of some blocks.
    pub multiply: unsafe fn(&Call, &mut Sums),
    /// Finishes the sums of so many rows and outputs, and stores them.
    pub store: unsafe fn(&Tile, &[[f32; 2 * LANES]], [usize; 2], &Worths),
    /// Makes the processor ready for blocks, on the thread that will make them.
    pub begin: fn(),
    /// What ends it.
    pub end: fn(),
}

impl Blocks {
    /// Bytes of a number.
    pub const fn size(&self) -> usize {
        BYTES / self.deep
    }

    /// Numbers of a tap with what fills its last block.
    pub fn filled(&self, length: usize) -> usize {
        length.next_multiple_of(self.deep)
    }
}

/// What whole numbers stand for.
#[derive(Clone, Copy, Debug)]
pub struct Worth {
    /// What one is worth.
    pub step: f32,
    /// Which of them is nothing.
    pub zero: f32,
}

impl Worth {
    /// Of numbers that stand for themselves.
    pub const ONE: Self = Self { step: 1.0, zero: 0.0 };

    /// Such that a byte reaches from the one to the other, and nothing is one of them. Where a range has
    /// no end, it is worth no number, so that nobody takes the sums for numbers.
    pub fn of([least, most]: [f32; 2]) -> Self {
        let (least, most) = (least.min(0.0), most.max(0.0));
        let step = (most - least) / 255.0;
        if !step.is_finite() {
            return Self { step: f32::NAN, zero: 0.0 };
        }
        // All of them are nothing, or next to it.
        if !step.recip().is_finite() {
            return Self { step: 0.0, zero: 0.0 };
        }
        Self { step, zero: (-least / step).round() }
    }

    /// The same as the byte that it is.
    pub fn nothing(self) -> u8 {
        self.zero as u8
    }

    /// How many of them a number of one is.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "nothing else multiplies blocks")
    )]
    pub fn by(self) -> f32 {
        if self.step > 0.0 { self.step.recip() } else { 0.0 }
    }
}

/// The worths of a product's rows: each row's own, or one for all.
#[derive(Clone, Copy)]
pub struct Worths {
    /// The first row's.
    pub start: *const Worth,
    /// From a row's to the next one's.
    pub step: usize,
}

impl Worths {
    fn from(self, row: usize) -> Self {
        Self { start: self.start.wrapping_add(row * self.step), ..self }
    }
}

/// One call of the kernel.
#[repr(C)]
pub struct Call {
    /// The first row's first place.
    pub rows: *const u8,
    /// From a row to the next, in bytes.
    pub line: usize,
    /// How many bytes behind the first row the second block's first one lies; none where there is no second
    /// block.
    pub further: usize,
    /// How far behind a row's first place each tap begins, in bytes.
    pub taps: *const usize,
    /// How many taps, at least one.
    pub count: usize,
    /// How many blocks deep a tap is, at least one.
    pub steps: usize,
    /// `[taps][steps][16][LANES][64 / 16 bytes]`.
    pub weights: *const u8,
    /// How many bytes behind these the next panel lies; none where there is no second panel.
    pub beside: usize,
    /// Whether there are two blocks of rows, and two panels.
    pub two: [bool; 2],
}

impl Product {
    /// Makes some rows, whole lines of them, of some blocks of outputs.
    ///
    /// # Safety
    /// As for [`Product::run`], and the processor multiplies so.
    pub(super) unsafe fn in_blocks(
        &self,
        kind: &'static Blocks,
        [from, into]: [&Rows; 2],
        rows: Range<usize>,
        blocks: Range<usize>,
        (taps, scratch): (*mut usize, *mut f32),
    ) {
        let (columns, lane) = (self.taps.out[1], blocks.start * LANES);
        let residual = |residual: Rows| residual.at(0).wrapping_add(lane).cast_const();
        let rounded = Rounded {
            kind,
            taps: &self.taps,
            from: *from,
            lines: rows.start / columns..rows.end / columns,
            weights: self.packed.panel(blocks.start, 0),
            beside: self.packed.beside(),
            outputs: (blocks.end * LANES).min(self.packed.outputs) - lane,
            first: Tile {
                scales: self.packed.scales(blocks.start),
                into: into.at(0).wrapping_add(lane),
                stride: into.stride,
                bias: self.packed.bias(blocks.start),
                residual: self.residual.map_or(std::ptr::null(), residual),
                residual_stride: self.residual.map_or(0, |residual| residual.stride),
                relu: self.relu,
                ..Tile::EMPTY
            },
        };
        // SAFETY: as the caller promises.
        unsafe { rounded.run(taps, scratch) };
    }
}

/// A product of numbers that are rounded first.
pub struct Rounded<'a> {
    /// How this processor multiplies.
    pub kind: &'static Blocks,
    /// Where each row finds its numbers.
    pub taps: &'a Taps,
    /// What it finds them in.
    pub from: Rows,
    /// Which lines of rows, counted over all images.
    pub lines: Range<usize>,
    /// The first sixteen outputs' weights, `[taps][steps][16][LANES][64 / 16 bytes]`.
    pub weights: *const u8,
    /// How many bytes behind them those of the next sixteen lie.
    pub beside: usize,
    /// How many outputs.
    pub outputs: usize,
    /// Where the very first row's results would go, and what would be added to them.
    pub first: Tile,
}

impl Rounded<'_> {
    /// Makes all of it, with room for where the taps are, and for the [`Strip`] with its worths.
    ///
    /// # Safety
    /// All that is pointed to is there, nobody else touches the results, and the processor multiplies so.
    pub unsafe fn run(&self, taps: *mut usize, scratch: *mut f32) {
        let strip = Strip::new(self.taps, self.from.channels, self.lines.len(), self.kind);
        let count = strip.worths(self.lines.len());
        let worths: *mut Worth = scratch.cast();
        let scratch: *mut u8 = scratch.wrapping_add(strip.before(self.lines.len())).cast();
        let step = usize::from(count > 1);
        (self.kind.begin)();
        // SAFETY: as the caller promises.
        unsafe {
            for (nth, offset) in self.taps.offsets.iter().enumerate() {
                *taps.add(nth) = strip.tap(*offset);
            }
            strip.fill(&self.from, &self.lines, scratch, worths);
            for lane in (0..self.outputs).step_by(2 * LANES) {
                self.two_panels(&strip, lane, taps, scratch, Worths { start: worths, step });
            }
        }
        (self.kind.end)();
    }

    unsafe fn two_panels(
        &self,
        strip: &Strip<'_>,
        lane: usize,
        taps: *const usize,
        scratch: *const u8,
        worths: Worths,
    ) {
        let (width, size) = ((self.outputs - lane).min(2 * LANES), self.kind.size());
        let mut sums = [[0f32; 2 * LANES]; 2 * SIDE];
        let mut units = strip.units(&self.lines);
        while let Some(unit) = units.next() {
            let second = units.next();
            let further = second.as_ref().map_or(0, |second| second.at - unit.at);
            let call = Call {
                rows: scratch.wrapping_add(unit.at * size),
                line: strip.line * size,
                further: further * size,
                taps,
                count: self.taps.offsets.len(),
                steps: self.kind.filled(self.taps.length) / self.kind.deep,
                weights: self.weights.wrapping_add(lane / LANES * self.beside),
                beside: if width > LANES { self.beside } else { 0 },
                two: [second.is_some(), width > LANES],
            };
            // SAFETY: as the caller promises: rounded rows, weights and results reach this far.
            unsafe {
                (self.kind.multiply)(&call, &mut sums);
                self.store(strip, &unit, &sums[..SIDE], [lane, width], worths);
                if let Some(second) = second {
                    self.store(strip, &second, &sums[SIDE..], [lane, width], worths);
                }
            }
        }
    }

    /// Stores a unit's sums where its rows go.
    unsafe fn store(
        &self,
        strip: &Strip<'_>,
        unit: &Unit,
        sums: &[[f32; 2 * LANES]],
        [lane, width]: [usize; 2],
        worths: Worths,
    ) {
        let first = &self.first;
        let begun = self.lines.start * self.taps.out[1];
        let further = |place: *const f32, by: usize| match place.is_null() {
            true => place,
            false => place.wrapping_add(by),
        };
        for (slots, row) in strip.rows(unit) {
            let tile = Tile {
                into: first.into.wrapping_add(row * first.stride + lane),
                bias: further(first.bias, lane),
                scales: further(first.scales, 2 * lane),
                residual: further(first.residual, row * first.residual_stride + lane),
                ..*first
            };
            let (count, worths) = (slots.len(), worths.from(row - begun));
            // SAFETY: as the caller promises.
            unsafe { (self.kind.store)(&tile, &sums[slots], [count, width], &worths) };
        }
    }
}

#[cfg(test)]
mod tests;
