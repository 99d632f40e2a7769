//! `VQBeTConfig`.

use super::fields::Fields;
use super::{Backbone, Common, NormMode};
use crate::error::Result;

/// VQ-BeT, as LeRobot 0.6.1 configures it. Fields have its names.
#[derive(Clone, Debug)]
pub struct VqBetConfig {
    /// What every configuration holds.
    pub common: Common,
    /// How many tokens the transformer makes for the actions to come.
    pub n_action_pred_token: usize,
    /// How many actions one token stands for.
    pub action_chunk_size: usize,
    /// The network behind the camera.
    pub vision_backbone: Backbone,
    /// Height and width of the middle that is looked at.
    pub crop_shape: Option<[usize; 2]>,
    /// Whether the backbone has group norms instead of batch norms.
    pub use_group_norm: bool,
    /// How many places the network looks for in an image.
    pub spatial_softmax_num_keypoints: usize,
    /// How many codes each layer of the code book has.
    pub vqvae_n_embed: usize,
    /// How wide a code is.
    pub vqvae_embedding_dim: usize,
    /// The width inside the code book's networks.
    pub vqvae_enc_hidden_dim: usize,
    /// How many tokens the transformer can look at.
    pub gpt_block_size: usize,
    /// How wide a token is that goes in.
    pub gpt_input_dim: usize,
    /// How wide a token is that comes out.
    pub gpt_output_dim: usize,
    /// How many layers the transformer has.
    pub gpt_n_layer: usize,
    /// Into how many heads attention is cut.
    pub gpt_n_head: usize,
    /// The width of the transformer.
    pub gpt_hidden_dim: usize,
    /// How evenly codes are drawn.
    pub bet_softmax_temperature: f64,
    /// Whether the second code is drawn knowing the first.
    pub sequentially_select: bool,
}

/// What matters to training only.
const TRAINING: [&str; 14] = [
    "crop_is_random",
    "pretrained_backbone_weights",
    "n_vqvae_training_steps",
    "dropout",
    "offset_loss_weight",
    "primary_code_loss_weight",
    "secondary_code_loss_weight",
    "optimizer_lr",
    "optimizer_betas",
    "optimizer_eps",
    "optimizer_weight_decay",
    "optimizer_vqvae_lr",
    "optimizer_vqvae_weight_decay",
    "scheduler_warmup_steps",
];

impl VqBetConfig {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.ignore(&TRAINING);
        let modes = [NormMode::Identity, NormMode::MinMax, NormMode::MinMax];
        let crop: Option<[usize; 2]> = fields.or("crop_shape", Some([84, 84]))?;
        if crop.is_some_and(|crop| crop.contains(&0)) {
            let what = format!("{crop:?} is not accepted; accepted: two sides of at least 1, null");
            return Err(fields.error("crop_shape", what));
        }
        let mut config = Self {
            common: Common::read(fields, 5, modes)?,
            n_action_pred_token: fields.size("n_action_pred_token", 3)?,
            action_chunk_size: fields.size("action_chunk_size", 5)?,
            vision_backbone: fields.word("vision_backbone", Backbone::Resnet18)?,
            crop_shape: crop,
            use_group_norm: fields.or("use_group_norm", false)?,
            spatial_softmax_num_keypoints: fields.size("spatial_softmax_num_keypoints", 32)?,
            vqvae_n_embed: fields.size("vqvae_n_embed", 16)?,
            vqvae_embedding_dim: fields.size("vqvae_embedding_dim", 256)?,
            vqvae_enc_hidden_dim: fields.size("vqvae_enc_hidden_dim", 128)?,
            gpt_block_size: fields.size("gpt_block_size", 500)?,
            gpt_input_dim: fields.size("gpt_input_dim", 512)?,
            gpt_output_dim: fields.size("gpt_output_dim", 512)?,
            gpt_n_layer: fields.or("gpt_n_layer", 8)?,
            gpt_n_head: fields.size("gpt_n_head", 8)?,
            gpt_hidden_dim: fields.size("gpt_hidden_dim", 512)?,
            bet_softmax_temperature: fields.or("bet_softmax_temperature", 0.1)?,
            sequentially_select: fields.or("sequentially_select", false)?,
        };
        config.check(fields)?;
        config.common.finish(fields);
        Ok(config)
    }

    fn check(&self, fields: &Fields<'_>) -> Result<()> {
        if self.bet_softmax_temperature <= 0.0 {
            let what =
                format!("{} is not accepted; accepted: more than 0", self.bet_softmax_temperature);
            return Err(fields.error("bet_softmax_temperature", what));
        }
        self.common.need_state(fields)?;
        let images = self.common.images().count();
        if images != 1 {
            let what = format!("has {images} images, and exactly one is needed");
            return Err(fields.error("input_features", what));
        }
        self.common.need_equal_images(fields, self.crop_shape)
    }
}
