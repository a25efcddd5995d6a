use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::*;

/// A server that speaks HTTP/2 over TLS and counts its connections.
struct Tls {
    url: String,
    roots: TlsRoots,
    connections: Arc<AtomicUsize>,
    /// Ends the connections that there are.
    goodbye: Arc<std::sync::Mutex<CancellationToken>>,
}

impl Tls {
    async fn start() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("https://{}/", listener.local_addr().unwrap()),
            roots: TlsRoots::of(client),
            connections: Arc::default(),
            goodbye: Arc::default(),
        };
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (connections, goodbye) = (Arc::clone(&server.connections), Arc::clone(&server.goodbye));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                let goodbye = goodbye.lock().unwrap().clone();
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.unwrap();
                    let http = auto::Builder::new(TokioExecutor::new());
                    let connection = http.serve_connection(TokioIo::new(stream), service_fn(echo));
                    let mut connection = std::pin::pin!(connection);
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        () = goodbye.cancelled() => connection.as_mut().graceful_shutdown(),
                    }
                    let _ = connection.await;
                });
            }
        });
        server
    }

    fn count(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.version(), http::Version::HTTP_2);
    let (uri, headers) = (request.uri().clone(), request.headers());
    assert!(!headers.contains_key("host"), "it is named twice");
    if let Some(host) = headers.get("x-host") {
        assert_eq!(uri.authority().unwrap().as_str(), host);
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(Full::new(body)))
}

#[tokio::test]
async fn requests_at_once_share_one_connection() {
    let server = Tls::start().await;
    let client = UpstreamClient::new(&server.roots, Duration::from_secs(5));
    assert_eq!(
        text(send(&client, &server.url).await.unwrap()).await,
        "hello"
    );
    let many = (0..20).map(|_| async { text(send(&client, &server.url).await.unwrap()).await });
    let texts = futures::future::join_all(many).await;
    assert!(texts.iter().all(|text| text == "hello"));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn the_host_is_named_once() {
    let server = Tls::start().await;
    let client = UpstreamClient::new(&server.roots, Duration::from_secs(5));
    text(send(&client, &server.url).await.unwrap()).await;
    let own = server.url.parse::<http::Uri>().unwrap();
    for host in [
        own.authority().unwrap().as_str(),
        "127.0.0.1",
        "signed.example",
    ] {
        let mut request = mk_request(&server.url, "hello");
        let headers = request.headers_mut();
        headers.insert("host", host.parse().unwrap());
        headers.insert("x-host", host.parse().unwrap());
        assert_eq!(text(client.send(request).await.unwrap()).await, "hello");
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn when_it_closes_those_that_wait_make_one_new_connection() {
    let server = Tls::start().await;
    let client = UpstreamClient::new(&server.roots, Duration::from_secs(5));
    text(send(&client, &server.url).await.unwrap()).await;
    let goodbye = std::mem::take(&mut *server.goodbye.lock().unwrap());
    goodbye.cancel();
    // The server says so before it answers this, or closes instead.
    while server.count() == 1 {
        if let Ok(response) = send(&client, &server.url).await {
            text(response).await;
        }
    }
    let many = (0..20).map(|_| async { text(send(&client, &server.url).await.unwrap()).await });
    futures::future::join_all(many).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn those_that_wait_for_a_connection_fail_with_it() {
    let server = Tls::start().await;
    let client = UpstreamClient::new(&server.roots, Duration::from_secs(5));
    text(send(&client, &server.url).await.unwrap()).await;
    let pool = Arc::clone(&client.0);
    let place = pool.place(&server.url.parse().unwrap()).unwrap();
    place.forget(&place.shared().unwrap());
    // Whoever has the turn finds that there is no connection to be had.
    let mut turn = place.turn().await;
    let waits = tokio::spawn(client.send(mk_request(&server.url, "hello")));
    tokio::task::yield_now().await;
    let gone = SendError::Connect("gone".to_owned());
    *turn = Some((tokio::time::Instant::now(), gone.clone()));
    drop(turn);
    assert_eq!(waits.await.unwrap().unwrap_err(), gone);
    assert_eq!(
        text(send(&client, &server.url).await.unwrap()).await,
        "hello"
    );
}

#[tokio::test]
async fn who_connects_and_goes_no_further_holds_up_nobody() {
    let server = Tls::start().await;
    let client = UpstreamClient::new(&server.roots, Duration::from_secs(5));
    text(send(&client, &server.url).await.unwrap()).await;
    let place = client.0.place(&server.url.parse().unwrap()).unwrap();
    place.forget(&place.shared().unwrap());
    let mut idle = Box::pin(client.send(mk_request(&server.url, "hello")));
    assert!(futures::poll!(&mut idle).is_pending());
    let other = agentkube_testkit::within("another connects", send(&client, &server.url)).await;
    assert_eq!(text(other.unwrap()).await, "hello");
    drop(idle);
}
