//! From a checkpoint's weights to products: with batch norms folded in, one tensor at a time.

use super::stage::{BatchNorm, FEW, Form, Map};
use crate::checkpoint::Tensors;
use crate::error::{Error, Result};
use crate::graph::Window;
use crate::kernels::Stored;
use crate::kernels::blocks::FOURS;
use crate::kernels::packed::{Packed, Source};
use crate::kernels::product::{SKINNY, Taps};
use crate::kernels::winograd::{self, Transformed};

/// What has fewer channels on one of its sides stays in f32: it has few weights, and they are those
/// through which everything comes in and goes out.
const NARROW: usize = 32;

/// So many bytes, each times another, are certain to fit into 32 bits.
const MOST: usize = i32::MAX as usize / (255 * 127);

/// A map in the form in which it runs.
pub enum Parts {
    /// Products: how far apart their rows are in the result, and where the first one is.
    Products(Vec<(Packed, Taps, Rung)>),
    /// A convolution of 3×3 with fewer multiplications.
    Winograd(Transformed, Window),
}

/// Every so many-th row of a result.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// The first one.
    pub first: usize,
    /// From one to the next.
    pub step: usize,
}

/// What a map reads and writes.
pub struct Sides {
    /// Images, and height and width of what it reads.
    pub from: (usize, [usize; 2]),
    /// Its channels.
    pub into: usize,
    /// Height and width of what it writes.
    pub out: [usize; 2],
    /// Its channels.
    pub outputs: usize,
    /// Whether the channels of neighbouring places follow each other in memory.
    pub dense: bool,
}

/// Reads and packs a map's weights; `direct` where Winograd's form would take longer.
pub fn pack(
    map: &Map,
    sides: &Sides,
    tensors: &Tensors,
    stored: Stored,
    direct: bool,
) -> Result<Parts> {
    let name = &map.weights.weight;
    let (inputs, outputs) = (sides.into, sides.outputs);
    let first = match &map.form {
        Form::Linear(rows) => rows.start,
        _ => 0,
    };
    let stored = kept_as(stored, sides, map);
    let (bias, scale) = ends(map, first, outputs, tensors)?;
    let base = Source {
        first: first * inputs,
        output: inputs,
        tap: 1,
        channel: 1,
        taps: &[Some(0)],
        channels: inputs,
        segment: inputs,
        scale: &scale,
        bias: &bias,
    };
    let too_large = || Error::Tensor {
        tensor: name.clone(),
        what: format!("holds numbers that are too large for {stored:?}: use f32"),
    };
    let product = |source: &Source<'_>, taps: Taps, rung| {
        let source = &Source { segment: taps.length, ..*source };
        let Source { first, output, tap, channel, taps: list, channels, .. } = source;
        let key = format!(
            "{name} {stored:?} {first} {output} {tap} {channel} {list:?} {channels} {} {outputs} {:?}",
            taps.length, map.norm
        );
        let held = tensors.packed(name, &key, source.bytes(stored), |numbers| {
            source.pack(numbers, stored).ok_or_else(too_large)
        })?;
        Ok((Packed::new(held, source, stored), taps, rung))
    };
    let whole = Rung { first: 0, step: 1 };
    let parts = match &map.form {
        Form::Linear(_) => {
            let rows = sides.from.0 * sides.from.1[0] * sides.from.1[1];
            vec![product(&base, Taps::plain(rows, inputs), whole)?]
        }
        Form::Conv(window, across) => {
            let count = window.kernel[0] * window.kernel[1];
            let simple = window.kernel == [3, 3] && window.stride == 1 && window.dilation == 1;
            if simple && !direct && winograd::fits(inputs, outputs) {
                let key = format!("{name} winograd {:?}", map.norm);
                let size = winograd::bytes(outputs, inputs);
                let held = tensors.packed(name, &key, size, |numbers| {
                    Ok(winograd::transform(outputs, inputs, |out, c| {
                        let taps = &numbers[(out * inputs + c) * count..][..9];
                        std::array::from_fn(|tap| taps[tap] * scale[out])
                    }))
                })?;
                let transformed = Transformed::new(held, outputs, inputs, &bias);
                return Ok(Parts::Winograd(transformed, *window));
            }
            let all: Vec<_> = (0..count).map(Some).collect();
            let source = Source { output: inputs * count, channel: count, taps: &all, ..base };
            vec![product(&source, conv_taps(sides, *window, *across, stored), whole)?]
        }
        Form::Transposed(window) => {
            let count = window.kernel[0];
            let phases = (0..window.stride.min(sides.out[0])).map(|phase| {
                let (taps, list) = phase_taps(sides, *window, phase);
                let source =
                    Source { output: count, channel: outputs * count, taps: &list, ..base };
                product(&source, taps, Rung { first: phase, step: window.stride })
            });
            phases.collect::<Result<_>>()?
        }
    };
    Ok(Parts::Products(parts))
}

/// What a map's weights are kept as, where those of most are kept as this.
fn kept_as(stored: Stored, sides: &Sides, map: &Map) -> Stored {
    let narrow = sides.into.min(sides.outputs) < NARROW;
    let rows = sides.from.0 * sides.out[0] * sides.out[1];
    let taps = match &map.form {
        Form::Linear(_) => 1,
        Form::Conv(window, _) | Form::Transposed(window) => window.kernel[0] * window.kernel[1],
    };
    match stored {
        // Pairs are for those that would rather be fast, and pictures are most of what comes in.
        Stored::Pairs => Stored::Pairs,
        // With few rows it is the weights that are waited for, and rows of more bits cost nothing.
        Stored::Fours if rows <= SKINNY || taps * sides.into > MOST => {
            kept_as(Stored::Int8, sides, map)
        }
        Stored::Fours if narrow || sides.into < FOURS => Stored::Pairs,
        Stored::Int8 if !sides.into.is_multiple_of(2) => Stored::F32,
        Stored::F16 | Stored::Bf16 | Stored::Int8 if narrow => Stored::F32,
        stored => stored,
    }
}

/// What is added to each output at the end, and what its weights are multiplied by.
fn ends(
    map: &Map,
    first: usize,
    outputs: usize,
    tensors: &Tensors,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut bias = match &map.weights.bias {
        Some(bias) => tensors.read(bias)?[first..][..outputs].to_vec(),
        None => vec![0.0; outputs],
    };
    let Some((prefix, eps)) = &map.norm else { return Ok((bias, vec![1.0; outputs])) };
    let norm = BatchNorm::read(tensors, prefix, *eps)?;
    for ((bias, scale), shift) in bias.iter_mut().zip(&norm.scale).zip(&norm.shift) {
        *bias = *bias * scale + shift;
    }
    Ok((bias, norm.scale))
}

/// The taps of a convolution; whole lines of them where nothing lies between and around them.
fn conv_taps(sides: &Sides, window: Window, beside: usize, stored: Stored) -> Taps {
    let [down, across] = window.kernel;
    let (stride, dilation) = (window.stride, window.dilation);
    // Rows of whole numbers have their scales between them.
    let dense = sides.dense && stored != Stored::Int8;
    let bordered = window.padding == 0 || stored.in_blocks() && sides.into < FEW;
    let lines = dense && bordered && dilation == 1;
    let (across, length) = if lines { (1, across * sides.into) } else { (across, sides.into) };
    let offset = |tap: usize| {
        let (y, x) = (tap / across * dilation, tap % across * dilation);
        [y as isize - window.padding as isize, x as isize - beside as isize]
    };
    let offsets = (0..down * across).map(offset).collect();
    Taps { grid: sides.from.1, out: sides.out, stride: [stride; 2], offsets, length }
}

/// What every stride-th row of a transposed convolution reads, and with which of its taps.
fn phase_taps(sides: &Sides, window: Window, phase: usize) -> (Taps, Vec<Option<usize>>) {
    let ahead = |tap: usize| (phase + window.padding) as isize - tap as isize;
    let step = window.stride as isize;
    let list: Vec<usize> =
        (0..window.kernel[0]).filter(|tap| ahead(*tap).rem_euclid(step) == 0).collect();
    // Where only the bias goes, a tap without weights stands for none.
    let list: Vec<_> = match list.is_empty() {
        true => vec![None],
        false => list.into_iter().map(Some).collect(),
    };
    let place = |tap: &Option<usize>| [tap.map_or(0, |tap| ahead(tap).div_euclid(step)), 0];
    let offsets = list.iter().map(place).collect();
    let rows = (sides.out[0] - phase).div_ceil(window.stride);
    let taps =
        Taps { grid: sides.from.1, out: [rows, 1], stride: [1, 1], offsets, length: sides.into };
    (taps, list)
}
