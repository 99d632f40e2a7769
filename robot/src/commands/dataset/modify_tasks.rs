//! `sinew dataset modify-tasks`

use clap::Args;
use sinew_datasets::edit::{self, TaskChanges};

use super::edit::Edit;
use super::lists::{Table, joined};
use crate::cli::failure::{Exit, Failure};
use crate::cli::report::Report;

/// Call tasks otherwise: all, those of single episodes, or those of one text
///
/// Example: sinew dataset modify-tasks me/pick --rename "pick cube=pick up the cube" --yes
///
/// An episode's own entry counts first, then --rename, then --task.
#[derive(Debug, Args)]
pub struct ModifyTasks {
    #[command(flatten)]
    edit: Edit,
    /// The task of everything else
    #[arg(long, alias = "operation.new_task", value_name = "TEXT")]
    task: Option<String>,
    /// The task of an episode, as 5=TEXT or '{5: TEXT}'; may be repeated
    #[arg(long, alias = "operation.episode_tasks", value_name = "N=TEXT")]
    episode_task: Vec<Table>,
    /// A task with another text, as OLD=NEW or '{OLD: NEW}'; may be repeated
    #[arg(long, alias = "operation.task_replacements", value_name = "OLD=NEW")]
    rename: Vec<Table>,
}

impl ModifyTasks {
    pub fn run(self, report: &Report) -> Result<Exit, Failure> {
        let mut changes =
            TaskChanges { all: self.task, renamed: joined(&self.rename), ..TaskChanges::default() };
        for (number, task) in joined(&self.episode_task) {
            let episode = number.parse().map_err(|_error| {
                Failure::usage(
                    format!("{number:?} is no number of an episode"),
                    "--episode-task 5=TEXT",
                )
            })?;
            changes.episodes.insert(episode, task);
        }
        if changes == TaskChanges::default() {
            return Err(Failure::usage(
                "no task would change",
                "--task TEXT, --episode-task N=TEXT or --rename OLD=NEW says what changes",
            ));
        }
        self.edit.run(report, |from, to, watch| edit::modify_tasks(from, &changes, to, watch))
    }
}
