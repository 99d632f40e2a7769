//! What is done place by place: the greatest under a window, a border of zeros, the middle of a
//! heap.

use std::ops::Range;

use super::Kernels;
use super::rows::Rows;
use crate::graph::Window;

/// Taps that are compared at a time.
const TAPS: usize = 16;

/// A window that takes the greatest, ready to run.
pub struct MaxPool {
    /// The kernels for this processor.
    pub kernels: &'static Kernels,
    /// Height and width of the images it reads.
    pub grid: [usize; 2],
    /// Where the greatest go.
    pub into: Rows,
    /// Height and width there.
    pub out: [usize; 2],
    /// The window.
    pub window: Window,
}

impl MaxPool {
    /// Makes some rows of images, which have a row for every place.
    ///
    /// # Safety
    /// The memory of all rows is there, and no other thread writes what is read here or touches
    /// these rows of the result.
    pub unsafe fn run(&self, from: &Rows, rows: Range<usize>) {
        let Window { kernel, stride, padding, dilation } = self.window;
        let places = self.out[0] * self.out[1];
        for row in rows {
            let (image, place) = (row / places, row % places);
            let (down, across) = (place / self.out[1] * stride, place % self.out[1] * stride);
            // SAFETY: as the caller promises.
            let into = unsafe { self.into.part(row, 0..self.into.channels) };
            into.fill(f32::NEG_INFINITY);
            let (mut taps, mut count) = ([std::ptr::null(); TAPS], 0);
            for tap in 0..kernel[0] * kernel[1] {
                let y = (down + tap / kernel[1] * dilation).wrapping_sub(padding);
                let x = (across + tap % kernel[1] * dilation).wrapping_sub(padding);
                if y < self.grid[0] && x < self.grid[1] {
                    let place = (image * self.grid[0] + y) * self.grid[1] + x;
                    taps[count] = from.at(place).cast_const();
                    count += 1;
                }
                if count == TAPS {
                    // SAFETY: as the caller promises; the kernels were chosen for this processor.
                    unsafe { (self.kernels.greatest)(&taps, into) };
                    count = 0;
                }
            }
            // SAFETY: as above.
            unsafe { (self.kernels.greatest)(&taps[..count], into) };
        }
    }
}

/// Copies images into larger ones whose border stays as it is, ready to run.
pub struct Border {
    /// Images, a row for every place.
    pub from: Rows,
    /// Height and width of each.
    pub grid: [usize; 2],
    /// The larger images.
    pub into: Rows,
    /// How wide the border is, the same on all sides.
    pub wide: usize,
}

impl Border {
    /// Copies some lines, counted over all images, and makes their border zero. The lines above
    /// and below an image go with its first and last one.
    ///
    /// # Safety
    /// The memory of all rows is there, and no other thread writes what is read here or touches
    /// these lines of the result.
    pub unsafe fn run(&self, lines: Range<usize>) {
        let [height, width] = self.grid;
        let (channels, wide) = (self.from.channels, self.wide);
        let line = (width + 2 * wide) * channels;
        for from in lines {
            let (image, y) = (from / height, from % height);
            let first = image * (height + 2 * wide) + wide + y;
            // Some channels of wider rows have gaps between them.
            let run = if self.from.stride == channels { width } else { 1 };
            // SAFETY: as the caller promises; the result is dense, because nothing else is in it.
            unsafe {
                let start = self.into.start.add(first * line);
                start.write_bytes(0, wide * channels);
                let middle = start.add(wide * channels);
                for x in (0..width).step_by(run) {
                    let into = middle.add(x * channels);
                    into.copy_from_nonoverlapping(self.from.at(from * width + x), run * channels);
                }
                middle.add(width * channels).write_bytes(0, wide * channels);
                if y == 0 {
                    start.sub(wide * line).write_bytes(0, wide * line);
                }
                if y + 1 == height {
                    start.add(line).write_bytes(0, wide * line);
                }
            }
        }
    }
}

/// Where each channel of an image has its weight, ready to run.
pub struct SpatialSoftmax {
    /// The kernels for this processor.
    pub kernels: &'static Kernels,
    /// Images, a row for every place.
    pub from: Rows,
    /// Height and width of each.
    pub grid: [usize; 2],
    /// A row for every image: x and y of the first channel, then of the next.
    pub into: Rows,
}

impl SpatialSoftmax {
    /// How many numbers of scratch it needs.
    pub fn scratch(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Some channels of all images.
    ///
    /// # Safety
    /// The memory of all rows is there, no other thread writes what is read here or touches these
    /// channels' places, and there is room for the scratch.
    pub unsafe fn run(&self, channels: Range<usize>, scratch: *mut f32) {
        let [height, width] = self.grid;
        let places = height * width;
        // SAFETY: the scratch is as large as `scratch` says.
        let shares = unsafe { std::slice::from_raw_parts_mut(scratch, places) };
        for image in 0..self.into.count {
            for channel in channels.clone() {
                for (place, share) in shares.iter_mut().enumerate() {
                    // SAFETY: as the caller promises.
                    *share = unsafe { *self.from.at(image * places + place).add(channel) };
                }
                self.kernels.softmax(shares);
                let (mut x, mut y) = (0.0, 0.0);
                for (place, share) in shares.iter().enumerate() {
                    x += f64::from(*share) * along(place % width, width);
                    y += f64::from(*share) * along(place / width, height);
                }
                // SAFETY: as the caller promises.
                let into = unsafe { self.into.part(image, 2 * channel..2 * channel + 2) };
                into.copy_from_slice(&[x as f32, y as f32]);
            }
        }
    }
}

/// A place's coordinate from -1 to 1; -1 where there is only one.
pub fn along(place: usize, count: usize) -> f64 {
    if count > 1 { 2.0 * place as f64 / (count - 1) as f64 - 1.0 } else { -1.0 }
}
