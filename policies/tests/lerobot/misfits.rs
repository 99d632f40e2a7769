//! Configurations that do not go with their weights: an error that names field or tensor, before
//! memory is taken for what cannot be.

use serde_json::{Value as Json, json};
use sinew_policies::diffusion::{self, Scheduler};
use sinew_policies::{Config, Error, Result, act, tdmpc, vqbet};

use crate::case::Case;

/// The networks of a case with one field changed.
fn build(case: &Case, field: &str, value: &Json) -> Result<()> {
    let path = case.folder.join("config.json");
    let mut config: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut place = &mut config;
    for part in field.split('/') {
        place = &mut place[part];
    }
    *place = value.clone();
    let tensors = case.tensors();
    match Config::parse(&config.to_string(), &path)? {
        Config::Act(config) => act::graph(&config, &tensors).map(drop),
        Config::Diffusion(config) => {
            let times = Scheduler::new(&config).times();
            diffusion::Graphs::new(&config, &tensors, &times, 1).map(drop)
        }
        Config::VqBet(config) => vqbet::Graphs::new(&config, &tensors).map(drop),
        Config::Tdmpc(config) => tdmpc::Graphs::new(&config, &tensors).map(drop),
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let state = "input_features/observation.state/shape";
    let image = "input_features/observation.image/shape";
    let misfits = [
        ("act_vae_1cam", "chunk_size", json!(65_536), "model.decoder_pos_embed.weight"),
        ("act_vae_1cam", "chunk_size", json!(1_u64 << 40), "chunk_size"),
        ("act_vae_1cam", "latent_dim", json!(65_536), "model.encoder_latent_input_proj.weight"),
        ("act_vae_1cam", "dim_model", json!(128), "128"),
        ("act_vae_1cam", "dim_feedforward", json!(95), "model.encoder.layers.0.linear1.weight"),
        ("act_vae_1cam", "n_heads", json!(5), "5 heads"),
        ("act_vae_1cam", "n_encoder_layers", json!(3), "model.encoder.layers.2"),
        ("act_vae_1cam", "feedforward_activation", json!("glu"), "feedforward_activation"),
        ("act_vae_1cam", "vision_backbone", json!("resnet34"), "model.backbone.layer1.2"),
        ("act_vae_1cam", "vision_backbone", json!("resnet50"), "model.backbone.layer1.0"),
        ("act_vae_1cam", "replace_final_stride_with_dilation", json!(true), "bottlenecks"),
        ("act_vae_1cam", state, json!([7]), "model.encoder_robot_state_input_proj"),
        ("act_vae_1cam", "output_features/action/shape", json!([7]), "model.action_head.weight"),
        ("diffusion_ddpm_crop", "down_dims", json!([16, 32, 64]), "diffusion.unet.down_modules"),
        ("diffusion_ddpm_crop", "down_dims", json!([16, 48]), "diffusion.unet.down_modules.1"),
        ("diffusion_ddpm_crop", "spatial_softmax_num_keypoints", json!(9), "pool.nets"),
        ("diffusion_ddpm_crop", "kernel_size", json!(4), "diffusion.unet"),
        ("diffusion_ddpm_crop", "n_groups", json!(5), "5 groups"),
        ("diffusion_ddpm_crop", "n_obs_steps", json!(3), "cond_encoder"),
        ("diffusion_ddpm_crop", "num_train_timesteps", json!(1_u64 << 40), "num_train_timesteps"),
        ("diffusion_ddpm_crop", "diffusion_step_embed_dim", json!(2), "diffusion_step_embed_dim"),
        ("diffusion_ddpm_crop", "crop_shape", json!([64, 20]), "pos_grid"),
        ("diffusion_ddpm_crop", "use_group_norm", json!(true), "groups"),
        ("diffusion_ddpm_crop", "use_film_scale_modulation", json!(false), "cond_encoder"),
        ("diffusion_ddpm_crop", state, json!([16_384]), "cond_encoder"),
        ("vqbet_tiny", "n_obs_steps", json!(60_000), "n_obs_steps"),
        ("vqbet_tiny", "gpt_n_layer", json!(3), "vqbet.policy.transformer.h.2"),
        ("vqbet_tiny", "vqvae_n_embed", json!(17), "map_to_cbet_preds_offset"),
        ("vqbet_tiny", "sequentially_select", json!(true), "primary_bin"),
        ("tdmpc_image", "q_ensemble_size", json!(6), "model._Qs.5.0.weight"),
        ("tdmpc_image", "latent_dim", json!(13), "model._pi.0.weight"),
        ("tdmpc_image", "mlp_dim", json!(33), "model._pi.0.weight"),
        ("tdmpc_image", "state_encoder_hidden_dim", json!(25), "state_enc_layers.0.weight"),
        ("tdmpc_image", "image_encoder_hidden_dim", json!(9), "image_enc_layers.0.weight"),
        ("tdmpc_image", state, json!([3]), "state_enc_layers.0.weight"),
        ("tdmpc_image", image, json!([3, 96, 96]), "image_enc_layers.9"),
        ("tdmpc_image", image, json!([3, 16, 16]), "image_enc_layers.4"),
        ("tdmpc_image", "output_features/action/shape", json!([3]), "model._pi.6.weight"),
        ("tdmpc_image", "n_pi_samples", json!(1_u64 << 31), "n_gaussian_samples"),
    ];
    for (name, field, value, wanted) in misfits {
        let error = build(&Case::open(name), field, &value).unwrap_err();
        assert!(!matches!(error, Error::Io { .. }), "{error}");
        let error = error.to_string();
        println!("{name}, {field} {value}: {error}");
        assert!(error.contains(wanted), "{name}, {field} {value}: {error}");
    }
}
