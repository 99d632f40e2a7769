//! How often the scripted experts achieve their tasks, over 200 seeds each, and how much faster than
//! real time that goes: drivers, virtual servos and contacts included, no pictures.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a bench is its own report

use std::time::Instant;

use sinew_sim::env::{Env, FPS};
use sinew_sim::task::Task;

const SEEDS: u64 = 200;

fn main() {
    for name in Task::names() {
        let mut env = Env::new(Task::find(name).unwrap()).unwrap();
        let (mut achieved, mut ticks) = (0, 0);
        let began = Instant::now();
        for seed in 0..SEEDS {
            env.reset(seed).unwrap();
            let expert = env.expert().unwrap();
            for tick in 0.. {
                let step = env.step(&expert.act(f64::from(tick) / f64::from(FPS))).unwrap();
                ticks += 1;
                if step.over {
                    achieved += u64::from(step.verdict.achieved);
                    break;
                }
            }
        }
        let faster = f64::from(ticks) / f64::from(FPS) / began.elapsed().as_secs_f64();
        println!("{name:18} {achieved:3} of {SEEDS} achieved, {faster:5.1} x real time");
    }
}
