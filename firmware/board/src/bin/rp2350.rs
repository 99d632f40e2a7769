//! The image for a Raspberry Pi Pico 2 and other boards with an RP2350.
#![no_std]
#![no_main]

use embassy_executor::Spawner;

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    sinew_board::run(embassy_rp::init(embassy_rp::config::Config::default())).await
}
