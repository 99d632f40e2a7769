//! Inputs for what comes over the network: one message of each kind with everything in it, and papers.

use std::collections::BTreeMap;

use sinew_core::joint::Units;
use sinew_drivers::stop::{Cause, MotorStop, StopPolicy, StopReport};
use sinew_net::message::{
    Action, ArmDescription, Ask, CameraDescription, Description, Event, Frame, Granted, Health,
    Input, Kind, Message, Mode, Now, Observed, Op, PictureHead, ReachDescription, Reply, State,
    Thinker, Thought, VERSION as V, View, encode,
};

use super::seeds::Seed;

/// Every input.
pub fn all() -> Vec<Seed> {
    let seed = |target, name: &str, bytes| (target, name.to_owned(), bytes);
    vec![
        seed("net_action", "pose", said(&action(vec![0.0, -12.5, 1e-9, 100.0]))),
        seed("net_action", "heartbeat", said(&action(Vec::new()))),
        seed("net_ask", "take", said(&ask(Op::Take))),
        seed("net_ask", "release", said(&ask(Op::Release))),
        seed("net_reply", "granted", said(&granted())),
        seed("net_reply", "stopped", said(&stopped())),
        seed("net_description", "arm", said(&description())),
        seed("net_state", "driven", said(&state())),
        seed("net_health", "each", said(&health())),
        seed("net_event", "refused", said(&event())),
        seed("net_picture", "head", said(&picture())),
        seed("net_now", "now", said(&Now { v: V, at: -7 })),
        seed("net_observed", "both", said(&observed())),
        seed("net_thought", "chunk", said(&thought(None))),
        seed("net_thought", "error", said(&thought(Some("superseded".into())))),
        seed("net_thinker", "act", said(&thinker())),
        seed("net_token", "robot", b"sinew/white/alive".into()),
        seed("net_token", "policy", b"sinew/policy/act/alive".into()),
        seed("net_papers", "whole", PAPERS.into()),
    ]
}

fn said<M: Message>(message: &M) -> Vec<u8> {
    encode(message)
}

fn action(values: Vec<f64>) -> Action {
    Action { v: V, lease: 1 << 40, n: 3, arm: 1, at: 123_456_789, values }
}

fn ask(op: Op) -> Ask {
    Ask { v: V, op, who: "anna on laptop".into(), lease: 7, n: 1, take_over: true, limp: true }
}

fn granted() -> Reply {
    let secret = serde_json::from_value(vec![7_u8; 32].into()).expect("a secret that is none");
    let granted = Some(Granted { lease: 9, secret, watchdog_ms: 500 });
    Reply { v: V, refused: None, granted, stopped: Vec::new() }
}

fn stopped() -> Reply {
    let motor = |id, torque: Option<bool>| MotorStop {
        id,
        name: format!("joint_{id}"),
        torque,
        ok: torque == Some(false),
    };
    let report = StopReport {
        arm: "so101_follower".into(),
        policy: StopPolicy::Limp,
        cause: Cause::Remote,
        motors: vec![motor(1, Some(false)), motor(2, None)],
    };
    Reply { v: V, refused: Some("no".into()), granted: None, stopped: vec![report] }
}

fn description() -> Description {
    let reach = |unit, degrees| ReachDescription { unit, degrees, low: -100.0, high: 90.5 };
    Description {
        v: V,
        robot: "white".into(),
        kind: "lekiwi".into(),
        id: Some("one".into()),
        program: "sinew 0.1.0".into(),
        fps: 60.0,
        watchdog_ms: 500,
        stop: "limp".into(),
        arms: vec![ArmDescription {
            kind: "lekiwi".into(),
            values: ["pan.pos", "gripper.pos", "x.vel"].map(str::to_owned).into(),
            reaches: vec![reach(Units::RangeM100, 0.9), reach(Units::Degrees, 1.0)],
            max_step: vec![None, Some(5.0)],
        }],
        cameras: vec![CameraDescription { name: "front".into(), width: 640, height: 480, fps: 30 }],
        holder: Some("anna".into()),
    }
}

fn state() -> State {
    State {
        v: V,
        n: 1,
        at: -5,
        spread: 900_000,
        values: vec![1.5, 2.25],
        ages: vec![0, 16_000_000],
        sent: vec![1.0, 2.0],
        sent_at: 9,
        lease: 7,
        done: 3,
        mode: Mode::Driven,
        cause: Some(Cause::Lease),
    }
}

fn health() -> Health {
    Health {
        v: V,
        ticks: 600,
        late: 1,
        lost: 2,
        actions: 500,
        held_back_ms: 12.5,
        refused: BTreeMap::from([("replayed".to_owned(), 3)]),
        volts: vec![Some(7.4), None],
        celsius: vec![Some(31.0), None],
        holder: Some("anna".into()),
    }
}

fn event() -> Event {
    let (who, text) = ("anna".into(), "replayed: 3 since the start".into());
    Event { v: V, kind: Kind::Refused, wall: 1_790_000_000_000_000_000, who, text }
}

fn picture() -> PictureHead {
    PictureHead { v: V, n: 4, at: 99, moment: "exposure".into(), width: 640, height: 480 }
}

fn observed() -> Observed {
    let view =
        |format: &str, data: Vec<u8>| View { width: 2, height: 1, format: format.to_owned(), data };
    let images = BTreeMap::from([
        ("observation.images.front".to_owned(), view("rgb8", vec![0, 255, 3, 4, 5, 6])),
        ("observation.images.wrist".to_owned(), view("jpeg", vec![0xFF, 0xD8, 0xFF, 0xD9])),
    ]);
    let frame = Frame { state: vec![0.5; 6], environment_state: vec![0.1; 3], images };
    let task = Some("pick the cube".to_owned());
    Observed { v: V, robot: "white".into(), asker: u64::MAX, task, frames: vec![frame] }
}

fn thought(error: Option<String>) -> Thought {
    let rows = if error.is_some() { Vec::new() } else { vec![1.0, -2.5, 3.0, 0.0, 1e-300, 2.0] };
    Thought { v: V, width: 2, rows, took_ms: 12.5, error }
}

fn thinker() -> Thinker {
    Thinker {
        v: V,
        name: "act".into(),
        kind: "act".into(),
        program: "sinew 0.1.0".into(),
        inputs: vec![Input { name: "observation.state".into(), shape: vec![6] }],
        width: 6,
        frames: 1,
        rows: 100,
        steps: 50,
        averaged: Some(0.01),
        fps: Some(30.0),
        task: true,
        images: "jpeg".into(),
    }
}

/// Made by `sinew net keygen` for nobody, in a house that is nowhere.
const PAPERS: &str = "-----BEGIN CERTIFICATE-----
MIIBcjCCARigAwIBAgIUClP5ZibEypJs62U5iDCFxpamiPUwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLU2luZXcgaG91c2UwIBcNNzUwMTAxMDAwMDAwWhgPNDA5NjAx
MDEwMDAwMDBaMBYxFDASBgNVBAMMC1NpbmV3IGhvdXNlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEbOW1AljZJCsfXMyCqhr3vbfhGDFvvteqn20J2FME+3Hf9MtF
l7ry3bDvmFWL6AGx7RjBTDA0RZGmlFQPFJsdhKNCMEAwDgYDVR0PAQH/BAQDAgEG
MB0GA1UdDgQWBBQ1/KDUi2KhnjCbfjmKwNXYXCkKgTAPBgNVHRMBAf8EBTADAQH/
MAoGCCqGSM49BAMCA0gAMEUCIEpemclp2jcpUcDBlK+x98QMtAz9XE0D29yxKEhM
g9y/AiEAtd2MiebOzitx/x1U+ZzGxFNdVFWqACzugkaKEEMlaAg=
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBeDCCAR6gAwIBAgIULJ6NgdFM3xTvyRZuu3Jwe4uduOEwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLU2luZXcgaG91c2UwIBcNNzUwMTAxMDAwMDAwWhgPNDA5NjAx
MDEwMDAwMDBaMA0xCzAJBgNVBAMMAnBpMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAEXP99Lowtm/BRwcm1nuKPV4srDkO3xVjQ2iqSSmdF1/WctoXhzKTwQJkqxHPL
hoNX8N3vk6iWjXORTAmzUsTSv6NRME8wHwYDVR0jBBgwFoAUNfyg1ItioZ4wm345
isDV2FwpCoEwDQYDVR0RBAYwBIICcGkwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsG
AQUFBwMCMAoGCCqGSM49BAMCA0gAMEUCIQCy93g6jwaPQvGWJFNsqNo/Kh3lafRq
AMMKvc9XytajIwIgTZ+b1aQCZ8VGd66RVOgQ1RsmhNYHrUOAHz87oBce3Dg=
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgC8Wd35bSF7w3W+AB
Uuv3qb6r9EorJvsSqPE68/F92YKhRANCAARc/30ujC2b8FHBybWe4o9XiysOQ7fF
WNDaKpJKZ0XX9Zy2heHMpPBAmSrEc8uGg1fw3e+TqJaNc5FMCbNSxNK/
-----END PRIVATE KEY-----
";
