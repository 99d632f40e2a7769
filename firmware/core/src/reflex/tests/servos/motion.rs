//! Where the joints are sent.

use super::*;

#[test]
fn goals_go_out_on_the_beat_and_evenly() {
    for model in ["sts3215", "xl330-m288"] {
        let mut rig = Rig::new(model, PLAN);
        rig.goals.clear();
        rig.act(2200, 50_000);
        rig.wait(60_000);
        let steps: Vec<_> = rig.goals.windows(2).map(|two| two[1].1 - two[0].1).collect();
        assert!(rig.goals.windows(2).all(|two| two[1].0 - two[0].0 == CYCLE), "{:?}", rig.goals);
        assert!(steps.iter().take(9).all(|step| (19..=21).contains(step)), "{steps:?}");
        assert_eq!(rig.goal(), 2200);
    }
}

#[test]
fn no_goal_leaves_its_range() {
    let mut rig = Rig::new("sts3215", PLAN);
    for wish in [i32::MIN, 99_999, i32::MAX, -1] {
        rig.act(wish, 0);
        rig.wait(30_000);
    }
    assert!(rig.goals.iter().all(|(_, goal)| (1000..=3000).contains(goal)), "{:?}", rig.goals);
}

#[test]
fn one_odd_answer_moves_nothing() {
    let mut rig = Rig::new("sts3215", PLAN);
    for (reg, odd) in [(Reg::PresentPosition, 900), (Reg::PresentTemperature, 200)] {
        let was = rig.servos[0].get(reg);
        rig.act(2000, 0);
        rig.wait(20_000);
        rig.servos[0].set(reg, odd);
        rig.wait(CYCLE);
        rig.servos[0].set(reg, was);
        // To hold is to stay where it is thought to be.
        rig.wait(150_000);
        assert_eq!(rig.board.mode(), Mode::Held);
        assert_eq!(rig.goal(), 2000, "{reg:?}");
        assert_eq!(rig.board.counts().gave_way, 0);
    }
}

#[test]
fn a_joint_that_was_limp_goes_on_from_where_it_is() {
    let mut rig = Rig::new("sts3215", PATIENT);
    rig.act(2500, 10_000);
    rig.wait(50_000);
    rig.servos[0].set(Reg::TorqueEnable, 0);
    rig.wait(50_000);
    rig.servos[0].set(Reg::PresentPosition, 1800);
    rig.wait(50_000);
    rig.servos[0].set(Reg::TorqueEnable, 1);
    rig.goals.clear();
    rig.wait(50_000);
    assert!(rig.goals.iter().all(|(_, goal)| *goal == 1800), "{:?}", rig.goals);
}

#[test]
fn a_joint_that_nobody_sees_holds_where_it_was_told_to_go() {
    let mut rig = Rig::new("sts3215", PLAN);
    rig.mute = 1;
    rig.act(2300, 10_000);
    rig.wait(150_000);
    assert_eq!((rig.board.mode(), rig.goal()), (Mode::Held, 2300));
}

#[test]
fn an_arm_that_held_goes_on_gently() {
    let mut rig = Rig::new("sts3215", Plan { stop_ms: 60_000, ..PLAN });
    rig.wait(150_000);
    assert_eq!(rig.board.mode(), Mode::Held);
    rig.act(2900, 0);
    rig.wait(50_000);
    let here = rig.goal();
    assert!(here > 2000 && here <= 2000 + 400 / 20, "{here}");
}
