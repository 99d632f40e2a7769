//! A recording that is killed at any instant: nothing that was saved is lost, at most the last second
//! of what was running, and the folder is a valid dataset before anybody repairs it.
//!
//! `SINEW_KILLS=1000` makes it long, `SINEW_KILL_VCODEC=libsvtav1` takes another encoder (with the feature
//! `ffmpeg`); with `SINEW_PEER_PYTHON` the real LeRobot opens the folder too.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::video::Coding;
use sinew_datasets::writer::{self, Options};
use sinew_datasets::{Dataset, Frame, Image, PixelFormat, Stamps, Value, Writer};

use crate::peers::Peer;

/// Names the folder to the process that is going to be killed.
const ROOT: &str = "SINEW_KILL_ROOT";
const SEED: &str = "SINEW_KILL_SEED";
/// LeRobot's name for the encoder; the built-in one where it is not set.
const VCODEC: &str = "SINEW_KILL_VCODEC";
const FPS: u32 = 100;
const SIDE: u32 = 64;
/// How many recordings are killed side by side.
const CHAINS: usize = 3;
/// How often one recording is killed before another begins: what has grown long takes long to look at.
const KILLS_EACH: u64 = 25;

fn info() -> Info {
    let features = [
        ("observation.state", Feature::vector(Dtype::F32, ["a", "b"])),
        ("observation.images.front", Feature::camera(Dtype::Video, SIDE, SIDE)),
        ("observation.images.side", Feature::camera(Dtype::Video, SIDE, SIDE)),
    ];
    let features = features.map(|(name, feature)| (name.to_owned(), feature));
    Info::new(FPS, None, features.into()).unwrap()
}

fn frame(number: u64) -> Frame {
    let pixels = vec![(number % 200) as u8; (SIDE * SIDE * 3) as usize];
    let image = Image::new(SIDE, SIDE, PixelFormat::Rgb8, pixels).unwrap();
    Frame {
        task: Arc::from("survive"),
        values: vec![Value::F32(vec![number as f32, -(number as f32)])],
        images: vec![Some(image.clone()), Some(image)],
        stamps: Stamps::default(),
    }
}

/// What the killed process does: it records episode after episode, and says what it has done.
#[test]
#[ignore = "the process that is killed: cargo test -p sinew-tests a_kill_takes_nothing starts it"]
fn records_until_it_is_killed() {
    let root = PathBuf::from(std::env::var_os(ROOT).unwrap());
    let mut random = fastrand::Rng::with_seed(std::env::var(SEED).unwrap().parse().unwrap());
    let coding = std::env::var(VCODEC)
        .map_or_else(|_| Coding::default(), |name| Coding::named(&name).unwrap());
    let options = Options { coding, ..Options::default() };
    let mut writer = match root.join("meta/info.json").exists() {
        true => Writer::resume(&root, Some(&info()), options).unwrap().0,
        false => Writer::create(&root, info(), options).unwrap(),
    };
    let say = |what: String| {
        use std::io::Write;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsays {what}").and_then(|()| out.flush()).unwrap();
    };
    loop {
        let recorder = writer.begin_episode().unwrap();
        let begun = Instant::now();
        for number in 0..random.u64(3..260) {
            recorder.push(&frame(number)).unwrap();
            say(format!("pushed {}", number + 1));
            let due = begun + Duration::from_millis((number + 1) * 1000 / u64::from(FPS));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let saved = writer.save_episode().unwrap().unwrap();
        say(format!("saved {}", saved.episode + 1));
    }
}

/// What the process said before it died: episodes saved, and frames pushed of the running one.
fn record_and_kill(root: &Path, seed: u64, after: Duration) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("jobs::record_through_a_kill::records_until_it_is_killed")
        .env(ROOT, root)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let listen = move || {
        let (mut saved, mut pushed) = (0, 0);
        for line in out.lines().map_while(Result::ok) {
            let number = |text: &str| text.parse::<u64>().unwrap_or(0);
            if let Some(text) = line.strip_prefix("says saved ") {
                (saved, pushed) = (number(text), 0);
            } else if let Some(text) = line.strip_prefix("says pushed ") {
                pushed = number(text);
            }
        }
        (saved, pushed)
    };
    let listener = std::thread::Builder::new().name("listener".into()).spawn(listen).unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    listener.join().unwrap()
}

/// What is looked at and told of all kills.
#[derive(Clone, Copy, Default)]
struct Tally {
    episodes: u64,
    frames: u64,
    most_lost: u64,
}

/// Kills one recording again and again, and looks at what is left each time.
fn chain(first: u64, kills: u64, peer: &Mutex<Option<Peer>>) -> Tally {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut random = fastrand::Rng::with_seed(3 + first);
    let mut tally = Tally::default();
    for kill in first..first + kills {
        let after = Duration::from_millis(random.u64(1..2500));
        let (saved, pushed) = record_and_kill(&root, kill, after);
        if !root.join("meta/info.json").exists() {
            continue; // Killed before there was anything.
        }
        let as_found = Dataset::open(&root).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let found = as_found.episodes().len() as u64;
        if kill % 5 == 3
            && found > 0
            && let Some(peer) = peer.lock().unwrap().as_mut()
        {
            peer.ask(&format!("{found} {}", root.display()));
        }
        let recovered =
            writer::recover(&root).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        let dataset = Dataset::open(&root).unwrap();
        let now = dataset.episodes().len() as u64;
        assert!(now >= tally.episodes.max(saved), "kill {kill}: {now} episodes, {saved} saved");
        // The running one may have been finished, yet not have been said to be. Of its own episodes
        // the process may have said nothing.
        let running = dataset.episodes().get(saved.max(tally.episodes) as usize);
        let running = running.map_or(0, |episode| episode.length);
        let lost = pushed.saturating_sub(running);
        assert!(
            lost <= u64::from(FPS),
            "kill {kill}: {lost} of {pushed} frames lost: {recovered:?}"
        );
        assert!(dataset.len() >= tally.frames);
        check_last(&dataset);
        if kill % 50 == 49 {
            eprintln!("kill {kill}: {now} episodes");
        }
        let most_lost = tally.most_lost.max(lost);
        tally = Tally { episodes: now, frames: dataset.len(), most_lost };
    }
    tally
}

#[test]
fn a_kill_takes_nothing_that_was_saved() {
    let kills: u64 = std::env::var("SINEW_KILLS").map_or(12, |text| text.parse().unwrap());
    let peer = Peer::start("killed recordings", "lerobot_dataset.py", &["open"]);
    let peer = Mutex::new(peer);
    // Most of the time is waited: several recordings at once.
    let each = KILLS_EACH.min(kills.div_ceil(CHAINS as u64));
    let waiting = Mutex::new((0..kills).step_by(each as usize));
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let run = |number: usize| {
            let work = || {
                let next = || waiting.lock().unwrap().next();
                let chains = std::iter::from_fn(next);
                chains.map(|first| chain(first, each.min(kills - first), &peer)).collect()
            };
            let thread = std::thread::Builder::new().name(format!("chain {number}"));
            thread.spawn_scoped(scope, work).unwrap()
        };
        let threads: Vec<_> = (0..CHAINS).map(run).collect();
        let all = threads.into_iter().map(|thread| thread.join().unwrap());
        all.flat_map(|tallies: Vec<Tally>| tallies).collect()
    });
    let sum = |what: fn(&Tally) -> u64| tallies.iter().map(what).sum::<u64>();
    eprintln!(
        "{kills} kills: {} episodes, {} frames; at most {} frames lost at once",
        sum(|tally| tally.episodes),
        sum(|tally| tally.frames),
        tallies.iter().map(|tally| tally.most_lost).max().unwrap_or(0)
    );
}

/// The last two episodes hold what was pushed.
fn check_last(dataset: &Dataset) {
    for episode in dataset.episodes().iter().rev().take(2) {
        let all = dataset.values("observation.state", episode.from_index, episode.length).unwrap();
        let expected: Vec<f32> =
            (0..episode.length).flat_map(|n| [n as f32, -(n as f32)]).collect();
        assert_eq!(all, Value::F32(expected));
        for camera in ["observation.images.front", "observation.images.side"] {
            let last = dataset.image(camera, episode.to_index() - 1).unwrap().to_rgb();
            let difference = i32::from(last.pixels()[0]) - ((episode.length - 1) % 200) as i32;
            assert!(difference.abs() <= 8, "{camera}, episode {}: {difference}", episode.index);
        }
    }
}
