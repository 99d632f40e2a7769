//! Batches for training, prepared ahead by threads, in an order that only the seed decides.

mod batch;
mod sampler;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use batch::{Batch, Block};
pub use sampler::Order;

use crate::image::Image;
use crate::reader::{Deltas, Item, Series, View};
use crate::{Dataset, Error, Result};

/// What is done to every image before it goes into a batch: resizing, augmentation. The numbers are
/// the frame's in the dataset and the epoch's, for whoever wants the same picture twice.
pub type Transform = Arc<dyn Fn(&str, Image, u64, u64) -> Image + Send + Sync>;

/// What batches are made of, and how.
#[derive(Clone)]
pub struct Plan {
    /// Which neighbours in time each frame brings along.
    pub deltas: Deltas,
    /// Which episodes; all where none are named.
    pub episodes: Option<Vec<u64>>,
    /// How many frames make a batch.
    pub batch: usize,
    /// Their order.
    pub order: Order,
    /// Whether the frames left at the end of an epoch, too few for a batch, are left out.
    pub whole_batches: bool,
    /// How many threads prepare batches.
    pub threads: usize,
    /// What is done to every image.
    pub transform: Option<Transform>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            deltas: Deltas::default(),
            episodes: None,
            batch: 8,
            order: Order::Shuffled { seed: 0 },
            whole_batches: false,
            threads: 2,
            transform: None,
        }
    }
}

/// The batches of one epoch.
pub struct Loader {
    batches: usize,
    next: usize,
    ready: Receiver<(usize, Result<Batch>)>,
    early: BTreeMap<usize, Result<Batch>>,
    pace: Arc<Pace>,
    threads: Vec<JoinHandle<()>>,
}

/// How far the threads may run ahead: so that what is prepared stays bounded.
struct Pace {
    taken: Mutex<usize>,
    moved: Condvar,
    ended: AtomicBool,
    next: AtomicUsize,
    ahead: usize,
}

impl Loader {
    /// Begins to prepare the batches of an epoch.
    pub fn start(dataset: &Arc<Dataset>, plan: &Plan, epoch: u64) -> Result<Self> {
        let view = View::new(dataset, plan.deltas.clone(), plan.episodes.as_deref())?;
        let size = plan.batch.max(1);
        let places = Arc::new(sampler::places(plan.order, epoch, view.len()));
        let batches = match plan.whole_batches {
            true => places.len() / size,
            false => places.len().div_ceil(size),
        };
        let count = plan.threads.clamp(1, 64);
        let pace = Arc::new(Pace {
            taken: Mutex::new(0),
            moved: Condvar::new(),
            ended: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            ahead: 2 * count,
        });
        let (send, ready) = sync_channel(2 * count);
        let mut threads = Vec::new();
        for _ in 0..count {
            let (dataset, plan, places) = (Arc::clone(dataset), plan.clone(), Arc::clone(&places));
            let (pace, send) = (Arc::clone(&pace), send.clone());
            let work = move || prepare(&dataset, &plan, epoch, &places, batches, &pace, &send);
            let thread = std::thread::Builder::new().name("loader".into()).spawn(work);
            let failed = Error::io("cannot start a thread for", std::path::Path::new("loader"));
            threads.push(thread.map_err(failed)?);
        }
        Ok(Self { batches, next: 0, ready, early: BTreeMap::new(), pace, threads })
    }

    /// How many batches the epoch has.
    pub fn len(&self) -> usize {
        self.batches
    }

    /// Whether the epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.batches == 0
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.batches {
            return None;
        }
        let batch = loop {
            if let Some(batch) = self.early.remove(&self.next) {
                break batch;
            }
            match self.ready.recv() {
                Ok((number, batch)) => drop(self.early.insert(number, batch)),
                Err(_all_gone) => {
                    break Err(Error::Refused { what: "the loader's threads ended early".into() });
                }
            }
        };
        self.next += 1;
        *self.pace.taken.lock().unwrap_or_else(PoisonError::into_inner) = self.next;
        self.pace.moved.notify_all();
        Some(batch)
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.pace.ended.store(true, Ordering::Relaxed);
        self.pace.moved.notify_all();
        // Whoever waits to hand a batch over finds nobody there.
        let (_, nobody) = sync_channel(1);
        self.ready = nobody;
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing more to say.
            let _ended = thread.join();
        }
    }
}

fn prepare(
    dataset: &Dataset,
    plan: &Plan,
    epoch: u64,
    places: &[u64],
    batches: usize,
    pace: &Pace,
    send: &SyncSender<(usize, Result<Batch>)>,
) {
    loop {
        let number = pace.next.fetch_add(1, Ordering::Relaxed);
        if number >= batches || !pace.wait_for(number) {
            return;
        }
        let size = plan.batch.max(1);
        let wanted = &places[number * size..places.len().min((number + 1) * size)];
        let batch = View::new(dataset, plan.deltas.clone(), plan.episodes.as_deref())
            .and_then(|view| wanted.iter().map(|at| view.item(*at)).collect::<Result<Vec<_>>>())
            .map(|items| items.into_iter().map(|item| transformed(item, plan, epoch)).collect())
            .and_then(|items: Vec<Item>| Batch::of(&items));
        if send.send((number, batch)).is_err() {
            return;
        }
    }
}

fn transformed(mut item: Item, plan: &Plan, epoch: u64) -> Item {
    if let Some(transform) = &plan.transform {
        for (name, series) in &mut item.features {
            if let Series::Images(images) = series {
                for image in images {
                    *image = transform(name, image.clone(), item.index, epoch);
                }
            }
        }
    }
    item
}

impl Pace {
    /// Waits until a batch may be prepared; whether it is still wanted then.
    fn wait_for(&self, number: usize) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |taken: &mut usize| {
            number >= *taken + self.ahead && !self.ended.load(Ordering::Relaxed)
        };
        let done = self.moved.wait_while(taken, wait);
        drop(done);
        !self.ended.load(Ordering::Relaxed)
    }
}
