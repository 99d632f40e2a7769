//! One arm of a robot on its port, and its calibration.

use std::path::{Path, PathBuf};

use sinew_core::calibration::Calibration;
use sinew_drivers::calibration_file::{self, Kind};
use sinew_drivers::spec::{self, ArmSpec, Role};
use sinew_drivers::stop::socket_path;
use sinew_drivers::{Bus, Clock, Error, port};

use crate::cli::failure::{Exit, Failure};
use crate::robot_file::config_folder;
#[cfg(feature = "sim")]
use crate::simulated::Simulated;

/// The port, and the robot, that is simulated inside this process.
pub const SIMULATED: &str = "sim";

/// What both kinds of flags amount to.
pub struct Wanted<'a> {
    /// What the flags begin with: `robot` or `teleop`.
    pub side: &'static str,
    /// The type.
    pub kind: &'a str,
    /// The port of each arm, as far as it is known.
    pub ports: Vec<Option<&'a str>>,
    /// Which one of its type.
    pub id: Option<&'a str>,
    /// Where its calibration is, instead of LeRobot's folder.
    pub folder: Option<&'a Path>,
}

/// One arm of a robot, on its port.
#[derive(Debug)]
pub struct Part {
    /// What it is.
    pub spec: ArmSpec,
    /// Its port.
    pub port: String,
    /// Where its calibration file is, or is to be.
    pub calibration_path: PathBuf,
    /// What messages call it: its id, or its type where it has none.
    called: String,
    /// What calibrates it.
    calibrate: String,
    /// The arm itself, where it is simulated.
    #[cfg(feature = "sim")]
    simulated: Option<Simulated>,
}

impl Part {
    /// An arm that another machine hosts: its bus and its calibration are there.
    pub fn hosted(spec: ArmSpec, address: &str) -> Self {
        Self {
            called: spec.name.clone(),
            spec,
            port: address.to_owned(),
            calibration_path: PathBuf::new(),
            calibrate: String::new(),
            #[cfg(feature = "sim")]
            simulated: None,
        }
    }

    /// Opens its bus.
    pub fn open(&self, clock: Clock) -> Result<Bus, Failure> {
        #[cfg(feature = "sim")]
        if let Some(simulated) = &self.simulated {
            return Ok(simulated.open());
        }
        let wire = port::open(&self.port, self.spec.baud, clock)?;
        Ok(Bus::new(wire, self.spec.series.protocol))
    }

    /// The arm itself, where it is simulated.
    #[cfg(feature = "sim")]
    pub fn simulated(&self) -> Option<&Simulated> {
        self.simulated.as_ref()
    }

    /// Its calibration.
    pub fn calibration(&self) -> Result<Vec<(String, Calibration)>, Failure> {
        #[cfg(feature = "sim")]
        if let Some(simulated) = &self.simulated {
            return Ok(simulated.calibration.clone());
        }
        if !self.calibration_path.exists()
            && let Some(factory) = sinew_drivers::calibrate::factory(&self.spec)
        {
            return Ok(factory);
        }
        if !self.calibration_path.exists() {
            let path = self.calibration_path.display();
            return Err(Failure::advise(
                Exit::Data,
                format!("no calibration of {} at {path}", self.called),
                self.calibrate.clone(),
            ));
        }
        Ok(calibration_file::read(&self.calibration_path)?)
    }

    /// What an error of this arm amounts to: its calibration's say which arm, and what to type.
    pub fn explain(&self, error: Error) -> Failure {
        let (called, line) = (&self.called, &self.calibrate);
        let remedy = match &error {
            Error::NotCalibrated { .. } => line.clone(),
            Error::CalibrationDiffers { .. } => {
                let file = word(&self.calibration_path.to_string_lossy());
                format!(
                    "write the file to the motors: {line} --import {file}, or calibrate anew: {line}"
                )
            }
            _ => return error.into(),
        };
        let failure = Failure::from(error);
        Failure { what: format!("{called}: {}", failure.what), remedy: Some(remedy), ..failure }
    }
}

/// The arms that the flags amount to.
pub fn parts(wanted: &Wanted) -> Result<Vec<Part>, Failure> {
    if let Some(id) = wanted.id {
        // Its calibration and its socket are files of that name.
        socket_path(id)?;
    }
    let folder = config_folder().join("arms");
    let specs = spec::find(wanted.kind, &[&folder]).map_err(|error| on_side(error, wanted))?;
    let pair = specs.len() > 1;
    let mut parts = Vec::new();
    let mut calibrate = format!("sinew calibrate --{}.type={}", wanted.side, wanted.kind);
    for (place, spec) in specs.into_iter().enumerate() {
        let simulated = wanted.ports.first() == Some(&Some(SIMULATED));
        let port = wanted.ports.get(place).copied().flatten();
        let flag = match (pair, place) {
            (false, _) => "port",
            (true, 0) => "left_arm_config.port",
            (true, _) => "right_arm_config.port",
        };
        let Some(port) = port.or(simulated.then_some(SIMULATED)) else {
            return Err(Failure::usage(
                format!("on which port is the {}?", spec.title),
                format!("--{}.{flag}=PORT; find it with: sinew find-port", wanted.side),
            ));
        };
        calibrate += &format!(" --{}.{flag}={}", wanted.side, word(port));
        let id = wanted.id.map(|id| spec.part_id(id));
        let kind = match spec.role {
            Role::Follower => Kind::Robot,
            Role::Leader => Kind::Teleoperator,
        };
        let calibration_path = match wanted.folder {
            Some(folder) => folder.join(format!("{}.json", id.as_deref().unwrap_or("None"))),
            None => calibration_file::find(kind, &spec.calibration, id.as_deref()).unwrap_or_else(
                || {
                    let name = spec.calibration.first().unwrap_or(&spec.name);
                    calibration_file::path_of(kind, name, id.as_deref())
                },
            ),
        };
        parts.push(Part {
            called: id.unwrap_or_else(|| spec.name.clone()),
            calibrate: String::new(),
            #[cfg(feature = "sim")]
            simulated: (port == SIMULATED).then(|| Simulated::new(&spec.name, 0)).transpose()?,
            spec,
            port: port.to_owned(),
            calibration_path,
        });
    }
    calibrate += &format!(" --{}.id={}", wanted.side, word(wanted.id.unwrap_or("NAME")));
    if let Some(folder) = wanted.folder {
        let folder = folder.to_string_lossy();
        calibrate += &format!(" --{}.calibration_dir={}", wanted.side, word(&folder));
    }
    for part in &mut parts {
        part.calibrate.clone_from(&calibrate);
    }
    apart(parts.iter())?;
    Ok(parts)
}

/// Refuses arms of which two are said to be on one port.
pub fn apart<'a>(parts: impl Iterator<Item = &'a Part> + Clone) -> Result<(), Failure> {
    // A pair that another machine hosts has one address.
    let shared = |port: &str| port == SIMULATED || port.starts_with("zenoh://");
    let mut left = parts.filter(|part| !shared(&part.port));
    while let Some(one) = left.next() {
        if let Some(other) = left.clone().find(|other| other.port == one.port) {
            return Err(Failure::usage(
                format!("{} and {} are both said to be on {}", one.called, other.called, one.port),
                "each arm has a port of its own: sinew find-port tells which",
            ));
        }
    }
    Ok(())
}

/// The error with a leader as the nearest type where a leader was asked for.
fn on_side(error: Error, wanted: &Wanted) -> Error {
    match error {
        Error::NoSuchArm { name, near, mut known } if wanted.side == "teleop" => {
            known.retain(|known| known.contains("leader"));
            known.extend(["keyboard", "keyboard_ee", "gamepad", "phone"].map(str::to_owned));
            let near = near.map(|near| {
                let leader = near.replace("follower", "leader");
                if known.contains(&leader) { leader } else { near }
            });
            Error::NoSuchArm { name, near, known }
        }
        error => error,
    }
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:~@+".contains(letter);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
