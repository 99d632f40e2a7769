//! ResNet without its head, as torchvision builds it. How wide it is, the tensors say.

use crate::config::Backbone;
use crate::error::{Error, Result};
use crate::graph::{Activation, Builder, Id};

/// Added to variances, in every ResNet.
const EPS: f32 = 1e-5;
/// How many channels share a group where groups take the place of batches.
const GROUP: usize = 16;
/// How many channels torchvision's first convolution gives.
pub const STEM: usize = 64;

/// Tensors by name and shape.
pub type List = Vec<(String, Vec<usize>)>;

/// What its modules are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    conv: String,
    norm: String,
    stages: [String; 4],
}

impl Names {
    /// torchvision's own below a prefix: `PREFIX.conv1`, `PREFIX.layer1`.
    #[must_use]
    pub fn of_modules(prefix: &str) -> Self {
        Self {
            conv: format!("{prefix}.conv1"),
            norm: format!("{prefix}.bn1"),
            stages: [1, 2, 3, 4].map(|stage| format!("{prefix}.layer{stage}")),
        }
    }

    /// The same modules numbered in their order: `PREFIX.0`, `PREFIX.4`.
    #[must_use]
    pub fn of_sequence(prefix: &str) -> Self {
        Self {
            conv: format!("{prefix}.0"),
            norm: format!("{prefix}.1"),
            // 2 and 3 are the activation and the pooling, which have no tensors.
            stages: [4, 5, 6, 7].map(|stage| format!("{prefix}.{stage}")),
        }
    }
}

/// What follows each convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// The frozen statistics of batches.
    Batch,
    /// Groups of 16 channels.
    Group,
}

/// A residual network down to its last feature map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resnet {
    /// What its modules are called.
    pub names: Names,
    /// How deep it is.
    pub depth: Backbone,
    /// What follows each convolution.
    pub norm: Norm,
    /// Whether the last stage looks twice as far instead of moving twice as fast.
    pub dilate_last: bool,
}

impl Resnet {
    /// Images `[n, height, width, 3]` to feature maps.
    pub fn build(&self, b: &mut Builder<'_>, images: Id) -> Result<Id> {
        let x = b.conv2d(images, &self.names.conv, 2, 3, 1)?;
        let x = self.normed(b, x, &self.names.norm)?;
        let x = b.activate(x, Activation::Relu);
        let mut x = b.max_pool(x, 3, 2, 1)?;
        for (stage, (name, blocks)) in self.names.stages.iter().zip(self.depth.blocks()).enumerate()
        {
            let dilate = self.dilate_last && stage == 3;
            for block in 0..blocks {
                let first = block == 0;
                let stride = if first && stage > 0 && !dilate { 2 } else { 1 };
                // The first block still looks as far as the stage before, as torchvision has it.
                let dilation = if dilate && !first { 2 } else { 1 };
                x = self.block(b, x, &format!("{name}.{block}"), stride, dilation)?;
            }
        }
        Ok(x)
    }

    /// Lists its tensors, where the first convolution gives so many channels, and says how many come out.
    pub fn tensors(&self, list: &mut List, stem: usize) -> usize {
        let mut conv = |[conv, norm]: [String; 2], out: usize, into: usize, kernel: usize| {
            list.push((format!("{conv}.weight"), vec![out, into, kernel, kernel]));
            let frozen: &[&str] = match self.norm {
                Norm::Batch => &["weight", "bias", "running_mean", "running_var"],
                Norm::Group => &["weight", "bias"],
            };
            list.extend(frozen.iter().map(|part| (format!("{norm}.{part}"), vec![out])));
        };
        conv([self.names.conv.clone(), self.names.norm.clone()], stem, 3, 7);
        let wide = if self.depth.bottleneck() { 4 } else { 1 };
        let mut into = stem;
        for (stage, (name, blocks)) in self.names.stages.iter().zip(self.depth.blocks()).enumerate()
        {
            let (inner, out) = (stem << stage, (stem << stage) * wide);
            for block in 0..blocks {
                let pair = |nth| ["conv", "bn"].map(|part| format!("{name}.{block}.{part}{nth}"));
                if self.depth.bottleneck() {
                    conv(pair(1), inner, into, 1);
                    conv(pair(2), inner, inner, 3);
                    conv(pair(3), out, inner, 1);
                } else {
                    conv(pair(1), inner, into, 3);
                    conv(pair(2), out, inner, 3);
                }
                if block == 0 && (stage > 0 || into != out) {
                    let skip = ["0", "1"].map(|nth| format!("{name}.{block}.downsample.{nth}"));
                    conv(skip, out, into, 1);
                }
                into = out;
            }
        }
        into
    }

    fn block(
        &self,
        b: &mut Builder<'_>,
        x: Id,
        prefix: &str,
        stride: usize,
        dilation: usize,
    ) -> Result<Id> {
        let part = |name: &str| format!("{prefix}.{name}");
        let y = if self.depth.bottleneck() {
            let y = b.conv2d(x, &part("conv1"), 1, 0, 1)?;
            let y = self.normed(b, y, &part("bn1"))?;
            let y = b.activate(y, Activation::Relu);
            let y = b.conv2d(y, &part("conv2"), stride, dilation, dilation)?;
            let y = self.normed(b, y, &part("bn2"))?;
            let y = b.activate(y, Activation::Relu);
            let y = b.conv2d(y, &part("conv3"), 1, 0, 1)?;
            self.normed(b, y, &part("bn3"))?
        } else if dilation > 1 {
            let what = "only a ResNet of bottlenecks can be dilated".to_owned();
            return Err(Error::Network { node: prefix.to_owned(), what });
        } else {
            let y = b.conv2d(x, &part("conv1"), stride, 1, 1)?;
            let y = self.normed(b, y, &part("bn1"))?;
            let y = b.activate(y, Activation::Relu);
            let y = b.conv2d(y, &part("conv2"), 1, 1, 1)?;
            self.normed(b, y, &part("bn2"))?
        };
        let skip = if b.tensors().contains(&part("downsample.0.weight")) {
            let skip = b.conv2d(x, &part("downsample.0"), stride, 0, 1)?;
            self.normed(b, skip, &part("downsample.1"))?
        } else {
            x
        };
        let sum = b.add(y, skip)?;
        let out = b.activate(sum, Activation::Relu);
        Ok(b.name(out, prefix))
    }

    fn normed(&self, b: &mut Builder<'_>, x: Id, prefix: &str) -> Result<Id> {
        match self.norm {
            Norm::Batch => b.batch_norm(x, prefix, EPS),
            Norm::Group => b.group_norm(x, prefix, b.channels(x) / GROUP, EPS),
        }
    }
}
