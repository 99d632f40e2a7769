//! Somebody's camera is on another machine, whose pictures a ZeroMQ publisher sends as LeRobot's does.

use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jpeg_encoder::{ColorType, Encoder};
use sinew_datasets::Image;
use sinew_datasets::image::png;
use sinew_drivers::Clock;
use sinew_drivers::clock::MILLI;
use sinew_drivers::zmtp::{self, Socket};

use crate::sandbox::{Running, Sandbox};

/// A served arm with two cameras, and the port at which they are published.
fn served(sandbox: &Sandbox) -> (Running, String) {
    let folder = sandbox.path("sim");
    let words = ["--json", "sim", "serve", "--link-dir", folder.to_str().unwrap()];
    let cameras = ["--camera=front=sim@96x64x30", "--camera=wrist=sim@64x48x30"];
    let mut served = sandbox.start(&[&words[..], &cameras].concat());
    let port = served.next()["zmq_port"].to_string();
    (served, port)
}

/// The first picture of a camera, without loss.
fn picture(sandbox: &Sandbox, camera: &str) -> Image {
    let out = sandbox.path("pictures");
    let words = ["--json", "find-cameras", "--out", out.to_str().unwrap(), "--camera", camera];
    let ended = sandbox.run(&words);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let name = camera.split('=').next().unwrap();
    png::decode(&std::fs::read(out.join(format!("{name}.png"))).unwrap()).unwrap()
}

#[test]
fn episodes_are_recorded_with_the_flags_that_lerobot_takes() {
    let sandbox = Sandbox::new();
    let (served, port) = served(&sandbox);
    let root = sandbox.path("recorded");
    // As LeRobot, the pictures themselves say how large they are.
    let cameras = format!(
        "--robot.cameras={{top: {{type: zmq, server_address: 127.0.0.1, port: {port}, \
         camera_name: front}}, near: {{type: zmq, server_address: 127.0.0.1, port: {port}, \
         camera_name: wrist, width: 64, height: 48, fps: 30, color_mode: rgb, timeout_ms: 5000}}}}"
    );
    let words = ["--json", "record", "--robot=sim", "--teleop=sim", "--dry_run_s=0", "--task=x"];
    let rest = ["--dataset.num_episodes=1", "--dataset.episode_time_s=2", "--dataset.root"];
    let rest = [&rest[..], &[root.to_str().unwrap(), &cameras]].concat();
    let recorded = sandbox.run(&[&words[..], &rest].concat());
    assert_eq!(recorded.code, 0, "{}", recorded.err);
    let told = sandbox.run(&["--json", "dataset", "info", root.to_str().unwrap()]).result();
    let shape =
        |name: &str| told["features"][format!("observation.images.{name}")]["shape"].clone();
    assert_eq!((shape("top"), shape("near")), ([64, 96, 3].into(), [48, 64, 3].into()), "{told}");
    let checked = sandbox.run(&["dataset", "verify", root.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    served.signal("TERM");
    assert_eq!(served.end().0, 0);
}

#[test]
fn colours_are_those_of_the_same_camera_over_http() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("sim");
    let words = ["--json", "sim", "serve", "--link-dir", folder.to_str().unwrap()];
    let mut served = sandbox.start(&[&words[..], &["--camera=front=sim@96x64x30"]].concat());
    let ready = served.next();
    let http = format!("a={}@96x64", ready["cameras"]["front"].as_str().unwrap());
    let zmq = format!("b=zmq://127.0.0.1:{}/front", ready["zmq_port"]);
    let (http, zmq) = (picture(&sandbox, &http), picture(&sandbox, &zmq));
    let mean = |image: &Image, channel: usize| {
        let pixels = image.pixels().chunks_exact(3).map(|pixel| f64::from(pixel[channel]));
        pixels.sum::<f64>() / (96.0 * 64.0)
    };
    for channel in 0..3 {
        assert!((mean(&http, channel) - mean(&zmq, channel)).abs() < 1.0, "channel {channel}");
    }
    // Nothing would have been seen if it were grey.
    assert!((mean(&http, 0) - mean(&http, 2)).abs() > 4.0);
}

#[test]
fn a_server_that_is_gone_for_a_while_takes_no_episode_with_it() {
    let sandbox = Sandbox::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let camera = format!("--camera=top=zmq://{}/a", listener.local_addr().unwrap());
    let root = sandbox.path("recorded");
    // Everybody is hung up on after twenty pictures.
    let publish = move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            zmtp::greet(&mut stream, Socket::Publish).unwrap();
            for at in 0..20 {
                let mut file = Vec::new();
                let pixels = vec![at * 8; 64 * 48 * 3];
                Encoder::new(&mut file, 90).encode(&pixels, 64, 48, ColorType::Rgb).unwrap();
                let words = format!(r#"{{"images":{{"a":"{}"}}}}"#, STANDARD.encode(file));
                if zmtp::send(&mut stream, &[words.as_bytes()]).is_err() {
                    break;
                }
                Clock::Real.sleep(30 * MILLI);
            }
        }
    };
    std::thread::Builder::new().spawn(publish).unwrap();
    let words = ["--json", "record", "--robot=sim", "--teleop=sim", "--dry_run_s=0", "--task=x"];
    let rest = ["--dataset.num_episodes=1", "--dataset.episode_time_s=4", "--dataset.root"];
    let rest = [&rest[..], &[root.to_str().unwrap(), &camera]].concat();
    let recorded = sandbox.run(&[&words[..], &rest].concat());
    assert_eq!(recorded.code, 0, "{}", recorded.err);
    let result = recorded.result();
    assert_eq!(result["frames"], 120, "{result}");
    assert!(result["repeated_frames"].as_u64().unwrap() > 0, "{result}");
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let sandbox = Sandbox::new();
    let (_served, port) = served(&sandbox);
    for (camera, told) in [
        (format!("a=zmq://127.0.0.1:{port}"), "front and wrist"),
        (format!("a=zmq://127.0.0.1:{port}/back"), "front and wrist"),
        (format!("a=zmq://127.0.0.1:{port}/front@640x480"), "@96x64"),
    ] {
        let words = ["record", "--robot=sim", "--teleop=sim", "--dry_run_s=0", "--task=x"];
        let ended = sandbox.run(&[&words[..], &["--camera", &camera]].concat());
        assert_eq!(ended.code, 3, "{camera}: {}", ended.err);
        assert!(ended.err.contains(told), "{camera}: {}", ended.err);
    }
}
