//! What may happen to a board while its host sets the motors up.

use super::*;

/// A wire with whom something happens while its host speaks.
struct Eventful<F> {
    wire: Box<dyn Wire>,
    /// What, at which instant at the earliest; it says when next.
    happens: F,
    next: Nanos,
}

impl<F: FnMut(Nanos) -> Nanos + Send> Wire for Eventful<F> {
    hand_on!();

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        let now = self.clock().now();
        if now >= self.next {
            self.next = (self.happens)(now);
        }
        self.wire.send(bytes)
    }
    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        self.wire.receive(into, deadline)
    }
}

impl Rig {
    /// An arm that is not set up yet, with whom something happens from an instant on.
    fn eventful(
        &self,
        next: Nanos,
        options: ArmOptions,
        happens: impl FnMut(Nanos) -> Nanos + Send + 'static,
    ) -> Arm {
        self.found(Box::new(Eventful { wire: self.board.wire(), happens, next }), options)
    }

    /// Which of the motors have torque.
    fn torques(&self) -> Vec<bool> {
        self.board.settle();
        self.servos.servos().iter().map(|servo| servo.torque).collect()
    }
}

/// When a host has found an arm, and when it has set it up.
fn begins_and_ends(name: &str) -> (Nanos, Nanos) {
    let rig = Rig::new(name);
    let mut arm = rig.found(rig.board.wire(), limp());
    let began = rig.clock.now();
    arm.configure().unwrap();
    (began, rig.clock.now())
}

fn limp() -> ArmOptions {
    ArmOptions { stop: StopPolicy::Limp, ..ArmOptions::default() }
}

/// Moments from one instant to another.
fn moments(from: Nanos, to: Nanos) -> impl Iterator<Item = Nanos> {
    const MOMENTS: Nanos = 40;
    (0..MOMENTS).map(move |moment| from + (to - from) * moment / MOMENTS)
}

#[test]
fn a_board_that_starts_anew_meanwhile_looks_after_the_motors_all_the_same() {
    for name in ["so101", "lekiwi"] {
        let (began, ended) = begins_and_ends(name);
        let mut ready = 0;
        for at in moments(began, ended) {
            let rig = Rig::new(name);
            let board = rig.board.clone();
            let mut arm = rig.eventful(at, limp(), move |_| {
                board.power_cycle();
                Nanos::MAX
            });
            if arm.configure().is_ok() {
                ready += usize::from(rig.torques().iter().all(|torque| *torque));
                assert_eq!(rig.board.mode(), Mode::Running, "{name}, {} us", (at - began) / MICRO);
            }
            // It is dead from now on.
            std::mem::forget(arm);
            rig.clock.sleep(3 * SECOND);
            let torques = rig.torques();
            assert!(!torques.contains(&true), "{name}, {} us: {torques:?}", (at - began) / MICRO);
        }
        assert!(ready > 30, "{name}: {ready}");
    }
}

#[test]
fn a_board_that_starts_anew_again_and_again_is_not_trusted_with_an_arm() {
    let rig = Rig::new("so101");
    let (board, servos) = (rig.board.clone(), rig.servos.clone());
    let mut arm = rig.eventful(0, limp(), move |now| {
        // All of them together are more than its supply can bear.
        if !servos.servos().iter().all(|servo| servo.torque) {
            return now;
        }
        board.power_cycle();
        now + 10 * MILLI
    });
    let error = arm.configure().unwrap_err();
    assert!(matches!(error, Error::Board { .. }), "{error}");
    assert!(!rig.torques().contains(&true));
}

#[test]
fn a_host_that_was_away_meanwhile_hears_that_its_arm_was_stopped() {
    let (began, ended) = begins_and_ends("so101");
    let mut stopped = 0;
    for policy in [StopPolicy::Limp, StopPolicy::Park, StopPolicy::Hold] {
        for at in moments(began, ended) {
            let rig = Rig::new("so101");
            let clock = rig.clock.clone();
            let mut arm = rig.eventful(at, ArmOptions { stop: policy, ..limp() }, move |_| {
                clock.sleep(2 * SECOND);
                Nanos::MAX
            });
            let set_up = arm.configure();
            let all = rig.torques();
            match set_up {
                Ok(()) => {
                    assert_eq!(rig.board.mode(), Mode::Running, "{policy}");
                    assert!(all.iter().all(|torque| *torque), "{policy}: {all:?}");
                }
                Err(error) => {
                    stopped += 1;
                    assert!(error.to_string().contains("has stopped them"), "{error}");
                    assert!(!all.contains(&true), "{policy}: {all:?}");
                }
            }
        }
    }
    assert!(stopped > 10, "{stopped}");
}

#[test]
fn a_board_with_little_patience_is_reminded_where_answers_are_lost() {
    let mut ready = 0;
    for seed in 0..50 {
        let rig = Rig::seeded(arm::by_name("so101").unwrap(), seed);
        let dead_man = Some(25 * MILLI);
        let mut arm = rig.found(rig.board.wire(), ArmOptions { dead_man, ..limp() });
        rig.servos.faults(crate::sim::FaultPlan::parse("lost=0.05").unwrap());
        let set_up = arm.configure();
        let (mode, torques) = (rig.board.mode(), rig.torques());
        if set_up.is_ok() {
            ready += 1;
            assert!(matches!(mode, Mode::Running | Mode::Held), "{seed}: {mode:?}");
        } else {
            assert!(!torques.contains(&true), "{seed}: {torques:?}");
        }
    }
    assert!(ready >= 40, "{ready}");
}
