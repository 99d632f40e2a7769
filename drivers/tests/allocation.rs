//! A control tick allocates nothing: neither the arm nor the bus below it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use sinew_core::calibration::Calibration;
use sinew_drivers::arm::{Arm, ArmOptions, MaxStep, OnMismatch};
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{ArmSpec, Bus, Clock, Error, Nanos, Wire};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting. It is the only test in this program, so every allocation
/// while it looks is the tick's.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A virtual line: it plays the servos too, so what it allocates is not the driver's.
struct Line(Box<dyn Wire>);

impl Line {
    fn uncounted<T>(&mut self, act: impl FnOnce(&mut dyn Wire) -> T) -> T {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let done = act(&mut *self.0);
        ALLOCATIONS.store(before, Ordering::Relaxed);
        done
    }
}

impl Wire for Line {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn clock(&self) -> &Clock {
        self.0.clock()
    }

    fn baud(&self) -> u32 {
        self.0.baud()
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), Error> {
        self.0.set_baud(baud)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<Nanos, Error> {
        self.uncounted(|wire| wire.send(bytes))
    }

    fn receive(&mut self, into: &mut [u8], deadline: Nanos) -> Result<usize, Error> {
        self.uncounted(|wire| wire.receive(into, deadline))
    }

    fn discard_input(&mut self) -> Result<(), Error> {
        self.uncounted(|wire| wire.discard_input())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.0.reopen()
    }
}

fn whole_turn(id: u8) -> Calibration {
    Calibration { id, drive_mode: 0, homing_offset: 0, range_min: 0, range_max: 4095 }
}

#[test]
fn a_tick_allocates_nothing() {
    for name in ["so101_follower", "koch_follower", "lekiwi"] {
        let spec = ArmSpec::builtin(name).unwrap();
        let world = VirtualBus::new(sim::arm::devices(&spec), Clock::virtual_time(), 1);
        let calibration: Vec<_> =
            spec.servos().map(|(name, id, _)| (name.to_owned(), whole_turn(id))).collect();
        let options = ArmOptions {
            max_step: MaxStep::All(20.0),
            max_velocity: Some(90.0),
            max_acceleration: Some(400.0),
            on_mismatch: OnMismatch::Write,
            ..ArmOptions::default()
        };
        let bus = Bus::new(Box::new(Line(world.wire())), spec.series.protocol);
        let mut arm = Arm::connect(spec, bus, &calibration, options).unwrap();
        arm.configure().unwrap();
        let mut values = vec![0.0; arm.spec().value_count()];
        let mut ticks = |arm: &mut Arm, count: u32| {
            for tick in 0..count {
                world.clock().sleep(20 * MILLI);
                values.fill(f64::from(tick % 40));
                let seen = arm.observe().unwrap();
                assert!(seen.fresh.iter().all(|fresh| *fresh));
                arm.command(&values).unwrap();
            }
        };
        ticks(&mut arm, 1);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        ticks(&mut arm, 1_000);
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "{name}");
    }
}
