//! A tick of an arm that is moved by wishes takes nothing from the heap, wherever the arm is led.

// All of it is test code, helpers included: a failure is a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sinew_drivers::arm::ArmOptions;
use sinew_drivers::clock::MILLI;
use sinew_drivers::sim::{self, VirtualBus};
use sinew_drivers::{Arm, ArmSpec, Bus, Clock, Nanos};
use sinew_teleop::Source;
use sinew_teleop::jog::{Jog, Moved, Space, Way, Wish};

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no count any more, and nobody asks for it.
    TAKEN.try_with(|taken| taken.set(taken.get() + 1)).unwrap_or_default();
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract, which is the same one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_counter_counts() {
    let before = TAKEN.get();
    drop(Box::new(7));
    assert_eq!(TAKEN.get() - before, 1);
}

#[test]
fn six_hundred_ticks_take_nothing_not_even_the_first() {
    for moved in [Moved::Tip(Space::default()), Moved::Joints] {
        let spec = ArmSpec::builtin("so101_follower").unwrap();
        let mut devices = sim::arm::assembled(&spec);
        let calibration = sim::arm::calibrate(&mut devices, &spec);
        let world = VirtualBus::new(devices, Clock::virtual_time(), 1);
        let bus = Bus::new(world.wire(), spec.series.protocol);
        let mut arm = Arm::connect(spec, bus, &calibration, ArmOptions::default()).unwrap();
        let (mut stick, mut jog) = Jog::new(&arm, moved).unwrap();
        jog.configure().unwrap();
        arm.observe().unwrap();
        let ways =
            [Way::Forward, Way::Left, Way::Up, Way::Tilt, Way::Roll, Way::Joint(2), Way::Open];
        let before = TAKEN.get();
        for tick in 0..600_usize {
            let now = tick as Nanos * 16 * MILLI;
            let mut wish = Wish { until: now + 100 * MILLI, ..Wish::nothing() };
            // Far beyond the reach, and back.
            wish.add(ways[tick / 100 % ways.len()], 0.2);
            stick.tell(wish);
            jog.read(now).unwrap();
            jog.see(arm.observation());
        }
        assert_eq!(TAKEN.get() - before, 0, "{moved:?}");
    }
}
