//! HTTP/1.1 and HTTP/2 on a listener, within limits.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::header::EXPECT;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::request_line::StrictIo;
use crate::router::text;
use crate::watch::{Activity, BusyBody, PatientIo};
use crate::{Accepted, HttpRouter, Listener, Network, Peer, RequestBody, Stop};

/// Largest head of a request: request line and all headers, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// What a client may send ahead on one HTTP/2 stream, in bytes.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// What a client may send ahead on one HTTP/2 connection, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// What is buffered for a client that reads slowly, per HTTP/2 stream, in bytes.
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// How long a cut connection may take to notice, before serving ends without it.
const CUT_TIME_MAX: Duration = Duration::from_secs(1);

/// Limits of an HTTP listener, and whom to believe.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Connections at once; further ones wait in the system's queue. Default 4,096.
    pub connections_max: usize,
    /// Longest wait for a complete request head, counted from the connection's start or from the end of the
    /// answer before: so it bounds both a slow head and an idle kept-alive connection. Default 30 s.
    pub head_timeout: Duration,
    /// Longest pause in a body: the client sends nothing of its request, or takes nothing of the answer.
    /// Default 60 s.
    pub body_idle_timeout: Duration,
    /// At shutdown, the time for requests under way to finish. Default 8 s.
    pub shutdown_timeout: Duration,
    /// Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed. Default none.
    pub trusted_proxies: Vec<Network>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            connections_max: 4096,
            head_timeout: Duration::from_secs(30),
            body_idle_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(8),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Serves `listener` until `stop`, then lets requests under way finish for [`HttpOptions::shutdown_timeout`], cuts
/// the others, and returns.
pub async fn serve_http(listener: Listener, router: Arc<HttpRouter>, options: HttpOptions, stop: Stop) {
    let places = Arc::new(Semaphore::new(options.connections_max));
    let server =
        Server { router, options: Arc::new(options), stop, cut: Stop::new(), tasks: TaskTracker::new() };
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let Some((place, accepted)) = server.stop.run_until_cancelled(next).await.flatten() else { break };
        let connection = server.clone().serve_connection(accepted);
        server.tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    server.tasks.close();
    if tokio::time::timeout(server.options.shutdown_timeout, server.tasks.wait()).await.is_err() {
        tracing::warn!(connections = server.tasks.len(), "cutting connections that did not finish in time");
        server.cut.cancel();
        let _ = tokio::time::timeout(CUT_TIME_MAX, server.tasks.wait()).await;
    }
}

#[derive(Clone)]
struct Server {
    router: Arc<HttpRouter>,
    options: Arc<HttpOptions>,
    /// Accept nothing more, finish what is under way.
    stop: Stop,
    /// Finish at once.
    cut: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    async fn serve_connection(self, accepted: Accepted) {
        let socket = accepted.address();
        let handshake = self.stop.run_until_cancelled(accepted.handshake()).await;
        let connection = match handshake {
            Some(Ok(connection)) => connection,
            Some(Err(error)) => {
                tracing::debug!(peer = %socket, %error, "handshake failed");
                return;
            }
            None => return,
        };
        let activity = Activity::new();
        let tls = connection.is_tls();
        let service = service_fn(|request| self.clone().answer(request, socket, tls, activity.clone()));
        let builder = self.builder();
        let io = PatientIo::new(connection, self.options.body_idle_timeout);
        let io = TokioIo::new(StrictIo::new(io, activity.clone()));
        let mut connection = pin!(builder.serve_connection(io, service));
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                () = self.cut.cancelled() => return,
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(peer = %socket, %error, "connection ended");
                    }
                    return;
                }
                () = self.stop.cancelled(), if !closing => {}
                () = activity.idle_for(self.options.head_timeout), if !closing => {}
            }
            closing = true;
            connection.as_mut().graceful_shutdown();
        }
    }

    fn builder(&self) -> auto::Builder<Executor> {
        let mut builder = auto::Builder::new(Executor { tasks: self.tasks.clone(), cut: self.cut.clone() });
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.head_timeout)
            // More than 100 headers are refused with 431: hyper's own default, which costs no allocation.
            .max_buf_size(HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.options.head_timeout)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES);
        builder
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        socket: SocketAddr,
        tls: bool,
        activity: Activity,
    ) -> Result<Response<BusyBody>, Infallible> {
        let busy = activity.enter();
        let started = Instant::now();
        let peer = Peer::of(socket, tls, request.headers(), &self.options.trusted_proxies);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        // The query is left out of the log: it may carry a secret.
        let path = uri.path();
        let waits =
            request.headers().get(EXPECT).is_some_and(|e| e.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let idle = self.options.body_idle_timeout;
        let request = request.map(|body| RequestBody::new(body, idle, waits));
        let handled = AssertUnwindSafe(self.router.handle(request, peer)).catch_unwind().await;
        let response = handled.unwrap_or_else(|_| {
            tracing::error!(%method, path, "a request ended in a panic; this is a defect, please report it");
            text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
        });
        tracing::info!(
            %method,
            path,
            status = response.status().as_u16(),
            ms = started.elapsed().as_millis() as u64,
            peer = %peer.client,
            "request"
        );
        Ok(response.map(|inner| BusyBody { inner, _busy: busy }))
    }
}

/// Runs what HTTP/2 spawns so that shutdown waits for it and can cut it.
#[derive(Clone)]
struct Executor {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled(future).await;
        });
    }
}
