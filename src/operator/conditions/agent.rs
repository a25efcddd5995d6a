//! Phase and conditions of an Agent.

use agentkube_crds::agent::{AgentPhase, RunResult};
use agentkube_webhooks::wire::Wired;

use super::{NotApplied, Statement};
use crate::shapes::PodShape;

/// Everything that is said of an Agent is made from this.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AgentFacts<'a> {
    pub(crate) paused: bool,
    /// Why the spec cannot be run.
    pub(crate) invalid: Option<&'a str>,
    /// What its Pod is given; none when the spec is invalid.
    pub(crate) wired: Option<&'a Wired>,
    /// Why children could not be written.
    pub(crate) not_applied: Option<&'a NotApplied>,
    /// Its Pod.
    pub(crate) pod: Option<&'a PodShape>,
    /// How the one run of this generation ended.
    pub(crate) result: Option<&'a RunResult>,
    /// True when the supervisor says that the program runs.
    pub(crate) running: bool,
    /// Why the supervisor cannot be asked.
    pub(crate) silent: Option<&'a str>,
}

impl AgentFacts<'_> {
    /// Where it is in its life.
    pub(crate) fn phase(&self) -> AgentPhase {
        match (self.result, self.pod) {
            _ if self.paused => AgentPhase::Paused,
            (Some(result), _) if result.succeeded() => AgentPhase::Succeeded,
            (Some(_), _) => AgentPhase::Failed,
            (None, Some(pod)) if self.running || pod.is_ready() => AgentPhase::Running,
            (None, _) => AgentPhase::Pending,
        }
    }

    /// The conditions, in a fixed order.
    pub(crate) fn statements(&self) -> Vec<Statement> {
        let accepted = match self.invalid {
            None => Statement::yes("Accepted", "Valid", "the spec is valid"),
            Some(why) => Statement::no("Accepted", "Invalid", why),
        };
        let wired = self.wired();
        let ready = self.ready(&accepted, &wired);
        vec![accepted, wired, ready]
    }

    fn wired(&self) -> Statement {
        let Some(wired) = self.wired else {
            return Statement::no("Wired", "Invalid", "the spec is not valid");
        };
        if !wired.errors.is_empty() {
            let why: Vec<_> = wired.errors.iter().map(ToString::to_string).collect();
            return Statement::no("Wired", "Refused", why.join("; "));
        }
        match &wired.wiring {
            Some(wiring) => Statement::yes("Wired", "Wired", format!("to {}", wiring.wired_by())),
            None => Statement::yes("Wired", "NothingToWire", "it names no gateway and no MCP"),
        }
    }

    fn ready(&self, accepted: &Statement, wired: &Statement) -> Statement {
        let no = |reason, message: String| Statement::no("Ready", reason, message);
        if !accepted.status {
            return no(accepted.reason, accepted.message.clone());
        }
        if let Some(failed) = self.not_applied {
            return no(failed.reason, failed.message.clone());
        }
        if self.paused {
            return no("Paused", "set spec.paused to false to start it".to_owned());
        }
        if let Some(result) = self.result {
            let reason = if result.succeeded() {
                "Succeeded"
            } else {
                "Failed"
            };
            return no(reason, told(result));
        }
        match (self.pod, self.silent) {
            (Some(pod), Some(why)) if pod.why_not_ready().is_none() => no(
                "Unreachable",
                format!("its Pod runs, but the status port does not answer: {why}"),
            ),
            (Some(pod), _) if pod.is_ready() => Statement::yes("Ready", "Running", "its Pod runs"),
            _ if !wired.status => no("NotWired", wired.message.clone()),
            (Some(pod), _) => {
                let why = pod.why_not_ready();
                no(
                    "NotRunning",
                    why.unwrap_or_else(|| "its Pod is not ready".to_owned()),
                )
            }
            (None, _) => no("NotRunning", "its Pod was not created yet".to_owned()),
        }
    }
}

fn told(result: &RunResult) -> String {
    match (&result.message, result.signal, result.exit_code) {
        (Some(message), _, _) => message.clone(),
        (None, Some(signal), _) => format!("its program was ended by signal {signal}"),
        (None, None, Some(code)) => format!("its program ended with exit code {code}"),
        (None, None, None) => "its program ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use agentkube_crds::{FieldError, Reason};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::{Value, json};

    use super::*;

    fn pod(ready: &str, state: Value) -> PodShape {
        let container = json!({ "name": "agent", "state": state });
        serde_json::from_value(json!({
            "metadata": { "name": "a-0" },
            "status": {
                "phase": "Running", "containerStatuses": [container],
                "conditions": [{ "type": "Ready", "status": ready }],
            },
        }))
        .unwrap()
    }

    fn result(exit_code: i32, signal: Option<i32>, message: Option<&str>) -> RunResult {
        RunResult {
            generation: 1,
            exit_code: Some(exit_code),
            signal,
            finished_at: Time(jiff::Timestamp::UNIX_EPOCH),
            message: message.map(str::to_owned),
        }
    }

    fn wired(errors: Vec<FieldError>) -> Wired {
        Wired {
            pod: Value::Null,
            wiring: None,
            errors,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_is_known_decides_phase_and_readiness() {
        let good = wired(vec![]);
        let refused = wired(vec![FieldError::new("spec.x", Reason::NotFound, "gone")]);
        let (ready, starting) = (pod("True", json!({})), pod("False", json!({})));
        let crashing = pod(
            "False",
            json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
        );
        let (well, ill) = (result(0, None, None), result(3, None, None));
        let killed = result(137, Some(9), None);
        let unknown = result(127, None, Some("it was not found"));
        let base = AgentFacts {
            wired: Some(&good),
            ..AgentFacts::default()
        };
        let with = |pod| AgentFacts {
            pod: Some(pod),
            ..base
        };
        let ended = |result| AgentFacts {
            result: Some(result),
            ..base
        };
        use AgentPhase::{Failed, Paused, Pending, Running, Succeeded};
        for (facts, phase, reason, message) in [
            (base, Pending, "NotRunning", "not created yet"),
            (
                AgentFacts {
                    paused: true,
                    ..with(&ready)
                },
                Paused,
                "Paused",
                "spec.paused",
            ),
            (with(&ready), Running, "Running", "its Pod runs"),
            (with(&starting), Pending, "NotRunning", "is not ready"),
            (with(&crashing), Pending, "NotRunning", "CrashLoopBackOff"),
            (
                AgentFacts {
                    running: true,
                    ..with(&starting)
                },
                Running,
                "NotRunning",
                "not ready",
            ),
            (
                AgentFacts {
                    silent: Some("refused"),
                    ..with(&ready)
                },
                Running,
                "Unreachable",
                "refused",
            ),
            (
                AgentFacts {
                    silent: Some("refused"),
                    ..with(&crashing)
                },
                Pending,
                "NotRunning",
                "Crash",
            ),
            (
                AgentFacts {
                    wired: Some(&refused),
                    ..base
                },
                Pending,
                "NotWired",
                "spec.x: gone",
            ),
            (ended(&well), Succeeded, "Succeeded", "exit code 0"),
            (ended(&ill), Failed, "Failed", "exit code 3"),
            (ended(&killed), Failed, "Failed", "signal 9"),
            (ended(&unknown), Failed, "Failed", "not found"),
            // Its Pod may be there or gone, ready or not: it ended.
            (
                AgentFacts {
                    pod: Some(&ready),
                    ..ended(&well)
                },
                Succeeded,
                "Succeeded",
                "",
            ),
        ] {
            let said = facts.statements();
            let found = said.iter().find(|it| it.type_ == "Ready").unwrap();
            assert_eq!((facts.phase(), found.reason), (phase, reason), "{facts:?}");
            assert_eq!(found.status, reason == "Running");
            assert!(found.message.contains(message), "{}", found.message);
        }
    }
}
