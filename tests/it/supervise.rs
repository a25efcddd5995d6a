//! `agentkube supervise` with real programs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A supervisor that serves its status; killed when it is dropped.
struct Supervisor {
    process: Child,
    address: String,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Supervisor {
    fn start(folder: &Path, options: &[&str], program: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_agentkube"))
            .args(["supervise", "--listen", "127.0.0.1:0", "--result"])
            .arg(folder.join("termination-log"))
            .args(options)
            .arg("--")
            .args(program)
            .env("GOAL", "a secret goal")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self {
            process,
            address,
            stdout,
            stderr,
        }
    }

    /// The next line of the supervisor: how the program ended.
    fn ended(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Waits for a line of the program.
    fn says(&mut self, wanted: &str) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), wanted);
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let code = reply.split(' ').nth(1).unwrap().parse().unwrap();
        (code, reply.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// `/status` without the time, which is checked to be one.
    fn status(&self) -> Value {
        let (code, body) = self.get("/status");
        assert_eq!(code, 200);
        untimed(&body)
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn untimed(text: &str) -> Value {
    let mut report: Value = serde_json::from_str(text).unwrap();
    if let Some(at) = report.as_object_mut().unwrap().remove("finishedAt") {
        let at = at.as_str().unwrap();
        assert!(at.ends_with('Z') && at.len() == 20, "{at}");
    }
    report
}

fn result(folder: &TempDir) -> Value {
    untimed(&fs::read_to_string(folder.path().join("termination-log")).unwrap())
}

#[test]
fn a_program_that_ends_is_told_and_the_supervisor_stays() {
    let folder = TempDir::new().unwrap();
    for (script, line, report) in [
        (
            "exit 0",
            "agentkube: the program ended with exit code 0",
            json!({"phase": "Succeeded", "exitCode": 0}),
        ),
        (
            "exit 3",
            "agentkube: the program ended with exit code 3",
            json!({"phase": "Failed", "exitCode": 3}),
        ),
        (
            "kill -KILL $$",
            "agentkube: the program was ended by signal 9",
            json!({"phase": "Failed", "exitCode": 137, "signal": 9}),
        ),
    ] {
        let mut supervisor = Supervisor::start(folder.path(), &[], &["sh", "-c", script]);
        assert_eq!(supervisor.ended(), line);
        assert_eq!(supervisor.status(), report);
        assert_eq!(result(&folder), report);
        assert_eq!(supervisor.get("/livez").0, 200);
        assert_eq!(supervisor.get("/readyz").0, 503);
        assert_eq!(supervisor.signal(Signal::TERM).code(), Some(0), "{script}");
    }
}

#[test]
fn a_program_that_runs_is_running_and_leaves_no_result_when_it_is_stopped() {
    let folder = TempDir::new().unwrap();
    let script = "trap 'exit 7' TERM; trap 'exit 8' INT; sleep 600 & echo ready; wait";
    for (signal, code) in [(Signal::TERM, 7), (Signal::INT, 8)] {
        let mut supervisor = Supervisor::start(folder.path(), &[], &["sh", "-c", script]);
        supervisor.says("ready");
        assert_eq!(supervisor.status(), json!({"phase": "Running"}));
        assert_eq!(supervisor.get("/readyz").0, 200);
        assert_eq!(supervisor.signal(signal).code(), Some(code));
        assert!(!folder.path().join("termination-log").exists());
    }
}

#[test]
fn what_a_program_leaves_in_its_group_ends_with_it() {
    let folder = TempDir::new().unwrap();
    let left = "(sleep 20; echo survived) & echo ready";
    let stubborn = format!("trap '' TERM; {left}; wait");
    for (script, ends, code) in [(left, true, 0), (stubborn.as_str(), false, 137)] {
        let program = ["sh", "-c", script];
        let mut supervisor = Supervisor::start(folder.path(), &["--grace", "0"], &program);
        supervisor.says("ready");
        if ends {
            supervisor.ended();
        }
        assert_eq!(supervisor.signal(Signal::TERM).code(), Some(code));
        let mut rest = String::new();
        supervisor.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "{script}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn orphans_are_reaped() {
    let folder = TempDir::new().unwrap();
    // The inner shell ends before its child, which then belongs to the supervisor.
    // A zombie stays in /proc until it is reaped.
    let script = "orphan=$(sh -c 'sleep 0 >/dev/null & echo $!'); n=0
        while [ -d /proc/$orphan ] && [ $n -lt 2000000 ]; do n=$((n + 1)); done
        [ ! -d /proc/$orphan ]";
    let mut supervisor = Supervisor::start(folder.path(), &[], &["sh", "-c", script]);
    assert_eq!(
        supervisor.ended(),
        "agentkube: the program ended with exit code 0"
    );
}

#[test]
fn a_program_that_cannot_be_started_failed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("not-executable");
    fs::write(&file, "").unwrap();
    for (program, code, why) in [
        ("/no/such/program", 127, "it was not found"),
        (file.to_str().unwrap(), 126, "it is not executable"),
    ] {
        let program = [program, "a secret goal"];
        let mut supervisor = Supervisor::start(folder.path(), &[], &program);
        let message = format!("the program could not be started: {why}");
        assert_eq!(supervisor.ended(), format!("agentkube: {message}"));
        let report = json!({"phase": "Failed", "exitCode": code, "message": message});
        assert_eq!(supervisor.status(), report);
    }
}

#[test]
fn a_container_that_is_started_again_does_not_run_the_program_again() {
    let folder = TempDir::new().unwrap();
    let runs = folder.path().join("runs");
    let script = format!("echo run >> {}; exit 4", runs.display());
    let state = folder.path().to_str().unwrap();
    let options = ["--state", state];
    for _ in 0..2 {
        let mut supervisor = Supervisor::start(folder.path(), &options, &["sh", "-c", &script]);
        assert!(supervisor.ended().ends_with("exit code 4"));
        assert_eq!(
            supervisor.status(),
            json!({"phase": "Failed", "exitCode": 4})
        );
    }
    // As if the first had been killed while the program ran.
    fs::remove_file(folder.path().join("result.json")).unwrap();
    let mut supervisor = Supervisor::start(folder.path(), &options, &["sh", "-c", &script]);
    assert!(
        supervisor
            .ended()
            .contains("started again while the program ran")
    );
    assert_eq!(supervisor.status()["phase"], "Failed");
    assert_eq!(fs::read_to_string(runs).unwrap(), "run\n");
}

#[test]
fn nothing_of_the_command_line_or_the_environment_is_told() {
    let folder = TempDir::new().unwrap();
    let program = ["sh", "-c", "exit 1", "a secret goal"];
    let mut supervisor = Supervisor::start(folder.path(), &[], &program);
    let mut told = supervisor.ended();
    told += &supervisor.status().to_string();
    told += &result(&folder).to_string();
    assert!(
        told.contains("exit code 1") && !told.contains("secret"),
        "{told}"
    );
}

#[test]
fn the_program_copies_itself_without_a_shell() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("agentkube");
    let run = |program: &Path, arguments: &[&str]| {
        Command::new(program).args(arguments).output().unwrap()
    };
    let ours = Path::new(env!("CARGO_BIN_EXE_agentkube"));
    // Twice: an init container may be started again.
    for _ in 0..2 {
        let done = run(ours, &["install-self", copy.to_str().unwrap()]);
        assert!(done.status.success(), "{done:?}");
    }
    assert_eq!(
        run(&copy, &["--version"]).stdout,
        run(ours, &["--version"]).stdout
    );
}
