//! A picture made here: no device is needed, and it shows what it should.
//!
//! A grey ground, a square that moves by the clock, and a bar per joint that ends where the joint is:
//! whoever measures a bar's length knows where the joint was when the picture was taken.

use bytes::Bytes;

use super::{Layout, Moment, Picture, Source, Taken};
use crate::clock::SECOND;
use crate::{Clock, Error, Nanos};

/// Says where each joint is now, as a share of its range.
pub type Look = Box<dyn FnMut(&mut Vec<f64>) + Send>;

/// Brightness of the ground, and of what is drawn on it.
const GROUND: u8 = 96;
const BAR: u8 = 220;
const SQUARE: u8 = 40;

/// The source of such pictures.
pub struct Pattern {
    clock: Clock,
    width: u32,
    height: u32,
    period: Nanos,
    next: Nanos,
    look: Option<Look>,
    joints: Vec<f64>,
}

impl Pattern {
    /// So many pictures per second of this size, with a bar for each joint that `look` tells of.
    pub fn new(clock: Clock, width: u32, height: u32, fps: u32, look: Option<Look>) -> Self {
        let period = SECOND / Nanos::from(fps.max(1));
        let next = clock.now();
        Self { clock, width, height, period, next, look, joints: Vec::new() }
    }

    /// Where a bar begins and ends, in rows, of so many bars.
    pub fn rows(height: u32, bars: usize, bar: usize) -> std::ops::Range<usize> {
        let (height, bars) = (height as usize, bars.max(1));
        // The upper quarter is the square's.
        let (top, room) = (height / 4, height - height / 4);
        let begin = top + room * bar / bars;
        begin + room / bars / 4..begin + (room / bars * 3 / 4).max(room / bars / 4 + 1)
    }

    fn draw(&self, at: Nanos) -> Bytes {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut pixels = vec![128; Layout::I420.len(self.width, self.height)];
        let (bright, _colour) = pixels.split_at_mut(width * height);
        bright.fill(GROUND);
        let side = (height / 5).clamp(1, width);
        // Once across in four seconds.
        let turn = at.rem_euclid(4 * SECOND) as f64 / (4 * SECOND) as f64;
        let left = (turn * (width - side) as f64) as usize;
        let rows = bright.chunks_exact_mut(width);
        for row in rows.take(side) {
            if let Some(row) = row.get_mut(left..left + side) {
                row.fill(SQUARE);
            }
        }
        for (bar, share) in self.joints.iter().enumerate() {
            let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
            let length = share * width as f64;
            let whole = length as usize;
            // The last pixel is as bright as much of it is covered: a mean tells parts of a pixel.
            let last = GROUND + (length.fract() * f64::from(BAR - GROUND)).round() as u8;
            for row in Self::rows(self.height, self.joints.len(), bar) {
                let Some(row) = bright.get_mut(row * width..(row + 1) * width) else { continue };
                let (covered, rest) = row.split_at_mut(whole);
                covered.fill(BAR);
                if let Some(pixel) = rest.first_mut() {
                    *pixel = last;
                }
            }
        }
        Bytes::from(pixels)
    }
}

impl Source for Pattern {
    fn shoot(&mut self) -> Result<Taken, Error> {
        self.clock.sleep_until(self.next);
        let opened = self.clock.now();
        // What was missed is missed: a real camera does not catch up either.
        self.next = (self.next + self.period).max(opened);
        if let Some(look) = &mut self.look {
            look(&mut self.joints);
        }
        let at = opened.midpoint(self.clock.now());
        let (width, height, layout) = (self.width, self.height, Layout::I420);
        let picture = Picture { width, height, layout, pixels: self.draw(at) };
        Ok(Taken { at, moment: Moment::Exposure, picture })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bright pixels the middle row of a bar has.
    fn length(picture: &Picture, bars: usize, bar: usize) -> usize {
        let rows = Pattern::rows(picture.height, bars, bar);
        let (width, row) = (picture.width as usize, (rows.start + rows.end) / 2);
        let row = &picture.pixels[row * width..(row + 1) * width];
        row.iter().filter(|pixel| **pixel == BAR).count()
    }

    #[test]
    fn bars_end_where_the_joints_are_and_time_goes_on() {
        let look: Look = Box::new(|joints| {
            joints.clear();
            joints.extend([0.25, 0.5, 1.0, f64::NAN]);
        });
        let clock = Clock::virtual_time();
        let mut pattern = Pattern::new(clock.clone(), 640, 480, 30, Some(look));
        let Taken { at: first, picture, .. } = pattern.shoot().unwrap();
        let lengths: Vec<usize> = (0..4).map(|bar| length(&picture, 4, bar)).collect();
        assert_eq!(lengths, [160, 320, 640, 0]);
        let part =
            Pattern::new(clock.clone(), 640, 480, 30, Some(Box::new(|of| of.resize(1, 0.2504))));
        let row = Pattern::rows(480, 1, 0).start * 640;
        let pixels = { part }.shoot().unwrap().picture.pixels;
        // A quarter of the next pixel is covered.
        assert_eq!(pixels[row + 159..row + 162], [BAR, GROUND + 32, GROUND]);
        assert_eq!(picture.pixels.len(), 640 * 480 * 3 / 2);
        let Taken { at: second, picture: other, .. } = pattern.shoot().unwrap();
        assert_eq!(second - first, SECOND / 30);
        assert_ne!(picture, other, "the square moves");
    }

    #[test]
    fn even_the_smallest_picture_can_be_drawn() {
        for (width, height) in [(1, 1), (2, 3), (16, 16)] {
            let look: Look = Box::new(|joints| joints.resize(9, 0.7));
            let mut pattern = Pattern::new(Clock::virtual_time(), width, height, 30, Some(look));
            let picture = pattern.shoot().unwrap().picture;
            assert_eq!(picture.pixels.len(), Layout::I420.len(width, height));
        }
    }
}
