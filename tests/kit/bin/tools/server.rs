//! The server: one message a line, one after the other.

use std::io::{self, BufRead, Lines, StdinLock, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio, exit, id};
use std::time::Duration;
use std::{env, fs, thread};

use serde_json::{Value, json};

/// Between two looks at a gate.
const LOOK: Duration = Duration::from_millis(20);

/// Where a gate is.
pub(crate) fn gate(name: &str) -> PathBuf {
    let home = env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from);
    home.join(format!("gate-{name}"))
}

/// The state of one process.
#[derive(Default)]
pub(crate) struct Server {
    calls: u64,
    questions: u64,
}

impl Server {
    /// Serves until stdin ends.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        let mut lines = io::stdin().lock().lines();
        while let Some(line) = lines.next() {
            let Ok(message) = serde_json::from_str::<Value>(&line?) else {
                continue;
            };
            let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) else {
                continue;
            };
            let answer = match method {
                "initialize" => json!({"result": {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {"listChanged": true}},
                    "serverInfo": {"name": "testkit-tools", "version": "1"},
                }}),
                "ping" => json!({"result": {}}),
                "tools/list" => json!({"result": {"tools": tools()}}),
                "tools/call" => self.call(&message["params"], &mut lines)?,
                _ => json!({"error": {"code": -32601, "message": "no such method"}}),
            };
            say(with(answer, id))?;
        }
        Ok(())
    }

    fn call(&mut self, params: &Value, lines: &mut Lines<StdinLock<'_>>) -> io::Result<Value> {
        self.calls += 1;
        let text = match params["name"].as_str().unwrap_or_default() {
            "whoami" => whoami().to_string(),
            "count" => self.calls.to_string(),
            "ask" => self.ask(lines)?,
            "wait" => {
                let gate = gate(params["arguments"]["gate"].as_str().unwrap_or("gate"));
                say(json!({
                    "method": "notifications/progress",
                    "params": {"progressToken": params["_meta"]["progressToken"], "progress": 1},
                }))?;
                while !gate.exists() {
                    thread::sleep(LOOK);
                }
                "opened".to_owned()
            }
            "linger" => linger()?.to_string(),
            "die" => exit(3),
            _ => return Ok(json!({"error": {"code": -32602, "message": "unknown tool"}})),
        };
        Ok(json!({"result": {"content": [{"type": "text", "text": text}]}}))
    }

    /// Asks the client for a name, and says what it answered.
    fn ask(&mut self, lines: &mut Lines<StdinLock<'_>>) -> io::Result<String> {
        self.questions += 1;
        let id = json!(format!("question-{}", self.questions));
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        say(json!({
            "id": id, "method": "elicitation/create",
            "params": {"message": "Who?", "requestedSchema": schema},
        }))?;
        for line in lines {
            let heard: Value = serde_json::from_str(&line?).unwrap_or_default();
            if heard["id"] == id {
                return Ok(heard["result"]["content"]["name"].to_string());
            }
        }
        Ok("nothing".to_owned())
    }
}

fn tools() -> Value {
    let names = ["ask", "count", "die", "linger", "wait", "whoami"];
    let tools = names.map(|name| json!({"name": name, "inputSchema": {"type": "object"}}));
    json!(tools)
}

/// What a program learns of where it runs.
fn whoami() -> Value {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let uid = uid.and_then(|ids| ids.split_whitespace().next());
    let written = fs::write(gate("written"), "");
    json!({
        "pid": id(),
        "host": fs::read_to_string("/etc/hostname").unwrap_or_default().trim(),
        "uid": uid,
        "home": env::var("HOME").ok(),
        "writes": {
            "home": written.is_ok(),
            "tmp": fs::write("/tmp/written", "").is_ok(),
            "root": fs::write("/written", "").is_ok(),
        },
    })
}

/// Leaves a process behind, in its own group; its id.
fn linger() -> io::Result<u32> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("linger").stdin(Stdio::null());
    // It keeps our pipes, as careless programs do.
    Ok(command.spawn()?.id())
}

fn with(mut answer: Value, id: &Value) -> Value {
    answer["id"] = id.clone();
    answer
}

fn say(mut message: Value) -> io::Result<()> {
    message["jsonrpc"] = json!("2.0");
    let mut out = io::stdout().lock();
    writeln!(out, "{message}")?;
    out.flush()
}
