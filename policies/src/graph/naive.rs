//! What a graph means, in f64 and as plainly as it can be said: what every executor is tested
//! against.

use super::{Activation, Graph, Node, Op, Weights, Window};
use crate::checkpoint::Tensors;

/// A value: its shape and its numbers.
pub struct Value {
    /// Lengths, the channels last.
    pub shape: Vec<usize>,
    /// Row by row.
    pub numbers: Vec<f64>,
}

impl Value {
    fn channels(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    fn rows(&self) -> std::slice::Chunks<'_, f64> {
        self.numbers.chunks(self.channels())
    }

    /// A number of an image or a sequence, zero outside.
    fn at(&self, image: usize, y: isize, x: isize, channel: usize) -> f64 {
        let [height, width, channels] = self.grid();
        if !(0..height as isize).contains(&y) || !(0..width as isize).contains(&x) {
            return 0.0;
        }
        let place = (image * height + y as usize) * width + x as usize;
        self.numbers[place * channels + channel]
    }

    /// Height, width and channels; a sequence is an image one place wide.
    fn grid(&self) -> [usize; 3] {
        match self.shape[..] {
            [_, height, width, channels] => [height, width, channels],
            [rows, channels] => [rows, 1, channels],
            _ => panic!("{:?}", self.shape),
        }
    }
}

/// All values of a graph.
pub fn run(graph: &Graph, tensors: &Tensors, inputs: &[(&str, &[f32])]) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for node in graph.nodes() {
        let of: Vec<&Value> = node.inputs.iter().map(|id| &values[id.0]).collect();
        let numbers = evaluate(node, &of, tensors, inputs);
        assert_eq!(numbers.len(), node.shape.iter().product::<usize>(), "{}", node.name);
        values.push(Value { shape: node.shape.clone(), numbers });
    }
    values
}

/// The error function's integral by its series, or its continued fraction where that is better.
pub fn gelu(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let tail = if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..200 {
            term *= -z * z / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        1.0 - sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..100).rev().fold(z, |below, n| z + n as f64 / 2.0 / below);
        (-z * z).exp() / fraction / std::f64::consts::PI.sqrt()
    };
    x * if x < 0.0 { tail / 2.0 } else { 1.0 - tail / 2.0 }
}

fn wide(numbers: Vec<f32>) -> Vec<f64> {
    numbers.into_iter().map(f64::from).collect()
}

fn evaluate(node: &Node, of: &[&Value], tensors: &Tensors, inputs: &[(&str, &[f32])]) -> Vec<f64> {
    let read = |tensor: &str| wide(tensors.read(tensor).unwrap());
    let bias = |weights: &Weights, count: usize| {
        weights.bias.as_ref().map_or(vec![0.0; count], |bias| read(bias))
    };
    let channels = node.shape[node.shape.len() - 1];
    match &node.op {
        Op::Input(name) => {
            let (_, numbers) = inputs.iter().find(|(input, _)| input == name).unwrap();
            wide(numbers.to_vec())
        }
        Op::Weight(tensor) => read(tensor),
        Op::Constant(numbers) => wide(numbers.to_vec()),
        Op::Conv2d(weights, window) | Op::Conv1d(weights, window) => {
            let (numbers, bias) = (read(&weights.weight), bias(weights, channels));
            // A sequence is not padded across.
            let across = if matches!(node.op, Op::Conv2d(..)) { window.padding } else { 0 };
            conv(of[0], &node.shape, &numbers, &bias, *window, across)
        }
        Op::ConvTranspose1d(weights, window) => {
            let (numbers, into) = (read(&weights.weight), of[0].channels());
            let taps = window.kernel[0];
            let (count, rows) = (node.shape.iter().product::<usize>() / channels, of[0].grid()[0]);
            // Of each sequence.
            let most = if node.shape.len() == 4 { node.shape[1] } else { count };
            let mut out: Vec<f64> = (0..count).flat_map(|_| bias(weights, channels)).collect();
            for (row, from) in of[0].rows().enumerate() {
                let (first, row) = (row / rows * most, row % rows);
                for tap in 0..taps {
                    let Some(to) = (row * window.stride + tap).checked_sub(window.padding) else {
                        continue;
                    };
                    for channel in (0..channels).filter(|_| to < most) {
                        out[(first + to) * channels + channel] += (0..into)
                            .map(|c| from[c] * numbers[(c * channels + channel) * taps + tap])
                            .sum::<f64>();
                    }
                }
            }
            out
        }
        Op::BatchNorm { prefix, eps } => {
            let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
                .map(|part| read(&format!("{prefix}.{part}")));
            let each = |(c, x): (usize, &f64)| {
                (x - mean[c]) / (variance[c] + f64::from(*eps)).sqrt() * weight[c] + bias[c]
            };
            of[0].rows().flat_map(|row| row.iter().enumerate().map(each)).collect()
        }
        Op::MaxPool(window) => {
            let mut out = Vec::new();
            let [height, width, _] = of[0].grid();
            each_place(&node.shape, *window, window.padding, |image, channel, taps| {
                let inside = taps.iter().filter(|(y, x, _)| {
                    (0..height as isize).contains(y) && (0..width as isize).contains(x)
                });
                let numbers = inside.map(|(y, x, _)| of[0].at(image, *y, *x, channel));
                out.push(numbers.fold(f64::NEG_INFINITY, f64::max));
            });
            out
        }
        Op::Linear { weights, rows } => {
            let (numbers, into) = (read(&weights.weight), of[0].channels());
            let bias = bias(weights, rows.end);
            let each = |row: &[f64], out: usize| {
                let weights = &numbers[out * into..][..into];
                bias[out] + row.iter().zip(weights).map(|(a, b)| a * b).sum::<f64>()
            };
            of[0].rows().flat_map(|row| rows.clone().map(move |out| each(row, out))).collect()
        }
        Op::LayerNorm { weights, eps } => {
            let (scale, shift) = (read(&weights.weight), bias(weights, channels));
            let rows = of[0].rows().map(|row| normalized(row, f64::from(*eps)));
            rows.flat_map(|row| scaled(&row, &scale, &shift)).collect()
        }
        Op::GroupNorm { groups, weights, eps } => {
            let (scale, shift) = (read(&weights.weight), bias(weights, channels));
            let images = if node.shape.len() == 4 { node.shape[0] } else { 1 };
            let mut out = of[0].numbers.clone();
            for image in out.chunks_mut(of[0].numbers.len() / images) {
                for group in 0..*groups {
                    let within = |at: &usize| at % channels / (channels / groups) == group;
                    let places: Vec<usize> = (0..image.len()).filter(within).collect();
                    let numbers: Vec<f64> = places.iter().map(|at| image[*at]).collect();
                    let numbers = normalized(&numbers, f64::from(*eps));
                    places.iter().zip(numbers).for_each(|(at, number)| image[*at] = number);
                }
            }
            out.chunks(channels).flat_map(|row| scaled(row, &scale, &shift)).collect()
        }
        Op::Activate(activation) => of[0].numbers.iter().map(|x| curve(*activation, *x)).collect(),
        Op::Attention { heads, causal } => attention(of, *heads, *causal),
        Op::Add => pair(of, |a, b| a + b),
        Op::Multiply => pair(of, |a, b| a * b),
        Op::ConcatChannels => {
            let rows = of[0].numbers.len() / of[0].channels();
            let row = |row| of.iter().flat_map(move |part| part.rows().nth(row).unwrap());
            (0..rows).flat_map(row).copied().collect()
        }
        Op::ConcatRows => of.iter().flat_map(|part| part.numbers.clone()).collect(),
        Op::Rows(rows) => {
            let rows = of[0].rows().skip(rows.start).take(rows.len());
            rows.flatten().copied().collect()
        }
        Op::Channels(range) => of[0].rows().flat_map(|row| &row[range.clone()]).copied().collect(),
        Op::Reshape => of[0].numbers.clone(),
        Op::SpatialSoftmax => spatial_softmax(of[0]),
    }
}

/// Calls `f(image, channel, [(y, x, tap)])` for every number of an image or a sequence.
fn each_place(
    shape: &[usize],
    window: Window,
    across: usize,
    mut f: impl FnMut(usize, usize, &[(isize, isize, usize)]),
) {
    let (images, out) = if shape.len() == 4 { (shape[0], &shape[1..]) } else { (1, shape) };
    let (height, width) = (out[0], if shape.len() == 4 { out[1] } else { 1 });
    for place in 0..images * height * width {
        let (image, y, x) = (place / (height * width), place / width % height, place % width);
        let taps: Vec<_> = (0..window.kernel[0] * window.kernel[1])
            .map(|tap| {
                let y = y * window.stride + tap / window.kernel[1] * window.dilation;
                let x = x * window.stride + tap % window.kernel[1] * window.dilation;
                (y as isize - window.padding as isize, x as isize - across as isize, tap)
            })
            .collect();
        (0..shape[shape.len() - 1]).for_each(|channel| f(image, channel, &taps));
    }
}

fn conv(
    x: &Value,
    shape: &[usize],
    weights: &[f64],
    bias: &[f64],
    window: Window,
    across: usize,
) -> Vec<f64> {
    let (into, count) = (x.channels(), window.kernel[0] * window.kernel[1]);
    let mut out = Vec::new();
    each_place(shape, window, across, |image, channel, taps| {
        let products = taps.iter().flat_map(|(y, x_, tap)| {
            let weight = move |c| weights[(channel * into + c) * count + tap];
            (0..into).map(move |c| x.at(image, *y, *x_, c) * weight(c))
        });
        out.push(bias[channel] + products.sum::<f64>());
    });
    out
}

fn normalized(numbers: &[f64], eps: f64) -> Vec<f64> {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    numbers.iter().map(|x| (x - mean) / (variance + eps).sqrt()).collect()
}

fn scaled(row: &[f64], scale: &[f64], shift: &[f64]) -> Vec<f64> {
    row.iter().zip(scale).zip(shift).map(|((x, scale), shift)| x * scale + shift).collect()
}

fn curve(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Gelu => gelu(x),
        Activation::Mish => x * x.exp().min(1e300).ln_1p().tanh(),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Elu => x.max(0.0) + x.min(0.0).exp_m1(),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let greatest = scores.iter().copied().fold(f64::MIN, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn attention(of: &[&Value], heads: usize, causal: bool) -> Vec<f64> {
    let [q, k, v] = [of[0], of[1], of[2]];
    let (width, depth) = (q.channels(), q.channels() / heads);
    let mut out = Vec::new();
    for (at, query) in q.rows().enumerate() {
        let mut row = vec![0.0; width];
        for head in (0..width).step_by(depth) {
            let seen = if causal { at + 1 } else { k.shape[0] };
            let dot = |key: &[f64]| -> f64 {
                (head..head + depth).map(|c| query[c] * key[c]).sum::<f64>() / (depth as f64).sqrt()
            };
            let scores: Vec<f64> = k.rows().take(seen).map(dot).collect();
            for (share, value) in softmax(&scores).iter().zip(v.rows()) {
                (head..head + depth).for_each(|c| row[c] += share * value[c]);
            }
        }
        out.extend(row);
    }
    out
}

fn pair(of: &[&Value], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let (numbers, other, channels) = (&of[0].numbers, &of[1].numbers, of[0].channels());
    // One row for all, one for each image, or as many.
    let each = numbers.len() / of[1].rows().len();
    let other = |at: usize| other[at / each * channels + at % channels];
    numbers.iter().enumerate().map(|(at, a)| f(*a, other(at))).collect()
}

fn spatial_softmax(x: &Value) -> Vec<f64> {
    let [height, width, channels] = x.grid();
    let along = |at: usize, count: usize| match count {
        1 => -1.0,
        _ => 2.0 * at as f64 / (count - 1) as f64 - 1.0,
    };
    let mut out = Vec::new();
    for image in x.numbers.chunks(height * width * channels) {
        for channel in 0..channels {
            let scores: Vec<f64> = image.chunks(channels).map(|row| row[channel]).collect();
            let shares = softmax(&scores);
            let sum = |f: &dyn Fn(usize) -> f64| -> f64 {
                shares.iter().enumerate().map(|(place, share)| share * f(place)).sum()
            };
            out.push(sum(&|place| along(place % width, width)));
            out.push(sum(&|place| along(place / width, height)));
        }
    }
    out
}
