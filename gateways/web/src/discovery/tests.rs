//! Discovery through a real socket: what is served is announced, and nothing else.

use std::sync::Arc;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{Core, Options};
use allod_kit::{Binding, HttpOptions, HttpRouter, Listener as Socket, Stop, serve_http};
use allod_meta::{Store, memory::Memory};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Listener, Site, Web};

fn listener(name: &str, port: u16, tls: bool, start_tls: bool) -> Listener {
    Listener { name: name.into(), port, tls, start_tls }
}

fn full() -> Site {
    Site {
        listeners: vec![
            listener("imap", 143, false, true),
            listener("imaps", 993, true, false),
            listener("submission", 587, false, true),
            listener("submissions", 465, true, false),
            listener("mx", 25, false, true),
        ],
        security_contacts: vec!["mailto:safe@cloud.example".into()],
        ..Site::default()
    }
}

/// Sends each request (request line, body) to a server behind a proxy that speaks TLS; what came back.
async fn ask(site: Site, requests: &[(&str, &str)]) -> Vec<String> {
    let store = Store::new(Arc::new(Memory::new()));
    let options = Options::new(BlobConfig::new("memory:///"));
    let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.unwrap();
    let socket = Socket::bind(Binding::plain("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let (address, stop) = (socket.local_addr().unwrap(), Stop::new());
    let router = Arc::new(HttpRouter::new(vec![Arc::new(Web::new(core, site))], || true));
    let options =
        HttpOptions { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..HttpOptions::default() };
    tokio::spawn(serve_http(socket, router, options, stop.clone()));
    let mut replies = Vec::new();
    for (line, body) in requests {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: cloud.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        replies.push(String::from_utf8_lossy(&reply).into_owned());
    }
    stop.cancel();
    replies
}

const AUTOCONFIG: &str = "GET /.well-known/autoconfig/mail/config-v1.1.xml";
const QUESTION: &str = "<Autodiscover xmlns=\"x\"><Request><EMailAddress>alice@cloud.example</EMailAddress>\
    <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\
    </AcceptableResponseSchema></Request></Autodiscover>";

#[tokio::test]
async fn what_is_served_is_announced() {
    let replies = ask(
        full(),
        &[
            (AUTOCONFIG, ""),
            ("GET /mail/config-v1.1.xml?emailaddress=alice%40other.example", ""),
            ("POST /autodiscover/autodiscover.xml", QUESTION),
            ("GET /autodiscover/autodiscover.json?Email=a@b.c&Protocol=AutodiscoverV1", ""),
            ("GET /.well-known/user-agent-configuration.json", ""),
            ("GET /.well-known/security.txt", ""),
            ("GET /.well-known/change-password", ""),
            ("GET /.well-known/oauth-authorization-server", ""),
        ],
    )
    .await;
    let wanted: [&[&str]; 8] = [
        &[
            "<port>993</port>\n      <socketType>SSL</socketType>",
            "<port>143</port>\n      <socketType>STARTTLS</socketType>",
            "<port>465</port>",
            "<port>587</port>",
            "<hostname>cloud.example</hostname>",
            "<calendar type=\"caldav\">",
            "<url>https://cloud.example/.well-known/carddav</url>",
        ],
        &["<emailProvider id=\"other.example\">"],
        &[
            "<Type>IMAP</Type><Server>cloud.example</Server><Port>993</Port>",
            "<Port>465</Port>",
            "<LoginName>alice@cloud.example<",
        ],
        &["\"Url\":\"https://cloud.example/autodiscover/autodiscover.xml\""],
        &["\"imap\":{\"host\":\"cloud.example\"}", "\"smtp\"", "\"caldav\"", "\"password\":true"],
        &["Contact: mailto:safe@cloud.example\n", "Expires: 20"],
        &["303 See Other", "location: /ui/settings"],
        &[
            "\"issuer\":\"https://cloud.example\"",
            "\"code_challenge_methods_supported\":[\"S256\"]",
            "access-control-allow-origin: *",
        ],
    ];
    for (reply, wanted) in replies.iter().zip(wanted) {
        for text in wanted {
            assert!(reply.contains(text), "{text}\n{reply}");
        }
        assert!(!reply.contains(">25<"), "mail from the world is no business of programs: {reply}");
    }
    let first = replies[0].find("<port>993").unwrap() < replies[0].find("<port>143").unwrap();
    assert!(first, "encrypted from the start comes first");
}

#[tokio::test]
async fn what_is_not_served_is_not() {
    let odd = Site {
        listeners: vec![listener("imaps", 1993, true, false), listener("imap", 1143, false, false)],
        ..Site::default()
    };
    let replies = ask(
        odd,
        &[
            (AUTOCONFIG, ""),
            ("GET /.well-known/user-agent-configuration.json", ""),
            ("GET /.well-known/security.txt", ""),
        ],
    )
    .await;
    assert!(replies[0].contains("<port>1993</port>") && !replies[0].contains("1143"), "{}", replies[0]);
    assert!(!replies[0].contains("outgoingServer"), "{}", replies[0]);
    assert!(!replies[1].contains("\"imap\""), "another port than 993 cannot be said: {}", replies[1]);
    assert!(replies[2].starts_with("HTTP/1.1 404"), "{}", replies[2]);
    let nothing = ask(Site::default(), &[("POST /Autodiscover/Autodiscover.xml", QUESTION)]).await;
    assert!(nothing[0].contains("<ErrorCode>601</ErrorCode>"), "{}", nothing[0]);
}

#[tokio::test]
async fn odd_questions() {
    let injected = QUESTION.replace("alice@", "&lt;x&gt;\"'<b>@");
    let table = [
        ("GET /mail/config-v1.1.xml?emailaddress=%3Cx%3E%40%22%3E%3Cscript%3E", "", "400"),
        ("GET /mail/config-v1.1.xml?emailaddress=", "", "200"),
        ("POST /mail/config-v1.1.xml", "", "405"),
        ("GET /autodiscover/autodiscover.xml", "", "405"),
        ("POST /autodiscover/autodiscover.xml", "<x/>", "400"),
        ("POST /autodiscover/autodiscover.xml", injected.as_str(), "200"),
        ("GET /autodiscover/autodiscover.json?Protocol=EWS", "", "400"),
        ("GET /autodiscover/autodiscover.json/v1.0/a@b.c?Protocol=Autodiscoverv1", "", "200"),
        ("DELETE /.well-known/change-password", "", "405"),
    ];
    let requests: Vec<_> = table.iter().map(|(line, body, _)| (*line, *body)).collect();
    for (reply, (line, _, status)) in ask(full(), &requests).await.iter().zip(table) {
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {reply}");
        assert!(!reply.contains("<script>") && !reply.contains("<b>"), "{line}: {reply}");
    }
}
