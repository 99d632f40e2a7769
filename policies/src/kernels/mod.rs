//! The arithmetic of the CPU executor: one table of kernels per kind of processor, chosen once at
//! run time, and the loops around them that are the same for all.
//!
//! A processor's table is a file: `avx512.rs`, `avx2.rs` and `neon.rs`.
//! The portable kernels run everywhere and are what every other table is tested against; they in
//! turn are tested against sums in f64.

#[cfg(target_arch = "x86_64")]
mod again;
#[cfg(target_arch = "x86_64")]
mod amx;
pub mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod blocks;
mod curves;
#[cfg(target_arch = "aarch64")]
mod neon;
pub mod norms;
pub mod packed;
pub mod places;
pub mod pooled;
pub mod product;
pub mod rows;
pub mod sheet;
pub mod slab;
mod strip;
mod tile;
pub mod whole;
pub mod winograd;

use crate::graph::Activation;
use blocks::Blocks;
use tile::Tile;
pub use tile::{ROWS, Stored};

/// What differs from processor to processor. All of these may only be called on a processor that
/// can run them, which [`Kernels::best`] has checked; what they point to must be there.
pub struct Kernels {
    /// What they are written for.
    pub name: &'static str,
    /// The product, by what the weights are kept as and the number of rows less one.
    tile: [&'static [unsafe fn(&Tile)]; Stored::KINDS],
    /// The same for twice sixteen outputs; none where the processor has too few registers.
    wide: [&'static [unsafe fn(&Tile)]; Stored::KINDS],
    round: unsafe fn(&[f32], &mut [i16]) -> f32,
    curve: unsafe fn(Activation, &mut [f32]),
    softmax: unsafe fn(&mut [f32]),
    normalize: unsafe fn(&[f32], &mut [f32], &norms::Scales),
    affine: unsafe fn(&mut [f32], &[f32], &[f32]),
    add: unsafe fn(&mut [f32], &[f32]),
    multiply: unsafe fn(&mut [f32], &[f32]),
    greatest: unsafe fn(&[*const f32], &mut [f32]),
    winograd_in: unsafe fn(&[*const f32; 36], usize, *mut f32, usize),
    winograd_out: unsafe fn(*const f32, usize, &[winograd::Place; 16], &winograd::Finish),
    /// How it multiplies weights that are stored so in blocks, asked once the processor is known; none where
    /// it does not.
    blocks: fn(Stored) -> Option<&'static Blocks>,
}

/// Runs everywhere.
static PORTABLE: Kernels = Kernels {
    name: "portable",
    tile: [
        &[
            tile::portable::<1, 0>,
            tile::portable::<2, 0>,
            tile::portable::<3, 0>,
            tile::portable::<4, 0>,
        ],
        &[
            tile::portable::<1, 1>,
            tile::portable::<2, 1>,
            tile::portable::<3, 1>,
            tile::portable::<4, 1>,
        ],
        &[
            tile::portable::<1, 2>,
            tile::portable::<2, 2>,
            tile::portable::<3, 2>,
            tile::portable::<4, 2>,
        ],
        &[],
        &[],
        &[whole::portable::<1>, whole::portable::<2>, whole::portable::<3>, whole::portable::<4>],
    ],
    wide: [&[]; Stored::KINDS],
    round: whole::rounded,
    curve: curves::curve::<false>,
    softmax: curves::softmax::<false>,
    normalize: curves::normalize::<false>,
    affine: curves::affine::<false>,
    add: curves::add,
    multiply: curves::multiply,
    greatest: curves::greatest,
    winograd_in: winograd::patch_in::<8>,
    winograd_out: winograd::patch_out::<8>,
    blocks: |_| None,
};

impl Kernels {
    /// The fastest that this processor can run.
    pub fn best() -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernels) = avx512::kernels().or_else(avx2::kernels) {
            return kernels;
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(kernels) = neon::kernels() {
            return kernels;
        }
        Self::portable()
    }

    /// All that this processor can run.
    #[cfg(test)]
    pub fn all() -> Vec<&'static Self> {
        let mut all = vec![Self::portable()];
        #[cfg(target_arch = "x86_64")]
        all.extend(avx2::kernels().into_iter().chain(avx512::kernels()));
        #[cfg(target_arch = "aarch64")]
        all.extend(neon::kernels());
        all
    }

    /// Those that run everywhere.
    pub fn portable() -> &'static Self {
        &PORTABLE
    }

    /// How this processor multiplies weights that are stored so in blocks, if it does.
    pub fn blocks(&self, stored: Stored) -> Option<&'static Blocks> {
        (self.blocks)(stored)
    }

    /// Applies a curve to every number.
    pub fn curve(&self, activation: Activation, numbers: &mut [f32]) {
        // SAFETY: the table was chosen for this processor.
        unsafe { (self.curve)(activation, numbers) }
    }

    /// Makes a row's mean 0 and its variance 1, then scales and shifts it.
    pub fn normalize(&self, from: &[f32], into: &mut [f32], scales: &norms::Scales) {
        // SAFETY: the table was chosen for this processor.
        unsafe { (self.normalize)(from, into, scales) }
    }

    /// `into = into · scale + shift`.
    pub fn affine(&self, into: &mut [f32], scale: &[f32], shift: &[f32]) {
        // SAFETY: the table was chosen for this processor.
        unsafe { (self.affine)(into, scale, shift) }
    }

    /// `into += by`.
    pub fn add(&self, into: &mut [f32], by: &[f32]) {
        // SAFETY: the table was chosen for this processor.
        unsafe { (self.add)(into, by) }
    }

    /// `into *= by`.
    pub fn multiply(&self, into: &mut [f32], by: &[f32]) {
        // SAFETY: the table was chosen for this processor.
        unsafe { (self.multiply)(into, by) }
    }

    /// Turns a row into shares of one.
    pub fn softmax(&self, row: &mut [f32]) {
        // SAFETY: the table was chosen for this processor.
        unsafe { (self.softmax)(row) }
    }
}

/// What is done to a row after the kernel that makes it, while it is still in the cache.
#[derive(Clone, Copy, Debug)]
pub enum Tail {
    /// A curve.
    Curve(Activation),
    /// The same row of another value is added, or its only one, or the one of the row's image.
    Add(rows::Rows),
    /// It is multiplied by such a row.
    Multiply(rows::Rows),
}

impl Kernels {
    /// Applies tails to some channels of some rows.
    ///
    /// # Safety
    /// The memory is there, and no other thread writes what is read here or touches what is
    /// written.
    pub unsafe fn finish(
        &self,
        tails: &[Tail],
        into: &rows::Rows,
        rows: std::ops::Range<usize>,
        channels: std::ops::Range<usize>,
    ) {
        for row in rows {
            // SAFETY: promised by the caller.
            let numbers = unsafe { into.part(row, channels.clone()) };
            for tail in tails {
                match tail {
                    Tail::Curve(activation) => self.curve(*activation, numbers),
                    Tail::Add(other) | Tail::Multiply(other) => {
                        // One row for all, one for each image, or as many.
                        let row = row * other.count / into.count;
                        // SAFETY: promised by the caller.
                        let other = unsafe { &other.row(row)[channels.clone()] };
                        match tail {
                            Tail::Add(_) => self.add(numbers, other),
                            _ => self.multiply(numbers, other),
                        }
                    }
                }
            }
        }
    }
}
