//! What moves: a geared motor with backlash, friction and a load, turned by its servo or by hand.
//!
//! Positions are counts of the output shaft from the encoder's zero and may run over many turns;
//! duty is the part of the supply voltage on the motor, from −1 to 1.

use super::body::Turned;

/// What a model of servo is built of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Build {
    /// The model's name.
    pub name: &'static str,
    /// Counts per second without load at the nominal supply.
    pub max_speed: f64,
    /// Amperes when blocked under full duty.
    pub stall_amps: f64,
    /// The supply it is usually run from, in volts.
    pub volts: f64,
}

const fn build(name: &'static str, rpm: f64, stall_amps: f64, volts: f64) -> Build {
    Build { name, max_speed: rpm * 4096.0 / 60.0, stall_amps, volts }
}

/// Speeds and currents from the manufacturers' data sheets, for the supply named.
static BUILDS: [Build; 8] = [
    build("sts3215", 52.0, 2.7, 7.4),
    build("sts3250", 75.0, 5.0, 12.0),
    build("sm8512bl", 50.0, 5.0, 24.0),
    // Its turn has a quarter of the others' counts.
    build("scs0009", 100.0 / 4.0, 0.9, 6.0),
    build("xl330-m288", 103.0, 1.47, 5.0),
    build("xl330-m077", 383.0, 1.47, 5.0),
    build("xl430-w250", 57.0, 1.4, 11.1),
    build("other", 50.0, 2.0, 12.0),
];

/// What the model of this name is built of; a middling motor where that is not known.
pub fn build_of(model: &str) -> &'static Build {
    let [.., other] = &BUILDS;
    BUILDS.iter().find(|build| build.name == model).unwrap_or(other)
}

/// What the shaft is fixed to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mount {
    /// Counts at which the joint meets its mechanical stops, if it has any.
    pub stops: Option<(f64, f64)>,
    /// The duty it takes to hold the joint against gravity.
    pub load: f64,
}

/// What the servo's electronics ask of the motor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// Nothing: it turns freely.
    Off,
    /// Go to a place along a profile.
    Position {
        /// Where to, in counts.
        goal: f64,
        /// The profile's greatest speed, in counts per second.
        speed: f64,
        /// How fast its speed changes, infinite where there is no profile.
        acceleration: f64,
        /// Duty per count of error.
        gain: f64,
        /// Duty added to overcome friction.
        startup: f64,
    },
    /// Turn at a speed.
    Speed {
        /// Counts per second.
        speed: f64,
        /// How fast the speed changes.
        acceleration: f64,
    },
    /// Put this duty on the motor.
    Duty(f64),
}

/// Play between rotor and output: about one degree, as users measure it.
const BACKLASH: f64 = 11.4;
/// Duty that friction in the gears eats.
const FRICTION: f64 = 0.02;
/// How quickly speed follows duty, in seconds.
const LAG: f64 = 0.01;

/// The moving parts of one servo.
#[derive(Clone, Debug)]
pub struct Motor {
    build: &'static Build,
    mount: Mount,
    output: f64,
    rotor: f64,
    speed: f64,
    duty: f64,
    /// Where the profile has got to.
    reference: f64,
    reference_speed: f64,
    /// Where a hand that is stronger than the motor holds it.
    held: Option<f64>,
    /// Counts of the whole turns that it has forgotten.
    forgotten: f64,
}

impl Motor {
    /// A motor at rest at `position`.
    pub fn new(build: &'static Build, mount: Mount, position: f64) -> Self {
        Self {
            build,
            mount,
            output: position,
            rotor: position,
            speed: 0.0,
            duty: 0.0,
            reference: position,
            reference_speed: 0.0,
            held: None,
            forgotten: 0.0,
        }
    }

    /// Where the output shaft is.
    pub fn position(&self) -> f64 {
        self.output
    }

    /// How fast it turns, in counts per second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The duty on the motor.
    pub fn duty(&self) -> f64 {
        self.duty
    }

    /// The current it draws, in amperes.
    pub fn amps(&self) -> f64 {
        let back = self.speed / self.build.max_speed;
        self.build.stall_amps * (self.duty - back).abs().min(1.5)
    }

    /// Puts the joint somewhere at once, as far as its stops allow.
    pub fn place(&mut self, place: f64) {
        if place.is_finite() {
            self.output = self.within_stops(place);
            self.drag_rotor();
            self.speed = 0.0;
            self.held = self.held.map(|_| self.output);
        }
    }

    /// Holds the joint where it is, or lets go of it.
    pub fn hold(&mut self, held: bool) {
        self.held = held.then_some(self.output);
    }

    /// Where a hand holds it, if one does, with the turns that it has forgotten.
    pub fn held(&self) -> Option<f64> {
        self.held.map(|held| held + self.forgotten)
    }

    /// Where the shaft is, with the turns that it has forgotten.
    pub fn shaft(&self) -> f64 {
        self.output + self.forgotten
    }

    /// Somebody else reckons the mechanics: takes over where the shaft is, all turns counted, and
    /// how fast it turns.
    pub fn take_over(&mut self, turned: Turned) {
        if turned.position.is_finite() && turned.speed.is_finite() {
            self.output = turned.position - self.forgotten;
            self.rotor = self.output;
            self.speed = turned.speed;
        }
    }

    /// Fixes the joint to something else.
    pub fn mount(&mut self, mount: Mount) {
        self.mount = mount;
    }

    /// Starts the profile anew from where the joint is, as when torque comes on.
    pub fn start_profile(&mut self) {
        self.reference = self.output;
        self.reference_speed = 0.0;
    }

    /// Drops whole turns from the position, as a servo does that knows only its encoder.
    pub fn forget_turns(&mut self, counts: f64) {
        let turns = (self.output / counts).floor() * counts;
        for place in [&mut self.output, &mut self.rotor, &mut self.reference] {
            *place -= turns;
        }
        self.held = self.held.map(|held| held - turns);
        self.forgotten += turns;
    }

    /// Whether nothing moves and nothing will, as long as `drive` stays.
    pub fn rests(&self, drive: &Drive, max_duty: f64) -> bool {
        if self.speed != 0.0 {
            return false;
        }
        match *drive {
            Drive::Off => self.duty == 0.0,
            Drive::Position { goal, .. } => {
                self.reference == goal
                    && self.duty_for(drive, max_duty) == self.duty
                    && (self.free_speed() == 0.0 || self.held.is_some())
            }
            Drive::Speed { speed, .. } => speed == 0.0 && self.reference_speed == 0.0,
            Drive::Duty(duty) => duty == 0.0 && self.duty == 0.0,
        }
    }

    /// What the electronics do in `dt` seconds: goes on along the profile and sets the duty.
    pub fn control(&mut self, drive: &Drive, max_duty: f64, dt: f64) {
        self.follow_profile(drive, dt);
        self.duty = self.duty_for(drive, max_duty);
    }

    /// Lets `dt` seconds pass.
    pub fn step(&mut self, drive: &Drive, max_duty: f64, dt: f64) {
        self.control(drive, max_duty, dt);
        let wanted = match drive {
            // The gears hold an arm's weight by themselves; only a hand turns them.
            Drive::Off => 0.0,
            _ => self.free_speed(),
        };
        self.speed += (wanted - self.speed) * (dt / (LAG + dt));
        if wanted == 0.0 && self.speed.abs() < 1.0 {
            self.speed = 0.0;
        }
        self.rotor += self.speed * dt;
        self.turn_output();
    }

    /// Lets a long time pass at once: everything ends where it was going.
    pub fn skip(&mut self, drive: &Drive, max_duty: f64, seconds: f64) {
        match *drive {
            Drive::Position { goal, speed, .. } if max_duty > 0.0 => {
                let way = goal - self.reference;
                self.reference += way.clamp(-speed * seconds, speed * seconds);
                self.reference_speed = 0.0;
                self.rotor += self.reference - self.output;
                self.turn_output();
            }
            Drive::Speed { .. } | Drive::Duty(_) => {
                self.rotor += self.speed * seconds;
                self.turn_output();
            }
            Drive::Position { .. } | Drive::Off => {}
        }
    }

    /// Moves the reference as the profile allows.
    fn follow_profile(&mut self, drive: &Drive, dt: f64) {
        match *drive {
            Drive::Position { goal, speed, acceleration, .. } => {
                let way = goal - self.reference;
                let braking = (2.0 * acceleration * way.abs()).sqrt();
                let wanted = speed.min(braking).copysign(way);
                let change = acceleration * dt;
                self.reference_speed += (wanted - self.reference_speed).clamp(-change, change);
                let moved = self.reference_speed * dt;
                if moved.abs() >= way.abs() {
                    self.reference = goal;
                    self.reference_speed = 0.0;
                } else {
                    self.reference += moved;
                }
            }
            Drive::Speed { speed, acceleration } => {
                let change = acceleration * dt;
                self.reference_speed += (speed - self.reference_speed).clamp(-change, change);
                self.reference = self.output;
            }
            Drive::Off | Drive::Duty(_) => self.start_profile(),
        }
    }

    fn duty_for(&self, drive: &Drive, max_duty: f64) -> f64 {
        let duty = match *drive {
            Drive::Off => 0.0,
            Drive::Position { gain, startup, .. } => {
                let error = self.reference - self.output;
                let push = if error.abs() > 1.0 { startup.copysign(error) } else { 0.0 };
                gain * error + push
            }
            Drive::Speed { .. } if self.reference_speed == 0.0 => 0.0,
            Drive::Speed { .. } => {
                // The speed loop adds what friction and load take.
                let friction = FRICTION.copysign(self.reference_speed);
                self.reference_speed / self.build.max_speed + friction + self.mount.load
            }
            Drive::Duty(duty) => duty,
        };
        duty.clamp(-max_duty, max_duty)
    }

    /// The speed at which the motor would turn under its duty if given time.
    fn free_speed(&self) -> f64 {
        let net = self.duty - self.mount.load;
        let left = (net.abs() - FRICTION).max(0.0);
        let speed = left * self.build.max_speed;
        // Slower than a count a second it sticks.
        if speed < 1.0 { 0.0 } else { speed.copysign(net) }
    }

    /// The output follows once the rotor has crossed the play, up to the mechanical stops.
    fn turn_output(&mut self) {
        let half = BACKLASH / 2.0;
        let led = self.output.clamp(self.rotor - half, self.rotor + half);
        let place = if self.held.is_some() { self.output } else { self.within_stops(led) };
        if place != led {
            self.speed = 0.0;
        }
        self.output = place;
        self.drag_rotor();
    }

    /// The rotor cannot be further from the output than the play allows.
    fn drag_rotor(&mut self) {
        let half = BACKLASH / 2.0;
        self.rotor = self.rotor.clamp(self.output - half, self.output + half);
    }

    fn within_stops(&self, place: f64) -> f64 {
        match self.mount.stops {
            Some((low, high)) => place.max(low).min(high.max(low)),
            None => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Mount = Mount { stops: None, load: 0.0 };
    const DT: f64 = 0.002;

    fn goal(goal: f64, speed: f64, acceleration: f64) -> Drive {
        Drive::Position { goal, speed, acceleration, gain: 0.004, startup: 0.016 }
    }

    fn run(motor: &mut Motor, drive: &Drive, max_duty: f64, seconds: f64) {
        for _ in 0..(seconds / DT) as usize {
            motor.step(drive, max_duty, DT);
        }
    }

    #[test]
    fn reaches_its_goal_within_friction_and_comes_to_rest() {
        let mut motor = Motor::new(build_of("sts3215"), FREE, 2048.0);
        let drive = goal(3000.0, 3400.0, 25_400.0);
        run(&mut motor, &drive, 1.0, 3.0);
        assert!((motor.position() - 3000.0).abs() < 8.0, "{}", motor.position());
        assert!(motor.rests(&drive, 1.0), "{motor:?}");
    }

    #[test]
    fn keeps_to_the_profile() {
        let mut motor = Motor::new(build_of("sts3215"), FREE, 0.0);
        let drive = goal(2000.0, 500.0, 1000.0);
        run(&mut motor, &drive, 1.0, 1.0);
        let early = motor.position();
        // Half a second to reach 500 counts/s, then half a second at that: 375, less the lag.
        assert!((250.0..=376.0).contains(&early), "{early}");
        run(&mut motor, &drive, 1.0, 1.0);
        assert!((motor.position() - early - 500.0).abs() < 15.0);
    }

    #[test]
    fn a_reversal_crosses_the_play_before_the_output_turns() {
        let mut motor = Motor::new(build_of("sts3215"), FREE, 0.0);
        run(&mut motor, &Drive::Duty(0.2), 1.0, 0.2);
        run(&mut motor, &Drive::Duty(0.0), 1.0, 0.2);
        let (output, rotor) = (motor.output, motor.rotor);
        while (motor.rotor - rotor).abs() < BACKLASH * 0.9 {
            motor.step(&Drive::Duty(-0.1), 1.0, DT / 10.0);
            assert_eq!(motor.output, output);
        }
        run(&mut motor, &Drive::Duty(-0.1), 1.0, 0.1);
        assert!(motor.output < output);
    }

    #[test]
    fn a_load_makes_it_droop_and_a_weak_motor_gives_up() {
        let mount = Mount { stops: None, load: 0.1 };
        let mut motor = Motor::new(build_of("sts3215"), mount, 1000.0);
        let drive = goal(1000.0, 3400.0, f64::INFINITY);
        run(&mut motor, &drive, 1.0, 2.0);
        assert!((motor.position() - 1000.0).abs() < 40.0);
        run(&mut motor, &drive, 0.05, 2.0);
        assert!(motor.position() < 900.0, "{}", motor.position());
    }

    #[test]
    fn a_stop_blocks_it_and_the_current_rises() {
        let mount = Mount { stops: Some((0.0, 1000.0)), load: 0.0 };
        let mut motor = Motor::new(build_of("sts3215"), mount, 900.0);
        run(&mut motor, &goal(2000.0, 3400.0, f64::INFINITY), 1.0, 2.0);
        assert_eq!(motor.position(), 1000.0);
        assert!(motor.amps() > 2.0, "{}", motor.amps());
    }

    #[test]
    fn a_hand_moves_it_and_it_stays_where_it_was_put() {
        let mut motor = Motor::new(build_of("sts3215"), FREE, 1000.0);
        for place in [2500.0, f64::NAN, f64::INFINITY] {
            motor.place(place);
            run(&mut motor, &Drive::Off, 1.0, 1.0);
            assert_eq!(motor.position(), 2500.0);
        }
        motor.hold(true);
        run(&mut motor, &goal(3000.0, 3400.0, f64::INFINITY), 1.0, 1.0);
        assert_eq!(motor.position(), 2500.0);
        assert_eq!(motor.duty(), 1.0);
    }

    #[test]
    fn a_long_leap_ends_where_it_was_going() {
        let mut motor = Motor::new(build_of("sts3215"), FREE, 0.0);
        let drive = goal(4000.0, 50.0, 1000.0);
        run(&mut motor, &drive, 1.0, 1.0);
        motor.skip(&drive, 1.0, 3600.0);
        assert!((motor.position() - 4000.0).abs() < 8.0, "{}", motor.position());
    }
}
