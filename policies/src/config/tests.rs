//! `config.json`: every field, and what is wrong with it.

use std::path::Path;

use super::{BetaSchedule, Config, FeatureKind, Feedforward, NormMode, Prediction, Scheduler};
use serde_json::{Value, json};

fn features() -> Value {
    json!({
        "observation.state": {"type": "STATE", "shape": [6]},
        "observation.images.wrist": {"type": "VISUAL", "shape": [3, 48, 64]},
        "observation.images.above": {"type": "VISUAL", "shape": [3, 48, 64]},
    })
}

fn square() -> Value {
    json!({
        "observation.state": {"type": "STATE", "shape": [6]},
        "observation.image": {"type": "VISUAL", "shape": [3, 64, 64]},
    })
}

fn config(kind: &str, more: &Value) -> Value {
    let mut config = json!({
        "type": kind,
        "input_features": features(),
        "output_features": {"action": {"type": "ACTION", "shape": [6]}},
    });
    if kind == "vqbet" {
        config["input_features"].as_object_mut().unwrap().remove("observation.images.above");
        config["crop_shape"] = Value::Null;
    }
    if kind == "tdmpc" {
        config["input_features"] = square();
    }
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

fn parse(kind: &str, more: &Value) -> Result<Config, String> {
    let text = config(kind, more).to_string();
    Config::parse(&text, Path::new("config.json")).map_err(|error| error.to_string())
}

fn refusal(kind: &str, more: &Value) -> String {
    parse(kind, more).unwrap_err()
}

#[test]
fn absent_fields_take_the_defaults_of_lerobot_0_6_1_and_are_listed() {
    let Config::Act(act) = parse("act", &json!({})).unwrap() else { panic!() };
    assert_eq!((act.chunk_size, act.n_action_steps, act.dim_model), (100, 100, 512));
    assert_eq!((act.n_decoder_layers, act.use_vae), (1, true));
    assert!(act.common.assumed.contains(&"chunk_size".to_owned()));
    assert!(!act.common.assumed.contains(&"dropout".to_owned()), "means nothing here");
    let Config::Diffusion(diffusion) = parse("diffusion", &json!({})).unwrap() else { panic!() };
    assert_eq!((diffusion.horizon, diffusion.n_action_steps, diffusion.steps()), (64, 32, 100));
    assert_eq!(diffusion.common.normalization[&FeatureKind::State], NormMode::MinMax);
    let Config::VqBet(vqbet) = parse("vqbet", &json!({})).unwrap() else { panic!() };
    assert_eq!((vqbet.common.n_obs_steps, vqbet.gpt_block_size), (5, 500));
    let Config::Tdmpc(tdmpc) = parse("tdmpc", &json!({})).unwrap() else { panic!() };
    assert_eq!((tdmpc.samples(), tdmpc.horizon, tdmpc.cem_iterations), (563, 5, 6));
    assert_eq!(tdmpc.common.normalization[&FeatureKind::Action], NormMode::MinMax);
}

#[test]
fn a_planned_chunk_is_what_is_carried_out() {
    for (more, chunk, steps) in [
        (json!({}), 2, 2),
        (json!({"n_action_repeats": 7}), 7, 7),
        (json!({"n_action_repeats": 1}), 5, 1),
        (json!({"n_action_repeats": 1, "n_action_steps": 4}), 5, 4),
        (json!({"n_action_repeats": 1, "use_mpc": false}), 1, 1),
        (json!({"n_action_repeats": 3, "use_mpc": false}), 3, 3),
    ] {
        let Config::Tdmpc(config) = parse("tdmpc", &more).unwrap() else { panic!() };
        assert_eq!((config.chunk(), config.steps()), (chunk, steps), "{more}");
    }
}

#[test]
fn what_is_said_is_taken() {
    let said = json!({
        "chunk_size": 8.0, "n_action_steps": 1, "temporal_ensemble_coeff": 0.01,
        "replace_final_stride_with_dilation": 1, "feedforward_activation": "glu", "pre_norm": true,
    });
    let Config::Act(act) = parse("act", &said).unwrap() else { panic!() };
    assert_eq!((act.chunk_size, act.temporal_ensemble_coeff), (8, Some(0.01)));
    assert!(act.replace_final_stride_with_dilation && act.pre_norm);
    assert_eq!(act.feedforward_activation, Feedforward::Glu);
    let said = json!({
        "noise_scheduler_type": "DDIM", "prediction_type": "sample", "beta_schedule": "linear",
        "resize_shape": [40, 50], "crop_ratio": 0.9, "crop_shape": [1, 1],
        "down_dims": [8, 16], "horizon": 12, "n_action_steps": 11, "num_inference_steps": 10,
    });
    let Config::Diffusion(diffusion) = parse("diffusion", &said).unwrap() else { panic!() };
    assert_eq!(diffusion.noise_scheduler_type, Scheduler::Ddim);
    assert_eq!(diffusion.prediction_type, Prediction::Sample);
    assert_eq!(diffusion.beta_schedule, BetaSchedule::Linear);
    assert_eq!((diffusion.crop_shape, diffusion.steps()), (Some([36, 45]), 10));
}

#[test]
fn a_resize_without_a_crop_ratio_switches_the_crop_off() {
    let said = json!({"resize_shape": [40, 50], "crop_shape": [8, 8]});
    let Config::Diffusion(diffusion) = parse("diffusion", &said).unwrap() else { panic!() };
    assert_eq!(diffusion.crop_shape, None);
}

#[test]
fn cameras_stay_in_the_order_of_the_file() {
    let config = parse("act", &json!({})).unwrap();
    let names: Vec<_> = config.common().images().map(|(name, _)| name).collect();
    assert_eq!(names, ["observation.images.wrist", "observation.images.above"]);
}

#[test]
fn unknown_fields_are_listed_and_training_fields_are_not() {
    let said = json!({"optimizer_lr": 1e-5, "kl_weight": 10.0, "mystery": 1, "device": "mps"});
    let config = parse("act", &said).unwrap();
    assert_eq!(config.common().unknown, ["mystery"]);
}

#[test]
fn a_wrong_value_names_the_field_and_what_is_accepted() {
    for (kind, more, wanted) in [
        (
            "act",
            json!({"type": "smolvla"}),
            "type: \"smolvla\" is not accepted; accepted: act, diffusion, vqbet, tdmpc",
        ),
        (
            "act",
            json!({"feedforward_activation": "swish"}),
            "feedforward_activation: \"swish\" is not accepted; accepted: relu, gelu, glu",
        ),
        (
            "act",
            json!({"vision_backbone": "vit"}),
            "vision_backbone: \"vit\" is not accepted; accepted: resnet18",
        ),
        (
            "act",
            json!({"dim_model": "wide"}),
            "dim_model: \"wide\" is not accepted; accepted: a whole number",
        ),
        ("act", json!({"dim_model": -1}), "dim_model: -1 is not accepted"),
        ("act", json!({"dim_model": 1e300}), "dim_model: 1e+300 is not accepted"),
        ("act", json!({"n_heads": 0}), "n_heads: 0 is too small"),
        ("act", json!({"chunk_size": 5}), "n_action_steps: 100 is more than the chunk_size of 5"),
        (
            "act",
            json!({"temporal_ensemble_coeff": 0.01}),
            "n_action_steps: 100 does not go with temporal_ensemble_coeff",
        ),
        ("act", json!({"n_obs_steps": 2}), "n_obs_steps: 2 is not accepted; accepted: 1"),
        ("act", json!({"use_peft": true}), "use_peft: these weights are an adapter"),
        ("act", json!({"input_features": null}), "input_features: has neither an image"),
        ("act", json!({"output_features": {}}), "output_features: has no action"),
        (
            "act",
            json!({"input_features": []}),
            "input_features: [] is not accepted; accepted: an object",
        ),
        (
            "act",
            json!({"normalization_mapping": {"STATE": "LOG"}}),
            "normalization_mapping.STATE: \"LOG\" is not accepted; accepted: MEAN_STD, MIN_MAX",
        ),
        (
            "act",
            json!({"normalization_mapping": {"JOINT": "LOG"}}),
            "normalization_mapping: \"JOINT\" is not accepted; accepted: STATE, VISUAL",
        ),
        (
            "act",
            json!({"input_features": {"x": {"type": "SMELL", "shape": [1]}}}),
            "input_features.x.type: \"SMELL\" is not accepted",
        ),
        (
            "act",
            json!({"input_features": {"x": {"type": "VISUAL", "shape": [3]}}}),
            "input_features.x.shape: [3] is not accepted",
        ),
        (
            "act",
            json!({"input_features": {"x": {"type": "STATE", "shape": [2147483648_u64, 2147483648_u64, 4]}}}),
            "input_features.x.shape",
        ),
        (
            "diffusion",
            json!({"prediction_type": "v_prediction"}),
            "prediction_type: \"v_prediction\" is not accepted; accepted: epsilon, sample",
        ),
        (
            "diffusion",
            json!({"beta_schedule": "sigmoid"}),
            "beta_schedule: \"sigmoid\" is not accepted; accepted: linear",
        ),
        ("diffusion", json!({"horizon": 12}), "horizon: 12 is no multiple of 8"),
        (
            "diffusion",
            json!({"n_action_steps": 64}),
            "n_action_steps: 64 actions after 1 that belong",
        ),
        ("diffusion", json!({"down_dims": []}), "down_dims: [] is not accepted"),
        ("diffusion", json!({"crop_shape": [49, 8]}), "crop_shape: [49, 8] does not fit"),
        ("diffusion", json!({"crop_shape": [0, 8]}), "crop_shape: [0, 8] is not accepted"),
        ("diffusion", json!({"crop_ratio": 1.5}), "crop_ratio: 1.5 is not accepted"),
        ("diffusion", json!({"num_inference_steps": 0}), "num_inference_steps: 0 is not accepted"),
        (
            "diffusion",
            json!({"num_inference_steps": 101}),
            "num_inference_steps: 101 is not accepted",
        ),
        ("vqbet", json!({"input_features": features()}), "input_features: has 2 images"),
        (
            "vqbet",
            json!({"bet_softmax_temperature": 0.0}),
            "bet_softmax_temperature: 0 is not accepted",
        ),
        (
            "tdmpc",
            json!({"n_action_steps": 2}),
            "n_action_repeats: 2 does not go with an n_action_steps of 2",
        ),
        (
            "tdmpc",
            json!({"n_action_steps": 2, "n_action_repeats": 1, "use_mpc": false}),
            "use_mpc: false does not go with an n_action_steps of 2",
        ),
        (
            "tdmpc",
            json!({"n_action_steps": 6, "n_action_repeats": 1}),
            "n_action_steps: 6 is more than the horizon of 5",
        ),
        ("tdmpc", json!({"n_gaussian_samples": 0}), "n_gaussian_samples: 0 is too small"),
        ("tdmpc", json!({"n_elites": 564}), "n_elites: 564 is more than the 563 samples"),
        ("tdmpc", json!({"n_pi_samples": 1_u64 << 31}), "n_gaussian_samples: 2147484160 samples"),
        ("tdmpc", json!({"cem_iterations": 0}), "cem_iterations: 0 is too small"),
        ("tdmpc", json!({"min_std": -0.1}), "min_std: -0.1 is not accepted"),
        (
            "tdmpc",
            json!({"gaussian_mean_momentum": 9}),
            "gaussian_mean_momentum: 9 is not accepted; accepted: 0 to 1",
        ),
        (
            "tdmpc",
            json!({"elite_weighting_temperature": -3}),
            "elite_weighting_temperature: -3 is not accepted; accepted: 0 or more",
        ),
        ("diffusion", json!({"clip_sample_range": -1.0}), "clip_sample_range: -1 is not accepted"),
        (
            "diffusion",
            json!({"beta_schedule": "linear", "beta_end": 50}),
            "beta_end: 50 is not accepted; accepted: more than 0, less than 1",
        ),
        ("diffusion", json!({"n_groups": 7}), "n_groups: 512 channels of down_dims"),
        (
            "diffusion",
            json!({"diffusion_step_embed_dim": 7}),
            "diffusion_step_embed_dim: 7 is not accepted; accepted: even numbers",
        ),
        ("act", json!({"n_heads": 7}), "n_heads: 7 heads do not share the dim_model of 512"),
        ("tdmpc", json!({"n_obs_steps": 2}), "n_obs_steps: 2 is not accepted; accepted: 1"),
        (
            "tdmpc",
            json!({"normalization_mapping": {"ACTION": "MEAN_STD"}}),
            "normalization_mapping: actions of -1 to 1 are planned",
        ),
        (
            "tdmpc",
            json!({"normalization_mapping": {}}),
            "normalization_mapping: actions of -1 to 1 are planned",
        ),
        ("tdmpc", json!({"input_features": features()}), "input_features: has 2 images"),
        (
            "tdmpc",
            json!({"input_features": {"x": {"type": "VISUAL", "shape": [3, 48, 64]}}}),
            "input_features: x is [3, 48, 64], and only square images are taken",
        ),
        ("tdmpc", json!({"input_features": {}}), "input_features: has no image, no state"),
    ] {
        let refusal = refusal(kind, &more);
        assert!(refusal.starts_with(wanted), "{more}: {refusal}");
        assert!(refusal.ends_with(": config.json"), "{refusal}");
    }
}

#[test]
fn images_of_two_sizes_are_refused_where_they_share_a_backbone() {
    let mut inputs = features();
    inputs["observation.images.above"]["shape"] = json!([3, 48, 48]);
    let refusal = refusal("diffusion", &json!({"input_features": inputs}));
    assert!(refusal.contains("all images must be of one size"), "{refusal}");
    assert!(parse("act", &json!({"input_features": inputs})).is_ok());
}

#[test]
fn what_is_no_json_and_what_is_no_object_is_refused() {
    for (text, wanted) in [
        ("{", "EOF"),
        ("[]", "the whole file: [] is not accepted; accepted: an object"),
        ("{}", "type: is missing"),
        ("{\"type\": 3}", "type: 3 is not accepted; accepted: a text"),
    ] {
        let error = Config::parse(text, Path::new("config.json")).unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
}
