//! `TDMPCConfig`.

use super::fields::Fields;
use super::{Common, FeatureKind, NormMode};
use crate::error::Result;

/// No more numbers than these are held of any one thing for all samples together.
const MOST: usize = 1 << 26;

/// TD-MPC, as LeRobot 0.6.1 configures it. Fields have its names.
#[derive(Clone, Debug)]
pub struct TdmpcConfig {
    /// What every configuration holds.
    pub common: Common,
    /// How often an action is carried out before there is a new plan.
    pub n_action_repeats: usize,
    /// How many actions ahead are planned.
    pub horizon: usize,
    /// How many of a plan are carried out.
    pub n_action_steps: usize,
    /// How many channels the convolutions over the image have.
    pub image_encoder_hidden_dim: usize,
    /// The width of the networks over the joints and over the environment's state.
    pub state_encoder_hidden_dim: usize,
    /// How many numbers a latent state is.
    pub latent_dim: usize,
    /// How many networks judge a state and an action.
    pub q_ensemble_size: usize,
    /// The width of all networks over latent states.
    pub mlp_dim: usize,
    /// How much less the next reward counts than this one.
    pub discount: f64,
    /// Whether a plan is searched for, or the policy's own action taken.
    pub use_mpc: bool,
    /// How often the search narrows down.
    pub cem_iterations: usize,
    /// How far around its mean the search looks at most, and at first.
    pub max_std: f64,
    /// How far at least, and by how much the policy's own actions are shaken.
    pub min_std: f64,
    /// How many plans are drawn around the mean each time.
    pub n_gaussian_samples: usize,
    /// How many plans the policy makes by itself.
    pub n_pi_samples: usize,
    /// How much it counts against a plan that the judges disagree; not at all where it is not above 0.
    pub uncertainty_regularizer_coeff: f64,
    /// How many of the best plans say where to look next.
    pub n_elites: usize,
    /// How much more the better of them count.
    pub elite_weighting_temperature: f64,
    /// How much of the old mean is kept.
    pub gaussian_mean_momentum: f64,
}

/// What matters to training only.
const TRAINING: [&str; 10] = [
    "max_random_shift_ratio",
    "reward_coeff",
    "expectile_weight",
    "value_coeff",
    "consistency_coeff",
    "advantage_scaling",
    "pi_coeff",
    "temporal_decay_coeff",
    "target_model_momentum",
    "optimizer_lr",
];

impl TdmpcConfig {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.ignore(&TRAINING);
        let modes = [NormMode::Identity, NormMode::Identity, NormMode::MinMax];
        let mut config = Self {
            common: Common::read(fields, 1, modes)?,
            n_action_repeats: fields.size("n_action_repeats", 2)?,
            horizon: fields.size("horizon", 5)?,
            n_action_steps: fields.size("n_action_steps", 1)?,
            image_encoder_hidden_dim: fields.size("image_encoder_hidden_dim", 32)?,
            state_encoder_hidden_dim: fields.size("state_encoder_hidden_dim", 256)?,
            latent_dim: fields.size("latent_dim", 50)?,
            q_ensemble_size: fields.size("q_ensemble_size", 5)?,
            mlp_dim: fields.size("mlp_dim", 512)?,
            discount: fields.within("discount", 0.9, [0.0, 1.0])?,
            use_mpc: fields.or("use_mpc", true)?,
            cem_iterations: fields.size("cem_iterations", 6)?,
            max_std: fields.within("max_std", 2.0, [0.0, f64::MAX])?,
            min_std: fields.within("min_std", 0.05, [0.0, f64::MAX])?,
            n_gaussian_samples: fields.size("n_gaussian_samples", 512)?,
            n_pi_samples: fields.or("n_pi_samples", 51)?,
            uncertainty_regularizer_coeff: fields.or("uncertainty_regularizer_coeff", 1.0)?,
            n_elites: fields.size("n_elites", 50)?,
            elite_weighting_temperature: fields.within(
                "elite_weighting_temperature",
                0.5,
                [0.0, f64::MAX],
            )?,
            gaussian_mean_momentum: fields.within("gaussian_mean_momentum", 0.1, [0.0, 1.0])?,
        };
        config.check(fields)?;
        config.check_inputs(fields)?;
        config.common.finish(fields);
        Ok(config)
    }

    /// How many plans are compared at a time.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.n_gaussian_samples + self.n_pi_samples
    }

    /// How many actions a chunk has, one for each tick of the robot.
    #[must_use]
    pub fn chunk(&self) -> usize {
        match (self.n_action_repeats, self.use_mpc) {
            (1, true) => self.horizon,
            (repeats, _) => repeats,
        }
    }

    /// How many of them are carried out before the next chunk is made.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.n_action_steps.max(self.n_action_repeats)
    }

    /// What LeRobot insists on, and that there is something to search through.
    fn check(&self, fields: &Fields<'_>) -> Result<()> {
        let wrong = |field: &str, what: String| Err(fields.error(field, what));
        let (steps, repeats) = (self.n_action_steps, self.n_action_repeats);
        if steps > 1 && repeats != 1 {
            let what = format!("{repeats} does not go with an n_action_steps of {steps}; 1 does");
            return wrong("n_action_repeats", what);
        }
        if steps > 1 && !self.use_mpc {
            let what = format!("false does not go with an n_action_steps of {steps}; true does");
            return wrong("use_mpc", what);
        }
        if steps > self.horizon {
            let what = format!("{steps} is more than the horizon of {}", self.horizon);
            return wrong("n_action_steps", what);
        }
        if self.n_elites > self.samples() {
            let what = format!("{} is more than the {} samples", self.n_elites, self.samples());
            return wrong("n_elites", what);
        }
        let of_one = self.horizon.saturating_mul(self.common.action_dim());
        let of_one = of_one.max(self.mlp_dim).max(self.latent_dim);
        match of_one.saturating_mul(self.samples()) > MOST {
            true => wrong(
                "n_gaussian_samples",
                format!("{} samples of {of_one} numbers are too many", self.samples()),
            ),
            false => Ok(()),
        }
    }

    fn check_inputs(&self, fields: &Fields<'_>) -> Result<()> {
        let common = &self.common;
        if common.n_obs_steps != 1 {
            let what = format!("{} is not accepted; accepted: 1", common.n_obs_steps);
            return Err(fields.error("n_obs_steps", what));
        }
        if common.normalization.get(&FeatureKind::Action) != Some(&NormMode::MinMax) {
            let what = "actions of -1 to 1 are planned, which asks for ACTION to be MIN_MAX";
            return Err(fields.error("normalization_mapping", what.to_owned()));
        }
        let images = common.images().count();
        if images > 1 {
            let what = format!("has {images} images, and at most one is looked at");
            return Err(fields.error("input_features", what));
        }
        let odd = common.images().find(|(_, image)| image.shape[1] != image.shape[2]);
        if let Some((name, image)) = odd {
            let what = format!("{name} is {:?}, and only square images are taken", image.shape);
            return Err(fields.error("input_features", what));
        }
        match common.state().is_some() || images == 1 || common.env_state().is_some() {
            true => Ok(()),
            false => Err(fields.error(
                "input_features",
                "has no image, no state of the environment and no observation.state, and one is needed"
                    .to_owned(),
            )),
        }
    }
}
