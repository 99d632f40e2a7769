//! Random numbers for policies that need them: from a seed, or drawn elsewhere before.

use std::collections::VecDeque;

use crate::error::{Error, Result};

/// Where random numbers come from.
#[derive(Clone, Debug)]
pub enum Draws {
    /// A generator: the same seed, the same numbers.
    Seeded(Generator),
    /// Numbers as somebody else drew them, one tensor after the other.
    Recorded(VecDeque<Vec<f32>>),
}

/// A generator of random numbers.
#[derive(Clone, Debug)]
pub struct Generator {
    dice: fastrand::Rng,
    /// The second of a pair.
    spare: Option<f32>,
}

impl Draws {
    /// From a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Generator { dice: fastrand::Rng::with_seed(seed), spare: None })
    }

    /// The next tensor of normally distributed numbers.
    pub fn fill(&mut self, numbers: &mut [f32]) -> Result<()> {
        match self {
            Self::Seeded(generator) => {
                numbers.fill_with(|| generator.next());
                Ok(())
            }
            Self::Recorded(tensors) => {
                let next = tensors.pop_front().unwrap_or_default();
                if next.len() != numbers.len() {
                    let what = format!(
                        "the next that was recorded has {}, and {} are needed",
                        next.len(),
                        numbers.len()
                    );
                    return Err(Error::Draws { what });
                }
                numbers.copy_from_slice(&next);
                Ok(())
            }
        }
    }

    /// One choice for each place of `chosen`, of as many as `likelihoods` has rows for, each of
    /// them adding up to 1. Who recorded choices made them for several queries at once; `query` says
    /// which of how many this is.
    pub fn choose(
        &mut self,
        likelihoods: &[f32],
        query: (usize, usize),
        chosen: &mut [usize],
    ) -> Result<()> {
        let many = likelihoods.len() / chosen.len().max(1);
        let wrong = |what: String| Error::Draws { what };
        match self {
            Self::Seeded(generator) => {
                for (chosen, row) in chosen.iter_mut().zip(likelihoods.chunks_exact(many.max(1))) {
                    let mut left = generator.dice.f32();
                    let beyond = row.iter().position(|likelihood| {
                        left -= likelihood;
                        left < 0.0
                    });
                    // Rounding may leave a little of what adds up to 1.
                    *chosen = beyond.unwrap_or(many.saturating_sub(1));
                }
                Ok(())
            }
            Self::Recorded(tensors) => {
                let next = tensors.pop_front().unwrap_or_default();
                let (at, queries) = query;
                if next.len() != queries * chosen.len() {
                    let needed = queries * chosen.len();
                    let what = format!("{} are recorded, and {needed} are needed", next.len());
                    return Err(wrong(what));
                }
                let row = next.chunks_exact(chosen.len().max(1)).nth(at).unwrap_or_default();
                for (chosen, recorded) in chosen.iter_mut().zip(row) {
                    let known = (0.0..many as f32).contains(recorded);
                    *chosen = known
                        .then_some(*recorded as usize)
                        .ok_or_else(|| wrong(format!("{recorded} is recorded, of {many}")))?;
                }
                Ok(())
            }
        }
    }
}

impl Generator {
    /// Two at a time, after Box and Muller.
    fn next(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // From 1 down to above 0, so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.dice.f64()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.dice.f64()).sin_cos();
        self.spare = Some((radius * sine) as f32);
        (radius * cosine) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::Draws;

    #[test]
    fn a_seed_gives_the_same_normal_numbers_again() {
        let mut numbers = vec![0.0; 20_001];
        Draws::seeded(7).fill(&mut numbers).unwrap();
        let mut again = vec![0.0; 20_001];
        Draws::seeded(7).fill(&mut again).unwrap();
        assert_eq!(numbers, again);
        let count = numbers.len() as f32;
        let mean = numbers.iter().sum::<f32>() / count;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
        let beyond = numbers.iter().filter(|x| x.abs() > 1.959_964).count() as f32 / count;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        assert!((beyond - 0.05).abs() < 0.006, "{beyond}");
    }

    #[test]
    fn choices_are_made_as_often_as_they_are_likely() {
        let mut draws = Draws::seeded(3);
        let likelihoods = [0.5, 0.0, 0.5, 0.1, 0.7, 0.2];
        let mut counts = [[0_u32; 3]; 2];
        for _ in 0..4000 {
            let mut chosen = [0; 2];
            draws.choose(&likelihoods, (0, 1), &mut chosen).unwrap();
            counts.iter_mut().zip(chosen).for_each(|(counts, chosen)| counts[chosen] += 1);
        }
        for (count, likelihood) in counts.iter().flatten().zip(likelihoods) {
            let share = *count as f32 / 4000.0;
            assert!((share - likelihood).abs() < 0.03, "{share} {likelihood}");
        }
    }

    #[test]
    fn recorded_choices_are_those_of_the_query() {
        let recorded = || Draws::Recorded([vec![0.0, 1.0, 2.0, 1.0]].into());
        let mut chosen = [0; 2];
        recorded().choose(&[0.3; 6], (1, 2), &mut chosen).unwrap();
        assert_eq!(chosen, [2, 1]);
        assert!(recorded().choose(&[0.3; 6], (0, 1), &mut chosen).is_err());
        assert!(recorded().choose(&[0.5; 4], (1, 2), &mut chosen).is_err());
    }

    #[test]
    fn recorded_numbers_come_as_they_were_and_end() {
        let mut draws = Draws::Recorded([vec![1.0, 2.0], vec![3.0]].into());
        let mut two = [0.0; 2];
        draws.fill(&mut two).unwrap();
        assert_eq!(two, [1.0, 2.0]);
        let error = draws.fill(&mut two).unwrap_err().to_string();
        assert!(error.contains("has 1, and 2 are needed"), "{error}");
        assert!(draws.fill(&mut two).is_err());
    }
}
