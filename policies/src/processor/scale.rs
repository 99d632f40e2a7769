//! One feature's numbers to where a network likes them, and back: LeRobot's formulas, with its
//! order of roundings.

use crate::checkpoint::Tensors;
use crate::config::NormMode;
use crate::error::{Error, Result};

/// Which way numbers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the robot's units to the network's.
    Forward,
    /// From the network's units to the robot's.
    Inverse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Formula {
    /// `(x - mean) / (std + eps)`.
    MeanStd,
    /// `2 * (x - min) / (max - min) - 1`.
    MinMax,
    /// The same between two quantiles; its inverse rounds in another order.
    Quantiles,
}

/// How each of a feature's numbers is scaled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    formula: Formula,
    /// Mean or least.
    offset: Vec<f32>,
    /// Deviation or span.
    range: Vec<f32>,
    /// What the way forward divides by.
    divisor: Vec<f32>,
}

impl Scale {
    /// Takes the statistics of a mode out of `PREFIX.mean` and so on, so many as a feature has
    /// numbers, or an image channels. No scale for no mode.
    pub(crate) fn read(
        mode: NormMode,
        tensors: &Tensors,
        prefix: &str,
        numbers: usize,
        eps: f64,
    ) -> Result<Option<Self>> {
        let (formula, first, second) = match mode {
            NormMode::Identity => return Ok(None),
            NormMode::MeanStd => (Formula::MeanStd, "mean", "std"),
            NormMode::MinMax => (Formula::MinMax, "min", "max"),
            NormMode::Quantiles => (Formula::Quantiles, "q01", "q99"),
            NormMode::Quantile10 => (Formula::Quantiles, "q10", "q90"),
        };
        let statistic = |name: &str| {
            let tensor = format!("{prefix}.{name}");
            let mut found = tensors.read(&tensor)?;
            if found.len() == 1 {
                found.resize(numbers, found[0]);
            }
            match found.len() == numbers {
                true => Ok(found),
                false => Err(Error::Shape {
                    found: tensors.shape(&tensor)?.to_vec(),
                    tensor,
                    wanted: format!("{numbers} numbers (images have one a channel)"),
                }),
            }
        };
        let (offset, second) = (statistic(first)?, statistic(second)?);
        let eps = eps as f32;
        let range: Vec<f32> = match formula {
            Formula::MeanStd => second,
            Formula::MinMax | Formula::Quantiles => {
                let spans = second.iter().zip(&offset).map(|(most, least)| most - least);
                spans.map(|span| if span == 0.0 { eps } else { span }).collect()
            }
        };
        let divisor = match formula {
            Formula::MeanStd => range.iter().map(|range| range + eps).collect(),
            Formula::MinMax | Formula::Quantiles => range.clone(),
        };
        Ok(Some(Self { formula, offset, range, divisor }))
    }

    /// How many numbers it is for.
    pub(crate) fn len(&self) -> usize {
        self.offset.len()
    }

    /// Between which values one of the numbers lay in training: nearly always, where only mean and
    /// deviation are known.
    pub(crate) fn trained_range(&self, at: usize) -> Option<[f32; 2]> {
        let (offset, range) = (*self.offset.get(at)?, *self.range.get(at)?);
        Some(match self.formula {
            Formula::MeanStd => [offset - 3.0 * range, offset + 3.0 * range],
            Formula::MinMax | Formula::Quantiles => [offset, offset + range],
        })
    }

    /// One of the feature's numbers.
    pub(crate) fn one(&self, direction: Direction, at: usize, x: f32) -> f32 {
        let (offset, range, divisor) = (self.offset[at], self.range[at], self.divisor[at]);
        match (self.formula, direction) {
            (Formula::MeanStd, Direction::Forward) => (x - offset) / divisor,
            (Formula::MeanStd, Direction::Inverse) => x * range + offset,
            (_, Direction::Forward) => 2.0 * (x - offset) / divisor - 1.0,
            (Formula::MinMax, Direction::Inverse) => (x + 1.0) / 2.0 * range + offset,
            (Formula::Quantiles, Direction::Inverse) => (x + 1.0) * range / 2.0 + offset,
        }
    }

    /// All of them, in place.
    pub(crate) fn all(&self, direction: Direction, name: &str, numbers: &mut [f32]) -> Result<()> {
        if numbers.len() != self.len() {
            let what = format!("has {} numbers, and {} were trained", numbers.len(), self.len());
            return Err(Error::Input { feature: name.to_owned(), what });
        }
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = self.one(direction, at, *number);
        }
        Ok(())
    }
}
