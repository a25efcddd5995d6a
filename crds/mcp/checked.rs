//! `MCP` → what a proxy can serve.

use agentkube_plan::{
    ClientAuth, NamePrefix, ObjectName, ProxyLimits, ProxyPlan, ProxyUpstream, RELAY_PORT,
    SessionKeys, ToolGrant, ToolNames,
};
use serde_json::Value;

use super::checked_upstream::CheckedUpstream;
use super::pins::Pins;
use super::settings::MESSAGE_BYTES;
use super::{AccessRule, MCP, McpLimits, NamePrefixPolicy, ToolNamesSpec, ToolPinning};
use crate::admission::unsupported;
use crate::field::{FieldError, FieldPath, Reason};
use crate::shared::parse::{Errors, not_empty, object_name, read, repeated};
use crate::shared::{AllowedNamespaces, PodTemplate};
use crate::{Kind, names};

/// An `MCP` of which every value is legal and supported.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedMcp {
    /// The object.
    pub object: ObjectName,
    /// Port of the Service.
    pub port: u16,
    /// Data-plane pods.
    pub replicas: u32,
    /// The tool servers, in the order of the spec.
    pub upstreams: Vec<CheckedUpstream>,
    /// How tools of several servers are told apart.
    pub tool_names: ToolNames,
    /// Which client may use which tools. Empty: every client all of them.
    pub access: Vec<ToolGrant>,
    /// Names for the Host and Origin checks: the Service's, then those of the spec.
    pub hosts: Vec<String>,
    /// Bounds of one replica.
    pub limits: ProxyLimits,
    /// What becomes of tools whose definition changes.
    pub tool_pinning: ToolPinning,
    /// What they are held to, by the object's status.
    pub pins: Pins,
    /// Who may call.
    pub auth: ClientAuth,
    /// Whose agents and MCPs may use it.
    pub allowed_namespaces: AllowedNamespaces,
    /// How its pods are scheduled and labelled.
    pub pod_template: PodTemplate,
}

impl CheckedMcp {
    /// The plan of its data plane, with what its upstreams were found to be.
    #[must_use]
    pub fn plan(&self, upstreams: Vec<ProxyUpstream>) -> ProxyPlan {
        ProxyPlan {
            object: self.object.clone(),
            upstreams,
            tool_names: self.tool_names,
            access: self.access.clone(),
            hosts: self.hosts.clone(),
            limits: self.limits,
            session_keys: Some(SessionKeys::of(&names::session_keys(&self.object.name))),
            alone: self.replicas == 1,
            peers: self.peers(),
            auth: self.auth,
        }
    }

    /// Where the replicas find each other, when there are several.
    fn peers(&self) -> Vec<String> {
        let ObjectName { namespace, name } = &self.object;
        let several = self.replicas > 1;
        let host = several.then(|| names::peers_host(namespace, name));
        host.map(|host| format!("{host}:{RELAY_PORT}"))
            .into_iter()
            .collect()
    }

    /// The prefix of the tool names of an upstream, where they have one.
    #[must_use]
    pub fn prefix(&self, upstream: &str) -> Option<String> {
        let prefixed = match self.tool_names.prefix {
            NamePrefix::Always => true,
            NamePrefix::Auto => self.upstreams.len() > 1,
            NamePrefix::Never => false,
        };
        prefixed.then(|| upstream.to_owned())
    }
}

impl MCP {
    /// Reads the JSON of an object.
    ///
    /// # Errors
    /// The first field that has the wrong type.
    pub fn read(raw: &Value) -> Result<Self, FieldError> {
        read(Kind::MCP, raw)
    }

    /// Every value of the object, checked. An object that admission let through parses.
    ///
    /// # Errors
    /// Everything that is wrong, at its field path.
    pub fn parse(&self) -> Result<CheckedMcp, Vec<FieldError>> {
        let raw = serde_json::to_value(self).unwrap_or_default();
        let spec = FieldPath::spec();
        let mut errors = Errors::default();
        errors.extend(unsupported(Kind::MCP, &raw).0);

        let path = spec.child("upstreams");
        not_empty(&path, &self.spec.upstreams, &mut errors);
        repeated(
            &path,
            self.spec.upstreams.iter().map(|it| it.name.as_str()),
            &mut errors,
        );
        let object = object_name(&self.metadata);
        let mut upstreams = Vec::new();
        for (index, upstream) in self.spec.upstreams.iter().enumerate() {
            upstreams.push(upstream.parse(&object.namespace, &path.index(index), &mut errors));
        }
        let upstreams: Option<Vec<CheckedUpstream>> = upstreams.into_iter().collect();
        let limits = self.spec.limits.parse(&spec.child("limits"), &mut errors);

        let checked = || {
            Some(CheckedMcp {
                port: self.spec.port,
                replicas: self.spec.replicas,
                upstreams: upstreams?,
                tool_names: self.spec.tool_names.parse(),
                access: self.spec.access.iter().map(AccessRule::grant).collect(),
                hosts: self.hosts(&object),
                limits: limits?,
                tool_pinning: self.spec.tool_pinning,
                pins: Pins::of(self.status.as_ref()),
                auth: self.spec.auth.mode.into(),
                allowed_namespaces: self.spec.allowed_namespaces.clone(),
                pod_template: self.spec.pod_template.clone().unwrap_or_default(),
                object,
            })
        };
        let checked = checked();
        errors.unless_found(checked)
    }

    fn hosts(&self, object: &ObjectName) -> Vec<String> {
        let mut hosts = names::service_hosts(Kind::MCP, &object.namespace, &object.name);
        for host in &self.spec.hosts {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }
}

impl AccessRule {
    fn grant(&self) -> ToolGrant {
        ToolGrant {
            clients: self.clients.clone(),
            tools: self.tools.clone(),
        }
    }
}

impl ToolNamesSpec {
    fn parse(&self) -> ToolNames {
        ToolNames {
            prefix: match self.prefix {
                NamePrefixPolicy::Always => NamePrefix::Always,
                NamePrefixPolicy::Auto => NamePrefix::Auto,
                NamePrefixPolicy::Never => NamePrefix::Never,
            },
            max_length: self.max_length,
        }
    }
}

impl McpLimits {
    fn parse(&self, path: &FieldPath, errors: &mut Errors) -> Option<ProxyLimits> {
        let field = path.child("messageBytes");
        let message_bytes = errors.keep(self.message_bytes.parse(&field).and_then(|bytes| {
            let error = || FieldError::new(field.as_str(), Reason::Invalid, MESSAGE_BYTES);
            (1 << 10..=1 << 30)
                .contains(&bytes)
                .then_some(bytes)
                .ok_or_else(error)
        }));
        let session_idle = errors.keep(self.session_idle.parse(&path.child("sessionIdle")));
        Some(ProxyLimits {
            message_bytes: message_bytes?,
            concurrent_calls: self.concurrent_calls,
            sessions: self.sessions,
            session_idle: session_idle?,
        })
    }
}

#[cfg(test)]
mod tests;
