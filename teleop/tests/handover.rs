//! A leader comes to the follower before a person takes it, and is limp when they do.

// All of it is test code, helpers included: a failure is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use sinew_drivers::arm::{ArmOptions, OnMismatch};
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::stop::{Cause, StopFlag};
use sinew_drivers::{Arm, ArmSpec, Bus, Clock, Error, Nanos};
use sinew_teleop::fed::{BLEND, Chunk, Feeder, fed};
use sinew_teleop::handover::{Baton, Handover, Turn};
use sinew_teleop::ramp::PAUSE;
use sinew_teleop::{Leader, Source};

const TICK: Nanos = 16 * MILLI;

/// A follower that a policy drives, and a leader beside it.
struct Bench {
    clock: Clock,
    hand: VirtualBus,
    world: VirtualBus,
    follower: Arm,
    handover: Handover,
    feeder: Feeder,
    baton: Baton,
    flag: StopFlag,
    due: Nanos,
    /// How far the middles of the joints' ranges lie apart, in counts.
    middles: Vec<i32>,
}

/// Where the policy has the follower.
const PLACE: [f64; 6] = [40.0, -30.0, 20.0, 30.0, -25.0, 70.0];

/// A virtual arm whose first joint's range ends `before` its stops, and the middle of each range.
fn arm(name: &str, clock: &Clock, flag: &StopFlag, before: i32) -> (VirtualBus, Arm, Vec<i32>) {
    let spec = ArmSpec::builtin(name).unwrap();
    let mut devices = sim::arm::assembled(&spec);
    let mut calibration = sim::arm::calibrate(&mut devices, &spec);
    calibration[0].1.range_min += before;
    calibration[0].1.range_max -= before;
    let world = VirtualBus::new(devices, clock.clone(), 1);
    let bus = Bus::new(world.wire(), spec.series.protocol);
    let (stop_flag, on_mismatch) = (Some(flag.clone()), OnMismatch::Write);
    let options = ArmOptions { stop_flag, on_mismatch, ..ArmOptions::default() };
    let mut arm = Arm::connect(spec, bus, &calibration, options).unwrap();
    arm.configure().unwrap();
    let middles = calibration.iter().map(|(_, row)| row.range_min.midpoint(row.range_max));
    (world, arm, middles.collect())
}

impl Bench {
    /// The policy has brought the follower to its place; the leader is where it lay.
    fn new(smooth: bool) -> Self {
        Self::with(smooth, 0)
    }

    /// The same with a leader whose first joint's range ends so many counts before its stops.
    fn with(smooth: bool, before: i32) -> Self {
        let (clock, flag) = (Clock::virtual_time(), StopFlag::new());
        let (hand, leader, middles) = arm("so101_leader", &clock, &flag, before);
        let (world, follower, others) = arm("so101_follower", &clock, &flag, 0);
        let middles = middles.into_iter().zip(others).map(|(one, other)| one - other).collect();
        let (mut feeder, policy) = fed(0, 6);
        let baton = Baton::new(smooth);
        let leader = Leader::new(leader, &follower).unwrap();
        let handover = Handover::new(policy, Box::new(leader), baton.clone());
        feed(&mut feeder, &clock);
        let due = clock.now();
        let mut bench =
            Self { clock, hand, world, follower, handover, feeder, baton, flag, due, middles };
        bench.run(4 * SECOND);
        assert!(bench.apart(&PLACE) < 5.0, "{:?}", bench.follower.observation().values);
        assert!(bench.is_limp());
        bench
    }

    /// One tick, as the loop makes it; says how far the follower's goal went.
    fn tick(&mut self) -> Result<f64, Error> {
        self.due += TICK;
        self.clock.sleep_until(self.due);
        let before = self.handover.lead().clone();
        self.handover.read(self.clock.now())?;
        self.follower.observe()?;
        let lead = self.handover.lead();
        if lead.age <= PAUSE {
            self.follower.command(&lead.values)?;
        }
        if before.age == Nanos::MAX {
            return Ok(0.0);
        }
        Ok(apart(&before.values, &lead.values))
    }

    /// Ticks for so long; says how far the follower's goal went at once at most.
    fn run(&mut self, span: Nanos) -> f64 {
        let ticks = 0..span / TICK;
        ticks.map(|_| self.tick().unwrap()).fold(0.0, f64::max)
    }

    /// Ticks until then.
    fn run_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Nanos {
        let began = self.due;
        while !done(self) {
            assert!(self.due - began < 20 * SECOND, "never {what}");
            self.tick().unwrap();
        }
        self.due - began
    }

    fn apart(&self, place: &[f64]) -> f64 {
        apart(&self.follower.observation().values, place)
    }

    /// How far the leader is from the follower, in counts of the worst joint but the gripper.
    fn off(&self) -> i32 {
        let servos = self.hand.servos().into_iter().zip(self.world.servos()).take(5);
        let off = servos.zip(&self.middles);
        off.map(|((one, other), middle)| (one.position - other.position - middle).abs())
            .max()
            .unwrap()
    }

    fn is_limp(&self) -> bool {
        self.hand.servos().iter().all(|servo| !servo.torque)
    }

    fn is_braced(&self) -> bool {
        self.hand.servos().iter().all(|servo| servo.torque)
    }
}

fn feed(feeder: &mut Feeder, clock: &Clock) {
    let rows = [PLACE.to_vec(), PLACE.to_vec()].concat();
    let chunk = Chunk { first: clock.now(), rate: 1.0, blend: BLEND, width: 6, rows };
    assert!(feeder.feed(Arc::new(chunk)));
}

fn apart(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_leader_comes_while_the_policy_pauses_and_gives_way_to_a_person() {
    let mut bench = Bench::new(true);
    assert!(bench.off() > 200, "it lies elsewhere: {}", bench.off());
    bench.baton.give(Turn::Pause);
    assert_eq!(bench.run(2 * SECOND + SECOND / 2), 0.0, "the follower stands still");
    assert!(bench.is_braced() && bench.off() < 60, "{}", bench.off());
    assert!(!bench.handover.corrects());
    // It is held there for as long as the pause lasts.
    bench.run(10 * SECOND);
    assert!(bench.is_braced() && bench.off() < 60, "{}", bench.off());
    bench.baton.give(Turn::Person);
    let took = bench.run_until("a person's", |bench| bench.handover.corrects());
    assert!(took < SECOND / 2, "it is there already: {} ms", took / MILLI);
    assert!(bench.is_limp());
    // The hand moves it, and the follower goes along without a jump.
    let stood = bench.world.servo(1).unwrap().position;
    let stands = bench.hand.servo(1).unwrap().joint;
    bench.hand.hand(1, Some(stands + 100.0));
    bench.run(SECOND);
    let followed = bench.world.servo(1).unwrap().position - stood;
    assert!((60..140).contains(&followed), "{followed}");
    bench.hand.hand(1, None);
    assert!(bench.is_limp());
    // After the correction it is held where it is, and lets go before the policy drives.
    bench.baton.give(Turn::Pause);
    bench.run(SECOND);
    assert!(bench.is_braced());
    bench.baton.give(Turn::Policy);
    feed(&mut bench.feeder, &bench.clock);
    bench.run(3 * SECOND);
    assert!(bench.is_limp() && bench.baton.trouble().is_none());
    assert!(bench.apart(&PLACE) < 5.0, "{:?}", bench.follower.observation().values);
}

#[test]
fn without_a_pause_the_person_waits_for_it() {
    let mut bench = Bench::new(true);
    bench.baton.give(Turn::Person);
    let took = bench.run_until("a person's", |bench| bench.handover.corrects());
    assert!((2 * SECOND..4 * SECOND).contains(&took), "{} ms", took / MILLI);
    assert!(bench.is_limp() && bench.apart(&PLACE) < 6.0, "the follower hardly moved");
    // Handed over and taken back in haste.
    for turn in [Turn::Pause, Turn::Policy, Turn::Person, Turn::Pause, Turn::Person, Turn::Policy] {
        bench.baton.give(turn);
        assert!(bench.run(4 * TICK) < 3.0);
    }
    bench.run(SECOND);
    assert!(bench.is_limp());
}

#[test]
fn it_stays_limp_where_nobody_wants_it_to_come() {
    let mut bench = Bench::new(false);
    for turn in [Turn::Pause, Turn::Person] {
        bench.baton.give(turn);
        for _ in 0..100 {
            bench.tick().unwrap();
            assert!(bench.is_limp());
        }
    }
    bench.run_until("a person's", |bench| bench.handover.corrects());
    assert!(bench.off() < 60, "the follower went to it: {}", bench.off());
}

#[test]
fn a_signal_in_the_middle_of_its_way_leaves_it_limp() {
    for (turn, ticks) in [(Turn::Pause, 3), (Turn::Pause, 60), (Turn::Person, 60)] {
        let mut bench = Bench::new(true);
        bench.baton.give(turn);
        (0..ticks).for_each(|_| assert!(bench.tick().is_ok()));
        assert!(!bench.is_limp());
        bench.flag.raise(Cause::Interrupt, None);
        // Whichever arm looks first.
        let ended = (0..3).find_map(|_| bench.tick().err());
        assert!(matches!(ended, Some(Error::Stopped { cause: Cause::Interrupt })), "{ended:?}");
        let stopped = bench.handover.end().unwrap();
        assert!(stopped.motors.iter().all(|motor| motor.ok), "{stopped:?}");
        assert!(bench.is_limp());
    }
    // And so does the end of the program, whatever it is.
    let mut bench = Bench::new(true);
    bench.baton.give(Turn::Pause);
    bench.run(SECOND);
    assert!(bench.is_braced());
    drop(bench.handover);
    assert!(bench.hand.servos().iter().all(|servo| !servo.torque));
}

#[test]
fn a_motor_that_never_says_it_is_limp_is_told() {
    let mut bench = Bench::new(true);
    bench.baton.give(Turn::Pause);
    bench.run(3 * SECOND);
    bench.baton.give(Turn::Person);
    bench.hand.set_dead(2, true);
    bench.run_until("told", |bench| bench.baton.trouble().is_some());
    let trouble = bench.baton.trouble().unwrap();
    assert!(trouble.error.is_none(), "{trouble:?}");
    assert_eq!(trouble.stiff, ["shoulder_lift"]);
    bench.run(10 * SECOND);
    assert!(!bench.handover.corrects(), "a leader that is not heard leads nobody");
    assert!(bench.apart(&PLACE) < 6.0, "the follower waits where it is");
    // The cable was loose, and is not any more.
    bench.hand.set_dead(2, false);
    bench.run_until("a person's", |bench| bench.handover.corrects());
    assert!(bench.is_limp());
}

#[test]
fn what_goes_wrong_on_its_way_lets_the_follower_go_to_it() {
    for turn in [Turn::Pause, Turn::Person] {
        let mut bench = Bench::new(true);
        bench.baton.give(turn);
        bench.run(SECOND);
        assert!(bench.is_braced());
        bench.hand.set_dead(3, true);
        bench.run_until("told", |bench| bench.baton.trouble().is_some());
        let trouble = bench.baton.trouble().unwrap();
        assert!(matches!(trouble.error, Some(Error::Blind { .. })), "{trouble:?}");
        assert_eq!(trouble.stiff, ["elbow_flex"]);
        assert!(!bench.baton.is_smooth());
        let limp = bench.hand.servos().iter().filter(|servo| !servo.torque).count();
        assert_eq!(limp, 5, "but for the one that hears nothing");
        // It was only the cable: the motor hears again, whoever's turn it is.
        bench.hand.set_dead(3, false);
        bench.baton.give(Turn::Policy);
        feed(&mut bench.feeder, &bench.clock);
        bench.run(SECOND);
        assert!(bench.is_limp());
        bench.baton.give(Turn::Person);
        bench.run_until("a person's", |bench| bench.handover.corrects());
        assert!(bench.run(SECOND) < 3.0 && bench.is_limp());
        assert!(bench.handover.end().is_none_or(|stop| stop.ok()));
        assert!(bench.is_limp());
    }
}

#[test]
fn a_leader_whose_cable_is_pulled_on_its_way_is_limp_once_it_is_back() {
    for (turn, next) in [(Turn::Pause, Turn::Policy), (Turn::Person, Turn::Person)] {
        let mut bench = Bench::new(true);
        bench.baton.give(turn);
        bench.run(SECOND);
        assert!(bench.is_braced());
        bench.hand.unplug();
        bench.run_until("told", |bench| bench.baton.trouble().is_some());
        assert_eq!(bench.baton.trouble().unwrap().stiff.len(), 6);
        bench.baton.give(next);
        feed(&mut bench.feeder, &bench.clock);
        bench.run(3 * SECOND);
        assert!(!bench.handover.corrects() && bench.is_braced());
        bench.hand.replug(None);
        bench.run(SECOND / 8);
        assert!(bench.is_limp(), "the first thing it hears");
        bench.run(SECOND);
        bench.baton.give(Turn::Person);
        bench.run_until("a person's", |bench| bench.handover.corrects());
        assert!(bench.run(SECOND) < 3.0 && bench.is_limp());
        assert!(bench.handover.end().is_none(), "it was not stopped: it leads");
        assert!(bench.is_limp());
    }
}

#[test]
fn a_leader_whose_cable_is_pulled_before_it_came_leads_once_it_is_back() {
    let mut bench = Bench::new(true);
    bench.hand.unplug();
    bench.baton.give(Turn::Pause);
    bench.run(2 * SECOND);
    assert!(bench.baton.trouble().is_some());
    bench.baton.give(Turn::Person);
    bench.run(2 * SECOND);
    bench.hand.replug(None);
    bench.run_until("a person's", |bench| bench.handover.corrects());
    assert!(bench.is_limp());
}

#[test]
fn a_leader_without_power_keeps_no_tick() {
    for (turn, ticks) in
        [(Turn::Pause, 0), (Turn::Pause, 3), (Turn::Person, 60), (Turn::Person, 100)]
    {
        let mut bench = Bench::new(true);
        bench.baton.give(turn);
        (0..ticks).for_each(|_| assert!(bench.tick().is_ok()));
        (1..=6).for_each(|id| assert!(bench.hand.set_dead(id, true)));
        for tick in 0..600 {
            match tick {
                200 => bench.baton.give(Turn::Policy),
                300 => bench.baton.give(Turn::Person),
                400 => bench.baton.give(Turn::Pause),
                _ => {}
            }
            let due = bench.due + TICK;
            bench.clock.sleep_until(due);
            bench.tick().unwrap();
            let took = bench.clock.now() - due;
            assert!(took < 40 * MILLI, "{turn:?} {ticks}: tick {tick} took {} ms", took / MILLI);
            bench.due = bench.due.max(bench.clock.now() - TICK);
        }
        assert_eq!(bench.baton.trouble().unwrap().stiff.len(), 6);
        (1..=6).for_each(|id| assert!(bench.hand.set_dead(id, false)));
        bench.run(SECOND);
        assert!(bench.is_limp());
    }
}

#[test]
fn a_leader_that_stands_outside_its_range_is_not_pulled_into_it() {
    let mut bench = Bench::with(true, 300);
    bench.hand.hand(1, Some(9000.0));
    bench.run(2 * SECOND);
    bench.baton.give(Turn::Pause);
    for _ in 0..100 {
        bench.tick().unwrap();
        assert!(bench.is_limp());
    }
    let error = &bench.baton.trouble().unwrap().error;
    assert!(matches!(error, Some(Error::OutsideRange { .. })), "{error:?}");
    bench.baton.give(Turn::Person);
    bench.run_until("a person's", |bench| bench.handover.corrects());
}

#[test]
fn a_wish_to_stop_is_no_trouble_of_the_leaders() {
    let mut bench = Bench::new(true);
    bench.baton.give(Turn::Pause);
    bench.run(3 * SECOND);
    bench.flag.raise(Cause::Remote, None);
    assert!(bench.tick().is_err());
    assert!(bench.is_limp() && bench.baton.trouble().is_none());
    // Others wait for both arms, and hear of each once.
    assert!(bench.flag.wait_for_reports(std::time::Duration::ZERO).is_empty());
    bench.follower.end();
    bench.handover.end().unwrap();
    let reports = bench.flag.wait_for_reports(std::time::Duration::ZERO);
    let arms: Vec<_> = reports.iter().map(|report| (report.arm.as_str(), report.cause)).collect();
    assert_eq!(arms, [("so101_leader", Cause::Remote), ("so101_follower", Cause::Remote)]);
}

#[test]
fn whoever_stops_it_waits_for_the_follower_though_the_leaders_port_is_lost() {
    let mut bench = Bench::new(true);
    bench.baton.give(Turn::Pause);
    bench.run(SECOND);
    bench.hand.unplug();
    bench.run(2 * SECOND);
    bench.flag.raise(Cause::Remote, None);
    let waits = |bench: &Bench| bench.flag.wait_for_reports(std::time::Duration::ZERO).len();
    assert!(!bench.handover.end().unwrap().ok());
    assert_eq!((waits(&bench), bench.follower.end().ok(), waits(&bench)), (1, true, 2));
}
