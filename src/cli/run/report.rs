//! What `run` prints: lines for people on standard output with notes on
//! standard error, or JSON lines for scripts.

use agentkube_crds::Kind;
use serde_json::json;

use super::planes::{Change, Served};
use crate::cli::output::Output;

/// Prints in the form that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reporter(Output);

impl Reporter {
    pub(super) fn new(output: Output) -> Self {
        Self(output)
    }

    /// A warning, a denial, a remark: never on standard output.
    pub(super) fn note(&self, text: &str) {
        eprintln!("{text}");
    }

    /// An object passed admission.
    pub(super) fn admitted(&self, text: &str) {
        match self.0 {
            Output::Text => println!("{text}"),
            Output::Json => eprintln!("{text}"),
        }
    }

    /// What is served at the start, with something to paste.
    pub(super) fn served(&self, changes: &[Change]) {
        let all: Vec<&Served> = changes.iter().filter_map(Change::now_served).collect();
        for served in &all {
            self.remark(served);
        }
        match self.0 {
            Output::Json => all.iter().for_each(|served| println!("{}", row(served))),
            Output::Text => {
                println!();
                let width = all
                    .iter()
                    .map(|served| title(served).len())
                    .max()
                    .unwrap_or(0);
                for served in &all {
                    println!("{:width$}  {}", title(served), served.url);
                }
                for served in &all {
                    println!("\n{}", curl(served));
                }
                println!();
            }
        }
    }

    /// Everything listens.
    pub(super) fn ready(&self, admin: &str) {
        match self.0 {
            Output::Json => {
                println!("{}", json!({ "admin": admin }));
                println!("{}", json!({ "ready": true }));
            }
            Output::Text => println!("metrics at {admin}/metrics; Ctrl-C stops"),
        }
    }

    /// What a changed file changed.
    pub(super) fn reloaded(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Started(served) => {
                    self.remark(served);
                    self.note(&format!("started   {}  {}", title(served), served.url));
                }
                Change::Replaced(served) => {
                    self.note(&format!("reloaded  {}", title(served)));
                }
                Change::Kept(_) => {}
                Change::Stopped(served) => self.note(&format!("stopped   {}", title(served))),
            }
        }
    }

    /// A changed file is not good: the last good state stays.
    pub(super) fn kept(&self, message: &str) {
        self.note(&format!(
            "not reloaded, the last good state is still served: {message}"
        ));
    }

    /// The process drains.
    pub(super) fn stopping(&self) {
        self.note("stopping");
    }

    fn remark(&self, served: &Served) {
        if let Some(wanted) = served.instead_of {
            let port = served.address.port();
            self.note(&format!(
                "port {wanted} is taken: {} listens on {port}",
                title(served)
            ));
        }
        for ignored in &served.ignored_keys {
            self.note(&format!("Warning: {ignored}"));
        }
    }
}

/// `llmgateway platform/shared-gateway`.
fn title(served: &Served) -> String {
    format!(
        "{} {}/{}",
        served.kind.singular(),
        served.namespace,
        served.name
    )
}

fn row(served: &Served) -> serde_json::Value {
    json!({
        "kind": served.kind.as_str(),
        "namespace": served.namespace,
        "name": served.name,
        "url": served.url,
        "key": served.key,
    })
}

/// A request to paste into a shell.
fn curl(served: &Served) -> String {
    let key = match &served.key {
        Some(key) => format!(" -H 'authorization: Bearer {key}'"),
        None => String::new(),
    };
    let url = &served.url;
    let json = "-H 'content-type: application/json'";
    if served.kind == Kind::MCP {
        return format!(
            "curl -s {url}{key} {json} \\\n  -H 'accept: application/json, text/event-stream' \\\n  \
             -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}}'"
        );
    }
    let model = served.sample_model.as_deref().unwrap_or("MODEL");
    let message = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";
    if served.speaks_anthropic {
        return format!(
            "curl -s {url}/v1/messages{key} {json} -H 'anthropic-version: 2023-06-01' \\\n  \
             -d '{{\"model\":\"{model}\",\"max_tokens\":64,{message}}}'"
        );
    }
    format!(
        "curl -s {url}/v1/chat/completions{key} {json} \\\n  -d '{{\"model\":\"{model}\",{message}}}'"
    )
}
