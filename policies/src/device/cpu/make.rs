//! From planned stages to steps: weights are packed and places become pointers.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::pack::{Parts, Sides, pack};
use super::plan::{Place, Plan, part, view};
use super::stage::{Kind, Map, Stage, Stages, Then};
use super::step::{Copy, LayerNorm, Step};
use crate::checkpoint::Tensors;
use crate::error::Result;
use crate::graph::{Activation, Weights};
use crate::kernels::attention::Attention;
use crate::kernels::norms::{GroupNorm, Scales};
use crate::kernels::places::{Border, MaxPool, SpatialSoftmax};
use crate::kernels::pooled::Pooled;
use crate::kernels::product::Product;
use crate::kernels::rows::Rows;
use crate::kernels::winograd::Winograd;
use crate::kernels::{Kernels, Stored, Tail};

/// What steps are made of.
pub struct Making<'a> {
    pub kernels: &'static Kernels,
    pub stages: &'a Stages,
    pub plan: &'a Plan,
    pub tensors: &'a Tensors,
    /// What weights are kept as.
    pub stored: Stored,
    /// Where all places are counted from.
    pub memory: Rows,
    /// A row of as many zeros as any tap has numbers.
    pub zeros: Rows,
}

impl Making<'_> {
    /// The steps of all stages. Weights are packed on all processors, whatever the program will run
    /// on: nothing runs yet that could be disturbed.
    pub fn all(&self) -> Result<Vec<Vec<Step>>> {
        let stages = self.stages.list.len();
        let next = AtomicUsize::new(0);
        let work = || {
            let turns = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            let own = turns.take_while(|index| *index < stages);
            own.map(|index| (index, self.steps(index))).collect::<Vec<_>>()
        };
        let mut steps = std::thread::scope(|scope| {
            let others = std::thread::available_parallelism().map_or(0, |count| count.get() - 1);
            // Where a thread cannot be started, those that there are do its work.
            let others: Vec<_> = (0..others)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut steps = work();
            for other in others {
                steps.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            steps
        });
        steps.sort_by_key(|(index, _)| *index);
        steps.into_iter().map(|(_, steps)| steps).collect()
    }

    /// A stage's rows.
    pub fn rows(&self, stage: usize) -> Rows {
        self.placed(&self.stages.list[stage], self.plan.places[stage])
    }

    fn placed(&self, stage: &Stage, place: Place) -> Rows {
        Rows {
            start: self.memory.start.wrapping_add(place.at),
            count: stage.rows(),
            channels: stage.channels(),
            stride: place.stride,
        }
    }

    /// The steps of one stage: none where its numbers already are where they should be.
    fn steps(&self, index: usize) -> Result<Vec<Step>> {
        let stage = &self.stages.list[index];
        let (kernels, into) = (self.kernels, self.rows(index));
        let input = |nth: usize| self.rows(stage.inputs[nth]);
        let tails = || stage.tails.iter().map(|then| self.tail(*then)).collect::<Vec<_>>();
        let grid = |nth: usize| self.stages.list[stage.inputs[nth]].grid();
        let (images, out) = stage.grid();
        let step = match &stage.kind {
            Kind::Input(_) | Kind::Constant(_) => return Ok(vec![]),
            Kind::Map(map) => return self.map(index, map),
            Kind::MaxPool(window) => {
                let grid = grid(0).1;
                Step::MaxPool(MaxPool { kernels, grid, into, out, window: *window }, input(0))
            }
            Kind::Border(wide) => {
                Step::Border(Border { from: input(0), grid: grid(0).1, into, wide: *wide })
            }
            Kind::LayerNorm(weights, eps) => Step::LayerNorm(LayerNorm {
                kernels,
                from: input(0),
                into,
                scales: self.scales(weights, *eps)?,
                tails: tails(),
            }),
            Kind::GroupNorm(groups, weights, eps) => Step::GroupNorm(GroupNorm {
                kernels,
                from: input(0),
                into,
                images,
                groups: *groups,
                scales: self.scales(weights, *eps)?,
                tails: tails(),
            }),
            Kind::Attention(heads, causal) => Step::Attention(Attention {
                kernels,
                queries: input(0),
                keys: input(1),
                values: input(2),
                into,
                heads: *heads,
                causal: *causal,
                rounded: self.stored.in_blocks(),
            }),
            Kind::SpatialSoftmax => Step::SpatialSoftmax(SpatialSoftmax {
                kernels,
                from: input(0),
                grid: grid(0).1,
                into,
            }),
            Kind::Same => Step::Copy(Copy { kernels, from: input(0), into, tails: tails() }),
            Kind::ConcatChannels | Kind::ConcatRows => return Ok(self.parts(index)),
            Kind::Rows(_) | Kind::Channels(_) | Kind::Reshape => {
                return Ok(self.seen(index).into_iter().collect());
            }
        };
        Ok(vec![step])
    }

    fn tail(&self, then: Then) -> Tail {
        match then {
            Then::Curve(activation) => Tail::Curve(activation),
            Then::Add(other) => Tail::Add(self.rows(other)),
            Then::Multiply(other) => Tail::Multiply(self.rows(other)),
        }
    }

    fn scales(&self, weights: &Weights, eps: f32) -> Result<Scales> {
        let scale = self.tensors.read(&weights.weight)?;
        let shift = match &weights.bias {
            Some(bias) => self.tensors.read(bias)?,
            None => vec![0.0; scale.len()],
        };
        Ok(Scales { scale, shift, eps })
    }

    /// Copies the parts of a whole that are not made in it.
    fn parts(&self, index: usize) -> Vec<Step> {
        let whole = &self.stages.list[index];
        let parts = whole.inputs.iter().enumerate().filter_map(|(nth, input)| {
            let place = self.plan.places[index].further(part(whole, &self.stages.list, nth));
            let into = self.placed(&self.stages.list[*input], place);
            self.copy(*input, into)
        });
        parts.collect()
    }

    /// Copies what a view shows where it cannot lie on it.
    fn seen(&self, index: usize) -> Option<Step> {
        let stage = &self.stages.list[index];
        let input = stage.inputs[0];
        let from = &self.stages.list[input];
        let seen = view(stage, from, self.plan.places[input]);
        match seen {
            Some(place) if place == self.plan.places[index] => None,
            Some(place) => {
                let from = self.placed(stage, place);
                Some(self.copied(from, self.rows(index)))
            }
            None => Some(self.copied(self.rows(input), self.rows(index))),
        }
    }

    fn copy(&self, from: usize, into: Rows) -> Option<Step> {
        let from = self.rows(from);
        let there = from.start == into.start && from.stride == into.stride;
        (!there).then(|| self.copied(from, into))
    }

    fn copied(&self, from: Rows, into: Rows) -> Step {
        Step::Copy(Copy { kernels: self.kernels, from, into, tails: vec![] })
    }

    fn map(&self, index: usize, map: &Map) -> Result<Vec<Step>> {
        let stage = &self.stages.list[index];
        let (from, made) = (self.rows(stage.inputs[0]), self.rows(index));
        let (images, out) = stage.grid();
        let pool = stage.pool.map(|(window, grid)| MaxPool {
            kernels: self.kernels,
            grid,
            into: made,
            out,
            window,
        });
        // What is pooled at once has no place of its own.
        let (into, out) = match &pool {
            Some(pool) => {
                let [height, width] = pool.grid;
                let count = images * height * width;
                (Rows::dense(std::ptr::null_mut(), count, made.channels), pool.grid)
            }
            None => (made, out),
        };
        let sides = Sides {
            from: self.stages.list[stage.inputs[0]].grid(),
            into: from.channels,
            out,
            outputs: into.channels,
            dense: from.stride == from.channels,
        };
        let tails: Vec<Tail> = stage.tails.iter().map(|then| self.tail(*then)).collect();
        let (residual, relu, tails) = fused(&tails, &into);
        let (kernels, zeros) = (self.kernels, self.zeros);
        let direct = kernels.blocks(self.stored).is_some_and(|blocks| blocks.direct);
        Ok(match pack(map, &sides, self.tensors, self.stored, direct)? {
            Parts::Winograd(weights, window) => vec![Step::Winograd(Winograd {
                kernels,
                weights,
                from,
                grid: sides.from.1,
                padding: window.padding,
                zeros,
                into,
                out: sides.out,
                residual,
                relu,
                tails,
            })],
            Parts::Products(products) => {
                let products = products.into_iter().map(|(packed, taps, rung)| {
                    let some = |rows: Rows| match rung.step {
                        1 => rows,
                        _ => Rows {
                            start: rows.start.wrapping_add(rung.first * rows.stride),
                            count: sides.from.0 * taps.out[0],
                            stride: rows.stride * rung.step,
                            ..rows
                        },
                    };
                    let tails = tails.iter().map(|tail| match tail {
                        Tail::Add(other) if other.count == into.count => Tail::Add(some(*other)),
                        Tail::Multiply(other) if other.count == into.count => {
                            Tail::Multiply(some(*other))
                        }
                        other => *other,
                    });
                    let tails = tails.collect();
                    let (into, residual) = (some(into), residual.map(some));
                    Product { kernels, packed, from, zeros, into, residual, relu, tails, taps }
                });
                match pool {
                    Some(pool) => {
                        let both = products.zip([pool]);
                        both.map(|(product, pool)| Step::Pooled(Pooled { product, pool })).collect()
                    }
                    None => products.map(Step::Product).collect(),
                }
            }
        })
    }
}

/// What of the tails the product does itself: a sum with as many rows, and then a curve.
fn fused(tails: &[Tail], into: &Rows) -> (Option<Rows>, bool, Vec<Tail>) {
    let (residual, rest) = match tails {
        [Tail::Add(other), rest @ ..]
            if other.count == into.count && other.channels == into.channels =>
        {
            (Some(*other), rest)
        }
        _ => (None, tails),
    };
    match rest {
        [Tail::Curve(Activation::Relu), rest @ ..] => (residual, true, rest.to_vec()),
        _ => (residual, false, rest.to_vec()),
    }
}
