//! ACT's network, with every switch that its configuration has.

use std::collections::BTreeMap;

use sinew_policies::layers::resnet::STEM;
use sinew_policies::{Config, act};

use crate::case::Case;
use crate::run::{DEVICES, compare, compare_module, compile, run};

pub const CASES: [&str; 18] = [
    "act_vae_1cam",
    "act_novae_2cam",
    "act_envstate_only",
    "act_envstate_img_prenorm_gelu",
    "act_ensemble",
    "act_queue",
    "act_no_state",
    "act_uneven_images",
    "act_resnet34",
    "act_resnet50",
    "act_resnet50_dilated",
    "act_old_normalization",
    "act_quantiles",
    "act_quantile10",
    "act_min_max",
    "act_bf16",
    "act_f16",
    "act_full_size",
];

/// What the network takes at a step, normalised.
fn inputs(case: &Case, step: usize) -> BTreeMap<String, Vec<f32>> {
    let common = case.config.common();
    let vectors = common.inputs.iter().filter(|(_, feature)| feature.image().is_none());
    let vectors = vectors.map(|(name, _)| {
        (name.clone(), case.outputs.read(&format!("step{step}/pre/{name}")).unwrap())
    });
    let images = common.images().map(|(name, _)| (name.to_owned(), case.normal_image(name, step)));
    vectors.chain(images).collect()
}

#[test]
fn the_tensors_that_a_configuration_asks_for_are_lerobots() {
    for name in CASES {
        let case = Case::open(name);
        let Config::Act(config) = &case.config else { panic!("{name} is no ACT") };
        let theirs = case.tensors();
        // The golden ones are narrower than torchvision's.
        let stem = theirs.shape("model.backbone.conv1.weight").map_or(STEM, |shape| shape[0]);
        let listed: BTreeMap<_, _> = act::tensors(config, stem).unwrap().into_iter().collect();
        let asked = |tensor: &String| {
            let in_network = tensor.starts_with("model.") && !act::for_training(tensor);
            // A batch norm counts its batches in a whole number that is no weight.
            in_network && theirs.is_float(tensor)
        };
        let shaped = |tensor: String| {
            let shape = theirs.shape(&tensor).unwrap().to_vec();
            (tensor, shape)
        };
        let theirs: BTreeMap<_, _> = theirs.names().filter(asked).map(shaped).collect();
        assert_eq!(listed, theirs, "{name}");
    }
}

#[test]
fn chunks_are_lerobots() {
    for name in CASES {
        let case = Case::open(name);
        let Config::Act(config) = &case.config else { panic!("{name} is no ACT") };
        let tensors = case.tensors();
        let mut graph = act::graph(config, &tensors).unwrap();
        let modules = case.modules();
        for module in &modules {
            assert!(graph.expose(module), "{name} has no {module}");
        }
        for &device in DEVICES {
            let mut program = compile(&graph, &tensors, device);
            let (mut chunks, mut inside) = (0.0_f32, 0.0_f32);
            for step in 0..case.steps() {
                run(&mut program, &inputs(&case, step));
                let theirs = case.outputs.read(&format!("step{step}/chunk")).unwrap();
                let what = format!("{name} on {device:?}, chunk {step}");
                chunks = chunks.max(compare(program.output("chunk").unwrap(), &theirs, &what));
                // Of the cameras only the first was recorded.
                for module in modules.iter().filter(|_| step == 0) {
                    let what = format!("{name} on {device:?}, {module}");
                    inside = inside.max(compare_module(
                        program.output(module).unwrap(),
                        &case.module(module),
                        &what,
                    ));
                }
            }
            println!("{name:32} {device:?}: chunks {chunks:.1e}, inside {inside:.1e}");
        }
        let left = tensors.left_over();
        let missed: Vec<_> = left
            .iter()
            .filter(|tensor| !act::for_training(tensor) && !tensor.contains("normalize_"))
            .collect();
        assert!(missed.is_empty(), "{name}: {missed:?}");
    }
}
