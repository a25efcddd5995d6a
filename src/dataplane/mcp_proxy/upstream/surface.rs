//! What of an upstream clients see, and under which names.

use std::borrow::Cow;

use agentkube_mcp::method::ListKind;
use agentkube_mcp::{Access, Grant, Namer, ToolFilter};
use agentkube_plan::{
    NamePrefix, ProxyPlan, ProxyUpstream, Through, ToolFilter as Planned, ToolGrant,
};

/// The way of an item's name from the upstream to our clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mcp_proxy) struct Surface {
    /// On the upstream's own names; every one must let a tool through.
    filters: Vec<ToolFilter>,
    /// The MCPs that we stand in for, the nearest to the upstream first.
    levels: Vec<Level>,
    /// Our own names.
    namer: Namer,
}

/// What an MCP that we stand in for would make of the names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    namer: Namer,
    filter: ToolFilter,
    client: String,
    access: Access,
}

impl Surface {
    pub(super) fn new(plan: &ProxyPlan, upstream: &ProxyUpstream) -> Self {
        let max_length = plan.tool_names.max_length as usize;
        let levels = upstream.through.as_deref();
        // The tools of another MCP keep the names that it gave them.
        let bare = levels.is_some() || !prefixes(plan);
        Self {
            filters: upstream.tools.iter().map(filter).collect(),
            levels: levels.unwrap_or_default().iter().map(level).collect(),
            namer: if bare {
                Namer::bare(max_length)
            } else {
                Namer::prefixed(&upstream.name, max_length)
            },
        }
    }

    /// The name that clients see; `None` for a tool that is kept from them.
    pub(super) fn expose<'n>(&self, kind: ListKind, name: &'n str) -> Option<Cow<'n, str>> {
        let is_tool = match kind {
            ListKind::Resources | ListKind::Templates => return Some(Cow::Borrowed(name)),
            ListKind::Prompts => false,
            ListKind::Tools => true,
        };
        if is_tool && !self.filters.iter().all(|filter| filter.admits(name)) {
            return None;
        }
        let mut exposed = Cow::Borrowed(name);
        for level in &self.levels {
            exposed = step(&level.namer, exposed);
            if is_tool && !level.admits(&exposed) {
                return None;
            }
        }
        Some(step(&self.namer, exposed))
    }

    /// False when no item of the upstream is exposed so.
    pub(in crate::mcp_proxy) fn could_expose(&self, exposed: &str) -> bool {
        self.namer.could_expose(exposed)
    }

    /// True when a filter may hide a tool.
    pub(in crate::mcp_proxy) fn hides_tools(&self) -> bool {
        let all = |filter: &ToolFilter| *filter == ToolFilter::All;
        let open = |level: &Level| all(&level.filter) && level.access.is_open();
        !(self.filters.iter().all(all) && self.levels.iter().all(open))
    }

    /// Patterns of this object's own spec that match none of the upstream's
    /// tools.
    pub(super) fn unmatched(&self, names: &[String]) -> Vec<String> {
        let (last, inner) = match self.levels.split_last() {
            None => {
                let filters = self.filters.iter();
                let unmatched = filters.flat_map(|filter| filter.unmatched(names));
                return unmatched.map(str::to_owned).collect();
            }
            Some(levels) => levels,
        };
        let inner = Self {
            filters: self.filters.clone(),
            levels: inner.to_vec(),
            namer: last.namer.clone(),
        };
        let names: Vec<_> = names
            .iter()
            .filter_map(|name| inner.expose(ListKind::Tools, name))
            .collect();
        last.filter.unmatched(&names).map(str::to_owned).collect()
    }
}

impl Level {
    fn admits(&self, exposed: &str) -> bool {
        self.filter.admits(exposed) && self.access.of(&self.client).admits(exposed)
    }
}

fn step<'n>(namer: &Namer, name: Cow<'n, str>) -> Cow<'n, str> {
    match name {
        Cow::Borrowed(name) => namer.expose(name),
        Cow::Owned(name) => Cow::Owned(namer.expose(&name).into_owned()),
    }
}

fn level(through: &Through) -> Level {
    let max_length = through.max_length as usize;
    Level {
        namer: match &through.prefix {
            Some(prefix) => Namer::prefixed(prefix, max_length),
            None => Namer::bare(max_length),
        },
        filter: filter(&through.tools),
        client: through.client.clone(),
        access: access(&through.access),
    }
}

/// The grants of a plan.
pub(in crate::mcp_proxy) fn access(grants: &[ToolGrant]) -> Access {
    let grants = grants.iter();
    grants
        .map(|grant| Grant::new(&grant.clients, &grant.tools))
        .collect()
}

fn filter(planned: &Planned) -> ToolFilter {
    match planned {
        Planned::All => ToolFilter::All,
        Planned::Allow(patterns) => ToolFilter::allow(patterns.iter().cloned()),
        Planned::Deny(patterns) => ToolFilter::deny(patterns.iter().cloned()),
    }
}

/// Whether tools carry the names of their upstreams.
fn prefixes(plan: &ProxyPlan) -> bool {
    match plan.tool_names.prefix {
        NamePrefix::Always => true,
        NamePrefix::Auto => plan.upstreams.len() > 1,
        NamePrefix::Never => false,
    }
}
