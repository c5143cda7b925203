//! Any bytes from a client that is logged in and has a mailbox selected: every answer is one that a client can read, and the
//! connection ends when the client's side does.
#![no_main]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core};
use allod_imap::{Imap, Options};
use allod_kit::{Binding, Gateway, Listener, Stop};
use allod_meta::{Store, memory::Memory};
use allod_model::parse_grant;
use libfuzzer_sys::fuzz_target;

const MAIL: &str = "From: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in it\r\n\r\nx\r\n--b--\r\n";

struct Server {
    address: SocketAddr,
    login: String,
    _runtime: tokio::runtime::Runtime,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (address, password) = runtime.block_on(async {
            let store = Store::new(Arc::new(Memory::new()));
            let options = allod_core::Options::new(BlobConfig::new("memory:///"));
            let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.expect("a store");
            core.operator().add_account("a", AccountChange::default()).await.expect("an account");
            let grants = vec![parse_grant("all").expect("a grant")];
            let app = core.operator().add_credential("a", "fuzz", grants, None).await.expect("a credential");
            let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().expect("an address")));
            let listener = listener.await.expect("a listener");
            let address = listener.local_addr().expect("its address");
            let imap = Imap::new(core, Options::default());
            imap.add(listener, None);
            tokio::spawn(async move { imap.serve(Stop::new()).await });
            (address, app.password.to_string())
        });
        let login = format!("l LOGIN a {password}\r\n");
        let server = Server { address, login, _runtime: runtime };
        for _ in 0..3 {
            server.talk(format!("x APPEND INBOX {{{}+}}\r\n{MAIL}\r\n", MAIL.len()).as_bytes());
        }
        server
    })
}

impl Server {
    fn talk(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a time-out");
        stream.write_all(self.login.as_bytes()).expect("sent");
        stream.write_all(b"s SELECT INBOX\r\n").expect("sent");
        // What is refused early may meet a closed door.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("it does not end: {error}"),
            _ => answer,
        }
    }
}

/// Panics unless these are answers, whole lines with literals in them.
fn check(mut answer: &[u8]) {
    while !answer.is_empty() {
        let begins = answer;
        loop {
            let Some(end) = answer.windows(2).position(|two| two == b"\r\n") else {
                panic!("a line does not end: {}", String::from_utf8_lossy(begins));
            };
            let line = &answer[..end];
            assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{}", String::from_utf8_lossy(begins));
            answer = &answer[end + 2..];
            let Some(size) = literal(line) else { break };
            answer = answer.get(size..).expect("a literal is whole");
        }
        let word = begins.split(|byte| *byte == b' ').next().unwrap_or_default();
        assert!(!word.is_empty() && word.is_ascii(), "{}", String::from_utf8_lossy(begins));
    }
}

fn literal(line: &[u8]) -> Option<usize> {
    let open = line.iter().rposition(|byte| *byte == b'{')?;
    let digits = line.strip_suffix(b"}")?.get(open + 1..)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fuzz_target!(|bytes: &[u8]| {
    // Compressed answers are not read here.
    let compresses = bytes.windows(8).any(|word| word.eq_ignore_ascii_case(b"COMPRESS"));
    if !compresses {
        check(&server().talk(bytes));
    }
});
