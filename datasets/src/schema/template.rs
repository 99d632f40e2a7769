//! Where files lie: the path templates of info.json, filled in without ever leaving the folder.

use std::path::PathBuf;

/// A path template such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

/// What may stand in a template's braces.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `chunk_index` or `episode_chunk`.
    pub chunk: u64,
    /// `file_index`.
    pub file: u64,
    /// `episode_index`.
    pub episode: u64,
    /// `video_key`.
    pub key: &'a str,
}

impl Template {
    /// LeRobot's data files.
    pub const DATA: &'static str = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";
    /// LeRobot's video files.
    pub const VIDEO: &'static str =
        "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4";
    /// Data files of v2.1.
    pub const DATA_V21: &'static str =
        "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet";
    /// Video files of v2.1.
    pub const VIDEO_V21: &'static str =
        "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4";
    /// LeRobot's tables of episodes; no entry of info.json moves them.
    pub const EPISODES: &'static str =
        "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";
    /// Our own table of measured instants beside an episode.
    pub const TIMING: &'static str =
        "meta/sinew/timing/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet";

    /// Where LeRobot puts data files.
    pub fn data() -> Self {
        Self(Self::DATA.to_owned())
    }

    /// Where LeRobot puts video files.
    pub fn video() -> Self {
        Self(Self::VIDEO.to_owned())
    }

    /// Where v2.1 puts data files.
    pub fn data_v21() -> Self {
        Self(Self::DATA_V21.to_owned())
    }

    /// Where v2.1 puts video files.
    pub fn video_v21() -> Self {
        Self(Self::VIDEO_V21.to_owned())
    }

    /// Where the tables of episodes are.
    pub fn episodes() -> Self {
        Self(Self::EPISODES.to_owned())
    }

    /// Where our measured instants are.
    pub fn timing() -> Self {
        Self(Self::TIMING.to_owned())
    }

    /// Takes a template; the text says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let template = Self(text.to_owned());
        let place = Place { chunk: 0, file: 0, episode: 0, key: "key" };
        let sample = template.render(&place)?;
        let inside = !sample.is_empty()
            && !sample.contains(['\\', '\0'])
            && sample.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && !sample.contains(':');
        if inside {
            Ok(template)
        } else {
            Err(format!("{text:?} does not stay inside the dataset"))
        }
    }

    /// The template as info.json holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, below the dataset's folder.
    pub fn path(&self, place: &Place<'_>) -> PathBuf {
        // A template was rendered once when it was taken; only the values differ now.
        PathBuf::from(self.render(place).unwrap_or_default())
    }

    fn render(&self, place: &Place<'_>) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (field, after) = after.split_once('}').ok_or("a brace is not closed")?;
            out.push_str(before);
            let (name, format) = field.split_once(':').unwrap_or((field, ""));
            let width = width_of(format)?;
            match name {
                "chunk_index" | "episode_chunk" => out.push_str(&padded(place.chunk, width)),
                "file_index" => out.push_str(&padded(place.file, width)),
                "episode_index" => out.push_str(&padded(place.episode, width)),
                "video_key" | "image_key" => out.push_str(place.key),
                other => return Err(format!("{{{other}}} means nothing here")),
            }
            rest = after;
        }
        if rest.contains('}') {
            return Err("a brace is not opened".into());
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn padded(value: u64, width: usize) -> String {
    format!("{value:0width$}")
}

/// The width of `03d`; none of `d` or nothing.
fn width_of(format: &str) -> Result<usize, String> {
    let digits = format.strip_suffix('d').unwrap_or(format);
    match digits {
        "" => Ok(0),
        digits => match digits.parse() {
            Ok(width @ 0..=20) => Ok(width),
            _ => Err(format!("format {format:?} is not understood")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lerobots_templates_give_lerobots_paths() {
        let place = Place { chunk: 2, file: 31, episode: 7, key: "observation.images.top" };
        let path = |text| Template::new(text).unwrap().path(&place);
        assert_eq!(path(Template::DATA), PathBuf::from("data/chunk-002/file-031.parquet"));
        let video =
            path("videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4");
        let expected = "videos/chunk-002/observation.images.top/episode_000007.mp4";
        assert_eq!(video, PathBuf::from(expected));
    }

    #[test]
    fn a_template_that_leaves_the_folder_is_refused() {
        let bad = [
            "/etc/passwd",
            "../x",
            "a/../../b",
            "",
            "a//b",
            "C:\\x",
            "a/{secret}",
            "a/{file_index",
        ];
        for text in bad {
            assert!(Template::new(text).is_err(), "{text}");
        }
        assert!(Template::new("x/{file_index:999999d}").is_err());
    }
}
