//! The port of the bridge: whole actions down, whole observations up, and what the board does when
//! nobody speaks any more.

use sinew_core::bridge::{FRAME_ROOM, Goals, Mode, Request, Stop, Torque, VERSION};
use sinew_drivers::sim::FaultPlan;

use super::lab::{Answer, Lab};

/// From one action to the next, in microseconds.
const TICK: u64 = 20_000;

/// How often servos miss what they are told.
const DEAF: f64 = 0.3;

/// What can go wrong with answers on a wire, each now and then.
fn faults() -> FaultPlan {
    FaultPlan {
        lost: 0.02,
        late: 0.01,
        truncated: 0.01,
        corrupted: 0.02,
        duplicated: 0.01,
        noise: 0.02,
        ..FaultPlan::default()
    }
}

/// Moves the arm by this many counts in a second, and returns the last goals.
fn moves(lab: &mut Lab, by: i32) -> [i32; 6] {
    let start: [i32; 6] =
        std::array::from_fn(|joint| lab.bus.servo(joint as u8 + 1).unwrap().position);
    let mut goals = start;
    for tick in 1..=50 {
        let next = lab.now() + TICK;
        goals = start.map(|place| place + by * tick / 50);
        lab.act(goals);
        lab.run_until(next);
    }
    goals
}

fn follows(test: &str, plan: FaultPlan, deaf: f64) {
    let Some(mut lab) = Lab::start(test, plan, 7) else { return };
    assert_eq!(lab.ask(&Request::Hello { version: VERSION }), Answer::Described);
    lab.engage(200, 1000, Stop::Limp);
    lab.deaf = deaf;
    let goals = moves(&mut lab, 150);
    for _ in 0..25 {
        let next = lab.now() + TICK;
        lab.act(goals);
        lab.run_until(next);
    }
    let seen = lab.act(goals);
    assert_eq!((seen.mode, seen.joints().len()), (Mode::Running, 6));
    for (joint, goal) in seen.joints().iter().zip(goals) {
        assert!(joint.position.abs_diff(goal) <= 20 && joint.goal == goal, "{joint:?} for {goal}");
        assert!(
            joint.torque == Torque::On && joint.supply_dv > 0 && joint.celsius > 0,
            "{joint:?}"
        );
    }
    for (id, goal) in (1..).zip(goals) {
        let truly = lab.bus.servo(id).unwrap().position;
        assert!(truly.abs_diff(goal) <= 20, "joint {id} is at {truly}, its goal was {goal}");
    }
    if plan == FaultPlan::default() && deaf == 0.0 {
        // The first cycle may come to nothing: how long the servos take is not known before it.
        assert!(seen.counts.missed <= 6 && seen.counts.late == 0, "{:?}", seen.counts);
    } else {
        assert!(seen.counts.missed > 0, "{:?}", seen.counts);
    }
    let (instructions, stack) = lab.cost;
    eprintln!("{test}: {instructions} instructions in a step, {stack} bytes of stack, at most");
}

#[test]
fn a_whole_action_goes_down_and_a_whole_observation_comes_back() {
    follows("an action through the firmware", FaultPlan::default(), 0.0);
}

#[test]
fn so_they_do_on_a_wire_with_faults() {
    follows("an action through the firmware, with faults", faults(), 0.0);
}

#[test]
fn so_they_do_where_servos_miss_commands() {
    follows("an action through the firmware, with lost commands", faults(), DEAF);
}

/// Takes the bus from the board, which keeps it until the motors say that they are stopped.
fn let_go(lab: &mut Lab) {
    for _ in 0..100 {
        if lab.ask(&Request::Release) == Answer::Done {
            return;
        }
        lab.run_until(lab.now() + TICK);
    }
    panic!("the board keeps the bus");
}

/// So often the host is killed at random instants, in each case; the environment may ask for more.
fn deaths() -> u64 {
    std::env::var("SINEW_FIRMWARE_DEATHS").map_or(20, |deaths| deaths.parse().unwrap())
}

/// Kills the host at random instants, and looks at the motors as soon as they must be stopped.
fn killed(test: &str, plan: FaultPlan, deaf: f64, stop: Stop, allowed: u64) {
    let Some(mut lab) = Lab::start(test, plan, 11) else { return };
    let (hold, end) = (60, 120);
    for seed in 0..deaths() {
        lab.deaf = 0.0;
        let period = u64::from(lab.engage(hold, end, stop));
        assert_eq!(lab.torques(), [true; 6]);
        lab.deaf = deaf;
        let start: [i32; 6] =
            std::array::from_fn(|joint| lab.bus.servo(joint as u8 + 1).unwrap().position);
        let mut random = fastrand::Rng::with_seed(seed);
        let by = if seed % 2 == 0 { 60 } else { -60 };
        let steps = random.i32(2..8);
        for tick in 1..steps {
            let next = lab.now() + TICK;
            lab.act(start.map(|place| place + by * tick / 8));
            lab.run_until(next);
        }
        // Its last whole word, some time later a part of another, and then nothing.
        let goals = Goals::new(start.map(|place| place + by * steps / 8)).unwrap();
        lab.tell(&Request::Act { over_us: 0, goals });
        let told = lab.now();
        let instant = told + random.u64(0..TICK);
        lab.run_until(instant);
        let mut frame = [0; FRAME_ROOM];
        let goals = Goals::new(start).unwrap();
        let len = Request::Act { over_us: 0, goals }.encode(0, &mut frame).unwrap();
        lab.babble(&frame[..random.usize(..len)]);
        lab.run_until(told + u64::from(end) * 1000 + allowed * period);
        let want = if stop == Stop::Limp { [false; 6] } else { [true; 6] };
        assert_eq!(lab.torques(), want, "host {seed} was killed at {instant} us");
        lab.babble(&[0]);
        assert_eq!(lab.ask(&Request::Watch), Answer::Observation);
        let seen = lab.seen.unwrap();
        assert_eq!(seen.mode, Mode::Stopped, "host {seed}");
        assert_eq!(u64::from(seen.counts.stops), seed + 1);
        let_go(&mut lab);
        lab.run_until(lab.now() + TICK);
    }
    eprintln!("{test}: killed at {} instants", deaths());
}

#[test]
fn whenever_the_host_is_killed_the_motors_are_limp_a_cycle_after_its_time() {
    killed("a killed host", FaultPlan::default(), 0.0, Stop::Limp, 1);
}

#[test]
fn whenever_the_host_is_killed_the_motors_hold_where_that_was_asked_for() {
    killed("a killed host, arm held", FaultPlan::default(), 0.0, Stop::Hold, 1);
}

#[test]
fn a_host_killed_on_a_wire_with_faults_leaves_the_motors_limp() {
    killed("a killed host, with faults", faults(), 0.0, Stop::Limp, 5);
}

#[test]
fn a_host_killed_where_servos_miss_commands_leaves_the_motors_limp() {
    killed("a killed host, with lost commands", faults(), DEAF, Stop::Limp, 10);
}

#[test]
fn nonsense_on_the_port_of_the_bridge_leaves_the_arm_alone() {
    let Some(mut lab) = Lab::start("nonsense", FaultPlan::default(), 3) else { return };
    lab.engage(1000, 2000, Stop::Limp);
    let goals = moves(&mut lab, 50);
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..20 {
        let bytes: Vec<u8> = (0..random.usize(1..400)).map(|_| random.u8(..)).collect();
        lab.babble(&bytes);
        lab.run_until(lab.now() + 1_000);
    }
    // A zero ends whatever the last one began.
    lab.babble(&[0]);
    let seen = lab.act(goals);
    assert_eq!(seen.mode, Mode::Running);
    assert!(seen.counts.refused > 0, "{:?}", seen.counts);
    assert_eq!(lab.torques(), [true; 6]);
}

#[test]
fn while_the_board_runs_the_bus_nobody_else_is_heard() {
    let Some(mut lab) = Lab::start("two programs", FaultPlan::default(), 5) else { return };
    let ping = [0xFF, 0xFF, 2, 2, 1, 0xFA];
    lab.asked = ping.to_vec();
    lab.run_until(lab.now() + 5_000);
    assert_eq!(lab.answered, [0xFF, 0xFF, 2, 2, 0, 0xFB]);
    lab.run_until(lab.now() + 500_000);

    lab.answered.clear();
    lab.engage(1000, 2000, Stop::Limp);
    lab.asked = ping.to_vec();
    moves(&mut lab, 50);
    assert!(lab.answered.is_empty(), "{:?}", lab.answered);

    let_go(&mut lab);
    lab.run_until(lab.now() + 500_000);
    lab.asked = ping.to_vec();
    lab.run_until(lab.now() + 5_000);
    assert_eq!(lab.answered, [0xFF, 0xFF, 2, 2, 0, 0xFB]);
}

/// A packet of 64 bytes that has every joint go to one end, eight times, and then some of it.
fn wild() -> Vec<u8> {
    let body = [0xFE, 10, 0x83, 42, 2, 1, 0, 0, 2, 0, 0];
    let sum = body.into_iter().fold(0_u8, u8::wrapping_add);
    let packet = [&[0xFF, 0xFF], &body[..], &[!sum]].concat();
    packet.into_iter().cycle().take(64).collect()
}

#[test]
fn a_flood_on_the_first_port_keeps_neither_a_cycle_nor_the_bridge_waiting() {
    let test = "a flood on the first port";
    let Some(mut lab) = Lab::start(test, FaultPlan::default(), 9) else { return };
    let period = u64::from(lab.engage(60, 120, Stop::Limp));
    let start: [i32; 6] =
        std::array::from_fn(|joint| lab.bus.servo(joint as u8 + 1).unwrap().position);
    lab.run_until(lab.now() + 3 * period);
    let before = lab.act(start);
    lab.flood = wild();
    lab.cost = (0, 0);
    let mut seen = before;
    for tick in 1..=15 {
        let next = lab.now() + TICK;
        seen = lab.act(start.map(|place| place + 4 * tick));
        lab.run_until(next);
    }
    let cycles = (seen.asked_us - before.asked_us) / period;
    assert_eq!(u64::from(seen.cycle - before.cycle), cycles, "{seen:?}");
    let (late, missed) = (before.counts.late, before.counts.missed);
    assert_eq!((seen.counts.late, seen.counts.missed), (late, missed), "{seen:?}");
    for (joint, start) in seen.joints().iter().zip(start) {
        assert!(joint.goal.abs_diff(start + 60) <= 8, "{joint:?} from {start}");
    }
    assert!(lab.answered.is_empty());

    let told = lab.now();
    lab.run_until(told + 120_000 + period);
    assert_eq!(lab.torques(), [false; 6]);
    eprintln!("{test}: {} instructions in a step, at most", lab.cost.0);
}
