//! What a camera is told before it takes pictures: a camera that adjusts itself shows the same scene
//! differently each time, and a policy sees another scene.

use linuxvideo::controls::Cid;

use super::Turn;

/// What a camera is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Nothing adjusts itself: exposure, white balance, focus and gain stay as the camera holds them.
    pub locked: bool,
    /// Controls by their names, each with its value.
    pub values: Vec<(String, i32)>,
    /// How a device sends its pictures; none takes JPEG where there is any.
    pub sent: Option<Sent>,
    /// By how much its pictures are turned, which the camera itself is not told.
    pub turn: Turn,
}

/// How a device sends its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// As JPEG, of which many more go through a cable.
    Mjpg,
    /// As they are.
    Yuyv,
}

impl Sent {
    /// What the system and LeRobot's `fourcc` call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mjpg => "MJPG",
            Self::Yuyv => "YUYV",
        }
    }
}

/// A control that a camera has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// What it is.
    pub id: Cid,
    /// What the driver calls it.
    pub title: String,
    /// The least value.
    pub least: i32,
    /// The greatest value.
    pub most: i32,
}

/// What adjusts itself: its short name, its control, the control that stops it from doing so, and the
/// value that does.
const ADJUSTED: [(&str, Cid, Cid, i32); 4] = [
    // Of this menu 1 is "manual"; the others are switches.
    ("exposure", Cid::EXPOSURE_ABSOLUTE, Cid::EXPOSURE_AUTO, 1),
    ("white_balance", Cid::WHITE_BALANCE_TEMPERATURE, Cid::AUTO_WHITE_BALANCE, 0),
    ("focus", Cid::FOCUS_ABSOLUTE, Cid::FOCUS_AUTO, 0),
    ("gain", Cid::GAIN, Cid::AUTOGAIN, 0),
];

/// Lets a camera leave its rate to have more light.
const RATE_FOR_LIGHT: Cid = Cid::EXPOSURE_AUTO_PRIORITY;

impl Control {
    /// What is typed to mean it.
    fn name(&self) -> String {
        match ADJUSTED.iter().find(|(_, id, ..)| *id == self.id) {
            Some((name, ..)) => (*name).to_owned(),
            None => slug(&self.title),
        }
    }
}

/// A driver's title as a word: `Power Line Frequency` is `power_line_frequency`.
fn slug(title: &str) -> String {
    let lower = title.to_lowercase();
    let words =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

/// What is to be written to which control, in order: first what stops a camera from adjusting itself,
/// since values are refused before.
pub fn plan(offered: &[Control], settings: &Settings) -> Result<Vec<(Cid, i32)>, String> {
    let mut values = Vec::new();
    for (name, value) in &settings.values {
        let control = offered.iter().find(|control| control.name() == *name);
        let control =
            control.ok_or_else(|| format!("it has no {name}; it offers {}", words(offered)))?;
        if !(control.least..=control.most).contains(value) {
            let Control { least, most, .. } = control;
            return Err(format!("its {name} goes from {least} to {most}, {value} is not possible"));
        }
        values.push((control.id, *value));
    }
    let asked = |id: Cid| values.iter().any(|(known, _)| *known == id);
    let has = |id: Cid| offered.iter().any(|control| control.id == id);
    let mut writes = Vec::new();
    for (_, adjusted, by, off) in ADJUSTED {
        if (settings.locked || asked(adjusted)) && has(by) && !asked(by) {
            writes.push((by, off));
        }
    }
    if settings.locked && has(RATE_FOR_LIGHT) && !asked(RATE_FOR_LIGHT) {
        writes.push((RATE_FOR_LIGHT, 0));
    }
    writes.extend(values);
    Ok(writes)
}

/// All controls with their ranges.
fn words(offered: &[Control]) -> String {
    let words: Vec<String> = offered
        .iter()
        .map(|control| format!("{} ({} to {})", control.name(), control.least, control.most))
        .collect();
    if words.is_empty() { "no control at all".to_owned() } else { words.join(", ") }
}

/// Carries a plan out, and looks whether the camera took it.
pub fn apply<C>(
    camera: &mut C,
    offered: &[Control],
    settings: &Settings,
    write: impl Fn(&mut C, Cid, i32) -> std::io::Result<()>,
    read: impl Fn(&C, Cid) -> std::io::Result<i32>,
) -> Result<(), String> {
    for (id, value) in plan(offered, settings)? {
        let name = offered.iter().find(|control| control.id == id).map(Control::name);
        let name = name.unwrap_or_default();
        write(camera, id, value).map_err(|error| format!("it refuses {name}={value}: {error}"))?;
        let is = read(camera, id).map_err(|error| format!("its {name} cannot be read: {error}"))?;
        if is != value {
            return Err(format!("it makes {is} of {name}={value}: put {name}={is}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use proptest::prelude::*;

    fn control(id: Cid, title: &str, least: i32, most: i32) -> Control {
        Control { id, title: title.to_owned(), least, most }
    }

    fn webcam() -> Vec<Control> {
        vec![
            control(Cid::BRIGHTNESS, "Brightness", -64, 64),
            control(Cid::AUTO_WHITE_BALANCE, "White Balance, Automatic", 0, 1),
            control(Cid::WHITE_BALANCE_TEMPERATURE, "White Balance Temperature", 2800, 6500),
            control(Cid::EXPOSURE_AUTO, "Auto Exposure", 0, 3),
            control(Cid::EXPOSURE_ABSOLUTE, "Exposure Time, Absolute", 1, 5000),
            control(Cid::EXPOSURE_AUTO_PRIORITY, "Exposure, Dynamic Framerate", 0, 1),
        ]
    }

    fn settings(locked: bool, values: &[(&str, i32)]) -> Settings {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Settings { locked, values, ..Settings::default() }
    }

    #[test]
    fn nothing_asked_for_is_nothing_written() {
        assert_eq!(plan(&webcam(), &Settings::default()), Ok(vec![]));
    }

    #[test]
    fn a_value_stops_the_camera_from_adjusting_it_first() {
        let writes = plan(&webcam(), &settings(false, &[("brightness", 3), ("exposure", 156)]));
        let expected =
            [(Cid::EXPOSURE_AUTO, 1), (Cid::BRIGHTNESS, 3), (Cid::EXPOSURE_ABSOLUTE, 156)];
        assert_eq!(writes.unwrap(), expected);
        // Who asks for both gets what was asked for.
        let both = [("auto_exposure", 3), ("exposure", 156)];
        let writes = plan(&webcam(), &settings(true, &both)).unwrap();
        assert!(
            writes.contains(&(Cid::EXPOSURE_AUTO, 3)) && !writes.contains(&(Cid::EXPOSURE_AUTO, 1))
        );
    }

    #[test]
    fn a_lock_stops_all_that_the_camera_has() {
        let expected = [
            (Cid::EXPOSURE_AUTO, 1),
            (Cid::AUTO_WHITE_BALANCE, 0),
            (Cid::EXPOSURE_AUTO_PRIORITY, 0),
        ];
        assert_eq!(plan(&webcam(), &settings(true, &[])).unwrap(), expected);
        assert_eq!(plan(&[], &settings(true, &[])), Ok(vec![]), "one that adjusts nothing");
    }

    #[test]
    fn what_the_camera_has_not_is_told_with_what_it_has() {
        let told = |values: &[(&str, i32)]| plan(&webcam(), &settings(false, values)).unwrap_err();
        let none = told(&[("focus", 0)]);
        assert!(none.contains("no focus") && none.contains("exposure (1 to 5000)"), "{none}");
        assert!(none.contains("exposure_dynamic_framerate (0 to 1)"), "{none}");
        let high = told(&[("exposure", 5001)]);
        assert!(high.contains("1 to 5000") && high.contains("5001"), "{high}");
    }

    #[test]
    fn a_camera_that_rounds_or_refuses_is_told() {
        // A camera that holds only even values, and no brightness above 10.
        let write = |held: &mut Vec<(Cid, i32)>, id, value| {
            let value = match id {
                Cid::BRIGHTNESS if value > 10 => return Err(ErrorKind::InvalidInput.into()),
                Cid::WHITE_BALANCE_TEMPERATURE => value / 2 * 2,
                _ => value,
            };
            held.push((id, value));
            Ok(())
        };
        let read = |held: &Vec<(Cid, i32)>, id| {
            let newest = held.iter().rev().find(|(known, _)| *known == id);
            newest.map(|(_, value)| *value).ok_or(ErrorKind::NotFound.into())
        };
        let mut held = Vec::new();
        let mut told = |values: &[(&str, i32)]| {
            apply(&mut held, &webcam(), &settings(false, values), write, read)
        };
        assert_eq!(told(&[("exposure", 156), ("white_balance", 4600)]), Ok(()));
        let rounded = told(&[("white_balance", 4601)]).unwrap_err();
        assert!(rounded.contains("put white_balance=4600"), "{rounded}");
        assert!(told(&[("brightness", 11)]).unwrap_err().contains("refuses brightness=11"));
        assert_eq!(held.first(), Some(&(Cid::EXPOSURE_AUTO, 1)));
    }

    proptest! {
        #[test]
        fn no_name_and_no_value_does_more_than_be_refused(
            name in ".*",
            value: i32,
            locked: bool,
        ) {
            if let Ok(writes) = plan(&webcam(), &settings(locked, &[(&name, value)])) {
                for (id, value) in writes {
                    let control = webcam().into_iter().find(|control| control.id == id).unwrap();
                    prop_assert!((control.least..=control.most).contains(&value));
                }
            }
        }
    }
}
