//! For x86-64 processors with AVX2, fused multiply-add and half floats (since 2013).

use std::arch::x86_64::{
    __m128i, __m256, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_add_epi32, _mm256_add_ps,
    _mm256_broadcast_ss, _mm256_castsi256_ps, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps,
    _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_madd_epi16,
    _mm256_max_ps, _mm256_mul_ps, _mm256_set1_epi32, _mm256_setzero_ps, _mm256_setzero_si256,
    _mm256_slli_epi32, _mm256_storeu_ps,
};

use super::Kernels;
use super::tile::{LANES, ROWS, Stored, Tile, stride};
use super::whole::HEADER;

/// These kernels, where the processor can run them.
pub fn kernels() -> Option<&'static Kernels> {
    let there = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    there.then_some(&KERNELS)
}

static KERNELS: Kernels = Kernels {
    name: "avx2",
    tile: [
        &[tile::<1, 0>, tile::<2, 0>, tile::<3, 0>, tile::<4, 0>],
        &[tile::<1, 1>, tile::<2, 1>, tile::<3, 1>, tile::<4, 1>],
        &[tile::<1, 2>, tile::<2, 2>, tile::<3, 2>, tile::<4, 2>],
        &[],
        &[],
        &[whole::<1>, whole::<2>, whole::<3>, whole::<4>],
    ],
    wide: [&[]; Stored::KINDS],
    round,
    curve,
    softmax,
    normalize,
    affine,
    add,
    multiply,
    greatest,
    winograd_in,
    winograd_out,
    blocks: |_| None,
};

/// Eight lanes, twice.
const HALVES: usize = LANES / 8;

/// # Safety
/// The processor has AVX2 and FMA, and all that the tile points to is there.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tile<const R: usize, const STORED: usize>(tile: &Tile) {
    let mut sums = [[_mm256_setzero_ps(); HALVES]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights;
        let mut table = tile.rows;
        let mut ahead = tile.ahead.start;
        for _ in 0..tile.segments {
            let rows: [*const f32; R] = std::array::from_fn(|row| (*table.add(row)).add(tile.skip));
            table = table.add(ROWS);
            for at in 0..tile.length {
                let low = load::<STORED>(weights);
                let high = load::<STORED>(weights.add(stride::<STORED>() / HALVES));
                for row in 0..R {
                    let number = _mm256_broadcast_ss(&*rows[row].add(at));
                    sums[row][0] = _mm256_fmadd_ps(number, low, sums[row][0]);
                    sums[row][1] = _mm256_fmadd_ps(number, high, sums[row][1]);
                }
                weights = weights.add(stride::<STORED>());
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                ahead = ahead.wrapping_add(tile.ahead.step);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                finish(tile, row, half * 8, *sum);
            }
        }
    }
}

/// The same where rows and weights are whole numbers: pairs of a row's times pairs of the weights.
///
/// # Safety
/// The processor has AVX2 and FMA, and all that the tile points to is there.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn whole<const R: usize>(tile: &Tile) {
    let mut sums = [[_mm256_setzero_ps(); HALVES]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights.cast::<__m128i>();
        let mut table = tile.rows;
        let mut ahead = tile.ahead.start;
        for _ in 0..tile.segments {
            let starts: [*const f32; R] = std::array::from_fn(|row| *table.add(row));
            let rows = starts.map(|start| start.cast::<i16>().add(tile.skip));
            table = table.add(ROWS);
            let mut whole = [[_mm256_setzero_si256(); HALVES]; R];
            for at in (0..tile.length).step_by(2) {
                let low = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights));
                let high = _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.add(1)));
                weights = weights.add(HALVES);
                for row in 0..R {
                    let pair = rows[row].add(at).cast::<i32>().read_unaligned();
                    let pair = _mm256_set1_epi32(pair);
                    let [left, right] = whole[row];
                    whole[row] = [
                        _mm256_add_epi32(left, _mm256_madd_epi16(pair, low)),
                        _mm256_add_epi32(right, _mm256_madd_epi16(pair, high)),
                    ];
                }
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                ahead = ahead.wrapping_add(2 * tile.ahead.step);
            }
            for row in 0..R {
                let scale = _mm256_broadcast_ss(&*starts[row].sub(HEADER));
                for half in 0..HALVES {
                    let whole = _mm256_cvtepi32_ps(whole[row][half]);
                    sums[row][half] = _mm256_fmadd_ps(whole, scale, sums[row][half]);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                let scale = _mm256_loadu_ps(tile.scales.add(half * 8));
                finish(tile, row, half * 8, _mm256_mul_ps(*sum, scale));
            }
        }
    }
}

/// Reads eight weights.
///
/// # Safety
/// The processor has AVX2 and F16C, and the weights are there.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load<const STORED: usize>(weights: *const u8) -> __m256 {
    // SAFETY: as the caller promises.
    unsafe {
        if STORED == Stored::F32 as usize {
            return _mm256_loadu_ps(weights.cast());
        }
        let halves = _mm_loadu_si128(weights.cast());
        match STORED == Stored::F16 as usize {
            true => _mm256_cvtph_ps(halves),
            false => {
                let wide = _mm256_cvtepu16_epi32(halves);
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            }
        }
    }
}

/// Adds what is to be added to eight sums, and stores them.
///
/// # Safety
/// As for the tile.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn finish(tile: &Tile, row: usize, lane: usize, mut sum: __m256) {
    // SAFETY: as the caller promises.
    unsafe {
        let into = tile.into.add(row * tile.stride + lane);
        if !tile.bias.is_null() {
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(tile.bias.add(lane)));
        }
        if tile.accumulate {
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(into));
        }
        if !tile.residual.is_null() {
            let residual = tile.residual.add(row * tile.residual_stride + lane);
            sum = _mm256_add_ps(sum, _mm256_loadu_ps(residual));
        }
        if tile.relu {
            // In this order NaN stays NaN.
            sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
        }
        _mm256_storeu_ps(into, sum);
    }
}

super::again::again!("avx2,fma", 8);
