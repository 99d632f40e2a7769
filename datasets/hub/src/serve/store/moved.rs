//! The names that repositories had: who asks by one is sent to the one of today, until another takes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Error, Kind, Repo, Result, durable};

/// The names of before, and what they lead to. None of them leads to another of them.
#[derive(Clone, Debug)]
pub struct Moved {
    path: PathBuf,
    /// Whether the file could be read.
    known: bool,
    names: BTreeMap<Repo, Repo>,
}

/// A repository as the file has it: its kind, and its name.
type Kept = (Kind, String);

impl Moved {
    /// What a file says, or nothing where there is none.
    pub fn open(path: &Path) -> Result<Self> {
        let kept: Option<Vec<(Kept, Kept)>> = durable::read_value(path, super::LONGEST)?;
        let repo = |(kind, id): Kept| Repo::new(kind, &id);
        let damaged =
            |error: Error| Error::Damaged { what: error.to_string(), path: path.to_owned() };
        let names = kept.unwrap_or_default().into_iter();
        let names: Result<_> = names.map(|(from, to)| Ok((repo(from)?, repo(to)?))).collect();
        Ok(Self { path: path.to_owned(), known: true, names: names.map_err(damaged)? })
    }

    /// Nothing is known of them, and the file stays as it is until somebody has mended it.
    pub fn unknown(path: &Path) -> Self {
        Self { path: path.to_owned(), known: false, names: BTreeMap::new() }
    }

    /// What has had this name.
    pub fn to(&self, from: &Repo) -> Option<Repo> {
        self.names.get(from).cloned()
    }

    /// Changes it, for good.
    pub fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<()> {
        let before = self.names.clone();
        change(self);
        if self.names == before {
            return Ok(());
        }
        if !self.known {
            self.names = before;
            let what = "the names that repositories had could not be read".to_owned();
            return Err(Error::Damaged { what, path: self.path.clone() });
        }
        let kept = |repo: &Repo| (repo.kind(), repo.id());
        let all: Vec<_> = self.names.iter().map(|(from, to)| (kept(from), kept(to))).collect();
        durable::write_value(&self.path, &all).inspect_err(|_| self.names = before)
    }

    /// A repository has another name from now on.
    pub fn go(&mut self, from: &Repo, to: &Repo) {
        self.take(to);
        for name in self.names.values_mut().filter(|name| *name == from) {
            name.clone_from(to);
        }
        self.names.insert(from.clone(), to.clone());
    }

    /// A name is a repository's again.
    pub fn take(&mut self, name: &Repo) {
        self.names.remove(name);
    }

    /// A repository is no more.
    pub fn end(&mut self, name: &Repo) {
        self.names.retain(|_, to| to != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_before_leads_to_the_one_of_today() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("moved.json");
        let [a, b, c] = ["me/a", "me/b", "me/c"].map(|id| Repo::new(Kind::Dataset, id).unwrap());
        let mut moved = Moved::open(&path).unwrap();
        moved.change(|moved| moved.go(&a, &b)).unwrap();
        moved.change(|moved| moved.go(&b, &c)).unwrap();
        let to = |name: &Repo| Moved::open(&path).unwrap().to(name);
        assert_eq!((to(&a), to(&b), to(&c)), (Some(c.clone()), Some(c.clone()), None));
        // There and back again.
        moved.change(|moved| moved.go(&c, &a)).unwrap();
        assert_eq!((to(&a), to(&b), to(&c)), (None, Some(a.clone()), Some(a.clone())));
        moved.change(|moved| moved.take(&b)).unwrap();
        assert_eq!((to(&b), to(&c)), (None, Some(a.clone())));
        moved.change(|moved| moved.end(&a)).unwrap();
        assert_eq!(to(&c), None);
        std::fs::write(&path, "[[[\"dataset\",\"../x\"],[\"dataset\",\"me/a\"]]]").unwrap();
        assert!(matches!(Moved::open(&path), Err(Error::Damaged { .. })));
    }
}
