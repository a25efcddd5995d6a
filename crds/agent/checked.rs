//! `Agent` → what its pod is made of.

use agentkube_plan::ObjectName;
use serde_json::Value;

use super::{Agent, AgentMode, AgentRuntime, AgentToken, ConfigMapKeyRef, Goal};
use crate::Kind;
use crate::admission::unsupported;
use crate::field::{FieldError, FieldPath, Reason};
use crate::shared::parse::{Errors, object_name, read, repeated};
use crate::shared::{EnvVar, ObjectRef, PodTemplate};

/// An `Agent` of which every value is legal and supported.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckedAgent {
    /// The object.
    pub object: ObjectName,
    /// The program.
    pub runtime: AgentRuntime,
    /// Its image, unless the installation names one.
    pub image: Option<String>,
    /// How often it runs.
    pub mode: AgentMode,
    /// Whether it waits to be started.
    pub paused: bool,
    /// What it shall do.
    pub goal: Option<CheckedGoal>,
    /// The model that it asks for, unless it is the gateway's.
    pub model: Option<String>,
    /// The gateway that it calls.
    pub gateway: Option<ObjectName>,
    /// The MCPs whose tools it may use.
    pub mcps: Vec<ObjectName>,
    /// A provider key of its own.
    pub token: Option<AgentToken>,
    /// More environment variables.
    pub env: Vec<EnvVar>,
    /// Replaces the runtime's command.
    pub command: Vec<String>,
    /// Replaces the runtime's arguments.
    pub args: Vec<String>,
    /// How its pod is scheduled and labelled.
    pub pod_template: PodTemplate,
}

/// What an agent shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckedGoal {
    /// In an entry of a ConfigMap.
    ConfigMapKey(ConfigMapKeyRef),
    /// In the object.
    Inline(String),
}

impl Agent {
    /// Reads the JSON of an object.
    ///
    /// # Errors
    /// The first field that has the wrong type.
    pub fn read(raw: &Value) -> Result<Self, FieldError> {
        read(Kind::Agent, raw)
    }

    /// Every value of the object, checked. An object that admission let through parses.
    ///
    /// # Errors
    /// Everything that is wrong, at its field path.
    pub fn parse(&self) -> Result<CheckedAgent, Vec<FieldError>> {
        let raw = serde_json::to_value(self).unwrap_or_default();
        let path = FieldPath::spec();
        let spec = &self.spec;
        let mut errors = Errors::default();
        errors.extend(unsupported(Kind::Agent, &raw).0);
        let goal = match &spec.goal {
            Some(goal) => errors.keep(goal.parse(&path.child("goal"))),
            None => None,
        };
        repeated(
            &path.child("mcpRefs"),
            spec.mcp_refs.iter().map(|it| it.name.as_str()),
            &mut errors,
        );
        for error in [
            self.cursor(&path),
            self.aider(&path),
            self.own_key(&path),
            self.program(&path),
        ] {
            errors.extend(error.into_iter().collect());
        }

        let object = object_name(&self.metadata);
        let named = |reference: &ObjectRef| ObjectName {
            namespace: match &reference.namespace {
                Some(namespace) => namespace.clone(),
                None => object.namespace.clone(),
            },
            name: reference.name.clone(),
        };
        errors.unless_found(Some(CheckedAgent {
            runtime: spec.runtime,
            image: spec.image.clone(),
            mode: spec.mode,
            paused: spec.paused,
            goal,
            model: spec.model.as_ref().map(|model| model.name.clone()),
            gateway: spec.llm_gateway_ref.as_ref().map(named),
            mcps: spec.mcp_refs.iter().map(named).collect(),
            token: spec.agent_token.clone(),
            env: spec.env.clone(),
            command: spec.command.clone(),
            args: spec.args.clone(),
            pod_template: spec.pod_template.clone().unwrap_or_default(),
            object: object.clone(),
        }))
    }

    fn cursor(&self, path: &FieldPath) -> Option<FieldError> {
        let wrong =
            self.spec.runtime == AgentRuntime::Cursor && self.spec.llm_gateway_ref.is_some();
        let message = "Cursor's CLI cannot be pointed at a gateway";
        wrong.then(|| FieldError::new(path.child("llmGatewayRef"), Reason::Forbidden, message))
    }

    fn aider(&self, path: &FieldPath) -> Option<FieldError> {
        let wrong = self.spec.runtime == AgentRuntime::Aider && !self.spec.mcp_refs.is_empty();
        let message = "Aider has no MCP client";
        wrong.then(|| FieldError::new(path.child("mcpRefs"), Reason::Forbidden, message))
    }

    /// What is supervised is started by us, so it has to be known.
    fn program(&self, path: &FieldPath) -> Option<FieldError> {
        let spec = &self.spec;
        if spec.mode != AgentMode::Supervised || !spec.command.is_empty() {
            return None;
        }
        let (field, message) = match (spec.runtime.command(), &spec.goal) {
            (Some(_), Some(_)) if spec.args.is_empty() => return None,
            (Some(_), None) if spec.args.is_empty() => (
                "goal",
                "mode supervised runs this runtime on a goal, once: write goal, or command",
            ),
            (Some(_) | None, _) => (
                "command",
                "mode supervised starts the program itself and cannot know the image's \
                 entrypoint: write command, or mode system",
            ),
        };
        Some(FieldError::new(
            path.child(field),
            Reason::Required,
            message,
        ))
    }

    fn own_key(&self, path: &FieldPath) -> Option<FieldError> {
        let wrong = self.spec.agent_token.is_some() && self.spec.llm_gateway_ref.is_some();
        let message = "an agent behind a gateway holds no provider key";
        wrong.then(|| FieldError::new(path.child("agentToken"), Reason::Forbidden, message))
    }
}

impl Goal {
    fn parse(&self, path: &FieldPath) -> Result<CheckedGoal, FieldError> {
        match (&self.inline, &self.config_map_key_ref) {
            (Some(goal), None) => Ok(CheckedGoal::Inline(goal.clone())),
            (None, Some(reference)) => Ok(CheckedGoal::ConfigMapKey(reference.clone())),
            (Some(_), Some(_)) => Err(FieldError::new(
                path.child("configMapKeyRef"),
                Reason::Forbidden,
                "write one goal: inline or configMapKeyRef, not both",
            )),
            (None, None) => Err(FieldError::new(
                path.child("inline"),
                Reason::Required,
                "write the goal: inline, or configMapKeyRef {name, key}",
            )),
        }
    }
}
