//! Calibrating by hand on servos that start anywhere and hold anything.

use sinew_core::calibration::Calibration;
use sinew_core::register::Reg;
use sinew_drivers::calibrate::{Calibrator, Finding, check};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{ArmSpec, Bus, Clock};

const LOOK: i64 = 20 * MILLI;

struct Table {
    spec: ArmSpec,
    virtual_bus: VirtualBus,
}

impl Table {
    /// An arm whose servos' zeros lie in the middle of their travel, and which holds the leftovers
    /// of some other calibration.
    fn new(name: &str) -> Self {
        let spec = ArmSpec::builtin(name).unwrap();
        let virtual_bus = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 5);
        for joint in &spec.joints {
            virtual_bus.change(joint.id, |device| {
                device.servo.set(Reg::HomingOffset, 1234);
                device.servo.set(Reg::MinPositionLimit, 1000);
                device.servo.set(Reg::MaxPositionLimit, 1100);
                device.servo.keep_settings();
                device.place(0.0);
            });
        }
        Self { spec, virtual_bus }
    }

    fn bus(&self) -> Bus {
        Bus::new(self.virtual_bus.wire(), self.spec.series.protocol)
    }

    /// A hand moves `id` from stop to stop; its true zero is half way.
    fn sweep(&self, calibrator: &mut Calibrator, id: u8, half: i32) {
        let way = (0..=half).chain((-half..=half).rev()).chain(-half..=0);
        for place in way.step_by(20).chain([0]) {
            self.virtual_bus.hand(id, Some(f64::from(place.rem_euclid(4096))));
            self.virtual_bus.clock().sleep(LOOK);
            calibrator.look().unwrap();
        }
    }

    fn sweep_all(&self, calibrator: &mut Calibrator) {
        for joint in self.spec.joints.clone() {
            if !joint.full_turn {
                let half = joint.travel.unwrap_or(90.0) / 2.0 * 4096.0 / 360.0;
                self.sweep(calibrator, joint.id, half as i32);
            }
        }
    }
}

#[test]
fn a_sweep_across_the_end_of_the_turn_becomes_a_calibration_on_the_motors() {
    for name in ["so101_follower", "so101_leader", "koch_leader", "lekiwi"] {
        let table = Table::new(name);
        let mut calibrator = Calibrator::begin(table.spec.clone(), table.bus()).unwrap();
        let early = calibrator.proposal();
        assert!(!early.complete() && early.findings.len() == table.spec.joints.len(), "{name}");
        table.sweep_all(&mut calibrator);
        calibrator.take_reference();
        let proposal = calibrator.proposal();
        assert_eq!(proposal.findings, [], "{name}");
        let names: Vec<&str> = proposal.calibration.iter().map(|row| row.0.as_str()).collect();
        let wanted: Vec<&str> = table.spec.servos().map(|servo| servo.0).collect();
        assert_eq!(names, wanted);
        for (joint, row) in &proposal.calibration {
            assert!(row.homing_offset.abs() <= 2047, "{joint} {row:?}");
            assert!(0 <= row.range_min && row.range_min < row.range_max && row.range_max <= 4095);
        }
        calibrator.write(&proposal.calibration).unwrap();
        let mut bus = calibrator.into_bus();
        let rows = check(&mut bus, &table.spec, &proposal.calibration).unwrap();
        assert!(rows.iter().all(|row| row.findings.is_empty()), "{name}: {rows:?}");
        // It is in the EEPROM: it outlives the power, and no torque came on meanwhile.
        table.virtual_bus.power_cycle();
        assert!(table.virtual_bus.servos().iter().all(|servo| !servo.torque));
        let rows = check(&mut bus, &table.spec, &proposal.calibration).unwrap();
        assert!(rows.iter().all(|row| row.findings.is_empty()), "{name}: {rows:?}");
        // The middle of what was swept is now the middle of the turn; of which turn, a Dynamixel
        // forgets with its power.
        let pan = table.spec.joints.iter().find(|joint| !joint.full_turn).unwrap();
        let position = table.virtual_bus.servo(pan.id).unwrap().position.rem_euclid(4096);
        assert!((position - 2047).abs() <= 15, "{name}: {position}");
    }
}

#[test]
fn nothing_is_written_before_somebody_says_so() {
    let table = Table::new("so101_follower");
    let mut calibrator = Calibrator::begin(table.spec.clone(), table.bus()).unwrap();
    table.sweep(&mut calibrator, 1, 1200);
    drop(calibrator);
    table.virtual_bus.change(1, |device| {
        assert_eq!(device.servo.get(Reg::HomingOffset), 1234);
        assert_eq!(device.servo.get(Reg::MaxPositionLimit), 1100);
    });
}

#[test]
fn half_a_sweep_is_told_and_can_be_begun_anew() {
    let table = Table::new("so101_follower");
    let mut calibrator = Calibrator::begin(table.spec.clone(), table.bus()).unwrap();
    calibrator.take_reference();
    table.sweep_all(&mut calibrator);
    calibrator.restart("elbow_flex");
    table.sweep(&mut calibrator, 3, 200);
    let findings = calibrator.proposal().findings;
    assert!(
        matches!(&findings[..], [(joint, Finding::Implausible { .. })] if joint == "elbow_flex"),
        "{findings:?}"
    );
    let live = calibrator.look().unwrap();
    assert!((live[2].max - live[2].min - 400).abs() <= 40 && live[2].fresh);
}

#[test]
fn a_check_names_the_joint_that_differs_and_the_motor_that_is_silent() {
    let table = Table::new("so101_follower");
    let row = |id| Calibration {
        id,
        drive_mode: 0,
        homing_offset: 1234,
        range_min: 1000,
        range_max: 1100,
    };
    let file: Vec<_> =
        table.spec.servos().map(|(name, id, _)| (name.to_owned(), row(id))).collect();
    table.virtual_bus.change(2, |device| device.servo.set(Reg::HomingOffset, 7));
    table.virtual_bus.set_dead(4, true);
    let rows = check(&mut table.bus(), &table.spec, &file).unwrap();
    assert!(rows[1].findings.iter().any(|finding| matches!(finding, Finding::Differs { .. })));
    assert!(rows[3].findings.contains(&Finding::NoAnswer));
    // A range of nine degrees is not what a shoulder has.
    assert!(rows.iter().any(|row| matches!(row.findings[..], [Finding::Implausible { .. }])));
}
