//! A recording whose power is cut after any step: of what was not waited for, any part may be missing.
//! Nothing that was saved is lost, the running episode has what it said was durable, and the folder is
//! a sound dataset that can be added to.
//!
//! `SINEW_CUTS=1000` makes it long.

use std::time::Duration;

use fastrand::Rng;

use super::*;
use crate::durable::disk::Disk;
use crate::durable::watch::{Kept, Step, Watch};
use crate::verify;

/// The pace of the episodes that are watched while they run; a second has at most a hundred frames.
const PACE: Duration = Duration::from_millis(10);
const SECOND: u64 = 100;

/// A folder whose files are in memory where the system has such a place: waiting for it costs nothing.
fn folder() -> tempfile::TempDir {
    let quick = tempfile::tempdir_in("/dev/shm");
    quick.or_else(|_none| tempfile::tempdir()).unwrap()
}

/// Pushes frames until so many are durable.
fn run_until(writer: &mut Writer, watch: &Watch, saved: u64, durable: u64) -> u64 {
    let recorder = writer.begin_episode().unwrap();
    for pushed in recorder.frames() + 1.. {
        recorder.push(&frame(saved, pushed - 1)).unwrap();
        let frames = recorder.durable();
        watch.kept(Kept { saved, frames, pushed, settled: false });
        if frames >= durable {
            return pushed;
        }
        std::thread::sleep(PACE);
    }
    0
}

/// Records four episodes, one of which is not wanted, and goes while the last one runs, whose encoder
/// stands still for a while. Gives the steps that were taken, and how long the saved episodes are.
fn recorded() -> (Vec<Step>, Vec<u64>) {
    let folder = folder();
    let watch = Watch::begin(folder.path());
    let mut writer =
        Writer::create(&folder.path().join("set"), info(), Options::default()).unwrap();
    let kept = |saved: usize, settled| {
        watch.kept(Kept { saved: saved as u64, settled, ..Kept::default() });
    };
    kept(0, true);
    let mut lengths = Vec::new();
    for (length, settle) in [(12, true), (7, false), (0, false), (5, false)] {
        let saved = lengths.len() as u64;
        let length = match length {
            0 => run_until(&mut writer, &watch, saved, 30),
            length => {
                (0..length).for_each(|number| writer.push(&frame(saved, number)).unwrap());
                length
            }
        };
        assert_eq!(writer.save_episode().unwrap().unwrap().frames, length);
        lengths.push(length);
        kept(lengths.len(), false);
        if settle {
            writer.settle().unwrap();
            kept(lengths.len(), true);
            (0..6).for_each(|number| writer.push(&frame(1, number)).unwrap());
            writer.discard_episode().unwrap();
        }
    }
    for (durable, held) in [(60, None), (150, Some(".mp4")), (210, None)] {
        watch.hold(held);
        run_until(&mut writer, &watch, lengths.len() as u64, durable);
    }
    drop(writer);
    (watch.steps(), lengths)
}

/// What was found after all cuts.
#[derive(Default)]
struct Tally {
    cuts: usize,
    /// How many of them met a repair.
    repairs: usize,
    most_lost: u64,
}

impl Tally {
    fn see(&mut self, root: &Path, kept: Option<Kept>, lengths: &[u64], random: &mut Rng) {
        self.cuts += 1;
        let Some(kept) = kept else { return };
        let open = || Dataset::open(root).unwrap().episodes().len() as u64;
        if kept.settled {
            assert!(open() >= kept.saved);
        }
        if self.cuts.is_multiple_of(4) {
            self.repairs += 1;
            self.repair(root, kept, lengths, random);
        }
        recover(root).unwrap();
        self.check(root, kept, lengths);
        if self.cuts.is_multiple_of(8) {
            let (mut writer, again) =
                Writer::resume(root, Some(&info()), Options::default()).unwrap();
            assert_eq!(again, Recovered::default());
            let next = writer.info().total_episodes;
            record(&mut writer, next, 3);
            writer.finish().unwrap();
            assert_eq!(open(), next + 1);
        }
    }

    /// Cuts the power again while the first cut is being repaired.
    fn repair(&mut self, root: &Path, kept: Kept, lengths: &[u64], random: &mut Rng) {
        let folder = folder();
        let again = folder.path().join("again");
        copy(root, &again.join("set"));
        let mut disk = Disk::of(&again);
        let watch = Watch::begin(&again);
        recover(&again.join("set")).unwrap();
        let steps = watch.steps();
        drop(watch);
        let cut = random.usize(..=steps.len());
        steps[..cut].iter().for_each(|step| disk.take(&again, step));
        let found = folder.path().join("found");
        disk.crash(random, &found);
        recover(&found.join("set")).unwrap();
        self.check(&found.join("set"), kept, lengths);
    }

    fn check(&mut self, root: &Path, kept: Kept, lengths: &[u64]) {
        let found: Vec<u64> =
            Dataset::open(root).unwrap().episodes().iter().map(|episode| episode.length).collect();
        let saved = kept.saved as usize;
        assert!(found.len() >= saved, "{found:?} of {kept:?}");
        assert!(found.len() <= saved + 1, "{found:?} of {kept:?}");
        assert_eq!(found[..saved], lengths[..saved]);
        let running = found.get(saved).copied().unwrap_or(0);
        assert!(running >= kept.frames, "{running} frames of {kept:?}");
        self.most_lost = self.most_lost.max(kept.pushed.saturating_sub(running));
        if self.cuts.is_multiple_of(10) {
            check(root, &found);
            let report = verify::verify(root, &verify::Options::default(), &mut |_| {});
            assert!(report.ok, "{report:?}");
        } else {
            self.check_running(root, saved);
        }
    }

    /// The last frames of the running episode hold what was pushed, and so do all its values.
    fn check_running(&self, root: &Path, saved: usize) {
        let dataset = Dataset::open(root).unwrap();
        let Some(episode) = dataset.episodes().get(saved) else { return };
        let pushed = |number| frame(saved as u64, number);
        let counts = dataset.values("count", episode.from_index, episode.length).unwrap();
        let all = (0..episode.length).map(|number| match &pushed(number).values[2] {
            Value::Int(value) => value[0],
            other => panic!("{other:?}"),
        });
        assert_eq!(counts, Value::Int(all.collect()));
        let last = dataset.item(episode.to_index() - 1).unwrap();
        let side = pushed(episode.length - 1).images[1].clone().unwrap();
        assert_eq!(last.get("observation.images.side"), Some(&Series::Images(vec![side])));
        assert!(matches!(last.get("observation.images.front"), Some(Series::Images(_))));
    }
}

#[test]
fn a_power_cut_takes_nothing_that_was_durable() {
    let cuts: usize = std::env::var("SINEW_CUTS").map_or(100, |text| text.parse().unwrap());
    let (steps, lengths) = recorded();
    let empty = folder();
    let root = match &steps[0] {
        Step::Folder(path) => path.parent().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    let mut disk = Disk::of(empty.path());
    let mut random = Rng::with_seed(11);
    let (mut kept, mut tally) = (None, Tally::default());
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Kept(now) => kept = Some(*now),
            step => disk.take(&root, step),
        }
        // As many cuts after each step, in the long run.
        while tally.cuts * steps.len() < cuts * (number + 1) {
            let found = folder();
            disk.crash(&mut random, found.path());
            let seed = random.clone();
            let look = || tally.see(&found.path().join("set"), kept, &lengths, &mut random);
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).is_err() {
                panic!("after step {number} of {}, {step:?}, {kept:?}, {seed:?}", steps.len());
            }
        }
    }
    let Tally { cuts, repairs, most_lost } = tally;
    eprintln!(
        "{cuts} cuts over {} steps, {repairs} repairs cut: at most {most_lost} frames lost at once",
        steps.len()
    );
    assert!(most_lost <= SECOND, "{most_lost} frames");
}
