//! Which policy is meant, and how it is to be run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;
use sinew_hub::{Kind, Repo};
use sinew_policies::{Device, Options, Policy, Precision, folder};

use super::super::fetching;
use crate::cli::failure::Failure;
#[cfg(feature = "zenoh")]
use crate::cli::network::named;
use crate::cli::report::Report;

/// Which policy.
#[derive(Debug, Clone, Args)]
pub struct Source {
    /// A checkpoint's folder, one above it, or the id of one on the Hub
    #[arg(value_name = "DIR|REPO", required_unless_present = "policy_path")]
    policy: Option<PathBuf>,
    /// The same, as LeRobot's own programs take it
    #[arg(long = "policy.path", alias = "policy", value_name = "DIR|REPO")]
    policy_path: Option<PathBuf>,
}

/// How it is to be run.
#[derive(Debug, Clone, Args)]
pub struct Machine {
    /// Threads that work on it; without it, as many as there are cores but one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// What its weights are held as
    #[arg(long, value_enum, default_value = "f32", value_name = "WHAT")]
    precision: Weights,
    /// Keep the weights as they are computed with in the user's cache folder: later starts are quicker
    #[arg(long)]
    weight_cache: bool,
    /// Other names for what is seen: '{theirs: the policy's, …}'
    #[arg(long = "rename_map", value_name = "MAP", value_parser = names)]
    rename_map: Option<Names>,
    /// What its network is computed on: cpu, or cuda or cuda:1 where GPUs are built in
    #[arg(long = "policy.device", alias = "device", value_name = "WHAT", default_value = "cpu")]
    #[arg(value_parser = On::parse)]
    device: On,
    /// A setting that is to be otherwise than in the checkpoint's config.json, once for each:
    /// temporal_ensemble_coeff=0.01. LeRobot's --policy.temporal_ensemble_coeff=0.01 means the same
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = setting)]
    settings: Vec<(String, Value)>,
}

/// What a network is computed on, and what was typed where that is not there.
#[derive(Debug, Clone)]
struct On {
    device: Device,
    missing: Option<String>,
}

impl On {
    /// LeRobot's words. It goes on without a GPU that is not there, and says so; so do we.
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, number) = text.split_once(':').unwrap_or((text, "0"));
        let nth: usize =
            number.parse().map_err(|error| format!("{number} is no GPU's number: {error}"))?;
        match kind {
            "cpu" => Ok(Self { device: Device::Cpu, missing: None }),
            "cuda" if cfg!(feature = "cuda") => {
                Ok(Self { device: Device::Cuda(nth), missing: None })
            }
            "cuda" | "mps" | "xpu" => {
                Ok(Self { device: Device::Cpu, missing: Some(text.to_owned()) })
            }
            _ => Err("it is cpu, cuda or cuda:1".to_owned()),
        }
    }
}

/// A field of `config.json` and its value, as LeRobot's programs read it.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (field, value) = text.split_once('=').ok_or("a field and its value: n_action_steps=10")?;
    let value = serde_yaml_ng::from_str(value).map_err(|error| format!("{field}: {error}"))?;
    Ok((field.to_owned(), value))
}

/// Names, and the names that take their place.
pub type Names = BTreeMap<String, String>;

/// Precisions by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    F32,
    F16,
    Bf16,
    Int8,
}

impl Weights {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::F16 => Precision::F16,
            Self::Bf16 => Precision::Bf16,
            Self::Int8 => Precision::Int8,
        }
    }
}

fn names(text: &str) -> Result<Names, String> {
    serde_yaml_ng::from_str(text).map_err(|error| format!("names and their names: {error}"))
}

/// The folder of a policy: one of this machine, or one that is fetched from the Hub.
pub fn locate(typed: &Path, report: &Report) -> Result<PathBuf, Failure> {
    let repo = typed.to_str().and_then(|id| Repo::new(Kind::Model, id).ok());
    match repo.filter(|_| !typed.exists()) {
        Some(repo) => fetching::policy(report, &repo),
        None => Ok(folder::find(typed)?),
    }
}

/// What the policy in a folder is called.
#[cfg(any(feature = "sim", feature = "zenoh"))]
pub fn name_of(path: &Path) -> String {
    let of = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    // LeRobot's OUTPUT/checkpoints/last/pretrained_model is called OUTPUT.
    let plain = |name: &String| {
        let parts = ["pretrained_model", "last", "checkpoints"];
        !parts.contains(&name.as_str()) && !name.bytes().all(|letter| letter.is_ascii_digit())
    };
    let named = path.ancestors().filter_map(of).find(plain);
    named.unwrap_or_else(|| path.display().to_string())
}

impl Source {
    /// What was typed.
    pub fn typed(&self) -> &Path {
        self.policy_path.as_deref().or(self.policy.as_deref()).unwrap_or(Path::new("."))
    }

    /// The name and the address of a policy elsewhere, if one is meant.
    #[cfg(feature = "zenoh")]
    pub fn elsewhere(&self) -> Option<(&str, Option<&str>)> {
        named(self.typed().to_str()?)
    }

    /// The folder that is meant.
    pub fn folder(&self, report: &Report) -> Result<PathBuf, Failure> {
        locate(self.typed(), report)
    }

    /// Loads it, and tells what is odd about it.
    pub fn load(&self, machine: &Machine, report: &Report) -> Result<Policy, Failure> {
        self.load_with(machine, &machine.options(), report)
    }

    /// The same for as many robots at once, where it can answer them together.
    #[cfg(feature = "zenoh")]
    pub fn load_for(
        &self,
        machine: &Machine,
        robots: usize,
        report: &Report,
    ) -> Result<Policy, Failure> {
        self.load_with(machine, &Options { together: robots, ..machine.options() }, report)
    }

    fn load_with(
        &self,
        machine: &Machine,
        options: &Options,
        report: &Report,
    ) -> Result<Policy, Failure> {
        let policy = machine.load(&self.folder(report)?, options)?;
        machine.tell(&policy, report);
        Ok(policy)
    }
}

impl Machine {
    /// Loads a folder's policy to be run so.
    pub fn load(&self, folder: &Path, options: &Options) -> Result<Policy, Failure> {
        let settings = self.settings.iter().cloned().collect();
        let mut policy = Policy::load_with(folder, &settings, self.device.device, options)?;
        if let Some(names) = &self.rename_map {
            policy.rename(names.clone())?;
        }
        Ok(policy)
    }

    /// Tells what is odd about a policy that was loaded so.
    pub fn tell(&self, policy: &Policy, report: &Report) {
        if let Some(missing) = &self.device.missing {
            report.warn(format!("{missing} is not built into this program: the CPU computes"));
        }
        for warning in policy.audit().warnings() {
            report.warn(warning);
        }
    }

    /// As the policy takes them.
    pub fn options(&self) -> Options {
        let mut options = Options { precision: self.precision.precision(), ..Options::default() };
        if let Some(threads) = self.threads {
            options.threads = usize::from(threads);
        }
        options.keep = self.weight_cache.then(folder::weight_cache).flatten();
        options
    }

    /// The threads that were asked for.
    #[cfg(feature = "sim")]
    pub fn threads(&self) -> Option<usize> {
        self.threads.map(usize::from)
    }

    /// What what is seen is called instead.
    #[cfg(feature = "zenoh")]
    pub fn renamed(&self) -> Option<&Names> {
        self.rename_map.as_ref()
    }

    /// Refuses what only a policy that is loaded here can be told.
    #[cfg(feature = "zenoh")]
    pub fn refuse_settings(&self) -> Result<(), Failure> {
        match self.settings.first() {
            Some((field, _)) => Err(Failure::usage(
                format!("{field} cannot be set of a policy that runs elsewhere"),
                "where it runs: sinew serve-policy --set FIELD=VALUE",
            )),
            None => Ok(()),
        }
    }

    /// Whether weights are held as they are trained.
    pub fn is_exact(&self) -> bool {
        self.precision == Weights::F32
    }

    /// The same with weights as they are trained.
    pub fn exact(&self) -> Self {
        Self { precision: Weights::F32, ..self.clone() }
    }

    /// What its weights are held as.
    pub fn precision(&self) -> &'static str {
        self.precision.name()
    }
}
