//! From a graph's nodes to stages: what a processor does in one go. Batch norms go into the weights
//! before them, and sums and curves to the end of what makes their numbers.

use std::ops::Range;
use std::sync::Arc;

use crate::checkpoint::Tensors;
use crate::error::Result;
use crate::graph::{Activation, Graph, Node, Op, Shape, Weights, Window};
use crate::kernels::Stored;

/// With fewer channels than this, an image gets a border of zeros, so that all taps of a line are
/// one segment.
pub const FEW: usize = 16;

/// What a stage makes of its inputs, before its tails.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Numbers from outside.
    Input(String),
    /// Numbers that are there from the beginning.
    Constant(Arc<[f32]>),
    /// A linear map or a convolution.
    Map(Map),
    /// The greatest under a window.
    MaxPool(Window),
    /// Zeros around images, so many places wide.
    Border(usize),
    /// A norm over every row.
    LayerNorm(Weights, f32),
    /// A norm over groups of channels.
    GroupNorm(usize, Weights, f32),
    /// So many heads, causal or not.
    Attention(usize, bool),
    /// Where each channel has its weight.
    SpatialSoftmax,
    /// The same numbers, for the sake of the tails.
    Same,
    /// Side by side.
    ConcatChannels,
    /// Below each other.
    ConcatRows,
    /// Some rows.
    Rows(Range<usize>),
    /// Some channels.
    Channels(Range<usize>),
    /// Counted otherwise.
    Reshape,
}

/// Weights and how they are used.
#[derive(Clone, Debug)]
pub struct Map {
    pub weights: Weights,
    pub form: Form,
    /// A batch norm that follows: prefix and what is added to the variance.
    pub norm: Option<(String, f32)>,
}

/// What is multiplied with what.
#[derive(Clone, Debug)]
pub enum Form {
    /// Every row with these rows of the weights.
    Linear(Range<usize>),
    /// The places under a window, which is padded so many places across.
    Conv(Window, usize),
    /// Every place with what it adds to the places under a window.
    Transposed(Window),
}

/// What is done to a stage's numbers while they are at hand.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// A curve.
    Curve(Activation),
    /// Another stage's numbers are added.
    Add(usize),
    /// They are multiplied with another stage's.
    Multiply(usize),
}

/// One of the steps of a program.
#[derive(Clone, Debug)]
pub struct Stage {
    pub name: String,
    pub kind: Kind,
    /// Other stages, by number.
    pub inputs: Vec<usize>,
    pub tails: Vec<Then>,
    /// Of what all this makes, images of such height and width, the greatest under a window is taken.
    pub pool: Option<(Window, [usize; 2])>,
    pub shape: Shape,
    pub multiplications: u64,
    /// The node whose value it ends with.
    last: usize,
}

impl Stage {
    /// All stages that it reads.
    pub fn reads(&self) -> impl Iterator<Item = usize> {
        let others = self.tails.iter().filter_map(|tail| match tail {
            Then::Add(other) | Then::Multiply(other) => Some(*other),
            Then::Curve(_) => None,
        });
        self.inputs.iter().copied().chain(others)
    }

    /// How many numbers a row has.
    pub fn channels(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.shape[..self.shape.len() - 1].iter().product()
    }

    /// Images, height and width; a sequence is an image that is one place wide.
    pub fn grid(&self) -> (usize, [usize; 2]) {
        match self.shape[..] {
            [images, height, width, _] => (images, [height, width]),
            _ => (1, [self.rows(), 1]),
        }
    }

    /// Whether tails may be hung on it.
    fn takes_tails(&self) -> bool {
        self.pool.is_none()
            && matches!(
                self.kind,
                Kind::Map(_) | Kind::LayerNorm(..) | Kind::GroupNorm(..) | Kind::Same
            )
    }
}

/// A graph as stages, each after those that it reads.
pub struct Stages {
    pub list: Vec<Stage>,
    /// Names, and which stages make them.
    pub outputs: Vec<(String, usize)>,
}

/// Makes stages of all nodes that an output needs, for weights that are kept so.
pub fn stages(graph: &Graph, tensors: &Tensors, stored: Stored) -> Result<Stages> {
    let needed = needed(graph);
    let mut uses = vec![0usize; graph.nodes().len()];
    for (_, node) in graph.nodes().iter().enumerate().filter(|(index, _)| needed[*index]) {
        node.inputs.iter().for_each(|input| uses[input.0] += 1);
    }
    // An output is wanted as it is: one use more keeps tails away from it.
    graph.outputs().iter().for_each(|(_, output)| uses[output.0] += 2);
    let mut making = Making { graph, stored, uses, list: Vec::new(), of: Vec::new() };
    for (index, node) in graph.nodes().iter().enumerate() {
        let stage = match needed[index] {
            true => making.node(index, node, tensors)?,
            false => usize::MAX,
        };
        making.of.push(stage);
    }
    let outputs =
        graph.outputs().iter().map(|(name, id)| (name.clone(), making.of[id.0])).collect();
    Ok(in_order(making.list, outputs))
}

/// Which nodes an output needs; inputs are needed always, because they can be written.
pub fn needed(graph: &Graph) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes().len()];
    graph.outputs().iter().for_each(|(_, output)| needed[output.0] = true);
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        if needed[index] {
            node.inputs.iter().for_each(|input| needed[input.0] = true);
        }
        needed[index] |= matches!(node.op, Op::Input(_));
    }
    needed
}

/// A stage runs where its last node stood, when everything its tails read is there.
fn in_order(mut list: Vec<Stage>, outputs: Vec<(String, usize)>) -> Stages {
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by_key(|stage| (list[*stage].last, *stage));
    let mut place = vec![0; list.len()];
    order.iter().enumerate().for_each(|(new, old)| place[*old] = new);
    for stage in &mut list {
        stage.inputs.iter_mut().for_each(|input| *input = place[*input]);
        for tail in &mut stage.tails {
            if let Then::Add(other) | Then::Multiply(other) = tail {
                *other = place[*other];
            }
        }
    }
    list.sort_by_key(|stage| stage.last);
    let outputs = outputs.into_iter().map(|(name, stage)| (name, place[stage])).collect();
    Stages { list, outputs }
}

struct Making<'a> {
    graph: &'a Graph,
    stored: Stored,
    /// How often each node is used.
    uses: Vec<usize>,
    list: Vec<Stage>,
    /// Which stage makes each node's value.
    of: Vec<usize>,
}

impl Making<'_> {
    /// The stage that makes this node's value: one that is there and takes it in, or a new one.
    fn node(&mut self, index: usize, node: &Node, tensors: &Tensors) -> Result<usize> {
        if let Some(stage) = self.taken_in(index, node) {
            self.list[stage].last = index;
            return Ok(stage);
        }
        let inputs: Vec<usize> = node.inputs.iter().map(|input| self.of[input.0]).collect();
        let mut tails = Vec::new();
        let map =
            |weights: &Weights, form| Kind::Map(Map { weights: weights.clone(), form, norm: None });
        let kind = match &node.op {
            Op::Input(name) => Kind::Input(name.clone()),
            Op::Weight(tensor) => Kind::Constant(tensors.read(tensor)?.into()),
            Op::Constant(numbers) => Kind::Constant(numbers.clone()),
            Op::Conv2d(weights, window) => return Ok(self.conv2d(index, node, weights, *window)),
            Op::Conv1d(weights, window) => map(weights, Form::Conv(*window, 0)),
            Op::ConvTranspose1d(weights, window) => map(weights, Form::Transposed(*window)),
            Op::Linear { weights, rows } => map(weights, Form::Linear(rows.clone())),
            Op::BatchNorm { prefix, eps } => {
                let norm = BatchNorm::read(tensors, prefix, *eps)?;
                for (numbers, then) in
                    [(norm.scale, Then::Multiply as fn(usize) -> Then), (norm.shift, Then::Add)]
                {
                    let shape = vec![1, numbers.len()];
                    let row =
                        self.push(index, &node.name, Kind::Constant(numbers.into()), vec![], shape);
                    tails.push(then(row));
                }
                Kind::Same
            }
            Op::MaxPool(window) => Kind::MaxPool(*window),
            Op::LayerNorm { weights, eps } => Kind::LayerNorm(weights.clone(), *eps),
            Op::GroupNorm { groups, weights, eps } => {
                Kind::GroupNorm(*groups, weights.clone(), *eps)
            }
            Op::Activate(activation) => {
                tails.push(Then::Curve(*activation));
                Kind::Same
            }
            Op::Attention { heads, causal } => Kind::Attention(*heads, *causal),
            Op::Add => {
                tails.push(Then::Add(inputs[1]));
                Kind::Same
            }
            Op::Multiply => {
                tails.push(Then::Multiply(inputs[1]));
                Kind::Same
            }
            Op::ConcatChannels => Kind::ConcatChannels,
            Op::ConcatRows => Kind::ConcatRows,
            Op::Rows(rows) => Kind::Rows(rows.clone()),
            Op::Channels(channels) => Kind::Channels(channels.clone()),
            Op::Reshape => Kind::Reshape,
            Op::SpatialSoftmax => Kind::SpatialSoftmax,
        };
        let inputs = if matches!(kind, Kind::Same) { inputs[..1].to_vec() } else { inputs };
        let stage = self.push(index, &node.name, kind, inputs, node.shape.clone());
        self.list[stage].tails = tails;
        self.list[stage].multiplications = self.graph.multiplications_of(node);
        Ok(stage)
    }

    fn push(
        &mut self,
        last: usize,
        name: &str,
        kind: Kind,
        inputs: Vec<usize>,
        shape: Shape,
    ) -> usize {
        let (name, tails) = (name.to_owned(), Vec::new());
        let (pool, multiplications) = (None, 0);
        self.list.push(Stage { name, kind, inputs, tails, pool, shape, multiplications, last });
        self.list.len() - 1
    }

    /// A convolution; over few channels with a border before it.
    fn conv2d(
        &mut self,
        index: usize,
        node: &Node,
        weights: &Weights,
        mut window: Window,
    ) -> usize {
        let mut input = self.of[node.inputs[0].0];
        let from = &self.list[input];
        let wide = window.padding;
        let lines = from.channels() < FEW && window.kernel[1] > 1 && window.dilation == 1;
        // Where images are rounded first, they get their border then.
        if lines && wide > 0 && !self.stored.in_blocks() {
            let (images, [height, width]) = from.grid();
            let shape = vec![images, height + 2 * wide, width + 2 * wide, from.channels()];
            let name = format!("{}: border", node.name);
            input = self.push(index, &name, Kind::Border(wide), vec![input], shape);
            window.padding = 0;
        }
        let map =
            Map { weights: weights.clone(), form: Form::Conv(window, window.padding), norm: None };
        let shape = node.shape.clone();
        let stage = self.push(index, &node.name, Kind::Map(map), vec![input], shape);
        self.list[stage].multiplications = self.graph.multiplications_of(node);
        stage
    }

    /// The stage before a node, if nobody else uses its value and it can do the node's work at its
    /// end.
    fn taken_in(&mut self, index: usize, node: &Node) -> Option<usize> {
        let nodes = self.graph.nodes();
        let open = |input: usize| {
            let stage = &self.list[self.of[input]];
            (self.uses[input] == 1 && stage.takes_tails()).then_some(self.of[input])
        };
        let first = node.inputs.first()?.0;
        match &node.op {
            Op::BatchNorm { prefix, eps } => {
                let stage = open(first)?;
                let tails = self.list[stage].tails.len();
                let Kind::Map(map) = &mut self.list[stage].kind else { return None };
                if tails > 0 || map.norm.is_some() {
                    return None;
                }
                map.norm = Some((prefix.clone(), *eps));
                Some(stage)
            }
            Op::Activate(activation) => {
                let stage = open(first)?;
                self.list[stage].tails.push(Then::Curve(*activation));
                Some(stage)
            }
            Op::Add | Op::Multiply => {
                let second = node.inputs[1].0;
                let alike = nodes[first].shape == nodes[second].shape;
                let sides = [(first, second), (second, first)];
                let mut sides = sides
                    .iter()
                    .take(1 + usize::from(alike))
                    .filter_map(|(side, other)| open(*side).map(|stage| (stage, self.of[*other])));
                let is_map =
                    |(stage, _): &(usize, usize)| matches!(self.list[*stage].kind, Kind::Map(_));
                let one = sides.next();
                let (stage, other) =
                    one.filter(is_map).or_else(|| sides.next().filter(is_map)).or(one)?;
                let then = if node.op == Op::Add { Then::Add } else { Then::Multiply };
                self.list[stage].tails.push(then(other));
                Some(stage)
            }
            Op::MaxPool(window) if window.dilation == 1 => {
                let stage = open(first)?;
                let grid = self.list[stage].grid().1;
                let into = &mut self.list[stage];
                let curves = into.tails.iter().all(|then| matches!(then, Then::Curve(_)));
                // What has no stride may be made in other ways than by one product.
                let Kind::Map(Map { form: Form::Conv(conv, _), .. }) = &into.kind else {
                    return None;
                };
                if conv.stride == 1 || !curves {
                    return None;
                }
                (into.pool, into.shape) = (Some((*window, grid)), node.shape.clone());
                Some(stage)
            }
            _ => None,
        }
        .inspect(|stage| debug_assert!(self.list[*stage].last < index))
    }
}

/// A batch norm as what it does: scale and shift by channel.
pub struct BatchNorm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl BatchNorm {
    /// Reads its four tensors.
    pub fn read(tensors: &Tensors, prefix: &str, eps: f32) -> Result<Self> {
        let read = |part: &str| tensors.read(&format!("{prefix}.{part}"));
        let (weight, bias) = (read("weight")?, read("bias")?);
        let (mean, variance) = (read("running_mean")?, read("running_var")?);
        let by = |(weight, variance): (&f32, &f32)| {
            f64::from(*weight) / (f64::from(*variance) + f64::from(eps)).sqrt()
        };
        let scale: Vec<f64> = weight.iter().zip(&variance).map(by).collect();
        let shift = bias.iter().zip(&mean).zip(&scale);
        let shift = shift.map(|((bias, mean), scale)| f64::from(*bias) - f64::from(*mean) * scale);
        let shift = shift.map(|shift| shift as f32).collect();
        Ok(Self { scale: scale.into_iter().map(|scale| scale as f32).collect(), shift })
    }
}
