//! Somebody has trained a policy with LeRobot, and wants to know what it is, whether it fits, how
//! fast it is, and what it answers.

use std::fs;
use std::path::{Path, PathBuf};

use sinew_policies::checkpoint::Tensors;

use super::look_at_a_dataset::{copy, golden as dataset};
use crate::sandbox::Sandbox;

/// Policies beside ACT, each of six joints and a camera `top` of 48×48. What TD-MPC calls `image` was
/// called so when it was trained.
pub const OTHERS: [&str; 3] = ["diffusion", "vqbet", "tdmpc"];

/// Where LeRobot's one of [`OTHERS`] is.
pub fn other(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/policies/{kind}_arm"))
}

/// A copy of a policy that LeRobot wrote, in the home, with images of this size.
pub fn policy(sandbox: &Sandbox, side: usize) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/policies/act_vae_1cam");
    let to = sandbox.path("act");
    copy(&from, &to);
    let config = to.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        config,
        text.replace("64,\n                64", &format!("{side},\n                {side}")),
    )
    .unwrap();
    to
}

fn run(sandbox: &Sandbox, words: &[&str]) -> crate::sandbox::Ended {
    sandbox.run(&[&["--json", "policy"], words].concat())
}

#[test]
fn info_says_what_it_is() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let ended = run(&sandbox, &["info", folder.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    assert_eq!(result["policy"], "act");
    assert_eq!((&result["chunk"], &result["runs"]), (&10.into(), &true.into()), "{result}");
    let count = |key: &str| result[key].as_u64().unwrap();
    assert!(count("parameters_to_act") < count("parameters"), "{result}");
    let seen = sandbox.run(&["policy", "info", folder.to_str().unwrap()]);
    for part in ["act", "observation.images.top  64×64", "10 actions of a chunk of 10"] {
        assert!(seen.out.contains(part), "{part}: {}", seen.out);
    }
    for (kind, chunk, rhythm) in [
        ("diffusion", 16, "8 actions of a chunk of 16 from the last 2 observations"),
        ("vqbet", 5, "5 actions of a chunk of 5 from the last 3 observations"),
        ("tdmpc", 6, "4 actions of a chunk of 6 from the newest observation"),
    ] {
        let folder = other(kind);
        let ended = run(&sandbox, &["info", folder.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let result = ended.result();
        assert_eq!((&result["policy"], &result["runs"]), (&kind.into(), &true.into()), "{result}");
        assert_eq!(result["chunk"], chunk, "{result}");
        let count = |key: &str| result[key].as_u64().unwrap();
        let trained_alone = kind != "diffusion";
        assert_eq!(
            count("parameters_to_act") < count("parameters"),
            trained_alone,
            "{kind}: {result}"
        );
        let seen = sandbox.run(&["policy", "info", folder.to_str().unwrap()]);
        for part in [kind, "48×48", rhythm] {
            assert!(seen.out.contains(part), "{part}: {}", seen.out);
        }
    }
}

#[test]
fn a_check_tells_what_does_not_fit_and_an_open_loop_is_refused() {
    let sandbox = Sandbox::new();
    let (folder, set) = (policy(&sandbox, 64), dataset(&sandbox, "v30_video", "set"));
    let (folder, set) = (folder.to_str().unwrap(), set.to_str().unwrap());
    let ended = run(&sandbox, &["check", folder, "--dataset", set]);
    assert_eq!(ended.code, 4, "{ended:?}");
    let findings = &ended.result()["findings"];
    assert!(
        findings.to_string().contains("is 48x48, and the policy was trained on 64x64"),
        "{findings}"
    );
    let ended = run(&sandbox, &["run", folder, "--dataset", set]);
    assert_eq!(ended.code, 4, "{ended:?}");
    let ended =
        run(&sandbox, &["check", folder, "--robot.type=so101_follower", "--robot.port=sim"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let ended = run(&sandbox, &["check", folder]);
    assert_eq!(ended.code, 2, "{ended:?}");
}

/// What a checkpoint was trained on may still be here, and says how fast its actions are meant.
#[test]
fn a_check_tells_of_another_rate_than_that_of_the_training() {
    let sandbox = Sandbox::new();
    let (folder, set) = (other("diffusion"), dataset(&sandbox, "v30_video", "set"));
    let act = sandbox.path("diffusion");
    copy(&folder, &act);
    let trained = dataset(&sandbox, "v30_video", ".cache/huggingface/lerobot/me/slow");
    let info = trained.join("meta/info.json");
    let text = fs::read_to_string(&info).unwrap();
    fs::write(&info, text.replace("\"fps\": 30", "\"fps\": 15")).unwrap();
    let beside = r#"{"dataset": {"repo_id": "me/slow", "root": null}}"#;
    let words = ["check", act.to_str().unwrap(), "--dataset", set.to_str().unwrap()];
    let told = |ended: &crate::sandbox::Ended| ended.result()["findings"].to_string();
    let before = run(&sandbox, &words);
    assert!(!told(&before).contains("fps"), "{before:?}");
    fs::write(act.join("train_config.json"), beside).unwrap();
    let ended = run(&sandbox, &words);
    let wanted = "me/slow, which it was trained on, has 15, and this has 30";
    assert!(told(&ended).contains(wanted), "{ended:?}");
    assert_eq!(ended.code, before.code);
    // What is found is an event as well, for whoever only runs it.
    let line = ended.json().into_iter().find(|line| line["type"] == "preflight").unwrap();
    assert_eq!(line["findings"], ended.result()["findings"]);
    let missing = sandbox.run(&["--json", "policy", "check", words[1], "--robot", "sim"]);
    assert!(told(&missing).contains("--camera NAME=SOURCE"), "{missing:?}");
}

#[test]
fn an_episode_is_answered_with_the_error_of_each_joint_and_a_page() {
    let sandbox = Sandbox::new();
    let (folder, set) = (policy(&sandbox, 48), dataset(&sandbox, "v30_video", "set"));
    let page = sandbox.path("page.html");
    let words = ["run", folder.to_str().unwrap(), "--dataset", set.to_str().unwrap()];
    let more = ["--episode", "1", "--page", page.to_str().unwrap()];
    let ended = run(&sandbox, &[&words[..], &more[..]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    assert_eq!(result["joints"].as_array().unwrap().len(), 6, "{result}");
    assert_eq!(result["joints"][0]["name"], "pan.pos", "{result}");
    assert!(result["mean_abs_error"].as_f64().unwrap() > 0.0, "{result}");
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<polyline").count(), 12);
    assert!(!page.contains("http"), "nothing from elsewhere");
}

#[test]
fn every_kind_fits_an_arm_and_a_dataset_and_answers_its_episodes() {
    let sandbox = Sandbox::new();
    let set = dataset(&sandbox, "v30_video", "set");
    let set = set.to_str().unwrap();
    for kind in OTHERS {
        let folder = other(kind);
        let folder = folder.to_str().unwrap();
        let arm = ["--robot.type=so101_follower", "--robot.port=sim"];
        for beside in
            [&["--dataset", set][..], &arm, &[&arm[..], &["--camera=top=sim@48x48x30"]].concat()]
        {
            let ended = run(&sandbox, &[&["check", folder], beside].concat());
            assert_eq!(ended.code, 0, "{kind}: {ended:?}");
            assert_eq!(ended.result()["rename_map"], serde_json::json!({}), "{kind}");
        }
        let blurred = [&arm[..], &["--camera=top=sim@64x48x30"]].concat();
        let ended = run(&sandbox, &[&["check", folder], &blurred[..]].concat());
        assert_eq!(ended.code, 4, "{kind}: {ended:?}");
        let answered = |seed: &str| {
            let words = ["run", folder, "--dataset", set, "--episode", "1", "--seed", seed];
            let ended = run(&sandbox, &words);
            assert_eq!(ended.code, 0, "{kind}: {ended:?}");
            let result = ended.result();
            assert_eq!(result["joints"].as_array().unwrap().len(), 6, "{kind}: {result}");
            result["mean_abs_error"].as_f64().unwrap()
        };
        let first = answered("1");
        assert!(first > 0.0, "{kind}");
        assert_eq!(first, answered("1"), "{kind}: the same seed");
        assert_ne!(first, answered("2"), "{kind}: all of them draw");
    }
}

#[test]
fn a_bench_gives_its_figures() {
    let sandbox = Sandbox::new();
    for folder in std::iter::once(policy(&sandbox, 64)).chain(OTHERS.map(other)) {
        bench(&sandbox, &folder);
    }
}

fn bench(sandbox: &Sandbox, folder: &Path) {
    let words = ["bench", folder.to_str().unwrap(), "--chunks", "2", "--threads", "1"];
    let ended = run(sandbox, &words);
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    assert_eq!((&result["precision"], &result["threads"]), (&"f32".into(), &1.into()), "{result}");
    for key in ["load_ms", "cpu_ms", "peak_mb"] {
        assert!(result[key].is_number(), "{key}: {result}");
    }
    for key in ["p50", "p95", "min"] {
        assert!(result["chunk_ms"][key].is_number(), "{key}: {result}");
    }
    assert!(result["layers"].as_array().unwrap().len() > 10, "{result}");
    assert!(result["action_error"].is_null(), "{result}");
}

#[test]
fn a_bench_of_fewer_bits_says_how_far_the_actions_are_off() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let mut before = 0.0;
    for precision in ["f16", "bf16", "int8"] {
        let words = ["bench", folder.to_str().unwrap(), "--chunks", "1", "--precision", precision];
        let ended = run(&sandbox, &words);
        assert_eq!(ended.code, 0, "{ended:?}");
        let result = ended.result();
        let most = result["action_error"]["max"].as_f64().unwrap();
        assert!(most > before && most < 1.0, "{result}");
        assert!(result["action_error"]["rms"].as_f64().unwrap() < most, "{result}");
        before = most / 2.0;
    }
    // What is drawn, or searched for, may turn out to be another action.
    for kind in OTHERS {
        let folder = other(kind);
        for precision in ["f16", "bf16", "int8"] {
            let words = ["bench", folder.to_str().unwrap(), "--chunks", "1"];
            let ended = run(&sandbox, &[&words[..], &["--precision", precision]].concat());
            assert_eq!(ended.code, 0, "{kind}: {ended:?}");
            let error = &ended.result()["action_error"];
            let [most, usual] = ["max", "rms"].map(|key| error[key].as_f64().unwrap());
            println!("{kind} in {precision}: {most:.1e} at most, {usual:.1e} on average");
            assert!(most > 0.0 && usual <= most && usual < 1.0, "{kind} in {precision}: {error}");
        }
    }
}

#[test]
fn packed_weights_are_kept_where_they_are_asked_to_be() {
    let sandbox = Sandbox::new();
    let folders = std::iter::once(policy(&sandbox, 64)).chain(OTHERS.map(other));
    for (nth, folder) in folders.enumerate() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let words = ["bench", folder.to_str().unwrap(), "--chunks", "1", "--weight-cache"];
        for _ in 0..2 {
            let ended = run(&sandbox, &words);
            assert_eq!(ended.code, 0, "{ended:?}");
            assert!(!ended.err.contains("not kept"), "{}", ended.err);
            let kept = fs::read_dir(sandbox.path(".cache/sinew/weights")).unwrap();
            let kept: Vec<_> = kept.map(|entry| entry.unwrap().file_name()).collect();
            let begins = format!("{name}-f32-");
            let named = kept.iter().any(|file| file.to_str().unwrap().starts_with(&begins));
            assert!(named, "{name}: {kept:?}");
            assert_eq!(kept.len(), nth + 1, "{kept:?}");
        }
    }
}

#[test]
fn a_converted_policy_answers_nearly_the_same() {
    let sandbox = Sandbox::new();
    let (folder, set) = (policy(&sandbox, 48), dataset(&sandbox, "v30_video", "set"));
    let (folder, set) = (folder.to_str().unwrap(), set.to_str().unwrap());
    let half = sandbox.path("half");
    let half = half.to_str().unwrap();
    let ended = run(&sandbox, &["convert", folder, "--to", "f16", "-o", half]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let result = ended.result();
    let bytes = |key: &str| result[key].as_u64().unwrap();
    assert!(bytes("bytes") * 10 < bytes("bytes_before") * 7, "{result}");
    assert!(result["action_error"]["max"].as_f64().unwrap() > 0.0, "{result}");
    assert!(fs::read_to_string(sandbox.path("half/README.md")).unwrap().contains("as f16"));
    let again = run(&sandbox, &["convert", folder, "--to", "f16", "-o", half]);
    assert_eq!(again.code, 2, "what is there is left alone: {again:?}");
    let error = |folder: &str| {
        let ended = run(&sandbox, &["run", folder, "--dataset", set]);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.result()["mean_abs_error"].as_f64().unwrap()
    };
    assert!((error(folder) - error(half)).abs() < 1e-2);
    let small = sandbox.path("small");
    let small = small.to_str().unwrap();
    let ended = run(&sandbox, &["convert", folder, "--to", "int8", "-o", small]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let card = fs::read_to_string(sandbox.path("small/README.md")).unwrap();
    assert!(card.contains("as int8") && card.contains("LeRobot does not"), "{card}");
    assert!(card.contains("The actions are off those of f32 by"), "{card}");
    for precision in ["f32", "bf16", "int8"] {
        let words = ["run", small, "--dataset", set, "--precision", precision];
        let ended = run(&sandbox, &words);
        let off = ended.result()["mean_abs_error"].as_f64().unwrap() - error(folder);
        assert!(off.abs() < 0.05, "{precision}: {off}");
    }
    for kind in OTHERS {
        let folder = other(kind);
        let folder = folder.to_str().unwrap();
        for storage in ["f16", "bf16", "int8"] {
            let to = sandbox.path(&format!("{kind}_{storage}"));
            let to = to.to_str().unwrap();
            let ended = run(&sandbox, &["convert", folder, "--to", storage, "-o", to]);
            assert_eq!(ended.code, 0, "{kind}: {ended:?}");
            let off = &ended.result()["action_error"];
            let [before, after] = [folder, to].map(error);
            println!("{kind} as {storage}: off by {off}, errors {before} and {after}");
            // What is searched for may be found elsewhere.
            let most = if (kind, storage) == ("tdmpc", "int8") { 0.5 } else { 0.05 };
            assert!((before - after).abs() < most, "{kind} as {storage}: {before} {after}");
            let about = |folder| run(&sandbox, &["info", folder]).result();
            let [was, is] = [folder, to].map(about);
            assert_eq!((&is["policy"], &is["parameters"]), (&kind.into(), &was["parameters"]));
            assert_eq!(is["warnings"], was["warnings"], "{kind} as {storage}");
        }
    }
}

#[test]
fn recorded_observations_are_answered_in_the_layout_they_came_in() {
    let sandbox = Sandbox::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/policies/diffusion_ddpm_crop");
    let (inputs, outputs) = (from.join("inputs.safetensors"), sandbox.path("out.safetensors"));
    let words = ["run", from.to_str().unwrap(), "--inputs", inputs.to_str().unwrap()];
    let more = ["--outputs", outputs.to_str().unwrap()];
    let ended = run(&sandbox, &[&words[..], &more[..]].concat());
    // The pictures follow from their names there and are not in the file.
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("observation.image: is missing"), "{}", ended.err);
    let folder = policy(&sandbox, 64);
    let pictures = sandbox.path("in.safetensors");
    write_inputs(&pictures);
    let words = ["run", folder.to_str().unwrap(), "--inputs", pictures.to_str().unwrap()];
    let ended = run(&sandbox, &[&words[..], &more[..]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let tensors = Tensors::open(&outputs).unwrap();
    for (name, shape) in [
        ("step0/pre/observation.state", &[1, 6][..]),
        ("step0/chunk", &[1, 10, 6]),
        ("step0/action", &[1, 6]),
        ("step1/action_post", &[1, 6]),
    ] {
        assert_eq!(tensors.shape(name).unwrap(), shape, "{name}");
    }
    let ended = run(&sandbox, &[&words[..], &["--outputs", words[3]]].concat());
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("take the place of the observations"), "{}", ended.err);
    assert!(Tensors::open(&pictures).unwrap().contains("step0/raw/observation.state"));
}

#[test]
fn what_lerobot_answered_to_recorded_observations_is_answered_here() {
    let sandbox = Sandbox::new();
    for kind in OTHERS {
        let (from, to) = (other(kind), sandbox.path(&format!("{kind}.safetensors")));
        let inputs = from.join("inputs.safetensors");
        let words = ["run", from.to_str().unwrap(), "--inputs", inputs.to_str().unwrap()];
        let ended = run(&sandbox, &[&words[..], &["--outputs", to.to_str().unwrap()]].concat());
        assert_eq!(ended.code, 0, "{kind}: {ended:?}");
        let ours = Tensors::open(&to).unwrap();
        let theirs = Tensors::open(&from.join("outputs.safetensors")).unwrap();
        let names =
            theirs.names().filter(|name| name.contains("/action") || name.contains("/pre/"));
        let names: Vec<_> = names.collect();
        assert!(names.len() >= 15, "{kind}: {names:?}");
        for name in names {
            let [ours, theirs] = [&ours, &theirs].map(|tensors| tensors.read(&name).unwrap());
            assert_eq!(ours.len(), theirs.len(), "{kind}, {name}");
            let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{kind}, {name}: off by {off}");
        }
    }
}

/// As LeRobot's `--policy.FIELD=VALUE` goes over what stands in a checkpoint.
#[test]
fn a_setting_that_is_typed_goes_before_the_checkpoints() {
    let sandbox = Sandbox::new();
    let folder = policy(&sandbox, 64);
    let (inputs, config) = (sandbox.path("in.safetensors"), folder.join("config.json"));
    write_inputs(&inputs);
    let answer = |name: &str, more: &[&str]| {
        let outputs = sandbox.path(name);
        let words = ["run", folder.to_str().unwrap(), "--inputs", inputs.to_str().unwrap()];
        let words = [&words[..], &["--outputs", outputs.to_str().unwrap()], more].concat();
        let ended = run(&sandbox, &words);
        let last =
            Tensors::open(&outputs).ok().map(|tensors| tensors.read("step1/action_post").unwrap());
        (ended, last)
    };
    let (_, plain) = answer("plain", &[]);
    let set = ["--policy.n_action_steps=1", "--policy.temporal_ensemble_coeff", "0.5"];
    let (ended, ours) = answer("set", &set);
    assert_eq!(ended.code, 0, "{ended:?}");
    let (ended, on_cpu) = answer("cuda", &["--policy.device=cuda", "--policy.use_amp=true"]);
    assert_eq!((ended.code, &on_cpu), (0, &plain), "{ended:?}");
    for told in ["cuda is not built into this program", "--policy.use_amp has no meaning here"] {
        assert!(ended.err.contains(told), "{}", ended.err);
    }
    for (set, told) in [
        ("--policy.n_action_step=1", "n_action_step: a policy of type act has no such setting"),
        ("--policy.type=diffusion", "type: what is trained stays of its type"),
        ("--policy.n_action_steps=11", "n_action_steps"),
        ("--policy.device=toaster", "it is cpu, cuda or cuda:1"),
    ] {
        let (ended, none) = answer("none", &[set]);
        assert!(ended.code != 0 && none.is_none(), "{set}: {ended:?}");
        assert!(ended.err.contains(told), "{set}: {}", ended.err);
    }
    let mut there: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&config).unwrap()).unwrap();
    (there["n_action_steps"], there["temporal_ensemble_coeff"]) = (1.into(), 0.5.into());
    fs::write(&config, there.to_string()).unwrap();
    let (_, written) = answer("written", &[]);
    assert_eq!(ours, written);
    assert_ne!(ours, plain, "nothing was set");
}

/// Two steps of an observation.
fn write_inputs(path: &Path) {
    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
    let state: Vec<u8> = (0..6_u8).flat_map(|at| (f32::from(at) / 4.0).to_le_bytes()).collect();
    let picture: Vec<u8> = (0..64 * 64 * 3_usize).map(|at| (at * 31 % 256) as u8).collect();
    let views = (0..2).flat_map(|step| {
        let state = TensorView::new(Dtype::F32, vec![6], &state).unwrap();
        let picture = TensorView::new(Dtype::U8, vec![3, 64, 64], &picture).unwrap();
        let numbers = (format!("step{step}/raw/observation.state"), state);
        [numbers, (format!("step{step}/raw_u8/observation.images.top"), picture)]
    });
    serialize_to_file(views, None, path).unwrap();
}

#[test]
fn what_is_no_policy_says_what_to_do() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["policy", "info", "me/act"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("me/act is no folder of this machine"), "{}", ended.err);
    let folder = policy(&sandbox, 64);
    let config = folder.join("config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"type\": \"act\"", "\"type\": \"pi0\"")).unwrap();
    let ended = sandbox.run(&["policy", "info", folder.to_str().unwrap()]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("accepted: act, diffusion, vqbet, tdmpc"), "{}", ended.err);
}
