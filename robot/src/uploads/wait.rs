//! Pushing while somebody looks.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sinew_drivers::stop::StopFlag;
use sinew_hub::queue::{Entry, Standing};
use sinew_hub::{Account, Flow, Pushed};

use super::attempt::{Wrong, attempt, now};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::commands::dataset::bytes;

/// How often the line on the terminal is drawn anew.
const DRAWN: Duration = Duration::from_millis(200);

/// How often programs are told how far a push is.
const TOLD: Duration = Duration::from_secs(1);

/// Shows how far a push is.
pub struct Shown<'a> {
    report: &'a Report,
    begun: Instant,
    repo: String,
    told: Cell<Option<Instant>>,
}

impl<'a> Shown<'a> {
    /// Of what goes to this repository.
    pub fn new(report: &'a Report, repo: &str) -> Self {
        let (begun, repo, told) = (Instant::now(), repo.to_owned(), Cell::default());
        Self { report, begun, repo, told }
    }

    /// Shows it until it is over, and ends it once `flag` is raised; `ended` wakes those who wait.
    pub fn until(
        &self,
        flow: &Flow,
        flag: &StopFlag,
        is_over: impl Fn() -> bool,
        ended: impl Fn(),
    ) {
        while !is_over() {
            if flag.raised().is_some() {
                flow.end();
                ended();
            }
            self.draw(flow);
            if self.told.get().is_none_or(|told| told.elapsed() >= TOLD) {
                self.tell(flow);
            }
            std::thread::park_timeout(DRAWN);
        }
        self.tell(flow);
    }

    fn tell(&self, flow: &Flow) {
        self.told.set(Some(Instant::now()));
        let ((of_files, files), sent, waiting) = (flow.files(), flow.sent(), flow.waiting());
        self.report.event(&json!({
            "type": "progress",
            "repo": self.repo,
            "files": files,
            "of_files": of_files,
            "bytes": sent.min(waiting),
            "of_bytes": waiting,
        }));
    }

    fn draw(&self, flow: &Flow) {
        let ((files, seen), sent, waiting) = (flow.files(), flow.sent(), flow.waiting());
        let rate = sent as f64 / self.begun.elapsed().as_secs_f64().max(0.1);
        let share = if waiting > 0 { sent.min(waiting) as f64 / waiting as f64 } else { 0.0 };
        let line = format!(
            "{}: {seen} of {files} files looked at, {} of {} sent, {}/s",
            self.repo,
            bytes(sent.min(waiting)),
            bytes(waiting),
            bytes(rate as u64)
        );
        self.report.progress_at(&line, Some(share));
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.report.progress("");
    }
}

/// Pushes what an entry of the queue says, again and again until it is there, somebody has to do
/// something about it, or `flag` is raised. `once` tries no second time.
pub fn see_through(
    account: &Account,
    entry: &Entry,
    limit: Option<u64>,
    once: bool,
    flag: &StopFlag,
    report: &Report,
) -> Result<Pushed, Failure> {
    let name = entry.job.repo.clone();
    loop {
        let Some(mut turn) = entry.turn()? else {
            return Err(Failure::advise(
                Exit::Refused,
                format!("another program is pushing {name} just now"),
                "see how far it is: sinew hub status",
            ));
        };
        let flow = Flow::at_most(limit);
        let shown = Shown::new(report, &name);
        let result = std::thread::scope(|scope| {
            let pushing = std::thread::Builder::new().name("upload".into());
            let pushing = pushing.spawn_scoped(scope, || attempt(account, &mut turn, &flow));
            let pushing = pushing.map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot start a thread: {error}"))
            })?;
            shown.until(&flow, flag, || pushing.is_finished(), || {});
            Ok::<_, Failure>(
                pushing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        })?;
        drop(shown);
        let state = turn.state().clone();
        drop(turn);
        let wrong = match result {
            Ok(pushed) => return Ok(pushed),
            Err(wrong) => wrong,
        };
        let wait = match Standing::of(&entry.job, &state, now()) {
            Standing::Waiting(wait) if !once && flag.raised().is_none() => wait,
            _ => return Err(failure(wrong, &name)),
        };
        report.warn(format!("{}; the next try is in {wait} s", wrong.what));
        let until = Instant::now() + Duration::from_secs(wait);
        while Instant::now() < until {
            if flag.raised().is_some() {
                return Err(failure(wrong, &name));
            }
            report.progress(&format!("{name}: {} s", (until - Instant::now()).as_secs()));
            std::thread::park_timeout(DRAWN);
        }
        report.progress("");
    }
}

fn failure(wrong: Wrong, name: &str) -> Failure {
    let later = format!("what was sent stays sent; go on with: sinew hub retry {name}");
    if wrong.is_an_end() {
        return Failure::advise(Exit::Interrupted, wrong.what, later);
    }
    match wrong.hub {
        Some(error) => {
            let failure = Failure::from(*error);
            Failure { remedy: Some(failure.remedy.unwrap_or(later)), ..failure }
        }
        None => Failure::advise(Exit::Failed, wrong.what, later),
    }
}

/// Says that it is there, and where.
pub fn summary(account: &Account, entry: &Entry, pushed: &Pushed, report: &Report) -> Value {
    let Pushed { repo, commit, changed, removed, ignored, request, remarks } = pushed;
    let page = format!("{}/{}", account.endpoint(), repo.place());
    let changes = match (changed, removed) {
        (0, 0) => "nothing was new".to_owned(),
        (changed, 0) => format!("{changed} files are new or changed"),
        (changed, removed) => format!("{changed} files are new or changed, {removed} are gone"),
    };
    let at = request.as_ref().unwrap_or(&page);
    report.say(format!("{at}: {changes}, every file verified"));
    if entry.job.request && request.is_none() {
        report.warn("no pull request was made: there was nothing to ask for");
    }
    if repo.id() != entry.job.repo {
        report.warn(format!("{} was moved, and is called {repo} now", entry.job.repo));
    }
    if *ignored > 0 {
        report.warn(format!("{ignored} files are left out by the repository's own .gitignore"));
    }
    for remark in remarks {
        report.warn(format!("the hub says of its page, README.md: {remark}"));
    }
    json!({
        "repo": repo.to_string(),
        "url": page,
        "branch": entry.job.branch,
        "commit": commit,
        "changed": changed,
        "removed": removed,
        "ignored": ignored,
        "pull_request": request,
        "remarks": remarks,
    })
}
