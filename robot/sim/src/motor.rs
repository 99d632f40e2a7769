//! What turns a joint: a geared motor as one would measure it on the table, or an ideal servo to compare
//! with other engines.

/// A motor with its gears, seen from the output shaft.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gear {
    /// Newton metres per volt when it stands.
    pub strength: f64,
    /// What its own turning takes from that: newton metres per radian and second.
    pub back: f64,
    /// Friction that grows with speed: newton metres per radian and second.
    pub viscous: f64,
    /// Friction that does not, in newton metres.
    pub friction: f64,
    /// What its rotor opposes to being sped up, in kilograms times square metres.
    pub armature: f64,
    /// How far the output turns without the rotor, in radians.
    pub play: f64,
}

impl Gear {
    /// A Feetech STS3215 for 7.4 V, as measured by Rhoban's `bam` (model m1); its play by users.
    pub const STS3215: Self = Self {
        strength: 1.1776 / 2.479,
        back: 1.1776 * 1.1776 / 2.479,
        viscous: 0.0599,
        friction: 0.0515,
        armature: 0.0261,
        play: std::f64::consts::PI / 180.0,
    };
}

/// An ideal servo: a spring to its goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spring {
    /// Newton metres per radian away from the goal.
    pub stiffness: f64,
    /// Newton metres per radian and second.
    pub damping: f64,
    /// It pulls no stronger.
    pub most: f64,
    /// Friction that grows with speed.
    pub viscous: f64,
    /// Friction that does not.
    pub friction: f64,
    /// As a [`Gear`]'s.
    pub armature: f64,
}

/// What turns a joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Motor {
    /// As on the table.
    Gear(Gear),
    /// As in other engines.
    Spring(Spring),
}

/// What a motor is told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Order {
    /// Its bridge is open: it turns freely but for friction.
    #[default]
    Off,
    /// This many volts.
    Volts(f64),
    /// To go to this angle; a [`Gear`] does not know how.
    Goal(f64),
}

/// How stiff its teeth are, where they touch: much stiffer than what they move.
const TEETH: (f64, f64) = (10_000.0, 20.0);
/// How a hand holds a joint.
const HAND: (f64, f64) = (2_000.0, 40.0);

/// The rotor of a motor with play.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rotor {
    /// Its angle at the output.
    pub angle: f64,
    /// And speed.
    pub speed: f64,
}

/// What a joint's motor does in one step, as far as it can be said before the joint's speed after it is
/// known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// Torque.
    pub torque: f64,
    /// What is taken from it per radian and second, of the speed after the step.
    pub drag: f64,
    /// What is added to the joint's mass.
    pub armature: f64,
    /// The rotor's speed after the step: this, and that much of the joint's.
    rotor: (f64, f64),
}

impl Motor {
    /// Its friction that does not grow with speed.
    pub fn friction(&self) -> f64 {
        match self {
            Self::Gear(gear) => gear.friction,
            Self::Spring(spring) => spring.friction,
        }
    }

    /// Takes the play out of its gears: teeth that meet are too hard for physics that do not reckon motors
    /// and joints together.
    #[cfg(feature = "mujoco")]
    pub(crate) fn without_play(&mut self) {
        if let Self::Gear(gear) = self {
            gear.play = 0.0;
        }
    }

    /// What its rotor opposes to being sped up.
    #[cfg(feature = "mujoco")]
    pub(crate) fn armature(&self) -> f64 {
        match self {
            Self::Gear(gear) => gear.armature,
            Self::Spring(spring) => spring.armature,
        }
    }

    /// What it does in the next `seconds` at a joint that is here, turns so fast, and is held by hand
    /// there.
    pub fn effort(
        &self,
        order: Order,
        rotor: &Rotor,
        (angle, speed): (f64, f64),
        hand: Option<f64>,
        seconds: f64,
    ) -> Effort {
        let mut effort = match self {
            Self::Gear(gear) => gear.effort(order, rotor, (angle, speed), seconds),
            Self::Spring(spring) => spring.effort(order, (angle, speed)),
        };
        if let Some(place) = hand {
            let (stiff, damped) = HAND;
            effort.torque += stiff * (place - angle);
            effort.drag += stiff * seconds + damped;
        }
        effort
    }

    /// The rotor, once the joint's speed is known.
    pub fn follow(
        &self,
        rotor: &mut Rotor,
        effort: &Effort,
        (angle, speed): (f64, f64),
        seconds: f64,
    ) {
        match self {
            Self::Gear(gear) if gear.play > 0.0 => {
                let (own, share) = effort.rotor;
                rotor.speed = own + share * speed;
                rotor.angle += rotor.speed * seconds;
            }
            _ => *rotor = Rotor { angle, speed },
        }
    }
}

impl Gear {
    fn effort(&self, order: Order, rotor: &Rotor, (angle, speed): (f64, f64), dt: f64) -> Effort {
        let (torque, drag) = match order {
            Order::Volts(volts) => (self.strength * volts, self.back + self.viscous),
            Order::Off | Order::Goal(_) => (0.0, self.viscous),
        };
        if self.play <= 0.0 {
            return Effort { torque, drag, armature: self.armature, rotor: (0.0, 1.0) };
        }
        // Whether the teeth touch by the end of the step, and on which side.
        let apart = rotor.angle - angle;
        let then = apart + (rotor.speed - speed) * dt;
        let half = self.play / 2.0;
        let dent = if then > half {
            Some(apart - half)
        } else if then < -half {
            Some(apart + half)
        } else {
            None
        };
        let own = self.armature + drag * dt;
        let momentum = self.armature * rotor.speed + torque * dt;
        let Some(dent) = dent else {
            return Effort { rotor: (momentum / own, 0.0), ..Effort::default() };
        };
        // Rotor and joint are reckoned together, with their speeds after the step: however stiff the
        // teeth are, nothing rings. The rotor's part is solved for and put into the joint's.
        let (stiff, damped) = TEETH;
        let couple = stiff * dt + damped;
        let both = own + couple * dt;
        let push = momentum - stiff * dent * dt;
        Effort {
            torque: stiff * dent + couple * push / both,
            drag: couple * own / both,
            armature: 0.0,
            rotor: (push / both, couple * dt / both),
        }
    }
}

impl Spring {
    fn effort(&self, order: Order, (angle, speed): (f64, f64)) -> Effort {
        let Self { stiffness, damping, most, viscous, armature, .. } = *self;
        let Order::Goal(goal) = order else {
            return Effort { drag: viscous, armature, ..Effort::default() };
        };
        let pull = stiffness * (goal - angle);
        let force = pull - damping * speed;
        if force.abs() >= most {
            return Effort {
                torque: most.copysign(force),
                drag: viscous,
                armature,
                ..Effort::default()
            };
        }
        Effort { torque: pull, drag: viscous + damping, armature, ..Effort::default() }
    }
}
