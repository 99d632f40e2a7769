//! Files of this machine that are to be in a repository.

use std::fs::{self, File};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::hashing::Hasher;
use crate::hub::Digest;
use crate::repo::check_path;
use crate::{Error, Result};

/// How deep folders are looked into.
const DEEPEST: usize = 64;

/// A file that is to be in a repository.
#[derive(Clone, Debug)]
pub struct Local {
    path: String,
    source: Source,
    yields: bool,
}

/// Where its bytes are.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// What tells whether a file is still the one that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stamp {
    pub size: u64,
    /// Nanoseconds since 1970.
    pub modified: u64,
    pub inode: u64,
}

impl Local {
    /// A file of this machine, under this path in the repository.
    pub fn file(path: &str, file: PathBuf) -> Result<Self> {
        Self::checked(path, Source::File(file))
    }

    /// Bytes in memory, under this path in the repository.
    pub fn bytes(path: &str, bytes: Vec<u8>) -> Result<Self> {
        Self::checked(path, Source::Memory(bytes.into()))
    }

    /// The same file, which gives way to what others have written under its path.
    pub fn yielding(self) -> Self {
        Self { yields: true, ..self }
    }

    /// Whether it gives way.
    pub(crate) fn yields(&self) -> bool {
        self.yields
    }

    /// Every file below a folder whose path there is wanted, in order. Folders whose names begin with
    /// a dot are left out.
    pub fn below(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<Self>> {
        let mut files = Vec::new();
        walk(folder, "", 0, &wanted, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn checked(path: &str, source: Source) -> Result<Self> {
        check_path(path)?;
        Ok(Self { path: path.to_owned(), source, yields: false })
    }

    /// Its path in the repository.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file on this machine, where it is one.
    pub(crate) fn place(&self) -> Option<&Path> {
        match &self.source {
            Source::File(path) => Some(path),
            Source::Memory(_) => None,
        }
    }

    /// The SHA-256 of its bytes.
    pub fn sha256(&self) -> Result<String> {
        let size = self.stamp()?.size;
        self.digest(true, size).map(|digest| digest.text().to_owned())
    }

    /// How it is now.
    pub(crate) fn stamp(&self) -> Result<Stamp> {
        match &self.source {
            Source::Memory(bytes) => Ok(Stamp { size: bytes.len() as u64, modified: 0, inode: 0 }),
            Source::File(path) => {
                let about = fs::metadata(path).map_err(Error::io("cannot look at", path))?;
                Ok(stamp(&about))
            }
        }
    }

    /// Its bytes from an offset on.
    pub(crate) fn open(&self, first: u64) -> Result<Box<dyn Read + Send>> {
        match &self.source {
            Source::Memory(bytes) => {
                let mut cursor = Cursor::new(Arc::clone(bytes));
                cursor.set_position(first);
                Ok(Box::new(cursor))
            }
            Source::File(path) => {
                let mut file = File::open(path).map_err(Error::io("cannot open", path))?;
                file.seek(SeekFrom::Start(first)).map_err(Error::io("cannot read", path))?;
                Ok(Box::new(file))
            }
        }
    }

    /// Its first bytes, by which a hub guesses what it is.
    pub(crate) fn sample(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.open(0)?.take(512).read_to_end(&mut bytes);
        read.map(|_| bytes).map_err(Error::io("cannot read", Path::new(&self.path)))
    }

    /// Its hash, as a hub keeps it of a large file or of a small one.
    pub(crate) fn digest(&self, large: bool, size: u64) -> Result<Digest> {
        let mut hasher = if large { Hasher::sha256() } else { Hasher::git("blob", size) };
        let place = self.place().unwrap_or(Path::new(&self.path));
        let read = hasher.read(self.open(0)?, size).map_err(Error::io("cannot read", place))?;
        if read != size {
            return Err(Error::Altered { path: self.path.clone() });
        }
        Ok(match large {
            true => Digest::Sha256(hasher.digits()),
            false => Digest::Git(hasher.digits()),
        })
    }
}

fn stamp(about: &fs::Metadata) -> Stamp {
    let since = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(about);
    #[cfg(not(unix))]
    let inode = 0;
    Stamp { size: about.len(), modified: since.map_or(0, |time| time.as_nanos() as u64), inode }
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    wanted: &dyn Fn(&str) -> bool,
    files: &mut Vec<Local>,
) -> Result<()> {
    if depth > DEEPEST {
        let source = std::io::Error::other("folders in folders without end");
        return Err(Error::Io { what: "cannot look into", source, path: folder.to_owned() });
    }
    for entry in fs::read_dir(folder).map_err(Error::io("cannot look into", folder))? {
        let entry = entry.map_err(Error::io("cannot look into", folder))?;
        let place = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            let source = std::io::Error::other("its name is not UTF-8");
            return Err(Error::Io { what: "cannot upload", source, path: place });
        };
        let path = format!("{prefix}{name}");
        // What a link leads to is uploaded in its place: the cache is made of such links.
        let about = fs::metadata(&place).map_err(Error::io("cannot look at", &place))?;
        if about.is_dir() {
            if !name.starts_with('.') {
                walk(&place, &format!("{path}/"), depth + 1, wanted, files)?;
            }
        } else if about.is_file() && wanted(&path) {
            files.push(Local::file(&path, place)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hash_as_git_and_sha256sum_say() {
        let file = Local::bytes("a.txt", b"hello\n".to_vec()).unwrap();
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(file.digest(false, 6).unwrap(), Digest::Git(git.into()));
        assert_eq!(file.digest(true, 6).unwrap(), Digest::Sha256(sha256.into()));
        assert!(matches!(file.digest(true, 5), Err(Error::Altered { .. })));
    }

    #[test]
    fn a_folder_is_walked_in_order_without_what_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["b/x.bin", "a.txt", ".git/HEAD", ".sinew/journal", ".gitattributes", "images/0.png"]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let files = Local::below(folder.path(), |path| !path.starts_with("images/")).unwrap();
        let paths: Vec<_> = files.iter().map(Local::path).collect();
        assert_eq!(paths, [".gitattributes", "a.txt", "b/x.bin"]);
    }

    #[test]
    fn paths_stay_in_the_repository() {
        for wrong in ["", "/a", "../a", "a/../b", "a//b", "./a", "a\\b", "a\nb", ".git/config"] {
            assert!(
                matches!(Local::bytes(wrong, Vec::new()), Err(Error::Name { .. })),
                "{wrong:?}"
            );
        }
    }
}
