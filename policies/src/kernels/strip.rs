//! Lines of images, rounded, with zeros around them: what a product's taps read.
//!
//! Its rows' first places lie the same distance apart, so that a processor that takes sixteen rows at a
//! time needs nothing but this distance. Where lines are not as long as several times sixteen, a unit of
//! rows goes on in the next line, across the border between them; what comes out for the border is not
//! stored.

use std::ops::Range;

use super::blocks::{Blocks, SIDE, Widen, Worth};
use super::product::Taps;
use super::rows::Rows;
use super::slab::LINE;

/// Bytes of what is rounded and what becomes of it, about, that stay near: half of a common second cache
/// where it is read once.
const NEAR: usize = 1 << 20;

/// How some lines of a product lie in memory.
pub struct Strip<'a> {
    taps: &'a Taps,
    /// Who multiplies them.
    blocks: &'static Blocks,
    /// Numbers of a place in the image.
    channels: usize,
    /// From a place to the next.
    place: usize,
    /// Places before an image's first column.
    left: usize,
    /// Places in a line.
    width: usize,
    /// Where the first line of taps is, from a row's place.
    top: isize,
    /// Lines that a row's taps reach over.
    span: usize,
    /// Lines of an image, at most.
    height: usize,
    /// From a row's first place to the next row's.
    pub line: usize,
    /// How many rows' places there are from line to line.
    pitch: usize,
}

/// Up to sixteen rows, one after the other.
pub struct Unit {
    /// Where the first one's first place is.
    pub at: usize,
    /// The first one's line, counted over all images, and its column, which may be behind the last.
    first: [usize; 2],
    /// How many.
    count: usize,
}

impl<'a> Strip<'a> {
    /// For so many lines of rows at once, of places with so many channels.
    pub fn new(taps: &'a Taps, channels: usize, lines: usize, blocks: &'static Blocks) -> Self {
        let ([down, across], columns) = (taps.stride, taps.out[1]);
        let [top, bottom] = reach(taps, 0);
        let [first, last] = reach(taps, 1);
        let left = first.min(0).unsigned_abs();
        let seen = ((columns - 1) * across).saturating_add_signed(last + 1);
        let width = left + seen.max(taps.grid[1]);
        let span = (bottom - top).unsigned_abs() + 1;
        let height = (lines.min(taps.out[0]).max(1) - 1) * down + span;
        // A tap of several places goes from one to the next.
        let place = if taps.length == channels { blocks.filled(channels) } else { channels };
        let single = columns == 1;
        let line = if single { down * width * place } else { across * place };
        let pitch = if single { 1 } else { width * down / across };
        let whole = columns.next_multiple_of(SIDE);
        let pitch = if down == across && pitch < whole || single { pitch } else { whole };
        Self { taps, blocks, channels, place, left, width, top, span, height, line, pitch }
    }

    /// How many lines of a product's rows are worked on at a time so that they stay near.
    pub fn lines(taps: &'a Taps, channels: usize, blocks: &'static Blocks) -> usize {
        // What is read twice should be near the second time, too.
        let bytes = if blocks.range.is_some() { size_of::<f32>() } else { blocks.size() };
        let size = |lines| {
            let strip = Self::new(taps, channels, lines, blocks);
            strip.width * strip.place * strip.height * bytes
        };
        let whole = size(taps.out[0]);
        if whole <= NEAR {
            return taps.out[0] * (NEAR / whole).max(1);
        }
        let [one, two] = [size(1), size(2)];
        1 + NEAR.saturating_sub(one) / (two - one).max(1)
    }

    /// How many f32 so many lines take with their worths, wherever among so many images they begin.
    pub fn floats(&self, lines: usize, images: usize) -> usize {
        let images = (lines.max(1) - 1) / self.taps.out[0] + 2.min(images);
        // Units and taps at the end reach further than what is looked at.
        let numbers = images * self.height * self.width * self.place;
        let numbers = numbers + SIDE * self.line + self.beyond();
        self.before(lines) + (numbers * self.blocks.size()).div_ceil(size_of::<f32>())
    }

    /// How many worths its rows have: each line its own where nothing is multiplied together that is in
    /// several of them, and none where numbers are rounded one by one.
    pub fn worths(&self, lines: usize) -> usize {
        match self.blocks.range {
            None => 0,
            Some(_) if self.span == 1 => lines * self.taps.out[1],
            Some(_) => 1,
        }
    }

    /// How many f32 these take, with what is needed for what follows to begin with a cache line.
    pub fn before(&self, lines: usize) -> usize {
        let worths = self.worths(lines) * size_of::<Worth>();
        worths.next_multiple_of(LINE) / size_of::<f32>()
    }

    /// How far the last tap of a row may reach behind its last place.
    fn beyond(&self) -> usize {
        self.blocks.filled(self.taps.length) + self.blocks.deep
    }

    /// From a row's first place to where this tap of it begins, in bytes.
    pub fn tap(&self, [below, beside]: [isize; 2]) -> usize {
        let line = (below - self.top).unsigned_abs();
        let place = (line * self.width).saturating_add_signed(beside + self.left.cast_signed());
        place * self.place * self.blocks.size()
    }

    /// The images of some lines: which, from which of its lines on, and how many lines.
    fn images(&self, lines: &Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let (Range { start, end }, height) = (lines.clone(), self.taps.out[0]);
        (start / height..end.div_ceil(height)).map(move |image| {
            let first = image * height;
            (image, start.max(first) - first..end.min(first + height) - first)
        })
    }

    /// Where the first line of an image is.
    fn start(&self, image: usize, lines: &Range<usize>) -> usize {
        (image - lines.start / self.taps.out[0]) * self.height * self.width * self.place
    }

    /// Rounds what these lines of rows look at, and says what that is worth.
    ///
    /// # Safety
    /// `from` has rows for all places of all images, there is room for [`Strip::floats`] and for
    /// [`Strip::worths`], and the processor can round so.
    pub unsafe fn fill(
        &self,
        from: &Rows,
        lines: &Range<usize>,
        into: *mut u8,
        worths: *mut Worth,
    ) {
        // SAFETY: as the caller promises: every line that is looked at is there, and has room here.
        unsafe {
            let apart = self.span == 1;
            let mut worth = Worth::ONE;
            if let (Some(range), false) = (self.blocks.range, apart) {
                let mut all = [0.0; 2];
                self.looked_at(lines, |_, place| {
                    place.into_iter().for_each(|place| self.widen(range, from, place, &mut all));
                });
                worth = Worth::of(all);
                worths.write(worth);
            }
            let mut first = 0;
            self.looked_at(lines, |[at, line], place| {
                if let (Some(range), true) = (self.blocks.range, apart) {
                    let mut all = [0.0; 2];
                    place.into_iter().for_each(|place| self.widen(range, from, place, &mut all));
                    worth = Worth::of(all);
                    if line.is_multiple_of(self.taps.stride[0]) {
                        let columns = self.taps.out[1];
                        (first..first + columns).for_each(|row| worths.add(row).write(worth));
                        first += columns;
                    }
                }
                self.round(from, place, into.add(at * self.blocks.size()), worth);
            });
        }
    }

    /// Goes through the strip's lines: where each begins and which of its image's it is, and the image's
    /// first place in that line, if it has one.
    fn looked_at(&self, lines: &Range<usize>, mut each: impl FnMut([usize; 2], Option<usize>)) {
        let [height, width] = self.taps.grid;
        for (image, rows) in self.images(lines) {
            let first = (rows.start * self.taps.stride[0]).wrapping_add_signed(self.top);
            let count = (rows.len() - 1) * self.taps.stride[0] + self.span;
            let start = self.start(image, lines);
            for line in 0..count {
                // A line before the first one wraps around and is as much outside as one behind the
                // last.
                let y = first.wrapping_add(line);
                let place = (y < height).then(|| (image * height + y) * width);
                each([start + line * self.width * self.place, line], place);
            }
        }
    }

    /// Whether a line's numbers follow each other both here and in memory.
    fn dense(&self, from: &Rows) -> bool {
        self.place == self.channels && from.stride == self.channels
    }

    /// Makes a range so wide that it holds a line of places.
    unsafe fn widen(&self, range: Widen, from: &Rows, place: usize, all: &mut [f32; 2]) {
        let width = self.taps.grid[1];
        // SAFETY: as `fill`'s caller promises.
        unsafe {
            match from.stride == self.channels {
                true => range(from.at(place), width * self.channels, all),
                false => (place..place + width)
                    .for_each(|place| range(from.at(place), self.channels, all)),
            }
        }
    }

    /// Rounds a line, with what is beside the image.
    unsafe fn round(&self, from: &Rows, place: Option<usize>, into: *mut u8, worth: Worth) {
        let (width, size) = (self.taps.grid[1], self.blocks.size());
        let line = self.width * self.place * size;
        // SAFETY: as `fill`'s caller promises. What a line writes too far the next one, or what is here
        // written last, sets right.
        unsafe {
            let Some(place) = place else {
                return into.write_bytes(worth.nothing(), line + self.beyond() * size);
            };
            let left = self.left * self.place * size;
            into.write_bytes(worth.nothing(), left);
            let numbers = into.add(left);
            if self.dense(from) {
                (self.blocks.round)(from.at(place), width * self.channels, numbers, worth);
            } else {
                for x in 0..width {
                    let into = numbers.add(x * self.place * size);
                    (self.blocks.round)(from.at(place + x), self.channels, into, worth);
                }
            }
            let right = (self.width - self.left - width) * self.place * size;
            into.add(line - right).write_bytes(worth.nothing(), right + self.beyond() * size);
        }
    }

    /// All rows of some lines.
    pub fn units(&self, lines: &Range<usize>) -> impl Iterator<Item = Unit> {
        let (all, columns, pitch) = (lines.clone(), self.taps.out[1], self.pitch);
        let down = self.taps.stride[0] * self.width * self.place;
        let mut images = self.images(lines);
        // The next line of the image and its column, how many rows are left, and what lies before them.
        let ([mut line, mut column], mut left, mut before) = ([0, 0], 0, [0, 0]);
        std::iter::from_fn(move || {
            if left == 0 {
                let (image, rows) = images.next()?;
                [line, column] = [0, 0];
                left = (rows.len() - 1) * pitch + columns;
                before = [self.start(image, &all), image * self.taps.out[0] + rows.start];
            }
            let unit = Unit {
                at: before[0] + line * down + column * self.line,
                first: [before[1] + line, column],
                count: left.min(SIDE),
            };
            left -= unit.count;
            column += SIDE;
            // Seldom, and a division takes as long as many a product.
            if column >= pitch {
                (line, column) = match pitch {
                    1 => (line + column, 0),
                    _ => (line + column / pitch, column % pitch),
                };
            }
            Some(unit)
        })
    }

    /// Which of a unit's rows there are, and which of the product's rows the first of them is.
    pub fn rows(&self, unit: &Unit) -> impl Iterator<Item = (Range<usize>, usize)> + use<> {
        let (columns, pitch, count) = (self.taps.out[1], self.pitch, unit.count);
        let [mut line, mut column] = unit.first;
        let mut slot = 0;
        std::iter::from_fn(move || {
            while slot < count {
                let (start, row) = (slot, line * columns + column);
                // Where nothing lies between two lines, it is all one.
                let left = if pitch == columns { count } else { columns.saturating_sub(column) };
                slot = if pitch == columns { count } else { (slot + pitch - column).min(count) };
                (line, column) = (line + 1, 0);
                let end = (start + left).min(count);
                if start < end {
                    return Some((start..end, row));
                }
            }
            None
        })
    }
}

/// The nearest and the furthest of the taps, down or across.
fn reach(taps: &Taps, axis: usize) -> [isize; 2] {
    let all = || taps.offsets.iter().map(|offset| offset[axis]);
    [all().min().unwrap_or_default(), all().max().unwrap_or_default()]
}
