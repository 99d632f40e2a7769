//! Files on disk that no table names, and whether they are whole.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Scene;
use super::finding::{Code, Findings};
use crate::reader;
use crate::tables;
use crate::writer;

/// Looks for files that no table names.
pub fn check(scene: &Scene<'_>, findings: &mut Findings) {
    let (root, info, listed) = (scene.root, scene.info, scene.listed);
    let data = listed.data.keys().map(|at| reader::data_file(root, info, *at));
    let videos = listed.video_frames.keys();
    let videos = videos.map(|(key, at)| reader::video_file(root, info, key, *at));
    let named: BTreeSet<PathBuf> = data.chain(videos).collect();
    for path in below(root.join("data")).into_iter().chain(below(root.join("videos"))) {
        if named.contains(&path) {
            continue;
        }
        let table = path.extension().is_some_and(|end| end == "parquet");
        // Without a footer it is what a killed recording left behind.
        if let Some(error) = tables::open(&path).err().filter(|_| table) {
            findings.add_table(root, &error);
        } else {
            let place = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            findings.add(Code::LeftoverFile, place, "no episode's table names this file");
        }
    }
    // What cannot be looked at is not there.
    if writer::is_unfinished(root).unwrap_or_default() {
        let what = "an episode was begun, and is not part of the dataset yet";
        findings.add(Code::CutOff, ".sinew", what);
    }
}

/// Every file below a folder, in order. What cannot be listed is as good as not there: what the
/// tables name is missed when it is read.
fn below(folder: PathBuf) -> Vec<PathBuf> {
    let mut folders = vec![folder];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
