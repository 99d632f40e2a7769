//! What people look at while an arm moves, and afterwards.

#[cfg(feature = "sim")]
pub mod blocks;
pub mod display;
pub mod panel;
#[cfg(feature = "rerun")]
pub mod rerun;

/// Says which build has Rerun, in one that has not.
#[cfg(not(feature = "rerun"))]
pub fn no_rerun() -> crate::cli::failure::Failure {
    crate::cli::failure::Failure::usage(
        "Rerun is not built in: this is a build without the feature rerun",
        "the default build has it: cargo install --path robot; any build makes a page to look at: \
         sinew dataset report",
    )
}
