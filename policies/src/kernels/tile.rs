//! The one product that everything is made of: a few rows times sixteen outputs, or twice sixteen.
//!
//! A row's numbers lie in segments: one for a linear map, one for each tap of a convolution. Where
//! each begins is told by a pointer, so no image is ever rearranged into columns, and padding is a
//! pointer to zeros. The weights of sixteen outputs lie side by side, number by number.

use super::blocks::{FOURS, PAIRS};

/// Outputs side by side in packed weights: two AVX2 registers, one AVX-512 register, four NEON ones.
pub const LANES: usize = 16;
/// Rows whose pointers lie side by side; more than any kernel takes at a time.
pub const ROWS: usize = 8;
/// Numbers of a row that are multiplied in one go, at most: the sixteen outputs' weights for them
/// stay in the first cache.
pub const CHUNK: usize = 640;

/// One call of the kernel.
#[derive(Clone, Copy)]
pub struct Tile {
    /// Where every row's segments begin: from one segment to the next there are [`ROWS`] pointers, also
    /// where there are fewer rows.
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
    /// How many bytes behind them those of the next sixteen outputs lie, where a kernel makes these too:
    /// their offsets, scales and results follow the first sixteen's.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "too few registers"))]
    pub beside: usize,
    /// What one is worth in each of sixteen outputs' weights, where they are whole numbers; where these lie
    /// four by four, the sixteen outputs' sums of weights follow.
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

impl Tile {
    /// Nothing yet: no rows, no weights, nothing added.
    pub const EMPTY: Self = Self {
        rows: std::ptr::null(),
        skip: 0,
        segments: 0,
        length: 0,
        weights: std::ptr::null(),
        beside: 0,
        scales: std::ptr::null(),
        into: std::ptr::null_mut(),
        stride: 0,
        bias: std::ptr::null(),
        residual: std::ptr::null(),
        residual_stride: 0,
        accumulate: false,
        relu: false,
        ahead: Ahead { start: std::ptr::null(), step: 0 },
    };
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
    /// The same two by two, for processors that multiply pairs of them; rows are rounded as well, as
    /// [`super::blocks`] does it.
    Pairs,
    /// Whole numbers of a byte, with a scale for each output, four by four, for processors that multiply
    /// blocks of them; rows are bytes as well.
    Fours,
    /// Whole numbers of a byte, with a scale for each output; rows are whole numbers as well, as
    /// [`super::whole`] makes them.
    Int8,
}

impl Stored {
    /// How many kinds there are.
    pub const KINDS: usize = 6;

    /// How many numbers a segment's weights take: some fill whole blocks.
    pub fn filled(self, segment: usize) -> usize {
        match self {
            Self::Pairs => segment.next_multiple_of(PAIRS),
            Self::Fours => segment.next_multiple_of(FOURS),
            _ => segment,
        }
    }

    /// How many numbers there are for each output beside its weights: what one is worth, and their sum.
    pub fn scales(self) -> usize {
        match self {
            Self::Fours => 2,
            Self::Int8 => 1,
            _ => 0,
        }
    }

    /// Whether rows are rounded in pieces and multiplied in blocks.
    pub fn in_blocks(self) -> bool {
        matches!(self, Self::Pairs | Self::Fours)
    }

    /// How many bytes a weight takes.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 | Self::Pairs => 2,
            Self::Fours | Self::Int8 => 1,
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
    // SAFETY: the inputs are as the caller promises, and there is room for as many rows of sixteen as any kernel makes.
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
