//! How one chunk follows another: when the next is asked for, and from which instant on it counts.

use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;
use sinew_teleop::fed::{BLEND, Chunk};

use super::{Aggregate, Shape};

/// When the next chunk is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Inference {
    /// When the one before is used up; the arm holds still meanwhile
    #[default]
    Sync,
    /// While the one before is carried out
    Async,
}

/// How one chunk follows another.
#[derive(Clone, Copy, Debug)]
pub struct Sequel {
    /// When the next chunk is made.
    pub inference: Inference,
    /// Asynchronously: once less than this share of a chunk is left.
    pub threshold: f64,
    /// And where the next speaks of the same instants as the one before, what counts.
    pub aggregate: Aggregate,
    /// Rows per second, as in the training's dataset.
    pub rate: f64,
}

impl Sequel {
    /// Who averages by himself has nothing left of the chunk before either.
    fn waits(&self, shape: Shape) -> bool {
        shape.steps.is_none() || self.inference == Inference::Sync
    }

    /// Whether the next chunk, which takes about so long to make, is to be asked for with what is seen now;
    /// what is seen next is a row away.
    ///
    /// Who waits asks when the last row is on its way, so that it is over when the answer comes: asking a
    /// row later would cost each chunk a row more than it has. Half a row is for what is not quite in time.
    pub fn is_due(&self, shape: Shape, last: Option<&Chunk>, now: Nanos, takes: Nanos) -> bool {
        let Some(last) = last else { return true };
        let (end, left) = (last.end(), (last.end() - now) as f64);
        let row = SECOND as f64 / self.rate;
        match self.inference {
            _ if shape.steps.is_none() => true,
            Inference::Sync => left <= (takes as f64 + row / 2.0).min(row * 1.25),
            Inference::Async => left < self.threshold * (end - last.first) as f64,
        }
    }

    /// How many of its rows are meant.
    pub fn carried(&self, shape: Shape) -> usize {
        shape.steps.filter(|_| self.waits(shape)).unwrap_or(shape.rows)
    }

    /// What was seen then and is there now, as a chunk: who waited begins with it now, or where the one
    /// before ends if that is less than a row from now; who went on joins it at the row for now.
    pub fn chunk(
        &self,
        shape: Shape,
        last: Option<&Chunk>,
        seen: Nanos,
        now: Nanos,
        rows: Vec<f64>,
    ) -> Chunk {
        let waits = self.waits(shape);
        let row = (SECOND as f64 / self.rate) as Nanos;
        let end = last.map(Chunk::end).filter(|end| (now - end).abs() < row);
        let first = if waits { end.unwrap_or(now) } else { seen };
        // One that is to last for less has taken over before the next does.
        let blend = last.map_or(BLEND, |last| BLEND.min((first - last.first).max(0)));
        let mut chunk = Chunk { first, rate: self.rate, blend, width: shape.width, rows };
        if let Some(last) = last.filter(|_| !waits) {
            self.aggregate.combine(last, &mut chunk);
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use sinew_drivers::clock::{MICRO, MILLI};

    use super::*;

    const RATE: f64 = 30.0;
    const ROW: Nanos = 33_333_333;

    /// How many rows pass from one chunk of so many to the next, where each takes so long to make, and how
    /// far the goals jump at most.
    fn rows_each(steps: usize, takes: Nanos) -> f64 {
        let aggregate = Aggregate::LatestOnly;
        let sequel = Sequel { inference: Inference::Sync, threshold: 0.5, aggregate, rate: RATE };
        let shape = Shape { depth: 1, rows: steps, steps: Some(steps), width: 1 };
        let (mut last, mut free, mut begun) = (None::<Chunk>, 0, Vec::new());
        for row in 0..3000 {
            let seen = row * ROW;
            // On its way to whoever thinks.
            let now = seen + (50 + row * 7919 % 1950) * MICRO;
            if now < free || !sequel.is_due(shape, last.as_ref(), now, takes) {
                continue;
            }
            free = now + takes;
            let chunk = sequel.chunk(shape, last.as_ref(), seen, free, vec![0.0; steps]);
            assert!(last.as_ref().is_none_or(|last| chunk.first > last.first), "{chunk:?}");
            begun.push(row);
            last = Some(chunk);
        }
        let (first, last) = (begun.first().unwrap(), begun.last().unwrap());
        (last - first) as f64 / (begun.len() - 1) as f64
    }

    #[test]
    fn who_waits_loses_no_row_but_to_thinking() {
        for steps in [1, 2, 5, 8, 10, 100] {
            for takes in [MILLI / 2, 5 * MILLI, 14 * MILLI, 20 * MILLI, 28 * MILLI] {
                let rows = rows_each(steps, takes);
                assert!((rows - steps as f64).abs() < 0.02, "{steps} rows, {takes} ns: {rows}");
            }
            // While it thinks for so many rows, the first of them passes by as well.
            for (takes, more) in [(100 * MILLI, 3), (250 * MILLI, 8)] {
                let rows = rows_each(steps, takes);
                let least = (steps - 1 + more) as f64 - 0.6;
                assert!((least..least + 1.2).contains(&rows), "{steps} rows, {takes} ns: {rows}");
            }
        }
    }

    #[test]
    fn a_chunk_has_taken_over_before_the_next_does() {
        let aggregate = Aggregate::LatestOnly;
        let sequel = Sequel { inference: Inference::Async, threshold: 0.5, aggregate, rate: RATE };
        let shape = Shape { depth: 1, rows: 8, steps: Some(8), width: 1 };
        let first = sequel.chunk(shape, None, 0, MILLI, vec![0.0; 8]);
        assert_eq!((first.first, first.blend), (0, BLEND));
        let soon = sequel.chunk(shape, Some(&first), 50 * MILLI, 60 * MILLI, vec![0.0; 8]);
        assert_eq!(soon.blend, 50 * MILLI);
        let late = sequel.chunk(shape, Some(&soon), 400 * MILLI, 410 * MILLI, vec![0.0; 8]);
        assert_eq!(late.blend, BLEND);
    }
}
