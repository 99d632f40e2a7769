//! Which arms are meant: from flags, or from a robot's own file, to open buses.

use sinew_core::register::Reg;
use sinew_drivers::arm::{ArmOptions, MaxStep};
use sinew_drivers::camera::CameraSpec;
#[cfg(feature = "zenoh")]
use sinew_drivers::spec::ArmSpec;
use sinew_drivers::spec::{self, Change, Role};
use sinew_drivers::stop::{StopFlag, StopPolicy, StopServer};
use sinew_teleop::leader::fits;

#[cfg(feature = "sim")]
use crate::cameras::painted::Sight;
use crate::cli::failure::Failure;
use crate::cli::flags::{RemoteFlags, RobotFlags, TeleopFlags};
#[cfg(feature = "zenoh")]
use crate::cli::network::named;
use crate::lekiwi::{CLIENT, Kiwi};
use crate::part::{Part, SIMULATED, Wanted, apart, parts};
#[cfg(feature = "zenoh")]
use crate::remote::Remote;
use crate::robot_file::{Kept, RobotFile, config_folder};
#[cfg(feature = "sim")]
use crate::simulated::{Hand, Joints, Simulated};

/// A robot or leader that was chosen: its arms, and how they are driven.
#[derive(Debug)]
pub struct Robot {
    /// What `sinew stop --robot` calls it.
    pub name: String,
    /// Whether that name is its own and not its type's.
    named: bool,
    /// What its flags begin with: `robot` or `teleop`.
    pub side: &'static str,
    /// Its type as typed.
    pub kind: String,
    /// Which one of its type.
    pub id: Option<String>,
    /// How its arms are driven.
    pub options: ArmOptions,
    parts: Vec<Part>,
    /// Where it is, if LeRobot hosts it.
    kiwi: Option<Kiwi>,
    /// Where it is, if another machine hosts it.
    #[cfg(feature = "zenoh")]
    remote: Option<Remote>,
}

impl Robot {
    /// The robot that the flags mean, of this machine or of another one.
    pub fn find(flags: &RobotFlags, remote: &RemoteFlags) -> Result<Self, Failure> {
        #[cfg(feature = "zenoh")]
        if let Some((name, at)) = flags.robot.as_deref().and_then(named) {
            return Ok(Self::hosted(Remote::find(flags, remote, name, at)?));
        }
        #[cfg(feature = "zenoh")]
        if remote.take_over {
            return Err(Failure::usage(
                "--take-over is for a robot that another machine hosts",
                "one of this machine is stopped with: sinew stop --robot NAME",
            ));
        }
        #[cfg(not(feature = "zenoh"))]
        let RemoteFlags {} = remote;
        if flags.robot_type.as_deref() == Some(CLIENT) {
            return Ok(Self::lekiwi(Kiwi::find(flags)?, flags));
        }
        Self::choose(flags)
    }

    fn lekiwi(kiwi: Kiwi, flags: &RobotFlags) -> Self {
        let id = flags.robot_id.clone();
        Self {
            name: id.clone().unwrap_or_else(|| CLIENT.to_owned()),
            named: false,
            side: "robot",
            kind: CLIENT.to_owned(),
            id,
            options: ArmOptions { stop: StopPolicy::Hold, ..ArmOptions::default() },
            parts: vec![Part::hosted(kiwi.spec().clone(), kiwi.address())],
            kiwi: Some(kiwi),
            #[cfg(feature = "zenoh")]
            remote: None,
        }
    }

    #[cfg(feature = "zenoh")]
    fn hosted(remote: Remote) -> Self {
        let told = remote.description();
        let part = |spec: &ArmSpec| Part::hosted(spec.clone(), remote.address());
        Self {
            name: told.robot.clone(),
            named: false,
            side: "robot",
            kind: told.kind.clone(),
            id: told.id.clone(),
            options: ArmOptions {
                stop: told.stop.parse().unwrap_or_default(),
                ..ArmOptions::default()
            },
            parts: remote.specs().iter().map(part).collect(),
            kiwi: None,
            remote: Some(remote),
        }
    }

    /// The robot of this machine that the flags mean.
    pub fn choose(flags: &RobotFlags) -> Result<Self, Failure> {
        let named = flags.robot.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let Some(kind) = or(&flags.robot_type, &named.kind) else {
            return Err(Failure::usage(
                "which robot?",
                "name one (--robot NAME) or say what and where it is: \
                 --robot.type=so101_follower --robot.port=/dev/ttyACM0 --robot.id=white",
            ));
        };
        if kind == CLIENT {
            return Err(Failure::usage(
                "a lekiwi_client can be driven from here, and nothing else",
                "on its own machine it is a lekiwi: --robot.type=lekiwi --robot.port=PORT",
            ));
        }
        let id = flags.robot_id.clone().or_else(|| named.id.clone());
        let left = or(&flags.robot_left_port, "").or_else(|| or(&flags.robot_port, &named.port));
        let right = flags.robot_right_port.clone().or_else(|| named.right_port.clone());
        let wanted = Wanted {
            side: "robot",
            kind: &kind,
            ports: vec![left.as_deref(), right.as_deref()],
            id: id.as_deref(),
            folder: flags.robot_calibration_dir.as_deref(),
        };
        let mut parts = parts(&wanted)?;
        override_gains(&mut parts, flags);
        let own_name = flags.robot.clone().or_else(|| id.clone());
        let options = options(flags, named.stop)?;
        Ok(Self::new(own_name, options, &wanted, parts))
    }

    /// The leader that the flags mean. A simulated one is made to fit whom it is to lead.
    pub fn choose_leader(flags: &TeleopFlags, leads: Option<&Self>) -> Result<Self, Failure> {
        let named = match flags.teleop.as_deref() {
            Some(SIMULATED) => RobotFile {
                kind: leads.and_then(leader_of).unwrap_or_else(|| "so101_leader".to_owned()),
                port: SIMULATED.to_owned(),
                ..RobotFile::default()
            },
            Some(name) => read_file(name)?,
            None => RobotFile::default(),
        };
        let Some(kind) = or(&flags.teleop_type, &named.kind) else {
            return Err(Failure::usage(
                "which leader?",
                "name one (--teleop NAME) or say what and where it is: \
                 --teleop.type=so101_leader --teleop.port=/dev/ttyACM1 --teleop.id=black",
            ));
        };
        let id = flags.teleop_id.clone().or_else(|| named.id.clone());
        let left = or(&flags.teleop_left_port, "").or_else(|| or(&flags.teleop_port, &named.port));
        let right = flags.teleop_right_port.clone().or_else(|| named.right_port.clone());
        let wanted = Wanted {
            side: "teleop",
            kind: &kind,
            ports: vec![left.as_deref(), right.as_deref()],
            id: id.as_deref(),
            folder: flags.teleop_calibration_dir.as_deref(),
        };
        let parts = parts(&wanted)?;
        if parts.iter().any(|part| part.spec.role != Role::Leader) {
            return Err(Failure::usage(
                format!("{kind} is no leader: its motors drive it"),
                "lead with a type such as so101_leader",
            ));
        }
        apart(parts.iter().chain(leads.map(Self::parts).unwrap_or_default()))?;
        let own_name = flags.teleop.clone().or_else(|| id.clone());
        let options = ArmOptions {
            use_degrees: flags.teleop_use_degrees,
            // A leader is led: it is never silent on purpose, and nobody commands it.
            dead_man: None,
            ..ArmOptions::default()
        };
        Ok(Self::new(own_name, options, &wanted, parts))
    }

    fn new(
        own_name: Option<String>,
        options: ArmOptions,
        wanted: &Wanted,
        parts: Vec<Part>,
    ) -> Self {
        Self {
            named: own_name.as_ref().is_some_and(|name| name != SIMULATED),
            name: own_name.unwrap_or_else(|| wanted.kind.to_owned()),
            side: wanted.side,
            kind: wanted.kind.to_owned(),
            id: wanted.id.map(str::to_owned),
            options,
            parts,
            kiwi: None,
            #[cfg(feature = "zenoh")]
            remote: None,
        }
    }

    /// Where it is, if LeRobot hosts it.
    pub fn kiwi(&self) -> Option<&Kiwi> {
        self.kiwi.as_ref()
    }

    /// Where it is, if another machine hosts it.
    #[cfg(feature = "zenoh")]
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Lets `sinew stop` end what drives it. One that another machine hosts is stopped there, whoever
    /// drives it.
    pub fn listen_to_stop(&self, flag: &StopFlag) -> Result<Option<StopServer>, Failure> {
        #[cfg(feature = "zenoh")]
        if self.remote.is_some() {
            return Ok(None);
        }
        Ok(Some(StopServer::start(&self.name, flag.clone())?))
    }

    /// Its own cameras, which are another machine's.
    pub fn own_cameras(&self) -> Vec<(String, CameraSpec)> {
        #[cfg(feature = "zenoh")]
        if let Some(remote) = &self.remote {
            return remote.cameras();
        }
        self.kiwi.as_ref().map(Kiwi::cameras).unwrap_or_default()
    }

    /// The arms.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What datasets and policies call its values, in their order.
    pub fn value_names(&self) -> Vec<String> {
        self.parts.iter().flat_map(|part| part.spec.value_names()).collect()
    }

    /// The joints of its simulated arms.
    #[cfg(feature = "sim")]
    pub fn simulated_joints(&self) -> Joints {
        Joints::of(self.parts.iter().filter_map(Part::simulated))
    }

    /// What there is to be seen around the first of its arms that stands on a simulated table.
    #[cfg(feature = "sim")]
    pub fn sight(&self) -> Option<Sight> {
        self.parts.iter().filter_map(Part::simulated).find_map(Simulated::sight)
    }

    /// Moves a simulated leader as if by hand, until that is dropped; nobody else could.
    #[cfg(feature = "sim")]
    pub fn moved_by_script(&self) -> Result<Option<Hand>, Failure> {
        let all = self.parts.iter().all(|part| part.simulated().is_some());
        Ok(all.then(|| Hand::moving(self.simulated_joints(), 0)).transpose()?)
    }

    /// What LeRobot's datasets call it: the name under which it also keeps its calibration.
    pub fn lerobot_name(&self) -> String {
        let own = match &self.parts[..] {
            [part] if self.kiwi.is_none() => part.spec.calibration.first(),
            _ => None,
        };
        own.unwrap_or(&self.kind).clone()
    }

    /// Makes its name mean it, if that is free and its own. A simulated one is gone with the
    /// process, so its name means nothing afterwards.
    pub fn keep_name(&self) -> Result<Kept, Failure> {
        let lasting = self.named && self.parts.iter().all(|part| part.port != SIMULATED);
        if lasting { self.file().keep(&self.name) } else { Ok(Kept::Same) }
    }

    /// What its own file says, or should.
    pub fn file(&self) -> RobotFile {
        let port = |place: usize| self.parts.get(place).map(|part| part.port.clone());
        RobotFile {
            kind: self.kind.clone(),
            port: port(0).unwrap_or_default(),
            right_port: port(1),
            id: self.id.clone(),
            stop: self.options.stop,
        }
    }
}

/// What was typed, or else what the file says.
fn or(typed: &Option<String>, file: &str) -> Option<String> {
    typed.clone().or_else(|| (!file.is_empty()).then(|| file.to_owned()))
}

/// The type that leads this robot: its namesake, or else the first with all its joints.
fn leader_of(robot: &Robot) -> Option<String> {
    let folder = config_folder().join("arms");
    let namesake = robot.kind.replace("follower", "leader");
    let fit = |name: &String| {
        let leads = spec::find(name, &[&folder]).unwrap_or_default();
        leads.len() == robot.parts.len()
            && leads
                .iter()
                .zip(&robot.parts)
                .all(|(leads, part)| leads.role == Role::Leader && fits(leads, &part.spec))
    };
    let mut names = std::iter::once(namesake).chain(spec::builtin_names().map(str::to_owned));
    names.find(fit)
}

fn read_file(name: &str) -> Result<RobotFile, Failure> {
    if name == SIMULATED {
        let (kind, port) = ("so101_follower".to_owned(), SIMULATED.to_owned());
        return Ok(RobotFile { kind, port, ..RobotFile::default() });
    }
    if let Some(rest) = name.strip_prefix("zenoh://") {
        return Err(Failure::usage(
            format!("{rest} is on another machine, and this is done there"),
            match cfg!(feature = "zenoh") {
                true => {
                    "from here it can be seen, driven and stopped: teleoperate, record, replay, rollout, stop"
                }
                false => "to drive it from here, build with the feature zenoh",
            },
        ));
    }
    RobotFile::read(name)
}

fn options(flags: &RobotFlags, file: StopPolicy) -> Result<ArmOptions, Failure> {
    let lerobot = flags
        .disable_torque_on_disconnect
        .map(|off| if off { StopPolicy::Limp } else { StopPolicy::Hold });
    Ok(ArmOptions {
        use_degrees: flags.robot_use_degrees,
        max_step: flags
            .max_relative_target
            .as_deref()
            .map(max_step)
            .transpose()?
            .unwrap_or_default(),
        stop: flags.stop.or(lerobot).unwrap_or(file),
        ..ArmOptions::default()
    })
}

/// A number for all joints, or a table `{joint: number}` as LeRobot takes it.
fn max_step(text: &str) -> Result<MaxStep, Failure> {
    let wrong = || {
        Failure::usage(
            format!("--robot.max_relative_target={text} is neither a number nor a table of joints"),
            "for instance 5, or '{shoulder_pan: 5, gripper: 10}' with every joint named",
        )
    };
    match serde_yaml_ng::from_str::<serde_json::Value>(text).map_err(|_unreadable| wrong())? {
        serde_json::Value::Null => Ok(MaxStep::Off),
        serde_json::Value::Number(step) => Ok(MaxStep::All(step.as_f64().ok_or_else(wrong)?)),
        serde_json::Value::Object(joints) => {
            let steps = joints.into_iter().map(|(joint, step)| {
                Ok((joint.trim_end_matches(".pos").to_owned(), step.as_f64().ok_or_else(wrong)?))
            });
            Ok(MaxStep::Each(steps.collect::<Result<_, Failure>>()?))
        }
        _ => Err(wrong()),
    }
}

fn override_gains(parts: &mut [Part], flags: &RobotFlags) {
    let gains = [
        (Reg::PCoefficient, flags.position_p),
        (Reg::ICoefficient, flags.position_i),
        (Reg::DCoefficient, flags.position_d),
    ];
    let joints = parts.iter_mut().flat_map(|part| &mut part.spec.joints);
    for setting in joints.flat_map(|joint| &mut joint.settings) {
        let gain = gains.iter().find(|(reg, _)| *reg == setting.register.reg);
        if let Some((_, Some(value))) = gain {
            setting.change = Change::Value(*value);
        }
    }
}

#[cfg(test)]
mod tests;
