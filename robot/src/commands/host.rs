//! `sinew host`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use clap::Args;
use serde_json::json;
use sinew_drivers::arm::Follower;
use sinew_drivers::camera::Camera;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::stop::{StopPolicy, StopServer};
use sinew_drivers::{Clock, Nanos};
use sinew_net::Network;
use sinew_net::host::{Eye, Host, HostOptions, SILENT};
use sinew_net::message::{
    ArmDescription, CameraDescription, Description, PictureHead, ReachDescription, VERSION,
};
use sinew_net::ros2::Node;

use super::driving::{LoopFlags, figures, finish, followers, listen, rate, rehearsed, remember};
use super::stop::unconfirmed;
use crate::cameras::jpeg::jpeg;
use crate::cameras::{self, image};
use crate::cli::cameras::CameraFlags;
use crate::cli::failure::{Exit, Failure};
use crate::cli::flags::RobotFlags;
use crate::cli::network::ListenFlags;
use crate::cli::report::{Report, Tone};
use crate::robot::Robot;
use crate::robot_file::state_folder;
use crate::run::control::Pair;
use crate::run::hosting::{Hosting, Told};
use crate::run::rehearsal::Rate;

/// Let other machines see this robot, and one of them drive it
///
/// Example, where the arm is: sinew host --robot white --camera front=/dev/video0 --listen 0.0.0.0:7447
///
/// And where you are: sinew teleoperate --robot zenoh://white@pi.local:7447 --teleop black
///
/// One at a time may drive. Limits, watchdog and the way to stop stay here: when whoever drives is no
/// longer heard, for whatever reason, the arm holds and then is left as --robot.stop says, within the
/// watchdog's time. Ctrl-C ends it.
#[derive(Debug, Args)]
pub struct HostArm {
    /// What it is called on the network; by default its name or id
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Ticks per second
    #[arg(long, default_value_t = 60.0, value_name = "HZ", value_parser = rate)]
    fps: f64,
    /// Milliseconds of silence after which the arm has been left as --robot.stop says
    #[arg(long = "watchdog_ms", default_value_t = 500, value_name = "MS", value_parser = clap::value_parser!(u64).range(250..=60_000))]
    watchdog_ms: u64,
    /// Let somebody who says --take-over take the arm from whoever drives it
    #[arg(long = "allow_take_over")]
    allow_take_over: bool,
    /// Where it is written down who drove and what was refused
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Show joints and cameras to ROS 2 as well, as its rmw_zenoh has them: /NAME/joint_states,
    /// /NAME/CAMERA/image_raw/compressed
    #[arg(long)]
    ros2: bool,
    /// ROS 2's domain, its ROS_DOMAIN_ID
    #[arg(long = "ros2_domain", value_name = "N", default_value_t = 0, requires = "ros2", value_parser = clap::value_parser!(u32).range(0..=232))]
    ros2_domain: u32,
    #[command(flatten)]
    network: ListenFlags,
    #[command(flatten)]
    looped: LoopFlags,
    #[command(flatten)]
    cameras: CameraFlags,
    #[command(flatten)]
    robot: RobotFlags,
}

/// How much may wait to be told to whoever sits beside it.
const TOLD: usize = 64;

/// What a picture is worth on its way.
const QUALITY: u8 = 90;

impl HostArm {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut robot = Robot::choose(&self.robot)?;
        let name = self.name.clone().unwrap_or_else(|| robot.name.clone());
        sinew_net::key::check(&name)?;
        // The arm's own dead-man goes by ticks: with too few of them it could not keep that time.
        if self.fps * (self.watchdog_ms as f64) < 10_000.0 {
            return Err(Failure::usage(
                format!("{} Hz are too few for a watchdog of {} ms", self.fps, self.watchdog_ms),
                format!("--watchdog_ms={:.0} or more, or a higher --fps", 10_000.0 / self.fps),
            ));
        }
        let watchdog = Nanos::try_from(self.watchdog_ms).unwrap_or(Nanos::MAX / MILLI) * MILLI;
        // It holds half way, and has stopped by the end; both are seen at the next tick, and a base is told
        // to stand still at the first of silence.
        let tick = (SECOND as f64 / self.fps) as Nanos;
        robot.options.dead_man = Some(((watchdog - SILENT - 4 * tick) / 2).max(tick));
        let specs = self.cameras.specs()?;
        let flag = listen()?;
        let _server = StopServer::start(&robot.name, flag.clone())?;
        let options =
            self.network.options("drive what is hosted here, and see what it sees", report)?;
        let network = Network::host(&options)?;
        let ros2 = self.ros2.then(|| Node::open(&network, &name, self.ros2_domain)).transpose()?;
        let followers = followers(&robot, &flag, report)?;
        let cameras = cameras::start(&specs, &robot, report)?;
        remember(&robot, report);
        let described = self.describe(&robot, &name, &followers, &cameras);
        let audit = self
            .audit
            .clone()
            .unwrap_or_else(|| state_folder().join("audit").join(format!("{name}.jsonl")));
        let hosted = HostOptions {
            description: described,
            watchdog,
            take_over: self.allow_take_over,
            audit: Some(audit.clone()),
            ros2: ros2.clone(),
        };
        let (host, led) = Host::open(&network, hosted)?;
        let paired = led.into_iter().zip(followers);
        let mut pairs: Vec<_> =
            paired.map(|(led, follower)| Pair::new(Box::new(led), follower)).collect();
        rehearsed(&mut pairs, Rate::plain(self.fps), &self.looped, &flag, report)?;
        let _eyes = eyes(&network, &name, &cameras, ros2.as_ref())?;
        let places = match network.listens() {
            [] => vec![network.at().to_owned()],
            listens => listens.to_vec(),
        };
        report.note(format!(
            "{name} is at {}; watchdog {} ms, then {}; Ctrl-C ends it",
            places.join(", "),
            self.watchdog_ms,
            robot.options.stop
        ));
        report.detail(format!("who drives is written down in {}", audit.display()));
        let topics = ros2.as_ref().map(Node::topics);
        if let Some(topics) = &topics {
            report.note(format!("in ROS 2's domain {}: {}", self.ros2_domain, topics.join(", ")));
        }
        report.event(&json!({
            "type": "ready", "robot": name, "listen": places, "audit": audit, "ros2": topics,
        }));
        let stats = figures(&Clock::Real)?;
        let (told, heard) = sync_channel(TOLD);
        let hosting =
            Hosting { host, flag: &flag, fps: self.fps, told, ticks: 0, cause: None, driven: 0 };
        let outcome = std::thread::scope(|scope| {
            let speak = || heard.into_iter().for_each(|told| tell(&name, &told, report));
            let speaker = std::thread::Builder::new().name("words".to_owned());
            speaker.spawn_scoped(scope, speak).map_err(no_thread)?;
            Ok::<_, Failure>(hosting.run(&mut pairs, stats))
        })?;
        finish(report, outcome, self.looped.stats, json!({"robot": name}))
    }

    fn describe(
        &self,
        robot: &Robot,
        name: &str,
        followers: &[Box<dyn Follower>],
        cameras: &[Camera],
    ) -> Description {
        let arm = |follower: &dyn Follower| ArmDescription {
            kind: follower.spec().name.clone(),
            values: follower.spec().value_names(),
            reaches: follower
                .reaches()
                .iter()
                .map(|reach| ReachDescription {
                    unit: reach.units,
                    degrees: reach.degrees,
                    low: reach.range.0,
                    high: reach.range.1,
                })
                .collect(),
            max_step: follower.reaches().iter().map(|reach| reach.max_step).collect(),
        };
        let camera = |camera: &Camera| {
            let shot = camera.newest();
            let size = shot.map(|shot| (shot.picture.width, shot.picture.height));
            let (width, height) = size.unwrap_or((640, 480));
            CameraDescription { name: camera.name().to_owned(), width, height, fps: 30 }
        };
        Description {
            v: VERSION,
            robot: name.to_owned(),
            kind: robot.kind.clone(),
            id: robot.id.clone(),
            program: concat!("sinew ", env!("CARGO_PKG_VERSION")).to_owned(),
            fps: self.fps,
            watchdog_ms: self.watchdog_ms,
            stop: robot.options.stop.to_string(),
            arms: followers.iter().map(|follower| arm(&**follower)).collect(),
            cameras: cameras.iter().map(camera).collect(),
            holder: None,
        }
    }
}

/// Tells whoever sits beside it.
fn tell(name: &str, told: &Told, report: &Report) {
    match told {
        Told::Driven(who) => {
            report.say(format!("{who} drives {name}"));
            report.event(&json!({"type": "driven", "who": who}));
        }
        Told::Stopped(why, reports) => {
            let unsure = unconfirmed(reports);
            let policy = reports.first().map_or(StopPolicy::Limp, |report| report.policy);
            let line = format!("{name} is left {policy}: {why}");
            match unsure.is_empty() {
                true => report.say(report.tone(Tone::Good, &line)),
                false => report.warn(format!("{line}; not confirmed by {}", unsure.join(", "))),
            }
            report.event(&json!({
                "type": "stopped", "why": why, "stopped": super::stop::stopped(reports),
            }));
        }
        Told::Blind(error) => {
            report.warn(format!("{name} cannot be seen: {error}"));
            report.event(&json!({"type": "blind", "error": error}));
        }
    }
}

fn no_thread(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot start a thread: {error}"))
}

/// Threads that send what cameras see to whoever looks. Dropping them ends that.
struct Eyes {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn eyes(
    network: &Network,
    name: &str,
    cameras: &Arc<[Camera]>,
    ros2: Option<&Node>,
) -> Result<Eyes, Failure> {
    let mut eyes = Eyes { over: Arc::default(), threads: Vec::new() };
    for place in 0..cameras.len() {
        let (cameras, over) = (Arc::clone(cameras), Arc::clone(&eyes.over));
        let Some(camera) = cameras.get(place) else { continue };
        let mut eye = Eye::open(network, name, camera.name())?;
        if let Some(node) = ros2 {
            eye = eye.with_ros2(node.pictures(camera.name())?);
        }
        let spawned = std::thread::Builder::new().name(format!("eye {}", camera.name()));
        let spawned = spawned.spawn(move || {
            if let Some(camera) = cameras.get(place) {
                show(camera, &eye, &over);
            }
        });
        eyes.threads.push(spawned.map_err(no_thread)?);
    }
    Ok(eyes)
}

/// Sends each picture once, and codes none that nobody looks at.
fn show(camera: &Camera, eye: &Eye, over: &AtomicBool) {
    let mut last = 0;
    while !over.load(Ordering::Acquire) {
        let shot = camera.newest().filter(|shot| shot.number > last);
        let Some(shot) = shot.filter(|_| eye.is_watched()) else {
            Clock::Real.sleep(2 * MILLI);
            continue;
        };
        last = shot.number;
        let Some(Ok(file)) = image(&shot).map(|image| jpeg(&image, QUALITY)) else { continue };
        eye.show(
            &PictureHead {
                v: VERSION,
                n: shot.number,
                at: shot.at,
                moment: shot.moment.name().to_owned(),
                width: shot.picture.width,
                height: shot.picture.height,
            },
            file,
        );
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // A thread that panicked has already said so.
            let _ended = thread.join();
        }
    }
}
