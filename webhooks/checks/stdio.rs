//! What a `stdio` upstream needs in a cluster and not on a desk.

use agentkube_crds::Reason;

use super::Subject;
use crate::findings::Findings;

/// On this machine the server is a child process; in a cluster it is a
/// container of its own. The schema cannot know which.
pub(super) fn check(subject: &Subject<'_>, out: &mut Findings) {
    if subject.is_local() {
        return;
    }
    for upstream in subject.upstreams() {
        let stdio = upstream.get("stdio");
        if !stdio.is_set() {
            continue;
        }
        if stdio.get("image").is_empty() {
            let message = "a stdio server runs as a container of its own: name its image";
            out.error(&stdio.get("image"), Reason::Required, message);
        }
    }
}
