//! Through real sockets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use crate::*;

/// Several times what may be sent ahead on one HTTP/2 connection.
const LARGE_BYTES: usize = 24 * 1024 * 1024;

/// Answers by path: `/t/echo`, `/t/slow`, `/t/panic`, `/t/refuse` (does not read the body), `/t/peer`, `/t/flood`,
/// `/t/megabytes`, `/t/count` (how long the body is).
struct Toy;

#[async_trait::async_trait]
impl Gateway for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::prefix("/t/")]
    }

    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        match request.uri().path() {
            "/t/slow" => sleep(Duration::from_millis(600)).await,
            "/t/panic" => panic!("on purpose"),
            "/t/refuse" => return Response::builder().status(401).body(full_body("no")).unwrap(),
            "/t/peer" => {
                return Response::new(full_body(format!("{} {} {}", peer.client, peer.tls, peer.proxied)));
            }
            "/t/megabytes" => {
                let piece = Bytes::from(vec![b'x'; 64 * 1024]);
                let pieces = futures_util::stream::iter(
                    (0..LARGE_BYTES / piece.len()).map(move |_| Ok(piece.clone())),
                );
                return Response::new(stream_body(pieces));
            }
            "/t/count" => {
                let (mut body, mut count) = (request.into_body(), 0);
                while let Some(Ok(frame)) = body.frame().await {
                    count += frame.data_ref().map_or(0, Bytes::len);
                }
                return Response::new(full_body(count.to_string()));
            }
            "/t/flood" => {
                let piece = Bytes::from(vec![b'x'; 64 * 1024]);
                return Response::new(stream_body(futures_util::stream::repeat_with(move || {
                    Ok(piece.clone())
                })));
            }
            _ => {}
        }
        match request.into_body().collect().await {
            Ok(body) => Response::new(full_body(body.to_bytes())),
            Err(error) => {
                Response::builder().status(408).body(full_body(format!("{:?}", error.kind()))).unwrap()
            }
        }
    }
}

fn options() -> HttpOptions {
    HttpOptions {
        head_timeout: Duration::from_millis(400),
        body_idle_timeout: Duration::from_millis(400),
        shutdown_timeout: Duration::from_millis(1500),
        ..HttpOptions::default()
    }
}

async fn start(options: HttpOptions) -> (SocketAddr, Stop, JoinHandle<()>) {
    start_on(Binding::plain("127.0.0.1:0".parse().unwrap()), options).await
}

async fn start_on(binding: Binding, options: HttpOptions) -> (SocketAddr, Stop, JoinHandle<()>) {
    let listener = Listener::bind(binding).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), Stop::new());
    let router = Arc::new(HttpRouter::new(vec![Arc::new(Toy)], || false));
    (address, stop.clone(), tokio::spawn(serve_http(listener, router, options, stop)))
}

/// Sends `bytes` and returns all that comes until the server closes, at most for 5 s.
async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ =
        timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn two_requests_on_one_connection_and_the_probes() {
    let (address, ..) = start(options()).await;
    let answer = talk(
        address,
        b"POST /t/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabc\n\
          GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n\
          GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .await;
    let statuses: Vec<_> = answer.lines().filter(|l| l.starts_with("HTTP/1.1")).collect();
    assert_eq!(
        statuses,
        ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", "HTTP/1.1 503 Service Unavailable", "HTTP/1.1 404 Not Found"]
    );
    assert!(answer.contains("\r\n\r\nabc\n"));
}

#[tokio::test]
async fn a_small_answer_leaves_in_one_segment() {
    let (address, ..) = start(options()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut buffer = [0; 4096];
    let length = socket.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].ends_with(b"\r\n\r\nok\n"));
}

#[tokio::test]
async fn slow_heads_and_silent_connections_are_cut() {
    let (address, ..) = start(options()).await;
    for start in [&b""[..], b"G", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"PRI * HTTP/2.0\r\n"] {
        let began = Instant::now();
        talk(address, start).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{start:?}");
    }
    // A client that sends one header after the other, without end.
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let cut = async {
        while socket.write_all(b"X-A: b\r\n").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(3), cut).await.expect("cut although it goes on sending");
}

#[tokio::test]
async fn a_body_that_pauses_is_cut() {
    let (address, ..) = start(options()).await;
    let answer = talk(address, b"POST /t/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.ends_with("TimedOut"), "{answer}");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let (address, stop, served) = start(options()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /t/flood HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(1500)).await;
    stop.cancel();
    // Nothing is left to wait for: the connection was cut long before.
    timeout(Duration::from_millis(500), served).await.expect("the stalled connection is gone").unwrap();
}

#[tokio::test]
async fn header_bombs_are_refused() {
    let (address, ..) = start(options()).await;
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-A: b\r\n".repeat(500));
    let long = format!("GET / HTTP/1.1\r\nX-A: {}\r\n\r\n", "b".repeat(100 * 1024));
    for bomb in [many, long] {
        let answer = talk(address, bomb.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn a_panic_ends_one_request() {
    let (address, ..) = start(options()).await;
    let answer = talk(
        address,
        b"GET /t/panic HTTP/1.1\r\nHost: a\r\n\r\nGET /t/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn shutdown_lets_requests_finish_and_cuts_the_rest() {
    let (address, stop, served) = start(options()).await;
    let slow = tokio::spawn(async move { talk(address, b"GET /t/slow HTTP/1.1\r\nHost: a\r\n\r\n").await });
    let mut flood = TcpStream::connect(address).await.unwrap();
    flood.write_all(b"GET /t/flood HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; 65536];
        while flood.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    });
    sleep(Duration::from_millis(200)).await;
    stop.cancel();
    sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).await.is_err(), "nothing more is accepted");
    assert!(slow.await.unwrap().starts_with("HTTP/1.1 200 OK"));
    timeout(Duration::from_secs(4), served).await.expect("an endless answer is cut").unwrap();
    timeout(Duration::from_secs(1), reader).await.expect("its client notices").unwrap();
}

#[tokio::test]
async fn an_unread_body_does_not_lose_the_answer() {
    let (address, ..) = start(options()).await;
    let mut request =
        b"PUT /t/refuse HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n".to_vec();
    request.resize(request.len() + 100_000, b'x');
    assert!(talk(address, &request).await.starts_with("HTTP/1.1 401"));
    // With Expect, the refusal comes instead of the invitation.
    let waits =
        b"PUT /t/refuse HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    assert!(talk(address, waits).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn proxies_are_believed_only_when_trusted() {
    let ask = b"GET /t/peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1\r\n\
                X-Forwarded-Proto: https\r\n\r\n";
    let (address, ..) = start(options()).await;
    assert!(talk(address, ask).await.ends_with("127.0.0.1 false false"));
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let (address, ..) = start(HttpOptions { trusted_proxies, ..options() }).await;
    assert!(talk(address, ask).await.ends_with("192.0.2.1 true true"));
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let (address, ..) = start(HttpOptions { connections_max: 1, ..options() }).await;
    let _first = TcpStream::connect(address).await.unwrap();
    let answer = talk(address, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "served once the silent one was cut");
}

#[tokio::test]
async fn plain_text_to_the_world_is_refused() {
    let mut binding = Binding::plain("0.0.0.0:0".parse().unwrap());
    let error = Listener::bind(binding.clone()).await.err().unwrap();
    assert!(error.to_string().contains("--insecure"), "{error}");
    binding.insecure = true;
    assert!(Listener::bind(binding).await.is_ok());
}

#[tokio::test]
async fn a_fragment_in_the_request_target_is_refused() {
    let (address, ..) = start(options()).await;
    let echo = "POST /t/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n#!";
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut buffer = [0; 4096];
    for (ask, wanted) in [
        (echo, "HTTP/1.1 200"),
        (echo, "HTTP/1.1 200"),
        ("DELETE /t/echo/#x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400"),
    ] {
        socket.write_all(ask.as_bytes()).await.unwrap();
        let length = socket.read(&mut buffer).await.unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]);
        assert!(answer.starts_with(wanted), "{ask} {answer}");
        assert!(!wanted.ends_with("200") || answer.ends_with("#!"), "the body is as it was sent: {answer}");
    }
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let (address, ..) = start(options()).await;
    for (hosts, wanted) in [("", "400"), ("Host: a\r\nHost: b\r\n", "400"), ("Host: a\r\n", "200")] {
        let answer =
            talk(address, format!("GET /t/echo HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n").as_bytes())
                .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted}")), "{hosts} {answer}");
    }
    assert!(talk(address, b"GET /t/echo HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200"));
}

#[tokio::test]
async fn http_2_by_tls_in_both_directions() {
    let pem = Pem::new("h2");
    let certificate = pem.renew();
    let (address, ..) = start_on(Binding::https("127.0.0.1:0".parse().unwrap(), pem.load()), options()).await;
    let stream = connect_by_tls(address, certificate, &[b"h2"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);

    let ask = |path: &str, body: ResponseBody| {
        let mut sender = sender.clone();
        let request = Request::post(format!("https://localhost{path}")).body(body).unwrap();
        async move { sender.send_request(request).await.unwrap() }
    };
    let answer = ask("/t/echo", full_body("abc")).await;
    assert_eq!((answer.version(), answer.status().as_u16()), (http::Version::HTTP_2, 200));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "abc");

    let piece = Bytes::from(vec![b'y'; 100_000]);
    let pieces = (0..LARGE_BYTES / piece.len()).map(move |_| Ok(piece.clone()));
    let upload = ask("/t/count", stream_body(futures_util::stream::iter(pieces)));
    let (up, down) = tokio::join!(upload, ask("/t/megabytes", empty_body()));
    let count = up.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(count, (LARGE_BYTES / 100_000 * 100_000).to_string());
    assert_eq!(down.into_body().collect().await.unwrap().to_bytes().len(), LARGE_BYTES);
    assert_eq!(ask("/t/panic", empty_body()).await.status(), 500);
    assert_eq!(ask("/healthz", empty_body()).await.status(), 405, "the connection goes on");
}

#[tokio::test]
async fn tls_works_and_reloads() {
    let pem = Pem::new("tls");
    let first = pem.renew();
    let tls = pem.load();
    let (address, ..) =
        start_on(Binding::https("127.0.0.1:0".parse().unwrap(), tls.clone()), options()).await;
    assert!(ask_by_tls(address, first.clone()).await.unwrap().contains("ok"));

    let second = pem.renew();
    tls.reload().unwrap();
    assert!(ask_by_tls(address, first).await.is_err(), "the old certificate is no longer shown");
    assert!(ask_by_tls(address, second.clone()).await.is_ok());
    std::fs::write(&pem.key, "nonsense").unwrap();
    assert!(tls.reload().is_err());
    assert!(ask_by_tls(address, second).await.is_ok(), "a bad file leaves the good certificate in place");
}

/// A certificate and its key in a folder that goes with it.
struct Pem {
    folder: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Pem {
    fn new(name: &str) -> Pem {
        let folder = std::env::temp_dir().join(format!("allod-kit-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Pem { certificate: folder.join("cert.pem"), key: folder.join("key.pem"), folder }
    }

    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&self.certificate, made.cert.pem()).unwrap();
        std::fs::write(&self.key, made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn load(&self) -> Tls {
        Tls::load(&self.certificate, &self.key).unwrap()
    }
}

impl Drop for Pem {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn connect_by_tls(
    address: SocketAddr,
    trusted: CertificateDer<'static>,
    alpn: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let socket = TcpStream::connect(address).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect("localhost".try_into().unwrap(), socket).await
}

async fn ask_by_tls(address: SocketAddr, trusted: CertificateDer<'static>) -> std::io::Result<String> {
    let mut stream = connect_by_tls(address, trusted, &[]).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    Ok(answer)
}

/// Echoes until `stop`; `stubborn` does not look at it.
async fn echo(accepted: Accepted, stop: Stop, stubborn: bool) {
    let Ok(mut connection) = accepted.handshake().await else { return };
    let mut buffer = [0; 64];
    loop {
        tokio::select! {
            () = stop.cancelled(), if !stubborn => {
                let _ = connection.write_all(b"bye").await;
                return;
            }
            read = connection.read(&mut buffer) => match read {
                Ok(count) if count > 0 => connection.write_all(&buffer[..count]).await.unwrap(),
                _ => return,
            },
        }
    }
}

#[tokio::test]
async fn other_protocols_are_served_and_end() {
    for stubborn in [false, true] {
        let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = TcpOptions { connections_max: 1, shutdown_timeout: Duration::from_millis(300) };
        let stop = Stop::new();
        let (serving, watched) = (stop.clone(), stop.clone());
        let server = tokio::spawn(serve_tcp(listener, options, serving, move |accepted| {
            echo(accepted, watched.clone(), stubborn)
        }));
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut buffer = [0; 64];
        first.write_all(b"hello").await.unwrap();
        assert_eq!(first.read(&mut buffer).await.unwrap(), 5);
        // One place only: the next waits until the first has left.
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(b"me too").await.unwrap();
        assert!(timeout(Duration::from_millis(100), second.read(&mut buffer)).await.is_err());
        drop(first);
        assert_eq!(second.read(&mut buffer).await.unwrap(), 6);
        stop.cancel();
        timeout(Duration::from_secs(2), server).await.expect("it ends").unwrap();
        let mut last = Vec::new();
        let _ = second.read_to_end(&mut last).await;
        assert_eq!(last, if stubborn { &b""[..] } else { b"bye" });
    }
}

#[tokio::test]
async fn plain_text_that_becomes_tls_may_be_reached_by_others() {
    let everywhere = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(Listener::bind(Binding::plain(everywhere)).await, Err(ListenError::PlainText(_))));
    assert!(Listener::bind(Binding::start_tls(everywhere)).await.is_ok());
}
