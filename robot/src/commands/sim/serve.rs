//! `sinew sim serve`

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use sinew_drivers::camera::{CameraSpec, Origin, Settings};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::arm;
use sinew_sim::Task;
use sinew_sim::behind::has_body;

use super::super::driving::listen;
use super::stage::Stage;
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::simulated::{Hand, USUAL_TASK};

/// The whole simulated arm, its leader and its cameras, for any program
///
/// Example: sinew sim serve --link-dir /tmp/sim, and then
/// sinew teleoperate --robot.type=so101_follower --robot.port=/tmp/sim/follower --robot.id=follower
/// --robot.calibration_dir=/tmp/sim/calibration --teleop.type=so101_leader …
///
/// Arms are serial ports, calibrated as LeRobot has it; cameras are addresses such as
/// http://127.0.0.1:PORT/front.mjpg, a page in a browser, and LeRobot's cameras of type zmq. Joints are
/// pushed as with `sinew sim bus`, through the sockets beside the ports.
#[derive(Debug, Args)]
pub struct ServeArm {
    /// Which arm: so101, which stands on a table with things to grasp; koch … stand in a void
    #[arg(long, default_value = "so101", value_name = "ARM")]
    arm: String,
    /// Which task's things lie before it, or which one goes on tick by tick: so101_lift, so101_pick_place,
    /// so101_push, reach, or a task's TOML file
    #[arg(long, value_name = "NAME", default_value = USUAL_TASK)]
    env: String,
    /// Where the ports appear, as follower and leader, with their calibration
    #[arg(long, value_name = "DIR", required_unless_present = "lockstep")]
    link_dir: Option<PathBuf>,
    /// Instead of ports, a task at this TCP port that goes on tick by tick, for learning programs: see
    /// robot/sim/gym/sinew_gym.py; 0 is any that is free
    #[arg(long, value_name = "PORT", conflicts_with_all = ["link_dir", "hand", "faults", "camera"])]
    lockstep: Option<u16>,
    /// The port of the cameras' addresses; 0 is any that is free
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// A scripted hand moves the leader
    #[arg(long)]
    hand: bool,
    /// What goes wrong on both buses: lost=0.01,late=0.01,corrupted=0.01 … or all=0.01
    #[arg(long, value_name = "SPEC")]
    faults: Option<String>,
    /// Everything random follows it
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    #[command(flatten)]
    cameras: CameraFlags,
}

impl ServeArm {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        if let Some(port) = self.lockstep {
            return lockstep(port, &self.env, report);
        }
        let links = self.link_dir.clone().unwrap_or_default();
        let faults = super::plan(self.faults.as_deref())?;
        let flag = listen()?;
        let spec = arm::find(&self.arm)?;
        let (task, specs) = (Task::find(&self.env)?, self.cameras(has_body(&spec.name))?);
        let stage = Stage::raise(&spec.name, &task, self.seed, &specs, self.port, &links, report)?;
        let (follower, leader) = (&stage.follower, &stage.leader);
        for served in [follower, leader] {
            served.arm.bus.faults(faults);
        }
        let hand = self.hand.then(|| Hand::moving(leader.arm.joints(), self.seed));
        let _hand = hand.transpose()?;
        stage.tell(report);
        if !report.for_scripts() {
            report.note("Ctrl-C ends it");
        }
        let cameras: Map<String, Value> =
            stage.cameras().map(|(name, address)| (name.clone(), address.into())).collect();
        report.event(&json!({
            "type": "ready",
            "follower": follower.link,
            "leader": leader.link,
            "calibration": stage.calibration,
            "cameras": cameras,
            "zmq_port": stage.zmq_port(),
            "realtime": stage.hastened,
        }));
        while flag.raised().is_none() {
            follower.arm.bus.clock().sleep(5 * MILLI);
            // Things move whether or not somebody asks the arm.
            follower.arm.bus.settle();
        }
        report.result(json!({
            "follower": { "faults": follower.arm.bus.fault_counts() },
            "leader": { "faults": leader.arm.bus.fault_counts() },
        }));
        Ok(Exit::Done)
    }

    /// The cameras that are asked for, or else the usual ones.
    fn cameras(&self, sight: bool) -> Result<Vec<(String, CameraSpec)>, Failure> {
        let specs = self.cameras.specs()?;
        if !specs.is_empty() {
            return Ok(specs);
        }
        let usual = |name: &str| {
            let origin = if sight { Origin::World } else { Origin::Pattern };
            let settings = Settings::default();
            (name.to_owned(), CameraSpec { origin, width: 640, height: 480, fps: 30, settings })
        };
        Ok(["front", "wrist"].map(usual).into())
    }
}

/// A task that goes on tick by tick, for whoever connects.
fn lockstep(port: u16, env: &str, report: &Report) -> Result<Exit, Failure> {
    let task = Task::find(env)?;
    let flag = listen()?;
    let failed = |error: std::io::Error| {
        Failure::advise(
            Exit::Failed,
            format!("TCP port {port} cannot be served: {error}"),
            "name another one, or 0 for any that is free",
        )
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    report.event(&json!({ "type": "ready", "lockstep": port, "env": task.name }));
    report.say(format!("{} tick by tick at 127.0.0.1:{port}", task.name));
    if !report.for_scripts() {
        report.note("Ctrl-C ends it");
    }
    super::lockstep::serve(&listener, &task, &flag).map_err(failed)?;
    report.result(json!({}));
    Ok(Exit::Done)
}
