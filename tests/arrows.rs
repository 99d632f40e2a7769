//! Which package may use which, and what none may ever pull in.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Every package and what of ours it may use.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("sinew-core", &[]),
    ("sinew-drivers", &["sinew-core"]),
    ("sinew-teleop", &["sinew-drivers", "sinew-core"]),
    ("sinew-hub", &[]),
    ("sinew-datasets", &["sinew-hub"]),
    ("sinew-policies", &["sinew-hub"]),
    ("sinew-sim", &["sinew-drivers", "sinew-teleop", "sinew-core"]),
    ("sinew-net", &["sinew-drivers", "sinew-teleop", "sinew-core"]),
    (
        "sinew",
        &[
            "sinew-core",
            "sinew-drivers",
            "sinew-teleop",
            "sinew-hub",
            "sinew-datasets",
            "sinew-policies",
            "sinew-sim",
            "sinew-net",
        ],
    ),
    (
        "sinew-tests",
        &[
            "sinew-core",
            "sinew-drivers",
            "sinew-teleop",
            "sinew-hub",
            "sinew-datasets",
            "sinew-policies",
            "sinew-sim",
            "sinew-net",
            "sinew",
        ],
    ),
];

/// Heavy crates that the body never pulls in, by the beginning of their names.
const HEAVY: [&str; 9] =
    ["arrow", "parquet", "candle", "rerun", "re_", "zenoh", "tokio", "rapier", "hyper"];
/// Who stays light.
const LIGHT: [&str; 3] = ["sinew-core", "sinew-drivers", "sinew-teleop"];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The direct dependencies of each of our packages, tests' own aside.
fn direct(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let members: BTreeSet<&str> =
        metadata["workspace_members"].as_array().unwrap().iter().map(text).collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let ours = packages.filter(|package| members.contains(text(&package["id"])));
    ours.map(|package| {
        let needs = package["dependencies"].as_array().unwrap().iter();
        let built_in = needs.filter(|need| need["kind"].is_null());
        let names = built_in.map(|need| text(&need["name"]).to_owned()).collect();
        (text(&package["name"]).to_owned(), names)
    })
    .collect()
}

#[test]
fn every_package_uses_only_what_it_may() {
    let direct = direct(&metadata());
    let known: Vec<&str> = MAY_USE.iter().map(|row| row.0).collect();
    let there: Vec<&str> = direct.keys().map(String::as_str).collect();
    for name in &there {
        assert!(known.contains(name), "{name} is new: give it a row, and an arrow as its reason");
    }
    for (name, may) in MAY_USE {
        let uses = &direct[name];
        for used in uses.iter().filter(|used| known.contains(&used.as_str())) {
            assert!(may.contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn the_core_uses_nothing_at_all() {
    assert!(direct(&metadata())["sinew-core"].is_empty());
}

#[test]
fn the_body_stays_light() {
    let metadata = metadata();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let name_of = |id: &str| {
        let packages = metadata["packages"].as_array().unwrap();
        let package = packages.iter().find(|package| text(&package["id"]) == id).unwrap();
        text(&package["name"]).to_owned()
    };
    for node in nodes.iter().filter(|node| LIGHT.contains(&name_of(text(&node["id"])).as_str())) {
        let (root, mut seen) = (text(&node["id"]), BTreeSet::new());
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let node = nodes.iter().find(|node| text(&node["id"]) == id).unwrap();
            for need in node["deps"].as_array().unwrap() {
                let kinds = need["dep_kinds"].as_array().unwrap();
                if kinds.iter().any(|kind| kind["kind"].is_null()) {
                    open.push(text(&need["pkg"]));
                }
            }
        }
        // For every platform together; a dozen small ones are nalgebra's, for kinematics.
        assert!(seen.len() < 100, "{} pulls in {} packages", name_of(root), seen.len());
        for id in seen {
            let name = name_of(id);
            let heavy = HEAVY.iter().any(|heavy| name.starts_with(heavy));
            assert!(!heavy, "{} may never pull in {name}", name_of(root));
        }
    }
}

/// Every crate with its features, as a build of these packages has them.
fn crates(words: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix=none", "--format={p} [{f}]"])
        .args(words)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

/// Whoever has built the tests has built all that the binary stands on: the sandbox asks for the
/// binary alone, and a feature less of one crate would compile everything above it once more.
#[test]
fn the_binary_stands_on_the_same_crates_as_the_tests() {
    let tests = crates(&["--workspace", "--edges=normal,build,dev"]);
    let binary = crates(&["--package=sinew", "--edges=normal,build"]);
    assert!(binary.len() > 100, "{binary:?}");
    let again: Vec<_> = binary.difference(&tests).collect();
    assert!(
        again.is_empty(),
        "built once more, for want of features in robot/Cargo.toml: {again:?}"
    );
}
