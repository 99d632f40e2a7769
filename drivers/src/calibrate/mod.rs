//! Calibrating an arm.

pub mod eeprom;
