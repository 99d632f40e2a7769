use std::path::Path;

use super::{Options, html};
use crate::schema::{Dtype, Feature, Info};
use crate::verify::{self, Report};
use crate::{Frame, Image, PixelFormat, Stamps, Value, Writer};

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/datasets").join(name)
}

fn page(name: &str, options: &Options) -> String {
    let found = verify::verify(&golden(name), &verify::Options::default(), &mut |_| {});
    html(&golden(name), options, &found, &mut |_, _| {}).unwrap()
}

/// Every element that is opened is closed, in order.
fn well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap();
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        let alone = tag.ends_with('/') || ["!doctype", "meta", "img"].contains(&name);
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{piece}"),
            None if alone => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_page_shows_everything_and_needs_nothing() {
    for name in ["v30_video", "v30_rich", "v21_image"] {
        let page = page(name, &Options::default());
        well_formed(&page);
        for part in
            ["Nothing is wrong", "Tasks", "data:image/png;base64,", "class=\"action\"", "Episode 1"]
        {
            assert!(page.contains(part), "{name}: {part}");
        }
        for outside in ["http:", "https:", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{name}: {outside}");
        }
    }
}

#[test]
fn a_page_stays_small_and_says_what_it_leaves_out() {
    let options = Options { most: 1, pictures: 0, episodes: None };
    let page = page("v30_video", &options);
    assert!(page.contains("1 of 2 episodes are shown in full"));
    assert!(!page.contains("data:image") && !page.contains("<h2>Episode 1"));
}

#[test]
fn a_dataset_that_does_not_open_gives_a_page_of_findings() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("meta")).unwrap();
    let info = golden("v30_video").join("meta/info.json");
    std::fs::copy(info, folder.path().join("meta/info.json")).unwrap();
    let found = Report {
        findings: verify::verify(folder.path(), &Default::default(), &mut |_| {}).findings,
        ..Report::default()
    };
    let page = html(folder.path(), &Options::default(), &found, &mut |_, _| {}).unwrap();
    well_formed(&page);
    assert!(page.contains("Not sound") && page.contains("does not open"));
}

#[test]
fn many_episodes_give_a_page_that_opens_and_no_text_is_markup() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let features = vec![
        ("observation.state".to_owned(), Feature::vector(Dtype::F32, ["pan", "lift"])),
        ("observation.images.top".to_owned(), Feature::camera(Dtype::Image, 16, 16)),
    ];
    let info = Info::new(30, None, features).unwrap();
    let mut writer = Writer::create(&root, info, Default::default()).unwrap();
    for episode in 0..60_u8 {
        for number in 0..3_u8 {
            let image = Image::new(16, 16, PixelFormat::Rgb8, vec![episode; 16 * 16 * 3]);
            let values = vec![Value::F32(vec![f32::from(number), f32::from(episode)])];
            // Taken three milliseconds before the joints were read.
            let tick_ns = i64::from(number) * 33_000_000 + 1;
            let (joints_ns, images_ns) = (tick_ns + 5_000_000, vec![tick_ns + 2_000_000]);
            let stages = [120_000, 900_000, i64::from(number) * 10_000].into();
            let stamps = Stamps { tick_ns, joints_ns, images_ns, late: false, stages };
            let images = vec![image];
            writer.push(&Frame { task: "<b>wave</b>".into(), values, images, stamps }).unwrap();
        }
        writer.save_episode().unwrap();
    }
    writer.finish().unwrap();
    let page = html(&root, &Options::default(), &Report::default(), &mut |_, _| {}).unwrap();
    well_formed(&page);
    assert!(page.contains("40 of 60 episodes are shown in full"));
    assert_eq!(page.matches("data:image").count(), 40);
    let wake = "A tick's wake <small>from when it was due: median 0.12 ms · 99 % below 0.12 ms · longest 0.12";
    assert!(page.contains(wake) && page.contains("A tick's work"));
    assert!(page.contains("top: pictures are of -3.0 to -3.0 ms after the joints were read"));
    assert_eq!(page.matches("<h2>Episode ").count(), 40);
    assert!(!page.contains("<b>wave") && page.contains("&lt;b&gt;wave"));
}
