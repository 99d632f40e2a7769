//! Who makes attempts: the script that knows everything, a policy of this process, or one elsewhere.

use std::path::{Path, PathBuf};

use sinew_drivers::Nanos;
#[cfg(feature = "zenoh")]
use sinew_net::Network;
use sinew_policies::Policy;
use sinew_policies::config::{Feature, FeatureKind};
use sinew_policies::processor::Pipeline;
use sinew_sim::{Env, Task};

use super::super::policy::chosen::AskFlags;
use super::super::policy::source::{Machine, locate, name_of};
use super::super::policy::{check, offered};
use crate::cli::failure::{Exit, Failure};
#[cfg(feature = "zenoh")]
use crate::cli::network::{ConnectFlags, named};
use crate::cli::report::Report;
#[cfg(feature = "zenoh")]
use crate::run::attempt::Asking;
use crate::run::attempt::{Actor, Ahead, Learned, Scripted};
use crate::run::behind::Behind;
#[cfg(feature = "zenoh")]
use crate::run::elsewhere::Remote;
use crate::run::eyes::Lookout;
use crate::run::rollout::Sequel;

/// The script that knows where everything is.
const EXPERT: &str = "expert";

/// How answers come late.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// How they follow each other.
    pub sequel: Sequel,
    /// By how much.
    pub by: Nanos,
}

impl Late {
    fn actor(late: Option<Self>, actor: impl Ahead + 'static) -> Box<dyn Actor> {
        match late {
            None => Box::new(actor),
            Some(Self { sequel, by }) => Box::new(Behind::new(Box::new(actor), sequel, by)),
        }
    }
}

/// Who makes attempts.
pub enum Who {
    /// The script that knows where everything is.
    Expert,
    /// A policy of this process, from its folder.
    Here(PathBuf),
    /// A policy of this name elsewhere.
    #[cfg(feature = "zenoh")]
    Elsewhere(Network, String),
}

impl Who {
    /// Who is meant by what was typed.
    pub fn find(
        typed: &Path,
        #[cfg(feature = "zenoh")] reached: &ConnectFlags,
        report: &Report,
    ) -> Result<Self, Failure> {
        #[cfg(feature = "zenoh")]
        if let Some((name, at)) = typed.to_str().and_then(named) {
            let network = Network::ask(&reached.options(at))?;
            return Ok(Self::Elsewhere(network, name.to_owned()));
        }
        Ok(match typed == Path::new(EXPERT) {
            true => Self::Expert,
            false => Self::Here(locate(typed, report)?),
        })
    }

    /// What the page calls whoever was typed.
    pub fn name(typed: &Path) -> String {
        #[cfg(feature = "zenoh")]
        if let Some((name, _at)) = typed.to_str().and_then(named) {
            return name.to_owned();
        }
        name_of(typed)
    }

    /// Makes one who acts.
    pub fn actor(
        &self,
        #[cfg_attr(not(feature = "zenoh"), expect(unused_variables))] task: &Task,
        machine: &Machine,
        #[cfg_attr(not(feature = "zenoh"), expect(unused_variables))] ask: &AskFlags,
        late: Option<Late>,
    ) -> Result<Box<dyn Actor>, Failure> {
        Ok(match self {
            Self::Expert if late.is_some() => {
                return Err(Failure::usage(
                    "the expert knows the world's future, and nothing it says comes late",
                    "--latency_ms is for policies",
                ));
            }
            Self::Expert => Box::<Scripted>::default(),
            Self::Here(folder) => Late::actor(late, Learned(load(folder, machine)?)),
            #[cfg(feature = "zenoh")]
            Self::Elsewhere(network, name) => {
                Late::actor(late, Asking::new(remote(network, name, task, machine, ask)?))
            }
        })
    }

    /// Whether it can be shown this task at all, and with which cameras; nothing begins where it cannot.
    pub fn fits(
        &self,
        task: &Task,
        machine: &Machine,
        #[cfg_attr(not(feature = "zenoh"), expect(unused_variables))] ask: &AskFlags,
        report: &Report,
    ) -> Result<Vec<Lookout>, Failure> {
        let env = || Env::new(task.clone());
        let (name, cameras, found) = match self {
            Self::Expert => return Ok(Vec::new()),
            Self::Here(folder) => {
                let policy = load(folder, machine)?;
                machine.tell(&policy, report);
                let inputs = &policy.config().common().inputs;
                let cameras = cameras(inputs, policy.before());
                let found = check::look(&policy, &offered::by_env(&env()?, &cameras), false);
                (folder.display().to_string(), cameras, found)
            }
            #[cfg(feature = "zenoh")]
            Self::Elsewhere(network, name) => {
                let remote = remote(network, name, task, machine, ask)?;
                let cameras = cameras(remote.inputs(), &remote.before());
                let found = remote.preflight(&offered::by_env(&env()?, &cameras));
                (remote.name(), cameras, found)
            }
        };
        if found.ok() {
            return Ok(cameras);
        }
        check::say(report, &found);
        Err(Failure::advise(
            Exit::Data,
            format!("{name} cannot be tried at {}", task.name),
            "see the findings above; other names can be given with --rename_map",
        ))
    }
}

/// The cameras that a policy was trained with, of their sizes: they stand where their names say.
fn cameras(inputs: &[(String, Feature)], before: &Pipeline) -> Vec<Lookout> {
    let images = inputs.iter().filter(|(_, input)| input.kind == FeatureKind::Visual);
    let lookout = |(theirs, feature): &(String, Feature)| {
        let [_, height, width] = feature.image()?;
        let feature = before.source(theirs);
        let name = feature.rsplit('.').next().unwrap_or_default().to_owned();
        let size = [u32::try_from(width).ok()?, u32::try_from(height).ok()?];
        Some(Lookout { feature, name, size })
    };
    images.filter_map(lookout).collect()
}

/// A policy elsewhere, for whoever makes attempts.
#[cfg(feature = "zenoh")]
fn remote(
    network: &Network,
    name: &str,
    task: &Task,
    machine: &Machine,
    ask: &AskFlags,
) -> Result<Remote, Failure> {
    machine.refuse_settings()?;
    let names = machine.renamed().cloned().unwrap_or_default();
    let task = Some(task.task.clone());
    Remote::meet(network.clone(), name, "sim", names, ask.pictures, task)
}

/// Loads a policy, to think on one thread unless more are asked for: numbers differ in their last bits
/// with the threads, and attempts side by side use all processors.
fn load(path: &Path, machine: &Machine) -> Result<Policy, Failure> {
    let mut options = machine.options();
    options.threads = machine.threads().unwrap_or(1);
    machine.load(path, &options)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_camera_stands_where_the_name_says_that_it_had_in_training() {
        let image = Feature { kind: FeatureKind::Visual, shape: vec![3, 48, 64] };
        let inputs = [("observation.image".to_owned(), image)];
        let mut before = Pipeline::default();
        let seen = |before: &Pipeline| {
            let [Lookout { feature, name, size }] = &cameras(&inputs, before)[..] else {
                panic!("one camera")
            };
            (feature.clone(), name.clone(), *size)
        };
        assert_eq!(seen(&before), ("observation.image".into(), "image".into(), [64, 48]));
        let [top, image] = ["observation.images.top", "observation.image"].map(str::to_owned);
        before.rename(BTreeMap::from([(top.clone(), image)]));
        assert_eq!(seen(&before), (top, "top".into(), [64, 48]));
    }
}
