//! A push on its way, step by step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::commit::{self, Change, Message};
use super::page;
use super::plan;
use super::room::Room;
use super::store::{self, Large, Store};
use super::{Flow, Ledger, Local, Push, Pushed};
use crate::abreast::abreast;
use crate::error::is_unwell;
use crate::hub::Digest;
use crate::{Error, Result};

/// How many files are hashed, and how many are sent, at once.
const HASHING: usize = 2;
pub(crate) const SENDING: usize = 8;

/// The most files, and bytes of files, that go into a commit.
const MOST_CHANGES: usize = 1000;
const MOST_CARRIED: u64 = 64 << 20;

/// How often a commit is made anew because somebody else's came first.
const MOST_REBASES: usize = 20;

/// What a pull request's commits go to.
fn reference(number: u64) -> String {
    format!("refs/pr/{number}")
}

/// A push on its way.
pub(crate) struct Way<'a> {
    push: &'a Push<'a>,
    ledger: &'a Ledger,
    flow: &'a Flow,
    /// What commits go to: the branch, or the pull request once that is made.
    branch: String,
    /// The commit that it is at.
    head: String,
    /// What was there under each path when it was first looked at.
    before: HashMap<&'a str, Option<String>>,
    /// What must be there at the end.
    after: BTreeMap<&'a str, (u64, Digest)>,
    pending: Vec<Change<'a>>,
    /// What was committed under way.
    made: HashSet<&'a str>,
    pushed: Pushed,
}

impl<'a> Way<'a> {
    /// At its beginning, where the branch is at this commit.
    pub fn begin(push: &'a Push<'a>, head: String, ledger: &'a Ledger, flow: &'a Flow) -> Self {
        let pushed = Pushed {
            repo: push.repo.clone(),
            commit: head.clone(),
            changed: 0,
            removed: 0,
            ignored: 0,
            request: None,
            remarks: Vec::new(),
        };
        Self {
            push,
            ledger,
            flow,
            branch: push.branch.to_owned(),
            head,
            before: HashMap::new(),
            after: BTreeMap::new(),
            pending: Vec::new(),
            made: HashSet::new(),
            pushed,
        }
    }

    /// Whether what is pending is as much as goes into a commit.
    pub fn is_full(&self) -> bool {
        let carried: u64 = self.pending.iter().map(Change::carried).sum();
        self.pending.len() >= MOST_CHANGES || carried >= MOST_CARRIED
    }

    /// What came of it.
    pub fn end(self) -> Pushed {
        Pushed { commit: self.head, ..self.pushed }
    }

    /// Brings files as far as they go ahead of a commit.
    pub fn bring(&mut self, files: &'a [Local]) -> Result<()> {
        let Push { hub, repo, .. } = *self.push;
        self.flow.go_on()?;
        let stamps = files.iter().map(Local::stamp).collect::<Result<Vec<_>>>()?;
        let sized: Vec<_> = files.iter().zip(stamps.iter().map(|stamp| stamp.size)).collect();
        let wanted = plan::wanted(hub, repo, &self.branch, &sized)?;
        let mut rows = Vec::new();
        for ((file, stamp), wanted) in files.iter().zip(stamps).zip(wanted) {
            if wanted.ignored {
                self.pushed.ignored += 1;
            } else {
                rows.push((file, stamp, wanted));
            }
        }
        let (ledger, flow) = (self.ledger, self.flow);
        let digests = abreast("hashing", HASHING, &rows, |(file, stamp, wanted)| {
            flow.go_on()?;
            let size = stamp.size;
            // What is in memory, or small, is hashed faster than looked up.
            let place = file.place().filter(|_| wanted.large).map(|place| place.to_string_lossy());
            let known = place.as_ref().and_then(|place| ledger.hash(place, stamp));
            let digest = match known {
                Some(hash) => Digest::Sha256(hash),
                None => file.digest(wanted.large, size)?,
            };
            if let (Some(place), Digest::Sha256(hash)) = (place, &digest) {
                ledger.hashed(&place, stamp, hash)?;
            }
            flow.seen.fetch_add(1, Ordering::Relaxed);
            Ok(digest)
        })?;
        let mut large = Vec::new();
        for ((file, stamp, wanted), digest) in rows.into_iter().zip(digests) {
            let (path, size) = (file.path(), stamp.size);
            if wanted.there.as_deref() == Some(digest.text()) {
                self.give(path, Some(digest.text()))?;
                self.after.insert(path, (size, digest));
                continue;
            }
            let others = wanted.there.as_ref().is_some_and(|hash| !ledger.is_ours(path, hash));
            if others && file.yields() {
                self.give(path, None)?;
                continue;
            }
            if others && !self.push.replace && !self.push.request {
                return Err(self.theirs(path));
            }
            if page::is_page(file) {
                self.pushed.remarks.extend(page::check(hub, repo, file)?);
            }
            self.after.insert(path, (size, digest.clone()));
            self.before.insert(path, wanted.there);
            if let Digest::Sha256(sha256) = &digest {
                large.push(Large { file, size, sha256: sha256.clone() });
            }
            self.pending.push(Change::Put { file, size, digest });
        }
        self.send(large)
    }

    /// Brings large files to where the hub keeps them.
    fn send(&self, mut large: Vec<Large<'_>>) -> Result<()> {
        // Two files with the same bytes are one there.
        let mut once = HashSet::new();
        large.retain(|file| once.insert(file.sha256.clone()));
        if large.is_empty() {
            return Ok(());
        }
        let Push { hub, repo, .. } = *self.push;
        let revision = self.branch.as_str();
        let (ledger, flow, room) = (self.ledger, self.flow, Room::default());
        let store = Store { hub, repo, revision, ledger, flow, room: &room };
        let actions = store.ask(&large)?;
        large.retain(|file| actions.get(&file.sha256).is_some_and(store::Actions::wants_bytes));
        let bytes = large.iter().map(|file| file.size).sum();
        self.flow.waiting.fetch_add(bytes, Ordering::Relaxed);
        let send = |file: &Large<'_>| match actions.get(&file.sha256) {
            Some(actions) => store.send(file, actions),
            None => Ok(()),
        };
        // The permission to send a file is good for some time only, and others were sent first.
        let send = |file: &Large<'_>| match send(file) {
            Err(error) if store::has_expired(&error) => {
                let anew = store.ask(std::slice::from_ref(file))?;
                anew.get(&file.sha256).map_or(Ok(()), |actions| store.send(file, actions))
            }
            other => other,
        };
        abreast("sending", SENDING, &large, send).map(drop)
    }

    /// Adds to the next commit what is to be taken away.
    pub fn take_away(&mut self) -> Result<()> {
        if !self.push.mirror || self.push.request {
            return Ok(());
        }
        let mut gone = self.ledger.given();
        gone.retain(|path, _| !self.after.contains_key(path.as_str()));
        if gone.is_empty() {
            return Ok(());
        }
        let there = self.push.hub.files(self.push.repo, &self.head, "")?;
        let there: HashMap<_, _> =
            there.iter().map(|entry| (entry.path.as_str(), entry.digest.text())).collect();
        for (path, hash) in gone {
            // What is another's by now is not ours to take away.
            if there.get(path.as_str()) == Some(&hash.as_str()) {
                self.pending.push(Change::Remove(path));
            } else {
                self.give(&path, None)?;
            }
        }
        Ok(())
    }

    /// Makes a commit of what is pending. Where somebody else's came first it is made anew after
    /// theirs, unless that changed the same files.
    pub fn commit(&mut self) -> Result<()> {
        let Push { hub, repo, title, .. } = *self.push;
        let carried: u64 = self.pending.iter().map(Change::carried).sum();
        self.flow.waiting.fetch_add(carried, Ordering::Relaxed);
        for change in &self.pending {
            if let Change::Put { file, digest, .. } = change
                && !self.push.request
            {
                self.ledger.mean(file.path(), digest.text())?;
            }
        }
        // Should nobody hear what becomes of the commit, what is found there is still known to be ours.
        self.ledger.sync()?;
        let (mut rebases, mut lost) = (0, 0);
        while !self.pending.is_empty() {
            self.flow.go_on()?;
            let message = Message { title, text: "", parent: &self.head };
            let asks = self.push.request && self.pushed.request.is_none();
            let onto = (self.branch.as_str(), asks);
            match commit::commit(hub, repo, onto, &message, &self.pending, self.flow) {
                Ok(made) => {
                    if asks {
                        self.ask(made.request())?;
                    }
                    self.head = made.commit_oid;
                    for change in std::mem::take(&mut self.pending) {
                        self.made(&change)?;
                    }
                }
                Err(error @ (Error::Ended | Error::Altered { .. } | Error::Denied { .. })) => {
                    return Err(error);
                }
                // It may have been made all the same, and another try would make another.
                Err(Error::Unreachable { .. } | Error::Nonsense { .. }) if asks => {
                    return Err(self.unheard());
                }
                Err(Error::Status { status, .. }) if asks && is_unwell(status) => {
                    return Err(self.unheard());
                }
                // Where it is closed or taken over, the next push makes another.
                Err(error @ Error::Status { status: ..500, .. })
                    if self.pushed.request.is_some() =>
                {
                    self.ledger.request(None)?;
                    return Err(error);
                }
                // Somebody else's came first, or nobody knows whether this one came: what is there
                // tells.
                Err(error) => {
                    let head = hub.state(repo, Some(&self.branch))?.sha;
                    if head == self.head && matches!(error, Error::Unreachable { .. }) {
                        // It knows its parent: should it be under way all the same, one of the two
                        // comes too late.
                        lost += 1;
                        if lost >= hub.client.tries() {
                            return Err(Error::GaveUp { tries: lost, last: Box::new(error) });
                        }
                        continue;
                    }
                    rebases += 1;
                    if head == self.head || rebases > MOST_REBASES {
                        return Err(error);
                    }
                    self.head = head;
                    self.look_again()?;
                }
            }
        }
        Ok(())
    }

    /// Goes on in the pull request that an earlier try made, if it is still there.
    pub fn go_on(&mut self) -> Result<()> {
        let Push { hub, repo, request, .. } = *self.push;
        let Some(number) = self.ledger.requested().filter(|_| request) else { return Ok(()) };
        match hub.state(repo, Some(&reference(number))) {
            Ok(state) => {
                self.head = state.sha;
                self.enter(number);
                Ok(())
            }
            Err(error) if error.is_missing() => self.ledger.request(None),
            Err(error) => Err(error),
        }
    }

    /// The pull request is made: what else there is goes there, and whatever ends this, the next try as well.
    fn ask(&mut self, number: Option<u64>) -> Result<()> {
        let number = number.ok_or_else(|| self.unheard())?;
        self.ledger.request(Some(number))?;
        self.enter(number);
        Ok(())
    }

    fn enter(&mut self, number: u64) {
        self.branch = reference(number);
        let page = self.push.hub.page(self.push.repo);
        self.pushed.request = Some(format!("{page}/discussions/{number}"));
    }

    fn unheard(&self) -> Error {
        Error::Unheard { url: self.push.hub.page(self.push.repo) }
    }

    /// Leaves out of what is pending what is there by now.
    fn look_again(&mut self) -> Result<()> {
        let Push { hub, repo, .. } = *self.push;
        let there = hub.files(repo, &self.head, "")?;
        let there: HashMap<_, _> =
            there.iter().map(|entry| (entry.path.as_str(), entry.digest.text())).collect();
        for change in std::mem::take(&mut self.pending) {
            let now = there.get(change.path()).copied();
            match &change {
                Change::Remove(path) => match now {
                    None => self.made(&change)?,
                    Some(_) if self.ledger.given().get(path).map(String::as_str) == now => {
                        self.pending.push(change);
                    }
                    Some(_) => self.give(path, None)?,
                },
                Change::Put { file, digest, .. } => {
                    let before = self.before.get(file.path()).and_then(Option::as_deref);
                    if now == Some(digest.text()) {
                        self.made(&change)?;
                    } else if now == before || self.push.request {
                        self.pending.push(change);
                    } else if file.yields() {
                        self.after.remove(file.path());
                    } else {
                        return Err(self.theirs(file.path()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes what the branch was given; by a pull request it is given nothing.
    fn give(&self, path: &str, hash: Option<&str>) -> Result<()> {
        if self.push.request { Ok(()) } else { self.ledger.give(path, hash) }
    }

    /// A change is in the repository.
    fn made(&mut self, change: &Change<'a>) -> Result<()> {
        match change {
            Change::Put { file, digest, .. } => {
                self.pushed.changed += 1;
                self.made.insert(file.path());
                self.give(file.path(), Some(digest.text()))
            }
            Change::Remove(path) => {
                self.pushed.removed += 1;
                self.give(path, None)
            }
        }
    }

    /// Looks whether the repository has every file as it is here.
    pub fn verify(&self) -> Result<()> {
        let there = self.push.hub.files(self.push.repo, &self.head, "")?;
        let there: HashMap<_, _> = there.iter().map(|entry| (entry.path.as_str(), entry)).collect();
        for (path, (size, digest)) in &self.after {
            let right = there.get(path).is_some_and(|entry| {
                // A small file may have come to be kept as a large one: then its size has to do.
                let alike = std::mem::discriminant(&entry.digest) == std::mem::discriminant(digest);
                entry.size == *size && (!alike || entry.digest == *digest)
            });
            if !right {
                // What is there of ours is not anybody else's: the next push replaces it.
                let found = there.get(path).filter(|_| self.made.contains(path));
                self.give(path, found.map(|entry| entry.digest.text()))?;
                let url = self.push.hub.page(self.push.repo);
                return Err(Error::Unverified { path: (*path).to_owned(), url });
            }
        }
        Ok(())
    }

    fn theirs(&self, path: &str) -> Error {
        Error::Theirs { path: path.to_owned(), url: self.push.hub.page(self.push.repo) }
    }
}
