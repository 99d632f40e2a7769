//! What a dataset or a robot has to offer to a policy.

use sinew_datasets::Dataset;
use sinew_datasets::stats::Stats;
use sinew_datasets::verify::joint_name;
use sinew_drivers::camera::CameraSpec;
use sinew_policies::preflight::{Numbers, Offered};

use crate::cameras::feature_of;
use crate::robot::Robot;

/// What stands in a dataset.
pub fn by_dataset(dataset: &Dataset) -> Offered {
    let info = dataset.info();
    let mut offered = Offered { fps: Some(f64::from(info.fps)), ..Offered::default() };
    for (name, feature) in &info.features {
        if let Some((width, height)) = feature.image_size().filter(|_| feature.is_camera()) {
            offered.cameras.insert(name.clone(), [width as usize, height as usize]);
            continue;
        }
        let stats = dataset.stats().iter().find(|(known, _)| known == name).map(|(_, stats)| stats);
        let numbers = Numbers {
            count: feature.width(),
            names: (0..feature.width()).map(|at| joint_name(feature, at)).collect(),
            ranges: stats.map(ranges).unwrap_or_default(),
        };
        match name.as_str() {
            "action" => offered.action = Some(numbers),
            name if name.starts_with("observation.") => {
                offered.numbers.insert(name.to_owned(), numbers);
            }
            _ => {}
        }
    }
    offered
}

fn ranges(stats: &Stats) -> Vec<[f32; 2]> {
    stats.min.iter().zip(&stats.max).map(|(min, max)| [*min as f32, *max as f32]).collect()
}

/// What a simulated task has to offer.
#[cfg(feature = "sim")]
pub fn by_env(env: &sinew_sim::Env, cameras: &[crate::run::eyes::Lookout]) -> Offered {
    use crate::run::attempt::{STATE, TRUTH};
    let numbers = |names: Vec<String>| Numbers { count: names.len(), names, ranges: Vec::new() };
    let state = numbers(env.state_names());
    Offered {
        cameras: cameras
            .iter()
            .map(|camera| (camera.feature.clone(), camera.size.map(|side| side as usize)))
            .collect(),
        fps: Some(f64::from(sinew_sim::env::FPS)),
        action: Some(state.clone()),
        numbers: [(STATE.to_owned(), state), (TRUTH.to_owned(), numbers(env.truth_names()))].into(),
    }
}

/// What a robot with these cameras has to offer.
pub fn by_robot(robot: &Robot, cameras: &[(String, CameraSpec)]) -> Offered {
    let names = robot.value_names();
    let values = Numbers { count: names.len(), names, ranges: Vec::new() };
    let sizes = cameras.iter().map(|(name, spec)| (feature_of(name), [spec.width, spec.height]));
    Offered {
        numbers: [("observation.state".to_owned(), values.clone())].into(),
        action: Some(values),
        cameras: sizes.map(|(name, size)| (name, size.map(|side| side as usize))).collect(),
        ..Offered::default()
    }
}
