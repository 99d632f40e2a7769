//! What must hold for any bytes in the place of a dataset's files: an error or data that agree with
//! themselves, never a panic, and no more memory than the bytes are worth.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sinew_datasets::frame::{Frame, Stamps, Value};
use sinew_datasets::schema::{Dtype, Feature, Info};
use sinew_datasets::tables::{episodes, tasks, timing};
use sinew_datasets::verify::{self, Options, Severity};
use sinew_datasets::video::{self, ReadAt, VideoReader};
use sinew_datasets::{Dataset, Image, PixelFormat, Writer, edit};

/// A file of this process and thread for bytes that are read from a file.
pub(super) fn with_file(bytes: &[u8], look: impl FnOnce(&Path)) {
    let folder = scratch();
    let path = folder.join("file");
    fs::write(&path, bytes).expect("room for a file");
    look(&path);
    fs::remove_dir_all(folder).expect("the file goes");
}

fn scratch() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("sinew-fuzz-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("room for a folder");
    folder
}

/// Lets panics within the Parquet reader pass in long runs: it panics on some tables that make no
/// sense, and whoever calls it turns that into an error. Any other panic still ends the run, and so does
/// one of those that nobody catches.
#[allow(dead_code)] // only long runs need it
pub fn parquet_may_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map(std::panic::Location::file).unwrap_or_default();
            if !file.contains("/parquet-") {
                hook(panic);
            }
        }));
    });
}

/// info.json: what is understood is written and understood the same, and leads nowhere outside.
pub fn dataset_info(bytes: &[u8]) {
    let path = Path::new("info.json");
    let Ok(info) = Info::parse(bytes, path) else { return };
    let again = Info::parse(info.to_text().as_bytes(), path).expect("what was written is read");
    assert_eq!(again, info);
    let place = sinew_datasets::schema::Place { chunk: 3, file: 4, episode: 5, key: "key" };
    for template in std::iter::once(&info.data_path).chain(&info.video_path) {
        let path = template.path(&place);
        let inside = |part| matches!(part, std::path::Component::Normal(_));
        assert!(path.components().all(inside), "{path:?}");
    }
    for (name, feature) in &info.features {
        assert!(!name.contains('/') && feature.width() > 0, "{name}");
    }
}

/// The table of episodes.
pub fn dataset_episodes(bytes: &[u8]) {
    with_file(bytes, |path| {
        for (cameras, stats) in [(&["observation.images.top"][..], true), (&[], false)] {
            for episode in episodes::read(path, cameras, stats).unwrap_or_default() {
                assert!(episode.to_index() >= episode.from_index);
                assert_eq!(episode.videos.len(), cameras.len());
            }
        }
    });
}

/// The table of tasks.
pub fn dataset_tasks(bytes: &[u8]) {
    with_file(bytes, |path| drop(tasks::read(path)));
}

/// The table of measured instants.
pub fn dataset_timing(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(timing) = timing::read(path) else { return };
        assert!(timing.rows.is_sorted_by_key(|(index, _)| *index));
    });
}

/// The rows, in a dataset whose other files are sound: they are read, or they are a finding.
pub fn dataset_data(bytes: &[u8]) {
    within(small(), "data/chunk-000/file-000.parquet", bytes);
}

/// The tables of the older layout, chosen by the first byte.
pub fn dataset_lines(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let names = ["meta/tasks.jsonl", "meta/episodes.jsonl", "meta/episodes_stats.jsonl"];
    within(old(), names[usize::from(*choice) % names.len()], bytes);
}

/// Statistics of a whole dataset: what is understood is written and understood the same.
pub fn dataset_stats(bytes: &[u8]) {
    use sinew_datasets::stats;
    let Some(all) = stats::parse(bytes) else { return };
    let again = stats::parse(stats::to_text(&all).as_bytes()).expect("what was written is read");
    assert_eq!(again.len(), all.len());
}

/// Puts the bytes in the place of one file of a dataset, and looks at everything.
fn within(files: &[(String, Vec<u8>)], name: &str, bytes: &[u8]) {
    let folder = scratch();
    for (known, content) in files {
        let path = folder.join(known);
        fs::create_dir_all(path.parent().expect("a folder above")).expect("room for a folder");
        let content = if known == name { bytes } else { content };
        fs::write(path, content).expect("room for a file");
    }
    let options = Options { sample: Some(2), ..Options::default() };
    let report = verify::verify(&folder, &options, &mut |_| {});
    if let Ok(dataset) = Dataset::open_with_stats(&folder) {
        for frame in [0, dataset.len().saturating_sub(1), dataset.len()] {
            let item = dataset.item(frame);
            assert!(item.is_ok() || !report.ok || frame >= dataset.len(), "{:?}", item.err());
        }
    }
    if !report.ok {
        mended(&folder);
    }
    fs::remove_dir_all(folder).expect("the folder goes");
}

/// Whatever is broken: what a repair makes is sound.
fn mended(root: &Path) {
    let new = root.join("new");
    if edit::repair(root, Some(&new), &|_| {}).is_ok() {
        let report = verify::verify(&new, &Options::default(), &mut |_| {});
        let wrong = |finding: &verify::Finding| {
            finding.severity == Severity::Error && !finding.code.is_of_the_recording()
        };
        let wrong = report.findings.into_iter().find(wrong);
        assert!(wrong.is_none(), "{wrong:?}");
    }
}

/// The files of a small dataset in the newest layout.
fn small() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = scratch();
        let root = folder.join("set");
        record(&root);
        let files = ["meta/info.json", "meta/stats.json", "meta/tasks.parquet"];
        let rest = ["meta/episodes/chunk-000/file-000.parquet", "data/chunk-000/file-000.parquet"];
        let read = |name: &&str| {
            let content = fs::read(root.join(name)).expect("a file of the dataset");
            ((*name).to_owned(), content)
        };
        let files = files.iter().chain(&rest).map(read).collect();
        fs::remove_dir_all(folder).expect("the folder goes");
        files
    })
}

/// Records one short episode with a column of every kind.
pub fn record(root: &Path) {
    let mut writer = running(root);
    writer.save_episode().expect("a saved episode");
    writer.finish().expect("a finished dataset");
}

/// The same, not saved yet.
pub fn running(root: &Path) -> Writer {
    let features = vec![
        ("observation.state".to_owned(), Feature::vector(Dtype::F32, ["pan.pos", "lift.pos"])),
        ("count".to_owned(), Feature::scalar(Dtype::I64)),
        ("done".to_owned(), Feature::scalar(Dtype::Bool)),
        ("note".to_owned(), Feature::scalar(Dtype::Text)),
        ("observation.images.top".to_owned(), Feature::camera(Dtype::Image, 4, 4)),
    ];
    let info = Info::new(30, None, features).expect("features that work");
    let mut writer = Writer::create(root, info, Default::default()).expect("a new dataset");
    for number in 0..4_u8 {
        let pixels = vec![number * 40; 4 * 4 * 3];
        let frame = Frame {
            task: "wave".into(),
            values: vec![
                Value::F32(vec![f32::from(number), 1.0]),
                Value::Int(vec![i64::from(number)]),
                Value::Bool(vec![number == 3]),
                Value::Text("text".to_owned()),
            ],
            images: vec![Image::new(4, 4, PixelFormat::Rgb8, pixels)],
            stamps: Stamps::default(),
        };
        writer.push(&frame).expect("a frame that fits");
    }
    writer
}

/// The files of a small dataset in the older layout; its rows are not there, which is a finding.
fn old() -> &'static [(String, Vec<u8>)] {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let info = String::from_utf8(small()[0].1.clone()).expect("text");
        let info = info.replace("v3.0", "v2.1").replace("file-{file_index:03d}", "{episode_index}");
        let text = |(name, text): (&str, &str)| (name.to_owned(), text.as_bytes().to_vec());
        let rest = OLD_LINES.map(|(_, name, lines)| text((name, lines)));
        std::iter::once(text(("meta/info.json", &info))).chain(rest).collect()
    })
}

/// The tables of the older layout: name of the seed, file, text.
pub const OLD_LINES: [(&str, &str, &str); 3] = [
    ("tasks", "meta/tasks.jsonl", "{\"task_index\": 0, \"task\": \"wave\"}\n"),
    (
        "episodes",
        "meta/episodes.jsonl",
        "{\"episode_index\": 0, \"tasks\": [\"wave\"], \"length\": 4}\n",
    ),
    (
        "stats",
        "meta/episodes_stats.jsonl",
        "{\"episode_index\": 0, \"stats\": {\"count\": {\"min\": [0], \"max\": [3], \
         \"mean\": [1.5], \"std\": [1.1], \"count\": [4]}}}\n",
    ),
];

/// The journal of a recording that was cut off: every row has all that it should.
pub fn dataset_journal(bytes: &[u8]) {
    use sinew_datasets::writer::journal::{self, RowFormat};
    let Some(contents) = journal::parse(bytes, Path::new("journal")) else { return };
    let format = RowFormat::new(&contents.info);
    assert!(contents.rows.len() <= bytes.len() / 8);
    for row in &contents.rows {
        assert_eq!(row.instant.repeated.len(), format.cameras().len());
        assert_eq!(row.instant.stamps.images_ns.len(), format.cameras().len());
    }
    let columns = journal::columns(&format, &contents.rows);
    assert!(columns.iter().all(|(name, _)| contents.info.feature(name).is_some()));
}

/// The images of a recording that was cut off: whole files, one behind the other.
pub fn dataset_images(bytes: &[u8]) {
    let images = sinew_datasets::writer::parse_images(bytes.to_vec().into());
    let taken: usize = images.iter().map(|image| 8 + image.len()).sum();
    assert!(taken <= bytes.len() && images.iter().all(|image| !image.is_empty()));
    let mut at = 0;
    for image in &images {
        assert_eq!(&bytes[at + 8..at + 8 + image.len()], &image[..]);
        at += 8 + image.len();
    }
}

/// One picture of a dataset that keeps its pictures as files: PNG, or depth as TIFF.
pub fn dataset_picture(bytes: &[u8]) {
    let Ok(image) = sinew_datasets::image::decode(bytes) else { return };
    let size = image.width() as usize * image.height() as usize;
    assert_eq!(image.pixels().len(), image.format().len(image.width(), image.height()));
    assert!(size > 0 && size <= image.pixels().len());
}

/// The images that still waited for their encoder: one behind the other, from the one asked for on.
pub fn dataset_spool(bytes: &[u8]) {
    use sinew_datasets::writer::spool::Spooled;
    for first in [0, 3] {
        let mut pixels = 0;
        for (number, shot) in (first..).zip(Spooled::new(bytes, bytes.len() as u64, first)) {
            assert_eq!(shot.number, number);
            pixels += if shot.again { 0 } else { shot.image.pixels().len() };
        }
        assert!(pixels <= bytes.len());
    }
}

/// A video: its frames are decoded, or it is an error; what is whole of it makes a whole one.
pub fn dataset_video(bytes: &[u8]) {
    with_file(bytes, |path| {
        let copy = path.with_file_name("copy");
        let saved = video::salvage(path, &copy).ok().filter(|saved| saved.frames > 0);
        if let Some(saved) = saved {
            let frames = VideoReader::open(&copy).map(|video| video.info().frames).ok();
            assert_eq!(frames, Some(saved.frames));
        }
    });
    let source = Box::new(Memory(bytes.to_vec()));
    let Ok(mut video) = VideoReader::from_source(Path::new("video.mp4"), source) else { return };
    let frames = video.info().frames;
    assert!(frames <= bytes.len() as u64 && video.times().count() as u64 == frames);
    // Larger than a camera's would only be slow.
    if video.info().width > 256 || video.info().height > 256 {
        return;
    }
    for frame in [0, 1, frames / 2, frames.saturating_sub(1), frames] {
        if let Ok(image) = video.frame(frame) {
            assert!(frame < frames);
            assert_eq!(image.pixels().len(), image.format().len(image.width(), image.height()));
        }
    }
    drop(video.frame_at(0.5, 1e-4));
}

/// A file that is nowhere but in memory.
struct Memory(Vec<u8>);

impl ReadAt for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(from..).and_then(|rest| rest.get(..buffer.len()));
        let bytes = bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}
