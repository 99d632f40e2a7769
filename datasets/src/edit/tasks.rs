//! The tasks of a new dataset: those of all sources, each text once, numbered anew.

use std::collections::{BTreeSet, HashMap};

use super::plan::{Part, Plan};
use crate::reader::Dataset;
use crate::tables::column::Cells;
use crate::tables::episodes::Episode;
use crate::{Error, Result};

/// The tasks and their numbers.
#[derive(Default)]
pub struct Tasks {
    texts: Vec<String>,
    numbers: HashMap<String, i64>,
}

impl Tasks {
    /// The tasks of a plan, in the order of the sources' tables.
    pub fn of(plan: &Plan<'_>) -> Result<Self> {
        let used = match plan.wording.keep_unused {
            true => None,
            false => Some(used(plan)?),
        };
        let mut tasks = Self::default();
        for (at, source) in plan.sources.iter().enumerate() {
            for (number, text) in source.tasks().iter().enumerate() {
                if used.as_ref().is_none_or(|used| used.contains(&(at, number))) {
                    let renamed = plan.wording.renamed.get(text);
                    tasks.add(renamed.or(plan.wording.others.as_ref()).unwrap_or(text));
                }
            }
        }
        plan.parts.iter().filter_map(|part| part.task.as_ref()).for_each(|task| tasks.add(task));
        Ok(tasks)
    }

    fn add(&mut self, text: &str) {
        if !self.numbers.contains_key(text) {
            self.numbers.insert(text.to_owned(), self.texts.len() as i64);
            self.texts.push(text.to_owned());
        }
    }

    /// The texts in the order of their numbers.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The column `task_index` of an episode, from the source's.
    pub fn renumber(&self, plan: &Plan<'_>, part: &Part<'_>, column: &Cells) -> Result<Cells> {
        let source = plan.source(part);
        let mut known: HashMap<i64, i64> = HashMap::new();
        let mut out = Vec::new();
        for number in numbers(column) {
            let new = match known.get(&number) {
                Some(new) => *new,
                None => {
                    // Where all of the episode is given a task, what it had need not make sense.
                    let text = match &part.task {
                        Some(task) => task,
                        None => plan.text(part, text(source, part.episode, number)?),
                    };
                    let count = self.texts.len() as u64;
                    let lost = Error::OutOfRange { what: "task", index: 0, count };
                    let new = *self.numbers.get(text).ok_or(lost)?;
                    known.insert(number, new);
                    new
                }
            };
            out.extend(new.to_le_bytes());
        }
        Ok(Cells::Numbers(out))
    }

    /// Adds what frames do that the episode does not tell of: LeRobot drops the episodes' lists when
    /// it makes videos of images.
    pub fn complete(&self, column: &Cells, texts: &mut Vec<String>) {
        for number in numbers(column) {
            let text = usize::try_from(number).ok().and_then(|at| self.texts.get(at));
            if let Some(text) = text.filter(|text| !texts.contains(text)) {
                texts.push(text.clone());
            }
        }
    }
}

/// What the source said is done in an episode, as the new dataset calls it.
pub fn texts(plan: &Plan<'_>, part: &Part<'_>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for task in &part.episode.tasks {
        let text = plan.text(part, task);
        if texts.iter().all(|known| known != text) {
            texts.push(text.to_owned());
        }
    }
    texts
}

fn numbers(column: &Cells) -> impl Iterator<Item = i64> {
    let bytes = match column {
        Cells::Numbers(bytes) => &bytes[..],
        _ => &[],
    };
    bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes))
}

fn text<'a>(source: &'a Dataset, episode: &Episode, number: i64) -> Result<&'a str> {
    let text = usize::try_from(number).ok().and_then(|at| source.tasks().get(at));
    text.map(String::as_str).ok_or_else(|| Error::Malformed {
        what: format!("is {number}, there are {} tasks", source.tasks().len()),
        place: format!("column task_index, episode {}", episode.index),
        path: source.root().to_owned(),
    })
}

/// The tasks that frames have which keep them, by source and number.
fn used(plan: &Plan<'_>) -> Result<BTreeSet<(usize, usize)>> {
    let mut used = BTreeSet::new();
    for part in plan.parts.iter().filter(|part| part.task.is_none()) {
        let source = plan.source(part);
        let mut only = source.info().clone();
        only.features.retain(|(name, _)| name == "task_index");
        let rows = source.rows(part.episode, &only)?;
        let numbers: BTreeSet<i64> = rows.iter().flat_map(numbers).collect();
        for number in numbers {
            text(source, part.episode, number)?;
            used.insert((part.source, usize::try_from(number).unwrap_or(0)));
        }
    }
    Ok(used)
}
