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
    /// `[segments · length][LANES]`.
    pub weights: *const f32,
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
}

/// The kernel for a processor we know nothing about.
///
/// # Safety
/// All that the tile points to is there: `R` rows.
pub unsafe fn portable<const R: usize>(tile: &Tile) {
    let mut sums = [[0f32; LANES]; R];
    // SAFETY: the caller promises that the tile's pointers reach as far as it says.
    unsafe {
        let mut weights = tile.weights.cast::<[f32; LANES]>();
        for segment in 0..tile.segments {
            let rows: [*const f32; R] =
                std::array::from_fn(|row| (*tile.rows.add(segment * ROWS + row)).add(tile.skip));
            for at in 0..tile.length {
                let weight = weights.read_unaligned();
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let number = *row.add(at);
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = fused(number, weight, *sum);
                    }
                }
                weights = weights.add(1);
            }
        }
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
fn fused(a: f32, b: f32, c: f32) -> f32 {
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
