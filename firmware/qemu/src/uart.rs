//! The UARTs of the machine.

/// A UART of Arm's CMSDK.
#[derive(Clone, Copy)]
pub struct Uart(usize);

/// To the servos.
pub const WIRE: Uart = Uart(0x4000_4000);
/// The port that passes bytes as they are.
pub const ADAPTER: Uart = Uart(0x4000_5000);
/// The port of the bridge.
pub const BRIDGE: Uart = Uart(0x4000_6000);
/// To whoever runs the machine.
pub const DIRECTOR: Uart = Uart(0x4000_7000);

const DATA: usize = 0x0;
const STATE: usize = 0x4;
const CONTROL: usize = 0x8;
const DIVISOR: usize = 0x10;

const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;
/// Both directions.
const ENABLE: u32 = 3;
/// The least that it takes: QEMU carries bytes at any rate.
const FASTEST: u32 = 16;

impl Uart {
    /// Lets bytes in and out.
    pub fn open(self) {
        self.put(DIVISOR, FASTEST);
        self.put(CONTROL, ENABLE);
    }

    /// Fills `into`, however long that takes.
    pub fn read(self, into: &mut [u8]) {
        for place in into {
            while self.get(STATE) & RX_FULL == 0 {}
            *place = self.get(DATA) as u8;
        }
    }

    /// Sends all of `bytes`.
    pub fn write(self, bytes: &[u8]) {
        for byte in bytes {
            while self.get(STATE) & TX_FULL != 0 {}
            self.put(DATA, u32::from(*byte));
        }
    }

    fn get(self, register: usize) -> u32 {
        // SAFETY: the address is that of a register of this machine, and only this program uses it.
        unsafe { core::ptr::read_volatile((self.0 + register) as *const u32) }
    }

    fn put(self, register: usize, value: u32) {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile((self.0 + register) as *mut u32, value) }
    }
}
