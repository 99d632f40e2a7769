//! `sinew ps`

use std::time::Duration;

use clap::Args;
use serde_json::json;
use sinew_net::key::Present;
use sinew_net::{Network, presence};

use crate::cli::failure::{Exit, Failure};
use crate::cli::network::ConnectFlags;
use crate::cli::report::Report;

/// Robots and policies that are hosted on this machine and others
///
/// Example: sinew ps --connect pi.local:7447
#[derive(Debug, Args)]
pub struct Ps {
    #[command(flatten)]
    network: ConnectFlags,
}

/// How long somebody may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl Ps {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let network = Network::ask(&self.network.options(None))?;
        let (mut robots, mut policies) = (0, 0);
        for present in presence::look(&network, PATIENCE)? {
            match present {
                Present::Robot(name) => {
                    robots += 1;
                    robot(&network, &name, report)?;
                }
                Present::Policy(name) => {
                    policies += 1;
                    policy(&network, &name, report)?;
                }
            }
        }
        if robots + policies == 0 {
            report.say(format!("nobody is there ({})", network.at()));
        }
        report.result(json!({"robots": robots, "policies": policies}));
        Ok(Exit::Done)
    }
}

fn robot(network: &Network, name: &str, report: &Report) -> Result<(), Failure> {
    let Some(found) = presence::robot(network, name, PATIENCE)? else {
        report.say(format!("{name}  does not answer"));
        report.event(&json!({"type": "robot", "robot": name, "answers": false}));
        return Ok(());
    };
    let cameras: Vec<_> = found.cameras.iter().map(|camera| camera.name.as_str()).collect();
    let seen = if cameras.is_empty() { "no cameras".to_owned() } else { cameras.join(", ") };
    let holder =
        found.holder.as_deref().map_or("free".to_owned(), |who| format!("driven by {who}"));
    report.say(format!("{name}  {} at {} Hz, {seen}; {holder}", found.kind, found.fps));
    report.event(&json!({
        "type": "robot", "robot": name, "answers": true, "kind": found.kind, "id": found.id,
        "fps": found.fps, "cameras": cameras, "holder": found.holder, "program": found.program,
        "watchdog_ms": found.watchdog_ms, "stop": found.stop,
    }));
    Ok(())
}

fn policy(network: &Network, name: &str, report: &Report) -> Result<(), Failure> {
    let Some(found) = presence::policy(network, name, PATIENCE)? else {
        report.say(format!("{name}  does not answer"));
        report.event(&json!({"type": "policy", "policy": name, "answers": false}));
        return Ok(());
    };
    let inputs: Vec<_> = found.inputs.iter().map(|input| input.name.as_str()).collect();
    report.say(format!("{name}  policy {}, looks at {}", found.kind, inputs.join(", ")));
    report.event(&json!({
        "type": "policy", "policy": name, "answers": true, "kind": found.kind, "inputs": inputs,
        "program": found.program,
    }));
    Ok(())
}
