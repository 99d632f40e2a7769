//! One repository: its commits, what its branches and tags stand for, and who may see it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::path;
use super::record::{Commit, Entry, Record};
use super::refs::{Onto, Refs};
use super::tree::Tree;
use crate::serve::answer::Refusal;
use crate::{Error, Repo, Result, durable};

const ABOUT: &str = "repository.json";
const REFS: &str = "refs.json";
const RECORD: &str = "commits";

/// How many trees that are no branch's newest are kept at hand.
const TREES: usize = 8;

/// What the owner says about a repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    /// When it was made, as the interface writes it.
    pub created: String,
    /// Whether only those with a token see it.
    pub private: bool,
    /// Whether access is said to have to be asked for.
    pub gated: bool,
    /// What a space is made with.
    pub sdk: Option<String>,
}

/// What a commit is for.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// In a line.
    pub title: String,
    /// In more.
    pub message: String,
    /// Who makes it.
    pub author: String,
    /// The commit that it must come after, if that matters.
    pub parent: Option<String>,
}

/// What a commit changes.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Files to remove, each of which must be there.
    pub files: Vec<String>,
    /// Folders to remove, without a '/' at the end; all files are below "".
    pub folders: Vec<String>,
    /// Files to write.
    pub put: Vec<(String, Entry)>,
}

/// A repository.
#[derive(Debug)]
pub struct Repository {
    repo: Repo,
    folder: PathBuf,
    /// Held by who changes anything, for as long as that takes; nothing once the folder is gone, which
    /// may be another's by then.
    record: Mutex<Option<Record>>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    about: About,
    refs: Refs,
    commits: Vec<Arc<Commit>>,
    places: HashMap<String, usize>,
    trees: Vec<(usize, Arc<Tree>)>,
}

/// A repository as one commit left it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The commit.
    pub commit: Arc<Commit>,
    /// The files.
    pub tree: Arc<Tree>,
}

impl Repository {
    /// Makes the files of a new one in a folder that nobody sees yet.
    pub fn make(folder: &Path, about: &About, author: &str) -> Result<()> {
        let (mut record, _none) = Record::open(&folder.join(RECORD))?;
        let mut first = Commit {
            id: String::new(),
            parent: None,
            author: author.to_owned(),
            title: "initial commit".to_owned(),
            message: String::new(),
            date: super::now(),
            nonce: super::nonce(),
            gone: Vec::new(),
            put: Vec::new(),
        };
        record.add(&mut first)?;
        let branches = BTreeMap::from([("main".to_owned(), first.id)]);
        durable::write_value(&folder.join(REFS), &Refs { branches, ..Refs::default() })?;
        durable::write_value(&folder.join(ABOUT), about)
    }

    /// Opens one.
    pub fn open(repo: Repo, folder: &Path) -> Result<Self> {
        let about = super::read(&folder.join(ABOUT))?;
        let refs: Refs = super::read(&folder.join(REFS))?;
        let (record, commits) = Record::open(&folder.join(RECORD))?;
        let commits: Vec<_> = commits.into_iter().map(Arc::new).collect();
        let place = |(place, commit): (usize, &Arc<Commit>)| (commit.id.clone(), place);
        let places: HashMap<_, _> = commits.iter().enumerate().map(place).collect();
        if let Some(id) = refs.all().find(|id| !places.contains_key(*id)) {
            let what = format!("something stands for the commit {id}, which is not there");
            return Err(Error::Damaged { what, path: folder.join(REFS) });
        }
        let state = State { about, refs, commits, places, trees: Vec::new() };
        let (record, state) = (Mutex::new(Some(record)), RwLock::new(state));
        Ok(Self { repo, folder: folder.to_owned(), record, state })
    }

    /// What it is called.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// What its owner says about it.
    pub fn about(&self) -> About {
        self.read(|state| state.about.clone())
    }

    /// Its branches and tags.
    pub fn refs(&self) -> Refs {
        self.read(|state| state.refs.clone())
    }

    /// The commit, by its place in the record.
    pub fn commit_at(&self, place: usize) -> Option<Arc<Commit>> {
        self.read(|state| state.commits.get(place).cloned())
    }

    /// Every content that any of its commits has.
    pub fn for_each_entry(&self, mut each: impl FnMut(&Entry)) {
        let commits = self.read(|state| state.commits.clone());
        commits.iter().flat_map(|commit| &commit.put).for_each(|(_, entry)| each(entry));
    }

    /// What a branch, a tag or a commit's name stands for.
    pub fn at(&self, revision: &str) -> Result<Snapshot, Refusal> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let place = state.place(revision).ok_or_else(|| Refusal::no_revision(revision))?;
        state.snapshot(place).ok_or_else(|| Refusal::no_revision(revision))
    }

    /// A commit and those before it, newest first.
    pub fn history(&self, revision: &str) -> Result<Vec<Arc<Commit>>, Refusal> {
        self.read(|state| {
            let mut next = state.place(revision);
            if next.is_none() {
                return Err(Refusal::no_revision(revision));
            }
            let mut commits = Vec::new();
            while let Some(commit) = next.and_then(|place| state.commits.get(place)) {
                commits.push(Arc::clone(commit));
                let parent = commit.parent.as_ref();
                next = parent.and_then(|parent| state.places.get(parent)).copied();
            }
            Ok(commits)
        })
    }

    /// Makes a commit, for good.
    pub fn commit(
        &self,
        onto: Onto<'_>,
        purpose: Purpose,
        change: Change,
    ) -> Result<Arc<Commit>, Refusal> {
        let mut held = self.lock();
        let record = held.as_mut().ok_or_else(Refusal::no_repo)?;
        let mut refs = self.refs();
        let (Onto::Head(name) | Onto::Request(name)) = onto;
        let Some(head) = refs.head(name).cloned() else {
            self.at(name)?;
            return Err(Refusal::wrong(format!("commits go to a branch, which {name} is not")));
        };
        if purpose.parent.as_ref().is_some_and(|parent| *parent != head) {
            return Err(Refusal::stale(name, &head));
        }
        for (path, _) in &change.put {
            path::check(path).map_err(|what| Refusal::wrong(format!("{what}: {path:?}")))?;
        }
        let before = self.at(&head)?;
        let mut commit = Commit {
            id: String::new(),
            parent: Some(head.clone()),
            author: purpose.author,
            title: purpose.title,
            message: purpose.message,
            date: super::now(),
            nonce: super::nonce(),
            gone: gone(&before.tree, &change)?,
            put: change.put,
        };
        let place = self.read(|state| state.commits.len());
        let mut tree = (*before.tree).clone();
        tree.apply(&commit, place);
        for (path, _) in &commit.put {
            if let Some(obstacle) = tree.obstacle(path) {
                return Err(Refusal::wrong(format!("{path} cannot be beside {obstacle}")));
            }
        }
        record.add(&mut commit)?;
        let commit = Arc::new(commit);
        refs.put(onto, &commit);
        let saved = durable::write_value(&self.folder.join(REFS), &refs);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        // It is in the record whether or not the branch could be moved.
        state.places.insert(commit.id.clone(), place);
        state.commits.push(Arc::clone(&commit));
        saved?;
        state.refs = refs;
        state.keep(place, Arc::new(tree));
        Ok(commit)
    }

    /// Changes branches and tags, for good.
    pub fn change_refs(
        &self,
        change: impl FnOnce(&mut Refs) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let held = self.lock();
        held.as_ref().ok_or_else(Refusal::no_repo)?;
        let mut refs = self.refs();
        change(&mut refs)?;
        durable::write_value(&self.folder.join(REFS), &refs)?;
        self.state.write().unwrap_or_else(PoisonError::into_inner).refs = refs;
        Ok(())
    }

    /// Changes what the owner says, for good.
    pub fn change_about(&self, change: impl FnOnce(&mut About)) -> Result<(), Refusal> {
        let held = self.lock();
        held.as_ref().ok_or_else(Refusal::no_repo)?;
        let mut about = self.about();
        change(&mut about);
        durable::write_value(&self.folder.join(ABOUT), &about)?;
        self.state.write().unwrap_or_else(PoisonError::into_inner).about = about;
        Ok(())
    }

    /// Moves its folder, after which nothing is changed through this any more.
    pub fn leave(&self, to: &Path) -> Result<()> {
        let mut held = self.lock();
        std::fs::rename(&self.folder, to).map_err(Error::io("cannot move the folder", to))?;
        *held = None;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Record>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The files that a change removes.
fn gone(tree: &Tree, change: &Change) -> Result<Vec<String>, Refusal> {
    // Once each: the same may be said in many ways, and each time of many files.
    let mut gone = BTreeSet::new();
    for path in &change.files {
        if tree.file(path).is_none() {
            return Err(Refusal::no_entry(path));
        }
        gone.insert(path.clone());
    }
    for folder in change.folders.iter().collect::<BTreeSet<_>>() {
        let mut below = tree.below(folder).map(|(path, _)| path.to_owned()).peekable();
        if below.peek().is_none() && !folder.is_empty() {
            return Err(Refusal::no_entry(folder));
        }
        gone.extend(below);
    }
    Ok(gone.into_iter().collect())
}

impl State {
    /// The place of what a revision stands for: a branch before a tag before a commit.
    fn place(&self, revision: &str) -> Option<usize> {
        let tag = revision.strip_prefix("refs/tags/");
        let head = self.refs.head(revision);
        let id = head.or_else(|| self.refs.tags.get(tag.unwrap_or(revision)));
        self.places.get(id.map_or(revision, String::as_str)).copied()
    }

    fn snapshot(&mut self, place: usize) -> Option<Snapshot> {
        let commit = Arc::clone(self.commits.get(place)?);
        let known = |(known, _): &(usize, _)| *known == place;
        if let Some(at) = self.trees.iter().position(known) {
            let found = self.trees.remove(at);
            let tree = Arc::clone(&found.1);
            self.trees.push(found);
            return Some(Snapshot { commit, tree });
        }
        // Back to a commit whose tree is at hand, or to the first; then forward again.
        let (mut way, mut tree, mut next) = (Vec::new(), Tree::default(), Some(place));
        while let Some(place) = next {
            if let Some((_, known)) = self.trees.iter().find(|(known, _)| *known == place) {
                tree = (**known).clone();
                break;
            }
            way.push(place);
            let parent = self.commits.get(place)?.parent.as_ref();
            next = parent.and_then(|parent| self.places.get(parent)).copied();
        }
        for place in way.into_iter().rev() {
            tree.apply(self.commits.get(place)?, place);
        }
        let tree = Arc::new(tree);
        self.keep(place, Arc::clone(&tree));
        Some(Snapshot { commit, tree })
    }

    fn keep(&mut self, place: usize, tree: Arc<Tree>) {
        if self.trees.len() >= TREES {
            self.trees.remove(0);
        }
        self.trees.push((place, tree));
    }
}
