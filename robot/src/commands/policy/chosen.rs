//! The policy that is to drive, wherever it is, held beside what it is to be shown.

use clap::Args;
#[cfg(feature = "zenoh")]
use sinew_net::Network;
use sinew_policies::preflight::{Offered, Preflight};

use super::check;
use super::source::{Machine, Source};
use super::training;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::RemoteFlags;
use crate::cli::report::Report;
#[cfg(feature = "zenoh")]
use crate::run::elsewhere::{Pictures, Remote};
use crate::run::realtime::patiently;
use crate::run::rollout::{Aggregate, Inference, Sequel, Thinker};

/// How a policy elsewhere is asked.
#[derive(Debug, Clone, Args)]
pub struct AskFlags {
    /// How pictures go to a policy elsewhere (--policy zenoh://NAME@HOST:PORT, of `sinew serve-policy`)
    #[cfg(feature = "zenoh")]
    #[arg(long = "inference.images", value_enum, default_value = "jpeg", value_name = "HOW")]
    pub pictures: Pictures,
}

/// How the actions it makes follow those before.
#[derive(Debug, Clone, Args)]
pub struct InferenceFlags {
    /// Whether the next actions are made while the arm carries out those before
    #[arg(long = "inference.type", value_enum, default_value = "sync", value_name = "WHICH")]
    pub inference: Inference,
    /// Asynchronously, the share of a chunk that is left when the next is begun
    #[arg(
        long = "inference.chunk_size_threshold",
        alias = "chunk_size_threshold",
        value_name = "SHARE",
        default_value_t = 0.5,
        value_parser = share
    )]
    pub threshold: f64,
    /// Asynchronously, what counts where the next actions and those that are left speak of the same
    /// instants
    #[arg(
        long = "inference.aggregate",
        alias = "aggregate_fn_name",
        value_enum,
        default_value = "latest_only",
        value_name = "HOW"
    )]
    pub aggregate: Aggregate,
}

fn share(text: &str) -> Result<f64, String> {
    let fits = |share: &f64| (0.0..=1.0).contains(share);
    text.parse().ok().filter(fits).ok_or_else(|| "a share is a number from 0 to 1".into())
}

impl InferenceFlags {
    /// Says what was asked for and changes nothing.
    pub fn check(&self, report: &Report) {
        if self.aggregate != Aggregate::LatestOnly && self.inference == Inference::Sync {
            report.warn(
                "--inference.aggregate changes nothing: with --inference.type=sync nothing is left of \
                 the actions before",
            );
        }
    }

    /// The same for so many actions a second.
    pub fn sequel(&self, rate: f64) -> Sequel {
        let Self { inference, threshold, aggregate } = *self;
        Sequel { inference, threshold, aggregate, rate }
    }
}

/// Whom it is to drive.
#[cfg_attr(not(feature = "zenoh"), expect(dead_code))]
pub struct Driven<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it has to offer.
    pub offered: Offered,
    /// What is to be done, if somebody said so.
    pub task: Option<&'a str>,
    /// How many actions a second it takes.
    pub rate: f64,
    /// How other machines are reached.
    pub remote: &'a RemoteFlags,
}

/// Loads a policy, or finds it where it is served; nothing goes on where both do not fit.
pub fn thinker(
    source: &Source,
    machine: &Machine,
    #[cfg_attr(not(feature = "zenoh"), expect(unused_variables))] flags: &AskFlags,
    driven: &Driven<'_>,
    report: &Report,
) -> Result<Thinker, Failure> {
    #[cfg(feature = "zenoh")]
    if let Some(place) = source.elsewhere() {
        let remote = meet(place, machine, flags.pictures, driven, report)?;
        return Ok(Thinker::Elsewhere(Box::new(remote)));
    }
    let policy = patiently(|| source.load(machine, report)).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot start the policy's thread: {error}"))
    })??;
    let found = check::look(&policy, &driven.offered, false);
    fits(&found, &policy.folder().display().to_string(), driven, report)?;
    if let Some((rate, name)) = training::rate(policy.folder()) {
        keeps(rate, &format!("the policy, with {name},"), driven, report);
    }
    Ok(Thinker::Here(Box::new(policy)))
}

/// Warns where actions are carried out faster or more slowly than in training.
fn keeps(rate: f64, what: &str, driven: &Driven<'_>, report: &Report) {
    if rate != driven.rate {
        report.warn(format!(
            "{what} was trained for {rate} actions a second, and {} are carried out: --fps {rate}",
            driven.rate
        ));
    }
}

fn fits(
    found: &Preflight,
    policy: &str,
    driven: &Driven<'_>,
    report: &Report,
) -> Result<(), Failure> {
    check::say(report, found);
    if found.ok() {
        return Ok(());
    }
    Err(Failure::advise(
        Exit::Data,
        format!("{policy} cannot drive {}", driven.name),
        "see the findings above: a camera is named with --camera NAME=SOURCE, and other names can be \
         given with --rename_map; nothing has moved",
    ))
}

/// Finds a policy that is served, and holds what it says of itself beside what is offered.
#[cfg(feature = "zenoh")]
fn meet(
    (name, at): (&str, Option<&str>),
    machine: &Machine,
    pictures: Pictures,
    driven: &Driven<'_>,
    report: &Report,
) -> Result<Remote, Failure> {
    machine.refuse_settings()?;
    let network = Network::ask(&driven.remote.network.options(at))?;
    let names = machine.renamed().cloned().unwrap_or_default();
    let task = driven.task.map(str::to_owned);
    let remote = Remote::meet(network, name, driven.name, names, pictures, task)?;
    if remote.wants_a_task() {
        return Err(Failure::usage(
            format!("{name} has to be told what is to be done"),
            "say it: --task \"pick the cube\"",
        ));
    }
    fits(&remote.preflight(&driven.offered), &remote.name(), driven, report)?;
    if let Some(rate) = remote.rate() {
        keeps(rate, name, driven, report);
    }
    Ok(remote)
}
