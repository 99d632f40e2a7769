//! One try to push what a job says.

use std::time::{SystemTime, UNIX_EPOCH};

use sinew_hub::queue::Turn;
use sinew_hub::{Account, Flow, Push, Pushed, Repo};

use super::gather::gather;

/// Why a try came to nothing.
#[derive(Debug)]
pub struct Wrong {
    /// What went wrong.
    pub what: String,
    /// Whether it may pass by itself.
    pub may_pass: bool,
    /// The hub's side of it, where it has one.
    pub hub: Option<Box<sinew_hub::Error>>,
}

impl Wrong {
    /// Something that somebody has to see to.
    pub fn of(what: String) -> Self {
        Self { what, may_pass: false, hub: None }
    }

    /// Whether somebody ended it, and nothing is wrong.
    pub fn is_an_end(&self) -> bool {
        matches!(self.hub.as_deref(), Some(sinew_hub::Error::Ended))
    }
}

impl From<sinew_hub::Error> for Wrong {
    fn from(error: sinew_hub::Error) -> Self {
        Self { what: error.to_string(), may_pass: error.may_pass(), hub: Some(Box::new(error)) }
    }
}

impl From<sinew_datasets::Error> for Wrong {
    fn from(error: sinew_datasets::Error) -> Self {
        match error {
            sinew_datasets::Error::Server(error) => error.into(),
            // Another program is writing there, and will be done.
            error
            @ (sinew_datasets::Error::Busy { .. } | sinew_datasets::Error::Refused { .. }) => {
                Self { what: error.to_string(), may_pass: true, hub: None }
            }
            error => Self::of(error.to_string()),
        }
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Tries once, and keeps how it went.
pub fn attempt(account: &Account, turn: &mut Turn, flow: &Flow) -> Result<Pushed, Wrong> {
    let asked = turn.job().asked;
    let result = push(account, turn, flow);
    let state = turn.state().clone();
    turn.went(match &result {
        Ok(pushed) => state.succeeded(asked, &pushed.commit),
        // Whoever ends it has no fault to look at.
        Err(wrong) if wrong.is_an_end() => state,
        Err(wrong) => state.failed(&wrong.what, wrong.may_pass, now()),
    })?;
    result
}

fn push(account: &Account, turn: &Turn, flow: &Flow) -> Result<Pushed, Wrong> {
    let job = turn.job();
    if account.endpoint() != job.endpoint {
        return Err(Wrong::of(format!(
            "it belongs on another hub than the one that is set now (export HF_ENDPOINT={})",
            job.endpoint
        )));
    }
    let hub = account.hub_until(flow.ender())?;
    let repo = Repo::new(job.kind, &job.repo)?;
    let gathered = gather(turn)?;
    let push = Push {
        hub: &hub,
        repo: &repo,
        branch: &job.branch,
        private: job.private,
        title: &format!("Upload {} with Sinew", job.kind.singular()),
        files: &gathered.files,
        mirror: true,
        replace: job.replace,
        request: job.request,
    };
    let pushed = push.run(&turn.ledger()?, flow)?;
    // What is only asked for is no version yet.
    if let Some(tag) = gathered.tag.filter(|_| !job.request) {
        hub.tag(&pushed.repo, tag, &pushed.commit)?;
    }
    Ok(pushed)
}
