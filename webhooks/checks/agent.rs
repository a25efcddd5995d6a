//! What an Agent asks of its installation and of its gateway. What a runtime
//! can and cannot do is CEL's.

use agentkube_crds::{Kind, Reason};

use super::Subject;
use super::grants::target;
use super::models::Catalog;
use crate::findings::Findings;
use crate::node::Node;
use crate::wire::{PROVIDER_KEYS, names_for};

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    image(subject, out);
    model(subject, out);
    environment(&subject.spec(), out);
    runtime_files(&subject.spec(), out);
}

fn image(subject: &Subject<'_>, out: &mut Findings) {
    let spec = subject.spec();
    let node = spec.get("image");
    let Some(runtime) = spec.get("runtime").text() else {
        return;
    };
    let known = subject.install.runtime_images.as_ref();
    if !node.is_empty() || known.is_some_and(|images| images.contains(runtime)) {
        return;
    }
    let value = format!("runtimes.{runtime}.image");
    if known.is_none() {
        let message = format!("needed unless the installation sets {value}");
        out.warn(&node, Reason::Required, message);
    } else {
        let message = format!(
            "name the image that holds the program: this installation does not set {value} \
             (--runtime-image {runtime}=IMAGE of the operator)"
        );
        out.error(&node, Reason::Required, message);
    }
}

/// The model against what the gateway serves, when the gateway is known.
fn model(subject: &Subject<'_>, out: &mut Findings) {
    let spec = subject.spec();
    let node = spec.get("model").get("name");
    let Some(model) = node.text().filter(|model| !model.is_empty()) else {
        return;
    };
    let Some(target) = target(subject, &spec.get("llmGatewayRef"), Kind::LLMGateway) else {
        return;
    };
    let Some(gateway) = subject.lookup.gateway(&target.namespace, &target.name) else {
        return;
    };
    let Ok(served) = serde_json::to_value(&gateway.spec) else {
        return;
    };
    let catalog = Catalog::read(&Node::root(&served));
    if !catalog.resolves(model) {
        let message = format!(
            "LLMGateway \"{}/{}\" neither serves nor maps {model:?}",
            target.namespace, target.name
        );
        out.error(&node, Reason::NotFound, message).suggestion = catalog.suggestion(model);
    }
}

/// What the wiring will do about variables that are written here.
fn environment(spec: &Node<'_>, out: &mut Findings) {
    let gateway = spec.get("llmGatewayRef").is_set();
    let refs = spec.get("mcpRefs");
    let names: Vec<&str> = refs
        .items()
        .filter_map(|item| item.get("name").text())
        .collect();
    let ours = names_for(gateway, names.into_iter());
    for item in spec.get("env").items() {
        let node = item.get("name");
        let Some(name) = node.text() else { continue };
        if gateway && PROVIDER_KEYS.contains(&name) {
            let message = format!("{name} would bypass the gateway: it is taken out of the pod");
            out.warn(&node, Reason::Forbidden, message);
        } else if ours.iter().any(|own| own == name) {
            let message = format!("{name} is kept as written, so it does not come from agentkube");
            out.warn(&node, Reason::Forbidden, message);
        }
    }
}

/// Programs that read files of their own, which are not written yet: what they
/// are wired to does not reach them.
fn runtime_files(spec: &Node<'_>, out: &mut Findings) {
    let node = spec.get("runtime");
    let Some(runtime) = node.text() else { return };
    let (model, tools) = match runtime {
        "Codex" | "OpenCode" | "Goose" | "Cline" => (true, true),
        "ClaudeCode" | "Cursor" => (false, true),
        _ => (false, false),
    };
    let unreached = match (
        model && spec.get("llmGatewayRef").is_set(),
        tools && !spec.get("mcpRefs").is_empty(),
    ) {
        (true, _) => "the gateway",
        (false, true) => "its MCPs",
        (false, false) => return,
    };
    let message = format!(
        "{runtime}'s own configuration file is not written yet: it does not find {unreached}"
    );
    out.warn(&node, Reason::NotSupported, message);
}
