//! A minimal agent for test Pods: it calls the model and the tools that it was
//! wired to, and prints what came of it.
//!
//! ```text
//! agentkube-testkit-agent [--messages MODEL] [--tool NAME]… [--stay]
//! ```
//!
//! `OPENAI_*`, `ANTHROPIC_*`, `AGENTKUBE_MODEL` and the file that
//! `AGENTKUBE_MCP_CONFIG` names are read as the wiring left them. Each call is one
//! line, `{"call", "status", "body"}`. Nothing is tried twice: the first answer
//! counts. Where there is no key but a file with a token, that is read. Exit code 0 when every answer was a success.
//!
//! `--messages` also calls Anthropic's Messages with that model, `--tool` calls a
//! tool of every MCP, `--stay` waits for SIGTERM afterwards, as an agent does that
//! runs for ever.

mod client;

use std::process::ExitCode;
use std::{env, fs, io};

use client::{Answer, post};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

type Error = Box<dyn std::error::Error>;

#[derive(Default)]
struct Arguments {
    messages: Option<String>,
    tools: Vec<String>,
    stays: bool,
}

/// One MCP of `mcp.json`.
struct Server {
    name: String,
    url: String,
    headers: Vec<(String, String)>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let arguments = arguments()?;
    let mut terminated = signal(SignalKind::terminate())?;
    let well = tokio::select! {
        well = work(&arguments) => well?,
        _ = terminated.recv() => return Ok(ExitCode::SUCCESS),
    };
    if arguments.stays && well {
        terminated.recv().await;
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn arguments() -> Result<Arguments, Error> {
    let mut found = Arguments::default();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--messages" => found.messages = words.next(),
            "--tool" => found.tools.extend(words.next()),
            "--stay" => found.stays = true,
            other => return Err(format!("unknown argument {other:?}").into()),
        }
    }
    Ok(found)
}

/// True when every call was answered with success.
async fn work(arguments: &Arguments) -> Result<bool, Error> {
    let mut well = print("chat", &chat().await?);
    if let Some(model) = &arguments.messages {
        well &= print("messages", &messages(model).await?);
    }
    for server in servers()? {
        well &= tools(&server, &arguments.tools).await?;
    }
    Ok(well)
}

async fn chat() -> Result<Answer, Error> {
    let url = format!("{}/chat/completions", variable("OPENAI_BASE_URL")?);
    let key = bearer("OPENAI_API_KEY", "AGENTKUBE_LLM_TOKEN_FILE")?;
    let body = json!({
        "model": variable("AGENTKUBE_MODEL")?,
        "messages": [{"role": "user", "content": "Hello?"}],
    });
    Ok(post(&url, &[("authorization", &key)], &body).await?)
}

async fn messages(model: &str) -> Result<Answer, Error> {
    let url = format!("{}/v1/messages", variable("ANTHROPIC_BASE_URL")?);
    let key = bearer("ANTHROPIC_AUTH_TOKEN", "AGENTKUBE_LLM_TOKEN_FILE")?;
    let headers = [
        ("authorization", key.as_str()),
        ("anthropic-version", "2023-06-01"),
    ];
    let body = json!({
        "model": model,
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hello?"}],
    });
    Ok(post(&url, &headers, &body).await?)
}

/// Greets a server, lists its tools and calls some.
async fn tools(server: &Server, names: &[String]) -> Result<bool, Error> {
    let hello = json!({
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "agentkube-testkit-agent", "version": "1"},
    });
    let mut well = true;
    let mut calls = vec![("initialize", hello), ("tools/list", json!({}))];
    for name in names {
        let arguments = json!({"message": "from a Pod"});
        calls.push(("tools/call", json!({"name": name, "arguments": arguments})));
    }
    for (id, (method, params)) in calls.into_iter().enumerate() {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let headers = server
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut headers: Vec<_> = headers.collect();
        headers.push(("accept", "application/json, text/event-stream"));
        if method != "initialize" {
            headers.push(("mcp-protocol-version", "2025-06-18"));
        }
        let answer = post(&server.url, &headers, &message).await?;
        let what = params_name(&message).unwrap_or_default();
        let call = format!("{} {method} {what}", server.name);
        well &= print(call.trim_end(), &answer);
    }
    Ok(well)
}

fn params_name(message: &Value) -> Option<&str> {
    message["params"]["name"].as_str()
}

/// The servers of `mcp.json`; none when nothing was wired.
fn servers() -> Result<Vec<Server>, Error> {
    let Ok(path) = env::var("AGENTKUBE_MCP_CONFIG") else {
        return Ok(Vec::new());
    };
    let config: Value = serde_json::from_slice(&fs::read(path)?)?;
    let entries = config["mcpServers"].as_object().ok_or("no mcpServers")?;
    entries.iter().map(server).collect()
}

fn server((name, entry): (&String, &Value)) -> Result<Server, Error> {
    let url = entry["url"].as_str().ok_or("a server without url")?;
    let headers = entry["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| {
        Ok((
            name.to_lowercase(),
            expanded(value.as_str().unwrap_or_default())?,
        ))
    });
    let mut headers = headers.collect::<Result<Vec<_>, Error>>()?;
    let prefix = name.to_uppercase().replace('-', "_");
    let file = format!("AGENTKUBE_MCP_{prefix}_TOKEN_FILE");
    if headers.is_empty() && env::var(&file).is_ok() {
        headers.push(("authorization".to_owned(), bearer("", &file)?));
    }
    Ok(Server {
        name: name.clone(),
        url: url.to_owned(),
        headers,
    })
}

/// A key from the environment, else a token from the file that it names.
fn bearer(key: &str, file: &str) -> Result<String, Error> {
    let secret = match (env::var(key), env::var(file)) {
        (Err(_), Ok(file)) => fs::read_to_string(file)?,
        _ => variable(key)?,
    };
    Ok(format!("Bearer {}", secret.trim()))
}

/// Puts the values of `${VARIABLE}`s in, as MCP clients do.
fn expanded(text: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("`${` without `}`")?;
        out.push_str(before);
        out.push_str(&variable(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn variable(name: &str) -> Result<String, Error> {
    env::var(name).map_err(|_| format!("{name} is not set").into())
}

fn print(call: &str, answer: &Answer) -> bool {
    let line = json!({"call": call, "status": answer.status, "body": answer.body});
    println!("{line}");
    answer.status == 200
}

/// What a client says that read no answer.
fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
