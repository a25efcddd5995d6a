//! Secret values for `run`: from the manifests and from `--secret`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cli::manifest::Manifest;

/// `--secret NAMESPACE/NAME/KEY=ENV_VAR` or `…=@FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretFlag {
    namespace: String,
    name: String,
    key: String,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Environment(String),
    File(PathBuf),
}

impl FromStr for SecretFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write NAMESPACE/NAME/KEY=ENV_VAR or NAMESPACE/NAME/KEY=@FILE";
        let (target, source) = text.split_once('=').ok_or(FORM)?;
        let [namespace, name, key] = target.splitn(3, '/').collect::<Vec<_>>()[..] else {
            return Err(FORM.to_owned());
        };
        if [namespace, name, key, source]
            .iter()
            .any(|part| part.is_empty())
        {
            return Err(FORM.to_owned());
        }
        let source = match source.strip_prefix('@') {
            Some(file) => Source::File(file.into()),
            None => Source::Environment(source.to_owned()),
        };
        let own = str::to_owned;
        Ok(Self {
            namespace: own(namespace),
            name: own(name),
            key: own(key),
            source,
        })
    }
}

impl fmt::Display for SecretFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.key)
    }
}

impl SecretFlag {
    /// Namespace of the Secret.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Name of the Secret.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Entry in the Secret.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    fn value(&self) -> Result<Vec<u8>, String> {
        match &self.source {
            Source::Environment(name) => std::env::var(name)
                .map(String::into_bytes)
                .map_err(|_| format!("--secret {self}: environment variable {name} is not set")),
            Source::File(file) => fs::read(file)
                .map_err(|error| format!("--secret {self}: {}: {error}", file.display())),
        }
    }
}

/// Secret values by namespace, name and key. Never printed.
#[derive(Clone, Default)]
pub(crate) struct SecretValues(BTreeMap<(String, String), BTreeMap<String, Vec<u8>>>);

impl SecretValues {
    /// Values of the Secrets among the manifests, `--secret` over them.
    ///
    /// # Errors
    /// A value that cannot be decoded or read, named by its Secret and key.
    pub(crate) fn gather(manifests: &[Manifest], flags: &[SecretFlag]) -> Result<Self, String> {
        let mut values = Self::default();
        for manifest in manifests.iter().filter(|found| is_secret(found)) {
            values.add_manifest(manifest)?;
        }
        for flag in flags {
            let at = (flag.namespace.clone(), flag.name.clone());
            values
                .0
                .entry(at)
                .or_default()
                .insert(flag.key.clone(), flag.value()?);
        }
        Ok(values)
    }

    fn add_manifest(&mut self, manifest: &Manifest) -> Result<(), String> {
        let (namespace, name) = (manifest.namespace(), manifest.name());
        let entries = self
            .0
            .entry((namespace.to_owned(), name.to_owned()))
            .or_default();
        for (key, value) in texts(&manifest.object, "data") {
            let value = STANDARD
                .decode(value)
                .map_err(|_| format!("Secret {namespace}/{name}: data[{key}] is not base64"))?;
            entries.insert(key.to_owned(), value);
        }
        // As the API server does: stringData wins over data.
        for (key, value) in texts(&manifest.object, "stringData") {
            entries.insert(key.to_owned(), value.as_bytes().to_vec());
        }
        Ok(())
    }

    /// The entries of one Secret.
    pub(crate) fn entries(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<&BTreeMap<String, Vec<u8>>> {
        self.0.get(&(namespace.to_owned(), name.to_owned()))
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({} Secrets)", self.0.len())
    }
}

fn is_secret(manifest: &Manifest) -> bool {
    manifest.kind() == "Secret" && manifest.api_version() == "v1"
}

fn texts<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let entries = object
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_names_a_secret_a_key_and_a_source() {
        let flag: SecretFlag = "team-a/pat/token=GITHUB_TOKEN".parse().unwrap();
        assert_eq!(flag.source, Source::Environment("GITHUB_TOKEN".to_owned()));
        assert_eq!(flag.to_string(), "team-a/pat/token");
        let file: SecretFlag = "team-a/pat/token=@/run/token".parse().unwrap();
        assert_eq!(file.source, Source::File("/run/token".into()));
        for wrong in ["team-a/pat=X", "team-a/pat/token", "//token=X", "a/b/c="] {
            assert!(wrong.parse::<SecretFlag>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_missing_variable_is_named_and_no_value_is_printed() {
        let flag: SecretFlag = "a/b/c=AGENTKUBE_TEST_UNSET_VARIABLE".parse().unwrap();
        assert!(
            flag.value()
                .unwrap_err()
                .contains("AGENTKUBE_TEST_UNSET_VARIABLE is not set")
        );
        let mut values = SecretValues::default();
        values
            .0
            .entry(("a".into(), "b".into()))
            .or_default()
            .insert("c".into(), b"hush".to_vec());
        assert_eq!(format!("{values:?}"), "SecretValues(1 Secrets)");
    }
}
