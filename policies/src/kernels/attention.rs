//! Attention, one head at a time: the head's keys and values are packed as weights, so that the
//! product does both halves.

use std::ops::Range;

use super::Kernels;
use super::pairs::{Pairs, Rounded, filled, nearest};
use super::product::Taps;
use super::rows::Rows;
use super::sheet::Sheet;
use super::strip::Strip;
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
    /// Whether all that is multiplied is rounded to bf16 first, where the processor gains by it.
    pub rounded: bool,
}

impl Attention {
    /// How many numbers of scratch it needs.
    pub fn scratch(&self) -> usize {
        let [keys, values, scores, rounded] = self.parts();
        keys + values + scores + rounded
    }

    /// How many pointers it needs room for.
    pub fn pointers(&self) -> usize {
        QUERIES
    }

    fn depth(&self) -> usize {
        self.queries.channels / self.heads
    }

    /// How this processor multiplies what is rounded first.
    fn pairs(&self) -> Option<&'static Pairs> {
        self.kernels.pairs().filter(|_| self.rounded)
    }

    /// How many f32 so many weights of so many panels take.
    fn panels(&self, deep: usize, outputs: usize) -> usize {
        let outputs = outputs.next_multiple_of(LANES);
        if self.pairs().is_some() { filled(deep) * outputs / 2 } else { deep * outputs }
    }

    /// Packed keys, packed values, scores, rounded queries and scores.
    fn parts(&self) -> [usize; 4] {
        let (keys, depth) = (self.keys.count, self.depth());
        let strip = |channels| {
            let taps = Taps::plain(QUERIES, channels);
            Strip::new(&taps, channels, QUERIES).numbers(QUERIES, 1).div_ceil(2)
        };
        let rounded = self.pairs().map_or(0, |_| strip(keys).max(strip(depth)));
        let scores = QUERIES * keys.next_multiple_of(LANES);
        [self.panels(depth, keys), self.panels(keys, depth), scores, rounded]
    }

    /// Runs one head.
    ///
    /// # Safety
    /// The memory of all rows is there, no other thread writes what is read here or touches this
    /// head's channels of the answers, and there is room for scratch and pointers.
    pub unsafe fn run(&self, head: usize, scratch: *mut f32, pointers: *mut *const f32) {
        let depth = self.depth();
        let head = head * depth..(head + 1) * depth;
        let sizes = self.parts();
        // SAFETY: the scratch is as large as `parts` says.
        unsafe {
            let (keys, values) = (scratch, scratch.add(sizes[0]));
            let scores = values.add(sizes[1]);
            let rounded = scores.add(sizes[2]);
            match self.pairs() {
                Some(_) => self.pack_pairs(&head, keys.cast(), values.cast()),
                None => self.pack(&head, keys, values),
            }
            for start in (0..self.queries.count).step_by(QUERIES) {
                let rows = start..(start + QUERIES).min(self.queries.count);
                self.some(&head, rows, [keys, values, scores, rounded], pointers);
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

    /// The same as pairs of bf16.
    unsafe fn pack_pairs(&self, head: &Range<usize>, keys: *mut u16, values: *mut u16) {
        let (count, depth) = (self.keys.count, head.len());
        let scale = 1.0 / (depth as f32).sqrt();
        let [key, value] = [filled(depth) * LANES, filled(count) * LANES];
        // SAFETY: as `run`'s caller promises; the loops stay within what `parts` says.
        unsafe {
            keys.write_bytes(0, key * count.div_ceil(LANES));
            values.write_bytes(0, value * depth.div_ceil(LANES));
            for row in 0..count {
                let (pairs, rest) = self.keys.row(row)[head.clone()].as_chunks::<2>();
                let block = keys.add(row / LANES * key + row % LANES * 2);
                for (at, pair) in pairs.iter().enumerate() {
                    let pair = pair.map(|number| nearest(number * scale));
                    block.add(at * 2 * LANES).cast::<[u16; 2]>().write_unaligned(pair);
                }
                for number in rest {
                    *block.add(pairs.len() * 2 * LANES) = nearest(number * scale);
                }
            }
            for row in (0..count).step_by(2) {
                let first = &self.values.row(row)[head.clone()];
                let last = (row + 1 < count).then(|| &self.values.row(row + 1)[head.clone()]);
                for (block, first) in first.chunks(LANES).enumerate() {
                    let place = values.add(block * value + row * LANES);
                    let into = std::slice::from_raw_parts_mut(place, 2 * first.len());
                    let (pairs, _) = into.as_chunks_mut::<2>();
                    match last {
                        Some(last) => {
                            let both = first.iter().zip(&last[block * LANES..]);
                            for (pair, (first, last)) in pairs.iter_mut().zip(both) {
                                *pair = [nearest(*first), nearest(*last)];
                            }
                        }
                        None => {
                            for (pair, first) in pairs.iter_mut().zip(first) {
                                *pair = [nearest(*first), 0];
                            }
                        }
                    }
                }
            }
        }
    }

    /// Some queries of one head.
    unsafe fn some(
        &self,
        head: &Range<usize>,
        rows: Range<usize>,
        [keys, values, scores, rounded]: [*mut f32; 4],
        pointers: *mut *const f32,
    ) {
        let (count, depth) = (self.keys.count, head.len());
        let lanes = count.next_multiple_of(LANES);
        // SAFETY: as `run`'s caller promises; the loops stay within what `parts` says.
        unsafe {
            let asked = Rows {
                start: self.queries.at(rows.start).add(head.start),
                count: rows.len(),
                channels: depth,
                stride: self.queries.stride,
            };
            let seen = Rows { start: scores, count: rows.len(), channels: lanes, stride: lanes };
            self.multiply(asked, keys, seen, rounded, pointers);
            for (index, row) in rows.clone().enumerate() {
                let seen = if self.causal { row + 1 } else { count };
                let scores = std::slice::from_raw_parts_mut(scores.add(index * lanes), lanes);
                self.kernels.softmax(&mut scores[..seen]);
                scores[seen..].fill(0.0);
            }
            let into = Rows {
                start: self.into.at(rows.start).add(head.start),
                count: rows.len(),
                channels: depth,
                stride: self.into.stride,
            };
            self.multiply(Rows { channels: count, ..seen }, values, into, rounded, pointers);
        }
    }

    /// All rows of some panels of weights.
    unsafe fn multiply(
        &self,
        from: Rows,
        weights: *const f32,
        into: Rows,
        rounded: *mut f32,
        pointers: *mut *const f32,
    ) {
        let length = from.channels;
        let first = Tile { into: into.start, stride: into.stride, ..Tile::EMPTY };
        let weights = weights.cast::<u8>();
        match self.pairs() {
            Some(pairs) => {
                let rows = Rounded {
                    pairs,
                    taps: &Taps::plain(from.count, length),
                    from,
                    lines: 0..from.count,
                    weights,
                    beside: filled(length) * LANES * size_of::<u16>(),
                    outputs: into.channels,
                    first,
                };
                // SAFETY: as `run`'s caller promises.
                unsafe { rows.run(pointers.cast(), rounded.cast()) };
            }
            None => {
                for row in 0..from.count {
                    // SAFETY: there is room for a pointer to each of the rows.
                    unsafe { *pointers.add(row) = from.at(row) };
                }
                let sheet = Sheet {
                    first: Tile { rows: pointers, segments: 1, length, weights, ..first },
                    stored: Stored::F32,
                    rows: into.count,
                    group: ROWS,
                    outputs: into.channels,
                    panel: length * LANES * size_of::<f32>(),
                    after: weights,
                };
                // SAFETY: as `run`'s caller promises.
                unsafe { self.kernels.sheet(&sheet) };
            }
        }
    }
}
