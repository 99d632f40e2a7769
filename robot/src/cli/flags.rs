//! Flags that several commands share, each defined once.

use std::path::PathBuf;

use clap::Args;
use sinew_drivers::stop::StopPolicy;

/// How every command speaks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Globals {
    /// One JSON object per line on standard output, the result last
    #[arg(long, global = true)]
    pub json: bool,
    /// Only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// More about what goes on; twice for even more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Flags from a TOML, YAML or JSON file; what is typed wins
    #[arg(long, alias = "config_path", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Which robot, and how it is driven.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Robot")]
pub struct RobotFlags {
    /// A robot by its name, `sim` for the simulated one, or zenoh://NAME@HOST:PORT for one that another
    /// machine hosts (zenoh://NAME on this machine, or where --connect says)
    #[arg(long = "robot", value_name = "NAME")]
    pub robot: Option<String>,
    /// Its type, such as so101_follower
    #[arg(long = "robot.type", value_name = "TYPE")]
    pub robot_type: Option<String>,
    /// Its port: a path, a USB serial number, tcp://host:port, bridge:PORT for a board, or sim
    #[arg(long = "robot.port", value_name = "PORT")]
    pub robot_port: Option<String>,
    /// Which one of its type; names its calibration file
    #[arg(long = "robot.id", value_name = "ID")]
    pub robot_id: Option<String>,
    /// Where its calibration file is, instead of LeRobot's folder
    #[arg(long = "robot.calibration_dir", value_name = "DIR")]
    pub robot_calibration_dir: Option<PathBuf>,
    /// Port of the left arm of a pair
    #[arg(long = "robot.left_arm_config.port", value_name = "PORT")]
    pub robot_left_port: Option<String>,
    /// Port of the right arm of a pair
    #[arg(long = "robot.right_arm_config.port", value_name = "PORT")]
    pub robot_right_port: Option<String>,
    /// The machine that runs LeRobot's host of a LeKiwi, for --robot.type=lekiwi_client
    #[arg(long = "robot.remote_ip", value_name = "HOST")]
    pub remote_ip: Option<String>,
    /// Where that takes commands, if not at 5555
    #[arg(long = "robot.port_zmq_cmd", value_name = "PORT")]
    pub port_zmq_cmd: Option<u16>,
    /// Where that says what it sees, if not at 5556
    #[arg(long = "robot.port_zmq_observations", value_name = "PORT")]
    pub port_zmq_observations: Option<u16>,
    /// Farthest goal from where a joint is: a number, or '{joint: number, …}'
    #[arg(long = "robot.max_relative_target", value_name = "STEP")]
    pub max_relative_target: Option<String>,
    /// Degrees instead of -100 to 100; by default as LeRobot for this type
    #[arg(long = "robot.use_degrees", value_name = "BOOL")]
    pub robot_use_degrees: Option<bool>,
    /// Torque off at the end, LeRobot's way; false means hold
    #[arg(long = "robot.disable_torque_on_disconnect", value_name = "BOOL")]
    pub disable_torque_on_disconnect: Option<bool>,
    /// How the arm is left: hold, park (slowly to its rest pose, then limp) or limp
    #[arg(long = "robot.stop", value_name = "HOW")]
    pub stop: Option<StopPolicy>,
    /// P gain of the arm's joints instead of the type's own
    #[arg(long = "robot.position_p_coefficient", value_name = "N")]
    pub position_p: Option<i32>,
    /// I gain
    #[arg(long = "robot.position_i_coefficient", value_name = "N")]
    pub position_i: Option<i32>,
    /// D gain
    #[arg(long = "robot.position_d_coefficient", value_name = "N")]
    pub position_d: Option<i32>,
}

/// How a robot that another machine hosts is reached, and taken.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct RemoteFlags {
    #[cfg(feature = "zenoh")]
    #[command(flatten)]
    pub network: super::network::ConnectFlags,
    /// Take a robot that another machine hosts from whoever drives it, where its host allows that
    #[cfg(feature = "zenoh")]
    #[arg(long = "take-over")]
    pub take_over: bool,
}

/// Which leader, or which hand.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Leader")]
pub struct TeleopFlags {
    /// A leader by its name, `sim` for a simulated one of the robot's kind, or one of the types below
    /// that need no port
    #[arg(long = "teleop", value_name = "NAME")]
    pub teleop: Option<String>,
    /// Its type, such as so101_leader; keyboard (keys of this terminal move each joint, or drive a base),
    /// keyboard_ee (they move the arm's tip in straight lines), gamepad (the same with sticks), phone (the tip
    /// goes and turns as a phone does that opens a page of this machine)
    #[arg(long = "teleop.type", value_name = "TYPE")]
    pub teleop_type: Option<String>,
    /// Its port: a path, a USB serial number, tcp://host:port, bridge:PORT for a board, or sim; of a phone's
    /// page the TCP port, if not 8443
    #[arg(long = "teleop.port", value_name = "PORT")]
    pub teleop_port: Option<String>,
    /// Which one of its type; names its calibration file
    #[arg(long = "teleop.id", value_name = "ID")]
    pub teleop_id: Option<String>,
    /// Where its calibration file is, instead of LeRobot's folder
    #[arg(long = "teleop.calibration_dir", value_name = "DIR")]
    pub teleop_calibration_dir: Option<PathBuf>,
    /// Port of the left leader of a pair
    #[arg(long = "teleop.left_arm_config.port", value_name = "PORT")]
    pub teleop_left_port: Option<String>,
    /// Port of the right leader of a pair
    #[arg(long = "teleop.right_arm_config.port", value_name = "PORT")]
    pub teleop_right_port: Option<String>,
    /// Degrees instead of -100 to 100; must fit the robot's
    #[arg(long = "teleop.use_degrees", value_name = "BOOL")]
    pub teleop_use_degrees: Option<bool>,
    /// Whether keys open and close the gripper
    #[arg(long = "teleop.use_gripper", value_name = "BOOL")]
    pub teleop_use_gripper: Option<bool>,
    /// The box that keyboard_ee, gamepad and phone keep the arm's tip in, in metres ahead, left and up of the
    /// base: '{min: [x, y, z], max: [x, y, z]}'. By default it ends at the table that the arm stands on
    #[arg(long = "teleop.end_effector_bounds", value_name = "BOX")]
    pub teleop_bounds: Option<String>,
}

/// Where a loop can be watched.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Display")]
pub struct DisplayFlags {
    /// Watch cameras, joints and timing in Rerun: in a viewer of this machine, in one at a URL, or
    /// later, in a FILE.rrd
    #[arg(
        long,
        alias = "display_data",
        value_name = "URL|FILE",
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    pub display: Option<String>,
    /// The machine whose viewer shows it
    #[arg(long = "display_ip", value_name = "IP", requires = "display")]
    pub display_ip: Option<String>,
    /// That viewer's port
    #[arg(long = "display_port", value_name = "PORT", requires = "display")]
    pub display_port: Option<u16>,
}

impl RobotFlags {
    /// Whether a robot was asked for at all.
    pub fn any(&self) -> bool {
        self.robot.is_some() || self.robot_type.is_some()
    }
}

impl DisplayFlags {
    /// Whether somebody wants to look.
    pub fn is_wanted(&self) -> bool {
        self.display.as_deref().is_some_and(|wanted| wanted != "false")
    }
}

impl TeleopFlags {
    /// Whether a leader was asked for at all.
    pub fn any(&self) -> bool {
        self.teleop.is_some() || self.teleop_type.is_some()
    }
}
