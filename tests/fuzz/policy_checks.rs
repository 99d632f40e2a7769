//! What must hold for any bytes in the place of a checkpoint's files: an error that names what is
//! wrong, or data that agree with themselves; never a panic, and no more memory than the bytes are
//! worth.

use std::path::Path;

use sinew_policies::Config;
use sinew_policies::checkpoint::Tensors;
use sinew_policies::processor::Pipeline;

use super::datasets::with_file;

/// config.json.
pub fn policy_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(config) = Config::parse(text, Path::new("config.json")) else { return };
    let common = config.common();
    assert!(common.action_dim() > 0 && common.n_obs_steps > 0);
    for (name, feature) in common.images() {
        assert!(feature.image().is_some_and(|sides| sides.iter().all(|side| *side > 0)), "{name}");
    }
    match &config {
        Config::Act(act) => assert!(act.n_action_steps <= act.chunk_size),
        Config::Diffusion(diffusion) => {
            assert!(common.n_obs_steps - 1 + diffusion.n_action_steps <= diffusion.horizon);
            assert!((1..=diffusion.num_train_timesteps).contains(&diffusion.steps()));
        }
        Config::VqBet(_) => assert_eq!(common.images().count(), 1),
        Config::Tdmpc(tdmpc) => {
            assert!(tdmpc.n_elites <= tdmpc.samples() && tdmpc.n_action_steps <= tdmpc.horizon);
            // What is held of all samples is taken before the first of them is drawn.
            assert!(tdmpc.samples() * tdmpc.horizon * common.action_dim() <= 1 << 26);
        }
    }
}

/// Statistics that LeRobot wrote.
const STATE: &[u8] = include_bytes!(
    "../golden/policies/act_vae_1cam/policy_preprocessor_step_3_normalizer_processor.safetensors"
);

/// policy_preprocessor.json, whatever statistics it asks for.
pub fn policy_steps(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let state = |_name: &str| {
        let mut tensors = None;
        with_file(STATE, |path| tensors = Some(Tensors::open(path)));
        tensors.expect("it was looked at")
    };
    let read = Pipeline::parse(text, Path::new("steps.json"), &state);
    let Ok(mut pipeline) = read else { return };
    for (name, count) in [("observation.state", 6), ("action", 6), ("observation.images.top", 3)] {
        let mut numbers = vec![0.5; count];
        // An error is an answer: the file may speak of other sizes.
        pipeline.observation(name, &mut numbers).unwrap_or_default();
        pipeline.action(&mut numbers).unwrap_or_default();
        assert_eq!(numbers.len(), count);
        let mut pixels = vec![0.0; 6];
        pipeline.pixels(name, 3).write(&[0, 127, 255, 1, 2, 3], &mut pixels);
        assert!(pipeline.sources(name).iter().all(|source| pipeline.renamed(source) == name));
    }
}

/// The header of a safetensors file, and what it leads to.
pub fn policy_weights(bytes: &[u8]) {
    with_file(bytes, |path| {
        let Ok(tensors) = Tensors::open(path) else { return };
        let mut total = 0;
        for name in tensors.names() {
            let shape = tensors.shape(&name).expect("a name that it gave");
            let numbers: usize = shape.iter().product();
            if let Ok(read) = tensors.read(&name) {
                assert_eq!(read.len(), numbers, "{name}");
                assert!(read.iter().all(|number| number.is_finite()), "{name}");
            }
            if let Ok(read) = tensors.bytes(&name) {
                assert_eq!(read.len(), numbers, "{name}");
            }
            total += tensors.raw(&name).expect("a name that it gave").1.len();
        }
        assert!(total <= bytes.len(), "{total} of {}", bytes.len());
        assert!(tensors.left_over().is_empty());
    });
}
