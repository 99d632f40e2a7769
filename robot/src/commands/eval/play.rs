//! Attempts side by side: each thread has a world and a policy of its own, so that what one does is
//! nothing to the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sinew_sim::{Env, Task};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::run::attempt::{Actor, Outcome, attempt};

/// Which attempts.
pub struct Attempts<'a> {
    /// At what.
    pub task: &'a Task,
    /// The seed of the first; the others follow.
    pub seed: u64,
    /// How many.
    pub count: u64,
    /// How many at once.
    pub threads: usize,
}

/// Makes them all. The outcomes are those of each seed alone, in the seeds' order, however many
/// threads there are.
pub fn play(
    attempts: &Attempts<'_>,
    actor: &(dyn Fn() -> Result<Box<dyn Actor>, Failure> + Sync),
    over: &(dyn Fn() -> bool + Sync),
    report: &Report,
) -> Result<Vec<Outcome>, Failure> {
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let done = Mutex::new(Vec::new());
    let work = || -> Result<(), Failure> {
        let mut env = Env::new(attempts.task.clone())?;
        let mut actor = actor()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= attempts.count || over() || failed.load(Ordering::Acquire) {
                return Ok(());
            }
            let seed = attempts.seed.wrapping_add(number);
            let outcome =
                attempt(&mut env, seed, actor.as_mut(), &mut |_| Ok(Vec::new()), &mut |_, _| {
                    Ok(())
                })?;
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            done.push((number, outcome));
            let successes = done.iter().filter(|(_, outcome)| outcome.success).count();
            let line = format!("{} of {}, {successes} achieved", done.len(), attempts.count);
            report.progress_at(&line, Some(done.len() as f64 / attempts.count as f64));
        }
    };
    let ends = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..attempts.threads.max(1) {
            let run = || {
                let end = work();
                if end.is_err() {
                    failed.store(true, Ordering::Release);
                }
                end
            };
            let name = format!("attempts {number}");
            threads.push(std::thread::Builder::new().name(name).spawn_scoped(scope, run));
        }
        let join = |spawned: std::io::Result<std::thread::ScopedJoinHandle<'_, _>>| {
            let lost = |what: &str| Failure::new(Exit::Failed, what.to_owned());
            let thread =
                spawned.map_err(|error| lost(&format!("cannot start a thread: {error}")))?;
            thread.join().map_err(|_panic| lost("a thread of attempts panicked"))?
        };
        threads.into_iter().map(join).collect::<Vec<Result<(), Failure>>>()
    });
    report.progress("");
    ends.into_iter().collect::<Result<(), _>>()?;
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}
