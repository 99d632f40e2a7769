//! LeRobot's whole job in one binary: see `sinew --help`.

mod cli;
mod commands;
mod part;
mod robot;
mod robot_file;
mod run;
#[cfg(feature = "sim")]
mod simulated;
mod view;

fn main() -> std::process::ExitCode {
    cli::main(std::env::args_os())
}
