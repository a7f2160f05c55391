//! Puts the rooms together: a cluster, the monitor, HTTP, workloads, and the window or nothing.

mod data_dir;
mod display;
mod failure;
mod faults_file;
mod file_dialogs;
mod memory;
mod monitoring_file;
mod opened;
mod ready_file;
mod screenshot;
mod session;
mod signals;
mod waker;
mod window;

#[cfg(test)]
mod guide_tests;
#[cfg(test)]
pub mod stage;
#[cfg(test)]
mod stage_groups_tests;
#[cfg(test)]
mod stage_history_tests;
#[cfg(test)]
mod stage_messages_tests;
#[cfg(test)]
mod stage_tests;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, ClusterArgs, ServeArgs, Subcommands};
use failure::Failure;
pub use screenshot::Studio;
use session::Session;

/// Runs the program; its exit code: 0 asked to stop, 1 failed, 2 bad usage.
pub fn main() -> ExitCode {
    // Bad usage ends here, with clap's own words and code 2.
    let Cli { command, cluster } = Cli::parse();
    // Without that thread the program takes more memory, and does all else.
    let _ = memory::bound();
    let outcome = match command {
        None => window(&cluster),
        Some(Subcommands::Serve(args)) => serve(&args),
        Some(Subcommands::Open(args)) => opened::run(&args),
        Some(Subcommands::Screenshot(args)) => screenshot::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("brokerscope: {failure}");
            failure.exit_code()
        }
    }
}

fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let script = args.faults.as_deref().map(faults_file::read).transpose()?;
    let session = Session::start(&args.cluster)?;
    session.stop_on_signal()?;
    if let Some(script) = script {
        faults_file::run(&session, script)?;
    }
    let stopped = session.wait();
    session.end();
    stopped
}

fn window(args: &ClusterArgs) -> Result<(), Failure> {
    let obstacle = display::obstacle();
    if let Some(why) = obstacle {
        eprintln!("brokerscope: {why}; running as `brokerscope serve`");
        return serve(&ServeArgs { cluster: args.clone(), faults: None });
    }
    let session = Session::start(args)?;
    session.stop_on_signal()?;
    let outcome = match window::run(&session) {
        // Closed by the user or by a signal; or the cluster failed meanwhile.
        Ok(()) => session.outcome(),
        Err(why) => {
            eprintln!("brokerscope: the window could not open ({why}); running as `brokerscope serve`");
            session.wait()
        }
    };
    session.end();
    outcome
}
