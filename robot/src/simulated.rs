//! An arm of virtual servos inside this process: `--robot sim`, and both arms of the demo.

use sinew_core::calibration::Calibration;
use sinew_drivers::sim::{VirtualBus, arm};
use sinew_drivers::{ArmSpec, Bus, Clock, Error};

/// A calibrated, simulated arm on its own bus.
pub struct Simulated {
    /// What it is.
    pub spec: ArmSpec,
    /// Its bus, to push its joints and break its cables.
    pub bus: VirtualBus,
    /// What LeRobot's file would hold.
    pub calibration: Vec<(String, Calibration)>,
}

impl Simulated {
    /// Builds the arm of this name; everything random in it follows `seed`.
    pub fn new(name: &str, seed: u64) -> Result<Self, Error> {
        let spec = arm::find(name)?;
        let mut devices = arm::assembled(&spec);
        let calibration = arm::calibrate(&mut devices, &spec);
        let bus = VirtualBus::new(devices, Clock::Real, seed);
        Ok(Self { spec, bus, calibration })
    }

    /// A driver's end of its bus.
    pub fn open(&self) -> Bus {
        Bus::new(self.bus.wire(), self.spec.series.protocol)
    }

    /// Each servo and the range of its joint in counts, without the offset.
    pub fn ranges(&self) -> Vec<(u8, f64, f64)> {
        let true_count = |row: &Calibration, count: i32| f64::from(count + row.homing_offset);
        let rows = self.calibration.iter().map(|(_, row)| {
            (row.id, true_count(row, row.range_min), true_count(row, row.range_max))
        });
        rows.collect()
    }
}

impl std::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a simulated {}", self.spec.title)
    }
}
