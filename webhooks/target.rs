//! What an Agent or a Pod is wired to: a gateway or an MCP, found and admitted.

use agentkube_crds::shared::{AllowedNamespaces, AuthMode};
use agentkube_crds::{Kind, LLMGateway, MCP, names};

use crate::grant::{Grant, admits, missing_grant};
use crate::lookup::Lookup;

/// Name of a gateway or an MCP.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetRef {
    /// `LLMGateway` or `MCP`.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A gateway or an MCP that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub reference: TargetRef,
    /// Where it answers: a gateway's base without a path, an MCP's endpoint.
    pub url: String,
    /// How callers prove who they are.
    pub auth: AuthMode,
    /// What a gateway answers with when no model is asked for.
    pub default_model: Option<String>,
}

/// What became of looking for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is there and admits the namespace.
    Usable(Target),
    /// There is no such object.
    Missing,
    /// It does not admit the namespace; the text says which grant is missing.
    Refused(String),
    /// Whether it admits the namespace cannot be decided from what is known.
    Undecided(Target),
}

impl TargetRef {
    /// `llmgateway platform/shared-gateway`, as `wired-by` and `lint` print it.
    #[must_use]
    pub fn printed(&self) -> String {
        format!("{} {}/{}", self.kind.singular(), self.namespace, self.name)
    }

    /// Looks for the target on behalf of a namespace.
    #[must_use]
    pub fn find(&self, from: &str, lookup: &dyn Lookup) -> Found {
        let found = match self.kind {
            Kind::LLMGateway => lookup.gateway(&self.namespace, &self.name).map(|gateway| {
                let target = self.gateway(&gateway);
                (gateway.spec.allowed_namespaces.clone(), target)
            }),
            Kind::MCP => lookup.mcp(&self.namespace, &self.name).map(|mcp| {
                let target = self.mcp(&mcp);
                (mcp.spec.allowed_namespaces.clone(), target)
            }),
            Kind::Agent | Kind::AgentPolicy => None,
        };
        match found {
            None => Found::Missing,
            Some((allowed, target)) => self.granted(&allowed, target, from, lookup),
        }
    }

    fn granted(
        &self,
        allowed: &AllowedNamespaces,
        target: Target,
        from: &str,
        lookup: &dyn Lookup,
    ) -> Found {
        // The labels are asked for only when they matter: a miss costs a read.
        let plain = admits(allowed, &self.namespace, from, None);
        let grant = match plain {
            Grant::Given | Grant::Refused => plain,
            Grant::Undecided => admits(
                allowed,
                &self.namespace,
                from,
                lookup.namespace(from).as_ref(),
            ),
        };
        match grant {
            Grant::Given => Found::Usable(target),
            Grant::Undecided => Found::Undecided(target),
            Grant::Refused => Found::Refused(missing_grant(allowed, from)),
        }
    }

    fn gateway(&self, gateway: &LLMGateway) -> Target {
        Target {
            reference: self.clone(),
            url: self.service_url(gateway.spec.port),
            auth: gateway.spec.auth.mode,
            default_model: gateway.spec.routing.default_model.clone(),
        }
    }

    fn mcp(&self, mcp: &MCP) -> Target {
        Target {
            reference: self.clone(),
            url: self.service_url(mcp.spec.port),
            auth: mcp.spec.auth.mode,
            default_model: None,
        }
    }

    /// Ends in `.svc` and not in a cluster domain, which we cannot know; the
    /// search list of every Pod completes it.
    fn service_url(&self, port: u16) -> String {
        names::service_url(self.kind, &self.namespace, &self.name, port)
    }
}
