//! The files that LeRobot sees, held fast: links to them, which stay what they are while the recorder
//! puts new files under the old names.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sinew_hub::Local;

use crate::durable;
use crate::schema::Info;
use crate::writer::{is_publishing, place_of};
use crate::{Error, Result};

/// Where the links are: a folder of its own, since the recorder's goes when the recorder does.
const HELD: &str = ".sinew-upload";

/// How often it is looked again where episodes are just being moved into the dataset, and how long is
/// waited in between.
const TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(25);

/// The files of a dataset at one instant.
#[derive(Debug)]
pub struct Snapshot {
    folder: PathBuf,
    files: Vec<Local>,
}

/// Every file of a dataset that belongs on a hub, those first that the others count. Pictures that
/// wait to be encoded, and what is not finished, stay here.
pub fn files(root: &Path) -> Result<Vec<Local>> {
    Info::load(root)?;
    let mut files = Local::below(root, |path| !path.starts_with("images/"))?;
    files.sort_by_key(|file| (place_of(file.path()), file.path().to_owned()));
    Ok(files)
}

impl Snapshot {
    /// Takes one. A file system without links has none: then the files themselves are taken, and
    /// whoever uploads them sees by their hashes where they changed. Several may be taken at once, under
    /// different names.
    pub fn take(root: &Path, name: &str) -> Result<Self> {
        let folder = root.join(HELD).join(name);
        durable::remove(&folder)?;
        for _ in 0..TRIES {
            let state = state(root)?;
            if state.is_some() {
                let snapshot = Self::link(root, &folder)?;
                if self::state(root)? == state {
                    return Ok(snapshot);
                }
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::Refused {
            what: format!(
                "episodes are on their way into {} and do not arrive (upload it later, or look with: \
                 sinew dataset recover)",
                root.display()
            ),
        })
    }

    fn link(root: &Path, folder: &Path) -> Result<Self> {
        let mut snapshot = Self { folder: folder.to_owned(), files: Vec::new() };
        let mut links = true;
        for file in files(root)? {
            let from = root.join(file.path());
            let to = folder.join(file.path());
            if links {
                let parent = to.parent().unwrap_or(folder);
                match fs::create_dir_all(parent).and_then(|()| fs::hard_link(&from, &to)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                        fs::remove_file(&to).map_err(Error::io("cannot replace", &to))?;
                        fs::hard_link(&from, &to).map_err(Error::io("cannot link", &to))?;
                    }
                    // It was replaced this instant: the look afterwards tells.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    // No links in this file system, or nothing may be written there.
                    Err(_no_links_here) => links = false,
                }
            }
            let at = if links { to } else { from };
            snapshot.files.push(Local::file(file.path(), at)?);
        }
        Ok(snapshot)
    }

    /// The files, those first that the others count.
    pub fn files(&self) -> &[Local] {
        &self.files
    }
}

/// What changes with every episode; nothing while one is being moved in.
fn state(root: &Path) -> Result<Option<(u64, SystemTime)>> {
    let path = root.join("meta/info.json");
    let about = fs::metadata(&path).map_err(Error::io("cannot look at", &path))?;
    let changed = about.modified().map_err(Error::io("cannot look at", &path))?;
    Ok((!is_publishing(root)?).then_some((about.len(), changed)))
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // What stays is taken away by the next one.
        durable::remove(&self.folder).ok();
        // Another one's are in there, or nothing.
        self.folder.parent().map(fs::remove_dir);
    }
}
