//! What a board keeps without power, and what it takes where that is damaged.

use crate::dynamixel::crc16;
use crate::packet::Sink;

/// A board's settings. What a host leaves open when it engages the board is as they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The bus's rate after power-up.
    pub baud: u32,
    /// From one cycle to the next.
    pub period_us: u32,
    /// From this temperature on, in °C, a joint gives way.
    pub hot: u8,
    /// How bright its light is, 0 to 255.
    pub light: u8,
    /// What its owner calls it, zeros behind the name.
    pub name: [u8; 16],
}

impl Default for Settings {
    fn default() -> Self {
        Self { baud: 1_000_000, period_us: 5_000, hot: 65, light: 40, name: [0; 16] }
    }
}

/// Marks a record of settings, and which fields it has.
const MAGIC: [u8; 4] = *b"SNW\x01";

/// The rates that a board takes on the bus: those that servos know, and what lies between.
pub const BAUDS: core::ops::RangeInclusive<u32> = 9_600..=4_500_000;

/// The shortest and longest cycles that make sense.
pub(super) const PERIODS: (u32, u32) = (1_000, 100_000);

impl Settings {
    /// How many bytes a record takes: mark, fields, crc.
    pub const STORED: usize = 4 + Self::FIELDS + 2;
    const FIELDS: usize = 4 + 4 + 1 + 1 + 16;

    /// The record that goes into flash.
    pub fn store(&self) -> [u8; Self::STORED] {
        let mut record = [0; Self::STORED];
        let mut sink = Sink::new(&mut record);
        sink.extend(&MAGIC);
        self.write(&mut sink);
        let crc = crc16(0, sink.written());
        sink.extend(&crc.to_le_bytes());
        record
    }

    /// The settings in a record, which may be followed by anything; `None` where it is damaged or
    /// never was written.
    pub fn restore(flash: &[u8]) -> Option<Self> {
        let (body, crc) = flash.get(..Self::STORED)?.split_last_chunk::<2>()?;
        if crc16(0, body) != u16::from_le_bytes(*crc) {
            return None;
        }
        Self::read(body.strip_prefix(&MAGIC)?)
    }

    pub(crate) fn write(&self, sink: &mut Sink) {
        sink.extend(&self.baud.to_le_bytes());
        sink.extend(&self.period_us.to_le_bytes());
        sink.extend(&[self.hot, self.light]);
        sink.extend(&self.name);
    }

    /// The fields, where they are ones a board can work with.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (baud, rest) = bytes.split_first_chunk()?;
        let (period, rest) = rest.split_first_chunk()?;
        let (&[hot, light], rest) = rest.split_first_chunk()?;
        let name = <[u8; 16]>::try_from(rest).ok()?;
        let (baud, period_us) = (u32::from_le_bytes(*baud), u32::from_le_bytes(*period));
        let (shortest, longest) = PERIODS;
        let sane = BAUDS.contains(&baud) && (shortest..=longest).contains(&period_us) && hot > 0;
        sane.then_some(Self { baud, period_us, hot, light, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_stored_is_restored_and_an_empty_flash_gives_none() {
        let settings =
            Settings { hot: 60, name: *b"left arm\0\0\0\0\0\0\0\0", ..Default::default() };
        let mut flash = [0xFF; 256];
        assert_eq!(Settings::restore(&flash), None);
        flash[..Settings::STORED].copy_from_slice(&settings.store());
        assert_eq!(Settings::restore(&flash), Some(settings));
        assert_eq!(Settings::restore(&flash[..20]), None);
    }

    #[test]
    fn settings_no_board_can_work_with_are_none() {
        for wrong in [
            Settings { baud: 0, ..Default::default() },
            Settings { period_us: 10, ..Default::default() },
            Settings { hot: 0, ..Default::default() },
        ] {
            assert_eq!(Settings::restore(&wrong.store()), None);
        }
    }

    proptest! {
        #[test]
        fn no_damaged_bit_is_taken_for_a_setting(at in 0..Settings::STORED, bit in 0u8..8) {
            let mut record = Settings::default().store();
            record[at] ^= 1u8 << bit;
            prop_assert_eq!(Settings::restore(&record), None);
        }
    }
}
