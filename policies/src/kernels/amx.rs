//! For x86-64 processors that multiply pairs of bf16 or bytes four by four: block by block with AMX (Sapphire
//! Rapids and later), or the pairs register by register (Zen 4, Cooper Lake).

use std::arch::asm;
use std::arch::x86_64::*;
use std::mem::offset_of;
use std::sync::OnceLock;

use super::avx512;
use super::blocks::{BYTES, Blocks, Call, FOURS, PAIRS, SIDE, Sums, Worth, Worths};
use super::tile::{LANES, Stored, Tile};

/// Bytes of a block of rows or weights.
const BLOCK: usize = SIDE * BYTES;
/// Bytes from one row's sums to the next one's.
const STRIDE: usize = size_of::<[f32; 2 * LANES]>();

/// How this processor multiplies weights that are stored so, if it does it in blocks.
pub fn blocks(stored: Stored) -> Option<&'static Blocks> {
    // As a test of a processor without AMX would have it.
    let pairs = || is_x86_feature_detected!("avx512bf16");
    match stored {
        Stored::Pairs if pairs() && granted() => Some(&BLOCKS_OF_PAIRS),
        Stored::Pairs if pairs() => Some(&REGISTERS),
        Stored::Fours if pairs() && granted() => Some(&BLOCKS_OF_FOURS),
        _ => None,
    }
}

/// With AMX.
pub static BLOCKS_OF_PAIRS: Blocks = Blocks {
    direct: true,
    deep: PAIRS,
    range: None,
    round,
    multiply: multiply_pairs,
    store,
    begin,
    end,
};

/// Without.
pub static REGISTERS: Blocks = Blocks {
    direct: false,
    deep: PAIRS,
    range: None,
    round,
    multiply: registers,
    store,
    begin: || (),
    end: || (),
};

/// With AMX, of bytes.
pub static BLOCKS_OF_FOURS: Blocks = Blocks {
    direct: true,
    deep: FOURS,
    range: Some(widen),
    round: round_to_bytes,
    multiply: multiply_fours,
    store: store_whole,
    begin,
    end,
};

/// Whether the processor has AMX and the system lets this process use it. Asked once: it holds for all
/// threads.
pub fn granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| {
        const TILES_BF16_AND_INT8: u32 = 1 << 24 | 1 << 22 | 1 << 25;
        __cpuid_count(7, 0).edx & TILES_BF16_AND_INT8 == TILES_BF16_AND_INT8 && permitted()
    })
}

/// Asks the system for room for the blocks: threads that use them are larger to switch.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const REQUEST: libc::c_int = 0x1023;
    const TILES: libc::c_int = 18;
    // SAFETY: it takes numbers alone, and changes only what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILES) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// What a tile register holds.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    _reserved: [u8; 14],
    /// Bytes of a row, of each register.
    columns: [u16; 16],
    rows: [u8; 16],
}

/// All eight the same: sixteen rows of 64 bytes.
static SHAPES: Shapes = Shapes {
    palette: 1,
    start: 0,
    _reserved: [0; 14],
    columns: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

fn begin() {
    // SAFETY: the table with this in it is used only where AMX is granted; the shapes are valid ones.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack, preserves_flags)) };
}

fn end() {
    // SAFETY: as above.
    unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
}

/// Multiplies two blocks of rows with two panels, with this instruction.
macro_rules! multiply {
    ($multiply:literal, $call:ident, $sums:ident) => {{
        // What is there only once is multiplied twice: nobody looks at the second result, and with so few rows
        // it is the weights that are waited for.
        let weights = $call.weights;
        let into = $sums.as_mut_ptr().cast::<u8>();
        // SAFETY: as the caller promises; the sums have room for four $call.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "3:",
                "mov {a}, [{taps}]",
                "add {a}, [{asked} + {rows}]",
                "mov {d}, [{asked} + {further}]",
                "add {d}, {a}",
                "mov {steps}, [{asked} + {depth}]",
                "2:",
                "tileloadd tmm4, [{a} + {line}]",
                "tileloadd tmm6, [{b} + {full}]",
                concat!($multiply, " tmm0, tmm4, tmm6"),
                "tileloadd tmm7, [{c} + {full}]",
                concat!($multiply, " tmm1, tmm4, tmm7"),
                "tileloadd tmm5, [{d} + {line}]",
                concat!($multiply, " tmm2, tmm5, tmm6"),
                concat!($multiply, " tmm3, tmm5, tmm7"),
                "add {a}, 64",
                "add {b}, {block}",
                "add {c}, {block}",
                "add {d}, 64",
                "sub {steps}, 1",
                "jnz 2b",
                "add {taps}, 8",
                "sub {count}, 1",
                "jnz 3b",
                "mov {line}, {stride}",
                "tilestored [{into} + {line}], tmm0",
                "tilestored [{into} + {line} + 64], tmm1",
                "tilestored [{into} + {line} + {lower}], tmm2",
                "tilestored [{into} + {line} + {lower} + 64], tmm3",
                asked = in(reg) $call,
                rows = const offset_of!(Call, rows),
                further = const offset_of!(Call, further),
                depth = const offset_of!(Call, steps),
                taps = inout(reg) $call.taps => _,
                count = inout(reg) $call.count => _,
                line = inout(reg) $call.line => _,
                full = in(reg) 64usize,
                a = out(reg) _,
                d = out(reg) _,
                b = inout(reg) weights => _,
                c = inout(reg) weights.add($call.beside) => _,
                steps = out(reg) _,
                into = in(reg) into,
                block = const BLOCK,
                stride = const STRIDE,
                lower = const SIDE * STRIDE,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }};
}

/// # Safety
/// The processor has AMX and was made ready; all that is pointed to is there.
unsafe fn multiply_pairs(call: &Call, sums: &mut Sums) {
    multiply!("tdpbf16ps", call, sums);
}

/// # Safety
/// The processor has AMX and was made ready; all that is pointed to is there.
unsafe fn multiply_fours(call: &Call, sums: &mut Sums) {
    multiply!("tdpbusd", call, sums);
}

/// Eight rows and one or two panels at a time.
///
/// # Safety
/// The processor has AVX-512 with bf16; all that is pointed to is there.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn registers(call: &Call, sums: &mut Sums) {
    let [rows, panels] = call.two;
    for half in 0..if rows { 4 } else { 2 } {
        let start = call.rows.wrapping_add(half / 2 * call.further);
        let start = start.wrapping_add(half % 2 * SIDE / 2 * call.line);
        let sums = &mut sums[half * SIDE / 2..][..SIDE / 2];
        // SAFETY: as the caller promises.
        unsafe {
            match panels {
                true => eight::<2>(start, call, sums),
                false => eight::<1>(start, call, sums),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn eight<const P: usize>(start: *const u8, call: &Call, into: &mut [[f32; 2 * LANES]]) {
    const ROWS: usize = SIDE / 2;
    let mut sums = [[_mm512_setzero_ps(); P]; ROWS];
    // SAFETY: as the caller promises.
    unsafe {
        let mut weights = call.weights;
        for tap in 0..call.count {
            let rows = start.add(*call.taps.add(tap));
            for pair in 0..call.steps * PAIRS / 2 {
                let panels: [__m512bh; P] = std::array::from_fn(|panel| {
                    let at = weights.add(panel * call.beside);
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(at.cast()))
                });
                for (row, sums) in sums.iter_mut().enumerate() {
                    let both = rows.add(row * call.line + pair * 4).cast::<i32>();
                    let both = _mm512_set1_epi32(both.read_unaligned());
                    let both = std::mem::transmute::<__m512i, __m512bh>(both);
                    for (sum, panel) in sums.iter_mut().zip(panels) {
                        *sum = _mm512_dpbf16_ps(*sum, both, panel);
                    }
                }
                weights = weights.add(4 * LANES);
            }
        }
        for (sums, into) in sums.iter().zip(into) {
            for (panel, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(into[panel * LANES..].as_mut_ptr(), *sum);
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512 with bf16; so many numbers are there, and room for all blocks of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn round(from: *const f32, count: usize, into: *mut u8, _: Worth) {
    for start in (0..count).step_by(PAIRS) {
        // SAFETY: so many numbers are there and there is room for all.
        unsafe {
            let [low, high] = read(from.add(start), count - start);
            let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(into.add(start * size_of::<u16>()).cast(), both);
        }
    }
}

/// Reads twice sixteen numbers, or those that are left with zeros behind them.
///
/// # Safety
/// The processor has AVX-512, and so many are there.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn read<const N: usize>(from: *const f32, left: usize) -> [__m512; N] {
    std::array::from_fn(|nth| {
        let before = nth * LANES;
        let from = from.wrapping_add(before);
        // SAFETY: as the caller promises; what is not in the mask is not touched.
        unsafe {
            match left.saturating_sub(before) {
                LANES.. => _mm512_loadu_ps(from),
                left => _mm512_maskz_loadu_ps((1 << left) - 1, from),
            }
        }
    })
}

/// # Safety
/// The processor has AVX-512; so many numbers are there, and room for all blocks of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn round_to_bytes(from: *const f32, count: usize, into: *mut u8, worth: Worth) {
    let (by, zero) = (_mm512_set1_ps(worth.by()), _mm512_set1_epi32(i32::from(worth.nothing())));
    let whole = |numbers| {
        let whole = _mm512_cvtps_epi32(_mm512_mul_ps(numbers, by));
        let whole = _mm512_max_epi32(_mm512_add_epi32(whole, zero), _mm512_setzero_si512());
        _mm512_cvtusepi32_epi8(whole)
    };
    for start in (0..count).step_by(FOURS) {
        // SAFETY: so many numbers are there and there is room for all.
        unsafe {
            let numbers: [__m512; FOURS / LANES] = read(from.add(start), count - start);
            for (nth, numbers) in numbers.into_iter().enumerate() {
                _mm_storeu_si128(into.add(start + nth * LANES).cast(), whole(numbers));
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512, and so many numbers are there.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn widen(from: *const f32, count: usize, range: &mut [f32; 2]) {
    // Four of each, so that none waits for itself.
    let mut greatest = [_mm512_setzero_si512(); 4];
    let mut least = [_mm512_set1_ps(range[0]); 4];
    let mut most = [_mm512_set1_ps(range[1]); 4];
    for start in (0..count).step_by(4 * LANES) {
        // SAFETY: so many numbers are there.
        let numbers: [__m512; 4] = unsafe { read(from.add(start), count - start) };
        for (nth, numbers) in numbers.into_iter().enumerate() {
            // A comparison of floats would pass over what is no number.
            let size = _mm512_castps_si512(_mm512_abs_ps(numbers));
            greatest[nth] = _mm512_max_epi32(greatest[nth], size);
            least[nth] = _mm512_min_ps(least[nth], numbers);
            most[nth] = _mm512_max_ps(most[nth], numbers);
        }
    }
    let whole = |all: [__m512i; 4]| {
        let halves = (_mm512_max_epi32(all[0], all[1]), _mm512_max_epi32(all[2], all[3]));
        _mm512_reduce_max_epi32(_mm512_max_epi32(halves.0, halves.1))
    };
    let endless = whole(greatest) >= f32::INFINITY.to_bits().cast_signed();
    let all = |all: [__m512; 4], ends: fn(__m512) -> f32, both: fn(f32, f32) -> f32| {
        all.into_iter().map(ends).fold(0.0, both)
    };
    range[0] = all(least, |all| _mm512_reduce_min_ps(all), f32::min);
    range[1] = all(most, |all| _mm512_reduce_max_ps(all), f32::max);
    if endless {
        range[1] = f32::INFINITY;
    }
}

/// # Safety
/// The processor has AVX-512; all that the tile points to is there, for so many rows and outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn store(
    tile: &Tile,
    sums: &[[f32; 2 * LANES]],
    [rows, width]: [usize; 2],
    _worths: &Worths,
) {
    for (row, sums) in sums.iter().enumerate().take(rows) {
        for lane in (0..width).step_by(LANES) {
            // SAFETY: as the caller promises; behind the last output nothing is touched.
            unsafe { finish(tile, row, [lane, width], _mm512_loadu_ps(sums[lane..].as_ptr())) };
        }
    }
}

/// # Safety
/// The processor has AVX-512; all that the tile points to is there, for so many rows and outputs, and so
/// are the rows' worths.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn store_whole(
    tile: &Tile,
    sums: &[[f32; 2 * LANES]],
    [rows, width]: [usize; 2],
    worths: &Worths,
) {
    for lane in (0..width).step_by(LANES) {
        // SAFETY: as the caller promises; behind the last output nothing is touched.
        unsafe {
            let scales = tile.scales.add(2 * lane);
            let weights = _mm512_loadu_ps(scales.add(LANES));
            let scales = _mm512_loadu_ps(scales);
            for (row, sums) in sums.iter().enumerate().take(rows) {
                let worth = *worths.start.add(row * worths.step);
                let whole = _mm512_loadu_si512(sums[lane..].as_ptr().cast());
                // Every number is as much more as nothing is.
                let zero = _mm512_set1_ps(worth.zero);
                let sum = _mm512_fnmadd_ps(zero, weights, _mm512_cvtepi32_ps(whole));
                let step = _mm512_mul_ps(scales, _mm512_set1_ps(worth.step));
                finish(tile, row, [lane, width], _mm512_mul_ps(sum, step));
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512; all that the tile points to is there, for so many rows and outputs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn finish(tile: &Tile, row: usize, [lane, width]: [usize; 2], sum: __m512) {
    // SAFETY: as the caller promises.
    unsafe {
        match width - lane {
            left @ ..LANES => avx512::finish_some(tile, row, lane, sum, (1 << left) - 1),
            _ => avx512::finish(tile, row, lane, sum),
        }
    }
}
