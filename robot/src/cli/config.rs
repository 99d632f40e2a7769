//! `--config FILE`: flags from a TOML, YAML or JSON file, put before those that were typed.

use std::path::Path;

use clap::Command;
use serde_json::Value;

use super::failure::{Exit, Failure};

/// The words with the file's flags right behind the command they are for, so that typed ones,
/// which come later, win.
pub fn spread(words: &[String], definition: &Command) -> Result<Vec<String>, Failure> {
    let Some(path) = named(words) else { return Ok(words.to_vec()) };
    let flags = flags(Path::new(&path))?;
    let is_command = |word: &&String| definition.find_subcommand(word).is_some();
    let Some(place) = words.iter().position(|word| is_command(&word)) else {
        return Ok(words.to_vec());
    };
    let (before, after) = words.split_at(place + 1);
    Ok(before.iter().cloned().chain(flags).chain(after.iter().cloned()).collect())
}

fn named(words: &[String]) -> Option<String> {
    // LeRobot's name for it is the second.
    let is_meant = |word: &String| {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        matches!(name, "--config" | "--config_path")
    };
    let place = words.iter().position(is_meant)?;
    match words.get(place)?.split_once('=') {
        Some((_, path)) => Some(path.to_owned()),
        None => words.get(place + 1).cloned(),
    }
}

fn flags(path: &Path) -> Result<Vec<String>, Failure> {
    let invalid = |why: String| {
        Failure::advise(
            Exit::Data,
            format!("{}: {why}", path.display()),
            "write flags as keys, for instance: robot: {type: so101_follower, port: /dev/ttyACM0}",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    let value: Value = match path.extension().and_then(|end| end.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|error| invalid(error.to_string()))?,
        Some("json") => serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?,
        Some("yaml" | "yml") => {
            serde_yaml_ng::from_str(&text).map_err(|error| invalid(error.to_string()))?
        }
        _ => return Err(invalid("is neither .toml, .yaml nor .json".to_owned())),
    };
    let Value::Object(_) = &value else {
        return Err(invalid("holds no keys".to_owned()));
    };
    let mut flags = Vec::new();
    flatten("", &value, &mut flags);
    Ok(flags)
}

/// Turns nested keys into dotted flags. `true` is a bare flag only where it stands at the top, as
/// LeRobot's dotted booleans take a value.
fn flatten(name: &str, value: &Value, flags: &mut Vec<String>) {
    match value {
        Value::Object(fields) if name.is_empty() || is_group(name) => {
            for (key, value) in fields {
                let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&inner, value, flags);
            }
        }
        Value::Null => {}
        Value::Bool(true) if !name.contains('.') => flags.push(format!("--{name}")),
        Value::Bool(false) if !name.contains('.') => {}
        Value::String(text) => flags.push(format!("--{name}={text}")),
        // JSON is YAML: what LeRobot takes as a string of YAML it takes so as well.
        other => flags.push(format!("--{name}={other}")),
    }
}

/// Keys whose inner keys are flags of their own; others take a table as their value.
fn is_group(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    !matches!(last, "cameras" | "end_effector_bounds" | "max_relative_target" | "rename_map")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definition;

    fn spread_file(end: &str, text: &str) -> Result<Vec<String>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("flags.{end}"));
        std::fs::write(&path, text).unwrap();
        let words = ["sinew", "teleoperate", "--config", path.to_str().unwrap(), "--fps=30"];
        let spread = spread(&words.map(str::to_owned), &definition())?;
        Ok(spread.into_iter().filter(|word| !word.contains("flags.")).collect())
    }

    #[test]
    fn a_file_of_any_kind_comes_before_what_is_typed() {
        let toml =
            "fps = 60\nstats = true\n[robot]\ntype = 'so101_follower'\nmax_relative_target = 5\n";
        let yaml = "fps: 60\nstats: true\nrobot: {type: so101_follower, max_relative_target: 5}\n";
        let json =
            r#"{"fps":60,"stats":true,"robot":{"type":"so101_follower","max_relative_target":5}}"#;
        for (end, text) in [("toml", toml), ("yaml", yaml), ("json", json)] {
            let mut words = spread_file(end, text).unwrap();
            assert_eq!(words.pop().unwrap(), "--fps=30");
            for flag in [
                "--fps=60",
                "--stats",
                "--robot.type=so101_follower",
                "--robot.max_relative_target=5",
            ] {
                assert!(words.iter().any(|word| word == flag), "{end}: {words:?}");
            }
        }
    }

    #[test]
    fn a_bad_file_is_named() {
        for (end, text) in [("toml", "fps = "), ("yaml", "- 1"), ("json", "["), ("ini", "")] {
            let failure = spread_file(end, text).unwrap_err();
            assert!(failure.what.contains(&format!("flags.{end}")), "{}", failure.what);
            assert_eq!(failure.exit, Exit::Data);
        }
    }
}
