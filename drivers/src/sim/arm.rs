//! The arms of [`crate::spec`], built of virtual servos.

use sinew_core::register::Reg;

use super::Device;
use crate::spec::ArmSpec;

/// The servos of an arm as its builder leaves them: ids and rate set, every joint near the middle
/// of its travel but, as on a real table, none exactly there.
pub fn devices(spec: &ArmSpec) -> Vec<Device> {
    let skew = |place: usize| [-31.0, 17.0, 8.0, -22.0, 40.0, -5.0][place % 6];
    spec.servos()
        .enumerate()
        .map(|(place, (_, id, model))| {
            let mut device = Device::new(spec.series, model, id);
            if let Some(code) = spec.series.baud_code(spec.baud) {
                device.servo.set(Reg::BaudRate, i32::from(code));
            }
            device.servo.keep_settings();
            device.place(f64::from(model.counts / 2) + skew(place));
            device.power_cycle();
            device
        })
        .collect()
}

/// The arm of this name; a short name such as `so101` means the follower.
pub fn by_name(name: &str) -> Option<ArmSpec> {
    ArmSpec::builtin(name).or_else(|| ArmSpec::builtin(&format!("{name}_follower")))
}
