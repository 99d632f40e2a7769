//! A robot's own file, `$XDG_CONFIG_HOME/sinew/robots/NAME.toml`: what `--robot NAME` means.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sinew_drivers::stop::{self, StopPolicy};
use sinew_drivers::{durable, port};

use crate::cli::failure::{Exit, Failure};

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotFile {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its port, or the left arm's.
    pub port: String,
    /// The right arm's port, for a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_port: Option<String>,
    /// Which one of its type.
    pub id: Option<String>,
    /// How it is left.
    #[serde(default)]
    pub stop: StopPolicy,
}

/// What became of a name when a robot was seen.
#[derive(Debug, PartialEq, Eq)]
pub enum Kept {
    /// It means this robot, as before.
    Same,
    /// It was free and means this robot from now on.
    New,
    /// It means this robot, which was on these ports before.
    Moved(Vec<String>),
    /// It means another robot, and still does.
    Other(RobotFile),
}

impl RobotFile {
    /// The file of the robot `name`.
    pub fn read(name: &str) -> Result<Self, Failure> {
        // The name becomes a file's and a socket's.
        stop::socket_path(name)?;
        let path = path_of(name);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::advise(
                Exit::Usage,
                format!("no robot is called {name} ({}: {error})", path.display()),
                "calibrate it under that name: sinew calibrate --robot.type=… --robot.port=… --robot.id=NAME",
            )
        })?;
        parse(&path, &text)
    }

    /// Makes `name` mean this robot, whatever it meant before.
    pub fn write(&self, name: &str) -> Result<(), Failure> {
        stop::socket_path(name)?;
        self.write_to(&path_of(name))
    }

    /// Makes `name` mean this robot if it meant nothing, and follows the robot to another port. A
    /// name that means another robot goes on to mean it.
    pub fn keep(&self, name: &str) -> Result<Kept, Failure> {
        stop::socket_path(name)?;
        self.keep_at(&path_of(name))
    }

    fn write_to(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error: toml::ser::Error| {
            Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
        };
        Ok(durable::write(path, &toml::to_string(self).map_err(failed)?)?)
    }

    fn keep_at(&self, path: &Path) -> Result<Kept, Failure> {
        if !path.exists() {
            self.write_to(path)?;
            return Ok(Kept::New);
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
        let before = parse(path, &text)?;
        if (&before.kind, &before.id) != (&self.kind, &self.id) {
            return Ok(Kept::Other(before));
        }
        let mut after = text;
        let mut wanted = before.clone();
        let mut left = Vec::new();
        let ports = [
            ("port", Some(&mut wanted.port), Some(&self.port)),
            ("right_port", wanted.right_port.as_mut(), self.right_port.as_ref()),
        ];
        for (key, was, is) in ports {
            if let (Some(was), Some(is)) = (was, is)
                && !same_port(was, is)
            {
                after = with_value(&after, key, is);
                left.push(std::mem::replace(was, is.clone()));
            }
        }
        if left.is_empty() {
            return Ok(Kept::Same);
        }
        // Lines that the eye takes for the port's may be none: then the words give way.
        match toml::from_str::<Self>(&after) {
            Ok(read) if read == wanted => durable::write(path, &after)?,
            _ => wanted.write_to(path)?,
        }
        Ok(Kept::Moved(left))
    }
}

fn parse(path: &Path, text: &str) -> Result<RobotFile, Failure> {
    toml::from_str(text).map_err(|error| {
        Failure::advise(
            Exit::Data,
            format!("{}: {error}", path.display()),
            "mend it, or calibrate the robot anew, which writes it again",
        )
    })
}

/// Whether two names are of one port: a lasting name is as good as today's path.
fn same_port(one: &str, other: &str) -> bool {
    let device = |name: &str| std::fs::canonicalize(port::path_of(name)).ok();
    one == other || device(one).is_some_and(|found| device(other) == Some(found))
}

/// The text with another value at `key`; whatever its owner wrote around it stays.
fn with_value(text: &str, key: &str, value: &str) -> String {
    let is_key = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    let line = |line: &str| match is_key(line) {
        true => format!("{key} = {}\n", toml::Value::from(value)),
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Where users keep what is theirs.
pub fn config_folder() -> PathBuf {
    folder("XDG_CONFIG_HOME", ".config")
}

/// Where Sinew keeps what it has to remember of what it did.
pub fn state_folder() -> PathBuf {
    folder("XDG_STATE_HOME", ".local/state")
}

fn folder(variable: &str, usual: &str) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set(variable)
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(usual)));
    base.unwrap_or_else(|| PathBuf::from(".")).join("sinew")
}

/// The file of the robot `name`.
pub fn path_of(name: &str) -> PathBuf {
    config_folder().join("robots").join(format!("{name}.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robot(port: &str) -> RobotFile {
        let (kind, id) = ("so101_follower".to_owned(), Some("white".to_owned()));
        RobotFile { kind, id, port: port.to_owned(), ..RobotFile::default() }
    }

    #[test]
    fn a_free_name_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("robots/white.toml");
        assert_eq!(robot("/dev/a").keep_at(&path).unwrap(), Kept::New);
        assert_eq!(robot("/dev/a").keep_at(&path).unwrap(), Kept::Same);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&path, &text).unwrap(), robot("/dev/a"));
    }

    #[test]
    fn a_lasting_name_of_the_same_port_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, port) = (folder.path().join("white.toml"), folder.path().join("ttyACM0"));
        let lasting = folder.path().join("usb-arm");
        std::fs::write(&port, "").unwrap();
        std::os::unix::fs::symlink(&port, &lasting).unwrap();
        robot(lasting.to_str().unwrap()).write_to(&path).unwrap();
        assert_eq!(robot(port.to_str().unwrap()).keep_at(&path).unwrap(), Kept::Same);
    }

    #[test]
    fn how_a_robot_is_left_stays_when_its_port_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("white.toml");
        let text = "stop = \"hold\" # heavy\nid='white'\n  port='/dev/a'\ntype = 'so101_follower'";
        std::fs::write(&path, text).unwrap();
        let kept = robot("/dev/b").keep_at(&path).unwrap();
        assert_eq!(kept, Kept::Moved(vec!["/dev/a".to_owned()]));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("stop = \"hold\" # heavy\n"), "{text}");
        let hold = RobotFile { stop: StopPolicy::Hold, ..robot("/dev/b") };
        assert_eq!(parse(&path, &text).unwrap(), hold);
    }

    #[test]
    fn a_port_told_in_an_unusual_way_is_replaced_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("white.toml");
        let text = "\"port\" = '''\n/dev/a'''\nid = 'white'\ntype = 'so101_follower'\n";
        std::fs::write(&path, text).unwrap();
        robot("/dev/b").keep_at(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&path, &text).unwrap(), robot("/dev/b"));
    }
}
