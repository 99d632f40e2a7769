//! A dataset on its way to a hub: its files as they are at one instant, while it may go on being
//! recorded, and the page that tells people what is in it.

mod card;
mod snapshot;

pub use card::card;
pub use snapshot::{Snapshot, files};

#[cfg(test)]
mod tests;
