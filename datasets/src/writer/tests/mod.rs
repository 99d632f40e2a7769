//! Recording: what goes in comes out, whatever is cut off is taken up.

#[cfg(feature = "ffmpeg")]
mod encoders;
mod faults;
mod power_cut;
mod pressure;
mod starved;

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::frame::{Stamps, Value};
use crate::image::{Image, PixelFormat};
use crate::reader::Series;
use crate::{Dataset, stats};

const SIDE: u32 = 32;

pub(crate) fn info() -> Info {
    let mut features = vec![
        ("observation.state".to_owned(), Feature::vector(Dtype::F32, ["pan.pos", "lift.pos"])),
        ("action".to_owned(), Feature::vector(Dtype::F32, ["pan.pos", "lift.pos"])),
        ("count".to_owned(), Feature::scalar(Dtype::I64)),
        ("done".to_owned(), Feature::scalar(Dtype::Bool)),
        ("note".to_owned(), Feature::scalar(Dtype::Text)),
    ];
    features
        .push(("observation.images.front".to_owned(), Feature::camera(Dtype::Video, SIDE, SIDE)));
    features
        .push(("observation.images.side".to_owned(), Feature::camera(Dtype::Image, SIDE, SIDE)));
    Info::new(30, Some("so_follower".into()), features).unwrap()
}

fn picture(seed: u64) -> Image {
    let pixel = |n: u64| ((n % 96 + seed * 3) % 256) as u8;
    let pixels: Vec<u8> = (0..u64::from(SIDE * SIDE * 3)).map(pixel).collect();
    Image::new(SIDE, SIDE, PixelFormat::Rgb8, pixels).unwrap()
}

fn frame(episode: u64, number: u64) -> Frame {
    let value = number as f32 / 7.0 + episode as f32;
    Frame {
        task: Arc::from(if number < 5 { "reach" } else { "grasp" }),
        values: vec![
            Value::F32(vec![value, -value]),
            Value::F32(vec![value * 2.0, value]),
            Value::Int(vec![number as i64 * 1_000_000_007]),
            Value::Bool(vec![number.is_multiple_of(3)]),
            Value::Text(format!("frame {number}, ü")),
        ],
        images: vec![
            (number == 0 || number % 4 != 3).then(|| picture(number)),
            Some(picture(episode * 50 + number)),
        ],
        stamps: Stamps { tick_ns: number as i64, ..Stamps::default() },
    }
}

pub(crate) fn record(writer: &mut Writer, episode: u64, frames: u64) -> Saved {
    for number in 0..frames {
        writer.push(&frame(episode, number)).unwrap();
    }
    let saved = writer.save_episode().unwrap().unwrap();
    writer.settle().unwrap();
    saved
}

/// Every value that was pushed is in the dataset, and its tables say so.
fn check(root: &Path, lengths: &[u64]) {
    let dataset = Dataset::open_with_stats(root).unwrap();
    assert_eq!(dataset.len(), lengths.iter().sum::<u64>());
    let mut index = 0;
    for (episode, length) in lengths.iter().enumerate() {
        assert_eq!(dataset.episodes()[episode].length, *length);
        for number in 0..*length {
            let pushed = frame(episode as u64, number);
            let item = dataset.item(index).unwrap();
            assert_eq!((item.episode, item.task.as_str()), (episode as u64, &*pushed.task));
            let names = ["observation.state", "action", "count", "done", "note"];
            for (name, value) in names.iter().zip(&pushed.values) {
                assert_eq!(item.get(name), Some(&Series::Values(value.clone())), "{name}");
            }
            let side = Series::Images(vec![pushed.images[1].clone().unwrap()]);
            assert_eq!(item.get("observation.images.side"), Some(&side));
            assert!(matches!(item.get("observation.images.front"), Some(Series::Images(_))));
            index += 1;
        }
        let parts = &dataset.episodes()[episode];
        for (name, ours) in &parts.stats {
            if name != "observation.images.front" {
                let again = stats::of_episode(&dataset, parts, name).unwrap().unwrap();
                assert_eq!(&again, ours, "{name}");
            }
        }
        assert_eq!(parts.stats.len(), dataset.info().features.len() - 1, "all but the text");
    }
}

#[test]
fn what_is_pushed_is_in_the_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    let saved = record(&mut writer, 0, 12);
    assert_eq!(saved, Saved { episode: 0, frames: 12, lost: 0, repeated: 3, failure: None });
    check(&root, &[12]);
    record(&mut writer, 1, 7);
    writer.push(&frame(9, 0)).unwrap();
    writer.discard_episode().unwrap();
    assert_eq!(writer.finish().unwrap(), None);
    check(&root, &[12, 7]);
    assert!(!root.join(publish::OURS).exists());
    let (mut writer, recovered) = Writer::resume(&root, Some(&info()), Options::default()).unwrap();
    assert_eq!(recovered, Recovered::default());
    record(&mut writer, 2, 3);
    writer.finish().unwrap();
    check(&root, &[12, 7, 3]);
}

#[test]
fn a_writer_that_goes_leaves_its_episode_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    record(&mut writer, 0, 5);
    (0..9).for_each(|number| writer.push(&frame(1, number)).unwrap());
    assert!(matches!(recover(&root), Err(Error::Busy { .. })));
    drop(writer);
    check(&root, &[5]);
    let recovered = recover(&root).unwrap();
    assert_eq!(
        recovered.saved,
        [Saved { episode: 1, frames: 9, lost: 0, repeated: 2, failure: None }]
    );
    check(&root, &[5, 9]);
    assert_eq!(recover(&root).unwrap(), Recovered::default());
}

/// A copy of a folder, as a kill leaves it: what was handed to the system, and nothing more.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(std::fs::copy(&path, &to).unwrap()),
        }
    }
}

#[test]
fn a_journal_cut_anywhere_gives_its_whole_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    (0..10).for_each(|number| writer.push(&frame(0, number)).unwrap());
    drop(writer);
    let running = publish::running(&root, 0).strip_prefix(&root).unwrap().to_owned();
    let mut random = fastrand::Rng::with_seed(7);
    let mut found = Vec::new();
    for round in 0..12 {
        let cut = folder.path().join(format!("cut-{round}"));
        copy(&root, &cut);
        for name in ["journal", "observation.images.front.mp4", "observation.images.side.images"] {
            if random.bool() {
                let path = cut.join(&running).join(name);
                let length = std::fs::metadata(&path).unwrap().len();
                let file = File::options().write(true).open(&path).unwrap();
                file.set_len(random.u64(length / 2..=length)).unwrap();
            }
        }
        let recovered = recover(&cut).unwrap();
        let frames: u64 = recovered.saved.iter().map(|saved| saved.frames).sum();
        if frames > 0 {
            check(&cut, &[frames]);
        }
        found.push(frames);
    }
    assert!(found.iter().any(|frames| (1..10).contains(frames)), "{found:?}");
}

#[test]
fn what_does_not_fit_is_told_and_nothing_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
    let mut first = frame(0, 0);
    first.images[0] = None;
    let error = writer.push(&first).unwrap_err().to_string();
    assert_eq!(
        error,
        "frame 0, feature observation.images.front: the camera has given no image yet"
    );
    writer.push(&frame(0, 0)).unwrap();
    let mut wide = frame(0, 1);
    wide.values[0] = Value::F32(vec![0.0; 3]);
    let error = writer.push(&wide).unwrap_err().to_string();
    assert_eq!(error, "frame 1, feature observation.state: has 3 values, 2 are declared");
    let mut large = frame(0, 1);
    large.images[1] = Image::new(8, 8, PixelFormat::Rgb8, vec![0; 192]);
    let error = writer.push(&large).unwrap_err().to_string();
    assert!(error.ends_with("an image of 8x8, declared is 32x32"), "{error}");
    assert_eq!(writer.save_episode().unwrap().unwrap().frames, 1);
    writer.settle().unwrap();
    check(&root, &[1]);
    assert!(matches!(Writer::create(&root, info(), Options::default()), Err(Error::Exists { .. })));
    drop(writer);
    let other = Info::new(30, None, vec![("action".into(), Feature::scalar(Dtype::F32))]).unwrap();
    let error = Writer::resume(&root, Some(&other), Options::default()).err().unwrap().to_string();
    assert!(error.starts_with("feature observation.state: "), "{error}");
}

#[cfg(not(feature = "ffmpeg"))]
#[test]
fn depth_as_video_names_the_feature_that_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let camera = ("depth".to_owned(), Feature::depth(Dtype::Video, SIDE, SIDE));
    let info = Info::new(30, None, vec![camera]).unwrap();
    let mut writer = Writer::create(&folder.path().join("set"), info, Options::default()).unwrap();
    let error = writer.begin_episode().map(drop).unwrap_err().to_string();
    assert!(error.contains("depth") && error.contains("feature ffmpeg"), "{error}");
}
