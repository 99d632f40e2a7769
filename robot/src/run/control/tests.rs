//! Loops over virtual arms.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use sinew_core::calibration::Calibration;
use sinew_drivers::arm::{ArmOptions, OnMismatch};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{FaultPlan, VirtualBus, arm};
use sinew_drivers::stop::StopPolicy;
use sinew_drivers::{ArmSpec, Bus};
use sinew_teleop::Lead;
use sinew_teleop::scripted::ScriptedHand;

fn arm(name: &str, clock: &Clock) -> (VirtualBus, Arm) {
    arm_that_stops(name, clock, StopPolicy::Limp)
}

fn arm_that_stops(name: &str, clock: &Clock, stop: StopPolicy) -> (VirtualBus, Arm) {
    let spec = ArmSpec::builtin(name).unwrap();
    let world = VirtualBus::new(arm::devices(&spec), clock.clone(), 3);
    let row =
        |id| Calibration { id, drive_mode: 0, homing_offset: 0, range_min: 500, range_max: 3500 };
    let rows: Vec<_> = spec.servos().map(|(name, id, _)| (name.to_owned(), row(id))).collect();
    let options = ArmOptions { on_mismatch: OnMismatch::Write, stop, ..ArmOptions::default() };
    let bus = Bus::new(world.wire(), spec.series.protocol);
    let mut arm = Arm::connect(spec, bus, &rows, options).unwrap();
    arm.configure().unwrap();
    (world, arm)
}

fn ran(kill: Option<u8>) -> Outcome {
    let clock = Clock::virtual_time();
    let (hand, leader) = arm("so101_leader", &clock);
    let (_world, follower) = arm("so101_follower", &clock);
    let mut pairs = [Pair::led(leader, Box::new(follower)).unwrap()];
    if let Some(id) = kill {
        hand.set_dead(id, true);
    }
    let pace = Pace { fps: 50.0, duration: Some(SECOND / 10) };
    let stats = Stats::new(0).unwrap();
    let ran = lap(&mut pairs, &clock, pace, stats, |_, _, _| ControlFlow::Continue(()));
    end(&mut pairs, ran)
}

#[test]
fn values_of_one_tick_are_a_few_milliseconds_apart_and_a_silent_joint_shows() {
    let well = ran(None);
    assert!(well.lap.error.is_none(), "{:?}", well.lap.error);
    let skew = well.lap.stats.json(&well.bus, &well.arms)["skew_ms"]["max"].as_f64().unwrap();
    assert!((0.1..10.0).contains(&skew), "{skew}");
    let silent = ran(Some(2));
    let skew = silent.lap.stats.json(&silent.bus, &silent.arms)["skew_ms"]["max"].as_f64().unwrap();
    assert!(skew >= 80.0, "not seen in any of five ticks: {skew}");
}

/// A source that has nothing to say yet.
struct Silent(Lead);

impl Source for Silent {
    fn read(&mut self, _now: Nanos) -> Result<&Lead, Error> {
        Ok(&self.0)
    }

    fn lead(&self) -> &Lead {
        &self.0
    }
}

#[test]
fn a_source_that_says_nothing_is_no_old_value() {
    let clock = Clock::virtual_time();
    let (_world, follower) = arm("so101_follower", &clock);
    let source = Silent(Lead::new(follower.spec().value_count()));
    let mut pairs = [Pair::new(Box::new(source), Box::new(follower))];
    let pace = Pace { fps: 50.0, duration: Some(SECOND / 10) };
    let stats = Stats::new(0).unwrap();
    let ran = lap(&mut pairs, &clock, pace, stats, |_, _, _| ControlFlow::Continue(()));
    assert!(ran.stats.skew.quantile(1.0) < 10_000, "{} µs", ran.stats.skew.quantile(1.0));
}

#[test]
fn waking_waiting_and_working_make_the_tick() {
    let outcome = ran(None);
    let most = |spans: &crate::run::stats::Spans| spans.quantile(1.0);
    let stats = &outcome.lap.stats;
    assert!(most(&stats.bus) > 500, "a bus at a megabit takes its time");
    assert!(most(&stats.work) < most(&stats.bus), "no time passes here but on the wire");
    assert!(most(&stats.tick) <= most(&stats.wake) + most(&stats.bus) + most(&stats.work) + 3);
}

#[test]
fn the_timer_is_not_blamed_for_a_tick_that_was_late() {
    let clock = Clock::virtual_time();
    let (_hand, leader) = arm("so101_leader", &clock);
    let (_world, follower) = arm("so101_follower", &clock);
    let mut pairs = [Pair::led(leader, Box::new(follower)).unwrap()];
    // Two buses at a megabit take longer than this.
    let pace = Pace { fps: 2000.0, duration: Some(SECOND / 10) };
    let stats = Stats::new(0).unwrap();
    let ran = lap(&mut pairs, &clock, pace, stats, |_, _, _| ControlFlow::Continue(()));
    assert!(ran.stats.late_ticks > 10, "{} late", ran.stats.late_ticks);
    assert!(ran.stats.tick.quantile(0.5) > 500, "{} µs", ran.stats.tick.quantile(0.5));
    // The least that is told apart.
    assert_eq!(ran.stats.wake.quantile(1.0), 1);
}

/// A leader that is held where it is.
struct Held(Leader);

impl Source for Held {
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        self.0.meet(now, &[0.0; 6])?;
        Ok(self.0.lead())
    }

    fn lead(&self) -> &Lead {
        self.0.lead()
    }

    fn let_go(&mut self) {
        self.0.let_go();
    }

    fn give_way(&mut self) -> Result<bool, Error> {
        self.0.give_way()
    }

    fn end(&mut self) -> Option<StopReport> {
        self.0.end()
    }
}

/// A leader that is held, and its follower.
fn held(clock: &Clock, stop: StopPolicy) -> (VirtualBus, VirtualBus, [Pair; 1], Lap) {
    let (hand, leader) = arm("so101_leader", clock);
    let (world, follower) = arm_that_stops("so101_follower", clock, stop);
    let source = Held(Leader::new(leader, &follower).unwrap());
    let mut pairs = [Pair::new(Box::new(source), Box::new(follower))];
    let ran = run(&mut pairs, clock, SECOND);
    assert!(ran.error.is_none() && hand.servos().iter().all(|servo| servo.torque));
    (hand, world, pairs, ran)
}

fn run(pairs: &mut [Pair], clock: &Clock, span: Nanos) -> Lap {
    let pace = Pace { fps: 50.0, duration: Some(span) };
    lap(pairs, clock, pace, Stats::new(0).unwrap(), |_, _, _| ControlFlow::Continue(()))
}

#[test]
fn a_leader_is_limp_before_its_follower_begins_to_park() {
    let clock = Clock::virtual_time();
    let (hand, world, mut pairs, ran) = held(&clock, StopPolicy::Park);
    let packets = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let seen = packets.clone();
    let leader = hand.clone();
    world.observe(Box::new(move |_| {
        let stiff = leader.servos().iter().any(|servo| servo.torque);
        seen[usize::from(stiff)].fetch_add(1, Ordering::Relaxed);
    }));
    let began = clock.now();
    let outcome = end(&mut pairs, ran);
    assert!(clock.now() - began > SECOND, "it parks");
    let [limp, stiff] = [0, 1].map(|place: usize| packets[place].load(Ordering::Relaxed));
    assert!(limp > 100 && stiff == 0, "{stiff} of {limp} packets too early");
    let arms: Vec<_> = outcome.stopped.iter().map(|one| (one.arm.as_str(), one.ok())).collect();
    assert_eq!(arms, [("so101_follower", true), ("so101_leader", true)]);
}

#[cfg(feature = "policies")]
#[test]
fn no_follower_waits_for_a_leader_that_another_source_takes_over_from() {
    let clock = Clock::virtual_time();
    let (hand, _world, mut pairs, _) = held(&clock, StopPolicy::Limp);
    (1..=6).for_each(|id| assert!(hand.set_dead(id, true)));
    let began = clock.now();
    let silent = Silent(Lead::new(pairs[0].follower.spec().value_count()));
    pairs[0].drive(Box::new(silent));
    assert!(clock.now() - began < 10 * MILLI);
    let ran = run(&mut pairs, &clock, SECOND);
    assert!(ran.error.is_none() && ran.stats.late_ticks == 0, "{} late", ran.stats.late_ticks);
    // It hears again, and is told.
    (1..=6).for_each(|id| assert!(hand.set_dead(id, false)));
    run(&mut pairs, &clock, SECOND / 2);
    assert!(hand.servos().iter().all(|servo| !servo.torque));
    assert!(end(&mut pairs, ran).stopped.iter().all(StopReport::ok));
}

/// A source that asks for too much, now and then for what is no number, and leaps.
struct Wild(Lead, u64);

impl Source for Wild {
    fn read(&mut self, now: Nanos) -> Result<&Lead, Error> {
        self.1 += 1;
        let seconds = now as f64 / SECOND as f64;
        for (place, value) in self.0.values.iter_mut().enumerate() {
            let wave = 130.0 * (seconds * (0.3 + place as f64 / 10.0)).sin();
            *value = match self.1 % 997 {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => -wave,
                _ => wave,
            };
        }
        Ok(&self.0)
    }

    fn lead(&self) -> &Lead {
        &self.0
    }
}

#[test]
fn an_hour_of_faults_and_wild_commands_loses_no_tick_and_ends_safe() {
    const FPS: u64 = 30;
    let clock = Clock::virtual_time();
    let (world, follower) = arm("so101_follower", &clock);
    let mut lead = Lead::new(follower.spec().value_count());
    lead.age = 0;
    let mut pairs = [Pair::new(Box::new(Wild(lead, 0)), Box::new(follower))];
    world.faults(FaultPlan { brownout: 2e-5, ..FaultPlan::answers(2e-3) });
    let (mut seen, mut moved) = (0, 0);
    let mut last = 0;
    let pace = Pace { fps: FPS as f64, duration: Some(3600 * SECOND) };
    let ran = lap(&mut pairs, &clock, pace, Stats::new(0).unwrap(), |tick, pairs, _| {
        last = tick.number;
        assert!(pairs[0].follower.sent().values.iter().all(|value| value.is_finite()));
        if tick.number.is_multiple_of(FPS / 3) {
            for servo in world.servos() {
                // One that has started again has been told nothing yet.
                let told = servo.torque;
                assert!(!told || (500..=3500).contains(&servo.goal), "{servo:?}");
                seen += u64::from(told);
                moved += u64::from((servo.joint - 2048.0).abs() > 700.0);
            }
        }
        ControlFlow::Continue(())
    });
    assert!(ran.error.is_none(), "{:?}", ran.error);
    let hour = 3600 * FPS;
    assert!(hour - last <= 2, "{last}");
    assert!(
        ran.stats.ticks * 100 > hour * 99,
        "{} ticks, {} late",
        ran.stats.ticks,
        ran.stats.late_ticks
    );
    let counts = world.fault_counts();
    let met = [
        counts.lost,
        counts.late,
        counts.truncated,
        counts.corrupted,
        counts.duplicated,
        counts.noise,
        counts.brownouts,
    ];
    assert!(met.iter().all(|met| *met > 0), "{counts:?}");
    let all = hour / (FPS / 3) * 6;
    assert!(seen * 100 > all * 99 && moved * 2 > all, "{seen} and {moved} of {all}");
    let outcome = end(&mut pairs, ran);
    // Every fault is told.
    let (bus, arms) = (outcome.bus, outcome.arms);
    assert!(bus.retries > 0 && bus.corrupt > 0 && bus.stray > 0, "{bus:?}");
    assert!(arms.stale > 0 && arms.torque_lost > 0, "{arms:?}");
    assert!(outcome.stopped.iter().all(StopReport::ok));
    assert!(world.servos().iter().all(|servo| !servo.torque));
}

#[test]
fn whatever_fails_on_either_bus_the_follower_is_never_told_to_leap() {
    let moves = ScriptedHand::new(6, 1);
    let hold = |hand: &VirtualBus, now: Nanos| {
        for id in 1..=6_u8 {
            let share = moves.position(usize::from(id) - 1, now);
            hand.hand(id, Some(500.0 + 3000.0 * share));
        }
    };
    let (mut widest, mut ends): (f64, Vec<_>) = (0.0, Vec::new());
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let clock = Clock::virtual_time();
        let (hand, leader) = arm("so101_leader", &clock);
        let (world, follower) = arm("so101_follower", &clock);
        let mut pairs = [Pair::led(leader, Box::new(follower)).unwrap()];
        hold(&hand, clock.now());
        let chance = [0.0, 0.001, 0.02, 0.2][random.usize(..4)];
        let plan = FaultPlan { brownout: chance / 100.0, ..FaultPlan::answers(chance) };
        hand.faults(plan);
        world.faults(plan);
        let mut before: Option<Vec<f64>> = None;
        let pace = Pace { fps: 50.0, duration: Some(10 * SECOND) };
        let ran = lap(&mut pairs, &clock, pace, Stats::new(0).unwrap(), |tick, pairs, _| {
            hold(&hand, tick.began);
            for bus in [&hand, &world] {
                if random.u32(..100) == 0 {
                    bus.set_dead(random.u8(1..=6), random.u8(..3) == 0);
                }
            }
            let follower = &pairs[0].follower;
            let (sent, there) = (&follower.sent().values, &follower.observation().values);
            if let Some(before) = &before {
                let told = before.iter().zip(there).zip(sent);
                let ways = told.map(|((a, b), sent)| (a - sent).abs().min((b - sent).abs()));
                widest = ways.fold(widest, f64::max);
            }
            before = (!sent.is_empty()).then(|| sent.clone());
            ControlFlow::Continue(())
        });
        let last = pairs[0].follower.sent().values.clone();
        ends.push(ran.error.is_some());
        end(&mut pairs, ran);
        assert!(last.iter().all(|value| value.is_finite()), "{last:?}");
    }
    assert!(ends.contains(&true) && ends.contains(&false), "one joint silent for long, and none");
    // The hand moves up to 100 degrees a second, and nothing older than a fifth of a second is gone by.
    assert!(widest < 21.0, "{widest}");
}
