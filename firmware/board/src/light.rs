//! What the light does to be understood.

use embassy_rp::Peri;
use embassy_rp::peripherals::{PIN_25, PWM_SLICE4};
use embassy_rp::pwm::{Config, Pwm};
use sinew_core::reflex::{Light, Micros};

/// A light on pin 25.
pub struct Lamp {
    pwm: Pwm<'static>,
    shown: u16,
}

impl Lamp {
    /// Dark.
    pub fn new(slice: Peri<'static, PWM_SLICE4>, pin: Peri<'static, PIN_25>) -> Self {
        Self { pwm: Pwm::new_output_b(slice, pin, config(0)), shown: 0 }
    }

    /// Shows this, so bright.
    pub fn show(&mut self, light: Light, brightness: u8, now: Micros) {
        let (on_ms, of_ms) = rhythm(light);
        let on = now / 1000 % of_ms < on_ms;
        let level = if on { u16::from(brightness) } else { 0 };
        if level != self.shown {
            self.shown = level;
            self.pwm.set_config(&config(level));
        }
    }
}

/// For how many milliseconds of how many it is on.
fn rhythm(light: Light) -> (u64, u64) {
    match light {
        Light::Idle => (50, 2000),
        Light::Through => (1, 1),
        Light::Running => (500, 1000),
        Light::Held => (100, 200),
        Light::Stopped => (1000, 1200),
        Light::Trouble => (50, 100),
    }
}

/// Twice the light does not look twice as bright; its square nearly does.
fn config(level: u16) -> Config {
    let mut config = Config::default();
    config.top = u16::MAX - 1;
    config.compare_b = level.saturating_mul(level);
    config
}
