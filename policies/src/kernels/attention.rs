//! Attention, one head at a time: the head's keys and values are packed as weights, so that the
//! product does both halves.

use std::ops::Range;

use super::Kernels;
use super::rows::Rows;
use super::sheet::Sheet;
use super::tile::{LANES, ROWS, Stored, Tile};

/// Queries whose scores are held at a time.
const QUERIES: usize = 64;

/// An attention that is ready to run.
pub struct Attention {
    /// The kernels for this processor.
    pub kernels: &'static Kernels,
    /// What asks, all heads side by side.
    pub queries: Rows,
    /// What is asked.
    pub keys: Rows,
    /// What is answered with.
    pub values: Rows,
    /// Where the answers go.
    pub into: Rows,
    /// How many heads.
    pub heads: usize,
    /// Whether a row sees only itself and those before it.
    pub causal: bool,
}

impl Attention {
    /// How many numbers of scratch it needs.
    pub fn scratch(&self) -> usize {
        let [keys, values, scores] = self.parts();
        keys + values + scores
    }

    /// How many pointers it needs room for.
    pub fn pointers(&self) -> usize {
        QUERIES
    }

    fn depth(&self) -> usize {
        self.queries.channels / self.heads
    }

    /// Packed keys, packed values, scores.
    fn parts(&self) -> [usize; 3] {
        let keys = self.keys.count.next_multiple_of(LANES);
        let depth = self.depth();
        [keys * depth, self.keys.count * depth.next_multiple_of(LANES), QUERIES * keys]
    }

    /// Runs one head.
    ///
    /// # Safety
    /// The memory of all rows is there, no other thread writes what is read here or touches this
    /// head's channels of the answers, and there is room for scratch and pointers.
    pub unsafe fn run(&self, head: usize, scratch: *mut f32, pointers: *mut *const f32) {
        let depth = self.depth();
        let head = head * depth..(head + 1) * depth;
        let [keys, values, _] = self.parts();
        // SAFETY: the scratch is as large as `parts` says.
        unsafe {
            let (keys, values, scores) = (scratch, scratch.add(keys), scratch.add(keys + values));
            self.pack(&head, keys, values);
            for start in (0..self.queries.count).step_by(QUERIES) {
                let rows = start..(start + QUERIES).min(self.queries.count);
                self.some(&head, rows, [keys, values, scores], pointers);
            }
        }
    }

    unsafe fn pack(&self, head: &Range<usize>, keys: *mut f32, values: *mut f32) {
        let (count, depth) = (self.keys.count, head.len());
        let scale = 1.0 / (depth as f32).sqrt();
        let lanes = count.next_multiple_of(LANES);
        // SAFETY: as `run`'s caller promises; the loops stay within what `parts` says.
        unsafe {
            for row in 0..count {
                let block = keys.add(row / LANES * depth * LANES + row % LANES);
                for (at, number) in self.keys.row(row)[head.clone()].iter().enumerate() {
                    *block.add(at * LANES) = number * scale;
                }
                let value = &self.values.row(row)[head.clone()];
                for (block, numbers) in value.chunks(LANES).enumerate() {
                    let into = values.add((block * count + row) * LANES);
                    into.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len());
                }
            }
            for row in count..lanes {
                let block = keys.add(row / LANES * depth * LANES + row % LANES);
                (0..depth).for_each(|at| *block.add(at * LANES) = 0.0);
            }
        }
    }

    /// Some queries of one head.
    unsafe fn some(
        &self,
        head: &Range<usize>,
        rows: Range<usize>,
        [keys, values, scores]: [*mut f32; 3],
        pointers: *mut *const f32,
    ) {
        let (count, depth) = (self.keys.count, head.len());
        let lanes = count.next_multiple_of(LANES);
        // SAFETY: as `run`'s caller promises; the loops stay within what `parts` says.
        unsafe {
            for (index, row) in rows.clone().enumerate() {
                *pointers.add(index) = self.queries.at(row).add(head.start);
            }
            let into = Rows { start: scores, count: rows.len(), channels: lanes, stride: lanes };
            self.multiply(pointers, depth, keys, into);
            for (index, row) in rows.clone().enumerate() {
                let seen = if self.causal { row + 1 } else { count };
                let scores = std::slice::from_raw_parts_mut(scores.add(index * lanes), lanes);
                self.kernels.softmax(&mut scores[..seen]);
                scores[seen..].fill(0.0);
                *pointers.add(index) = scores.as_ptr();
            }
            let into = Rows {
                start: self.into.at(rows.start).add(head.start),
                count: rows.len(),
                channels: depth,
                stride: self.into.stride,
            };
            self.multiply(pointers, count, values, into);
        }
    }

    /// All rows of some panels of weights.
    unsafe fn multiply(
        &self,
        pointers: *const *const f32,
        length: usize,
        weights: *const f32,
        into: Rows,
    ) {
        let sheet = Sheet {
            first: Tile {
                rows: pointers,
                segments: 1,
                length,
                weights: weights.cast(),
                into: into.start,
                stride: into.stride,
                ..Tile::EMPTY
            },
            stored: Stored::F32,
            rows: into.count,
            group: ROWS,
            outputs: into.channels,
            panel: length * LANES * size_of::<f32>(),
            after: weights.cast(),
        };
        // SAFETY: as `run`'s caller promises.
        unsafe { self.kernels.sheet(&sheet) };
    }
}
