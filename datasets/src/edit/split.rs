//! A dataset taken apart into several.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::assemble::assemble;
use super::plan::Plan;
use super::{Made, Watch};
use crate::{Dataset, Error, Result};

/// What one of the new datasets gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Share {
    /// These episodes, in the order that they have, as LeRobot has it; each goes into one share.
    Episodes(Vec<u64>),
    /// So much of all episodes, from 0 to 1, following those of the share before it.
    Fraction(f64),
}

/// Fractions that add up to all but this are meant to add up to all.
const ALL: f64 = 1e-9;

/// Makes a dataset of each share where `to` says for its name. The shares are checked before the
/// first is made; each appears when it is complete.
pub fn split(
    source: &Path,
    shares: &[(String, Share)],
    to: Option<&dyn Fn(&str) -> PathBuf>,
    watch: Watch<'_>,
) -> Result<Vec<Made>> {
    let source = Dataset::open_with_stats(source)?;
    let lists = lists(source.episodes().len() as u64, shares)?;
    for list in &lists {
        list.iter().try_for_each(|index| source.episode(*index).map(drop))?;
    }
    let place = |(name, _): &(String, Share)| to.map(|to| to(name));
    if let Some(path) = shares.iter().filter_map(place).find(|path| path.exists()) {
        return Err(Error::Exists { path });
    }
    let make = |(list, share): (&Vec<u64>, &(String, Share))| {
        let mut plan = Plan::all(&source);
        plan.wording.keep_unused = false;
        let all = std::mem::take(&mut plan.parts);
        let part = |index: &u64| all.get(usize::try_from(*index).ok()?).cloned();
        plan.parts = list.iter().filter_map(part).collect();
        assemble(&plan, place(share).as_deref(), watch)
    };
    lists.iter().zip(shares).map(make).collect()
}

/// The episodes of each share.
fn lists(count: u64, shares: &[(String, Share)]) -> Result<Vec<Vec<u64>>> {
    let refuse = |what: String| Err(Error::Refused { what });
    let fraction = |share: &Share| match share {
        Share::Fraction(fraction) => *fraction,
        Share::Episodes(_) => 0.0,
    };
    let sum: f64 = shares.iter().map(|(_, share)| fraction(share)).sum();
    if sum > 1.0 + ALL || shares.iter().any(|(_, share)| !(0.0..=1.0).contains(&fraction(share))) {
        return refuse(format!("the fractions add up to {sum}, at most 1 is possible"));
    }
    let last = shares.iter().rposition(|(_, share)| matches!(share, Share::Fraction(_)));
    let (mut lists, mut next, mut taken) = (Vec::new(), 0, BTreeMap::new());
    for (at, (name, share)) in shares.iter().enumerate() {
        let list: Vec<u64> = match share {
            Share::Episodes(list) => {
                let set: BTreeSet<u64> = list.iter().copied().collect();
                set.into_iter().collect()
            }
            Share::Fraction(fraction) => {
                let end = match Some(at) == last && sum > 1.0 - ALL {
                    true => count,
                    // As LeRobot rounds, but for products that are off by their last digit.
                    false => count.min(next + (count as f64 * fraction + ALL) as u64),
                };
                (std::mem::replace(&mut next, end)..end).collect()
            }
        };
        if list.is_empty() {
            return refuse(format!("{name} would get none of the {count} episodes"));
        }
        for index in &list {
            if let Some(other) = taken.insert(*index, name) {
                return refuse(format!("episode {index} would go into {other} and into {name}"));
            }
        }
        lists.push(list);
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u64, fractions: &[f64]) -> Result<Vec<usize>> {
        let share = |fraction: &f64| ("x".to_owned(), Share::Fraction(*fraction));
        let shares: Vec<_> = fractions.iter().map(share).collect();
        Ok(lists(count, &shares)?.iter().map(Vec::len).collect())
    }

    #[test]
    fn listed_episodes_keep_their_order_and_go_into_one_share() {
        let share = |list: &[u64]| ("x".to_owned(), Share::Episodes(list.to_vec()));
        let listed = lists(4, &[share(&[2, 0, 2]), share(&[3, 1])]);
        assert_eq!(listed.unwrap(), [[0, 2], [1, 3]]);
        assert!(lists(4, &[share(&[0, 1]), share(&[1, 2])]).is_err());
        let half = ("y".to_owned(), Share::Fraction(0.5));
        assert!(lists(4, &[share(&[1]), half]).is_err());
    }

    #[test]
    fn fractions_share_all_episodes_and_no_more() {
        assert_eq!(of(10, &[0.8, 0.2]).unwrap(), [8, 2]);
        assert_eq!(of(10, &[0.7, 0.1, 0.2]).unwrap(), [7, 1, 2]);
        assert_eq!(of(7, &[0.5, 0.5]).unwrap(), [3, 4]);
        assert_eq!(of(10, &[0.5]).unwrap(), [5]);
        assert!(of(10, &[0.9, 0.2]).is_err());
        assert!(of(3, &[0.1, 0.9]).is_err());
        assert!(of(3, &[f64::NAN, 0.9]).is_err());
    }
}
