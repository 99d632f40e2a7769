//! Servos in a body of the tests' own: two joints that lean on each other.

use std::sync::{Arc, Mutex};

use sinew_core::packet::Protocol;
use sinew_core::register::{Fault, Reg};
use sinew_core::tables::{STS, by_name};

use super::*;
use crate::clock::{MILLI, SECOND};
use crate::sim::{VirtualBus, control};
use crate::{Bus, Clock};

/// The second joint hangs on the first by a spring; both end at stops.
#[derive(Debug, Default)]
struct Pair {
    joints: [Turned; 2],
    stops: (f64, f64),
    steps: u64,
    seen: [Push; 2],
}

const LOW: f64 = 500.0;
const HIGH: f64 = 3500.0;

impl Pair {
    fn step(&mut self, pushes: &[Push], seconds: f64) {
        assert_eq!(seconds, STEP_SECONDS);
        self.steps += 1;
        self.seen.copy_from_slice(pushes);
        let apart = self.joints[1].position - self.joints[0].position;
        for ((joint, push), spring) in self.joints.iter_mut().zip(pushes).zip([apart, -apart]) {
            let driven = push.duty.map_or(0.0, |duty| duty * push.volts * 480.0);
            joint.speed += (driven + spring * 0.3 - joint.speed) * seconds / 0.02;
            let place = joint.position + joint.speed * seconds;
            joint.position = place.clamp(self.stops.0, self.stops.1);
            if place != joint.position {
                joint.speed = 0.0;
            }
            if let Some(held) = push.held {
                *joint = Turned { position: held, speed: 0.0 };
            }
        }
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Pair>>);

impl Shared {
    fn new() -> Self {
        let joint = |position| Turned { position, speed: 0.0 };
        Self(Arc::new(Mutex::new(Pair {
            joints: [joint(1000.0), joint(2000.0)],
            stops: (LOW, HIGH),
            ..Pair::default()
        })))
    }

    fn look<T>(&self, look: impl FnOnce(&Pair) -> T) -> T {
        look(&self.0.lock().unwrap())
    }

    fn bus(&self, model: &str, seed: u64) -> VirtualBus {
        embodied(self.clone(), model, Clock::virtual_time(), seed)
    }
}

fn embodied(body: impl Body + 'static, model: &str, clock: Clock, seed: u64) -> VirtualBus {
    let (series, model) = by_name(model).unwrap();
    let devices = [1, 2].map(|id| Device::new(series, model, id));
    VirtualBus::embodied(devices.into(), Box::new(body), clock, seed)
}

/// The same on a machine that takes five times as long for a step as the step lasts.
struct Slow(Shared, Clock);

impl Body for Slow {
    fn step(&mut self, pushes: &[Push], seconds: f64) {
        self.1.sleep(5 * STEP);
        self.0.step(pushes, seconds);
    }

    fn turned(&self, place: usize) -> Turned {
        self.0.turned(place)
    }

    fn place(&mut self, place: usize, counts: f64) {
        self.0.place(place, counts);
    }
}

impl Body for Shared {
    fn step(&mut self, pushes: &[Push], seconds: f64) {
        self.0.lock().unwrap().step(pushes, seconds);
    }

    fn turned(&self, place: usize) -> Turned {
        self.look(|pair| pair.joints[place])
    }

    fn place(&mut self, place: usize, counts: f64) {
        let mut pair = self.0.lock().unwrap();
        let position = counts.clamp(pair.stops.0, pair.stops.1);
        pair.joints[place] = Turned { position, speed: 0.0 };
    }
}

fn joint(bus: &VirtualBus, id: u8) -> f64 {
    bus.servo(id).unwrap().joint
}

fn go(bus: &VirtualBus, id: u8, goal: i32) {
    bus.change(id, |device| {
        device.servo.set(Reg::GoalPosition, goal);
        device.servo.set(Reg::TorqueEnable, 1);
    });
}

#[test]
fn servos_wake_up_where_the_joints_stand_and_nothing_jerks() {
    let body = Shared::new();
    let bus = body.bus("sts3215", 0);
    let states = bus.servos();
    assert_eq!(states.iter().map(|state| state.position).collect::<Vec<_>>(), [1000, 2000]);
    assert_eq!(states.iter().map(|state| state.goal).collect::<Vec<_>>(), [1000, 2000]);
}

#[test]
fn joints_lean_on_each_other_and_a_camera_s_look_moves_them_too() {
    let body = Shared::new();
    let bus = body.bus("sts3215", 0);
    go(&bus, 1, 1000);
    bus.clock().sleep(SECOND);
    bus.settle();
    // The second, without torque, is pulled towards the first, which holds.
    let [first, second] = body.look(|pair| pair.joints);
    assert!((first.position - 1000.0).abs() < 20.0 && second.position < 1980.0, "{second:?}");
    assert_eq!(body.look(|pair| (pair.steps, pair.seen[1].duty)), (500, None));
    assert_eq!(bus.servo(2).unwrap().position, second.position as i32);
}

#[test]
fn a_goal_is_reached_through_the_body_and_its_stop_trips_the_servo() {
    let body = Shared::new();
    let bus = body.bus("sts3215", 0);
    go(&bus, 1, 2500);
    bus.clock().sleep(3 * SECOND);
    assert!((joint(&bus, 1) - 2500.0).abs() < 30.0, "{}", joint(&bus, 1));
    go(&bus, 1, 4000);
    bus.clock().sleep(4 * SECOND);
    let state = bus.servo(1).unwrap();
    assert_eq!(state.joint, HIGH);
    assert!(state.faults.has(Fault::Overload));
}

#[test]
fn a_hand_holds_against_the_body_and_goes_no_further_than_it() {
    let body = Shared::new();
    let bus = body.bus("sts3215", 0);
    let order = control::obey(&bus, r#"{"hand":{"id":2,"position":1500}}"#);
    assert_eq!(order, serde_json::json!({ "ok": true }));
    go(&bus, 1, 2800);
    bus.clock().sleep(2 * SECOND);
    assert_eq!(joint(&bus, 2), 1500.0);
    assert!(bus.hand(2, Some(9000.0)));
    bus.clock().sleep(SECOND);
    assert_eq!(joint(&bus, 2), HIGH);
    assert_eq!(body.look(|pair| (pair.joints[1].position, pair.seen[1].held)), (HIGH, Some(HIGH)));
    assert!(bus.hand(2, None));
    bus.clock().sleep(SECOND);
    assert!(joint(&bus, 2) < HIGH);
    assert!(!bus.hand(7, None));
}

#[test]
fn what_breaks_breaks_in_a_body_as_well() {
    let body = Shared::new();
    let bus = body.bus("sts3215", 0);
    go(&bus, 1, 2000);
    bus.clock().sleep(SECOND);
    bus.brown_out();
    bus.clock().sleep(100 * MILLI);
    bus.settle();
    let (duty, volts) = body.look(|pair| (pair.seen[0].duty, pair.seen[0].volts));
    assert!(duty.is_none() && volts < 4.0);
    bus.clock().sleep(SECOND);
    assert!(!bus.servo(1).unwrap().torque);
    go(&bus, 1, 2000);
    bus.power_cycle();
    let mut wire = Bus::new(bus.wire(), Protocol::Feetech0);
    bus.unplug();
    assert!(wire.ping(1).is_err());
    bus.replug(None);
    wire.wire_mut().reopen().unwrap();
    let answer = wire.read(1, STS.get(Reg::TorqueEnable).unwrap()).unwrap();
    assert_eq!(answer.value, 0);
    bus.set_supply(6.0);
    bus.clock().sleep(100 * MILLI);
    bus.settle();
    assert!((body.look(|pair| pair.seen[0].volts) - 6.0).abs() < 0.5);
}

#[test]
fn a_dynamixel_forgets_turns_and_its_joint_does_not() {
    let body = Shared::new();
    {
        let mut pair = body.0.lock().unwrap();
        pair.stops = (-1e9, 1e9);
        pair.joints = [13_488.0, 13_488.0].map(|position| Turned { position, speed: 0.0 });
    }
    let bus = body.bus("xl330-m288", 0);
    assert_eq!(joint(&bus, 1), 1200.0);
    assert!(bus.hand(1, Some(-100.0)));
    assert_eq!(body.look(|pair| pair.joints[0].position), 3.0 * 4096.0 - 100.0);
    bus.power_cycle();
    assert_eq!(joint(&bus, 1), 3996.0);
    bus.clock().sleep(SECOND);
    bus.settle();
    assert_eq!(body.look(|pair| pair.joints[0].position), 3.0 * 4096.0 - 100.0);
    assert_eq!(joint(&bus, 1), 3996.0);
}

#[test]
fn after_a_long_silence_the_body_has_lived_four_seconds() {
    let body = Shared::new();
    let bus = body.bus("sts3215", 0);
    go(&bus, 1, 2500);
    bus.clock().sleep(3600 * SECOND);
    bus.settle();
    assert_eq!(body.look(|pair| pair.steps), 2000);
    bus.clock().sleep(2 * MILLI);
    bus.settle();
    assert_eq!(body.look(|pair| pair.steps), 2001);
}

#[test]
fn a_body_lives_from_when_it_is_made_whatever_the_clock_says() {
    let body = Shared::new();
    let (series, model) = by_name("sts3215").unwrap();
    let devices = [1, 2].map(|id| Device::new(series, model, id));
    let clock = Clock::virtual_time();
    clock.sleep(3600 * SECOND + MILLI);
    let bus = VirtualBus::embodied(devices.into(), Box::new(body.clone()), clock, 0);
    bus.settle();
    assert_eq!(body.look(|pair| pair.steps), 0);
    bus.clock().sleep(MILLI);
    bus.settle();
    assert_eq!(body.look(|pair| pair.steps), 1);
}

/// A minute of commands at odd instants, over the wire and by hand.
fn run(seed: u64, looks: bool) -> Vec<(f64, f64)> {
    let body = Shared::new();
    let bus = body.bus("sts3215", seed);
    bus.faults(crate::sim::FaultPlan::answers(0.05));
    let mut wire = Bus::new(bus.wire(), Protocol::Feetech0);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut seen = Vec::new();
    for _ in 0..300 {
        let until = bus.clock().now() + random.i64(1..400) * MILLI / 3;
        if looks {
            bus.clock().sleep((until - bus.clock().now()) / 2);
            bus.settle();
        }
        bus.clock().sleep_until(until);
        let id = random.u8(1..=2);
        match random.u8(..4) {
            0 => drop(bus.hand(id, random.bool().then_some(random.f64() * 4000.0))),
            1 => go(&bus, id, random.i32(0..4096)),
            // A damaged answer is one of the things that must come again the same.
            _ => drop(wire.read(id, STS.get(Reg::PresentPosition).unwrap())),
        }
        bus.settle();
        seen.push(body.look(|pair| (pair.joints[0].position, pair.joints[1].speed)));
    }
    seen
}

#[test]
fn the_same_seed_and_instants_give_the_same_motion_whoever_looks_on() {
    assert_eq!(run(3, false), run(3, false));
    assert_eq!(run(3, false), run(3, true));
    assert_ne!(run(3, false), run(4, false));
}

#[test]
fn a_body_slower_than_time_falls_behind_and_keeps_nobody_waiting() {
    let (body, clock) = (Shared::new(), Clock::virtual_time());
    let bus = embodied(Slow(body.clone(), clock.clone()), "sts3215", clock.clone(), 0);
    go(&bus, 1, 1500);
    for _ in 0..100 {
        clock.sleep(20 * MILLI);
        let asked = clock.now();
        let _state = bus.servo(1).unwrap();
        let waited = clock.now() - asked;
        assert!(waited <= PATIENCE, "an answer took {} ms", waited / MILLI);
    }
    // It goes on all the same, only slower.
    assert!((joint(&bus, 1) - 1500.0).abs() < 30.0, "{}", joint(&bus, 1));
}
