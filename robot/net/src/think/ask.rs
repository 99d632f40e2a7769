//! A policy elsewhere, as the robot has it.

use std::time::Duration;

use zenoh::qos::Priority;

use crate::key::{NAME_LENGTH, PolicyKeys, check};
use crate::message::{Frame, Observed, Refusal, SUPERSEDED, Thinker, Thought, VERSION};
use crate::{Error, Network, presence};

/// How long it may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// A policy elsewhere.
pub struct Elsewhere {
    network: Network,
    keys: PolicyKeys,
    about: Thinker,
    robot: String,
    asker: u64,
}

impl Elsewhere {
    /// Finds the policy of this name, for a robot.
    pub fn meet(network: Network, name: &str, robot: &str) -> Result<Self, Error> {
        let keys = PolicyKeys::new(name)?;
        let Some(about) = presence::policy(&network, name, PATIENCE)? else {
            let (name, at) = (name.to_owned(), network.at().to_owned());
            return Err(Error::NotThere { what: "policy", name, at });
        };
        let refused = |error: getrandom::Error| Error::System {
            what: "random numbers",
            why: error.to_string(),
        };
        let asker = getrandom::u64().map_err(refused)?;
        Ok(Self { network, keys, about, robot: fitting(robot), asker })
    }

    /// What it says of itself.
    pub fn about(&self) -> &Thinker {
        &self.about
    }

    /// Where it was found, for messages.
    pub fn at(&self) -> &str {
        self.network.at()
    }

    /// Shows it what was seen and waits for rows, so long at most and while there is a point in it.
    /// `None` where nobody answers, or only that a newer question is there. Whatever was started anew
    /// under its name answers as well, as long as its rows are as wide.
    pub fn ask(
        &self,
        task: Option<&str>,
        frames: Vec<Frame>,
        patience: Duration,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<Thought>, Error> {
        let task = task.map(str::to_owned);
        let observed =
            Observed { v: VERSION, robot: self.robot.clone(), asker: self.asker, task, frames };
        let question = Some((&observed, None));
        let asked =
            self.network.question(&self.keys.ask(), question, patience, Priority::DEFAULT)?;
        let Some(thought) = asked.answer::<Thought>(go_on)? else { return Ok(None) };
        let name = self.about.name.clone();
        match &thought.error {
            Some(why) if why == SUPERSEDED => return Ok(None),
            Some(why) => return Err(Error::Refused { name, why: why.clone() }),
            None => {}
        }
        if thought.rows.is_empty() || thought.width != self.about.width {
            let (rows, now, before) = (thought.rows.len(), thought.width, self.about.width);
            let refusal = Refusal::malformed(format!(
                "{rows} numbers in rows of {now}, and rows of {before} were announced"
            ));
            return Err(Error::Answer { name, refusal });
        }
        Ok(Some(thought))
    }
}

/// A robot's name as the network takes it.
fn fitting(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let name: String = name.chars().take(NAME_LENGTH).map(letter).collect();
    if check(&name).is_ok() { name } else { "robot".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_robot_may_ask() {
        assert_eq!(fitting("white"), "white");
        assert_eq!(fitting("/dev/ttyACM0"), "_dev_ttyACM0");
        assert_eq!(fitting(""), "robot");
        assert_eq!(fitting("policy"), "robot");
        assert!(check(&fitting(&"ä".repeat(100))).is_ok());
    }
}
