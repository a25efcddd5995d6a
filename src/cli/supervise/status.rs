//! The status port: how far the program is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use agentkube_plan::RunReport;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Connections at once: the kubelet, the operator, a person.
const AT_ONCE: usize = 32;
/// A connection answers small questions, and does not stay.
const LONGEST: Duration = Duration::from_secs(30);

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, report: watch::Receiver<RunReport>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, say: the program may give some back.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let report = report.clone();
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), &report.borrow());
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(5))
                .serve_connection(TokioIo::new(stream), service);
            // Who went away, or was too slow, asks again.
            let _ = timeout(LONGEST, connection).await;
            drop(permit);
        });
    }
}

/// `/readyz` turns as soon as the program ended, so that the kubelet reports a
/// change and the operator looks.
fn answer(method: &Method, path: &str, report: &RunReport) -> Response<Full<Bytes>> {
    let plain =
        |status, text: &'static str| (status, "text/plain", Bytes::from_static(text.as_bytes()));
    let (status, kind, body) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/livez") => plain(StatusCode::OK, "ok\n"),
        (&Method::GET | &Method::HEAD, "/readyz") if report.is_over() => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the program ended\n")
        }
        (&Method::GET | &Method::HEAD, "/readyz") => plain(StatusCode::OK, "ok\n"),
        (&Method::GET | &Method::HEAD, "/status") => {
            let text = serde_json::to_vec(report).unwrap_or_default();
            (StatusCode::OK, "application/json", Bytes::from(text))
        }
        (_, "/livez" | "/readyz" | "/status") => {
            plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n")
        }
        (_, _) => plain(StatusCode::NOT_FOUND, "try /status\n"),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
