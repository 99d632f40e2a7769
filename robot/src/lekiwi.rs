//! A LeKiwi that LeRobot's host program runs elsewhere: `--robot.type=lekiwi_client`, as LeRobot calls it.

use std::sync::Arc;

use sinew_drivers::arm::Follower;
use sinew_drivers::camera::{CameraSpec, Opener, Origin, Settings, Source};
use sinew_drivers::lekiwi::{LeKiwi, LeKiwiArm, Ports};
use sinew_drivers::spec;
use sinew_drivers::stop::StopFlag;
use sinew_drivers::{ArmSpec, Clock};

use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::RobotFlags;

/// What LeRobot calls it.
pub const CLIENT: &str = "lekiwi_client";

/// Its host sends 30 times a second.
const FPS: u32 = 30;

/// A LeKiwi elsewhere.
#[derive(Clone)]
pub struct Kiwi {
    robot: Arc<LeKiwi>,
    spec: ArmSpec,
}

impl std::fmt::Debug for Kiwi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.robot.address())
    }
}

impl Kiwi {
    /// Connects to the one that the flags mean.
    pub fn find(flags: &RobotFlags) -> Result<Self, Failure> {
        let Some(host) = flags.remote_ip.as_deref() else {
            return Err(Failure::usage(
                "where is the LeKiwi?",
                "name the machine that runs its host: --robot.remote_ip=lekiwi.local",
            ));
        };
        let spec = spec::find("lekiwi", &[])?.into_iter().next();
        let spec = spec.ok_or_else(|| Failure::new(Exit::Failed, "no LeKiwi is known here"))?;
        let usual = Ports::default();
        let ports = Ports {
            commands: flags.port_zmq_cmd.unwrap_or(usual.commands),
            observations: flags.port_zmq_observations.unwrap_or(usual.observations),
        };
        let robot = LeKiwi::connect(host, ports, &spec, Clock::Real).map_err(|error| {
            let failure = Failure::from(error);
            let remedy =
                "start it there: python -m lerobot.robots.lekiwi.lekiwi_host --robot.id=NAME";
            Failure { remedy: Some(remedy.to_owned()), ..failure }
        })?;
        Ok(Self { robot: Arc::new(robot), spec })
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        self.robot.address()
    }

    /// What it is.
    pub fn spec(&self) -> &ArmSpec {
        &self.spec
    }

    /// Its arm and base; nothing moves yet.
    pub fn arms(&self, flag: &StopFlag) -> Result<Vec<Box<dyn Follower>>, Failure> {
        let arm = LeKiwiArm::new(&self.robot, self.spec.clone(), Some(flag.clone()))?;
        Ok(vec![Box::new(arm)])
    }

    /// Its cameras.
    pub fn cameras(&self) -> Vec<(String, CameraSpec)> {
        let spec = |(name, width, height): &(String, u32, u32)| {
            let (origin, settings) = (Origin::Robot, Settings::default());
            (
                name.clone(),
                CameraSpec { origin, width: *width, height: *height, fps: FPS, settings },
            )
        };
        self.robot.cameras().iter().map(spec).collect()
    }

    /// Opens one of them.
    pub fn camera(&self, name: &str) -> Opener {
        let (robot, name) = (Arc::clone(&self.robot), name.to_owned());
        Box::new(move || Ok(Box::new(robot.eye(&name)?) as Box<dyn Source>))
    }
}
