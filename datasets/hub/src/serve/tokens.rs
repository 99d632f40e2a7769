//! A file that says who may do what, a line each; it is read at the start.
//!
//! ```text
//! # right  name   token
//! write    me     hf_…
//! read     guest  hf_…
//! ```

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Access;
use crate::{Error, Result};

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;

impl Access {
    /// Those in a file, which only its owner may be able to read.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let failed = || Error::io("cannot read the tokens", path);
        let wrong = |what: String| Error::Tokens { what, path: path.to_owned() };
        let file = File::open(path).map_err(failed())?;
        let mode = file.metadata().map_err(failed())?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("others of this machine can read it: chmod 600 it".to_owned()));
        }
        let mut text = String::new();
        file.take(LONGEST + 1).read_to_string(&mut text).map_err(failed())?;
        if text.len() as u64 > LONGEST {
            return Err(wrong(format!("it has more than {LONGEST} bytes")));
        }
        parse(&text).map_err(wrong)
    }
}

/// What the lines say. A line that says nothing is not repeated: it may have a token in it.
fn parse(text: &str) -> Result<Vec<Access>, String> {
    let mut known: Vec<Access> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (write, name, token) = match words.as_slice() {
            ["write", name, token] => (true, *name, *token),
            ["read", name, token] => (false, *name, *token),
            _ => return Err(format!("line {} is not as in: write NAME TOKEN", at + 1)),
        };
        if known.iter().any(|one| one.token == token) {
            return Err(format!("line {} has the token of an earlier line", at + 1));
        }
        known.push(Access { token: token.to_owned(), name: name.to_owned(), write });
    }
    match known.is_empty() {
        true => Err("there is no token in it".to_owned()),
        false => Ok(known),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn lines_say_who_may_do_what() {
        let text = "# who\n\nwrite me hf_one\n  read  guest\thf_two \r\n";
        let known = parse(text).unwrap();
        let known = known.iter().map(|one| (one.name.as_str(), one.token.as_str(), one.write));
        assert_eq!(known.collect::<Vec<_>>(), [("me", "hf_one", true), ("guest", "hf_two", false)]);
        for (wrong, says) in [
            ("", "no token"),
            ("# write me hf_one", "no token"),
            ("write me hf_one\nhf_two", "line 2"),
            ("admin me hf_two", "line 1"),
            ("write hf_two", "line 1"),
            ("write me hf_two more", "line 1"),
            ("write me hf_two\nread me hf_two", "line 2"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(says) && !error.contains("hf_two"), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        assert!(matches!(Access::read(&path), Err(Error::Io { .. })));
        fs::write(&path, "write me hf_one\n").unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(Access::read(&path).is_ok(), taken, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for wrong in [vec![b'#'; LONGEST as usize + 1], vec![0xFF]] {
            fs::write(&path, wrong).unwrap();
            let error = Access::read(&path).unwrap_err();
            assert!(matches!(error, Error::Io { .. } | Error::Tokens { .. }), "{error}");
        }
    }
}
