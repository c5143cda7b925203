//! What is refused, and what must not get through.

use super::*;

/// Lines and the code of the answer to each.
type Script = &'static [(&'static str, u16)];

#[tokio::test]
async fn conversations_with_the_world() {
    let table: &[Script] = &[
        &[("MAIL FROM:<x@y.example>", 503), ("EHLO c.example", 250), ("RCPT TO:<alice@a.example>", 503)],
        &[("EHLO c.example", 250), ("DATA", 503), ("BDAT 0 LAST", 503)],
        &[("HELO c.example", 250), ("AUTH PLAIN AAAA", 502), ("STARTTLS", 502)],
        &[
            ("EHLO c.example", 250),
            ("MAIL FROM:<x@y.example>", 250),
            ("MAIL FROM:<x@y.example>", 503),
            ("RCPT TO:<nobody@a.example>", 550),
            ("RCPT TO:<x@elsewhere.example>", 550),
            ("RCPT TO:<\"x@elsewhere.example\"@a.example>", 550),
            ("RCPT TO:<x%elsewhere.example@a.example>", 550),
            ("RCPT TO:<@a.example:x@elsewhere.example>", 550),
            ("DATA", 503),
            ("RCPT TO:<alice+shop@a.example>", 250),
            ("RCPT TO:<postmaster>", 250),
            ("RCPT TO:<Postmaster@a.example>", 250),
            ("RSET", 250),
            ("DATA", 503),
        ],
        &[("EHLO c.example", 250), ("MAIL FROM:<x@y.example> SIZE=99999999999", 552)],
        &[("EHLO c.example", 250), ("MAIL FROM:<x@y.example> REQUIRETLS", 555)],
        &[("EHLO c.example", 250), ("VRFY alice", 252), ("NOOP", 250), ("HELP", 214), ("QUIT", 221)],
        &[("GET / HTTP/1.1", 521)],
        &[("EHLO c.example", 250), ("MAIL FROM:<x@y.example>\rRCPT TO:<alice@a.example>", 521)],
    ];
    let (site, _dns) = alone().await;
    for script in table {
        let mut client = Client::connect(site.mx).await;
        for (line, code) in *script {
            client.say(line, *code).await;
        }
    }
    assert!(site.mailbox("INBOX").await.is_empty());
}

#[tokio::test]
async fn what_is_announced_is_served() {
    let (site, _dns) = alone().await;
    let mut world = Client::connect(site.mx).await;
    let announced = world.say("EHLO c.example", 250).await;
    for word in ["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"] {
        assert!(announced.contains(word), "{word}");
    }
    for word in ["AUTH", "DSN", "STARTTLS", "REQUIRETLS", "VRFY"] {
        assert!(!announced.contains(word), "{word}");
    }
    let mut app = Client::connect(site.submission).await;
    let announced = app.say("EHLO c.example", 250).await;
    assert!(announced.contains("AUTH PLAIN LOGIN OAUTHBEARER") && announced.contains("DSN"));
}

/// The public cases of SMTP smuggling: at most one mail arrives, and never from `evil`.
#[tokio::test]
async fn nothing_is_smuggled() {
    let (site, _dns) = alone().await;
    let ends: [&[u8]; 9] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r\n",
        b"\r.\r",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r.\n",
        b"\r\n.\r\r\n",
        b"\r\n\0.\r\n",
    ];
    for end in ends {
        let mut client = Client::connect(site.mx).await;
        client.say("EHLO c.example", 250).await;
        client.say("MAIL FROM:<good@y.example>", 250).await;
        client.say("RCPT TO:<alice@a.example>", 250).await;
        client.say("DATA", 354).await;
        let smuggled = b"MAIL FROM:<evil@y.example>\r\nRCPT TO:<alice@a.example>\r\nDATA\r\nFrom: evil@y.example\r\n\r\nx";
        let all = [b"From: good@y.example\r\n\r\nx" as &[u8], end, smuggled, b"\r\n.\r\nQUIT\r\n"].concat();
        client.raw(&all).await;
        let answer = client.answer().await;
        assert!(answer.starts_with("554 5.6.0") || end.contains(&0), "{end:?}: {answer}");
    }
    for mail in site.mailbox("INBOX").await {
        assert!(mail.starts_with("Return-Path: <good@y.example>"), "{mail}");
    }
}

#[tokio::test]
async fn a_message_before_its_leave_is_not_read_as_commands() {
    let (site, _dns) = alone().await;
    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.raw(b"MAIL FROM:<x@y.example>\r\nRCPT TO:<nobody@a.example>\r\nDATA\r\nRSET\r\n.\r\n").await;
    for code in ["250", "550", "521"] {
        assert!(client.answer().await.starts_with(code));
    }
    assert_eq!(client.answer().await, "");
    // What may be sent ahead, may.
    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.raw(b"MAIL FROM:<x@y.example>\r\nRCPT TO:<alice@a.example>\r\nDATA\r\n").await;
    for code in ["250", "250", "354"] {
        assert!(client.answer().await.starts_with(code));
    }
}

#[tokio::test]
async fn too_much_of_everything() {
    let (site, _dns) = alone().await;
    // A line of 10 MB.
    let mut client = Client::connect(site.mx).await;
    let long = tokio::spawn(async move {
        for _ in 0..160 {
            client.raw(&[b'x'; 65_536]).await;
        }
        client
    });
    let mut client = long.await.unwrap();
    assert!(client.answer().await.starts_with("521"));
    // 100,000 recipients that do not exist.
    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.say("MAIL FROM:<x@y.example>", 250).await;
    let all = "RCPT TO:<nobody@a.example>\r\n".repeat(100_000);
    client.raw(all.as_bytes()).await;
    let mut answers = 0;
    while client.answer().await.starts_with("550") {
        answers += 1;
    }
    assert!(answers <= 21, "{answers}");
    // More recipients than one mail has.
    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.say("MAIL FROM:<x@y.example>", 250).await;
    for _ in 0..100 {
        client.say("RCPT TO:<alice@a.example>", 250).await;
    }
    client.say("RCPT TO:<alice@a.example>", 452).await;
}

#[tokio::test]
async fn passwords_are_not_guessed() {
    let (site, _dns) = alone().await;
    let mut client = Client::connect(site.submission).await;
    client.say("EHLO c.example", 250).await;
    let wrong = crate::sasl::encode("\0alice\0wrong");
    let mut last = String::new();
    for _ in 0..10 {
        client.raw(format!("AUTH PLAIN {wrong}\r\n").as_bytes()).await;
        last = client.answer().await;
        if !last.starts_with("535") {
            break;
        }
    }
    assert!(last.starts_with("421") || last.is_empty(), "{last}");
}

#[tokio::test]
async fn chunks_make_a_message() {
    let (site, _dns) = alone().await;
    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.say("MAIL FROM:<x@y.example> BODY=8BITMIME", 250).await;
    client.say("RCPT TO:<alice@a.example>", 250).await;
    client.raw(b"BDAT 21\r\nFrom: x@y.example\r\n\r\nBDAT 4 LAST\r\nx\ny\n").await;
    assert!(client.answer().await.starts_with("250"));
    assert!(client.answer().await.starts_with("554"), "LF stands alone");
    client.say("MAIL FROM:<x@y.example>", 250).await;
    client.say("RCPT TO:<alice@a.example>", 250).await;
    client.raw(b"BDAT 21\r\nFrom: x@y.example\r\n\r\nBDAT 3 LAST\r\n.\r\n").await;
    assert!(client.answer().await.starts_with("250"));
    assert!(client.answer().await.starts_with("250 2.0.0"));
    let found = site.arrived("INBOX", 1).await;
    assert!(found[0].ends_with("From: x@y.example\r\n\r\n.\r\n"), "{}", found[0]);
}

#[tokio::test]
async fn what_is_sent_ahead_of_tls_is_forgotten() {
    let (tls, der) = certificate("mx.a.example");
    let tls = StartTls::new(&tls, crate::ALPN).unwrap();
    let dns = TestDns::start().await;
    let set = options("mx.a.example", &dns);
    let site = Site::with_tls("alice", "a.example", listener().await, set, Some(tls), Times::default()).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der.into()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));

    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.say("MAIL FROM:<x@y.example>", 250).await;
    client.raw(b"STARTTLS\r\nRCPT TO:<alice@a.example>\r\n").await;
    assert!(client.answer().await.starts_with("220"));
    let name = rustls::pki_types::ServerName::try_from("mx.a.example").unwrap();
    let tls = connector.connect(name, client.stream.into_inner()).await.unwrap();
    let mut tls = BufReader::new(tls);
    // Neither the command ahead nor the transaction before is there: the first answer is that to this command.
    tls.get_mut().write_all(b"RCPT TO:<alice@a.example>\r\nEHLO c.example\r\n").await.unwrap();
    let mut line = String::new();
    tls.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("503"), "{line}");
    line.clear();
    tls.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("250-mx.a.example"), "{line}");
}
