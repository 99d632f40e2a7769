//! A simulated arm, its leader and its cameras as other programs meet them: two serial ports, a folder of
//! calibration files, and addresses.

use std::path::{Path, PathBuf};

use sinew_drivers::calibration_file;
use sinew_drivers::camera::CameraSpec;
use sinew_drivers::sim::arm;
use sinew_drivers::sim::control::{self, ControlServer};
use sinew_drivers::sim::pty::{self, PtyServer};
use sinew_sim::Task;
use sinew_sim::behind::has_body;

use crate::cameras;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::run::realtime::hasten;
use crate::simulated::Simulated;
use crate::streams::Streams;

/// All of it; gone when it is dropped.
pub struct Stage {
    /// The arm, before what the task is about where its masses are known.
    pub follower: Served,
    /// Its leader.
    pub leader: Served,
    /// Where their calibration files are.
    pub calibration: PathBuf,
    /// Whether the buses run in real time.
    pub hastened: bool,
    names: Vec<String>,
    streams: Streams,
}

/// An arm behind its port.
pub struct Served {
    /// The arm.
    pub arm: Simulated,
    /// Its port.
    pub link: PathBuf,
    _control: ControlServer,
    _port: PtyServer,
}

impl Stage {
    /// Puts the arm of this name and its leader at ports in `links`, and starts the cameras, at this TCP
    /// port or any that is free.
    pub fn raise(
        name: &str,
        task: &Task,
        seed: u64,
        specs: &[(String, CameraSpec)],
        port: u16,
        links: &Path,
        report: &Report,
    ) -> Result<Self, Failure> {
        let spec = arm::find(name)?;
        let follower = match has_body(&spec.name) {
            true => Simulated::before(task, &spec, seed)?,
            false => Simulated::new(&spec.name, seed)?,
        };
        let leader = follower.spec.name.replace("follower", "leader");
        let leader = Simulated::new(&leader, seed.wrapping_add(1))?;
        let (joints, sight) = (follower.joints(), follower.sight());
        let opener = |name: &str, spec: &CameraSpec| {
            cameras::before(name, spec, joints.clone(), sight.clone())
        };
        let cameras = cameras::start_with(specs, opener, report)?;
        let streams = Streams::start(cameras, port).map_err(|error| {
            Failure::advise(
                Exit::Failed,
                format!("the cameras cannot be shown at port {port}: {error}"),
                "leave --port out: any that is free is taken",
            )
        })?;
        let calibration = links.join("calibration");
        let failed = |path: &Path, error: std::io::Error| {
            Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
        };
        std::fs::create_dir_all(&calibration).map_err(|error| failed(&calibration, error))?;
        // What stands for hardware is hastened, by whoever starts it, and nothing else is.
        let serve = || -> Result<_, Failure> {
            let hastened = hasten();
            let follower = Served::new(follower, "follower", links, &calibration)?;
            let leader = Served::new(leader, "leader", links, &calibration)?;
            Ok((follower, leader, hastened))
        };
        let (follower, leader, hastened) = std::thread::scope(|scope| {
            let ports = std::thread::Builder::new().name("ports".to_owned());
            let serving = ports.spawn_scoped(scope, serve).map_err(|error| failed(links, error))?;
            let lost = |_panic| Failure::new(Exit::Failed, "the simulated ports cannot be served");
            serving.join().map_err(lost)?
        })?;
        let names = specs.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self { follower, leader, calibration, hastened, names, streams })
    }

    /// Where a camera is to be seen.
    pub fn address(&self, camera: &str) -> String {
        self.streams.address(camera)
    }

    /// Each camera's name and address.
    pub fn cameras(&self) -> impl Iterator<Item = (&String, String)> {
        self.names.iter().map(|name| (name, self.address(name)))
    }

    /// The port at which LeRobot's own kind of camera is served.
    pub fn zmq_port(&self) -> u16 {
        self.streams.zmq_port()
    }

    /// Says where everything is.
    pub fn tell(&self, report: &Report) {
        for served in [&self.follower, &self.leader] {
            report.say(format!("{} at {}", served.arm.spec.title, served.link.display()));
        }
        for (name, address) in self.cameras() {
            report.say(format!("camera {name} at {address}"));
        }
    }
}

impl Served {
    /// Puts an arm at its port, with its calibration in a folder.
    fn new(arm: Simulated, name: &str, links: &Path, folder: &Path) -> Result<Self, Failure> {
        calibration_file::write(&folder.join(format!("{name}.json")), &arm.calibration)?;
        let link = links.join(name);
        let _control = control::serve(&arm.bus, &control::socket_of(&link))?;
        let _port = pty::serve(&arm.bus, &link)?;
        Ok(Self { arm, link, _control, _port })
    }
}
