//! `sinew --help`: a guide in the order in which one needs the commands.

use std::fmt::Write;

use clap::Command;

/// The commands by what one wants to do, each group in the order of doing it.
const GROUPS: [(&str, &[&str]); 9] = [
    ("See it work, with nothing plugged in", &["demo", "sim"]),
    (
        "Set an arm up",
        &[
            "setup",
            "find-port",
            "find-cameras",
            "scan",
            "setup-motors",
            "calibrate",
            "doctor",
            "udev",
        ],
    ),
    ("Move it", &["teleoperate", "record", "replay", "stop"]),
    ("Look at what was recorded", &["dataset"]),
    ("Let a policy think, and drive", &["policy", "eval", "rollout"]),
    ("Share it", &["hub"]),
    ("Beyond one machine", &["host", "ps", "serve-policy", "net"]),
    ("For your shell", &["completions", "man"]),
    ("Not there yet", &[]),
];

const HEAD: &str = "\
Sinew teleoperates, records, replays and runs policies on low-cost robot arms.
It reads and writes what LeRobot does, and takes LeRobot's flags.

Usage: sinew <COMMAND> [FLAGS]
";

const TAIL: &str = "
Start here:
  sinew demo                          a simulated arm, nothing to plug in
  sinew setup --robot.type=so101_follower --robot.id=white
  sinew setup --teleop.type=so101_leader --teleop.id=black
  sinew teleoperate --robot white --teleop black
  sinew record --robot white --teleop black --camera front=0 --task 'pick the cube'

Everywhere: --json for scripts, --quiet, -v, --config FILE; sinew <COMMAND> --help for the rest.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 hardware, 4 bad data, 5 refused, 130 interrupted.
";

/// The guide, from the commands' own first lines.
pub fn guide(definition: &Command) -> String {
    let mut text = String::from(HEAD);
    for (title, names) in GROUPS {
        section(&mut text, definition, title, names);
    }
    text + TAIL
}

fn section(text: &mut String, definition: &Command, title: &str, names: &[&str]) {
    // Writing to a string cannot fail.
    writeln!(text, "\n{title}:").unwrap_or_default();
    let listed: Vec<_> = if names.is_empty() {
        let shown = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
        definition.get_subcommands().map(Command::get_name).filter(|name| !shown(name)).collect()
    } else {
        names.to_vec()
    };
    for name in listed {
        if let Some(command) = definition.find_subcommand(name) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            writeln!(text, "  {name:<14} {about}").unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_is_in_the_guide_once_with_what_it_does() {
        let definition = Cli::command();
        let guide = guide(&definition);
        for command in definition.get_subcommands() {
            let start = format!("\n  {:<14} ", command.get_name());
            assert_eq!(guide.matches(&start).count(), 1, "{}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn the_definition_has_no_contradiction() {
        crate::cli::definition().debug_assert();
    }
}
