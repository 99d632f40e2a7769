//! One USB device with two serial ports.

use embassy_futures::select::{Either, select};
use embassy_rp::peripherals::USB;
use embassy_rp::{Peri, bind_interrupts, usb};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::{Duration, Timer};
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::{Builder, Config, UsbDevice};
use static_cell::{ConstStaticCell, StaticCell};

bind_interrupts!(struct Irqs {
    USBCTRL_IRQ => usb::InterruptHandler<USB>;
});

type Driver = usb::Driver<'static, USB>;

/// What a packet of a full-speed device holds.
pub const PACKET: usize = 64;

/// How often it is looked whether a port is still open, while something waits to be fetched from it:
/// sooner than a host can find a board that was plugged in again.
const LOOK: Duration = Duration::from_millis(5);

/// Raspberry Pi's own numbers for a device with serial ports; systems know them as such.
const NUMBERS: (u16, u16) = (0x2E8A, 0x000A);

/// The device, the port that passes bytes, and the port of the bridge, in this order.
pub fn device(usb: Peri<'static, USB>, serial: &'static str) -> (Device, Port, Port) {
    static CONFIG: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
    static BOS: ConstStaticCell<[u8; 32]> = ConstStaticCell::new([0; 32]);
    static CONTROL: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);
    static STATES: [StaticCell<State<'static>>; 2] = [StaticCell::new(), StaticCell::new()];

    let mut config = Config::new(NUMBERS.0, NUMBERS.1);
    config.manufacturer = Some("Sinew");
    config.product = Some("Sinew board");
    config.serial_number = Some(serial);
    let driver = usb::Driver::new(usb, Irqs);
    let mut builder =
        Builder::new(driver, config, CONFIG.take(), BOS.take(), &mut [], CONTROL.take());
    let [first, second] = &STATES;
    let adapter = Port::new(&mut builder, first.init(State::new()));
    let bridge = Port::new(&mut builder, second.init(State::new()));
    (Device(builder.build()), adapter, bridge)
}

/// What answers the host's questions about the device.
pub struct Device(UsbDevice<'static, Driver>);

impl Device {
    /// Answers for ever.
    pub async fn run(&mut self) -> ! {
        self.0.run().await
    }
}

/// A serial port, in its three parts.
pub struct Port {
    /// What the host sends.
    pub input: Input,
    /// What it gets.
    pub output: Output,
    /// What it says of the line.
    pub line: Line,
}

impl Port {
    fn new(builder: &mut Builder<'static, Driver>, state: &'static mut State<'static>) -> Self {
        let class = CdcAcmClass::new(builder, state, PACKET as u16);
        let (sender, receiver, control) = class.split_with_control();
        Self { input: Input(receiver), output: Output(sender), line: Line(control) }
    }
}

/// What the host sends.
pub struct Input(Receiver<'static, Driver>);

impl Input {
    /// The next bytes; `into` has room for a whole packet.
    pub async fn receive(&mut self, into: &mut [u8; PACKET]) -> usize {
        loop {
            self.0.wait_connection().await;
            if let Ok(len) = self.0.read_packet(into).await {
                return len;
            }
        }
    }

    /// The rate that the host has set last.
    pub fn baud(&self) -> u32 {
        self.0.line_coding().data_rate()
    }
}

/// What is to go to the host.
pub struct Outbox<const N: usize>(Pipe<NoopRawMutex, N>);

impl<const N: usize> Outbox<N> {
    /// Nothing.
    pub const fn new() -> Self {
        Self(Pipe::new())
    }

    /// Has all of `bytes` sent, or none of them where a program that does not read has let the outbox
    /// fill.
    pub fn say(&self, bytes: &[u8]) {
        if !bytes.is_empty() && self.0.free_capacity() >= bytes.len() {
            // There is room, so that nothing can be left over.
            self.0.try_write(bytes).unwrap_or_default();
        }
    }
}

/// What the host gets.
pub struct Output(Sender<'static, Driver>);

impl Output {
    /// Sends what comes into the outbox while somebody has the port of `line` open. The rest is dropped,
    /// also what waits to be fetched when the port is closed or unplugged: the next one to open it must
    /// not find answers to somebody else.
    pub async fn run<const N: usize>(&mut self, outbox: &Outbox<N>, line: &Line) -> ! {
        // A packet of full length would have to be followed by an empty one.
        let mut packet = [0; PACKET - 1];
        loop {
            let len = outbox.0.read(&mut packet).await;
            let bytes = packet.get(..len).unwrap_or_default();
            // An error is a port that went away, as if nobody had it open.
            let sent = select(line.closed(), self.0.write_packet(bytes)).await;
            if matches!(sent, Either::Second(Err(_))) {
                self.0.wait_connection().await;
            }
        }
    }
}

/// What the host says of the line.
pub struct Line(ControlChanged<'static>);

impl Line {
    /// Waits until it says something new.
    pub async fn changed(&self) {
        self.0.control_changed().await;
    }

    /// Waits until nobody has the port open.
    async fn closed(&self) {
        while self.0.dtr() {
            Timer::after(LOOK).await;
        }
    }
}
