//! What a servo says of its health, read in one block and in turns, so that the position loop is
//! never disturbed: one servo per tick.

use sinew_core::packet::Protocol;
use sinew_core::register::{Faults, Reg, Register};
use sinew_core::tables::Series;

use crate::Nanos;

/// The longest block, from torque to temperature on a Dynamixel.
pub const BLOCK_ROOM: usize = 96;

/// One servo's health.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Health {
    /// When it was read; `None` if it never was.
    pub at: Option<Nanos>,
    /// Whether it is under torque.
    pub torque: Option<bool>,
    /// Its load as a part of the most it can give, positive in the direction of its count.
    pub load: Option<f32>,
    /// Its current in milliamperes.
    pub current_ma: Option<f32>,
    /// Its supply in volts.
    pub voltage: Option<f32>,
    /// Its temperature in °C.
    pub temperature: Option<f32>,
    /// What is wrong with it, as its hardware says.
    pub faults: Faults,
}

/// Where the values of a series lie and what they mean.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    series: &'static Series,
    /// The block's first address.
    pub address: u16,
    /// The block's width.
    pub width: usize,
}

const WANTED: [Reg; 7] = [
    Reg::TorqueEnable,
    Reg::HardwareErrorStatus,
    Reg::Status,
    Reg::PresentLoad,
    Reg::PresentCurrent,
    Reg::PresentVoltage,
    Reg::PresentTemperature,
];

impl Layout {
    /// The block of a series, or `None` if it has nothing to tell or tells it too far apart.
    pub fn of(series: &'static Series) -> Option<Self> {
        let rows = || WANTED.iter().filter_map(|reg| series.get(*reg));
        let address = rows().map(|row| row.address).min()?;
        let end = rows().map(|row| row.address + u16::from(row.width)).max()?;
        let width = usize::from(end - address);
        (width <= BLOCK_ROOM).then_some(Self { series, address, width })
    }

    /// The health in a block that came at `at`.
    pub fn decode(&self, block: &[u8], at: Nanos) -> Health {
        let dynamixel = self.series.protocol == Protocol::Dynamixel2;
        let raw = |reg| self.raw(block, reg);
        let number = |reg| raw(reg).map(|value| value as f32);
        let faults = if dynamixel {
            raw(Reg::HardwareErrorStatus).map(|byte| Faults::from_dynamixel_hardware(byte as u8))
        } else {
            let status = raw(Reg::Status).map(|byte| byte as u8);
            status.map(|byte| Faults::from_status(self.series.protocol, byte))
        };
        Health {
            at: Some(at),
            torque: raw(Reg::TorqueEnable).map(|value| value != 0),
            // Feetech: 0.1 % of full duty. Dynamixel: 0.113 %, 885 being all of it; its load and
            // current share a register whose unit differs by model, the duty does not.
            load: if dynamixel {
                number(Reg::PresentPwm).map(|value| value / 885.0)
            } else {
                number(Reg::PresentLoad).map(|value| value / 1000.0)
            },
            // Feetech: 6.5 mA. Dynamixel: 1 mA, or load on models that measure no current.
            current_ma: number(Reg::PresentCurrent)
                .map(|value| if dynamixel { value } else { value * 6.5 }),
            voltage: number(Reg::PresentVoltage).map(|value| value / 10.0),
            temperature: number(Reg::PresentTemperature),
            faults: faults.unwrap_or(Faults::NONE),
        }
    }

    fn raw(&self, block: &[u8], reg: Reg) -> Option<i32> {
        let row: &Register = self.series.get(reg)?;
        let from = usize::from(row.address.checked_sub(self.address)?);
        row.decode(self.series.protocol.byte_order(), block.get(from..)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_core::register::Fault;
    use sinew_core::tables::{ALL, DYNAMIXEL_X, STS};

    #[test]
    fn every_series_tells_its_health_in_one_block() {
        for series in ALL {
            let layout = Layout::of(series).unwrap();
            assert!(layout.width >= 20, "{}", series.name);
            assert_eq!(layout.decode(&[], 7).voltage, None);
        }
    }

    #[test]
    fn a_feetech_block_means_what_the_servo_said() {
        let layout = Layout::of(&STS).unwrap();
        assert_eq!((layout.address, layout.width), (40, 31));
        let mut block = [0; 31];
        block[0] = 1;
        block[20..22].copy_from_slice(&(0x400_u16 | 250).to_le_bytes());
        block[22] = 74;
        block[23] = 31;
        block[25] = 0x20;
        block[29..31].copy_from_slice(&100_u16.to_le_bytes());
        let health = layout.decode(&block, 5);
        assert_eq!(health.torque, Some(true));
        assert_eq!(health.load, Some(-0.25));
        assert_eq!((health.voltage, health.temperature), (Some(7.4), Some(31.0)));
        assert_eq!(health.current_ma, Some(650.0));
        assert!(health.faults.has(Fault::Overload));
    }

    #[test]
    fn a_dynamixel_block_means_what_the_servo_said() {
        let layout = Layout::of(&DYNAMIXEL_X).unwrap();
        let mut block = [0; 83];
        assert_eq!((layout.address, layout.width), (64, block.len()));
        block[6] = 0x20;
        block[60..62].copy_from_slice(&(-885_i16).to_le_bytes());
        block[80..82].copy_from_slice(&50_u16.to_le_bytes());
        block[82] = 40;
        let health = layout.decode(&block, 5);
        assert_eq!(health.torque, Some(false));
        assert_eq!((health.load, health.voltage), (Some(-1.0), Some(5.0)));
        assert!(health.faults.has(Fault::Overload));
    }
}
