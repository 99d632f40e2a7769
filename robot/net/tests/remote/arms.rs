//! Arms, as a loop sees them.

use std::sync::atomic::Ordering;

use sinew_drivers::arm::Follower;
use sinew_drivers::clock::{MILLI, SECOND};
use sinew_drivers::stop::{Cause, StopFlag, StopPolicy};
use sinew_drivers::{Clock, Error};
use sinew_net::message::{Kind, Mode, Op};
use sinew_net::remote::{Driver, RemoteArm};

use crate::counting::taken_by;
use crate::stand::{AHEAD, LIMIT, Stand, until};

/// Ticks until the arm says what is wrong with it.
fn ticks_until_it_fails(arm: &mut RemoteArm) -> Error {
    let mut error = None;
    until(|| {
        error = arm.observe().err();
        error.is_some()
    });
    error.unwrap()
}

/// Ticks, as a loop makes them, until what was really sent is as wanted: one goal may get lost, and then
/// the next says the same.
fn ticks_until(arm: &mut RemoteArm, asked: &[f64], wanted: impl Fn(&[f64]) -> bool) {
    until(|| {
        arm.observe().unwrap();
        arm.command(asked).unwrap();
        wanted(&arm.sent().values)
    });
}

/// Waits until it has seen itself driven.
fn begin(arm: &mut RemoteArm) {
    arm.configure().unwrap();
    ticks_until(arm, &[1.5; 6], |sent| sent[0] == 1.5);
}

#[test]
fn it_follows_and_says_what_was_really_sent_and_when_it_was_there() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    assert_eq!(arm.reaches()[0].max_step, Some(5.0));
    assert!(matches!(arm.command(&[0.0; 6]), Err(Error::NotConfigured)));
    arm.configure().unwrap();
    assert!(matches!(arm.command(&[0.0; 5]), Err(Error::ValueCount { expected: 6, got: 5 })));
    let began = Clock::Real.now();
    let mut asked = [20.0, -20.0, 80.0, 0.0, 1.0, 2.0];
    ticks_until(&mut arm, &asked, |sent| sent[2] == LIMIT);
    assert_eq!(arm.sent().values[0..3], [20.0, -20.0, LIMIT]);
    assert_eq!(arm.observation().values, arm.sent().values);
    // What is no number moves nothing.
    asked[2] = f64::NAN;
    asked[3] = 7.0;
    ticks_until(&mut arm, &asked, |sent| sent[3] == 7.0);
    assert_eq!(arm.sent().values[2], LIMIT);
    // Its instants are this machine's, though its clock is hours ahead.
    let seen = arm.observation();
    let at = seen.timing.first_out.midpoint(seen.timing.last_in);
    let now = Clock::Real.now();
    assert!((began - SECOND..=now).contains(&at), "{at} in {began}..{now}");
    assert!((began - SECOND..=now).contains(&arm.sent().at));
    let said = stand.now().actions[0].at - AHEAD;
    assert!((began - SECOND..=now + SECOND).contains(&said), "{said} in {began}..{now}");
    assert!(stand.now().wrong.is_empty(), "{:?}", stand.now().wrong);
}

#[test]
fn what_is_not_of_a_new_tick_is_not_fresh_and_grows_old() {
    let stand = Stand::start("so101_follower");
    // Of this one the robot itself has not heard for a second.
    stand.now().ages[4] = SECOND;
    let mut arm = stand.arm("anna");
    until(|| arm.observe().unwrap().fresh[0]);
    let seen = arm.observation();
    assert_eq!(seen.fresh, [true, true, true, true, false, true]);
    assert!(seen.ages[4] >= SECOND && seen.ages[0] < seen.ages[4], "{:?}", seen.ages);
    stand.silent.store(true, Ordering::Release);
    until(|| !arm.observe().unwrap().fresh.iter().any(|fresh| *fresh));
    let before = arm.observation().ages[0];
    until(|| arm.observe().unwrap().ages[0] > before + 100 * MILLI);
    assert!(arm.counts().stale > 6);
}

#[test]
fn what_a_blind_robot_says_again_is_not_fresh() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    until(|| arm.observe().unwrap().fresh[0]);
    stand.now().blind_since = Some(Clock::Real.now());
    // What was on its way has come after the first that says the same again.
    until(|| arm.observe().unwrap().ages[0] > 100 * MILLI);
    let before = arm.observation().ages[0];
    until(|| {
        let seen = arm.observe().unwrap();
        assert_eq!(seen.fresh, [false; 6]);
        seen.ages[0] > before + 100 * MILLI
    });
}

#[test]
fn a_robot_that_falls_silent_while_it_is_driven_is_lost_and_nothing_is_confirmed() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    begin(&mut arm);
    stand.silent.store(true, Ordering::Release);
    let error = ticks_until_it_fails(&mut arm);
    let Error::Lost { port, source } = error else { panic!("{error}") };
    assert!(port.starts_with("zenoh://white@"), "{port}");
    assert!(source.to_string().contains("nothing was heard"), "{source}");
    assert_eq!(arm.stopped(), Some(Cause::LostPort));
    let stopped = arm.command(&[0.0; 6]).err();
    assert!(matches!(stopped, Some(Error::Stopped { cause: Cause::LostPort })));
    let report = arm.end();
    assert_eq!((report.policy, report.cause), (StopPolicy::Park, Cause::LostPort));
    assert_eq!(report.motors.len(), 6);
    assert_eq!(arm.last_words(), Some("its host does not say how it was left"));
    assert!(report.motors.iter().all(|motor| !motor.ok && motor.torque.is_none()));
}

#[test]
fn why_the_robot_stopped_is_why_the_arm_here_did() {
    for (mode, cause, told) in [
        (Mode::Stopped, Some(Cause::DeadMan), Cause::DeadMan),
        (Mode::Stopped, Some(Cause::Blind), Cause::Blind),
        // Whoever pressed Ctrl-C there did not do it here.
        (Mode::Stopped, Some(Cause::Interrupt), Cause::Remote),
        (Mode::Free, None, Cause::Lease),
    ] {
        let stand = Stand::start("so101_follower");
        let mut arm = stand.arm("anna");
        begin(&mut arm);
        stand.now().end(mode, cause);
        let error = ticks_until_it_fails(&mut arm);
        assert!(matches!(error, Error::Stopped { cause } if cause == told), "{error}");
        let report = arm.end();
        // Nobody drives it, so it could be asked.
        assert!(report.ok() && report.motors.len() == 6);
        assert_eq!(report.cause, told);
    }
}

#[test]
fn one_that_somebody_else_took_is_theirs_and_who_that_is_is_told() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    begin(&mut arm);
    let driver = Driver { who: "bert".into(), take_over: true, ..Driver::default() };
    let mut theirs = stand.take(driver).unwrap().remove(0);
    stand.tell(Kind::LeaseTakenOver, "bert", "from anna");
    begin(&mut theirs);
    let error = ticks_until_it_fails(&mut arm);
    assert!(matches!(error, Error::Stopped { cause: Cause::Lease }), "{error}");
    let report = arm.end();
    assert_eq!(arm.last_words(), Some("bert has taken it over"));
    assert!(report.motors.is_empty(), "nobody asked how another's arm stands");
    drop(arm);
    theirs.observe().unwrap();
    assert_eq!(stand.now().mode, Mode::Driven, "and nobody stopped it");
}

#[test]
fn a_wish_to_stop_ends_the_loop_and_gives_the_lease_back() {
    let stand = Stand::start("so101_follower");
    let flag = StopFlag::new();
    let stop_flag = Some(flag.clone());
    let driver = Driver { who: "anna".into(), stop_flag, ..Driver::default() };
    let mut arm = stand.take(driver).unwrap().remove(0);
    begin(&mut arm);
    flag.raise(Cause::Interrupt, None);
    let error = arm.observe().unwrap_err();
    assert!(matches!(error, Error::Stopped { cause: Cause::Interrupt }), "{error}");
    let report = arm.end();
    assert_eq!(
        (report.cause, report.policy, report.ok()),
        (Cause::Interrupt, StopPolicy::Park, true)
    );
    assert_eq!(arm.end(), report, "it is ended once");
    drop(arm);
    assert_eq!(stand.now().asked, [Op::Take, Op::Drive, Op::Release]);
    assert!(stand.now().wrong.is_empty(), "{:?}", stand.now().wrong);
}

#[test]
fn after_a_stop_it_goes_on_under_a_lease_of_its_own() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    begin(&mut arm);
    let before = stand.now().lease;
    stand.now().end(Mode::Stopped, Some(Cause::DeadMan));
    ticks_until_it_fails(&mut arm);
    assert!(matches!(arm.configure(), Err(Error::Stopped { cause: Cause::DeadMan })));
    arm.resume().unwrap();
    ticks_until(&mut arm, &[3.0; 6], |sent| sent[0] == 3.0);
    assert!(stand.now().lease > before && stand.now().wrong.is_empty());
}

#[test]
fn both_arms_of_a_pair_are_asked_for_once_and_each_has_its_own_values() {
    let stand = Stand::start("bi_so_follower");
    let driver = Driver { who: "anna".into(), ..Driver::default() };
    let mut arms = stand.take(driver).unwrap();
    arms.iter_mut().for_each(|arm| arm.configure().unwrap());
    assert_eq!(stand.now().asked, [Op::Take, Op::Drive]);
    for (arm, value) in arms.iter_mut().zip([1.0, 2.0]) {
        ticks_until(arm, &[value; 6], |sent| sent == [value; 6]);
        assert_eq!(arm.observation().values, [value; 6]);
    }
    let reports: Vec<_> = arms.iter_mut().map(Follower::end).collect();
    assert!(reports.iter().all(|report| report.ok() && report.motors.len() == 6));
    assert_eq!(stand.now().asked, [Op::Take, Op::Drive, Op::Release]);
    assert!(stand.now().wrong.is_empty(), "{:?}", stand.now().wrong);
}

#[test]
fn six_hundred_ticks_take_nothing_from_the_heap() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    begin(&mut arm);
    let values = [4.0; 6];
    let ticks = || {
        for _ in 0..600 {
            arm.observe().unwrap();
            arm.command(&values).unwrap();
            std::thread::yield_now();
        }
    };
    assert_eq!(taken_by(ticks), 0);
    assert!(arm.counts().commands > 600);
}
