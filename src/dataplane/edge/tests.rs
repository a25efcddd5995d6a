//! The shared layers, least power first: values, mocks, then real connections.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use agentkube_plan::{ClientAuth, ClientEntry, ClientTable, KeyHash, ObjectName};
use agentkube_testkit::within;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt, service_fn};

use super::{
    Body, BoxError, Client, ClientRegistry, CollectError, Drain, EdgeMetrics, Fault, InFlight,
    ObjectKind, ObjectLabels, Plane, RouteLabel, Routed, Unauthenticated, collect, serve, stack,
};

// === clients ===

fn mk_registry() -> ClientRegistry {
    let table = ClientTable {
        clients: vec![ClientEntry {
            name: "team-a/reviewer".to_owned(),
            keys: vec![
                KeyHash::of(b"current-key-0123"),
                KeyHash::of(b"previous-key-012"),
            ],
        }],
        ..ClientTable::default()
    };
    ClientRegistry::new(ClientAuth::Apikey, &table)
}

fn with(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())])
}

#[test]
fn both_keys_of_a_rotation_are_the_same_client() {
    for key in ["current-key-0123", "previous-key-012"] {
        let client = mk_registry().authenticate(&with("x-api-key", key)).unwrap();
        assert_eq!(client.name(), "team-a/reviewer");
    }
}

#[test]
fn a_placeholder_beside_a_good_key_does_not_matter() {
    let mut headers = with("x-api-key", "current-key-0123");
    headers.insert(AUTHORIZATION, "Bearer placeholder".parse().unwrap());
    assert!(mk_registry().authenticate(&headers).is_ok());
}

#[test]
fn a_key_beside_the_signature_of_an_aws_sdk_is_found() {
    let mut headers = with("x-amz-security-token", "current-key-0123");
    let signed = "AWS4-HMAC-SHA256 Credential=agentkube/20261124/us-east-1/bedrock/aws4_request, \
        SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=0123";
    headers.insert(AUTHORIZATION, signed.parse().unwrap());
    assert!(mk_registry().authenticate(&headers).is_ok());
}

#[test]
fn missing_and_unknown_keys_are_told_apart_and_not_quoted() {
    let registry = mk_registry();
    let missing = registry.authenticate(&HeaderMap::new());
    assert_eq!(missing, Err(Unauthenticated::Missing));
    for value in ["Bearer ", "Basic current-key-0123", "current-key-0123"] {
        let verdict = registry.authenticate(&with("authorization", value));
        assert_eq!(verdict, Err(Unauthenticated::Missing), "{value:?}");
    }
    let unknown = registry.authenticate(&with("api-key", "guess"));
    assert_eq!(unknown, Err(Unauthenticated::Unknown));
    assert!(!Unauthenticated::Unknown.to_string().contains("guess"));
}

#[test]
fn an_empty_table_knows_nobody_and_auth_none_everybody() {
    let table = ClientTable::default();
    let closed = ClientRegistry::new(ClientAuth::Apikey, &table);
    assert!(closed.authenticate(&with("api-key", "x")).is_err());
    let open = ClientRegistry::new(ClientAuth::None, &table);
    assert_eq!(open.authenticate(&HeaderMap::new()), Ok(Client::Anonymous));
}

// === collect ===

fn pieces(pieces: &[&'static str]) -> StreamBody<impl futures::Stream<Item = Piece>> {
    let frames: Vec<Piece> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
        .collect();
    StreamBody::new(futures::stream::iter(frames))
}

type Piece = Result<Frame<Bytes>, BoxError>;

#[tokio::test]
async fn a_body_is_joined_from_its_pieces_up_to_the_limit() {
    assert_eq!(collect(pieces(&[]), 5).await.unwrap(), "");
    assert_eq!(
        collect(pieces(&["ab", "c", "de"]), 5).await.unwrap(),
        "abcde"
    );
    let too_large = Err(CollectError::TooLarge { limit: 4 });
    assert_eq!(collect(pieces(&["ab", "c", "de"]), 4).await, too_large);
    assert_eq!(collect(pieces(&["abcde"]), 4).await, too_large);
    assert_eq!(collect(Full::from("abcde"), 4).await, too_large);
}

#[tokio::test]
async fn a_body_that_is_cut_is_not_a_short_one() {
    let frames = vec![
        Ok(Frame::data(Bytes::from_static(b"ab"))),
        Err(BoxError::from("cut")),
    ];
    let body = StreamBody::new(futures::stream::iter(frames));
    assert_eq!(collect(body, 9).await, Err(CollectError::Cut));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_or_drips_is_given_up() {
    let nothing = StreamBody::new(futures::stream::pending::<Piece>());
    assert_eq!(collect(nothing, 9).await, Err(CollectError::Stalled));
    let drip = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(29)).await;
        Some((Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x"))), ()))
    });
    let since = tokio::time::Instant::now();
    let dripping = collect(StreamBody::new(drip), 1 << 20).await;
    assert_eq!(dripping, Err(CollectError::Stalled));
    assert!(since.elapsed() <= Duration::from_secs(300));
}

// === in flight ===

#[tokio::test]
async fn the_permit_lives_as_long_as_the_body() {
    let answer = service_fn(|()| async { Ok::<_, Infallible>(Response::new(Body::full("x"))) });
    let mut limited = InFlight::new(1, answer);
    let first = limited.call(()).await.unwrap();
    let mut other = limited.clone();
    assert!(matches!(other.call(()).await, Err(Fault::Overloaded)));
    assert!(
        matches!(other.call(()).await, Err(Fault::Overloaded)),
        "a refusal holds no permit"
    );
    drop(first);
    assert!(other.call(()).await.is_ok());
}

#[tokio::test]
async fn a_dropped_request_gives_its_permit_back() {
    let never = service_fn(|()| std::future::pending::<Result<Response<Body>, Infallible>>());
    let mut limited = InFlight::new(1, never);
    drop(limited.call(()));
    let mut second = limited.call(());
    let poll = futures::poll!(&mut second);
    assert!(poll.is_pending(), "it was admitted");
}

// === a plane over real connections ===

#[derive(Clone, Copy)]
enum Page {
    Fine,
    Panic,
}

#[derive(Clone)]
struct Pages;

impl RouteLabel for Page {
    const ALL: &'static [Self] = &[Self::Fine, Self::Panic];

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Panic => "panic",
        }
    }
}

impl Plane for Pages {
    type Route = Page;
    type Error = Infallible;

    fn route<B>(&self, request: &Request<B>) -> Page {
        match request.uri().path() {
            "/panic" => Page::Panic,
            _ => Page::Fine,
        }
    }

    fn render(&self, route: Page, fault: Fault<Infallible>) -> Response<Body> {
        let (status, text) = match fault {
            Fault::Panicked => (500, "panicked"),
            Fault::Overloaded => (503, "overloaded"),
            Fault::Failed(never) => match never {},
        };
        let mut response = Response::new(Body::full(format!("{text} at {}", route.as_str())));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }
}

/// Where the answer to `/held` waits.
#[derive(Clone)]
struct Gate {
    reached: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self {
            reached: closed(),
            open: closed(),
        }
    }

    async fn pass(&self) {
        self.reached.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    async fn reached(&self) {
        within("the gate is reached", self.reached.acquire())
            .await
            .unwrap()
            .forget();
    }
}

struct Server {
    url: String,
    drain: Drain,
    task: tokio::task::JoinHandle<()>,
    registry: Registry,
}

/// Answers `/held` when the gate opens.
async fn start(gate: &Gate, grace: Duration) -> Server {
    let gate = gate.clone();
    let inner = service_fn(move |routed: Routed<Page, hyper::body::Incoming>| {
        let gate = gate.clone();
        async move {
            match (routed.route, routed.request.uri().path()) {
                (Page::Panic, _) => panic!("as asked"),
                (Page::Fine, "/held") => {
                    gate.pass().await;
                    Ok::<_, Infallible>(Response::new(Body::full("held")))
                }
                (Page::Fine, _) => Ok(Response::new(Body::full("fine"))),
            }
        }
    });
    let mut registry = Registry::default();
    let object = ObjectName {
        namespace: "platform".to_owned(),
        name: "pages".to_owned(),
    };
    let metrics = EdgeMetrics::register(&mut registry)
        .object(&ObjectLabels::new(ObjectKind::LlmGateway, &object));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let drain = Drain::new(grace);
    let service = stack(Pages, metrics, 8, inner);
    let task = tokio::spawn(serve(listener, service, drain.clone()));
    Server {
        url,
        drain,
        task,
        registry,
    }
}

impl Server {
    async fn get(&self, path: &str) -> (StatusCode, String) {
        let client: HttpClient<_, Empty<Bytes>> =
            HttpClient::builder(TokioExecutor::new()).build_http();
        let uri = format!("{}{path}", self.url).parse().unwrap();
        let response = within(path, client.get(uri)).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_panic_is_500_in_the_planes_words_and_the_next_request_works() {
    let server = start(&Gate::new(), LONG).await;
    let panicked = (
        StatusCode::INTERNAL_SERVER_ERROR,
        "panicked at panic".to_owned(),
    );
    assert_eq!(server.get("/panic").await, panicked);
    assert_eq!(server.get("/").await, (StatusCode::OK, "fine".to_owned()));
    let mut text = String::new();
    encode(&mut text, &server.registry).unwrap();
    let line =
        "kind=\"llmgateway\",namespace=\"platform\",name=\"pages\",route=\"panic\",code=\"5xx\"} 1";
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_counted_as_a_success() {
    let mut registry = Registry::default();
    let object = ObjectName {
        namespace: "platform".to_owned(),
        name: "pages".to_owned(),
    };
    let metrics =
        EdgeMetrics::register(&mut registry).object(&ObjectLabels::new(ObjectKind::Mcp, &object));
    let inner = service_fn(|_: Routed<Page, Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Body::stream(Broken { cut: false })))
    });
    let service = stack(Pages, metrics, 1, inner);
    let answer = service.oneshot(Request::new(Full::default())).await;
    assert!(answer.unwrap().into_body().collect().await.is_err());
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(text.contains("code=\"aborted\"} 1"), "{text}");
}

/// Ends in an error, and then says that it ended.
struct Broken {
    cut: bool,
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Piece>> {
        self.cut = true;
        std::task::Poll::Ready(Some(Err("cut".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.cut
    }
}

#[tokio::test]
async fn http2_without_tls_is_served_too() {
    let server = start(&Gate::new(), LONG).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("{}/", server.url))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let mut sender = sender;
    let response = within("an answer", sender.send_request(request))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_drain_finishes_what_is_under_way_and_takes_nothing_new() {
    let gate = Gate::new();
    let server = start(&gate, LONG).await;
    let mut held = TcpStream::connect(server.address()).await.unwrap();
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    gate.reached().await;
    server.drain.start();
    let mut rest = Vec::new();
    within("idle connections close", idle.read_to_end(&mut rest))
        .await
        .unwrap();
    assert!(TcpStream::connect(server.address()).await.is_err());
    gate.open.add_permits(1);
    within("the answer", held.read_to_end(&mut rest))
        .await
        .unwrap();
    let text = String::from_utf8(rest).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("connection: close\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nheld"), "{text}");
    within("the end", server.task).await.unwrap();
}

#[tokio::test]
async fn a_drain_cuts_what_outlives_the_grace() {
    let gate = Gate::new();
    let server = start(&gate, Duration::from_millis(20)).await;
    let mut held = TcpStream::connect(server.address()).await.unwrap();
    held.write_all(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    gate.reached().await;
    server.drain.start();
    within("the end", server.task).await.unwrap();
    let mut rest = Vec::new();
    let _ = held.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_child_drain_ends_with_its_parent_and_not_the_other_way() {
    let parent = Drain::new(LONG);
    let (first, second) = (parent.child(), parent.child());
    first.start();
    assert!(first.is_started() && !parent.is_started() && !second.is_started());
    parent.start();
    assert!(second.is_started());
}

#[tokio::test]
async fn the_stack_is_a_plain_tower_service() {
    let inner = service_fn(|_: Routed<Page, Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let mut registry = Registry::default();
    let object = ObjectName {
        namespace: "a".to_owned(),
        name: "b".to_owned(),
    };
    let metrics =
        EdgeMetrics::register(&mut registry).object(&ObjectLabels::new(ObjectKind::Mcp, &object));
    let service = stack(Pages, metrics, 1, inner);
    let request = Request::new(Full::default());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
}
