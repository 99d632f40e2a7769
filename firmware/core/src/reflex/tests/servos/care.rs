//! When the board spares the motors.

use super::*;

#[test]
fn a_hot_joint_gives_way_and_comes_back_gently() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2300, 10_000);
    rig.wait(50_000);
    rig.servos[0].set(Reg::PresentTemperature, 70);
    rig.wait(50_000);
    assert_eq!(rig.goal(), 2000);
    assert_eq!(rig.servos[1].get(Reg::GoalPosition), 2300);
    assert_eq!((rig.board.counts().gave_way, rig.board.poll(rig.now).light), (1, Light::Trouble));
    // A little cooler is not cool.
    rig.servos[0].set(Reg::PresentTemperature, 63);
    rig.wait(50_000);
    assert_eq!(rig.goal(), 2000);
    rig.servos[0].set(Reg::PresentTemperature, 40);
    rig.wait(100_000);
    let (here, most) = (rig.goal(), 2000 + 400 / 8);
    assert!(here > 2000 && here <= most, "{here}");
    rig.wait(2_000_000);
    assert_eq!(rig.goal(), 2300);
}

#[test]
fn a_servo_that_trips_is_pushed_no_more() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2300, 10_000);
    rig.wait(50_000);
    rig.servos[0].raise(Fault::Overload);
    rig.wait(50_000);
    assert_eq!(rig.goal(), 2000);
}

#[test]
fn nothing_moves_on_a_supply_that_is_wrong() {
    let mut rig = Rig::new("sts3215", Plan { supply_dv: (60, 90), ..PATIENT });
    rig.act(2100, 10_000);
    rig.wait(50_000);
    rig.servos.iter_mut().for_each(|servo| servo.set(Reg::PresentVoltage, 50));
    rig.wait(200_000);
    rig.act(2900, 10_000);
    rig.wait(50_000);
    assert_eq!((rig.goal(), rig.board.counts().supply), (2100, 1));
    rig.servos.iter_mut().for_each(|servo| servo.set(Reg::PresentVoltage, 74));
    rig.wait(600_000);
    rig.act(2900, 10_000);
    rig.wait(3_000_000);
    assert_eq!(rig.goal(), 2900);
}

#[test]
fn a_joint_comes_back_however_slowly_it_parks() {
    // One degree a second.
    let mut rig = Rig::new("sts3215", Plan { park_speed: 4096.0 / 360.0, ..PATIENT });
    rig.servos[0].set(Reg::TorqueEnable, 1);
    rig.servos[0].raise(Fault::Overload);
    rig.wait(50_000);
    rig.act(2300, 10_000);
    rig.servos[0].set_faults(Faults::NONE);
    rig.wait(2_000_000);
    let here = rig.goal();
    assert!((2020..=2024).contains(&here), "{here}");
}
