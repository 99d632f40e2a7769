//! What must hold for any bytes at all, one check for every parser of bytes from outside. The
//! fuzz targets run them for long, the ordinary tests over the kept corpora and bounded changes
//! of them.

use std::sync::Arc;

use sinew_core::packet::{Decoder, FRAME_ROOM, Protocol};
use sinew_core::register::Reg;
use sinew_core::servo::Servo;
use sinew_core::tables;
use sinew_drivers::camera::{Layout, Parts, jpeg, yuyv, zmq};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{FaultPlan, VirtualBus, arm, control};
use sinew_drivers::{ArmSpec, Clock, calibration_file, zmtp};
use sinew_sim::model::Model;
use sinew_sim::task::{Judge, Task};
use sinew_sim::world::{Free, World};
use sinew_teleop::jog::{Pull, Way};
use sinew_teleop::keys::Parser;
use sinew_teleop::kinematics::{Chain, MOST_JOINTS, Solver, Tolerance};
use sinew_teleop::phone::{Hand, Message};

#[path = "board_checks.rs"]
mod boards;
#[path = "chunk_checks.rs"]
mod chunks;
#[path = "dataset_checks.rs"]
mod datasets;
#[path = "hub_checks.rs"]
mod hub;
#[path = "net_checks.rs"]
mod net;
#[path = "policy_checks.rs"]
mod policies;

pub use boards::*;
pub use chunks::*;
pub use datasets::*;
pub use hub::*;
pub use net::*;
pub use policies::*;

/// A check: panics where something does not hold.
pub type Check = fn(&[u8]);

/// Every check, by the name of its target and its corpus.
pub const CHECKS: [(&str, Check); 58] = [
    ("feetech0", feetech0),
    ("feetech1", feetech1),
    ("dynamixel", dynamixel),
    ("servo", servo),
    ("register", register),
    ("calibration_file", calibration_file),
    ("arm_file", arm_file),
    ("urdf", urdf),
    ("fault_plan", fault_plan),
    ("control", control),
    ("virtual_bus", virtual_bus),
    ("board", board),
    ("board_said", board_said),
    ("camera_stream", camera_stream),
    ("zmq_camera", zmq_camera),
    ("plain_picture", plain_picture),
    ("phone_message", phone_message),
    ("task_file", task_file),
    ("terminal_keys", terminal_keys),
    ("dataset_info", dataset_info),
    ("dataset_stats", dataset_stats),
    ("dataset_tasks", dataset_tasks),
    ("dataset_episodes", dataset_episodes),
    ("dataset_data", dataset_data),
    ("dataset_timing", dataset_timing),
    ("dataset_lines", dataset_lines),
    ("dataset_video", dataset_video),
    ("dataset_journal", dataset_journal),
    ("dataset_images", dataset_images),
    ("dataset_spool", dataset_spool),
    ("dataset_picture", dataset_picture),
    ("hub_xorb", hub_xorb),
    ("hub_shard", hub_shard),
    ("policy_config", policy_config),
    ("policy_steps", policy_steps),
    ("policy_weights", policy_weights),
    ("hub_list", hub_list),
    ("hub_tree", hub_tree),
    ("hub_tokens", hub_tokens),
    ("hub_batch", hub_batch),
    ("hub_ledger", hub_ledger),
    ("hub_plan", hub_plan),
    ("hub_commit", hub_commit),
    ("hub_person", hub_person),
    ("net_action", net_action),
    ("net_ask", net_ask),
    ("net_reply", net_reply),
    ("net_description", net_description),
    ("net_state", net_state),
    ("net_health", net_health),
    ("net_event", net_event),
    ("net_picture", net_picture),
    ("net_now", net_now),
    ("net_observed", net_observed),
    ("net_thought", net_thought),
    ("net_thinker", net_thinker),
    ("net_token", net_token),
    ("net_papers", net_papers),
];

/// A stream on a wire of Feetech protocol 0.
pub fn feetech0(bytes: &[u8]) {
    stream(Protocol::Feetech0, bytes);
}

/// A stream on a wire of Feetech protocol 1.
pub fn feetech1(bytes: &[u8]) {
    stream(Protocol::Feetech1, bytes);
}

/// A stream on a Dynamixel wire.
pub fn dynamixel(bytes: &[u8]) {
    stream(Protocol::Dynamixel2, bytes);
}

/// A frame as a test remembers it.
#[derive(Debug, PartialEq)]
struct Kept {
    id: u8,
    code: u8,
    params: Vec<u8>,
}

/// The same frames and the same losses come out however the stream is cut, every byte is either
/// in a frame or counted as noise, and what was read can be written and read again.
fn stream(protocol: Protocol, bytes: &[u8]) {
    let whole = frames(protocol, bytes, bytes.len().max(1));
    for size in [1, 1 + usize::from(bytes.first().copied().unwrap_or(2))] {
        assert_eq!(frames(protocol, bytes, size), whole, "pieces of {size}");
    }
}

fn frames(protocol: Protocol, bytes: &[u8], size: usize) -> (Vec<Kept>, u64) {
    let mut decoder: Decoder = Decoder::new(protocol);
    let mut kept = Vec::new();
    for piece in bytes.chunks(size) {
        let mut input = piece;
        take_all(&mut decoder, &mut input, &mut kept);
        assert!(input.is_empty(), "the decoder left {} bytes", input.len());
    }
    while decoder.give_up() {
        take_all(&mut decoder, &mut &[][..], &mut kept);
    }
    let counts = decoder.counts();
    assert_eq!(counts.frames, kept.len() as u64);
    if protocol != Protocol::Dynamixel2 {
        let framed: usize = kept.iter().map(|frame| frame.params.len() + 6).sum();
        assert_eq!(framed as u64 + counts.noise, bytes.len() as u64, "bytes unaccounted for");
    }
    (kept, counts.noise)
}

fn take_all(decoder: &mut Decoder, input: &mut &[u8], kept: &mut Vec<Kept>) {
    let protocol = decoder.protocol();
    while let Some(frame) = decoder.next(input) {
        let mut room = [0; 2 * FRAME_ROOM];
        if let Some(status) = frame.status() {
            let written = protocol.encode_status(&status, &mut room);
            let written = written.expect("what was read can be written");
            let (mut again, mut from) =
                (Decoder::<{ 2 * FRAME_ROOM }>::new(protocol), &room[..written]);
            let frame = again.next(&mut from).expect("what was written can be read");
            assert_eq!(frame.status(), Some(status));
        }
        if let Some(request) = frame.request() {
            let written = protocol.encode(frame.id, &request, &mut room);
            let written = written.expect("what was read can be written");
            let (mut again, mut from) =
                (Decoder::<{ 2 * FRAME_ROOM }>::new(protocol), &room[..written]);
            let frame = again.next(&mut from).expect("what was written can be read");
            assert_eq!(frame.request(), Some(request));
        }
        kept.push(Kept { id: frame.id, code: frame.code, params: frame.params.to_vec() });
    }
}

/// Requests to one servo; the first byte says of which model. It answers in whole frames or not
/// at all, and nothing on the wire changes what it is.
pub fn servo(bytes: &[u8]) {
    let Some((choice, stream)) = bytes.split_first() else { return };
    let models: Vec<_> = tables::models().collect();
    let (series, model) = models[usize::from(*choice) % models.len()];
    let mut servo = Servo::new(series, model, 1);
    let mut wire: Decoder = Decoder::new(series.protocol);
    let mut input = stream;
    while let Some(frame) = wire.next(&mut input) {
        let Some(request) = frame.request() else { continue };
        let mut room = [0; FRAME_ROOM];
        let was = servo.id();
        let Ok((effect, written)) = servo.take(frame.id, &request, &mut room) else { continue };
        assert_eq!(effect.answers, written > 0);
        if written > 0 {
            let (mut line, mut answer) =
                (Decoder::<FRAME_ROOM>::new(series.protocol), &room[..written]);
            let frame = line.next(&mut answer).expect("a whole answer");
            assert!(answer.is_empty(), "something behind the answer");
            assert_eq!(frame.status().map(|status| status.id), Some(was));
        }
        assert_eq!(servo.get(Reg::ModelNumber), i32::from(model.number));
    }
}

/// Register memory: every register of every series has a value wherever its bytes are there, and
/// that value is written back as it was read.
pub fn register(bytes: &[u8]) {
    for series in tables::ALL {
        let order = series.protocol.byte_order();
        for row in series.registers {
            let value = row.decode(order, bytes);
            assert_eq!(value.is_some(), bytes.len() >= usize::from(row.width));
            let Some(value) = value else { continue };
            let (min, max) = row.range();
            assert!((min..=max).contains(&i64::from(value)), "{row:?}: {value}");
            let again = row.encode(order, value).expect("within the range");
            assert_eq!(row.decode(order, &again), Some(value), "{row:?}");
        }
    }
}

/// A calibration file: what can be read is written in LeRobot's form and read back the same.
pub fn calibration_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match calibration_file::parse(text) {
        Ok(joints) => {
            let written = calibration_file::render(&joints);
            assert_eq!(calibration_file::parse(&written), Ok(joints));
        }
        Err(error) => assert!(error.line <= text.lines().count() + 1, "{error}"),
    }
}

/// An arm's file: an arm or an error, and nothing else.
pub fn arm_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = ArmSpec::parse("arm.toml", text) {
        assert!(error.to_string().contains("arm.toml"), "{error}");
    }
}

/// A URDF file: a chain whose every answer is a number, or an error.
pub fn urdf(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(chain) = Chain::from_urdf(text, "tip") else { return };
    assert!(chain.joints().len() <= MOST_JOINTS);
    let goal = chain.pose(&[0.3, -0.2, 0.1, 0.4]);
    assert!(goal.translation.vector.iter().all(|number| number.is_finite()), "{goal}");
    let solved = Solver::new(chain, Tolerance::default()).follow(&[0.0; 4], &goal, 0.1);
    assert!(solved.angles.iter().all(|angle| angle.is_finite()), "{solved:?}");
}

/// The text of a fault plan: every chance is one, or it is refused.
pub fn fault_plan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(plan) = FaultPlan::parse(text) else { return };
    let FaultPlan { lost, late, truncated, corrupted, duplicated, noise, brownout, unplug, delay } =
        plan;
    for chance in [lost, late, truncated, corrupted, duplicated, noise, brownout, unplug] {
        assert!((0.0..=1.0).contains(&chance), "{plan:?}");
    }
    assert!(delay.is_none_or(|delay| delay <= 60_000_000_000), "{plan:?}");
}

/// What a phone serves for its camera: no part is larger than a picture may be, and what is a picture
/// has all its pixels.
pub fn camera_stream(bytes: &[u8]) {
    let Ok(mut parts) = Parts::begin(bytes) else { return };
    for _ in 0..16 {
        let Ok(part) = parts.next_part() else { return };
        assert!(part.len() <= jpeg::LARGEST);
        if let Ok(picture) = jpeg::decode(part, 32, 16) {
            assert_eq!(picture.pixels.len(), Layout::Rgb8.len(32, 16));
        }
    }
}

/// What a ZeroMQ publisher sends: messages no larger than they may be, of pictures or of nothing.
pub fn zmq_camera(mut bytes: &[u8]) {
    const MOST: usize = 8192;
    while let Ok(frames) = zmtp::receive(&mut bytes, MOST as u64) {
        assert!(frames.iter().map(Vec::len).sum::<usize>() <= MOST);
        let body = frames.last().map_or(&[][..], Vec::as_slice);
        let Ok(message) = zmq::Message::read(body) else { continue };
        for name in message.names() {
            let Ok(file) = message.file(name) else { continue };
            let file = file.expect("what is named is there");
            if let Ok(picture) = jpeg::decode_exchanged(&file, 32, 16) {
                assert_eq!(picture.pixels.len(), Layout::Rgb8.len(32, 16));
            }
        }
    }
}

/// What a camera sends that does not compress, behind its size: a picture has all its pixels.
pub fn plain_picture(bytes: &[u8]) {
    let Some((&[width, height, line], bytes)) = bytes.split_first_chunk() else { return };
    let [width, height, line] = [width, height, line].map(u32::from);
    if let Ok(picture) = yuyv::decode(bytes, width, height, line) {
        assert_eq!(picture.pixels.len(), Layout::Rgb8.len(width, height));
    }
}

/// What a phone says, a message a line: wishes within their bounds, and none that goes farther from one message
/// to the next than a hand does.
pub fn phone_message(bytes: &[u8]) {
    let (mut hand, mut last) = (Hand::default(), None::<Pull>);
    for (tick, line) in (0..).zip(bytes.split(|byte| *byte == b'\n')) {
        let Ok(message) = Message::read(line) else { continue };
        let Some(wish) = hand.take(&message, tick * 16 * MILLI) else { continue };
        for (place, rate) in wish.rates.iter().enumerate() {
            assert!(rate.is_finite() && rate.abs() <= Way::most(place));
        }
        if let (Some(last), Some(pull)) = (last, wish.pull) {
            let step = pull.way.iter().zip(last.way).map(|(now, then)| (now - then).abs());
            let far = step.fold(0.0, f64::max);
            assert!(last.hold != pull.hold || far <= 120.0, "{last:?} {pull:?}");
            assert!(pull.hold >= last.hold);
        }
        last = wish.pull;
    }
}

/// A task's file: an error, or a world in which nothing is lost after some steps.
pub fn task_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(task) = Task::read("fuzz.toml", text) else { return };
    let Ok(model) = Model::so101() else { return };
    let (setup, places) = task.setup(Arc::new(model), bytes.len() as u64);
    let mut world = World::new(setup);
    let mut judge = Judge::new(&task, places);
    for step in 0..20 {
        world.step(0.002);
        let verdict = judge.look(&world, Default::default(), f64::from(step) * 0.002);
        assert!(verdict.reward.is_finite(), "{text}");
    }
    assert!(world.joints().iter().all(|angle| angle.is_finite()), "{text}");
    let whole = |free: &Free| free.place.translation.vector.iter().all(|part| part.is_finite());
    assert!(world.state().things.iter().all(whole), "{text}");
}

/// What a terminal sends: however it is cut into pieces, the same keys; and after a pause none has begun.
pub fn terminal_keys(bytes: &[u8]) {
    let mut whole = Parser::default();
    let events = whole.take(bytes);
    for size in [1, 3] {
        let mut pieces = Parser::default();
        let each: Vec<_> = bytes.chunks(size).flat_map(|piece| pieces.take(piece)).collect();
        assert_eq!(each, events);
        assert_eq!(pieces.is_within(), whole.is_within());
    }
    whole.take(&[]);
    assert!(!whole.is_within());
}

/// Lines on the control socket of a virtual bus: each is answered, and the arm stays a thing of
/// this world.
pub fn control(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(arm) = arm::by_name("so101") else { return };
    let clock = Clock::virtual_time();
    let bus = VirtualBus::new(arm::devices(&arm), clock.clone(), 0);
    for line in text.lines().take(16) {
        let answer = control::obey(&bus, line);
        assert!(answer.is_object(), "{answer}");
        clock.sleep(5_000_000);
        for servo in bus.servos() {
            assert!(servo.joint.is_finite(), "{servo:?} after {line}");
        }
    }
}

/// Bytes from a host on a virtual bus; the first says which arm it is. Whatever they ask, servos
/// answer in frames of their own and stay things of this world.
pub fn virtual_bus(bytes: &[u8]) {
    let Some((choice, stream)) = bytes.split_first() else { return };
    let name = ["so101", "koch"][usize::from(choice % 2)];
    let Some(arm) = arm::by_name(name) else { return };
    let clock = Clock::virtual_time();
    let bus = VirtualBus::new(arm::devices(&arm), clock.clone(), 0);
    let mut wire = bus.wire();
    let mut room = [0; FRAME_ROOM];
    for piece in stream.chunks(64).take(16) {
        wire.send(piece).expect("the adapter is plugged in");
        let deadline = clock.now() + 10_000_000;
        while wire.receive(&mut room, deadline).expect("the adapter is plugged in") > 0 {}
        for servo in bus.servos() {
            assert!(servo.joint.is_finite(), "{servo:?}");
        }
    }
}
