//! Attempts side by side: each thread has a world and a policy of its own, so that what one does is
//! nothing to the others.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sinew_datasets::video::VideoWriter;
use sinew_sim::env::FPS;
use sinew_sim::{Env, Physics, Task};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;
use crate::run::attempt::{Actor, Outcome, attempt};
use crate::run::eyes::{Eyes, Lookout};

/// Which attempts.
pub struct Attempts<'a> {
    /// At what.
    pub task: &'a Task,
    /// What reckons their worlds.
    pub physics: Physics,
    /// The seed of the first; the others follow.
    pub seed: u64,
    /// How many.
    pub count: u64,
    /// How many at once.
    pub threads: usize,
    /// What the policy sees with.
    pub cameras: &'a [Lookout],
    /// Whether each seed has colours, light and cameras of its own.
    pub varied: bool,
    /// Of so many of the first a video is kept.
    pub videos: u64,
    /// In this folder.
    pub folder: &'a Path,
}

/// How large videos are.
const SIZE: [u32; 2] = [320, 240];

/// The video of one attempt.
struct Film {
    eyes: Eyes,
    writer: VideoWriter,
}

impl Film {
    fn begin(path: &Path, varied: bool) -> Result<Self, Failure> {
        let [width, height] = SIZE;
        let front = Lookout { feature: String::new(), name: "front".to_owned(), size: SIZE };
        let writer = VideoWriter::create(path, width, height, FPS)?;
        Ok(Self { eyes: Eyes::new(&[front], varied), writer })
    }

    fn take(&mut self, env: &Env, seed: u64) -> Result<(), Failure> {
        for (_, image) in self.eyes.look(env, seed) {
            self.writer.push(&image)?;
        }
        Ok(())
    }
}

/// Where the video of an attempt is, as LeRobot calls it.
pub fn video(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("eval_episode_{number}.mp4"))
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
    let successes = AtomicU64::new(0);
    let done = Mutex::new(Vec::new());
    let work = || -> Result<(), Failure> {
        let mut env = Env::by(attempts.physics, attempts.task.clone())?;
        let mut actor = actor()?;
        let mut eyes = Eyes::new(attempts.cameras, attempts.varied);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= attempts.count || over() || failed.load(Ordering::Acquire) {
                return Ok(());
            }
            let seed = attempts.seed.wrapping_add(number);
            let filmed = (number < attempts.videos).then(|| video(attempts.folder, number));
            let film = filmed.map(|path| Film::begin(&path, attempts.varied)).transpose();
            let mut film = film?;
            let look = &mut |env: &Env| {
                film.as_mut().map_or(Ok(()), |film| film.take(env, seed))?;
                Ok(eyes.look(env, seed))
            };
            let outcome = attempt(&mut env, seed, actor.as_mut(), look, &mut |_, _| Ok(()))?;
            if let Some(film) = film {
                film.writer.finish()?;
            }
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            done.push((number, outcome));
            successes.fetch_add(u64::from(outcome.success), Ordering::Relaxed);
            let successes = successes.load(Ordering::Relaxed);
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
