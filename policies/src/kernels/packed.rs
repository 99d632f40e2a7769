//! Weights as the product reads them, in the precision that they are kept in.

use super::slab::Slab;
use super::slab::bytes::Plain;
use super::tile::{LANES, Stored};

/// Channels that are packed at a time, so that what is read and written stays in the first cache.
const RUN: usize = 64;

/// Where weights come from: a tensor's numbers, and how far apart they lie.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The tensor.
    pub numbers: &'a [f32],
    /// Its first number that is used.
    pub first: usize,
    /// From an output's weights to the next one's.
    pub output: usize,
    /// From a tap's to the next one's.
    pub tap: usize,
    /// From a channel's to the next one's.
    pub channel: usize,
    /// Which taps; none where there is nothing.
    pub taps: &'a [Option<usize>],
    /// How many channels.
    pub channels: usize,
    /// What each output is multiplied by.
    pub scale: &'a [f32],
    /// What is added to each output.
    pub bias: &'a [f32],
}

/// Weights, sixteen outputs side by side: `[blocks][taps · channels][LANES]`.
pub struct Packed {
    weights: Slab,
    bias: Slab,
    /// Numbers that go in.
    pub inputs: usize,
    /// Numbers that come out.
    pub outputs: usize,
    /// What the weights are kept as.
    pub stored: Stored,
}

impl Packed {
    /// Packs weights; none where one of them is too large for the precision.
    pub fn new(source: &Source<'_>, stored: Stored) -> Option<Self> {
        let (inputs, outputs) = (source.taps.len() * source.channels, source.scale.len());
        let count = outputs.div_ceil(LANES) * inputs * LANES;
        let mut weights = Slab::bytes(count * stored.bytes());
        let whole = match stored {
            Stored::F32 => fill(&mut weights, source, |number| number, f32::is_finite),
            Stored::F16 => fill(
                &mut weights,
                source,
                |number| half::f16::from_f32(number).to_bits(),
                |bits| half::f16::from_bits(bits).is_finite(),
            ),
            Stored::Bf16 => fill(
                &mut weights,
                source,
                |number| half::bf16::from_f32(number).to_bits(),
                |bits| half::bf16::from_bits(bits).is_finite(),
            ),
        };
        let mut bias = Slab::floats(outputs.next_multiple_of(LANES));
        bias.numbers::<f32>()[..outputs].copy_from_slice(source.bias);
        whole.then_some(Self { weights, bias, inputs, outputs, stored })
    }

    /// How many times sixteen outputs there are.
    pub fn blocks(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// A block's weights from one of its inputs on; need not be there.
    pub fn panel(&self, block: usize, input: usize) -> *const u8 {
        let numbers = (block * self.inputs + input) * LANES;
        self.weights.start::<u8>().wrapping_add(numbers * self.stored.bytes())
    }

    /// A block's sixteen offsets.
    pub fn bias(&self, block: usize) -> *const f32 {
        self.bias.start::<f32>().wrapping_add(block * LANES)
    }
}

/// Fills a slab, and tells whether all of its numbers are fine.
fn fill<T: Plain>(
    weights: &mut Slab,
    source: &Source<'_>,
    convert: impl Fn(f32) -> T,
    fine: impl Fn(T) -> bool,
) -> bool {
    let Source { channels, taps, .. } = *source;
    let mut all = true;
    let panels = weights.numbers::<T>().chunks_exact_mut(taps.len() * channels * LANES);
    for (panel, first) in panels.zip((0..source.scale.len()).step_by(LANES)) {
        let outputs = first..(first + LANES).min(source.scale.len());
        for start in (0..channels).step_by(RUN) {
            let run = start..(start + RUN).min(channels);
            for (nth, tap) in taps.iter().enumerate() {
                let Some(tap) = tap else { continue };
                let into = &mut panel[(nth * channels + run.start) * LANES..][..run.len() * LANES];
                for (lane, output) in outputs.clone().enumerate() {
                    let from = source.first + output * source.output + tap * source.tap;
                    let from = &source.numbers[from + run.start * source.channel..];
                    let scale = source.scale[output];
                    let numbers = from.iter().step_by(source.channel);
                    for (into, number) in into.chunks_exact_mut(LANES).zip(numbers) {
                        into[lane] = convert(number * scale);
                        all &= fine(into[lane]);
                    }
                }
            }
        }
    }
    all
}
