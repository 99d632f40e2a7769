//! What programs ask for: one file per thing that they ask about.

pub mod account;
pub mod card;
pub mod commit;
pub mod files;
pub mod info;
pub mod lfs;
pub mod preupload;
pub mod refs;
pub mod repos;
pub mod resolve;
