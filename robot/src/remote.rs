//! A robot on another machine, for commands that drive one: what it is, and which cameras it has, it says
//! itself.

use sinew_drivers::arm::Follower;
use sinew_drivers::camera::{CameraSpec, Opener, Origin, Settings};
use sinew_drivers::spec::{self, ArmSpec};
use sinew_drivers::stop::{StopFlag, StopReport};
use sinew_drivers::{Clock, Error};
use sinew_net::Network;
use sinew_net::message::{Description, shortened};
use sinew_net::remote::{self, Driver};

use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::{RemoteFlags, RobotFlags};
use crate::cli::network::ConnectFlags;
use crate::robot_file::config_folder;

/// A robot on another machine.
#[derive(Clone)]
pub struct Remote {
    robot: remote::Robot,
    specs: Vec<ArmSpec>,
    take_over: bool,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.robot.address())
    }
}

impl Remote {
    /// Looks for the robot of this name, where its address says or else where the flags do.
    pub fn find(
        flags: &RobotFlags,
        remote: &RemoteFlags,
        name: &str,
        at: Option<&str>,
    ) -> Result<Self, Failure> {
        if let Some(flag) = set_there(flags) {
            return Err(Failure::usage(
                format!("{flag} is decided on the machine that has robot {name}"),
                format!("leave it out here, and say it there: sinew host --robot … {flag}=…"),
            ));
        }
        let network = Network::ask(&remote.network.options(at))?;
        let robot = remote::Robot::find(&network, name, Clock::Real)?;
        let kind = &robot.description().kind;
        let folder = config_folder().join("arms");
        let specs = spec::find(kind, &[&folder]).map_err(|error| match error {
            Error::NoSuchArm { .. } => Failure::advise(
                Exit::Data,
                format!("robot {name} is a {}, which is not known here", shortened(kind)),
                format!("copy the arm's file from its machine into {}", folder.display()),
            ),
            error => error.into(),
        })?;
        Ok(Self { robot, specs, take_over: remote.take_over })
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        self.robot.description()
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        self.robot.address()
    }

    /// What its arms are.
    pub fn specs(&self) -> &[ArmSpec] {
        &self.specs
    }

    /// Takes its lease, and with it its arms; nothing moves yet.
    pub fn arms(&self, flag: &StopFlag) -> Result<Vec<Box<dyn Follower>>, Failure> {
        let (who, stop_flag) = (who(), Some(flag.clone()));
        let driver = Driver { who, take_over: self.take_over, stop_flag };
        let arms = self.robot.take(self.specs.clone(), driver)?;
        let boxed = |arm| -> Box<dyn Follower> { Box::new(arm) };
        Ok(arms.into_iter().map(boxed).collect())
    }

    /// Its cameras.
    pub fn cameras(&self) -> Vec<(String, CameraSpec)> {
        let cameras = self.description().cameras.iter();
        let spec = cameras.map(|camera| {
            let (width, height, fps) = (camera.width, camera.height, camera.fps);
            let (origin, settings) = (Origin::Robot, Settings::default());
            (camera.name.clone(), CameraSpec { origin, width, height, fps, settings })
        });
        spec.collect()
    }

    /// Opens one of them.
    pub fn camera(&self, name: &str) -> Opener {
        let (robot, name) = (self.robot.clone(), name.to_owned());
        Box::new(move || robot.camera(&name))
    }
}

/// Stops a robot on another machine, whoever drives it, as that one is set or limp.
pub fn stop(
    network: &ConnectFlags,
    name: &str,
    at: Option<&str>,
    limp: bool,
) -> Result<Vec<StopReport>, Failure> {
    let network = Network::ask(&network.options(at))?;
    Ok(remote::stop(&network, name, &who(), limp)?)
}

/// The first flag of those that say what a robot is and how it is driven, which its own machine does.
fn set_there(flags: &RobotFlags) -> Option<&'static str> {
    let flags = [
        ("--robot.type", flags.robot_type.is_some()),
        ("--robot.port", flags.robot_port.is_some()),
        ("--robot.id", flags.robot_id.is_some()),
        ("--robot.calibration_dir", flags.robot_calibration_dir.is_some()),
        ("--robot.left_arm_config.port", flags.robot_left_port.is_some()),
        ("--robot.right_arm_config.port", flags.robot_right_port.is_some()),
        ("--robot.max_relative_target", flags.max_relative_target.is_some()),
        ("--robot.use_degrees", flags.robot_use_degrees.is_some()),
        ("--robot.disable_torque_on_disconnect", flags.disable_torque_on_disconnect.is_some()),
        ("--robot.stop", flags.stop.is_some()),
        ("--robot.position_p_coefficient", flags.position_p.is_some()),
        ("--robot.position_i_coefficient", flags.position_i.is_some()),
        ("--robot.position_d_coefficient", flags.position_d.is_some()),
    ];
    flags.into_iter().find_map(|(flag, set)| set.then_some(flag))
}

/// Who drives, for those beside the robot.
fn who() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name: &String| !name.is_empty());
    let user = name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    shortened(&format!("{user} on {}", machine.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_its_own_machine_decides_is_refused_with_its_flag() {
        let named = RobotFlags { robot: Some("zenoh://white".into()), ..RobotFlags::default() };
        assert_eq!(set_there(&named), None);
        let gain = RobotFlags { position_i: Some(3), ..named.clone() };
        assert_eq!(set_there(&gain), Some("--robot.position_i_coefficient"));
        let step = RobotFlags { max_relative_target: Some("5".into()), ..named };
        let failure = Remote::find(&step, &RemoteFlags::default(), "white", None).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.remedy.unwrap().contains("sinew host"));
    }
}
