//! What a chunk costs: ACT with one camera of 480×640 and with two, and one step of the Diffusion
//! policy's U-Net, all at LeRobot's defaults, and each robot's share where several are answered
//! together. LeRobot makes the networks and runs them in turns with us, and
//! OpenVINO where that Python has it.
//!
//! `SINEW_PEER_PYTHON=… cargo bench -p sinew-policies --bench networks -- [threads] [rounds]
//! [act] [act2] [unet16] [f16|bf16|int8]`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, missing_docs)] // a bench is its own report

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use common::{Peer, asked, best, cpu_ms, numbers_asked, peak_mb, precision};

use sinew_policies::checkpoint::Tensors;
use sinew_policies::device::cpu::Program;
use sinew_policies::graph::Builder;
use sinew_policies::layers::unet1d::Unet1d;
use sinew_policies::{Config, Options, act};

/// How many robots' samples are denoised together.
const TOGETHER: [usize; 2] = [4, 8];

const CASES: [&str; 3] = ["act", "act2", "unet16"];

fn main() {
    let (threads, rounds) = numbers_asked();
    let folder = tempfile::tempdir().unwrap();
    let cases: Vec<&str> = CASES.into_iter().filter(|case| asked(case)).collect();
    let cases = if cases.is_empty() { CASES.to_vec() } else { cases };
    let Some(mut peer) = Peer::start("networks.py", folder.path(), &cases, threads) else { return };
    println!("{}", peer.ready);
    let runs: Vec<String> = peer.ready.split(';').skip(2).map(str::to_owned).collect();
    let precision = precision();
    let options = Options { threads, precision, keep: None, together: 1 };
    for name in cases {
        let place = folder.path().join(name);
        let make = |options: &Options| match name {
            "unet16" => ours_unet(&place, options, 1),
            _ => ours_act(&place, options),
        };
        let mut program = make(&options);
        // What more threads gain shows only in the same run.
        let mut alone = (threads > 1).then(|| make(&Options { threads: 1, ..options.clone() }));
        let several = TOGETHER.into_iter().filter(|_| name == "unet16");
        let mut several: Vec<_> =
            several.map(|count| (count, ours_unet(&place, &options, count))).collect();
        let mut times: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
        for _ in 0..rounds {
            for run in runs.iter().filter(|run| run.split(' ').next() == Some(name)) {
                let took = peer.run(run);
                times.entry(run.clone()).or_default().push([took[0], took[1]]);
            }
            times.entry("ours".to_owned()).or_default().push(timed(&mut program));
            for (count, program) in &mut several {
                let took = timed(program).map(|took| took / *count as f64);
                times.entry(format!("ours, {count} together")).or_default().push(took);
            }
            if let Some(alone) = &mut alone {
                times.entry("ours, one thread".to_owned()).or_default().push(timed(alone));
            }
        }
        let ours = best(&times["ours"]);
        println!(
            "{name}, {threads} threads, {precision:?}, {}: milliseconds wall and CPU",
            program.kernels()
        );
        for (who, times) in &times {
            let [wall, cpu] = best(times);
            println!(
                "  {who:24} {wall:8.2} {cpu:8.2}   ours is {:.2} and {:.2} of it",
                ours[0] / wall,
                ours[1] / cpu
            );
        }
        if !times.keys().any(|who| who.contains("openvino")) {
            println!("  {:24} left out: the peer's Python has none", "openvino");
        }
        table(&program);
    }
    println!("peak memory of ours {:.0} MB", peak_mb());
}

/// Wall and CPU milliseconds of one run.
fn timed(program: &mut Program) -> [f64; 2] {
    let (wall, cpu) = (Instant::now(), cpu_ms());
    program.run().unwrap();
    let cpu = cpu_ms() - cpu;
    [wall.elapsed().as_secs_f64() * 1e3, cpu]
}

/// ACT, with the inputs that the peer wrote, and compared with its answer.
fn ours_act(folder: &Path, options: &Options) -> Program {
    let tensors = Tensors::open(&folder.join("model.safetensors")).unwrap();
    let Config::Act(config) = Config::open(folder).unwrap() else { panic!("no ACT") };
    let graph = act::graph(&config, &tensors).unwrap();
    let start = Instant::now();
    let mut program = Program::compile(&graph, &tensors, options).unwrap();
    println!("act: compiled in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    for (name, _) in &config.common.inputs {
        program.input(name).unwrap().copy_from_slice(&numbers(folder, name));
    }
    program.run().unwrap();
    compare("act", program.output("chunk").unwrap(), &numbers(folder, "answer"));
    program
}

/// One step of denoising, with what the condition says already told.
fn ours_unet(folder: &Path, options: &Options, together: usize) -> Program {
    let tensors = Tensors::open(&folder.join("model.safetensors")).unwrap();
    let unet = Unet1d {
        prefix: "unet".to_owned(),
        widths: vec![512, 1024, 2048],
        kernel: 5,
        groups: 8,
        step_length: 128,
        scales: true,
    };
    let mut b = Builder::new(&tensors);
    let condition = b.input("condition", vec![1, 132]);
    unet.modulate(&mut b, condition, &[37]).unwrap();
    let mut modulate = Program::compile(&b.finish(), &tensors, options).unwrap();
    modulate.input("condition").unwrap().copy_from_slice(&numbers(folder, "condition"));
    let shortest = (0..3).map(|_| timed(&mut modulate)[0]).fold(f64::MAX, f64::min);
    println!(
        "unet: channels are shifted by {shortest:.2} ms once a chunk, which others do each step"
    );
    let start = Instant::now();
    let mut b = Builder::new(&tensors);
    let shape = if together == 1 { vec![16, 2] } else { vec![together, 16, 1, 2] };
    let sample = b.input("sample", shape);
    let answer = unet.denoise(&mut b, sample).unwrap();
    b.output("answer", answer);
    let mut program = Program::compile(&b.finish(), &tensors, options).unwrap();
    println!("unet: compiled in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let all = |one: &[f32]| one.repeat(together);
    program.input("sample").unwrap().copy_from_slice(&all(&numbers(folder, "sample")));
    for film in 0..unet.films() {
        let name = format!("film{film}");
        let told = modulate.output(&name).unwrap();
        program.input(&name).unwrap().copy_from_slice(&all(told));
    }
    program.run().unwrap();
    compare("unet", program.output("answer").unwrap(), &all(&numbers(folder, "answer")));
    program
}

fn numbers(folder: &Path, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder.join(format!("{name}.f32"))).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn compare(name: &str, got: &[f32], wanted: &[f32]) {
    let off = got.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let most = wanted.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    assert_eq!(got.len(), wanted.len());
    println!("{name}: off by {off:.1e} at most, of {most:.2}");
}

/// Where the time goes.
fn table(program: &Program) {
    let mut kinds: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for step in program.profile() {
        let ms = step.best.as_secs_f64() * 1e3;
        let rate = step.multiplications as f64 * 2e-6 / ms;
        if ms > 0.3 {
            println!("    {ms:7.3} ms {rate:6.1} GFLOP/s  {:16} {}", step.kind, step.name);
        }
        let kind = kinds.entry(step.kind).or_default();
        *kind = (kind.0 + ms, kind.1 + step.multiplications as f64 * 2e-6);
    }
    for (kind, (ms, work)) in kinds {
        println!("    {ms:7.2} ms {:6.1} GFLOP/s  all {kind}", work / ms);
    }
}
