//! The steps of a program: kernels with everything they need, and how their work is shared out.

use std::ops::Range;

use super::pool::Pool;
use crate::kernels::attention::Attention;
use crate::kernels::norms::{GroupNorm, Scales};
use crate::kernels::places::{Border, MaxPool, SpatialSoftmax};
use crate::kernels::pooled::Pooled;
use crate::kernels::product::Product;
use crate::kernels::rows::Rows;
use crate::kernels::slab::Slab;
use crate::kernels::winograd::{PRODUCTS, Winograd};
use crate::kernels::{Kernels, ROWS, Stored, Tail, whole};

/// How much of its work a step does: the first few of all images.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// So many.
    pub images: usize,
    /// Of so many.
    pub all: usize,
}

impl Part {
    /// All of it.
    pub const WHOLE: Self = Self { images: 1, all: 1 };

    fn of(self, count: usize) -> usize {
        count / self.all * self.images
    }
}

/// Numbers below which a step is not worth waking anybody for.
const SMALL: usize = 1 << 14;

/// One step: what its kernel does, and in how many shares.
pub enum Step {
    Product(Product),
    Winograd(Winograd),
    Pooled(Pooled),
    MaxPool(MaxPool, Rows),
    Border(Border),
    LayerNorm(LayerNorm),
    GroupNorm(GroupNorm),
    Attention(Attention),
    SpatialSoftmax(SpatialSoftmax),
    Copy(Copy),
}

/// A norm over every row.
pub struct LayerNorm {
    pub kernels: &'static Kernels,
    pub from: Rows,
    pub into: Rows,
    pub scales: Scales,
    pub tails: Vec<Tail>,
}

/// The same numbers in another place, and what is done to them there. Rows of other lengths are
/// filled one after the other.
pub struct Copy {
    pub kernels: &'static Kernels,
    pub from: Rows,
    pub into: Rows,
    pub tails: Vec<Tail>,
}

/// Memory that every worker has for itself, and that nobody looks at after a step.
pub struct Scratch {
    numbers: Slab,
    /// What all workers share: rows as whole numbers.
    whole: Slab,
    pointers: Slab,
    /// Numbers of one worker.
    each: usize,
    /// Pointers of one worker.
    each_pointers: usize,
}

impl Scratch {
    /// Room for what any of the steps needs.
    pub fn new(steps: &[Step], workers: usize) -> Self {
        let most = |need: &dyn Fn(&Step) -> usize| {
            steps.iter().map(need).max().unwrap_or_default().next_multiple_of(16)
        };
        let each = most(&Step::numbers);
        let each_pointers = most(&Step::pointers);
        Self {
            numbers: Slab::floats(each * workers),
            whole: Slab::floats(most(&Step::whole)),
            pointers: Slab::bytes(each_pointers * workers * size_of::<usize>()),
            each,
            each_pointers,
        }
    }

    fn numbers(&self, worker: usize) -> *mut f32 {
        self.numbers.start::<f32>().wrapping_add(worker * self.each)
    }

    /// A worker's pointers and numbers.
    fn own(&self, worker: usize) -> (*mut *const f32, *mut f32) {
        (self.pointers(worker), self.numbers(worker))
    }

    fn pointers(&self, worker: usize) -> *mut *const f32 {
        self.pointers.start::<*const f32>().wrapping_add(worker * self.each_pointers)
    }
}

impl Step {
    /// What the step does, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Product(_) => "product",
            Self::Winograd(_) => "winograd",
            Self::Pooled(_) => "product, max pool",
            Self::MaxPool(..) => "max pool",
            Self::Border(_) => "border",
            Self::LayerNorm(_) => "layer norm",
            Self::GroupNorm(_) => "group norm",
            Self::Attention(_) => "attention",
            Self::SpatialSoftmax(_) => "spatial softmax",
            Self::Copy(_) => "copy",
        }
    }

    /// How many numbers of scratch a worker needs.
    fn numbers(&self) -> usize {
        match self {
            Self::Product(step) => step.scratch(),
            Self::Pooled(step) => step.scratch(),
            Self::Winograd(step) => step.scratch(step.together()),
            Self::GroupNorm(step) => step.scratch(),
            Self::Attention(step) => step.scratch(),
            Self::SpatialSoftmax(step) => step.scratch(),
            _ => 0,
        }
    }

    /// How many numbers all workers together need for whole ones.
    fn whole(&self) -> usize {
        match self {
            Self::Product(product) | Self::Pooled(Pooled { product, .. }) => {
                match product.packed.stored {
                    Stored::Int8 => whole::size(&product.from),
                    _ => 0,
                }
            }
            _ => 0,
        }
    }

    fn pointers(&self) -> usize {
        match self {
            Self::Product(step) => step.pointers(),
            Self::Pooled(step) => step.product.pointers(),
            Self::Winograd(step) => step.together() + ROWS,
            Self::Attention(step) => step.pointers(),
            _ => 0,
        }
    }

    /// Does the step, with as many workers as it is worth; of products, norms and copies only the part
    /// that is wanted.
    ///
    /// # Safety
    /// The memory that the step was made for is there and nobody else uses it; the scratch was made
    /// for this step and these workers.
    pub unsafe fn run(&self, pool: &mut Pool, scratch: &Scratch, part: Part) {
        match self {
            Self::Product(step) => run_product(step, pool, scratch, part),
            Self::Winograd(step) => run_winograd(step, pool, scratch),
            Self::Pooled(step) => {
                let from = whole_rows(&step.product, pool, scratch, Part::WHOLE);
                let lines = step.pool.into.count / step.pool.out[1];
                shared(pool, step.scratch(), lines, |lines, worker| {
                    // SAFETY: as promised; every worker has its own lines and scratch.
                    unsafe { step.run(&from, lines, scratch.own(worker)) };
                });
            }
            Self::MaxPool(step, from) => {
                shared(pool, size(&step.into), step.into.count, |rows, _| {
                    // SAFETY: as promised; every worker has its own rows.
                    unsafe { step.run(from, rows) };
                });
            }
            Self::Border(step) => {
                let lines = step.from.count / step.grid[1];
                shared(pool, size(&step.from), lines, |lines, _| {
                    // SAFETY: as promised; every worker has its own lines.
                    unsafe { step.run(lines) };
                });
            }
            Self::LayerNorm(step) => {
                let rows = part.of(step.from.count);
                shared(pool, part.of(size(&step.from)) * 4, rows, |rows, _| {
                    // SAFETY: as promised; every worker has its own rows.
                    unsafe { step.run(rows) };
                });
            }
            Self::GroupNorm(step) => {
                let images = part.of(step.images);
                shared(pool, part.of(size(&step.from)) * 8, step.groups, |groups, worker| {
                    // SAFETY: as promised; every worker has its own groups and scratch.
                    unsafe { step.run(images, groups, scratch.numbers(worker)) };
                });
            }
            Self::Attention(step) => {
                let work = step.queries.count * step.keys.count * step.heads;
                shared(pool, work * 16, step.heads, |heads, worker| {
                    for head in heads {
                        // SAFETY: as promised; every worker has its own heads and scratch.
                        unsafe {
                            step.run(head, scratch.numbers(worker), scratch.pointers(worker))
                        };
                    }
                });
            }
            Self::SpatialSoftmax(step) => {
                shared(pool, size(&step.from) * 8, step.from.channels, |channels, worker| {
                    // SAFETY: as promised; every worker has its own channels and scratch.
                    unsafe { step.run(channels, scratch.numbers(worker)) };
                });
            }
            Self::Copy(step) => {
                let rows = part.of(step.into.count);
                shared(pool, rows * step.into.channels * 2, rows, |rows, _| {
                    // SAFETY: as promised; every worker has its own rows.
                    unsafe { step.run(rows) };
                });
            }
        }
    }
}

fn size(rows: &Rows) -> usize {
    rows.count * rows.channels
}

/// Gives every worker its share of so many pieces; all to the caller where the work is small.
fn shared(pool: &mut Pool, work: usize, pieces: usize, job: impl Fn(Range<usize>, usize) + Sync) {
    let workers = pool.workers();
    if work < SMALL || workers == 1 {
        return job(0..pieces, 0);
    }
    pool.run(&|worker| job(share(pieces, worker, workers, 1), worker));
}

/// A worker's share of so many pieces, of which `grain` stay together.
fn share(pieces: usize, worker: usize, workers: usize, grain: usize) -> Range<usize> {
    let grains = pieces.div_ceil(grain);
    let edge = |worker: usize| (grains * worker / workers * grain).min(pieces);
    edge(worker)..edge(worker + 1)
}

/// A product's rows, as whole numbers where its weights are such.
fn whole_rows(step: &Product, pool: &mut Pool, scratch: &Scratch, part: Part) -> Rows {
    let from = step.from;
    if step.packed.stored != Stored::Int8 {
        return from;
    }
    let into = whole::place(&from, scratch.whole.start());
    shared(pool, part.of(size(&from)) * 2, part.of(from.count), |rows, _| {
        // SAFETY: as `Step::run`'s caller promises; every worker has its own rows.
        rows.for_each(|row| unsafe { whole::round(step.kernels, &from, &into, row) });
    });
    into
}

/// Shares out a product by rows or by outputs: what it reads more of is read by one worker only.
fn run_product(step: &Product, pool: &mut Pool, scratch: &Scratch, part: Part) {
    let (rows, blocks) = (part.of(step.into.count), step.packed.blocks());
    let work = rows * step.packed.inputs * step.packed.outputs / 16;
    let workers = pool.workers();
    let from = whole_rows(step, pool, scratch, part);
    if work < SMALL || workers == 1 {
        // SAFETY: as `Step::run`'s caller promises.
        return unsafe { step.run(&from, &step.into, 0..rows, 0..blocks, scratch.own(0)) };
    }
    let by_rows = rows >= step.packed.outputs || blocks < workers;
    pool.run(&|worker| {
        let (rows, blocks) = match by_rows {
            true => (share(rows, worker, workers, step.grain()), 0..blocks),
            false => (0..rows, share(blocks, worker, workers, 1)),
        };
        // SAFETY: as `Step::run`'s caller promises; no two workers share an output.
        unsafe { step.run(&from, &step.into, rows, blocks, scratch.own(worker)) };
    });
}

/// With many tiles, every worker does its own from end to end; with few, all three parts are shared
/// out one after the other, so that the weights are read once.
fn run_winograd(step: &Winograd, pool: &mut Pool, scratch: &Scratch) {
    let (tiles, together, workers) = (step.tiles(), step.together(), pool.workers());
    if tiles <= together && workers > 1 {
        let numbers = || scratch.numbers(0);
        let share = |pieces, worker| share(pieces, worker, workers, 1);
        // SAFETY: as `Step::run`'s caller promises; in each part no two workers share a tile or a
        // product, and all wait for each other between the parts.
        pool.run(&|worker| unsafe { step.patches(0, share(tiles, worker), tiles, numbers()) });
        // SAFETY: as above.
        pool.run(&|worker| unsafe {
            let pointers = scratch.pointers(worker);
            step.products(share(PRODUCTS, worker), [tiles; 2], numbers(), pointers);
        });
        // SAFETY: as above.
        pool.run(&|worker| unsafe { step.results(0, share(tiles, worker), tiles, numbers()) });
        return;
    }
    pool.run(&|worker| {
        let mut own = share(tiles, worker, workers, 1);
        let turns = own.len().div_ceil(together);
        for turn in 0..turns {
            let first = own.start;
            let count = own.len().div_ceil(turns - turn);
            own.start += count;
            // SAFETY: as `Step::run`'s caller promises; every worker has its own tiles and scratch.
            unsafe {
                let numbers = scratch.numbers(worker);
                step.patches(first, 0..count, together, numbers);
                step.products(0..PRODUCTS, [count, together], numbers, scratch.pointers(worker));
                step.results(first, 0..count, together, numbers);
            }
        }
    });
}

impl LayerNorm {
    /// # Safety
    /// The memory of all rows is there, and no other thread writes what is read here or touches
    /// these rows of the result.
    unsafe fn run(&self, rows: Range<usize>) {
        for row in rows {
            // SAFETY: as the caller promises.
            unsafe {
                let into = self.into.part(row, 0..self.into.channels);
                self.kernels.normalize(self.from.row(row), into, &self.scales);
                self.kernels.finish(&self.tails, &self.into, row..row + 1, 0..self.into.channels);
            }
        }
    }
}

impl Copy {
    /// # Safety
    /// As for the norm.
    unsafe fn run(&self, rows: Range<usize>) {
        let channels = self.into.channels;
        for row in rows {
            // SAFETY: as the caller promises.
            unsafe {
                let into = self.into.part(row, 0..channels);
                let mut at = row * channels;
                let mut rest = &mut *into;
                while !rest.is_empty() {
                    let from = &self.from.row(at / self.from.channels)[at % self.from.channels..];
                    let count = from.len().min(rest.len());
                    let (now, later) = rest.split_at_mut(count);
                    now.copy_from_slice(&from[..count]);
                    rest = later;
                    at += count;
                }
                self.kernels.finish(&self.tails, &self.into, row..row + 1, 0..channels);
            }
        }
    }
}
