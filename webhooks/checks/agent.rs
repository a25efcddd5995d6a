//! What an Agent asks of its installation and of its gateway. What a runtime
//! can and cannot do is CEL's.

use agentkube_crds::{Kind, Reason};

use super::Subject;
use super::grants::target;
use super::models::Catalog;
use crate::findings::Findings;
use crate::node::Node;
use crate::wire::PROVIDER_KEYS;

pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    image(subject, out);
    model(subject, out);
    provider_keys(&subject.spec(), out);
}

fn image(subject: &Subject<'_>, out: &mut Findings) {
    let spec = subject.spec();
    let node = spec.get("image");
    let Some(runtime) = spec.get("runtime").text() else {
        return;
    };
    if !node.is_empty() || subject.install.runtime_images.contains(runtime) {
        return;
    }
    let value = format!("runtimes.{runtime}.image");
    if subject.is_local() {
        let message = format!("needed unless the install sets {value}");
        out.warn(&node, Reason::Required, message);
    } else {
        let message = format!("name the image that has the CLI; this install does not set {value}");
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

fn provider_keys(spec: &Node<'_>, out: &mut Findings) {
    if !spec.get("llmGatewayRef").is_set() {
        return;
    }
    for item in spec.get("env").items() {
        let name = item.get("name");
        if let Some(key) = name.text().filter(|key| PROVIDER_KEYS.contains(key)) {
            let message = format!("{key} would bypass the gateway: it is taken out of the pod");
            out.warn(&name, Reason::Forbidden, message);
        }
    }
}
