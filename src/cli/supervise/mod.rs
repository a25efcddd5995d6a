//! `agentkube supervise`: runs a program once, as PID 1 of an agent's container.
//!
//! In a StatefulSet the kubelet starts an ended container again, so "once" needs
//! somebody inside: the supervisor starts the program, and stays when it ended,
//! until the operator read the result and scaled the agent to 0.
//!
//! Guarantees
//! - The program runs at most once a `--state` directory, also when the container
//!   is started again (out of memory, say).
//! - A program that is stopped from outside has no result: it did not fail.
//! - Goal, arguments and environment are neither logged nor told.

mod outcome;
mod program;
mod record;
mod status;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use agentkube_operator::listen::{self, any};
use agentkube_plan::{RunReport, STATUS_PORT};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::process::{self, failure};
use program::Program;
use record::{Record, Start};

/// Arguments of `agentkube supervise`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  agentkube supervise --state /run/agent -- claude -p 'Fix the build'

GET /status answers {\"phase\":\"Running\"}, then
{\"phase\":\"Succeeded\",\"exitCode\":0,\"finishedAt\":\"…\"} or Failed.")]
pub(crate) struct SuperviseArgs {
    /// Address of /status, /livez and /readyz
    #[arg(long, value_name = "ADDR", default_value_t = any(STATUS_PORT))]
    listen: SocketAddr,
    /// File that gets the result
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    result: PathBuf,
    /// Directory that remembers the run when this process is started again
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Seconds that the program may take after SIGTERM
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    grace: u64,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The command line holds the goal.
impl std::fmt::Debug for SuperviseArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SuperviseArgs")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Runs the program and stays until SIGTERM.
pub(crate) fn main(args: &SuperviseArgs) -> ExitCode {
    // One thread: this process shares the container's limits with the program.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failure(&format!("cannot start the runtime: {error}")),
    };
    let ended = runtime.block_on(supervise(args));
    runtime.shutdown_background();
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(message) => failure(&message),
    }
}

async fn supervise(args: &SuperviseArgs) -> Result<u8, String> {
    let mut stop = StopSignals::install()?;
    let listener = listen::bind(args.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    if let Ok(address) = listener.local_addr() {
        eprintln!("agentkube: status on {address}");
    }
    let record = Record::new(args.state.as_deref(), &args.result);
    let (told, report) = watch::channel(RunReport::running());
    let serving = tokio::spawn(status::serve(listener, report));

    let outcome = match record.begin().map_err(|error| process::chain(&error))? {
        Start::Again(outcome) => outcome,
        Start::First => match Program::start(&args.command) {
            Err(outcome) => outcome,
            Ok(mut program) => {
                let grace = Duration::from_secs(args.grace);
                tokio::select! {
                    biased;
                    ended = program.ended() => ended,
                    signal = stop.next() => {
                        // It neither succeeded nor failed: wherever the Pod is
                        // made again, it runs again.
                        return Ok(program.stop(signal, grace).await.code());
                    }
                }
            }
        },
    };
    let report = outcome.report();
    record.end(&report);
    told.send_replace(report);
    eprintln!("{}", outcome.line());
    // Orphans may still end, and this process is their parent.
    tokio::select! {
        _ = stop.next() => {}
        () = program::reap_for_ever() => {}
    }
    serving.abort();
    Ok(0)
}

/// SIGTERM and SIGINT. PID 1 gets only the signals that it handles.
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn install() -> Result<Self, String> {
        let install =
            |kind| signal(kind).map_err(|error| format!("cannot handle signals: {error}"));
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
        }
    }
}
