//! For x86-64 processors that multiply pairs of bf16: block by block with AMX (Sapphire Rapids and later), or
//! register by register (Zen 4, Cooper Lake).

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid_count, __m512bh, __m512i, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_storeu_ps, _mm512_storeu_si512,
};
use std::mem::offset_of;
use std::sync::OnceLock;

use super::avx512;
use super::pairs::{Blocks, DEEP, Pairs, SIDE, Sums};
use super::tile::{LANES, Tile};

/// Bytes of a block of rows or weights.
const BLOCK: usize = SIDE * DEEP * size_of::<u16>();
/// Bytes from one row's sums to the next one's.
const STRIDE: usize = size_of::<[f32; 2 * LANES]>();

/// How this processor multiplies pairs, if it does.
pub fn pairs() -> Option<&'static Pairs> {
    // As a test of a processor without AMX would have it.
    match is_x86_feature_detected!("avx512bf16") {
        true if granted() => Some(&BLOCKS),
        true => Some(&REGISTERS),
        false => None,
    }
}

/// With AMX.
pub static BLOCKS: Pairs = Pairs { direct: true, round, blocks, store, begin, end };

/// Without.
pub static REGISTERS: Pairs =
    Pairs { direct: false, round, blocks: registers, store, begin: || (), end: || () };

/// Whether the processor has AMX and the system lets this process use it. Asked once: it holds for all
/// threads.
pub fn granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| {
        const TILES_AND_BF16: u32 = 1 << 24 | 1 << 22;
        __cpuid_count(7, 0).edx & TILES_AND_BF16 == TILES_AND_BF16 && permitted()
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

/// # Safety
/// The processor has AMX and was made ready; all that is pointed to is there.
unsafe fn blocks(blocks: &Blocks, sums: &mut Sums) {
    // What is there only once is multiplied twice: nobody looks at the second result, and with so few rows
    // it is the weights that are waited for.
    let weights = blocks.weights;
    let into = sums.as_mut_ptr().cast::<u8>();
    // SAFETY: as the caller promises; the sums have room for four blocks.
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
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{c} + {full}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{d} + {line}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
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
            asked = in(reg) blocks,
            rows = const offset_of!(Blocks, rows),
            further = const offset_of!(Blocks, further),
            depth = const offset_of!(Blocks, steps),
            taps = inout(reg) blocks.taps => _,
            count = inout(reg) blocks.count => _,
            line = inout(reg) blocks.line => _,
            full = in(reg) 64usize,
            a = out(reg) _,
            d = out(reg) _,
            b = inout(reg) weights => _,
            c = inout(reg) weights.add(blocks.beside) => _,
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
}

/// Eight rows and one or two panels at a time.
///
/// # Safety
/// The processor has AVX-512 with bf16; all that is pointed to is there.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn registers(blocks: &Blocks, sums: &mut Sums) {
    let [rows, panels] = blocks.two;
    for half in 0..if rows { 4 } else { 2 } {
        let start = blocks.rows.cast::<u8>().wrapping_add(half / 2 * blocks.further);
        let start = start.wrapping_add(half % 2 * SIDE / 2 * blocks.line);
        let sums = &mut sums[half * SIDE / 2..][..SIDE / 2];
        // SAFETY: as the caller promises.
        unsafe {
            match panels {
                true => eight::<2>(start, blocks, sums),
                false => eight::<1>(start, blocks, sums),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn eight<const P: usize>(start: *const u8, blocks: &Blocks, into: &mut [[f32; 2 * LANES]]) {
    const ROWS: usize = SIDE / 2;
    let mut sums = [[_mm512_setzero_ps(); P]; ROWS];
    // SAFETY: as the caller promises.
    unsafe {
        let mut weights = blocks.weights;
        for tap in 0..blocks.count {
            let rows = start.add(*blocks.taps.add(tap));
            for pair in 0..blocks.steps * DEEP / 2 {
                let panels: [__m512bh; P] = std::array::from_fn(|panel| {
                    let at = weights.add(panel * blocks.beside);
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(at.cast()))
                });
                for (row, sums) in sums.iter_mut().enumerate() {
                    let both = rows.add(row * blocks.line + pair * 4).cast::<i32>();
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
unsafe fn round(from: *const f32, count: usize, into: *mut u16) {
    for start in (0..count).step_by(DEEP) {
        // SAFETY: so many numbers are there and there is room for all.
        unsafe {
            let from = from.add(start);
            let (low, high) = match count - start {
                DEEP.. => (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(LANES))),
                left => {
                    let there = (1u32 << left) - 1;
                    let high =
                        _mm512_maskz_loadu_ps((there >> LANES) as u16, from.wrapping_add(LANES));
                    (_mm512_maskz_loadu_ps(there as u16, from), high)
                }
            };
            let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(into.add(start).cast(), both);
        }
    }
}

/// # Safety
/// The processor has AVX-512; all that the tile points to is there, for so many rows and outputs.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma")]
unsafe fn store(tile: &Tile, sums: &[[f32; 2 * LANES]], [rows, width]: [usize; 2]) {
    for (row, sums) in sums.iter().enumerate().take(rows) {
        for lane in (0..width).step_by(LANES) {
            // SAFETY: as the caller promises; behind the last output nothing is touched.
            unsafe {
                let sum = _mm512_loadu_ps(sums[lane..].as_ptr());
                match width - lane {
                    left @ ..LANES => avx512::finish_some(tile, row, lane, sum, (1 << left) - 1),
                    _ => avx512::finish(tile, row, lane, sum),
                }
            }
        }
    }
}
