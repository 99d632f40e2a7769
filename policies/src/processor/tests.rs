use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{AFTER, BEFORE, Pipeline, embedded};
use crate::checkpoint::Tensors;
use crate::config::Config;

type Named<'a> = (&'a str, &'a [usize], &'a [f32]);

fn write(folder: &Path, file: &str, tensors: &[Named<'_>]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, numbers)| numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    serialize_to_file(views, None, &folder.join(file)).unwrap();
}

fn normalizer(name: &str, modes: &Value) -> Value {
    json!({
        "registry_name": name,
        "config": {
            "eps": 1e-8,
            "features": {
                "observation.state": {"type": "STATE", "shape": [2]},
                "observation.environment_state": {"type": "ENV", "shape": [2]},
                "observation.images.front": {"type": "VISUAL", "shape": [3, 2, 2]},
                "action": {"type": "ACTION", "shape": [2]},
            },
            "norm_map": modes,
        },
        "state_file": "state.safetensors",
    })
}

fn folder(file: &str, steps: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = json!({"name": "policy", "steps": steps});
    std::fs::write(folder.path().join(file), pipeline.to_string()).unwrap();
    let two =
        |name: &'static str, numbers: &'static [f32]| -> Named<'static> { (name, &[2], numbers) };
    write(
        folder.path(),
        "state.safetensors",
        &[
            two("observation.state.mean", &[1.0, -2.0]),
            two("observation.state.std", &[0.5, 0.0]),
            two("action.min", &[-1.0, 5.0]),
            two("action.max", &[3.0, 5.0]),
            two("action.q01", &[-1.0, 5.0]),
            two("action.q99", &[3.0, 5.0]),
            two("action.q10", &[0.0, 5.0]),
            two("action.q90", &[2.0, 5.0]),
            ("observation.images.front.mean", &[3, 1, 1], &[0.485, 0.456, 0.406]),
            ("observation.images.front.std", &[3, 1, 1], &[0.229, 0.224, 0.225]),
        ],
    );
    folder
}

fn before(steps: &Value) -> Pipeline {
    let folder = folder(BEFORE, steps);
    Pipeline::open(folder.path(), BEFORE).unwrap()
}

fn refusal(steps: &Value) -> String {
    let folder = folder(BEFORE, steps);
    Pipeline::open(folder.path(), BEFORE).unwrap_err().to_string()
}

const MODES: &str = r#"{"VISUAL": "MEAN_STD", "STATE": "MEAN_STD", "ACTION": "MIN_MAX"}"#;

fn modes() -> Value {
    serde_json::from_str(MODES).unwrap()
}

#[test]
fn an_observation_is_scaled_and_a_deviation_of_zero_divides_by_eps() {
    let mut pipeline = before(&json!([normalizer("normalizer_processor", &modes())]));
    let mut state = [2.0, -2.0];
    pipeline.observation("observation.state", &mut state).unwrap();
    assert_eq!(state, [2.0, 0.0]);
    let mut off = [1.0, -1.0];
    pipeline.observation("observation.state", &mut off).unwrap();
    assert_eq!(off, [0.0, 1.0 / 1e-8_f32]);
}

#[test]
fn what_has_no_mode_is_left_alone() {
    let mut pipeline = before(&json!([normalizer("normalizer_processor", &modes())]));
    let mut numbers = [7.0, 8.0];
    pipeline.observation("observation.environment_state", &mut numbers).unwrap();
    pipeline.observation("observation.else", &mut numbers).unwrap();
    assert_eq!(numbers, [7.0, 8.0]);
    assert!(pipeline.warnings().is_empty(), "{:?}", pipeline.warnings());
}

#[test]
fn what_has_a_mode_and_no_statistics_is_left_alone_and_told() {
    let mut modes = modes();
    modes["ENV"] = json!("MIN_MAX");
    let pipeline = before(&json!([normalizer("normalizer_processor", &modes)]));
    let warning = "steps[0].normalizer_processor: has no statistics of observation.environment_state and leaves it as it is";
    assert_eq!(pipeline.warnings(), [warning]);
}

#[test]
fn an_action_comes_back_by_every_mode() {
    for (mode, wanted) in [
        ("MIN_MAX", [1.0, 5.0]),
        ("QUANTILES", [1.0, 5.0]),
        ("QUANTILE10", [1.0, 5.0]),
        ("IDENTITY", [0.0, 0.0]),
    ] {
        let mut modes = modes();
        modes["ACTION"] = json!(mode);
        let pipeline = before(&json!([normalizer("unnormalizer_processor", &modes)]));
        let mut action = [0.0, 0.0];
        pipeline.action(&mut action).unwrap();
        assert_eq!(action, wanted, "{mode}");
    }
}

#[test]
fn there_and_back_is_where_it_began() {
    for mode in ["MIN_MAX", "QUANTILES", "QUANTILE10"] {
        let mut modes = modes();
        modes["ACTION"] = json!(mode);
        let there = before(&json!([normalizer("normalizer_processor", &modes)]));
        let back = before(&json!([normalizer("unnormalizer_processor", &modes)]));
        let mut action = [0.75, 5.0];
        there.action(&mut action).unwrap();
        assert_eq!(action[1], -1.0, "{mode}: the least is -1 where least and greatest are equal");
        back.action(&mut action).unwrap();
        assert_eq!(action, [0.75, 5.0], "{mode}");
    }
}

#[test]
fn every_byte_of_an_image_is_scaled_as_the_formula_says() {
    let rename = json!({
        "registry_name": "rename_observations_processor",
        "config": {"rename_map": {"cam": "observation.images.front"}},
    });
    let pipeline = before(&json!([rename, normalizer("normalizer_processor", &modes())]));
    let pixels = pipeline.pixels("cam", 3);
    let bytes: Vec<u8> = (0..=255).flat_map(|byte| [byte, byte ^ 85, 255 - byte]).collect();
    let mut into = vec![0.0; bytes.len()];
    pixels.write(&bytes, &mut into);
    let (mean, std) = ([0.485_f32, 0.456, 0.406], [0.229_f32, 0.224, 0.225]);
    for (at, (byte, number)) in bytes.iter().zip(&into).enumerate() {
        let wanted = (f32::from(*byte) / 255.0 - mean[at % 3]) / (std[at % 3] + 1e-8);
        assert_eq!(*number, wanted);
    }
}

#[test]
fn an_image_of_one_channel_is_written_too() {
    let pixels = before(&json!([])).pixels("depth", 1);
    let mut into = [9.0; 3];
    pixels.write(&[0, 255], &mut into);
    assert_eq!(into, [0.0, 1.0, 9.0]);
}

#[test]
fn renaming_is_followed_and_can_be_replaced() {
    let rename = json!({
        "registry_name": "rename_observations_processor",
        "config": {"rename_map": {"a": "b", "c": "b", "b": "d"}},
    });
    let mut pipeline = before(&json!([rename]));
    assert_eq!(pipeline.renamed("a"), "b");
    assert_eq!(pipeline.renamed("x"), "x");
    assert_eq!(pipeline.sources("b"), ["a", "c"]);
    assert_eq!(pipeline.sources("x"), ["x"]);
    assert_eq!(["b", "x", "d"].map(|name| pipeline.source(name)), ["a", "x", "b"]);
    pipeline.rename(BTreeMap::from([("y".to_owned(), "x".to_owned())]));
    assert_eq!(pipeline.sources("x"), ["x", "y"]);
    let mut bare = before(&json!([]));
    bare.rename(BTreeMap::from([("y".to_owned(), "x".to_owned())]));
    assert_eq!(bare.renamed("y"), "x");
}

#[test]
fn only_the_named_observations_are_scaled() {
    let mut step = normalizer("normalizer_processor", &modes());
    step["config"]["normalize_observation_keys"] = json!(["observation.images.front"]);
    let mut pipeline = before(&json!([step]));
    let mut state = [2.0, -2.0];
    pipeline.observation("observation.state", &mut state).unwrap();
    assert_eq!(state, [2.0, -2.0]);
}

#[test]
fn relative_actions_start_where_the_joints_were_when_the_chunk_was_made() {
    let relative = json!({
        "registry_name": "relative_actions_processor",
        "config": {"enabled": true, "exclude_joints": ["Gripper"], "action_names": ["pan.pos", "gripper.pos"]},
    });
    let mut before = before(&json!([relative, normalizer("normalizer_processor", &modes())]));
    let absolute =
        json!({"registry_name": "absolute_actions_processor", "config": {"enabled": true}});
    let folder = folder(AFTER, &json!([absolute]));
    let mut after = Pipeline::open(folder.path(), AFTER).unwrap();
    assert!(after.pair(&before, 2).unwrap());
    before.observation("observation.state", &mut [10.0, 20.0]).unwrap();
    after.anchor(&before);
    before.observation("observation.state", &mut [11.0, 21.0]).unwrap();
    let mut action = [0.5, 0.25];
    after.action(&mut action).unwrap();
    assert_eq!(action, [10.5, 0.25], "from before scaling; the gripper stays absolute");
}

#[test]
fn absolute_actions_alone_are_refused() {
    let absolute =
        json!({"registry_name": "absolute_actions_processor", "config": {"enabled": true}});
    let folder = folder(AFTER, &json!([absolute]));
    let mut after = Pipeline::open(folder.path(), AFTER).unwrap();
    let refusal = after.pair(&before(&json!([])), 2).unwrap_err().to_string();
    assert!(refusal.contains("asks for a relative_actions_processor"), "{refusal}");
}

#[test]
fn what_is_not_understood_is_named() {
    let tokenizer = json!({"registry_name": "tokenizer_processor", "config": {}});
    let class = json!({"class": "mine.steps.Blur", "config": {}});
    let half = json!({"registry_name": "device_processor", "config": {"float_dtype": "float16"}});
    let mut outside = normalizer("normalizer_processor", &modes());
    outside["state_file"] = json!("../state.safetensors");
    let mut without = normalizer("normalizer_processor", &modes());
    without.as_object_mut().unwrap().remove("state_file");
    let quantiles = json!({"STATE": "QUANTILES"});
    let mut wide = normalizer("normalizer_processor", &modes());
    wide["config"]["features"]["observation.state"]["shape"] = json!([3]);
    for (step, wanted) in [
        (
            tokenizer,
            "steps[0].registry_name: \"tokenizer_processor\" is not accepted; accepted: rename",
        ),
        (class, "steps[0].registry_name: the step is given as a Python class, mine.steps.Blur"),
        (half, "steps[0].config.float_dtype: \"float16\" is not accepted; accepted: float32"),
        (outside, "steps[0].state_file: \"../state.safetensors\" is not accepted"),
        (without, "steps[0].config.state_file: is missing"),
        (
            normalizer("normalizer_processor", &quantiles),
            "there is no tensor observation.state.q01",
        ),
        (wide, "tensor observation.state.mean is [2], and 3 numbers"),
        (json!(3), "steps[0]: 3 is not accepted; accepted: an object"),
    ] {
        let refusal = refusal(&json!([step]));
        assert!(refusal.starts_with(wanted), "{refusal}");
    }
    assert!(refusal(&json!({})).starts_with("steps: {} is not accepted; accepted: a list"));
}

#[test]
fn a_number_too_many_is_an_error_that_names_the_feature() {
    let mut pipeline = before(&json!([normalizer("normalizer_processor", &modes())]));
    let error = pipeline.observation("observation.state", &mut [1.0; 3]).unwrap_err();
    assert_eq!(error.to_string(), "observation.state: has 3 numbers, and 2 were trained");
}

#[test]
fn old_checkpoints_hold_their_statistics_among_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let weights: [Named<'_>; 7] = [
        ("normalize_inputs.buffer_observation_state.mean", &[2], &[1.0, 2.0]),
        ("normalize_inputs.buffer_observation_state.std", &[2], &[2.0, 4.0]),
        ("normalize_inputs.buffer_observation_images_top_view.mean", &[3, 1, 1], &[0.5; 3]),
        ("normalize_inputs.buffer_observation_images_top_view.std", &[3, 1, 1], &[0.5; 3]),
        ("normalize_targets.buffer_action.mean", &[2], &[9.0, 9.0]),
        ("unnormalize_outputs.buffer_action.mean", &[2], &[3.0, 4.0]),
        ("unnormalize_outputs.buffer_action.std", &[2], &[10.0, 20.0]),
    ];
    write(folder.path(), "model.safetensors", &weights);
    let tensors = Tensors::open(&folder.path().join("model.safetensors")).unwrap();
    let config = json!({
        "type": "act",
        "input_features": {
            "observation.state": {"type": "STATE", "shape": [2]},
            "observation.images.top_view": {"type": "VISUAL", "shape": [3, 8, 8]},
        },
        "output_features": {"action": {"type": "ACTION", "shape": [2]}},
    });
    let config = Config::parse(&config.to_string(), Path::new("config.json")).unwrap();
    let (mut before, after) = embedded(config.common(), &tensors).unwrap().unwrap();
    let mut state = [3.0, 2.0];
    before.observation("observation.state", &mut state).unwrap();
    assert_eq!(state, [1.0, 0.0]);
    let mut into = [9.0; 3];
    before.pixels("observation.images.top_view", 3).write(&[255, 0, 255], &mut into);
    assert_eq!(into, [1.0, -1.0, 1.0]);
    let mut action = [1.0, -1.0];
    after.action(&mut action).unwrap();
    assert_eq!(action, [13.0, -16.0]);
}
