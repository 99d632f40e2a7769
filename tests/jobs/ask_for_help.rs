//! Somebody types what they know from LeRobot, mistypes, or asks what there is.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn the_guide_names_every_group_and_ends_well() {
    let help = Sandbox::new().run(&["--help"]);
    assert_eq!(help.code, 0);
    for part in
        ["nothing plugged in", "Set an arm up:", "Move it:", "Not there yet:", "Start here:"]
    {
        assert!(help.out.contains(part), "{part}");
    }
}

#[test]
fn every_command_has_an_example() {
    let sandbox = Sandbox::new();
    for command in [
        "demo",
        "setup",
        "find-port",
        "scan",
        "setup-motors",
        "calibrate",
        "doctor",
        "teleoperate",
        "stop",
        "udev",
        "dataset info",
        "dataset verify",
        "dataset recover",
        "dataset report",
        "dataset viz",
        "dataset export",
        "dataset recompute-stats",
        "dataset repair",
        "policy info",
        "policy check",
        "policy run",
        "policy bench",
        "policy convert",
        "eval",
        "serve-policy",
        "sim record",
    ] {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = sandbox.run(&words);
        assert_eq!(help.code, 0, "{command}");
        assert!(help.out.contains(&format!("Example: sinew {command}")), "{command}");
    }
}

#[test]
fn what_is_not_there_yet_says_so_and_what_to_use() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["train", "--dataset.repo_id=me/pick", "info"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("is not there yet"), "{}", ended.err);
    assert!(ended.err.contains("do:"), "{}", ended.err);
}

#[test]
fn a_mistyped_command_or_flag_names_the_nearest() {
    let sandbox = Sandbox::new();
    let command = sandbox.run(&["scna"]);
    assert_eq!(command.code, 2);
    assert!(command.err.contains("'scan'"), "{}", command.err);
    let flag = sandbox.run(&["teleoperate", "--robot.prot=/dev/x"]);
    assert_eq!(flag.code, 2);
    assert!(flag.err.contains("--robot.port"), "{}", flag.err);
}

#[test]
fn a_lerobot_flag_without_meaning_is_named_with_the_reason() {
    let words = ["teleoperate", "--robot.num_read_retries=2", "--display_mode=rerun"];
    let ended = Sandbox::new().run(&words);
    assert!(ended.err.contains("num_read_retries has no meaning here: every reading"));
    assert!(ended.err.contains("display_mode has no meaning here"));
}

#[test]
fn an_error_in_json_is_the_last_line_of_output() {
    let ended = Sandbox::new().run(&["--json", "stop", "--robot", "nobody"]);
    assert_eq!(ended.code, 2);
    let result = ended.result();
    assert_eq!((result["ok"].as_bool(), result["exit"].as_u64()), (Some(false), Some(2)));
    assert!(result["error"].as_str().unwrap().contains("nobody"));
}

#[test]
fn an_unknown_type_names_the_nearest_and_all() {
    let sandbox = Sandbox::new();
    let own = sandbox.path(".config/sinew/arms");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("giant_follower.toml"), "").unwrap();
    for (typed, near) in [
        (&["--robot.type=so101_folower"][..], "did you mean so101_follower?"),
        (&["--robot.type=so101"], "did you mean so101_follower?"),
        (&["--robot.type=SO101-Follower"], "did you mean so101_follower?"),
        (&["--robot.type=gaint_follower"], "did you mean giant_follower?"),
        (&["--teleop.type=koch"], "did you mean koch_leader?"),
        (&["--robot.type=unitree_g1"], "no arm is called unitree_g1\n"),
    ] {
        let ended = sandbox.run(&[&["calibrate", "--check"], typed].concat());
        assert_eq!(ended.code, 2, "{typed:?}: {}", ended.err);
        assert!(ended.err.contains(near), "{typed:?}: {}", ended.err);
        // Of leaders those that lead.
        let all = match typed[0].starts_with("--teleop") {
            true => ["so100_leader", "omx_leader", "bi_so_leader", "phone"],
            false => ["so100_leader", "lekiwi", "bi_so_follower", "giant_follower"],
        };
        for known in all {
            assert!(ended.err.contains(known), "{typed:?}: {}", ended.err);
        }
    }
    let simulated = sandbox.run(&["sim", "bus", "--arm=so102", "--link=/tmp/x"]);
    assert!(simulated.err.contains("so101_follower"), "{}", simulated.err);
}

#[test]
fn wrong_words_in_json_keep_what_to_do() {
    let sandbox = Sandbox::new();
    for (words, error, remedy) in [
        (&["teleoperate", "--robot.prot=/dev/x"][..], "--robot.prot", "did you mean --robot.port?"),
        (&["scna"][..], "scna", "did you mean scan?"),
        (&["scan", "--protocol=feetek"][..], "feetek", "did you mean feetech?"),
        (&["scan", "--protocol=x"][..], "'x'", "one of: feetech, dynamixel, auto"),
        (&["sim", "bus"][..], "--link <PATH>", "sinew sim bus --help"),
        (&["teleoperate", "--fps=fast"][..], "a number from 0.1", "sinew teleoperate --help"),
        (&["scan", "--xyzzy"][..], "--xyzzy", "sinew scan --help"),
        (&[][..], "command", "sinew --help"),
    ] {
        let ended = sandbox.run(&[&["--json"], words].concat());
        assert_eq!(ended.code, 2, "{words:?}");
        let result = ended.result();
        let text = |field: &str| result[field].as_str().unwrap_or_default().to_owned();
        assert!(text("error").contains(error), "{words:?}: {result}");
        assert!(text("remedy").contains(remedy), "{words:?}: {result}");
    }
}

/// The commands that a help lists: a name after two spaces, and behind a gap what it does. Those that are
/// not there yet have no help of their own.
fn listed(help: &str) -> Vec<String> {
    let there = help.split("Not there yet:").next().unwrap_or_default();
    let names = there.lines().filter_map(|line| {
        let (name, about) = line.strip_prefix("  ")?.split_once("  ")?;
        let is_name = name.starts_with(|first: char| first.is_ascii_lowercase());
        (is_name && !name.contains(' ') && !about.trim().is_empty()).then(|| name.to_owned())
    });
    names.collect()
}

/// The reference page is written anew by `SINEW_WRITE_DOCS=1 cargo test -p sinew-tests reference`.
#[test]
fn the_reference_page_is_what_the_commands_say() {
    let sandbox = Sandbox::new();
    let help = |words: &[&str]| {
        let ended = sandbox.run(&[words, &["--help"]].concat());
        assert_eq!(ended.code, 0, "{words:?}");
        ended.out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let start = help(&[]);
    let mut page = String::from("# Every command\n\nMade from the commands' own help.\n");
    page += &format!("\n```text\n{start}\n```\n");
    let mut told = 0;
    for command in listed(&start) {
        let of = help(&[&command]);
        let parts = of.split_once("\nCommands:\n").map(|(_, rest)| rest);
        let parts = parts.and_then(|rest| rest.split("\n\n").next()).map(listed);
        let pages = match parts {
            None => vec![(command, of)],
            Some(parts) => parts
                .into_iter()
                .map(|part| (format!("{command} {part}"), help(&[&command, &part])))
                .collect(),
        };
        told += pages.len();
        for (typed, help) in pages {
            page += &format!("\n## sinew {typed}\n\n```text\n{help}\n```\n");
        }
    }
    assert!(told >= 38, "only {told} commands are found in their help");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    if std::env::var_os("SINEW_WRITE_DOCS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/cli.md is out of date: write it anew as the test's comment says"
    );
}

#[test]
fn output_that_has_no_room_is_no_success() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let home = sandbox.path("home");
    for words in [&["doctor"][..], &["--json", "doctor"]] {
        let mut command = std::process::Command::new(crate::sandbox::binary());
        command.args(words).env("HOME", &home).stdout(full.try_clone().unwrap());
        let ended = command.output().unwrap();
        assert_ne!(ended.status.code(), Some(0), "{words:?}");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(told.contains("not all of the output could be written: No space"), "{told}");
    }
}
