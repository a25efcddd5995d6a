//! The generated definitions: equal to the checked-in files, bounded, described.

use std::path::PathBuf;

use super::*;

fn golden(kind: Kind) -> PathBuf {
    let file = format!("{}_{}.yaml", crate::GROUP, kind.plural());
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("yaml")
        .join(file)
}

/// `UPDATE_GOLDEN=1 cargo test -p agentkube-crds` writes the files anew.
#[test]
fn the_checked_in_yaml_is_what_the_types_say() {
    for kind in Kind::ALL {
        let path = golden(kind);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, yaml_of(kind)).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            file == yaml_of(kind),
            "{} is stale: run UPDATE_GOLDEN=1 cargo test -p agentkube-crds",
            path.display()
        );
    }
}

#[test]
fn the_yaml_reads_back_as_the_definition() {
    for kind in Kind::ALL {
        let read: Value = serde_saphyr::from_str(&yaml_of(kind)).unwrap();
        assert_eq!(read, to_value(&crd(kind)), "{kind}");
    }
    assert_eq!(yaml().matches("kind: CustomResourceDefinition").count(), 4);
}

/// Visits every schema with its path.
fn each(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        each(schema, &format!("{path}.{name}"), visit);
    }
    for (keyword, step) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(schema) = schema.get(keyword) {
            each(schema, &format!("{path}{step}"), visit);
        }
    }
}

fn each_of_all(mut visit: impl FnMut(&str, &Value)) {
    for kind in Kind::ALL {
        each(open_api_schema(kind), kind.as_str(), &mut visit);
    }
}

#[test]
fn every_string_list_and_map_is_bounded() {
    each_of_all(|path, schema| {
        let bound = match schema["type"].as_str() {
            Some("string") if schema.get("enum").is_none() && schema.get("format").is_none() => {
                "maxLength"
            }
            Some("array") => "maxItems",
            Some("object") if schema.get("additionalProperties").is_some() => "maxProperties",
            _ => return,
        };
        assert!(schema.get(bound).is_some(), "{path} has no {bound}");
    });
}

#[test]
fn every_field_is_described_in_one_line() {
    each_of_all(|path, schema| {
        if path.ends_with(['}', ']']) {
            return;
        }
        let description = schema["description"].as_str().unwrap_or_default();
        assert!(description.len() > 3, "{path} is not described");
        assert!(
            !description.replace("\n\n", "").contains('\n'),
            "{path} is broken into lines"
        );
    });
}

#[test]
fn every_schema_is_structural() {
    each_of_all(|path, schema| {
        let typed = schema.get("type").is_some()
            || schema["x-kubernetes-int-or-string"] == Value::Bool(true);
        assert!(typed, "{path} has no type");
        for keyword in [
            "$ref", "oneOf", "anyOf", "allOf", "not", "nullable", "title",
        ] {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}");
        }
        let format = schema["format"].as_str().unwrap_or("int32");
        assert!(
            ["int32", "int64", "date-time"].contains(&format),
            "{path} has format {format}"
        );
    });
}

/// YAML 1.1 reads `on`, `off`, `yes` and `no` as booleans.
#[test]
fn no_value_and_no_key_is_a_boolean_of_yaml_1_1() {
    let boolean = |word: &str| {
        ["on", "off", "yes", "no", "y", "n", "true", "false"]
            .contains(&word.to_ascii_lowercase().as_str())
    };
    each_of_all(|path, schema| {
        let name = path.rsplit('.').next().unwrap_or_default();
        assert!(!boolean(name), "{path}");
        for value in schema["enum"].as_array().into_iter().flatten() {
            assert!(!boolean(value.as_str().unwrap()), "{path}: {value}");
        }
    });
}

#[test]
fn definitions_say_what_kubectl_needs() {
    for (kind, short, scaled) in [
        (Kind::Agent, Some("ag"), false),
        (Kind::AgentPolicy, Some("agpol"), false),
        (Kind::LLMGateway, Some("llmgw"), true),
        (Kind::MCP, None, true),
    ] {
        let crd = crd(kind);
        let names = &crd.spec.names;
        assert_eq!(names.plural, kind.plural());
        assert_eq!(names.singular.as_deref(), Some(kind.singular()));
        assert_eq!(names.categories, Some(vec!["agentkube".to_owned()]));
        assert_eq!(
            names
                .short_names
                .iter()
                .flatten()
                .next()
                .map(String::as_str),
            short
        );
        assert_eq!(crd.spec.scope == "Namespaced", kind.namespaced());
        let subresources = crd.spec.versions[0].subresources.as_ref().unwrap();
        assert!(subresources.status.is_some(), "{kind}");
        assert_eq!(subresources.scale.is_some(), scaled, "{kind}");
    }
}
