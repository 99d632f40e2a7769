//! What a chunk costs: ACT with one camera of 480×640, and one step of the Diffusion policy's U-Net,
//! both at LeRobot's defaults. LeRobot makes the networks and runs them in turns with us, and
//! OpenVINO where that Python has it.
//!
//! `SINEW_PEER_PYTHON=… cargo bench -p sinew-policies --bench networks -- [threads] [rounds]
//! [f16|bf16]`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, missing_docs)] // a bench is its own report

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

use sinew_policies::checkpoint::Tensors;
use sinew_policies::device::cpu::Program;
use sinew_policies::graph::Builder;
use sinew_policies::layers::unet1d::Unet1d;
use sinew_policies::{Config, Options, Precision, act};

fn main() {
    let numbers = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.collect();
    let threads = numbers.first().copied().unwrap_or(1);
    let rounds = numbers.get(1).copied().unwrap_or(10);
    let Some(python) = std::env::var_os("SINEW_PEER_PYTHON") else {
        println!(
            "SKIPPED: SINEW_PEER_PYTHON names no Python with LeRobot, which makes the networks"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut peer = Peer::new(&python, folder.path(), threads);
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    let precision = match (asked("f16"), asked("bf16")) {
        (true, _) => Precision::F16,
        (_, true) => Precision::Bf16,
        _ => Precision::F32,
    };
    let options = Options { threads, precision, keep: None };
    for (name, mut program) in [
        ("act", ours_act(&folder.path().join("act"), &options)),
        ("unet16", ours_unet(&folder.path().join("unet16"), &options)),
    ] {
        let mut best: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        let mut note = |who: &str, times: [f64; 2]| {
            let best = best.entry(who.to_owned()).or_insert([f64::MAX; 2]);
            best.iter_mut().zip(times).for_each(|(best, time)| *best = best.min(time));
        };
        for _ in 0..rounds {
            for run in peer.runs.clone().iter().filter(|run| run.starts_with(name)) {
                note(run, peer.run(run));
            }
            let (wall, cpu) = (Instant::now(), cpu_ms());
            program.run().unwrap();
            let cpu = cpu_ms() - cpu;
            note("ours", [wall.elapsed().as_secs_f64() * 1e3, cpu]);
        }
        let ours = best["ours"];
        println!(
            "{name}, {threads} threads, {precision:?}, {}: milliseconds wall and CPU",
            program.kernels()
        );
        for (who, [wall, cpu]) in &best {
            println!(
                "  {who:24} {wall:8.2} {cpu:8.2}   ours is {:.2} and {:.2} of it",
                ours[0] / wall,
                ours[1] / cpu
            );
        }
        table(&program);
    }
    println!("peak memory of ours {:.0} MB", peak_mb());
}

/// ACT, with the inputs that the peer wrote, and compared with its answer.
fn ours_act(folder: &Path, options: &Options) -> Program {
    let tensors = Tensors::open(&folder.join("model.safetensors")).unwrap();
    let Config::Act(config) = Config::open(folder).unwrap() else { panic!("no ACT") };
    let graph = act::graph(&config, &tensors).unwrap();
    let start = Instant::now();
    let mut program = Program::compile(&graph, &tensors, options).unwrap();
    println!("act: compiled in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    for name in ["observation.state", "observation.images.top"] {
        program.input(name).unwrap().copy_from_slice(&numbers(folder, name));
    }
    program.run().unwrap();
    compare("act", program.output("chunk").unwrap(), &numbers(folder, "answer"));
    program
}

/// One step of denoising, with what the condition says already told.
fn ours_unet(folder: &Path, options: &Options) -> Program {
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
    modulate.run().unwrap();
    let start = Instant::now();
    let mut b = Builder::new(&tensors);
    let sample = b.input("sample", vec![16, 2]);
    let answer = unet.denoise(&mut b, sample).unwrap();
    b.output("answer", answer);
    let mut program = Program::compile(&b.finish(), &tensors, options).unwrap();
    println!("unet: compiled in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    program.input("sample").unwrap().copy_from_slice(&numbers(folder, "sample"));
    for film in 0..unet.films() {
        let name = format!("film{film}");
        let told = modulate.output(&name).unwrap();
        program.input(&name).unwrap().copy_from_slice(told);
    }
    program.run().unwrap();
    compare("unet", program.output("answer").unwrap(), &numbers(folder, "answer"));
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

/// LeRobot, in a process of its own.
struct Peer {
    child: Child,
    says: BufReader<ChildStdout>,
    runs: Vec<String>,
}

impl Peer {
    fn new(python: &std::ffi::OsStr, folder: &Path, threads: usize) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder)
            .arg(threads.to_string())
            .env("OMP_NUM_THREADS", threads.to_string())
            .env("HF_HUB_OFFLINE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ready") {
            line.clear();
            assert!(says.read_line(&mut line).unwrap() > 0, "the peer ended");
        }
        println!("{}", line.trim());
        let runs = line.trim().split(';').skip(2).map(str::to_owned).collect();
        Self { child, says, runs }
    }

    fn run(&mut self, what: &str) -> [f64; 2] {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        let mut times = line.split_whitespace().map(|time| time.parse().unwrap());
        [times.next().unwrap(), times.next().unwrap()]
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// CPU milliseconds of this process, all threads.
fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists and `time` has room for its answer.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The most memory that this process has held.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}
