//! Products whose numbers are rounded to bf16 on both sides, as processors multiply them that take two of
//! them at once, or whole blocks: sixteen rows times sixteen outputs, 32 numbers deep. Sums stay in f32.
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
/// Numbers of a row in a block.
pub const DEEP: usize = 32;
/// What two blocks of rows and two panels give.
pub type Sums = [[f32; 2 * LANES]; 2 * SIDE];

/// How a processor multiplies pairs.
pub struct Pairs {
    /// Whether it is so much faster than what multiplies f32 that a convolution of 3×3 is not worth turning
    /// into Winograd's products.
    pub direct: bool,
    /// Rounds so many numbers; behind the last one come zeros, until there are whole blocks of them.
    pub round: unsafe fn(*const f32, usize, *mut u16),
    /// Makes the sums of some blocks.
    pub blocks: unsafe fn(&Blocks, &mut Sums),
    /// Finishes the sums of so many rows and outputs, and stores them.
    pub store: unsafe fn(&Tile, &[[f32; 2 * LANES]], [usize; 2]),
    /// Makes the processor ready for blocks, on the thread that will make them.
    pub begin: fn(),
    /// What ends it.
    pub end: fn(),
}

/// One call of the kernel.
#[repr(C)]
pub struct Blocks {
    /// The first row's first place.
    pub rows: *const u16,
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
    /// `[taps][steps][DEEP / 2][LANES][2]`.
    pub weights: *const u8,
    /// How many bytes behind these the next panel lies; none where there is no second panel.
    pub beside: usize,
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
    /// Makes some rows, whole lines of them, of some blocks of outputs.
    ///
    /// # Safety
    /// As for [`Product::run`], and the processor multiplies so.
    pub(super) unsafe fn paired(
        &self,
        pairs: &Pairs,
        [from, into]: [&Rows; 2],
        rows: Range<usize>,
        blocks: Range<usize>,
        (taps, scratch): (*mut usize, *mut f32),
    ) {
        let (columns, lane) = (self.taps.out[1], blocks.start * LANES);
        let residual = |residual: Rows| residual.at(0).wrapping_add(lane).cast_const();
        let rounded = Rounded {
            pairs,
            taps: &self.taps,
            from: *from,
            lines: rows.start / columns..rows.end / columns,
            weights: self.packed.panel(blocks.start, 0),
            beside: self.packed.beside(),
            outputs: (blocks.end * LANES).min(self.packed.outputs) - lane,
            first: Tile {
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
        unsafe { rounded.run(taps, scratch.cast()) };
    }
}

/// A product of numbers that are rounded first.
pub struct Rounded<'a> {
    /// How this processor multiplies.
    pub pairs: &'a Pairs,
    /// Where each row finds its numbers.
    pub taps: &'a Taps,
    /// What it finds them in.
    pub from: Rows,
    /// Which lines of rows, counted over all images.
    pub lines: Range<usize>,
    /// The first sixteen outputs' weights, `[taps][steps][DEEP / 2][LANES][2]`.
    pub weights: *const u8,
    /// How many bytes behind them those of the next sixteen lie.
    pub beside: usize,
    /// How many outputs.
    pub outputs: usize,
    /// Where the very first row's results would go, and what would be added to them.
    pub first: Tile,
}

impl Rounded<'_> {
    /// Makes all of it, with room for where the taps are, and for the [`Strip`].
    ///
    /// # Safety
    /// All that is pointed to is there, nobody else touches the results, and the processor multiplies so.
    pub unsafe fn run(&self, taps: *mut usize, scratch: *mut u16) {
        let strip = Strip::new(self.taps, self.from.channels, self.lines.len());
        (self.pairs.begin)();
        // SAFETY: as the caller promises.
        unsafe {
            for (nth, offset) in self.taps.offsets.iter().enumerate() {
                *taps.add(nth) = strip.tap(*offset) * size_of::<u16>();
            }
            strip.fill(self.pairs.round, &self.from, &self.lines, scratch);
            for lane in (0..self.outputs).step_by(2 * LANES) {
                self.two_panels(&strip, lane, taps, scratch);
            }
        }
        (self.pairs.end)();
    }

    unsafe fn two_panels(
        &self,
        strip: &Strip<'_>,
        lane: usize,
        taps: *const usize,
        scratch: *const u16,
    ) {
        let width = (self.outputs - lane).min(2 * LANES);
        let mut sums = [[0f32; 2 * LANES]; 2 * SIDE];
        let mut units = strip.units(&self.lines);
        while let Some(unit) = units.next() {
            let second = units.next();
            let further = second.as_ref().map_or(0, |second| second.at - unit.at);
            let blocks = Blocks {
                rows: scratch.wrapping_add(unit.at),
                line: strip.line * size_of::<u16>(),
                further: further * size_of::<u16>(),
                taps,
                count: self.taps.offsets.len(),
                steps: filled(self.taps.length) / DEEP,
                weights: self.weights.wrapping_add(lane / LANES * self.beside),
                beside: if width > LANES { self.beside } else { 0 },
                two: [second.is_some(), width > LANES],
            };
            // SAFETY: as the caller promises: rounded rows, weights and results reach this far.
            unsafe {
                (self.pairs.blocks)(&blocks, &mut sums);
                self.store(strip, &unit, &sums[..SIDE], [lane, width]);
                if let Some(second) = second {
                    self.store(strip, &second, &sums[SIDE..], [lane, width]);
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
    ) {
        let first = &self.first;
        let further = |place: *const f32, by: usize| match place.is_null() {
            true => place,
            false => place.wrapping_add(by),
        };
        for (slots, row) in strip.rows(unit) {
            let tile = Tile {
                into: first.into.wrapping_add(row * first.stride + lane),
                bias: further(first.bias, lane),
                residual: further(first.residual, row * first.residual_stride + lane),
                ..*first
            };
            let count = slots.len();
            // SAFETY: as the caller promises.
            unsafe { (self.pairs.store)(&tile, &sums[slots], [count, width]) };
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
    #[allow(clippy::print_stderr)] // who runs the tests should know what was not tried
    fn all() -> Vec<&'static Pairs> {
        #[cfg(target_arch = "x86_64")]
        if Kernels::best().pairs().is_some() {
            use crate::kernels::amx;
            let granted = amx::granted().then_some(&amx::BLOCKS);
            return granted.into_iter().chain([&amx::REGISTERS]).collect();
        }
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| eprintln!("SKIPPED: this processor multiplies no pairs of bf16"));
        Vec::new()
    }

    fn rounded(numbers: &[f32]) -> Vec<f64> {
        numbers.iter().map(|number| half::bf16::from_f32(*number).to_f64()).collect()
    }

    proptest! {
        /// A convolution of 3×3 with a border, whose taps do not always fill blocks, over images whose
        /// lines are as long as blocks or not, and with a stride or without.
        #[test]
        fn every_kernel_is_the_sum_of_rounded_numbers(
            height in 1usize..9,
            width in prop::sample::select(vec![1usize, 2, 7, 16, 19, 32, 33]),
            [images, stride] in [1usize..3, 1usize..4],
            channels in 1usize..80,
            outputs in 1usize..70,
            ends in any::<[bool; 2]>(),
            seed in any::<u64>(),
        ) {
            let (sides, channels, mut draw) = ([height, width], 2 * channels, Draw(seed));
            let out = sides.map(|side| (side - 1) / stride + 1);
            let (places, inputs) = (images * height * width, 9 * channels);
            let count = images * out[0] * out[1];
            let [residual, relu] = ends;
            let mut numbers = draw.numbers(places * channels);
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
                taps: Taps { grid: sides, out, stride: [stride; 2], offsets, length: channels },
                from: Rows::dense(numbers.as_mut_ptr(), places, channels),
                zeros: Rows::dense(zeros.as_mut_ptr(), 1, channels),
                into: Rows::dense(into.as_mut_ptr(), count, outputs),
                residual: residual.then(|| Rows::dense(added.as_mut_ptr(), count, outputs)),
                relu,
                tails: Vec::<Tail>::new(),
            };
            let (seen, worth) = (rounded(&numbers), rounded(&weights));
            let scratch = Slab::floats(product.scratch());
            let mut pointers = vec![0usize; 9];
            for pairs in all() {
                into.fill(f32::NAN);
                // SAFETY: everything is as long as the product says.
                unsafe {
                    let room = (pointers.as_mut_ptr(), scratch.start());
                    let blocks = 0..product.packed.blocks();
                    product.paired(pairs, [&product.from, &product.into], 0..count, blocks, room);
                }
                for (at, got) in into.iter().enumerate() {
                    let (place, output) = (at / outputs, at % outputs);
                    let (image, place) = (place / (out[0] * out[1]), place % (out[0] * out[1]));
                    let [down, across] = [place / out[1] * stride, place % out[1] * stride];
                    let mut sum = f64::from(bias[output]);
                    for tap in 0..9 {
                        let y = (down + tap / 3).wrapping_sub(1);
                        let x = (across + tap % 3).wrapping_sub(1);
                        if y < height && x < width {
                            let place = (image * height + y) * width + x;
                            let from = &seen[place * channels..][..channels];
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
