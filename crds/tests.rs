//! Manifests, one idea a file, and what is said about them. The first line of a refused one
//! says who refuses it and at which field; the API server gets the same files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Agent, FieldError, Kind, LLMGateway, MCP, check_cel, defaults, schema, unsupported};

struct Manifest {
    file: String,
    /// `cel: spec.port`, without the `# `.
    head: String,
    kind: Kind,
    object: Value,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/manifests")
        .join(name)
}

fn manifests(name: &str) -> Vec<Manifest> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} is empty");
    files.iter().map(|file| manifest(file)).collect()
}

fn manifest(file: &Path) -> Manifest {
    let text = std::fs::read_to_string(file).unwrap();
    let raw: Value = serde_saphyr::from_str(&text).unwrap();
    let kind = Kind::from_name(raw["kind"].as_str().unwrap()).unwrap();
    Manifest {
        file: file.file_name().unwrap().to_string_lossy().into_owned(),
        head: text
            .lines()
            .next()
            .unwrap()
            .trim_start_matches("# ")
            .to_owned(),
        kind,
        object: defaults(kind, &raw),
    }
}

impl Manifest {
    fn cel(&self) -> Vec<FieldError> {
        check_cel(self.kind, &self.object, None)
    }

    fn parse(&self) -> Result<(), Vec<FieldError>> {
        let one = |error| vec![error];
        match self.kind {
            Kind::Agent => {
                let agent = Agent::read(&self.object).map_err(one)?;
                agent.parse().map(|_| ())
            }
            Kind::LLMGateway => {
                let gateway = LLMGateway::read(&self.object).map_err(one)?;
                gateway.parse().map(|_| ())
            }
            Kind::MCP => {
                let mcp = MCP::read(&self.object).map_err(one)?;
                mcp.parse().map(|_| ())
            }
            Kind::AgentPolicy => Err(unsupported(self.kind, &self.object).0),
        }
    }
}

fn fields(errors: &[FieldError]) -> Vec<&str> {
    errors.iter().map(|error| error.field.as_str()).collect()
}

#[test]
fn what_is_accepted_parses() {
    for manifest in manifests("accepted") {
        assert_eq!(manifest.cel(), [], "{}", manifest.file);
        assert_eq!(manifest.parse(), Ok(()), "{}", manifest.file);
    }
}

#[test]
fn what_comes_later_is_legal_and_refused_as_unsupported() {
    for manifest in manifests("later") {
        let file = &manifest.file;
        assert_eq!(manifest.cel(), [], "{file}");
        let field = manifest.head.strip_prefix("field: ").unwrap();
        let (refused, _) = unsupported(manifest.kind, &manifest.object);
        assert_eq!(fields(&refused), [field], "{file}");
        assert!(
            fields(&manifest.parse().unwrap_err()).contains(&field),
            "{file}"
        );
    }
}

#[test]
fn what_cel_refuses_is_refused_at_its_field() {
    for manifest in manifests("refused") {
        let Some(field) = manifest.head.strip_prefix("cel: ") else {
            continue;
        };
        assert_eq!(fields(&manifest.cel()), [field], "{}", manifest.file);
    }
}

/// A rule by its expression and its message: the same rule may stand at several places.
type Rule = (String, String);

fn rules(schema: &Value) -> impl Iterator<Item = Rule> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rules
        .into_iter()
        .flatten()
        .map(move |rule| (text(&rule["rule"]), text(&rule["message"])))
}

/// Every rule of a schema, or those of the places that an object has.
fn collect(schema: &Value, object: Option<&Value>, found: &mut BTreeSet<Rule>) {
    found.extend(rules(schema));
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        match object.map(|object| object.get(name)) {
            None => collect(schema, None, found),
            Some(Some(value)) => collect(schema, Some(value), found),
            Some(None) => {}
        }
    }
    for keyword in ["items", "additionalProperties"] {
        let Some(schema) = schema.get(keyword) else {
            continue;
        };
        match object {
            None => collect(schema, None, found),
            Some(Value::Array(items)) => {
                items.iter().for_each(|it| collect(schema, Some(it), found));
            }
            Some(Value::Object(entries)) => {
                entries
                    .values()
                    .for_each(|it| collect(schema, Some(it), found));
            }
            Some(_) => {}
        }
    }
}

#[test]
fn every_rule_holds_for_one_manifest_and_fails_for_another() {
    let mut all = BTreeSet::new();
    for kind in Kind::ALL {
        collect(schema(kind), None, &mut all);
    }
    let mut held = BTreeSet::new();
    for manifest in manifests("accepted").iter().chain(&manifests("later")) {
        collect(schema(manifest.kind), Some(&manifest.object), &mut held);
    }
    let failed: BTreeSet<String> = manifests("refused")
        .iter()
        .flat_map(Manifest::cel)
        .map(|error| error.message)
        .collect();
    assert!(all.len() > 40, "there are {} rules", all.len());
    let never_held: Vec<_> = all.difference(&held).collect();
    assert!(never_held.is_empty(), "never held: {never_held:#?}");
    let never_failed: Vec<_> = all
        .iter()
        .filter(|rule| !failed.contains(&rule.1))
        .collect();
    assert!(never_failed.is_empty(), "never failed: {never_failed:#?}");
}

#[test]
fn the_message_of_every_rule_fits_into_a_warning() {
    let mut all = BTreeSet::new();
    for kind in Kind::ALL {
        collect(schema(kind), None, &mut all);
    }
    for (_, message) in all {
        assert!(message.len() <= 160, "{message}");
        assert!(
            !message.ends_with('.') && !message.contains('\n'),
            "{message}"
        );
    }
}
