//! A decoder that knows nothing of the file makes the same pictures of what is taken out of it.

use std::path::PathBuf;

use openh264::formats::YUVSource;
use re_rav1d::PlanarImageComponent;

use super::begin;
use crate::Error;
use crate::image::Image;
use crate::video::{Codec, Stream, VideoReader};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/video").join(name)
}

/// The brightness of every pixel.
fn brightness(image: &Image) -> &[u8] {
    &image.pixels()[..(image.width() * image.height()) as usize]
}

fn rows(plane: &[u8], stride: usize, width: usize) -> Vec<u8> {
    plane.chunks(stride).flat_map(|row| &row[..width]).copied().collect()
}

#[test]
fn h264_goes_through_a_bare_decoder_from_any_keyframe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    begin(&path, 0, 9).finish().unwrap();
    let mut reader = VideoReader::open(&path).unwrap();
    let stream = Stream::open(&path, 2.0 / 30.0, 7.0 / 30.0).unwrap();
    assert_eq!((stream.codec(), stream.len()), (&Codec::H264, 5));
    let mut decoder = openh264::decoder::Decoder::new().unwrap();
    for (frame, coded) in (2..).zip(stream) {
        let coded = coded.unwrap();
        assert_eq!(coded.keyframe, frame % 2 == 0);
        let picture = decoder.decode(&coded.bytes).unwrap().unwrap();
        let (width, _) = picture.dimensions();
        let shown = rows(picture.y(), picture.strides().0, width);
        assert_eq!(shown, brightness(&reader.frame(frame).unwrap()));
    }
}

#[test]
fn av1_goes_through_a_bare_decoder_from_any_keyframe() {
    let path = golden("lerobot_av1.mp4");
    let mut reader = VideoReader::open(&path).unwrap();
    let mut settings = re_rav1d::Settings::new();
    settings.set_max_frame_delay(1);
    let mut decoder = re_rav1d::Decoder::with_settings(&settings).unwrap();
    let stream = Stream::open(&path, 4.0 / 30.0, 14.0 / 30.0).unwrap();
    assert_eq!((stream.codec(), stream.len()), (&Codec::Av1, 10));
    for (frame, coded) in (4..).zip(stream) {
        decoder.send_data(coded.unwrap().bytes, None, None, None).unwrap();
        let picture = decoder.get_picture().unwrap();
        let (plane, stride) =
            (picture.plane(PlanarImageComponent::Y), picture.stride(PlanarImageComponent::Y));
        let shown = rows(plane.as_ref(), stride as usize, picture.width() as usize);
        let image = reader.frame(frame).unwrap();
        assert_eq!(shown[..brightness(&image).len()], *brightness(&image));
    }
}

#[test]
fn what_cannot_be_taken_out_is_refused_with_the_reason() {
    let whole = (0.0, 1.0);
    for (name, (from, to), why) in [
        ("h264_reordered.mp4", whole, "not shown in the order"),
        ("hevc.mp4", whole, "hevc video cannot"),
        ("lerobot_av1.mp4", (1.0 / 30.0, 0.5), "no keyframe at 0.033333"),
    ] {
        let error = Stream::open(&golden(name), from, to).unwrap_err();
        assert!(matches!(&error, Error::Refused { what } if what.contains(why)), "{error}");
    }
}
