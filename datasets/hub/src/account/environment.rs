//! Variables as the official client reads them: what is set to nothing is set.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, Result};

/// How long a server may be silent unless a variable says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variables of a process.
pub struct Environment<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl<'a> Environment<'a> {
    pub fn of(var: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self(var)
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A path in which `~` and `$NAME` stand for what they stand for in a shell.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).map(|value| self.expanded(&value))
    }

    /// A path as it stands there.
    pub fn plain_path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).map(PathBuf::from)
    }

    /// The user's own folder.
    pub fn own_home(&self) -> PathBuf {
        (self.0)("HOME").map(PathBuf::from).unwrap_or_default()
    }

    /// A switch: on, off, or not there, which is also what nothing means.
    pub fn is_set(&self, name: &str) -> Option<bool> {
        let value = self.text(name).filter(|value| !value.is_empty())?.to_uppercase();
        Some(matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE"))
    }

    /// A time in whole seconds; zero means the usual one.
    pub fn seconds(&self, name: &'static str) -> Result<Duration> {
        let Some(text) = self.text(name) else { return Ok(PATIENCE) };
        match text.trim().parse::<u32>() {
            Ok(0) => Ok(PATIENCE),
            Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
            Err(_no_number) => Err(Error::Variable { name, what: "a number of seconds" }),
        }
    }

    fn expanded(&self, value: &OsString) -> PathBuf {
        let path = Path::new(value);
        let path = match path.strip_prefix("~") {
            Ok(rest) => self.own_home().join(rest),
            Err(_elsewhere) => path.to_owned(),
        };
        match path.to_str() {
            Some(text) if text.contains('$') => PathBuf::from(self.filled_in(text)),
            _ => path,
        }
    }

    /// The text with `$NAME` and `${NAME}` replaced where there is such a variable.
    fn filled_in(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            out.push_str(before);
            let (name, length) =
                match behind.strip_prefix('{').and_then(|name| name.split_once('}')) {
                    Some((name, _)) => (name, name.len() + 2),
                    None => {
                        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
                        let length = behind.find(|c| !letter(c)).unwrap_or(behind.len());
                        (&behind[..length], length)
                    }
                };
            let value = Some(name).filter(|name| !name.is_empty()).and_then(|name| self.text(name));
            match &value {
                Some(value) => out.push_str(value),
                None => {
                    out.push('$');
                    out.push_str(&behind[..length]);
                }
            }
            rest = &behind[length..];
        }
        out + rest
    }
}
