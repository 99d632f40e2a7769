//! A loop on show, wherever the flags say; in a build without Rerun, the reason why not.

use std::sync::Arc;

use sinew_drivers::camera::Camera;

use crate::cli::failure::Failure;
use crate::cli::flags::DisplayFlags;
use crate::cli::report::Report;
use crate::run::control::Pair;
use crate::run::stats::Stats;
#[cfg(feature = "rerun")]
use crate::view::rerun::live::Viewer;

/// Somewhere a loop is shown, if anywhere.
#[derive(Default)]
pub struct Display {
    #[cfg(feature = "rerun")]
    viewer: Option<Viewer>,
}

/// What the words mean.
#[derive(Debug, PartialEq, Eq)]
enum Wanted<'a> {
    Nothing,
    Viewer,
    Server(String),
    File(&'a str),
}

fn wanted(flags: &DisplayFlags) -> Wanted<'_> {
    let port = flags.display_port.unwrap_or(9876);
    match (flags.display.as_deref(), &flags.display_ip) {
        (None | Some("false"), _) => Wanted::Nothing,
        (Some("true"), None) => Wanted::Viewer,
        (Some("true"), Some(ip)) => Wanted::Server(format!("rerun+http://{ip}:{port}/proxy")),
        (Some(url), _) if url.contains("://") => Wanted::Server(url.to_owned()),
        (Some(file), _) => Wanted::File(file),
    }
}

#[cfg(feature = "rerun")]
impl Display {
    /// Finds or starts what shows a loop that drives these pairs, and what these cameras see.
    pub fn open(
        flags: &DisplayFlags,
        name: &str,
        pairs: &[Pair],
        cameras: Arc<[Camera]>,
        report: &Report,
    ) -> Result<Self, Failure> {
        use crate::cli::output::free;
        use crate::view::rerun::target::Target;

        let target = match wanted(flags) {
            Wanted::Nothing => return Ok(Self::default()),
            Wanted::Viewer => {
                let instead = format!("sinew-{name}-{}.rrd", std::process::id());
                Target::Viewer(std::env::temp_dir().join(instead))
            }
            Wanted::Server(url) => Target::Server(url),
            Wanted::File(file) => Target::File(free(file.into(), false)?),
        };
        let sink = target.open(&mut |line| report.note(line))?;
        let viewer = Viewer::start(sink, name, pairs, cameras, &sinew_drivers::Clock::Real)?;
        Ok(Self { viewer: Some(viewer) })
    }

    /// Shows a tick.
    pub fn show(&mut self, pairs: &[Pair], stats: &Stats) {
        if let Some(viewer) = &mut self.viewer {
            viewer.show(pairs, stats);
        }
    }

    /// Ends it, and tells how much was shown. That something was not is no failure of the loop.
    pub fn end(self, report: &Report) -> serde_json::Value {
        let Some(viewer) = self.viewer else { return serde_json::Value::Null };
        let (shown, arrived) = viewer.end();
        let failure = arrived.err().map(|failure| failure.what);
        if let Some(what) = &failure {
            report.warn(what);
        }
        if shown.dropped > 0 {
            report.warn(format!(
                "{} of {} ticks were not shown: the viewer was slower than the loop",
                shown.dropped,
                shown.ticks + shown.dropped
            ));
        }
        let pictures = shown.pictures;
        serde_json::json!({
            "ticks": shown.ticks,
            "dropped": shown.dropped,
            "failure": failure,
            "pictures": pictures.shown,
            "pictures_left_out": pictures.left_out,
            "picture_ms": pictures.took.as_secs_f64() * 1e3 / pictures.shown.max(1) as f64,
        })
    }
}

#[cfg(not(feature = "rerun"))]
impl Display {
    /// Says which build can show something, where something is to be shown.
    pub fn open(
        flags: &DisplayFlags,
        _name: &str,
        _pairs: &[Pair],
        _cameras: Arc<[Camera]>,
        _report: &Report,
    ) -> Result<Self, Failure> {
        match wanted(flags) {
            Wanted::Nothing => Ok(Self::default()),
            _ => Err(super::no_rerun()),
        }
    }

    /// Shows nothing.
    pub fn show(&mut self, _pairs: &[Pair], _stats: &Stats) {}

    /// Nothing was shown.
    pub fn end(self, _report: &Report) -> serde_json::Value {
        serde_json::Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lerobots_words_and_ours_say_where() {
        let flags = |display: Option<&str>, ip: Option<&str>, port| DisplayFlags {
            display: display.map(str::to_owned),
            display_ip: ip.map(str::to_owned),
            display_port: port,
        };
        let server = |url: &str| Wanted::Server(url.to_owned());
        for (flags, meant) in [
            (flags(None, None, None), Wanted::Nothing),
            (flags(Some("false"), Some("10.0.0.7"), Some(9)), Wanted::Nothing),
            (flags(Some("true"), None, None), Wanted::Viewer),
            (
                flags(Some("true"), Some("10.0.0.7"), Some(9)),
                server("rerun+http://10.0.0.7:9/proxy"),
            ),
            (flags(Some("rerun://there"), None, None), server("rerun://there")),
            (flags(Some("look.rrd"), None, None), Wanted::File("look.rrd")),
        ] {
            assert_eq!(wanted(&flags), meant, "{flags:?}");
        }
    }
}
