//! A dataset that is read: opened by its tables alone, frames unpacked when they are asked for.

mod decoders;
mod spill;
mod store;
pub(crate) mod v21;
pub(crate) mod v30;
mod view;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use store::DataFile;
pub use view::{Deltas, Item, Series, View};

use crate::depth;
use crate::frame::Value;
use crate::image::{self, Image};
use crate::remote::{self, Remote};
use crate::schema::{Dtype, Feature, Info, Place, Template, Version};
use crate::source::Source;
use crate::stats::AllStats;
use crate::tables::column::Cells;
use crate::tables::data::Rows;
use crate::tables::episodes::{Episode, FileAt};
use crate::{Error, Result};
use decoders::Decoders;
use store::Store;

/// How far a decoded frame may lie from the time that the table says, in seconds.
pub const TOLERANCE_S: f64 = 1e-4;

/// Everything that is read when a dataset is opened.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The tasks in the order of their indices.
    pub tasks: Vec<String>,
    /// The episodes in order.
    pub episodes: Vec<Episode>,
    /// The statistics of the whole dataset.
    pub stats: AllStats,
}

/// A dataset that is read.
pub struct Dataset {
    root: PathBuf,
    info: Info,
    tables: Tables,
    source: Source,
    store: Store,
    decoders: Decoders,
    /// Videos that are read from elsewhere, by camera and place.
    instead: HashMap<(String, FileAt), PathBuf>,
}

impl Dataset {
    /// Opens a dataset where it is, of any version from v2.0.
    pub fn open(root: &Path) -> Result<Self> {
        Self::load(root, false)
    }

    /// Opens a dataset with the statistics of each episode, which few need and which are large.
    pub fn open_with_stats(root: &Path) -> Result<Self> {
        Self::load(root, true)
    }

    /// Opens a dataset on a server, at a base such as
    /// `https://huggingface.co/datasets/me/pick/resolve/main`. Only its tables are fetched now, and
    /// of its frames only what is looked at.
    pub fn stream(base: &str, options: &remote::Options) -> Result<Self> {
        let remote = Remote::new(base, options)?;
        let root = remote.root().to_owned();
        let folder = tempfile::tempdir()
            .map_err(Error::io("cannot make a temporary folder", &std::env::temp_dir()))?;
        let load = || {
            remote::fetch(&remote, folder.path())?;
            let info = Info::load(folder.path())?;
            let tables = Tables::load(folder.path(), &info, false)?;
            Ok((info, tables))
        };
        let (info, tables) = load().map_err(|error: Error| error.moved(folder.path(), &root))?;
        let files = data_files(&root, &info, &tables.episodes);
        let source = Source::Remote(Arc::new(remote));
        let store = Store::new(&info, files, source.clone(), options.disk);
        let (decoders, instead) = (Decoders::default(), HashMap::new());
        Ok(Self { root, info, tables, source, store, decoders, instead })
    }

    fn load(root: &Path, stats: bool) -> Result<Self> {
        let info = Info::load(root)?;
        let tables = Tables::load(root, &info, stats)?;
        let files = data_files(root, &info, &tables.episodes);
        let store = Store::new(&info, files, Source::Disk, u64::MAX);
        let (root, decoders) = (root.to_owned(), Decoders::default());
        let (source, instead) = (Source::Disk, HashMap::new());
        Ok(Self { root, info, tables, source, store, decoders, instead })
    }

    /// A damaged dataset as somebody found it: the episodes in the order of their frames, the data
    /// files with the frames they begin at, and videos that are read from elsewhere.
    pub(crate) fn found(
        root: &Path,
        info: Info,
        tables: Tables,
        files: Vec<DataFile>,
        instead: HashMap<(String, FileAt), PathBuf>,
    ) -> Self {
        let store = Store::lenient(&info, files);
        let (root, decoders) = (root.to_owned(), Decoders::default());
        Self { root, info, tables, source: Source::Disk, store, decoders, instead }
    }

    /// Forgets the statistics that were stored.
    pub(crate) fn forget_stats(&mut self) {
        self.tables.stats.clear();
        self.tables.episodes.iter_mut().for_each(|episode| episode.stats.clear());
    }

    /// The folder, or the address of one that is streamed.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What info.json says.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The tasks in the order of their indices.
    pub fn tasks(&self) -> &[String] {
        &self.tables.tasks
    }

    /// The episodes in order.
    pub fn episodes(&self) -> &[Episode] {
        &self.tables.episodes
    }

    /// The statistics of the whole dataset.
    pub fn stats(&self) -> &AllStats {
        &self.tables.stats
    }

    /// How many frames there are.
    pub fn len(&self) -> u64 {
        self.tables.episodes.last().map_or(0, Episode::to_index)
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The episode of this number.
    pub fn episode(&self, index: u64) -> Result<&Episode> {
        let count = self.tables.episodes.len() as u64;
        let found = usize::try_from(index).ok().and_then(|at| self.tables.episodes.get(at));
        found.ok_or(Error::OutOfRange { what: "episode", index, count })
    }

    /// The episode that a frame belongs to.
    pub fn episode_of(&self, frame: u64) -> Result<&Episode> {
        let after = self.tables.episodes.partition_point(|episode| episode.from_index <= frame);
        let found = after.checked_sub(1).and_then(|at| self.tables.episodes.get(at));
        let found = found.filter(|episode| frame < episode.to_index());
        found.ok_or(Error::OutOfRange { what: "frame", index: frame, count: self.len() })
    }

    /// The feature of this name and its place among the columns.
    fn column(&self, name: &str) -> Result<(usize, &Feature)> {
        let found = self.info.columns().enumerate().find(|(_, (known, _))| *known == name);
        found.map(|(at, (_, feature))| (at, feature)).ok_or_else(|| Error::Feature {
            feature: name.to_owned(),
            what: "there is no such column".into(),
        })
    }

    /// The values of a column over `count` frames from `first`, one after the other. Of texts only
    /// the first one's.
    pub fn values(&self, name: &str, first: u64, count: u64) -> Result<Value> {
        let (at, feature) = self.column(name)?;
        match feature.dtype {
            Dtype::Text => {
                Ok(Value::Text(String::from_utf8_lossy(&self.store.blob(at, first)?).into_owned()))
            }
            Dtype::Image | Dtype::Video => Err(Error::Feature {
                feature: name.to_owned(),
                what: "holds images, not values".into(),
            }),
            dtype => Ok(Value::read(dtype, &self.store.numbers(at, first, count)?)),
        }
    }

    /// A column over `count` frames from `first` as it is kept.
    pub fn cells(&self, name: &str, first: u64, count: u64) -> Result<Cells> {
        let (at, feature) = self.column(name)?;
        let blobs = || (first..first + count).map(|frame| self.store.blob(at, frame));
        Ok(match feature.dtype {
            Dtype::Text => {
                let texts = blobs().map(|text| Ok(String::from_utf8_lossy(&text?).into_owned()));
                Cells::Texts(texts.collect::<Result<_>>()?)
            }
            Dtype::Image | Dtype::Video => {
                Cells::Images(blobs().map(|image| image.map(Into::into)).collect::<Result<_>>()?)
            }
            _ => Cells::Numbers(self.store.numbers(at, first, count)?),
        })
    }

    /// The rows of an episode in the columns that `info` declares, straight from their file: for
    /// whoever goes through all of them once.
    pub fn rows(&self, episode: &Episode, info: &Info) -> Result<Rows> {
        self.store.straight(info, episode.from_index, episode.length)
    }

    /// The bytes of a column of numbers in the frames `picks`, which lie within `first..first + count`.
    fn picked(&self, name: &str, picks: &[u64]) -> Result<Value> {
        let (at, feature) = self.column(name)?;
        let Some(bytes) = feature.dtype.bytes().map(|bytes| bytes * feature.width()) else {
            return self.values(name, picks.first().copied().unwrap_or(0), 1);
        };
        let (first, last) = (picks.iter().min(), picks.iter().max());
        let (Some(&first), Some(&last)) = (first, last) else {
            return Ok(Value::read(feature.dtype, &[]));
        };
        let run = self.store.numbers(at, first, last - first + 1)?;
        let place = |pick: &u64| (pick - first) as usize * bytes;
        let cells: Vec<u8> =
            picks.iter().flat_map(|pick| &run[place(pick)..place(pick) + bytes]).copied().collect();
        Ok(Value::read(feature.dtype, &cells))
    }

    /// The image of one camera in one frame.
    pub fn image(&self, camera: &str, frame: u64) -> Result<Image> {
        let episode = self.episode_of(frame)?;
        let feature = self.info.feature(camera).filter(|feature| feature.is_camera());
        let feature = feature.ok_or_else(|| Error::Feature {
            feature: camera.to_owned(),
            what: "there is no such camera".into(),
        })?;
        if feature.dtype == Dtype::Image {
            let (at, _) = self.column(camera)?;
            let file = self.store.blob(at, frame)?;
            return image::decode(&file).map_err(|what| Error::Frame {
                frame,
                feature: camera.to_owned(),
                what,
            });
        }
        let part = episode.videos.iter().find(|part| part.key == camera);
        let part = part.ok_or_else(|| Error::Feature {
            feature: camera.to_owned(),
            what: format!("episode {} has no video of it", episode.index),
        })?;
        let timestamp =
            self.values("timestamp", frame, 1)?.numbers().first().copied().unwrap_or(0.0);
        let path = self.video_file(camera, part.at);
        let time_s = part.from_s + timestamp;
        let frame = self.decoders.frame(&self.source, &path, time_s, TOLERANCE_S)?;
        depth::seen(camera, feature, frame)
    }

    /// The video file of a camera.
    pub fn video_file(&self, camera: &str, at: FileAt) -> PathBuf {
        let instead = self.instead.get(&(camera.to_owned(), at)).cloned();
        instead.unwrap_or_else(|| video_file(&self.root, &self.info, camera, at))
    }

    /// All that one frame holds, by itself.
    pub fn item(&self, frame: u64) -> Result<Item> {
        View::new(self, Deltas::default(), None)?.item_at(frame)
    }
}

impl Tables {
    /// Reads them; `stats` tells whether those of each episode are wanted.
    pub(crate) fn load(root: &Path, info: &Info, stats: bool) -> Result<Self> {
        match info.version {
            Version::V30 => v30::load(root, info, stats),
            Version::V20 | Version::V21 => v21::load(root, info),
        }
    }
}

/// The data files and the number of the first frame in each.
fn data_files(root: &Path, info: &Info, episodes: &[Episode]) -> Vec<DataFile> {
    match info.version {
        Version::V30 => v30::data_files(root, info, episodes),
        Version::V20 | Version::V21 => v21::data_files(root, info, episodes),
    }
}

/// Where a dataset of this declaration keeps a data file.
pub(crate) fn data_file(root: &Path, info: &Info, at: FileAt) -> PathBuf {
    root.join(info.data_path.path(&place(info, at, "")))
}

/// Where a dataset of this declaration keeps a video file.
pub(crate) fn video_file(root: &Path, info: &Info, key: &str, at: FileAt) -> PathBuf {
    let video = info.video_path.clone().unwrap_or_else(Template::video);
    root.join(video.path(&place(info, at, key)))
}

/// What a template is filled with; in the older layouts, files are counted by episodes.
pub(crate) fn place<'a>(info: &Info, at: FileAt, key: &'a str) -> Place<'a> {
    match info.version {
        Version::V30 => Place { chunk: at.chunk, file: at.file, episode: 0, key },
        Version::V20 | Version::V21 => Place { chunk: at.chunk, file: 0, episode: at.file, key },
    }
}
