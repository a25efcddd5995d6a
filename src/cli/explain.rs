//! `agentkube explain`: how a Pod or an Agent would be wired.

use std::path::PathBuf;
use std::process::ExitCode;

use agentkube_crds::{Agent, FieldError, Kind, keys};
use agentkube_plan::ObjectName;
use agentkube_webhooks::wire::{
    Missing, Source, Variable, Wants, WireRequest, Wired, is_wired, wire,
};
use agentkube_webhooks::{FileIndex, Lookup as _, TargetRef};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::manifest::{Manifest, load};
use super::offline::pod_of;
use super::output::Output;
use super::process::failure;

/// Arguments of `agentkube explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  agentkube explain pod examples/wired-pod

The files hold the Pod (or a workload with a template) and what it is wired to.")]
pub(crate) struct ExplainArgs {
    /// What to explain
    #[arg(value_enum)]
    subject: Subject,
    /// Manifest files, or directories of them
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// Every Pod and Pod template
    Pod,
    /// Every Agent
    Agent,
}

/// Prints the wiring of every subject; exit code 1 when one is refused.
pub(crate) fn main(args: &ExplainArgs) -> ExitCode {
    let manifests = match load(&args.paths) {
        Ok(manifests) => manifests,
        Err(found) => {
            let lines = found
                .iter()
                .map(|it| format!("{}:{}: {}", it.file.display(), it.position.line, it.message));
            return failure(&lines.collect::<Vec<_>>().join("\nerror: "));
        }
    };
    let index = FileIndex::from_objects(manifests.iter().map(|found| &found.object));
    let explained: Vec<Explained> = manifests
        .iter()
        .filter_map(|found| explain(args.subject, found, &index))
        .collect();
    if explained.is_empty() {
        return failure(match args.subject {
            Subject::Pod => "no Pod and no workload in these files",
            Subject::Agent => "no Agent in these files",
        });
    }
    match args.output {
        Output::Text => explained.iter().for_each(Explained::print),
        Output::Json => {
            println!(
                "{:#}",
                Value::Array(explained.iter().map(Explained::to_json).collect())
            );
        }
    }
    let refused = explained.iter().any(|it| !it.wired.errors.is_empty());
    ExitCode::from(u8::from(refused))
}

struct Explained {
    object: String,
    wired: Wired,
    /// Why it is not wired at all, when it is not.
    unwired: Option<&'static str>,
}

fn explain(subject: Subject, manifest: &Manifest, index: &FileIndex) -> Option<Explained> {
    let namespace = manifest.namespace();
    let object = format!(
        "{} {namespace}/{}",
        manifest.kind().to_lowercase(),
        manifest.name()
    );
    let missing = Missing::Denied;
    match subject {
        Subject::Pod => {
            let (pod, _) = pod_of(&manifest.object)?;
            let is_wired = is_wired(pod, index.namespace(namespace).as_ref());
            let request = WireRequest {
                namespace,
                pod,
                wants: Wants::Annotated,
                missing,
            };
            let unwired = (!is_wired).then_some(
                "not wired: neither it nor its namespace carries the label agentkube.io/wire: \"true\"",
            );
            let wired = if is_wired {
                wire(&request, index)
            } else {
                untouched(pod)
            };
            Some(Explained {
                object,
                wired,
                unwired,
            })
        }
        Subject::Agent => {
            let ours = manifest.api_version() == agentkube_crds::API_VERSION;
            let agent = ours && manifest.kind() == Kind::Agent.as_str();
            agent.then(|| Explained::of_agent(object, &manifest.object, namespace, index))
        }
    }
}

fn untouched(pod: &Value) -> Wired {
    Wired {
        pod: pod.clone(),
        wiring: None,
        errors: Vec::new(),
        warnings: Vec::new(),
    }
}

impl Explained {
    fn of_agent(object: String, raw: &Value, namespace: &str, index: &FileIndex) -> Self {
        let checked = Agent::read(raw).map_err(|error| vec![error]);
        let checked = match checked.and_then(|agent| agent.parse()) {
            Ok(checked) => checked,
            Err(errors) => {
                return Self {
                    object,
                    wired: Wired {
                        errors,
                        ..untouched(raw)
                    },
                    unwired: None,
                };
            }
        };
        let target = |kind| {
            move |of: ObjectName| TargetRef {
                kind,
                namespace: of.namespace,
                name: of.name,
            }
        };
        let gateway = checked.gateway.map(target(Kind::LLMGateway));
        let mcps: Vec<TargetRef> = checked.mcps.into_iter().map(target(Kind::MCP)).collect();
        let nothing = gateway.is_none() && mcps.is_empty();
        let pod = json!({
            "spec": {
                "serviceAccountName": checked.object.name,
                "containers": [{ "name": "agent", "env": checked.env }],
            },
        });
        let wants = Wants::Agent {
            gateway,
            mcps,
            model: checked.model,
            runtime: checked.runtime,
        };
        let request = WireRequest {
            namespace,
            pod: &pod,
            wants,
            missing: Missing::Denied,
        };
        let unwired = nothing.then_some("not wired: it names neither llmGatewayRef nor mcpRefs");
        Self {
            object,
            wired: wire(&request, index),
            unwired,
        }
    }

    fn print(&self) {
        println!("{}", self.object);
        if let Some(why) = self.unwired {
            println!("  {why}");
        }
        let said = |severity: &str, found: &[FieldError]| {
            found
                .iter()
                .for_each(|finding| println!("  {severity}: {finding}"));
        };
        said("error", &self.wired.errors);
        said("warning", &self.wired.warnings);
        let Some(wiring) = &self.wired.wiring else {
            return;
        };
        println!("  as client  {}", wiring.client);
        println!("  wired to   {}", wiring.wired_by());
        let width = wiring
            .env
            .iter()
            .map(|variable| variable.name.len())
            .max()
            .unwrap_or(0);
        for variable in &wiring.env {
            println!("  {:width$}  {}", variable.name, source(variable));
        }
        if let Some(config) = &wiring.mcp_json {
            println!("  /etc/agentkube/mcp.json  {config}");
        }
    }

    fn to_json(&self) -> Value {
        let rows = |found: &[FieldError]| -> Vec<Value> {
            found
                .iter()
                .map(|it| json!({ "field": it.field, "message": it.message }))
                .collect()
        };
        let wiring = self.wired.wiring.as_ref().map(|wiring| {
            json!({
                "client": wiring.client,
                "wiredBy": wiring.wired_by(),
                "env": wiring.env.iter().map(Variable::to_json).collect::<Vec<_>>(),
                "mcpJson": wiring.mcp_json,
            })
        });
        json!({
            "object": self.object,
            "wiring": wiring,
            "errors": rows(&self.wired.errors),
            "warnings": rows(&self.wired.warnings),
        })
    }
}

/// Where a variable's value comes from; a key is named, never shown.
fn source(variable: &Variable) -> String {
    match &variable.source {
        Source::Text(value) => value.clone(),
        Source::KeyIn(secret) => format!("(Secret {secret:?}, key {:?})", keys::API_KEY),
    }
}
