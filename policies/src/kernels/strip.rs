//! Lines of images as bf16, with zeros around them: what a product's taps read.
//!
//! Its rows' first places lie the same distance apart, so that a processor that takes sixteen rows at a
//! time needs nothing but this distance. Where lines are not as long as several times sixteen, a unit of
//! rows goes on in the next line, across the border between them; what comes out for the border is not
//! stored.

use std::ops::Range;

use super::pairs::{DEEP, SIDE, filled};
use super::product::Taps;
use super::rows::Rows;

/// Numbers of a strip, about, that stay near: half of a common second cache.
const NEAR: usize = 1 << 19;

/// How some lines of a product lie in memory.
pub struct Strip<'a> {
    taps: &'a Taps,
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
    pub fn new(taps: &'a Taps, channels: usize, lines: usize) -> Self {
        let ([down, across], columns) = (taps.stride, taps.out[1]);
        let [top, bottom] = reach(taps, 0);
        let [first, last] = reach(taps, 1);
        let left = first.min(0).unsigned_abs();
        let seen = ((columns - 1) * across).saturating_add_signed(last + 1);
        let width = left + seen.max(taps.grid[1]);
        let span = (bottom - top).unsigned_abs() + 1;
        let height = (lines.min(taps.out[0]).max(1) - 1) * down + span;
        // A tap of several places goes from one to the next.
        let place = if taps.length == channels { filled(channels) } else { channels };
        let single = columns == 1;
        let line = if single { down * width * place } else { across * place };
        let pitch = if single { 1 } else { width * down / across };
        let whole = columns.next_multiple_of(SIDE);
        let pitch = if down == across && pitch < whole || single { pitch } else { whole };
        Self { taps, channels, place, left, width, top, span, height, line, pitch }
    }

    /// How many lines of a product's rows are worked on at a time so that they stay near.
    pub fn lines(taps: &'a Taps, channels: usize) -> usize {
        let size = |lines| {
            let strip = Self::new(taps, channels, lines);
            strip.width * strip.place * strip.height
        };
        let whole = size(taps.out[0]);
        if whole <= NEAR {
            return taps.out[0] * (NEAR / whole).max(1);
        }
        let [one, two] = [size(1), size(2)];
        1 + NEAR.saturating_sub(one) / (two - one).max(1)
    }

    /// How many numbers so many lines need, wherever among so many images they begin.
    pub fn numbers(&self, lines: usize, images: usize) -> usize {
        let images = (lines.max(1) - 1) / self.taps.out[0] + 2.min(images);
        // Units and taps at the end reach further than what is looked at.
        images * self.height * self.width * self.place + SIDE * self.line + self.beyond()
    }

    /// How far the last tap of a row may reach behind its last place.
    fn beyond(&self) -> usize {
        filled(self.taps.length) + DEEP
    }

    /// From a row's first place to where this tap of it begins.
    pub fn tap(&self, [below, beside]: [isize; 2]) -> usize {
        let line = (below - self.top).unsigned_abs();
        (line * self.width).saturating_add_signed(beside + self.left.cast_signed()) * self.place
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

    /// Rounds what these lines of rows look at.
    ///
    /// # Safety
    /// `from` has rows for all places of all images, there is room for [`Strip::numbers`], and the
    /// processor can round so.
    pub unsafe fn fill(
        &self,
        round: unsafe fn(*const f32, usize, *mut u16),
        from: &Rows,
        lines: &Range<usize>,
        into: *mut u16,
    ) {
        let [height, width] = self.taps.grid;
        let right = self.width - self.left - width;
        let dense = self.place == self.channels && from.stride == self.channels;
        for (image, rows) in self.images(lines) {
            let first = (rows.start * self.taps.stride[0]).wrapping_add_signed(self.top);
            let count = (rows.len() - 1) * self.taps.stride[0] + self.span;
            // SAFETY: as the caller promises. What a line writes too far the next one, or what is here
            // written last, sets right.
            unsafe {
                let mut into = into.add(self.start(image, lines));
                for y in (0..count).map(|line| first.wrapping_add(line)) {
                    let next = into.add(self.width * self.place);
                    // A line before the first one wraps around and is as much outside as one behind
                    // the last.
                    if y < height {
                        into.write_bytes(0, self.left * self.place);
                        into = into.add(self.left * self.place);
                        let start = (image * height + y) * width;
                        if dense {
                            round(from.at(start), width * self.channels, into);
                        } else {
                            for x in 0..width {
                                round(from.at(start + x), self.channels, into.add(x * self.place));
                            }
                        }
                        next.sub(right * self.place).write_bytes(0, right * self.place);
                    } else {
                        into.write_bytes(0, self.width * self.place);
                    }
                    into = next;
                }
                into.write_bytes(0, self.beyond());
            }
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
