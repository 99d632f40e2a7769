//! Linear maps and convolutions: rows of numbers, wherever they lie, times packed weights.

use std::borrow::Cow;
use std::ops::Range;

use super::blocks::{Blocks, SIDE};
use super::packed::Packed;
use super::rows::Rows;
use super::sheet::Sheet;
use super::strip::Strip;
use super::tile::{CHUNK, LANES, ROWS, Tile};
use super::{Kernels, Tail};

/// Rows of one block: their numbers of one chunk stay in the second cache while all the weights
/// pass by.
pub const BLOCK: usize = 160;
/// Few rows.
pub const SKINNY: usize = 24;

/// Where each row of a product finds its numbers: in the places of a grid, one for every tap.
#[derive(Clone, Debug)]
pub struct Taps {
    /// Height and width of what is read; as many of these as there are images.
    pub grid: [usize; 2],
    /// Height and width of what is written.
    pub out: [usize; 2],
    /// Places between two rows of the product, down and across.
    pub stride: [usize; 2],
    /// Where the taps are, from a row's first place, down and across. What lies outside the grid
    /// counts as zeros.
    pub offsets: Cow<'static, [[isize; 2]]>,
    /// How many numbers there are at a tap.
    pub length: usize,
}

impl Taps {
    /// Each row as it is.
    pub fn plain(rows: usize, length: usize) -> Self {
        let offsets = Cow::Borrowed(&[[0, 0]][..]);
        Self { grid: [rows, 1], out: [rows, 1], stride: [1, 1], offsets, length }
    }

    /// Fills `[tiles][taps][ROWS]` pointers for some rows of the product.
    ///
    /// # Safety
    /// `from` has rows for all places of all images, and `pointers` room for all taps.
    unsafe fn point(
        &self,
        from: &Rows,
        zeros: *const f32,
        rows: Range<usize>,
        pointers: *mut *const f32,
    ) {
        let [height, width] = self.grid;
        let [lines, columns] = self.out;
        let group = self.offsets.len() * ROWS;
        let place = rows.start % (lines * columns);
        for (tap, [below, beside]) in self.offsets.iter().enumerate() {
            let further = below.wrapping_mul(width.cast_signed()).wrapping_add(*beside);
            let further = further.wrapping_mul(from.stride.cast_signed());
            let mut image = rows.start / (lines * columns);
            let [mut line, mut column] = [place / columns, place % columns];
            for index in 0..rows.len() {
                let (down, across) = (line * self.stride[0], column * self.stride[1]);
                // A place before the first one wraps around and is as much outside as one behind
                // the last.
                let inside = down.wrapping_add_signed(*below) < height
                    && across.wrapping_add_signed(*beside) < width;
                let start = match inside {
                    true => {
                        let origin = ((image * height + down) * width + across) * from.stride;
                        from.start.wrapping_add(origin).wrapping_offset(further).cast_const()
                    }
                    false => zeros,
                };
                // SAFETY: promised by the caller.
                unsafe { *pointers.add(index / ROWS * group + tap * ROWS + index % ROWS) = start };
                column += 1;
                if column == columns {
                    (line, column) = (line + 1, 0);
                    if line == lines {
                        (image, line) = (image + 1, 0);
                    }
                }
            }
        }
    }
}

/// So many numbers of so many taps, which are multiplied in one go.
#[derive(Clone, Debug)]
struct Chunk {
    taps: Range<usize>,
    /// From where in each tap.
    skip: usize,
    length: usize,
    /// Where in a row of the product.
    at: usize,
}

/// A product that is ready to run, as often as one likes.
pub struct Product {
    /// The kernels for this processor.
    pub kernels: &'static Kernels,
    /// What to multiply with.
    pub packed: Packed,
    /// Where the rows find their numbers.
    pub taps: Taps,
    /// What they find them in.
    pub from: Rows,
    /// A row of as many zeros as a tap has numbers.
    pub zeros: Rows,
    /// Where the rows go.
    pub into: Rows,
    /// What is added to them first.
    pub residual: Option<Rows>,
    /// Whether what is then below zero becomes zero.
    pub relu: bool,
    /// What is done afterwards.
    pub tails: Vec<Tail>,
}

impl Product {
    /// How many pointers it needs room for.
    pub fn pointers(&self) -> usize {
        let rows = if self.kind().is_some() { 1 } else { BLOCK };
        rows * self.taps.offsets.len()
    }

    /// How many rows are worked on at a time.
    fn together(&self) -> usize {
        let Some(kind) = self.kind() else { return BLOCK };
        let lines = Strip::lines(&self.taps, self.from.channels, kind);
        (lines * self.taps.out[1] / self.grain()).max(1) * self.grain()
    }

    /// How many rows stay together, whoever works on them.
    pub fn grain(&self) -> usize {
        match self.taps.out[1] {
            _ if self.kind().is_none() => ROWS,
            1 => 2 * SIDE,
            columns => columns,
        }
    }

    /// Makes some rows of some blocks of sixteen outputs of what is in `from`: the product's own
    /// rows, or the same as whole numbers where the weights are such. They go to `into`, which is the
    /// product's own or counted like it.
    ///
    /// # Safety
    /// The memory of all rows is there, no other thread writes what is read here or touches these
    /// outputs of these rows, and there is room for [`Product::pointers`] and [`Product::scratch`].
    pub unsafe fn run(
        &self,
        from: &Rows,
        into: &Rows,
        rows: Range<usize>,
        blocks: Range<usize>,
        (pointers, scratch): (*mut *const f32, *mut f32),
    ) {
        let parts = rows.len().div_ceil(self.together());
        let mut start = rows.start;
        for part in 0..parts {
            let left = rows.end - start;
            let count = left.div_ceil(parts - part).next_multiple_of(self.grain()).min(left);
            // SAFETY: as the caller promises.
            unsafe {
                self.block(from, into, start..start + count, blocks.clone(), (pointers, scratch));
            }
            start += count;
        }
    }

    unsafe fn block(
        &self,
        from: &Rows,
        into: &Rows,
        rows: Range<usize>,
        blocks: Range<usize>,
        (pointers, scratch): (*mut *const f32, *mut f32),
    ) {
        match self.kind() {
            // SAFETY: as the caller of `run` promises.
            Some(kind) => unsafe {
                let room = (pointers.cast(), scratch);
                self.in_blocks(kind, [from, into], rows.clone(), blocks.clone(), room);
            },
            // SAFETY: as above; there are no more rows than it has pointers for.
            None => unsafe {
                self.taps.point(from, self.zeros.at(0), rows.clone(), pointers);
                self.sheets(into, rows.clone(), blocks.clone(), pointers);
            },
        }
        let channels = blocks.start * LANES..(blocks.end * LANES).min(self.packed.outputs);
        // SAFETY: as above.
        unsafe { self.kernels.finish(&self.tails, into, rows, channels) };
    }

    /// How its numbers are multiplied where it is in blocks.
    fn kind(&self) -> Option<&'static Blocks> {
        self.kernels.blocks(self.packed.stored)
    }

    /// How many numbers of scratch it needs.
    pub fn scratch(&self) -> usize {
        let Some(kind) = self.kind() else { return 0 };
        let [height, columns] = self.taps.out;
        let (all, lines) = (self.into.count / columns, self.together() / columns);
        let lines = lines.min(all);
        let strip = Strip::new(&self.taps, self.from.channels, lines, kind);
        strip.floats(lines, all / height)
    }

    unsafe fn sheets(
        &self,
        into: &Rows,
        rows: Range<usize>,
        blocks: Range<usize>,
        pointers: *mut *const f32,
    ) {
        // With so few rows it is the weights that are waited for: they are read once, from end to end.
        let skinny = rows.len() <= SKINNY;
        // Many rows go through one chunk of all panels after the other.
        let together = if skinny { self.kernels.panels() } else { blocks.len().max(1) };
        for first in blocks.clone().step_by(together) {
            let blocks = first..(first + together).min(blocks.end);
            for chunk in chunks(&self.taps) {
                // SAFETY: as the caller of `run` promises, and the pointers are there.
                unsafe { self.panels(into, rows.clone(), blocks.clone(), &chunk, pointers) };
            }
        }
    }

    /// Some rows of some blocks of sixteen outputs, as far as one chunk goes.
    unsafe fn panels(
        &self,
        into: &Rows,
        rows: Range<usize>,
        blocks: Range<usize>,
        chunk: &Chunk,
        pointers: *const *const f32,
    ) {
        let numbers = chunk.taps.len() * chunk.length;
        let (first, last) = (chunk.at == 0, chunk.at + numbers == self.packed.inputs);
        let lane = blocks.start * LANES;
        let residual = self.residual.filter(|_| last);
        // SAFETY: the pointers, the packed weights and the rows reach this far, as the caller promises.
        unsafe {
            self.kernels.sheet(&Sheet {
                first: Tile {
                    rows: pointers.add(chunk.taps.start * ROWS),
                    skip: chunk.skip,
                    segments: chunk.taps.len(),
                    length: chunk.length,
                    weights: self.packed.panel(blocks.start, chunk.at),
                    scales: self.packed.scales(blocks.start),
                    into: into.at(rows.start).add(lane),
                    stride: into.stride,
                    bias: if first { self.packed.bias(blocks.start) } else { std::ptr::null() },
                    residual: residual
                        .map_or(std::ptr::null(), |residual| residual.at(rows.start).add(lane)),
                    residual_stride: residual.map_or(0, |residual| residual.stride),
                    accumulate: !first,
                    relu: self.relu && last,
                    ..Tile::EMPTY
                },
                stored: self.packed.stored,
                rows: rows.len(),
                group: self.taps.offsets.len() * ROWS,
                outputs: blocks.len() * LANES
                    - (blocks.end * LANES).saturating_sub(self.packed.outputs),
                panel: self.packed.beside(),
                after: self.packed.panel(blocks.start, chunk.at + numbers),
            });
        }
    }
}

/// Cuts a row of the product into chunks: several short taps in one, or a long tap into several.
fn chunks(taps: &Taps) -> impl Iterator<Item = Chunk> {
    let pieces = taps.length.div_ceil(CHUNK).max(1);
    let together = (CHUNK / taps.length).clamp(1, taps.offsets.len());
    let turns = taps.offsets.len().div_ceil(together);
    let together = taps.offsets.len().div_ceil(turns);
    let (count, whole) = (taps.offsets.len(), taps.length);
    (0..turns).flat_map(move |turn| {
        let taps = turn * together..((turn + 1) * together).min(count);
        (0..pieces).map(move |piece| {
            // Pairs stay together.
            let cut = |piece: usize| (piece * whole / pieces).next_multiple_of(2).min(whole);
            let (from, to) = (cut(piece), cut(piece + 1));
            let at = taps.start * whole + from;
            Chunk { taps: taps.clone(), skip: from, length: to - from, at }
        })
    })
}
