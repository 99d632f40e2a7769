//! Pushing beside a recording: at the lowest priority, and nobody waits for it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use sinew_drivers::stop::StopFlag;
use sinew_hub::queue::{Entry, Job, Queue, Standing};
use sinew_hub::{Account, Flow};

use super::attempt::{attempt, now};
use super::wait::Shown;
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::run::realtime::stand_back;

/// A push that is asked for again and again.
pub struct Background {
    queue: Queue,
    job: Job,
    shared: Arc<Shared>,
    flag: StopFlag,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    flow: Flow,
    bell: Mutex<Bell>,
    rang: Condvar,
}

#[derive(Default)]
struct Bell {
    /// The newest of what is to be pushed.
    entry: Option<Entry>,
    /// Whether nothing more is asked for.
    closing: bool,
    /// Why asking failed, if it did.
    refused: Option<String>,
}

impl Background {
    /// Waits for something to push.
    pub fn start(
        account: Account,
        queue: Queue,
        job: Job,
        limit: Option<u64>,
        flag: &StopFlag,
    ) -> Result<Self, Failure> {
        let (bell, rang) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { flow: Flow::at_most(limit), bell, rang });
        let beside = Arc::clone(&shared);
        let work = move || {
            stand_back();
            beside.work(&account);
        };
        let thread = std::thread::Builder::new().name("upload".into()).spawn(work);
        let thread = thread.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot start a thread: {error}"))
        })?;
        Ok(Self { queue, job, shared, flag: flag.clone(), thread: Some(thread) })
    }

    /// Asks for what is in the folder now to be pushed; that it was asked for survives anything.
    pub fn ask(&self) {
        let asked = self.queue.ask(&self.job);
        let mut bell = self.shared.bell();
        match asked {
            Ok(entry) => bell.entry = Some(entry),
            Err(error) => bell.refused = Some(error.to_string()),
        }
        self.shared.rang.notify_all();
    }

    /// Waits until everything is there, or nothing more can be done now, or somebody ends it: then the
    /// rest stays in the queue. Says how it went.
    pub fn finish(mut self, report: &Report) -> Value {
        self.shared.bell().closing = true;
        self.shared.rang.notify_all();
        let Some(thread) = self.thread.take() else { return Value::Null };
        let shown = Shown::new(report, &self.job.repo);
        if !thread.is_finished() && self.flag.raised().is_none() {
            report.note("The rest is uploaded; Ctrl-C leaves it for: sinew hub retry");
        }
        let wake = || self.shared.rang.notify_all();
        shown.until(&self.shared.flow, &self.flag, || thread.is_finished(), wake);
        drop(shown);
        if thread.join().is_err() {
            report.warn("the upload ended without a word; go on with it: sinew hub retry");
        }
        self.result(report)
    }

    fn result(&self, report: &Report) -> Value {
        let bell = self.shared.bell();
        let Some(entry) = &bell.entry else {
            if let Some(why) = &bell.refused {
                report.warn(format!("nothing is uploaded: {why}"));
            }
            return json!({ "repo": self.job.repo, "done": false, "error": bell.refused });
        };
        let done = entry.standing(now()) == Standing::Done;
        let name = &self.job.repo;
        if done {
            report.say(format!("uploaded: {name}"));
        } else {
            let why = entry.state.error.as_deref().unwrap_or("it was ended");
            report.warn(format!("not all of it is uploaded yet: {why}"));
            report.note(format!("go on with it: sinew hub retry {name}"));
        }
        json!({
            "repo": name,
            "done": done,
            "commit": entry.state.commit,
            "error": entry.state.error,
            "bytes": self.shared.flow.sent(),
        })
    }
}

impl Drop for Background {
    /// Whoever ends without finishing leaves the rest to the queue.
    fn drop(&mut self) {
        self.shared.flow.end();
        self.shared.rang.notify_all();
    }
}

impl Shared {
    fn bell(&self) -> MutexGuard<'_, Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, account: &Account) {
        let mut bell = self.bell();
        let mut last = false;
        while !self.flow.is_ended() {
            let standing = bell.entry.as_ref().map(|entry| entry.standing(now()));
            let (closing, entry) = (bell.closing, bell.entry.clone());
            // What waits is tried once more at the end, and then left to the queue.
            let again = closing && matches!(standing, Some(Standing::Waiting(_))) && !last;
            last |= again;
            match (standing, entry) {
                (due, Some(entry)) if again || due == Some(Standing::Due) => {
                    drop(bell);
                    let state = self.push(account, &entry);
                    bell = self.bell();
                    if let (Some(newest), Some(state)) = (&mut bell.entry, state) {
                        newest.state = state;
                    }
                }
                (Some(Standing::Waiting(wait)), _) if !closing => {
                    let wait = Duration::from_secs(wait);
                    let waited = self.rang.wait_timeout(bell, wait);
                    bell = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                _ if closing => return,
                _ => bell = self.rang.wait(bell).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Tries once; nothing where another program has the turn.
    fn push(&self, account: &Account, entry: &Entry) -> Option<sinew_hub::queue::State> {
        match entry.turn() {
            Ok(Some(mut turn)) => {
                // How it went is in the state.
                attempt(account, &mut turn, &self.flow).err();
                Some(turn.state().clone())
            }
            Ok(None) => {
                let why = "another program is pushing it";
                Some(entry.state.clone().failed(why, true, now()))
            }
            Err(error) => Some(entry.state.clone().failed(&error.to_string(), false, now())),
        }
    }
}
