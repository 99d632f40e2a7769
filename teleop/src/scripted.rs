//! A hand that moves by the clock: smooth, the same every time, and never beyond a joint's range.

use std::f64::consts::TAU;

use sinew_drivers::Nanos;
use sinew_drivers::clock::SECOND;

/// How long it takes to get going, in seconds, so that the first move is no jump.
const EASE: f64 = 2.0;

/// Moves joints in slow waves around the middle of their range.
#[derive(Clone, Debug)]
pub struct ScriptedHand {
    /// Per joint: how wide, how fast in turns per second, and where in the wave it begins.
    waves: Vec<(f64, f64, f64)>,
}

impl ScriptedHand {
    /// A hand for this many joints; other seeds move otherwise.
    pub fn new(joints: usize, seed: u64) -> Self {
        let waves = (0..joints).map(|joint| {
            let part = |salt: u64| share(seed, joint as u64 * 3 + salt);
            (0.15 + 0.15 * part(0), 0.08 + 0.12 * part(1), part(2))
        });
        Self { waves: waves.collect() }
    }

    /// Where in its range a joint is held at `time`: 0 is one end, 1 the other.
    pub fn position(&self, joint: usize, time: Nanos) -> f64 {
        let Some((wide, fast, begin)) = self.waves.get(joint) else { return 0.5 };
        let seconds = time as f64 / SECOND as f64;
        let ease = (seconds / EASE).clamp(0.0, 1.0);
        0.5 + ease * wide * (TAU * (fast * seconds + begin)).sin()
    }
}

/// A number from 0 to 1 that depends on both (SplitMix64).
fn share(seed: u64, salt: u64) -> f64 {
    let mut mixed = seed.wrapping_add(salt.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_drivers::clock::MILLI;

    #[test]
    fn it_begins_in_the_middle_stays_in_range_and_never_jumps() {
        for seed in 0..20 {
            let hand = ScriptedHand::new(6, seed);
            for joint in 0..6 {
                assert_eq!(hand.position(joint, 0), 0.5);
                let mut last = 0.5;
                for tick in 0..3000 {
                    let now = hand.position(joint, tick * 16 * MILLI);
                    assert!((0.15..=0.85).contains(&now));
                    assert!((now - last).abs() < 0.01, "{now} after {last}");
                    last = now;
                }
            }
        }
    }

    #[test]
    fn a_seed_is_a_movement() {
        let at = |seed| ScriptedHand::new(1, seed).position(0, 5 * SECOND);
        assert_eq!(at(1), at(1));
        assert_ne!(at(1), at(2));
    }
}
