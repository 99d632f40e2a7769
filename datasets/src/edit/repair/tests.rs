mod declared;

use std::fs;

use serde_json::json;

use super::{Loss, Repaired, repair};
use crate::edit::tests::model::{self, Coded, Model, fingerprint};
use crate::tables::column::Cells;
use crate::tables::tasks;
use crate::verify::tests::{Copy, DATA, EPISODES, VIDEO, set};
use crate::verify::{Code, Options, Report, Severity, verify};
use crate::video::VideoWriter;
use crate::{Dataset, Error, stats};

/// Repairs a dataset, which is left alone, and holds it against what LeRobot wrote: so many frames
/// of each episode.
fn mended(copy: &Copy, golden: &str, frames: &[usize]) -> Repaired {
    let before = fingerprint(copy.0.path());
    let found = copy.look();
    assert!(!found.ok, "nothing is wrong with it");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("new");
    let planned = repair(copy.0.path(), None, &|_| {}).unwrap();
    let repaired = repair(copy.0.path(), Some(&to), &|_| {}).unwrap();
    assert_eq!(planned.losses, repaired.losses);
    assert_eq!(before, fingerprint(copy.0.path()));
    let report = verify(&to, &Options::default(), &mut |_| {});
    assert!(report.ok && report.findings.is_empty(), "{:#?}", report.findings);
    let was = Model::read(Copy::of(golden).0.path());
    let kept = was.0.into_iter().zip(frames).map(|(episode, count)| episode[..*count].to_vec());
    let kept: Vec<_> = kept.filter(|episode| !episode.is_empty()).collect();
    assert_eq!(Model::read(&to), Model(kept));
    let again = repair(&to, None, &|_| {}).unwrap();
    assert_eq!((again.losses, again.made.frames), (Vec::new(), repaired.made.frames));
    repaired
}

fn lost(repaired: &Repaired) -> Vec<(u64, Option<u64>, u64, u64)> {
    let loss = |loss: &Loss| (loss.episode, loss.now, loss.frames, loss.kept);
    repaired.losses.iter().map(loss).collect()
}

/// The first bytes of a file, all but so many.
fn cut(copy: &Copy, name: &str, missing: usize) {
    let bytes = fs::read(copy.path(name)).unwrap();
    fs::write(copy.path(name), &bytes[..bytes.len() - missing]).unwrap();
}

fn lengths(name: &str) -> Vec<usize> {
    let dataset = Dataset::open(Copy::of(name).0.path()).unwrap();
    dataset.episodes().iter().map(|episode| episode.length as usize).collect()
}

#[test]
fn counts_that_are_wrong_in_info() {
    for name in ["v30_image", "v30_video", "v30_rich", "v21_image", "v21_video"] {
        let copy = Copy::of(name);
        copy.info(|info| {
            info["total_episodes"] = json!(9);
            info["total_frames"] = json!(1);
            info["total_tasks"] = json!(0);
        });
        assert_eq!(mended(&copy, name, &lengths(name)).losses, []);
    }
}

#[test]
fn statistics_that_drifted_or_are_gone() {
    let copy = Copy::of("v30_video");
    copy.episodes(|episodes| episodes[1].stats.iter_mut().for_each(|(_, s)| s.mean[0] += 10.0));
    assert_eq!(mended(&copy, "v30_video", &[20, 13]).losses, []);
    let path = copy.path("meta/stats.json");
    let mut all = stats::parse(&fs::read(&path).unwrap()).unwrap();
    all.iter_mut().for_each(|(_, stats)| stats.max[0] = 1e9);
    fs::write(&path, stats::to_text(&all)).unwrap();
    mended(&copy, "v30_video", &[20, 13]);
    fs::remove_file(&path).unwrap();
    mended(&copy, "v30_video", &[20, 13]);
}

#[test]
fn numbers_of_rows_that_make_no_sense() {
    for column in ["index", "frame_index", "episode_index"] {
        let copy = Copy::of("v30_image");
        copy.numbers("timestamp", |bytes| set(bytes, 2, f32::NAN.to_le_bytes()));
        copy.numbers(column, |bytes| set(bytes, 3, i64::to_le_bytes(1)));
        assert_eq!(mended(&copy, "v30_image", &lengths("v30_image")).losses, [], "{column}");
    }
}

#[test]
fn a_task_that_no_table_has() {
    let copy = Copy::of("v30_image");
    copy.numbers("task_index", |bytes| set(bytes, 3, i64::to_le_bytes(12)));
    let repaired = mended(&copy, "v30_image", &lengths("v30_image"));
    assert_eq!(repaired.losses, []);
    for broken in [true, false] {
        let copy = Copy::of("v30_image");
        match broken {
            true => cut(&copy, tasks::PATH, 100),
            false => fs::remove_file(copy.path(tasks::PATH)).unwrap(),
        }
        assert_eq!(mended(&copy, "v30_image", &lengths("v30_image")).losses, []);
    }
}

#[test]
fn tables_of_episodes_out_of_order_or_not_in_line_with_the_rows() {
    let all = lengths("v30_video");
    let copy = Copy::of("v30_video");
    copy.episodes(|episodes| {
        episodes.reverse();
        episodes[0].from_index += 5;
        episodes[1].videos[0].to_s += 0.5;
    });
    assert_eq!(mended(&copy, "v30_video", &all).losses, []);
    let copy = Copy::of("v30_video");
    copy.episodes(|episodes| episodes[1].length += 5);
    let repaired = mended(&copy, "v30_video", &all);
    assert_eq!(lost(&repaired), [(1, Some(1), 18, 13)]);
    let copy = Copy::of("v30_video");
    copy.episodes(|episodes| {
        episodes[1].videos[0].from_s += 0.01;
        episodes[1].videos[0].to_s += 0.01;
    });
    assert_eq!(mended(&copy, "v30_video", &all).losses, []);
}

#[test]
fn rows_of_one_episode_before_those_of_another() {
    let copy = Copy::of("v30_image");
    let all = lengths("v30_image");
    let dataset = Dataset::open(copy.0.path()).unwrap();
    let info = dataset.info();
    let rows: Vec<_> =
        dataset.episodes().iter().rev().map(|e| dataset.rows(e, info).unwrap()).collect();
    crate::tables::data::write(&copy.path(DATA), info, &rows).unwrap();
    assert_eq!(mended(&copy, "v30_image", &all).losses, []);
}

#[test]
fn tables_of_episodes_that_are_gone_are_made_from_the_rows() {
    for name in ["v30_image", "v30_video"] {
        let copy = Copy::of(name);
        cut(&copy, EPISODES, 300);
        assert_eq!(mended(&copy, name, &lengths(name)).losses, [], "{name}");
        fs::remove_dir_all(copy.path("meta/episodes")).unwrap();
        assert_eq!(mended(&copy, name, &lengths(name)).losses, [], "{name}");
    }
    for name in ["v21_image", "v21_video"] {
        let copy = Copy::of(name);
        fs::write(copy.path("meta/episodes.jsonl"), "{\"episode_index\": 0}\n").unwrap();
        assert_eq!(mended(&copy, name, &lengths(name)).losses, [], "{name}");
    }
}

/// How many frames of each episode a repair would keep.
fn kept(copy: &Copy, of: &[usize]) -> Vec<usize> {
    let losses = repair(copy.0.path(), None, &|_| {}).unwrap().losses;
    let loss = |episode: u64| losses.iter().find(|loss| loss.episode == episode);
    let left = |(episode, all): (u64, &usize)| loss(episode).map_or(*all, |l| l.kept as usize);
    (0..).zip(of).map(left).collect()
}

#[test]
fn without_tables_nothing_after_a_gap_is_given_another_episodes_pictures() {
    let all = lengths("v30_rich");
    let files = ["chunk-000/file-000", "chunk-000/file-001", "chunk-001/file-000"];
    for file in files {
        let copy = Copy::of("v30_rich");
        cut(&copy, EPISODES, 300);
        fs::remove_file(copy.path(&format!("data/{file}.parquet"))).unwrap();
        if repair(copy.0.path(), None, &|_| {}).is_ok() {
            mended(&copy, "v30_rich", &kept(&copy, &all));
        }
    }
}

#[test]
fn data_files_that_are_gone_or_were_never_finished() {
    let all = lengths("v30_rich");
    let file = |index: u64| {
        let dataset = Dataset::open(Copy::of("v30_rich").0.path()).unwrap();
        let at = dataset.episodes()[index as usize].data;
        let mates = dataset.episodes().iter().map(|e| e.data == at).collect::<Vec<_>>();
        (crate::reader::data_file("".as_ref(), dataset.info(), at), mates)
    };
    for index in 0..all.len() as u64 {
        let (path, mates) = file(index);
        if mates.iter().all(|mate| *mate) {
            continue;
        }
        let copy = Copy::of("v30_rich");
        let kept: Vec<usize> =
            all.iter().zip(&mates).map(|(n, lost)| if *lost { 0 } else { *n }).collect();
        cut(&copy, path.to_str().unwrap(), 8);
        let repaired = mended(&copy, "v30_rich", &kept);
        assert_eq!(repaired.losses.len(), mates.iter().filter(|lost| **lost).count());
        fs::remove_file(copy.path(path.to_str().unwrap())).unwrap();
        let repaired = mended(&copy, "v30_rich", &kept);
        assert!(repaired.losses.iter().all(|loss| loss.why.contains("cannot open")));
    }
    let copy = Copy::of("v30_image");
    fs::remove_file(copy.path(DATA)).unwrap();
    let nothing = repair(copy.0.path(), None, &|_| {});
    assert!(matches!(nothing, Err(Error::Malformed { .. })), "{nothing:?}");
}

#[test]
fn videos_that_were_cut_off() {
    let copy = Copy::of("v30_video");
    let short = copy.path("short.mp4");
    crate::video::cut(&copy.path(VIDEO), 0.0, 23.0 / 30.0, &short).unwrap();
    fs::rename(&short, copy.path(VIDEO)).unwrap();
    let repaired = mended(&copy, "v30_video", &[20, 3]);
    assert_eq!(lost(&repaired), [(1, Some(1), 13, 3)]);
    assert!(repaired.losses[0].why.contains("has 3 frames of it"), "{:?}", repaired.losses);

    // Cut while it was fetched: its tables are at the front, its last pictures are not there.
    let copy = Copy::of("v30_video");
    let again = copy.path("again.mp4");
    crate::video::concat(&[copy.path(VIDEO)], &again).unwrap();
    fs::rename(&again, copy.path(VIDEO)).unwrap();
    cut(&copy, VIDEO, 200);
    let repaired = repair(copy.0.path(), None, &|_| {}).unwrap();
    let kept = repaired.losses.iter().find(|loss| loss.episode == 1).unwrap().kept;
    assert!(kept > 0 && kept < 13, "{repaired:?}");
    mended(&copy, "v30_video", &[20, kept as usize]);
}

#[test]
fn videos_that_are_gone() {
    let copy = Copy::of("v21_video");
    let dataset = Dataset::open(copy.0.path()).unwrap();
    let part = &dataset.episodes()[0].videos[0];
    fs::remove_file(dataset.video_file(&part.key, part.at)).unwrap();
    let mut kept = lengths("v21_video");
    let repaired = {
        kept[0] = 0;
        mended(&copy, "v21_video", &kept)
    };
    assert_eq!(repaired.losses[0].now, None);
    assert!(repaired.losses[0].why.contains("cannot open"), "{:?}", repaired.losses);
}

#[test]
fn a_frame_that_cannot_be_decoded_ends_its_episode() {
    let copy = Copy::of("v30_image");
    copy.cells("observation.images.top", |cells| {
        if let Cells::Images(images) = cells {
            images[4] = b"not a picture"[..].into();
        }
    });
    let mut kept = lengths("v30_image");
    let whole = kept[0];
    kept[0] = 4;
    let repaired = mended(&copy, "v30_image", &kept);
    assert_eq!(lost(&repaired), [(0, Some(0), whole as u64, 4)]);
    assert!(repaired.losses[0].why.contains("frame 4"), "{:?}", repaired.losses);
}

#[test]
fn what_info_says_of_a_video_that_is_not_so() {
    let copy = Copy::of("v30_video");
    copy.info(|info| {
        info["features"]["observation.images.top"]["info"]["video.codec"] = json!("h264");
    });
    assert_eq!(mended(&copy, "v30_video", &lengths("v30_video")).losses, []);
}

#[test]
fn a_recording_cut_off_keeps_its_whole_frames() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut rng = fastrand::Rng::with_seed(7);
    model::make(&root, &["wave", "bow"], Coded::Apart, &mut rng);
    let dataset = Dataset::open(&root).unwrap();
    let part = dataset.episodes()[0].videos[0].clone();
    let path = dataset.video_file(&part.key, part.at);
    // As the recorder writes it, its tables at the end, which are gone.
    let images = dataset.episodes().iter().filter(|episode| episode.videos[0].at == part.at);
    let images = images.flat_map(|episode| episode.from_index..episode.to_index());
    let images: Vec<_> = images.map(|frame| dataset.image(&part.key, frame).unwrap()).collect();
    let mut video = VideoWriter::create(&path, 32, 16, dataset.info().fps).unwrap();
    images.iter().for_each(|image| video.push(image).unwrap());
    video.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    let moov = bytes.windows(4).rposition(|four| four == b"moov").unwrap();
    fs::write(&path, &bytes[..moov - 10]).unwrap();
    let repaired = repair(&root, Some(&folder.path().join("new")), &|_| {}).unwrap();
    let missing: u64 = repaired.losses.iter().map(|loss| loss.frames - loss.kept).sum();
    assert_eq!(missing, 1, "{repaired:?}");
    let report = verify(&folder.path().join("new"), &Options::default(), &mut |_| {});
    assert!(sound(&report), "{:#?}", report.findings);
}

/// Whether the dataset is kept as it should be, whatever was recorded.
fn sound(report: &Report) -> bool {
    let wrong = |code: Code, severity| severity == Severity::Error && !code.is_of_the_recording();
    report.findings.iter().all(|finding| !wrong(finding.code, finding.severity))
}

#[test]
fn any_file_cut_or_filled_with_noise_leaves_a_sound_dataset_or_none() {
    for name in ["v30_video", "v30_rich", "v21_image"] {
        let whole = Copy::of(name);
        for file in fingerprint(whole.0.path()).into_keys() {
            let bytes = fs::read(&file).unwrap();
            let mut dice = fastrand::Rng::with_seed(bytes.len() as u64);
            let cut = bytes[..dice.usize(..bytes.len())].to_vec();
            let mut noise = bytes.clone();
            (0..20).for_each(|_| noise[dice.usize(..bytes.len())] = dice.u8(..));
            for broken in [Vec::new(), cut, noise] {
                fs::write(&file, broken).unwrap();
                let folder = tempfile::tempdir().unwrap();
                let to = folder.path().join("new");
                match repair(whole.0.path(), Some(&to), &|_| {}) {
                    Ok(_) => {
                        let report = verify(&to, &Options::default(), &mut |_| {});
                        assert!(sound(&report), "{file}: {:#?}", report.findings);
                    }
                    Err(_nothing_left) => assert!(!to.exists()),
                }
            }
            fs::write(&file, &bytes).unwrap();
        }
    }
}
