//! The executor for the CPU.
//!
//! Compiling goes from nodes to steps: `fold` computes what never changes, `stage` fuses, `plan`
//! places every value in one piece of memory, `pack` brings the weights into the kernels' order and
//! `make` ties it all together. Running is a loop over the steps, which allocates nothing.

mod fold;
mod make;
mod pack;
mod plan;
mod pool;
mod stage;
mod step;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use self::make::Making;
use self::pool::Pool;
use self::stage::{Kind, Stages};
use self::step::{Part, Scratch, Step};
use super::{Options, unknown};
use crate::checkpoint::Tensors;
use crate::error::Result;
use crate::graph::Graph;
use crate::kernels::rows::Rows;
use crate::kernels::slab::Slab;
use crate::kernels::whole::HEADER;
use crate::kernels::{Kernels, Stored};
use crate::precision::Precision;

/// A graph made ready to run on this machine's processors.
pub struct Program {
    steps: Vec<Step>,
    times: Vec<Timing>,
    kernels: &'static Kernels,
    pool: Pool,
    scratch: Scratch,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// How many images all of its values are, if they are, so that some can be left out.
    images: Option<usize>,
    /// What the steps point into. The zeros are read by taps that lie outside of an image.
    memory: Slab,
    _zeros: Slab,
}

// SAFETY: the steps' pointers lead into memory that the program owns, and that moves with it.
unsafe impl Send for Program {}

/// An input or an output.
struct Port {
    name: String,
    /// Its first number in memory.
    at: usize,
    size: usize,
}

/// How long a step took.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The module in the checkpoint, or what the step does.
    pub name: String,
    /// What it does, in a word.
    pub kind: &'static str,
    /// Numbers that it multiplies and adds, as the network defines it.
    pub multiplications: u64,
    /// The shortest of all whole runs.
    pub best: Duration,
}

impl Program {
    /// Makes a graph ready to run.
    pub fn compile(graph: &Graph, tensors: &Tensors, options: &Options) -> Result<Self> {
        Self::with(graph, tensors, options, Kernels::best())
    }

    fn with(
        graph: &Graph,
        tensors: &Tensors,
        options: &Options,
        kernels: &'static Kernels,
    ) -> Result<Self> {
        let graph = fold::fold(graph, tensors, kernels)?;
        Self::prepare(&graph, tensors, options, kernels)
    }

    /// What the form of packed weights depends on beside their checkpoint.
    pub(crate) fn packs(options: &Options) -> String {
        format!("{:?} {}", options.precision, Kernels::best().name).to_lowercase()
    }

    /// Makes a graph ready as it is.
    fn prepare(
        graph: &Graph,
        tensors: &Tensors,
        options: &Options,
        kernels: &'static Kernels,
    ) -> Result<Self> {
        let stored = match options.precision {
            Precision::F32 => Stored::F32,
            Precision::F16 => Stored::F16,
            Precision::Bf16 if kernels.blocks(Stored::Pairs).is_some() => Stored::Pairs,
            Precision::Bf16 => Stored::Bf16,
            Precision::Int8 if kernels.blocks(Stored::Fours).is_some() => Stored::Fours,
            Precision::Int8 => Stored::Int8,
        };
        let stages = stage::stages(graph, tensors, stored)?;
        let plan = plan::plan(&stages);
        let memory = Slab::floats(plan.size);
        let longest = stages.list.iter().map(stage::Stage::channels).max().unwrap_or_default();
        let zeros = Slab::floats(HEADER + longest);
        let making = Making {
            kernels,
            stages: &stages,
            plan: &plan,
            tensors,
            stored,
            memory: Rows::dense(memory.start(), 1, plan.size),
            zeros: Rows::dense(zeros.start::<f32>().wrapping_add(HEADER), 1, longest),
        };
        let (mut steps, mut times) = (Vec::new(), Vec::new());
        for (index, (stage, made)) in stages.list.iter().zip(making.all()?).enumerate() {
            if let Kind::Constant(numbers) = &stage.kind {
                let into = making.rows(index);
                // SAFETY: the place has room for the constant's numbers, and nobody runs yet.
                unsafe { into.start.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len()) };
            }
            for step in made {
                let (name, multiplications) = (stage.name.clone(), stage.multiplications);
                times.push(Timing {
                    name,
                    kind: step.kind(),
                    multiplications,
                    best: Duration::MAX,
                });
                steps.push(step);
            }
        }
        let port = |name: &str, stage: usize| {
            let size = stages.list[stage].rows() * stages.list[stage].channels();
            Port { name: name.to_owned(), at: plan.places[stage].at, size }
        };
        let inputs =
            stages.list.iter().enumerate().filter_map(|(index, stage)| match &stage.kind {
                Kind::Input(name) => Some(port(name, index)),
                _ => None,
            });
        let inputs = inputs.collect();
        let outputs = stages.outputs.iter().map(|(name, stage)| port(name, *stage)).collect();
        let images = images(&stages, &steps);
        let scratch = Scratch::new(&steps, options.threads.max(1));
        let pool = Pool::new(options.threads.max(1))?;
        Ok(Self {
            steps,
            times,
            kernels,
            pool,
            scratch,
            inputs,
            outputs,
            images,
            memory,
            _zeros: zeros,
        })
    }

    /// An input's numbers, channels last, to be written in place.
    pub fn input(&mut self, name: &str) -> Result<&mut [f32]> {
        let port = self.inputs.iter().find(|port| port.name == name);
        let port = port.ok_or_else(|| unknown("input", name))?;
        let (at, size) = (port.at, port.size);
        Ok(&mut self.memory.numbers()[at..][..size])
    }

    /// Computes all outputs. Allocates nothing.
    pub fn run(&mut self) -> Result<()> {
        self.run_part(Part::WHOLE)
    }

    /// The same of the first few images alone, in a network whose values are so many images each; in
    /// any other one of all.
    pub fn run_first(&mut self, images: usize) -> Result<()> {
        let part = self.images.map(|all| Part { images: images.min(all), all });
        self.run_part(part.unwrap_or(Part::WHOLE))
    }

    fn run_part(&mut self, part: Part) -> Result<()> {
        for (step, timing) in self.steps.iter().zip(&mut self.times) {
            let start = Instant::now();
            // SAFETY: the program owns the memory that the step was made for, and the scratch was
            // made for all of its steps and this pool.
            unsafe { step.run(&mut self.pool, &self.scratch, part) };
            if part.images == part.all {
                timing.best = timing.best.min(start.elapsed());
            }
        }
        Ok(())
    }

    /// An output's numbers, as the last run left them.
    pub fn output(&self, name: &str) -> Result<&[f32]> {
        let port = self.outputs.iter().find(|port| port.name == name);
        let port = port.ok_or_else(|| unknown("output", name))?;
        // SAFETY: the port lies within the memory, which only `run` and `input` write, and both
        // borrow the program as a whole.
        Ok(unsafe {
            std::slice::from_raw_parts(self.memory.start::<f32>().add(port.at), port.size)
        })
    }

    /// What its kernels are written for.
    #[must_use]
    pub fn kernels(&self) -> &'static str {
        self.kernels.name
    }

    /// How long each step took, in the order in which they run.
    #[must_use]
    pub fn profile(&self) -> &[Timing] {
        &self.times
    }
}

/// How many images all values are, where each is as many and each step knows to do some.
fn images(stages: &Stages, steps: &[Step]) -> Option<usize> {
    let mut values = stages.list.iter().filter(|stage| !matches!(stage.kind, Kind::Constant(_)));
    let count = |stage: &stage::Stage| match stage.shape[..] {
        [images, _, _, _] => Some(images),
        _ => None,
    };
    let images = values.next().and_then(count)?;
    let alike = values.all(|stage| count(stage) == Some(images));
    let known = |step: &Step| {
        matches!(step, Step::Product(_) | Step::LayerNorm(_) | Step::GroupNorm(_) | Step::Copy(_))
    };
    (alike && steps.iter().all(known)).then_some(images)
}
