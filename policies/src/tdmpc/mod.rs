//! TD-MPC: a model of the world in a few numbers, in which plans are tried out. The best of many random
//! plans say where to draw the next ones, several times over, and one of the last best is carried out.
//!
//! ```text
//! image ─▶ convolutions ─┐                ┌▶ pi ─▶ the policy's own action
//! world ─▶ linear ───────┤ mean ─▶ latent ┼▶ step (with an action) ─▶ the next latent, and the reward
//! joints ─▶ linear ──────┘                └▶ judge (with an action) ─▶ what several judges expect of it
//! ```

mod planner;
mod search;
mod trial;

use crate::checkpoint::Tensors;
use crate::config::TdmpcConfig;
use crate::error::{Error, Result};
use crate::graph::{Activation, Builder, Graph, Id};
pub use planner::Planner;

/// Added to variances.
const EPS: f32 = 1e-5;
/// The kernels of the convolutions over the image, each of which halves it.
const KERNELS: [usize; 4] = [7, 5, 3, 3];

/// The networks, by when they run. Rows are `[rows, 1, 1, n]`, so that the first of them can be run alone.
#[derive(Clone, Debug)]
pub struct Graphs {
    /// Once for a plan: from the observation to `latent`, `[1, n]`. Inputs have the names of their
    /// features, images `[1, height, width, channels]` and vectors `[1, n]`.
    pub encode: Graph,
    /// From rows of `latent` to what the policy itself would do, `action`.
    pub pi: Graph,
    /// What plans are tried out in; none where none are.
    pub world: Option<World>,
}

/// What comes of an action, and what that is worth. Both take rows of `latent` and `action`, the second
/// one for every sample, the first for those that are drawn or for the policy's own.
#[derive(Clone, Debug)]
pub struct World {
    /// To the next `latent`, and to `reward`.
    pub step: Graph,
    /// To the `values` that the judges give, one each.
    pub judge: Graph,
}

impl Graphs {
    /// Builds them all.
    pub fn new(config: &TdmpcConfig, tensors: &Tensors) -> Result<Self> {
        let rows = if config.use_mpc { config.samples() } else { 1 };
        let net = Nets { config, tensors };
        let mut b = Builder::new(tensors);
        let latent = b.input("latent", vec![rows, 1, 1, config.latent_dim]);
        let action = net.with_norms(&mut b, latent, "model._pi", config.common.action_dim())?;
        let action = b.activate(action, Activation::Tanh);
        b.output("action", action);
        let pi = b.finish();
        let world = config.use_mpc.then(|| {
            let alone = config.n_gaussian_samples.max(config.n_pi_samples);
            Ok::<_, Error>(World { step: net.step(alone)?, judge: net.judge(rows)? })
        });
        Ok(Self { encode: net.encode()?, pi, world: world.transpose()? })
    }
}

/// Whether a tensor served training only, so that nobody need miss it.
#[must_use]
pub fn for_training(config: &TdmpcConfig, tensor: &str) -> bool {
    let world = ["model._dynamics.", "model._reward.", "model._Qs."];
    tensor.starts_with("model_target.")
        || tensor.starts_with("model._V.")
        || (!config.use_mpc && world.iter().any(|part| tensor.starts_with(part)))
}

/// The parts, each held to the sizes that the configuration says.
struct Nets<'a> {
    config: &'a TdmpcConfig,
    tensors: &'a Tensors,
}

impl Nets<'_> {
    fn encode(&self) -> Result<Graph> {
        let common = &self.config.common;
        let mut b = Builder::new(self.tensors);
        let mut seen = Vec::new();
        if let Some((name, feature)) = common.images().next() {
            let image = b.input(name, [&[1], channels_last(&feature.shape).as_slice()].concat());
            seen.push(self.image(&mut b, image)?);
        }
        let vectors = [
            ("observation.environment_state", common.env_state(), "env_state_enc_layers"),
            ("observation.state", common.state(), "state_enc_layers"),
        ];
        for (name, feature, net) in vectors {
            if let Some(feature) = feature {
                let x = b.input(name, vec![1, feature.numbers()]);
                seen.push(self.vector(&mut b, x, &format!("model._encoder.{net}"))?);
            }
        }
        let [first, others @ ..] = seen.as_slice() else {
            let what = "nothing is observed".to_owned();
            return Err(Error::Network { node: "model._encoder".to_owned(), what });
        };
        let sum = others.iter().try_fold(*first, |sum, other| b.add(sum, *other))?;
        let share = vec![1.0 / seen.len() as f32; self.config.latent_dim];
        let share = b.constant("share", share, vec![1, self.config.latent_dim])?;
        let latent = b.multiply(sum, share)?;
        let latent = b.name(latent, "model._encoder");
        b.output("latent", latent);
        Ok(b.finish())
    }

    fn image(&self, b: &mut Builder<'_>, mut x: Id) -> Result<Id> {
        let prefix = "model._encoder.image_enc_layers";
        let width = self.config.image_encoder_hidden_dim;
        for (nth, kernel) in KERNELS.into_iter().enumerate() {
            let conv = format!("{prefix}.{}", 2 * nth);
            let shape = [width, b.channels(x), kernel, kernel];
            self.tensors.expect(&format!("{conv}.weight"), &shape)?;
            x = b.conv2d(x, &conv, 2, 0, 1)?;
            x = b.activate(x, Activation::Relu);
        }
        let x = b.linear_over(x, &format!("{prefix}.9"))?;
        self.as_latent(b, x, &format!("{prefix}.10"))
    }

    fn vector(&self, b: &mut Builder<'_>, x: Id, prefix: &str) -> Result<Id> {
        let x = self.linear(b, x, &format!("{prefix}.0"), self.config.state_encoder_hidden_dim)?;
        let x = b.activate(x, Activation::Elu);
        let x = self.linear(b, x, &format!("{prefix}.2"), self.config.latent_dim)?;
        self.as_latent(b, x, &format!("{prefix}.3"))
    }

    fn step(&self, rows: usize) -> Result<Graph> {
        let mut b = Builder::new(self.tensors);
        let both = self.both(&mut b, rows)?;
        let next = self.with_norms(&mut b, both, "model._dynamics", self.config.latent_dim)?;
        let next = self.as_latent(&mut b, next, "model._dynamics.7")?;
        b.output("latent", next);
        let reward = self.with_norms(&mut b, both, "model._reward", 1)?;
        b.output("reward", reward);
        Ok(b.finish())
    }

    fn judge(&self, rows: usize) -> Result<Graph> {
        let mut b = Builder::new(self.tensors);
        let both = self.both(&mut b, rows)?;
        let mut values = Vec::with_capacity(self.config.q_ensemble_size);
        for judge in 0..self.config.q_ensemble_size {
            let part = |nth: usize| format!("model._Qs.{judge}.{nth}");
            let x = self.linear(&mut b, both, &part(0), self.config.mlp_dim)?;
            let x = b.layer_norm(x, &part(1), EPS)?;
            let x = b.activate(x, Activation::Tanh);
            let x = self.linear(&mut b, x, &part(3), self.config.mlp_dim)?;
            let x = b.activate(x, Activation::Elu);
            values.push(self.linear(&mut b, x, &part(5), 1)?);
        }
        let values = b.concat_channels(&values)?;
        b.output("values", values);
        Ok(b.finish())
    }

    /// Rows of a latent state and an action side by side.
    fn both(&self, b: &mut Builder<'_>, rows: usize) -> Result<Id> {
        let latent = b.input("latent", vec![rows, 1, 1, self.config.latent_dim]);
        let action = b.input("action", vec![rows, 1, 1, self.config.common.action_dim()]);
        b.concat_channels(&[latent, action])
    }

    /// Three linear maps, with a norm and a curve between two.
    fn with_norms(&self, b: &mut Builder<'_>, mut x: Id, prefix: &str, out: usize) -> Result<Id> {
        for nth in [0, 3] {
            x = self.linear(b, x, &format!("{prefix}.{nth}"), self.config.mlp_dim)?;
            x = b.layer_norm(x, &format!("{prefix}.{}", nth + 1), EPS)?;
            x = b.activate(x, Activation::Mish);
        }
        self.linear(b, x, &format!("{prefix}.6"), out)
    }

    fn linear(&self, b: &mut Builder<'_>, x: Id, prefix: &str, out: usize) -> Result<Id> {
        self.tensors.expect(&format!("{prefix}.weight"), &[out, b.channels(x)])?;
        b.linear(x, prefix)
    }

    /// Every latent state is between 0 and 1.
    fn as_latent(&self, b: &mut Builder<'_>, x: Id, norm: &str) -> Result<Id> {
        let x = b.layer_norm(x, norm, EPS)?;
        Ok(b.activate(x, Activation::Sigmoid))
    }
}

fn channels_last(shape: &[usize]) -> Vec<usize> {
    match shape {
        [channels, height, width] => vec![*height, *width, *channels],
        other => other.to_vec(),
    }
}
