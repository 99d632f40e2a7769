//! Encoding with the system's FFmpeg: one picture in, coded pictures out, some a little later.

use ffmpeg_next::codec::{Context, Id};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Dictionary, Packet, color, encoder, frame};

use super::super::encode::Planes;
use super::super::mp4::entry::SampleEntry;
use super::super::nal::{self, with_lengths};
use super::super::{Codec, Coding, obu};
use super::graphics::Graphics;
use super::{hush, is_pause};
use crate::image::PixelFormat;

/// One coded picture as it goes into a file.
#[derive(Clone, Debug)]
pub struct Coded {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether decoding can begin here.
    pub keyframe: bool,
}

/// Whether this FFmpeg was built with an encoder; it may still not work here.
pub fn has_encoder(name: &str) -> bool {
    encoder::find_by_name(name).is_some()
}

/// What an encoder was opened with.
struct Asked {
    coding: Coding,
    width: u32,
    height: u32,
    fps: u32,
}

/// An encoder of the system's FFmpeg, for pictures of one size.
pub struct SystemEncoder {
    encoder: encoder::video::Encoder,
    asked: Asked,
    codec: Codec,
    layout: Pixel,
    graphics: Option<Graphics>,
    taken: i64,
    given: i64,
    ended: bool,
}

impl SystemEncoder {
    /// Opens an encoder.
    pub fn new(coding: &Coding, width: u32, height: u32, fps: u32) -> Result<Self, String> {
        hush();
        let name = coding.encoder().unwrap_or_default();
        let absent = || format!("this system's FFmpeg has no encoder {name}");
        let found = encoder::find_by_name(name).ok_or_else(absent)?;
        let codec = match found.id() {
            Id::H264 => Codec::H264,
            Id::HEVC => Codec::Hevc,
            _ => Codec::Av1,
        };
        let on_graphics = name.ends_with("_vaapi");
        let interleaved = on_graphics || name.ends_with("_qsv");
        let layout = match interleaved {
            _ if coding.scale().is_some() => Pixel::GRAY12LE,
            true => Pixel::NV12,
            false => Pixel::YUV420P,
        };
        let why = |error: ffmpeg_next::Error| format!("{name} does not begin: {error}");
        let mut video = Context::new_with_codec(found).encoder().video().map_err(why)?;
        video.set_width(width);
        video.set_height(height);
        video.set_format(layout);
        let rate = i32::try_from(fps).unwrap_or(i32::MAX);
        video.set_time_base((1, rate));
        video.set_frame_rate(Some((rate, 1)));
        if layout != Pixel::GRAY12LE {
            video.set_colorspace(color::Space::SMPTE170M);
            video.set_color_range(color::Range::MPEG);
        }
        let graphics = on_graphics.then(|| Graphics::begin(&mut video, width, height));
        let graphics = graphics.transpose().map_err(|error| {
            format!(
                "{name} needs a graphics processor with VA-API, and none can be opened: {error}; \
                 see that /dev/dri/renderD128 is there and that this user is in the group render"
            )
        })?;
        let mut options = Dictionary::new();
        // The parameter sets come once, for the file's head; what the encoder has set stays set.
        options.set("flags", "+global_header");
        coding.options().iter().for_each(|(key, value)| options.set(key, value));
        let encoder = video.open_with(options).map_err(why)?;
        let asked = Asked { coding: coding.clone(), width, height, fps };
        Ok(Self { encoder, asked, codec, layout, graphics, taken: 0, given: 0, ended: false })
    }

    /// The sample entry of a file with its pictures.
    pub fn entry(&self) -> Option<SampleEntry> {
        let setup = self.setup();
        let setup = setup.as_deref()?;
        let (width, height) =
            (u16::try_from(self.asked.width).ok()?, u16::try_from(self.asked.height).ok()?);
        match self.codec {
            Codec::H264 => {
                let unit = |kind: u8| nal::units(setup).find(|unit| unit[0] & 0x1f == kind);
                SampleEntry::h264(width, height, unit(7)?, unit(8)?)
            }
            Codec::Hevc => {
                let unit = |kind: u8| nal::units(setup).find(|unit| unit[0] >> 1 & 0x3f == kind);
                let (chroma, bits) = if self.layout == Pixel::GRAY12LE { (0, 12) } else { (1, 8) };
                let sets = [unit(32)?, unit(33)?, unit(34)?];
                SampleEntry::hevc(width, height, sets, (chroma, bits))
            }
            _ => SampleEntry::av1(width, height, obu::sequence_header(setup)?),
        }
    }

    /// What it said when it was opened, or else, as some only say it then, before its first picture.
    fn setup(&self) -> Option<Vec<u8>> {
        // SAFETY: the context lives as long as the encoder, and its configuration, set when it was
        // opened, is not changed while this reference to it is there.
        let said = unsafe {
            let context = self.encoder.as_ptr();
            let (bytes, size) = ((*context).extradata, (*context).extradata_size);
            let size = usize::try_from(size).unwrap_or(0);
            (!bytes.is_null()).then(|| std::slice::from_raw_parts(bytes, size).to_vec())
        };
        said.or_else(|| {
            let Asked { coding, width, height, fps } = &self.asked;
            let mut other = Self::new(coding, *width, *height, *fps).ok()?;
            let format = match coding.scale() {
                Some(_) => PixelFormat::Gray16,
                None => PixelFormat::I420,
            };
            let black = vec![0; format.len(*width, *height)];
            let planes = Planes { width: *width, height: *height, bytes: &black };
            other.take(planes).ok()?;
            other.encoder.send_eof().ok()?;
            let mut packet = Packet::empty();
            other.encoder.receive_packet(&mut packet).ok()?;
            packet.data().map(<[u8]>::to_vec)
        })
    }

    /// Takes a picture; gives those that are coded by now, in the order in which they are shown.
    pub fn send(&mut self, planes: Planes<'_>) -> Result<Vec<Coded>, String> {
        self.take(planes)?;
        self.receive()
    }

    fn take(&mut self, planes: Planes<'_>) -> Result<(), String> {
        let mut frame = frame::Video::new(self.layout, planes.width, planes.height);
        fill(&mut frame, planes).ok_or("there is no memory for a picture")?;
        frame.set_pts(Some(self.taken));
        self.taken += 1;
        let copied = self.graphics.as_ref().map(|graphics| graphics.copied(&frame)).transpose();
        let frame = copied.map_err(|error| error.to_string())?.unwrap_or(frame);
        self.encoder.send_frame(&frame).map_err(|error| error.to_string())
    }

    /// Takes no more; gives what was held back.
    pub fn end(&mut self) -> Result<Vec<Coded>, String> {
        if self.ended {
            return Ok(Vec::new());
        }
        self.ended = true;
        self.encoder.send_eof().map_err(|error| error.to_string())?;
        let coded = self.receive()?;
        match self.given == self.taken {
            true => Ok(coded),
            false => Err(format!("the encoder gave {} of {} frames", self.given, self.taken)),
        }
    }

    fn receive(&mut self) -> Result<Vec<Coded>, String> {
        let mut coded = Vec::new();
        let mut packet = Packet::empty();
        loop {
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(error) if is_pause(&error) => return Ok(coded),
                Err(error) => return Err(error.to_string()),
            }
            if packet.pts() != Some(self.given) {
                return Err(format!("the encoder left frame {} out", self.given));
            }
            self.given += 1;
            let bytes = packet.data().unwrap_or_default();
            let bytes = match self.codec {
                Codec::H264 => with_lengths(bytes, |first| matches!(first & 0x1f, 7..=9)),
                Codec::Hevc => with_lengths(bytes, |first| matches!(first >> 1 & 0x3f, 32..=35)),
                _ => obu::without_delimiters(bytes).ok_or("a coded picture makes no sense")?,
            };
            coded.push(Coded { bytes, keyframe: packet.is_key() });
        }
    }
}

/// Copies the planes into a frame of FFmpeg's, whose rows have gaps after them.
fn fill(frame: &mut frame::Video, planes: Planes<'_>) -> Option<()> {
    let (width, height) = (planes.width as usize, planes.height as usize);
    let deep = frame.format() == Pixel::GRAY12LE;
    let (luma, chroma) =
        planes.bytes.split_at_checked(width * height * if deep { 2 } else { 1 })?;
    let (blue, red) = chroma.split_at_checked(chroma.len() / 2)?;
    let interleaved: Vec<u8>;
    let sources: &[(&[u8], usize)] = match frame.planes() {
        1 if deep => &[(luma, 2 * width)],
        3 => &[(luma, width), (blue, width / 2), (red, width / 2)],
        2 => {
            interleaved = blue.iter().zip(red).flat_map(|(u, v)| [*u, *v]).collect();
            &[(luma, width), (&interleaved, width)]
        }
        _ => return None,
    };
    for (plane, (source, width)) in sources.iter().enumerate() {
        let stride = frame.stride(plane);
        let rows = frame.data_mut(plane).chunks_mut(stride);
        for (to, from) in rows.zip(source.chunks(*width)) {
            to.get_mut(..*width)?.copy_from_slice(from);
        }
    }
    Some(())
}
