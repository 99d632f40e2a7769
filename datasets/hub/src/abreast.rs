//! The same thing done to many, several at a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// Does it to each, on so many threads of this name, and returns what came of each, in order. After the
/// first error no more are begun, and that error is returned.
pub(crate) fn abreast<T: Sync, R: Send>(
    name: &str,
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<R>)>> = Mutex::default();
    let run = || {
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let result = work(item);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    let cannot = |source| Error::Io { what: "cannot start a thread", source, path: name.into() };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            let helper = std::thread::Builder::new().name(name.to_owned());
            helper.spawn_scoped(scope, run).map_err(cannot)?;
        }
        run();
        Ok(())
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_each_is_in_order_and_an_error_ends_it() {
        let numbers: Vec<u32> = (0..1000).collect();
        let doubled = abreast("work", 4, &numbers, |number| Ok(number * 2)).unwrap();
        assert!(doubled.iter().enumerate().all(|(at, number)| *number == at as u32 * 2));
        let begun = AtomicUsize::new(0);
        let ended = abreast("work", 4, &numbers, |number| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *number >= 5 { Err(Error::Ended) } else { Ok(()) }
        });
        assert!(matches!(ended, Err(Error::Ended)));
        let begun = begun.into_inner();
        assert!(begun <= 5 + 4, "{begun} were begun: more than one by each after an error");
        assert!(abreast("work", 4, &[] as &[u32], |_| Ok(())).unwrap().is_empty());
    }
}
