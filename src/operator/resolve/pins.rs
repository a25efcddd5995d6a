//! Pins of several MCPs in one plan: those of each object are bounded, and so is their
//! sum, since a plan is one ConfigMap.

use agentkube_plan::{MAX_PIN_BYTES, PinSet, ProxyUpstream};

use super::{MissingRef, MissingWhat};

/// Takes the pins out that find no room, the object's own last. Their tools are new
/// then, and so blocked where pins block; which ones is said.
pub(super) fn bound(upstreams: &mut [ProxyUpstream]) -> Vec<MissingRef> {
    let mut room = MAX_PIN_BYTES;
    let mut missing = Vec::new();
    for own in [true, false] {
        for ProxyUpstream { name, pins, .. } in upstreams.iter_mut() {
            for set in pins.iter_mut().filter(|set| set.by.is_none() == own) {
                match room.checked_sub(set.bytes()) {
                    Some(left) => room = left,
                    None => missing.push(taken_out(name, set)),
                }
            }
        }
    }
    missing
}

fn taken_out(upstream: &str, set: &mut PinSet) -> MissingRef {
    set.seen = true;
    set.tools.clear();
    let whose = match &set.by {
        Some(by) => format!("those of MCP \"{by}\" do"),
        None => "its own do".to_owned(),
    };
    let why = format!(
        "too many pins for one plan, and {whose} not fit: its tools count as new; allow fewer, \
         or name fewer MCPs"
    );
    MissingRef {
        upstream: upstream.to_owned(),
        what: MissingWhat::Mcp("TooManyPins", why),
        by_plane: false,
    }
}
