//! Makes the inputs that fuzzing starts from: one of everything each parser knows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sinew_core::calibration::Calibration;
use sinew_core::packet::{BROADCAST, FRAME_ROOM, Protocol, Request, Status};
use sinew_core::tables;
use sinew_drivers::{calibration_file, zmtp};

/// An input: its target, its name within the target's corpus, its bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// Every input.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (target, protocol) in [
        ("feetech0", Protocol::Feetech0),
        ("feetech1", Protocol::Feetech1),
        ("dynamixel", Protocol::Dynamixel2),
    ] {
        let mut everything = Vec::new();
        for (name, bytes) in packets(protocol) {
            everything.extend_from_slice(&bytes);
            seeds.push((target, name.to_owned(), bytes));
        }
        // A false start whose length reaches over the true frame behind it.
        let mut noisy = vec![0xFF, 0xFF, 0x01, 0x20];
        noisy.extend_from_slice(&everything);
        seeds.push((target, "noise".to_owned(), noisy));
        seeds.push((target, "everything".to_owned(), everything));
    }
    seeds.extend(servos());
    seeds.extend(memories());
    seeds.extend(calibrations());
    seeds.extend(arms());
    seeds.push(("urdf", "arm".to_owned(), URDF.into()));
    seeds.extend(texts());
    seeds.extend(buses());
    seeds.extend(super::board_seeds::all());
    seeds.extend(streams());
    seeds.extend(publishers());
    let plain = [&[4, 2, 10][..], &[90; 20]].concat();
    seeds.push(("plain_picture", "padded".to_owned(), plain));
    seeds.extend(chunks());
    for (name, text) in TASKS {
        seeds.push(("task_file", name.to_owned(), text.into()));
    }
    seeds.push(("terminal_keys", "each".to_owned(), KEYS.into()));
    seeds.push(("phone_message", "each".to_owned(), PHONE.into()));
    seeds.extend(super::dataset_seeds::all());
    seeds.extend(policies());
    seeds.extend(super::net_seeds::all());
    for (target, text) in super::hub_seeds::HUB {
        seeds.push((target, "whole".to_owned(), text.into()));
    }
    seeds
}

/// The tasks that come along.
const TASKS: [(&str, &str); 4] = [
    ("lift", include_str!("../../robot/sim/tasks/so101_lift.toml")),
    ("pick_place", include_str!("../../robot/sim/tasks/so101_pick_place.toml")),
    ("push", include_str!("../../robot/sim/tasks/so101_push.toml")),
    ("reach", include_str!("../../robot/sim/tasks/reach.toml")),
];

/// One packet of every kind the protocol has, to and from servo 1.
fn packets(protocol: Protocol) -> Vec<(&'static str, Vec<u8>)> {
    let requests = [
        ("ping", 1, Request::Ping),
        ("read", 1, Request::Read { address: 56, width: 2 }),
        ("write", 1, Request::Write { address: 42, data: &[0xFF, 0xFF, 0xFD, 0x00] }),
        ("reg_write", 1, Request::RegWrite { address: 42, data: &[0x10, 0x07] }),
        ("action", BROADCAST, Request::Action),
        ("factory_reset", 1, Request::FactoryReset { keep: 0x01 }),
        ("reboot", 1, Request::Reboot),
        ("sync_read", BROADCAST, Request::SyncRead { address: 56, width: 2, ids: &[1, 2, 3] }),
        ("fast_sync_read", BROADCAST, Request::FastSyncRead { address: 132, width: 4, ids: &[1] }),
        (
            "sync_write",
            BROADCAST,
            Request::SyncWrite { address: 42, width: 2, rows: &[1, 0x00, 0x08, 2, 0xFF, 0x0F] },
        ),
        ("bulk_read", BROADCAST, Request::BulkRead { rows: &[1, 132, 0, 4, 0, 2, 146, 0, 1, 0] }),
    ];
    let mut room = [0; FRAME_ROOM];
    let mut packets = Vec::new();
    for (name, id, request) in requests {
        // What a protocol does not have is not a seed for it.
        if let Ok(len) = protocol.encode(id, &request, &mut room) {
            packets.push((name, room[..len].to_vec()));
        }
    }
    let status = Status { id: 1, error: 0x20, data: &[0xFF, 0xFF, 0xFD, 0x00] };
    let len = protocol.encode_status(&status, &mut room).expect("room for a short answer");
    packets.push(("status", room[..len].to_vec()));
    packets
}

/// All a servo can be asked, for the first model of every series.
fn servos() -> impl Iterator<Item = Seed> {
    tables::ALL.into_iter().map(|series| {
        let first = tables::models().position(|(of, _)| of.name == series.name);
        let mut bytes = vec![u8::try_from(first.expect("a model")).expect("few models")];
        for (name, packet) in packets(series.protocol) {
            if name != "status" {
                bytes.extend(packet);
            }
        }
        ("servo", series.name.to_owned(), bytes)
    })
}

/// All a bus can be asked, in both languages, and a goal under torque.
fn buses() -> impl Iterator<Item = Seed> {
    let arms = [("so101", 0u8, Protocol::Feetech0, 40), ("koch", 1, Protocol::Dynamixel2, 64)];
    arms.into_iter().map(|(name, choice, protocol, torque)| {
        let mut bytes = vec![choice];
        let mut room = [0; FRAME_ROOM];
        let on = Request::Write { address: torque, data: &[1] };
        let len = protocol.encode(1, &on, &mut room).expect("room for a short packet");
        bytes.extend_from_slice(&room[..len]);
        bytes.extend(packets(protocol).into_iter().flat_map(|(_, packet)| packet));
        ("virtual_bus", name.to_owned(), bytes)
    })
}

fn memories() -> impl Iterator<Item = Seed> {
    [("none", [0; 4]), ("all", [0xFF; 4]), ("signs", [0x00, 0x84, 0x00, 0x80])]
        .into_iter()
        .map(|(name, bytes)| ("register", name.to_owned(), bytes.to_vec()))
}

fn calibrations() -> Vec<Seed> {
    let joint =
        Calibration { id: 1, drive_mode: 0, homing_offset: -1470, range_min: 758, range_max: 3292 };
    let two = [("shoulder_pan".to_owned(), joint), ("\u{e9}\"\\\n\u{1F600}".to_owned(), joint)];
    let loose =
        r#"{"a":{"id":"1","drive_mode":false,"homing_offset":-1,"range_min":1,"range_max":" 2 "}}"#;
    vec![
        ("calibration_file", "two".to_owned(), calibration_file::render(&two).into_bytes()),
        ("calibration_file", "none".to_owned(), b"{}".to_vec()),
        ("calibration_file", "loose".to_owned(), loose.into()),
    ]
}

/// An arm with one of everything its file can say, and a pair of arms.
fn arms() -> impl Iterator<Item = Seed> {
    let arm = r#"
name = "one"
title = "One of everything"
role = "follower"
calibration = ["one", "uno"]
baud = 1_000_000
supply = [7.4, 12.0]
torque = true

[configure]
Acceleration = 254
Phase = { clear = 0x10 }

[back_off]
load = 70
after_ms = 1000
free_speed = 30

[[joint]]
name = "pan"
id = 1
model = "sts3215"
units = "degrees"
mode = "position"
travel = 229
rest = -9.5
set = { P_Coefficient = 16 }

[[joint]]
name = "roll"
id = 2
model = "sts3215"
units = "-100..100"
mode = "position"
full_turn = true

[base]
wheel_radius = 0.05
radius = 0.125
max_speed = 3000

[[wheel]]
name = "left"
id = 7
model = "sts3215"
angle = 150

[[wheel]]
name = "back"
id = 8
model = "sts3215"
angle = -90

[[wheel]]
name = "right"
id = 9
model = "sts3215"
angle = 30
"#;
    let pair = r#"
name = "two"
title = "A pair"

[[part]]
prefix = "left_"
arm = "so101_follower"

[[part]]
prefix = "right_"
arm = "so101_follower"
"#;
    [("one", arm), ("pair", pair)]
        .into_iter()
        .map(|(name, text)| ("arm_file", name.to_owned(), text.trim_start().into()))
}

/// Joints of every kind, from a base to a tip.
const URDF: &str = r#"<robot name="arm">
<link name="base"/><link name="upper"/><link name="lower"/><link name="hand"/><link name="tip"/>
<joint name="a" type="revolute"><parent link="base"/><child link="upper"/>
<origin xyz="0 0 0.1" rpy="0 1.5708 0"/><axis xyz="0 0 1"/><limit lower="-1" upper="2"/></joint>
<joint name="b" type="continuous"><parent link="upper"/><child link="lower"/><axis xyz="0 1 0"/></joint>
<joint name="c" type="fixed"><parent link="lower"/><child link="hand"/><origin xyz="0.1 0 0"/></joint>
<joint name="d" type="revolute"><parent link="hand"/><child link="tip"/>
<limit lower="-0.5" upper="0.5"/></joint>
</robot>
"#;

/// A fault plan and a control command of every kind.
fn texts() -> Vec<Seed> {
    let plans = [
        ("all", "all=0.01"),
        (
            "each",
            "lost=0.01, late=0.02,truncated=1e-3,corrupted=0,duplicated=1,noise=.5,\
             brownout=0.1,unplug=0.001,delay_ms=5",
        ),
    ];
    let commands = r#"{"hand":{"id":1,"position":2048}}
{"release":{"id":1}}
{"kill":{"id":3}}
{"revive":{"id":3}}
{"faults":"lost=0.01"}
{"supply":{"volts":5.1}}
"power_cycle"
"unplug"
{"replug":"/tmp/other"}
{"replug":null}
"state"
"#;
    let plans = plans.map(|(name, plan)| ("fault_plan", name.to_owned(), plan.into()));
    plans.into_iter().chain([("control", "each".to_owned(), commands.into())]).collect()
}

/// A phone that is pressed, moved, turned, let go, aimed anew, and moved with its pads.
const PHONE: &str = r#"{"n":1,"held":false,"place":[0,1,0],"turn":[-0.7071,0,0,0.7071]}
{"n":2,"held":true,"place":[0,1,0],"turn":[-0.7071,0,0,0.7071]}
{"n":3,"held":true,"place":[0.01,1.02,-0.03],"turn":[-0.7071,0,0,0.7071],"scale":0.25}
{"n":4,"held":true,"place":[0.01,1.02,-0.03],"turn":[-0.7,0.1,0.1,0.7],"scale":2}
{"n":5,"held":false,"aim":1,"open":-1}
{"n":6,"held":true,"move":[1,-0.5,0],"open":0.5,"press":[1,"next"]}
{"n":7,"held":true,"place":[900,1,0],"turn":[0,0,0,1],"press":[2,"again"]}
{"n":8,"held":true,"place":[0,1,0],"turn":[0,1,0,0],"press":[3,"stop"]}
"#;

/// Keys as terminals send them: plain, arrows of both kinds, Esc, kitty's with modifiers and releases,
/// its flags, a lost focus, an answer.
const KEYS: &str = "nq \t\x1b[A\x1bOB\x1b\x1b[97;1:1u\x1b[97;1:3u\x1b[57441;2:2u\x1b[1;1:3C\x1b[?11u\x1b[O\x1b[?1;2c\x1bx\x03";

/// A small picture, as a camera sends it.
fn jpeg() -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> = (0..32 * 16 * 3).map(|at| (at * 7 % 251) as u8).collect();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 50);
    encoder.encode(&pixels, 32, 16, jpeg_encoder::ColorType::Rgb).expect("a picture");
    jpeg
}

/// What publishers send: of two cameras, of none, behind a topic and a command, and no JSON.
fn publishers() -> Vec<Seed> {
    let picture = STANDARD.encode(jpeg());
    let two = format!(
        r#"{{"timestamps": {{"head": 1.5}}, "images": {{"head": "{picture}", "hand": "{picture}"}}}}"#
    );
    let mut bytes = b"\x04\x06\x04PING\x00".to_vec();
    let messages: [&[&[u8]]; 4] =
        [&[two.as_bytes()], &[br#"{"images": {}}"#], &[b"topic", two.as_bytes()], &[b"nothing"]];
    for frames in messages {
        zmtp::send(&mut bytes, frames).expect("memory");
    }
    vec![("zmq_camera", "each".to_owned(), bytes)]
}

/// Streams of phones: with lengths and without.
fn streams() -> Vec<Seed> {
    let jpeg = jpeg();
    let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    let stream = |length: &str| {
        let mut stream = head.as_bytes().to_vec();
        for _ in 0..2 {
            stream.extend(format!("--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n").bytes());
            stream.extend(&jpeg);
            stream.extend(b"\r\n");
        }
        stream.extend(b"--frame--\r\n");
        stream
    };
    let told = format!("Content-Length: {}\r\n", jpeg.len());
    [("told", stream(&told)), ("untold", stream(""))]
        .map(|(name, bytes)| ("camera_stream", name.to_owned(), bytes))
        .into()
}

/// The files of checkpoints that LeRobot wrote.
fn policies() -> Vec<Seed> {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/policies");
    let state = "policy_preprocessor_step_3_normalizer_processor.safetensors";
    let mut seeds = Vec::new();
    for (name, folder) in [
        ("act", "act_vae_1cam"),
        ("diffusion", "diffusion_ddpm_crop"),
        ("vqbet", "vqbet_tiny"),
        ("tdmpc", "tdmpc_image"),
    ] {
        for (target, file) in [
            ("policy_config", "config.json"),
            ("policy_steps", "policy_preprocessor.json"),
            ("policy_steps", "policy_postprocessor.json"),
            ("policy_weights", state),
        ] {
            let bytes = std::fs::read(golden.join(folder).join(file)).expect("a golden policy");
            let side = if file.contains("post") { "_after" } else { "" };
            seeds.push((target, format!("{name}{side}"), bytes));
        }
    }
    let relative = r#"{"name": "policy", "steps": [
        {"registry_name": "relative_actions_processor", "config": {"enabled": true,
         "exclude_joints": ["gripper"], "action_names": ["pan.pos", "gripper.pos"]}},
        {"registry_name": "rename_observations_processor", "config": {"rename_map": {"a": "b"}}},
        {"registry_name": "absolute_actions_processor", "config": {"enabled": true}}]}"#;
    seeds.push(("policy_steps", "relative".to_owned(), relative.as_bytes().to_vec()));
    seeds
}

/// The letters `abcabcabcabcabcabc` in an LZ4 frame.
const FRAME: [u8; 28] = [
    4, 34, 77, 24, 96, 64, 130, 13, 0, 0, 0, 53, 97, 98, 99, 3, 0, 96, 97, 98, 99, 97, 98, 99, 0,
    0, 0, 0,
];
/// The same, by their places in groups of four.
const GROUPED_FRAME: [u8; 33] = [
    4, 34, 77, 24, 96, 64, 130, 18, 0, 0, 128, 97, 98, 99, 97, 98, 98, 99, 97, 98, 99, 99, 97, 98,
    99, 97, 98, 99, 97, 0, 0, 0, 0,
];

/// A xorb with a chunk of each kind, and a shard with a file of it.
fn chunks() -> Vec<Seed> {
    let chunk = |scheme: u8, packed: &[u8], raw: u8| {
        [&[0, packed.len() as u8, 0, 0, scheme, raw, 0, 0][..], packed].concat()
    };
    let xorb = [chunk(0, b"plain", 5), chunk(1, &FRAME, 18), chunk(2, &GROUPED_FRAME, 18)].concat();
    let row = |fill: u8, numbers: [u32; 4]| {
        let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        [&[fill; 32][..], &numbers].concat()
    };
    let shard = [
        row(9, [2, 0, 0, 0]),
        row(1, [3 << 30, 2, 0, 0]),
        row(2, [0, 23, 0, 2]),
        row(2, [0, 18, 2, 3]),
        row(0, [0; 4]),
        row(0, [0; 4]),
        row(7, [0; 4]),
        row(0xff, [0; 4]),
    ]
    .concat();
    vec![("hub_xorb", "kinds".to_owned(), xorb), ("hub_shard", "file".to_owned(), shard)]
}
