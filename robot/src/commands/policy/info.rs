//! `sinew policy info`

use clap::Args;
use serde_json::{Value, json};
use sinew_policies::checkpoint::Tensors;
use sinew_policies::config::{Common, Config, Feature};
use sinew_policies::{Device, Options, Policy};

use super::super::dataset::bytes;
use super::source::Source;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};

/// What a policy is: its type, what it looks at and gives, its size, and what is odd about it
///
/// Example: sinew policy info outputs/train/act_so101/checkpoints/last
#[derive(Debug, Args)]
pub struct Info {
    #[command(flatten)]
    source: Source,
}

impl Info {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let folder = self.source.folder(report)?;
        let config = Config::open(&folder)?;
        let tensors = Tensors::open(&folder.join("model.safetensors"))?;
        // What cannot be run can still be looked at.
        let (warnings, training, problem) =
            match Policy::load(&folder, Device::Cpu, &Options::default()) {
                Ok(policy) => {
                    let audit = policy.audit();
                    (audit.warnings(), audit.for_training.clone(), None)
                }
                Err(error) => (config.common().unknown.clone(), Vec::new(), Some(error)),
            };
        let parameters = parameters(&tensors, &tensors.names().collect::<Vec<_>>())?;
        let needed = parameters - self::parameters(&tensors, &training)?;
        let common = config.common();
        report.say(report.tone(Tone::Strong, &folder.display().to_string()));
        report.say(format!(
            "  {} · {} parameters, {} of them to act · {}",
            config.name(),
            millions(parameters),
            millions(needed),
            bytes(tensors.size() as u64)
        ));
        report.say(format!("  {}", rhythm(&config)));
        say(report, "Looks at", &common.inputs);
        say(report, "Gives", &common.outputs);
        for warning in &warnings {
            report.warn(warning);
        }
        if let Some(problem) = &problem {
            report.warn(format!("it cannot be run: {problem}"));
        }
        report.result(json!({
            "policy": config.name(),
            "path": folder.display().to_string(),
            "parameters": parameters,
            "parameters_to_act": needed,
            "bytes": tensors.size(),
            "inputs": features(&common.inputs),
            "outputs": features(&common.outputs),
            "normalization": normalization(common),
            "n_obs_steps": common.n_obs_steps,
            "chunk": chunk(&config).0,
            "n_action_steps": chunk(&config).1,
            "warnings": warnings,
            "runs": problem.is_none(),
            "problem": problem.map(|problem| problem.to_string()),
        }));
        Ok(Exit::Done)
    }
}

/// How many numbers these tensors are together, but for counters.
fn parameters(tensors: &Tensors, names: &[String]) -> Result<usize, Failure> {
    let mut sum = 0;
    for name in names.iter().filter(|name| tensors.is_float(name)) {
        sum += tensors.shape(name)?.iter().product::<usize>();
    }
    Ok(sum)
}

fn millions(count: usize) -> String {
    match count {
        0..100_000 => count.to_string(),
        _ => format!("{:.1} M", count as f64 / 1e6),
    }
}

/// How many actions a chunk has, and how many of them are carried out.
fn chunk(config: &Config) -> (usize, usize) {
    match config {
        Config::Act(act) => (act.chunk_size, act.n_action_steps),
        Config::Diffusion(diffusion) => (diffusion.horizon, diffusion.n_action_steps),
        Config::VqBet(vqbet) => (vqbet.action_chunk_size, vqbet.action_chunk_size),
        Config::Tdmpc(tdmpc) => (tdmpc.chunk(), tdmpc.steps()),
    }
}

fn rhythm(config: &Config) -> String {
    let (chunk, taken) = chunk(config);
    let seen = match config.common().n_obs_steps {
        1 => "the newest observation".to_owned(),
        count => format!("the last {count} observations"),
    };
    let ensemble = match config {
        Config::Act(act) => act.temporal_ensemble_coeff,
        Config::Diffusion(_) | Config::VqBet(_) | Config::Tdmpc(_) => None,
    };
    match ensemble {
        Some(coefficient) => format!(
            "a chunk of {chunk} actions at every step from {seen}, averaged with those before it ({coefficient})"
        ),
        None => {
            let actions = if taken == 1 { "action" } else { "actions" };
            format!("{taken} {actions} of a chunk of {chunk} from {seen}")
        }
    }
}

fn say(report: &Report, title: &str, features: &[(String, Feature)]) {
    report.say(report.tone(Tone::Strong, title));
    let width = features.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, feature) in features {
        let size = match feature.image() {
            Some([_, high, wide]) => format!("{wide}×{high}"),
            None => format!("{} numbers", feature.numbers()),
        };
        report.say(format!("  {name:<width$}  {size}"));
    }
}

fn features(features: &[(String, Feature)]) -> Value {
    let fields = features.iter().map(|(name, feature)| {
        let kind = format!("{:?}", feature.kind).to_uppercase();
        (name.clone(), json!({"type": kind, "shape": feature.shape}))
    });
    Value::Object(fields.collect())
}

fn normalization(common: &Common) -> Value {
    let fields = common
        .normalization
        .iter()
        .map(|(kind, mode)| (format!("{kind:?}").to_uppercase(), json!(mode.name())));
    Value::Object(fields.collect())
}
