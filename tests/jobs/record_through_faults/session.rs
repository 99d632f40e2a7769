//! One run of `sinew record` in the room where everything breaks, and what breaks in it.

use std::net::TcpListener;
use std::ops::Add;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use serde_json::Value;
use sinew_drivers::calibration_file;
use sinew_teleop::scripted::ScriptedHand;

use super::disk::Disk;
use super::phone::Phone;
use super::witness::{Told, Witness};
use crate::peers::Peer;
use crate::sandbox::{Arm, Sandbox};

/// What is broken in a session, for how long.
#[derive(Debug, Clone, Copy, Default)]
pub enum Calamity {
    /// The supply sags.
    #[default]
    BrownOut,
    /// The phone sends nothing.
    Silent(Duration),
    /// The phone hangs up and takes no call.
    Away(Duration),
    /// The follower's adapter is pulled out.
    Unplugged(Duration),
    /// The disk is full.
    DiskFull(Duration),
    /// The viewer is killed.
    ViewerKilled,
}

impl Calamity {
    pub const COUNT: usize = 6;

    /// How long it lasts, with the time that it takes to be noticed.
    fn span(self) -> Duration {
        match self {
            Self::BrownOut | Self::ViewerKilled => Duration::from_millis(500),
            Self::Silent(span) | Self::Away(span) => span + Duration::from_millis(500),
            Self::Unplugged(span) | Self::DiskFull(span) => span,
        }
    }

    /// One of each, for as long as chance will have it.
    pub fn all(random: &mut fastrand::Rng) -> [Self; Self::COUNT] {
        let mut span = |most: u64| Duration::from_millis(random.u64(200..most));
        [
            Self::BrownOut,
            Self::Silent(span(5000)),
            Self::Away(span(3000)),
            Self::Unplugged(span(3000)),
            Self::DiskFull(span(4000)),
            Self::ViewerKilled,
        ]
    }
}

/// How a session went.
#[derive(Debug, Default)]
pub struct Session {
    pub calamity: Calamity,
    pub code: i32,
    /// The figures of its loop, if it came to one.
    pub result: Option<Value>,
    pub error: Option<String>,
    /// The number and the frames of each episode that it said to be saved.
    pub saved: Vec<(u64, u64)>,
    /// Frames that it said to be lost.
    pub lost: u64,
    /// What the buses did on purpose.
    pub injected: Injected,
    /// A real viewer showed it.
    pub viewed: bool,
    /// It was over before, or soon after, the calamity struck.
    pub short: bool,
}

/// What buses did on purpose.
#[derive(Debug, Default, Clone, Copy)]
pub struct Injected {
    /// Answers that did not come whole in their time.
    pub missing: u64,
    /// Those with a flipped bit.
    pub corrupted: u64,
    /// Bytes and answers that nobody had asked for.
    pub more: u64,
    /// How often the supply sagged.
    pub brown_outs: u64,
}

impl Add for Injected {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            missing: self.missing + other.missing,
            corrupted: self.corrupted + other.corrupted,
            more: self.more + other.more,
            brown_outs: self.brown_outs + other.brown_outs,
        }
    }
}

impl Injected {
    fn since(self, before: Self) -> Self {
        Self {
            missing: self.missing - before.missing,
            corrupted: self.corrupted - before.corrupted,
            more: self.more - before.more,
            brown_outs: self.brown_outs - before.brown_outs,
        }
    }
}

/// The room: arms, camera, disk, and the binary.
pub struct Studio {
    pub sandbox: Sandbox,
    pub follower: Arm,
    pub leader: Arm,
    witness: Witness,
    phone: Phone,
    disk: Option<Disk>,
    root: PathBuf,
    /// Seconds of an episode, at most.
    longest: u64,
}

impl Studio {
    pub fn new(megabytes: u64, long: bool) -> Self {
        let sandbox = if long { Sandbox::keeping() } else { Sandbox::new() };
        let pipe = sandbox.path("packets");
        let calibration = ".cache/huggingface/lerobot/calibration/robots/so_follower/white.json";
        let witness = Witness::of("so101_follower", &pipe, sandbox.path(calibration));
        let follower = sandbox.arm_with("so101", "white", &["--record", witness.pipe()]);
        let leader = sandbox.arm("so101_leader", "black");
        let small = sandbox.path("small");
        std::fs::create_dir(&small).unwrap();
        let disk = Disk::new(&small, megabytes);
        let place = disk.as_ref().map_or(small, |disk| disk.place().to_owned());
        let (phone, longest) = (Phone::start(), if long { 20 } else { 3 });
        let root = place.join("set");
        Self { sandbox, follower, leader, witness, phone, disk, root, longest }
    }

    /// Records some episodes; after a moment the calamity strikes.
    pub fn session(&mut self, calamity: Calamity, random: &mut fastrand::Rng) -> Session {
        let before = self.injected();
        let seconds = random.u64(2..=self.longest);
        let strike = Duration::from_millis(random.u64(200..seconds * 1500));
        let (mut words, mut viewer) = (self.words(seconds), None);
        if matches!(calamity, Calamity::ViewerKilled) {
            let (flag, started) = self.viewer();
            words.push(flag);
            viewer = started;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut record = self.sandbox.start_as_seen(&words);
        let viewed = viewer.is_some();
        let mut session = Session { calamity, viewed, ..Session::default() };
        let over = AtomicBool::new(false);
        let mut begun: Option<Instant> = None;
        let mut said = String::new();
        std::thread::scope(|scope| {
            loop {
                let line = record.line();
                if line.is_empty() {
                    break;
                }
                said = said.clone() + &line + "\n";
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                session.hear(&value);
                if value["phase"] == "recording" && begun.is_none() {
                    begun = Some(Instant::now());
                    let (studio, viewer, over) = (&*self, viewer.take(), &over);
                    let lead = move || studio.lead(over);
                    Builder::new().name("hand".into()).spawn_scoped(scope, lead).unwrap();
                    let break_it = move || {
                        std::thread::sleep(strike);
                        studio.strike(calamity, viewer);
                    };
                    Builder::new().name("calamity".into()).spawn_scoped(scope, break_it).unwrap();
                }
            }
            let lasted = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
            session.short = lasted < strike + calamity.span();
            over.store(true, Ordering::Release);
        });
        session.code = record.end().0;
        session.injected = self.injected().since(before);
        if session.code != 0 {
            eprintln!("{calamity:?}, {strike:?} after the begin:\n{said}");
        }
        self.make_safe(calamity);
        session
    }

    fn words(&self, seconds: u64) -> Vec<String> {
        let (white, black) = (self.follower.port(), self.leader.port());
        let (phone, root) = (self.phone.address(), self.root.display());
        let (width, height) = super::phone::SIZE;
        let line = format!(
            "--json record --robot.type=so101_follower --robot.id=white --robot.port={white} \
             --teleop.type=so101_leader --teleop.id=black --teleop.port={black} \
             --camera=front=pattern@{width}x{height}x30 --camera=phone={phone}@{width}x{height}x30 \
             --dataset.root={root} --dataset.num_episodes=2 --dataset.episode_time_s={seconds} \
             --dataset.reset_time_s=0.3 --dry_run_s=0 --task=endure"
        );
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if self.root.join("meta/info.json").exists() {
            words.push("--resume".to_owned());
        }
        words
    }

    /// A real viewer, or a file where there is none.
    fn viewer(&self) -> (String, Option<Peer>) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let viewer = Peer::start("killed viewer", "rerun_viewer.py", &[&port.to_string()]);
        let Some(mut viewer) = viewer else {
            let file = self.sandbox.path(&format!("{port}.rrd"));
            return (format!("--display={}", file.display()), None);
        };
        viewer.ask("do you listen?");
        (format!("--display=rerun+http://127.0.0.1:{port}/proxy"), Some(viewer))
    }

    /// Lets the leader be moved by hand until it is over.
    fn lead(&self, over: &AtomicBool) {
        let rows = calibration_file::read(&self.leader.calibration).unwrap();
        let (hand, begun) = (ScriptedHand::new(rows.len(), 7), Instant::now());
        while !over.load(Ordering::Acquire) {
            let time = i64::try_from(begun.elapsed().as_nanos()).unwrap();
            for (joint, (_, row)) in rows.iter().enumerate() {
                let count = |count: i32| f64::from(count + row.homing_offset);
                let (low, high) = (count(row.range_min), count(row.range_max));
                let position = low + hand.position(joint, time) * (high - low);
                let id = row.id;
                self.leader.control(&format!(r#"{{"hand":{{"id":{id},"position":{position}}}}}"#));
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    fn strike(&self, calamity: Calamity, viewer: Option<Peer>) {
        match calamity {
            Calamity::BrownOut => drop(self.follower.control(r#""brown_out""#)),
            Calamity::Silent(span) => self.phone.fall_silent(span),
            Calamity::Away(span) => self.phone.go_away(span),
            Calamity::Unplugged(span) => {
                self.follower.control(r#""unplug""#);
                std::thread::sleep(span);
                self.follower.control(r#"{"replug":null}"#);
            }
            Calamity::DiskFull(span) => {
                if let Some(disk) = &self.disk {
                    disk.fill();
                    std::thread::sleep(span);
                    disk.free();
                }
            }
            Calamity::ViewerKilled => drop(viewer),
        }
    }

    /// The arm is without torque after every end; one whose adapter was out when its program ended is
    /// stopped by hand, as that program said.
    fn make_safe(&self, calamity: Calamity) {
        if matches!(calamity, Calamity::Unplugged(_)) {
            self.follower.wait_until(|_| self.follower.port.exists());
            let stopped = self.sandbox.run(&["--json", "stop", "--robot=white", "--limp"]);
            assert_eq!(stopped.code, 0, "{stopped:?}");
        }
        assert_eq!(self.follower.torques(), [false; 6], "{calamity:?}");
    }

    /// What both buses did on purpose so far.
    fn injected(&self) -> Injected {
        [&self.follower, &self.leader].into_iter().fold(Injected::default(), |sum, arm| {
            let faults = &arm.control(r#""state""#)["faults"];
            let of =
                |names: &[&str]| names.iter().map(|name| faults[*name].as_u64().unwrap()).sum();
            sum + Injected {
                missing: of(&["lost", "late", "truncated"]),
                corrupted: of(&["corrupted"]),
                more: of(&["duplicated"]),
                brown_outs: of(&["brownouts"]),
            }
        })
    }

    /// Copies the dataset from the small disk to where others reach it.
    pub fn take_the_dataset(&self) -> PathBuf {
        let out = self.sandbox.path("taken");
        let copied = Command::new("cp").arg("-r").arg(&self.root).arg(&out).status().unwrap();
        assert!(copied.success());
        out
    }

    /// Ends the arms; what the follower's bus told.
    pub fn end(self) -> Told {
        self.leader.end();
        self.follower.end();
        self.witness.end()
    }
}

impl Session {
    fn hear(&mut self, line: &Value) {
        if line["phase"] == "saved" {
            let number = |name: &str| line[name].as_u64().unwrap();
            self.saved.push((number("episode"), number("frames")));
            self.lost += number("lost");
        }
        if line["type"] == "result" {
            self.error = line["error"].as_str().map(str::to_owned);
            // Without a loop there are no figures of it.
            self.result = line["ticks"].is_u64().then(|| line.clone());
        }
    }
}
