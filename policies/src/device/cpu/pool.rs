//! A few threads that all do their share of one job, again and again. Shares are fixed by number, so
//! that the same thread count gives the same sums.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// Looks at the clock of jobs so often before it sleeps: some 20 µs, longer than most steps are
/// apart.
const SPINS: usize = 4000;

type Job<'a> = dyn Fn(usize) + Sync + 'a;

struct Shared {
    /// Counts the jobs; a change says that there is a new one.
    turn: AtomicUsize,
    /// Workers that have not done their share.
    left: AtomicUsize,
    job: UnsafeCell<Option<*const Job<'static>>>,
    over: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: the job is written only between turns, when no worker reads it.
unsafe impl Sync for Shared {}
// SAFETY: the job's pointer is used only during a turn, while the caller keeps the job alive.
unsafe impl Send for Shared {}

/// The threads. The caller's is number 0.
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// So many threads, the caller's among them.
    pub fn new(threads: usize) -> Result<Self> {
        let shared = Arc::new(Shared {
            turn: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            over: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let threads = (1..threads).map(|worker| {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(format!("policy-{worker}"));
            thread.spawn(move || work(&shared, worker))
        });
        let threads = threads.collect::<std::io::Result<_>>().map_err(|error| {
            Error::Unsupported { what: format!("cannot start a thread: {error}") }
        })?;
        Ok(Self { shared, threads })
    }

    /// How many there are.
    pub fn workers(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls the job with every worker's number, each in its thread, and returns when all have
    /// come back. A worker's panic is the caller's. The pool belongs to one caller at a time.
    pub fn run(&mut self, job: &Job<'_>) {
        if self.threads.is_empty() {
            return job(0);
        }
        let forever: *const Job<'_> = job;
        // SAFETY: only the lifetime differs, and no worker uses the job after this call returns.
        let forever =
            unsafe { std::mem::transmute::<*const Job<'_>, *const Job<'static>>(forever) };
        // SAFETY: all workers wait for the next turn; the exclusive borrow keeps other callers out.
        unsafe { *self.shared.job.get() = Some(forever) };
        self.shared.left.store(self.threads.len(), Ordering::Relaxed);
        self.shared.turn.fetch_add(1, Ordering::Release);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut looks = 0usize;
        while self.shared.left.load(Ordering::Acquire) > 0 {
            looks += 1;
            if looks < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let others = self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = own.err().or(others) {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.shared.turn.fetch_add(1, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A worker catches its panics, so there is nothing that it could still say.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, worker: usize) {
    let mut turn = 0;
    loop {
        let mut looks = 0;
        while shared.turn.load(Ordering::Acquire) == turn {
            looks += 1;
            if looks < SPINS { std::hint::spin_loop() } else { std::thread::park() }
        }
        turn += 1;
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the job was written before the turn, and its caller waits for this worker.
            if let Some(job) = unsafe { (*shared.job.get()).map(|job| &*job) } {
                job(worker);
            }
        }));
        if let Err(panic) = done {
            *shared.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        shared.left.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_does_its_share_of_every_job() {
        for threads in [1, 2, 5] {
            let mut pool = Pool::new(threads).unwrap();
            let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..500 {
                pool.run(&|worker| {
                    counts[worker].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 500));
        }
    }

    #[test]
    fn a_panic_is_the_callers_and_the_pool_lives_on() {
        let mut pool = Pool::new(3).unwrap();
        for culprit in 0..3 {
            let job = |worker| assert_ne!(worker, culprit);
            assert!(catch_unwind(AssertUnwindSafe(|| pool.run(&job))).is_err());
            pool.run(&|_| {});
        }
    }
}
