//! Attention, one head at a time: the head's keys and values are packed as weights, so that the
//! product does both halves.

use std::ops::Range;

use super::Kernels;
use super::blocks::{Blocks, PAIRS, Rounded, Worth};
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
    fn pairs(&self) -> Option<&'static Blocks> {
        self.kernels.blocks(Stored::Pairs).filter(|_| self.rounded)
    }

    /// How many f32 so many weights of so many panels take.
    fn panels(&self, deep: usize, outputs: usize) -> usize {
        let outputs = outputs.next_multiple_of(LANES);
        match self.pairs() {
            Some(_) => Stored::Pairs.filled(deep) * outputs / 2,
            None => deep * outputs,
        }
    }

    /// Packed keys, packed values, scores, rounded queries and scores.
    fn parts(&self) -> [usize; 4] {
        let (keys, depth) = (self.keys.count, self.depth());
        let strip = |channels, pairs| {
            let taps = Taps::plain(QUERIES, channels);
            Strip::new(&taps, channels, QUERIES, pairs).floats(QUERIES, 1)
        };
        let rounded = self.pairs().map_or(0, |pairs| strip(keys, pairs).max(strip(depth, pairs)));
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
                Some(kind) => self.pack_pairs(kind, &head, keys.cast(), values.cast()),
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
    unsafe fn pack_pairs(
        &self,
        kind: &Blocks,
        head: &Range<usize>,
        keys: *mut [u16; 2],
        values: *mut [u16; 2],
    ) {
        let (count, depth) = (self.keys.count, head.len());
        let scale = 1.0 / (depth as f32).sqrt();
        let [deep, long] = [depth, count].map(|numbers| kind.filled(numbers));
        let round = |numbers: [f32; PAIRS]| {
            let mut near = [0u16; PAIRS];
            // SAFETY: the kernels are this processor's, and all of a block is there.
            unsafe {
                (kind.round)(numbers.as_ptr(), PAIRS, near.as_mut_ptr().cast(), Worth::ONE);
            }
            near
        };
        // SAFETY: as `run`'s caller promises; the loops stay within what `parts` says, and zeros fill the
        // blocks.
        unsafe {
            for row in 0..count.next_multiple_of(LANES) {
                let key = if row < count { &self.keys.row(row)[head.clone()] } else { &[] };
                let mut place = keys.add(row / LANES * deep / 2 * LANES + row % LANES);
                for start in (0..deep).step_by(PAIRS) {
                    let key = key.get(start..).unwrap_or_default().iter();
                    let mut numbers = [0.0; PAIRS];
                    numbers.iter_mut().zip(key).for_each(|(into, number)| *into = number * scale);
                    for pair in round(numbers).as_chunks().0 {
                        *place = *pair;
                        place = place.add(LANES);
                    }
                }
            }
            for row in (0..long).step_by(2) {
                for start in (0..depth).step_by(LANES) {
                    let mut numbers = [0.0; PAIRS];
                    for (row, numbers) in (row..count).zip(numbers.as_chunks_mut::<LANES>().0) {
                        let value = self.values.row(row)[head.clone()][start..].iter();
                        numbers.iter_mut().zip(value).for_each(|(into, number)| *into = *number);
                    }
                    let near = round(numbers);
                    let place = values.add(start * long / 2 + row / 2 * LANES);
                    for lane in 0..LANES {
                        *place.add(lane) = [near[lane], near[LANES + lane]];
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
                    kind: pairs,
                    taps: &Taps::plain(from.count, length),
                    from,
                    lines: 0..from.count,
                    weights,
                    beside: Stored::Pairs.filled(length) * LANES * size_of::<u16>(),
                    outputs: into.channels,
                    first,
                };
                // SAFETY: as `run`'s caller promises.
                unsafe { rows.run(pointers.cast(), rounded) };
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
