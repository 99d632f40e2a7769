//! A dataset as a list of episodes of frames, and a naive writer of datasets to begin with.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use fastrand::Rng;

use crate::image::{Image, PixelFormat, png};
use crate::reader::{Dataset, Series};
use crate::schema::{Dtype, Feature, Info, Template};
use crate::stats::{self, AllStats};
use crate::tables::column::Cells;
use crate::tables::episodes::{Episode, FileAt, VideoPart};
use crate::tables::{data, episodes, tasks};
use crate::video::{VideoWriter, concat};
use crate::{Value, durable, reader};

/// One frame: the values that its maker declared, its task, the images it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFrame {
    pub values: BTreeMap<String, Value>,
    pub task: String,
    pub images: BTreeMap<String, u64>,
}

/// A dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Model(pub Vec<Vec<ModelFrame>>);

/// What the new dataset gives anew.
const NUMBERED: [&str; 3] = ["episode_index", "index", "task_index"];

pub fn hash(image: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.to_rgb().pixels().hash(&mut hasher);
    hasher.finish()
}

impl Model {
    /// Reads a dataset frame by frame; every number in it must be the one that its place gives.
    pub fn read(root: &Path) -> Self {
        let dataset = Dataset::open(root).unwrap();
        let mut next = 0;
        let episodes = dataset.episodes().iter().enumerate().map(|(at, episode)| {
            assert_eq!((episode.index, episode.from_index), (at as u64, next));
            next = episode.to_index();
            let frames = (0..episode.length).map(|n| {
                let item = dataset.item(episode.from_index + n).unwrap();
                let int = |name: &str| dataset.values(name, item.index, 1).unwrap().int().unwrap();
                let numbers = ["frame_index", "episode_index", "index"].map(int);
                assert_eq!(numbers, [n as i64, at as i64, item.index as i64]);
                assert!(episode.tasks.contains(&item.task), "{:?}", episode.tasks);
                let (mut values, mut images) = (BTreeMap::new(), BTreeMap::new());
                for (name, series) in item.features {
                    match series {
                        Series::Images(all) => drop(images.insert(name, hash(&all[0]))),
                        Series::Values(_) if NUMBERED.contains(&name.as_str()) => {}
                        Series::Values(value) => drop(values.insert(name, value)),
                    }
                }
                ModelFrame { values, task: item.task, images }
            });
            frames.collect()
        });
        Self(episodes.collect())
    }
}

/// The statistics in the tables must be those that come out of the rows and images.
pub fn check_stats(root: &Path) {
    let dataset = Dataset::open_with_stats(root).unwrap();
    let info = dataset.info();
    for episode in dataset.episodes() {
        let expected = info.features.iter().filter(|(_, f)| f.dtype != Dtype::Text).count();
        assert_eq!(episode.stats.len(), expected);
        for (name, stats) in &episode.stats {
            let anew = stats::of_episode(&dataset, episode, name).unwrap().unwrap();
            if info.feature(name).unwrap().dtype == Dtype::Video {
                // They are of the images before they were coded.
                assert_eq!(stats.count, anew.count);
                let close = |(a, b): (&f64, &f64)| (a - b).abs() < 0.1;
                assert!(stats.mean.iter().zip(&anew.mean).all(close), "{name}");
            } else {
                assert_eq!(stats, &anew, "{name}");
            }
        }
    }
    let parts: Vec<&AllStats> = dataset.episodes().iter().map(|episode| &episode.stats).collect();
    assert_eq!(&stats::aggregate(&parts), dataset.stats());
}

/// Every file below a folder with a hash of its bytes.
pub fn fingerprint(root: &Path) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mut hasher = DefaultHasher::new();
                std::fs::read(&path).unwrap().hash(&mut hasher);
                all.insert(path.to_str().unwrap().to_owned(), hasher.finish());
            }
        }
    }
    all
}

const SIDE: (u32, u32) = (32, 16);
const FPS: u32 = 10;

fn picture(level: u8, rng: &mut Rng) -> Image {
    let (x, y) = (rng.u32(0..24), rng.u32(0..8));
    let inside = |n: u32| (x..x + 8).contains(&(n % 32)) && (y..y + 8).contains(&(n / 32));
    let pixels = (0..SIDE.0 * SIDE.1).flat_map(|n| match inside(n) {
        true => [level, 30, 220],
        false => [90, level, 60],
    });
    Image::new(SIDE.0, SIDE.1, PixelFormat::Rgb8, pixels.collect::<Vec<u8>>()).unwrap()
}

/// The features that all datasets made here have.
pub fn features() -> Vec<(String, Feature)> {
    let camera = |dtype| Feature::camera(dtype, SIDE.0, SIDE.1);
    let named = |name: &str, feature| (name.to_owned(), feature);
    vec![
        named("action", Feature::vector(Dtype::F32, ["a", "b", "c"])),
        named("note", Feature::scalar(Dtype::Text)),
        named("success", Feature::scalar(Dtype::Bool)),
        named("reward", Feature::scalar(Dtype::F64)),
        named("front", camera(Dtype::Video)),
        named("side", camera(Dtype::Video)),
        named("wrist", camera(Dtype::Image)),
    ]
}

fn column(name: &str, feature: &Feature, episode: &Episode, rng: &mut Rng) -> Cells {
    let count = episode.length;
    let each = |value: &mut dyn FnMut(u64) -> Vec<u8>| {
        Cells::Numbers((0..count).flat_map(value).collect())
    };
    match (name, feature.dtype) {
        ("timestamp", _) => each(&mut |n| (n as f32 / FPS as f32).to_le_bytes().to_vec()),
        ("frame_index", _) => each(&mut |n| n.to_le_bytes().to_vec()),
        ("episode_index", _) => each(&mut |_| episode.index.to_le_bytes().to_vec()),
        ("index", _) => each(&mut |n| (episode.from_index + n).to_le_bytes().to_vec()),
        (_, Dtype::Text) => Cells::Texts((0..count).map(|n| format!("note {n}")).collect()),
        (_, Dtype::Bool) => each(&mut |_| vec![u8::from(rng.bool())]),
        (_, Dtype::F64) => each(&mut |_| rng.f64().to_le_bytes().to_vec()),
        (_, Dtype::Image) => {
            let file = |_| png::encode(&picture(rng.u8(40..200), rng)).unwrap().into();
            Cells::Images((0..count).map(file).collect())
        }
        _ => each(&mut |_| (0..3).flat_map(|_| rng.f32().to_le_bytes()).collect()),
    }
}

/// How the episodes of one video file are coded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Coded {
    /// Each by itself, and then joined, as they are recorded.
    Apart,
    /// In one go, as LeRobot makes videos of images: not every episode begins with a keyframe.
    Together,
}

/// Writes a dataset of random episodes; some share files, some have one of their own.
pub fn make(root: &Path, words: &[&str], coded: Coded, rng: &mut Rng) {
    let mut info = Info::new(FPS, Some("model".into()), features()).unwrap();
    info.extra.insert("license".into(), "ours".into());
    let count = rng.u64(1..5);
    let mut all: Vec<(Episode, data::Rows)> = Vec::new();
    let mut at = FileAt::default();
    for index in 0..count {
        let mut episode = Episode {
            index,
            tasks: Vec::new(),
            length: rng.u64(2..7),
            data: at,
            from_index: all.last().map_or(0, |(last, _)| last.to_index()),
            videos: Vec::new(),
            stats: AllStats::new(),
            meta: FileAt::default(),
        };
        let mut used: Vec<i64> = Vec::new();
        let several = rng.bool();
        for _ in 0..episode.length {
            let again = used.last().copied().filter(|_| !several);
            used.push(again.unwrap_or_else(|| rng.usize(0..words.len()) as i64));
        }
        let columns = info.columns().map(|(name, feature)| match name {
            "task_index" => Cells::Numbers(used.iter().flat_map(|n| n.to_le_bytes()).collect()),
            _ => column(name, feature, &episode, rng),
        });
        let rows: data::Rows = columns.collect();
        let mut texts: Vec<usize> = used.iter().map(|n| *n as usize).collect();
        texts.sort_unstable();
        texts.dedup();
        episode.tasks = texts.iter().map(|n| words[*n].to_owned()).collect();
        all.push((episode, rows));
        if rng.bool() {
            at = at.next(1000);
        }
    }
    films(root, &info, &mut all, coded, rng);
    let groups: std::collections::BTreeSet<FileAt> = all.iter().map(|(e, _)| e.data).collect();
    for at in groups {
        let rows: Vec<_> =
            all.iter().filter(|(e, _)| e.data == at).map(|(_, r)| r.clone()).collect();
        data::write(&reader::data_file(root, &info, at), &info, &rows).unwrap();
    }
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    tasks::write(&root.join(tasks::PATH), &words).unwrap();
    info.total_episodes = count;
    info.total_tasks = words.len() as u64;
    info.total_frames = all.last().unwrap().0.to_index();
    let mut table: Vec<Episode> = all.into_iter().map(|(episode, _)| episode).collect();
    let place = reader::place(&info, FileAt::default(), "");
    let path = root.join(Template::episodes().path(&place));
    let save = |table: &[Episode]| {
        episodes::write(&path, table).unwrap();
        let parts: Vec<&AllStats> = table.iter().map(|episode| &episode.stats).collect();
        let text = stats::to_text(&stats::aggregate(&parts));
        durable::write_text(&root.join("meta/stats.json"), &text).unwrap();
        durable::write_text(&root.join("meta/info.json"), &info.to_text()).unwrap();
    };
    save(&table);
    let dataset = Dataset::open(root).unwrap();
    for episode in &mut table {
        let of = |name: &str| stats::of_episode(&dataset, episode, name).unwrap();
        let all = info.names().filter_map(|name| Some((name.to_owned(), of(name)?)));
        episode.stats = all.collect();
    }
    save(&table);
}

/// The videos: one per file of rows and camera.
fn films(root: &Path, info: &Info, all: &mut [(Episode, data::Rows)], coded: Coded, rng: &mut Rng) {
    let scratch = tempfile::tempdir().unwrap();
    for (camera, _) in info.videos() {
        for group in all.chunk_by_mut(|(a, _), (b, _)| a.data == b.data) {
            let at = group[0].0.data;
            let out = reader::video_file(root, info, camera, at);
            std::fs::create_dir_all(out.parent().unwrap()).unwrap();
            let mut write = |path: &Path, frames: u64| {
                let mut video = VideoWriter::create(path, SIDE.0, SIDE.1, FPS).unwrap();
                // Of images that are too different the encoder makes keyframes.
                let level = rng.u8(40..200);
                (0..frames).for_each(|_| video.push(&picture(level, rng)).unwrap());
                video.finish().unwrap();
            };
            let lengths: Vec<u64> = group.iter().map(|(episode, _)| episode.length).collect();
            let ranges = match coded {
                Coded::Apart => {
                    let paths: Vec<_> =
                        (0..lengths.len()).map(|n| scratch.path().join(n.to_string())).collect();
                    paths.iter().zip(&lengths).for_each(|(path, length)| write(path, *length));
                    concat(&paths, &out).unwrap()
                }
                Coded::Together => {
                    write(&out, lengths.iter().sum());
                    let mut end = 0;
                    let seconds = |frames: u64| frames as f64 / f64::from(FPS);
                    let range = |length: &u64| {
                        let from = end;
                        end += length;
                        (seconds(from), seconds(end))
                    };
                    lengths.iter().map(range).collect()
                }
            };
            for ((episode, _), (from_s, to_s)) in group.iter_mut().zip(ranges) {
                episode.videos.push(VideoPart { key: camera.to_owned(), at, from_s, to_s });
            }
        }
    }
}
