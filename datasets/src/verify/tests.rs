//! A copy of a dataset that LeRobot wrote is broken in one way, and that way is found.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{Code, Options, Report, Severity, verify};
use crate::frame::{Frame, Stamps, Value};
use crate::image::{Image, PixelFormat};
use crate::schema::{Dtype, Feature, Info};
use crate::stats::{self, AllStats};
use crate::tables::column::Cells;
use crate::tables::episodes::{self, Episode};
use crate::tables::timing::{self, Instant};
use crate::tables::{data, tasks};
use crate::{Dataset, Writer};

/// A copy of a golden dataset.
pub(crate) struct Copy(pub(crate) TempDir);

pub(crate) const DATA: &str = "data/chunk-000/file-000.parquet";
pub(crate) const EPISODES: &str = "meta/episodes/chunk-000/file-000.parquet";
pub(crate) const VIDEO: &str = "videos/observation.images.top/chunk-000/file-000.mp4";

impl Copy {
    pub(crate) fn of(name: &str) -> Self {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/datasets");
        let copy = Self(tempfile::tempdir().unwrap());
        copy_folder(&Path::new(golden).join(name), copy.0.path());
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn look(&self) -> Report {
        // Two identical images of these small sets are already suspicious.
        let options = Options { sample: None, frozen_s: 0.2 };
        verify(self.0.path(), &options, &mut |_| {})
    }

    /// Finds this, and nothing of another kind.
    fn finds(&self, code: Code, place: &str, message: &str) {
        self.finds_among(code, place, message, &[]);
    }

    /// Finds this, and beside it at most these.
    fn finds_among(&self, code: Code, place: &str, message: &str, others: &[Code]) {
        let report = self.look();
        let found = report.findings.iter().any(|finding| {
            finding.code == code
                && finding.place.contains(place)
                && finding.message.contains(message)
        });
        assert!(found, "{code:?} {place} {message}: {:#?}", report.findings);
        let known =
            |finding: &super::Finding| finding.code == code || others.contains(&finding.code);
        assert!(report.findings.iter().all(known), "{:#?}", report.findings);
        assert_eq!(report.ok, report.findings.iter().all(|f| f.severity == Severity::Warning));
    }

    pub(crate) fn info(&self, change: impl FnOnce(&mut Json)) {
        let path = self.path("meta/info.json");
        let mut info: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut info);
        fs::write(&path, info.to_string()).unwrap();
    }

    pub(crate) fn episodes(&self, change: impl FnOnce(&mut Vec<Episode>)) {
        let dataset = Dataset::open_with_stats(self.0.path()).unwrap();
        let mut episodes = dataset.episodes().to_vec();
        change(&mut episodes);
        episodes::write(&self.path(EPISODES), &episodes).unwrap();
    }

    pub(crate) fn numbers(&self, column: &str, change: impl Fn(&mut Vec<u8>)) {
        self.cells(column, |cells| match cells {
            Cells::Numbers(bytes) => change(bytes),
            other => panic!("{other:?}"),
        });
    }

    /// Rewrites a column of the first data file, all episodes in one row group.
    pub(crate) fn cells(&self, column: &str, change: impl Fn(&mut Cells)) {
        let dataset = Dataset::open(self.0.path()).unwrap();
        let info = dataset.info();
        let rows = info.columns().map(|(name, _)| {
            let mut cells = dataset.cells(name, 0, dataset.len()).unwrap();
            if name == column {
                change(&mut cells);
            }
            cells
        });
        data::write(&self.path(DATA), info, &[rows.collect()]).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), &to).unwrap()),
        }
    }
}

pub(crate) fn set<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at * N..(at + 1) * N].copy_from_slice(&value);
}

#[test]
fn nothing_is_wrong_with_what_lerobot_wrote() {
    for name in ["v30_image", "v30_video", "v30_rich", "v21_image", "v21_video"] {
        let report = Copy::of(name).look();
        assert!(report.ok && report.findings.is_empty(), "{name}: {:#?}", report.findings);
        assert!(report.frames > 0 && report.images >= report.frames, "{name}: {report:?}");
    }
}

#[test]
fn nothing_is_wrong_with_what_is_recorded_here() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let camera = |dtype| Feature::camera(dtype, 64, 48);
    let features = vec![
        ("observation.state".to_owned(), Feature::vector(Dtype::F32, ["pan.pos", "lift.pos"])),
        ("observation.images.front".to_owned(), camera(Dtype::Video)),
        ("observation.images.side".to_owned(), camera(Dtype::Image)),
    ];
    let info = Info::new(30, None, features).unwrap();
    let mut writer = Writer::create(&root, info, Default::default()).unwrap();
    for length in [40, 25] {
        for number in 0..length {
            let pixel = |n: u32| (n % 64 * 3 + number * 2) as u8;
            let pixels: Vec<u8> = (0..64 * 48 * 3).map(pixel).collect();
            let image = Image::new(64, 48, PixelFormat::Rgb8, pixels).unwrap();
            let values = vec![Value::F32(vec![number as f32 / 7.0, length as f32 - number as f32])];
            let images = vec![Some(image.clone()), Some(image)];
            let task = "wave".into();
            writer.push(&Frame { task, values, images, stamps: Stamps::default() }).unwrap();
        }
        writer.save_episode().unwrap();
    }
    writer.finish().unwrap();
    let report = verify(&root, &Options::default(), &mut |_| {});
    assert!(report.ok && report.findings.is_empty(), "{:#?}", report.findings);
    assert_eq!((report.episodes, report.frames, report.images), (2, 65, 130));
}

#[test]
fn a_sample_decodes_only_so_many() {
    let copy = Copy::of("v30_video");
    let options = Options { sample: Some(4), ..Options::default() };
    let mut seen = Vec::new();
    let report = verify(copy.0.path(), &options, &mut |at| seen.push(at));
    assert!(report.ok, "{:#?}", report.findings);
    assert_eq!((report.images, report.episodes), (8, 2));
    assert_eq!(seen.last().map(|at| (at.done, at.of)), Some((33, 33)));
}

#[test]
fn info_that_is_no_json() {
    let copy = Copy::of("v30_image");
    fs::write(copy.path("meta/info.json"), "{").unwrap();
    copy.finds(Code::Info, "meta/info.json", "not JSON");
}

#[test]
fn counts_that_do_not_agree() {
    let copy = Copy::of("v30_image");
    copy.info(|info| info["total_episodes"] = json!(3));
    copy.finds(Code::EpisodeCount, "total_episodes", "says 3, the tables hold 2");
    let copy = Copy::of("v30_image");
    copy.info(|info| info["total_frames"] = json!(1000));
    copy.finds(Code::FrameCount, "total_frames", "says 1000");
    let copy = Copy::of("v21_image");
    copy.info(|info| info["total_tasks"] = json!(7));
    copy.finds(Code::TaskCount, "total_tasks", "says 7");
}

#[test]
fn files_that_are_missing_cut_or_left_over() {
    let copy = Copy::of("v30_image");
    fs::remove_file(copy.path(DATA)).unwrap();
    copy.finds(Code::MissingFile, DATA, "cannot open");
    let copy = Copy::of("v30_video");
    fs::remove_file(copy.path(VIDEO)).unwrap();
    copy.finds(Code::MissingFile, VIDEO, "cannot open");
    for table in [DATA, EPISODES] {
        let copy = Copy::of("v30_image");
        let bytes = fs::read(copy.path(table)).unwrap();
        fs::write(copy.path(table), &bytes[..bytes.len() - 300]).unwrap();
        let others = [Code::EpisodeCount, Code::FrameCount, Code::LeftoverFile];
        copy.finds_among(Code::MissingFooter, table, "", &others);
    }
    let copy = Copy::of("v30_image");
    fs::copy(copy.path(DATA), copy.path("data/chunk-000/file-007.parquet")).unwrap();
    copy.finds(Code::LeftoverFile, "file-007", "no episode's table");
    let copy = Copy::of("v21_video");
    fs::write(copy.path("meta/episodes.jsonl"), "{\"episode_index\": 0}\n").unwrap();
    let others = [Code::EpisodeCount, Code::FrameCount, Code::LeftoverFile];
    copy.finds_among(Code::UnreadableTable, "line 1", "", &others);
}

#[test]
fn episodes_that_do_not_follow_each_other() {
    let copy = Copy::of("v30_image");
    copy.episodes(|episodes| episodes[1].from_index += 5);
    copy.finds_among(Code::EpisodeOrder, "episode 1", "begins at frame", &[Code::Index]);
}

#[test]
fn rows_and_frames_of_different_number() {
    let copy = Copy::of("v30_image");
    copy.episodes(|episodes| episodes[1].length += 5);
    let others = [Code::FrameCount, Code::VideoSpan];
    copy.finds_among(Code::RowCount, DATA, "its episodes have", &others);
}

#[test]
fn a_column_of_another_shape() {
    let copy = Copy::of("v30_image");
    copy.info(|info| info["features"]["action"]["shape"] = json!([5]));
    copy.finds(Code::Column, "column action", "numbers");
    let copy = Copy::of("v30_image");
    copy.info(|info| {
        info["features"]["gone"] = json!({"dtype": "float32", "shape": [1], "names": null});
    });
    copy.finds_among(Code::Column, "column gone", "is missing", &[Code::StatsMissing]);
}

#[test]
fn indices_times_and_tasks() {
    for (column, code, value, message) in [
        ("index", Code::Index, 77, "is 77, expected 3"),
        ("frame_index", Code::FrameIndex, 9, "is 9, expected 3"),
        ("episode_index", Code::EpisodeIndex, 1, "is 1, expected 0"),
        ("task_index", Code::TaskIndex, 12, "is 12, the table of tasks has"),
    ] {
        let copy = Copy::of("v30_image");
        copy.numbers(column, |bytes| set(bytes, 3, i64::to_le_bytes(value)));
        copy.finds_among(code, "episode 0, frame 3", message, &[Code::StatsDrift]);
    }
    let copy = Copy::of("v30_image");
    copy.numbers("timestamp", |bytes| set(bytes, 3, 0.1012_f32.to_le_bytes()));
    copy.finds(Code::Timestamp, "episode 0, frame 3", "expected 0.100000");
    let copy = Copy::of("v30_image");
    let known = tasks::read(&copy.path(tasks::PATH)).unwrap();
    let renamed: Vec<String> = known.iter().map(|task| format!("not {task}")).collect();
    tasks::write(&copy.path(tasks::PATH), &renamed).unwrap();
    copy.finds(Code::TaskIndex, "episode 0", "is not in the table of tasks");
}

#[test]
fn an_episode_that_was_cut_off() {
    let copy = Copy::of("v30_image");
    fs::create_dir_all(copy.path(".sinew/recording/episode-000002")).unwrap();
    let report = copy.look();
    assert!(report.ok, "what is part of the dataset is well");
    let found = &report.findings[..];
    assert!(matches!(found, [one] if one.code == Code::CutOff), "{found:?}");
}

#[test]
fn numbers_that_are_none() {
    let copy = Copy::of("v30_image");
    copy.numbers("action", |bytes| set(bytes, 2 * 6 + 1, f32::NAN.to_le_bytes()));
    let place = "episode 0, frame 2, action";
    copy.finds_among(Code::NotFinite, place, "is NaN", &[Code::StatsDrift]);
    // Beside one that is none, the others have not moved.
    let found = copy.look().findings.into_iter();
    let drifted: Vec<_> = found.filter(|one| one.code == Code::StatsDrift).collect();
    assert!(!drifted.is_empty());
    for one in drifted {
        assert!(one.message.ends_with("the data give NaN"), "{}: {}", one.place, one.message);
    }
}

#[test]
fn images_that_are_none_or_of_another_size() {
    let copy = Copy::of("v30_image");
    let camera = "observation.images.top";
    copy.cells(camera, |cells| {
        if let Cells::Images(images) = cells {
            images[4] = b"not a picture"[..].into();
        }
    });
    copy.finds(Code::Image, "episode 0, frame 4", "");
    let copy = Copy::of("v30_image");
    copy.info(|info| info["features"][camera]["shape"] = json!([48, 64, 3]));
    copy.finds(Code::Image, "frame 0", "has 48×48 pixels");
}

#[test]
fn statistics_that_are_not_those_of_the_data() {
    let copy = Copy::of("v30_image");
    let change = |all: &mut AllStats| all.iter_mut().for_each(|(_, s)| s.mean[0] += 10.0);
    copy.episodes(|episodes| change(&mut episodes[1].stats));
    copy.finds(Code::StatsDrift, "episode 1, action", "mean[0]");
    let copy = Copy::of("v30_image");
    let path = copy.path("meta/stats.json");
    let mut all = stats::parse(&fs::read(&path).unwrap()).unwrap();
    change(&mut all);
    fs::write(&path, stats::to_text(&all)).unwrap();
    copy.finds(Code::StatsDrift, "meta/stats.json, observation.images.top", "mean[0]");
    fs::remove_file(&path).unwrap();
    copy.finds(Code::StatsMissing, "meta/stats.json", "is not there");
}

#[test]
fn videos_that_are_not_what_the_tables_say() {
    let copy = Copy::of("v30_video");
    fs::write(copy.path(VIDEO), "no video at all").unwrap();
    copy.finds(Code::UnreadableVideo, VIDEO, "");
    let copy = Copy::of("v30_video");
    copy.episodes(|episodes| {
        episodes[1].videos[0].from_s += 0.01;
        episodes[1].videos[0].to_s += 0.01;
    });
    let place = "episode 1, observation.images.top";
    copy.finds(Code::VideoTimestamp, place, "frame 0: the nearest frame");
    let copy = Copy::of("v30_video");
    copy.episodes(|episodes| episodes[0].videos[0].to_s += 0.5);
    copy.finds(Code::VideoSpan, "episode 0, observation.images.top", "lasts");
    let copy = Copy::of("v30_video");
    copy.info(|info| {
        info["features"]["observation.images.top"]["info"]["video.codec"] = json!("h264");
    });
    copy.finds(Code::VideoInfo, VIDEO, "the codec is av1, info.json says h264");
}

#[test]
fn a_video_shorter_than_its_rows() {
    let copy = Copy::of("v30_video");
    let short = copy.path("short.mp4");
    crate::video::cut(&copy.path(VIDEO), 0.0, 20.0 / 30.0, &short).unwrap();
    fs::rename(&short, copy.path(VIDEO)).unwrap();
    let others = [Code::VideoTimestamp];
    copy.finds_among(Code::VideoFrameCount, VIDEO, "its episodes have 33", &others);
}

#[test]
fn a_video_with_a_broken_frame() {
    let copy = Copy::of("v30_video");
    let mut bytes = fs::read(copy.path(VIDEO)).unwrap();
    let mdat = bytes.windows(4).position(|four| four == b"mdat").unwrap();
    let end = bytes.len();
    for byte in &mut bytes[mdat + 300..end.min(mdat + 2000)] {
        *byte = byte.wrapping_mul(31).wrapping_add(7);
    }
    fs::write(copy.path(VIDEO), bytes).unwrap();
    let others = [Code::StatsDrift, Code::FrozenCamera, Code::UnreadableVideo];
    copy.finds_among(Code::VideoFrame, "observation.images.top, frame", "", &others);
}

#[test]
fn a_camera_that_freezes_while_the_arm_moves() {
    let copy = Copy::of("v30_image");
    copy.cells("observation.images.top", |cells| {
        if let Cells::Images(images) = cells {
            let first = images[0].clone();
            images[..10].fill(first);
        }
    });
    let place = "episode 0, observation.images.top";
    copy.finds_among(
        Code::FrozenCamera,
        place,
        "stays the same from frame 0 to 9",
        &[Code::StatsDrift],
    );
}

#[test]
fn a_joint_that_never_moves() {
    let copy = Copy::of("v30_image");
    copy.numbers("observation.state", |bytes| {
        for row in bytes.chunks_exact_mut(6 * 4) {
            set(row, 2, 1.5_f32.to_le_bytes());
        }
    });
    let message = "elbow.pos never changes while others do";
    let place = "observation.state, every episode";
    copy.finds_among(Code::DeadJoint, place, message, &[Code::StatsDrift]);
}

#[test]
fn frames_that_the_recorder_had_to_repeat_and_late_ticks() {
    let copy = Copy::of("v30_video");
    let instant = |n: i64| Instant {
        stamps: Stamps {
            tick_ns: n,
            joints_ns: n,
            images_ns: vec![n],
            late: n < 2,
            ..Stamps::default()
        },
        repeated: vec![n == 4 || n == 5],
    };
    let instants: Vec<Instant> = (0..17).map(instant).collect();
    let path = copy.path("meta/sinew/timing/chunk-000/file-000.parquet");
    timing::write(&path, 0, &["observation.images.top".to_owned()], &instants).unwrap();
    let message = "2 of 17 images repeat the one before, at most 2 in a row";
    copy.finds_among(Code::DroppedFrames, "episode 0", message, &[Code::LateTicks]);
    copy.finds_among(Code::LateTicks, "episode 0", "2 of 17 ticks", &[Code::DroppedFrames]);
}

#[test]
fn a_video_that_nothing_here_decodes() {
    let copy = Copy::of("v30_video");
    let mut bytes = fs::read(copy.path(VIDEO)).unwrap();
    let entry = bytes.windows(4).position(|four| four == b"av01").unwrap();
    let places: Vec<usize> =
        (entry..bytes.len() - 4).filter(|at| &bytes[*at..*at + 4] == b"av01").collect();
    places.iter().for_each(|at| bytes[*at..*at + 4].copy_from_slice(b"zz09"));
    fs::write(copy.path(VIDEO), bytes).unwrap();
    copy.finds_among(Code::NotDecoded, "", "zz09", &[Code::VideoInfo, Code::UnreadableVideo]);
}

#[test]
fn any_file_cut_or_filled_with_noise_is_survived() {
    for name in ["v30_video", "v30_rich", "v21_image"] {
        let whole = Copy::of(name);
        let mut files = Vec::new();
        let mut folders = vec![whole.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let mut dice = fastrand::Rng::with_seed(bytes.len() as u64);
            let cut = bytes[..dice.usize(..bytes.len())].to_vec();
            let mut noise = bytes.clone();
            (0..20).for_each(|_| noise[dice.usize(..bytes.len())] = dice.u8(..));
            for broken in [Vec::new(), cut, noise] {
                fs::write(&file, broken).unwrap();
                whole.look();
            }
            fs::write(&file, &bytes).unwrap();
        }
        assert!(Info::load(whole.0.path()).is_ok() && whole.look().ok, "{name}");
    }
}
