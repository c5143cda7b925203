//! The command line: `allod --help`.

mod args;
mod rules;
mod run;

use std::process::ExitCode;

use clap::Parser;

pub use args::{Cli, Command};

/// Threads for blocking work. None of it waits for other blocking work, so a bound cannot deadlock; it keeps memory
/// small under many transfers.
const BLOCKING_THREADS: usize = 64;
/// Exit code of a command that failed.
const FAILED: u8 = 1;

/// Reads the command line, runs the command, and says how it went: 0, 1 with one line on stderr, 2 for wrong usage.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Clap exits with 0 for help and version, with 2 for wrong usage.
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run::run(cli)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match outcome {
        Ok(code) => code,
        Err(message) => {
            eprintln!("allod: {}", message.trim_end().replace('\n', " "));
            ExitCode::from(FAILED)
        }
    }
}
