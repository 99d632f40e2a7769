//! What a board holds back is told to its host.

use sinew_core::limits::Limit;

use super::*;
use crate::arm::Sent;

fn way(tick: i32) -> Vec<f64> {
    // Up and down, at an uneven pace.
    let place = f64::from((tick * 3 % 120 - 60).abs()) - 30.0;
    vec![place, place / 2.0, -place, place, place / 3.0, 50.0 + place / 2.0]
}

fn uneven(tick: i32) -> Nanos {
    TICK + Nanos::from(tick * 7 % 5 - 2) * MILLI
}

/// What is said to have been sent, tick by tick.
fn sent(arm: &mut Arm, clock: &Clock) -> Vec<Sent> {
    let one = |tick| {
        clock.sleep(uneven(tick));
        arm.observe().unwrap();
        let sent = arm.command(&way(tick)).unwrap();
        Sent { at: 0, ..sent.clone() }
    };
    (0..200).map(one).collect()
}

#[test]
fn what_a_board_does_not_hold_back_was_sent_as_on_a_plain_adapter() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    let board = sent(&mut arm, &rig.clock);
    let rig = Rig::new("so101");
    let mut arm = rig.arm_on(rig.servos.wire(), ArmOptions::default());
    assert!(!arm.has_reflexes());
    assert_eq!(board, sent(&mut arm, rig.servos.clock()));
}

#[test]
fn a_joint_that_is_a_little_behind_is_not_held_back() {
    // The ways are faster than that, now and then.
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions { max_velocity: Some(60.0), ..ArmOptions::default() });
    let (mut limited, axes) = (0, 6);
    for tick in 0..300 {
        rig.clock.sleep(uneven(tick));
        arm.observe().unwrap();
        let sent = arm.command(&way(tick)).unwrap().clone();
        limited += u32::from(sent.limited());
        let goals: Vec<i32> = (0..axes).map(|axis| arm.axes[axis].limiter.goal()).collect();
        assert_eq!(sent.goals, goals, "tick {tick}");
    }
    assert!(limited > 50, "{limited}");
}

#[test]
fn a_joint_that_gives_way_was_sent_nowhere() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    let mut goal = vec![0.0; 6];
    for _ in 0..50 {
        rig.tick(&mut arm, &goal).unwrap();
    }
    assert!(rig.servos.change(3, |device| device.heat(67.0)));
    for _ in 0..10 {
        rig.tick(&mut arm, &goal).unwrap();
    }
    goal[2] = 20.0;
    for _ in 0..10 {
        rig.tick(&mut arm, &goal).unwrap();
    }
    let (sent, there) = (arm.sent().clone(), arm.observation().values[2]);
    assert!((sent.values[2] - there).abs() < 3.0, "{sent:?} at {there}");
    assert_eq!(sent.goals[2], rig.servos.servo(3).unwrap().goal);
    assert!(sent.applied[2].has(Limit::BackOff), "{sent:?}");
    assert_eq!((sent.values[0], sent.values[1]), (0.0, 0.0));
    assert_eq!(arm.counts().gave_way, 1);

    assert!(rig.servos.change(3, |device| device.heat(30.0)));
    for _ in 0..150 {
        rig.tick(&mut arm, &goal).unwrap();
    }
    assert!((arm.sent().values[2] - 20.0).abs() < 0.1, "{:?}", arm.sent());
    assert!(arm.end().ok());
    let told = arm.notices().iter().filter(|notice| match notice {
        Notice::GaveWay { joint, celsius, .. } => {
            joint == "elbow_flex" && (65..=67).contains(celsius)
        }
        _ => false,
    });
    assert_eq!(told.count(), 1, "{:?}", arm.notices());
}

#[test]
fn on_a_supply_that_is_wrong_nothing_was_sent_anywhere() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..20 {
        rig.tick(&mut arm, &[0.0; 6]).unwrap();
    }
    rig.servos.set_supply(4.5);
    for _ in 0..20 {
        rig.tick(&mut arm, &[0.0; 6]).unwrap();
    }
    for _ in 0..20 {
        rig.tick(&mut arm, &[10.0; 6]).unwrap();
    }
    let sent = arm.sent().clone();
    for (goal, servo) in sent.goals.iter().zip(rig.servos.servos()) {
        assert_eq!(*goal, servo.goal, "{sent:?}");
    }
    assert!(sent.values.iter().all(|value| value.abs() < 2.0), "{sent:?}");
    assert_eq!(arm.counts().supply, 1);
    arm.end();
    let told =
        |notice: &Notice| matches!(notice, Notice::SupplyWrong { volts, .. } if *volts < 5.0);
    assert!(arm.notices().iter().any(told), "{:?}", arm.notices());
}

#[test]
fn what_gives_way_again_and_again_is_said_once() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    for _ in 0..5 {
        assert!(rig.servos.change(3, |device| device.heat(67.0)));
        for _ in 0..30 {
            rig.tick(&mut arm, &[0.0; 6]).unwrap();
        }
        arm.stop(StopPolicy::Limp);
        arm.resume().unwrap();
    }
    let gave_way = |notice: &&Notice| matches!(notice, Notice::GaveWay { .. });
    assert_eq!(arm.notices().iter().filter(gave_way).count(), 1, "{:?}", arm.notices());
}

#[test]
fn a_base_that_stands_on_a_supply_that_is_wrong_was_sent_nowhere() {
    let rig = Rig::new("lekiwi");
    let mut arm = rig.arm(ArmOptions::default());
    let mut values = vec![0.0; rig.spec.value_count()];
    (values[6], values[8]) = (0.1, 20.0);
    for _ in 0..40 {
        rig.tick(&mut arm, &values).unwrap();
        assert_eq!(arm.sent().values[6..], values[6..]);
    }
    rig.servos.set_supply(4.5);
    for _ in 0..40 {
        rig.tick(&mut arm, &values).unwrap();
    }
    assert_eq!(arm.sent().values[6..], [0.0; 3]);
    assert!(arm.observation().values[6].abs() < 0.02, "{:?}", arm.observation());
    rig.servos.set_supply(12.0);
    for _ in 0..60 {
        rig.tick(&mut arm, &values).unwrap();
    }
    assert_eq!(arm.sent().values[6..], values[6..]);
    // A hot one turns on.
    assert!(rig.servos.change(7, |device| device.heat(67.0)));
    values[6] = 0.05;
    for _ in 0..60 {
        rig.tick(&mut arm, &values).unwrap();
        assert_eq!(arm.sent().values[6..], values[6..]);
    }
}

#[test]
fn what_a_board_missed_is_counted_by_its_host() {
    let rig = Rig::new("so101");
    let mut arm = rig.arm(ArmOptions::default());
    rig.servos.faults(crate::sim::FaultPlan::parse("lost=0.1").unwrap());
    for tick in 0..100 {
        if tick == 50 {
            // Its counts begin anew with it.
            rig.board.power_cycle();
        }
        rig.tick(&mut arm, &[0.0; 6]).unwrap();
    }
    let counts = arm.counts();
    assert!((100..2_000).contains(&counts.board_missed), "{counts:?}");
    assert_eq!((counts.gave_way, counts.supply), (0, 0));
}
