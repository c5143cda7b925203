//! Before and at login.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::*;

/// Believes every certificate.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519]
    }
}

async fn encrypt(tcp: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"imap".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

#[tokio::test]
async fn by_every_mechanism() {
    let served = serve().await;
    let (password, bearer) = (served.app.password.as_str(), served.app.bearer.as_str());
    let plain = base64(&format!("\0alice@example.org\0{password}"));
    let oauth =
        base64(&format!("n,a=alice@example.org,\x01host=x\x01port=143\x01auth=Bearer {bearer}\x01\x01"));
    let nameless = base64(&format!("n,,\x01auth=bearer {bearer}\x01\x01"));
    let xoauth2 = base64(&format!("user=alice\x01auth=Bearer {bearer}\x01\x01"));
    let table: Vec<Vec<String>> = vec![
        vec![format!("LOGIN alice {password}")],
        vec![format!("LOGIN \"alice@example.org\" \"{password}\"")],
        vec![format!("AUTHENTICATE PLAIN {plain}")],
        vec!["AUTHENTICATE PLAIN".into(), plain],
        vec!["authenticate login".into(), base64("alice"), base64(password)],
        vec![format!("AUTHENTICATE LOGIN {}", base64("alice")), base64(password)],
        vec![format!("AUTHENTICATE OAUTHBEARER {oauth}")],
        vec![format!("AUTHENTICATE OAUTHBEARER {nameless}")],
        vec![format!("AUTHENTICATE XOAUTH2 {xoauth2}")],
        vec!["AUTHENTICATE XOAUTH2".into(), xoauth2],
    ];
    for lines in table {
        let mut client = Client::connect(&served).await;
        let (first, others) = lines.split_first().unwrap();
        client.send(format!("a {first}\r\n")).await;
        for response in others {
            client.until("+ ").await;
            client.send(format!("{response}\r\n")).await;
        }
        let answer = client.until("a ").await;
        assert!(answer.contains("a OK [CAPABILITY IMAP4rev1 IMAP4rev2 "), "{lines:?}: {answer}");
    }
}

#[tokio::test]
async fn refusals() {
    let served = serve().await;
    let password = served.app.password.as_str();
    let files = credential(&served.core, "files").await;
    let bearer = served.app.bearer.as_str();
    let other = base64(&format!("n,a=bob,\x01auth=Bearer {bearer}\x01\x01"));
    let wrong = base64("n,,\x01auth=Bearer nonsense\x01\x01");
    let table: Vec<(Vec<String>, &str)> = vec![
        (vec!["LOGIN alice nonsense".into()], "NO [AUTHENTICATIONFAILED]"),
        (vec![format!("LOGIN bob {password}")], "NO [AUTHENTICATIONFAILED]"),
        (vec!["LOGIN alice \"\"".into()], "NO [AUTHENTICATIONFAILED]"),
        (vec![format!("LOGIN alice {}", files.password.as_str())], "NO [AUTHORIZATIONFAILED]"),
        (vec!["LOGIN alice".into()], "BAD"),
        (vec!["AUTHENTICATE SCRAM-SHA-256".into()], "NO [CANNOT]"),
        (vec!["AUTHENTICATE PLAIN".into(), "*".into()], "BAD"),
        (vec!["AUTHENTICATE PLAIN".into(), "***".into()], "BAD"),
        (vec!["AUTHENTICATE PLAIN".into(), base64("alice")], "BAD"),
        (
            vec![format!("AUTHENTICATE PLAIN {}", base64(&format!("bob\0alice\0{password}")))],
            "NO [AUTHORIZATIONFAILED]",
        ),
        (vec![format!("AUTHENTICATE OAUTHBEARER {wrong}"), "AQ==".into()], "NO [AUTHENTICATIONFAILED]"),
        (vec![format!("AUTHENTICATE OAUTHBEARER {other}")], "NO [AUTHORIZATIONFAILED]"),
        (vec!["SELECT INBOX".into()], "BAD"),
        (vec!["ENABLE IMAP4rev2".into()], "BAD"),
        (vec!["IDLE".into()], "BAD"),
    ];
    for (lines, wanted) in table {
        let mut client = Client::connect(&served).await;
        let (first, others) = lines.split_first().unwrap();
        client.send(format!("a {first}\r\n")).await;
        for response in others {
            client.until("+ ").await;
            client.send(format!("{response}\r\n")).await;
        }
        let answer = client.until("a ").await;
        assert!(answer.contains(&format!("a {wanted}")), "{lines:?}: {answer}");
        let answer = client.ask("NOOP").await;
        assert!(answer.contains(" OK "), "{lines:?}: {answer}");
    }
}

#[tokio::test]
async fn guessing_is_slow_and_ends() {
    let served = serve().await;
    let mut client = Client::connect(&served).await;
    let start = Instant::now();
    for _ in 0..5 {
        client.send("a LOGIN alice guess\r\n").await;
    }
    let told = client.rest().await;
    assert_eq!(told.matches("a NO [AUTHENTICATIONFAILED]").count(), 5, "{told}");
    assert!(told.contains("* BYE "), "{told}");
    assert!(start.elapsed() > Duration::from_secs(2));
    // After some more of it, core turns the address away.
    let guess = || async {
        let mut client = Client::connect(&served).await;
        for _ in 0..5 {
            client.send("a LOGIN alice guess\r\n").await;
        }
        client.rest().await;
    };
    tokio::join!(guess(), guess(), guess(), guess());
    let mut client = Client::connect(&served).await;
    let answer = client.ask("LOGIN alice guess").await;
    assert!(answer.contains(" NO [UNAVAILABLE] ") && answer.contains("try again in "), "{answer}");
}

#[tokio::test]
async fn start_tls_forgets_what_came_before() {
    let served = serve().await;
    let mut tcp = TcpStream::connect(served.address).await.unwrap();
    let mut greeting = [0; 512];
    let count = tcp.read(&mut greeting).await.unwrap();
    let greeting = String::from_utf8_lossy(&greeting[..count]).into_owned();
    assert!(greeting.contains(" STARTTLS "), "{greeting}");
    // CVE-2011-0411: a command sent along in plain text must not be run inside of TLS.
    tcp.write_all(b"a STARTTLS\r\nb LOGOUT\r\n").await.unwrap();
    let mut answer = [0; 512];
    let count = tcp.read(&mut answer).await.unwrap();
    assert!(answer[..count].starts_with(b"a OK "));
    let mut client = Client::over(encrypt(tcp).await);
    let answer = client.ask("CAPABILITY").await;
    assert!(answer.starts_with("* CAPABILITY ") && !answer.contains("STARTTLS"), "{answer}");
    assert!(client.ask("STARTTLS").await.contains(" BAD "));
    let answer = client.ask(&format!("LOGIN alice {}", served.app.password.as_str())).await;
    assert!(answer.contains(" OK "), "{answer}");
    assert!(client.ask("STARTTLS").await.contains(" BAD "));
}

#[tokio::test]
async fn tls_from_the_start() {
    let served = serve().await;
    let stream = encrypt(TcpStream::connect(served.tls_address).await.unwrap()).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"imap"[..]));
    let mut client = Client::over(stream);
    let greeting = client.until("* OK").await;
    assert!(greeting.contains("AUTH=PLAIN") && !greeting.contains("STARTTLS"), "{greeting}");
    let answer = client.ask(&format!("LOGIN alice {}", served.app.password.as_str())).await;
    assert!(answer.contains(" OK "), "{answer}");
}

#[test]
fn no_password_in_plain_text() {
    use crate::connection::may_login;
    let far = "203.0.113.5".parse().unwrap();
    assert!(!may_login(false, far, false));
    assert!(may_login(true, far, false) && may_login(false, far, true));
    assert!(may_login(false, "127.0.0.1".parse().unwrap(), false));
    let told = crate::capability::before_login(true, false);
    assert!(
        told.contains(" STARTTLS") && told.contains(" LOGINDISABLED") && !told.contains("AUTH="),
        "{told}"
    );
}
