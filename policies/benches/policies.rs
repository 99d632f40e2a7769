//! What a whole policy costs beside LeRobot's: to load, until the first action, for a chunk, and for
//! an action that is there already. LeRobot makes the checkpoints, at its defaults, and runs them in
//! turns with us; each policy in a process of its own, so that its memory is its own.
//!
//! `SINEW_PEER_PYTHON=… cargo bench -p sinew-policies --bench policies -- [threads] [rounds]
//! [act1] [act2] [diffusion16] [diffusion64] [tdmpc] [f16|bf16|int8]`
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)] // a bench is its own report

mod common;

use std::process::Command;
use std::time::Instant;

use common::{Peer, asked, best, cpu_ms, numbers_asked, peak_mb, precision};
use sinew_policies::chunk::{Ensemble, Queue};
use sinew_policies::draws::Draws;
use sinew_policies::policy::{Image, Policy, Seen};
use sinew_policies::{Device, Options};

const CASES: [&str; 5] = ["act1", "act2", "diffusion16", "diffusion64", "tdmpc"];

fn main() {
    let cases: Vec<&str> = CASES.into_iter().filter(|case| asked(case)).collect();
    match cases.as_slice() {
        [case] => one(case),
        some => {
            for case in if some.is_empty() { &CASES[..] } else { some } {
                let program = std::env::current_exe().unwrap();
                let rest = std::env::args().skip(1).filter(|word| !CASES.contains(&word.as_str()));
                assert!(Command::new(program).args(rest).arg(case).status().unwrap().success());
            }
        }
    }
}

/// One policy, in this process.
fn one(case: &str) {
    let (threads, rounds) = numbers_asked();
    let folder = tempfile::tempdir().unwrap();
    let Some(mut peer) = Peer::start("policies.py", folder.path(), &[case], threads) else {
        return;
    };
    let said: Vec<&str> = peer.ready.split(';').collect();
    println!(
        "{case}, {threads} threads, {:?}; LeRobot on {}, whose import took {} ms",
        precision(),
        said[1],
        said[2]
    );
    let keep = tempfile::tempdir().unwrap();
    let mut options = Options { threads, precision: precision(), keep: None, together: 1 };
    let begin = |what: &str, options: &Options| {
        let start = Instant::now();
        let mut policy = Policy::load(folder.path(), Device::Cpu, options).unwrap();
        let ready = start.elapsed().as_secs_f64() * 1e3;
        let sight = Sight::new(&policy);
        policy.select_action(&sight.seen()).unwrap();
        let first = start.elapsed().as_secs_f64() * 1e3;
        println!("  {what:32} ready after {ready:7.1} ms, first action after {first:7.1} ms");
        policy
    };
    drop(begin("ours, file maybe not in memory", &options));
    drop(begin("ours", &options));
    let before = peak_mb();
    options.keep = Some(keep.path().to_owned());
    drop(begin("ours, writing the weight cache", &options));
    drop(begin("ours, with the weight cache", &options));
    let mut policy = begin("ours, with the weight cache", &options);
    let with_cache = peak_mb();
    let start = Instant::now();
    peer.run("load");
    let loaded = start.elapsed().as_secs_f64() * 1e3;
    peer.run("chunk");
    let first = start.elapsed().as_secs_f64() * 1e3;
    println!(
        "  {:32} ready after {loaded:7.1} ms, first action after {first:7.1} ms",
        "LeRobot, imported"
    );
    chunks(&mut policy, &mut peer, rounds, case);
    small(&mut policy, &mut peer, case);
    let kept =
        std::fs::read_dir(keep.path()).unwrap().map(|file| file.unwrap().metadata().unwrap());
    let kept = kept.map(|about| about.len()).sum::<u64>() as f64 / f64::from(1 << 20);
    println!(
        "  peak memory: ours {before:.0} MB with {kept:.0} MB of packed weights, {with_cache:.0} MB once \
         the cache was written and read in the same process, LeRobot {:.0} MB",
        peer.run("peak")[0]
    );
}

/// Whole chunks, in turns.
fn chunks(policy: &mut Policy, peer: &mut Peer, rounds: usize, case: &str) {
    let sight = Sight::new(policy);
    let mut times: Vec<(&str, Vec<[f64; 2]>)> = vec![("ours", vec![]), ("LeRobot", vec![])];
    times.push(("OpenVINO f32, networks only", vec![]));
    // Its default computes in bf16 where the processor does.
    if bf16() {
        times.push(("OpenVINO default, networks only", vec![]));
    }
    let mut theirs = vec![];
    for _ in 0..rounds {
        for (who, times) in &mut times {
            let took = match *who {
                "ours" => {
                    let (wall, cpu) = (Instant::now(), cpu_ms());
                    policy.draw_from(Draws::seeded(0));
                    policy.reset();
                    policy.select_action(&sight.seen()).unwrap();
                    let cpu = cpu_ms() - cpu;
                    vec![wall.elapsed().as_secs_f64() * 1e3, cpu]
                }
                "LeRobot" => peer.run("chunk"),
                "OpenVINO f32, networks only" => peer.run("openvino f32"),
                _ => peer.run("openvino"),
            };
            if let [wall, cpu, action @ ..] = took.as_slice() {
                times.push([*wall, *cpu]);
                if *who == "LeRobot" {
                    theirs = action.to_vec();
                }
            }
        }
    }
    let ours = best(&times[0].1);
    for (who, times) in &times {
        if times.is_empty() {
            println!(
                "  {who:32} left out: the peer's Python has no OpenVINO, or it runs none of this"
            );
            continue;
        }
        let [wall, cpu] = best(times);
        println!(
            "  {who:32} a chunk {wall:8.2} ms, {cpu:8.2} of processor; ours is {:.3} and {:.3} of it",
            ours[0] / wall,
            ours[1] / cpu
        );
    }
    let goal = policy.select_action(&sight.seen()).map(|action| action.goal.to_vec()).unwrap();
    if case.starts_with("act") {
        policy.reset();
        let action = policy.select_action(&sight.seen()).unwrap();
        let off = action.goal.iter().zip(&theirs).map(|(a, b)| (f64::from(*a) - b).abs());
        let off = off.fold(0.0, f64::max);
        assert_eq!(action.goal.len(), theirs.len());
        println!("  the action is off LeRobot's by {off:.1e} of the robot's units ({goal:.2?})");
    }
}

/// Whether the processor computes with bf16.
fn bf16() -> bool {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    about.split_whitespace().any(|word| word.contains("bf16"))
}

/// What takes little: an action of a chunk that is there, the ensemble, the parts of a network.
fn small(policy: &mut Policy, peer: &mut Peer, case: &str) {
    let sight = Sight::new(policy);
    policy.reset();
    policy.select_action(&sight.seen()).unwrap();
    let mut pops = Vec::new();
    while !policy.needs_a_chunk() {
        let start = Instant::now();
        policy.select_action(&sight.seen()).unwrap();
        pops.push(start.elapsed().as_secs_f64() * 1e6);
    }
    peer.run("bare_pop");
    let theirs =
        |peer: &mut Peer, what| (0..5).map(|_| peer.run(what)[0] * 1e3).fold(f64::MAX, f64::min);
    pops.sort_by(f64::total_cmp);
    println!(
        "  an action of a chunk, from bytes of images: ours {:.1} µs (best {:.1}), LeRobot {:.0} µs",
        pops[pops.len() / 2],
        pops[0],
        theirs(peer, "pop")
    );
    let dim = policy.config().common().action_dim();
    let mut queue = Queue::new(policy.chunk().len() / dim, dim);
    let ours = (0..50).map(|_| {
        queue.fill(policy.chunk()).unwrap();
        let start = Instant::now();
        std::hint::black_box(queue.pop());
        start.elapsed().as_secs_f64() * 1e6
    });
    let ours = ours.fold(f64::MAX, f64::min);
    let theirs = theirs(peer, "bare_pop");
    println!(
        "  of that, without its steps: ours {ours:.2} µs, LeRobot's select_action {theirs:.0} µs"
    );
    if case.starts_with("act") {
        let mut ensemble = Ensemble::new(0.01, 100, 6);
        let chunk = policy.chunk().to_vec();
        let ours = (0..200).map(|_| {
            let start = Instant::now();
            ensemble.update(&chunk).unwrap();
            start.elapsed().as_secs_f64() * 1e6
        });
        let ours = ours.fold(f64::MAX, f64::min);
        let theirs = (0..50).map(|_| peer.run("ensemble")[0] * 1e3).fold(f64::MAX, f64::min);
        println!("  a step of the ensemble: ours {ours:.1} µs, LeRobot {theirs:.0} µs");
    } else if case.starts_with("diffusion") {
        let theirs = (0..5).map(|_| peer.run("encode")[0]).fold(f64::MAX, f64::min);
        println!("  LeRobot's encoder of both images: {theirs:.2} ms");
    }
    for (part, program, runs) in policy.parts() {
        let ms: f64 = program.profile().iter().map(|step| step.best.as_secs_f64() * 1e3).sum();
        println!("  ours, {part}: {ms:.2} ms × {runs}");
    }
}

/// What LeRobot sees as well.
struct Sight {
    numbers: Vec<(String, Vec<f32>)>,
    images: Vec<(String, [usize; 2], Vec<u8>)>,
}

impl Sight {
    fn new(policy: &Policy) -> Self {
        let (mut numbers, mut images) = (Vec::new(), Vec::new());
        for (name, feature) in &policy.config().common().inputs {
            match feature.image() {
                Some([_, height, width]) => {
                    let byte = |at: usize| ((at * 7 + at / (width * 3) * 5) % 256) as u8;
                    let rgb = (0..feature.numbers()).map(byte).collect();
                    images.push((name.clone(), [width, height], rgb));
                }
                None => {
                    let last = (feature.numbers() - 1).max(1) as f32;
                    let at = |at: usize| -20.0 + 50.0 * at as f32 / last;
                    numbers.push((name.clone(), (0..feature.numbers()).map(at).collect()));
                }
            }
        }
        Self { numbers, images }
    }

    fn seen(&self) -> Vec<(&str, Seen<'_>)> {
        let numbers = self.numbers.iter().map(|(name, one)| (name.as_str(), Seen::Numbers(one)));
        let images = self.images.iter().map(|(name, [width, height], rgb)| {
            (name.as_str(), Seen::Image(Image { width: *width, height: *height, rgb }))
        });
        numbers.chain(images).collect()
    }
}
