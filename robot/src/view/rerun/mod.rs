//! What Rerun shows: recordings of a dataset's episodes, and a loop as it runs, in a viewer or in a
//! `.rrd` file.
//!
//! ```text
//! dataset ─ rows, coded pictures ─▶ episodes ┐
//!                                            ├ chunks ─▶ sink ─▶ viewer (in the PATH, or at a URL)
//! loop ─ slots of a bounded queue ─▶ live ───┤             └───▶ file
//! cameras ─ their newest pictures ─▶ live ───┘
//! ```
//! Entities have the names that LeRobot's own programs give them.

mod arm;
mod blueprint;
mod camera;
pub mod dataset;
mod file;
pub mod live;
mod pictures;
pub mod target;
