//! What only a change can be wrong about.

use serde_json::Value;

use agentkube_crds::Reason;

use crate::findings::Findings;
use crate::node::Node;

/// The port is part of every URL that was handed out.
pub(crate) fn port_changed(old: &Value, new: &Value, out: &mut Findings) {
    let port = |object| Node::root(object).get("spec").get("port").number();
    if let (Some(before), Some(after)) = (port(old), port(new))
        && before != after
    {
        let node = Node::root(new).get("spec").get("port");
        let message = format!(
            "was {before}: agents roll; other wired Pods keep the old port until they are replaced"
        );
        out.warn(&node, Reason::Invalid, message);
    }
}
