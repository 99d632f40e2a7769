//! The one product that everything is made of: up to four rows times sixteen outputs.
//!
//! A row's numbers lie in segments: one for a linear map, one for each tap of a convolution. Where
//! each begins is told by a pointer, so no image is ever rearranged into columns, and padding is a
//! pointer to zeros. The weights of sixteen outputs lie side by side, number by number.

/// Outputs side by side in packed weights: two AVX2 registers, one AVX-512 register, four NEON ones.
pub const LANES: usize = 16;
/// Rows of a full tile: with AVX2 their sums, the weights and a number of theirs fill the registers,
/// and the compiler keeps four row pointers in registers where it spills five.
pub const ROWS: usize = 4;
/// Numbers of a row that are multiplied in one go, at most: the sixteen outputs' weights for them
/// stay in the first cache.
pub const CHUNK: usize = 640;

/// One call of the kernel.
pub struct Tile {
    /// Where every row's segments begin: `[segments][ROWS]`, also where there are fewer rows.
    pub rows: *const *const f32,
    /// How far into its segments a row's numbers begin.
    pub skip: usize,
    /// How many segments.
    pub segments: usize,
    /// How many numbers are in each.
    pub length: usize,
    /// `[segments · length][LANES]`, as they are stored; whole numbers two by two,
    /// `[segments · length / 2][LANES][2]`.
    pub weights: *const u8,
    /// What one is worth in each of sixteen outputs' weights, where they are whole numbers.
    pub scales: *const f32,
    /// The first row's outputs.
    pub into: *mut f32,
    /// From a row's outputs to the next one's.
    pub stride: usize,
    /// Sixteen offsets, or null.
    pub bias: *const f32,
    /// What is added to the first row's outputs, or null; may be `into`.
    pub residual: *const f32,
    /// From its row to the next.
    pub residual_stride: usize,
    /// Whether to add to what is there.
    pub accumulate: bool,
    /// Whether what is below zero becomes zero, at the very end.
    pub relu: bool,
    /// What will be read next: fetched on the way, so that nobody waits for memory.
    pub ahead: Ahead,
}

/// Memory to fetch while a tile is made, a little with every number of a row.
#[derive(Clone, Copy)]
pub struct Ahead {
    /// Where it begins; need not be there at all.
    pub start: *const u8,
    /// Bytes from one number's share to the next one's.
    pub step: usize,
}

impl Ahead {
    /// Nothing: the same place again and again.
    pub fn nothing() -> Self {
        Self { start: std::ptr::null(), step: 0 }
    }

    /// The next panel of so many numbers' weights, shared out among tiles: `[nth, of]` them.
    pub fn share(
        panel: *const u8,
        [tile, tiles]: [usize; 2],
        numbers: usize,
        stored: Stored,
    ) -> Self {
        let step = (LANES * stored.bytes()).div_ceil(tiles);
        Self { start: panel.wrapping_add(tile * step * numbers), step }
    }
}

/// What weights are kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As they are computed with.
    F32,
    /// Half floats.
    F16,
    /// The upper half of f32.
    Bf16,
    /// Whole numbers of a byte, with a scale for each output; rows are whole numbers as well, as
    /// [`super::whole`] makes them.
    Int8,
}

impl Stored {
    /// How many kinds there are.
    pub const KINDS: usize = 4;

    /// How many bytes a weight takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }
}

/// Reads sixteen weights.
///
/// # Safety
/// They are there.
unsafe fn load<const STORED: usize>(weights: *const u8) -> [f32; LANES] {
    // SAFETY: as the caller promises.
    unsafe {
        if STORED == Stored::F32 as usize {
            return weights.cast::<[f32; LANES]>().read_unaligned();
        }
        let halves = weights.cast::<[u16; LANES]>().read_unaligned();
        match STORED == Stored::F16 as usize {
            true => halves.map(|bits| half::f16::from_bits(bits).to_f32()),
            false => halves.map(|bits| f32::from_bits(u32::from(bits) << 16)),
        }
    }
}

/// How far it is to the next sixteen weights.
pub const fn stride<const STORED: usize>() -> usize {
    if STORED == Stored::F32 as usize { 4 * LANES } else { 2 * LANES }
}

/// The kernel for a processor we know nothing about.
///
/// # Safety
/// All that the tile points to is there: `R` rows.
pub unsafe fn portable<const R: usize, const STORED: usize>(tile: &Tile) {
    let mut sums = [[0f32; LANES]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights;
        for segment in 0..tile.segments {
            let rows: [*const f32; R] =
                std::array::from_fn(|row| (*tile.rows.add(segment * ROWS + row)).add(tile.skip));
            for at in 0..tile.length {
                let weight = load::<STORED>(weights);
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let number = *row.add(at);
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = fused(number, weight, *sum);
                    }
                }
                weights = weights.add(stride::<STORED>());
            }
        }
        finish(tile, sums);
    }
}

/// What every portable kernel ends with: adds what is to be added to the sums, and stores them.
///
/// # Safety
/// As for the kernel.
pub unsafe fn finish<const R: usize>(tile: &Tile, mut sums: [[f32; LANES]; R]) {
    // SAFETY: as the caller promises.
    unsafe {
        for (row, sums) in sums.iter_mut().enumerate() {
            let into = tile.into.add(row * tile.stride).cast::<[f32; LANES]>();
            if !tile.bias.is_null() {
                add(sums, tile.bias.cast::<[f32; LANES]>().read_unaligned());
            }
            if tile.accumulate {
                add(sums, into.read_unaligned());
            }
            if !tile.residual.is_null() {
                let residual = tile.residual.add(row * tile.residual_stride);
                add(sums, residual.cast::<[f32; LANES]>().read_unaligned());
            }
            if tile.relu {
                sums.iter_mut().for_each(|sum| *sum = if *sum < 0.0 { 0.0 } else { *sum });
            }
            into.write_unaligned(*sums);
        }
    }
}

fn add(sums: &mut [f32; LANES], numbers: [f32; LANES]) {
    sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
}

/// One rounding where the processor always has it; a call into a library elsewhere would be slow.
pub fn fused(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// Runs a tile of which only the first `width` outputs are wanted, and there is room for no more.
///
/// # Safety
/// As for the kernel, with `width` instead of sixteen numbers behind `into` and `residual`; the
/// bias has sixteen all the same.
pub unsafe fn narrow(kernel: unsafe fn(&Tile), tile: &Tile, rows: usize, width: usize) {
    let mut whole = [[0f32; LANES]; ROWS];
    let bare = Tile {
        into: whole.as_mut_ptr().cast(),
        stride: LANES,
        bias: std::ptr::null(),
        residual: std::ptr::null(),
        accumulate: false,
        relu: false,
        ..*tile
    };
    // SAFETY: the inputs are as the caller promises, and there is room for four rows of sixteen.
    // The outputs are touched only up to `width`.
    unsafe {
        kernel(&bare);
        for (row, sums) in whole.iter().enumerate().take(rows) {
            for (lane, sum) in sums.iter().enumerate().take(width) {
                let into = tile.into.add(row * tile.stride + lane);
                let mut sum = *sum;
                if !tile.bias.is_null() {
                    sum += *tile.bias.add(lane);
                }
                if tile.accumulate {
                    sum += *into;
                }
                if !tile.residual.is_null() {
                    sum += *tile.residual.add(row * tile.residual_stride + lane);
                }
                *into = if tile.relu && sum < 0.0 { 0.0 } else { sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::weights::Draw;
    use crate::kernels::Kernels;

    /// A tile's sizes and ends.
    #[derive(Debug)]
    struct Case {
        rows: usize,
        segments: usize,
        length: usize,
        skip: usize,
        width: usize,
        stored: Stored,
        bias: bool,
        residual: bool,
        accumulate: bool,
        relu: bool,
        seed: u64,
    }

    fn case() -> impl Strategy<Value = Case> {
        let sizes = (1..=ROWS, 1usize..4, 1usize..40, 0usize..3, 1..=LANES);
        let stored = prop_oneof![Just(Stored::F32), Just(Stored::F16), Just(Stored::Bf16)];
        let ends = any::<[bool; 4]>();
        (sizes, stored, ends, any::<u64>()).prop_map(|(sizes, stored, ends, seed)| {
            let (rows, segments, length, skip, width) = sizes;
            let [bias, residual, accumulate, relu] = ends;
            Case {
                rows,
                segments,
                length,
                skip,
                width,
                stored,
                bias,
                residual,
                accumulate,
                relu,
                seed,
            }
        })
    }

    /// Weights as they are stored, and what they are then worth.
    fn weights(draw: &mut Draw, count: usize, stored: Stored) -> (Vec<u8>, Vec<f64>) {
        let (mut bytes, mut worth) = (Vec::new(), Vec::new());
        for number in draw.numbers(count) {
            let (half, brain) = (half::f16::from_f32(number), half::bf16::from_f32(number));
            match stored {
                Stored::F16 => bytes.extend(half.to_ne_bytes()),
                Stored::Bf16 => bytes.extend(brain.to_ne_bytes()),
                _ => bytes.extend(number.to_ne_bytes()),
            }
            worth.push(match stored {
                Stored::F16 => half.to_f64(),
                Stored::Bf16 => brain.to_f64(),
                _ => f64::from(number),
            });
        }
        (bytes, worth)
    }

    proptest! {
        #[test]
        fn every_kernel_is_the_sum_in_f64(case in case()) {
            for kernels in [Kernels::best(), Kernels::portable()] {
                check(&case, kernels);
            }
        }
    }

    fn check(case: &Case, kernels: &Kernels) {
        let mut draw = Draw(case.seed);
        let deep = case.segments * case.length;
        let stride = case.width + 3;
        let numbers = draw.numbers(case.segments * ROWS * (case.skip + case.length));
        let (bytes, worth) = weights(&mut draw, deep * LANES, case.stored);
        let (bias, residual) = (draw.numbers(LANES), draw.numbers(ROWS * stride));
        let before = draw.numbers(ROWS * stride);
        let mut into = before.clone();
        let starts: Vec<*const f32> =
            numbers.chunks(case.skip + case.length).map(<[f32]>::as_ptr).collect();
        let tile = Tile {
            rows: starts.as_ptr(),
            skip: case.skip,
            segments: case.segments,
            length: case.length,
            weights: bytes.as_ptr(),
            scales: std::ptr::null(),
            into: into.as_mut_ptr(),
            stride,
            bias: if case.bias { bias.as_ptr() } else { std::ptr::null() },
            residual: if case.residual { residual.as_ptr() } else { std::ptr::null() },
            residual_stride: stride,
            accumulate: case.accumulate,
            relu: case.relu,
            ahead: Ahead::share(bytes.as_ptr(), [0, 2], deep, case.stored),
        };
        let kernel = kernels.tile(case.stored, case.rows);
        // SAFETY: everything is as long as the tile says, and sixteen outputs go to `into` only
        // where it has room for them.
        unsafe {
            match case.width == LANES {
                true => kernel(&tile),
                false => narrow(kernel, &tile, case.rows, case.width),
            }
        }
        for (at, got) in into.iter().enumerate() {
            let (row, lane) = (at / stride, at % stride);
            if row >= case.rows || lane >= case.width {
                assert_eq!(*got, before[at], "what lies beside is left alone");
                continue;
            }
            let product = |k: usize| {
                let (segment, number) = (k / case.length, k % case.length);
                let start = (segment * ROWS + row) * (case.skip + case.length) + case.skip;
                f64::from(numbers[start + number]) * worth[k * LANES + lane]
            };
            let mut sum: f64 = (0..deep).map(product).sum();
            for (there, number) in [
                (case.bias, bias[lane]),
                (case.residual, residual[at]),
                (case.accumulate, before[at]),
            ] {
                sum += if there { f64::from(number) } else { 0.0 };
            }
            let sum = if case.relu { sum.max(0.0) } else { sum };
            assert!((f64::from(*got) - sum).abs() < 2e-5, "{got} for {sum} with {}", kernels.name);
        }
    }
}
