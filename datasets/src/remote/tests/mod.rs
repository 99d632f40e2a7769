//! What is streamed is what lies there, and no more of it is fetched than is looked at.

mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Options, Result, Server as Asking, TAIL};
use crate::edit;
use crate::frame::{Frame, Stamps, Value};
use crate::image::{Image, PixelFormat};
use crate::loader::{Batch, Loader, Order, Plan};
use crate::reader::{Deltas, View};
use crate::schema::{Dtype, Feature, Info};
use crate::{Dataset, Writer};
use server::{Fault, Mood, Server};

fn golden(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/datasets")).join(name)
}

/// Small blocks for small videos.
fn options() -> Options {
    let first_wait = Duration::from_millis(1);
    let server = Asking { first_wait, patience: Duration::from_secs(10), ..Asking::default() };
    Options { server, block: 1 << 10, ahead: 8 << 10, ..Options::default() }
}

fn deltas(dataset: &Dataset) -> Deltas {
    let camera = dataset.info().features.iter().find(|(_, feature)| feature.is_camera());
    let frames = [-0.1, 0.0, 0.1].map(|time: f64| time * 10.0 / f64::from(dataset.info().fps));
    let wanted: Vec<(&str, &[f64])> = camera
        .iter()
        .map(|(name, _)| (name.as_str(), &frames[..]))
        .chain([("action", &frames[..])])
        .collect();
    Deltas::from_seconds(dataset.info().fps, &wanted, 1e-4).unwrap()
}

/// Every item of both, in an order that jumps about.
fn same(local: &Dataset, far: &Dataset) {
    assert_eq!(
        (local.info(), local.tasks(), local.stats()),
        (far.info(), far.tasks(), far.stats())
    );
    assert_eq!(local.episodes().len(), far.episodes().len());
    let views = [local, far].map(|dataset| View::new(dataset, deltas(dataset), None).unwrap());
    let count = local.len();
    for step in 0..count {
        let at = step * 17 % count;
        let [ours, theirs] = views.each_ref().map(|view| view.item(at).unwrap());
        assert_eq!(
            (ours.index, ours.episode, &ours.task),
            (theirs.index, theirs.episode, &theirs.task)
        );
        assert!(ours.features == theirs.features, "frame {at}");
        assert_eq!(ours.padded, theirs.padded);
    }
}

/// Twelve episodes of noise in one data file and one video: half a second each, images in both.
fn recorded() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let features = vec![
        ("action".to_owned(), Feature::vector(Dtype::F32, ["pan.pos"])),
        ("note".to_owned(), Feature::scalar(Dtype::Text)),
        ("observation.images.film".to_owned(), Feature::camera(Dtype::Video, 48, 48)),
        ("observation.images.png".to_owned(), Feature::camera(Dtype::Image, 16, 16)),
    ];
    let info = Info::new(30, None, features).unwrap();
    let mut writer = Writer::create(&folder.path().join("new"), info, Default::default()).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut noise = |side: u32| {
        let pixels: Vec<u8> = (0..side * side * 3).map(|_| random.u8(..)).collect();
        Some(Image::new(side, side, PixelFormat::Rgb8, pixels).unwrap())
    };
    for episode in 0..12 {
        for number in 0..15 {
            let values = vec![Value::F32(vec![number as f32]), Value::Text(format!("{episode}"))];
            let (task, stamps) = (Arc::from("stir"), Stamps::default());
            writer
                .push(&Frame { task, values, images: vec![noise(48), noise(16)], stamps })
                .unwrap();
        }
        writer.save_episode().unwrap();
    }
    writer.finish().unwrap();
    let root = folder.path().join("set");
    edit::compact(&folder.path().join("new"), Some(&root), &|_| {}).unwrap();
    (folder, root)
}

fn size(root: &Path, below: &str) -> u64 {
    std::fs::metadata(root.join(below)).unwrap().len()
}

const DATA: &str = "data/chunk-000/file-000.parquet";
const FILM: &str = "videos/observation.images.film/chunk-000/file-000.mp4";

fn batches(dataset: &Arc<Dataset>, order: Order, threads: usize) -> Vec<Batch> {
    let plan = Plan { order, threads, batch: 7, ..Plan::default() };
    Loader::start(dataset, &plan, 1).unwrap().map(Result::unwrap).collect()
}

#[test]
fn every_golden_dataset_is_the_same_from_afar() {
    for name in ["v30_video", "v30_image", "v30_rich", "v21_video", "v21_image"] {
        let root = golden(name);
        let server = Server::of(&root);
        let far = Dataset::stream(&server.url, &options()).unwrap();
        assert_eq!(far.root(), Path::new(&server.url));
        same(&Dataset::open(&root).unwrap(), &far);
        let as_usual = Dataset::stream(&format!("{}/", server.url), &Options::default()).unwrap();
        same(&Dataset::open(&root).unwrap(), &as_usual);
    }
}

#[test]
fn only_what_is_looked_at_is_fetched() {
    let (_folder, root) = recorded();
    let server = Server::of(&root);
    let far = Dataset::stream(&server.url, &options()).unwrap();
    assert_eq!((server.served("data/"), server.served("videos/")), ((0, 0), (0, 0)));
    let view = View::new(&far, Deltas::default(), Some(&[3, 8])).unwrap();
    (0..view.len()).for_each(|at| drop(view.item(at).unwrap()));
    let (questions, bytes) = server.served(DATA);
    let footer = TAIL.min(size(&root, DATA));
    assert!(bytes - footer < size(&root, DATA) / 5, "{bytes} of {}", size(&root, DATA));
    assert_eq!(questions, 3, "the footer and two row groups");
    let (questions, bytes) = server.served(FILM);
    assert!(bytes < size(&root, FILM) / 3, "{bytes} of {}", size(&root, FILM));
    assert!(questions < 30, "{questions}: neighbours come together");

    // Columns without images: without the images' bytes.
    server.forget();
    let far = Dataset::stream(&server.url, &options()).unwrap();
    let bare = Info { features: far.info().features[..1].to_vec(), ..far.info().clone() };
    far.rows(&far.episodes()[5], &bare).unwrap();
    let bytes = server.served(DATA).1 - footer;
    assert!(bytes < size(&root, DATA) / 100, "{bytes}");
}

#[test]
fn a_loader_over_a_server_gives_the_same_batches() {
    let (_folder, root) = recorded();
    let server = Server::of(&root);
    let local = Arc::new(Dataset::open(&root).unwrap());
    for order in [Order::Sequential, Order::Shuffled { seed: 3 }] {
        let expected = batches(&local, order, 1);
        for threads in [1, 4] {
            server.forget();
            let far = Arc::new(Dataset::stream(&server.url, &options()).unwrap());
            assert!(batches(&far, order, threads) == expected, "{threads} threads");
            let (questions, bytes) = server.served(FILM);
            assert!(bytes <= size(&root, FILM), "{bytes}: no byte twice");
            if order == Order::Sequential {
                let few = size(&root, FILM) / (options().ahead / 2) + 20;
                assert!(questions < few, "{questions} questions, not {few}");
            }
            let footer = TAIL.min(size(&root, DATA));
            assert!(server.served(DATA).1 <= size(&root, DATA) + footer, "no row group twice");
        }
    }
}

#[test]
fn with_little_room_it_is_the_same_only_slower() {
    let (_folder, root) = recorded();
    let server = Server::of(&root);
    let little = Options { memory: 1, disk: 1, ..options() };
    let far = Arc::new(Dataset::stream(&server.url, &little).unwrap());
    let order = Order::Shuffled { seed: 3 };
    let local = Arc::new(Dataset::open(&root).unwrap());
    assert!(batches(&far, order, 4) == batches(&local, order, 1));
    assert!(server.served(FILM).1 > size(&root, FILM), "what was thrown away came again");
}

#[test]
fn a_server_in_a_bad_mood_is_borne_with() {
    let root = golden("v30_video");
    let local = Dataset::open(&root).unwrap();
    let busy =
        Server::moody(&root, |number, _| if number % 3 == 0 { Fault::Busy } else { Fault::None });
    same(&local, &Dataset::stream(&busy.url, &options()).unwrap());
    let cut =
        Server::moody(&root, |number, _| if number % 3 == 0 { Fault::Cut } else { Fault::None });
    same(&local, &Dataset::stream(&cut.url, &options()).unwrap());
}

#[test]
fn what_cannot_be_streamed_says_why_and_where() {
    let root = golden("v30_video");
    let whole = Server::moody(&root, |_, _| Fault::Whole);
    let far = Dataset::stream(&whole.url, &options()).unwrap();
    let error = far.item(0).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("whole file") && error.contains(&format!("{}/data/", whole.url)),
        "{error}"
    );
    let frame = far.image("observation.images.top", 0).unwrap_err().to_string();
    assert_eq!(error, frame, "the rows come first");

    let none = Server::of(&root.join("videos"));
    let error = Dataset::stream(&none.url, &options()).map(drop).unwrap_err();
    assert!(matches!(&error, Error::NoDataset { path } if path == Path::new(&none.url)), "{error}");

    let copy = crate::verify::tests::Copy::of("v30_video");
    std::fs::remove_file(copy.path(FILM_TOP)).unwrap();
    let server = Server::of(copy.0.path());
    let far = Dataset::stream(&server.url, &options()).unwrap();
    let error = far.item(0).map(drop).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("there is no such file on the server (404): {}/{FILM_TOP}", server.url)
    );

    copy.info(|info| info["total_episodes"] = 1000.into());
    let error = Dataset::stream(&server.url, &options()).map(drop).unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("file-001.parquet"), "{error}");
    std::fs::write(copy.path("meta/info.json"), "{").unwrap();
    let error = Dataset::stream(&server.url, &options()).map(drop).unwrap_err().to_string();
    assert!(error.ends_with(&format!("{}/meta/info.json", server.url)), "{error}");
}

#[test]
fn a_table_that_fills_the_memory_is_refused() {
    for (name, is_long) in [
        ("v30_video", (|_, name| long(name, "meta/episodes/")) as Mood),
        ("v30_video", |_, name| long(name, "meta/tasks")),
        ("v21_video", |_, name| long(name, "meta/episodes_stats.jsonl")),
    ] {
        let server = Server::moody(&golden(name), is_long);
        let error = Dataset::stream(&server.url, &options()).map(drop).unwrap_err().to_string();
        assert!(error.contains("more than 268435456 bytes"), "{error}");
        assert!(error.contains(&format!("{}/meta/", server.url)), "{error}");
    }
}

/// One byte more than a table may have.
fn long(name: &str, which: &str) -> Fault {
    if name.starts_with(which) { Fault::Long((256 << 20) + 1) } else { Fault::None }
}

const FILM_TOP: &str = "videos/observation.images.top/chunk-000/file-000.mp4";

#[test]
fn bytes_that_make_no_sense_are_an_error() {
    let copy = crate::verify::tests::Copy::of("v30_image");
    let good = std::fs::read(copy.path(DATA)).unwrap();
    let server = Server::of(copy.0.path());
    let look = |bytes: &[u8]| {
        std::fs::write(copy.path(DATA), bytes).unwrap();
        let far = Dataset::stream(&server.url, &options()).unwrap();
        far.item(0).map(drop).unwrap_err().to_string()
    };
    let end = good.len() - 8;
    let with_length = |length: u32| {
        let mut bytes = good.clone();
        bytes[end..end + 4].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    for bytes in
        [&good[..5], &good[..end], &with_length(u32::MAX)[..], &with_length(good.len() as u32)]
    {
        let error = look(bytes);
        assert!(error.contains("not a whole Parquet file"), "{error}");
    }
    // The footer is whole, and what it speaks of is gone.
    let error = look(&good[end - 4000..]);
    assert!(error.contains(&server.url), "{error}");
}
