//! What has just been, kept for a while in case somebody asks for it: bounded in time and in memory.
//!
//! Pictures are shared with the camera that took them, not copied; one that two rows show counts once.

use std::collections::VecDeque;
use std::sync::Arc;

use sinew_drivers::camera::Shot;

use crate::run::tap::Slip;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The loop's rows.
    pub rows: u64,
    /// Bytes of pictures and values.
    pub bytes: usize,
}

/// The newest rows.
#[derive(Debug)]
pub struct Ring {
    bounds: Bounds,
    slips: VecDeque<Slip>,
    bytes: usize,
}

impl Ring {
    /// Keeps nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, slips: VecDeque::new(), bytes: 0 }
    }

    /// How many rows it keeps.
    pub fn len(&self) -> usize {
        self.slips.len()
    }

    /// Keeps a row, and forgets those that are too old or too much.
    pub fn keep(&mut self, slip: &Slip) {
        let slip = Slip { for_before: Vec::new(), ..slip.clone() };
        self.bytes += numbers(&slip) + pictures(&slip, self.slips.back());
        let newest = slip.row;
        self.slips.push_back(slip);
        let oldest = newest.saturating_add(1).saturating_sub(self.bounds.rows);
        while self.slips.front().is_some_and(|slip| slip.row < oldest)
            || self.bytes > self.bounds.bytes
        {
            let Some(old) = self.slips.pop_front() else { break };
            self.bytes -= numbers(&old) + pictures(&old, self.slips.front());
        }
    }

    /// All of it, the oldest first; nothing is kept any more.
    pub fn take(&mut self) -> VecDeque<Slip> {
        self.bytes = 0;
        std::mem::take(&mut self.slips)
    }
}

/// What a row takes without its pictures.
fn numbers(slip: &Slip) -> usize {
    let shots = slip.shots.len() * size_of::<Option<Arc<Shot>>>();
    size_of::<Slip>() + (slip.state.len() + slip.action.len()) * size_of::<f64>() + shots
}

/// What a row's pictures take that a row beside it does not show as well.
fn pictures(slip: &Slip, beside: Option<&Slip>) -> usize {
    let sizes = slip.shots.iter().enumerate().map(|(camera, shot)| {
        let other = beside.and_then(|beside| beside.shots.get(camera)?.as_ref());
        match shot {
            Some(shot) if !other.is_some_and(|other| Arc::ptr_eq(shot, other)) => {
                size_of::<Shot>() + shot.picture.pixels.len()
            }
            _ => 0,
        }
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::camera::{Layout, Moment, Picture};

    const PIXELS: usize = 30_000;

    fn shot(number: u64) -> Arc<Shot> {
        let pixels = vec![0; PIXELS].into();
        let picture = Picture { width: 100, height: 100, layout: Layout::Rgb8, pixels };
        Arc::new(Shot { number, at: 0, moment: Moment::Exposure, picture })
    }

    fn slip(row: u64, shot: &Arc<Shot>) -> Slip {
        Slip { row, state: vec![0.0; 6], shots: vec![Some(Arc::clone(shot))], ..Slip::default() }
    }

    fn rows(ring: &Ring) -> Vec<u64> {
        ring.slips.iter().map(|slip| slip.row).collect()
    }

    #[test]
    fn rows_that_are_too_old_are_forgotten_by_their_time_not_their_number() {
        let mut ring = Ring::new(Bounds { rows: 3, bytes: usize::MAX });
        let one = shot(1);
        (0..5).for_each(|row| ring.keep(&slip(row, &one)));
        assert_eq!(rows(&ring), [2, 3, 4]);
        // The loop left two rows out.
        ring.keep(&slip(7, &one));
        assert_eq!(rows(&ring), [7], "5 and 6 never came, and 4 is too old");
        let kept = ring.take();
        assert_eq!((kept.len(), ring.len(), ring.bytes), (1, 0, 0));
        ring.keep(&slip(8, &one));
        assert_eq!(rows(&ring), [8]);
    }

    #[test]
    fn pictures_are_bounded_and_one_that_is_shown_twice_counts_once() {
        let bytes = 4 * PIXELS;
        let mut ring = Ring::new(Bounds { rows: 1000, bytes });
        for row in 0..100 {
            ring.keep(&slip(row, &shot(row)));
            assert!(ring.bytes <= bytes);
        }
        assert_eq!(rows(&ring), [97, 98, 99], "a fourth has no room beside its numbers");
        let stuck = shot(100);
        (100..140).for_each(|row| ring.keep(&slip(row, &stuck)));
        assert!(ring.len() > 40, "{:?}", rows(&ring));
        (140..200).for_each(|row| ring.keep(&slip(row, &shot(row))));
        assert_eq!(rows(&ring), [197, 198, 199]);
        assert_eq!(Arc::strong_count(&stuck), 1, "it is let go");
        let counted = ring.bytes;
        let fresh = ring.take();
        fresh.iter().for_each(|slip| ring.keep(slip));
        assert_eq!(ring.bytes, counted, "what is counted is what is there");
    }

    #[test]
    fn where_there_is_no_room_nothing_is_kept() {
        let mut ring = Ring::new(Bounds { rows: 10, bytes: PIXELS });
        ring.keep(&slip(0, &shot(0)));
        assert_eq!((ring.len(), ring.bytes), (0, 0));
        let mut ring = Ring::new(Bounds { rows: 0, bytes: usize::MAX });
        ring.keep(&slip(0, &shot(0)));
        assert_eq!((ring.len(), ring.bytes), (0, 0));
    }
}
