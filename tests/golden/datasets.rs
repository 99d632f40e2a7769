//! Datasets that the real LeRobot wrote, read here: every value bit for bit, its statistics redone
//! within a millionth, and whatever LeRobotDataset returned for some frames.

use std::path::PathBuf;

use serde_json::Value as Json;
use sinew_datasets::reader::{Deltas, Item, Series, View};
use sinew_datasets::schema::{Dtype, Version};
use sinew_datasets::stats::{self, Stats};
use sinew_datasets::{Dataset, Value};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/datasets")).join(name)
}

fn expected(name: &str) -> Json {
    let text = std::fs::read_to_string(folder(&format!("{name}.expected.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    match json {
        Json::Array(items) => items.iter().flat_map(numbers).collect(),
        Json::Bool(flag) => vec![f64::from(u8::from(*flag))],
        number => vec![number.as_f64().unwrap()],
    }
}

/// The pixels that the peer saw, within one step of 255.
fn same_pixels(image: &sinew_datasets::Image, spots: &Json, what: &str) {
    let rgb = image.to_rgb();
    for (spot, channels) in spots.as_object().unwrap() {
        let (y, x) = spot.split_once(',').unwrap();
        let at = (y.parse::<usize>().unwrap() * image.width() as usize
            + x.parse::<usize>().unwrap())
            * 3;
        for (channel, value) in numbers(channels).into_iter().enumerate() {
            let ours = f64::from(rgb.pixels()[at + channel]);
            assert!(
                (ours - value).abs() <= 1.01,
                "{what} at {spot}, channel {channel}: {ours}, {value}"
            );
        }
    }
}

fn same_item(item: &Item, frame: &Json, what: &str) {
    for (key, value) in frame.as_object().unwrap() {
        let what = format!("{what}, {key}");
        if key == "task" {
            assert_eq!(item.task, value.as_str().unwrap(), "{what}");
        } else if let Some(name) = key.strip_suffix("_is_pad") {
            let ours = item.padded.iter().find(|(known, _)| known == name).unwrap();
            let ours: Vec<f64> = ours.1.iter().map(|pad| f64::from(u8::from(*pad))).collect();
            assert_eq!(ours, numbers(value), "{what}");
        } else {
            match item.get(key).unwrap_or_else(|| panic!("{what} is missing")) {
                Series::Images(images) => same_pixels(&images[0], &value["pixels"], &what),
                Series::Values(Value::Text(text)) => {
                    assert_eq!(text, value.as_str().unwrap(), "{what}")
                }
                Series::Values(ours @ (Value::F32(_) | Value::F64(_))) => {
                    // LeRobot hands 64-bit columns out as 32-bit tensors.
                    let ours: Vec<f32> =
                        ours.numbers().iter().map(|number| *number as f32).collect();
                    let theirs: Vec<f32> =
                        numbers(value).iter().map(|number| *number as f32).collect();
                    assert_eq!(ours, theirs, "{what}");
                }
                Series::Values(ours) => assert_eq!(ours.numbers(), numbers(value), "{what}"),
            }
        }
    }
}

#[test]
fn every_frame_is_what_lerobot_returns() {
    for name in ["v30_image", "v30_video", "v30_rich"] {
        let dataset = Dataset::open(&folder(name)).unwrap();
        let expected = expected(name);
        for tag in ["plain", "delta"] {
            let wanted = &expected[tag]["deltas"];
            let wanted: Vec<(&str, Vec<f64>)> = match wanted {
                Json::Object(map) => {
                    map.iter().map(|(key, times)| (key.as_str(), numbers(times))).collect()
                }
                _ => Vec::new(),
            };
            let wanted: Vec<(&str, &[f64])> =
                wanted.iter().map(|(key, times)| (*key, &times[..])).collect();
            let deltas = Deltas::from_seconds(30, &wanted, 1e-4).unwrap();
            let view = View::new(&dataset, deltas, None).unwrap();
            assert_eq!(view.len(), expected[tag]["length"].as_u64().unwrap());
            for (at, frame) in expected[tag]["frames"].as_object().unwrap() {
                let item = view.item(at.parse().unwrap()).unwrap();
                same_item(&item, frame, &format!("{name}, {tag}, frame {at}"));
            }
        }
        let last = dataset.episodes().len() as u64 - 1;
        let view = View::new(&dataset, Deltas::default(), Some(&[last])).unwrap();
        assert_eq!(view.len(), expected["last_episode"]["length"].as_u64().unwrap());
        same_item(&view.item(0).unwrap(), &expected["last_episode"]["frame"], name);
    }
}

#[test]
fn the_older_layout_holds_the_same_frames() {
    for (old, new) in [("v21_image", "v30_image"), ("v21_video", "v30_video")] {
        let (old, new) =
            (Dataset::open(&folder(old)).unwrap(), Dataset::open(&folder(new)).unwrap());
        assert_eq!((old.info().version, new.info().version), (Version::V21, Version::V30));
        assert_eq!((old.len(), old.tasks()), (new.len(), new.tasks()));
        for frame in 0..old.len() {
            let (left, right) = (old.item(frame).unwrap(), new.item(frame).unwrap());
            assert_eq!((left.episode, &left.task), (right.episode, &right.task));
            let values = |item: &Item| -> Vec<Series> {
                let all = item.features.iter().map(|(_, series)| series);
                all.filter(|series| matches!(series, Series::Values(_))).cloned().collect()
            };
            assert_eq!(values(&left), values(&right), "frame {frame}");
        }
    }
}

/// Close: to a millionth of the value, or of one where it is smaller.
fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-6 * theirs.abs().max(1.0)
}

/// LeRobot adds the pixels of a hundred images in 32 bits; its mean and deviation are off by so much.
const ROUNDED_OFF: f64 = 2e-3;

fn same_stats(ours: &Stats, theirs: &Stats, what: &str) {
    assert_eq!(ours.count, theirs.count, "{what}");
    assert_eq!(ours.lists().count(), theirs.lists().count(), "{what}");
    for ((name, ours), (_, theirs)) in ours.lists().zip(theirs.lists()) {
        assert_eq!(ours.len(), theirs.len(), "{what} {name}");
        for (left, right) in ours.iter().zip(theirs) {
            let summed = what.contains("images") && matches!(name, "mean" | "std");
            let same = close(*left, *right) || summed && (left - right).abs() < ROUNDED_OFF;
            assert!(same, "{what} {name}: {ours:?}, LeRobot has {theirs:?}");
        }
    }
}

/// Where LeRobot's sums lose digits, the plain definition decides.
#[test]
fn an_images_mean_and_deviation_are_exact() {
    let dataset = Dataset::open(&folder("v30_image")).unwrap();
    let (episode, camera) = (&dataset.episodes()[0], "observation.images.top");
    let images: Vec<_> =
        (0..episode.length).map(|frame| dataset.image(camera, frame).unwrap()).collect();
    let ours = stats::of_episode(&dataset, episode, camera).unwrap().unwrap();
    for channel in 0..3 {
        let values = || {
            let pixels =
                images.iter().flat_map(|image| image.pixels().iter().skip(channel).step_by(3));
            pixels.map(|value| f64::from(*value) / 255.0)
        };
        let count = values().count() as f64;
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        assert!((ours.mean[channel] - mean).abs() < 1e-7);
        assert!((ours.std[channel] - variance.sqrt()).abs() < 1e-7);
    }
}

#[test]
fn an_episodes_statistics_come_out_as_lerobots() {
    for name in ["v30_image", "v30_video", "v30_rich"] {
        let dataset = Dataset::open_with_stats(&folder(name)).unwrap();
        for episode in dataset.episodes() {
            let mut seen = 0;
            for (feature, theirs) in &episode.stats {
                let declared = dataset.info().feature(feature).unwrap();
                if declared.dtype == Dtype::Video {
                    continue; // LeRobot looked at the images before they were coded.
                }
                let ours = stats::of_episode(&dataset, episode, feature).unwrap().unwrap();
                same_stats(&ours, theirs, &format!("{name}, episode {}, {feature}", episode.index));
                seen += 1;
            }
            assert!(seen >= 7, "{name} has statistics of {seen} features only");
        }
        let parts: Vec<_> = dataset.episodes().iter().map(|episode| &episode.stats).collect();
        let whole = stats::aggregate(&parts);
        assert_eq!(whole.len(), dataset.stats().len());
        for (feature, theirs) in dataset.stats() {
            let ours = &whole.iter().find(|(known, _)| known == feature).unwrap().1;
            same_stats(ours, theirs, &format!("{name}, {feature}"));
        }
    }
}

#[test]
fn long_columns_are_added_in_lerobots_order() {
    let columns: Json = serde_json::from_str(include_str!("datasets/columns.json")).unwrap();
    for (length, case) in columns.as_object().unwrap() {
        for (key, width) in [("v", 6), ("a", 1)] {
            let values: Vec<f32> =
                numbers(&case[key]).iter().map(|number| *number as f32).collect();
            let ours = stats::vector::of(&values, width, length.parse().unwrap()).unwrap();
            let theirs = Stats::from_json(&case["stats"][key]).unwrap();
            assert_eq!(ours, theirs, "{length} rows of {key}");
        }
    }
}
