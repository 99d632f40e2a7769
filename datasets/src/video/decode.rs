//! The decoders: coded pictures in, images in the order in which they are shown out.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, DecodedYUV, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use re_rav1d::{PixelLayout, PlanarImageComponent};

use super::Codec;
use super::mp4::Track;
use super::nal::with_start_codes;
use crate::error::{Error, Result};
use crate::image::{Image, PixelFormat};

/// What comes out of a decoder. Pictures before a time are decoded for the sake of others only, and
/// not even copied.
pub struct Ready {
    from: i64,
    images: Vec<(i64, Image)>,
}

impl Ready {
    /// For the pictures shown from this time on.
    pub fn from(from: i64) -> Self {
        Self { from, images: Vec::new() }
    }

    /// Takes a picture, if it is wanted.
    pub fn take(&mut self, pts: i64, image: impl FnOnce() -> Result<Image>) -> Result<()> {
        if pts >= self.from {
            self.images.push((pts, image()?));
        }
        Ok(())
    }

    /// The image shown at this time.
    pub fn get(&self, pts: i64) -> Option<&Image> {
        self.images.iter().find(|(known, _)| *known == pts).map(|(_, image)| image)
    }

    /// All of them with their times.
    pub fn into_images(self) -> Vec<(i64, Image)> {
        self.images
    }
}

/// A decoder on its way through a video, begun at a keyframe.
pub enum Decoder {
    /// For H.264.
    H264(Box<H264>),
    /// For AV1.
    Av1(Box<Av1>),
    /// For everything else; and for H.264, which it decodes in three quarters of the time.
    #[cfg(feature = "ffmpeg")]
    System(Box<super::ffmpeg::SystemDecoder>),
}

impl Decoder {
    /// A decoder for this track.
    pub fn new(track: &Track, path: &Path) -> Result<Self> {
        match &track.entry.codec {
            // Some systems' FFmpeg comes without H.264.
            #[cfg(feature = "ffmpeg")]
            Codec::H264 if super::ffmpeg::has_h264() => Self::other(track, path),
            Codec::H264 if is_plain(track) => {
                H264::new(track, path).map(|inner| Self::H264(Box::new(inner)))
            }
            Codec::Av1 if is_plain(track) => {
                Av1::new(track, path).map(|inner| Self::Av1(Box::new(inner)))
            }
            _ => Self::other(track, path),
        }
    }

    #[cfg(feature = "ffmpeg")]
    fn other(track: &Track, path: &Path) -> Result<Self> {
        let inner = super::ffmpeg::SystemDecoder::new(track, path)?;
        Ok(Self::System(Box::new(inner)))
    }

    #[cfg(not(feature = "ffmpeg"))]
    fn other(track: &Track, path: &Path) -> Result<Self> {
        Err(unknown(track, path))
    }

    /// Decodes the next coded picture; the images that are ready go with their times to `out`.
    pub fn feed(&mut self, sample: Vec<u8>, pts: i64, path: &Path, out: &mut Ready) -> Result<()> {
        match self {
            Self::H264(inner) => inner.feed(&sample, pts, path, out),
            Self::Av1(inner) => inner.feed(sample, pts, path, out),
            #[cfg(feature = "ffmpeg")]
            Self::System(inner) => inner.feed(&sample, pts, path, out),
        }
    }

    /// Whether it has taken the picture shown at this time and not handed it out.
    pub fn holds(&self, pts: i64) -> bool {
        match self {
            Self::H264(inner) => inner.held.contains(&pts),
            Self::Av1(_) => false,
            #[cfg(feature = "ffmpeg")]
            Self::System(inner) => inner.holds(pts),
        }
    }

    /// Gets ready to go on at another keyframe, where that is possible; a new decoder costs more.
    pub fn jump(&mut self) -> bool {
        match self {
            // Only baseline pictures are handed out at once, so that none is left from before.
            Self::H264(inner) => inner.is_baseline && inner.held.is_empty(),
            Self::Av1(inner) => {
                inner.decoder.flush();
                true
            }
            #[cfg(feature = "ffmpeg")]
            Self::System(inner) => inner.jump(),
        }
    }

    /// Hands out the images that were held back. The H.264 decoder loses the memory of pictures
    /// handed out so, and after a few has none left, so that this must be the end of it.
    pub fn end(self, path: &Path, out: &mut Ready) -> Result<()> {
        match self {
            Self::H264(inner) => inner.end(path, out),
            Self::Av1(mut inner) => inner.drain(path, out).map(|_came| ()),
            #[cfg(feature = "ffmpeg")]
            Self::System(inner) => inner.end(path, out),
        }
    }
}

/// Whether its pixels lie as the built-in decoders have them.
fn is_plain(track: &Track) -> bool {
    track.entry.pix_fmt() == "yuv420p"
}

/// Says that nothing here decodes this track.
pub fn unknown(track: &Track, path: &Path) -> Error {
    let codec = track.entry.codec.name();
    let codec = match is_plain(track) {
        true => codec.to_owned(),
        false => format!("{} {codec}", track.entry.pix_fmt()),
    };
    Error::Codec { codec, path: path.to_owned() }
}

/// What the codec said.
pub fn failed(path: &Path, what: impl ToString) -> Error {
    Error::Video { what: what.to_string(), path: path.to_owned() }
}

/// H.264: the decoder does not carry times through, but hands pictures out in the order of theirs.
pub struct H264 {
    decoder: openh264::decoder::Decoder,
    length_bytes: usize,
    sets: Vec<u8>,
    units: Vec<u8>,
    held: BTreeSet<i64>,
    is_baseline: bool,
}

impl H264 {
    fn new(track: &Track, path: &Path) -> Result<Self> {
        let setup = track.entry.h264_setup();
        let (length_bytes, sets) =
            setup.ok_or_else(|| Error::malformed(path, "avcC", "the box does not make sense"))?;
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder =
            openh264::decoder::Decoder::with_api_config(OpenH264API::from_source(), config);
        let decoder = decoder.map_err(|error| failed(path, error))?;
        let is_baseline = track.entry.config.get(1) == Some(&66);
        let (units, held) = (Vec::new(), BTreeSet::new());
        Ok(Self { decoder, length_bytes, sets, units, held, is_baseline })
    }

    fn feed(&mut self, sample: &[u8], pts: i64, path: &Path, out: &mut Ready) -> Result<()> {
        self.units.clear();
        self.units.append(&mut self.sets);
        with_start_codes(sample, self.length_bytes, &mut self.units)
            .ok_or_else(|| Error::malformed(path, "mdat", "a picture does not make sense"))?;
        self.held.insert(pts);
        let options = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        let decoded = self.decoder.decode_with_options(&self.units, options);
        if let Some(picture) = decoded.map_err(|error| failed(path, error))? {
            give(&mut self.held, &picture, path, out)?;
        }
        Ok(())
    }

    fn end(mut self, path: &Path, out: &mut Ready) -> Result<()> {
        let decoded = self.decoder.flush_remaining().map_err(|error| failed(path, error))?;
        for picture in decoded {
            give(&mut self.held, &picture, path, out)?;
        }
        Ok(())
    }
}

/// Hands a picture out, which is the next one of those held.
fn give(
    held: &mut BTreeSet<i64>,
    picture: &DecodedYUV<'_>,
    path: &Path,
    out: &mut Ready,
) -> Result<()> {
    let next = held.pop_first();
    next.map_or(Ok(()), |pts| out.take(pts, || h264_image(picture, path)))
}

fn h264_image(picture: &DecodedYUV<'_>, path: &Path) -> Result<Image> {
    let strides = picture.strides();
    let planes = [(picture.y(), strides.0), (picture.u(), strides.1), (picture.v(), strides.2)];
    let (width, height) = picture.dimensions();
    gather(planes, width, height).ok_or_else(|| failed(path, "a decoded picture has no size"))
}

/// AV1.
pub struct Av1 {
    decoder: re_rav1d::Decoder,
}

impl Av1 {
    fn new(track: &Track, path: &Path) -> Result<Self> {
        let mut settings = re_rav1d::Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        // Pictures larger than the file says are refused before memory is taken for them.
        let pixels = u32::from(track.entry.width) * u32::from(track.entry.height);
        settings.set_frame_size_limit(pixels.max(1));
        let decoder = re_rav1d::Decoder::with_settings(&settings);
        Ok(Self { decoder: decoder.map_err(|error| failed(path, error))? })
    }

    fn feed(&mut self, sample: Vec<u8>, pts: i64, path: &Path, out: &mut Ready) -> Result<()> {
        if sample.is_empty() {
            return Err(Error::malformed(path, "mdat", "a picture has no bytes"));
        }
        let mut sent = self.decoder.send_data(sample, None, Some(pts), None);
        loop {
            let came = self.drain(path, out)?;
            match sent {
                Ok(()) => return Ok(()),
                Err(error) if error.is_again() && came > 0 => {
                    sent = self.decoder.send_pending_data();
                }
                Err(error) => return Err(failed(path, error)),
            }
        }
    }

    /// Hands out the pictures that are ready; gives how many came.
    fn drain(&mut self, path: &Path, out: &mut Ready) -> Result<usize> {
        let mut came = 0;
        loop {
            match self.decoder.get_picture() {
                Ok(picture) => {
                    came += 1;
                    if let Some(pts) = picture.timestamp() {
                        out.take(pts, || av1_image(&picture, path))?;
                    }
                }
                Err(error) if error.is_again() => return Ok(came),
                Err(error) => return Err(failed(path, error)),
            }
        }
    }
}

fn av1_image(picture: &re_rav1d::Picture, path: &Path) -> Result<Image> {
    if picture.bit_depth() != 8 || picture.pixel_layout() != PixelLayout::I420 {
        let codec = format!("{}-bit {:?} av1", picture.bit_depth(), picture.pixel_layout());
        return Err(Error::Codec { codec, path: path.to_owned() });
    }
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let planes = [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V]
        .map(|component| (picture.plane(component), picture.stride(component) as usize));
    let planes = planes.each_ref().map(|(plane, stride)| (plane.as_ref(), *stride));
    gather(planes, width, height).ok_or_else(|| failed(path, "a decoded picture has no size"))
}

/// Puts three planes with gaps after their rows into one buffer without.
pub fn gather(planes: [(&[u8], usize); 3], width: usize, height: usize) -> Option<Image> {
    let (image_width, image_height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    if image_width > Image::MAX_SIDE || image_height > Image::MAX_SIDE {
        return None;
    }
    let mut bytes = Vec::with_capacity(PixelFormat::I420.len(image_width, image_height));
    let halves = (width.div_ceil(2), height.div_ceil(2));
    let sizes = [(width, height), halves, halves];
    for ((plane, stride), (width, height)) in planes.into_iter().zip(sizes) {
        for row in 0..height {
            bytes.extend_from_slice(plane.get(row * stride..row * stride + width)?);
        }
    }
    Image::new(image_width, image_height, PixelFormat::I420, Bytes::from(bytes))
}
