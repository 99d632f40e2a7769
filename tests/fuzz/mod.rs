//! Fuzzing, short: every check over its kept corpus and a bounded number of random changes of it.
//! Long runs: `README.md` says how.

mod board_seeds;
mod checks;
mod dataset_seeds;
mod hub_seeds;
mod net_seeds;
mod seeds;

use std::fs;
use std::path::PathBuf;

use checks::{CHECKS, Check};

/// Changed inputs tried per check.
const CHANGES: usize = 3000;
/// As many where every input moves a whole virtual arm, or is a file of a whole dataset.
const CHANGES_OF_MUCH: usize = 200;
/// Set it to have the corpus written anew.
const WRITE: &str = "SINEW_WRITE_CORPUS";

fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

#[test]
fn the_corpus_holds_what_its_maker_makes() {
    for (target, name, bytes) in seeds::all() {
        let path = corpus(target).join(name);
        if std::env::var_os(WRITE).is_some() {
            fs::create_dir_all(corpus(target)).expect("a folder for the corpus");
            fs::write(&path, &bytes).expect("a file of the corpus");
        }
        let kept = fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; write it with {WRITE}=1", path.display());
        });
        assert_eq!(kept, bytes, "{}: write it anew with {WRITE}=1", path.display());
    }
}

#[test]
fn every_check_holds_over_its_corpus_and_changes_of_it() {
    for (target, check) in CHECKS {
        let mut inputs = kept(target);
        assert!(!inputs.is_empty(), "{target} has no corpus");
        check(&[]);
        inputs.iter().for_each(|input| check(input));
        // What is built upon has places of its own: whatever becomes of it, the corpus stays.
        let kept = inputs.len();
        inputs.extend_from_within(..);
        let mut dice = Dice(0x5EED ^ target.len() as u64);
        let much = ["control", "virtual_bus", "dataset_data", "dataset_lines", "dataset_video"];
        for _ in 0..if much.contains(&target) { CHANGES_OF_MUCH } else { CHANGES } {
            let changed = dice.change(&inputs);
            run(target, check, &changed);
            // Now and then a change is built upon.
            if dice.below(16) == 0 && changed.len() < 4096 {
                inputs[kept + dice.below(kept)] = changed;
            }
        }
    }
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = fs::read_dir(corpus(target)).expect("a corpus");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file of the corpus")).collect()
}

fn run(target: &str, check: Check, input: &[u8]) {
    if std::panic::catch_unwind(|| check(input)).is_err() {
        panic!("{target} fails on {input:02X?}");
    }
}

/// The same throws in every run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.throw() % end.max(1) as u64) as usize
    }

    /// An input with up to four changes: a bit turned, a byte set, bytes taken out, doubled, or
    /// put in from another input.
    fn change(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let to = at + self.below(bytes.len() - at).min(64);
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = [0x00, 0xFF, 0xFD, 0x7F][self.below(4)],
                2 => drop(bytes.drain(at..to)),
                3 => bytes.extend_from_within(at..to),
                _ => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len());
                    bytes.splice(at..at, other[from..].iter().take(64).copied());
                }
            }
        }
        bytes
    }
}
