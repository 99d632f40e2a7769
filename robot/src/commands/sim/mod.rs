//! `sinew sim`

mod lockstep;
mod record;
mod serve;
pub mod stage;
mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use sinew_drivers::bridge;
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{FaultPlan, Serve};

use super::driving::listen;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::run::realtime::hasten;
use serve::ServeArm;

/// Simulated arms for other programs
#[derive(Debug, Args)]
pub struct Sim {
    #[command(subcommand)]
    what: What,
}

/// What is simulated.
#[derive(Debug, Subcommand)]
enum What {
    Bus(Bus),
    Record(record::Record),
    Serve(ServeArm),
    Watch(watch::Watch),
}

/// A servo bus on a pseudo-terminal, for any program that opens serial ports
///
/// Example: sinew sim bus --arm so101 --link /tmp/follower
///
/// Joints are pushed, motors killed and cables pulled through the socket LINK.control, one JSON
/// command a line, for instance {"hand":{"id":1,"position":2500}} or "state".
#[derive(Debug, Args)]
struct Bus {
    /// Which arm: so101, so101_leader, koch, lekiwi …
    #[arg(long, default_value = "so101", value_name = "ARM")]
    arm: String,
    /// Where the port appears
    #[arg(long, value_name = "PATH")]
    link: PathBuf,
    /// What goes wrong: lost=0.01,late=0.01,corrupted=0.01 … or all=0.01
    #[arg(long, value_name = "SPEC")]
    faults: Option<String>,
    /// Everything random follows it
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Every packet, and at the end the registers, as JSON lines
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// As if calibrated; writes LeRobot's calibration to this file
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,
    /// Put a board with reflexes before it: its bridge is the port, bridge:/tmp/follower for one
    #[arg(long)]
    board: bool,
}

impl Sim {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self.what {
            What::Bus(bus) => bus.run(report),
            What::Record(record) => record.run(report),
            What::Serve(serve) => serve.run(report),
            What::Watch(watch) => watch.run(report),
        }
    }
}

impl Bus {
    fn run(self, report: &Report) -> Result<Exit, Failure> {
        let faults = plan(self.faults.as_deref())?;
        let flag = listen()?;
        let hastened = hasten();
        let serve = Serve {
            arm: self.arm,
            link: self.link,
            faults,
            seed: self.seed,
            record: self.record,
            calibration: self.calibration,
            board: self.board,
        };
        let served = serve.start()?;
        let scheme = if serve.board { bridge::SCHEME } else { "" };
        let port = format!("{scheme}{}", serve.link.display());
        report.event(&json!({
            "type": "ready",
            "port": port,
            "realtime": hastened,
        }));
        report.say(format!("{} at {port}", serve.arm));
        if !report.for_scripts() {
            report.note("Ctrl-C ends it");
        }
        while flag.raised().is_none() {
            served.bus().clock().sleep(20 * MILLI);
        }
        let faults = served.bus().fault_counts();
        served.finish()?;
        report.result(json!({ "faults": faults }));
        Ok(Exit::Done)
    }
}

/// What is to go wrong.
fn plan(faults: Option<&str>) -> Result<FaultPlan, Failure> {
    let plan = faults.map(FaultPlan::parse).transpose().map_err(|error| {
        Failure::usage(format!("--faults: {error}"), "for instance --faults lost=0.01,late=0.01")
    })?;
    Ok(plan.unwrap_or_default())
}
