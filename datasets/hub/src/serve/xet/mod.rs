//! Large files as newer clients send them: cut into chunks, of which many make a xorb, and a shard
//! that says which chunks make which file.
//!
//! Here a file is put together as soon as its shard comes, and is a file like any other from then
//! on: whoever reads it needs none of this.

pub mod shard;
pub mod xorb;

pub(super) mod cas;
