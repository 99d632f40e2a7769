//! Files that commands write.

use std::path::PathBuf;

use super::failure::Failure;

/// The file, if it may be written: a new one, or one that may be written over.
pub fn free(path: PathBuf, over: bool) -> Result<PathBuf, Failure> {
    match path.exists() && !over {
        true => Err(Failure::usage(
            format!("there already is {}", path.display()),
            "name another file, or write over it with --yes",
        )),
        false => Ok(path),
    }
}
