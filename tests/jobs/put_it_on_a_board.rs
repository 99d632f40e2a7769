//! Somebody puts it on a small board: what is it built of, what can the board run, does what is packed fit?

use std::fs;
use std::path::Path;

use crate::sandbox::{Sandbox, binary};

#[test]
fn the_version_says_what_it_is_built_of_for_whoever_asks() {
    let sandbox = Sandbox::new();
    let short = sandbox.run(&["--version"]);
    assert_eq!(short.out.trim(), format!("sinew {}", env!("CARGO_PKG_VERSION")));
    let long = sandbox.run(&["--version", "--verbose"]);
    assert_eq!(long.code, 0, "{long:?}");
    assert!(long.out.starts_with(&short.out), "{}", long.out);
    for line in ["revision", "target", "features", "rustc     rustc 1.", "profile"] {
        assert!(long.out.contains(&format!("\n{line}")), "{line}: {}", long.out);
    }
    assert!(long.out.contains(std::env::consts::ARCH), "{}", long.out);
    let told = sandbox.run(&["--json", "-v", "--version"]).result();
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    // The profile's own name is the folder's, and not what it inherits from.
    let folder = binary().parent().and_then(Path::file_name).unwrap();
    assert_eq!(told["profile"], *folder.to_string_lossy());
    let features = told["features"].as_array().unwrap();
    assert!(features.iter().any(|feature| feature == "policies"), "{told}");
}

#[test]
fn the_doctor_says_which_policies_the_board_can_run() {
    let ended = Sandbox::new().run(&["--json", "doctor", "--board"]);
    let told = ended.json();
    let result = ended.result();
    let policies = result["policies"].as_array().unwrap();
    assert!(!policies.is_empty(), "{result}");
    let mut before = 0.0;
    for policy in policies {
        assert_eq!(policy["type"], "policy_size");
        let chunk = policy["chunk_ms"].as_f64().unwrap();
        assert!(chunk > 0.0, "{policy}");
        let keeps_up = policy["actions"].as_f64().unwrap() / chunk * 1e3;
        assert!((policy["keeps_up_hz"].as_f64().unwrap() / keeps_up - 1.0).abs() < 1e-9);
        // They come from the lightest to the heaviest, each in four precisions.
        let numbers = policy["numbers"].as_f64().unwrap();
        assert!(numbers >= before, "{result}");
        before = numbers;
    }
    let names = |what: &str| policies.iter().filter(|policy| policy["precision"] == what).count();
    assert_eq!([names("f32"), names("int8")], [policies.len() / 4; 2], "{result}");
    let events = told.iter().filter(|line| line["type"] == "policy_size").count();
    assert_eq!(events, policies.len());
    let board = told.iter().find(|line| line["what"] == "board").unwrap();
    assert!(board["message"].as_str().unwrap().contains("processors"), "{board}");
}

#[test]
fn the_service_starts_a_command_that_there_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let unit = fs::read_to_string(folder.join("sinew-host@.service")).unwrap();
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/sinew "));
    // The line that shows what could be added is held to the same.
    let more = unit.lines().find_map(|line| line.strip_prefix("#   SINEW_HOST_ARGS="));
    let typed = command.unwrap().replace("$SINEW_HOST_ARGS", more.unwrap()).replace("%i", "white");
    let words: Vec<&str> = typed.split_whitespace().collect();
    // Nothing is connected here: it gets as far as looking for the robot that was named.
    let ended = Sandbox::new().run(&words);
    assert_ne!(ended.code, 0);
    assert!(ended.err.contains("white"), "{ended:?}");
    assert!(!ended.err.contains("--help"), "wrong usage: {ended:?}");
}

#[test]
fn what_a_package_takes_from_the_sources_is_there() {
    let robot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../robot");
    let manifest = fs::read_to_string(robot.join("Cargo.toml")).unwrap();
    let sources = manifest.split("[\"../").skip(1).filter_map(|rest| rest.split('"').next());
    let mut found = 0;
    for source in sources {
        assert!(robot.join("..").join(source).is_file(), "{source}");
        found += 1;
    }
    assert!(found >= 4, "only {found} are found in the manifest");
}
