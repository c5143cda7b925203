//! Odd and hostile peers, one table for each kind of oddity.

use allod_core::post::Vacation;

use super::exchange::two;
use super::*;

/// A script of raw bytes, and how the answers begin; an empty one: the connection is closed.
type Talk = (&'static [u8], &'static [&'static str]);

const TO_ALICE: &[u8] = b"EHLO c.example\r\nMAIL FROM:<x@y.example>\r\nRCPT TO:<alice@a.example>\r\n";

/// Says all at once and compares the answers.
async fn talk(mut client: Client, (said, expected): &Talk) {
    client.raw(said).await;
    for begin in *expected {
        let answer = client.answer().await;
        let right = if begin.is_empty() { answer.is_empty() } else { answer.starts_with(begin) };
        assert!(right, "{}: {begin} is not {answer}", String::from_utf8_lossy(said));
    }
}

/// Greeted, with a mail for Alice begun.
async fn begun(address: SocketAddr) -> Client {
    let mut client = Client::connect(address).await;
    for line in TO_ALICE.split_inclusive(|byte| *byte == b'\n') {
        client.raw(line).await;
        assert!(client.answer().await.starts_with("250"));
    }
    client
}

#[tokio::test]
async fn greetings() {
    let (site, _dns) = alone().await;
    let table: &[Talk] = &[
        (b"EHLO\r\n", &["501"]),
        (b"HELO\r\n", &["501"]),
        (b"EHLO  \r\n", &["501"]),
        (b"ehlo [127.0.0.1]\r\n", &["250"]),
        (b"EHLO a_b c d\r\n", &["250"]),
        (b"EHLO c.example\0\r\n", &["500"]),
        (b"EHLO \xff\xfe\r\n", &["500"]),
        (b"EHLO c.example\x1b[2J\r\n", &["500"]),
        (b"EHLO c.example\r\nNOOP\r\n", &["521", ""]),
        (b"EHLO c.example\n", &["521", ""]),
        (b"EHLO c.example\rNOOP\r\n", &["521", ""]),
        (b"\r\n", &["500"]),
        (b" EHLO c.example\r\n", &["500"]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", &["521", ""]),
        (b"POST / HTTP/1.1\r\n", &["521", ""]),
        (b"QUIT now\r\nQUIT\r\n", &["501", "221", ""]),
    ];
    for row in table {
        talk(Client::connect(site.mx).await, row).await;
    }
    let mut long = b"EHLO ".to_vec();
    long.extend([b'x'; 300]);
    long.extend(b"\r\n");
    let mut client = Client::connect(site.mx).await;
    client.raw(&long).await;
    assert!(client.answer().await.starts_with("501"));
}

#[tokio::test]
async fn commands_that_are_not_served() {
    let (site, _dns) = alone().await;
    let table: &[(&str, u16)] = &[
        ("EXPN staff", 502),
        ("ETRN a.example", 502),
        ("TURN", 502),
        ("ATRN a.example", 502),
        ("SEND FROM:<x@y.example>", 502),
        ("VRFY alice@a.example", 252),
        ("VRFY nobody@a.example", 252),
        ("XCLIENT ADDR=127.0.0.1", 500),
        ("XFORWARD ADDR=127.0.0.1", 500),
        ("STARTTLS", 502),
        ("STARTTLS now", 501),
        ("MAIL FROM:<x@y.example> REQUIRETLS", 555),
        ("MAIL FROM:<x@y.example> BODY=BINARYMIME", 555),
        ("MAIL FROM:<x@y.example> BODY=9BIT", 501),
        ("MAIL FROM:<x@y.example> BY=100;R", 555),
        ("MAIL FROM:<x@y.example> MT-PRIORITY=9", 555),
        ("MAIL FROM:<x@y.example> SIZE=", 501),
        ("MAIL FROM:<x@y.example> SIZE=-1", 501),
        ("MAIL FROM:<x@y.example> SIZE=1 SIZE=1", 501),
        ("MAIL FROM:<x@y.example> SIZE=18446744073709551615", 552),
        ("MAIL FROM:<x@y.example> RET=FULL", 555),
        ("MAIL FROM:<x@y.example> AUTH=<>", 555),
        ("MAIL FROM:<x@y.example>SIZE=1", 501),
        ("MAIL FROM:<x@y.example", 501),
        ("MAIL FROM:x@y.example", 501),
        ("MAIL FROM:<x y@y.example>", 553),
        ("MAIL FROM:<x@y..example>", 553),
        ("MAIL FROM:<ü@y.example>", 553),
        ("MAIL FROM:<x>", 553),
    ];
    for rows in table.chunks(3) {
        let mut client = Client::connect(site.mx).await;
        client.say("EHLO c.example", 250).await;
        for (line, code) in rows {
            client.say(line, *code).await;
        }
    }
    let recipients = [
        ("<x@elsewhere.example>", 550),
        ("<x@elsewhere.example@a.example>", 55),
        ("<x%elsewhere.example@a.example>", 550),
        ("<elsewhere.example!x@a.example>", 550),
        ("<@a.example,@b.example:x@elsewhere.example>", 550),
        ("<alice@[127.0.0.1]>", 550),
        ("<alice>", 55),
        ("<>", 55),
        ("<alice@a.example> NOTIFY=SUCCESS", 555),
        ("<\"alice@a.example\"@elsewhere.example>", 550),
        ("<ü@a.example>", 55),
    ];
    for rows in recipients.chunks(3) {
        let mut client = Client::connect(site.mx).await;
        client.say("EHLO c.example", 250).await;
        client.say("MAIL FROM:<x@y.example>", 250).await;
        for (path, code) in rows {
            client.say(&format!("RCPT TO:{path}"), *code).await;
        }
        client.say("DATA", 503).await;
    }
}

/// An address or a header beyond ASCII is taken where SMTPUTF8 was said.
#[tokio::test]
async fn eight_bits() {
    let (site, _dns) = alone().await;
    let mut client = Client::connect(site.mx).await;
    client.say("EHLO c.example", 250).await;
    client.say("MAIL FROM:<ü@y.example> SMTPUTF8 BODY=8BITMIME", 250).await;
    client.say("RCPT TO:<alice@a.example>", 250).await;
    client.say("DATA", 354).await;
    client.raw("From: ü@y.example\r\nSubject: ü\r\n\r\nü\r\n.\r\n".as_bytes()).await;
    assert!(client.answer().await.starts_with("250"));
    client.say("MAIL FROM:<x@y.example> SMTPUTF8=yes", 555).await;
}

#[tokio::test]
async fn chunks() {
    let (site, _dns) = alone().await;
    // What comes behind the recipients of a mail that was begun, and the answers.
    let table: &[Talk] = &[
        // RFC 3030 §2: nothing at all is no message.
        (b"BDAT 0 LAST\r\n", &["554"]),
        (b"BDAT 0\r\nBDAT 22 LAST\r\nFrom: x@y.example\r\n\r\nx", &["250", "250"]),
        (b"BDAT 22 LAST\r\nFrom: x@y.example\r\n\r\nxBDAT 0 LAST\r\n", &["250", "503"]),
        (b"BDAT 4\r\nFromDATA\r\n", &["250", "503"]),
        (b"BDAT 4\r\nFromMAIL FROM:<x@y.example>\r\n", &["250", "503"]),
        (b"BDAT 4\r\nFromRSET\r\nBDAT 1 LAST\r\nx", &["250", "250", "503"]),
        (b"BDAT\r\n", &["501"]),
        (b"BDAT -1 LAST\r\n", &["501"]),
        (b"BDAT 1 FIRST\r\n", &["501"]),
        (b"BDAT 1 LAST LAST\r\n", &["501"]),
        (b"BDAT 0x10 LAST\r\n", &["501"]),
        (b"BDAT 99999999999999999999\r\n", &["501"]),
        // More than is ever read.
        (b"BDAT 9999999999999 LAST\r\n", &["521", ""]),
        // Read as a chunk, and not as commands.
        (b"BDAT 26\r\nQUIT\r\nMAIL FROM:<e@evil>\r\nNOOP\r\n", &["250", "250"]),
    ];
    for row in table {
        talk(begun(site.mx).await, row).await;
    }
    let taken = site.mailbox("INBOX").await.len();
    assert_eq!(taken, 2);
    // Gone in the middle: nothing is left of it.
    for cut in [b"BDAT 100 LAST\r\nFrom: x" as &[u8], b"BDAT 22\r\nFrom: x@y.example\r\n\r\nx", b"DATA\r\n"] {
        let mut client = begun(site.mx).await;
        client.raw(cut).await;
        if cut == b"DATA\r\n" {
            assert!(client.answer().await.starts_with("354"));
            client.raw(b"From: x@y.example\r\n\r\nx\r\n.").await;
        }
        drop(client);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(site.mailbox("INBOX").await.len(), taken);
    // Beyond SIZE, in chunks: told at the end, and the connection goes on.
    let mut client = begun(site.mx).await;
    let chunk = vec![b'x'; 16 << 20];
    for _ in 0..=(crate::limits::MESSAGE_BYTES_MAX / chunk.len()) {
        client.raw(format!("BDAT {}\r\n", chunk.len()).as_bytes()).await;
        client.raw(&chunk).await;
        assert!(client.answer().await.starts_with("250"));
    }
    client.say("BDAT 0 LAST", 552).await;
    client.say("NOOP", 250).await;
}

#[tokio::test]
async fn whoever_says_nothing_is_shown_out() {
    let dns = TestDns::start().await;
    let short = Duration::from_millis(300);
    let times = Times { command: short, data_pause: short, data: short * 4, connection: short * 20 };
    let set = options("mx.a.example", &dns);
    let site = Site::with_tls("alice", "a.example", listener().await, set, None, times).await;
    let silent: &[&[u8]] = &[b"", b"EHL", b"NOOP\r\nNO"];
    for said in silent {
        let mut client = Client::connect(site.mx).await;
        client.raw(said).await;
        let mut last = client.answer().await;
        if last.starts_with("250") {
            last = client.answer().await;
        }
        assert!(last.starts_with("421 4.4.2"), "{last}");
        assert_eq!(client.answer().await, "");
    }
    for said in [b"DATA\r\n" as &[u8], b"BDAT 10\r\nx"] {
        let mut client = begun(site.mx).await;
        client.raw(said).await;
        let mut last = client.answer().await;
        if last.starts_with("354") {
            last = client.answer().await;
        }
        assert!(last.starts_with("421 4.4.2"), "{last}");
    }
    // One byte at a time is not enough either.
    let mut client = begun(site.mx).await;
    client.say("DATA", 354).await;
    let drip = async {
        loop {
            client.raw(b"x").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // All of a message has a time of its own; whoever goes on meets a closed door.
    let _ = tokio::time::timeout(short * 8, drip).await;
    assert!(client.answer().await.starts_with("421 4.4.2"));
    assert!(site.mailbox("INBOX").await.is_empty());
}

/// Guessing goes on over new connections; in the end the address is not listened to any more.
#[tokio::test]
async fn guessing_over_many_connections_is_cut_off() {
    let (site, _dns) = alone().await;
    let mut busy = false;
    for round in 0..20 {
        let mut client = Client::connect(site.submission).await;
        client.say("EHLO c.example", 250).await;
        for guess in 0..2 {
            let wrong = crate::sasl::encode(format!("\0alice\0wrong-{round}-{guess}"));
            client.raw(format!("AUTH PLAIN {wrong}\r\n").as_bytes()).await;
            let answer = client.answer().await;
            assert!(answer.starts_with("535") || answer.starts_with("421"), "{answer}");
            busy |= answer.starts_with("421");
            if busy {
                break;
            }
        }
        if busy {
            break;
        }
    }
    assert!(busy, "guessing is throttled");
}

/// What an account's own texts make, and what an app sends, cannot be read as two mails by a next hop that sees an end
/// of line where there is none.
#[tokio::test]
async fn nothing_that_leaves_smuggles() {
    let (a, b, _dns) = two().await;
    let vacation = Vacation {
        from: None,
        until: None,
        subject: Some("Away\r\nBcc: x@y.example\n.\n".into()),
        text: "Back soon.\n.\nMAIL FROM:<evil@x.example>\r.\r\n\r\n.\r\nDATA\n..\n".into(),
        days: 7,
    };
    let session = a.core.operator().session("alice").unwrap();
    session
        .set_filing(allod_core::post::Filing { rules: Vec::new(), vacation: Some(vacation) })
        .await
        .unwrap();
    let mail = "From: bob@b.example\r\nTo: alice@a.example\r\nSubject: Hello\r\n\r\nFirst\r\n..\r\n...x";
    assert!(Client::app(&b).await.mail("bob@b.example", &["alice@a.example"], mail).await.starts_with("250"));
    let arrived = a.arrived("INBOX", 1).await;
    assert!(arrived[0].ends_with("First\r\n.\r\n..x\r\n"), "{}", arrived[0]);
    let answer = b.arrived("INBOX", 1).await.remove(0);
    assert!(answer.contains("Back soon.") && answer.contains("dkim=pass"), "{answer}");
    assert!(!crate::wire::has_bare(answer.as_bytes()), "{answer}");
    assert!(!answer.to_lowercase().contains("\r\nbcc:"), "{answer}");
    assert_eq!(b.mailbox("INBOX").await.len(), 1);
}
