//! For x86-64 processors with AVX-512 and its products of whole numbers (Ice Lake, Zen 4 and later).

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256, _mm512_add_ps,
    _mm512_castsi512_ps, _mm512_cvtepi8_epi16, _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtph_ps, _mm512_dpwssd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_slli_epi32, _mm512_storeu_ps,
};

use super::Kernels;
use super::tile::{LANES, ROWS, Stored, Tile, stride};
use super::whole::HEADER;

/// These kernels, where the processor can run them.
pub fn kernels() -> Option<&'static Kernels> {
    let there = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("fma");
    there.then_some(&KERNELS)
}

/// One kernel for each number of rows.
macro_rules! rows {
    ($kernel:ident, $panels:literal $(, $stored:literal)?) => {
        &[
            $kernel::<1, $panels $(, $stored)?>,
            $kernel::<2, $panels $(, $stored)?>,
            $kernel::<3, $panels $(, $stored)?>,
            $kernel::<4, $panels $(, $stored)?>,
            $kernel::<5, $panels $(, $stored)?>,
            $kernel::<6, $panels $(, $stored)?>,
            $kernel::<7, $panels $(, $stored)?>,
            $kernel::<8, $panels $(, $stored)?>,
        ]
    };
}

static KERNELS: Kernels = Kernels {
    name: "avx512",
    tile: [rows!(tile, 1, 0), rows!(tile, 1, 1), rows!(tile, 1, 2), &[], &[], rows!(whole, 1)],
    wide: [rows!(tile, 2, 0), rows!(tile, 2, 1), rows!(tile, 2, 2), &[], &[], rows!(whole, 2)],
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
    blocks: super::amx::blocks,
};

/// Eight rows times twice sixteen outputs: their sums fill half of the registers, and their pointers all
/// but two of the processor's others.
///
/// # Safety
/// The processor has AVX-512, and all that the tile points to is there.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn tile<const R: usize, const P: usize, const STORED: usize>(tile: &Tile) {
    let mut sums = [[_mm512_setzero_ps(); P]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights;
        let mut table = tile.rows;
        let mut ahead = tile.ahead.start;
        for _ in 0..tile.segments {
            let rows: [*const f32; R] = std::array::from_fn(|row| (*table.add(row)).add(tile.skip));
            table = table.add(ROWS);
            for at in 0..tile.length {
                let panels: [__m512; P] =
                    std::array::from_fn(|panel| load::<STORED>(weights.add(panel * tile.beside)));
                for row in 0..R {
                    let number = _mm512_set1_ps(*rows[row].add(at));
                    for panel in 0..P {
                        sums[row][panel] = _mm512_fmadd_ps(number, panels[panel], sums[row][panel]);
                    }
                }
                weights = weights.add(stride::<STORED>());
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                if P == 2 {
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(tile.beside).cast());
                }
                ahead = ahead.wrapping_add(tile.ahead.step);
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (panel, sum) in sums.iter().enumerate() {
                finish(tile, row, panel * LANES, *sum);
            }
        }
    }
}

/// The same where rows and weights are whole numbers: pairs of a row's times pairs of the weights.
///
/// # Safety
/// The processor has AVX-512, and all that the tile points to is there.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn whole<const R: usize, const P: usize>(tile: &Tile) {
    let mut sums = [[_mm512_setzero_ps(); P]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights;
        let mut table = tile.rows;
        let mut ahead = tile.ahead.start;
        for _ in 0..tile.segments {
            let starts: [*const f32; R] = std::array::from_fn(|row| *table.add(row));
            let rows = starts.map(|start| start.cast::<i16>().add(tile.skip));
            table = table.add(ROWS);
            let mut whole = [[_mm512_setzero_si512(); P]; R];
            for at in (0..tile.length).step_by(2) {
                let panels: [__m512i; P] = std::array::from_fn(|panel| {
                    let bytes = weights.add(panel * tile.beside).cast();
                    _mm512_cvtepi8_epi16(_mm256_loadu_si256(bytes))
                });
                for row in 0..R {
                    let pair = rows[row].add(at).cast::<i32>().read_unaligned();
                    let pair = _mm512_set1_epi32(pair);
                    for panel in 0..P {
                        whole[row][panel] =
                            _mm512_dpwssd_epi32(whole[row][panel], pair, panels[panel]);
                    }
                }
                weights = weights.add(2 * LANES);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                if P == 2 {
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(tile.beside).cast());
                }
                ahead = ahead.wrapping_add(2 * tile.ahead.step);
            }
            for row in 0..R {
                let scale = _mm512_set1_ps(*starts[row].sub(HEADER));
                for panel in 0..P {
                    let whole = _mm512_cvtepi32_ps(whole[row][panel]);
                    sums[row][panel] = _mm512_fmadd_ps(whole, scale, sums[row][panel]);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (panel, sum) in sums.iter().enumerate() {
                let scale = _mm512_loadu_ps(tile.scales.add(panel * LANES));
                finish(tile, row, panel * LANES, _mm512_mul_ps(*sum, scale));
            }
        }
    }
}

/// Reads sixteen weights.
///
/// # Safety
/// The processor has AVX-512, and the weights are there.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn load<const STORED: usize>(weights: *const u8) -> __m512 {
    // SAFETY: as the caller promises.
    unsafe {
        if STORED == Stored::F32 as usize {
            return _mm512_loadu_ps(weights.cast());
        }
        let halves = _mm256_loadu_si256(weights.cast());
        match STORED == Stored::F16 as usize {
            true => _mm512_cvtph_ps(halves),
            false => {
                let wide = _mm512_cvtepu16_epi32(halves);
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
            }
        }
    }
}

/// Adds what is to be added to sixteen sums, and stores them.
///
/// # Safety
/// As for the tile.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
pub(super) unsafe fn finish(tile: &Tile, row: usize, lane: usize, mut sum: __m512) {
    // SAFETY: as the caller promises.
    unsafe {
        let into = tile.into.add(row * tile.stride + lane);
        if !tile.bias.is_null() {
            sum = _mm512_add_ps(sum, _mm512_loadu_ps(tile.bias.add(lane)));
        }
        if tile.accumulate {
            sum = _mm512_add_ps(sum, _mm512_loadu_ps(into));
        }
        if !tile.residual.is_null() {
            let residual = tile.residual.add(row * tile.residual_stride + lane);
            sum = _mm512_add_ps(sum, _mm512_loadu_ps(residual));
        }
        if tile.relu {
            // In this order NaN stays NaN.
            sum = _mm512_max_ps(_mm512_setzero_ps(), sum);
        }
        _mm512_storeu_ps(into, sum);
    }
}

/// The same for those of the sums that are in the mask.
///
/// # Safety
/// As for the tile, as far as the mask goes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
pub(super) unsafe fn finish_some(tile: &Tile, row: usize, lane: usize, mut sum: __m512, mask: u16) {
    // SAFETY: as the caller promises; what is not in the mask is not touched.
    unsafe {
        let into = tile.into.add(row * tile.stride + lane);
        if !tile.bias.is_null() {
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, tile.bias.add(lane)));
        }
        if tile.accumulate {
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, into));
        }
        if !tile.residual.is_null() {
            let residual = tile.residual.add(row * tile.residual_stride + lane);
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, residual));
        }
        if tile.relu {
            sum = _mm512_max_ps(_mm512_setzero_ps(), sum);
        }
        _mm512_mask_storeu_ps(into, mask, sum);
    }
}

super::again::again!("avx512f,avx512bw,avx512dq,avx512vl,fma", 16);
