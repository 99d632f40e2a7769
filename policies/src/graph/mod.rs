//! A network as data: one definition that every executor runs.
//!
//! Values are rows of channels, channels last: an image is `[images, height, width, channels]`, a
//! sequence `[rows, channels]`, several of them images that are one place wide, a vector one row. Control
//! flow (denoising steps, queues, ensembles) stays outside; what is here has fixed shapes and no choice,
//! so that an executor can plan its memory and fold its constants once.

mod build;
#[cfg(test)]
pub mod naive;
#[cfg(test)]
pub mod weights;

use std::ops::Range;

pub use build::Builder;

/// A value in a graph: what its node makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub usize);

/// Lengths, outermost first, the channels last; never empty.
pub type Shape = Vec<usize>;

/// A curve that is applied to every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// What is below zero becomes zero.
    Relu,
    /// `x` times the normal distribution function of `x`.
    Gelu,
    /// `x · tanh(softplus(x))`.
    Mish,
    /// `x · sigmoid(x)`.
    Silu,
    /// The hyperbolic tangent, from -1 to 1.
    Tanh,
    /// What is below zero becomes `eˣ - 1`.
    Elu,
    /// `1 / (1 + e⁻ˣ)`, from 0 to 1.
    Sigmoid,
}

impl Activation {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 7] =
        [Self::Relu, Self::Gelu, Self::Mish, Self::Silu, Self::Tanh, Self::Elu, Self::Sigmoid];
}

/// How a window moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Between two places, the same in both directions.
    pub stride: usize,
    /// Rows and columns of nothing on every side.
    pub padding: usize,
    /// Between two taps.
    pub dilation: usize,
}

/// A linear map's weights: tensors of the checkpoint by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The tensor of the weights.
    pub weight: String,
    /// The tensor of the offsets.
    pub bias: Option<String>,
}

/// What a node does to its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A value from outside, by name.
    Input(String),
    /// A tensor of the checkpoint as it is.
    Weight(String),
    /// Numbers that are made while the graph is built.
    Constant(std::sync::Arc<[f32]>),
    /// A window of weights `[out, in, height, width]` over images.
    Conv2d(Weights, Window),
    /// The frozen statistics `PREFIX.{weight,bias,running_mean,running_var}` of a batch, per channel.
    BatchNorm {
        /// What the four tensors' names begin with.
        prefix: String,
        /// Added to the variance.
        eps: f32,
    },
    /// The greatest under the window.
    MaxPool(Window),
    /// A window of weights `[out, in, taps]` over a sequence.
    Conv1d(Weights, Window),
    /// The transpose of a convolution, with weights `[in, out, taps]`: makes a sequence longer.
    ConvTranspose1d(Weights, Window),
    /// Weights `[out, in]` for every row; `rows` of the tensors where they hold more maps than one.
    Linear {
        /// The tensors.
        weights: Weights,
        /// Which rows of them.
        rows: Range<usize>,
    },
    /// Every row to mean 0 and variance 1, then scaled and shifted.
    LayerNorm {
        /// The tensors of scale and shift.
        weights: Weights,
        /// Added to the variance.
        eps: f32,
    },
    /// Every group of channels to mean 0 and variance 1 over an image or a sequence, then scaled
    /// and shifted by channel.
    GroupNorm {
        /// How many groups.
        groups: usize,
        /// The tensors of scale and shift.
        weights: Weights,
        /// Added to the variance.
        eps: f32,
    },
    /// The curve, number by number.
    Activate(Activation),
    /// Queries, keys and values, cut into heads: softmax(q·kᵀ/√d)·v.
    Attention {
        /// How many heads.
        heads: usize,
        /// Whether a row sees only itself and those before it.
        causal: bool,
    },
    /// The sum; the second may be one row for all, or one for each image.
    Add,
    /// The product; the second may be one row for all, or one for each image.
    Multiply,
    /// Side by side: more channels.
    ConcatChannels,
    /// Below each other: more rows.
    ConcatRows,
    /// Some rows of a sequence.
    Rows(Range<usize>),
    /// Some channels of every row.
    Channels(Range<usize>),
    /// The same numbers in the same order, counted otherwise.
    Reshape,
    /// Where each channel of an image has its weight, in -1..1: `[images, 2 · channels]`, x then y.
    SpatialSoftmax,
}

/// A value and how it is made.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in error messages and in tables of times: the module's name in the checkpoint.
    pub name: String,
    /// What makes it.
    pub op: Op,
    /// From what.
    pub inputs: Vec<Id>,
    /// How large it is.
    pub shape: Shape,
}

/// A network: nodes in an order in which each comes after its inputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    outputs: Vec<(String, Id)>,
}

impl Graph {
    /// Its nodes, each after its inputs.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node that makes this value.
    #[must_use]
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0]
    }

    /// What comes out, by name.
    #[must_use]
    pub fn outputs(&self) -> &[(String, Id)] {
        &self.outputs
    }

    /// What goes in: name and shape.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Shape)> {
        self.nodes.iter().filter_map(|node| match &node.op {
            Op::Input(name) => Some((name.as_str(), &node.shape)),
            _ => None,
        })
    }

    /// The value that a module of this name makes, where it is first used; for tests that look
    /// inside.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Id> {
        self.nodes.iter().position(|node| node.name == name).map(Id)
    }

    /// Gives the value that a module of this name makes to the outside under that name; whether
    /// there is such a module.
    pub fn expose(&mut self, name: &str) -> bool {
        let found = self.find(name);
        self.outputs.extend(found.map(|value| (name.to_owned(), value)));
        found.is_some()
    }

    /// The same nodes with other outputs.
    pub(crate) fn with_outputs(&self, outputs: Vec<(String, Id)>) -> Self {
        Self { nodes: self.nodes.clone(), outputs }
    }

    /// Replaces how a value is made by what it is.
    pub(crate) fn make_constant(&mut self, id: Id, numbers: std::sync::Arc<[f32]>) {
        let node = &mut self.nodes[id.0];
        node.op = Op::Constant(numbers);
        node.inputs.clear();
    }

    /// How many numbers are multiplied and added in one run.
    #[must_use]
    pub fn multiplications(&self) -> u64 {
        self.nodes.iter().map(|node| self.multiplications_of(node)).sum()
    }

    /// The same for one of its nodes.
    #[must_use]
    pub fn multiplications_of(&self, node: &Node) -> u64 {
        let rows = |shape: &Shape| shape.iter().product::<usize>() / shape[shape.len() - 1];
        let channels = |shape: &Shape| shape[shape.len() - 1];
        let first = || &self.node(node.inputs[0]).shape;
        let count = match &node.op {
            Op::Conv2d(_, window) | Op::Conv1d(_, window) => {
                let taps = window.kernel[0] * window.kernel[1];
                rows(&node.shape) * channels(&node.shape) * channels(first()) * taps
            }
            Op::ConvTranspose1d(_, window) => {
                let taps = window.kernel[0] * window.kernel[1];
                rows(first()) * channels(first()) * channels(&node.shape) * taps
            }
            Op::Linear { .. } => rows(&node.shape) * channels(&node.shape) * channels(first()),
            Op::Attention { .. } => {
                2 * rows(first()) * rows(&self.node(node.inputs[1]).shape) * channels(first())
            }
            _ => 0,
        };
        count as u64
    }
}
