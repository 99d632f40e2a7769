//! Decoding with the system's FFmpeg: HEVC, VP9, more bits, more colour.

use std::collections::BTreeSet;
use std::path::Path;

use ffmpeg_next::codec::{Context, Id, threading};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Packet, decoder, ffi, frame};

use super::super::Codec;
use super::super::decode::{Ready, failed, gather, unknown};
use super::super::mp4::Track;
use super::{hush, is_pause};
use crate::depth;
use crate::error::{Error, Result};
use crate::image::{Image, PixelFormat};

/// How much a decoder may ask for beyond what the file says of a picture: some have edges around it,
/// and room for twice as many rows.
const MARGIN: i64 = 128;

/// Whether this FFmpeg decodes H.264.
pub fn has_h264() -> bool {
    decoder::find(Id::H264).is_some()
}

/// A decoder of the system's FFmpeg.
pub struct SystemDecoder {
    decoder: decoder::Video,
    /// The times of pictures that were taken and not handed out.
    held: BTreeSet<i64>,
    frame: frame::Video,
    colours: Option<Colours>,
}

impl SystemDecoder {
    /// A decoder for this track, where FFmpeg has one.
    pub fn new(track: &Track, path: &Path) -> Result<Self> {
        hush();
        let found = match &track.entry.codec {
            Codec::H264 => decoder::find(Id::H264),
            // By its name, as FFmpeg prefers dav1d: its functions have the names of those in the
            // decoder that is built in, which then would be called in their place.
            Codec::Av1 => decoder::find_by_name("libaom-av1"),
            Codec::Hevc => decoder::find(Id::HEVC),
            Codec::Other(name) if name == "vp9" => decoder::find(Id::VP9),
            Codec::Other(name) if name == "mpeg4" => decoder::find(Id::MPEG4),
            Codec::Other(_) => None,
        };
        // More than 8 bits of grey are no colour: twelve of them are LeRobot's steps of depth, others
        // nobody knows.
        let pix_fmt = track.entry.pix_fmt();
        let is_known = !pix_fmt.starts_with("gray1") || pix_fmt == depth::PIX_FMT;
        let found = found.filter(|_| is_known).ok_or_else(|| unknown(track, path))?;
        let mut context = Context::new_with_codec(found);
        context.set_threading(threading::Config { count: 1, ..Default::default() });
        let (width, height) = (i64::from(track.entry.width), i64::from(track.entry.height));
        let config = match found.id() {
            Id::MPEG4 => track.entry.mpeg4_setup().unwrap_or_default(),
            _ => &track.entry.config,
        };
        configure(&mut context, config, 2 * (width + MARGIN) * (height + MARGIN))
            .ok_or_else(|| failed(path, "there is no memory for a decoder"))?;
        let decoder = context.decoder().video().map_err(|error| failed(path, error))?;
        let (held, frame) = (BTreeSet::new(), frame::Video::empty());
        Ok(Self { decoder, held, frame, colours: None })
    }

    /// Decodes the next coded picture; the images that are ready go with their times to `out`.
    pub fn feed(&mut self, sample: &[u8], pts: i64, path: &Path, out: &mut Ready) -> Result<()> {
        if sample.is_empty() {
            return Err(Error::malformed(path, "mdat", "a picture has no bytes"));
        }
        let mut packet = Packet::copy(sample);
        packet.set_pts(Some(pts));
        self.held.insert(pts);
        self.decoder.send_packet(&packet).map_err(|error| failed(path, error))?;
        self.drain(path, out)
    }

    /// Whether it has taken the picture shown at this time and not handed it out.
    pub fn holds(&self, pts: i64) -> bool {
        self.held.contains(&pts)
    }

    /// Gets ready to go on at another keyframe.
    pub fn jump(&mut self) -> bool {
        self.decoder.flush();
        self.held.clear();
        true
    }

    /// Hands out the images that were held back.
    pub fn end(mut self, path: &Path, out: &mut Ready) -> Result<()> {
        self.decoder.send_eof().map_err(|error| failed(path, error))?;
        self.drain(path, out)
    }

    fn drain(&mut self, path: &Path, out: &mut Ready) -> Result<()> {
        loop {
            match self.decoder.receive_frame(&mut self.frame) {
                Ok(()) => {}
                Err(error) if is_pause(&error) => return Ok(()),
                Err(error) => return Err(failed(path, error)),
            }
            // SAFETY: the frame is there for as long as it is borrowed here.
            if unsafe { (*self.frame.as_ptr()).decode_error_flags } != 0 || self.frame.is_corrupt()
            {
                return Err(failed(path, "a picture is damaged"));
            }
            if let Some(pts) = self.frame.pts() {
                // Those shown before it that never came were left out.
                self.held = self.held.split_off(&pts.saturating_add(1));
                out.take(pts, || self.image(path))?;
            }
        }
    }

    /// The frame as an image: as it is where its pixels lie as ours do, else in red, green and blue
    /// as PyAV, and so LeRobot, has it.
    fn image(&mut self, path: &Path) -> Result<Image> {
        let frame = &self.frame;
        let (width, height) = (frame.width(), frame.height());
        if frame.format() == Pixel::YUV420P && frame.planes() == 3 {
            let planes = [0, 1, 2].map(|plane| (frame.data(plane), frame.stride(plane)));
            let image = gather(planes, width as usize, height as usize);
            return image.ok_or_else(|| failed(path, "a decoded picture has no size"));
        }
        if width.max(height) > Image::MAX_SIDE {
            return Err(failed(path, "a decoded picture is too large"));
        }
        if frame.format() == Pixel::GRAY12LE {
            let row = width as usize * 2;
            let lines = frame.data(0).chunks(frame.stride(0).max(row)).take(height as usize);
            let pixels: Vec<u8> =
                lines.filter_map(|line| line.get(..row)).flatten().copied().collect();
            let image = Image::new(width, height, PixelFormat::Gray16, pixels);
            return image.ok_or_else(|| failed(path, "a decoded picture has no size"));
        }
        let colours = self.colours.take().filter(|colours| colours.fits(frame));
        let mut colours = match colours {
            Some(colours) => colours,
            None => Colours::of(frame).map_err(|error| failed(path, error))?,
        };
        let image = colours.convert(frame).map_err(|error| failed(path, error))?;
        self.colours = Some(colours);
        image.ok_or_else(|| failed(path, "a decoded picture has no size"))
    }
}

/// Tells a decoder the codec's configuration, and how large a picture may be. None without memory.
fn configure(context: &mut Context, config: &[u8], pixels: i64) -> Option<()> {
    let padding = ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
    let size = i32::try_from(config.len()).ok()?;
    // SAFETY: the memory comes from FFmpeg, is as long as the configuration and the zeros that FFmpeg
    // wants after it, and belongs to the context from here on, which frees it.
    unsafe {
        let context = context.as_mut_ptr();
        (*context).max_pixels = pixels;
        // What is damaged is told, not painted over.
        (*context).err_recognition |= ffi::AV_EF_EXPLODE;
        let memory: *mut u8 = ffi::av_mallocz(config.len() + padding).cast();
        if memory.is_null() {
            return None;
        }
        memory.copy_from_nonoverlapping(config.as_ptr(), config.len());
        (*context).extradata = memory;
        (*context).extradata_size = size;
    }
    Some(())
}

/// FFmpeg's conversion of one kind of frame into red, green and blue.
struct Colours {
    context: scaling::Context,
    rgb: frame::Video,
}

// SAFETY: the conversion keeps nothing that belongs to a thread, and is used by its owner alone.
unsafe impl Send for Colours {}

impl Colours {
    fn of(frame: &frame::Video) -> Result<Self, ffmpeg_next::Error> {
        let (width, height) = (frame.width(), frame.height());
        let flags = scaling::Flags::BILINEAR;
        let context = scaling::Context::get(
            frame.format(),
            width,
            height,
            Pixel::RGB24,
            width,
            height,
            flags,
        )?;
        Ok(Self { context, rgb: frame::Video::empty() })
    }

    fn fits(&self, frame: &frame::Video) -> bool {
        let input = self.context.input();
        (input.format, input.width, input.height) == (frame.format(), frame.width(), frame.height())
    }

    fn convert(&mut self, frame: &frame::Video) -> Result<Option<Image>, ffmpeg_next::Error> {
        self.context.run(frame, &mut self.rgb)?;
        if self.rgb.planes() == 0 {
            return Ok(None);
        }
        let (width, height) = (frame.width(), frame.height());
        let row = width as usize * 3;
        let mut pixels = Vec::with_capacity(PixelFormat::Rgb8.len(width, height));
        for line in self.rgb.data(0).chunks(self.rgb.stride(0).max(row)).take(height as usize) {
            pixels.extend_from_slice(line.get(..row).unwrap_or_default());
        }
        Ok(Image::new(width, height, PixelFormat::Rgb8, pixels))
    }
}
