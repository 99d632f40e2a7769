//! `sinew demo`

mod hand;
#[cfg(feature = "policies")]
mod learned;

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};
use sinew_datasets::Dataset;
use sinew_drivers::camera::{CameraSpec, Origin, Settings};
use sinew_sim::Task;

use super::driving::listen;
use super::sim::stage::Stage;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::{Report, Tone};
use hand::Hand;

/// The whole product on a simulated arm, nothing plugged in
///
/// Example: sinew demo
///
/// A simulated SO-101 stands on a table, behind a serial port as a real one; a scripted hand moves its
/// leader to lift a cube. Three episodes are recorded as a LeRobot dataset and looked over, and a small
/// policy that learned from such episodes shows what it can do. With --keys the arm is yours: the keys
/// are shown when it starts.
#[derive(Debug, Args)]
pub struct Demo {
    /// Plain lines, nothing opened
    #[arg(long)]
    headless: bool,
    /// Drive the arm with the keys of this terminal, instead of watching
    #[arg(long, conflicts_with = "headless")]
    keys: bool,
    /// Another seed: cubes lie elsewhere
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Where everything goes; by default a new folder beside other temporary files
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is done in the demo.
const TASK: &str = "so101_lift";
/// How many episodes, how long each is, and how long there is to put the cube back.
const EPISODES: u64 = 3;
const SECONDS: [f64; 2] = [4.8, 2.2];
/// How long each is for somebody who drives.
const SECONDS_BY_KEYS: [f64; 2] = [60.0, 3.0];

impl Demo {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let began = Instant::now();
        let out = self.out.clone().unwrap_or_else(fresh);
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("{}: {error}", out.display()))
        };
        match &self.out {
            Some(out) => std::fs::create_dir_all(out),
            // Where everybody may write, nobody else has put something there before.
            None => std::fs::DirBuilder::new().mode(0o700).create(&out),
        }
        .map_err(failed)?;
        let root = out.join("dataset");
        // Each part hears Ctrl-C by itself; this hears it for all of them.
        let flag = listen()?;
        let ended = |exit: Exit| match flag.raised() {
            Some(_) => Exit::Interrupted,
            None => exit,
        };
        let recorded = ended(self.record(&out, &root, report)?);
        if recorded != Exit::Done {
            return Ok(self.cut_off(&out, recorded, report));
        }
        let dataset = Dataset::open(&root)?;
        let (episodes, frames) = (dataset.info().total_episodes, dataset.info().total_frames);

        title(report, "3  Looked over: every picture, every number");
        let root_word = root.display().to_string();
        let verified = say(&["dataset", "verify", &root_word], report)?;
        let page = out.join("dataset.html");
        say(&["dataset", "report", &root_word, "-o", &page.display().to_string()], report)?;
        self.open(&page, report);
        if ended(verified) != Exit::Done {
            return Ok(self.cut_off(&out, ended(verified), report));
        }

        #[cfg(feature = "policies")]
        let policy = learned::try_policy(&out, report)?;
        #[cfg(not(feature = "policies"))]
        let policy = Value::Null;
        if ended(Exit::Done) != Exit::Done {
            return Ok(self.cut_off(&out, Exit::Interrupted, report));
        }
        self.next_steps(report);
        report.result(json!({
            "out": out,
            "dataset": root,
            "episodes": episodes,
            "frames": frames,
            "policy": policy,
            "seconds": began.elapsed().as_secs_f64(),
        }));
        Ok(Exit::Done)
    }

    /// Tells scripts that it ended before its time.
    fn cut_off(&self, out: &Path, exit: Exit, report: &Report) -> Exit {
        report.result(json!({ "out": out, "interrupted": exit == Exit::Interrupted }));
        exit
    }

    /// Brings the arms up, lets somebody move them, and records it.
    fn record(&self, out: &Path, root: &Path, report: &Report) -> Result<Exit, Failure> {
        title(report, "1  A simulated SO-101 before a cube, its leader, and a camera");
        let task = Task::find(TASK)?;
        let settings = Settings::default();
        let camera =
            CameraSpec { origin: Origin::World, width: 320, height: 240, fps: 30, settings };
        let cameras = [("front".to_owned(), camera)];
        let ports = out.join("ports");
        let stage = Stage::raise("so101", &task, self.seed, &cameras, 0, &ports, report)?;
        stage.tell(report);

        title(report, "2  Recorded: a hand moves the leader, the arm follows");
        let words = self.words(&task, &stage, root);
        let typed: Vec<&str> = words.iter().map(String::as_str).collect();
        line(&typed, report);
        let super::Command::Record(record) = parse(&typed)? else { return Ok(Exit::Failed) };
        record.with_hand(&report.part("record"), |resting| {
            let Some(sight) = stage.follower.arm.sight() else { return Ok(None) };
            let leader = (!self.keys).then(|| stage.leader.arm.joints());
            let (world, resting) = (sight.world, std::sync::Arc::clone(resting));
            Ok(Some(Hand { world, task, seed: self.seed, leader, resting }.begin()?))
        })
    }

    /// What somebody would type.
    fn words(&self, task: &Task, stage: &Stage, root: &Path) -> Vec<String> {
        let folder = stage.calibration.display();
        let [episode, reset] = if self.keys { SECONDS_BY_KEYS } else { SECONDS };
        let arm = |side: &str, kind: &str, port: &Path, id: &str| {
            [
                format!("--{side}.type={kind}"),
                format!("--{side}.port={}", port.display()),
                format!("--{side}.id={id}"),
                format!("--{side}.calibration_dir={folder}"),
            ]
        };
        let mut words = vec!["record".to_owned()];
        words.extend(arm("robot", "so101_follower", &stage.follower.link, "follower"));
        if self.keys {
            words.push("--teleop.type=keyboard_ee".to_owned());
        } else {
            words.extend(arm("teleop", "so101_leader", &stage.leader.link, "leader"));
        }
        words.extend([
            format!("--camera=front={}@320x240x30", stage.address("front")),
            format!("--task={}", task.task),
            format!("--dataset.root={}", root.display()),
            format!("--dataset.num_episodes={EPISODES}"),
            format!("--dataset.episode_time_s={episode}"),
            format!("--dataset.reset_time_s={reset}"),
            "--play_sounds=false".to_owned(),
        ]);
        words
    }

    /// Shows a page to whoever sits before a desktop.
    fn open(&self, page: &Path, report: &Report) {
        let desktop =
            ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
        if self.headless || !report.drawing() || !desktop {
            return;
        }
        let browser = Command::new("xdg-open")
            .arg(page)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if browser.is_err() {
            report.note(format!("open it in a browser: {}", page.display()));
        }
    }

    fn next_steps(&self, report: &Report) {
        title(report, "Next");
        if !self.keys {
            report.say("  sinew demo --keys                  the same, and you drive");
        }
        for line in [
            "  sinew sim record --episodes 100    what the expert does, to learn from",
            "with an arm on the table:",
            "  sinew setup --robot.type=so101_follower    port, motors, calibration and name in one go",
            "or step by step:",
            "  sinew find-port                    which port is it on?",
            "  sinew scan                         every motor, its voltage and temperature",
            "  sinew calibrate --robot.type=so101_follower --robot.port=PORT --robot.id=white",
            "  sinew teleoperate --robot white --teleop.type=so101_leader --teleop.port=PORT --teleop.id=black",
            "  sinew record --robot white --teleop black --camera front=/dev/video0 --task 'pick the cube'",
        ] {
            report.say(line);
        }
    }
}

/// A folder that is not there yet.
fn fresh() -> PathBuf {
    let stamp = chrono::Local::now().format("%Y%m%d_%H%M%S");
    std::env::temp_dir().join(format!("sinew_demo_{stamp}_{}", std::process::id()))
}

fn title(report: &Report, text: &str) {
    report.say(format!("\n{}", report.tone(Tone::Strong, text)));
}

/// Shows what somebody would type.
fn line(words: &[&str], report: &Report) {
    let shown = words.iter().map(|word| match word.split_once(' ') {
        Some(_) => format!("'{word}'"),
        None => (*word).to_owned(),
    });
    report.say(format!("$ sinew {}", shown.collect::<Vec<_>>().join(" ")));
}

fn parse(words: &[&str]) -> Result<super::Command, Failure> {
    use clap::FromArgMatches;
    let typed = std::iter::once("sinew").chain(words.iter().copied());
    let parsed = crate::cli::definition().try_get_matches_from(typed);
    let parsed = parsed.and_then(|matches| crate::cli::Cli::from_arg_matches(&matches));
    Ok(parsed.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?.command)
}

/// Does what somebody would type, and shows that.
fn say(words: &[&str], report: &Report) -> Result<Exit, Failure> {
    line(words, report);
    let [name, ..] = words else { return Ok(Exit::Done) };
    parse(words)?.run(&report.part(name))
}

/// As [`say`], with what it leaves in a file.
#[cfg(feature = "policies")]
fn read(path: &Path) -> Result<Value, Failure> {
    let failed = |what: String| Failure::new(Exit::Failed, format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}
