//! What goes wrong on a virtual bus, and how often.

use crate::Nanos;
use crate::clock::MILLI;

/// How likely each fault is, per answer unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// The answer never comes.
    pub lost: f64,
    /// The answer comes [`FaultPlan::lateness`] late.
    pub late: f64,
    /// The answer stops in the middle.
    pub truncated: f64,
    /// A bit of the answer is flipped.
    pub corrupted: f64,
    /// The answer comes twice.
    pub duplicated: f64,
    /// Bytes that nobody sent come before the answer.
    pub noise: f64,
    /// Per request: the supply sags and every servo starts again.
    pub brownout: f64,
    /// Per request: the adapter is unplugged.
    pub unplug: f64,
    /// How late a late answer is.
    pub delay: Option<Nanos>,
}

/// How late a late answer is unless the plan says otherwise: beyond any patience with a bus.
const DELAY: Nanos = 30 * MILLI;

/// A fault plan that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultPlanError {
    /// A name that is no fault.
    #[error(
        "{name:?} is no fault; there are lost, late, truncated, corrupted, duplicated, noise, \
         brownout, unplug, delay_ms and all"
    )]
    Unknown {
        /// What was written.
        name: String,
    },
    /// A value that is no probability.
    #[error("{name}={value}: want a number from 0 to 1, such as {name}=0.01")]
    Value {
        /// Which fault.
        name: String,
        /// What was written.
        value: String,
    },
}

impl FaultPlan {
    /// The same chance for every fault of an answer.
    pub fn answers(chance: f64) -> Self {
        Self {
            lost: chance,
            late: chance,
            truncated: chance,
            corrupted: chance,
            duplicated: chance,
            noise: chance,
            ..Self::default()
        }
    }

    /// Reads `lost=0.01,late=0.02,delay_ms=5`; `all=0.01` stands for every fault of an answer.
    pub fn parse(text: &str) -> Result<Self, FaultPlanError> {
        let mut plan = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            plan.take(name.trim(), value.trim())?;
        }
        Ok(plan)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), FaultPlanError> {
        let bad = || FaultPlanError::Value { name: name.to_owned(), value: value.to_owned() };
        let within = |most: f64| {
            value.parse::<f64>().ok().filter(|n| (0.0..=most).contains(n)).ok_or_else(bad)
        };
        let place = match name {
            "delay_ms" => {
                self.delay = Some((within(60_000.0)? * MILLI as f64) as Nanos);
                return Ok(());
            }
            "all" => {
                let Self { brownout, unplug, delay, .. } = *self;
                *self = Self { brownout, unplug, delay, ..Self::answers(within(1.0)?) };
                return Ok(());
            }
            "lost" => &mut self.lost,
            "late" => &mut self.late,
            "truncated" => &mut self.truncated,
            "corrupted" => &mut self.corrupted,
            "duplicated" => &mut self.duplicated,
            "noise" => &mut self.noise,
            "brownout" => &mut self.brownout,
            "unplug" => &mut self.unplug,
            _ => return Err(FaultPlanError::Unknown { name: name.to_owned() }),
        };
        *place = within(1.0)?;
        Ok(())
    }

    /// How late a late answer is.
    pub fn lateness(&self) -> Nanos {
        self.delay.unwrap_or(DELAY)
    }
}

/// What can happen to one answer on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It never comes.
    Lost,
    /// It comes late.
    Late,
    /// It stops in the middle.
    Truncated,
    /// A bit of it is flipped.
    Corrupted,
    /// It comes twice.
    Duplicated,
    /// Bytes that nobody sent come before it.
    Noise,
}

/// A fault that is to happen to the next answers of a servo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What happens.
    pub kind: FaultKind,
    /// To whose answers; anybody's where none is named.
    pub id: Option<u8>,
    /// To how many.
    pub times: u32,
}

impl FaultPlan {
    /// The plan in which an answer meets `kind` for certain, and nothing else.
    pub(super) fn certain(&self, kind: FaultKind) -> Self {
        let mut plan = Self { delay: self.delay, ..Self::default() };
        *match kind {
            FaultKind::Lost => &mut plan.lost,
            FaultKind::Late => &mut plan.late,
            FaultKind::Truncated => &mut plan.truncated,
            FaultKind::Corrupted => &mut plan.corrupted,
            FaultKind::Duplicated => &mut plan.duplicated,
            FaultKind::Noise => &mut plan.noise,
        } = 1.0;
        plan
    }
}

/// How often each fault has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FaultCounts {
    /// Answers that never came.
    pub lost: u64,
    /// Answers that came late.
    pub late: u64,
    /// Answers that stopped in the middle.
    pub truncated: u64,
    /// Answers with a flipped bit.
    pub corrupted: u64,
    /// Answers that came twice.
    pub duplicated: u64,
    /// Answers with strange bytes before them.
    pub noise: u64,
    /// Times the supply sagged.
    pub brownouts: u64,
    /// Times the adapter was unplugged.
    pub unplugs: u64,
    /// Answers of two servos at once.
    pub collisions: u64,
    /// Requests that some servo could not understand for their rate.
    pub wrong_baud: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_as_it_is_written() {
        let plan = FaultPlan::parse("lost=0.01, late=0.5,delay_ms=5").unwrap();
        assert_eq!((plan.lost, plan.late, plan.lateness()), (0.01, 0.5, 5 * MILLI));
        let all = FaultPlan::parse("brownout=0.1,all=0.25").unwrap();
        assert_eq!((all.noise, all.brownout), (0.25, 0.1));
        assert_eq!(FaultPlan::parse(""), Ok(FaultPlan::default()));
    }

    #[test]
    fn a_wrong_plan_names_what_is_wrong() {
        let unknown = FaultPlan::parse("losst=0.1").unwrap_err();
        assert_eq!(unknown, FaultPlanError::Unknown { name: "losst".into() });
        for text in ["lost", "lost=", "lost=2", "lost=NaN", "lost=-1", "delay_ms=1e99"] {
            assert!(matches!(FaultPlan::parse(text), Err(FaultPlanError::Value { .. })), "{text}");
        }
    }
}
