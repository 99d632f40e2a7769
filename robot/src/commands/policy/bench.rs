//! `sinew policy bench`

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use sinew_policies::policy::Policy;

use super::sight::{Off, Sight, chunk};
use super::source::{Machine, Source};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// How long a policy takes to make a chunk, and where the time goes
///
/// Example: sinew policy bench outputs/act_so101 --threads 1
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    machine: Machine,
    /// How many chunks are timed
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    chunks: u32,
    /// How many are made before
    #[arg(long, default_value_t = 3, value_name = "N")]
    warm_up: u32,
}

impl Bench {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let mut policy = self.source.load(&self.machine, report)?;
        let load_ms = ms(begun.elapsed());
        let sight = Sight::new(&policy, 1)?;
        let seen = sight.seen();
        for _ in 0..self.warm_up {
            chunk(&mut policy, &seen)?;
        }
        let mut times = Vec::with_capacity(self.chunks as usize);
        let cpu = cpu_time();
        for at in 0..self.chunks {
            let begun = Instant::now();
            chunk(&mut policy, &seen)?;
            times.push(ms(begun.elapsed()));
            report.progress(&format!("chunk {} of {}", at + 1, self.chunks));
        }
        let cpu = cpu_time().zip(cpu).map(|(after, before)| ms(after.saturating_sub(before)));
        let cpu_ms = cpu.map(|cpu| cpu / f64::from(self.chunks));
        report.progress("");
        times.sort_by(f64::total_cmp);
        let part = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        let (p50, p95, min) = (part(0.5), part(0.95), part(0.0));
        let threads = self.machine.options().threads;
        let layers = layers(&policy);
        let peak_mb = peak_mb();
        let off = match self.machine.is_exact() {
            true => None,
            false => {
                let mut exact = self.source.load(&self.machine.exact(), report)?;
                Some(Off::measure(&mut policy, &mut exact)?)
            }
        };
        report.say(report.tone(Tone::Strong, &policy.folder().display().to_string()));
        report.say(format!(
            "  {} in {} on {threads} threads: {p50:.2} ms a chunk, 95 in 100 below {p95:.2} ms, best {min:.2} ms",
            policy.config().name(),
            self.machine.precision()
        ));
        let known =
            |number: Option<f64>| number.map_or("?".to_owned(), |number| format!("{number:.1}"));
        report.say(format!(
            "  loaded in {load_ms:.0} ms · {} ms of processor a chunk · {} MB at most",
            known(cpu_ms),
            known(peak_mb)
        ));
        if let Some(off) = &off {
            report.say(format!("  {}", off.told()));
        }
        table(report, &layers);
        report.result(json!({
            "policy": policy.config().name(),
            "precision": self.machine.precision(),
            "threads": threads,
            "load_ms": load_ms,
            "chunk_ms": {"p50": p50, "p95": p95, "min": min},
            "cpu_ms": cpu_ms,
            "peak_mb": peak_mb,
            "action_error": off.as_ref().map(Off::json),
            "chunks": self.chunks,
            "layers": layers.iter().map(Layer::json).collect::<Vec<_>>(),
        }));
        Ok(Exit::Done)
    }
}

/// One step of a program.
struct Layer {
    part: &'static str,
    name: String,
    kind: &'static str,
    /// The best time of one run, times how often it runs for a chunk.
    ms: f64,
    runs: usize,
    gflops: f64,
}

impl Layer {
    fn json(&self) -> Value {
        json!({
            "part": self.part,
            "name": self.name,
            "kind": self.kind,
            "ms": self.ms,
            "runs": self.runs,
            "gflops": self.gflops,
        })
    }
}

fn layers(policy: &Policy) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (part, program, runs) in policy.parts() {
        for timing in program.profile() {
            let best = timing.best.as_secs_f64();
            layers.push(Layer {
                part,
                name: timing.name.clone(),
                kind: timing.kind,
                ms: best * 1e3 * runs as f64,
                runs,
                gflops: if best > 0.0 { 2e-9 * timing.multiplications as f64 / best } else { 0.0 },
            });
        }
    }
    layers
}

/// The layers that take longest.
fn table(report: &Report, layers: &[Layer]) {
    let all: f64 = layers.iter().map(|layer| layer.ms).sum();
    let mut longest: Vec<&Layer> = layers.iter().collect();
    longest.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    report.say(report.tone(Tone::Strong, "      ms   share  GFLOP/s  layer"));
    for layer in longest.iter().take(20) {
        let share = if all > 0.0 { 100.0 * layer.ms / all } else { 0.0 };
        let times = if layer.runs > 1 { format!(" × {}", layer.runs) } else { String::new() };
        report.say(format!(
            "{:>8.3}  {share:>5.1} %  {:>7.1}  {} ({}{times})",
            layer.ms, layer.gflops, layer.name, layer.kind
        ));
    }
    if longest.len() > 20 {
        let rest: f64 = longest[20..].iter().map(|layer| layer.ms).sum();
        report.say(format!("{rest:>8.3}                    the other {}", longest.len() - 20));
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// What all threads of this process have computed so far.
fn cpu_time() -> Option<Duration> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let nanos = threads.filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(nanos.sum()))
}

/// The most memory that this process had at any time.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024.0)
}
