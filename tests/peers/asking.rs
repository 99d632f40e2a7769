//! LeRobot's policies on another machine: `sinew_policy_server.py` serves them, and what they say to
//! whoever asks from here is what LeRobot says.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use sinew_net::message::{Frame, View};
use sinew_net::think::Elsewhere;
use sinew_net::{Network, Options};
use sinew_policies::checkpoint::Tensors;

use super::{Peer, script};
use crate::sandbox::Sandbox;

const LONG: Duration = Duration::from_secs(60);

/// A policy of LeRobot's that is served.
struct Served {
    folder: tempfile::TempDir,
    address: String,
    /// Answers as long as it is there.
    peer: Peer,
}

/// Serves one of this kind; none where there is no peer.
fn served(kind: &str) -> Option<Served> {
    served_by(kind, "tcp", &[])
}

fn served_by(kind: &str, carrier: &str, papers: &[&str]) -> Option<Served> {
    let test = format!("asking: {kind}");
    script(&test, "policy_server.py", &[])?;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap().to_owned();
    script(&test, "lerobot_policy.py", &["make", &root, kind])?;
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("{carrier}/{free}");
    let words = [&[root.as_str(), &address][..], papers].concat();
    let mut peer = Peer::start(&test, "lerobot_serves.py", &words)?;
    peer.ask("can it be asked?");
    Some(Served { folder, address, peer })
}

impl Served {
    fn meet(&self) -> Elsewhere {
        let connect = vec![self.address.clone()];
        let network = Network::ask(&Options { connect, ..Options::default() }).unwrap();
        Elsewhere::meet(network, "lerobot", "white").unwrap()
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }
}

/// The frames that LeRobot was shown in this episode.
fn frames(asked: &Tensors, policy: &Elsewhere, episode: usize) -> Vec<Frame> {
    let frame = |at: u64| {
        let tensor = |name: &str| format!("{episode}/{at}/{name}");
        let state = asked.read(&tensor("observation.state")).unwrap();
        let inputs = &policy.about().inputs;
        let images = inputs.iter().filter(|input| input.shape.len() == 3).map(|input| {
            let (name, data) = (tensor(&input.name), &input.name);
            let [height, width, 3] = asked.dims::<3>(&name).unwrap() else { panic!("{name}") };
            let (width, height) = (width as u32, height as u32);
            let pixels = asked.bytes(&name).unwrap().to_vec();
            (data.clone(), View { width, height, format: "rgb8".into(), data: pixels })
        });
        let (images, state) =
            (images.collect::<BTreeMap<_, _>>(), state.into_iter().map(f64::from));
        Frame { state: state.collect(), environment_state: Vec::new(), images }
    };
    (0..policy.about().frames).map(frame).collect()
}

/// How far rows are from LeRobot's own, beside their size; LeRobot's may be the first of them.
fn apart(rows: &[f64], theirs: &[f32]) -> f64 {
    assert!(!theirs.is_empty() && rows.len() >= theirs.len(), "{} {}", rows.len(), theirs.len());
    let both = rows.iter().zip(theirs.iter().map(|value| f64::from(*value)));
    both.map(|(ours, theirs)| (ours - theirs).abs() / theirs.abs().max(1.0)).fold(0.0, f64::max)
}

#[test]
fn lerobots_chunks_come_here_as_lerobot_makes_them() {
    for (kind, steps, averaged) in
        [("act", 3, None), ("act_ensemble", 1, Some(0.05)), ("diffusion_ddim", 4, None)]
    {
        let Some(served) = served(kind) else { continue };
        let policy = served.meet();
        let about = policy.about();
        assert_eq!((about.steps, about.averaged, about.width), (steps, averaged, 5), "{about:?}");
        assert!(about.kind == kind.split('_').next().unwrap() && !about.task, "{about:?}");
        let asked = Tensors::open(&served.root().join("asked.safetensors")).unwrap();
        let ask = |episode: usize| {
            let frames = frames(&asked, &policy, episode);
            policy.ask(None, frames, LONG, || true).unwrap().unwrap().rows
        };
        for episode in [0, 1, 0] {
            let theirs = asked.read(&format!("{episode}/rows")).unwrap();
            let apart = apart(&ask(episode), &theirs);
            assert!(apart < 1e-4, "{kind}, {episode}: {apart}");
        }
    }
}

#[test]
fn robots_that_ask_at_once_each_get_their_own_answer() {
    let Some(served) = served("act") else { return };
    let asked = Tensors::open(&served.root().join("asked.safetensors")).unwrap();
    std::thread::scope(|scope| {
        for robot in 0..4 {
            let (served, asked) = (&served, &asked);
            scope.spawn(move || {
                let policy = served.meet();
                let episode = robot % 2;
                let theirs = asked.read(&format!("{episode}/rows")).unwrap();
                for _ in 0..5 {
                    let frames = frames(asked, &policy, episode);
                    let rows = policy.ask(None, frames, LONG, || true).unwrap().unwrap().rows;
                    assert!(apart(&rows, &theirs) < 1e-4, "{robot}");
                }
            });
        }
    });
}

#[test]
fn what_a_policy_of_lerobots_was_not_trained_on_is_told() {
    let Some(served) = served("act") else { return };
    let policy = served.meet();
    let asked = Tensors::open(&served.root().join("asked.safetensors")).unwrap();
    let whole = frames(&asked, &policy, 0);
    let mut blind = whole.clone();
    blind[0].images.clear();
    let mut other = whole.clone();
    other[0].state.push(0.0);
    for (frames, part) in [
        (blind, "is missing among observation.state"),
        (other, "observation.state is (6,), and (5,) was trained"),
    ] {
        let refused = policy.ask(None, frames, LONG, || true).unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
    }
    assert!(policy.ask(None, whole, LONG, || true).unwrap().is_some(), "it goes on");
}

#[test]
fn a_policy_of_lerobots_drives_an_arm_of_ours() {
    let sandbox = Sandbox::new();
    let made = sandbox.run(&["--json", "net", "keygen"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let papers = made.result()["folder"].as_str().unwrap().to_owned();
    let Some(mut served) = served_by("act_so101", "tls", &[&papers]) else { return };
    let policy = format!("--policy=zenoh://lerobot@{}", served.address);
    let arm = ["--robot=sim", "--camera=top=sim@96x64x30", "--dry_run_s=0", "--duration=3"];
    for how in ["--inference.images=jpeg", "--inference.images=raw"] {
        let words = ["--json", "rollout", &policy, "--inference.type=async", how];
        let ended = sandbox.run(&[&words[..], &arm].concat());
        assert_eq!(ended.code, 0, "{}", ended.err);
        let result = ended.result();
        assert!(result["chunks"].as_u64().unwrap() > 1, "{result}");
        let motors = result["stopped"]["motors"].as_array().unwrap();
        assert!(motors.len() == 6 && motors.iter().all(|motor| motor["ok"] == true), "{result}");
    }
    let stranger = Sandbox::new();
    assert_eq!(stranger.run(&["net", "keygen"]).code, 0);
    let refused = stranger.run(&[&["rollout", &policy][..], &arm].concat());
    assert_eq!(refused.code, 3, "whoever is not of the house gets no line: {}", refused.err);
    served.peer.ask("is it still there?");
}
