//! How videos are encoded, in LeRobot's words.

use serde_json::{Map, Value, json};

use crate::depth::Scale;
use crate::schema::Feature;
use crate::{Error, Result};

/// LeRobot's names for encoders, and FFmpeg's; those in hardware in the order in which `auto` tries
/// them.
const ENCODERS: [(&str, &str); 11] = [
    ("h264_videotoolbox", "h264_videotoolbox"),
    ("hevc_videotoolbox", "hevc_videotoolbox"),
    ("h264_nvenc", "h264_nvenc"),
    ("hevc_nvenc", "hevc_nvenc"),
    ("h264_vaapi", "h264_vaapi"),
    ("h264_qsv", "h264_qsv"),
    ("h264", "libx264"),
    ("hevc", "libx265"),
    ("libsvtav1", "libsvtav1"),
    ("av1", "libsvtav1"),
    ("libaom-av1", "libaom-av1"),
];

/// The name of the encoder that is built in.
const BUILT_IN: &str = "openh264";

/// Which encoder makes videos, and how finely. By default the one that is built in.
#[derive(Clone, Debug, PartialEq)]
pub struct Coding {
    /// FFmpeg's name of the encoder; none for the one that is built in, which has one setting.
    encoder: Option<&'static str>,
    /// How many frames there are from one keyframe to the next.
    g: u32,
    /// How coarse the pictures may be: 0 is finest.
    crf: u32,
    /// How much time the encoder takes, in its own words or numbers.
    preset: Option<String>,
    /// The steps of depth that it codes instead of colours, with nothing lost.
    depth: Option<Scale>,
}

impl Default for Coding {
    fn default() -> Self {
        Self { encoder: None, g: 2, crf: 30, preset: None, depth: None }
    }
}

impl Coding {
    /// The coding with LeRobot's name for an encoder and LeRobot's settings: `libsvtav1`, `h264`,
    /// `hevc`, `h264_nvenc` …; `openh264` is the built-in one, and `auto` the first in hardware that
    /// works here, else the built-in one.
    pub fn named(vcodec: &str) -> Result<Self> {
        if vcodec == "auto" {
            let hardware = ENCODERS.iter().filter(|(name, _)| name.contains('_'));
            let codings = hardware.map(|(_, encoder)| Self::with(encoder));
            return Ok(codings.into_iter().find(Self::works).unwrap_or_default());
        }
        let known = ENCODERS.iter().find(|(name, _)| *name == vcodec);
        match known {
            _ if vcodec == BUILT_IN => Ok(Self::default()),
            Some(("h264", _)) if cfg!(not(feature = "ffmpeg")) => Ok(Self::default()),
            Some((_, encoder)) => Self::with(encoder).if_present(),
            None => {
                let names: Vec<&str> = ENCODERS.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                let what = format!("no encoder is called {vcodec}: auto, {BUILT_IN}, {names}");
                Err(Error::Refused { what })
            }
        }
    }

    /// How LeRobot codes depth: HEVC of twelve bits, lossless.
    pub fn depth(scale: Scale) -> Result<Self> {
        Self { depth: Some(scale), ..Self::with("libx265") }.if_present()
    }

    /// The coding for a camera: this one for colours; for depth, always LeRobot's for that.
    pub fn of_camera(&self, name: &str, camera: &Feature) -> Result<Self> {
        if !camera.is_depth() {
            return Ok(self.clone());
        }
        let refuse = |what| Error::Feature { feature: name.to_owned(), what };
        let scale = Scale::of(camera).map_err(refuse)?;
        Self::depth(scale).map_err(|why| {
            refuse(format!("depth is kept as video only by HEVC, and {why}; keep it as images"))
        })
    }

    /// Which depth its steps stand for; none for colours.
    pub fn scale(&self) -> Option<&Scale> {
        self.depth.as_ref()
    }

    fn with(encoder: &'static str) -> Self {
        let preset = (encoder == "libsvtav1").then(|| "12".to_owned());
        Self { encoder: Some(encoder), preset, ..Self::default() }
    }

    /// Changes what is given; the built-in encoder can change none of it.
    pub fn set(&mut self, crf: Option<u32>, g: Option<u32>, preset: Option<String>) -> Result<()> {
        if self.encoder.is_none() && (crf.is_some() || g.is_some() || preset.is_some()) {
            let what =
                format!("{BUILT_IN} has one setting only: crf, g and preset need another encoder");
            return Err(Error::Refused { what });
        }
        self.crf = crf.unwrap_or(self.crf);
        self.g = g.unwrap_or(self.g);
        self.preset = preset.or(self.preset.take());
        Ok(())
    }

    /// FFmpeg's name of the encoder; none for the one that is built in.
    pub fn encoder(&self) -> Option<&'static str> {
        self.encoder
    }

    #[cfg(feature = "ffmpeg")]
    fn works(&self) -> bool {
        super::ffmpeg::SystemEncoder::new(self, 640, 480, 30).is_ok()
    }

    #[cfg(not(feature = "ffmpeg"))]
    fn works(&self) -> bool {
        false
    }

    #[cfg(feature = "ffmpeg")]
    fn if_present(self) -> Result<Self> {
        match self.encoder {
            Some(name) if !super::ffmpeg::has_encoder(name) => {
                let what = format!("this system's FFmpeg has no encoder {name}");
                Err(Error::Refused { what })
            }
            _ => Ok(self),
        }
    }

    #[cfg(not(feature = "ffmpeg"))]
    fn if_present(self) -> Result<Self> {
        let name = self.encoder.unwrap_or(BUILT_IN);
        let what = format!("{name} needs the feature ffmpeg, which this build lacks");
        Err(Error::Refused { what })
    }

    /// What FFmpeg is told, as LeRobot tells it; and that no picture waits for one after it, which
    /// LeRobot's keyframe every second frame leaves no room for either.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let mut options = vec![("g", self.g.to_string())];
        let crf = self.crf.to_string();
        let name = self.encoder.unwrap_or(BUILT_IN);
        match name {
            "libsvtav1" => {
                options.extend([("crf", crf), ("svtav1-params", "fast-decode=0".into())])
            }
            "h264_nvenc" | "hevc_nvenc" => options.extend([("rc", "0".into()), ("qp", crf)]),
            "h264_vaapi" => options.push(("qp", crf)),
            "h264_qsv" => options.push(("global_quality", crf)),
            "h264_videotoolbox" | "hevc_videotoolbox" => {
                let quality = 100_u32.saturating_sub(2 * self.crf).clamp(1, 100);
                options.push(("q:v", quality.to_string()));
            }
            "libx265" if self.depth.is_some() => {
                options.push(("x265-params", "lossless=1:log-level=none".into()));
            }
            "libx265" => options.extend([("crf", crf), ("x265-params", "log-level=none".into())]),
            _ => options.push(("crf", crf)),
        }
        let has_preset = !["_videotoolbox", "_vaapi"].iter().any(|end| name.ends_with(end));
        options.extend(self.preset.clone().filter(|_| has_preset).map(|preset| ("preset", preset)));
        options.extend(self.never_waits().then(|| ("bf", "0".to_owned())));
        options
    }

    /// Whether it is kept from showing pictures in another order, which AV1 has another way to do.
    fn never_waits(&self) -> bool {
        self.encoder.is_some_and(|name| !name.contains("av1"))
    }

    /// It in the words in which a recording remembers it, which it does of that for colours.
    pub fn to_heading(&self) -> Value {
        let Self { encoder, g, crf, preset, depth: _ } = self;
        json!({ "encoder": encoder, "g": g, "crf": crf, "preset": preset })
    }

    /// Reads it back; none for an encoder that is not known here.
    pub fn from_heading(heading: &Value) -> Option<Self> {
        let number = |key| u32::try_from(heading.get(key)?.as_u64()?).ok();
        let encoder = match heading.get("encoder")?.as_str() {
            Some(name) => Some(ENCODERS.iter().find(|(_, encoder)| *encoder == name)?.1),
            None => None,
        };
        let preset = heading.get("preset")?.as_str().map(str::to_owned);
        Some(Self { encoder, g: number("g")?, crf: number("crf")?, preset, depth: None })
    }

    /// What info.json says of it.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut said = Map::new();
        said.insert("video.g".into(), self.g.into());
        if self.encoder.is_some() {
            let preset = self.preset.as_ref().map(|preset| {
                preset.parse::<i64>().map_or_else(|_text| preset.clone().into(), Value::from)
            });
            said.insert("video.crf".into(), self.crf.into());
            said.extend(preset.map(|preset| ("video.preset".to_owned(), preset)));
            said.insert("video.fast_decode".into(), 0.into());
        }
        let mut extra = Map::new();
        extra.extend(self.depth.map(|_| ("x265-params".to_owned(), "lossless=1".into())));
        extra.extend(self.never_waits().then(|| ("bf".to_owned(), 0.into())));
        said.insert("video.extra_options".into(), Value::Object(extra));
        said.extend(self.depth.iter().flat_map(Scale::to_json));
        said
    }
}
