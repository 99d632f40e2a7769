//! The reference: a graph on candle's own operations, one after another. Slow on a CPU and the same
//! everywhere, so that what is fast is held against it; and the way to a GPU.

mod ops;

use candle_core::{Device, Tensor};

use super::{Options, unknown};
use crate::checkpoint::Tensors;
use crate::error::{Error, Result};
use crate::graph::{Graph, Id, Node, Op, Weights};
use crate::precision::Precision;

type Computed<T> = std::result::Result<T, candle_core::Error>;

/// A graph with its weights on a device.
pub struct Program {
    device: Device,
    graph: Graph,
    /// What a node needs of the checkpoint, by node.
    weights: Vec<Vec<Tensor>>,
    /// After which node a value is needed no more.
    last_use: Vec<usize>,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
}

/// Numbers that go in or come out.
struct Slot {
    name: String,
    value: Id,
    numbers: Vec<f32>,
}

impl Program {
    /// Brings the weights to the device.
    pub fn compile(
        graph: &Graph,
        tensors: &Tensors,
        options: &Options,
        device: super::Device,
    ) -> Result<Self> {
        if options.precision != Precision::F32 {
            let what = format!(
                "{:?} is not known to {device:?}, which computes in F32",
                options.precision
            );
            return Err(Error::Unsupported { what });
        }
        let device = match device {
            super::Device::Cuda(nth) => Device::new_cuda(nth).map_err(|error| {
                // Behind the first line stands where in candle it happened.
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default();
                Error::Unsupported { what: format!("GPU {nth} cannot be used: {why}") }
            })?,
            super::Device::Cpu | super::Device::Reference => Device::Cpu,
        };
        let mut weights = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            weights.push(load(node, tensors, &device)?);
        }
        let mut last_use: Vec<usize> = (0..graph.nodes().len()).collect();
        for (at, node) in graph.nodes().iter().enumerate() {
            for input in &node.inputs {
                last_use[input.0] = at;
            }
        }
        let slot = |name: &str, value: Id| {
            let numbers = graph.node(value).shape.iter().product();
            Slot { name: name.to_owned(), value, numbers: vec![0.0; numbers] }
        };
        let mut inputs = Vec::new();
        for (at, node) in graph.nodes().iter().enumerate() {
            if let Op::Input(name) = &node.op {
                inputs.push(slot(name, Id(at)));
            }
        }
        let mut outputs = Vec::new();
        for (name, value) in graph.outputs() {
            last_use[value.0] = usize::MAX;
            outputs.push(slot(name, *value));
        }
        Ok(Self { device, graph: graph.clone(), weights, last_use, inputs, outputs })
    }

    /// An input's numbers, to be written, channels last.
    pub fn input(&mut self, name: &str) -> Result<&mut [f32]> {
        let slot = self.inputs.iter_mut().find(|slot| slot.name == name);
        slot.map(|slot| slot.numbers.as_mut_slice()).ok_or_else(|| unknown("input", name))
    }

    /// What the last run made of an output, channels last.
    pub fn output(&self, name: &str) -> Result<&[f32]> {
        let slot = self.outputs.iter().find(|slot| slot.name == name);
        slot.map(|slot| slot.numbers.as_slice()).ok_or_else(|| unknown("output", name))
    }

    /// From the inputs to the outputs.
    pub fn run(&mut self) -> Result<()> {
        let mut values: Vec<Option<Tensor>> = vec![None; self.graph.nodes().len()];
        for (at, node) in self.graph.nodes().iter().enumerate() {
            let inputs: Option<Vec<&Tensor>> =
                node.inputs.iter().map(|input| values.get(input.0)?.as_ref()).collect();
            let given = self.inputs.iter().find(|slot| slot.value == Id(at));
            let value = match given {
                Some(slot) => {
                    Tensor::from_slice(&slot.numbers, node.shape.as_slice(), &self.device)
                }
                None => ops::apply(node, &inputs.unwrap_or_default(), &self.weights[at]),
            }
            .map_err(|error| failed(node, &error))?;
            for input in &node.inputs {
                if self.last_use[input.0] <= at {
                    values[input.0] = None;
                }
            }
            values[at] = Some(value);
        }
        for slot in &mut self.outputs {
            if let Some(value) = &values[slot.value.0] {
                let numbers = value.flatten_all().and_then(|value| value.to_vec1::<f32>());
                let node = self.graph.node(slot.value);
                slot.numbers = numbers.map_err(|error| failed(node, &error))?;
            }
        }
        Ok(())
    }
}

fn failed(node: &Node, error: &candle_core::Error) -> Error {
    Error::Network { node: node.name.clone(), what: error.to_string() }
}

/// A node's share of the checkpoint, shaped as [`ops::apply`] takes it.
fn load(node: &Node, tensors: &Tensors, device: &Device) -> Result<Vec<Tensor>> {
    let tensor = |name: &str| {
        let (numbers, shape) = (tensors.read(name)?, tensors.shape(name)?);
        Tensor::from_vec(numbers, shape, device).map_err(|error| failed(node, &error))
    };
    let all = |weights: &Weights| {
        let names = std::iter::once(&weights.weight).chain(&weights.bias);
        names.map(|name| tensor(name)).collect::<Result<Vec<_>>>()
    };
    match &node.op {
        Op::Weight(name) => {
            let value = tensor(name)?.reshape(node.shape.as_slice());
            Ok(vec![value.map_err(|error| failed(node, &error))?])
        }
        Op::Constant(numbers) => {
            let value = Tensor::from_slice(numbers, node.shape.as_slice(), device);
            Ok(vec![value.map_err(|error| failed(node, &error))?])
        }
        Op::Linear { weights, rows } => {
            let cut = |tensor: Tensor| tensor.narrow(0, rows.start, rows.len());
            let cut = all(weights)?.into_iter().map(cut).collect::<Computed<_>>();
            cut.map_err(|error| failed(node, &error))
        }
        Op::BatchNorm { prefix, eps } => {
            let [scale, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
                .map(|part| tensors.read(&format!("{prefix}.{part}")));
            let (mut scale, mut shift, mean, variance) = (scale?, shift?, mean?, variance?);
            for channel in 0..scale.len() {
                scale[channel] /= (variance[channel] + eps).sqrt();
                shift[channel] -= mean[channel] * scale[channel];
            }
            let both = [scale, shift].map(|numbers| Tensor::new(numbers, device));
            let both = both.into_iter().collect::<Computed<_>>();
            both.map_err(|error| failed(node, &error))
        }
        Op::Conv2d(weights, window) => {
            let mut all = all(weights)?;
            if let (Some(weight), Some(out)) = (all.first_mut(), node.shape.last()) {
                let [height, width] = window.kernel;
                let shaped = weight.reshape((*out, (), height, width));
                *weight = shaped.map_err(|error| failed(node, &error))?;
            }
            Ok(all)
        }
        Op::Conv1d(weights, _)
        | Op::ConvTranspose1d(weights, _)
        | Op::LayerNorm { weights, .. }
        | Op::GroupNorm { weights, .. } => all(weights),
        _ => Ok(Vec::new()),
    }
}
