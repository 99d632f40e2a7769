//! Datasets changed by making new ones. An edit is a function of whole datasets: it reads its
//! sources, which it never touches, and writes a complete new dataset beside the place where it is
//! to be, checks it, and only then moves it there.
//!
//! ```text
//! compact, delete_episodes, split, merge, remove_feature, modify_tasks, reencode, convert,
//! recompute_stats, repair
//!     └─▶ plan: which episodes of which sources, which features, which tasks
//!             └─▶ assemble: videos ─▶ rows ─▶ tables ─▶ info.json ─▶ check ─▶ site (renamed)
//! ```
//!
//! Every edit takes where the new dataset is to be; without it, it only says what it would make.
//!
//! Videos are copied without decoding wherever they can be cut; the values of every row are copied
//! bit for bit; only the numbers of frames, episodes and tasks are given anew.

mod assemble;
mod check;
mod compact;
mod convert;
mod delete_episodes;
mod files;
mod merge;
mod modify_tasks;
mod pictures;
mod plan;
mod recompute_stats;
mod reencode;
mod remove_feature;
mod repair;
mod rows;
mod site;
mod split;
mod stats;
mod tables;
mod tasks;
#[cfg(test)]
mod tests;
mod timing;
mod videos;

pub use compact::compact;
pub use convert::{Target, convert};
pub use delete_episodes::delete_episodes;
pub use merge::{difference, merge};
pub use modify_tasks::{TaskChanges, modify_tasks};
pub use recompute_stats::recompute_stats;
pub use reencode::reencode;
pub use remove_feature::remove_features;
pub use repair::{Loss, Repaired, repair};
pub use site::{in_place, kept};
pub use split::{Share, split};
pub(crate) use stats::NUMBERS;

/// How far an edit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done: "videos", "rows", "checks".
    pub stage: &'static str,
    /// How many pieces of it are done.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// Who is told how far an edit has come.
pub type Watch<'a> = &'a dyn Fn(Progress);

/// The dataset that an edit made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// How many episodes it has.
    pub episodes: u64,
    /// How many frames.
    pub frames: u64,
    /// How many tasks.
    pub tasks: u64,
    /// How many data files.
    pub data_files: u64,
    /// How many video files.
    pub video_files: u64,
    /// How many episodes' videos had to be encoded anew, each camera by itself.
    pub encoded: u64,
}
