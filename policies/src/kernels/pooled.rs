//! A convolution of which only the greatest under a window is wanted: a few lines at a time, so that what
//! is convolved never leaves the second cache.

use std::ops::Range;

use super::places::MaxPool;
use super::product::Product;
use super::rows::Rows;

/// Numbers of all lines that are held, about: half of a common second cache.
const NEAR: usize = 1 << 18;

/// Both, ready to run. The convolution's rows have no place of their own.
pub struct Pooled {
    /// What is convolved. Nothing may be done to it afterwards that looks at other rows.
    pub product: Product,
    /// What is taken of it, from windows without gaps.
    pub pool: MaxPool,
}

impl Pooled {
    /// Lines of the convolution that are needed for some lines of the result, before and behind an
    /// image too.
    fn needed(&self, lines: &Range<usize>) -> Range<usize> {
        let window = &self.pool.window;
        let first = (lines.start * window.stride).saturating_sub(window.padding);
        let last = (lines.end - 1) * window.stride + window.kernel[0];
        first..last.saturating_sub(window.padding).min(self.pool.grid[0])
    }

    /// Numbers of a line of the convolution.
    fn line(&self) -> usize {
        self.pool.grid[1] * self.product.into.channels
    }

    /// Lines of the result that are made at a time.
    fn together(&self) -> usize {
        let window = &self.pool.window;
        let held = (NEAR / self.line()).max(window.kernel[0]);
        (held - window.kernel[0]) / window.stride + 1
    }

    /// Lines that are held.
    fn held(&self) -> usize {
        (self.together() - 1) * self.pool.window.stride + self.pool.window.kernel[0]
    }

    /// How many numbers of scratch it needs.
    pub fn scratch(&self) -> usize {
        (self.held() * self.line()).next_multiple_of(16) + self.product.scratch()
    }

    /// Makes some lines of the result, counted over all images.
    ///
    /// # Safety
    /// The memory of what is read and of the result is there, no other thread writes what is read here or
    /// touches these lines of the result, and there is room for the product's pointers and for the
    /// scratch.
    pub unsafe fn run(
        &self,
        from: &Rows,
        lines: Range<usize>,
        (pointers, scratch): (*mut *const f32, *mut f32),
    ) {
        let ([height, columns], line) = (self.pool.grid, self.line());
        let (out, across) = (self.pool.out[0], self.pool.out[1]);
        let room = (pointers, scratch.wrapping_add((self.held() * line).next_multiple_of(16)));
        let mut start = lines.start;
        // The lines of this image that are held.
        let mut held: Range<usize> = 0..0;
        while start < lines.end {
            let image = start / out;
            let end = (start + self.together()).min(lines.end).min((image + 1) * out);
            let needed = self.needed(&(start - image * out..end - image * out));
            let kept = held.end.saturating_sub(needed.start);
            let made = needed.start + kept..needed.end.max(needed.start + kept);
            // As if the first of all lines were so far before those that are held.
            let first = (image * height + needed.start) * columns;
            let into = Rows {
                start: scratch.wrapping_sub(first * self.product.into.channels),
                ..self.product.into
            };
            let rows = |lines: Range<usize>| {
                (image * height + lines.start) * columns..(image * height + lines.end) * columns
            };
            // SAFETY: as the caller promises: no more lines are held than there is room for.
            unsafe {
                std::ptr::copy(scratch.add((held.len() - kept) * line), scratch, kept * line);
                let blocks = 0..self.product.packed.blocks();
                if !made.is_empty() {
                    self.product.run(from, &into, rows(made.clone()), blocks, room);
                }
                self.pool.run(&into, start * across..end * across);
            }
            held = needed.start..made.end;
            start = end;
            if start.is_multiple_of(out) {
                held = 0..0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::Window;
    use crate::graph::weights::Draw;
    use crate::kernels::Kernels;
    use crate::kernels::packed::{Packed, Source};
    use crate::kernels::product::Taps;
    use crate::kernels::slab::Slab;
    use crate::kernels::tile::Stored;

    proptest! {
        /// In whatever shares and however few lines at a time: the same as all of it, pooled afterwards.
        #[test]
        fn line_by_line_is_the_same(
            sides in [1usize..40, 1usize..9],
            images in 1usize..3,
            channels in prop::sample::select(vec![1usize, 16, 4000]),
            kernel in 1usize..4,
            stride in 1usize..4,
            cut in any::<prop::sample::Index>(),
            seed in any::<u64>(),
        ) {
            let padding = kernel / 2;
            let ([height, width], mut draw) = (sides, Draw(seed));
            let out = sides.map(|side| (side + 2 * padding - kernel.min(side + 2 * padding)) / stride + 1);
            let count = images * height * width;
            let mut numbers = draw.numbers(count);
            let (weights, bias) = (draw.numbers(channels), draw.numbers(channels));
            let scale = vec![1.0; channels];
            let source = Source {
                first: 0,
                output: 1,
                tap: 1,
                channel: 1,
                taps: &[Some(0)],
                channels: 1,
                segment: 1,
                scale: &scale,
                bias: &bias,
            };
            let slab = source.pack(&weights, Stored::F32).unwrap();
            let mut zeros = [0f32];
            let mut all = vec![0f32; count * channels];
            let mut pooled = vec![f32::NAN; images * out[0] * out[1] * channels];
            let mut wanted = pooled.clone();
            let kernel = [kernel.min(height + 2 * padding), kernel.min(width + 2 * padding)];
            let taps = Taps { grid: sides, out: sides, ..Taps::plain(count, 1) };
            let step = Pooled {
                product: Product {
                    kernels: Kernels::best(),
                    packed: Packed::new(std::sync::Arc::new(slab.into()), &source, Stored::F32),
                    taps,
                    from: Rows::dense(numbers.as_mut_ptr(), count, 1),
                    zeros: Rows::dense(zeros.as_mut_ptr(), 1, 1),
                    into: Rows::dense(all.as_mut_ptr(), count, channels),
                    residual: None,
                    relu: true,
                    tails: vec![],
                },
                pool: MaxPool {
                    kernels: Kernels::best(),
                    grid: sides,
                    into: Rows::dense(pooled.as_mut_ptr(), images * out[0] * out[1], channels),
                    out,
                    window: Window { kernel, stride, padding, dilation: 1 },
                },
            };
            let scratch = Slab::floats(step.scratch());
            let mut pointers = vec![std::ptr::null(); step.product.pointers()];
            let room = (pointers.as_mut_ptr(), scratch.start());
            let (from, into) = (step.product.from, step.product.into);
            let lines = images * out[0];
            let cut = cut.index(lines + 1);
            // SAFETY: everything is as long as the steps say.
            unsafe {
                step.product.run(&from, &into, 0..count, 0..channels.div_ceil(16), room);
                step.pool.run(&into, 0..lines * out[1]);
                wanted.copy_from_slice(&pooled);
                pooled.fill(f32::NAN);
                step.run(&from, cut..lines, room);
                step.run(&from, 0..cut, room);
            }
            prop_assert_eq!(pooled, wanted);
        }
    }
}
