//! The flash: the board's own number, and its settings in a sector of their own.

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, ERASE_SIZE, Error, Flash, PAGE_SIZE};
use embassy_rp::peripherals::FLASH;
use sinew_core::reflex::Settings;

/// What the memory map leaves for the program and the settings.
const SIZE: usize = 2048 * 1024;
/// Where the settings are.
const SECTOR: u32 = (SIZE - ERASE_SIZE) as u32;

/// The flash.
pub struct Store(Flash<'static, FLASH, Blocking, SIZE>);

impl Store {
    /// Takes hold of it.
    pub fn new(flash: Peri<'static, FLASH>) -> Self {
        Self(Flash::new_blocking(flash))
    }

    /// What was kept last, if anything; its checksum says whether that is so.
    pub fn kept(&mut self) -> [u8; PAGE_SIZE] {
        let mut page = [0; PAGE_SIZE];
        match self.0.blocking_read(SECTOR, &mut page) {
            Ok(()) => page,
            Err(_) => [0; PAGE_SIZE],
        }
    }

    /// Keeps this record. The processor stands still for some fifty milliseconds meanwhile.
    pub fn keep(&mut self, record: &[u8; Settings::STORED]) -> Result<(), Error> {
        let mut page = [0xFF; PAGE_SIZE];
        for (place, byte) in page.iter_mut().zip(record) {
            *place = *byte;
        }
        self.0.blocking_erase(SECTOR, SECTOR + ERASE_SIZE as u32)?;
        self.0.blocking_write(SECTOR, &page)
    }

    /// A number that no other board has; zero where it cannot be read.
    pub fn number(&mut self) -> [u8; 8] {
        #[cfg(feature = "rp2040")]
        {
            // A Pico's number is that of its flash.
            let mut number = [0; 8];
            match self.0.blocking_unique_id(&mut number) {
                Ok(()) => number,
                Err(_) => [0; 8],
            }
        }
        #[cfg(feature = "rp2350")]
        {
            embassy_rp::otp::get_chipid().unwrap_or_default().to_be_bytes()
        }
    }
}
