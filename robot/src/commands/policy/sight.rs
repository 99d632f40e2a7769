//! Something to look at for a policy that has no robot at hand, and how far one policy's actions are
//! from another's for it.

use serde_json::{Value, json};
use sinew_policies::draws::Draws;
use sinew_policies::policy::{Image, Observation, Policy, Seen};

use crate::cli::failure::Failure;

/// Looks that two policies are compared on.
const LOOKS: u64 = 3;

/// Something to look at: as large as the policy wants it.
pub struct Sight {
    numbers: Vec<(String, Vec<f32>)>,
    images: Vec<(String, [usize; 2], Vec<u8>)>,
}

impl Sight {
    /// Made up from a seed.
    pub fn new(policy: &Policy, seed: u64) -> Result<Self, Failure> {
        let (mut numbers, mut images) = (Vec::new(), Vec::new());
        let mut dice = Draws::seeded(seed);
        for (name, feature) in &policy.config().common().inputs {
            let sources = policy.before().sources(name);
            let Some(source) = sources.first().filter(|source| policy.takes(source)) else {
                continue;
            };
            match feature.image() {
                Some([_, high, wide]) => {
                    let tint = seed as usize * 31;
                    let byte = |at: usize| ((at * 7 + at / (wide * 3) * 5 + tint) % 256) as u8;
                    let rgb = (0..feature.numbers()).map(byte).collect();
                    images.push((source.clone(), [wide, high], rgb));
                }
                None => {
                    let mut values = vec![0.0; feature.numbers()];
                    dice.fill(&mut values)?;
                    numbers.push((source.clone(), values));
                }
            }
        }
        Ok(Self { numbers, images })
    }

    /// As an observation.
    pub fn seen(&self) -> Vec<(&str, Seen<'_>)> {
        let numbers = self.numbers.iter().map(|(name, one)| (name.as_str(), Seen::Numbers(one)));
        let images = self.images.iter().map(|(name, [width, height], rgb)| {
            (name.as_str(), Seen::Image(Image { width: *width, height: *height, rgb }))
        });
        numbers.chain(images).collect()
    }
}

/// A whole chunk: from the bytes of images to actions in the robot's units.
pub fn chunk(policy: &mut Policy, seen: &Observation<'_>) -> Result<(), Failure> {
    policy.draw_from(Draws::seeded(0));
    policy.reset();
    policy.select_action(seen)?;
    Ok(())
}

/// How far actions are from those of exact weights, in the robot's units.
pub struct Off {
    most: f64,
    usual: f64,
}

impl Off {
    /// Compares two policies with the same inputs on a few made-up observations.
    pub fn measure(policy: &mut Policy, exact: &mut Policy) -> Result<Self, Failure> {
        let (mut most, mut squares, mut count) = (0.0_f64, 0.0, 0);
        for seed in 1..=LOOKS {
            let sight = Sight::new(exact, seed)?;
            let (ours, theirs) = (goals(policy, &sight)?, goals(exact, &sight)?);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let off = f64::from(ours - theirs).abs();
                most = most.max(off);
                squares += off * off;
                count += 1;
            }
        }
        Ok(Self { most, usual: (squares / f64::from(count.max(1))).sqrt() })
    }

    /// In a sentence.
    pub fn told(&self) -> String {
        format!(
            "actions are off those of f32 by {:.1e} at most and {:.1e} on (quadratic) average, in the robot's units, on {LOOKS} made-up observations",
            self.most, self.usual
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({"max": self.most, "rms": self.usual, "observations": LOOKS})
    }
}

/// All actions of a chunk, as the robot would take them.
fn goals(policy: &mut Policy, sight: &Sight) -> Result<Vec<f32>, Failure> {
    chunk(policy, &sight.seen()[..])?;
    let mut actions = policy.chunk().to_vec();
    policy.to_goals(&mut actions)?;
    Ok(actions)
}
