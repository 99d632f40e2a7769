//! Diffusion policy: what was seen becomes a condition, and under it noise becomes actions.
//!
//! ```text
//! images ─▶ ResNet ─▶ places ─┐
//! joints ─────────────────────┴▶ condition ─▶ modulate ─▶ film0 … ─┐   once for a chunk
//!                                                                  ▼
//! noise ─▶ scheduler ─▶ sample ─────────────────────────────▶ denoise ─▶ answer ─┐
//!              ▲                                                                 │
//!              └─────────────────────────────────────────────────────────────────┘
//! ```

pub mod sampler;
pub mod scheduler;

use crate::checkpoint::Tensors;
use crate::config::DiffusionConfig;
use crate::error::Result;
use crate::graph::{Builder, Graph, Id};
use crate::layers::keypoints::Keypoints;
use crate::layers::unet1d::Unet1d;
pub use sampler::Sampler;
pub use scheduler::Scheduler;

/// The network in three parts, by how often they run.
#[derive(Clone, Debug)]
pub struct Graphs {
    /// Once for a chunk: from observations, the oldest first, to `condition`, `[1, n]`. Inputs have
    /// the names of their features, images `[n_obs_steps, height, width, channels]` as
    /// [`crate::vision::Framing`] cuts them and vectors `[n_obs_steps, n]`.
    pub encode: Graph,
    /// Once for a chunk: from `condition` to what each block is told at each step, `film0` …, a row
    /// for each step in the scheduler's order.
    pub modulate: Graph,
    /// Once for a step: from `sample`, `[horizon, actions]`, and the step's rows of `film0` … to
    /// `answer`, of the sample's size; of several samples where chunks are made together.
    pub denoise: Graph,
    /// How many blocks are told something.
    pub films: usize,
}

impl Graphs {
    /// Builds all three; the steps are the scheduler's, and so many chunks are made together.
    pub fn new(
        config: &DiffusionConfig,
        tensors: &Tensors,
        steps: &[usize],
        together: usize,
    ) -> Result<Self> {
        let (encode, length) = encode(config, tensors)?;
        let unet = Unet1d {
            prefix: "diffusion.unet".to_owned(),
            widths: config.down_dims.clone(),
            kernel: config.kernel_size,
            groups: config.n_groups,
            step_length: config.diffusion_step_embed_dim,
            scales: config.use_film_scale_modulation,
        };
        let mut b = Builder::new(tensors);
        let condition = b.input("condition", vec![1, length]);
        unet.modulate(&mut b, condition, steps)?;
        let modulate = b.finish();
        let mut b = Builder::new(tensors);
        let (horizon, dim) = (config.horizon, config.common.action_dim());
        let shape = match together {
            1 => vec![horizon, dim],
            _ => vec![together, horizon, 1, dim],
        };
        let sample = b.input("sample", shape);
        let answer = unet.denoise(&mut b, sample)?;
        b.output("answer", answer);
        Ok(Self { encode, modulate, denoise: b.finish(), films: unet.films() })
    }
}

/// The first part, and how long its condition is.
fn encode(config: &DiffusionConfig, tensors: &Tensors) -> Result<(Graph, usize)> {
    let common = &config.common;
    let times = common.n_obs_steps;
    let mut b = Builder::new(tensors);
    let mut seen = Vec::new();
    if let Some(feature) = common.state() {
        seen.push(b.input("observation.state", vec![times, feature.numbers()]));
    }
    for (at, (name, _)) in common.images().enumerate() {
        let encoder = match config.use_separate_rgb_encoder_per_camera {
            true => format!("diffusion.rgb_encoder.{at}"),
            false => "diffusion.rgb_encoder".to_owned(),
        };
        seen.push(camera(&mut b, config, name, &encoder)?);
    }
    if let Some(feature) = common.env_state() {
        seen.push(b.input("observation.environment_state", vec![times, feature.numbers()]));
    }
    let all = b.concat_channels(&seen)?;
    let length = times * b.channels(all);
    let condition = b.reshape(all, vec![1, length])?;
    b.output("condition", condition);
    Ok((b.finish(), length))
}

/// What a camera adds to the condition, a row for each observation.
fn camera(b: &mut Builder<'_>, config: &DiffusionConfig, name: &str, prefix: &str) -> Result<Id> {
    let framing = config.framing();
    let [height, width] = framing.size();
    let image = b.input(name, vec![config.common.n_obs_steps, height, width, framing.channels]);
    let eye = Keypoints {
        prefix: prefix.to_owned(),
        backbone: config.vision_backbone,
        group_norm: config.use_group_norm,
        places: config.spatial_softmax_num_keypoints,
    };
    eye.build(b, image)
}
