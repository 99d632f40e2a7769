//! Scaling, relative actions and the temporal ensemble are LeRobot's: scaling bit by bit, the
//! ensemble within the rounding of its exponentials.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde_json::{Value, json};
use sinew_policies::chunk::Ensemble;
use sinew_policies::processor::{AFTER, BEFORE, Pipeline};

use super::{golden, list, text};

fn numbers(value: &Value, key: &str) -> Vec<f32> {
    list(value, key).iter().map(number).collect()
}

fn number(value: &Value) -> f32 {
    value.as_f64().expect("a number") as f32
}

fn rows(value: &Value, key: &str) -> Vec<Vec<f32>> {
    let rows = list(value, key).iter();
    rows.map(|row| row.as_array().expect("a row").iter().map(number).collect()).collect()
}

/// A checkpoint folder with these steps and, as their state, the statistics of an action.
fn pipeline(file: &str, steps: &[Value], statistics: &Value) -> Pipeline {
    let folder = tempfile::tempdir().unwrap();
    let named: Vec<(String, Vec<u8>)> = statistics
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| {
            let bytes = numbers(statistics, name).into_iter().flat_map(f32::to_le_bytes);
            (format!("action.{name}"), bytes.collect())
        })
        .collect();
    let views = named.iter().map(|(name, bytes)| {
        (name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).unwrap())
    });
    serialize_to_file(views, None, &folder.path().join("state.safetensors")).unwrap();
    let json = json!({"name": "golden", "steps": steps}).to_string();
    std::fs::write(Path::new(folder.path()).join(file), json).unwrap();
    Pipeline::open(folder.path(), file).unwrap()
}

#[test]
fn every_way_of_scaling_is_lerobots_to_the_bit() {
    let golden = golden(include_str!("processors/golden.json"));
    for case in list(&golden, "scalings") {
        for (step, key) in [("normalizer", "forward"), ("unnormalizer", "inverse")] {
            let step = json!({
                "registry_name": format!("{step}_processor"),
                "config": {
                    "eps": 1e-8,
                    "features": {"action": {"type": "ACTION", "shape": [5]}},
                    "norm_map": {"ACTION": text(case, "mode")},
                },
                "state_file": "state.safetensors",
            });
            let pipeline = pipeline(BEFORE, &[step], &golden["statistics"]);
            for (mut action, wanted) in rows(case, "asked").into_iter().zip(rows(case, key)) {
                pipeline.action(&mut action).unwrap();
                assert_eq!(action, wanted, "{} {key}", text(case, "mode"));
            }
        }
    }
}

#[test]
fn relative_actions_become_the_same_goals() {
    let golden = golden(include_str!("processors/golden.json"));
    for case in list(&golden, "relatives") {
        let relative = json!({
            "registry_name": "relative_actions_processor",
            "config": {
                "enabled": true,
                "exclude_joints": case["exclude_joints"],
                "action_names": case["action_names"],
            },
        });
        let absolute =
            json!({"registry_name": "absolute_actions_processor", "config": {"enabled": true}});
        let mut before = pipeline(BEFORE, &[relative], &Value::Null);
        let mut after = pipeline(AFTER, &[absolute], &Value::Null);
        let mut action = numbers(case, "action");
        assert!(after.pair(&before, action.len()).unwrap());
        before.observation("observation.state", &mut numbers(case, "state")).unwrap();
        after.anchor(&before);
        after.action(&mut action).unwrap();
        assert_eq!(action, numbers(case, "absolute"), "{case}");
    }
}

#[test]
fn the_ensemble_is_lerobots() {
    let golden = golden(include_str!("processors/golden.json"));
    for case in list(&golden, "ensembles") {
        let coefficient = case["coefficient"].as_f64().unwrap();
        let length = case["length"].as_u64().unwrap() as usize;
        let mut ensemble = Ensemble::new(coefficient, length, 2);
        for (chunk, wanted) in rows(case, "chunks").iter().zip(rows(case, "actions")) {
            let action = ensemble.update(chunk).unwrap();
            for (ours, wanted) in action.iter().zip(wanted) {
                assert!((ours - wanted).abs() < 1e-6, "{coefficient}: {ours} {wanted}");
            }
        }
    }
}
