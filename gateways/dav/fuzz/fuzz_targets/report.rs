//! Any bytes as the body of a request to a calendar, an address book or a home: an answer comes, it is no failure of the
//! server's own, and a multistatus is XML that our own reader takes. The first byte chooses place and method.
#![no_main]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core, Options};
use allod_dav::{Dav, xml::Document};
use allod_kit::{Binding, HttpOptions, HttpRouter, Listener, Stop, serve_http};
use allod_meta::{Store, memory::Memory};
use allod_model::parse_grant;
use libfuzzer_sys::fuzz_target;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n\
    DTSTART:20240105T090000Z\r\nRRULE:FREQ=DAILY\r\nSUMMARY:a<b\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const CARD: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:1\r\nFN:Ada\r\nEMAIL;TYPE=home:x@y\r\nEND:VCARD\r\n";
const PLACES: [(&str, &str); 6] = [
    ("REPORT", "/dav/a/Calendars/Personal/"),
    ("REPORT", "/dav/a/Contacts/Personal/"),
    ("PROPFIND", "/dav/a/Calendars/"),
    ("PROPPATCH", "/dav/a/Calendars/Personal/"),
    ("REPORT", "/principals/a/"),
    ("REPORT", "/dav/a/Calendars/"),
];

struct Server {
    address: std::net::SocketAddr,
    bearer: String,
    _runtime: tokio::runtime::Runtime,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (address, bearer) = runtime.block_on(async {
            let store = Store::new(Arc::new(Memory::new()));
            let options = Options::new(BlobConfig::new("memory:///"));
            let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.expect("a store");
            core.operator().add_account("a", AccountChange::default()).await.expect("an account");
            let grants = vec![parse_grant("all").expect("a grant")];
            let app = core.operator().add_credential("a", "fuzz", grants, None).await.expect("a credential");
            let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().expect("an address")));
            let listener = listener.await.expect("a listener");
            let address = listener.local_addr().expect("its address");
            let router = Arc::new(HttpRouter::new(vec![Arc::new(Dav::new(core))], || true));
            tokio::spawn(serve_http(listener, router, HttpOptions::default(), Stop::new()));
            (address, app.bearer.to_string())
        });
        let server = Server { address, bearer, _runtime: runtime };
        server.ask("PUT", "/dav/a/Calendars/Personal/e.ics", EVENT.as_bytes());
        server.ask("PUT", "/dav/a/Contacts/Personal/c.vcf", CARD.as_bytes());
        server
    })
}

impl Server {
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nDepth: 1\r\nContent-Length: {}\r\nConnection: \
             close\r\n\r\n",
            self.bearer,
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        // A body that is refused early may meet a closed door.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let (method, path) = PLACES[usize::from(*choice % 48) % PLACES.len()];
    let answer = server().ask(method, path, body);
    let text = String::from_utf8_lossy(&answer);
    let status: u16 = text.get(9..12).and_then(|status| status.parse().ok()).expect("a status line");
    assert!(status < 500 || status == 507, "{text}");
    if status == 207 && !text.contains("transfer-encoding") {
        let (_, xml) = text.split_once("\r\n\r\n").expect("a body");
        assert!(Document::parse(xml.as_bytes()).is_ok(), "{text}");
    }
});
