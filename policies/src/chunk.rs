//! From chunks to one action after the other: a queue, or an average of all chunks that speak of
//! the same moment.

use crate::error::{Error, Result};

/// The actions of the last chunk that are still to come.
#[derive(Clone, Debug)]
pub struct Queue {
    actions: Vec<f32>,
    dim: usize,
    /// Where the next action begins.
    next: usize,
}

impl Queue {
    /// An empty queue for so many actions of so many numbers.
    #[must_use]
    pub fn new(actions: usize, dim: usize) -> Self {
        Self { actions: vec![0.0; actions * dim], dim, next: actions * dim }
    }

    /// Whether a new chunk is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next >= self.actions.len()
    }

    /// How many actions it takes of a chunk.
    #[must_use]
    pub fn room(&self) -> usize {
        self.actions.len() / self.dim.max(1)
    }

    /// How many actions are still to come.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.actions.len() - self.next) / self.dim.max(1)
    }

    /// Forgets what was to come.
    pub fn clear(&mut self) {
        self.next = self.actions.len();
    }

    /// Takes the first actions of a chunk, as many as the queue is for, in the place of what was to
    /// come.
    pub fn fill(&mut self, chunk: &[f32]) -> Result<()> {
        let taken = chunk.get(..self.actions.len());
        let taken = taken.ok_or_else(|| short(chunk.len(), self.actions.len()))?;
        self.actions.copy_from_slice(taken);
        self.next = 0;
        Ok(())
    }

    /// The next action.
    pub fn pop(&mut self) -> Option<&[f32]> {
        let action = self.actions.get(self.next..self.next + self.dim)?;
        self.next += self.dim;
        Some(action)
    }
}

/// An average of all chunks that speak of the same moment, kept up as chunks come in: one at every
/// step. The prediction that is `i`th for its moment weighs `exp(-coefficient · i)`, so that with a
/// positive coefficient the oldest weighs most, as in ACT and in LeRobot.
#[derive(Clone, Debug)]
pub struct Ensemble {
    weights: Vec<f32>,
    /// Sums of the first one, two, three … weights.
    sums: Vec<f32>,
    /// Averages for the moments to come, as a ring that begins at `first`.
    averages: Vec<f32>,
    /// How many predictions each average holds.
    counts: Vec<usize>,
    dim: usize,
    first: usize,
    begun: bool,
}

impl Ensemble {
    /// An ensemble of chunks of so many actions of so many numbers.
    #[must_use]
    pub fn new(coefficient: f64, chunk: usize, dim: usize) -> Self {
        let weights: Vec<f32> =
            (0..chunk).map(|at| (-(coefficient as f32) * at as f32).exp()).collect();
        let sums = weights.iter().scan(0.0_f64, |sum, weight| {
            *sum += f64::from(*weight);
            Some(*sum as f32)
        });
        Self {
            sums: sums.collect(),
            weights,
            averages: vec![0.0; chunk * dim],
            counts: vec![0; chunk],
            dim,
            first: 0,
            begun: false,
        }
    }

    /// Forgets all chunks.
    pub fn clear(&mut self) {
        self.begun = false;
    }

    /// Takes a chunk that begins now, and gives the action for now.
    pub fn update(&mut self, chunk: &[f32]) -> Result<&[f32]> {
        if chunk.len() != self.averages.len() || chunk.is_empty() {
            return Err(short(chunk.len(), self.averages.len()));
        }
        let moments = self.counts.len();
        for (ahead, action) in chunk.chunks_exact(self.dim).enumerate() {
            let at = (self.first + ahead) % moments;
            let average = &mut self.averages[at * self.dim..][..self.dim];
            if !self.begun || ahead + 1 == moments {
                average.copy_from_slice(action);
                self.counts[at] = 1;
                continue;
            }
            let count = self.counts[at];
            let (before, weight, after) =
                (self.sums[count - 1], self.weights[count], self.sums[count]);
            for (average, action) in average.iter_mut().zip(action) {
                *average = (*average * before + action * weight) / after;
            }
            self.counts[at] = count + 1;
        }
        self.begun = true;
        let now = self.first;
        self.first = (now + 1) % moments;
        Ok(&self.averages[now * self.dim..][..self.dim])
    }
}

fn short(found: usize, wanted: usize) -> Error {
    let what = format!("{found} numbers, and {wanted} are needed");
    Error::Network { node: "chunk".to_owned(), what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Ensemble, Queue};

    #[test]
    fn a_queue_gives_the_beginning_of_a_chunk_and_is_empty_then() {
        let mut queue = Queue::new(2, 3);
        assert!(queue.is_empty() && queue.pop().is_none());
        queue.fill(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]).unwrap();
        assert_eq!(queue.pop(), Some([1.0, 2.0, 3.0].as_slice()));
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.pop(), Some([4.0, 5.0, 6.0].as_slice()));
        assert!(queue.is_empty() && queue.pop().is_none());
        queue.fill(&[0.0; 6]).unwrap();
        queue.clear();
        assert!(queue.pop().is_none());
        assert!(queue.fill(&[0.0; 5]).is_err());
    }

    #[test]
    fn a_cleared_ensemble_begins_anew() {
        let mut ensemble = Ensemble::new(0.01, 2, 1);
        ensemble.update(&[1.0, 2.0]).unwrap();
        ensemble.clear();
        assert_eq!(ensemble.update(&[5.0, 6.0]).unwrap(), [5.0]);
        assert!(ensemble.update(&[5.0]).is_err());
    }

    /// The weighted mean over all chunks that speak of a moment, the oldest first.
    fn naive(coefficient: f64, chunks: &[Vec<f32>], dim: usize, now: usize) -> Vec<f64> {
        let length = chunks[0].len() / dim;
        let speaking = (0..=now).filter(|at| now - at < length);
        let (mut sums, mut weights) = (vec![0.0; dim], 0.0);
        for (at, chunk) in speaking.enumerate().map(|(order, at)| (order, (at, &chunks[at]))) {
            let weight = (-coefficient * at as f64).exp();
            let (begun, numbers) = chunk;
            for (sum, number) in sums.iter_mut().zip(&numbers[(now - begun) * dim..]) {
                *sum += weight * f64::from(*number);
            }
            weights += weight;
        }
        sums.into_iter().map(|sum| sum / weights).collect()
    }

    proptest! {
        #[test]
        fn an_ensemble_is_the_weighted_mean_of_all_that_was_said(
            coefficient in -0.5..0.5_f64,
            length in 1..9_usize,
            dim in 1..4_usize,
            numbers in prop::collection::vec(-1.0..1.0_f32, 20 * 8 * 3),
        ) {
            let chunks: Vec<Vec<f32>> = numbers.chunks(24)
                .map(|numbers| numbers[..length * dim].to_vec()).collect();
            let mut ensemble = Ensemble::new(coefficient, length, dim);
            for (now, chunk) in chunks.iter().enumerate() {
                let action = ensemble.update(chunk).unwrap();
                for (ours, wanted) in action.iter().zip(naive(coefficient, &chunks, dim, now)) {
                    prop_assert!((f64::from(*ours) - wanted).abs() < 1e-5, "{ours} {wanted}");
                }
            }
        }
    }
}
