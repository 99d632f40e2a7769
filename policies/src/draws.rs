//! Random numbers for policies that need them: from a seed, or drawn elsewhere before.

use std::collections::VecDeque;

use crate::error::{Error, Result};

/// Where normally distributed numbers come from.
#[derive(Clone, Debug)]
pub enum Draws {
    /// A generator: the same seed, the same numbers.
    Seeded(Generator),
    /// Numbers as somebody else drew them, one tensor after the other.
    Recorded(VecDeque<Vec<f32>>),
}

/// A generator of normally distributed numbers.
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
                    return Err(Error::Input { feature: "random numbers".to_owned(), what });
                }
                numbers.copy_from_slice(&next);
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
