//! A dataset's episodes as Rerun shows them, for the commands that show and that export.

use std::path::{Path, PathBuf};

use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Where it goes.
#[derive(Debug, PartialEq, Eq)]
pub enum To {
    /// To a viewer that is found and started here.
    Viewer,
    /// To a viewer that listens there.
    Server(String),
    /// To a file.
    File(PathBuf),
}

/// Sends these episodes, or all.
#[cfg(feature = "rerun")]
pub fn show(
    report: &Report,
    root: &Path,
    episodes: Option<Vec<u64>>,
    to: To,
) -> Result<Exit, Failure> {
    use crate::view::rerun::dataset::send;
    use crate::view::rerun::target::Target;

    let dataset = sinew_datasets::Dataset::open(root)?;
    let all = || (0..dataset.episodes().len() as u64).collect();
    let episodes: Vec<u64> = episodes.unwrap_or_else(all);
    for episode in &episodes {
        dataset.episode(*episode)?;
    }
    let name = root.canonicalize().unwrap_or_else(|_no_such| root.to_owned());
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // What somebody waits for appears once it is whole.
    let (target, whole) = match to {
        To::Server(url) => (Target::Server(url), None),
        To::Viewer => {
            let instead = format!("sinew-{name}-{}.rrd", std::process::id());
            (Target::Viewer(std::env::temp_dir().join(instead)), None)
        }
        To::File(path) => {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (Target::File(path.with_file_name(format!(".{file}.part"))), Some(path))
        }
    };
    let sink = target.open(&mut |line| report.note(line))?;
    let of = episodes.len();
    let sent = send(&dataset, &name, &episodes, &sink, &mut |done| {
        report.progress(&format!("episode {} of {of}", done + 1));
    });
    report.progress("");
    let sent = sent.map_err(Failure::from).and_then(|sent| sink.end().map(|()| sent));
    let path = match (sink.path(), &whole) {
        (Some(part), Some(whole)) => {
            let moved = match &sent {
                Ok(_) => std::fs::rename(part, whole),
                Err(_) => std::fs::remove_file(part),
            };
            moved.map_err(sinew_datasets::Error::io("cannot write", whole))?;
            Some(whole.as_path())
        }
        (path, _) => path,
    };
    let sent = sent?;
    for (camera, why) in &sent.left_out {
        report.warn(format!("{camera} is left out: {why}"));
    }
    let whither = path.map_or("the viewer".to_owned(), |path| path.display().to_string());
    report.say(format!("{whither}: {} episodes, {} frames", sent.episodes, sent.frames));
    let left_out: Vec<&String> = sent.left_out.iter().map(|(camera, _)| camera).collect();
    report.result(serde_json::json!({
        "path": path.map(|path| path.display().to_string()),
        "episodes": sent.episodes,
        "rows": sent.frames,
        "left_out": left_out,
    }));
    Ok(Exit::Done)
}

/// Says which build can.
#[cfg(not(feature = "rerun"))]
pub fn show(
    _report: &Report,
    _root: &Path,
    _episodes: Option<Vec<u64>>,
    _to: To,
) -> Result<Exit, Failure> {
    Err(crate::view::no_rerun())
}
