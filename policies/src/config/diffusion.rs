//! `DiffusionConfig`.

use super::fields::{Fields, Word};
use super::{Backbone, Common, NormMode};
use crate::error::Result;

/// How noise is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// With fresh noise at every step.
    Ddpm,
    /// Without.
    Ddim,
}

impl Word for Scheduler {
    const WORDS: &'static [(&'static str, Self)] = &[("DDPM", Self::Ddpm), ("DDIM", Self::Ddim)];
}

/// How noise grows over the steps of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetaSchedule {
    /// Evenly.
    Linear,
    /// Evenly in its root.
    ScaledLinear,
    /// As a squared cosine.
    SquaredCosine,
}

impl Word for BetaSchedule {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("linear", Self::Linear),
        ("scaled_linear", Self::ScaledLinear),
        ("squaredcos_cap_v2", Self::SquaredCosine),
    ];
}

/// What the network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise in its input.
    Epsilon,
    /// Its input without noise.
    Sample,
}

impl Word for Prediction {
    const WORDS: &'static [(&'static str, Self)] =
        &[("epsilon", Self::Epsilon), ("sample", Self::Sample)];
}

/// A diffusion policy, as LeRobot 0.6.1 configures it. Fields have its names.
#[derive(Clone, Debug)]
pub struct DiffusionConfig {
    /// What every configuration holds.
    pub common: Common,
    /// How many actions the network makes, from the oldest observation on.
    pub horizon: usize,
    /// How many of them are carried out before the next chunk is made.
    pub n_action_steps: usize,
    /// The network behind the cameras.
    pub vision_backbone: Backbone,
    /// Height and width to which images are brought first.
    pub resize_shape: Option<[usize; 2]>,
    /// Height and width of the middle that is looked at; `resize_shape` and `crop_ratio` are
    /// already accounted for.
    pub crop_shape: Option<[usize; 2]>,
    /// Whether the backbone has group norms instead of batch norms.
    pub use_group_norm: bool,
    /// How many places the network looks for in an image.
    pub spatial_softmax_num_keypoints: usize,
    /// Whether each camera has a backbone of its own.
    pub use_separate_rgb_encoder_per_camera: bool,
    /// The widths of the U-Net's levels.
    pub down_dims: Vec<usize>,
    /// How many taps the U-Net's convolutions have.
    pub kernel_size: usize,
    /// Into how many groups the U-Net's group norms cut their channels.
    pub n_groups: usize,
    /// The width of the step's embedding.
    pub diffusion_step_embed_dim: usize,
    /// Whether the condition scales channels besides shifting them.
    pub use_film_scale_modulation: bool,
    /// How noise is taken away.
    pub noise_scheduler_type: Scheduler,
    /// How many steps there were in training.
    pub num_train_timesteps: usize,
    /// How noise grows over them.
    pub beta_schedule: BetaSchedule,
    /// The first step's noise.
    pub beta_start: f64,
    /// The last step's noise.
    pub beta_end: f64,
    /// What the network predicts.
    pub prediction_type: Prediction,
    /// Whether what is predicted is cut off at `clip_sample_range`.
    pub clip_sample: bool,
    /// Where it is cut off.
    pub clip_sample_range: f64,
    /// How many steps a chunk takes; as many as in training where it is not said.
    pub num_inference_steps: Option<usize>,
}

/// What matters to training, or to torch's compiler, only.
const TRAINING: [&str; 13] = [
    "drop_n_last_frames",
    "crop_is_random",
    "pretrained_backbone_weights",
    "gradient_checkpointing",
    "compile_model",
    "compile_mode",
    "do_mask_loss_for_padding",
    "optimizer_lr",
    "optimizer_betas",
    "optimizer_eps",
    "optimizer_weight_decay",
    "scheduler_name",
    "scheduler_warmup_steps",
];

impl DiffusionConfig {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.ignore(&TRAINING);
        let modes = [NormMode::MeanStd, NormMode::MinMax, NormMode::MinMax];
        let resize_shape = sides(fields, "resize_shape")?;
        let mut config = Self {
            common: Common::read(fields, 2, modes)?,
            horizon: fields.size("horizon", 64)?,
            n_action_steps: fields.size("n_action_steps", 32)?,
            vision_backbone: fields.word("vision_backbone", Backbone::Resnet18)?,
            resize_shape,
            crop_shape: crop(fields, resize_shape)?,
            use_group_norm: fields.or("use_group_norm", false)?,
            spatial_softmax_num_keypoints: fields.size("spatial_softmax_num_keypoints", 32)?,
            use_separate_rgb_encoder_per_camera: fields
                .or("use_separate_rgb_encoder_per_camera", true)?,
            down_dims: fields.or("down_dims", vec![512, 1024, 2048])?,
            kernel_size: fields.size("kernel_size", 5)?,
            n_groups: fields.size("n_groups", 8)?,
            diffusion_step_embed_dim: fields.size("diffusion_step_embed_dim", 128)?,
            use_film_scale_modulation: fields.or("use_film_scale_modulation", true)?,
            noise_scheduler_type: fields.word("noise_scheduler_type", Scheduler::Ddpm)?,
            num_train_timesteps: fields.size("num_train_timesteps", 100)?,
            beta_schedule: fields.word("beta_schedule", BetaSchedule::SquaredCosine)?,
            beta_start: fields.or("beta_start", 0.0001)?,
            beta_end: fields.or("beta_end", 0.02)?,
            prediction_type: fields.word("prediction_type", Prediction::Epsilon)?,
            clip_sample: fields.or("clip_sample", true)?,
            clip_sample_range: fields.within("clip_sample_range", 1.0, [0.0, f64::MAX])?,
            num_inference_steps: fields.or("num_inference_steps", None)?,
        };
        config.check(fields)?;
        config.common.finish(fields);
        Ok(config)
    }

    /// How many steps a chunk takes.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.num_inference_steps.unwrap_or(self.num_train_timesteps)
    }

    /// A step's noise is a share: of all, nothing would be left to go on from.
    fn check_noise(&self, fields: &Fields<'_>) -> Result<()> {
        if self.beta_schedule == BetaSchedule::SquaredCosine {
            return Ok(());
        }
        for (field, beta) in [("beta_start", self.beta_start), ("beta_end", self.beta_end)] {
            if !(beta > 0.0 && beta < 1.0) {
                let what = format!("{beta} is not accepted; accepted: more than 0, less than 1");
                return Err(fields.error(field, what));
            }
        }
        Ok(())
    }

    fn check_widths(&self, fields: &Fields<'_>) -> Result<()> {
        let (groups, embedding) = (self.n_groups, self.diffusion_step_embed_dim);
        if let Some(width) = self.down_dims.iter().find(|width| !width.is_multiple_of(groups)) {
            let what = format!("{width} channels of down_dims are not cut into {groups} groups");
            return Err(fields.error("n_groups", what));
        }
        if embedding < 4 || !embedding.is_multiple_of(2) {
            let what = format!("{embedding} is not accepted; accepted: even numbers from 4 on");
            return Err(fields.error("diffusion_step_embed_dim", what));
        }
        Ok(())
    }

    fn check(&self, fields: &Fields<'_>) -> Result<()> {
        let Self { horizon, n_action_steps, down_dims, .. } = self;
        let factor = 1_usize.checked_shl(down_dims.len() as u32).unwrap_or(0);
        if down_dims.is_empty() || down_dims.contains(&0) || factor == 0 {
            let what =
                format!("{down_dims:?} is not accepted; accepted: one or more positive widths");
            return Err(fields.error("down_dims", what));
        }
        if !horizon.is_multiple_of(factor) {
            let what = format!(
                "{horizon} is no multiple of {factor}, which the {} levels of down_dims ask for",
                down_dims.len()
            );
            return Err(fields.error("horizon", what));
        }
        let from = self.common.n_obs_steps - 1;
        if from + n_action_steps > *horizon {
            let what = format!(
                "{n_action_steps} actions after {from} that belong to older observations are more than the horizon of {horizon}"
            );
            return Err(fields.error("n_action_steps", what));
        }
        self.check_noise(fields)?;
        self.check_widths(fields)?;
        if self.num_train_timesteps < self.steps() || self.steps() == 0 {
            let what = format!(
                "{} is not accepted; accepted: 1 to num_train_timesteps, which is {}",
                self.steps(),
                self.num_train_timesteps
            );
            return Err(fields.error("num_inference_steps", what));
        }
        self.common.need_state(fields)?;
        self.common.need_sight(fields)?;
        let crop = self.crop_shape.filter(|_| self.resize_shape.is_none());
        self.common.need_equal_images(fields, crop)
    }
}

/// A height and a width, neither 0.
pub(super) fn sides(fields: &Fields<'_>, name: &'static str) -> Result<Option<[usize; 2]>> {
    let sides: Option<[usize; 2]> = fields.or(name, None)?;
    match sides.filter(|sides| sides.contains(&0)) {
        Some(sides) => Err(fields.error(
            name,
            format!("{sides:?} is not accepted; accepted: a height and a width of at least 1"),
        )),
        None => Ok(sides),
    }
}

/// What is looked at: with a resize, a share of it; without, as it says.
fn crop(fields: &Fields<'_>, resize: Option<[usize; 2]>) -> Result<Option<[usize; 2]>> {
    let ratio: f64 = fields.or("crop_ratio", 1.0)?;
    if !(ratio > 0.0 && ratio <= 1.0) {
        let what = format!("{ratio} is not accepted; accepted: more than 0, at most 1");
        return Err(fields.error("crop_ratio", what));
    }
    let said = sides(fields, "crop_shape")?;
    let Some(resize) = resize else { return Ok(said) };
    if ratio >= 1.0 {
        return Ok(None);
    }
    let crop = resize.map(|side| (side as f64 * ratio) as usize);
    match crop.contains(&0) {
        true => Err(fields.error("crop_ratio", format!("{ratio} of {resize:?} leaves nothing"))),
        false => Ok(Some(crop)),
    }
}
