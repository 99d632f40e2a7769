//! Files of this machine into a repository.
//!
//! ```text
//!  files ─▶ what the hub wants of each (plan) ─▶ large ones ahead (store) ─▶ commits ─▶ verified
//!            what is there already falls out       parts that are there stay    parent checked
//! ```
//! Whatever ends it, the next push of the same files goes on where this one was: what is there already
//! is found there, and what is half there is in the [`Ledger`].

mod commit;
mod flow;
mod ledger;
mod local;
mod page;
mod plan;
mod room;
mod store;
mod way;

use std::sync::atomic::Ordering;

use crate::{Absent, Error, Hub, Repo, Result};
use plan::MOST_FILES;
use way::Way;

#[cfg(test)]
mod tests;

pub use commit::read_commit;
pub use flow::Flow;
pub use ledger::{Ledger, read_ledger};
pub use local::Local;
pub use plan::read_plan;
pub use store::read_batch;

/// Files for a repository.
#[derive(Debug)]
pub struct Push<'a> {
    /// Which hub.
    pub hub: &'a Hub,
    /// Which repository, made where there is none.
    pub repo: &'a Repo,
    /// Which branch, made where there is none.
    pub branch: &'a str,
    /// Whether a repository that is made is for its owner's eyes only.
    pub private: bool,
    /// What the commit is called.
    pub title: &'a str,
    /// The files, those last that the others are found by: they may come in a commit of their own.
    pub files: &'a [Local],
    /// Whether files that an earlier push with this ledger brought, and that are no longer among
    /// those here, are taken away.
    pub mirror: bool,
    /// Whether what others wrote under the same paths since the last push with this ledger is
    /// replaced.
    pub replace: bool,
    /// Whether the branch is left as it is, and others are asked to take the change over into it: what is
    /// theirs is not overwritten by that, and nothing is taken away.
    pub request: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The repository, by the name that it has now.
    pub repo: Repo,
    /// The commit that has all of it.
    pub commit: String,
    /// How many files are new or changed.
    pub changed: usize,
    /// How many were taken away.
    pub removed: usize,
    /// How many the repository's own rules leave out.
    pub ignored: usize,
    /// The address of the pull request, where one was made.
    pub request: Option<String>,
    /// What the hub finds odd about the repository's page.
    pub remarks: Vec<String>,
}

impl Push<'_> {
    /// Does it.
    pub fn run(&self, ledger: &Ledger, flow: &Flow) -> Result<Pushed> {
        self.see_through(ledger, flow).map_err(|error| self.hub.client.told(error))
    }

    fn see_through(&self, ledger: &Ledger, flow: &Flow) -> Result<Pushed> {
        flow.files.store(self.files.len() as u64, Ordering::Relaxed);
        let (repo, head) = self.place()?;
        Push { repo: &repo, ..*self }.bring(head, ledger, flow)
    }

    /// The repository by the name that it has now, and the commit that the branch is at. Both are made
    /// where they are missing: not the repository where it only has another name by now.
    fn place(&self) -> Result<(Repo, String)> {
        let Self { hub, repo, branch, .. } = *self;
        match hub.state(repo, Some(branch)) {
            Ok(state) => return Ok((state.repo(repo), state.sha)),
            Err(Error::Missing { what: Absent::Revision, .. }) => {}
            Err(Error::Missing { .. } | Error::Denied { .. }) => {
                hub.create(repo, self.private)?;
            }
            Err(error) => return Err(error),
        }
        if branch != "main" {
            hub.branch(repo, branch)?;
        }
        let state = hub.state(repo, Some(branch))?;
        Ok((state.repo(repo), state.sha))
    }

    fn bring(&self, head: String, ledger: &Ledger, flow: &Flow) -> Result<Pushed> {
        let mut way = Way::begin(self, head, ledger, flow);
        way.go_on()?;
        for files in self.files.chunks(MOST_FILES) {
            way.bring(files)?;
            if way.is_full() {
                way.commit()?;
            }
        }
        way.take_away()?;
        way.commit()?;
        way.verify()?;
        if self.request {
            ledger.request(None)?;
        }
        ledger.sync()?;
        Ok(way.end())
    }
}
