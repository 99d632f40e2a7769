//! The servo wire: a PIO state machine sends and drives the direction pin, the UART hears.
//!
//! The direction must turn within a bit of the last stop bit, because servos answer at once. A
//! program that waits for the last bit can be late; a state machine cannot.

use embassy_futures::select::{Either, select};
use embassy_rp::clocks::clk_sys_freq;
use embassy_rp::gpio::Level;
use embassy_rp::peripherals::{DMA_CH0, PIN_0, PIN_1, PIN_2, PIO0, UART0};
#[cfg(feature = "rp2350")]
use embassy_rp::pio::StatusN;
use embassy_rp::pio::program::pio_asm;
use embassy_rp::pio::{
    Config, Direction, FifoJoin, Pio, ShiftDirection, StateMachine, StatusSource,
};
use embassy_rp::pio_programs::clock_divider::calculate_pio_clock_divider_value;
use embassy_rp::uart::BufferedUartRx;
use embassy_rp::{Peri, bind_interrupts, dma, pac, pio, uart};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use sinew_core::reflex::BAUDS;

bind_interrupts!(struct Irqs {
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
});

/// The state machine's cycles a bit.
const CYCLES: u32 = 8;

/// What is to be said on the wire, and how fast.
pub struct Outbox {
    bytes: Pipe<NoopRawMutex, 512>,
    baud: Signal<NoopRawMutex, u32>,
    tuned: Signal<NoopRawMutex, ()>,
}

impl Outbox {
    /// Nothing to say.
    pub const fn new() -> Self {
        Self { bytes: Pipe::new(), baud: Signal::new(), tuned: Signal::new() }
    }
}

/// The servo wire, as the loop has it.
pub struct Bus<'a> {
    outbox: &'a Outbox,
    ear: Ear,
    baud: u32,
}

impl<'a> Bus<'a> {
    /// A wire at this rate, at which `ear` hears and who empties `outbox` speaks.
    pub fn new(outbox: &'a Outbox, ear: Ear, baud: u32) -> Self {
        Self { outbox, ear, baud }
    }

    /// Changes the rate, behind what is still to be said. One that the wire cannot run at changes
    /// nothing.
    pub async fn tune(&mut self, baud: u32) {
        if baud != self.baud && BAUDS.contains(&baud) {
            self.baud = baud;
            self.outbox.baud.signal(baud);
            self.outbox.tuned.wait().await;
            self.ear.set_baud(baud);
        }
    }

    /// Has `bytes` said at this rate. Waits while there is no room for them: the wire empties the outbox
    /// whatever happens.
    pub async fn say(&mut self, mut bytes: &[u8], baud: u32) {
        if !bytes.is_empty() {
            self.tune(baud).await;
        }
        while !bytes.is_empty() {
            let wrote = self.outbox.bytes.write(bytes).await;
            bytes = bytes.get(wrote..).unwrap_or_default();
        }
    }

    /// What servos say next.
    pub async fn hear(&mut self, into: &mut [u8]) -> usize {
        self.ear.hear(into).await
    }
}

/// Who talks on the wire.
pub struct Mouth {
    machine: StateMachine<'static, PIO0, 0>,
    dma: dma::Channel<'static>,
}

impl Mouth {
    /// Silent, and out of the servos' way.
    pub fn new(
        pio: Peri<'static, PIO0>,
        dma: Peri<'static, DMA_CH0>,
        data: Peri<'static, PIN_0>,
        direction: Peri<'static, PIN_2>,
        baud: u32,
    ) -> Self {
        let Pio { mut common, mut sm0, .. } = Pio::new(pio, Irqs);
        let (data, direction) = (common.make_pio_pin(data), common.make_pio_pin(direction));
        sm0.set_pins(Level::Low, &[&direction]);
        sm0.set_pins(Level::High, &[&data]);
        sm0.set_pin_dirs(Direction::Out, &[&data, &direction]);
        let program = pio_asm!(
            ".side_set 1 opt          ; the direction: 1 while the wire is ours",
            "idle:",
            "    pull block    side 0",
            "    nop           side 1 [7] ; a bit of rest before the first start bit",
            "byte:",
            "    set x, 7",
            "    set pins, 0   [7]    ; start bit",
            "bit:",
            "    out pins, 1   [6]",
            "    jmp x-- bit",
            "    set pins, 1   [2]    ; stop bit: eight cycles to the next start bit,",
            "    mov y, status        ; nine to the turn where nothing else waits",
            "    jmp !y, more",
            "    jmp idle      [3]",
            "more:",
            "    pull block",
            "    jmp byte",
        );
        let mut config = Config::default();
        config.use_program(&common.load_program(&program.program), &[&direction]);
        config.set_out_pins(&[&data]);
        config.set_set_pins(&[&data]);
        config.shift_out.direction = ShiftDirection::Right;
        config.fifo_join = FifoJoin::TxOnly;
        // The status is all ones while fewer than one byte waits.
        config.status_sel = StatusSource::TxFifoLevel;
        #[cfg(feature = "rp2040")]
        {
            config.status_n = 1;
        }
        #[cfg(feature = "rp2350")]
        {
            config.status_n = StatusN::This(1);
        }
        config.clock_divider = calculate_pio_clock_divider_value(fastest(), baud);
        sm0.set_config(&config);
        sm0.set_enable(true);
        Self { machine: sm0, dma: dma::Channel::new(dma, Irqs) }
    }

    /// Says what comes into the outbox.
    pub async fn run(&mut self, outbox: &Outbox) -> ! {
        let mut buffer = [0; 128];
        loop {
            match select(outbox.bytes.read(&mut buffer), outbox.baud.wait()).await {
                Either::First(len) => {
                    let bytes = buffer.get(..len).unwrap_or_default();
                    self.machine.tx().dma_push(&mut self.dma, bytes, false).await;
                }
                Either::Second(baud) => {
                    self.quiet().await;
                    let divider = calculate_pio_clock_divider_value(fastest(), baud);
                    self.machine.set_clock_divider(divider);
                    self.machine.clkdiv_restart();
                    outbox.tuned.signal(());
                }
            }
        }
    }

    /// Waits until the last bit is out.
    async fn quiet(&mut self) {
        // The flag is of any time since it was last looked at: the first look clears it.
        self.machine.tx().stalled();
        while !self.machine.tx().stalled() {
            Timer::after_micros(50).await;
        }
    }
}

/// The rate at which the state machine would speak at the chip's full speed. A bit's cycles are taken off
/// here, not put onto the rate that is wanted, because embassy's arithmetic overflows from 2^24 Hz on.
fn fastest() -> u32 {
    const { assert!(*BAUDS.end() < 1 << 24) };
    clk_sys_freq() / CYCLES
}

/// Who hears the wire.
pub struct Ear {
    uart: Peri<'static, UART0>,
    pin: Peri<'static, PIN_1>,
    buffer: &'static mut [u8],
    open: Option<BufferedUartRx>,
}

impl Ear {
    /// Hears what servos say at this rate.
    pub fn new(
        uart: Peri<'static, UART0>,
        pin: Peri<'static, PIN_1>,
        buffer: &'static mut [u8],
        baud: u32,
    ) -> Self {
        let mut ear = Self { uart, pin, buffer, open: None };
        ear.set_baud(baud);
        ear
    }

    fn set_baud(&mut self, baud: u32) {
        // The old one gives the buffer back before the new one takes it.
        self.open = None;
        let mut config = uart::Config::default();
        config.baudrate = baud;
        let (uart, pin) = (self.uart.reborrow(), self.pin.reborrow());
        self.open = Some(BufferedUartRx::new(uart, Irqs, pin, self.buffer, config));
        // Nobody drives the pin while the direction is the other one.
        pac::PADS_BANK0.gpio(1).modify(|pad| pad.set_pue(true));
    }

    /// The bytes that come next. What was damaged on the way is left out: the packet it belonged to
    /// fails its checksum.
    async fn hear(&mut self, into: &mut [u8]) -> usize {
        use embedded_io_async::Read;
        loop {
            let Some(open) = &mut self.open else { core::future::pending().await };
            if let Ok(len) = open.read(into).await {
                return len;
            }
        }
    }
}
