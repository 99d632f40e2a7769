//! Register tables, models and rates are LeRobot's, name for name.

use sinew_core::register::Sign;
use sinew_core::tables::{self, Series};

use super::{golden, list, text};

fn series(name: &str) -> &'static Series {
    tables::ALL.into_iter().find(|series| series.name == name).expect("a series of that name")
}

#[test]
fn every_register_of_lerobot_is_found_under_its_name() {
    let golden = golden(include_str!("tables/golden.json"));
    for (name, theirs) in golden["series"].as_object().expect("series") {
        let ours = series(name);
        for row in list(theirs, "registers") {
            // LeRobot's table has a blank at the end of one name.
            let spelling = row[0].as_str().expect("a name").trim();
            let found = ours.named(spelling).unwrap_or_else(|| panic!("{name} lacks {spelling}"));
            assert_eq!(row[1].as_u64(), Some(found.address.into()), "{name} {spelling}: address");
            assert_eq!(row[2].as_u64(), Some(found.width.into()), "{name} {spelling}: width");
            let sign = match (row[3][0].as_str(), row[3][1].as_u64()) {
                (Some("magnitude"), Some(bit)) => {
                    Sign::Magnitude(u8::try_from(bit).expect("a bit"))
                }
                (Some("twos"), Some(_)) => Sign::Twos,
                _ => Sign::Unsigned,
            };
            assert_eq!(found.sign, sign, "{name} {spelling}: sign");
        }
        for row in ours.registers {
            let known = list(theirs, "registers");
            let at = |theirs: &&serde_json::Value| theirs[1].as_u64() == Some(row.address.into());
            assert!(known.iter().any(|theirs| at(&theirs)), "{name}: {row:?} is not LeRobot's");
        }
    }
}

#[test]
fn models_and_rates_are_lerobots() {
    let golden = golden(include_str!("tables/golden.json"));
    for (name, theirs) in golden["series"].as_object().expect("series") {
        let ours = series(name);
        for model in list(theirs, "models") {
            let found = ours.models.iter().find(|ours| Some(ours.name) == model[0].as_str());
            let found = found.unwrap_or_else(|| panic!("{name} lacks {model}"));
            assert_eq!(model[1].as_u64(), Some(found.number.into()), "{model}");
            assert_eq!(model[2].as_u64(), Some(found.counts.into()), "{model}");
        }
        let mut bauds: Vec<_> = ours.bauds.to_vec();
        bauds.sort();
        let theirs: Vec<(u32, u8)> =
            serde_json::from_value(theirs["bauds"].clone()).expect("rates and codes");
        assert_eq!(bauds, theirs, "{name}");
    }
    assert_eq!(text(&golden["made_with"], "lerobot"), "0.6.1");
}
