//! Which gateway answers a request on the shared HTTP listener.

use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::{Gateway, Mount, Peer, RequestBody, ResponseBody, full_body};

/// The gateways by host and path, and the two probes `/healthz` (the process lives) and `/readyz` (the store is
/// usable). What nobody claims is answered with 404.
pub struct HttpRouter {
    mounts: Vec<(Mount, Arc<dyn Gateway>)>,
    ready: Box<dyn Fn() -> bool + Send + Sync>,
}

impl HttpRouter {
    /// A router for all mounts of `gateways`. `ready` says whether the store is usable; it must not block.
    pub fn new(
        gateways: Vec<Arc<dyn Gateway>>,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> HttpRouter {
        let mounts = gateways
            .into_iter()
            .flat_map(|gateway| gateway.mounts().into_iter().map(move |mount| (mount, gateway.clone())))
            .collect();
        HttpRouter { mounts, ready: Box::new(ready) }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        // Before the mounts, so that a gateway on `/` does not hide them.
        match request.uri().path() {
            "/healthz" => return probe(request.method(), true),
            "/readyz" => return probe(request.method(), (self.ready)()),
            _ => {}
        }
        // RFC 9112 §3.2: exactly one Host, or 400.
        if request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1 {
            return text(StatusCode::BAD_REQUEST, "a request names its host once\n");
        }
        match self.find(&request) {
            Some(gateway) => gateway.handle(request, peer).await,
            None => text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    fn find(&self, request: &Request<RequestBody>) -> Option<&dyn Gateway> {
        let host = host_without_port(request);
        let (path, method) = (request.uri().path(), request.method().as_str());
        self.mounts
            .iter()
            .filter_map(|(mount, gateway)| Some((mount.fit(host, path, method)?, gateway)))
            .max_by_key(|(fit, _)| *fit)
            .map(|(_, gateway)| gateway.as_ref())
    }
}

/// The host a request is for: the authority of its target (HTTP/2, absolute form), else the `Host` header.
fn host_without_port<B>(request: &Request<B>) -> Option<&str> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.host());
    }
    let host = request.headers().get(HOST)?.to_str().ok()?;
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    Some(&host[..end])
}

fn probe(method: &Method, fine: bool) -> Response<ResponseBody> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match fine {
        true => text(StatusCode::OK, "ok\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "the store is not usable\n"),
    }
}

/// A short answer in plain text that no cache keeps.
pub(crate) fn text(status: StatusCode, message: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(full_body(message));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, Vec<Mount>);

    #[async_trait::async_trait]
    impl Gateway for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        fn mounts(&self) -> Vec<Mount> {
            self.1.clone()
        }
    }

    fn router() -> HttpRouter {
        let named = |name, mounts| -> Arc<dyn Gateway> { Arc::new(Named(name, mounts)) };
        let on_host = |host: &str, mount| Mount { host: Some(host.to_owned()), ..mount };
        let gateways = vec![
            named("dav", vec![Mount::prefix("/dav/"), Mount::exact("/", &["PROPFIND"])]),
            named("web", vec![Mount::prefix("/"), Mount::prefix("/dav/ui/")]),
            named("s3", vec![on_host("s3.example.org", Mount::prefix("/"))]),
            named("buckets", vec![on_host("*.s3.example.org", Mount::prefix("/"))]),
        ];
        HttpRouter::new(gateways, || true)
    }

    #[test]
    fn the_closest_mount_wins() {
        let table = [
            ("GET", "/", "a", "web"),
            ("PROPFIND", "/", "a", "dav"),
            ("GET", "/dav", "a", "dav"),
            ("GET", "/dav/x", "a", "dav"),
            ("GET", "/davx", "a", "web"),
            ("GET", "/dav/ui/x", "a", "web"),
            ("GET", "/dav/x", "S3.example.org:443", "s3"),
            ("GET", "/dav/x", "b.S3.example.org:443", "buckets"),
            ("GET", "/dav/x", ".s3.example.org", "dav"),
            ("GET", "/dav/x", "xs3.example.org", "dav"),
            ("GET", "/dav/x", "[::1]:8080", "dav"),
        ];
        for (method, path, host, wanted) in table {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, host)
                .body(RequestBody::empty())
                .unwrap();
            assert_eq!(router().find(&request).unwrap().name(), wanted, "{method} {host} {path}");
        }
    }
}
