//! LeRobot's own LeKiwi host, driven from here as its own client would.

use super::{Peer, means};
use crate::sandbox::Sandbox;

#[test]
fn lerobots_lekiwi_host_is_driven_and_its_camera_seen() {
    let sandbox = Sandbox::new();
    let (kiwi, leader) = (sandbox.arm("lekiwi", "kiwi"), sandbox.arm("so101_leader", "black"));
    let folder = kiwi.calibration.parent().unwrap().to_owned();
    let words = [kiwi.port(), folder.to_str().unwrap(), "kiwi"];
    let Some(mut host) = Peer::start("lekiwi", "lerobot_lekiwi.py", &words) else { return };
    let ports = host.ask("start")["ports"].clone();
    let port = |place: usize| ports[place].as_u64().unwrap().to_string();
    let ports = [
        format!("--robot.port_zmq_cmd={}", port(0)),
        format!("--robot.port_zmq_observations={}", port(1)),
    ];
    let mut words = vec![
        "--json",
        "record",
        "--robot.type=lekiwi_client",
        "--robot.remote_ip=127.0.0.1",
        "--robot.id=kiwi",
        "--teleop.type=so101_leader",
        "--teleop.id=black",
        "--teleop.port",
        leader.port(),
        "--dry_run_s=0",
        "--task=push",
        "--dataset.repo_id=me/kiwi",
        "--dataset.num_episodes=1",
        "--dataset.episode_time_s=3",
    ];
    words.extend(ports.iter().map(String::as_str));
    let mut driven = sandbox.start(&words);
    kiwi.wait_for_torque();
    let place = |state: &serde_json::Value| state["servos"][0]["position"].as_i64().unwrap();
    let before = place(&kiwi.control("\"state\""));
    let hand = leader.control("\"state\"")["servos"][0]["joint"].as_f64().unwrap();
    leader.control(&format!(r#"{{"hand":{{"id":1,"position":{}}}}}"#, hand + 400.0));
    kiwi.wait_until(|state| place(state) - before > 300);
    let result = driven.result();
    assert_eq!(driven.end().0, 0, "{result}");
    assert_eq!(result["stopped"]["policy"], "hold", "{result}");
    assert!(result["frames"].as_u64().unwrap() > 0, "{result}");
    // Its arm stays where it was sent until its host ends.
    assert_eq!(kiwi.torques()[..6], [true; 6]);
    host.ask("stop");
    kiwi.wait_until(|state| {
        state["servos"].as_array().unwrap().iter().all(|servo| servo["torque"] == false)
    });
    let looked = sandbox.run(&["--json", "dataset", "info", result["dataset"].as_str().unwrap()]);
    let info = looked.result();
    assert_eq!(info["robot_type"], "lekiwi_client", "{info}");
    assert!(info["features"]["observation.images.front"].is_object(), "{info}");
    let folder = std::path::Path::new(result["dataset"].as_str().unwrap());
    let [red, green, blue] = means(folder, "front");
    assert!(red < 0.05 && green < 0.05 && blue > 0.7, "{red} {green} {blue}");
    assert_eq!(info["features"]["action"]["names"].as_array().unwrap().len(), 9);
}
