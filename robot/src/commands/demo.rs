//! `sinew demo`

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sinew_drivers::Clock;
use sinew_drivers::arm::{Arm, ArmOptions};
use sinew_drivers::clock::SECOND;
use sinew_drivers::sim::FaultPlan;
use sinew_drivers::stop::StopFlag;

use super::driving::{figures, finish, listen};
use super::watching::watch;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};
use crate::run::control::{Pace, Pair, end};
use crate::simulated::{Hand, Joints, Simulated};

/// The whole product on a simulated arm, nothing plugged in
///
/// Example: sinew demo
///
/// A simulated leader, moved by a scripted hand, drives a simulated follower: real drivers, real
/// packets, a virtual bus that loses and damages some of them.
#[derive(Debug, Args)]
pub struct Demo {
    /// No picture: a few seconds, then a summary
    #[arg(long)]
    headless: bool,
    /// Another seed, other movements and other faults
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Seconds to run; without it, until Ctrl-C (headless: 5)
    #[arg(long, value_name = "S", value_parser = super::driving::seconds)]
    time: Option<f64>,
    /// Also writes the summary there, as demo.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What the simulated bus does wrong: a bad cable's share, so that one sees it does not matter.
const FAULTS: f64 = 0.002;

impl Demo {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let flag = listen()?;
        let leader = Simulated::new("so101_leader", self.seed)?;
        let follower = Simulated::new("so101_follower", self.seed.wrapping_add(1))?;
        let pair = Pair::led(set_up(&leader, &flag)?, set_up(&follower, &flag)?)
            .map_err(|unlike| Failure::new(Exit::Failed, unlike.to_string()))?;
        let bus = follower.bus.clone();
        bus.faults(FaultPlan::answers(FAULTS));
        report.say(report.tone(Tone::Strong, "A simulated leader drives a simulated follower."));
        report.say("○ where the leader is   ● where the follower is   (Ctrl-C ends it)\n");
        let unseen = self.headless || !report.drawing();
        let duration = self.time.map(super::driving::span).or(unseen.then_some(5 * SECOND));
        let pace = Pace { fps: 60.0, duration };
        let hand = Hand::moving(Joints::of(std::iter::once(&leader)), self.seed)?;
        let mut pairs = [pair];
        let stats = figures(&Clock::Real)?;
        let ran = watch(&mut pairs, pace, stats, report, |_, _, _| ControlFlow::Continue(()));
        let outcome = end(&mut pairs, ran);
        drop(hand);
        let faults = bus.fault_counts();
        if let Some(folder) = &self.out {
            let summary = outcome.lap.stats.json(&outcome.bus, &outcome.arms);
            let failed = |error: std::io::Error| {
                Failure::new(Exit::Failed, format!("{}: {error}", folder.display()))
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
            std::fs::write(folder.join("demo.json"), summary.to_string()).map_err(failed)?;
        }
        report.say("");
        let exit = finish(report, outcome, true, json!({ "faults": faults }))?;
        next_steps(report);
        // Ending the demo is what Ctrl-C is for.
        Ok(if exit == Exit::Interrupted { Exit::Done } else { exit })
    }
}

/// Sets a simulated arm up as one of real servos.
fn set_up(simulated: &Simulated, flag: &StopFlag) -> Result<Arm, Failure> {
    let options =
        ArmOptions { stop_flag: Some(flag.clone()), dead_man: None, ..ArmOptions::default() };
    let (spec, calibration) = (simulated.spec.clone(), &simulated.calibration);
    let mut arm = Arm::connect(spec, simulated.open(), calibration, options)?;
    arm.configure()?;
    Ok(arm)
}

fn next_steps(report: &Report) {
    report.say(report.tone(Tone::Strong, "\nNext, with an arm on the table:"));
    for line in [
        "  sinew setup --robot.type=so101_follower    port, motors, calibration and name in one go",
        "or step by step:",
        "  sinew find-port                    which port is it on?",
        "  sinew scan                         every motor, its voltage and temperature",
        "  sinew calibrate --robot.type=so101_follower --robot.port=PORT --robot.id=white",
        "  sinew teleoperate --robot white --teleop.type=so101_leader --teleop.port=PORT --teleop.id=black",
        "  sinew record --robot white --teleop black --camera front=/dev/video0 --task 'pick the cube'",
    ] {
        report.say(line);
    }
}
