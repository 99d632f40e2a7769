//! What went wrong in one of an episode's threads, for all who have to know.

use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crate::{Error, Result};

/// What ended an episode: it takes no more frames, and everybody who asks learns why. The first
/// failure stays, as others follow from it.
#[derive(Debug, Default)]
pub struct Failure(OnceLock<Error>);

impl Failure {
    /// From here on the episode takes no more frames.
    pub fn end(&self, error: Error) {
        self.0.get_or_init(|| error);
    }

    /// What ended the episode.
    pub fn told(&self) -> Option<Error> {
        self.0.get().map(Error::again)
    }
}

/// Starts a thread of an episode. However it fails, by a panic too, is told.
pub fn spawn(
    name: &'static str,
    failure: &Arc<Failure>,
    work: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<JoinHandle<()>> {
    let watched = Watched { name, failure: Arc::clone(failure) };
    let run = move || {
        if let Err(error) = work() {
            watched.failure.end(error);
        }
    };
    let cannot = |source| Error::Refused { what: format!("cannot start a thread: {source}") };
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(cannot)
}

struct Watched {
    name: &'static str,
    failure: Arc<Failure>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = format!("recording failed: its thread \"{}\" panicked", self.name);
            self.failure.end(Error::Refused { what });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_and_the_first_failure_stays() {
        let failure = Arc::new(Failure::default());
        let thread = spawn("encoder", &failure, || panic!("as a test")).unwrap();
        assert!(thread.join().is_err());
        failure.end(Error::Refused { what: "it follows".into() });
        let told = failure.told().unwrap().to_string();
        assert_eq!(told, "recording failed: its thread \"encoder\" panicked");
    }
}
