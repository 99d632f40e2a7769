//! What a solution of inverse kinematics costs: `cargo bench -p sinew-teleop --bench kinematics`.
//!
//! `follow`: the next tick of a goal that moves, from where the joints are. `solve`: any pose that can be
//! reached, from the middle of all ranges.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::time::Instant;

use sinew_teleop::kinematics::{Chain, Solver, Tolerance};

const POSES: usize = 10_000;

/// Numbers from 0 to 1, the same every time (SplitMix64).
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn say(what: &str, mut times: Vec<f64>, reached: usize) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    println!(
        "{what}: mean {mean:.2} µs, p50 {:.2}, p99 {:.2}, p99.9 {:.1}, max {:.1}; {reached} of {} reached",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        times.len()
    );
}

fn main() {
    for arm in ["so101", "so100", "koch"] {
        let solver = Solver::new(Chain::builtin(arm).unwrap(), Tolerance::default());
        let mut state = 1;
        let (mut far, mut near, mut found) = (Vec::new(), Vec::new(), [0; 2]);
        for _ in 0..POSES {
            let ranges = solver.chain().joints().iter().map(|joint| joint.range);
            let angles: Vec<f64> =
                ranges.map(|(low, high)| low + random(&mut state) * (high - low)).collect();
            let goal = solver.chain().pose(&angles);
            let from: Vec<f64> =
                angles.iter().map(|angle| angle + 0.02 * (random(&mut state) - 0.5)).collect();
            let begin = Instant::now();
            let solved = solver.follow(&from, &goal, 0.05);
            near.push(begin.elapsed().as_secs_f64() * 1e6);
            found[0] += usize::from(solved.reached);
            let begin = Instant::now();
            let solved = solver.solve(&[f64::NAN; 8], &goal);
            far.push(begin.elapsed().as_secs_f64() * 1e6);
            found[1] += usize::from(solved.reached);
        }
        say(&format!("{arm} follow"), near, found[0]);
        say(&format!("{arm} solve"), far, found[1]);
    }
}
