//! The loop: bytes from two ports and one wire into the core, what it answers out again.

use embassy_futures::join::join5;
use embassy_futures::select::{Either5, select5};
use embassy_futures::yield_now;
use embassy_rp::Peripherals;
use embassy_rp::rom_data::reset_to_usb_boot;
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, Timer};
use sinew_core::reflex::{Board, Kind};
use static_cell::ConstStaticCell;

use crate::bus::{self, Bus, Ear, Mouth};
use crate::identity::serial;
use crate::light::Lamp;
use crate::store::Store;
use crate::usb::{self, PACKET};

/// A loop that hangs this long is started again with the chip. Longer than erasing a sector of
/// flash takes, or sending a full outbox at the lowest rate.
const PATIENCE: Duration = Duration::from_millis(2000);

/// The loop goes round this often at least, in microseconds, so that the light can blink.
const REST: u64 = 25_000;

/// How long the last bytes may take to the host.
const LEAVING: Duration = Duration::from_millis(100);

#[cfg(feature = "rp2040")]
const KIND: Kind = Kind::Rp2040;
#[cfg(feature = "rp2350")]
const KIND: Kind = Kind::Rp2350;

/// Runs the firmware on these peripherals. Pins: 0 to the servos, 1 from the servos, 2 the
/// direction, 25 the light.
pub async fn run(p: Peripherals) -> ! {
    static HEARD: ConstStaticCell<[u8; 512]> = ConstStaticCell::new([0; 512]);
    let mut watchdog = Watchdog::new(p.WATCHDOG);
    watchdog.start(PATIENCE);
    let mut store = Store::new(p.FLASH);
    let mut board = fresh(&store.kept());
    let mut lamp = Lamp::new(p.PWM_SLICE4, p.PIN_25);

    let baud = board.settings().baud;
    let to_wire = bus::Outbox::new();
    let mut mouth = Mouth::new(p.PIO0, p.DMA_CH0, p.PIN_0, p.PIN_2, baud);
    let ear = Ear::new(p.UART0, p.PIN_1, HEARD.take(), baud);
    let mut bus = Bus::new(&to_wire, ear, baud);
    let (mut device, mut adapter, mut bridge) = usb::device(p.USB, serial(store.number()));
    // What servos can say while the host looks away for a few milliseconds, and what the core makes in a step.
    let (to_adapter, to_bridge) = (usb::Outbox::<512>::new(), usb::Outbox::<1600>::new());

    let desk = async {
        let (mut asked, mut told, mut heard) = ([0; PACKET], [0; PACKET], [0; 128]);
        loop {
            watchdog.feed(PATIENCE);
            let now = Instant::now().as_micros();
            let brightness = board.settings().light;
            let step = board.poll(now);
            bus.say(step.bus, step.baud).await;
            to_bridge.say(step.host);
            lamp.show(step.light, brightness, now);
            let (wake, save, leave) = (step.wake_us.min(now + REST), step.save, step.bootloader);
            if let Some(record) = save {
                board.saved(store.keep(&record).is_ok());
                // The host waits for that answer.
                continue;
            }
            if leave {
                Timer::after(LEAVING).await;
                reset_to_usb_boot(0, 0);
            }

            // The first that is ready wins. The bridge stands before the other port: a program that sends
            // there without end must not keep the host's goals, or its stop, from the board.
            let event = select5(
                bus.hear(&mut heard),
                bridge.input.receive(&mut told),
                adapter.line.changed(),
                adapter.input.receive(&mut asked),
                Timer::at(Instant::from_micros(wake)),
            )
            .await;
            let now = Instant::now().as_micros();
            match event {
                Either5::First(len) => {
                    let bytes = heard.get(..len).unwrap_or_default();
                    to_adapter.say(board.wire_bytes(now, bytes));
                }
                Either5::Second(len) => {
                    board.host_bytes(now, told.get(..len).unwrap_or_default());
                }
                Either5::Fourth(len) => {
                    let bytes = asked.get(..len).unwrap_or_default();
                    bus.say(board.adapter_bytes(now, bytes), adapter.input.baud()).await;
                }
                Either5::Third(()) | Either5::Fifth(()) => {}
            }
            bus.tune(board.wire_baud(now, adapter.input.baud())).await;
            // Where something is always ready, nothing above waits: USB and the wire have their turn here.
            yield_now().await;
        }
    };
    join5(
        desk,
        mouth.run(&to_wire),
        device.run(),
        adapter.output.run(&to_adapter, &adapter.line),
        bridge.output.run(&to_bridge, &bridge.line),
    )
    .await
    .0
}

/// Apart, because making a board takes more stack than anything a board does later.
#[inline(never)]
fn fresh(kept: &[u8]) -> Board {
    Board::new(KIND, kept)
}
