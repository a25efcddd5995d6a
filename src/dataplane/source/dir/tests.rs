//! Mounted files as the kubelet swaps them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use agentkube_plan::{GatewayPlan, PlanDigest, SecretEntry};
use http::HeaderMap;
use tempfile::TempDir;

use super::DirSource;

const PLAN: &str = r#"{
    "object": {"namespace": "platform", "name": "shared-gateway"},
    "upstreams": [{
        "name": "anthropic", "provider": "anthropic", "baseUrl": "https://api.anthropic.com",
        "credentials": {"from": "apiKey", "secret": {"name": "anthropic-key", "key": "api-key"}},
        "models": ["claude-*"], "priority": 1, "weight": 1,
        "timeouts": {"connect": 5000, "firstToken": 60000, "idle": 60000}
    }],
    "routing": {
        "unknownModel": "reject",
        "retries": {"attempts": 2, "retryOn": []},
        "breaker": {"failures": 5, "window": 30000, "cooldown": 30000}
    },
    "auth": "apikey"
}"#;

/// Puts a file into a volume as the kubelet does: a new directory, then `..data`
/// swapped onto it by one rename.
fn mount(volume: &Path, file: &str, contents: &str) {
    fs::create_dir_all(volume).unwrap();
    let generation = fs::read_dir(volume).unwrap().count();
    let data = format!("..gen-{generation}");
    fs::create_dir(volume.join(&data)).unwrap();
    fs::write(volume.join(&data).join(file), contents).unwrap();
    symlink(&data, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    let visible = volume.join(file);
    if visible.symlink_metadata().is_err() {
        symlink(Path::new("..data").join(file), visible).unwrap();
    }
}

struct Mounts(TempDir);

impl Mounts {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn plan(&self, text: &str) {
        mount(&self.0.path().join("plan"), "plan.json", text);
    }

    fn clients(&self, text: &str) {
        mount(&self.0.path().join("clients"), "clients.json", text);
    }

    fn secret(&self, text: &str) {
        mount(
            &self.0.path().join("secrets/anthropic-key"),
            "api-key",
            text,
        );
    }

    fn source(&self) -> DirSource<GatewayPlan> {
        DirSource::open(self.0.path())
    }
}

fn entry() -> SecretEntry {
    SecretEntry {
        name: "anthropic-key".to_owned(),
        key: "api-key".to_owned(),
    }
}

fn secret(source: &DirSource<GatewayPlan>) -> Option<Vec<u8>> {
    let loaded = source.watch().current()?;
    Some(loaded.secrets.get(&entry())?.expose().to_vec())
}

#[test]
fn a_plan_that_comes_later_is_loaded_then() {
    let mounts = Mounts::new();
    let mut source = mounts.source();
    assert!(source.watch().current().is_none());
    assert!(source.watch().rejected().unwrap().contains("plan.json"));
    mounts.plan(PLAN);
    source.poll();
    let loaded = source.watch().current().unwrap();
    assert_eq!(loaded.digest, PlanDigest::of(PLAN.as_bytes()));
    assert_eq!(loaded.plan.upstreams[0].name, "anthropic");
}

#[test]
fn a_swap_is_seen_each_time() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    let mut source = mounts.source();
    for port in ["a", "b", "c"] {
        let text = PLAN.replace("shared-gateway", port);
        mounts.plan(&text);
        source.poll();
        let loaded = source.watch().current().unwrap();
        assert_eq!(loaded.plan.object.name, port);
        assert_eq!(loaded.digest, PlanDigest::of(text.as_bytes()));
    }
}

#[test]
fn the_last_good_plan_is_kept_and_the_reason_told() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    let mut source = mounts.source();
    for (bad, reason) in [
        ("{", "EOF"),
        (&*PLAN.replace("\"auth\"", "\"auht\""), "auht"),
        (
            &*PLAN.replace("https://", "ftp://"),
            "neither http nor https",
        ),
    ] {
        mounts.plan(bad);
        source.poll();
        let watch = source.watch();
        let loaded = watch.current().unwrap();
        let report = watch.report(&loaded, Vec::new());
        assert_eq!(report.plan.digest, PlanDigest::of(PLAN.as_bytes()));
        let told = report.plan.rejected.unwrap();
        assert!(told.contains(reason), "{told}");
    }
    mounts.plan(PLAN);
    source.poll();
    assert_eq!(
        source
            .watch()
            .report(&source.watch().current().unwrap(), vec![])
            .plan
            .rejected,
        None
    );
}

#[test]
fn nothing_is_published_when_nothing_changed() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    mounts.secret("a");
    let mut source = mounts.source();
    let mut watch = source.watch();
    watch.take();
    source.poll();
    assert!(!watch.0.has_changed().unwrap());
    // Swapped, with the same bytes.
    mounts.plan(PLAN);
    mounts.secret("a\n");
    source.poll();
    assert!(!watch.0.has_changed().unwrap());
}

#[test]
fn secrets_come_go_and_rotate_without_their_newline() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    let mut source = mounts.source();
    assert_eq!(secret(&source), None);
    mounts.secret("first\n");
    source.poll();
    assert_eq!(secret(&source).unwrap(), b"first");
    mounts.secret("second\r\n");
    source.poll();
    assert_eq!(secret(&source).unwrap(), b"second");
    mounts.secret("\n");
    source.poll();
    assert_eq!(secret(&source), None, "an empty value is none");
}

#[test]
fn a_secret_that_cannot_be_read_now_is_still_there() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    mounts.secret("first");
    let mut source = mounts.source();
    let file = mounts.0.path().join("secrets/anthropic-key/api-key");
    // Reading fails, and not because nothing is there.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    source.poll();
    assert_eq!(secret(&source).unwrap(), b"first");
    fs::remove_dir(&file).unwrap();
    source.poll();
    assert_eq!(secret(&source), None);
}

#[test]
fn without_a_client_table_nobody_is_known() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    let mut source = mounts.source();
    let key = "a-client-key-0123";
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-api-key"),
        key.parse().unwrap(),
    )]);
    let known = |source: &DirSource<GatewayPlan>| {
        let loaded = source.watch().current().unwrap();
        loaded.clients.authenticate(&headers).is_ok()
    };
    assert!(!known(&source));
    let hash = hex::encode(agentkube_plan::KeyHash::of(key.as_bytes()).as_bytes());
    mounts.clients(&format!(
        r#"{{"clients":[{{"name":"a/b","keys":["{hash}"]}}]}}"#
    ));
    source.poll();
    assert!(known(&source));
    mounts.clients("no table");
    source.poll();
    assert!(known(&source), "the last good table is kept");
    let watch = source.watch();
    let report = watch.report(&watch.current().unwrap(), Vec::new());
    assert!(report.clients.unwrap().rejected.is_some());
}

#[test]
fn values_are_never_printed() {
    let mounts = Mounts::new();
    mounts.plan(PLAN);
    mounts.secret("sk-very-secret");
    let source = mounts.source();
    assert_eq!(secret(&source).unwrap(), b"sk-very-secret");
    let printed = format!("{source:?} {:?}", source.watch().current());
    assert!(!printed.contains("very-secret"), "{printed}");
}
