//! Inputs for the parsers of a dataset's files: those of a small dataset that is recorded for it,
//! and videos that LeRobot and the recorder wrote.

use std::fs;
use std::path::Path;

use sinew_datasets::frame::Stamps;
use sinew_datasets::tables::timing::{self, Instant};
use sinew_datasets::video::VideoWriter;
use sinew_datasets::{Image, PixelFormat};

use super::checks::{OLD_LINES, record, running};
use super::seeds::Seed;

/// Every input.
pub fn all() -> Vec<Seed> {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("set");
    record(&root);
    drop(running(&folder.path().join("left")));
    let left = folder.path().join("left/.sinew/recording/episode-000000");
    let cameras = ["top".to_owned()];
    let instant = |n: i64| Instant {
        stamps: Stamps {
            tick_ns: n,
            joints_ns: n,
            images_ns: vec![n],
            late: false,
            ..Stamps::default()
        },
        repeated: vec![n == 2],
    };
    let instants: Vec<Instant> = (0..4).map(instant).collect();
    timing::write(&folder.path().join("timing"), 0, &cameras, &instants).expect("a table");
    video(&folder.path().join("h264"));
    spool(&folder.path().join("spool"));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/datasets");
    let lerobots = "videos/observation.images.top/chunk-000";
    let old = "videos/chunk-000/observation.images.top/episode_000000.mp4";
    let data = "data/chunk-000/file-000.parquet";
    let meta = "meta/episodes/chunk-000/file-000.parquet";
    let files = [
        ("dataset_info", "recorded", root.join("meta/info.json")),
        ("dataset_info", "lerobot", golden.join("v30_video/meta/info.json")),
        ("dataset_info", "old", golden.join("v21_video/meta/info.json")),
        ("dataset_stats", "recorded", root.join("meta/stats.json")),
        ("dataset_tasks", "recorded", root.join("meta/tasks.parquet")),
        ("dataset_tasks", "lerobot", golden.join("v30_video/meta/tasks.parquet")),
        ("dataset_episodes", "recorded", root.join(meta)),
        ("dataset_episodes", "lerobot", golden.join("v30_video").join(meta)),
        ("dataset_data", "recorded", root.join(data)),
        ("dataset_timing", "recorded", folder.path().join("timing")),
        ("dataset_journal", "recorded", left.join("journal")),
        ("dataset_images", "recorded", left.join("observation.images.top.images")),
        ("dataset_spool", "spooled", folder.path().join("spool")),
        ("dataset_video", "h264", folder.path().join("h264")),
        ("dataset_video", "av1", golden.join("v30_video").join(lerobots).join("file-000.mp4")),
        ("dataset_video", "old", golden.join("v21_video").join(old)),
    ];
    let read = |(target, name, path): (&'static str, &str, std::path::PathBuf)| {
        (target, name.to_owned(), fs::read(path).expect("a file of a dataset"))
    };
    let lines = (0_u8..).zip(OLD_LINES).map(|(choice, (name, _, text))| {
        let bytes = std::iter::once(choice).chain(text.bytes()).collect();
        ("dataset_lines", name.to_owned(), bytes)
    });
    files.map(read).into_iter().chain(lines).chain(pictures()).collect()
}

/// A picture of every kind: colour and depth as PNG, depth in millimetres and in metres as TIFF.
fn pictures() -> Vec<Seed> {
    let png = |format: PixelFormat| {
        let pixels = (0..format.len(4, 3)).map(|at| (at * 37 % 251) as u8).collect::<Vec<_>>();
        let image = Image::new(4, 3, format, pixels).expect("a picture");
        sinew_datasets::image::png::encode(&image).expect("a picture").to_vec()
    };
    let millimetres: Vec<u8> = (0_u16..12).flat_map(|at| (at * 500).to_le_bytes()).collect();
    let metres: Vec<u8> = (0..12).flat_map(|at| (at as f32 * 0.5).to_le_bytes()).collect();
    let named = [
        ("colour", png(PixelFormat::Rgb8)),
        ("depth", png(PixelFormat::Gray16)),
        ("millimetres", tiff(16, 1, &millimetres)),
        ("metres", tiff(32, 3, &metres)),
    ];
    for (name, bytes) in &named {
        sinew_datasets::image::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    named.map(|(name, bytes)| ("dataset_picture", name.to_owned(), bytes)).into()
}

/// A TIFF file of four by three values in one strip, with as few tags as there may be.
fn tiff(bits: u32, format: u32, values: &[u8]) -> Vec<u8> {
    let tags: [(u16, u32); 10] = [
        (256, 4),
        (257, 3),
        (258, bits),
        (259, 1),
        (262, 1),
        (273, 8 + 2 + 10 * 12 + 4),
        (277, 1),
        (278, 3),
        (279, values.len() as u32),
        (339, format),
    ];
    let mut file = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, value) in tags {
        // One 32-bit number each.
        file.extend(tag.to_le_bytes().into_iter().chain([4, 0, 1, 0, 0, 0]));
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(values);
    file
}

/// A short video of a square that moves.
fn video(path: &Path) {
    let mut writer = VideoWriter::create(path, 32, 16, 30).expect("a video");
    for n in 0..5_usize {
        let pixel = |at: usize| if at % 32 < 8 + n { 220 } else { 30 };
        let pixels: Vec<u8> = (0..32 * 16 * 3).map(|byte| pixel(byte / 3)).collect();
        let image = Image::new(32, 16, PixelFormat::Rgb8, pixels).expect("an image");
        writer.push(&image).expect("a frame");
    }
    writer.finish().expect("a whole video");
}

/// Images of every format that wait, one of them shown again, and one behind a gap.
fn spool(path: &Path) {
    use sinew_datasets::writer::spool::{Shot, Spool};
    let formats = [PixelFormat::Rgb8, PixelFormat::I420, PixelFormat::Gray16];
    let shots = [(2, 0, false), (3, 1, false), (4, 1, true), (7, 2, false)];
    let shots = shots.map(|(number, format, again)| {
        let format: PixelFormat = formats[format];
        let pixels = vec![number as u8; format.len(4, 4)];
        let image = Image::new(4, 4, format, pixels).expect("an image");
        Shot { number, image, again }
    });
    Spool::new(path, 1 << 20).append(&shots).expect("room for a file");
}
