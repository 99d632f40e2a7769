#![doc = include_str!("../README.md")]

mod abreast;
mod account;
mod address;
mod cache;
pub mod card;
mod durable;
mod error;
mod hashing;
mod hex;
mod http;
mod hub;
mod link;
mod pull;
mod push;
pub mod queue;
mod repo;
#[cfg(feature = "serve")]
pub mod serve;
mod waiting;

#[cfg(test)]
pub(crate) mod tests;

pub use account::{Account, Login, Logout, Stored};
pub use cache::{read_tree, write_tree};
pub use error::{Absent, Error, Result};
pub use http::{Client, Options, Part};
pub use hub::{Digest, Entry, Group, Hub, Person, Refs, State, read_list, read_person};
pub use link::{Link, Piece};
pub use pull::{Pulled, Snapshot, Target};
pub use push::{
    Flow, Ledger, Local, Push, Pushed, read_batch, read_commit, read_ledger, read_plan,
};
pub use repo::{Kind, Repo};
