//! Tables: what is known → what is said.

use agentkube_plan::{DigestReport, LoadedDigest, PlanDigest, UpstreamReport};
use jiff::Timestamp;

use super::{Facts, Missing, NotApplied, Rollout, Statement, data_plane, dated, turned};

fn report(plan: &str, rejected: Option<&str>, credentials: bool) -> DigestReport {
    DigestReport {
        plan: LoadedDigest {
            digest: PlanDigest::of(plan.as_bytes()),
            rejected: rejected.map(str::to_owned),
        },
        clients: None,
        upstreams: vec![UpstreamReport {
            models: Vec::new(),
            name: "a".to_owned(),
            credentials,
            reachable: None,
            era: None,
            tools: None,
            unmatched_patterns: Vec::new(),
            unpinned: Vec::new(),
            unpinned_cut: false,
            message: None,
        }],
    }
}

fn rollout(ready: Vec<Result<DigestReport, String>>) -> Rollout {
    Rollout {
        wanted: 2,
        digest: PlanDigest::of(b"new").to_string(),
        pods: 2,
        waiting: None,
        ready: ready
            .into_iter()
            .enumerate()
            .map(|(i, it)| (format!("pod-{i}"), it))
            .collect(),
    }
}

fn said<'a>(all: &'a [Statement], type_: &str) -> (bool, &'a str) {
    let found = all
        .iter()
        .find(|statement| statement.type_ == type_)
        .unwrap();
    (found.status, found.reason)
}

#[test]
fn programmed_is_true_only_when_every_ready_replica_serves_this_plan() {
    let new = || Ok(report("new", None, true));
    let table = [
        (vec![new(), new()], (true, "Programmed")),
        (vec![new()], (true, "Programmed")),
        (vec![], (false, "NoReplicasReady")),
        (
            vec![new(), Ok(report("old", None, true))],
            (false, "Pending"),
        ),
        (
            vec![new(), Ok(report("new", Some("line 1"), true))],
            (false, "PlanRejected"),
        ),
        (
            vec![new(), Err("refused".to_owned())],
            (false, "Unreachable"),
        ),
    ];
    for (ready, expected) in table {
        let facts = Facts {
            rollout: rollout(ready.clone()),
            ..Facts::default()
        };
        let all = data_plane(&facts);
        assert_eq!(said(&all, "Programmed"), expected, "{ready:?}");
        assert_eq!(facts.rollout.is_programmed(), expected.0, "{ready:?}");
        assert!(
            !said(&all, "Ready").0 || expected.0,
            "ready without being programmed"
        );
    }
}

#[test]
fn ready_needs_all_replicas_and_one_upstream_with_credentials() {
    let with = |ready| {
        data_plane(&Facts {
            rollout: rollout(ready),
            ..Facts::default()
        })
    };
    let (good, bare) = (
        || Ok(report("new", None, true)),
        || Ok(report("new", None, false)),
    );
    assert_eq!(said(&with(vec![good(), good()]), "Ready"), (true, "Ready"));
    assert_eq!(said(&with(vec![good()]), "Ready"), (false, "Scaling"));
    assert_eq!(
        said(&with(vec![bare(), bare()]), "Ready"),
        (false, "NoUsableUpstream")
    );
    assert_eq!(said(&with(vec![]), "Ready"), (false, "NoReplicasReady"));
}

#[test]
fn what_stands_in_the_way_is_named() {
    let good = || vec![Ok(report("new", None, true)), Ok(report("new", None, true))];
    let base = || Facts {
        rollout: rollout(good()),
        ..Facts::default()
    };
    let missing = Missing {
        upstream: "a".to_owned(),
        reason: "SecretNotFound",
        message: "Secret \"k\" does not exist".to_owned(),
    };
    let taken = NotApplied {
        reason: "NameTaken",
        message: "Service \"x-llm\" exists".to_owned(),
    };
    let mut zero = base();
    zero.rollout.wanted = 0;
    let mut waiting = Facts {
        rollout: rollout(vec![]),
        ..Facts::default()
    };
    waiting.rollout.waiting = Some("Pod p: not scheduled: no nodes".to_owned());
    let table = [
        (
            Facts {
                invalid: vec!["spec.x: bad".to_owned()],
                ..base()
            },
            "Accepted",
            "Invalid",
            "spec.x: bad",
        ),
        (
            Facts {
                invalid: vec!["spec.x: bad".to_owned()],
                ..base()
            },
            "Programmed",
            "Invalid",
            "last valid one",
        ),
        (
            Facts {
                missing: vec![missing],
                ..base()
            },
            "ResolvedRefs",
            "SecretNotFound",
            "\"k\"",
        ),
        (
            Facts {
                not_applied: Some(taken),
                ..base()
            },
            "Programmed",
            "NameTaken",
            "x-llm",
        ),
        (
            Facts {
                unenforced: vec!["spec.rateLimit"],
                ..base()
            },
            "Enforced",
            "NotImplemented",
            "spec.rateLimit",
        ),
        (
            Facts {
                ignored_clients: vec!["Secret \"s\"".to_owned()],
                ..base()
            },
            "ClientsAccepted",
            "KeysIgnored",
            "\"s\"",
        ),
        (zero, "Programmed", "ScaledToZero", "0"),
        (
            waiting,
            "Programmed",
            "NoReplicasReady",
            "0 of 2 Pods are ready: Pod p: not scheduled",
        ),
    ];
    for (facts, type_, reason, text) in table {
        let all = data_plane(&facts);
        let found = all
            .iter()
            .find(|statement| statement.type_ == type_)
            .unwrap();
        assert_eq!((found.status, found.reason), (false, reason));
        assert!(found.message.contains(text), "{}", found.message);
    }
}

#[test]
fn a_condition_that_is_only_sometimes_there_is_absent_when_all_is_well() {
    let all = data_plane(&Facts {
        rollout: rollout(vec![]),
        ..Facts::default()
    });
    let types: Vec<_> = all.iter().map(|statement| statement.type_).collect();
    assert_eq!(types, ["Accepted", "ResolvedRefs", "Programmed", "Ready"]);
}

#[test]
fn the_transition_time_moves_only_with_the_status() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let no = |reason, message: &str| vec![Statement::no("Ready", reason, message)];
    let first = dated(no("A", "one"), &[], Some(1), at(100));
    let second = dated(no("B", "two"), &first, Some(2), at(200));
    assert_eq!(second[0].last_transition_time.0, at(100), "still False");
    assert_eq!(
        (second[0].reason.as_str(), second[0].observed_generation),
        ("B", Some(2))
    );
    let third = dated(
        vec![Statement::yes("Ready", "C", "")],
        &second,
        Some(2),
        at(300),
    );
    assert_eq!(third[0].last_transition_time.0, at(300));
    assert!(turned(&first, &second).is_empty());
    assert_eq!(turned(&second, &third).len(), 1);
}

#[test]
fn times_survive_the_round_trip_through_the_api() {
    let now: Timestamp = "2026-01-01T00:00:00.987654321Z".parse().unwrap();
    let conditions = dated(vec![Statement::yes("Ready", "Ready", "")], &[], None, now);
    let text = serde_json::to_string(&conditions).unwrap();
    let read: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> =
        serde_json::from_str(&text).unwrap();
    assert_eq!(read, conditions, "else every look would be a write");
}

#[test]
fn a_new_object_is_announced_only_for_what_its_author_must_mend() {
    let all = vec![
        Statement::yes("Accepted", "Valid", ""),
        Statement::no("ResolvedRefs", "SecretNotFound", ""),
        Statement::no("Programmed", "NoReplicasReady", ""),
    ];
    let conditions = dated(all, &[], None, Timestamp::UNIX_EPOCH);
    let types: Vec<_> = turned(&[], &conditions)
        .iter()
        .map(|it| it.type_.clone())
        .collect();
    assert_eq!(types, ["ResolvedRefs"]);
}
