//! LeRobot's policies here and there: it makes a checkpoint and answers random observations, and
//! the same folder answers the same here. What was converted here LeRobot loads as well.

use std::path::Path;

use sinew_policies::checkpoint::Tensors;
use sinew_policies::convert::{Storage, convert};
use sinew_policies::{Device, Options, Policy, recorded};

use super::script;

const SCRIPT: &str = "lerobot_policy.py";

/// How far our answers to the recorded observations are from LeRobot's: those of the network, and
/// beside their size those in the robot's units.
fn compare(folder: &Path) -> f32 {
    let mut policy = Policy::load(folder, Device::default(), &Options::default()).unwrap();
    assert!(policy.audit().left_over.is_empty(), "{:?}", policy.audit());
    let inputs = Tensors::open(&folder.join("inputs.safetensors")).unwrap();
    let outputs = Tensors::open(&folder.join("outputs.safetensors")).unwrap();
    let (mut worst, mut compared) = (0.0_f32, 0);
    for ours in recorded::run(&mut policy, &inputs, &mut |_| ()).unwrap() {
        if !outputs.contains(&ours.name) {
            continue;
        }
        let theirs = outputs.read(&ours.name).unwrap();
        assert_eq!(ours.numbers.len(), theirs.len(), "{}", ours.name);
        for (ours, theirs) in ours.numbers.iter().zip(theirs) {
            worst = worst.max((ours - theirs).abs() / theirs.abs().max(1.0));
        }
        compared += 1;
    }
    assert_eq!(compared, outputs.names().count(), "everything was compared");
    worst
}

#[test]
fn lerobots_policies_answer_the_same_here() {
    for kind in [
        "act",
        "act_ensemble",
        "act_quantiles",
        "diffusion_ddpm",
        "diffusion_ddim",
        "vqbet",
        "tdmpc",
        "tdmpc_steps",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        let test = format!("policies: {kind}");
        let Some(made) = script(&test, SCRIPT, &["make", root, kind]) else { continue };
        assert!(made["parameters"].as_u64().unwrap() > 100_000, "{made}");
        let answered = script(&test, SCRIPT, &["answer", root]).unwrap();
        assert_eq!(answered["steps"], 7, "{answered}");
        let worst = compare(folder.path());
        assert!(worst < 1e-4, "{kind}: {worst}");
    }
}

#[test]
fn lerobot_loads_what_was_converted_here() {
    for kind in ["act", "diffusion_ddim", "vqbet", "tdmpc"] {
        let (made, converted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (root, test) = (made.path().to_str().unwrap(), format!("policies: converted, {kind}"));
        let Some(_made) = script(&test, SCRIPT, &["make", root, kind]) else { continue };
        for storage in [Storage::F16, Storage::Bf16] {
            let to = converted.path().join(storage.name());
            convert(made.path(), &to, storage).unwrap();
            script(&test, SCRIPT, &["answer", to.to_str().unwrap()]).unwrap();
            let worst = compare(&to);
            println!("{kind} as {}: off LeRobot by {worst:.1e}", storage.name());
            assert!(worst < 1e-4, "{kind} as {}: {worst}", storage.name());
        }
    }
}
