//! `sinew doctor --board`: what this board is, and which policies it can run how often.
//!
//! Nothing is asked of the network or of files: networks of the usual sizes get made-up weights, and are
//! run by the kernels that run real ones.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sinew_policies::checkpoint::Tensors;
use sinew_policies::trial::{self, Size};
use sinew_policies::{Options, Precision};

use super::Finding;
use crate::cli::failure::Failure;
use crate::cli::report::{Report, Tone};

/// What weights are held as, and what that is called.
const PRECISIONS: [(Precision, &str); 4] = [
    (Precision::F32, "f32"),
    (Precision::F16, "f16"),
    (Precision::Bf16, "bf16"),
    (Precision::Int8, "int8"),
];
/// Rates of the loops that a policy is to keep up with.
const RATES: [f64; 3] = [30.0, 60.0, 200.0];
/// What a chunk may take that is still waited for; longer ones are estimated.
const PATIENCE: f64 = 15.0;
/// How long chunks of one kind are timed, beyond the first.
const TIMED: Duration = Duration::from_secs(1);
/// Memory that everything but weights takes.
const BESIDE: u64 = 200 << 20;
/// A processor this hot is about to slow itself down.
const HOT: f64 = 80.0;

/// What was found out about one network in one precision.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Trial {
    precision: &'static str,
    /// Multiplications that a chunk takes, as the network defines it.
    work: f64,
    chunk_s: f64,
    /// Whether it was run, or reckoned from what ran before.
    measured: bool,
}

/// Looks the board over, and says line by line what it can run.
pub fn findings(report: &Report) -> Result<(Vec<Finding>, Value), Failure> {
    let options = Options::default();
    let mut findings = vec![Finding::fine("board", about(&options))];
    let sizes = trial::sizes()?;
    report.say(report.tone(Tone::Strong, &head()));
    let mut rates = BTreeMap::new();
    let mut listed = Vec::new();
    let mut smallest_keeps_up = true;
    for (nth, size) in sizes.iter().enumerate() {
        let numbers = size.numbers()?;
        if !fits(numbers, available()) {
            let says =
                format!("weights of {} MB do not fit into the memory left", megabytes(numbers));
            let remedy = "close other programs, or run a smaller policy";
            findings.push(Finding::wrong(size.name, says, remedy));
            continue;
        }
        let trials = try_all(size, &options, &mut rates, report)?;
        let actions = size.config.n_action_steps;
        report.say(line(size.name, actions, &trials));
        for trial in &trials {
            let event = json(size, numbers, options.threads, trial);
            report.event(&event);
            listed.push(event);
        }
        smallest_keeps_up &= nth > 0 || keeps_up(best(&trials), actions, RATES[0]);
    }
    report.say("≈ is reckoned from what ran before it. \"Keeps up\" is a roll-out with --inference.type async.");
    if !smallest_keeps_up {
        findings.push(Finding::wrong(
            "policies",
            "not even a small one keeps up with 30 Hz here",
            "close what keeps the processors busy, or let another machine think: sinew serve-policy --help",
        ));
    }
    findings.extend(heat());
    Ok((findings, json!(listed)))
}

/// One network in every precision.
fn try_all(
    size: &Size,
    options: &Options,
    rates: &mut BTreeMap<&'static str, f64>,
    report: &Report,
) -> Result<Vec<Trial>, Failure> {
    let weights = size.weights()?;
    let mut trials = Vec::new();
    for (precision, name) in PRECISIONS {
        report.progress(&format!("{}, {name} …", size.name));
        let options = Options { precision, ..options.clone() };
        let (trial, rate) = time(size, &weights, &options, name, rates.get(name).copied())?;
        rates.insert(name, rate);
        trials.push(trial);
    }
    report.progress("");
    Ok(trials)
}

/// How long a chunk takes, and how many multiplications a second that is. Given the rate of a smaller
/// network, a chunk that would take too long is not waited for.
fn time(
    size: &Size,
    weights: &Tensors,
    options: &Options,
    precision: &'static str,
    rate: Option<f64>,
) -> Result<(Trial, f64), Failure> {
    let mut program = size.network(weights, options)?;
    let work: u64 = program.profile().iter().map(|step| step.multiplications).sum();
    let work = work as f64;
    if let Some((rate, chunk_s)) =
        rate.map(|rate| (rate, work / rate)).filter(|(_, chunk)| *chunk > PATIENCE)
    {
        return Ok((Trial { precision, work, chunk_s, measured: false }, rate));
    }
    let mut once = || -> Result<f64, Failure> {
        let begun = Instant::now();
        program.run()?;
        Ok(begun.elapsed().as_secs_f64())
    };
    // The first one finds its memory; it counts where there is no time for another.
    let first = once()?;
    let mut times = Vec::new();
    let begun = Instant::now();
    while first < TIMED.as_secs_f64() * 2.0 && begun.elapsed() < TIMED && times.len() < 1000 {
        times.push(once()?);
    }
    times.sort_by(f64::total_cmp);
    let chunk_s = times.get(times.len() / 2).copied().unwrap_or(first);
    Ok((Trial { precision, work, chunk_s, measured: true }, work / chunk_s))
}

fn best(trials: &[Trial]) -> f64 {
    trials.iter().map(|trial| trial.chunk_s).fold(f64::INFINITY, f64::min)
}

/// Whether the next chunk is there before the actions of this one have been carried out.
fn keeps_up(chunk_s: f64, actions: usize, rate: f64) -> bool {
    chunk_s * rate <= actions as f64
}

fn head() -> String {
    let names = PRECISIONS.map(|(_, name)| format!("{name:>8}"));
    format!("{:<30}{}  keeps up with       looks again", "ms a chunk", names.concat())
}

fn line(name: &str, actions: usize, trials: &[Trial]) -> String {
    let times = trials.iter().map(|trial| {
        let about = if trial.measured { "" } else { "≈" };
        format!(
            "{:>8}",
            format!("{about}{:.*}", usize::from(trial.chunk_s < 0.01), trial.chunk_s * 1e3)
        )
    });
    let best = best(trials);
    let kept = RATES.iter().filter(|rate| keeps_up(best, actions, **rate));
    let kept: Vec<_> = kept.map(|rate| format!("{rate:.0}")).collect();
    let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") + " Hz" };
    format!("{name:<30}{}  {kept:<18}  {:.1} times a second", times.collect::<String>(), 1.0 / best)
}

fn json(size: &Size, numbers: usize, threads: usize, trial: &Trial) -> Value {
    let actions = size.config.n_action_steps;
    json!({
        "type": "policy_size",
        "name": size.name,
        "policy": "act",
        "numbers": numbers,
        "actions": actions,
        "precision": trial.precision,
        "threads": threads,
        "multiplications": trial.work,
        "chunk_ms": trial.chunk_s * 1e3,
        "measured": trial.measured,
        "keeps_up_hz": actions as f64 / trial.chunk_s,
    })
}

/// Whether made-up weights and packed ones fit beside each other.
fn fits(numbers: usize, available: Option<u64>) -> bool {
    let need = 2 * numbers as u64 * size_of::<f32>() as u64 + BESIDE;
    available.is_none_or(|available| need <= available)
}

fn megabytes(numbers: usize) -> usize {
    (numbers * size_of::<f32>()).div_ceil(1_000_000)
}

/// Which board this is, in a line.
fn about(options: &Options) -> String {
    let read = |path| fs::read_to_string(path).ok();
    let model = read("/proc/device-tree/model")
        .or_else(|| read("/sys/devices/virtual/dmi/id/product_name"))
        .map(|text| text.trim_matches(['\0', '\n', ' ']).to_owned())
        .filter(|text| !text.is_empty());
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let gigabytes =
        |line| memory(line).map_or("?".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1e9));
    format!(
        "{}, {processors} processors of {}, {} GB of memory with {} free; networks on {} threads",
        model.unwrap_or_else(|| "a board without a name".to_owned()),
        std::env::consts::ARCH,
        gigabytes("MemTotal:"),
        gigabytes("MemAvailable:"),
        options.threads
    )
}

fn available() -> Option<u64> {
    memory("MemAvailable:")
}

/// A line of the system's account of its memory, in bytes.
fn memory(line: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|at| at.strip_prefix(line))?.split_whitespace().next()?;
    kilobytes.parse::<u64>().ok()?.checked_mul(1024)
}

/// How hot the trials left the processor, where the board tells.
fn heat() -> Option<Finding> {
    let zones = fs::read_dir("/sys/class/thermal").ok()?;
    let read = |path: std::path::PathBuf| fs::read_to_string(path).ok()?.trim().parse::<f64>().ok();
    let hottest = zones.flatten().filter_map(|zone| read(zone.path().join("temp")));
    let degrees = hottest.fold(f64::NEG_INFINITY, f64::max) / 1000.0;
    if !degrees.is_finite() {
        return None;
    }
    let says = format!("{degrees:.0} °C after all this work");
    Some(match degrees < HOT {
        true => Finding::fine("heat", says),
        false => {
            Finding::wrong("heat", says, "give it a heat sink or a fan: hot processors slow down")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_keeps_up_while_a_chunk_takes_no_longer_than_its_actions() {
        assert!(keeps_up(100.0 / 30.0, 100, 30.0));
        assert!(!keeps_up(3.4, 100, 30.0));
        assert!(keeps_up(0.49, 100, 200.0) && !keeps_up(0.51, 100, 200.0));
    }

    #[test]
    fn what_is_too_slow_to_be_waited_for_is_reckoned_from_what_ran() {
        let size = &trial::sizes().unwrap()[0];
        let weights = size.weights().unwrap();
        let options = Options { threads: 1, ..Options::default() };
        let (trial, rate) = time(size, &weights, &options, "f32", None).unwrap();
        assert!(trial.measured && trial.chunk_s > 0.0 && rate > 0.0);
        let (slow, same) = time(size, &weights, &options, "f32", Some(1.0)).unwrap();
        assert!(!slow.measured && same == 1.0);
        assert_eq!(slow.chunk_s, trial.work, "one multiplication a second");
    }

    #[test]
    fn a_line_says_what_was_measured_and_what_it_is_good_for() {
        let trial =
            |precision, chunk_s, measured| Trial { precision, work: 1e9, chunk_s, measured };
        let trials = [trial("f32", 2.0, true), trial("int8", 1.25, false)];
        let told = line("ACT", 100, &trials);
        assert!(told.contains("    2000   ≈1250  30, 60 Hz"), "{told}");
        assert!(told.ends_with("0.8 times a second"), "{told}");
        assert!(line("ACT", 10, &trials).contains("nothing"));
    }

    #[test]
    fn weights_must_fit_twice() {
        assert!(fits(1000, None));
        assert!(fits(1_000_000, Some(BESIDE + 8_000_000)));
        assert!(!fits(1_000_000, Some(BESIDE + 7_999_999)));
    }
}
