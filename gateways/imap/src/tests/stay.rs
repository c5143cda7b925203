//! After login: what ends a connection, and what does not.

use super::*;

#[tokio::test]
async fn nonsense_is_answered_and_in_the_end_too_much() {
    let served = serve().await;
    let mut client = Client::alice(&served).await;
    for line in
        ["a", "a XYZZY", "a LOGIN x y", "a AUTHENTICATE PLAIN", "a FETCH 1 FLAGS", "a SELECT", "\u{1}\u{2}"]
    {
        client.send(format!("{line}\r\n")).await;
        let answer = client.line().await.unwrap();
        assert!(answer.contains(" BAD "), "{line}: {answer}");
    }
    // A line with nothing on it is passed over.
    client.send("\r\n").await;
    assert!(client.ask("NOOP").await.starts_with('t'));
    client.send("GET / HTTP/1.1\r\n".repeat(40)).await;
    let told = client.rest().await;
    assert!(told.ends_with("* BYE Too many commands that are not understood\r\n"), "{told}");
}

#[tokio::test]
async fn who_is_who() {
    let served = serve().await;
    let mut client = Client::connect(&served).await;
    let answer = client.ask("ID (\"name\" \"Mutt\" \"version\" \"2.2\" \"os\" NIL)").await;
    assert!(answer.starts_with("* ID (\"name\" \"allod\" \"version\" "), "{answer}");
    let login = client.ask(&format!("LOGIN alice {}", served.app.password.as_str())).await;
    assert!(login.contains(" OK "), "{login}");
    let apps = served.core.operator().credentials(Some("alice")).await.unwrap();
    let last = apps.iter().find_map(|app| app.last_use.clone()).unwrap();
    assert_eq!((last.protocol.as_str(), last.client.as_deref()), ("imap", Some("Mutt 2.2")));
    assert!(client.ask("ID NIL").await.contains(" OK "));
    // Thunderbird says it only after the login.
    assert!(client.ask("ID (\"name\" \"Thunderbird\")").await.contains(" OK "));
    let apps = served.core.operator().credentials(Some("alice")).await.unwrap();
    let last = apps.iter().find_map(|app| app.last_use.clone()).unwrap();
    assert_eq!(last.client.as_deref(), Some("Thunderbird"));
    let gone = client.ask("LOGOUT").await;
    assert!(gone.starts_with("* BYE ") && gone.contains(" OK "), "{gone}");
    assert_eq!(client.rest().await, "");
}

/// What is said until the end, however long that takes.
async fn patiently(client: &mut Client) -> String {
    let mut text = client.received.split_off(0);
    client.io.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn nobody_stays_for_ever() {
    let served = serve().await;
    let mut stranger = Client::connect(&served).await;
    let mut quiet = Client::alice(&served).await;
    let mut idle = Client::alice(&served).await;
    idle.send("i IDLE\r\n").await;
    idle.until("+ ").await;
    // From here on, time runs as fast as everybody waits.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    assert_eq!(patiently(&mut stranger).await, "* BYE Nobody logged in for a minute\r\n");
    assert!(began.elapsed() < Duration::from_secs(70), "{:?}", began.elapsed());
    assert_eq!(patiently(&mut quiet).await, "* BYE Nothing was asked for half an hour\r\n");
    assert_eq!(patiently(&mut idle).await, "* BYE Idle for half an hour; ask again\r\n");
    assert!(began.elapsed() >= Duration::from_secs(30 * 60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn enabling() {
    let served = serve().await;
    let mut client = Client::alice(&served).await;
    let answer = client.ask("ENABLE qresync X-FOO utf8=accept imap4rev2 QRESYNC").await;
    assert!(answer.starts_with("* ENABLED QRESYNC UTF8=ACCEPT IMAP4rev2\r\n"), "{answer}");
    let answer = client.ask("ENABLE NONSENSE").await;
    assert!(answer.starts_with("* ENABLED\r\n"), "{answer}");
}

#[tokio::test]
async fn revoked_and_stopped_while_idle() {
    let served = serve().await;
    let mut waits = Client::alice(&served).await;
    let mut idles = Client::alice(&served).await;
    idles.send("i IDLE\r\n").await;
    idles.until("+ ").await;
    served.core.operator().revoke_credential(&served.app.id.0).await.unwrap();
    for client in [&mut waits, &mut idles] {
        assert_eq!(client.rest().await, "* BYE This app password was revoked or has expired\r\n");
    }
    let app = credential(&served.core, "mail").await;
    let mut client = Client::connect(&served).await;
    let answer = client.ask(&format!("LOGIN alice {}", app.password.as_str())).await;
    assert!(answer.contains(" OK "), "{answer}");
    let mut stranger = Client::connect(&served).await;
    served.stop.cancel();
    for client in [&mut client, &mut stranger] {
        assert!(client.rest().await.starts_with("* BYE [UNAVAILABLE] "));
    }
}

#[tokio::test]
async fn idle_ends_with_done() {
    let served = serve().await;
    let mut client = Client::alice(&served).await;
    client.send("i IDLE\r\n").await;
    client.until("+ ").await;
    client.send("done\r\n").await;
    assert!(client.until("i ").await.starts_with("i OK"));
    client.send("j IDLE\r\n").await;
    client.until("+ ").await;
    client.send("k NOOP\r\n").await;
    assert!(client.until("j ").await.starts_with("j BAD"));
    // Sent ahead.
    client.send("l IDLE\r\nDONE\r\nm NOOP\r\n").await;
    let answer = client.until("m ").await;
    assert!(answer.starts_with("+ ") && answer.contains("\r\nl OK"), "{answer}");
}

#[tokio::test]
async fn connections_are_counted() {
    let served = serve_with(Options { account_connections_max: 2, ..Options::default() }).await;
    let first = Client::alice(&served).await;
    let _second = Client::alice(&served).await;
    let mut third = Client::connect(&served).await;
    let login = format!("LOGIN alice {}", served.app.password.as_str());
    let answer = third.ask(&login).await;
    assert!(answer.contains(" NO [LIMIT] "), "{answer}");
    drop(first);
    for _ in 0..50 {
        let answer = third.ask(&login).await;
        if answer.contains(" OK ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        third = Client::connect(&served).await;
    }
    panic!("a place that was left is not free");
}

#[tokio::test]
async fn compression() {
    let served = serve().await;
    let mut client = Client::alice(&served).await;
    assert!(client.ask("COMPRESS LZMA").await.contains(" BAD "));
    assert!(client.ask("CAPABILITY").await.contains(" COMPRESS=DEFLATE "));
    assert!(client.ask("COMPRESS DEFLATE").await.contains(" OK "));
    client.send(deflate(b"a CAPABILITY\r\nb COMPRESS DEFLATE\r\nc NOOP\r\n")).await;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !inflate(&received).contains("\r\nc ") {
        let count = timeout(PATIENCE, client.io.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0);
        received.extend_from_slice(&buffer[..count]);
    }
    let answer = inflate(&received);
    assert!(answer.starts_with("* CAPABILITY ") && !answer.contains("COMPRESS=DEFLATE"), "{answer}");
    assert!(answer.contains("b NO [COMPRESSIONACTIVE]"), "{answer}");
}

#[tokio::test]
async fn a_few_bytes_that_stand_for_many_are_bounded() {
    let served = serve().await;
    let mut client = Client::alice(&served).await;
    client.ask("COMPRESS DEFLATE").await;
    // A gigabyte without a line's end, of which a few pieces suffice.
    let piece = vec![b'x'; 16 << 20];
    let mut encoder = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(1 << 20);
    encoder.compress_vec(&piece, &mut out, flate2::FlushCompress::Sync).unwrap();
    assert!(out.len() < 32 * 1024);
    client.send(&out).await;
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, client.io.read_to_end(&mut received)).await.expect("it ends");
    assert!(inflate(&received).contains("* BYE This line is too long"), "{}", inflate(&received));
}

#[tokio::test]
async fn what_is_not_compressed_ends_the_connection() {
    let served = serve().await;
    let mut client = Client::alice(&served).await;
    client.ask("COMPRESS DEFLATE").await;
    client.send([0xff; 64]).await;
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, client.io.read_to_end(&mut received)).await.expect("it ends");
}
