//! `ACTConfig`.

use super::fields::{Fields, Word};
use super::{Backbone, Common, NormMode};
use crate::error::Result;

/// The curve inside a feedforward block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedforward {
    /// What is below zero becomes zero.
    Relu,
    /// `x` times the normal distribution function of `x`.
    Gelu,
    /// One half of the channels times the sigmoid of the other.
    Glu,
}

impl Word for Feedforward {
    const WORDS: &'static [(&'static str, Self)] =
        &[("relu", Self::Relu), ("gelu", Self::Gelu), ("glu", Self::Glu)];
}

/// Action chunking with transformers, as LeRobot 0.6.1 configures it. Fields have its names.
#[derive(Clone, Debug)]
pub struct ActConfig {
    /// What every configuration holds.
    pub common: Common,
    /// How many actions a chunk has.
    pub chunk_size: usize,
    /// How many of them are carried out before the next chunk is made.
    pub n_action_steps: usize,
    /// The network behind the cameras.
    pub vision_backbone: Backbone,
    /// Whether the backbone's last stage is dilated instead of strided.
    pub replace_final_stride_with_dilation: bool,
    /// Whether blocks scale before they work instead of after.
    pub pre_norm: bool,
    /// The width of the transformer.
    pub dim_model: usize,
    /// Into how many heads attention is cut.
    pub n_heads: usize,
    /// The width inside a feedforward block.
    pub dim_feedforward: usize,
    /// The curve inside a feedforward block.
    pub feedforward_activation: Feedforward,
    /// How many layers look at the observation.
    pub n_encoder_layers: usize,
    /// How many layers make the chunk.
    pub n_decoder_layers: usize,
    /// Whether there is a VAE encoder; it was needed for training only.
    pub use_vae: bool,
    /// The width of the latent, which is zero when a chunk is made.
    pub latent_dim: usize,
    /// How quickly an older prediction loses weight, where overlapping chunks are averaged.
    pub temporal_ensemble_coeff: Option<f64>,
}

/// What matters to training only.
const TRAINING: [&str; 7] = [
    "pretrained_backbone_weights",
    "n_vae_encoder_layers",
    "dropout",
    "kl_weight",
    "optimizer_lr",
    "optimizer_weight_decay",
    "optimizer_lr_backbone",
];

impl ActConfig {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.ignore(&TRAINING);
        let mut config = Self {
            common: Common::read(fields, 1, [NormMode::MeanStd; 3])?,
            chunk_size: fields.size("chunk_size", 100)?,
            n_action_steps: fields.size("n_action_steps", 100)?,
            vision_backbone: fields.word("vision_backbone", Backbone::Resnet18)?,
            replace_final_stride_with_dilation: fields
                .or("replace_final_stride_with_dilation", false)?,
            pre_norm: fields.or("pre_norm", false)?,
            dim_model: fields.size("dim_model", 512)?,
            n_heads: fields.size("n_heads", 8)?,
            dim_feedforward: fields.size("dim_feedforward", 3200)?,
            feedforward_activation: fields.word("feedforward_activation", Feedforward::Relu)?,
            n_encoder_layers: fields.or("n_encoder_layers", 4)?,
            n_decoder_layers: fields.or("n_decoder_layers", 1)?,
            use_vae: fields.or("use_vae", true)?,
            latent_dim: fields.size("latent_dim", 32)?,
            temporal_ensemble_coeff: fields.or("temporal_ensemble_coeff", None)?,
        };
        config.check(fields)?;
        config.common.finish(fields);
        Ok(config)
    }

    fn check(&self, fields: &Fields<'_>) -> Result<()> {
        let Self { n_action_steps, chunk_size, .. } = self;
        if n_action_steps > chunk_size {
            let what = format!("{n_action_steps} is more than the chunk_size of {chunk_size}");
            return Err(fields.error("n_action_steps", what));
        }
        let (width, heads) = (self.dim_model, self.n_heads);
        if !width.is_multiple_of(heads) {
            let what = format!("{heads} heads do not share the dim_model of {width}");
            return Err(fields.error("n_heads", what));
        }
        if self.temporal_ensemble_coeff.is_some() && *n_action_steps != 1 {
            let what = format!(
                "{n_action_steps} does not go with temporal_ensemble_coeff, which needs a chunk at every step: 1"
            );
            return Err(fields.error("n_action_steps", what));
        }
        if self.common.n_obs_steps != 1 {
            let what = format!("{} is not accepted; accepted: 1", self.common.n_obs_steps);
            return Err(fields.error("n_obs_steps", what));
        }
        self.common.need_sight(fields)
    }
}
