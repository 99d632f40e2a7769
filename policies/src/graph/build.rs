//! Building a graph: every step checks that its inputs and the checkpoint's tensors fit.

use std::ops::Range;
use std::sync::Arc;

use super::{Activation, Graph, Id, Node, Op, Shape, Weights, Window};
use crate::checkpoint::Tensors;
use crate::error::{Error, Result};

/// A graph in the making, over the tensors of one checkpoint.
pub struct Builder<'a> {
    tensors: &'a Tensors,
    graph: Graph,
}

impl<'a> Builder<'a> {
    /// An empty graph.
    #[must_use]
    pub fn new(tensors: &'a Tensors) -> Self {
        Self { tensors, graph: Graph::default() }
    }

    /// The graph, complete.
    #[must_use]
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// The tensors that it is built over.
    #[must_use]
    pub fn tensors(&self) -> &'a Tensors {
        self.tensors
    }

    /// How large a value is.
    #[must_use]
    pub fn shape(&self, value: Id) -> &Shape {
        &self.graph.node(value).shape
    }

    /// How many channels a value has.
    #[must_use]
    pub fn channels(&self, value: Id) -> usize {
        self.shape(value).last().copied().unwrap_or_default()
    }

    /// Gives a value to the outside under this name.
    pub fn output(&mut self, name: &str, value: Id) {
        self.graph.outputs.push((name.to_owned(), value));
    }

    /// Calls a value by the name of the module that makes it.
    pub fn name(&mut self, value: Id, name: &str) -> Id {
        name.clone_into(&mut self.graph.nodes[value.0].name);
        value
    }

    /// A value that comes from outside.
    pub fn input(&mut self, name: &str, shape: Shape) -> Id {
        self.push(name, Op::Input(name.to_owned()), &[], shape)
    }

    /// A tensor of the checkpoint, as rows of channels.
    pub fn weight(&mut self, tensor: &str) -> Result<Id> {
        let shape = self.tensors.shape(tensor)?.to_vec();
        let shape = if shape.len() < 2 { vec![1, shape.iter().product()] } else { shape };
        Ok(self.push(tensor, Op::Weight(tensor.to_owned()), &[], shape))
    }

    /// Numbers that are known now.
    pub fn constant(&mut self, name: &str, numbers: Vec<f32>, shape: Shape) -> Result<Id> {
        if numbers.len() != shape.iter().product::<usize>() {
            return Err(unfit(name, format!("{} numbers for {shape:?}", numbers.len())));
        }
        Ok(self.push(name, Op::Constant(Arc::from(numbers)), &[], shape))
    }

    /// A convolution over images, with the tensors `PREFIX.weight` and, where there is one,
    /// `PREFIX.bias`.
    pub fn conv2d(
        &mut self,
        x: Id,
        prefix: &str,
        stride: usize,
        padding: usize,
        dilation: usize,
    ) -> Result<Id> {
        let weights = self.weights(prefix);
        let [out, into, height, width] = self.tensors.dims::<4>(&weights.weight)?;
        let window = Window { kernel: [height, width], stride, padding, dilation };
        let shape = self.windowed(x, prefix, window, out)?;
        self.fits(prefix, x, into)?;
        self.offsets(&weights, out)?;
        Ok(self.push(prefix, Op::Conv2d(weights, window), &[x], shape))
    }

    /// A linear map of all that an image is, `[images, out]`, with the tensors `PREFIX.weight` and, where
    /// there is one, `PREFIX.bias`. The weights count an image channel by channel, as torch flattens it.
    pub fn linear_over(&mut self, x: Id, prefix: &str) -> Result<Id> {
        let weights = self.weights(prefix);
        let [images, height, width, channels] = self.image(x, prefix)?;
        let [out, into] = self.tensors.dims::<2>(&weights.weight)?;
        if into != height * width * channels {
            let what = format!("its weights take {into} numbers of {:?}", self.shape(x));
            return Err(unfit(prefix, what));
        }
        self.offsets(&weights, out)?;
        // What is under a window as large as the image.
        let window = Window { kernel: [height, width], stride: 1, padding: 0, dilation: 1 };
        let shape = vec![images, 1, 1, out];
        let all = self.push(prefix, Op::Conv2d(weights, window), &[x], shape);
        self.reshape(all, vec![images, out])
    }

    /// A batch norm with frozen statistics.
    pub fn batch_norm(&mut self, x: Id, prefix: &str, eps: f32) -> Result<Id> {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            self.tensors.expect(&format!("{prefix}.{part}"), &[self.channels(x)])?;
        }
        let shape = self.shape(x).clone();
        Ok(self.push(prefix, Op::BatchNorm { prefix: prefix.to_owned(), eps }, &[x], shape))
    }

    /// The greatest under a window.
    pub fn max_pool(&mut self, x: Id, kernel: usize, stride: usize, padding: usize) -> Result<Id> {
        let window = Window { kernel: [kernel; 2], stride, padding, dilation: 1 };
        let shape = self.windowed(x, "max pool", window, self.channels(x))?;
        Ok(self.push("max pool", Op::MaxPool(window), &[x], shape))
    }

    /// A convolution over a sequence, or over each of several.
    pub fn conv1d(&mut self, x: Id, prefix: &str, stride: usize, padding: usize) -> Result<Id> {
        let weights = self.weights(prefix);
        let [out, into, taps] = self.tensors.dims::<3>(&weights.weight)?;
        let window = Window { kernel: [taps, 1], stride, padding, dilation: 1 };
        let rows = self.rows_of_each(x, prefix)?;
        let rows = places(rows, taps, stride, padding, 1)
            .ok_or_else(|| unfit(prefix, format!("{taps} taps over {rows} rows")))?;
        self.fits(prefix, x, into)?;
        self.offsets(&weights, out)?;
        let shape = self.of_each(x, [rows, out]);
        Ok(self.push(prefix, Op::Conv1d(weights, window), &[x], shape))
    }

    /// The transpose of a convolution over a sequence, or over each of several.
    pub fn conv_transpose1d(
        &mut self,
        x: Id,
        prefix: &str,
        stride: usize,
        padding: usize,
    ) -> Result<Id> {
        let weights = self.weights(prefix);
        let [into, out, taps] = self.tensors.dims::<3>(&weights.weight)?;
        let window = Window { kernel: [taps, 1], stride, padding, dilation: 1 };
        let rows = self.rows_of_each(x, prefix)?;
        let full = rows.saturating_sub(1) * stride + taps;
        let rows = full
            .checked_sub(2 * padding)
            .filter(|rows| *rows > 0)
            .ok_or_else(|| unfit(prefix, format!("{taps} taps over {rows} rows")))?;
        if self.shape(x).len() == 4 && !rows.is_multiple_of(stride) {
            return Err(unfit(prefix, format!("{rows} rows of each are no multiple of {stride}")));
        }
        self.fits(prefix, x, into)?;
        self.offsets(&weights, out)?;
        let shape = self.of_each(x, [rows, out]);
        Ok(self.push(prefix, Op::ConvTranspose1d(weights, window), &[x], shape))
    }

    /// A linear map with the tensors `PREFIX.weight` and, where there is one, `PREFIX.bias`.
    pub fn linear(&mut self, x: Id, prefix: &str) -> Result<Id> {
        let weights = self.weights(prefix);
        let [out, _] = self.tensors.dims::<2>(&weights.weight)?;
        self.linear_rows(x, prefix, weights, 0..out)
    }

    /// A linear map with some rows of tensors that hold several.
    pub fn linear_rows(
        &mut self,
        x: Id,
        name: &str,
        weights: Weights,
        rows: Range<usize>,
    ) -> Result<Id> {
        let [out, into] = self.tensors.dims::<2>(&weights.weight)?;
        if rows.start >= rows.end || rows.end > out {
            return Err(unfit(name, format!("rows {rows:?} of a tensor that has {out}")));
        }
        self.fits(name, x, into)?;
        self.offsets(&weights, out)?;
        let mut shape = self.shape(x).clone();
        if let Some(channels) = shape.last_mut() {
            *channels = rows.len();
        }
        Ok(self.push(name, Op::Linear { weights, rows }, &[x], shape))
    }

    /// Every row to mean 0 and variance 1, with the tensors `PREFIX.{weight,bias}`.
    pub fn layer_norm(&mut self, x: Id, prefix: &str, eps: f32) -> Result<Id> {
        let weights = self.scales(x, prefix)?;
        let shape = self.shape(x).clone();
        Ok(self.push(prefix, Op::LayerNorm { weights, eps }, &[x], shape))
    }

    /// Every group of channels to mean 0 and variance 1, with the tensors `PREFIX.{weight,bias}`.
    pub fn group_norm(&mut self, x: Id, prefix: &str, groups: usize, eps: f32) -> Result<Id> {
        let weights = self.scales(x, prefix)?;
        if groups == 0 || !self.channels(x).is_multiple_of(groups) {
            return Err(unfit(prefix, format!("{} channels in {groups} groups", self.channels(x))));
        }
        let shape = self.shape(x).clone();
        Ok(self.push(prefix, Op::GroupNorm { groups, weights, eps }, &[x], shape))
    }

    /// A curve, number by number.
    pub fn activate(&mut self, x: Id, activation: Activation) -> Id {
        let shape = self.shape(x).clone();
        self.push(&format!("{activation:?}").to_lowercase(), Op::Activate(activation), &[x], shape)
    }

    /// Attention of queries to keys and values that are already projected.
    pub fn attention(
        &mut self,
        name: &str,
        [q, k, v]: [Id; 3],
        heads: usize,
        causal: bool,
    ) -> Result<Id> {
        let ([queries, width], [keys, of_keys]) =
            (self.sequence(q, name)?, self.sequence(k, name)?);
        let values = self.sequence(v, name)?;
        let whole = heads > 0 && width.is_multiple_of(heads);
        if !whole || of_keys != width || values != [keys, width] || (causal && keys != queries) {
            let what = format!(
                "{heads} heads over {:?}, {:?}, {:?}",
                self.shape(q),
                self.shape(k),
                self.shape(v)
            );
            return Err(unfit(name, what));
        }
        Ok(self.push(name, Op::Attention { heads, causal }, &[q, k, v], vec![queries, width]))
    }

    /// The sum; `b` may be one row for all rows of `a`, or for all of each image.
    pub fn add(&mut self, a: Id, b: Id) -> Result<Id> {
        self.pair("sum", Op::Add, a, b)
    }

    /// The product; `b` may be one row for all rows of `a`, or for all of each image.
    pub fn multiply(&mut self, a: Id, b: Id) -> Result<Id> {
        self.pair("product", Op::Multiply, a, b)
    }

    /// Side by side.
    pub fn concat_channels(&mut self, parts: &[Id]) -> Result<Id> {
        let mut shape = self.first(parts, "side by side")?;
        let last = shape.len() - 1;
        if parts
            .iter()
            .any(|part| self.shape(*part)[..self.shape(*part).len() - 1] != shape[..last])
        {
            return Err(unfit("side by side", self.shapes(parts)));
        }
        shape[last] = parts.iter().map(|part| self.channels(*part)).sum();
        Ok(self.push("side by side", Op::ConcatChannels, parts, shape))
    }

    /// Below each other.
    pub fn concat_rows(&mut self, parts: &[Id]) -> Result<Id> {
        let mut shape = self.first(parts, "below each other")?;
        if parts.iter().any(|part| self.shape(*part)[1..] != shape[1..]) || shape.len() < 2 {
            return Err(unfit("below each other", self.shapes(parts)));
        }
        shape[0] = parts.iter().map(|part| self.shape(*part)[0]).sum();
        Ok(self.push("below each other", Op::ConcatRows, parts, shape))
    }

    /// Some rows of a sequence.
    pub fn rows(&mut self, x: Id, rows: Range<usize>) -> Result<Id> {
        let [count, channels] = self.sequence(x, "rows")?;
        if rows.start >= rows.end || rows.end > count {
            return Err(unfit("rows", format!("{rows:?} of {count}")));
        }
        let shape = vec![rows.len(), channels];
        Ok(self.push("rows", Op::Rows(rows), &[x], shape))
    }

    /// Some channels of every row.
    pub fn some_channels(&mut self, x: Id, channels: Range<usize>) -> Result<Id> {
        if channels.start >= channels.end || channels.end > self.channels(x) {
            return Err(unfit("channels", format!("{channels:?} of {}", self.channels(x))));
        }
        let mut shape = self.shape(x).clone();
        if let Some(last) = shape.last_mut() {
            *last = channels.len();
        }
        Ok(self.push("channels", Op::Channels(channels), &[x], shape))
    }

    /// The same numbers, counted otherwise.
    pub fn reshape(&mut self, x: Id, shape: Shape) -> Result<Id> {
        let before: usize = self.shape(x).iter().product();
        if before != shape.iter().product::<usize>() || shape.is_empty() {
            return Err(unfit("reshape", format!("{:?} as {shape:?}", self.shape(x))));
        }
        Ok(self.push("reshape", Op::Reshape, &[x], shape))
    }

    /// Where each channel of an image has its weight.
    pub fn spatial_softmax(&mut self, x: Id) -> Result<Id> {
        let [images, _, _, channels] = self.image(x, "spatial softmax")?;
        let shape = vec![images, 2 * channels];
        Ok(self.push("spatial softmax", Op::SpatialSoftmax, &[x], shape))
    }

    fn push(&mut self, name: &str, op: Op, inputs: &[Id], shape: Shape) -> Id {
        self.graph.nodes.push(Node { name: name.to_owned(), op, inputs: inputs.to_vec(), shape });
        Id(self.graph.nodes.len() - 1)
    }

    fn pair(&mut self, name: &str, op: Op, a: Id, b: Id) -> Result<Id> {
        let numbers: usize = self.shape(b).iter().product();
        let row = numbers == self.channels(a) && numbers == self.channels(b);
        let row_of_each = match (&self.shape(a)[..], &self.shape(b)[..]) {
            ([images, _, _, channels], same) => *same == [*images, 1, 1, *channels],
            _ => false,
        };
        if self.shape(a) != self.shape(b) && !row && !row_of_each {
            return Err(unfit(name, self.shapes(&[a, b])));
        }
        let shape = self.shape(a).clone();
        Ok(self.push(name, op, &[a, b], shape))
    }

    /// The tensors of a module, with the offsets where the checkpoint has them.
    fn weights(&self, prefix: &str) -> Weights {
        let bias = format!("{prefix}.bias");
        let bias = self.tensors.contains(&bias).then_some(bias);
        Weights { weight: format!("{prefix}.weight"), bias }
    }

    fn scales(&self, x: Id, prefix: &str) -> Result<Weights> {
        let weights =
            Weights { weight: format!("{prefix}.weight"), bias: Some(format!("{prefix}.bias")) };
        self.tensors.expect(&weights.weight, &[self.channels(x)])?;
        self.offsets(&weights, self.channels(x))?;
        Ok(weights)
    }

    fn offsets(&self, weights: &Weights, out: usize) -> Result<()> {
        weights.bias.as_ref().map_or(Ok(()), |bias| self.tensors.expect(bias, &[out]))
    }

    fn fits(&self, name: &str, x: Id, channels: usize) -> Result<()> {
        match self.channels(x) == channels {
            true => Ok(()),
            false => Err(unfit(
                name,
                format!("its weights take {channels} channels of {:?}", self.shape(x)),
            )),
        }
    }

    fn image(&self, x: Id, name: &str) -> Result<[usize; 4]> {
        let shape = self.shape(x);
        shape.as_slice().try_into().map_err(|_wrong| unfit(name, format!("{shape:?} is no image")))
    }

    fn sequence(&self, x: Id, name: &str) -> Result<[usize; 2]> {
        let shape = self.shape(x);
        shape
            .as_slice()
            .try_into()
            .map_err(|_wrong| unfit(name, format!("{shape:?} is no sequence")))
    }

    /// How many rows a sequence has, or each of several: images that are one place wide.
    fn rows_of_each(&self, x: Id, name: &str) -> Result<usize> {
        match self.shape(x)[..] {
            [_, rows, 1, _] | [rows, _] => Ok(rows),
            ref shape => Err(unfit(name, format!("{shape:?} is no sequence"))),
        }
    }

    /// The shape of so many rows and channels, of each sequence that there is.
    fn of_each(&self, x: Id, [rows, channels]: [usize; 2]) -> Shape {
        match self.shape(x)[..] {
            [count, _, _, _] => vec![count, rows, 1, channels],
            _ => vec![rows, channels],
        }
    }

    fn windowed(&self, x: Id, name: &str, window: Window, channels: usize) -> Result<Shape> {
        let [images, height, width, _] = self.image(x, name)?;
        let Window { kernel, stride, padding, dilation } = window;
        let sides = places(height, kernel[0], stride, padding, dilation)
            .zip(places(width, kernel[1], stride, padding, dilation));
        let (height, width) =
            sides.ok_or_else(|| unfit(name, format!("{kernel:?} over {height}x{width}")))?;
        Ok(vec![images, height, width, channels])
    }

    fn first(&self, parts: &[Id], name: &str) -> Result<Shape> {
        let part = parts.first().ok_or_else(|| unfit(name, "nothing".to_owned()))?;
        Ok(self.shape(*part).clone())
    }

    fn shapes(&self, values: &[Id]) -> String {
        format!("{:?}", values.iter().map(|value| self.shape(*value)).collect::<Vec<_>>())
    }
}

/// How many places a window of so many taps has over so many rows.
fn places(
    rows: usize,
    taps: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
) -> Option<usize> {
    let reach = taps.checked_sub(1)?.checked_mul(dilation)? + 1;
    let rows = rows.checked_add(padding.checked_mul(2)?)?;
    Some(rows.checked_sub(reach)?.checked_div(stride)? + 1)
}

fn unfit(node: &str, what: String) -> Error {
    Error::Network { node: node.to_owned(), what }
}
