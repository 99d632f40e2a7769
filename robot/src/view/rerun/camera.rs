//! What a camera saw in an episode: coded pictures as they lie in the dataset where Rerun plays them,
//! and JPEG pictures of the rest.

use std::ops::Range;

use re_sdk::RecordingStream;
use re_sdk_types::archetypes::{EncodedDepthImage, EncodedImage, VideoStream};
use re_sdk_types::components::{Colormap, MediaType, VideoCodec};
use sinew_datasets::image::png;
use sinew_datasets::schema::{Dtype, Feature};
use sinew_datasets::tables::column::Cells;
use sinew_datasets::tables::episodes::Episode;
use sinew_datasets::video::{Codec, Coded, Stream};
use sinew_datasets::{Dataset, Error};

use super::blueprint::entity;
use super::dataset::{Clock, Result, Wrong};
use crate::cameras::jpeg::jpeg;

/// So many pictures are sent together at most …
const MOST_PICTURES: usize = 64;
/// … and so many bytes of them, unless one alone has more.
const MOST_BYTES: usize = 1 << 20;
/// What a JPEG picture is worth.
const QUALITY: u8 = 90;

/// One camera of one episode.
pub struct Camera<'a> {
    /// The dataset.
    pub dataset: &'a Dataset,
    /// The episode.
    pub episode: &'a Episode,
    /// The camera's name, which is its entity's.
    pub name: &'a str,
    /// As it is declared.
    pub feature: &'a Feature,
}

impl Camera<'_> {
    /// Sends all that it saw.
    pub fn send(&self, recording: &RecordingStream, clock: &Clock) -> Result<()> {
        if self.feature.is_depth() {
            return self.depth(recording, clock);
        }
        if self.feature.dtype == Dtype::Image {
            return self.files(recording, clock);
        }
        match self.stream()? {
            Some(stream) => self.video(recording, clock, stream),
            None => self.decoded(recording, clock),
        }
    }

    /// Its video as a stream of coded pictures, one for each frame; none where that is not how it
    /// lies.
    fn stream(&self) -> Result<Option<Stream>> {
        let Some(part) = self.episode.videos.iter().find(|part| part.key == self.name) else {
            return Ok(None);
        };
        let path = self.dataset.video_file(self.name, part.at);
        match Stream::open(&path, part.from_s, part.to_s) {
            Ok(stream) => Ok((stream.len() as u64 == self.episode.length).then_some(stream)),
            Err(Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn video(&self, recording: &RecordingStream, clock: &Clock, stream: Stream) -> Result<()> {
        let codec = match stream.codec() {
            Codec::Av1 => VideoCodec::AV1,
            _ => VideoCodec::H264,
        };
        recording.log_static(entity(self.name), &VideoStream::new(codec))?;
        let size = |coded: &Coded| coded.bytes.len();
        self.batches(stream.map(|coded| Ok(coded?)), size, |frames, batch| {
            let keyframes: Vec<bool> = batch.iter().map(|coded| coded.keyframe).collect();
            let samples = batch.into_iter().map(|coded| coded.bytes);
            let archetype = VideoStream::update_fields()
                .with_many_sample(samples)
                .with_many_is_keyframe(keyframes);
            let columns = archetype.columns_of_unit_batches()?;
            Ok(recording.send_columns(entity(self.name), clock.columns(frames), columns)?)
        })
    }

    /// Image files as they lie in the table.
    fn files(&self, recording: &RecordingStream, clock: &Clock) -> Result<()> {
        let file = |frame| match self.dataset.cells(self.name, frame, 1)? {
            Cells::Images(files) => Ok(files.last().map(|file| file.to_vec()).unwrap_or_default()),
            _ => Ok(Vec::new()),
        };
        let frames = self.episode.from_index..self.episode.to_index();
        self.pictures(recording, clock, frames.map(file))
    }

    /// Depth in millimetres as PNG files, however it is kept.
    fn depth(&self, recording: &RecordingStream, clock: &Clock) -> Result<()> {
        let png = |frame| {
            let image = self.dataset.image(self.name, frame)?;
            png::encode(&image.to_rgb()).map_err(Wrong::Picture)
        };
        let frames = self.episode.from_index..self.episode.to_index();
        self.batches(frames.map(png), Vec::len, |frames, batch| {
            let archetype = EncodedDepthImage::update_fields()
                .with_many_meter(vec![1000.0; batch.len()])
                .with_many_colormap(vec![Colormap::Viridis; batch.len()])
                .with_many_blob(batch);
            let columns = archetype.columns_of_unit_batches()?;
            Ok(recording.send_columns(entity(self.name), clock.columns(frames), columns)?)
        })
    }

    /// Pictures of a video that Rerun cannot play, decoded here.
    fn decoded(&self, recording: &RecordingStream, clock: &Clock) -> Result<()> {
        let frames = self.episode.from_index..self.episode.to_index();
        let jpeg =
            |frame| jpeg(&self.dataset.image(self.name, frame)?, QUALITY).map_err(Wrong::Picture);
        self.pictures(recording, clock, frames.map(jpeg))
    }

    /// Colour pictures, each a file by itself.
    fn pictures(
        &self,
        recording: &RecordingStream,
        clock: &Clock,
        files: impl Iterator<Item = Result<Vec<u8>>>,
    ) -> Result<()> {
        let size = Vec::len;
        self.batches(files, size, |frames, batch| {
            let kinds = batch
                .iter()
                .map(|file| MediaType::guess_from_data(file).unwrap_or_else(MediaType::png));
            let archetype = EncodedImage::update_fields()
                .with_many_media_type(kinds.collect::<Vec<_>>())
                .with_many_blob(batch);
            let columns = archetype.columns_of_unit_batches()?;
            Ok(recording.send_columns(entity(self.name), clock.columns(frames), columns)?)
        })
    }

    /// Sends pictures a few at a time, so that memory holds no more of them.
    fn batches<T>(
        &self,
        pictures: impl Iterator<Item = Result<T>>,
        size: impl Fn(&T) -> usize,
        send: impl Fn(Range<usize>, Vec<T>) -> Result<()>,
    ) -> Result<()> {
        let (mut batch, mut bytes, mut sent) = (Vec::new(), 0, 0);
        for picture in pictures {
            let picture = picture?;
            bytes += size(&picture);
            batch.push(picture);
            if batch.len() >= MOST_PICTURES || bytes >= MOST_BYTES {
                let end = sent + batch.len();
                send(sent..end, std::mem::take(&mut batch))?;
                (bytes, sent) = (0, end);
            }
        }
        match batch.is_empty() {
            true => Ok(()),
            false => send(sent..sent + batch.len(), batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use sinew_datasets::image::PixelFormat;
    use sinew_datasets::schema::Info;
    use sinew_datasets::writer::Options;
    use sinew_datasets::{Frame, Image, Stamps, Writer};

    use super::*;
    use crate::view::rerun::dataset::tests::{Kept, golden};

    #[test]
    fn depth_is_sent_as_depth() {
        let (folder, kept) = (tempfile::tempdir().unwrap(), Kept::default());
        let root = folder.path().join("set");
        let camera = ("depth".to_owned(), Feature::depth(Dtype::Image, 16, 16));
        let info = Info::new(30, None, vec![camera]).unwrap();
        let mut writer = Writer::create(&root, info, Options::default()).unwrap();
        for depth in 0..5_u8 {
            let image = Image::new(16, 16, PixelFormat::Gray16, vec![depth; 512]).unwrap();
            let images = vec![Some(image)];
            let (task, stamps) = ("look".into(), Stamps::default());
            writer.push(&Frame { task, values: Vec::new(), images, stamps }).unwrap();
        }
        writer.finish().unwrap();
        let dataset = Dataset::open(&root).unwrap();
        let (name, feature) = &dataset.info().features[0];
        let episode = dataset.episode(0).unwrap();
        let recording = kept.recording();
        let camera = Camera { dataset: &dataset, episode, name, feature };
        camera.send(&recording, &Clock((0..5).map(f64::from).collect())).unwrap();
        recording.flush_blocking().unwrap();
        assert_eq!(kept.rows(&entity(name).to_string(), "EncodedDepthImage:blob"), 5);
    }

    #[test]
    fn a_video_that_cannot_be_streamed_is_decoded_into_jpeg_pictures() {
        let (dataset, kept) = (golden("v30_video"), Kept::default());
        let recording = kept.recording();
        let episode = dataset.episode(1).unwrap();
        let (name, feature) =
            dataset.info().features.iter().find(|(_, feature)| feature.is_camera()).unwrap();
        let camera = Camera { dataset: &dataset, episode, name, feature };
        let times = dataset.values("timestamp", episode.from_index, episode.length).unwrap();
        camera.decoded(&recording, &Clock(times.numbers())).unwrap();
        recording.flush_blocking().unwrap();
        let rows = kept.rows(&entity(name).to_string(), "EncodedImage:blob");
        assert_eq!(rows as u64, episode.length);
        let file = jpeg(&dataset.image(name, episode.from_index).unwrap(), QUALITY).unwrap();
        assert_eq!(file[..3], [0xff, 0xd8, 0xff]);
    }
}
