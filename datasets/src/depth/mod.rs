//! Depth in a video, where a pixel has twelve bits: LeRobot divides what lies between the nearest and
//! the farthest depth into 4095 steps, finer where it is near, and info.json says how.
//!
//! ```text
//! step = 4095 · (ln(depth + shift) - ln(nearest + shift)) / (ln(farthest + shift) - ln(nearest + shift))
//! ```
//!
//! Depth is in whole millimetres here, as cameras give it; a scale is declared in metres. What lies
//! nearer or farther than the scale goes becomes its end, no reading (0) among it.

#[cfg(test)]
#[cfg(feature = "ffmpeg")]
mod kept;

use serde_json::{Map, Value};

use crate::image::{Image, PixelFormat};
use crate::schema::Feature;
use crate::{Error, Result};

/// The number of the last step.
pub const LAST_STEP: u16 = 4095;
/// FFmpeg's name for how the pixels of a depth video lie.
pub const PIX_FMT: &str = "gray12le";

const MM: f32 = 1000.0;

/// Which depth each step of a video stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    nearest: f64,
    farthest: f64,
    shift: f64,
    logarithmic: bool,
}

impl Default for Scale {
    /// LeRobot's.
    fn default() -> Self {
        Self { nearest: 0.01, farthest: 10.0, shift: 3.5, logarithmic: true }
    }
}

impl Scale {
    /// A scale between two depths in metres; the text says why it cannot be one.
    pub fn new(nearest: f64, farthest: f64, shift: f64, logarithmic: bool) -> Result<Self, String> {
        let scale = Self { nearest, farthest, shift, logarithmic };
        let said = || format!("depth from {nearest} m to {farthest} m, shifted by {shift} m");
        let sides = [nearest, farthest, shift];
        if sides.iter().any(|side| !side.is_finite() || side.abs() > 1e6) {
            return Err(format!("{} cannot be divided into steps", said()));
        }
        if logarithmic && nearest + shift <= 0.0 {
            return Err(format!("{} has no logarithm at its near end", said()));
        }
        let wide = |(start, span): (f32, f32)| start.is_finite() && span > 0.0;
        if !wide(scale.range_mm()) || !wide(scale.range_m()) {
            return Err(format!("{} leaves no room for steps", said()));
        }
        Ok(scale)
    }

    /// The scale that a feature's video has; LeRobot's own for what the feature does not say.
    pub fn of(feature: &Feature) -> Result<Self, String> {
        let said = feature.extra.get("info");
        let entry = |key: &str| said.and_then(|said| said.get(key)).filter(|said| !said.is_null());
        let number = |key: &str, usual: f64| match entry(key) {
            None => Ok(usual),
            Some(said) => said.as_f64().ok_or_else(|| format!("{key} is no number: {said}")),
        };
        let usual = Self::default();
        let logarithmic = match entry("video.use_log") {
            None => usual.logarithmic,
            Some(said) => said
                .as_bool()
                .ok_or_else(|| format!("video.use_log is not true or false: {said}"))?,
        };
        Self::new(
            number("video.depth_min", usual.nearest)?,
            number("video.depth_max", usual.farthest)?,
            number("video.shift", usual.shift)?,
            logarithmic,
        )
    }

    /// What info.json says of it.
    pub fn to_json(&self) -> Map<String, Value> {
        let entries = [
            ("video.depth_min", Value::from(self.nearest)),
            ("video.depth_max", Value::from(self.farthest)),
            ("video.shift", Value::from(self.shift)),
            ("video.use_log", Value::from(self.logarithmic)),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The largest depth it holds, in millimetres.
    pub fn farthest_mm(&self) -> f64 {
        self.farthest * f64::from(MM)
    }

    /// How far off what it holds may be, in millimetres: the nearest depth is also what has no reading.
    pub fn coarsest_mm(&self) -> f64 {
        let all = self.to_depth().0;
        let widest = all.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max();
        f64::from(widest.unwrap_or(0).max(self.depth(0)))
    }

    /// Where the steps begin and how far they go, as LeRobot divides millimetres: in 32 bits but for
    /// the logarithms.
    fn range_mm(&self) -> (f32, f32) {
        let [nearest, farthest, shift] =
            [self.nearest, self.farthest, self.shift].map(|metres| (metres * 1000.0) as f32);
        match self.logarithmic {
            true => {
                let ln = |end: f32| f64::from(end + shift).ln();
                (ln(nearest) as f32, (ln(farthest) - ln(nearest)) as f32)
            }
            false => (nearest, farthest - nearest),
        }
    }

    /// The same for metres, into which it turns steps back.
    fn range_m(&self) -> (f32, f32) {
        let ends = [self.nearest, self.farthest];
        let [from, to] = match self.logarithmic {
            true => ends.map(|end| (end + self.shift).ln()),
            false => ends,
        };
        (from as f32, ((to - from) / f64::from(LAST_STEP)) as f32)
    }

    /// The step nearest to a depth in millimetres.
    pub fn step(&self, depth: u16) -> u16 {
        let (from, span) = self.range_mm();
        let depth = f32::from(depth);
        let along = match self.logarithmic {
            true => f64::from(depth + (self.shift * 1000.0) as f32).ln() as f32,
            false => depth,
        };
        let step = ((along - from) / span * f32::from(LAST_STEP)).round_ties_even();
        // Nothing has a logarithm below the shift: it is nearer than the nearest.
        step.clamp(0.0, f32::from(LAST_STEP)) as u16
    }

    /// The depth in millimetres that a step stands for.
    pub fn depth(&self, step: u16) -> u16 {
        let (from, each) = self.range_m();
        let along = f32::from(step.min(LAST_STEP)) * each + from;
        let metres = match self.logarithmic {
            true => f64::from(along).exp() as f32 - self.shift as f32,
            false => along,
        };
        let metres = metres.clamp(self.nearest as f32, self.farthest as f32);
        (metres * MM).round_ties_even().clamp(0.0, f32::from(u16::MAX)) as u16
    }

    /// Turns images of depth into images of steps.
    pub fn to_steps(&self) -> Table {
        Table((0..=u16::MAX).map(|depth| self.step(depth)).collect())
    }

    /// Turns images of steps into images of depth.
    pub fn to_depth(&self) -> Table {
        Table((0..=LAST_STEP).map(|step| self.depth(step)).collect())
    }
}

/// What becomes of each value of an image.
#[derive(Clone, Debug)]
pub struct Table(Vec<u16>);

impl Table {
    /// The image with its values replaced; none of an image of colours.
    pub fn apply(&self, image: &Image) -> Option<Image> {
        if image.format() != PixelFormat::Gray16 {
            return None;
        }
        let last = self.0.len().checked_sub(1)?;
        let values = image.pixels().as_chunks::<2>().0.iter();
        let replaced = values.flat_map(|value| {
            let at = usize::from(u16::from_le_bytes(*value)).min(last);
            self.0[at].to_le_bytes()
        });
        let pixels: Vec<u8> = replaced.collect();
        Image::new(image.width(), image.height(), PixelFormat::Gray16, pixels)
    }
}

/// A frame of a camera's video as the camera saw it: depth in millimetres, where it is kept in steps.
pub fn seen(name: &str, camera: &Feature, frame: Image) -> Result<Image> {
    let refuse = |what: String| Error::Feature { feature: name.to_owned(), what };
    let steps = frame.format() == PixelFormat::Gray16;
    match (camera.is_depth(), steps) {
        (false, false) => Ok(frame),
        (false, true) => Err(refuse("is not declared as depth, and its video holds depth".into())),
        (true, _) => {
            let table = Scale::of(camera).map_err(refuse)?.to_depth();
            let said = format!("is declared as depth, and its video is not {PIX_FMT}");
            table.apply(&frame).ok_or_else(|| refuse(said))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::Dtype;

    /// How far apart the depths of two neighbouring steps are around a depth, in millimetres.
    fn quantum(scale: &Scale, depth: f64) -> f64 {
        let [nearest, farthest, shift] =
            [scale.nearest, scale.farthest, scale.shift].map(|metres| metres * 1000.0);
        match scale.logarithmic {
            true => (depth + shift) * ((farthest + shift) / (nearest + shift)).ln() / 4095.0,
            false => (farthest - nearest) / 4095.0,
        }
    }

    fn scales() -> impl Strategy<Value = Scale> {
        let sides = (0.0..5.0_f64, 0.05..60.0_f64, -0.2..20.0_f64, any::<bool>());
        sides.prop_filter_map("no scale", |(nearest, span, shift, logarithmic)| {
            Scale::new(nearest, nearest + span, shift, logarithmic)
                .ok()
                .filter(|scale| !logarithmic || scale.nearest + scale.shift > 0.05)
        })
    }

    proptest! {
        #[test]
        fn steps_grow_with_depth_and_come_back_within_half_a_quantum(scale in scales()) {
            let (steps, depths) = (scale.to_steps(), scale.to_depth());
            prop_assert!(steps.0.is_sorted() && depths.0.is_sorted());
            prop_assert!(steps.0.iter().all(|step| *step <= LAST_STEP));
            let within = (scale.nearest * 1000.0).ceil() as u16..=(scale.farthest * 1000.0).min(65535.0) as u16;
            for depth in within {
                let back = scale.depth(scale.step(depth));
                let off = (f64::from(back) - f64::from(depth)).abs();
                // Millimetres are whole, and 32 bits round a little.
                let most = quantum(&scale, f64::from(depth)) * 0.51 + 0.51;
                prop_assert!(off <= most, "{scale:?}: {depth} comes back as {back}, {most}");
            }
        }

        #[test]
        fn whatever_is_declared_makes_a_scale_or_an_error(
            ends in prop::array::uniform3(any::<f64>()), logarithmic: bool,
        ) {
            if let Ok(scale) = Scale::new(ends[0], ends[1], ends[2], logarithmic) {
                let all = scale.to_steps();
                prop_assert!(all.0.is_sorted() && scale.to_depth().0.is_sorted());
            }
        }
    }

    #[test]
    fn steps_of_lerobots_scale_come_back_as_they_were() {
        let scale = Scale::default();
        assert!((0..=LAST_STEP).all(|step| scale.step(scale.depth(step)) == step));
        let ends = [0, 10, 11, 10_000, 65_535].map(|depth| scale.depth(scale.step(depth)));
        assert_eq!(ends, [10, 10, 11, 10_000, 10_000]);
    }

    #[test]
    fn a_scale_that_says_nothing_is_refused() {
        for (nearest, farthest, shift, logarithmic) in [
            (f64::NAN, 10.0, 3.5, true),
            (0.01, f64::INFINITY, 3.5, false),
            (0.01, 10.0, -0.01, true),
            (0.01, 10.0, -4.0, true),
            (1.0, 1.0, 3.5, false),
            (2.0, 1.0, 3.5, true),
            (0.0, 1e300, 3.5, true),
        ] {
            assert!(Scale::new(nearest, farthest, shift, logarithmic).is_err(), "{nearest}");
        }
        assert!(Scale::new(-1.0, 10.0, -4.0, false).is_ok());
    }

    #[test]
    fn a_feature_says_its_scale_or_leaves_it_to_lerobots() {
        let mut feature = Feature::depth(Dtype::Video, 64, 48);
        assert!(feature.is_depth());
        assert_eq!(Scale::of(&feature).unwrap(), Scale::default());
        let said = Scale::new(0.2, 4.0, 0.0, false).unwrap();
        let mut info = said.to_json();
        feature.extra.insert("info".into(), Value::Object(info.clone()));
        assert_eq!(Scale::of(&feature).unwrap(), said);
        info.insert("video.depth_max".into(), json!("far"));
        feature.extra.insert("info".into(), Value::Object(info));
        let error = Scale::of(&feature).unwrap_err();
        assert!(error.contains("video.depth_max"), "{error}");
    }
}
