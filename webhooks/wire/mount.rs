//! A volume that every container of a Pod gets, at a place of its own.

use agentkube_crds::{FieldError, Reason};
use serde_json::{Map, Value, json};

use crate::findings::Findings;

/// A volume of ours and where it is mounted.
pub(super) struct Mount<'a> {
    /// Name of the volume.
    pub(super) volume: &'static str,
    /// What it is made of, spelled with what the API server would fill in, so that a
    /// second call finds what the first one left.
    pub(super) source: Value,
    /// By which part of it a volume of that name is known to be ours (JSON pointer).
    pub(super) known_by: &'static str,
    /// The directory.
    pub(super) at: &'static str,
    /// What lies in it, for warnings.
    pub(super) what: &'a str,
}

impl Mount<'_> {
    /// Adds the volume. One that the user put there wins.
    pub(super) fn add_volume(&self, pod: &mut Value, found: &mut Findings) {
        let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
            return;
        };
        let Some(volumes) = list(spec, "volumes") else {
            return;
        };
        let name = json!(self.volume);
        match volumes.iter().position(|it| it.get("name") == Some(&name)) {
            None => {
                let mut volume = Map::from_iter([("name".to_owned(), name)]);
                volume.extend(self.source.as_object().cloned().unwrap_or_default());
                volumes.push(Value::Object(volume));
            }
            Some(index) => {
                let theirs = volumes
                    .get(index)
                    .and_then(|volume| volume.pointer(self.known_by));
                if theirs != self.source.pointer(self.known_by) {
                    let (what, at) = (self.what, self.at);
                    let message =
                        format!("is kept as written, so {at}/{what} does not come from agentkube");
                    let field = format!("spec.volumes[{index}]");
                    found
                        .warnings
                        .push(FieldError::new(field, Reason::Forbidden, message));
                }
            }
        }
    }

    /// Mounts it. A mount of the user's wins.
    pub(super) fn add_mount(
        &self,
        container: &mut Map<String, Value>,
        path: &str,
        found: &mut Findings,
    ) {
        let Some(mounts) = list(container, "volumeMounts") else {
            return;
        };
        let taken = mounts.iter().position(|mount| {
            let path = mount.get("mountPath").and_then(Value::as_str);
            path.is_some_and(|path| self.covers(path))
        });
        match taken {
            None => {
                mounts.push(json!({"name": self.volume, "mountPath": self.at, "readOnly": true}));
            }
            Some(index) => {
                let name = mounts.get(index).and_then(|mount| mount.get("name"));
                if name != Some(&json!(self.volume)) {
                    let (what, at) = (self.what, self.at);
                    let field = format!("{path}.volumeMounts[{index}]");
                    let message = format!("is kept, so {what} is not at {at} in this container");
                    found
                        .warnings
                        .push(FieldError::new(field, Reason::Forbidden, message));
                }
            }
        }
    }

    /// True for our directory and everything in it.
    fn covers(&self, mount: &str) -> bool {
        let mount = mount.trim_end_matches('/');
        mount == self.at
            || mount
                .strip_prefix(self.at)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

fn list<'a>(object: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Vec<Value>> {
    let list = object.entry(field).or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut()
}
