//! A whole policy: from a folder that LeRobot wrote and observations to actions, held to LeRobot's
//! own, and what it says to observations that are not as in training.
#![allow(clippy::unwrap_used, missing_docs)] // a test that cannot set itself up must fail

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use sinew_policies::checkpoint::{self, Named, Tensors};
use sinew_policies::draws::Draws;
use sinew_policies::policy::{Image, Observation, Policy, Seen};
use sinew_policies::{Device, Error, Options, recorded};
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/policies")).join(name)
}

fn load(folder: &Path) -> Result<Policy, Error> {
    Policy::load(folder, Device::default(), &Options::default())
}

/// A copy of a golden folder, to be changed.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(golden(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn change(folder: &TempDir, file: &str, from: &str, to: &str) {
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// The picture that formula.py makes of a name, channels last.
fn picture(tag: &str) -> Vec<u8> {
    let hash = tag.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    let tint = (hash % 97) as usize;
    let value = |x: usize, y: usize, channel: usize| {
        ((x * 3 + y * 5 + channel * 40 + ((x * y) >> 6) + tint * 7) & 255) as u8
    };
    let pixels = (0..64).flat_map(|y| (0..64).map(move |x| (x, y)));
    pixels.flat_map(|(x, y)| (0..3).map(move |channel| value(x, y, channel))).collect()
}

fn image(rgb: &[u8]) -> Seen<'_> {
    Seen::Image(Image { width: 64, height: 64, rgb })
}

/// Runs a golden policy over its recorded steps, and answers how far off it is at most.
fn worst(name: &str, camera: &str) -> f32 {
    let folder = golden(name);
    let mut policy = load(&folder).unwrap();
    assert_eq!(policy.audit().warnings(), [""; 0]);
    let inputs = Tensors::open(&folder.join("inputs.safetensors")).unwrap();
    let outputs = Tensors::open(&folder.join("outputs.safetensors")).unwrap();
    let mut worst = 0.0_f32;
    let mut compare = |ours: &[f32], theirs: &str| {
        for (ours, theirs) in ours.iter().zip(outputs.read(theirs).unwrap()) {
            worst = worst.max((ours - theirs).abs());
        }
    };
    for step in (0..).take_while(|step| outputs.contains(&format!("step{step}/action"))) {
        let state = inputs.read(&format!("step{step}/raw/observation.state")).unwrap();
        let rgb = picture(&format!("{camera}:{step}"));
        let drawn = (0..).map(|nth| format!("step{step}/rng/{nth:03}_randn"));
        let drawn = drawn.take_while(|name| inputs.contains(name));
        let draws: Vec<_> = drawn.map(|name| inputs.read(&name).unwrap()).collect();
        if !draws.is_empty() {
            policy.draw_from(Draws::Recorded(draws.into()));
        }
        let seen = [("observation.state", Seen::Numbers(&state)), (camera, image(&rgb))];
        let action = policy.select_action(&seen).unwrap();
        compare(action.raw, &format!("step{step}/action"));
        compare(action.goal, &format!("step{step}/action_post"));
        let (name, pre) = policy.observed().next().unwrap();
        compare(pre, &format!("step{step}/pre/{name}"));
        if outputs.contains(&format!("step{step}/chunk")) && step == 0 {
            compare(policy.chunk(), "step0/chunk");
        }
    }
    worst
}

#[test]
fn act_answers_as_lerobot_does() {
    let worst = worst("act_vae_1cam", "observation.images.top");
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn diffusion_answers_as_lerobot_does_over_two_chunks() {
    let worst = worst("diffusion_ddpm_crop", "observation.image");
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn a_recorded_file_is_answered_in_the_same_layout() {
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str, shape: &[usize], numbers: Vec<f32>| Named {
        name: name.to_owned(),
        shape: shape.to_vec(),
        numbers,
    };
    let path = folder.path().join("inputs.safetensors");
    checkpoint::write(&path, &[named("step0/raw/observation.state", &[6], vec![0.5; 6])]).unwrap();
    let mut policy = load(&golden("act_vae_1cam")).unwrap();
    let error = recorded::run(&mut policy, &Tensors::open(&path).unwrap(), &mut |_| ());
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "observation.images.top: is missing among observation.state");
    checkpoint::write(&path, &[named("other", &[1], vec![0.5])]).unwrap();
    let error = recorded::run(&mut policy, &Tensors::open(&path).unwrap(), &mut |_| ());
    assert!(error.unwrap_err().to_string().contains("there is no step0/raw/"));
}

/// LeRobot's ACT was asked for a chunk at every step, also where its action was there already.
#[test]
fn every_recorded_step_has_the_chunk_of_its_own_observation() {
    let folder = tempfile::tempdir().unwrap();
    let golden = golden("act_vae_1cam");
    let inputs = Tensors::open(&golden.join("inputs.safetensors")).unwrap();
    let outputs = Tensors::open(&golden.join("outputs.safetensors")).unwrap();
    let path = folder.path().join("inputs.safetensors");
    let tensors = [0, 1].map(|step| {
        let name = format!("step{step}/raw/observation.state");
        let state: Vec<u8> =
            inputs.read(&name).unwrap().into_iter().flat_map(f32::to_le_bytes).collect();
        let rgb = picture(&format!("observation.images.top:{step}"));
        let first: Vec<u8> =
            (0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3).copied()).collect();
        [
            (name, Dtype::F32, vec![6], state),
            (
                format!("step{step}/raw_u8/observation.images.top"),
                Dtype::U8,
                vec![3, 64, 64],
                first,
            ),
        ]
    });
    let views = tensors.iter().flatten().map(|(name, dtype, shape, bytes)| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let mut policy = load(&golden).unwrap();
    let answers = recorded::run(&mut policy, &Tensors::open(&path).unwrap(), &mut |_| ()).unwrap();
    for name in ["step0/chunk", "step1/chunk", "step1/action_post"] {
        let ours = answers.iter().find(|answer| answer.name == name).unwrap();
        let theirs = outputs.read(name).unwrap();
        let off = ours.numbers.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        let off = off.fold(0.0, f32::max);
        assert!(off < 1e-4 && ours.numbers.len() == theirs.len(), "{name} is off by {off}");
    }
    let chunk = |name| outputs.read(name).unwrap();
    assert_ne!(chunk("step0/chunk"), chunk("step1/chunk"), "or this shows nothing");
}

#[test]
fn the_same_seed_gives_the_same_actions_and_another_one_others() {
    let mut policy = load(&golden("diffusion_ddpm_crop")).unwrap();
    let rgb = picture("x");
    let seen =
        [("observation.state", Seen::Numbers(&[0.1, 0.2])), ("observation.image", image(&rgb))];
    let mut from = |seed| {
        policy.draw_from(Draws::seeded(seed));
        policy.reset();
        policy.select_action(&seen).unwrap().goal.to_vec()
    };
    let first = from(1);
    assert_eq!(first, from(1));
    assert_ne!(first, from(2));
}

#[test]
fn a_chunk_is_made_only_when_it_is_needed() {
    let mut policy = load(&golden("act_vae_1cam")).unwrap();
    let rgb = picture("x");
    let seen =
        [("observation.state", Seen::Numbers(&[0.1; 6])), ("observation.images.top", image(&rgb))];
    let fresh: Vec<bool> = (0..12).map(|_| policy.select_action(&seen).unwrap().fresh).collect();
    let wanted: Vec<bool> = (0..12).map(|at| at % 10 == 0).collect();
    assert_eq!(fresh, wanted);
    policy.reset();
    assert!(policy.select_action(&seen).unwrap().fresh, "a new episode begins with a new chunk");
}

/// Of most observations no image is kept; those that a chunk is made of are.
#[test]
fn a_chunk_is_made_of_the_same_images_whether_others_were_kept_or_not() {
    for (name, chunk) in [("diffusion_arm", 8), ("vqbet_arm", 5), ("act_vae_1cam", 10)] {
        let mut policies = [load(&golden(name)).unwrap(), load(&golden(name)).unwrap()];
        policies.iter_mut().for_each(|policy| policy.draw_from(Draws::seeded(3)));
        let [policy, keeper] = &mut policies;
        let side = if name.starts_with("act") { 64 } else { 48 };
        let mut chunks = 0;
        for step in 0..3 * chunk {
            let state = [step as f32 / 100.0; 6];
            let rgb: Vec<u8> =
                (0..side * side * 3).map(|at| (at * (step + 3) % 251) as u8).collect();
            let top = Seen::Image(Image { width: side, height: side, rgb: &rgb });
            let seen =
                [("observation.state", Seen::Numbers(&state)), ("observation.images.top", top)];
            keeper.observe(&seen).unwrap();
            let fresh = policy.select_action(&seen).unwrap().fresh;
            if fresh {
                assert_eq!(keeper.make_chunk().unwrap(), policy.chunk(), "{name}, {step}");
                chunks += 1;
            }
        }
        assert_eq!(chunks, 3, "{name}");
    }
}

#[test]
fn what_is_not_as_in_training_is_named() {
    let mut policy = load(&golden("act_vae_1cam")).unwrap();
    let (state, rgb) = ([0.1; 6], picture("x"));
    let numbers = Seen::Numbers(&state);
    let (joints, top) = ("observation.state", "observation.images.top");
    let odd = [0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0];
    let small = Image { width: 32, height: 64, rgb: &rgb };
    let short = Image { width: 64, height: 64, rgb: &rgb[1..] };
    let cases: [(&Observation<'_>, &str); 7] = [
        (&[(joints, numbers)], "observation.images.top: is missing among observation.state"),
        (
            &[(joints, numbers), (top, numbers)],
            "observation.images.top: is numbers, and an image was trained",
        ),
        (
            &[(joints, image(&rgb)), (top, image(&rgb))],
            "observation.state: is an image, and numbers were trained",
        ),
        (
            &[(joints, Seen::Numbers(&state[1..])), (top, image(&rgb))],
            "observation.state: has 5 numbers, and 6 were trained",
        ),
        (&[(joints, Seen::Numbers(&odd)), (top, image(&rgb))], "observation.state: holds NaN at 2"),
        (
            &[(joints, numbers), (top, Seen::Image(small))],
            "observation.images.top: is 32x64, and 64x64 was trained",
        ),
        (
            &[(joints, numbers), (top, Seen::Image(short))],
            "observation.images.top: has 12287 bytes, and 64x64 in RGB are 12288",
        ),
    ];
    for (seen, wanted) in cases {
        let error = policy.select_action(seen).unwrap_err();
        assert!(matches!(error, Error::Input { .. }), "{error:?}");
        assert_eq!(error.to_string(), wanted);
    }
    assert!(policy.select_action(&[(joints, numbers), (top, image(&rgb))]).is_ok());
}

#[test]
fn other_names_can_be_given() {
    let mut policy = load(&golden("act_vae_1cam")).unwrap();
    let names = [("cam".to_owned(), "observation.images.top".to_owned())];
    policy.rename(BTreeMap::from(names)).unwrap();
    assert!(policy.takes("cam") && policy.takes("observation.state") && !policy.takes("else"));
    let rgb = picture("x");
    let seen = [("observation.state", Seen::Numbers(&[0.1; 6])), ("cam", image(&rgb))];
    assert!(policy.select_action(&seen).is_ok());
}

#[test]
fn no_answer_that_is_no_number_gets_out() {
    let folder = copy("act_vae_1cam");
    let state = "policy_postprocessor_step_0_unnormalizer_processor.safetensors";
    let path = folder.path().join(state);
    // So large that the action in the robot's units is beyond what f32 holds.
    let big =
        |name: &str| Named { name: name.to_owned(), shape: vec![6], numbers: vec![f32::MAX; 6] };
    checkpoint::write(&path, &[big("action.mean"), big("action.std")]).unwrap();
    let mut policy = load(folder.path()).unwrap();
    let rgb = picture("x");
    let seen =
        [("observation.state", Seen::Numbers(&[1e30; 6])), ("observation.images.top", image(&rgb))];
    let error = policy.select_action(&seen).unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
}

#[test]
fn weights_that_do_not_fit_the_configuration_are_named() {
    let folder = copy("act_vae_1cam");
    change(
        &folder,
        "config.json",
        "\"dim_feedforward\": 96",
        "\"dim_feedforward\": 96, \"mystery\": 1",
    );
    let policy = load(folder.path()).unwrap();
    assert!(policy.audit().warnings()[0].contains("mystery"), "{:?}", policy.audit());
    assert!(policy.audit().for_training.iter().all(|name| name.starts_with("model.vae_encoder")));
    change(&folder, "config.json", "\"n_decoder_layers\": 1", "\"n_decoder_layers\": 2");
    let error = load(folder.path()).err().unwrap().to_string();
    assert!(error.starts_with("there is no tensor model.decoder.layers.1."), "{error}");
    change(&folder, "config.json", "\"n_decoder_layers\": 2", "\"n_decoder_layers\": 1");
    change(&folder, "config.json", "\"dim_model\": 64", "\"dim_model\": 32");
    let error = load(folder.path()).err().unwrap().to_string();
    assert!(error.starts_with("tensor model."), "{error}");
}

#[test]
fn a_checkpoint_cut_short_is_an_error() {
    let folder = copy("act_vae_1cam");
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(load(folder.path()).is_err(), "{length}");
    }
    fs::write(&path, &bytes).unwrap();
    fs::remove_file(folder.path().join("policy_preprocessor.json")).unwrap();
    let error = load(folder.path()).err().unwrap().to_string();
    assert!(error.contains("nobody knows how numbers were scaled"), "{error}");
}

/// What a robot of this number sees, twice.
fn seen_by(robot: usize) -> Vec<(Vec<f32>, Vec<u8>)> {
    let state = |time: usize| vec![0.1 * (robot + time) as f32, 0.3 - 0.2 * robot as f32];
    (0..2).map(|time| (state(time), picture(&format!("robot {robot}, {time}")))).collect()
}

fn show(policy: &mut Policy, seen: &[(Vec<f32>, Vec<u8>)]) {
    policy.reset();
    for (state, rgb) in seen {
        let state = ("observation.state", Seen::Numbers(state));
        policy.observe(&[state, ("observation.image", image(rgb))]).unwrap();
    }
}

#[test]
fn chunks_that_are_made_together_are_those_that_each_robot_gets_alone() {
    together_as_alone(Device::Cpu, 0.0);
    #[cfg(feature = "candle")]
    together_as_alone(Device::Reference, 1e-5);
}

/// Chunks made together are not farther than this from those made alone.
fn together_as_alone(device: Device, most: f32) {
    let folder = golden("diffusion_ddpm_crop");
    let inputs = Tensors::open(&folder.join("inputs.safetensors")).unwrap();
    let drawn = (0..).map(|nth| format!("step0/rng/{nth:03}_randn"));
    let drawn: Vec<_> = drawn.take_while(|name| inputs.contains(name)).collect();
    let drawn: Vec<_> = drawn.iter().map(|name| inputs.read(name).unwrap()).collect();
    let mirrored = |robot: usize, numbers: &Vec<f32>| -> Vec<f32> {
        numbers.iter().map(|number| number * [1.0, -1.0, 0.5][robot]).collect()
    };
    let mut alone = Policy::load(&folder, device, &Options::default()).unwrap();
    assert_eq!(alone.together(), 1);
    let wanted: Vec<_> = (0..3)
        .map(|robot| {
            show(&mut alone, &seen_by(robot));
            let draws: Vec<_> = drawn.iter().map(|numbers| mirrored(robot, numbers)).collect();
            alone.draw_from(Draws::Recorded(draws.into()));
            alone.make_goals(usize::MAX).unwrap()
        })
        .collect();
    assert!(wanted[0] != wanted[1] && wanted[1] != wanted[2]);
    let options = Options { together: 3, ..Options::default() };
    let mut policy = Policy::load(&folder, device, &options).unwrap();
    assert_eq!(policy.together(), 3);
    for robots in [3, 1, 2] {
        for robot in 0..robots {
            show(&mut policy, &seen_by(robot));
            policy.look(robot).unwrap();
        }
        let draws = drawn.iter().flat_map(|numbers| {
            (0..robots).map(|robot| mirrored(robot, numbers)).collect::<Vec<_>>()
        });
        policy.draw_from(Draws::Recorded(draws.collect()));
        let goals = policy.make_together(robots).unwrap();
        assert_eq!(goals.len(), robots);
        for (goals, wanted) in goals.into_iter().zip(&wanted) {
            let off =
                goals.unwrap().iter().zip(wanted).map(|(a, b)| (a - b).abs()).reduce(f32::max);
            assert!(off.is_some_and(|off| off <= most), "{off:?}");
        }
    }
}

#[test]
fn a_policy_whose_chunks_are_no_less_work_together_makes_one_at_a_time() {
    let options = Options { together: 3, ..Options::default() };
    let policy = Policy::load(&golden("act_vae_1cam"), Device::default(), &options).unwrap();
    assert_eq!(policy.together(), 1);
}
