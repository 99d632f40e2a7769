//! An arm's file to an [`ArmSpec`], every key checked.

use sinew_core::joint::Units;
use sinew_core::register::{Access, Reg};
use sinew_core::tables::{self, Model, Series};

use super::WheelSpec;
use super::table::{Entry, Source, Table, nearest};
use super::{ArmSpec, BackOff, BaseSpec, Change, JointSpec, Mode, Role, Setting, SpecError};

/// What a file describes.
pub(super) enum Device {
    /// An arm on one bus.
    Arm(Box<ArmSpec>),
    /// Arms that work together, each on its own bus.
    Pair(Vec<Part>),
}

/// One arm of a pair.
pub(super) struct Part {
    pub prefix: String,
    pub arm: String,
}

/// Reads an arm; a pair is a mistake here.
pub(super) fn arm(file: &str, text: &str) -> Result<ArmSpec, SpecError> {
    match device(file, text)? {
        Device::Arm(arm) => Ok(*arm),
        Device::Pair(_) => {
            Err(Source { file, text }.error(0, "part", "this is a pair, where one arm is wanted"))
        }
    }
}

/// Reads a file of either kind.
pub(super) fn device(file: &str, text: &str) -> Result<Device, SpecError> {
    let source = Source { file, text };
    let root = toml::de::DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        source.error(offset, "file", error.message().to_owned())
    })?;
    let mut root = Table::root(source, &root);
    let parts = root.tables("part")?;
    if parts.is_empty() {
        return arm_table(root).map(|arm| Device::Arm(Box::new(arm)));
    }
    root.need("name")?.string()?;
    root.need("title")?.string()?;
    root.finish()?;
    parts.into_iter().map(part).collect::<Result<_, _>>().map(Device::Pair)
}

fn part(mut table: Table<'_>) -> Result<Part, SpecError> {
    let part = Part {
        prefix: table.need("prefix")?.string()?.to_owned(),
        arm: table.need("arm")?.string()?.to_owned(),
    };
    table.finish()?;
    Ok(part)
}

/// What a joint takes over from its arm where it says nothing itself.
struct Defaults {
    torque: bool,
    back_off: Option<BackOff>,
    max_velocity: Option<f64>,
    max_acceleration: Option<f64>,
}

fn arm_table(mut root: Table<'_>) -> Result<ArmSpec, SpecError> {
    let name = filled(&root.need("name")?)?;
    let title = filled(&root.need("title")?)?;
    let role = pick(&root.need("role")?, &ROLES)?;
    let calibration = root.need("calibration")?;
    let folders: Vec<String> = calibration.array()?.iter().map(filled).collect::<Result<_, _>>()?;
    if folders.is_empty() || folders.iter().any(|name| name.contains(['/', '\\'])) {
        return Err(calibration.error("wants at least one folder name, without slashes"));
    }
    let supply = root.need("supply")?;
    let supply = supply.array()?.iter().map(|v| v.number(1.0, 60.0)).collect::<Result<_, _>>()?;
    let factory_calibrated = flag(&mut root, "factory_calibrated", false)?;
    let defaults = Defaults {
        torque: flag(&mut root, "torque", role == Role::Follower)?,
        back_off: root.take("back_off").map(|entry| back_off(&entry)).transpose()?,
        max_velocity: bounded(&mut root, "max_velocity", 0.1, 10_000.0)?,
        max_acceleration: bounded(&mut root, "max_acceleration", 1.0, 1e6)?,
    };

    let mut servos = Servos::default();
    let mut joints = Vec::new();
    for table in root.tables("joint")? {
        joints.push(joint(table, &defaults, &mut servos)?);
    }
    let base = base(&mut root, &mut servos)?;
    let Some(series) = servos.series else {
        return Err(root.error("joint", "is missing: an arm has at least one [[joint]]"));
    };
    let baud_entry = root.need("baud")?;
    let baud = u32::try_from(baud_entry.integer(1, 10_000_000)?).unwrap_or_default();
    if series.baud_code(baud).is_none() {
        let known: Vec<String> = series.bauds.iter().map(|row| row.0.to_string()).collect();
        let known = known.join(", ");
        return Err(baud_entry.error(format!("{} servos run at {known}", series.name)));
    }
    let settings = match root.take("configure") {
        Some(entry) => settings(&entry, series)?,
        None => Vec::new(),
    };
    root.finish()?;
    Ok(ArmSpec {
        name,
        title,
        role,
        calibration: folders,
        baud,
        supply,
        factory_calibrated,
        series,
        settings,
        joints,
        base,
        prefix: String::new(),
    })
}

const ROLES: [(&str, Role); 2] = [("follower", Role::Follower), ("leader", Role::Leader)];
const UNITS: [(&str, Units); 3] =
    [("degrees", Units::Degrees), ("-100..100", Units::RangeM100), ("0..100", Units::Range0To100)];
const MODES: [(&str, Mode); 4] = [
    ("position", Mode::Position),
    ("extended_position", Mode::ExtendedPosition),
    ("current_position", Mode::CurrentPosition),
    ("velocity", Mode::Velocity),
];

/// The servos seen so far: no id and no name twice, all of one series.
#[derive(Default)]
struct Servos {
    seen: Vec<(u8, String)>,
    series: Option<&'static Series>,
}

impl Servos {
    fn read(&mut self, table: &mut Table<'_>) -> Result<(String, u8, &'static Model), SpecError> {
        let entry = table.need("name")?;
        let name = filled(&entry)?;
        if self.seen.iter().any(|seen| seen.1 == name) {
            return Err(entry.error(format!("`{name}` is there twice")));
        }
        let entry = table.need("id")?;
        let id = u8::try_from(entry.integer(0, 252)?).unwrap_or_default();
        if let Some((_, other)) = self.seen.iter().find(|seen| seen.0 == id) {
            return Err(entry.error(format!("{id} is already the id of `{other}`")));
        }
        let entry = table.need("model")?;
        let model = entry.string()?;
        let Some((series, model)) = tables::by_name(model) else {
            let known: Vec<&str> = tables::models().map(|(_, model)| model.name).collect();
            return Err(entry.error(unknown(model, &known)));
        };
        if self.series.is_some_and(|first| first.protocol != series.protocol) {
            return Err(entry.error("speaks another protocol than the servos before it"));
        }
        self.series.get_or_insert(series);
        self.seen.push((id, name.clone()));
        Ok((name, id, model))
    }

    fn series(&self, table: &Table<'_>) -> Result<&'static Series, SpecError> {
        self.series.ok_or_else(|| table.error("model", "is missing"))
    }
}

fn joint(
    mut table: Table<'_>,
    defaults: &Defaults,
    servos: &mut Servos,
) -> Result<JointSpec, SpecError> {
    let (name, id, model) = servos.read(&mut table)?;
    let series = servos.series(&table)?;
    let mode_entry = table.need("mode")?;
    let mode = pick(&mode_entry, &MODES)?;
    if mode == Mode::Velocity || mode.code(series).is_none() {
        return Err(mode_entry.error(format!("a {} joint has no such mode", series.name)));
    }
    let integer = |entry: Entry<'_>, min, max| entry.integer(min, max);
    let drive_mode = table.take("drive_mode").map(|e| integer(e, 0, 1)).transpose()?;
    let homing = table.take("homing_offset").map(|e| integer(e, -2047, 2047)).transpose()?;
    let joint = JointSpec {
        name,
        id,
        model,
        units: pick(&table.need("units")?, &UNITS)?,
        mode,
        full_turn: flag(&mut table, "full_turn", false)?,
        travel: bounded(&mut table, "travel", 1.0, 360.0)?,
        rest: bounded(&mut table, "rest", -100.0, 100.0)?,
        drive_mode: drive_mode.map_or(0, |value| u8::from(value != 0)),
        homing_offset: homing.and_then(|value| i32::try_from(value).ok()).unwrap_or_default(),
        torque: flag(&mut table, "torque", defaults.torque)?,
        spring: bounded(&mut table, "spring", -360.0, 360.0)?,
        back_off: match table.take("back_off") {
            Some(entry) => Some(back_off(&entry)?),
            None => defaults.back_off,
        },
        max_velocity: bounded(&mut table, "max_velocity", 0.1, 10_000.0)?.or(defaults.max_velocity),
        max_acceleration: bounded(&mut table, "max_acceleration", 1.0, 1e6)?
            .or(defaults.max_acceleration),
        settings: match table.take("set") {
            Some(entry) => settings(&entry, series)?,
            None => Vec::new(),
        },
    };
    table.finish()?;
    Ok(joint)
}

fn base(root: &mut Table<'_>, servos: &mut Servos) -> Result<Option<BaseSpec>, SpecError> {
    let wheels = root.tables("wheel")?;
    let Some(entry) = root.take("base") else {
        return match wheels.first() {
            Some(wheel) => Err(wheel.error("", "a [[wheel]] needs a [base]")),
            None => Ok(None),
        };
    };
    let mut table = entry.table()?;
    let mut base = BaseSpec {
        wheel_radius: table.need("wheel_radius")?.number(0.001, 10.0)?,
        radius: table.need("radius")?.number(0.001, 10.0)?,
        max_speed: i32::try_from(table.need("max_speed")?.integer(1, 32_767)?).unwrap_or_default(),
        wheels: Vec::new(),
    };
    table.finish()?;
    for mut table in wheels {
        let (name, id, model) = servos.read(&mut table)?;
        let angle = table.need("angle")?.number(-360.0, 360.0)?;
        table.finish()?;
        base.wheels.push(WheelSpec { name, id, model, angle });
    }
    if base.wheels.len() != 3 {
        return Err(entry.error(format!("wants three [[wheel]]s, not {}", base.wheels.len())));
    }
    Ok(Some(base))
}

/// The registers to set, in the order they are written in the file.
fn settings(entry: &Entry<'_>, series: &'static Series) -> Result<Vec<Setting>, SpecError> {
    entry.table()?.into_entries().map(|(name, entry)| setting(name, &entry, series)).collect()
}

fn setting(name: &str, entry: &Entry<'_>, series: &'static Series) -> Result<Setting, SpecError> {
    let Some(register) = series.named(name) else {
        let known: Vec<&str> = series.registers.iter().map(|row| row.reg.name()).collect();
        let near = nearest(name, &known).map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        return Err(entry.error(format!("{} servos have no such register{near}", series.name)));
    };
    if register.access == Access::ReadOnly {
        return Err(entry.error("is a register that only the servo writes"));
    }
    if !is_setting(register.reg) {
        return Err(entry.error("is not a setting: torque, goals, ids and rates have other ways"));
    }
    let (min, max) = register.range();
    let change = match entry.table() {
        Ok(mut table) => {
            let bits = table.need("clear")?.integer(0, max)?;
            table.finish()?;
            Change::Clear(i32::try_from(bits).unwrap_or(i32::MAX))
        }
        Err(_) => {
            let value = entry.integer(min, max.min(i64::from(i32::MAX)))?;
            Change::Value(i32::try_from(value).unwrap_or(i32::MAX))
        }
    };
    Ok(Setting { register, change })
}

/// A file must not move a motor, and must not take it off the bus.
fn is_setting(reg: Reg) -> bool {
    !matches!(
        reg,
        Reg::Id
            | Reg::BaudRate
            | Reg::TorqueEnable
            | Reg::Lock
            | Reg::GoalPosition
            | Reg::GoalVelocity
            | Reg::GoalPwm
            | Reg::OperatingMode
            | Reg::ProtocolType
            | Reg::SecondaryId
            | Reg::ResponseStatusLevel
    )
}

fn back_off(entry: &Entry<'_>) -> Result<BackOff, SpecError> {
    let mut table = entry.table()?;
    let back_off = BackOff {
        load: table.need("load")?.number(1.0, 100.0)? as f32,
        free_speed: table.need("free_speed")?.number(1.0, 10_000.0)? as f32,
        after_ms: u32::try_from(table.need("after_ms")?.integer(0, 60_000)?).unwrap_or_default(),
    };
    table.finish()?;
    Ok(back_off)
}

fn flag(table: &mut Table<'_>, key: &'static str, default: bool) -> Result<bool, SpecError> {
    table.take(key).map_or(Ok(default), |entry| entry.boolean())
}

fn bounded(
    table: &mut Table<'_>,
    key: &'static str,
    min: f64,
    max: f64,
) -> Result<Option<f64>, SpecError> {
    table.take(key).map(|entry| entry.number(min, max)).transpose()
}

fn filled(entry: &Entry<'_>) -> Result<String, SpecError> {
    match entry.string()? {
        "" => Err(entry.error("is empty")),
        text => Ok(text.to_owned()),
    }
}

fn pick<T: Copy>(entry: &Entry<'_>, known: &[(&str, T)]) -> Result<T, SpecError> {
    let typed = entry.string()?;
    match known.iter().find(|row| row.0 == typed) {
        Some(row) => Ok(row.1),
        None => {
            let words: Vec<&str> = known.iter().map(|row| row.0).collect();
            Err(entry.error(unknown(typed, &words)))
        }
    }
}

fn unknown(typed: &str, known: &[&str]) -> String {
    match nearest(typed, known) {
        Some(near) => format!("`{typed}` is not known; did you mean `{near}`?"),
        None => format!("`{typed}` is not one of {}", known.join(", ")),
    }
}
