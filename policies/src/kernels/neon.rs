//! For 64-bit Arm processors, all of which have NEON: four registers of four lanes for sixteen
//! outputs, and half floats read by an instruction that the library has no name for yet.

use std::arch::aarch64::{
    float32x4_t, int32x4_t, vaddq_f32, vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s32, vfmaq_n_f32,
    vget_high_s8, vget_low_s8, vget_low_s16, vld1_u16, vld1q_f32, vld2q_s8, vmaxq_f32,
    vmlal_high_n_s16, vmlal_n_s16, vmovl_s8, vmulq_f32, vreinterpretq_f32_u32, vshll_n_u16,
    vst1q_f32,
};
use std::arch::{asm, is_aarch64_feature_detected};

use super::norms::Scales;
use super::tile::{LANES, ROWS, Stored, Tile, stride};
use super::whole::HEADER;
use super::{Kernels, curves, whole, winograd};
use crate::graph::Activation;

/// These kernels, where the processor can run them.
pub fn kernels() -> Option<&'static Kernels> {
    is_aarch64_feature_detected!("neon").then_some(&KERNELS)
}

static KERNELS: Kernels = Kernels {
    name: "neon",
    tile: [
        &[tile::<1, 0>, tile::<2, 0>, tile::<3, 0>, tile::<4, 0>],
        &[tile::<1, 1>, tile::<2, 1>, tile::<3, 1>, tile::<4, 1>],
        &[tile::<1, 2>, tile::<2, 2>, tile::<3, 2>, tile::<4, 2>],
        &[],
        &[],
        &[pairs::<1>, pairs::<2>, pairs::<3>, pairs::<4>],
    ],
    wide: [&[]; Stored::KINDS],
    round: whole::rounded,
    curve,
    softmax,
    normalize,
    affine,
    add: curves::add,
    multiply: curves::multiply,
    greatest: curves::greatest,
    winograd_in: winograd::patch_in::<8>,
    winograd_out: winograd::patch_out::<8>,
    blocks: |_| None,
};

/// Four lanes, four times.
const QUARTERS: usize = LANES / 4;

/// # Safety
/// The processor has NEON, and all that the tile points to is there.
#[target_feature(enable = "neon")]
unsafe fn tile<const R: usize, const STORED: usize>(tile: &Tile) {
    let mut sums = [[vdupq_n_f32(0.0); QUARTERS]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights;
        let mut table = tile.rows;
        let mut ahead = tile.ahead.start;
        for _ in 0..tile.segments {
            let rows: [*const f32; R] = std::array::from_fn(|row| (*table.add(row)).add(tile.skip));
            table = table.add(ROWS);
            for at in 0..tile.length {
                let all: [float32x4_t; QUARTERS] = std::array::from_fn(|quarter| {
                    load::<STORED>(weights.add(quarter * stride::<STORED>() / QUARTERS))
                });
                for row in 0..R {
                    let number = *rows[row].add(at);
                    for quarter in 0..QUARTERS {
                        sums[row][quarter] = vfmaq_n_f32(sums[row][quarter], all[quarter], number);
                    }
                }
                weights = weights.add(stride::<STORED>());
                prefetch(ahead);
                ahead = ahead.wrapping_add(tile.ahead.step);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (quarter, sum) in sums.iter().enumerate() {
                finish(tile, row, quarter * 4, *sum);
            }
        }
    }
}

/// The same where rows and weights are whole numbers: pairs of a row's times pairs of the weights.
///
/// # Safety
/// The processor has NEON, and all that the tile points to is there.
#[target_feature(enable = "neon")]
unsafe fn pairs<const R: usize>(tile: &Tile) {
    let mut sums = [[vdupq_n_f32(0.0); QUARTERS]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights.cast::<i8>();
        let mut table = tile.rows;
        let mut ahead = tile.ahead.start;
        for _ in 0..tile.segments {
            let starts: [*const f32; R] = std::array::from_fn(|row| *table.add(row));
            let rows = starts.map(|start| start.cast::<i16>().add(tile.skip));
            table = table.add(ROWS);
            let mut whole = [[vdupq_n_s32(0); QUARTERS]; R];
            for at in (0..tile.length).step_by(2) {
                // The firsts of all pairs, and the seconds.
                let both = vld2q_s8(weights);
                weights = weights.add(2 * LANES);
                for row in 0..R {
                    let pair = [*rows[row].add(at), *rows[row].add(at + 1)];
                    for (lanes, number) in [both.0, both.1].into_iter().zip(pair) {
                        let low = vmovl_s8(vget_low_s8(lanes));
                        let high = vmovl_s8(vget_high_s8(lanes));
                        let [a, b, c, d] = whole[row];
                        whole[row] = [
                            vmlal_n_s16(a, vget_low_s16(low), number),
                            vmlal_high_n_s16(b, low, number),
                            vmlal_n_s16(c, vget_low_s16(high), number),
                            vmlal_high_n_s16(d, high, number),
                        ];
                    }
                }
                prefetch(ahead);
                ahead = ahead.wrapping_add(2 * tile.ahead.step);
            }
            for row in 0..R {
                let scale = *starts[row].sub(HEADER);
                for quarter in 0..QUARTERS {
                    let numbers: int32x4_t = whole[row][quarter];
                    let numbers = vcvtq_f32_s32(numbers);
                    sums[row][quarter] = vfmaq_n_f32(sums[row][quarter], numbers, scale);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (quarter, sum) in sums.iter().enumerate() {
                let scale = vld1q_f32(tile.scales.add(quarter * 4));
                finish(tile, row, quarter * 4, vmulq_f32(*sum, scale));
            }
        }
    }
}

/// Reads four weights.
///
/// # Safety
/// The processor has NEON, and the weights are there.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load<const STORED: usize>(weights: *const u8) -> float32x4_t {
    // SAFETY: as the caller promises.
    unsafe {
        if STORED == Stored::F32 as usize {
            return vld1q_f32(weights.cast());
        }
        let halves = vld1_u16(weights.cast());
        if STORED == Stored::Bf16 as usize {
            return vreinterpretq_f32_u32(vshll_n_u16::<16>(halves));
        }
        let wide: float32x4_t;
        asm!(
            "fcvtl {wide:v}.4s, {halves:v}.4h",
            wide = lateout(vreg) wide,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags)
        );
        wide
    }
}

/// Fetches a cache line on the way; it need not be there.
#[inline]
#[target_feature(enable = "neon")]
fn prefetch(line: *const u8) {
    // SAFETY: an address that is nowhere is ignored.
    unsafe {
        asm!("prfm pldl1keep, [{line}]", line = in(reg) line, options(nostack, readonly, preserves_flags));
    }
}

/// Adds what is to be added to four sums, and stores them.
///
/// # Safety
/// As for the tile.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish(tile: &Tile, row: usize, lane: usize, mut sum: float32x4_t) {
    // SAFETY: as the caller promises.
    unsafe {
        let into = tile.into.add(row * tile.stride + lane);
        if !tile.bias.is_null() {
            sum = vaddq_f32(sum, vld1q_f32(tile.bias.add(lane)));
        }
        if tile.accumulate {
            sum = vaddq_f32(sum, vld1q_f32(into));
        }
        if !tile.residual.is_null() {
            let residual = tile.residual.add(row * tile.residual_stride + lane);
            sum = vaddq_f32(sum, vld1q_f32(residual));
        }
        if tile.relu {
            // NaN stays NaN.
            sum = vmaxq_f32(vdupq_n_f32(0.0), sum);
        }
        vst1q_f32(into, sum);
    }
}

fn curve(activation: Activation, numbers: &mut [f32]) {
    curves::curve::<true>(activation, numbers);
}

fn softmax(row: &mut [f32]) {
    curves::softmax::<true>(row);
}

fn normalize(from: &[f32], into: &mut [f32], scales: &Scales) {
    curves::normalize::<true>(from, into, scales);
}

fn affine(into: &mut [f32], scale: &[f32], shift: &[f32]) {
    curves::affine::<true>(into, scale, shift);
}
