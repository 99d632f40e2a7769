//! Mean 0 and variance 1: over a row, or over a group of channels of all rows.

use std::ops::Range;

use super::rows::Rows;
use super::{Kernels, Tail};

/// Rows whose sums are taken in f32 before they are added up in f64.
const RUN: usize = 32;

/// A norm's scale and shift by channel, and what is added to the variance.
pub struct Scales {
    /// What each channel is multiplied by.
    pub scale: Vec<f32>,
    /// What is then added.
    pub shift: Vec<f32>,
    /// Added to the variance.
    pub eps: f32,
}

/// A norm over groups of channels that is ready to run.
pub struct GroupNorm {
    /// The kernels for this processor.
    pub kernels: &'static Kernels,
    /// What to normalise: the rows of one image behind those of another.
    pub from: Rows,
    /// Where it goes.
    pub into: Rows,
    /// How many images.
    pub images: usize,
    /// How many groups.
    pub groups: usize,
    /// By channel.
    pub scales: Scales,
    /// What is done afterwards.
    pub tails: Vec<Tail>,
}

impl GroupNorm {
    /// How many numbers of scratch it needs.
    pub fn scratch(&self) -> usize {
        // Sums in f64, sums in f32, scale and shift.
        self.from.channels * 5
    }

    /// Normalises some groups of the first images.
    ///
    /// # Safety
    /// The memory of all rows is there, no other thread writes what is read here or touches these
    /// groups of the result, and there is room for the scratch, which is aligned for f64.
    pub unsafe fn run(&self, images: usize, groups: Range<usize>, scratch: *mut f32) {
        let (rows, wide) = (self.from.count / self.images, self.from.channels / self.groups);
        let channels = groups.start * wide..groups.end * wide;
        let width = channels.len();
        // SAFETY: the scratch is as large as `scratch` says.
        let (sums, run, scale, shift) = unsafe {
            let floats = scratch.add(2 * width);
            (
                std::slice::from_raw_parts_mut(scratch.cast::<f64>(), width),
                std::slice::from_raw_parts_mut(floats, width),
                std::slice::from_raw_parts_mut(floats.add(width), width),
                std::slice::from_raw_parts_mut(floats.add(2 * width), width),
            )
        };
        for image in 0..images.min(self.images) {
            let rows = image * rows..(image + 1) * rows;
            let count = (rows.len() * wide) as f64;
            // SAFETY: as the caller promises.
            unsafe { self.sums(rows.clone(), &channels, sums, run, None) };
            for (group, means) in sums.chunks(wide).zip(shift.chunks_mut(wide)) {
                means.fill((group.iter().sum::<f64>() / count) as f32);
            }
            // SAFETY: as the caller promises.
            unsafe { self.sums(rows.clone(), &channels, sums, run, Some(shift)) };
            for (group, by) in sums.chunks(wide).zip(scale.chunks_mut(wide)) {
                let variance = group.iter().sum::<f64>() / count;
                by.fill((1.0 / (variance + f64::from(self.scales.eps)).sqrt()) as f32);
            }
            for (at, channel) in channels.clone().enumerate() {
                scale[at] *= self.scales.scale[channel];
                shift[at] = self.scales.shift[channel] - shift[at] * scale[at];
            }
            for row in rows {
                // SAFETY: as the caller promises.
                unsafe {
                    let into = self.into.part(row, channels.clone());
                    into.copy_from_slice(&self.from.row(row)[channels.clone()]);
                    self.kernels.affine(into, scale, shift);
                    self.kernels.finish(&self.tails, &self.into, row..row + 1, channels.clone());
                }
            }
        }
    }

    /// Adds up every channel, or the squares of its distances from a mean.
    unsafe fn sums(
        &self,
        mut rows: Range<usize>,
        channels: &Range<usize>,
        sums: &mut [f64],
        run: &mut [f32],
        means: Option<&[f32]>,
    ) {
        sums.fill(0.0);
        while !rows.is_empty() {
            run.fill(0.0);
            for row in rows.by_ref().take(RUN) {
                // SAFETY: as `run`'s caller promises.
                let numbers = unsafe { &self.from.row(row)[channels.clone()] };
                match means {
                    None => self.kernels.add(run, numbers),
                    Some(means) => {
                        for ((sum, number), mean) in run.iter_mut().zip(numbers).zip(means) {
                            *sum += (number - mean) * (number - mean);
                        }
                    }
                }
            }
            sums.iter_mut().zip(&*run).for_each(|(sum, run)| *sum += f64::from(*run));
        }
    }
}
