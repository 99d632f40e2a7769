//! What things are called on the network: `sinew/<robot>/<part>`, `sinew/policy/<name>`.

use crate::Error;

/// The longest name of a robot, a camera or a policy.
pub const NAME_LENGTH: usize = 64;

/// Under which policies are found; no robot may be called so.
const POLICY: &str = "policy";

/// A name that fits into a key: no slashes, no wildcards, nothing that a terminal would obey.
pub fn check(name: &str) -> Result<(), Error> {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let fits = !name.is_empty() && name.len() <= NAME_LENGTH && name.chars().all(letter);
    match fits && name != POLICY {
        true => Ok(()),
        false => Err(Error::Name { name: name.to_owned() }),
    }
}

/// A robot's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotKeys {
    root: String,
}

impl RobotKeys {
    /// Those of a robot of this name.
    pub fn new(name: &str) -> Result<Self, Error> {
        check(name)?;
        Ok(Self { root: format!("sinew/{name}") })
    }

    /// Where it is and what was sent, published every tick.
    pub fn state(&self) -> String {
        format!("{}/state", self.root)
    }

    /// Where it is to go, published by the holder of its lease.
    pub fn action(&self) -> String {
        format!("{}/action", self.root)
    }

    /// What a camera sees, published while somebody looks.
    pub fn camera(&self, camera: &str) -> String {
        format!("{}/camera/{camera}", self.root)
    }

    /// What happened, published as it does.
    pub fn event(&self) -> String {
        format!("{}/event", self.root)
    }

    /// How it is, published once a second.
    pub fn health(&self) -> String {
        format!("{}/health", self.root)
    }

    /// Answers what it is.
    pub fn describe(&self) -> String {
        format!("{}/describe", self.root)
    }

    /// Answers who may drive it.
    pub fn lease(&self) -> String {
        format!("{}/lease", self.root)
    }

    /// Answers what time it is there, to whoever asks nothing.
    pub fn clock(&self) -> String {
        format!("{}/clock", self.root)
    }

    /// Is there for as long as the robot is.
    pub fn alive(&self) -> String {
        format!("{}/alive", self.root)
    }
}

/// A policy's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyKeys {
    root: String,
}

impl PolicyKeys {
    /// Those of a policy of this name.
    pub fn new(name: &str) -> Result<Self, Error> {
        check(name)?;
        Ok(Self { root: format!("sinew/{POLICY}/{name}") })
    }

    /// Answers observations with chunks of actions.
    pub fn ask(&self) -> String {
        self.root.clone()
    }

    /// Answers what it looks at and what it says.
    pub fn describe(&self) -> String {
        format!("{}/describe", self.root)
    }

    /// Is there for as long as the policy is.
    pub fn alive(&self) -> String {
        format!("{}/alive", self.root)
    }
}

/// Whom a liveliness token speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Present {
    /// A robot of this name.
    Robot(String),
    /// A policy of this name.
    Policy(String),
}

/// Every token of ours.
pub const EVERYBODY: &str = "sinew/**/alive";

/// Reads a token's key.
pub fn present(key: &str) -> Option<Present> {
    let inside = key.strip_prefix("sinew/")?.strip_suffix("/alive")?;
    let (present, name) = match inside.strip_prefix("policy/") {
        Some(name) => (Present::Policy(name.to_owned()), name),
        None => (Present::Robot(inside.to_owned()), inside),
    };
    check(name).is_ok().then_some(present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_that_needs_no_quoting_anywhere() {
        for name in ["white", "arm-1", "SO_101", "a"] {
            assert!(check(name).is_ok(), "{name}");
        }
        let long = "a".repeat(NAME_LENGTH + 1);
        for name in ["", "policy", "a/b", "**", "a b", "ä", "\u{1b}[2J", "$*", &long] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn tokens_say_who_is_there() {
        let robot = RobotKeys::new("white").unwrap().alive();
        assert_eq!(present(&robot), Some(Present::Robot("white".into())));
        let policy = PolicyKeys::new("act").unwrap().alive();
        assert_eq!(present(&policy), Some(Present::Policy("act".into())));
        for key in ["sinew/alive", "sinew//alive", "sinew/a/b/alive", "other/a/alive", ""] {
            assert_eq!(present(key), None, "{key}");
        }
    }
}
