//! Rows times some panels of weights, cut into the tiles that this processor's kernels take.

use super::Kernels;
use super::tile::{Ahead, LANES, ROWS, Stored, Tile, narrow};

/// A product of which all rows and outputs are reached by counting on from the first tile's.
pub struct Sheet {
    /// The first tile, which says nothing yet of what lies beside it or is read next.
    pub first: Tile,
    /// What the weights are kept as.
    pub stored: Stored,
    /// How many rows.
    pub rows: usize,
    /// From the pointers of [`ROWS`] rows to those of the next.
    pub group: usize,
    /// How many outputs.
    pub outputs: usize,
    /// How many bytes behind a panel of sixteen outputs' weights the next one lies.
    pub panel: usize,
    /// Where the weights are that will be read after these.
    pub after: *const u8,
}

impl Kernels {
    /// How many rows a tile has at most.
    pub(super) fn rows(&self) -> usize {
        self.tile[0].len()
    }

    /// How many panels it has at most.
    pub(super) fn panels(&self) -> usize {
        if self.wide[0].is_empty() { 1 } else { 2 }
    }

    /// Makes all tiles, panel by panel: the weights are read once, from end to end.
    ///
    /// # Safety
    /// All that the sheet points to is there, and nobody else touches its results.
    pub unsafe fn sheet(&self, sheet: &Sheet) {
        let Sheet { first, stored, rows, .. } = sheet;
        let tiles = rows.div_ceil(self.rows());
        let numbers = first.segments * first.length;
        let further = |place: *const f32, by: usize| match place.is_null() {
            true => place,
            false => place.wrapping_add(by),
        };
        let mut lane = 0;
        while lane < sheet.outputs {
            let width = LANES.min(sheet.outputs - lane);
            let two = self.panels() == 2 && sheet.outputs - lane >= 2 * LANES;
            let kernels = if two { &self.wide } else { &self.tile }[*stored as usize];
            let end = lane + if two { 2 * LANES } else { width };
            let panel = |lane: usize| first.weights.wrapping_add(lane / LANES * sheet.panel);
            let next = if end < sheet.outputs { panel(end) } else { sheet.after };
            for (index, row) in (0..*rows).step_by(self.rows()).enumerate() {
                let count = self.rows().min(rows - row);
                let group = row / ROWS * sheet.group + row % ROWS;
                let residual = row * first.residual_stride + lane;
                let tile = Tile {
                    rows: first.rows.wrapping_add(group),
                    weights: panel(lane),
                    beside: sheet.panel,
                    scales: further(first.scales, lane),
                    into: first.into.wrapping_add(row * first.stride + lane),
                    bias: further(first.bias, lane),
                    residual: further(first.residual, residual),
                    ahead: Ahead::share(next, [index, tiles], numbers, *stored),
                    ..*first
                };
                let kernel = kernels[count - 1];
                // SAFETY: as the caller promises; the table was chosen for this processor.
                unsafe {
                    match width == LANES {
                        true => kernel(&tile),
                        false => narrow(kernel, &tile, count, width),
                    }
                }
            }
            lane = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::weights::Draw;

    /// A sheet's sizes and ends.
    #[derive(Debug)]
    struct Case {
        rows: usize,
        segments: usize,
        length: usize,
        skip: usize,
        outputs: usize,
        stored: Stored,
        bias: bool,
        residual: bool,
        accumulate: bool,
        relu: bool,
        seed: u64,
    }

    fn case() -> impl Strategy<Value = Case> {
        let sizes = (1..=2 * ROWS + 3, 1usize..4, 1usize..40, 0usize..3, 1..=5 * LANES);
        let stored = prop_oneof![Just(Stored::F32), Just(Stored::F16), Just(Stored::Bf16)];
        let ends = any::<[bool; 4]>();
        (sizes, stored, ends, any::<u64>()).prop_map(|(sizes, stored, ends, seed)| {
            let (rows, segments, length, skip, outputs) = sizes;
            let [bias, residual, accumulate, relu] = ends;
            Case {
                rows,
                segments,
                length,
                skip,
                outputs,
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
            for kernels in Kernels::all() {
                check(&case, kernels);
            }
        }
    }

    fn check(case: &Case, kernels: &Kernels) {
        let mut draw = Draw(case.seed);
        let deep = case.segments * case.length;
        let (stride, panels) = (case.outputs + 3, case.outputs.div_ceil(LANES));
        let reach = case.skip + case.length;
        let numbers = draw.numbers(case.rows * case.segments * reach);
        let (bytes, worth) = weights(&mut draw, panels * deep * LANES, case.stored);
        let (bias, residual) = (draw.numbers(panels * LANES), draw.numbers(case.rows * stride));
        let before = draw.numbers(case.rows * stride);
        let mut into = before.clone();
        let group = case.segments * ROWS;
        let mut starts = vec![std::ptr::null(); case.rows.div_ceil(ROWS) * group];
        for row in 0..case.rows {
            for segment in 0..case.segments {
                starts[row / ROWS * group + segment * ROWS + row % ROWS] =
                    numbers[(row * case.segments + segment) * reach..].as_ptr();
            }
        }
        let first = Tile {
            rows: starts.as_ptr(),
            skip: case.skip,
            segments: case.segments,
            length: case.length,
            weights: bytes.as_ptr(),
            into: into.as_mut_ptr(),
            stride,
            bias: if case.bias { bias.as_ptr() } else { std::ptr::null() },
            residual: if case.residual { residual.as_ptr() } else { std::ptr::null() },
            residual_stride: stride,
            accumulate: case.accumulate,
            relu: case.relu,
            ..Tile::EMPTY
        };
        let sheet = Sheet {
            first,
            stored: case.stored,
            rows: case.rows,
            group,
            outputs: case.outputs,
            panel: deep * LANES * case.stored.bytes(),
            after: bytes.as_ptr(),
        };
        // SAFETY: everything is as long as the sheet says.
        unsafe { kernels.sheet(&sheet) };
        for (at, got) in into.iter().enumerate() {
            let (row, lane) = (at / stride, at % stride);
            if lane >= case.outputs {
                assert_eq!(*got, before[at], "what lies beside is left alone");
                continue;
            }
            let product = |k: usize| {
                let start = (row * case.segments + k / case.length) * reach + case.skip;
                let weight = (lane / LANES * deep + k) * LANES + lane % LANES;
                f64::from(numbers[start + k % case.length]) * worth[weight]
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
