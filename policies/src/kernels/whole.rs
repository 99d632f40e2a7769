//! Rows as whole numbers of sixteen bits, each row with a scale of its own that is found when it is
//! made: what weights of eight bits are multiplied with.
//!
//! Sixteen bits cost no more than eight here: the processor multiplies pairs of them and adds both
//! products to 32 bits, so that nothing can overflow and all of the error is the weights'.

use super::Kernels;
use super::rows::Rows;
use super::tile::{CHUNK, LANES, ROWS, Tile, finish, fused};

/// Numbers before a row; the last of them but seven is its scale. As many as keep rows aligned.
pub const HEADER: usize = 8;
/// The greatest whole number: so many of them in one chunk, times the greatest weight, still fit
/// into 32 bits.
const GREATEST: i32 = i32::MAX / (CHUNK as i32 * 127) - 1;

/// From one row of so many numbers to the next one, in numbers of 32 bits.
fn stride(channels: usize) -> usize {
    HEADER + channels.div_ceil(2).next_multiple_of(HEADER)
}

/// Numbers of 32 bits for all of these rows.
pub fn size(rows: &Rows) -> usize {
    rows.count * stride(rows.channels)
}

/// Where these rows will be as whole numbers.
pub fn place(rows: &Rows, memory: *mut f32) -> Rows {
    Rows { start: memory.wrapping_add(HEADER), stride: stride(rows.channels), ..*rows }
}

/// Makes a row of whole numbers.
///
/// # Safety
/// The memory of both rows is there, nobody writes the first or touches the second meanwhile.
pub unsafe fn round(kernels: &Kernels, from: &Rows, into: &Rows, row: usize) {
    // SAFETY: as the caller promises; a row has room for its scale before it.
    unsafe {
        let numbers = std::slice::from_raw_parts_mut(into.at(row).cast::<i16>(), from.channels);
        *into.at(row).sub(HEADER) = (kernels.round)(from.row(row), numbers);
    }
}

/// Rounds numbers to whole ones, and answers what one is worth. Where there is no number, the worth
/// is none either, so that nobody takes the sums for numbers.
#[inline(always)]
pub fn rounded(from: &[f32], into: &mut [i16]) -> f32 {
    let greatest =
        from.iter().fold(0, |most: i32, number| (number.abs().to_bits() as i32).max(most));
    let most = f32::from_bits(greatest as u32);
    if !most.is_finite() {
        into.fill(0);
        return f32::NAN;
    }
    let by = GREATEST as f32 / most;
    if !by.is_finite() {
        // All of them are nothing, or next to it.
        into.fill(0);
        return 0.0;
    }
    for (into, number) in into.iter_mut().zip(from) {
        // Adding and taking away 1.5·2²³ rounds to a whole number, which is then in the low bits.
        *into = (number * by + 12_582_912.0).to_bits() as i16;
    }
    most / GREATEST as f32
}

/// The kernel for whole numbers, for a processor we know nothing about.
///
/// # Safety
/// All that the tile points to is there: `R` rows, each with its scale before it.
pub unsafe fn portable<const R: usize>(tile: &Tile) {
    let mut sums = [[0f32; LANES]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights.cast::<[[i8; 2]; LANES]>();
        for segment in 0..tile.segments {
            let rows: [*const f32; R] =
                std::array::from_fn(|row| *tile.rows.add(segment * ROWS + row));
            let mut whole = [[0i32; LANES]; R];
            for at in (0..tile.length).step_by(2) {
                for (row, sums) in rows.iter().zip(&mut whole) {
                    let pair = row.cast::<i16>().add(tile.skip + at).cast::<[i16; 2]>();
                    let pair = pair.read_unaligned().map(i32::from);
                    for (sum, weight) in sums.iter_mut().zip(weights.read_unaligned()) {
                        let [first, second] = weight.map(i32::from);
                        *sum += pair[0] * first + pair[1] * second;
                    }
                }
                weights = weights.add(1);
            }
            for ((row, whole), sums) in rows.iter().zip(whole).zip(&mut sums) {
                let scale = *row.sub(HEADER);
                for (sum, whole) in sums.iter_mut().zip(whole) {
                    *sum = fused(whole as f32, scale, *sum);
                }
            }
        }
        let scales = tile.scales.cast::<[f32; LANES]>().read_unaligned();
        for sums in &mut sums {
            sums.iter_mut().zip(scales).for_each(|(sum, scale)| *sum *= scale);
        }
        finish(tile, sums);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::weights::Draw;
    use crate::kernels::sheet::Sheet;
    use crate::kernels::tile::Stored;

    proptest! {
        /// Also with the greatest numbers everywhere, which must not run over.
        #[test]
        fn every_kernel_is_the_sum_of_whole_numbers(
            rows in 1..=ROWS,
            segments in 1usize..4,
            pairs in prop_oneof![1usize..20, Just(CHUNK / 2)],
            skip in 0usize..3,
            outputs in prop_oneof![Just(LANES), Just(2 * LANES), Just(3 * LANES)],
            greatest in any::<bool>(),
            accumulate in any::<bool>(),
            seed in any::<u64>(),
        ) {
            let (length, skip) = (2 * pairs, 2 * skip);
            let stride = HEADER + (skip + length).div_ceil(2);
            let mut draw = Draw(seed);
            let number = |most: i32, draw: &mut Draw| match greatest {
                true => most,
                false => draw.below(2 * most as usize + 1) as i32 - most,
            };
            // Rows as the rounding leaves them, in memory of f32 with their scales before them.
            let mut memory = vec![0f32; segments * ROWS * stride];
            let mut worth = Vec::new();
            for row in memory.chunks_mut(stride) {
                row[0] = draw.number();
                let numbers: Vec<i32> =
                    (0..skip + length).map(|_| number(GREATEST, &mut draw)).collect();
                for (into, pair) in row[HEADER..].iter_mut().zip(numbers.chunks(2)) {
                    let bits = pair[0] as u16 as u32 | (pair[1] as u16 as u32) << 16;
                    *into = f32::from_bits(bits.to_le());
                }
                worth.push((row[0], numbers));
            }
            let weights: Vec<i8> =
                (0..segments * length * outputs).map(|_| number(127, &mut draw) as i8).collect();
            let (scales, bias) = (draw.numbers(outputs), draw.numbers(outputs));
            let before = draw.numbers(ROWS * outputs);
            let starts: Vec<*const f32> =
                memory.chunks(stride).map(|row| row[HEADER..].as_ptr()).collect();
            for kernels in Kernels::all() {
                let mut into = before.clone();
                let first = Tile {
                    rows: starts.as_ptr(),
                    skip,
                    segments,
                    length,
                    weights: weights.as_ptr().cast(),
                    scales: scales.as_ptr(),
                    into: into.as_mut_ptr(),
                    stride: outputs,
                    bias: bias.as_ptr(),
                    accumulate,
                    ..Tile::EMPTY
                };
                let sheet = Sheet {
                    first,
                    stored: Stored::Int8,
                    rows,
                    group: 0,
                    outputs,
                    panel: segments * length * LANES,
                    after: weights.as_ptr().cast(),
                };
                // SAFETY: everything is as long as the sheet says.
                unsafe { kernels.sheet(&sheet) };
                for (at, got) in into.iter().enumerate() {
                    let (row, lane) = (at / outputs, at % outputs);
                    if row >= rows {
                        prop_assert_eq!(*got, before[at]);
                        continue;
                    }
                    let (mut sum, mut size) = (0.0, 0.0);
                    for segment in 0..segments {
                        let (scale, numbers) = &worth[segment * ROWS + row];
                        let whole: i64 = (0..length)
                            .map(|k| {
                                let panel = lane / LANES * segments * length / 2;
                                let pair = panel + (segment * length + k) / 2;
                                let pair = pair * LANES + lane % LANES;
                                let weight = i64::from(weights[2 * pair + k % 2]);
                                i64::from(numbers[skip + k]) * weight
                            })
                            .sum();
                        prop_assert!(i32::try_from(whole).is_ok());
                        sum += whole as f64 * f64::from(*scale);
                        size += (whole as f64 * f64::from(*scale)).abs();
                    }
                    let mut wanted = sum * f64::from(scales[lane]) + f64::from(bias[lane]);
                    wanted += if accumulate { f64::from(before[at]) } else { 0.0 };
                    let off = (f64::from(*got) - wanted).abs();
                    prop_assert!(off <= 5e-7 * (size + 3.0), "{got} for {wanted}, {}", kernels.name);
                }
            }
        }

        #[test]
        fn numbers_are_within_half_a_step(count in 0usize..70, power in -30i32..30, seed in any::<u64>()) {
            let mut numbers = Draw(seed).numbers(count);
            numbers.iter_mut().for_each(|number| *number *= 2f32.powi(power));
            for kernels in Kernels::all() {
                let mut whole = vec![1i16; count];
                // SAFETY: the table was chosen for this processor.
                let step = unsafe { (kernels.round)(&numbers, &mut whole) };
                for (number, whole) in numbers.iter().zip(&whole) {
                    prop_assert!(i32::from(*whole).abs() <= GREATEST);
                    let off = (f64::from(*whole) * f64::from(step) - f64::from(*number)).abs();
                    prop_assert!(off <= 0.51 * f64::from(step), "{number} became {whole} of {step}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_so() {
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(rounded(&[1.0, broken], &mut [0; 2]).is_nan());
        }
        let mut whole = [7; 2];
        assert_eq!(rounded(&[0.0, f32::from_bits(1)], &mut whole), 0.0);
        assert_eq!(whole, [0; 2]);
    }

    #[test]
    fn a_chunk_of_the_greatest_fits() {
        assert!(i64::from(GREATEST) * 127 * CHUNK as i64 <= i64::from(i32::MAX));
        assert!(GREATEST <= i32::from(i16::MAX));
    }
}
