//! One child process: its pipes, its life, its end.

use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use agentkube_mcp::{ErrorObject, Kind, MAX_DEPTH, Message, message};

use super::inbox::{Delivery, Inbox};
use super::line::{self, Line};
use super::pool::Slot;
use super::{Inherit, Launch};
use crate::shown::shown;

/// Messages that wait for the program to read them.
const UNREAD: usize = 64;

/// After stdin was closed, for a program to end by itself; then after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// For the first call in a session to arrive.
const NEW: Duration = Duration::from_secs(1);

/// What a program says on stderr is logged: lines in a while, bytes of a line.
const SAID: (usize, Duration) = (50, Duration::from_secs(10));
const SAID_BYTES: usize = 2048;

/// Variables that every program gets from us, when we have them: what it needs to
/// start, and nothing that may be a secret of ours.
const INHERITED: [&str; 10] = [
    "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER",
];

/// A running program.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) inbox: Inbox,
    input: mpsc::Sender<Bytes>,
    stop: CancellationToken,
    /// It was us who wanted its end.
    told: AtomicBool,
    ended: CancellationToken,
    used: Mutex<Instant>,
    /// Told when it may have become idle.
    idle: Arc<Notify>,
    /// A call in its session is over.
    called: AtomicBool,
}

/// How long what a program left in its pipes is read after it ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Reads a pipe to its end, or until the program has ended for a while: a daemon that
/// it started in a session of its own may keep the pipe for ever.
async fn drained(ended: CancellationToken, read: impl Future<Output = ()>) {
    tokio::select! {
        () = read => {}
        () = async {
            ended.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        } => {}
    }
}

impl Child {
    /// Starts the program, as a process group of its own, which has the slot until
    /// it is gone.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub(super) fn start(
        launch: &Launch,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        idle: Arc<Notify>,
        slot: Slot,
    ) -> io::Result<Arc<Self>> {
        let mut process = command(launch)?.spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (
            process.stdin.take(),
            process.stdout.take(),
            process.stderr.take(),
        ) else {
            return Err(io::Error::other("no pipes"));
        };
        let group = process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let (input, unread) = mpsc::channel(UNREAD);
        let child = Arc::new(Self {
            inbox: Inbox::new(launch.message_bytes),
            input,
            stop: stop.child_token(),
            told: AtomicBool::new(false),
            ended: CancellationToken::new(),
            used: Mutex::new(Instant::now()),
            idle,
            called: AtomicBool::new(false),
        });
        info!(upstream = %launch.name, pid = process.id(), "program started");
        tasks.spawn(write(stdin, unread, child.stop.clone()));
        let read = Arc::clone(&child).read(stdout, launch.clone());
        tasks.spawn(drained(child.ended.clone(), read));
        let log = log(stderr, launch.name.clone());
        tasks.spawn(drained(child.ended.clone(), log));
        let watch = Arc::clone(&child).watch(process, group, launch.name.clone());
        tasks.spawn(async move {
            watch.await;
            drop(slot);
        });
        Ok(child)
    }

    /// Gives the program a message; false when it has ended or does not read.
    pub(super) async fn write(&self, mut text: Vec<u8>) -> bool {
        self.touch();
        // A line feed in a message can only stand between tokens.
        text.iter_mut()
            .filter(|byte| matches!(byte, b'\n' | b'\r'))
            .for_each(|byte| *byte = b' ');
        text.push(b'\n');
        tokio::select! {
            sent = self.input.send(text.into()) => sent.is_ok(),
            () = self.ended.cancelled() => false,
        }
    }

    /// As [`Child::write`], where nobody can wait; it may get lost.
    pub(super) fn write_now(&self, text: String) {
        let mut text = text.into_bytes();
        text.push(b'\n');
        if self.input.try_send(text.into()).is_err() {
            debug!("message without answer not delivered to a program");
        }
    }

    /// It is in use.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// True when nobody has used it for so long. Never while a request is under way.
    pub(super) fn is_unused_for(&self, idle: Duration) -> bool {
        !self.inbox.is_busy() && self.used().elapsed() >= idle
    }

    /// When it was last in use; a request may be under way.
    pub(super) fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when it ended, or is about to.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_cancelled() || self.stop.is_cancelled()
    }

    /// True when there is no process any more.
    pub(super) fn is_gone(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// A request to it is over.
    pub(super) fn rest(&self) {
        self.touch();
        self.called.store(true, Ordering::Relaxed);
        self.idle.notify_one();
    }

    /// A session has it from now on.
    pub(super) fn begin(&self) {
        self.touch();
        self.called.store(false, Ordering::Relaxed);
    }

    /// True for one that may give way: it works on nothing, and is not so new that
    /// the call for which it was opened is still on its way.
    pub(super) fn is_idle(&self) -> bool {
        !self.inbox.is_busy()
            && (self.called.load(Ordering::Relaxed) || self.used().elapsed() >= NEW)
    }

    /// Has it ended: stdin is closed, then SIGTERM, then SIGKILL.
    pub(super) fn stop(&self) {
        self.told.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }

    /// True when it is its own fault that it ends.
    pub(super) fn fails(&self) -> bool {
        self.is_over() && !self.told.load(Ordering::Relaxed)
    }

    /// Waits until there is no process any more.
    pub(super) async fn gone(&self) {
        self.ended.cancelled().await;
    }

    async fn read(self: Arc<Self>, stdout: impl AsyncRead + Unpin, launch: Launch) {
        let mut reader = BufReader::new(stdout);
        loop {
            match line::next(&mut reader, launch.message_bytes).await {
                Ok(Line::Text(line)) => self.take(line, &launch.name),
                Ok(Line::TooLong) => {
                    // Whose answer that was cannot be known; all who wait are told.
                    warn!(upstream = %launch.name, limit = launch.message_bytes,
                        "the program wrote a message that is too large");
                    self.inbox.close();
                    self.stop.cancel();
                }
                Ok(Line::End) | Err(_) => return self.stop.cancel(),
            }
        }
    }

    fn take(&self, line: Vec<u8>, upstream: &str) {
        let bytes = Bytes::from(line);
        let Ok(message) = Message::decode(&bytes, MAX_DEPTH) else {
            if !bytes.trim_ascii().is_empty() {
                debug!(upstream, "a line on stdout that is no message");
            }
            return;
        };
        if let Kind::Request { id, method } = message.kind()
            && method == "ping"
        {
            return self.write_now(message::result(id, "{}"));
        }
        if self.inbox.deliver(&message, bytes.clone()) == Delivery::Unwanted
            && let Kind::Request { id, method } = message.kind()
        {
            let refusal = ErrorObject::unknown_method(method);
            self.write_now(message::failure(Some(id), &refusal));
        }
    }

    /// Waits for its end, or brings it about. What it left in its group ends with
    /// it.
    async fn watch(
        self: Arc<Self>,
        mut process: tokio::process::Child,
        group: Option<Pid>,
        upstream: String,
    ) {
        let signal = |signal| group.map(|group| kill_process_group(group, signal));
        let status = tokio::select! {
            status = process.wait() => status,
            () = self.stop.cancelled() => {
                // `write` drops stdin now.
                match timeout(PATIENCE, process.wait()).await {
                    Ok(status) => status,
                    Err(_) => {
                        signal(Signal::TERM);
                        match timeout(PATIENCE, process.wait()).await {
                            Ok(status) => status,
                            Err(_) => {
                                signal(Signal::KILL);
                                process.wait().await
                            }
                        }
                    }
                }
            }
        };
        signal(Signal::KILL);
        let asked = self.stop.is_cancelled();
        self.stop.cancel();
        self.ended.cancel();
        self.inbox.close();
        match status {
            Ok(status) if !asked => warn!(%upstream, %status, "the program ended"),
            Ok(status) => debug!(%upstream, %status, "the program was stopped"),
            Err(error) => warn!(%upstream, %error, "the program cannot be waited for"),
        }
    }
}

fn command(launch: &Launch) -> io::Result<Command> {
    let Some((program, arguments)) = launch.command.split_first() else {
        return Err(io::Error::other("no program is named"));
    };
    let mut command = Command::new(program);
    if launch.inherit == Inherit::Basics {
        let basics = INHERITED.iter();
        command
            .env_clear()
            .envs(basics.filter_map(|name| Some((name, std::env::var_os(name)?))));
    }
    command
        .args(arguments)
        .envs(
            launch
                .env
                .iter()
                .map(|(name, value)| (name, value.expose_secret())),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// Writes until the child is to stop, and then closes stdin.
async fn write(mut stdin: ChildStdin, mut unread: mpsc::Receiver<Bytes>, stop: CancellationToken) {
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = unread.recv() => next,
        };
        let Some(text) = next else { return };
        let written = async {
            stdin.write_all(&text).await?;
            stdin.flush().await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            written = written => if written.is_err() { return },
        }
    }
}

/// What a program says on stderr is its log, not an error (2026-07-28, stdio).
async fn log(stderr: impl AsyncRead + Unpin, upstream: String) {
    let mut reader = BufReader::new(stderr);
    let (most, span) = SAID;
    let (mut since, mut said) = (Instant::now(), 0_usize);
    loop {
        let text = match line::next(&mut reader, SAID_BYTES).await {
            Ok(Line::Text(text)) => String::from_utf8_lossy(&text).into_owned(),
            Ok(Line::TooLong) => "(a long line)".to_owned(),
            Ok(Line::End) | Err(_) => return,
        };
        if since.elapsed() >= span {
            if said > most {
                info!(%upstream, lines = said - most, "stderr: lines left out");
            }
            (since, said) = (Instant::now(), 0);
        }
        said += 1;
        if said <= most && !text.trim().is_empty() {
            info!(%upstream, "stderr: {}", shown(&text, SAID_BYTES));
        }
    }
}
