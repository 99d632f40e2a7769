//! A thousand ways to end: whatever it is, the arm is left in the state its owner chose.
//!
//! 250 each of a signal to the process, a panic in the control loop, an unplugged adapter and a
//! motor that dies, at moments drawn at random, in turn with each stop policy. What counts is what
//! the virtual servos themselves hold in the end.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use sinew_drivers::arm::ArmOptions;
use sinew_drivers::clock::SECOND;
use sinew_drivers::sim::ServoState;
use sinew_drivers::stop::{Cause, StopFlag, StopPolicy};
use sinew_drivers::{Arm, Error};

use crate::world::{TICK, World, wave};

/// Of each kind.
const KILLS: u64 = 250;
/// How near to its rest pose a parked joint lies, in counts: play, and what it sank when it went
/// limp.
const NEAR: i32 = 60;

fn policy(round: u64) -> StopPolicy {
    [StopPolicy::Hold, StopPolicy::Park, StopPolicy::Limp][(round % 3) as usize]
}

fn options(round: u64) -> ArmOptions {
    // Quick parking keeps the simulated hours down.
    ArmOptions { stop: policy(round), park_speed: 120.0, ..ArmOptions::default() }
}

/// When to end, in ticks from the start.
fn moment(round: u64) -> u64 {
    // Knuth's multiplicative hash spreads the rounds over the first second.
    round.wrapping_mul(2_654_435_761) % 50 + 2
}

fn tick(world: &World, arm: &mut Arm) -> Result<(), Error> {
    let clock = world.bus.clock();
    clock.sleep_until((clock.now() / TICK + 1) * TICK);
    arm.observe()?;
    arm.command(&wave(clock.now(), 60.0)).map(drop)
}

/// Whether a servo is as `policy` wants it: its own registers say so.
fn left_as(world: &World, policy: StopPolicy, servo: &ServoState) -> bool {
    let index = usize::from(servo.id) - 1;
    match policy {
        StopPolicy::Limp => !servo.torque,
        StopPolicy::Hold => servo.torque && (servo.goal - servo.position).abs() <= NEAR,
        StopPolicy::Park => {
            let row = &world.calibration[index].1;
            let rest = world.spec.joints[index].rest.unwrap();
            let span = f64::from(row.range_max - row.range_min);
            let rest = row.range_min + ((rest + 100.0) / 200.0 * span) as i32;
            !servo.torque && (servo.position - rest).abs() <= NEAR
        }
    }
}

fn assert_left(world: &World, policy: StopPolicy, but: Option<u8>, what: &str) {
    // A joint that was told to hold in full motion overshoots and comes back.
    world.bus.clock().sleep(SECOND);
    for servo in world.bus.servos() {
        if but != Some(servo.id) {
            let (id, torque, position) = (servo.id, servo.torque, servo.position);
            assert!(
                left_as(world, policy, &servo),
                "{what}, {policy}: servo {id} torque {torque} at {position}, goal {}",
                servo.goal
            );
        }
    }
    assert_eq!(world.witness().unsafe_goals, [], "{what}");
}

#[test]
fn panics() {
    for round in 0..KILLS {
        let world = World::new(round);
        let mut arm = world.arm(options(round));
        // In a thread of its own, as a control loop is.
        let control = std::thread::scope(|scope| {
            let world = &world;
            let control = scope.spawn(move || {
                for _ in 0..moment(round) {
                    tick(world, &mut arm).unwrap();
                }
                // Quietly: a thousand backtraces help nobody.
                std::panic::resume_unwind(Box::new("the policy panics"));
            });
            control.join()
        });
        assert!(control.is_err());
        assert_left(&world, policy(round), None, "panic");
    }
}

#[test]
fn panics_of_other_threads() {
    let flag = StopFlag::new();
    let world = World::new(1);
    let mut arm = world.arm(ArmOptions { stop_flag: Some(flag.clone()), ..options(2) });
    tick(&world, &mut arm).unwrap();
    flag.listen_to_panics();
    let other = catch_unwind(AssertUnwindSafe(|| panic!("the camera's thread panics")));
    assert!(other.is_err());
    assert!(matches!(tick(&world, &mut arm), Err(Error::Stopped { cause: Cause::Panic })));
    assert_left(&world, StopPolicy::Limp, None, "another thread's panic");
}

#[test]
fn unplugged_adapters() {
    for round in 0..KILLS {
        let world = World::new(round);
        let mut arm = world.arm(options(round));
        for _ in 0..moment(round) {
            tick(&world, &mut arm).unwrap();
        }
        world.bus.unplug();
        assert!(tick(&world, &mut arm).is_err());
        let report = arm.stop_report().unwrap();
        assert!(report.motors.len() == 6 && report.motors.iter().all(|motor| !motor.ok));
        assert_eq!(report.cause, Cause::LostPort);
        world.bus.clock().sleep(SECOND);
        assert!(tick(&world, &mut arm).is_err());
        world.bus.replug(None);
        let goals = world.witness().goals;
        world.bus.clock().sleep(SECOND);
        assert!(matches!(arm.observe(), Err(Error::Stopped { cause: Cause::LostPort })));
        assert!(arm.stop_report().unwrap().ok());
        // The first that went over the line again was the stop: no goal of anybody else's.
        assert!(policy(round) != StopPolicy::Limp || world.witness().goals == goals);
        assert_left(&world, policy(round), None, "unplugged");
    }
}

#[test]
fn dead_motors() {
    for round in 0..KILLS {
        let world = World::new(round);
        let mut arm = world.arm(options(round));
        let dead = (round % 6) as u8 + 1;
        for tick_number in 0..moment(round) + 5 {
            if tick_number == moment(round) {
                world.bus.set_dead(dead, true);
            }
            tick(&world, &mut arm).unwrap();
        }
        let report = arm.stop(policy(round));
        for motor in &report.motors {
            assert_eq!(motor.ok, motor.id != dead, "{motor:?}");
            assert!(motor.id != dead || motor.torque.is_none());
        }
        assert_left(&world, policy(round), Some(dead), "dead motor");
    }
}

/// What the parent says to the child: which round to play.
const ROUND: &str = "SINEW_KILL_ROUND";

#[test]
fn signals() {
    if let Ok(round) = std::env::var(ROUND) {
        be_killed(round.parse().unwrap());
        return;
    }
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || (half..KILLS).step_by(2).for_each(kill_one));
        }
    });
}

/// Starts a process that drives an arm, and ends it.
fn kill_one(round: u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kills::signals", "--exact", "--nocapture"])
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let driving = lines.by_ref().any(|line| line.unwrap().contains("driving"));
    assert!(driving, "the child did not get as far as driving");
    let signal = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP][(round / 3 % 3) as usize];
    let id = i32::try_from(child.id()).unwrap();
    // SAFETY: sends a signal to a child of our own that has not been waited for.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    let complaint = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "round {round}: {rest:?} {complaint}");
    assert!(rest.iter().any(|line| line.contains("stopped")), "{rest:?}");
}

/// The child: drives until a signal comes, then looks how the servos were left.
fn be_killed(round: u64) {
    let flag = StopFlag::new();
    flag.listen_to_signals().unwrap();
    let world = World::new(round);
    let mut arm = world.arm(ArmOptions { stop_flag: Some(flag), ..options(round) });
    for _ in 0..moment(round) {
        tick(&world, &mut arm).unwrap();
    }
    println!("driving");
    let stopped = loop {
        match tick(&world, &mut arm) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    let wanted = [Cause::Interrupt, Cause::Terminate, Cause::Hangup][(round / 3 % 3) as usize];
    assert!(matches!(stopped, Error::Stopped { cause } if cause == wanted), "{stopped}");
    assert!(arm.stop_report().unwrap().ok());
    drop(arm);
    assert_left(&world, policy(round), None, "signal");
    println!("stopped");
}
