//! What becomes of the motors where nobody says anything, or whoever asks has not driven them.

use super::*;

#[test]
fn a_silent_host_makes_it_hold_and_then_stop_on_time() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PLAN);
        rig.act(2900, 5_000_000);
        let said = rig.now;
        rig.wait(100_000 + CYCLE);
        assert_eq!((rig.board.mode(), rig.goal()), (Mode::Held, 2000));
        let torque =
            |rig: &Rig| rig.servos.iter().filter(|servo| servo.get(Reg::TorqueEnable) != 0).count();
        assert_eq!(torque(&rig), 3);
        rig.wait(said + 200_000 + CYCLE - rig.now);
        assert_eq!((rig.board.mode(), torque(&rig)), (Mode::Stopped, 0), "{model}");
        // Whoever comes back must engage it anew.
        rig.goals.clear();
        rig.act(2900, 0);
        rig.wait(50_000);
        assert_eq!((rig.board.mode(), torque(&rig), rig.goals.len()), (Mode::Stopped, 0, 0));
    }
}

#[test]
fn a_wheel_stands_at_the_first_of_silence() {
    let mut rig = Rig::of("sts3215", PATIENT, Drive::Speed);
    let speed = |rig: &Rig| rig.servos[0].get(Reg::GoalVelocity);
    for _ in 0..10 {
        rig.act(-800, 0);
        rig.wait(20_000);
        assert_eq!(speed(&rig), -800);
    }
    // The host is alive as far as anybody knows, and tells nothing.
    rig.wait(90_000);
    assert_eq!((speed(&rig), rig.board.mode()), (0, Mode::Running));
}

#[test]
fn nobody_gets_the_bus_before_the_motors_are_stopped() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PLAN);
        rig.mute = 1;
        rig.say(&Request::Release);
        assert_eq!(rig.board.mode(), Mode::Stopped);
        rig.wait(20 * CYCLE);
        // One has not said that it is limp.
        rig.servos[0].set(Reg::TorqueEnable, 1);
        rig.wait(3_000_000);
        rig.say(&Request::Release);
        assert_eq!((rig.board.mode(), rig.board.transparent(rig.now)), (Mode::Stopped, false));
        assert_eq!(holding(&rig), 0, "it is told again and again");
        rig.mute = 0;
        rig.wait(20 * CYCLE);
        rig.say(&Request::Release);
        assert_eq!(rig.board.mode(), Mode::Free, "{model}");
    }
}

#[test]
fn a_motor_that_has_got_torque_meanwhile_is_not_taken_for_limp() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PATIENT);
        rig.servos.iter_mut().for_each(|servo| servo.set(Reg::TorqueEnable, 0));
        rig.wait(20 * CYCLE);
        // Each has said that it is limp. From now on nobody hears what they say.
        rig.servos.iter_mut().for_each(|servo| servo.set(Reg::TorqueEnable, 1));
        rig.mute = 3;
        rig.say(&Request::Release);
        rig.wait(CYCLE);
        rig.say(&Request::Release);
        assert_eq!((rig.board.mode(), holding(&rig)), (Mode::Stopped, 0), "{model}");
        rig.mute = 0;
        rig.wait(20 * CYCLE);
        rig.say(&Request::Release);
        assert_eq!(rig.board.mode(), Mode::Free, "{model}");
    }
}

#[test]
fn the_last_words_of_a_host_that_give_torque_do_not_outlive_its_stop() {
    for (model, address) in [("sts3215", 40), ("xl330-m288", 64)] {
        // At once they still wait; later they have just gone out.
        for late in (0..2 * CYCLE).step_by(250) {
            let mut rig = Rig::new(model, PATIENT);
            rig.say(&Request::Stop { stop: Stop::Limp });
            rig.wait(20 * CYCLE);
            let mut bytes = [0; 32];
            let request = packet::Request::Write { address, data: &[1] };
            let protocol = rig.servos[0].series().protocol;
            let len = protocol.encode(2, &request, &mut bytes).unwrap();
            rig.say(&Request::Through { bytes: &bytes[..len] });
            rig.wait(late);
            rig.say(&Request::Release);
            rig.wait(20 * CYCLE);
            rig.say(&Request::Release);
            let left = (rig.board.mode(), holding(&rig));
            assert_eq!(left, (Mode::Free, 0), "{model}, {late} us later");
        }
    }
}

#[test]
fn an_arm_that_parks_is_not_let_go_on_its_way() {
    let mut rig = Rig::new("sts3215", PLAN);
    rig.say(&Request::Stop { stop: Stop::Park });
    rig.wait(50_000);
    rig.say(&Request::Release);
    assert_eq!((rig.board.mode(), holding(&rig)), (Mode::Parking, 3));
}

#[test]
fn what_holds_is_let_go_once_it_was_told_to() {
    let mut rig = Rig::new("sts3215", Plan { stop: Stop::Hold, ..PLAN });
    rig.say(&Request::Release);
    assert_eq!(rig.board.mode(), Mode::Stopped);
    rig.wait(CYCLE);
    rig.say(&Request::Release);
    assert_eq!((rig.board.mode(), holding(&rig)), (Mode::Free, 3));
}

#[test]
fn only_what_moves_the_arm_keeps_it_alive() {
    let mut rig = Rig::new("sts3215", PLAN);
    for request in [
        Request::Watch,
        Request::Time,
        Request::Hello { version: 1 },
        Request::Act { over_us: 0, goals: Goals::new([2000; 2]).unwrap() },
        Request::Through { bytes: &[1] },
    ] {
        rig.act(2000, 0);
        for _ in 0..11 {
            rig.say(&request);
            rig.wait(10_000);
        }
        assert_eq!(rig.board.mode(), Mode::Held, "{request:?}");
    }
}
