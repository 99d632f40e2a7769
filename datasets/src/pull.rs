//! Datasets from a hub: which version of one, and which of its files.

use std::collections::HashSet;
use std::path::Path;

use sinew_hub::{Account, Pulled, Refs, Repo, Snapshot, Target};

use crate::reader::{Tables, data_file, video_file};
use crate::schema::Info;
use crate::tables::episodes::Episode;
use crate::{Error, Result};

/// The newest version that is read. LeRobot calls a tag by it, which says that all files are there.
const NEWEST: Tag = Tag(3, 0, 0);

/// The tags that are looked for where no hub can be asked, and the branch that has none.
const KEPT: [&str; 4] = ["v3.0", "v2.1", "v2.0", "main"];

/// A version as tags are called by it: `v2.1`, or `v2.1.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tag(u32, u32, u32);

/// What is wanted of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only these episodes.
    pub episodes: Option<Vec<u64>>,
    /// Only the videos of these cameras: `front`, or `observation.images.front`.
    pub cameras: Option<Vec<String>>,
    /// Only the tables below `meta/`.
    pub meta_only: bool,
}

/// A dataset on a hub, as it is at a revision, or at the newest version that can be read.
pub fn find(
    account: &Account,
    repo: &Repo,
    revision: Option<&str>,
    target: &Target,
) -> Result<Snapshot> {
    Ok(match revision {
        Some(revision) => account.snapshot(repo, Some(revision), target)?,
        None => account.snapshot_of(repo, &newest, &KEPT, target)?,
    })
}

/// Whether a dataset that was found has no version that can be read: `main` is taken then, of which
/// nobody says that it is whole.
pub fn is_unversioned(snapshot: &Snapshot) -> bool {
    Tag::parse(snapshot.revision()).is_none()
}

/// The newest version that can be read, among all branches and tags; failing that, the oldest of the
/// newer ones, about which opening it says what is to be done.
fn newest(refs: &Refs) -> Option<String> {
    let names = refs.branches.keys().chain(refs.tags.keys());
    let all: Vec<(Tag, &String)> =
        names.filter_map(|name| Some((Tag::parse(name)?, name))).collect();
    let readable = all.iter().filter(|(tag, _)| (tag.0, tag.1) <= (NEWEST.0, NEWEST.1)).max();
    readable.or_else(|| all.iter().min()).map(|(_, name)| (*name).clone())
}

impl Tag {
    fn parse(name: &str) -> Option<Self> {
        let numbers = name.strip_prefix('v').unwrap_or(name).split('.');
        let number =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
        let numbers: Option<Vec<u32>> = numbers.map(number).collect();
        match numbers?[..] {
            [major, minor] => Some(Self(major, minor, 0)),
            [major, minor, patch] => Some(Self(major, minor, patch)),
            _ => None,
        }
    }
}

impl Choice {
    /// Fetches what is wanted. The folder can be opened afterwards: its tables tell of all episodes,
    /// whichever of them are here.
    pub fn fetch(&self, snapshot: &Snapshot, tell: &(dyn Fn(Pulled) + Sync)) -> Result<Pulled> {
        if *self == Self::default() {
            return Ok(snapshot.fetch(&|_| true, tell)?);
        }
        let tables = snapshot.fetch(&|path| path.starts_with("meta/"), tell)?;
        if self.meta_only {
            return Ok(tables);
        }
        let folder = snapshot.folder();
        let info = Info::load(&folder)?;
        let wanted = self.files(&info, &Tables::load(&folder, &info, false)?.episodes)?;
        let files = |path: &str| {
            path.starts_with("meta/") || !path.contains('/') || wanted.contains(Path::new(path))
        };
        Ok(snapshot.fetch(&files, tell)?)
    }

    /// The files of rows and videos that are wanted.
    fn files(&self, info: &Info, episodes: &[Episode]) -> Result<HashSet<std::path::PathBuf>> {
        let chosen: Vec<&Episode> = match &self.episodes {
            None => episodes.iter().collect(),
            Some(numbers) => numbers
                .iter()
                .map(|number| {
                    let count = episodes.len() as u64;
                    let found = usize::try_from(*number).ok().and_then(|at| episodes.get(at));
                    found.ok_or(Error::OutOfRange { what: "episode", index: *number, count })
                })
                .collect::<Result<_>>()?,
        };
        let cameras = self.cameras(info)?;
        let root = Path::new("");
        let mut wanted = HashSet::new();
        for episode in chosen {
            wanted.insert(data_file(root, info, episode.data));
            for video in episode.videos.iter().filter(|video| cameras.contains(video.key.as_str()))
            {
                wanted.insert(video_file(root, info, &video.key, video.at));
            }
        }
        Ok(wanted)
    }

    /// The cameras that are wanted, by the names of their columns.
    fn cameras<'a>(&self, info: &'a Info) -> Result<HashSet<&'a str>> {
        let all: Vec<&str> = info.videos().map(|(key, _)| key).collect();
        let Some(names) = &self.cameras else { return Ok(all.into_iter().collect()) };
        let find = |name: &String| {
            let long = format!("observation.images.{name}");
            let found = all.iter().find(|key| *key == name || **key == long);
            found.copied().ok_or_else(|| Error::Feature {
                feature: name.clone(),
                what: format!("is no camera with videos; there are: {}", all.join(", ")),
            })
        };
        names.iter().map(find).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::episodes::{FileAt, VideoPart};

    fn refs(branches: &[&str], tags: &[&str]) -> Refs {
        let map = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), "0".repeat(40))).collect()
        };
        Refs { branches: map(branches), tags: map(tags) }
    }

    #[test]
    fn the_newest_version_that_can_be_read_is_taken() {
        let newest = |tags: &[&str]| newest(&refs(&["main"], tags));
        assert_eq!(newest(&[]), None);
        assert_eq!(newest(&["v2.0", "v2.1", "v1.6"]).as_deref(), Some("v2.1"));
        assert_eq!(newest(&["v2.1", "v3.0", "v3.1", "v4.0"]).as_deref(), Some("v3.0"));
        assert_eq!(newest(&["v10.0", "v4.0"]).as_deref(), Some("v4.0"));
        assert_eq!(newest(&["3.0", "best", "v3", "v3.x", "v+3.0"]).as_deref(), Some("3.0"));
        // A branch may be called so too.
        assert_eq!(super::newest(&refs(&["main", "v3.0"], &["v2.1"])).as_deref(), Some("v3.0"));
    }

    #[test]
    fn only_the_files_of_what_is_wanted_are() {
        let features = ["front", "wrist"].map(|name| {
            let feature = crate::schema::Feature::camera(crate::schema::Dtype::Video, 64, 48);
            (format!("observation.images.{name}"), feature)
        });
        let info = Info::new(30, None, features.into_iter().collect()).unwrap();
        let episode = |index: u64| Episode {
            index,
            tasks: Vec::new(),
            length: 10,
            data: FileAt { chunk: 0, file: index / 2 },
            from_index: index * 10,
            videos: ["front", "wrist"]
                .map(|name| VideoPart {
                    key: format!("observation.images.{name}"),
                    at: FileAt { chunk: 0, file: index },
                    from_s: 0.0,
                    to_s: 1.0,
                })
                .to_vec(),
            stats: crate::stats::AllStats::default(),
            meta: FileAt::default(),
        };
        let episodes: Vec<Episode> = (0..4).map(episode).collect();
        let files = |choice: Choice| {
            let files = choice.files(&info, &episodes)?;
            let mut files: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
            files.sort();
            Ok::<_, Error>(files)
        };
        let some = Choice {
            episodes: Some(vec![2, 3]),
            cameras: Some(vec!["wrist".into()]),
            meta_only: false,
        };
        let video = |at| format!("videos/observation.images.wrist/chunk-000/file-00{at}.mp4");
        let wanted = ["data/chunk-000/file-001.parquet".to_owned(), video(2), video(3)];
        assert_eq!(files(some.clone()).unwrap(), wanted);
        let none = Choice { cameras: Some(Vec::new()), ..Choice::default() };
        assert_eq!(files(none).unwrap().len(), 2);
        assert_eq!(files(Choice::default()).unwrap().len(), 2 + 8);
        let late = Choice { episodes: Some(vec![4]), ..Choice::default() };
        assert!(matches!(files(late), Err(Error::OutOfRange { index: 4, .. })));
        let blind = Choice { cameras: Some(vec!["top".into()]), ..some };
        assert!(matches!(files(blind), Err(Error::Feature { .. })));
    }
}
