//! LeRobot's whole job in one binary: see `sinew --help`.

mod cameras;
mod cli;
mod commands;
#[cfg(any(feature = "phone", feature = "sim"))]
mod door;
mod lekiwi;
mod part;
#[cfg(feature = "phone")]
mod phone;
#[cfg(feature = "zenoh")]
mod remote;
mod robot;
mod robot_file;
mod run;
#[cfg(feature = "sim")]
mod simulated;
#[cfg(feature = "sim")]
mod streams;
mod uploads;
mod view;

fn main() -> std::process::ExitCode {
    // SVT-AV1, below FFmpeg, prints what it is about to do, and hears only this: errors alone.
    #[cfg(feature = "ffmpeg")]
    // SAFETY: nothing else runs yet that could read the environment.
    unsafe {
        std::env::set_var("SVT_LOG", "1");
    }
    cli::main(std::env::args_os())
}
