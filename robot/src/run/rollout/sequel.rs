//! How one chunk follows another: when the next is asked for, and from which instant on it counts.

use sinew_drivers::Nanos;
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

    /// Whether the next chunk is to be asked for now.
    pub fn is_due(&self, shape: Shape, last: Option<&Chunk>, now: Nanos) -> bool {
        let Some(last) = last else { return true };
        let (end, left) = (last.end(), (last.end() - now) as f64);
        match self.inference {
            _ if shape.steps.is_none() => true,
            Inference::Sync => left <= 0.0,
            Inference::Async => left < self.threshold * (end - last.first) as f64,
        }
    }

    /// How many of its rows are meant.
    pub fn carried(&self, shape: Shape) -> usize {
        shape.steps.filter(|_| self.waits(shape)).unwrap_or(shape.rows)
    }

    /// What was seen then and is there now, as a chunk: who waited begins with it now, who went on joins it
    /// at the row for now.
    pub fn chunk(
        &self,
        shape: Shape,
        last: Option<&Chunk>,
        seen: Nanos,
        now: Nanos,
        rows: Vec<f64>,
    ) -> Chunk {
        let waits = self.waits(shape);
        let first = if waits { now } else { seen };
        let mut chunk = Chunk { first, rate: self.rate, blend: BLEND, width: shape.width, rows };
        if let Some(last) = last.filter(|_| !waits) {
            self.aggregate.combine(last, &mut chunk);
        }
        chunk
    }
}
