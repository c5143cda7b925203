//! Reading, writing and streaming over a pipe in memory.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use super::*;
use crate::limits::{DISCARD_BYTES_MAX, LINE_BYTES_MAX};
use crate::syntax::Reading;
use crate::syntax::ast::Flag;

fn pipe() -> (DuplexStream, Reader, Output) {
    let (client, server) = tokio::io::duplex(1 << 20);
    let transport = Transport::new(Io::Memory(server));
    (client, Reader::new(transport.clone()), Output::new(transport))
}

async fn next(reader: &mut Reader) -> Result<Incoming, ReadEnd> {
    let read = reader.command(Reading::default(), true);
    timeout(Duration::from_secs(5), read).await.expect("no answer")
}

/// The next command as text; what was refused behind `!`, an end behind `#`.
async fn text(reader: &mut Reader) -> String {
    match next(reader).await {
        Ok(Incoming::Command(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(Incoming::Refused(tag, bad)) => format!("!{} {}", tag.unwrap_or_default(), bad.text),
        Ok(Incoming::Streamed(head, literal)) => format!("~{} {}", head.tagged.tag, literal.size),
        Err(ReadEnd::Bye(text)) => format!("#{text}"),
        Err(ReadEnd::Gone(error)) => format!("#{:?}", error.kind()),
    }
}

async fn said(client: &mut DuplexStream) -> String {
    let mut buffer = vec![0; 1 << 16];
    match timeout(Duration::from_millis(50), client.read(&mut buffer)).await {
        Ok(Ok(count)) => String::from_utf8_lossy(&buffer[..count]).into_owned(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn commands_come_one_by_one() {
    let (mut client, mut reader, _) = pipe();
    client.write_all(b"a NOOP\r\nb LOGIN {3+}\r\nx\r\n {2}\r\n").await.unwrap();
    assert_eq!(text(&mut reader).await, "a NOOP");
    let (read, ()) = tokio::join!(text(&mut reader), async {
        assert_eq!(said(&mut client).await, "+ Ready\r\n");
        client.write_all(b"ab\nc IDLE\n").await.unwrap();
        client.shutdown().await.unwrap();
    });
    assert_eq!(read, "b LOGIN {3+}\r\nx\r\n {2}\r\nab");
    assert_eq!(text(&mut reader).await, "c IDLE");
    assert_eq!(text(&mut reader).await, "#UnexpectedEof");
}

#[tokio::test]
async fn too_much_is_refused_and_the_next_command_is_read() {
    let (mut client, mut reader, _) = pipe();
    let large = 2 << 20;
    let feed = async {
        client.write_all(format!("a LOGIN {{{large}+}}\r\n").as_bytes()).await.unwrap();
        client.write_all(&vec![b'x'; large]).await.unwrap();
        client.write_all(b" {3+}\r\nabc\r\nb NOOP\r\n").await.unwrap();
        // Who waits is told before anything is sent.
        client.write_all(format!("c LOGIN {{{large}}}\r\nd NOOP\r\n").as_bytes()).await.unwrap();
        client.write_all(format!("e LOGIN {{{}+}}\r\n", DISCARD_BYTES_MAX + 1).as_bytes()).await.unwrap();
        client
    };
    let read = async {
        let mut found = Vec::new();
        for _ in 0..5 {
            found.push(text(&mut reader).await);
        }
        found
    };
    let (_client, found) = tokio::join!(feed, read);
    assert_eq!(
        found,
        [
            "!a This command is too long",
            "b NOOP",
            "!c This command is too long",
            "d NOOP",
            "#This literal is too large"
        ]
    );
}

#[tokio::test]
async fn a_line_without_end_ends_the_connection() {
    let (mut client, mut reader, _) = pipe();
    client.write_all(&vec![b'x'; LINE_BYTES_MAX + 100_000]).await.unwrap();
    assert_eq!(text(&mut reader).await, "#This line is too long");
}

#[tokio::test]
async fn nothing_is_kept_while_nothing_comes() {
    let (mut client, mut reader, mut out) = pipe();
    client.write_all(b"a NOOP\r\n").await.unwrap();
    text(&mut reader).await;
    out.raw("a OK\r\n").flush().await.unwrap();
    let _ = timeout(Duration::from_millis(10), reader.wait()).await;
    assert_eq!(reader.received().capacity(), 0);
    assert_eq!(out.capacity(), 0);
}

async fn begin(reader: &mut Reader) -> Literals<'_> {
    match reader.command(Reading::default(), true).await.unwrap() {
        Incoming::Streamed(head, literal) => Literals::begin(reader, head.message, literal),
        _ => panic!("not streamed"),
    }
}

async fn all(messages: &mut Literals<'_>) -> Vec<u8> {
    let mut found = Vec::new();
    let mut bytes = messages.bytes();
    while let Some(piece) = bytes.next().await {
        found.extend_from_slice(&piece.unwrap());
    }
    found
}

#[tokio::test]
async fn messages_stream() {
    let (mut client, mut reader, _) = pipe();
    client.write_all(b"a APPEND x (\\Seen) {5}\r\n").await.unwrap();
    let mut messages = begin(&mut reader).await;
    let first = messages.next().await.unwrap().unwrap();
    assert_eq!((first.size, first.flags), (5, vec![Flag::Seen]));
    assert_eq!(said(&mut client).await, "", "nobody asked for it yet");
    let feed = async {
        assert_eq!(said(&mut client).await, "+ Ready\r\n");
        client.write_all(b"hello (\\Draft) {3+}\r\nabc UTF8 (~{2+}\r\n\0x)\r\nb NOOP\r\n").await.unwrap();
    };
    let (found, ()) = tokio::join!(all(&mut messages), feed);
    assert_eq!(found, b"hello");
    let second = messages.next().await.unwrap().unwrap();
    assert_eq!((second.size, second.flags), (3, vec![Flag::Draft]));
    // Unread bytes are skipped.
    let third = messages.next().await.unwrap().unwrap();
    assert!(third.utf8 && third.binary);
    assert_eq!(all(&mut messages).await, b"\0x");
    assert!(messages.next().await.unwrap().is_none());
    messages.finish().await.unwrap();
    assert_eq!(text(&mut reader).await, "b NOOP");
}

#[tokio::test]
async fn a_refused_message_is_not_taken_for_a_command() {
    let (mut client, mut reader, _) = pipe();
    // It comes without waiting, so it is skipped; a second one that would be waited for ends the command.
    client.write_all(b"a APPEND x {8+}\r\nb NOOP\r\n (\\Seen) {99}\r\nc NOOP\r\n").await.unwrap();
    let mut messages = begin(&mut reader).await;
    messages.next().await.unwrap();
    messages.finish().await.unwrap();
    assert_eq!(text(&mut reader).await, "c NOOP");
    // Refused before anything was asked for: the client sends another command.
    client.write_all(b"d APPEND x {8}\r\ne NOOP\r\n").await.unwrap();
    let mut messages = begin(&mut reader).await;
    messages.next().await.unwrap();
    messages.finish().await.unwrap();
    assert_eq!(text(&mut reader).await, "e NOOP");
    assert_eq!(said(&mut client).await, "");
    // Refused halfway.
    client.write_all(b"f APPEND x {6+}\r\nabc").await.unwrap();
    let mut messages = begin(&mut reader).await;
    messages.next().await.unwrap();
    assert_eq!(messages.bytes().next().await.unwrap().unwrap(), "abc");
    client.write_all(b"def\r\ng NOOP\r\n").await.unwrap();
    messages.finish().await.unwrap();
    assert_eq!(text(&mut reader).await, "g NOOP");
    // The rest of the command cannot be understood.
    client.write_all(b"h APPEND x {1+}\r\na nonsense {2+}\r\nxy\r\ni NOOP\r\n").await.unwrap();
    let mut messages = begin(&mut reader).await;
    messages.next().await.unwrap();
    assert_eq!(all(&mut messages).await, b"a");
    assert!(matches!(messages.next().await, Err(Abort::Answer(bad)) if bad.status == Status::Bad));
    messages.finish().await.unwrap();
    assert_eq!(text(&mut reader).await, "i NOOP");
}

#[tokio::test]
async fn a_message_that_breaks_off_is_an_error() {
    let (mut client, mut reader, _) = pipe();
    client.write_all(b"a APPEND x {10+}\r\nabc").await.unwrap();
    client.shutdown().await.unwrap();
    let mut messages = begin(&mut reader).await;
    messages.next().await.unwrap();
    let mut bytes = messages.bytes();
    assert_eq!(bytes.next().await.unwrap().unwrap(), "abc");
    assert!(bytes.next().await.unwrap().is_err());
    assert!(bytes.next().await.is_none());
    assert!(matches!(messages.finish().await, Err(ReadEnd::Gone(_))));
}

#[tokio::test(start_paused = true)]
async fn who_pauses_too_long_is_gone() {
    let (mut client, mut reader, _) = pipe();
    client.write_all(b"a APPEND x {10+}\r\nabc").await.unwrap();
    let mut messages = begin(&mut reader).await;
    messages.next().await.unwrap();
    let mut bytes = messages.bytes();
    assert!(bytes.next().await.unwrap().is_ok());
    assert!(bytes.next().await.unwrap().is_err());
    assert!(
        matches!(messages.finish().await, Err(ReadEnd::Gone(error)) if error.kind() == io::ErrorKind::TimedOut)
    );
    let (mut client, mut reader, _) = pipe();
    client.write_all(b"a NO").await.unwrap();
    assert_eq!(
        match reader.command(Reading::default(), true).await {
            Err(ReadEnd::Gone(error)) => error.kind(),
            _ => panic!("half a command is none"),
        },
        io::ErrorKind::TimedOut
    );
    // One byte now and then is no way to stay for ever.
    let (mut client, mut reader, _) = pipe();
    let slow = async {
        loop {
            client.write_all(b"x").await.unwrap();
            tokio::time::sleep(Duration::from_secs(50)).await;
        }
    };
    tokio::select! {
        read = reader.command(Reading::default(), true) => assert!(matches!(read, Err(ReadEnd::Bye(_)))),
        () = slow => {}
    }
}

#[tokio::test]
async fn strings_take_the_form_that_can_hold_them() {
    let (mut client, _reader, mut out) = pipe();
    out.string("a\"b\\c").raw(" ").string("").raw(" ").string("zwölf").raw(" ").string("a\r\nb").raw(" ");
    out.astring("a.b-c").raw(" ").astring("nil").raw(" ").astring("a b").raw(" ").astring("").raw(" ");
    out.nstring(None::<&str>).raw(" ").nstring(Some("x")).raw(" ").literal8("\0").raw(" ").literal("a\0");
    out.raw(" ").mailbox("Entwürfe").end();
    out.set_enabled(Enabled { imap4rev2: true, ..Enabled::default() });
    out.mailbox("Entwürfe").raw(" ").string("zwölf").raw(" ").string(b"\xff").flush().await.unwrap();
    let mut wanted =
        String::from("\"a\\\"b\\\\c\" \"\" {6}\r\nzwölf {4}\r\na\r\nb a.b-c \"nil\" \"a b\" \"\" ");
    wanted.push_str("NIL \"x\" ~{1}\r\n\0 {2}\r\na? Entw&APw-rfe\r\n\"Entwürfe\" \"zwölf\" {1}\r\n\u{fffd}");
    assert_eq!(said(&mut client).await, wanted);
}

#[tokio::test]
async fn large_content_passes_through() {
    let (mut client, _reader, mut out) = pipe();
    let size = 8 << 20;
    let piece = Bytes::from(vec![b'x'; 100_000]);
    let pieces = stream::iter((0..size / 100_000).map(move |_| Ok(piece.clone())));
    let total = size / 100_000 * 100_000;
    let write = async {
        out.raw("* 1 FETCH (BODY[] ");
        out.stream(total as u64, false, pieces).await.unwrap();
        out.raw(")\r\n").flush().await.unwrap();
        assert!(out.abandon());
        drop(out);
        drop(_reader);
    };
    let read = async {
        let mut found = Vec::new();
        client.read_to_end(&mut found).await.unwrap();
        found.len()
    };
    let ((), read) = tokio::join!(write, read);
    assert_eq!(read, total + "* 1 FETCH (BODY[] {8300000}\r\n)\r\n".len());
}

#[tokio::test]
async fn an_answer_cut_short_is_no_place_for_last_words() {
    let (_client, _reader, mut out) = pipe();
    assert!(out.abandon());
    let short = stream::iter([Ok(Bytes::from(vec![b'x'; 70_000]))]);
    assert!(out.stream(80_000, false, short).await.is_err());
    assert!(!out.abandon());
    let (_client, _reader, mut out) = pipe();
    let long = stream::iter([Ok(Bytes::from_static(b"abc"))]);
    assert!(out.stream(2, false, long).await.is_err());
}
