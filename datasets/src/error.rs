//! Everything that can go wrong with a dataset, with the facts in fields.

use std::path::{Path, PathBuf};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: which file, where in it, and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something about a file.
    #[error("{what}: {source}: {}", path.display())]
    Io {
        /// What was tried, as in "cannot write".
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// There is no dataset in this folder.
    #[error("no dataset here: there is no meta/info.json in {}", path.display())]
    NoDataset {
        /// The folder.
        path: PathBuf,
    },
    /// There is a dataset in the folder where a new one was to begin.
    #[error("there already is a dataset in {}", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Another process is recording into this dataset.
    #[error("process {pid} is recording into {}", path.display())]
    Busy {
        /// Who holds it.
        pid: u32,
        /// The folder.
        path: PathBuf,
    },
    /// A file does not say what it should.
    #[error("{what} ({place}): {}", path.display())]
    Malformed {
        /// What is wrong.
        what: String,
        /// Where in the file: a key, a column and row, a box.
        place: String,
        /// The file.
        path: PathBuf,
    },
    /// The dataset is of a version that cannot be read.
    #[error("version {version} cannot be read, only v2.0, v2.1 and v3.0: {}", path.display())]
    Version {
        /// What info.json says.
        version: String,
        /// The file.
        path: PathBuf,
    },
    /// A feature is declared in a way that cannot work.
    #[error("feature {feature}: {what}")]
    Feature {
        /// Its name.
        feature: String,
        /// What is wrong with it.
        what: String,
    },
    /// A frame does not fit the declared features.
    #[error("frame {frame}, feature {feature}: {what}")]
    Frame {
        /// Which frame of the episode.
        frame: u64,
        /// The feature.
        feature: String,
        /// What does not fit.
        what: String,
    },
    /// Something asked for is not in the dataset.
    #[error("{what} {index} is not there: the dataset has {count}")]
    OutOfRange {
        /// Frame, episode, task …
        what: &'static str,
        /// The one asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// No decoded frame lies close enough to the time asked for.
    #[error(
        "no frame within {tolerance_s} s of {wanted_s:.6} s, the nearest is at {nearest_s:.6} s: {}",
        path.display()
    )]
    NoFrameAt {
        /// The time asked for.
        wanted_s: f64,
        /// The nearest frame's.
        nearest_s: f64,
        /// How far it may be.
        tolerance_s: f64,
        /// The video.
        path: PathBuf,
    },
    /// A video is coded in a way that nothing here can decode.
    #[cfg_attr(
        not(feature = "ffmpeg"),
        error("{codec} video needs the feature ffmpeg, which this build lacks: {}", path.display())
    )]
    #[cfg_attr(
        feature = "ffmpeg",
        error("{codec} video can be decoded by nothing here, FFmpeg included: {}", path.display())
    )]
    Codec {
        /// The codec.
        codec: String,
        /// The video.
        path: PathBuf,
    },
    /// The encoder or decoder failed.
    #[error("{what}: {}", path.display())]
    Video {
        /// What failed, in the codec's words.
        what: String,
        /// The video.
        path: PathBuf,
    },
    /// A server did not give what was asked of it.
    #[error(transparent)]
    Server(#[from] sinew_hub::Error),
    /// What was asked for makes no sense for this dataset.
    #[error("{what}")]
    Refused {
        /// Why.
        what: String,
    },
}

impl Error {
    /// Says what was tried on which file when the system refused.
    pub fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| match source.downcast() {
            Ok(server) => Self::Server(server),
            Err(source) => Self::Io { what, source, path: path.to_owned() },
        }
    }

    /// The same once more, for somebody else who has to know.
    pub fn again(&self) -> Self {
        match self {
            Self::Io { what, source, path } => {
                let source = match source.raw_os_error() {
                    Some(code) => std::io::Error::from_raw_os_error(code),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                };
                Self::Io { what, source, path: path.clone() }
            }
            other => Self::Refused { what: other.to_string() },
        }
    }

    /// The same of what lies below another folder, where that is what people know it by.
    pub(crate) fn moved(mut self, from: &Path, to: &Path) -> Self {
        if let Self::Io { path, .. }
        | Self::NoDataset { path }
        | Self::Malformed { path, .. }
        | Self::Version { path, .. } = &mut self
            && let Ok(below) = path.strip_prefix(from)
        {
            *path = to.join(below);
        }
        self
    }

    /// A file that does not say what it should.
    pub fn malformed(path: &Path, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into(), place: place.into(), path: path.to_owned() }
    }
}
