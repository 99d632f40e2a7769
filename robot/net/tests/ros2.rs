//! A robot in ROS 2's graph, as somebody on the network sees it come, speak and go.

#![allow(clippy::unwrap_used)] // a test that cannot set itself up must fail

use std::time::Duration;

use sinew_core::joint::Units;
use sinew_drivers::Clock;
use sinew_net::message::{ArmDescription, ReachDescription};
use sinew_net::ros2::Node;
use sinew_net::{Network, Options};
use zenoh::Wait;

/// Long enough for anything between two sessions of one machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn joined() -> (Network, Network) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = vec![listener.local_addr().unwrap().to_string()];
    drop(listener);
    let host = Network::host(&Options { listen: at.clone(), ..Options::default() }).unwrap();
    let guest = Network::ask(&Options { connect: at, ..Options::default() }).unwrap();
    (host, guest)
}

#[test]
fn it_comes_speaks_and_goes() {
    let (host, guest) = joined();
    let liveliness = guest.session().liveliness();
    let tokens = liveliness.declare_subscriber("@ros2_lv/3/**").history(true).wait().unwrap();
    let node = Node::open(&host, "white", 3).unwrap();
    let reach = ReachDescription { unit: Units::Degrees, degrees: 1.0, low: -90.0, high: 90.0 };
    let arm = ArmDescription {
        kind: "x".into(),
        values: vec!["pan.pos".into()],
        reaches: vec![reach],
        max_step: vec![None],
    };
    let mut joints = node.joint_states(&[arm]).unwrap();
    let pictures = node.pictures("front").unwrap();
    assert_eq!(node.topics(), ["/white/joint_states", "/white/front/image_raw/compressed"]);
    let next = || {
        let token = tokens.recv_timeout(PATIENCE).unwrap().unwrap();
        (token.kind(), token.key_expr().to_string())
    };
    let mut came: Vec<_> = (0..3).map(|_| next()).collect();
    // They come in whatever order.
    came.sort_by(|one, other| one.1.cmp(&other.1));
    assert!(came.iter().all(|(kind, _)| *kind == zenoh::sample::SampleKind::Put), "{came:?}");
    assert!(came[0].1.ends_with("/0/0/NN/%/%white/sinew"), "{came:?}");
    assert!(came[1].1.contains("/0/1/MP/%/%white/sinew/%white%joint_states/"), "{came:?}");

    let heard = guest.session().declare_subscriber("3/white/**").wait().unwrap();
    let seen = loop {
        joints.say(Clock::Real.now(), &[90.0]);
        if let Some(sample) = heard.recv_timeout(Duration::from_millis(20)).unwrap() {
            break sample;
        }
    };
    assert!(seen.key_expr().as_str().starts_with("3/white/joint_states/sensor_msgs::msg::dds_::"));
    let bytes = seen.payload().to_bytes();
    let angle = std::f64::consts::FRAC_PI_2.to_le_bytes();
    assert!(bytes.windows(8).any(|window| window == angle), "{bytes:?}");
    assert_eq!(seen.attachment().unwrap().len(), 33);
    assert!(pictures.is_watched());

    drop((node, joints, pictures));
    let gone: Vec<_> = (0..3).map(|_| next()).collect();
    assert!(gone.iter().all(|(kind, _)| *kind == zenoh::sample::SampleKind::Delete), "{gone:?}");
}
