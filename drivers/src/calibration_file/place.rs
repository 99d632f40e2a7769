//! Where LeRobot keeps calibration files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Which of LeRobot's two folders a device belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What moves by itself: a follower.
    Robot,
    /// What is moved by hand: a leader.
    Teleoperator,
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Self::Robot => "robots",
            Self::Teleoperator => "teleoperators",
        }
    }
}

/// The file of the device `id` of the type `name`. A device without an id is called `None`, as
/// LeRobot calls it.
pub fn path_of(kind: Kind, name: &str, id: Option<&str>) -> PathBuf {
    path_under(&root(|key| std::env::var_os(key)), kind, name, id)
}

/// The first file there is for the device `id` under any of these type names. LeRobot has renamed
/// types (`so101_follower` became `so_follower`), and users' files stayed where they were.
pub fn find<N: AsRef<str>>(kind: Kind, names: &[N], id: Option<&str>) -> Option<PathBuf> {
    let root = root(|key| std::env::var_os(key));
    find_under(&root, kind, names, id)
}

pub(super) fn find_under<N: AsRef<str>>(
    root: &Path,
    kind: Kind,
    names: &[N],
    id: Option<&str>,
) -> Option<PathBuf> {
    let mut paths = names.iter().map(|name| path_under(root, kind, name.as_ref(), id));
    paths.find(|path| path.is_file())
}

pub(super) fn path_under(root: &Path, kind: Kind, name: &str, id: Option<&str>) -> PathBuf {
    root.join(kind.folder()).join(name).join(format!("{}.json", id.unwrap_or("None")))
}

/// LeRobot's folder for all it keeps on this machine, datasets among it: the first of LeRobot's and
/// the Hub's variables that is set.
pub fn lerobot_home() -> PathBuf {
    home(|key| std::env::var_os(key))
}

/// The folder above all calibration files.
pub(super) fn root(var: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    set(&var, "HF_LEROBOT_CALIBRATION").unwrap_or_else(|| home(var).join("calibration"))
}

fn home(var: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    set(&var, "HF_LEROBOT_HOME").unwrap_or_else(|| {
        let hub = set(&var, "HF_HOME").unwrap_or_else(|| {
            let cache = set(&var, "XDG_CACHE_HOME").unwrap_or_else(|| own(&var).join(".cache"));
            cache.join("huggingface")
        });
        hub.join("lerobot")
    })
}

fn own(var: &impl Fn(&str) -> Option<OsString>) -> PathBuf {
    var("HOME").map(PathBuf::from).unwrap_or_default()
}

fn set(var: &impl Fn(&str) -> Option<OsString>, key: &str) -> Option<PathBuf> {
    var(key).map(|value| expand(Path::new(&value), &own(var)))
}

fn expand(path: &Path, home: &Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => home.join(rest),
        Err(_elsewhere) => path.to_owned(),
    }
}
