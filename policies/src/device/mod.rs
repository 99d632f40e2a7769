//! What runs a graph: an executor of our own for the CPU, with planned memory, fused steps and
//! kernels for this very processor; and candle's operations, as the reference and for GPUs.

#[cfg(feature = "candle")]
pub mod candle;
pub mod cpu;

use std::num::NonZero;
use std::path::PathBuf;

use crate::checkpoint::Tensors;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::precision::Precision;

/// How a graph is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many threads work on it, the caller's among them. Results are the same bit for bit
    /// from run to run with the same number.
    pub threads: usize,
    /// What its weights are held as.
    pub precision: Precision,
    /// A folder in which a policy's packed weights are kept, so that it is ready sooner the next
    /// time: [`crate::folder::weight_cache`] is the user's. None keeps none.
    pub keep: Option<PathBuf>,
    /// Chunks that are made together, each of observations of its own, where that is less work than one
    /// after the other: a Diffusion policy's, whose weights are more to read than to multiply with.
    pub together: usize,
}

impl Default for Options {
    /// All cores but one, which belongs to the control loop: two threads on one core would wait for each
    /// other.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = processors.min(num_cpus::get_physical()).saturating_sub(1).max(1);
        Self { threads, precision: Precision::default(), keep: None, together: 1 }
    }
}

/// Where a graph is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// On this machine's processors.
    #[default]
    Cpu,
    /// On this machine's processors by candle, slowly: what the rest is held against.
    Reference,
    /// On a GPU of Nvidia's, by candle: which one.
    Cuda(usize),
}

/// A graph made ready to run.
pub enum Program {
    /// By our own executor.
    Cpu(cpu::Program),
    /// By candle's operations.
    #[cfg(feature = "candle")]
    Candle(candle::Program),
}

impl Program {
    /// Makes a graph ready: reads its weights, plans its memory, computes what never changes.
    pub fn compile(
        graph: &Graph,
        tensors: &Tensors,
        options: &Options,
        device: Device,
    ) -> Result<Self> {
        match device {
            Device::Cpu => Ok(Self::Cpu(cpu::Program::compile(graph, tensors, options)?)),
            #[cfg(feature = "candle")]
            Device::Reference | Device::Cuda(_) => {
                let program = candle::Program::compile(graph, tensors, options, device)?;
                Ok(Self::Candle(program))
            }
            #[cfg(not(feature = "candle"))]
            Device::Reference | Device::Cuda(_) => Err(Error::Unsupported {
                what: format!(
                    "{device:?} runs networks by candle, which is not built in: build with --features cuda (candle without a GPU)"
                ),
            }),
        }
    }

    /// An input's numbers, channels last, to be written in place. They stay as they are until they
    /// are written again.
    pub fn input(&mut self, name: &str) -> Result<&mut [f32]> {
        match self {
            Self::Cpu(program) => program.input(name),
            #[cfg(feature = "candle")]
            Self::Candle(program) => program.input(name),
        }
    }

    /// Computes all outputs.
    pub fn run(&mut self) -> Result<()> {
        match self {
            Self::Cpu(program) => program.run(),
            #[cfg(feature = "candle")]
            Self::Candle(program) => program.run(),
        }
    }

    /// Computes all outputs of the first few images alone, where its values are so many images each and
    /// that is less work.
    pub fn run_first(&mut self, images: usize) -> Result<()> {
        match self {
            Self::Cpu(program) => program.run_first(images),
            #[cfg(feature = "candle")]
            Self::Candle(program) => program.run(),
        }
    }

    /// An output's numbers, as the last run left them.
    pub fn output(&self, name: &str) -> Result<&[f32]> {
        match self {
            Self::Cpu(program) => program.output(name),
            #[cfg(feature = "candle")]
            Self::Candle(program) => program.output(name),
        }
    }

    /// How long each of its steps took, in the order in which they run, where that is measured.
    #[must_use]
    pub fn profile(&self) -> &[cpu::Timing] {
        match self {
            Self::Cpu(program) => program.profile(),
            #[cfg(feature = "candle")]
            Self::Candle(_) => &[],
        }
    }
}

/// Says that the graph has no such input or output.
fn unknown(what: &str, name: &str) -> Error {
    Error::Input { feature: name.to_owned(), what: format!("the network has no such {what}") }
}
