//! The router without a socket, and the server with one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use agentkube_crds::{LLMGateway, MCP};
use axum::body::Body;
use futures::future::{BoxFuture, FutureExt as _};
use http::Request;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::lookup::{FileIndex, NamespaceFacts, SecretFacts};
use crate::rights::{Right, User};
use crate::testing::{documented, gateway, mcp, namespace, open_targets, secret, set};

/// Reads from files, as if it were an API server, and counts.
#[derive(Default)]
struct Cluster {
    index: FileIndex,
    reads: AtomicUsize,
    asked: Mutex<Vec<String>>,
    silent: bool,
    /// What its users may not do, as [`Right`]s are printed.
    forbids: Vec<&'static str>,
    /// Does not say what they may do.
    mute: bool,
}

impl Cluster {
    fn answer<'a, T: Send + 'a>(
        &'a self,
        what: String,
        found: Option<T>,
    ) -> BoxFuture<'a, Result<Option<T>, ConfirmError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(what);
        if self.silent {
            return futures::future::pending().boxed();
        }
        futures::future::ready(Ok(found)).boxed()
    }
}

impl Confirm for Cluster {
    fn secret(
        &self,
        namespace: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<SecretFacts>, ConfirmError>> {
        self.answer(
            format!("secret {namespace}/{name}"),
            self.index.secret(&namespace, &name),
        )
    }

    fn namespace(
        &self,
        name: String,
    ) -> BoxFuture<'_, Result<Option<NamespaceFacts>, ConfirmError>> {
        self.answer(format!("namespace {name}"), self.index.namespace(&name))
    }

    fn gateway(
        &self,
        namespace: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<Arc<LLMGateway>>, ConfirmError>> {
        self.answer(
            format!("gateway {namespace}/{name}"),
            self.index.gateway(&namespace, &name),
        )
    }

    fn mcp(
        &self,
        namespace: String,
        name: String,
    ) -> BoxFuture<'_, Result<Option<Arc<MCP>>, ConfirmError>> {
        self.answer(
            format!("mcp {namespace}/{name}"),
            self.index.mcp(&namespace, &name),
        )
    }
}

impl Rights for Cluster {
    fn has(&self, user: User, right: Right) -> BoxFuture<'_, Result<bool, ConfirmError>> {
        if self.mute {
            return futures::future::pending().boxed();
        }
        let asked = format!("{} {right:?}", user.name);
        let forbidden = self.forbids.iter().any(|it| asked.contains(it));
        futures::future::ready(Ok(!forbidden)).boxed()
    }
}

/// A lookup with a bug in it.
struct Broken;

impl Lookup for Broken {
    fn secret(&self, _: &str, _: &str) -> Option<SecretFacts> {
        panic!("a bug")
    }
    fn namespace(&self, _: &str) -> Option<NamespaceFacts> {
        panic!("a bug")
    }
    fn gateway(&self, _: &str, _: &str) -> Option<Arc<LLMGateway>> {
        panic!("a bug")
    }
    fn mcp(&self, _: &str, _: &str) -> Option<Arc<MCP>> {
        panic!("a bug")
    }
}

struct Rig {
    router: Router,
    cluster: Arc<Cluster>,
    registry: Registry,
}

fn rig(known: &[Value], cluster: Cluster) -> Rig {
    let mut known = known.to_vec();
    for name in ["platform", "team-a"] {
        known.push(namespace(name, json!({}), json!({})));
    }
    rig_over(Arc::new(FileIndex::from_objects(&known)), cluster)
}

fn rig_over(lookup: Arc<dyn Lookup>, cluster: Cluster) -> Rig {
    let cluster = Arc::new(cluster);
    let mut registry = Registry::default();
    let router = router(Webhooks {
        lookup,
        confirm: cluster.clone(),
        rights: cluster.clone(),
        install: Arc::default(),
        metrics: Metrics::register(&mut registry),
        ready: Arc::new(|| true),
    });
    Rig {
        router,
        cluster,
        registry,
    }
}

fn review(kind: &str, namespace: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "operation": "CREATE", "namespace": namespace,
            "name": object["metadata"]["name"],
            "kind": {"group": "agentkube.io", "version": "v1alpha1", "kind": kind},
            "object": object,
        },
    })
}

impl Rig {
    async fn post(&self, path: &str, body: impl Into<Body>) -> (StatusCode, Vec<u8>) {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, body.to_vec())
    }

    async fn ask(&self, path: &str, review: &Value) -> Value {
        let (status, body) = self.post(path, review.to_string()).await;
        assert_eq!(status, StatusCode::OK);
        let answer: Value = serde_json::from_slice(&body).unwrap();
        answer["response"].clone()
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

#[tokio::test]
async fn a_bad_spec_is_a_denial_with_its_uid_and_not_an_error() {
    let rig = rig(&documented(), Cluster::default());
    let mut bad = gateway();
    set(&mut bad, "/spec", json!("nonsense"));
    let answer = rig
        .ask(
            "/mutate/llmgateways",
            &review("LLMGateway", "platform", &bad),
        )
        .await;
    assert_eq!(answer["uid"], "u-1");
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["status"]["code"], 422);
    assert_eq!(answer["status"]["details"]["causes"][0]["field"], "spec");
    assert!(rig.metrics().contains("outcome=\"denied\""));
}

/// A program with a Secret in its environment, as kim writes it.
fn program_of_kim() -> Value {
    let mut object = mcp();
    let env = json!([{"name": "T", "valueFrom": {"secretKeyRef": {"name": "pat", "key": "t"}}}]);
    let stdio = json!({"image": "a:1", "command": ["server"], "env": env});
    let upstreams = json!([{"name": "a", "kind": "stdio", "stdio": stdio}]);
    set(&mut object, "/spec/upstreams", upstreams);
    let mut review = review("MCP", "team-a", &object);
    review["request"]["userInfo"] = json!({"username": "kim", "groups": ["devs"]});
    review
}

#[tokio::test]
async fn who_may_not_create_pods_or_read_a_secret_does_not_get_them_by_us() {
    for path in ["/mutate/mcps", "/validate/mcps"] {
        let cluster = Cluster {
            forbids: vec!["kim CreatePods", "kim GetSecret"],
            ..Cluster::default()
        };
        let answer = rig(&documented(), cluster)
            .ask(path, &program_of_kim())
            .await;
        assert_eq!(answer["allowed"], false);
        let causes = answer["status"]["details"]["causes"].as_array().unwrap();
        let fields: Vec<_> = causes.iter().map(|cause| &cause["field"]).collect();
        assert_eq!(
            fields,
            [
                "spec.upstreams[0].stdio.image",
                "spec.upstreams[0].stdio.env[0].valueFrom.secretKeyRef",
            ]
        );
        let said = causes[0]["message"].as_str().unwrap();
        assert!(
            said.contains(r#""kim" may not create Pods in namespace "team-a""#),
            "{said}"
        );
        let warnings = answer["warnings"].to_string();
        assert!(!warnings.contains("pat"), "whether it is there: {warnings}");
    }
    let allowed = rig(&documented(), Cluster::default());
    let answer = allowed.ask("/mutate/mcps", &program_of_kim()).await;
    assert_eq!(answer["allowed"], true, "{answer}");
    assert!(answer["warnings"].to_string().contains("pat"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_right_that_cannot_be_asked_about_is_not_there() {
    let cluster = Cluster {
        mute: true,
        ..Cluster::default()
    };
    let answer = rig(&documented(), cluster)
        .ask("/mutate/mcps", &program_of_kim())
        .await;
    assert_eq!(answer["allowed"], false);
    let said = answer["status"]["details"]["causes"][0]["message"].as_str();
    assert!(
        said.unwrap().starts_with("could not check, try again"),
        "{answer}"
    );
}

#[tokio::test]
async fn what_is_no_review_is_a_bad_request() {
    let rig = rig(&[], Cluster::default());
    for body in ["", "{}", "[1]", "{\"apiVersion\":\"admission.k8s.io/v1\"}"] {
        for path in ["/mutate/mcps", "/validate/mcps", "/mutate/pods"] {
            let (status, _) = rig.post(path, body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}");
        }
    }
    let (status, _) = rig.post("/mutate/gadgets", "{}").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let rig = rig(&[], Cluster::default());
    let (status, _) = rig.post("/mutate/mcps", vec![b' '; BODY_LIMIT + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_bug_of_ours_is_a_server_error_and_the_next_call_is_answered() {
    let rig = rig_over(Arc::new(Broken), Cluster::default());
    let call = review("MCP", "team-a", &mcp()).to_string();
    let (status, _) = rig.post("/mutate/mcps", call.clone()).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let (status, _) = rig.post("/mutate/mcps", call).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_miss_is_confirmed_before_it_is_said_and_a_hit_is_never_asked_for() {
    let just_made = secret("platform", "anthropic-key", &["api-key"]);
    let cluster = Cluster {
        index: FileIndex::from_objects(&[just_made]),
        ..Cluster::default()
    };
    let first = rig(&documented(), cluster);
    let answer = first
        .ask(
            "/mutate/llmgateways",
            &review("LLMGateway", "platform", &gateway()),
        )
        .await;
    assert_eq!(
        *first.cluster.asked.lock().unwrap(),
        ["secret platform/anthropic-key"]
    );
    let warnings = answer["warnings"].to_string();
    assert!(!warnings.contains("anthropic-key"), "{warnings}");

    let second = rig(&documented(), Cluster::default());
    second
        .ask("/mutate/mcps", &review("MCP", "team-a", &mcp()))
        .await;
    assert_eq!(second.cluster.reads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_entry_that_memory_does_not_have_is_confirmed_too() {
    let stale = secret("platform", "anthropic-key", &["old"]);
    let fresh = secret("platform", "anthropic-key", &["old", "api-key"]);
    let cluster = Cluster {
        index: FileIndex::from_objects(&[fresh]),
        ..Cluster::default()
    };
    let rig = rig(&[stale], cluster);
    let answer = rig
        .ask(
            "/mutate/llmgateways",
            &review("LLMGateway", "platform", &gateway()),
        )
        .await;
    assert!(!answer["warnings"].to_string().contains("anthropic-key"));
}

#[tokio::test]
async fn a_request_causes_eight_reads_at_most_and_says_when_these_were_not_enough() {
    let rig = rig(&[], Cluster::default());
    let mut many = gateway();
    let upstreams: Vec<Value> = (0..20)
        .map(|n| {
            let mut upstream = gateway()["spec"]["upstreams"][0].clone();
            upstream["name"] = json!(if n == 0 {
                "anthropic".to_owned()
            } else {
                format!("u{n}")
            });
            upstream["credentialsRef"]["name"] = json!(format!("secret-{n}"));
            upstream
        })
        .collect();
    many["spec"]["upstreams"] = json!(upstreams);
    let answer = rig
        .ask(
            "/mutate/llmgateways",
            &review("LLMGateway", "platform", &many),
        )
        .await;
    assert_eq!(answer["allowed"], true);
    assert_eq!(rig.cluster.reads.load(Ordering::SeqCst), 8);
    assert!(
        answer["warnings"]
            .to_string()
            .contains("not all references could be looked up")
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_does_not_hold_the_answer() {
    let rig = rig(
        &documented(),
        Cluster {
            silent: true,
            ..Cluster::default()
        },
    );
    let answer = rig
        .ask(
            "/mutate/llmgateways",
            &review("LLMGateway", "platform", &gateway()),
        )
        .await;
    assert_eq!(answer["allowed"], true);
    assert!(
        answer["warnings"]
            .to_string()
            .contains("not all references could be looked up")
    );
}

#[tokio::test]
async fn an_object_with_its_defaults_is_patched_with_nothing() {
    let rig = rig(&documented(), Cluster::default());
    let bare = rig
        .ask("/mutate/mcps", &review("MCP", "team-a", &mcp()))
        .await;
    assert_eq!(bare["patchType"], "JSONPatch");

    let filled = agentkube_crds::defaults(agentkube_crds::Kind::MCP, &mcp());
    let answer = rig
        .ask("/mutate/mcps", &review("MCP", "team-a", &filled))
        .await;
    assert_eq!(answer, json!({"uid": "u-1", "allowed": true}));
}

#[tokio::test]
async fn validation_denies_the_same_and_never_patches() {
    let rig = rig(&documented(), Cluster::default());
    let answer = rig
        .ask(
            "/validate/llmgateways",
            &review("LLMGateway", "platform", &gateway()),
        )
        .await;
    assert_eq!(answer, json!({"uid": "u-1", "allowed": true}));
    let mut bad = gateway();
    set(&mut bad, "/spec/routing/defaultModel", json!("nothing"));
    let answer = rig
        .ask(
            "/validate/llmgateways",
            &review("LLMGateway", "platform", &bad),
        )
        .await;
    assert_eq!(
        answer["status"]["details"]["causes"][0]["field"],
        "spec.routing.defaultModel"
    );
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "agent-", "annotations": {"agentkube.io/mcp": "github-tools"}},
        "spec": {"containers": [{"name": "main", "image": "x"}]},
    })
}

#[tokio::test]
async fn a_pod_without_a_name_is_wired_in_the_namespace_of_the_request() {
    let rig = rig(
        &[],
        Cluster {
            index: FileIndex::from_objects(&open_targets()),
            ..Cluster::default()
        },
    );
    let mut call = review("Pod", "team-a", &pod());
    call["request"]["kind"] = json!({"group": "", "version": "v1", "kind": "Pod"});
    let answer = rig.ask("/mutate/pods", &call).await;
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["patchType"], "JSONPatch");

    call["request"]["namespace"] = json!("team-b");
    let answer = rig.ask("/mutate/pods", &call).await;
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["status"]["details"]["name"], "agent-");
    assert!(
        answer["status"]["message"]
            .as_str()
            .unwrap()
            .contains("team-b/github-tools")
    );

    call["request"]["operation"] = json!("UPDATE");
    assert_eq!(
        rig.ask("/mutate/pods", &call).await,
        json!({"uid": "u-1", "allowed": true})
    );
}

#[tokio::test]
async fn dry_runs_get_the_same_answer_and_are_counted_apart() {
    let rig = rig(&documented(), Cluster::default());
    let mut call = review("MCP", "team-a", &mcp());
    let real = rig.ask("/mutate/mcps", &call).await;
    call["request"]["dryRun"] = json!(true);
    assert_eq!(rig.ask("/mutate/mcps", &call).await, real);
    let metrics = rig.metrics();
    let line = "agentkube_admission_requests_total{webhook=\"mutate\",op=\"create\",kind=\"MCP\",\
                outcome=\"patched\",dry_run=\"true\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn readiness_waits_for_the_index() {
    let mut registry = Registry::default();
    let router = router(Webhooks {
        lookup: Arc::new(FileIndex::default()),
        confirm: Arc::new(Cluster::default()),
        rights: Arc::new(Cluster::default()),
        install: Arc::default(),
        metrics: Metrics::register(&mut registry),
        ready: Arc::new(|| false),
    });
    for (path, expected) in [
        ("/livez", StatusCode::OK),
        ("/readyz", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(
            router.clone().oneshot(request).await.unwrap().status(),
            expected
        );
    }
}

#[tokio::test]
async fn the_server_speaks_tls_and_stops_when_told() {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let cert = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = rig(&[], Cluster::default()).router;
    let serving = tokio::spawn(serve(
        listener,
        Arc::new(server),
        router,
        stopped.map(|_| ()),
    ));

    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = connector.connect(name, socket).await.unwrap();
    tls.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}
