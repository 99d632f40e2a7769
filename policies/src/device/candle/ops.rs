//! A node on candle's operations. Values are channels last; what candle wants the other way round is
//! turned and turned back here.

use candle_core::{D, Tensor};

use super::Computed;
use crate::graph::{Activation, Node, Op, Window};

/// What a node makes of its inputs, with its share of the checkpoint.
pub(super) fn apply(node: &Node, inputs: &[&Tensor], weights: &[Tensor]) -> Computed<Tensor> {
    let input = |at: usize| inputs.get(at).copied().ok_or_else(|| missing("input"));
    let weight = |at: usize| weights.get(at).ok_or_else(|| missing("weight"));
    match &node.op {
        Op::Input(_) => Err(missing("input")),
        Op::Weight(_) | Op::Constant(_) => weight(0).cloned(),
        Op::Conv2d(_, window) => {
            let x = images_first(input(0)?)?;
            let Window { stride, padding, dilation, .. } = *window;
            let x = x.conv2d(weight(0)?, padding, stride, dilation, 1)?;
            shift(&x.permute((0, 2, 3, 1))?, weights.get(1))
        }
        Op::BatchNorm { .. } => input(0)?.broadcast_mul(weight(0)?)?.broadcast_add(weight(1)?),
        Op::MaxPool(window) => max_pool(input(0)?, window),
        Op::Conv1d(_, window) => {
            let x = sequences(input(0)?)?;
            let Window { stride, padding, dilation, .. } = *window;
            let x = x.conv1d(weight(0)?, padding, stride, dilation, 1)?;
            shift(&x.transpose(1, 2)?, weights.get(1))?.reshape(node.shape.as_slice())
        }
        Op::ConvTranspose1d(_, window) => {
            let x = sequences(input(0)?)?;
            let Window { stride, padding, dilation, .. } = *window;
            let x = x.conv_transpose1d(weight(0)?, padding, 0, stride, dilation, 1)?;
            shift(&x.transpose(1, 2)?, weights.get(1))?.reshape(node.shape.as_slice())
        }
        Op::Linear { .. } => {
            let x = input(0)?;
            let rows = x.contiguous()?.reshape(((), x.dim(D::Minus1)?))?;
            let y = rows.matmul(&weight(0)?.t()?)?.reshape(node.shape.as_slice())?;
            shift(&y, weights.get(1))
        }
        Op::LayerNorm { eps, .. } => {
            let x = standard(input(0)?, &[D::Minus1], *eps)?;
            x.broadcast_mul(weight(0)?)?.broadcast_add(weight(1)?)
        }
        Op::GroupNorm { groups, eps, .. } => {
            let x = input(0)?;
            let channels = x.dim(D::Minus1)?;
            let images = if node.shape.len() == 4 { node.shape[0] } else { 1 };
            let grouped = x.contiguous()?.reshape((images, (), *groups, channels / groups))?;
            let x = standard(&grouped, &[D::Minus1, D::Minus(3)], *eps)?;
            let x = x.reshape(node.shape.as_slice())?;
            x.broadcast_mul(weight(0)?)?.broadcast_add(weight(1)?)
        }
        Op::Activate(activation) => activate(input(0)?, *activation),
        Op::Attention { heads, causal } => {
            attention([input(0)?, input(1)?, input(2)?], *heads, *causal)
        }
        Op::Add => {
            let [a, b] = alike(input(0)?, input(1)?)?;
            a.broadcast_add(&b)
        }
        Op::Multiply => {
            let [a, b] = alike(input(0)?, input(1)?)?;
            a.broadcast_mul(&b)
        }
        Op::ConcatChannels => Tensor::cat(inputs, D::Minus1),
        Op::ConcatRows => Tensor::cat(inputs, 0),
        Op::Rows(rows) => input(0)?.narrow(0, rows.start, rows.len()),
        Op::Channels(channels) => input(0)?.narrow(D::Minus1, channels.start, channels.len()),
        Op::Reshape => input(0)?.contiguous()?.reshape(node.shape.as_slice()),
        Op::SpatialSoftmax => spatial_softmax(input(0)?),
    }
}

fn missing(what: &str) -> candle_core::Error {
    candle_core::Error::Msg(format!("{what} missing"))
}

fn images_first(x: &Tensor) -> Computed<Tensor> {
    x.permute((0, 3, 1, 2))?.contiguous()
}

/// A sequence, or several, as candle convolves them: the channels before the rows.
fn sequences(x: &Tensor) -> Computed<Tensor> {
    let images = if x.dims().len() == 4 { x.dim(0)? } else { 1 };
    let x = x.contiguous()?.reshape((images, (), x.dim(D::Minus1)?))?;
    x.transpose(1, 2)?.contiguous()
}

fn shift(x: &Tensor, bias: Option<&Tensor>) -> Computed<Tensor> {
    match bias {
        Some(bias) => x.broadcast_add(bias),
        None => x.contiguous(),
    }
}

/// The second as large as the first, or one row of channels for all, or for each image.
fn alike(a: &Tensor, b: &Tensor) -> Computed<[Tensor; 2]> {
    let b = match b.elem_count() == b.dim(D::Minus1)? && a.dims() != b.dims() {
        true => b.flatten_all()?,
        false => b.clone(),
    };
    Ok([a.clone(), b])
}

/// To mean 0 and variance 1 over some dimensions.
fn standard(x: &Tensor, over: &[D], eps: f32) -> Computed<Tensor> {
    let mean = |x: &Tensor| -> Computed<Tensor> {
        over.iter().try_fold(x.clone(), |x, dim| x.mean_keepdim(*dim))
    };
    let x = x.broadcast_sub(&mean(x)?)?;
    let variance = mean(&x.sqr()?)?;
    x.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)
}

fn max_pool(x: &Tensor, window: &Window) -> Computed<Tensor> {
    let mut x = images_first(x)?;
    for dim in [2, 3] {
        let mut edge = x.dims().to_vec();
        edge[dim] = window.padding;
        let edge = Tensor::full(f32::NEG_INFINITY, edge, x.device())?;
        x = Tensor::cat(&[&edge, &x, &edge], dim)?;
    }
    let [height, width] = window.kernel;
    let x = x.max_pool2d_with_stride((height, width), (window.stride, window.stride))?;
    x.permute((0, 2, 3, 1))
}

fn activate(x: &Tensor, activation: Activation) -> Computed<Tensor> {
    match activation {
        Activation::Relu => x.relu(),
        Activation::Gelu => x.gelu_erf(),
        Activation::Mish => {
            // ln(1 + exp x) that neither overflows nor loses small numbers.
            let beyond = (x.abs()?.neg()?.exp()? + 1.0)?.log()?;
            x * (x.relu()? + beyond)?.tanh()?
        }
        Activation::Silu => x.silu(),
        Activation::Tanh => x.tanh(),
        Activation::Elu => x.elu(1.0),
        Activation::Sigmoid => (x.neg()?.exp()? + 1.0)?.recip(),
    }
}

fn softmax(x: &Tensor) -> Computed<Tensor> {
    let x = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    x.broadcast_div(&x.sum_keepdim(D::Minus1)?)
}

fn attention(qkv: [&Tensor; 3], heads: usize, causal: bool) -> Computed<Tensor> {
    let split = |x: &Tensor| -> Computed<Tensor> {
        let (rows, width) = x.dims2()?;
        let x = x.contiguous()?.reshape((rows, heads, width / heads))?;
        x.transpose(0, 1)?.contiguous()
    };
    let [q, k, v] = [split(qkv[0])?, split(qkv[1])?, split(qkv[2])?];
    let (_, rows, width) = q.dims3()?;
    let mut scores = ((q / (width as f64).sqrt())?).matmul(&k.t()?)?;
    if causal {
        let seen = |at: usize| if at % rows > at / rows { f32::NEG_INFINITY } else { 0.0 };
        let mask: Vec<f32> = (0..rows * rows).map(seen).collect();
        scores = scores.broadcast_add(&Tensor::from_vec(mask, (rows, rows), scores.device())?)?;
    }
    let x = softmax(&scores)?.matmul(&v)?.transpose(0, 1)?.contiguous()?;
    x.reshape((rows, heads * width))
}

fn spatial_softmax(x: &Tensor) -> Computed<Tensor> {
    let (images, height, width, channels) = x.dims4()?;
    let weights = softmax(&images_first(x)?.reshape((images * channels, height * width))?)?;
    let side = |at: usize, length: usize| match length {
        1 => -1.0,
        _ => (-1.0 + 2.0 * at as f64 / (length - 1) as f64) as f32,
    };
    let places =
        (0..height * width).flat_map(|at| [side(at % width, width), side(at / width, height)]);
    let places = Tensor::from_iter(places, x.device())?.reshape((height * width, 2))?;
    weights.matmul(&places)?.reshape((images, 2 * channels))
}
