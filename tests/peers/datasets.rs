//! Datasets of ours in the hands of LeRobot, pyarrow, pandas, `datasets` and PyAV, and LeRobot's in
//! ours: each records into what the other began.

use std::path::Path;
use std::sync::Arc;

use sinew_datasets::reader::Series;
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::writer::{Options, Recovered};
use sinew_datasets::{Dataset, Frame, Image, PixelFormat, Stamps, Value, Writer};

const SCRIPT: &str = "lerobot_dataset.py";
const SIDE: u32 = 64;

pub fn length_of(episode: u64) -> u64 {
    20 + 3 * episode
}

fn picture(seed: u64) -> Image {
    let side = u64::from(SIDE);
    let places = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
    let pixel = |(x, y): (u64, u64)| [(x * 3 + seed) as u8, (y * 3) as u8, (x + y + seed) as u8];
    let pixels: Vec<u8> = places.flat_map(pixel).collect();
    Image::new(SIDE, SIDE, PixelFormat::Rgb8, pixels).unwrap()
}

/// As `frame_of` of the script.
fn frame_of(episode: u64, frame: u64) -> Frame {
    let value = frame as f32 / 8.0 + episode as f32;
    let task = if frame < 5 { "reach".to_owned() } else { format!("grasp {}", episode % 2) };
    Frame {
        task: Arc::from(task),
        values: vec![
            Value::F32(vec![value, -value]),
            Value::F32(vec![value * 2.0, value]),
            Value::Int(vec![frame as i64 * 1_000_000_007]),
            Value::Bool(vec![frame.is_multiple_of(3)]),
            Value::Text(format!("frame {frame}, ü")),
        ],
        images: vec![Some(picture(frame)), Some(picture(episode * 7 + frame))],
        stamps: Stamps::default(),
    }
}

pub fn info() -> Info {
    let vector = || Feature::vector(Dtype::F32, ["pan.pos", "lift.pos"]);
    let features = [
        ("observation.state", vector()),
        ("action", vector()),
        ("count", Feature::scalar(Dtype::I64)),
        ("done", Feature::scalar(Dtype::Bool)),
        ("note", Feature::scalar(Dtype::Text)),
        ("observation.images.front", Feature::camera(Dtype::Video, SIDE, SIDE)),
        ("observation.images.side", Feature::camera(Dtype::Image, SIDE, SIDE)),
    ];
    let features = features.map(|(name, feature)| (name.to_owned(), feature));
    Info::new(30, Some("so_follower".into()), features.into()).unwrap()
}

pub fn record(writer: &mut Writer, episodes: std::ops::Range<u64>) {
    for episode in episodes {
        for frame in 0..length_of(episode) {
            writer.push(&frame_of(episode, frame)).unwrap();
        }
        assert_eq!(writer.save_episode().unwrap().unwrap().frames, length_of(episode));
    }
}

/// Everything that was recorded, by whoever, is there.
fn check(root: &Path, episodes: u64) {
    let dataset = Dataset::open(root).unwrap();
    assert_eq!(dataset.episodes().len() as u64, episodes);
    let mut index = 0;
    for episode in 0..episodes {
        for frame in 0..length_of(episode) {
            let (item, pushed) = (dataset.item(index).unwrap(), frame_of(episode, frame));
            assert_eq!((item.episode, item.task.as_str()), (episode, &*pushed.task), "{index}");
            let values = item.features.iter().filter_map(|(_, series)| match series {
                Series::Values(value) => Some(value),
                Series::Images(_) => None,
            });
            assert!(values.take(5).eq(&pushed.values), "{index}");
            let side = Series::Images(vec![pushed.images[1].clone().unwrap()]);
            assert_eq!(item.get("observation.images.side"), Some(&side), "{index}");
            index += 1;
        }
    }
    assert_eq!(dataset.len(), index);
}

#[test]
fn each_records_into_what_the_other_began() {
    let folder = tempfile::tempdir().unwrap();
    for (name, ours_first) in [("ours", true), ("theirs", false)] {
        let root = folder.path().join(name);
        let test = format!("a dataset that {name} began");
        let path = root.to_str().unwrap();
        if ours_first {
            let mut writer = Writer::create(&root, info(), Options::default()).unwrap();
            record(&mut writer, 0..2);
            writer.settle().unwrap();
            // Not finished: LeRobot may open a dataset that is being recorded.
            if super::script(&test, SCRIPT, &["read", path, "2"]).is_none() {
                return;
            }
            writer.finish().unwrap();
        } else {
            super::script(&test, SCRIPT, &["create", path, "2"]).unwrap();
            check(&root, 2);
        }
        let (mut writer, recovered) =
            Writer::resume(&root, ours_first.then(info).as_ref(), Options::default()).unwrap();
        assert_eq!(recovered, Recovered::default());
        record(&mut writer, 2..3);
        writer.finish().unwrap();
        super::script(&test, SCRIPT, &["resume", path, "3"]).unwrap();
        check(&root, 4);
        let (mut writer, _) = Writer::resume(&root, None, Options::default()).unwrap();
        record(&mut writer, 4..5);
        writer.finish().unwrap();
        check(&root, 5);
        super::script(&test, SCRIPT, &["read", path, "5"]).unwrap();
    }
}
