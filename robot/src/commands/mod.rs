//! One file per command; this table is all that knows them all.

mod calibrate;
mod completions;
#[cfg(feature = "policies")]
mod console;
pub mod dataset;
#[cfg(feature = "sim")]
mod demo;
mod doctor;
mod driving;
#[cfg(all(feature = "sim", feature = "policies"))]
mod eval;
mod fetching;
mod find_cameras;
mod find_port;
mod hands;
#[cfg(feature = "zenoh")]
mod host;
mod hub;
mod man;
#[cfg(feature = "zenoh")]
mod net;
#[cfg(feature = "policies")]
mod policy;
#[cfg(feature = "zenoh")]
mod ps;
mod record;
mod recorder;
mod recording;
mod replay;
mod reserved;
#[cfg(feature = "policies")]
mod rollout;
mod scan;
#[cfg(all(feature = "policies", feature = "zenoh"))]
mod serve_policy;
mod setup;
mod setup_motors;
#[cfg(feature = "sim")]
mod sim;
mod space;
mod stop;
#[cfg(feature = "policies")]
mod strategy;
mod teleoperate;
mod telling;
mod udev;
mod uploading;
mod watching;

use clap::Subcommand;

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// What one can ask for.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[cfg(feature = "sim")]
    Demo(demo::Demo),
    #[cfg(feature = "sim")]
    Sim(sim::Sim),
    Setup(setup::Setup),
    FindPort(find_port::FindPort),
    FindCameras(find_cameras::FindCameras),
    Scan(scan::Scan),
    SetupMotors(setup_motors::SetupMotors),
    Calibrate(calibrate::Calibrate),
    Doctor(doctor::Doctor),
    Udev(udev::Udev),
    Teleoperate(Box<teleoperate::Teleoperate>),
    Record(Box<record::Record>),
    Replay(replay::Replay),
    #[cfg(feature = "policies")]
    Rollout(Box<rollout::Rollout>),
    #[cfg(all(feature = "sim", feature = "policies"))]
    Eval(Box<eval::Eval>),
    Dataset(dataset::Dataset),
    #[cfg(feature = "policies")]
    Policy(policy::Policy),
    Hub(hub::Hub),
    #[cfg(feature = "zenoh")]
    Host(Box<host::HostArm>),
    #[cfg(feature = "zenoh")]
    Ps(ps::Ps),
    #[cfg(all(feature = "policies", feature = "zenoh"))]
    ServePolicy(serve_policy::ServePolicy),
    #[cfg(feature = "zenoh")]
    Net(net::Net),
    Stop(stop::Stop),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(flatten)]
    Reserved(reserved::Reserved),
}

impl Command {
    /// Does it.
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        match self {
            #[cfg(feature = "sim")]
            Self::Demo(command) => command.run(report),
            #[cfg(feature = "sim")]
            Self::Sim(command) => command.run(report),
            Self::Setup(command) => command.run(report),
            Self::FindPort(command) => command.run(report),
            Self::FindCameras(command) => command.run(report),
            Self::Scan(command) => command.run(report),
            Self::SetupMotors(command) => command.run(report),
            Self::Calibrate(command) => command.run(report),
            Self::Doctor(command) => command.run(report),
            Self::Udev(command) => command.run(report),
            Self::Teleoperate(command) => command.run(report),
            Self::Record(command) => command.run(report),
            Self::Replay(command) => command.run(report),
            #[cfg(feature = "policies")]
            Self::Rollout(command) => command.run(report),
            #[cfg(all(feature = "sim", feature = "policies"))]
            Self::Eval(command) => command.run(report),
            Self::Dataset(command) => command.run(report),
            #[cfg(feature = "policies")]
            Self::Policy(command) => command.run(report),
            Self::Hub(command) => command.run(report),
            #[cfg(feature = "zenoh")]
            Self::Host(command) => command.run(report),
            #[cfg(feature = "zenoh")]
            Self::Ps(command) => command.run(report),
            #[cfg(all(feature = "policies", feature = "zenoh"))]
            Self::ServePolicy(command) => command.run(report),
            #[cfg(feature = "zenoh")]
            Self::Net(command) => command.run(report),
            Self::Stop(command) => command.run(report),
            Self::Completions(command) => command.run(report),
            Self::Man(command) => command.run(report),
            Self::Reserved(command) => command.run(),
        }
    }
}
