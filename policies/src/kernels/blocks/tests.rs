use proptest::prelude::*;

use super::*;
use crate::graph::weights::Draw;
use crate::kernels::packed::{Packed, Source};
use crate::kernels::product::Taps;
use crate::kernels::slab::Slab;
use crate::kernels::tile::Stored;
use crate::kernels::{Kernels, Tail};

/// All ways of multiplying blocks that this processor has, and what of.
#[allow(clippy::print_stderr)] // who runs the tests should know what was not tried
fn all() -> Vec<(Stored, &'static Blocks)> {
    #[cfg(target_arch = "x86_64")]
    if Kernels::best().blocks(Stored::Pairs).is_some() {
        use crate::kernels::amx;
        let granted =
            [(Stored::Pairs, &amx::BLOCKS_OF_PAIRS), (Stored::Fours, &amx::BLOCKS_OF_FOURS)];
        let granted = granted.into_iter().filter(|_| amx::granted());
        return granted.chain([(Stored::Pairs, &amx::REGISTERS)]).collect();
    }
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| eprintln!("SKIPPED: this processor multiplies no blocks"));
    Vec::new()
}

/// Numbers that stay as they are when they are rounded to bytes: of every place, and of every output's
/// weights, the first two are as far apart as can be.
fn wholes(draw: &mut Draw, count: usize, side_by_side: usize, ends: [i32; 2]) -> Vec<f32> {
    let [least, most] = ends;
    let number = |at| match at % side_by_side {
        0 => least,
        1 => most,
        _ => least + draw.below((most - least) as usize + 1) as i32,
    };
    (0..count).map(number).map(|number| number as f32).collect()
}

fn rounded(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| half::bf16::from_f32(*number).to_f64()).collect()
}

proptest! {
    /// A convolution with a border, whose taps do not always fill blocks, over images whose lines are
    /// as long as blocks or not, and with a stride or without. Of bytes, lines that are multiplied
    /// with nobody else's have worths of their own.
    #[test]
    fn every_kernel_is_the_sum_of_rounded_numbers(
        height in 1usize..9,
        width in prop::sample::select(vec![1usize, 2, 7, 16, 19, 32, 33]),
        [images, stride] in [1usize..3, 1usize..4],
        channels in 1usize..80,
        outputs in 1usize..70,
        side in prop::sample::select(vec![1usize, 3]),
        ends in any::<[bool; 2]>(),
        seed in any::<u64>(),
    ) {
        let (sides, channels, mut draw) = ([height, width], 2 * channels, Draw(seed));
        let out = sides.map(|side| (side - 1) / stride + 1);
        let (square, border) = (side * side, (side / 2) as isize);
        let (places, inputs) = (images * height * width, square * channels);
        let count = images * out[0] * out[1];
        let [residual, relu] = ends;
        let (bias, scale) = (draw.numbers(outputs), vec![1.0; outputs]);
        let mut added = draw.numbers(count * outputs);
        for (stored, kind) in all() {
            let fours = stored == Stored::Fours;
            let (mut numbers, weights) = match fours {
                true => (
                    wholes(&mut draw, places * channels, channels, [-100, 155]),
                    wholes(&mut draw, outputs * inputs, inputs, [-127, 127]),
                ),
                false => (draw.numbers(places * channels), draw.numbers(outputs * inputs)),
            };
            if fours && side == 1 {
                for (line, numbers) in numbers.chunks_mut(width * channels).enumerate() {
                    numbers.iter_mut().for_each(|number| *number *= (1 << (line % 3)) as f32);
                }
            }
            let exact = |all: &[f32]| all.iter().copied().map(f64::from).collect();
            let [seen, worth]: [Vec<f64>; 2] = [&numbers, &weights]
                .map(|all| if fours { exact(all) } else { rounded(all) });
            let taps: Vec<_> = (0..square).map(Some).collect();
            let source = Source {
                first: 0,
                output: inputs,
                tap: 1,
                channel: square,
                taps: &taps,
                channels,
                segment: channels,
                scale: &scale,
                bias: &bias,
            };
            let slab = source.pack(&weights, stored).unwrap();
            let mut zeros = vec![0f32; channels];
            let mut into = vec![f32::NAN; count * outputs];
            let place = |at: usize| at as isize - border;
            let offsets =
                (0..square).map(|tap| [place(tap / side), place(tap % side)]).collect();
            let product = Product {
                kernels: Kernels::best(),
                packed: Packed::new(std::sync::Arc::new(slab.into()), &source, stored),
                taps: Taps { grid: sides, out, stride: [stride; 2], offsets, length: channels },
                from: Rows::dense(numbers.as_mut_ptr(), places, channels),
                zeros: Rows::dense(zeros.as_mut_ptr(), 1, channels),
                into: Rows::dense(into.as_mut_ptr(), count, outputs),
                residual: residual.then(|| Rows::dense(added.as_mut_ptr(), count, outputs)),
                relu,
                tails: Vec::<Tail>::new(),
            };
            let scratch = Slab::floats(product.scratch());
            let mut pointers = vec![0usize; square];
            // SAFETY: everything is as long as the product says.
            unsafe {
                let room = (pointers.as_mut_ptr(), scratch.start());
                let blocks = 0..product.packed.blocks();
                product.in_blocks(kind, [&product.from, &product.into], 0..count, blocks, room);
            }
            for (at, got) in into.iter().enumerate() {
                let (place, output) = (at / outputs, at % outputs);
                let (image, place) = (place / (out[0] * out[1]), place % (out[0] * out[1]));
                let [down, across] = [place / out[1] * stride, place % out[1] * stride];
                let (mut sum, mut size) = (f64::from(bias[output]), 0.0);
                for tap in 0..square {
                    let y = (down + tap / side).wrapping_add_signed(-border);
                    let x = (across + tap % side).wrapping_add_signed(-border);
                    let by = &worth[output * inputs..];
                    let by = (0..channels).map(|channel| by[channel * square + tap]);
                    // Whole numbers are not counted from nothing.
                    size += by.clone().map(f64::abs).sum::<f64>() * if fours { 2e3 } else { 1.0 };
                    if y < height && x < width {
                        let place = (image * height + y) * width + x;
                        let from = &seen[place * channels..][..channels];
                        sum += from.iter().zip(by).map(|(number, by)| number * by).sum::<f64>();
                    }
                }
                sum += if residual { f64::from(added[at]) } else { 0.0 };
                let sum = if relu { sum.max(0.0) } else { sum };
                let off = (f64::from(*got) - sum).abs();
                prop_assert!(off < 1e-4 + 1e-7 * size, "{got} for {sum}, {stored:?}");
            }
        }
    }

    #[test]
    fn a_byte_reaches_from_the_least_to_the_greatest(
        numbers in prop::collection::vec(-1e3f32..1e3, 1..200),
        power in -40i32..40,
    ) {
        let numbers: Vec<f32> = numbers.iter().map(|number| number * 2f32.powi(power)).collect();
        for (_, kind) in all() {
            let Some(range) = kind.range else { continue };
            let mut all = [0.0; 2];
            let mut whole = vec![0u8; numbers.len().next_multiple_of(FOURS)];
            // SAFETY: the table was chosen for this processor, and there is room for whole blocks.
            let worth = unsafe {
                range(numbers.as_ptr(), numbers.len(), &mut all);
                let worth = Worth::of(all);
                (kind.round)(numbers.as_ptr(), numbers.len(), whole.as_mut_ptr(), worth);
                worth
            };
            for (number, whole) in numbers.iter().zip(&whole) {
                let meant = (f32::from(*whole) - worth.zero) * worth.step;
                let off = (meant - number).abs();
                prop_assert!(off <= 1.01 * worth.step, "{number} became {meant}, {worth:?}");
            }
        }
    }
}

#[test]
fn what_is_no_number_is_worth_none() {
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (_, kind) in all() {
            let Some(range) = kind.range else { continue };
            let (mut all, numbers) = ([0.0; 2], [1.0, broken, -2.0]);
            // SAFETY: the table was chosen for this processor.
            unsafe {
                range(numbers.as_ptr(), 3, &mut all);
                range([0.5f32; 2].as_ptr(), 2, &mut all);
            }
            assert!(Worth::of(all).step.is_nan(), "{broken} gave {all:?}");
        }
    }
    assert_eq!(Worth::of([0.0; 2]).by(), 0.0);
    assert_eq!(Worth::of([0.0, f32::from_bits(1)]).by(), 0.0);
}
