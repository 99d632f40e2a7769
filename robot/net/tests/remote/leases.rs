//! Who may drive, and who is there at all.

use serde::{Deserialize, Serialize};
use sinew_drivers::Clock;
use sinew_drivers::arm::Follower;
use sinew_drivers::spec::find;
use sinew_net::message::{Message, Mode, Op, Refusal};
use sinew_net::remote::{Driver, Robot, stop};
use sinew_net::{Error, Network, Options};

use crate::stand::{Stand, until};

#[test]
fn who_has_it_is_told_to_who_asks_for_it() {
    let stand = Stand::start("so101_follower");
    let _arm = stand.arm("anna on laptop");
    let refused = stand.take(Driver { who: "bert".into(), ..Driver::default() }).err().unwrap();
    assert_eq!(refused.to_string(), "white refuses: anna on laptop drives it");
}

#[test]
fn a_holder_who_commands_nothing_says_that_it_is_there() {
    let stand = Stand::start("so101_follower");
    let arm = stand.arm("anna");
    until(|| stand.now().beats >= 4);
    assert!(stand.now().wrong.is_empty(), "{:?}", stand.now().wrong);
    assert_eq!(stand.now().mode, Mode::Held);
    drop(arm);
    assert_eq!(stand.now().asked, [Op::Take, Op::Release], "who goes gives it back");
    assert_eq!(stand.now().mode, Mode::Free);
}

#[test]
fn anybody_may_stop_it() {
    let stand = Stand::start("so101_follower");
    let mut arm = stand.arm("anna");
    arm.configure().unwrap();
    let reports = stop(&stand.asking(), "white", "bert", false).unwrap();
    assert!(reports.len() == 1 && reports[0].ok() && reports[0].motors.len() == 6);
    until(|| arm.observe().is_err());
}

#[test]
fn who_is_not_there_is_told_by_name_and_where_it_was_looked_for() {
    let stand = Stand::start("so101_follower");
    let stopped = stop(&stand.asking(), "black", "anna", false).err().unwrap();
    assert!(matches!(&stopped, Error::NotThere { name, .. } if name == "black"), "{stopped}");
    let found = Robot::find(&stand.asking(), "black", Clock::Real).err().unwrap();
    assert!(matches!(&found, Error::NotThere { name, .. } if name == "black"), "{found}");
    let nowhere = Options { connect: vec!["127.0.0.1:1".into()], ..Options::default() };
    let nobody = Network::ask(&nowhere).err().unwrap();
    assert!(matches!(&nobody, Error::Unreachable { .. }), "{nobody}");
}

#[test]
fn another_version_is_told_as_that_and_another_arm_as_that() {
    #[derive(Serialize, Deserialize)]
    struct Newer {
        v: u64,
    }
    impl Message for Newer {
        const MOST: usize = 64;
        fn check(&self) -> Result<(), Refusal> {
            Ok(())
        }
    }
    let stand = Stand::describing(Newer { v: 2 }, Vec::new());
    let found = Robot::find(&stand.asking(), "white", Clock::Real).err().unwrap();
    assert!(found.to_string().contains("version 2"), "{found}");
    let stand = Stand::start("so101_follower");
    let other = find("lekiwi", &[]).unwrap();
    let refused = stand.robot().take(other, Driver::default()).err().unwrap();
    assert!(matches!(refused, Error::OtherArm { .. }), "{refused}");
}
