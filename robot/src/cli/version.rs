//! `sinew --version --verbose`: what this program is built of, by what, and for what.

use serde_json::{Value, json};

use super::report::Report;

/// Everything that can be built in or left out, and whether it is in.
const FEATURES: [(&str, bool); 11] = [
    ("sim", cfg!(feature = "sim")),
    ("policies", cfg!(feature = "policies")),
    ("rerun", cfg!(feature = "rerun")),
    ("zenoh", cfg!(feature = "zenoh")),
    ("asm", cfg!(feature = "asm")),
    ("hub-serve", cfg!(feature = "hub-serve")),
    ("phone", cfg!(feature = "phone")),
    ("ffmpeg", cfg!(feature = "ffmpeg")),
    ("gamepad", cfg!(feature = "gamepad")),
    ("mujoco", cfg!(feature = "mujoco")),
    ("cuda", cfg!(feature = "cuda")),
];

/// Whether more than the version is wanted.
pub fn is_verbose(words: &[String]) -> bool {
    let short =
        |word: &str| word.strip_prefix('-').is_some_and(|w| !w.starts_with('-') && w.contains('v'));
    words.iter().skip(1).any(|word| word == "--verbose" || short(word))
}

/// Says it.
pub fn tell(report: &Report) {
    let about = about();
    report.say(format!("sinew {}", env!("CARGO_PKG_VERSION")));
    for (name, value) in about.as_object().into_iter().flatten().skip(1) {
        let value = match value {
            Value::Array(words) => {
                words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            value => value.as_str().unwrap_or_default().to_owned(),
        };
        report.say(format!("{name:<9} {value}"));
    }
    report.result(about);
}

fn about() -> Value {
    let features: Vec<_> = FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": env!("SINEW_BUILT_FROM"),
        "target": env!("SINEW_TARGET"),
        "features": features,
        "rustc": env!("SINEW_RUSTC"),
        "profile": env!("SINEW_PROFILE"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_is_told_more() {
        let asks = |line: &str| is_verbose(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(
            asks("sinew --version --verbose") && asks("sinew -v --version") && asks("sinew -Vv")
        );
        assert!(!asks("sinew --version") && !asks("sinew -V") && !asks("-v --version"));
    }

    #[test]
    fn every_feature_of_the_manifest_is_told() {
        let manifest: toml::Value = toml::from_str(include_str!("../../Cargo.toml")).unwrap();
        let names = manifest["features"].as_table().unwrap().keys();
        // Neither of these two is anything by itself.
        let names: Vec<_> = names.filter(|name| *name != "default" && *name != "board").collect();
        for name in &names {
            assert!(FEATURES.iter().any(|(known, _)| known == name), "{name}");
        }
        assert_eq!(names.len(), FEATURES.len());
    }
}
