//! Products whose numbers are rounded to bf16 on both sides, as processors multiply them that take two of
//! them at once, or whole blocks: sixteen rows times sixteen outputs, 32 numbers deep. Sums stay in f32.
//!
//! Rows are rounded into blocks of their own, one chunk after the other. What is copied there once is read
//! again for every panel of weights.

use std::ops::Range;

use super::product::Product;
use super::rows::Rows;
use super::tile::{LANES, ROWS, Tile};

/// Rows of a block.
pub const SIDE: usize = 16;
/// Numbers of a row in a block.
pub const DEEP: usize = 32;
/// Numbers of a block.
const BLOCK: usize = SIDE * DEEP;
/// Numbers of a row that are multiplied in one go where there are many rows. The sums stay in their
/// registers meanwhile, and what is multiplied comes as fast from the second cache as from the first.
const CHUNK: usize = 2304;
/// Numbers of all rows that are worked on at a time: half of a common second cache.
const NEAR: usize = 1 << 19;
/// Rows of which there is no use for more.
const MOST: usize = 320;
/// What two blocks of rows and two panels give.
pub type Sums = [[f32; 2 * LANES]; 2 * SIDE];

/// How a processor multiplies pairs.
pub struct Pairs {
    /// Whether it is so much faster than what multiplies f32 that a convolution of 3×3 is not worth turning
    /// into Winograd's products.
    pub direct: bool,
    /// Rounds a row's numbers into its place in each block, with zeros behind each tap's last one.
    pub round: unsafe fn(&Line<'_>),
    /// Makes the sums of some blocks.
    pub blocks: unsafe fn(&Blocks, &mut Sums),
    /// Finishes the sums of so many rows and outputs, and stores them.
    pub store: unsafe fn(&Tile, &Sums, [usize; 2]),
    /// Makes the processor ready for blocks, on the thread that will make them.
    pub begin: fn(),
    /// What ends it.
    pub end: fn(),
}

/// A row's numbers, wherever its taps find them.
pub struct Line<'a> {
    /// Where each tap begins, [`ROWS`] pointers apart.
    taps: *const *const f32,
    /// Numbers at a tap.
    length: usize,
    /// Which of all the row's numbers, with the zeros that fill each tap's last block.
    numbers: &'a Range<usize>,
    /// The place in the first block.
    into: *mut u16,
}

/// One call of the kernel.
pub struct Blocks {
    /// `[steps][SIDE][DEEP]`.
    pub rows: *const u16,
    /// How many bytes behind these the next block of rows lies; only where there are `two[0]`.
    pub further: usize,
    /// `[steps][DEEP / 2][LANES][2]`.
    pub weights: *const u8,
    /// How many bytes behind these the next panel lies; only where there are `two[1]`.
    pub beside: usize,
    /// How many blocks deep, at least one.
    pub steps: usize,
    /// Whether there are two blocks of rows, and two panels.
    pub two: [bool; 2],
}

/// Numbers of a tap with the zeros that fill its last block.
pub fn filled(length: usize) -> usize {
    length.next_multiple_of(DEEP)
}

/// A number's upper half, rounded to the nearest; what is no number stays so.
#[inline(always)]
pub fn nearest(number: f32) -> u16 {
    let bits = number.to_bits();
    let up = 0x7FFF + (bits >> 16 & 1);
    let rounded = if number.is_nan() { bits | 0x40_0000 } else { bits.wrapping_add(up) };
    (rounded >> 16) as u16
}

impl Product {
    /// How many numbers of a row are multiplied in one go: all where there are so few rows that it is the
    /// weights that are waited for.
    fn deep(&self, rows: usize) -> usize {
        let all = self.packed.deep();
        let pieces = if self.is_skinny(rows) { 1 } else { all.div_ceil(CHUNK) };
        filled(all.div_ceil(pieces))
    }

    /// How many rows are worked on at a time so that they stay near.
    pub(super) fn near(&self) -> usize {
        (NEAR / self.deep(usize::MAX) / (2 * SIDE) * 2 * SIDE).clamp(2 * SIDE, MOST)
    }

    /// How many f32 of scratch so many rows need.
    pub(super) fn rounded(&self, rows: usize) -> usize {
        rows.next_multiple_of(SIDE) * self.deep(rows) / 2
    }

    /// Makes some rows of some blocks of outputs; their pointers are there.
    ///
    /// # Safety
    /// As for [`Product::run`], and the processor multiplies so.
    pub(super) unsafe fn paired(
        &self,
        pairs: &Pairs,
        rows: Range<usize>,
        blocks: Range<usize>,
        pointers: *const *const f32,
        scratch: *mut f32,
    ) {
        let all = self.packed.deep();
        let deep = self.deep(rows.len());
        let lane = blocks.start * LANES;
        for start in (0..all).step_by(deep) {
            let numbers = start..(start + deep).min(all);
            let (first, last) = (start == 0, numbers.end == all);
            let residual = self.residual.filter(|_| last);
            let residual_at =
                |residual: Rows| residual.at(rows.start).wrapping_add(lane).cast_const();
            let rounded = Rounded {
                pairs,
                rows: rows.len(),
                pointers,
                group: self.taps.offsets.len() * ROWS,
                length: self.taps.length,
                weights: self.packed.panel(blocks.start, start),
                beside: self.packed.beside(),
                outputs: (blocks.end * LANES).min(self.packed.outputs) - lane,
                numbers,
                first: Tile {
                    into: self.into.at(rows.start).wrapping_add(lane),
                    stride: self.into.stride,
                    bias: if first { self.packed.bias(blocks.start) } else { std::ptr::null() },
                    residual: residual.map_or(std::ptr::null(), residual_at),
                    residual_stride: residual.map_or(0, |residual| residual.stride),
                    accumulate: !first,
                    relu: self.relu && last,
                    ..Tile::EMPTY
                },
            };
            // SAFETY: as the caller promises.
            unsafe { rounded.run(scratch.cast()) };
        }
    }
}

/// A product of rows that are rounded first.
pub struct Rounded<'a> {
    /// How this processor multiplies.
    pub pairs: &'a Pairs,
    /// How many rows.
    pub rows: usize,
    /// Where each finds its numbers, as a sheet's rows do.
    pub pointers: *const *const f32,
    /// From the pointers of [`ROWS`] rows to those of the next.
    pub group: usize,
    /// Numbers at a tap.
    pub length: usize,
    /// Which of all the rows' numbers, with the zeros that fill each tap's last block.
    pub numbers: Range<usize>,
    /// These numbers' weights of the first sixteen outputs, `[steps][DEEP / 2][LANES][2]`.
    pub weights: *const u8,
    /// How many bytes behind them those of the next sixteen lie.
    pub beside: usize,
    /// How many outputs.
    pub outputs: usize,
    /// Where the first row's results go, and what is added to them.
    pub first: Tile,
}

impl Rounded<'_> {
    /// Makes all of it, with room for the rounded rows.
    ///
    /// # Safety
    /// All that is pointed to is there, nobody else touches the results, and the processor multiplies so.
    pub unsafe fn run(&self, scratch: *mut u16) {
        (self.pairs.begin)();
        // What fills the last block is never looked at, but it must not be anything that takes longer.
        for row in 0..self.rows.next_multiple_of(SIDE) {
            let (like, deep) = (row.min(self.rows - 1), self.numbers.len());
            // SAFETY: as the caller promises.
            unsafe {
                (self.pairs.round)(&Line {
                    taps: self.pointers.add(like / ROWS * self.group + like % ROWS),
                    length: self.length,
                    numbers: &self.numbers,
                    into: scratch.add(row / SIDE * SIDE * deep + row % SIDE * DEEP),
                });
            }
        }
        for lane in (0..self.outputs).step_by(2 * LANES) {
            // SAFETY: as the caller promises.
            unsafe { self.two_panels(lane, scratch) };
        }
        (self.pairs.end)();
    }

    unsafe fn two_panels(&self, lane: usize, scratch: *const u16) {
        let (deep, width) = (self.numbers.len(), (self.outputs - lane).min(2 * LANES));
        let further = |place: *const f32, by: usize| match place.is_null() {
            true => place,
            false => place.wrapping_add(by),
        };
        let mut sums = [[0f32; 2 * LANES]; 2 * SIDE];
        for row in (0..self.rows).step_by(2 * SIDE) {
            let left = self.rows - row;
            let blocks = Blocks {
                rows: scratch.wrapping_add(row * deep),
                further: SIDE * deep * size_of::<u16>(),
                weights: self.weights.wrapping_add(lane / LANES * self.beside),
                beside: self.beside,
                steps: deep / DEEP,
                two: [left > SIDE, width > LANES],
            };
            let first = &self.first;
            let tile = Tile {
                into: first.into.wrapping_add(row * first.stride + lane),
                bias: further(first.bias, lane),
                residual: further(first.residual, row * first.residual_stride + lane),
                ..*first
            };
            // SAFETY: as the caller promises: rounded rows, weights and results reach this far.
            unsafe {
                (self.pairs.blocks)(&blocks, &mut sums);
                (self.pairs.store)(&tile, &sums, [left.min(2 * SIDE), width]);
            }
        }
    }
}

impl Line<'_> {
    /// Calls for every block with the row's first number in it, how many there are, at most [`DEEP`], and
    /// its place there.
    #[inline(always)]
    pub fn each(&self, rounded: impl Fn(*const f32, usize, *mut u16)) {
        let filled = filled(self.length);
        let (mut tap, mut within) = (self.numbers.start / filled, self.numbers.start % filled);
        let blocks = self.numbers.len() / DEEP;
        for block in 0..blocks {
            // SAFETY: there is a pointer for every tap.
            let start = unsafe { *self.taps.add(tap * ROWS) };
            let count = DEEP.min(self.length - within);
            rounded(start.wrapping_add(within), count, self.into.wrapping_add(block * BLOCK));
            within += DEEP;
            if within >= filled {
                (tap, within) = (tap + 1, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::weights::Draw;
    use crate::kernels::packed::{Packed, Source};
    use crate::kernels::product::Taps;
    use crate::kernels::slab::Slab;
    use crate::kernels::tile::Stored;
    use crate::kernels::{Kernels, Tail};

    /// All ways of multiplying pairs that this processor has.
    fn all() -> Vec<&'static Pairs> {
        #[cfg(target_arch = "x86_64")]
        if Kernels::best().pairs().is_some() {
            use crate::kernels::amx;
            let granted = amx::granted().then_some(&amx::BLOCKS);
            return granted.into_iter().chain([&amx::REGISTERS]).collect();
        }
        Vec::new()
    }

    fn rounded(numbers: &[f32]) -> Vec<f64> {
        numbers.iter().map(|number| half::bf16::from_f32(*number).to_f64()).collect()
    }

    proptest! {
        /// A convolution of 3×3 with a border, whose taps do not always fill blocks.
        #[test]
        fn every_kernel_is_the_sum_of_rounded_numbers(
            sides in [1usize..9, 1usize..9],
            channels in 1usize..80,
            outputs in 1usize..70,
            ends in any::<[bool; 2]>(),
            seed in any::<u64>(),
        ) {
            let ([height, width], channels, mut draw) = (sides, 2 * channels, Draw(seed));
            let (count, inputs) = (height * width, 9 * channels);
            let [residual, relu] = ends;
            let mut numbers = draw.numbers(count * channels);
            let weights = draw.numbers(outputs * inputs);
            let (bias, scale) = (draw.numbers(outputs), vec![1.0; outputs]);
            let mut added = draw.numbers(count * outputs);
            let taps: Vec<_> = (0..9).map(Some).collect();
            let source = Source {
                first: 0,
                output: inputs,
                tap: 1,
                channel: 9,
                taps: &taps,
                channels,
                segment: channels,
                scale: &scale,
                bias: &bias,
            };
            let slab = source.pack(&weights, Stored::Pairs).unwrap();
            let mut zeros = vec![0f32; channels];
            let mut into = vec![f32::NAN; count * outputs];
            let offsets = (0..9).map(|tap| [tap / 3 - 1, tap % 3 - 1]).collect();
            let product = Product {
                kernels: Kernels::best(),
                packed: Packed::new(std::sync::Arc::new(slab.into()), &source, Stored::Pairs),
                taps: Taps { grid: sides, out: sides, stride: [1, 1], offsets, length: channels },
                from: Rows::dense(numbers.as_mut_ptr(), count, channels),
                zeros: Rows::dense(zeros.as_mut_ptr(), 1, channels),
                into: Rows::dense(into.as_mut_ptr(), count, outputs),
                residual: residual.then(|| Rows::dense(added.as_mut_ptr(), count, outputs)),
                relu,
                tails: Vec::<Tail>::new(),
            };
            let (seen, worth) = (rounded(&numbers), rounded(&weights));
            let scratch = Slab::floats(product.rounded(count));
            let mut pointers = vec![std::ptr::null(); product.pointers()];
            for pairs in all() {
                into.fill(f32::NAN);
                // SAFETY: everything is as long as the product says.
                unsafe {
                    product.point(0..count, pointers.as_mut_ptr());
                    product.paired(
                        pairs,
                        0..count,
                        0..product.packed.blocks(),
                        pointers.as_ptr(),
                        scratch.start(),
                    );
                }
                for (at, got) in into.iter().enumerate() {
                    let (place, output) = (at / outputs, at % outputs);
                    let mut sum = f64::from(bias[output]);
                    for tap in 0..9 {
                        let y = (place / width + tap / 3).wrapping_sub(1);
                        let x = (place % width + tap % 3).wrapping_sub(1);
                        if y < height && x < width {
                            let from = &seen[(y * width + x) * channels..][..channels];
                            let by = &worth[output * inputs..];
                            sum += from.iter().enumerate().map(|(c, n)| n * by[c * 9 + tap]).sum::<f64>();
                        }
                    }
                    sum += if residual { f64::from(added[at]) } else { 0.0 };
                    let sum = if relu { sum.max(0.0) } else { sum };
                    prop_assert!((f64::from(*got) - sum).abs() < 1e-4, "{got} for {sum}");
                }
            }
        }
    }
}
