//! Weights as the product reads them, in the precision that they are kept in.

use std::sync::Arc;

use super::slab::bytes::Plain;
use super::slab::{Held, Slab};
use super::tile::{LANES, Stored};

/// Channels that are packed at a time, so that what is read and written stays in the first cache.
const RUN: usize = 64;

/// Where weights come from: which of a tensor's numbers, and how far apart they lie.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The first number that is used.
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
    /// How many numbers a row of the product finds in one piece: channels of one tap or of several.
    pub segment: usize,
    /// What each output is multiplied by.
    pub scale: &'a [f32],
    /// What is added to each output.
    pub bias: &'a [f32],
}

impl Source<'_> {
    /// How many numbers an output's weights take.
    fn deep(&self, stored: Stored) -> usize {
        self.taps.len() * self.channels / self.segment * stored.filled(self.segment)
    }

    /// How many bytes the packed weights are.
    pub fn bytes(&self, stored: Stored) -> usize {
        let numbers = self.deep(stored) * LANES;
        let scales = stored.scales() * LANES * size_of::<f32>();
        self.scale.len().div_ceil(LANES) * (numbers * stored.bytes() + scales)
    }

    /// Packs a tensor's numbers; none where one of them is too large for the precision.
    pub fn pack(&self, numbers: &[f32], stored: Stored) -> Option<Slab> {
        let mut weights = Slab::bytes(self.bytes(stored));
        let whole = match stored {
            Stored::F32 => fill(&mut weights, self, numbers, |number| number, f32::is_finite),
            Stored::F16 => fill(
                &mut weights,
                self,
                numbers,
                |number| half::f16::from_f32(number).to_bits(),
                |bits| half::f16::from_bits(bits).is_finite(),
            ),
            Stored::Bf16 => fill(
                &mut weights,
                self,
                numbers,
                |number| half::bf16::from_f32(number).to_bits(),
                |bits| half::bf16::from_bits(bits).is_finite(),
            ),
            Stored::Pairs => self.pack_pairs(numbers, &mut weights),
            Stored::Int8 | Stored::Fours => {
                self.pack_whole(numbers, stored, &mut weights);
                true
            }
        };
        whole.then_some(weights)
    }

    /// Packs weights two by two; says whether none was too large.
    fn pack_pairs(&self, numbers: &[f32], into: &mut Slab) -> bool {
        let Self { channels, taps, segment, .. } = *self;
        let (panel, filled) = (self.deep(Stored::Pairs) * LANES, Stored::Pairs.filled(segment));
        let weights = into.numbers::<u16>();
        let mut whole = true;
        for (output, by) in self.scale.iter().enumerate() {
            let panel = &mut weights[output / LANES * panel..][..panel];
            let (pairs, _) = panel.as_chunks_mut::<{ 2 * LANES }>();
            for (nth, tap) in taps.iter().enumerate() {
                let Some(tap) = tap else { continue };
                for channel in 0..channels {
                    let from = self.first + output * self.output + tap * self.tap;
                    let number = half::bf16::from_f32(numbers[from + channel * self.channel] * by);
                    whole &= number.is_finite();
                    let at = nth * channels + channel;
                    let at = at / segment * filled + at % segment;
                    pairs[at / 2][output % LANES * 2 + at % 2] = number.to_bits();
                }
            }
        }
        whole
    }

    /// Packs weights as whole numbers, channels two by two or four by four, and behind them all what one
    /// is worth for each output.
    fn pack_whole(&self, numbers: &[f32], stored: Stored, into: &mut Slab) {
        let Self { channels, taps, segment, .. } = *self;
        let (panel, filled) = (self.deep(stored) * LANES, stored.filled(segment));
        let side_by_side = if stored == Stored::Fours { 4 } else { 2 };
        let blocks = self.scale.len().div_ceil(LANES);
        let (weights, scales) = into.numbers::<u8>().split_at_mut(blocks * panel);
        let (scales, _) = scales.as_chunks_mut::<4>();
        for (output, by) in self.scale.iter().enumerate() {
            let at = |tap: usize, channel: usize| {
                let from = self.first + output * self.output + tap * self.tap;
                numbers[from + channel * self.channel] * by
            };
            let all = taps.iter().flatten().flat_map(|tap| (0..channels).map(|c| at(*tap, c)));
            let scale = all.fold(0.0, |most: f32, number| most.max(number.abs())) / 127.0;
            let worth = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let panel = &mut weights[output / LANES * panel..][..panel];
            let mut sum = 0;
            for (nth, tap) in taps.iter().enumerate() {
                let Some(tap) = tap else { continue };
                for channel in 0..channels {
                    let whole = (at(*tap, channel) * worth).round() as i8;
                    sum += i32::from(whole);
                    let at = nth * channels + channel;
                    let at = at / segment * filled + at % segment;
                    let (group, place) = (at / side_by_side, at % side_by_side);
                    let at = (group * LANES + output % LANES) * side_by_side + place;
                    panel[at] = whole.cast_unsigned();
                }
            }
            let behind = output / LANES * stored.scales() * LANES + output % LANES;
            scales[behind] = scale.to_ne_bytes();
            if stored == Stored::Fours {
                scales[behind + LANES] = (sum as f32).to_ne_bytes();
            }
        }
    }
}

/// Weights, sixteen outputs side by side: `[blocks][taps · channels][LANES]`; two by two or four by four,
/// `[blocks][taps · channels / 4][LANES][4]`.
pub struct Packed {
    weights: Arc<Held>,
    bias: Slab,
    /// Numbers that go in.
    pub inputs: usize,
    /// Numbers that come out.
    pub outputs: usize,
    /// Numbers that an output's weights take.
    deep: usize,
    /// What the weights are kept as.
    pub stored: Stored,
}

impl Packed {
    /// Weights that were packed from this source.
    pub fn new(weights: Arc<Held>, source: &Source<'_>, stored: Stored) -> Self {
        let (inputs, outputs) = (source.taps.len() * source.channels, source.scale.len());
        let mut bias = Slab::floats(outputs.next_multiple_of(LANES));
        bias.numbers::<f32>()[..outputs].copy_from_slice(source.bias);
        Self { weights, bias, inputs, outputs, deep: source.deep(stored), stored }
    }

    /// How many times sixteen outputs there are.
    pub fn blocks(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// A block's weights from one of its inputs on; need not be there.
    pub fn panel(&self, block: usize, input: usize) -> *const u8 {
        let numbers = (block * self.deep + input) * LANES;
        self.weights.start::<u8>().wrapping_add(numbers * self.stored.bytes())
    }

    /// How many bytes behind a block's weights the next one's lie.
    pub fn beside(&self) -> usize {
        self.deep * LANES * self.stored.bytes()
    }

    /// What one is worth in a block's sixteen outputs' weights, where they are whole numbers, and as
    /// [`super::tile::Tile::scales`] has it what follows.
    pub fn scales(&self, block: usize) -> *const f32 {
        let behind = self.panel(self.blocks(), 0).cast::<f32>();
        match self.stored.scales() {
            0 => std::ptr::null(),
            count => behind.wrapping_add(block * count * LANES),
        }
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
    numbers: &[f32],
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
                    let from = &numbers[from + run.start * source.channel..];
                    let scale = source.scale[output];
                    let from = from.iter().step_by(source.channel);
                    for (into, number) in into.chunks_exact_mut(LANES).zip(from) {
                        into[lane] = convert(number * scale);
                        all &= fine(into[lane]);
                    }
                }
            }
        }
    }
    all
}
