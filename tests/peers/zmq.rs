//! LeRobot's own image server, seen by our camera as by LeRobot's.

use sinew_datasets::image::png;

use super::{Peer, means};
use crate::sandbox::Sandbox;

#[test]
fn lerobots_image_server_is_seen_and_recorded_as_its_own_camera_sees_it() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("seen");
    let arguments = [file.to_str().unwrap()];
    let Some(mut server) = Peer::start("zmq camera", "lerobot_zmq.py", &arguments) else { return };
    let port = server.ask("start")["port"].to_string();
    eprintln!("zmq camera: {}", server.ask("see"));
    let theirs = std::fs::read(&file).unwrap();
    let out = sandbox.path("pictures");
    let camera = format!("--camera=top=zmq://127.0.0.1:{port}/head");
    let looked = sandbox.run(&["--json", "find-cameras", &camera, "--out", out.to_str().unwrap()]);
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);
    let ours = png::decode(&std::fs::read(out.join("top.png")).unwrap()).unwrap();
    assert_eq!((ours.width(), ours.height(), theirs.len()), (96, 64, 96 * 64 * 3));
    let off = ours.pixels().iter().zip(&theirs).map(|(ours, theirs)| ours.abs_diff(*theirs));
    // Decoders of JPEG may round differently.
    assert!(off.clone().all(|off| off <= 3), "{:?}", off.max());

    let root = sandbox.path("recorded");
    let cameras = format!(
        "--robot.cameras={{top: {{type: zmq, server_address: 127.0.0.1, port: {port}, \
         camera_name: head, width: 96, height: 64, fps: 30}}}}"
    );
    let words = ["--json", "record", "--robot=sim", "--teleop=sim", "--dry_run_s=0", "--task=x"];
    let rest = ["--dataset.num_episodes=1", "--dataset.episode_time_s=2", "--dataset.root"];
    let rest = [&rest[..], &[root.to_str().unwrap(), &cameras]].concat();
    let recorded = sandbox.run(&[&words[..], &rest].concat());
    assert_eq!(recorded.code, 0, "{}", recorded.err);
    let mean = |channel: usize| {
        let pixels = theirs.chunks_exact(3).map(|pixel| f64::from(pixel[channel]) / 255.0);
        pixels.sum::<f64>() / (96.0 * 64.0)
    };
    for (channel, recorded) in means(&root, "top").into_iter().enumerate() {
        assert!((recorded - mean(channel)).abs() < 0.01, "channel {channel}: {recorded}");
    }
}
