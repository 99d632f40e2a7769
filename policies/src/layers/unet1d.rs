//! Diffusion policy's U-Net over a sequence of actions, cut in two: what the condition and the step
//! say to each block, and the blocks themselves. The first is made once for all steps of a chunk.

use crate::error::{Error, Result};
use crate::graph::{Activation, Builder, Id};
use crate::layers::position;

/// Added to variances.
const EPS: f32 = 1e-5;
/// How many groups the last convolution's norm has, whatever the configuration says of the others.
const LAST_GROUPS: usize = 8;

/// The network, as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unet1d {
    /// What all its tensors' names begin with.
    pub prefix: String,
    /// How wide each level is; between two the sequence is halved.
    pub widths: Vec<usize>,
    /// How many rows a convolution sees.
    pub kernel: usize,
    /// How many groups are normed.
    pub groups: usize,
    /// How many numbers describe a step.
    pub step_length: usize,
    /// Whether the condition also scales, or only shifts.
    pub scales: bool,
}

impl Unet1d {
    fn levels(&self) -> usize {
        self.widths.len()
    }

    /// The blocks that the condition speaks to, in the order in which they run.
    fn blocks(&self) -> Vec<String> {
        let pair = |part: String| [format!("{part}.0"), format!("{part}.1")];
        let down = (0..self.levels()).flat_map(|level| pair(format!("down_modules.{level}")));
        let up = (1..self.levels()).flat_map(|level| pair(format!("up_modules.{}", level - 1)));
        let blocks = down.chain(pair("mid_modules".to_owned())).chain(up);
        blocks.map(|block| format!("{}.{block}", self.prefix)).collect()
    }

    /// How many blocks the condition speaks to: the outputs of [`Self::modulate`].
    #[must_use]
    pub fn films(&self) -> usize {
        4 * self.levels()
    }

    /// From the condition `[1, n]` to what each block is told at each of these steps:
    /// `film0` … of `[steps, channels]`.
    pub fn modulate(&self, b: &mut Builder<'_>, condition: Id, steps: &[usize]) -> Result<()> {
        let encoder = format!("{}.diffusion_step_encoder", self.prefix);
        if self.step_length < 4 || !self.step_length.is_multiple_of(2) {
            let what = format!(
                "{} numbers cannot describe a step; an even number of at least 4 can",
                self.step_length
            );
            return Err(Error::Network { node: encoder, what });
        }
        let length = b.channels(condition);
        // Before memory is taken for all steps at once.
        for block in self.blocks() {
            let weight = format!("{block}.cond_encoder.1.weight");
            let [channels, into] = b.tensors().dims::<2>(&weight)?;
            if into != self.step_length + length {
                return Err(Error::Shape {
                    tensor: weight,
                    found: vec![channels, into],
                    wanted: format!("[{channels}, {}]", self.step_length + length),
                });
            }
        }
        let waves = steps.iter().flat_map(|step| position::step_waves(*step, self.step_length));
        let x = b.constant(
            &format!("{encoder}.0"),
            waves.collect(),
            vec![steps.len(), self.step_length],
        )?;
        let x = b.linear(x, &format!("{encoder}.1"))?;
        let x = b.activate(x, Activation::Mish);
        let x = b.linear(x, &format!("{encoder}.3"))?;
        let step = b.name(x, &encoder);
        let nothing =
            b.constant("no condition", vec![0.0; steps.len() * length], vec![steps.len(), length])?;
        let repeated = b.add(nothing, condition)?;
        let told = b.concat_channels(&[step, repeated])?;
        let told = b.activate(told, Activation::Mish);
        for (at, block) in self.blocks().iter().enumerate() {
            let film = b.linear(told, &format!("{block}.cond_encoder.1"))?;
            b.output(&format!("film{at}"), film);
        }
        Ok(())
    }

    /// One step of denoising: from `sample` `[horizon, actions]` and the blocks' `film0` … to the
    /// network's answer of the same size. Of several samples `[samples, horizon, 1, actions]` each has a
    /// row of its own of what the blocks are told.
    pub fn denoise(&self, b: &mut Builder<'_>, sample: Id) -> Result<Id> {
        let blocks = self.blocks();
        let mut films = Vec::with_capacity(blocks.len());
        for (at, block) in blocks.iter().enumerate() {
            let [channels, _] = b.tensors().dims::<2>(&format!("{block}.cond_encoder.1.weight"))?;
            let shape = match b.shape(sample)[..] {
                [samples, _, _, _] => vec![samples, 1, 1, channels],
                _ => vec![1, channels],
            };
            films.push(b.input(&format!("film{at}"), shape));
        }
        let mut told = blocks.iter().zip(films);
        let mut next = |b: &mut Builder<'_>, x: Id| match told.next() {
            Some((block, film)) => self.block(b, x, block, film),
            None => Ok(x),
        };
        let mut x = sample;
        let mut skips = Vec::with_capacity(self.levels());
        for (level, width) in self.widths.iter().enumerate() {
            let first = format!("{}.down_modules.{level}.0.conv1.block.0.weight", self.prefix);
            b.tensors().expect(&first, &[*width, b.channels(x), self.kernel])?;
            x = next(b, x)?;
            x = next(b, x)?;
            skips.push(x);
            if level + 1 < self.levels() {
                x = b.conv1d(x, &format!("{}.down_modules.{level}.2", self.prefix), 2, 1)?;
            }
        }
        x = next(b, x)?;
        x = next(b, x)?;
        for level in 1..self.levels() {
            if let Some(skip) = skips.pop() {
                x = b.concat_channels(&[x, skip])?;
            }
            x = next(b, x)?;
            x = next(b, x)?;
            let name = format!("{}.up_modules.{}.2", self.prefix, level - 1);
            x = b.conv_transpose1d(x, &name, 2, 1)?;
        }
        let x =
            convolved(b, x, &format!("{}.final_conv.0", self.prefix), self.kernel, LAST_GROUPS)?;
        let x = b.conv1d(x, &format!("{}.final_conv.1", self.prefix), 1, 0)?;
        Ok(b.name(x, &self.prefix))
    }

    fn block(&self, b: &mut Builder<'_>, x: Id, prefix: &str, film: Id) -> Result<Id> {
        let y = convolved(b, x, &format!("{prefix}.conv1"), self.kernel, self.groups)?;
        let channels = b.channels(y);
        let told = channels * if self.scales { 2 } else { 1 };
        b.tensors().expect(&format!("{prefix}.cond_encoder.1.bias"), &[told])?;
        let y = if self.scales {
            let scale = b.some_channels(film, 0..channels)?;
            let shift = b.some_channels(film, channels..2 * channels)?;
            let y = b.multiply(y, scale)?;
            b.add(y, shift)?
        } else {
            b.add(y, film)?
        };
        let y = convolved(b, y, &format!("{prefix}.conv2"), self.kernel, self.groups)?;
        let residual = format!("{prefix}.residual_conv");
        let skip = match b.tensors().contains(&format!("{residual}.weight")) {
            true => b.conv1d(x, &residual, 1, 0)?,
            false => x,
        };
        let sum = b.add(y, skip)?;
        Ok(b.name(sum, prefix))
    }
}

fn convolved(b: &mut Builder<'_>, x: Id, prefix: &str, kernel: usize, groups: usize) -> Result<Id> {
    let x = b.conv1d(x, &format!("{prefix}.block.0"), 1, kernel / 2)?;
    let x = b.group_norm(x, &format!("{prefix}.block.1"), groups, EPS)?;
    Ok(b.activate(x, Activation::Mish))
}
