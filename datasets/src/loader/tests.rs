//! Batches: the same for the same seed, whatever the threads do, and complete.

use std::path::Path;

use super::*;
use crate::schema::{Dtype, Feature, Info};
use crate::writer::Options;
use crate::{Frame, PixelFormat, Stamps, Writer};

fn dataset() -> Arc<Dataset> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/datasets/v30_image");
    Arc::new(Dataset::open(&root).unwrap())
}

fn plan(threads: usize) -> Plan {
    let ahead: Vec<f64> = (0..4).map(|n| f64::from(n) / 30.0).collect();
    let deltas = Deltas::from_seconds(30, &[("action", &ahead)], 1e-4).unwrap();
    Plan { deltas, batch: 5, threads, ..Plan::default() }
}

fn all(plan: &Plan, epoch: u64) -> Vec<Batch> {
    Loader::start(&dataset(), plan, epoch).unwrap().map(|batch| batch.unwrap()).collect()
}

#[test]
fn an_epoch_is_the_same_with_any_number_of_threads() {
    let one = all(&plan(1), 0);
    assert_eq!(one, all(&plan(4), 0));
    assert_ne!(one, all(&plan(4), 1));
    let mut seen: Vec<u64> = one.iter().flat_map(|batch| batch.indices.clone()).collect();
    assert_eq!((one.len(), seen.len()), (7, 33));
    seen.sort_unstable();
    assert_eq!(seen, (0..33).collect::<Vec<u64>>());
    assert_eq!(all(&Plan { whole_batches: true, ..plan(2) }, 0).len(), 6);
}

#[test]
fn a_batch_has_every_feature_in_its_shape() {
    let plan = Plan { order: Order::Sequential, episodes: Some(vec![1]), ..plan(2) };
    let batches = all(&plan, 0);
    let first = &batches[0];
    assert_eq!(first.indices, [20, 21, 22, 23, 24]);
    let Some(Block::Numbers { values, steps: 4, width: 6 }) = first.get("action") else {
        panic!("{:?}", first.get("action"));
    };
    let dataset = dataset();
    assert_eq!(dataset.values("action", 20, 4).unwrap(), crate::Value::F32(values[..24].to_vec()));
    let Some(Block::Images { pixels, steps: 1, height: 48, width: 48 }) =
        first.get("observation.images.top")
    else {
        panic!("no images");
    };
    let image = dataset.image("observation.images.top", 20).unwrap();
    assert_eq!(pixels[48 * 48], image.pixels()[1], "green follows the whole of red");
    let last = batches.last().unwrap();
    let outside = &last.padded[0].1;
    assert_eq!(outside[outside.len() - 4..], [false, true, true, true]);
}

#[test]
fn images_pass_through_the_transform() {
    let dark = |_: &str, image: Image, _: u64, _: u64| {
        let pixels = vec![1; image.pixels().len()];
        Image::new(image.width(), image.height(), PixelFormat::Rgb8, pixels).unwrap()
    };
    let plan = Plan { transform: Some(Arc::new(dark)), ..plan(3) };
    for batch in all(&plan, 0) {
        let Some(Block::Images { pixels, .. }) = batch.get("observation.images.top") else {
            panic!("no images");
        };
        assert!(pixels.iter().all(|pixel| *pixel == 1));
    }
}

#[test]
fn a_loader_can_be_left_in_the_middle() {
    let mut loader = Loader::start(&dataset(), &plan(3), 0).unwrap();
    assert!(loader.next().unwrap().is_ok());
    assert_eq!(loader.len(), 7);
}

#[test]
fn depth_comes_in_millimetres() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let camera = ("depth".to_owned(), Feature::depth(Dtype::Image, 4, 2));
    let info = Info::new(30, None, [camera].into()).unwrap();
    let mut writer = Writer::create(&root, info, Options::default()).unwrap();
    let pixels = |frame: u16| (0..8).map(move |pixel| frame * 1000 + pixel);
    for frame in 0..3 {
        let bytes: Vec<u8> = pixels(frame).flat_map(u16::to_le_bytes).collect();
        let image = Image::new(4, 2, PixelFormat::Gray16, bytes).unwrap();
        let frame = Frame {
            task: Arc::from("look"),
            values: vec![],
            images: vec![Some(image)],
            stamps: Stamps::default(),
        };
        writer.push(&frame).unwrap();
    }
    writer.save_episode().unwrap();
    writer.finish().unwrap();
    let plan = Plan { order: Order::Sequential, batch: 2, threads: 1, ..Plan::default() };
    let dataset = Arc::new(Dataset::open(&root).unwrap());
    let first = Loader::start(&dataset, &plan, 0).unwrap().next().unwrap().unwrap();
    let millimetres = pixels(0).chain(pixels(1)).collect();
    let wanted = Block::Depths { millimetres, steps: 1, height: 2, width: 4 };
    assert_eq!(first.get("depth"), Some(&wanted));
}
