//! A picture that is stored with a reading of the joints shows where they were when they were read, but
//! for a time that the dataset tells, frame by frame.
//!
//! The simulated camera draws the joints as they truly are at the instant of the picture: from how far a
//! bar is from the joint that was read, and how fast that moved, comes the time between the two.
//! `SINEW_SKEW_SECONDS=60` makes the episode longer, and the figures finer.

use sinew_datasets::reader::{Deltas, Series, View};
use sinew_datasets::tables::timing::{self, Instant};
use sinew_datasets::{Dataset, Image, Stages};

use crate::sandbox::Sandbox;

const FPS: f64 = 30.0;
const CAMERA: &str = "observation.images.front";

/// How long each bar of a picture is, as a share of its width, from its brightness: finer than a pixel.
fn bars(image: &Image, count: usize) -> Vec<f64> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (top, room) = (height / 4, height - height / 4);
    let pixels = image.to_rgb();
    let length = |bar: usize| {
        // The middle of the bar, where its upper and lower edge are far.
        let middle = top + room * (2 * bar + 1) / (2 * count);
        let rows = middle - room / count / 8..=middle + room / count / 8;
        let sum = |column: usize| -> f64 {
            let bytes = rows.clone().map(|row| pixels.pixels()[(row * width + column) * 3]);
            bytes.map(f64::from).sum()
        };
        let columns: Vec<f64> = (0..width).map(sum).collect();
        let tenth = width / 10;
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        // No joint comes near the ends of its range.
        let (bright, dark) = (mean(&columns[..tenth]), mean(&columns[width - tenth..]));
        columns.iter().map(|sum| (sum - dark) / (bright - dark)).sum::<f64>() / width as f64
    };
    (0..count).map(length).collect()
}

/// One row: where the joints were read, and where the picture shows them.
struct Row {
    read: Vec<f64>,
    seen: Vec<f64>,
    instant: Instant,
}

fn rows(dataset: &Dataset, root: &std::path::Path) -> Vec<Row> {
    let view = View::new(dataset, Deltas::default(), None).unwrap();
    let (tables, errors) = timing::load(root);
    assert!(errors.is_empty(), "{errors:?}");
    let instants = tables.iter().flat_map(|table| table.rows.iter().cloned());
    let row = |(at, instant): (u64, Instant)| {
        let item = view.item(at).unwrap();
        let find = |name: &str| item.features.iter().find(|(is, _)| is == name).map(|(_, of)| of);
        let Some(Series::Values(state)) = find("observation.state") else { panic!("no state") };
        // The gripper is told from 0 to 100 of its range, the others from -100 to 100.
        let mut read: Vec<f64> =
            state.numbers().iter().map(|joint| (joint + 100.0) / 200.0).collect();
        read[5] = read[5] * 2.0 - 1.0;
        let Some(Series::Images(images)) = find(CAMERA) else { panic!("no picture") };
        let seen = bars(&images[0], read.len());
        Row { read, seen, instant }
    };
    instants.map(row).collect()
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// From a reading to the picture that is stored with it, in milliseconds: what the picture shows, and what
/// the dataset tells. None where the joints hardly move.
fn skew(before: &Row, row: &Row, after: &Row) -> Option<(f64, f64)> {
    let nanos = after.instant.stamps.joints_ns - before.instant.stamps.joints_ns;
    let speed = |joint: usize| (after.read[joint] - before.read[joint]) / (nanos as f64 / 1e6);
    let joints = 0..row.read.len();
    let square: f64 = joints.clone().map(|joint| speed(joint).powi(2)).sum();
    let way = |joint: usize| row.seen[joint] - row.read[joint];
    let seen = joints.map(|joint| speed(joint) * way(joint)).sum::<f64>() / square;
    let stamps = &row.instant.stamps;
    let told = (stamps.images_ns[0] - stamps.joints_ns) as f64 / 1e6;
    // At a fifth of the range in a second a tenth of a pixel is a millisecond.
    (square.sqrt() > 0.2e-3).then_some((seen, told))
}

#[test]
fn a_picture_is_as_far_from_the_reading_as_the_dataset_says_and_that_is_less_than_a_frame() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("set");
    let seconds = std::env::var("SINEW_SKEW_SECONDS").unwrap_or("5".to_owned());
    let line = format!(
        "--json record --robot=sim --robot.use_degrees=false --teleop=sim --teleop.use_degrees=false \
         --camera=front=pattern@640x192x30 --dataset.root={} --dataset.num_episodes=1 \
         --dataset.episode_time_s={seconds} --dry_run_s=0 --stats --task=move",
        root.display()
    );
    let ended = sandbox.run(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(ended.code, 0, "{}", ended.err);
    let dataset = Dataset::open(&root).unwrap();
    let rows = rows(&dataset, &root);
    // What a tick's stages took is told while the loop runs, and kept with each row.
    let events = ended.json();
    let told = events.iter().find(|event| event["type"] == "stats").expect("no figures");
    for stage in ["wake_us", "bus_us", "work_us"] {
        assert!(told[stage]["p999"].as_u64() >= Some(1), "{told}");
    }
    let took = |stage: usize| rows.iter().all(|row| row.instant.stamps.stages.list()[stage] > 0);
    assert!((0..Stages::COUNT).all(took), "a row without its tick's stages");
    let near = rows.windows(3).filter_map(|near| skew(&near[0], &near[1], &near[2]));
    let (mut seen, mut told): (Vec<f64>, Vec<f64>) = near.unzip();
    let mut apart: Vec<f64> =
        seen.iter().zip(&told).map(|(seen, told)| (seen - told).abs()).collect();
    assert!(seen.len() * 2 > rows.len(), "{} of {} rows move", seen.len(), rows.len());
    let frame = 1000.0 / FPS;
    let within = seen.iter().filter(|skew| skew.abs() < frame).count();
    let line = |values: &mut [f64]| {
        [0.0, 0.05, 0.5, 0.95, 1.0].map(|share| format!("{:.1}", quantile(values, share))).join(" ")
    };
    eprintln!(
        "least, 5 %, half, 95 % and most of {} rows: seen {} ms, told {} ms, apart {} ms; {within} within a \
         frame; {}",
        seen.len(),
        line(&mut seen),
        line(&mut told),
        line(&mut apart),
        ended.result()["camera_skew_ms"],
    );
    // A busy machine may come between a few pictures and their instants, but not between most.
    assert!(quantile(&mut apart, 0.5) < 4.0, "the dataset does not tell the truth");
    // Of the pictures that had come a row has the nearest.
    let has_the_nearest = |pair: &&[Row]| {
        let stamps = [&pair[0], &pair[1]].map(|row| &row.instant.stamps);
        let [own, next] = stamps.map(|of| (of.images_ns[0] - stamps[0].joints_ns).abs());
        own <= next
    };
    let nearest = rows.windows(2).filter(has_the_nearest).count();
    // Where a camera gets no processor for a frame's time, a picture comes too late to be chosen.
    assert!(nearest * 10 >= rows.len() * 8, "{nearest} of {} rows have the nearest", rows.len());
}
