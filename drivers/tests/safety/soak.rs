//! Hours of work on a bus where everything goes wrong now and then.
//!
//! Ten simulated minutes in the ordinary test. The whole ten hours:
//! `SINEW_SOAK_HOURS=10 cargo test --release -p sinew-drivers --features sim --test safety soak -- --nocapture`

use sinew_core::limits::Limit;
use sinew_core::register::ALL_FAULTS;
use sinew_drivers::arm::{ArmOptions, MaxStep};
use sinew_drivers::clock::SECOND;
use sinew_drivers::sim::FaultPlan;
use sinew_drivers::stop::{Cause, StopPolicy};
use sinew_drivers::{Arm, Error, Nanos};

use crate::world::{TICK, World, wave};

/// Each in a hundred answers, of every kind; a brown-out and a pulled plug every other minute.
const FAULTS: FaultPlan = FaultPlan {
    lost: 0.01,
    late: 0.01,
    truncated: 0.01,
    corrupted: 0.01,
    duplicated: 0.01,
    noise: 0.01,
    brownout: 0.000_06,
    unplug: 0.000_06,
    delay: None,
};
/// How long a motor that answers may stay unseen.
const LONGEST_UNSEEN: Nanos = SECOND;
/// How long a motor may stay without torque while the arm is driven: it must be its turn, twice.
const LONGEST_LIMP: Nanos = 2 * SECOND;
/// Degrees a goal may lie from the measured position.
const STEP: f64 = 15.0;

/// Draws from a small generator of its own, so that the run repeats.
struct Dice(u64);

impl Dice {
    fn one_in(&mut self, chance: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.is_multiple_of(chance)
    }
}

/// What the run has seen.
#[derive(Debug, Default)]
struct Tally {
    ticks: u64,
    stops: u64,
    port_stops: u64,
    dead_man_stops: u64,
    blind_stops: u64,
    unreasonable: u64,
    longest_unseen: Nanos,
    longest_limp: Nanos,
}

struct Soak {
    world: World,
    arm: Arm,
    dice: Dice,
    tally: Tally,
    limp_since: [Option<Nanos>; 6],
    /// A motor that is deaf and dumb until then.
    dead: Option<(u8, Nanos)>,
    /// A joint in somebody's hand until then.
    held: Option<(u8, Nanos)>,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let options = ArmOptions {
            max_step: MaxStep::All(STEP),
            max_velocity: Some(180.0),
            stop: StopPolicy::Limp,
            ..ArmOptions::default()
        };
        let arm = world.arm(options);
        world.bus.faults(FAULTS);
        let tally = Tally::default();
        let dice = Dice(seed | 1);
        Self { world, arm, dice, tally, limp_since: [None; 6], dead: None, held: None }
    }

    fn now(&self) -> Nanos {
        self.world.bus.clock().now()
    }

    fn tick(&mut self) {
        let next = (self.now() / TICK + 1) * TICK;
        self.world.bus.clock().sleep_until(next);
        self.mischief();
        self.tally.ticks += 1;
        match self.drive() {
            Ok(()) => self.watch(),
            Err(error) => self.recover(&error),
        }
    }

    /// People and cables.
    fn mischief(&mut self) {
        let now = self.now();
        if self.dead.is_some_and(|(_, until)| now >= until)
            && let Some((id, _)) = self.dead.take()
        {
            self.world.bus.set_dead(id, false);
        }
        if self.held.is_some_and(|(_, until)| now >= until)
            && let Some((id, _)) = self.held.take()
        {
            self.world.bus.hand(id, None);
        }
        let id = (self.tally.ticks % 6) as u8 + 1;
        if self.dead.is_none() && self.dice.one_in(9_000) {
            self.world.bus.set_dead(id, true);
            self.dead = Some((id, now + 3 * SECOND));
        } else if self.held.is_none() && self.dice.one_in(9_000) {
            let position = self.world.bus.servo(id).unwrap().joint;
            self.world.bus.hand(id, Some(position));
            self.held = Some((id, now + 8 * SECOND));
        }
    }

    fn drive(&mut self) -> Result<(), Error> {
        self.arm.observe()?;
        if self.dice.one_in(4_000) {
            // Whoever commands falls silent for a while.
            self.world.bus.clock().sleep(SECOND * 6 / 10);
            self.arm.observe()?;
        } else if self.dice.one_in(20_000) {
            self.world.bus.clock().sleep(SECOND * 6 / 10);
            self.arm.observe()?;
            self.world.bus.clock().sleep(SECOND);
            self.arm.observe()?;
        }
        let mut values = wave(self.now(), 70.0);
        if self.dice.one_in(200) {
            self.tally.unreasonable += 1;
            values[1] = f64::NAN;
            values[2] = f64::INFINITY;
            values[3] = 1e300;
            values[5] = -400.0;
        }
        let sent = self.arm.command(&values)?;
        assert!(sent.values.iter().all(|value| value.is_finite()));
        Ok(())
    }

    /// No motor that answers is lost, and none stays limp.
    fn watch(&mut self) {
        let now = self.now();
        for servo in self.world.bus.servos() {
            let index = usize::from(servo.id) - 1;
            let dead = self.dead.is_some_and(|(id, _)| id == servo.id);
            if dead {
                self.limp_since[index] = None;
                continue;
            }
            let limp = self.limp_since[index].get_or_insert(now);
            if servo.torque {
                *limp = now;
            }
            self.tally.longest_limp = self.tally.longest_limp.max(now - *limp);
            // Its age counts from when it was well again.
            let age = self.arm.observation().ages[index];
            if self.dead.is_none() && age < 3 * SECOND {
                self.tally.longest_unseen = self.tally.longest_unseen.max(age);
            }
        }
    }

    fn recover(&mut self, error: &Error) {
        let stop =
            matches!(error, Error::Lost { .. } | Error::Stopped { .. } | Error::Blind { .. });
        assert!(stop, "{error}");
        self.tally.stops += 1;
        match self.arm.stopped() {
            Some(Cause::LostPort) => self.tally.port_stops += 1,
            Some(Cause::DeadMan) => self.tally.dead_man_stops += 1,
            Some(Cause::Blind) => {
                assert!(self.dead.is_some(), "every motor answers, and yet: {error}");
                self.tally.blind_stops += 1;
            }
            other => panic!("stopped by {other:?}"),
        }
        if self.arm.stopped() != Some(Cause::LostPort) {
            let torques = self.world.torques();
            let report = self.arm.stop_report().unwrap();
            for (motor, torque) in report.motors.iter().zip(torques) {
                assert!(!torque || !motor.ok, "{motor:?} says it is limp");
            }
        }
        for _ in 0..200 {
            self.world.bus.clock().sleep(SECOND / 5);
            if let Some((id, _)) = self.dead.take() {
                self.world.bus.set_dead(id, false);
            }
            if !self.world.bus.plugged() {
                self.world.bus.replug(None);
            }
            self.limp_since = [None; 6];
            if self.arm.resume().is_ok() {
                return;
            }
        }
        panic!("the arm does not come back");
    }

    fn report(&self) {
        let (arm, bus, line) =
            (self.arm.counts(), self.arm.bus_counts(), self.world.bus.fault_counts());
        let goals = self.world.witness();
        println!("simulated hours     {:.2}", self.now() as f64 / 3.6e12);
        println!("ticks               {}", self.tally.ticks);
        println!("injected            {line:?}");
        println!("bus                 {bus:?}");
        println!("values not fresh    {}", arm.stale);
        println!("health not read     {}", arm.health_missed);
        println!("port lost           {}", arm.port_lost);
        println!("torque lost, found  {}", arm.torque_lost);
        println!("dead-man held       {}", arm.dead_man);
        println!(
            "stops               {} port {} dead-man {} blind {}",
            self.tally.stops,
            self.tally.port_stops,
            self.tally.dead_man_stops,
            self.tally.blind_stops
        );
        for limit in sinew_core::limits::ALL_LIMITS {
            println!("limit {:<13} {}", limit.name(), arm.limited(limit));
        }
        for fault in ALL_FAULTS {
            println!("fault {:<13} {}", fault.to_string(), arm.faults(fault));
        }
        println!("goals on the line   {}, unsafe {}", goals.goals, goals.unsafe_goals.len());
        println!("longest unseen      {} ms", self.tally.longest_unseen / 1_000_000);
        println!("longest limp        {} ms", self.tally.longest_limp / 1_000_000);
    }
}

#[test]
fn soak() {
    let hours = std::env::var("SINEW_SOAK_HOURS").ok().and_then(|hours| hours.parse().ok());
    let hours: f64 = hours.unwrap_or(1.0 / 6.0);
    let mut soak = Soak::new(20_260_101);
    while (soak.now() as f64) < hours * 3.6e12 {
        soak.tick();
    }
    soak.report();

    let (arm, bus, line) =
        (soak.arm.counts(), soak.arm.bus_counts(), soak.world.bus.fault_counts());
    let witness = soak.world.witness();
    assert_eq!(witness.unsafe_goals, []);
    assert!(witness.goals > soak.tally.ticks * 5, "the arm was driven");
    assert!(soak.tally.longest_unseen <= LONGEST_UNSEEN);
    assert!(soak.tally.longest_limp <= LONGEST_LIMP);
    // Every fault has its count, under its name.
    assert_eq!(arm.port_lost, line.unplugs);
    assert!(arm.torque_lost >= line.brownouts.min(1));
    assert!(bus.retries + bus.lost >= (line.lost + line.late + line.truncated) / 2);
    assert!(bus.corrupt >= line.corrupted / 2);
    assert!(arm.limited(Limit::NotFinite) >= soak.tally.unreasonable * 9 / 10);
    assert!(arm.limited(Limit::Range) > 0);
}
