//! What the local Hub keeps on disk, and how.
//!
//! ```text
//! DIR/lock                        held by the server that runs
//! DIR/store.json                  the keys that links are signed with
//! DIR/incoming/                   half of something; emptied at every start
//! DIR/objects/ab/abcd…            contents by SHA-256
//! DIR/packs/…                     small ones, those of a commit together
//! DIR/uploads/…                   parts of large files that are still to come
//! DIR/xorbs/…                     what newer clients send large files in
//! DIR/repositories/datasets/OWNER/NAME/{repository.json,refs.json,commits}
//! DIR/moved.json                  names that repositories had
//! ```
//!
//! Contents come before the commit that names them, and the commit before the branch: whatever is
//! answered with success is there after a power cut, and whatever is not is as if it had never been
//! asked for.

mod alone;
pub mod hash;
mod moved;
mod objects;
mod packs;
pub mod path;
mod record;
mod refs;
mod repository;
mod tree;
mod xorbs;

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use alone::{Alone, Turn};
use moved::Moved;
pub use objects::Objects;
pub use packs::Packing;
pub use record::Entry;
pub use refs::{Onto, Request, reference};
pub use repository::{About, Change, Purpose, Repository, Snapshot};
pub use tree::{Item, Leaf};
use xorbs::Xorbs;

use crate::serve::answer::Refusal;
use crate::{Error, Kind, Repo, Result, durable};

/// How long something stays that no commit speaks of: whoever sent it may still be about to.
const LEFTOVER: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest value that is read: the branches and tags of a repository.
const LONGEST: u64 = 1 << 28;

/// The time as the interface writes it.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn nonce() -> u64 {
    // Without entropy the time still tells commits apart.
    getrandom::u64().unwrap_or_default()
}

/// All of it.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    objects: Objects,
    keys: Keys,
    xorbs: Xorbs,
    repositories: RwLock<Known>,
    moved: RwLock<Moved>,
    /// Why some repositories, or the names that they had, are not served.
    aside: Vec<Error>,
    alone: Alone,
    /// Kept for its lock.
    _lock: File,
}

type Known = BTreeMap<Repo, Arc<Repository>>;

/// What must stay the same from one start to the next, so that links stay good.
#[derive(Clone, Serialize, Deserialize)]
struct Keys {
    secret: String,
    xorbs: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keys").field("xorbs", &self.xorbs).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a folder, which is made if it is not there, and clears away what was left half done.
    pub fn open(folder: &Path) -> Result<Self> {
        durable::make_secret_folders(folder)?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(Error::io("cannot make a file", &path))?;
        lock.try_lock()
            .map_err(|error| Error::Busy { what: error.to_string(), path: folder.to_owned() })?;
        let incoming = folder.join("incoming");
        if incoming.exists() {
            std::fs::remove_dir_all(&incoming)
                .map_err(Error::io("cannot clear away leftovers", &incoming))?;
        }
        for made in [&incoming, &folder.join("uploads"), &folder.join("xorbs")] {
            durable::make_secret_folders(made)?;
        }
        let path = folder.join("store.json");
        let mut keys = keys(&path)?;
        let xorbs = Xorbs::open(&folder.join("xorbs"), &keys.xorbs)?;
        if xorbs.current() != keys.xorbs {
            xorbs.current().clone_into(&mut keys.xorbs);
            durable::write_value(&path, &keys)?;
        }
        let objects = Objects::open(folder, &incoming)?;
        let (known, mut aside) = repositories(&folder.join("repositories"))?;
        let path = folder.join("moved.json");
        let mut moved = Moved::open(&path).unwrap_or_else(|error| {
            aside.push(error);
            Moved::unknown(&path)
        });
        // The power may have gone before a repository went.
        moved.change(|moved| known.keys().for_each(|repo| moved.take(repo)))?;
        let moved = RwLock::new(moved);
        let (folder, repositories) = (folder.to_owned(), RwLock::new(known));
        let (alone, _lock) = (Alone::default(), lock);
        let store = Self { folder, objects, keys, xorbs, repositories, moved, aside, alone, _lock };
        store.sweep()?;
        Ok(store)
    }

    /// Why some repositories, or the names that they had, are not served: their files stay as they are.
    pub fn aside(&self) -> &[Error] {
        &self.aside
    }

    /// The contents.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What newer clients send large files in.
    pub fn xorbs(&self) -> &Xorbs {
        &self.xorbs
    }

    /// Where halves of things are.
    pub fn incoming(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    /// Where parts of large files wait for the others.
    pub fn uploads(&self) -> PathBuf {
        self.folder.join("uploads")
    }

    /// Waits until nobody else puts together the parts in a folder.
    pub fn alone<'a>(&'a self, folder: &'a Path) -> Turn<'a> {
        self.alone.at(folder)
    }

    /// What links are signed with.
    pub fn secret(&self) -> &[u8] {
        self.keys.secret.as_bytes()
    }

    /// All repositories, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Repository>> {
        let known = self.repositories.read().unwrap_or_else(PoisonError::into_inner);
        known.values().cloned().collect()
    }

    /// A repository.
    pub fn find(&self, repo: &Repo) -> Option<Arc<Repository>> {
        self.repositories.read().unwrap_or_else(PoisonError::into_inner).get(repo).cloned()
    }

    /// What a repository is called by now that had this name.
    pub fn moved(&self, from: &Repo) -> Option<Repo> {
        self.moved.read().unwrap_or_else(PoisonError::into_inner).to(from)
    }

    fn change_moved(&self, change: impl FnOnce(&mut Moved)) -> Result<()> {
        self.moved.write().unwrap_or_else(PoisonError::into_inner).change(change)
    }

    /// Makes a repository, for good.
    pub fn create(&self, repo: &Repo, about: &About, author: &str) -> Result<(), Refusal> {
        let mut known = self.repositories.write().unwrap_or_else(PoisonError::into_inner);
        self.free(&known, repo)?;
        let half = self.half()?;
        Repository::make(half.path(), about, author)?;
        let place = self.place(repo);
        let above = place.parent().unwrap_or(&self.folder);
        durable::make_secret_folders(above)?;
        std::fs::rename(half.path(), &place)
            .map_err(Error::io("cannot move the folder", &place))?;
        durable::sync_folder(above)?;
        known.insert(repo.clone(), Arc::new(Repository::open(repo.clone(), &place)?));
        Ok(self.change_moved(|moved| moved.take(repo))?)
    }

    /// Removes a repository, for good. Its contents go when nobody else has them.
    pub fn delete(&self, repo: &Repo) -> Result<(), Refusal> {
        let mut known = self.repositories.write().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(repo).ok_or_else(Refusal::no_repo)?;
        let place = self.place(repo);
        let half = self.half()?;
        found.leave(&half.path().join("gone"))?;
        known.remove(repo);
        durable::sync_folder(place.parent().unwrap_or(&self.folder))?;
        self.change_moved(|moved| moved.end(repo))?;
        Ok(half.close().map_err(Error::io("cannot remove the folder", &place))?)
    }

    /// Gives a repository another name, for good.
    pub fn rename(&self, from: &Repo, to: &Repo) -> Result<(), Refusal> {
        let mut known = self.repositories.write().unwrap_or_else(PoisonError::into_inner);
        self.free(&known, to)?;
        let found = known.get(from).ok_or_else(Refusal::no_repo)?;
        let (old, new) = (self.place(from), self.place(to));
        let above = new.parent().unwrap_or(&self.folder);
        durable::make_secret_folders(above)?;
        // Its old name is found first as long as it has that, and leads to the new one from then on.
        let mut moved = self.moved.write().unwrap_or_else(PoisonError::into_inner);
        let before = moved.clone();
        moved.change(|moved| moved.go(from, to))?;
        if let Err(error) = found.leave(&new) {
            moved.change(|moved| *moved = before)?;
            return Err(error.into());
        }
        known.remove(from);
        durable::sync_folder(above)?;
        durable::sync_folder(old.parent().unwrap_or(&self.folder))?;
        known.insert(to.clone(), Arc::new(Repository::open(to.clone(), &new)?));
        Ok(())
    }

    /// A folder that nobody sees, and that is gone unless it is moved.
    fn half(&self) -> Result<TempDir> {
        let incoming = self.incoming();
        let mut how = tempfile::Builder::new();
        let made = how.permissions(Permissions::from_mode(0o700)).tempdir_in(&incoming);
        made.map_err(Error::io("cannot make a folder", &incoming))
    }

    /// Refuses a name that a repository has, or one that was set aside.
    fn free(&self, known: &Known, repo: &Repo) -> Result<(), Refusal> {
        if known.contains_key(repo) {
            return Err(Refusal::exists("the repository"));
        }
        match self.place(repo).exists() {
            true => {
                Err(Refusal::fault("a repository of this name could not be opened: mend it first"))
            }
            false => Ok(()),
        }
    }

    fn place(&self, repo: &Repo) -> PathBuf {
        let folder = self.folder.join("repositories").join(repo.kind().plural());
        folder.join(repo.owner()).join(repo.name())
    }

    fn sweep(&self) -> Result<()> {
        let mut wanted = HashSet::new();
        for repository in self.all() {
            repository.for_each_entry(|entry| {
                wanted.insert(entry.sha256.clone());
            });
        }
        self.xorbs.sweep()?;
        for name in names(&self.uploads())? {
            let folder = self.uploads().join(name);
            if xorbs::ages(&folder)?.1 > LEFTOVER {
                std::fs::remove_dir_all(&folder)
                    .map_err(Error::io("cannot remove a leftover", &folder))?;
            }
        }
        // Nobody can tell which contents those have that were set aside.
        match self.aside.is_empty() {
            true => self.objects.sweep(LEFTOVER, |hash| wanted.contains(hash)),
            false => Ok(()),
        }
    }
}

fn keys(path: &Path) -> Result<Keys> {
    if let Some(keys) = durable::read_value(path, LONGEST)? {
        return Ok(keys);
    }
    let secret = random_name(path)? + &random_name(path)?;
    let keys = Keys { secret, xorbs: random_name(path)? };
    durable::write_value(path, &keys)?;
    Ok(keys)
}

/// A name that nobody guesses: 32 digits.
fn random_name(path: &Path) -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("the system gives no randomness", path)(error.into()))?;
    Ok(crate::hex::hex(&bytes))
}

/// A value that must be there.
fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let missing = || Error::io("cannot read", path)(ErrorKind::NotFound.into());
    durable::read_value(path, LONGEST)?.ok_or_else(missing)
}

/// Every repository below a folder, and why the others cannot be opened.
fn repositories(folder: &Path) -> Result<(Known, Vec<Error>)> {
    let (mut found, mut aside) = (BTreeMap::new(), Vec::new());
    for kind in [Kind::Model, Kind::Dataset, Kind::Space] {
        let folder = folder.join(kind.plural());
        durable::make_secret_folders(&folder)?;
        for owner in names(&folder)? {
            for name in names(&folder.join(&owner))? {
                let place = folder.join(&owner).join(&name);
                let repo = Repo::new(kind, &format!("{owner}/{name}"));
                match repo.and_then(|repo| Repository::open(repo, &place)) {
                    Ok(opened) => drop(found.insert(opened.repo().clone(), Arc::new(opened))),
                    Err(error) => aside.push(error),
                }
            }
        }
    }
    Ok((found, aside))
}

/// The names of the folders in a folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let paths = inside(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
}

/// The files in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(inside(folder)?.into_iter().filter(|path| path.is_file()).collect())
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || Error::io("cannot look into the folder", folder);
    let entries = std::fs::read_dir(folder).map_err(failed())?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed())?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { created: now(), private: false, gated: false, sdk: None }
    }

    fn dataset(name: &str) -> Repo {
        Repo::new(Kind::Dataset, name).unwrap()
    }

    #[test]
    fn a_new_name_is_known_before_the_old_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (from, to) = (dataset("me/pick"), dataset("me/other"));
        store.create(&from, &about(), "me").unwrap();
        // The disk takes no names: the repository stays where it is.
        let names = folder.path().join("moved.json");
        std::fs::create_dir(&names).unwrap();
        store.rename(&from, &to).unwrap_err();
        assert!(store.find(&from).is_some() && store.find(&to).is_none());
        std::fs::remove_dir(&names).unwrap();
        // It cannot be moved: it keeps its name.
        let (place, away) = (store.place(&from), folder.path().join("away"));
        std::fs::rename(&place, &away).unwrap();
        store.rename(&from, &to).unwrap_err();
        assert_eq!(store.moved(&from), None);
        std::fs::rename(&away, &place).unwrap();
        // The power goes in between.
        store.change_moved(|moved| moved.go(&from, &to)).unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert!(store.find(&from).is_some() && store.moved(&from).is_none());
        store.rename(&from, &to).unwrap();
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert!(store.find(&to).is_some() && store.moved(&from) == Some(to));
    }

    #[test]
    fn whoever_holds_a_repository_that_is_gone_changes_none_that_took_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (repo, other) = (dataset("me/pick"), dataset("me/other"));
        let refused = |held: &Repository| {
            let commit = held.commit(Onto::Head("main"), Purpose::default(), Change::default());
            assert_eq!(commit.unwrap_err(), Refusal::no_repo());
            assert_eq!(held.change_refs(|_refs| Ok(())).unwrap_err(), Refusal::no_repo());
            assert_eq!(held.change_about(|_about| {}).unwrap_err(), Refusal::no_repo());
        };
        store.create(&repo, &about(), "me").unwrap();
        let held = store.find(&repo).unwrap();
        store.delete(&repo).unwrap();
        refused(&held);
        store.create(&repo, &about(), "me").unwrap();
        refused(&held);
        let held = store.find(&repo).unwrap();
        store.rename(&repo, &other).unwrap();
        store.create(&repo, &about(), "me").unwrap();
        refused(&held);
        let heads =
            |store: &Store| [&repo, &other].map(|repo| store.find(repo).unwrap().refs().branches);
        let before = heads(&store);
        drop(store);
        assert_eq!(heads(&Store::open(folder.path()).unwrap()), before);
    }
}
