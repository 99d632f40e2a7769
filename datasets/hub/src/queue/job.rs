//! A job, and how it stands.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Kind;

/// The first wait after a failure, and the longest, in seconds.
const FIRST_WAIT: u64 = 5;
const LONGEST_WAIT: u64 = 600;

/// A folder that is to be in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The folder.
    pub root: PathBuf,
    /// The hub.
    pub endpoint: String,
    /// What the repository holds.
    #[serde(default = "dataset")]
    pub kind: Kind,
    /// The repository, `owner/name`.
    pub repo: String,
    /// The branch.
    pub branch: String,
    /// Whether a repository that is made is for its owner's eyes only.
    #[serde(default)]
    pub private: bool,
    /// Words that its card is found by, besides the usual ones.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The licence that its card names.
    #[serde(default)]
    pub license: Option<String>,
    /// Whether what others wrote under the same paths is replaced.
    #[serde(default)]
    pub replace: bool,
    /// Whether others are asked to take it over into the branch, which is left as it is.
    #[serde(default)]
    pub request: bool,
    /// How often it was asked for: what is written afterwards belongs to the next time.
    #[serde(default)]
    pub asked: u64,
}

fn dataset() -> Kind {
    Kind::Dataset
}

/// How a job went so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Up to which time of asking everything is there.
    #[serde(default)]
    pub done: u64,
    /// The commit that it is there in.
    #[serde(default)]
    pub commit: Option<String>,
    /// How many tries have failed since the last that did not.
    #[serde(default)]
    pub failures: u32,
    /// What went wrong last.
    #[serde(default)]
    pub error: Option<String>,
    /// Whether trying again makes no sense until somebody has done something about it.
    #[serde(default)]
    pub held: bool,
    /// When the next try makes sense, in seconds since 1970.
    #[serde(default)]
    pub next: u64,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything is there.
    Done,
    /// It can be pushed.
    Due,
    /// It failed, and is tried again in so many seconds.
    Waiting(u64),
    /// It failed, and somebody has to do something about it.
    Held,
}

impl Standing {
    /// Of a job that went so, at this time in seconds since 1970.
    pub fn of(job: &Job, state: &State, now: u64) -> Self {
        if state.done >= job.asked {
            Self::Done
        } else if state.held {
            Self::Held
        } else if state.next > now {
            // A clock that was set back does not make anybody wait for longer than it can be.
            Self::Waiting((state.next - now).min(LONGEST_WAIT))
        } else {
            Self::Due
        }
    }
}

impl State {
    /// After everything up to a time of asking has come to this commit.
    pub fn succeeded(self, asked: u64, commit: &str) -> Self {
        Self { done: self.done.max(asked), commit: Some(commit.to_owned()), ..Self::default() }
    }

    /// After a failure at this time, which may pass by itself or not.
    pub fn failed(self, error: &str, may_pass: bool, now: u64) -> Self {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(16)).min(LONGEST_WAIT);
        Self {
            failures: self.failures.saturating_add(1),
            error: Some(error.to_owned()),
            held: !may_pass,
            next: now.saturating_add(wait),
            ..self
        }
    }

    /// So that it is tried at once.
    pub fn released(self) -> Self {
        Self { held: false, next: 0, failures: 0, ..self }
    }
}
