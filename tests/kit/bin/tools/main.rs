//! A tool server on stdio for tests, of the legacy era (2025-11-25). Its tools show
//! what a program learns of where it runs, hold state, ask, wait, linger and die.
//!
//! ```text
//! agentkube-testkit-tools                serves
//! agentkube-testkit-tools --stubborn     serves, and outlives stdin and SIGTERM
//! agentkube-testkit-tools --slots N DIR  serves, as one of at most N at once; one
//!                                        more leaves the file DIR/over
//! agentkube-testkit-tools ps             prints the processes that it sees
//! agentkube-testkit-tools open NAME      opens the gate that a call of `wait` is at
//! agentkube-testkit-tools linger         does nothing, for ever
//! ```

mod server;

use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, io, thread};

use tokio::signal::unix::{SignalKind, signal};

use self::server::Server;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Server::default().serve()?,
        ["--stubborn"] => return stubborn(),
        ["--slots", most, folder] => {
            let Some(_slot) = slot(most, folder)? else {
                fs::write(format!("{folder}/over"), "")?;
                return Ok(ExitCode::FAILURE);
            };
            Server::default().serve()?;
        }
        ["ps"] => processes()?,
        ["open", name] => fs::write(server::gate(name), "")?,
        ["linger"] => linger(),
        _ => {
            eprintln!("usage: see the source");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn stubborn() -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _ignored = runtime.block_on(async { signal(SignalKind::terminate()) })?;
    Server::default().serve()?;
    linger()
}

/// A lock that the system lets go of when this process is gone; `None` when as many
/// processes as there are locks have one each.
fn slot(most: &str, folder: &str) -> io::Result<Option<fs::File>> {
    for at in 0..most.parse().unwrap_or(0) {
        let file = fs::File::create(format!("{folder}/slot-{at}"))?;
        if file.try_lock().is_ok() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn linger() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3_600));
    }
}

/// `pid ppid state command`, one a line.
fn processes() -> io::Result<()> {
    let all = fs::read_dir("/proc")?.flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids {
        // One that ends meanwhile is not there.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let after = stat.rsplit_once(')').map(|(_, rest)| rest);
        let mut fields = after.unwrap_or_default().split_whitespace();
        let (state, parent) = (fields.next(), fields.next());
        let (state, parent) = (state.unwrap_or("?"), parent.unwrap_or("?"));
        println!("{pid} {parent} {state} {}", command.replace('\0', " "));
    }
    Ok(())
}
