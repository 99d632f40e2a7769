//! Every field of a configuration that changes what a policy does is run here beside LeRobot, with
//! every value that changes how; so that a field nobody tests cannot hide among those that are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value as Json;

use crate::{act, diffusion, tdmpc, vqbet};

/// A field, and what it was run with: these values, or where none are named, several of any.
type Switch = (&'static str, &'static [&'static str]);

/// In every policy's configuration.
const COMMON: [Switch; 4] = [
    ("type", &[r#""act""#, r#""diffusion""#, r#""vqbet""#, r#""tdmpc""#]),
    ("input_features", &[]),
    ("output_features", &[]),
    ("n_obs_steps", &["1", "2", "3"]),
];

const BOTH: &[&str] = &["false", "true"];
const RESNETS: &[&str] = &[r#""resnet18""#, r#""resnet34""#, r#""resnet50""#];

/// No case has `glu`: no such network runs in LeRobot, and `misfits` asks for the error.
const ACT: [Switch; 15] = [
    ("chunk_size", &[]),
    ("n_action_steps", &[]),
    ("normalization_mapping", &[]),
    ("vision_backbone", RESNETS),
    ("replace_final_stride_with_dilation", BOTH),
    ("pre_norm", BOTH),
    ("dim_model", &[]),
    ("n_heads", &[]),
    ("dim_feedforward", &[]),
    ("feedforward_activation", &[r#""gelu""#, r#""relu""#]),
    ("n_encoder_layers", &[]),
    ("n_decoder_layers", &[]),
    ("use_vae", BOTH),
    ("latent_dim", &[]),
    ("temporal_ensemble_coeff", &["null", "0.01"]),
];

const DIFFUSION: [Switch; 24] = [
    ("horizon", &[]),
    ("n_action_steps", &[]),
    ("normalization_mapping", &[]),
    ("vision_backbone", RESNETS),
    ("resize_shape", &[]),
    ("crop_ratio", &["0.9", "1.0"]),
    ("crop_shape", &[]),
    ("use_group_norm", BOTH),
    ("spatial_softmax_num_keypoints", &[]),
    ("use_separate_rgb_encoder_per_camera", BOTH),
    ("down_dims", &[]),
    ("kernel_size", &[]),
    ("n_groups", &[]),
    ("diffusion_step_embed_dim", &[]),
    ("use_film_scale_modulation", BOTH),
    ("noise_scheduler_type", &[r#""DDIM""#, r#""DDPM""#]),
    ("num_train_timesteps", &[]),
    ("beta_schedule", &[r#""linear""#, r#""scaled_linear""#, r#""squaredcos_cap_v2""#]),
    ("beta_start", &[]),
    ("beta_end", &[]),
    ("prediction_type", &[r#""epsilon""#, r#""sample""#]),
    ("clip_sample", BOTH),
    ("clip_sample_range", &[]),
    ("num_inference_steps", &[]),
];

const VQBET: [Switch; 18] = [
    ("n_action_pred_token", &[]),
    ("action_chunk_size", &[]),
    ("normalization_mapping", &[]),
    ("vision_backbone", &[r#""resnet18""#, r#""resnet34""#]),
    ("crop_shape", &[]),
    ("use_group_norm", BOTH),
    ("spatial_softmax_num_keypoints", &[]),
    ("vqvae_n_embed", &[]),
    ("vqvae_embedding_dim", &[]),
    ("vqvae_enc_hidden_dim", &[]),
    ("gpt_block_size", &[]),
    ("gpt_input_dim", &[]),
    ("gpt_output_dim", &[]),
    ("gpt_n_layer", &[]),
    ("gpt_n_head", &[]),
    ("gpt_hidden_dim", &[]),
    ("bet_softmax_temperature", &[]),
    ("sequentially_select", BOTH),
];

const TDMPC: [Switch; 20] = [
    ("n_action_repeats", &["1", "2"]),
    ("horizon", &[]),
    ("n_action_steps", &["1", "2"]),
    ("normalization_mapping", &[]),
    ("image_encoder_hidden_dim", &[]),
    ("state_encoder_hidden_dim", &[]),
    ("latent_dim", &[]),
    ("q_ensemble_size", &["2", "3", "5"]),
    ("mlp_dim", &[]),
    ("discount", &[]),
    ("use_mpc", BOTH),
    ("cem_iterations", &[]),
    ("max_std", &[]),
    ("min_std", &["0.0", "0.05"]),
    ("n_gaussian_samples", &[]),
    ("n_pi_samples", &["0", "6"]),
    ("uncertainty_regularizer_coeff", &["0.0", "1.0"]),
    ("n_elites", &[]),
    ("elite_weighting_temperature", &[]),
    ("gaussian_mean_momentum", &[]),
];

/// What tells where a policy was trained, how, and under what name; no action depends on it.
const BESIDE: [&str; 42] = [
    "device",
    "use_amp",
    "use_peft",
    "push_to_hub",
    "repo_id",
    "private",
    "tags",
    "license",
    "pretrained_path",
    "pretrained_revision",
    "pretrained_backbone_weights",
    "dropout",
    "kl_weight",
    "n_vae_encoder_layers",
    "optimizer_lr",
    "optimizer_lr_backbone",
    "optimizer_weight_decay",
    "optimizer_betas",
    "optimizer_eps",
    "optimizer_vqvae_lr",
    "optimizer_vqvae_weight_decay",
    "scheduler_name",
    "scheduler_warmup_steps",
    "drop_n_last_frames",
    "crop_is_random",
    "gradient_checkpointing",
    "compile_model",
    "compile_mode",
    "do_mask_loss_for_padding",
    "n_vqvae_training_steps",
    "offset_loss_weight",
    "primary_code_loss_weight",
    "secondary_code_loss_weight",
    "max_random_shift_ratio",
    "reward_coeff",
    "expectile_weight",
    "value_coeff",
    "consistency_coeff",
    "advantage_scaling",
    "pi_coeff",
    "temporal_decay_coeff",
    "target_model_momentum",
];

#[test]
fn every_switch_was_thrown() {
    let mut all = BTreeMap::new();
    for (cases, switches) in [
        (&act::CASES[..], &ACT[..]),
        (&diffusion::CASES[..], &DIFFUSION[..]),
        (&vqbet::CASES[..], &VQBET[..]),
        (&tdmpc::CASES[..], &TDMPC[..]),
    ] {
        let run = values(cases);
        check(&run, switches, cases[0]);
        for (field, values) in run {
            let known = switches.iter().chain(&COMMON).any(|(name, _)| *name == field);
            assert!(known || BESIDE.contains(&field.as_str()), "nobody looks at {field}");
            all.entry(field).or_insert_with(BTreeSet::new).extend(values);
        }
    }
    check(&all, &COMMON, "any policy");
}

/// What each field of these cases' configurations was.
fn values(cases: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/policies");
    let mut all = BTreeMap::<String, BTreeSet<String>>::new();
    for case in cases {
        let text = std::fs::read_to_string(golden.join(case).join("config.json")).unwrap();
        let Json::Object(fields) = serde_json::from_str(&text).unwrap() else { panic!("{case}") };
        for (field, value) in fields {
            all.entry(field).or_default().insert(value.to_string());
        }
    }
    all
}

fn check(run: &BTreeMap<String, BTreeSet<String>>, switches: &[Switch], who: &str) {
    for (field, wanted) in switches {
        let run = &run[*field];
        let missing: Vec<_> = wanted.iter().filter(|value| !run.contains(**value)).collect();
        assert!(missing.is_empty(), "{field} was never {missing:?} ({who})");
        let several = !wanted.is_empty() || run.len() > 1;
        assert!(several, "{field} was always {run:?} ({who})");
    }
}
