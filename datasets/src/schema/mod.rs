//! What a dataset says of itself: `meta/info.json`, read with every key kept and written as LeRobot
//! writes it.

mod feature;
mod template;

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

pub use feature::{Dtype, Feature};
pub use template::{Place, Template};

use crate::{Error, Result};

/// Which layout a dataset has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A file per episode, tables as JSON lines, one set of statistics.
    V20,
    /// As v2.0, with statistics per episode.
    V21,
    /// Episodes share files, tables as Parquet.
    V30,
}

impl Version {
    /// As info.json writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V20 => "v2.0",
            Self::V21 => "v2.1",
            Self::V30 => "v3.0",
        }
    }
}

/// `meta/info.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// The layout.
    pub version: Version,
    /// Frames per second.
    pub fps: u32,
    /// Every feature by name, in their order.
    pub features: Vec<(String, Feature)>,
    /// How many episodes there are.
    pub total_episodes: u64,
    /// How many frames there are.
    pub total_frames: u64,
    /// How many tasks there are.
    pub total_tasks: u64,
    /// How many files or episodes share a chunk folder.
    pub chunks_size: u64,
    /// How large a data file may grow.
    pub data_files_size_in_mb: u64,
    /// How large a video file may grow.
    pub video_files_size_in_mb: u64,
    /// Where data lie.
    pub data_path: Template,
    /// Where videos lie; none in a dataset without video.
    pub video_path: Option<Template>,
    /// Which robot recorded it.
    pub robot_type: Option<String>,
    /// Every other key, kept as it was found.
    pub extra: Map<String, Value>,
}

/// What every dataset has behind the features that its maker declared.
pub const BUILT_IN: [(&str, Dtype); 5] = [
    ("timestamp", Dtype::F32),
    ("frame_index", Dtype::I64),
    ("episode_index", Dtype::I64),
    ("index", Dtype::I64),
    ("task_index", Dtype::I64),
];

/// The known keys of info.json, besides `features`, `splits` and the two that v3.0 added.
const KNOWN: [&str; 13] = [
    "codebase_version",
    "fps",
    "features",
    "total_episodes",
    "total_frames",
    "total_tasks",
    "chunks_size",
    "data_files_size_in_mb",
    "video_files_size_in_mb",
    "data_path",
    "video_path",
    "robot_type",
    "splits",
];

impl Info {
    /// A new and empty dataset of these features; the built-in ones are added behind them.
    pub fn new(
        fps: u32,
        robot_type: Option<String>,
        features: Vec<(String, Feature)>,
    ) -> Result<Self> {
        let has_video = features.iter().any(|(_, feature)| feature.dtype == Dtype::Video);
        for (name, feature) in &features {
            let refuse =
                |what: &str| Error::Feature { feature: name.clone(), what: what.to_owned() };
            if BUILT_IN.iter().any(|(built_in, _)| built_in == name) || name == "task" {
                return Err(refuse("the name is taken: every dataset has it"));
            }
            if name.is_empty() || name.contains(['/', '\\', '\0']) || name.starts_with('.') {
                return Err(refuse("a name may not be empty, begin with a dot or contain a slash"));
            }
            feature.check().map_err(|what| refuse(&what))?;
        }
        let built_in = BUILT_IN.map(|(name, dtype)| (name.to_owned(), Feature::scalar(dtype)));
        let info = Self {
            version: Version::V30,
            fps,
            features: features.into_iter().chain(built_in).collect(),
            total_episodes: 0,
            total_frames: 0,
            total_tasks: 0,
            chunks_size: 1000,
            data_files_size_in_mb: 100,
            video_files_size_in_mb: 200,
            data_path: Template::data(),
            video_path: has_video.then(Template::video),
            robot_type,
            extra: Map::new(),
        };
        let names: std::collections::BTreeSet<&str> = info.names().collect();
        if names.len() != info.features.len() {
            return Err(Error::Refused { what: "two features have the same name".into() });
        }
        if !(1..=1000).contains(&fps) {
            return Err(Error::Refused {
                what: format!("{fps} frames per second: 1 to 1000 is possible"),
            });
        }
        Ok(info)
    }

    /// The features' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(|(name, _)| name.as_str())
    }

    /// The feature of this name.
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|(known, _)| known == name).map(|(_, feature)| feature)
    }

    /// The features whose images are kept as video.
    pub fn videos(&self) -> impl Iterator<Item = (&str, &Feature)> {
        let all = self.features.iter().map(|(name, feature)| (name.as_str(), feature));
        all.filter(|(_, feature)| feature.dtype == Dtype::Video)
    }

    /// The features that have a column in the data tables.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Feature)> {
        let all = self.features.iter().map(|(name, feature)| (name.as_str(), feature));
        all.filter(|(_, feature)| feature.dtype != Dtype::Video)
    }

    /// Reads `meta/info.json` below a dataset's folder.
    pub fn load(root: &Path) -> Result<Self> {
        let path = root.join("meta/info.json");
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoDataset { path: root.to_owned() });
            }
            Err(source) => return Err(Error::io("cannot read", &path)(source)),
        };
        Self::parse(&text, &path)
    }

    /// Reads the text of an info.json; the path is for the errors.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let value: Value = serde_json::from_slice(text)
            .map_err(|error| Error::malformed(path, "the file", format!("not JSON: {error}")))?;
        let map =
            value.as_object().ok_or_else(|| Error::malformed(path, "the file", "not an object"))?;
        let wrong = |key: &str, what: String| Error::malformed(path, format!("key {key}"), what);
        let number = |key: &str, default: u64| match map.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value.as_u64().ok_or_else(|| wrong(key, "is not a whole number".into())),
        };
        let version = match map.get("codebase_version").and_then(Value::as_str) {
            Some("v2.0") => Version::V20,
            Some("v2.1") => Version::V21,
            Some("v3.0") => Version::V30,
            other => {
                let version = other.unwrap_or("(none)").to_owned();
                return Err(Error::Version { version, path: path.to_owned() });
            }
        };
        let fps = match map.get("fps").and_then(Value::as_f64) {
            Some(fps) if (1.0..=1000.0).contains(&fps) && fps.fract() == 0.0 => fps as u32,
            _ => return Err(wrong("fps", "is not a whole number from 1 to 1000".into())),
        };
        let template = |key: &str| match map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let text = value.as_str().ok_or_else(|| wrong(key, "is not a text".into()))?;
                Template::new(text).map(Some).map_err(|what| wrong(key, what))
            }
        };
        let features = map.get("features").and_then(Value::as_object);
        let features = features.ok_or_else(|| wrong("features", "is missing".into()))?;
        let parse = |(name, value): (&String, &Value)| match Feature::from_json(value) {
            Ok(_) if name.contains(['/', '\\', '\0']) || name.starts_with('.') => {
                Err(wrong(&format!("features.{name}"), "the name does not make a folder".into()))
            }
            Ok(feature) => Ok((name.clone(), feature)),
            Err(what) => Err(wrong(&format!("features.{name}"), what)),
        };
        // Before 3.0 each episode had files of its own, and no size meant anything.
        let size = |name: &str, usual: u64| match version {
            Version::V30 => number(name, usual).map(|size| size.max(1)),
            _ => Ok(usual),
        };
        let extra = map.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str()));
        Ok(Self {
            version,
            fps,
            features: features.iter().map(parse).collect::<Result<_>>()?,
            total_episodes: number("total_episodes", 0)?,
            total_frames: number("total_frames", 0)?,
            total_tasks: number("total_tasks", 0)?,
            chunks_size: number("chunks_size", 1000)?.max(1),
            data_files_size_in_mb: size("data_files_size_in_mb", 100)?,
            video_files_size_in_mb: size("video_files_size_in_mb", 200)?,
            data_path: template("data_path")?.unwrap_or_else(Template::data),
            video_path: template("video_path")?,
            robot_type: map.get("robot_type").and_then(Value::as_str).map(str::to_owned),
            extra: extra.map(|(key, value)| (key.clone(), value.clone())).collect(),
        })
    }

    /// The text of info.json as LeRobot writes it.
    pub fn to_text(&self) -> String {
        let mut map = Map::new();
        let features =
            self.features.iter().map(|(name, feature)| (name.clone(), feature.to_json()));
        map.insert("codebase_version".into(), self.version.name().into());
        map.insert("fps".into(), self.fps.into());
        map.insert("features".into(), Value::Object(features.collect()));
        map.insert("total_episodes".into(), self.total_episodes.into());
        map.insert("total_frames".into(), self.total_frames.into());
        map.insert("total_tasks".into(), self.total_tasks.into());
        map.insert("chunks_size".into(), self.chunks_size.into());
        if self.version == Version::V30 {
            map.insert("data_files_size_in_mb".into(), self.data_files_size_in_mb.into());
            map.insert("video_files_size_in_mb".into(), self.video_files_size_in_mb.into());
        }
        map.insert("data_path".into(), self.data_path.as_str().into());
        map.insert("video_path".into(), self.video_path.as_ref().map(Template::as_str).into());
        map.insert("robot_type".into(), self.robot_type.clone().into());
        let splits = match self.total_episodes {
            0 => Value::Object(Map::new()),
            episodes => serde_json::json!({ "train": format!("0:{episodes}") }),
        };
        map.insert("splits".into(), splits);
        map.extend(self.extra.clone());
        pretty(&Value::Object(map))
    }
}

/// A JSON value indented by four, as LeRobot's files are.
pub fn pretty(value: &Value) -> String {
    let mut out = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, format);
    // A value that is held in memory always serialises; an empty text would show in any test.
    if value.serialize(&mut serializer).is_err() {
        out.clear();
    }
    String::from_utf8(out).unwrap_or_default()
}
