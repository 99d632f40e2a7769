//! Repositories, or what is wanted of them, from a hub onto this machine.
//!
//! ```text
//! revision ─▶ commit ─▶ list of its files ─▶ those wanted and missing ─▶ eight at a time
//! one question           another, once          what is here is here
//! ```
//! Where the hub cannot be asked, what was fetched before is found by the same way.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::abreast::abreast;
use crate::cache::{Folder, Place, Shelf, Tally, Watch, fetch, files_below};
use crate::hub::{Entry, is_commit};
use crate::repo::check_path;
use crate::{Account, Error, Hub, Refs, Repo, Result};

/// How many files are fetched at once.
const AT_ONCE: usize = 8;

/// The branch that is meant where none is named.
const MAIN: &str = "main";

/// Where files are put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A cache that programs of this machine share, such as [`Account::cache`].
    Cache(PathBuf),
    /// A folder of the user's own, with the files as they are.
    Folder(PathBuf),
}

/// A repository at a commit, of which files can be fetched.
pub struct Snapshot {
    repo: Repo,
    revision: String,
    commit: String,
    /// None where it may not or cannot be asked.
    hub: Option<Hub>,
    place: Box<dyn Place>,
    files: Files,
    trouble: Option<Error>,
}

/// What is known of a commit's files.
enum Files {
    /// All of them.
    Listed(Vec<Entry>),
    /// Those that are here: whoever fetched them kept no list.
    Found(Vec<(String, u64)>),
}

/// How far a pull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Files that are here, and that are wanted.
    pub files: u64,
    /// How many are wanted.
    pub of_files: u64,
    /// Bytes that are here, and that are wanted.
    pub bytes: u64,
    /// How many are wanted.
    pub of_bytes: u64,
    /// Bytes that came from the server for it.
    pub came: u64,
}

impl Account {
    /// A repository as it is now, at a revision or `main`; as it was fetched last where the hub cannot
    /// be asked.
    pub fn snapshot(
        &self,
        repo: &Repo,
        revision: Option<&str>,
        target: &Target,
    ) -> Result<Snapshot> {
        let name = revision.unwrap_or(MAIN);
        let commit = |hub: &Hub| match is_commit(name) {
            true => Ok((name.to_owned(), name.to_owned())),
            false => Ok((name.to_owned(), hub.state(repo, revision)?.sha)),
        };
        self.look(repo, &commit, &[name], target)
    }

    /// A repository at the branch or tag that is chosen among all, or at `main` where none is; where
    /// the hub cannot be asked, at the first of `names` that was fetched.
    pub fn snapshot_of(
        &self,
        repo: &Repo,
        choose: &dyn Fn(&Refs) -> Option<String>,
        names: &[&str],
        target: &Target,
    ) -> Result<Snapshot> {
        let chosen = |hub: &Hub| {
            let refs = hub.refs(repo)?;
            let name = choose(&refs).unwrap_or_else(|| MAIN.to_owned());
            let commit = refs.tags.get(&name).or_else(|| refs.branches.get(&name)).cloned();
            Ok(match commit {
                Some(commit) => (name, commit),
                None => (MAIN.to_owned(), hub.state(repo, None)?.sha),
            })
        };
        self.look(repo, &chosen, names, target)
    }

    /// Whether it is known on this machine that a repository has no such file: at a commit, or, where no
    /// server may be asked, at what a branch or tag stood for last.
    pub fn lacks(&self, repo: &Repo, revision: Option<&str>, path: &str, target: &Target) -> bool {
        let (Target::Cache(cache), name) = (target, revision.unwrap_or(MAIN)) else { return false };
        if !is_commit(name) && !self.is_offline() {
            return false;
        }
        let commit = Shelf::commit_of(cache, repo, name).ok().flatten();
        commit.is_some_and(|commit| Shelf::lacks(cache, repo, &commit, path))
    }

    fn look(
        &self,
        repo: &Repo,
        ask: &dyn Fn(&Hub) -> Result<(String, String)>,
        names: &[&str],
        target: &Target,
    ) -> Result<Snapshot> {
        if self.is_offline() {
            return self.kept(repo, names, target, None);
        }
        // Where there is something to fall back on, nobody waits for long.
        let fallback =
            names.iter().any(|name| matches!(self.known(repo, name, target), Ok(Some(_))));
        let hub = self.hub()?;
        let asked = if fallback { ask(&self.hasty_hub()?) } else { ask(&hub) };
        let client = Arc::clone(&hub.client);
        let opened = asked.and_then(|(name, commit)| self.open(hub, repo, &name, &commit, target));
        match opened.map_err(|error| client.told(error)) {
            Err(error) if error.passes() => self.kept(repo, names, target, Some(error)),
            other => other,
        }
    }

    /// A repository at a commit that a hub has named.
    fn open(
        &self,
        hub: Hub,
        repo: &Repo,
        name: &str,
        commit: &str,
        target: &Target,
    ) -> Result<Snapshot> {
        hub.check_commit(commit, &hub.page(repo))?;
        let place: Box<dyn Place> = match target {
            Target::Cache(cache) => {
                let shelf = Shelf::make(cache, repo, commit)?;
                shelf.remember(name)?;
                Box::new(shelf)
            }
            Target::Folder(folder) => Box::new(Folder::make(folder, commit)?),
        };
        let mut entries = match place.tree()? {
            Some(entries) => entries,
            None => {
                let entries = hub.files(repo, commit, "")?;
                entries.iter().try_for_each(Entry::check)?;
                place.keep_tree(&entries)?;
                entries
            }
        };
        entries.retain(|entry| place.takes(&entry.path));
        let (revision, commit) = (name.to_owned(), commit.to_owned());
        let (hub, files, trouble) = (Some(hub), Files::Listed(entries), None);
        Ok(Snapshot { repo: repo.clone(), revision, commit, hub, place, files, trouble })
    }

    /// The commit that a name stood for when it was fetched last.
    fn known(&self, repo: &Repo, name: &str, target: &Target) -> Result<Option<String>> {
        let cache = match target {
            Target::Cache(cache) => cache,
            Target::Folder(_) => self.cache(),
        };
        Shelf::commit_of(cache, repo, name)
    }

    /// A repository as it was fetched last; `trouble` is why the hub does not say.
    fn kept(
        &self,
        repo: &Repo,
        names: &[&str],
        target: &Target,
        trouble: Option<Error>,
    ) -> Result<Snapshot> {
        for name in names {
            let Some(commit) = self.known(repo, name, target)? else { continue };
            let place: Option<Box<dyn Place>> = match target {
                Target::Cache(cache) => {
                    Shelf::find(cache, repo, &commit).map(|shelf| Box::new(shelf) as _)
                }
                Target::Folder(folder) if folder.is_dir() => {
                    Some(Box::new(Folder::make(folder, &commit)?))
                }
                Target::Folder(_) => None,
            };
            let Some(place) = place else { continue };
            let files = match place.tree()? {
                Some(mut entries) => {
                    entries.retain(|entry| place.takes(&entry.path));
                    Files::Listed(entries)
                }
                None => {
                    let mut found = files_below(&place.root())?;
                    found.retain(|(path, _)| place.takes(path));
                    Files::Found(found)
                }
            };
            let (repo, revision) = (repo.clone(), (*name).to_owned());
            return Ok(Snapshot { repo, revision, commit, hub: None, place, files, trouble });
        }
        let path = match target {
            Target::Cache(cache) => cache.join(repo.folder()),
            Target::Folder(folder) => folder.clone(),
        };
        let what = names.join(", ");
        Err(trouble.unwrap_or(Error::NotFetched { what, repo: repo.to_string(), path }))
    }
}

impl Snapshot {
    /// The folder that the files are found in by their paths.
    pub fn folder(&self) -> PathBuf {
        self.place.root()
    }

    /// Which repository.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Which commit.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Why the hub was not asked, though it might have been: this is what was fetched last.
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    /// Which branch, tag or commit was asked for, or chosen.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Its files with their lengths, as far as they are known.
    pub fn files(&self) -> Vec<(&str, u64)> {
        match &self.files {
            Files::Listed(entries) => {
                entries.iter().map(|entry| (entry.path.as_str(), entry.size)).collect()
            }
            Files::Found(files) => {
                files.iter().map(|(path, size)| (path.as_str(), *size)).collect()
            }
        }
    }

    /// Whether all files whose paths are wanted are here.
    pub fn has(&self, wanted: &dyn Fn(&str) -> bool) -> Result<bool> {
        let Files::Listed(entries) = &self.files else { return Ok(true) };
        for entry in entries.iter().filter(|entry| wanted(&entry.path)) {
            if !self.place.has(entry)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What its files are found below on the hub, where that may be asked.
    pub fn address(&self) -> Option<String> {
        self.hub.as_ref().map(|hub| hub.files_of(&self.repo, &self.commit))
    }

    /// One file, fetched where it is not here; nothing where the repository has none of this path, which
    /// is remembered.
    pub fn file(&self, path: &str, tell: &(dyn Fn(Pulled) + Sync)) -> Result<Option<Pulled>> {
        check_path(path)?;
        if self.files().iter().any(|(known, _)| *known == path) {
            return self.fetch(&|one| one == path, tell).map(Some);
        }
        match &self.files {
            Files::Listed(_) => {
                self.place.note_lack(path);
                Ok(None)
            }
            Files::Found(_) => {
                let (what, repo) = (path.to_owned(), self.repo.to_string());
                Err(Error::NotFetched { what, repo, path: self.folder() })
            }
        }
    }

    /// Fetches the files whose paths are wanted, those that are not here already. They are on the disk
    /// when this returns.
    pub fn fetch(
        &self,
        wanted: &dyn Fn(&str) -> bool,
        tell: &(dyn Fn(Pulled) + Sync),
    ) -> Result<Pulled> {
        let entries = match &self.files {
            Files::Listed(entries) => entries,
            Files::Found(found) => {
                let sizes = found.iter().filter(|(path, _)| wanted(path)).map(|(_, size)| *size);
                let (files, bytes) = (sizes.clone().count() as u64, sizes.sum());
                return Ok(Pulled { files, of_files: files, bytes, of_bytes: bytes, came: 0 });
            }
        };
        let (mut here, mut missing) = (Pulled::default(), Vec::new());
        for entry in entries.iter().filter(|entry| wanted(&entry.path)) {
            here.of_files += 1;
            here.of_bytes = here.of_bytes.saturating_add(entry.size);
            if self.place.has(entry)? {
                here.files += 1;
                here.bytes = here.bytes.saturating_add(entry.size);
            } else {
                missing.push(entry);
            }
        }
        let tally = Tally::default();
        let now = || Pulled {
            files: here.files + tally.files.load(Ordering::Relaxed),
            bytes: here.bytes + tally.bytes.load(Ordering::Relaxed),
            came: tally.came.load(Ordering::Relaxed),
            ..here
        };
        if let Some(first) = missing.first() {
            let Some(hub) = &self.hub else {
                let (what, repo) = (first.path.clone(), self.repo.to_string());
                return Err(Error::NotFetched { what, repo, path: self.folder() });
            };
            self.room_for(&missing)?;
            // The largest first: none of them begins when all others have ended.
            missing.sort_by_key(|entry| std::cmp::Reverse(entry.size));
            let tell = || tell(now());
            let watch = Watch { tally: &tally, tell: &tell };
            abreast("pull", AT_ONCE, &missing, |entry| {
                let url = hub.file(&self.repo, &self.commit, &entry.path);
                let fetched = fetch(&hub.client, &url, entry, self.place.as_ref(), &watch);
                fetched.map_err(|error| hub.client.told(error))
            })
            .inspect_err(|error| {
                // Either the file is damaged or the list: what asks for it next looks at both anew.
                if matches!(error, Error::WrongHash { .. }) {
                    self.place.forget_tree().ok();
                }
            })?;
        }
        self.place.settle()?;
        Ok(now())
    }

    /// Refuses what the disk has no room for, whatever a list says.
    fn room_for(&self, missing: &[&Entry]) -> Result<()> {
        let root = self.folder();
        let needed = missing.iter().fold(0_u64, |needed, entry| {
            let begun = std::fs::metadata(self.place.part(entry)).map_or(0, |about| about.len());
            needed.saturating_add(entry.size.saturating_sub(begun))
        });
        let about = rustix::fs::statvfs(&root)
            .map_err(|error| Error::io("cannot look at the disk of", &root)(error.into()))?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        if needed > free { Err(Error::NoRoom { needed, free, path: root }) } else { Ok(()) }
    }
}
