//! One mail to one server, each recipient by itself (RFC 5321 §3.3).

use std::time::Duration;

use allod_core::post::{
    Attempt, NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS, Queued, Recipient,
};
use allod_model::Timestamp;
use bytes::Bytes;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt};
use lettre::transport::smtp::extension::{
    ClientId, Extension, MailBodyParameter, MailParameter, RcptParameter,
};

use super::{NextHop, Security};
use crate::shared::{Shared, SmarthostTls};
use crate::syntax::{domain_of, local_of};
use crate::wire::has_bare;

/// Longest time to connect and to encrypt.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest time for the greeting and for each command (RFC 5321 §4.5.3.2: 5 minutes).
const COMMAND_TIME_MAX: Duration = Duration::from_secs(300);
/// Longest time for the message and its answer (RFC 5321 §4.5.3.2.6: 10 minutes after the dot).
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(20 * 60);
/// Longest time to say good-bye.
const QUIT_TIME_MAX: Duration = Duration::from_secs(5);

/// What came of it, for each of the recipients.
pub(super) type Outcome = Vec<(usize, Attempt)>;

/// Why a step did not succeed.
enum Refusal {
    Later(String),
    Never(String),
}

impl Refusal {
    fn attempt(&self) -> Attempt {
        match self {
            Refusal::Later(answer) => Attempt::Later(answer.clone(), Timestamp(0)),
            Refusal::Never(answer) => Attempt::Failed(answer.clone()),
        }
    }
}

/// Tries the servers in order; the first that speaks decides.
pub(super) async fn send(
    shared: &Shared,
    mail: &Queued,
    numbers: &[usize],
    message: &Bytes,
    hops: &[NextHop],
) -> Outcome {
    let mut why = Refusal::Later("4.4.1 No server answers".into());
    for hop in hops {
        let mut connection = match open(shared, hop).await {
            Ok(connection) => connection,
            Err(refusal) => {
                tracing::debug!(id = %mail.id, host = %hop.host, address = %hop.address, "no connection");
                why = refusal;
                continue;
            }
        };
        let outcome = transact(shared, &mut connection, mail, numbers, message).await;
        tracing::info!(id = %mail.id, host = %hop.host, tls = connection.is_encrypted(), "tried");
        // What was delivered is recorded before anybody says good-bye.
        tokio::spawn(async move { tokio::time::timeout(QUIT_TIME_MAX, connection.quit()).await.map(drop) });
        return outcome;
    }
    numbers.iter().map(|number| (*number, why.attempt())).collect()
}

async fn open(shared: &Shared, hop: &NextHop) -> Result<AsyncSmtpConnection, Refusal> {
    match hop.security {
        Security::Smarthost(tls) => open_smarthost(shared, hop, tls).await,
        Security::Verified => {
            let mut connection = connect(shared, hop, None).await?;
            if !connection.can_starttls() {
                let text =
                    format!("4.7.4 {} offers no encryption, and its domain's policy asks for it", hop.host);
                return Err(Refusal::Later(text));
            }
            let (parameters, name) = (parameters(shared, hop, false)?, own_name(shared));
            match timed(COMMAND_TIME_MAX, connection.starttls(parameters, &name)).await {
                Ok(()) => Ok(connection),
                Err(Refusal::Later(answer) | Refusal::Never(answer)) => {
                    Err(Refusal::Later(format!("4.7.5 {} cannot be verified: {answer}", hop.host)))
                }
            }
        }
        Security::Opportunistic => {
            let mut connection = connect(shared, hop, None).await?;
            if !connection.can_starttls() {
                return Ok(connection);
            }
            // RFC 7435: whoever he is, better encrypted to him than readable by all.
            match timed(
                COMMAND_TIME_MAX,
                connection.starttls(parameters(shared, hop, true)?, &own_name(shared)),
            )
            .await
            {
                Ok(()) => Ok(connection),
                Err(_) => connect(shared, hop, None).await,
            }
        }
    }
}

async fn open_smarthost(
    shared: &Shared,
    hop: &NextHop,
    tls: SmarthostTls,
) -> Result<AsyncSmtpConnection, Refusal> {
    let implicit = match tls {
        SmarthostTls::Implicit => Some(parameters(shared, hop, false)?),
        SmarthostTls::StartTls | SmarthostTls::None => None,
    };
    let mut connection = connect(shared, hop, implicit).await?;
    if tls == SmarthostTls::StartTls {
        timed(COMMAND_TIME_MAX, connection.starttls(parameters(shared, hop, false)?, &own_name(shared)))
            .await?;
    }
    let login = shared.options.smarthost.as_ref().and_then(|smarthost| smarthost.login.as_ref());
    if let Some((user, password)) = login {
        if !connection.is_encrypted() && !hop.address.ip().is_loopback() {
            return Err(Refusal::Later("4.7.0 No password to the smarthost in plain text".into()));
        }
        let credentials = Credentials::new(user.clone(), password.to_string());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        let logged_in = timed(COMMAND_TIME_MAX, connection.auth(&mechanisms, &credentials)).await;
        if let Err(Refusal::Later(answer) | Refusal::Never(answer)) = logged_in {
            // A password can be set right: the mail is not at fault.
            tracing::error!(host = %hop.host, %answer, "the smarthost refuses the login");
            return Err(Refusal::Later(format!("4.7.8 The smarthost refuses the login: {answer}")));
        }
    }
    Ok(connection)
}

async fn connect(
    shared: &Shared,
    hop: &NextHop,
    tls: Option<TlsParameters>,
) -> Result<AsyncSmtpConnection, Refusal> {
    let name = own_name(shared);
    let connecting =
        AsyncSmtpConnection::connect_tokio1(hop.address, Some(CONNECT_TIME_MAX), &name, tls, None);
    match timed(COMMAND_TIME_MAX, connecting).await {
        // What a server says in its greeting is of that server; another one may take it.
        Err(Refusal::Never(answer)) => Err(Refusal::Later(answer)),
        other => other,
    }
}

fn own_name(shared: &Shared) -> ClientId {
    ClientId::Domain(shared.options.hostname.clone())
}

fn parameters(shared: &Shared, hop: &NextHop, whoever: bool) -> Result<TlsParameters, Refusal> {
    let told = |error: Error| Refusal::Later(format!("4.7.5 TLS cannot be set up: {error}"));
    let mut builder = TlsParameters::builder(hop.host.clone())
        .dangerous_accept_invalid_certs(whoever)
        .dangerous_accept_invalid_hostnames(whoever);
    for der in shared.options.trusted.iter().filter(|_| !whoever) {
        builder = builder.add_root_certificate(Certificate::from_der(der.clone()).map_err(told)?);
    }
    builder.build_rustls().map_err(told)
}

async fn transact(
    shared: &Shared,
    connection: &mut AsyncSmtpConnection,
    mail: &Queued,
    numbers: &[usize],
    message: &Bytes,
) -> Outcome {
    let all = |attempt: Attempt| numbers.iter().map(|number| (*number, attempt.clone())).collect::<Outcome>();
    // Whoever made it: a next hop that sees another end of line in it could be told a second mail by it.
    if has_bare(message) {
        return all(Attempt::Failed("5.6.0 CR or LF stands alone in the message".into()));
    }
    let to: Vec<&Recipient> = numbers.iter().map(|number| &mail.recipients[*number].recipient).collect();
    let mut parameters = match mail_parameters(connection, mail, &to, message) {
        Ok(parameters) => parameters,
        Err(answer) => return all(Attempt::Failed(answer.into())),
    };
    let dsn = wants_dsn(mail, &to) && offers_dsn(shared, connection).await;
    if dsn {
        parameters.extend(dsn_of_mail(mail));
    }
    let from = Some(&mail.envelope.from).filter(|from| !from.is_empty()).map(|from| address(from));
    if let Err(refusal) = timed(COMMAND_TIME_MAX, connection.command(Mail::new(from, parameters))).await {
        return all(refusal.attempt());
    }
    let mut outcome: Outcome = Vec::with_capacity(numbers.len());
    let mut accepted = Vec::new();
    for (number, recipient) in numbers.iter().zip(&to) {
        let parameters = if dsn { dsn_of_recipient(recipient) } else { Vec::new() };
        let command = Rcpt::new(address(&recipient.address), parameters);
        match timed(COMMAND_TIME_MAX, connection.command(command)).await {
            Ok(_) => accepted.push(*number),
            Err(refusal) => outcome.push((*number, refusal.attempt())),
        }
    }
    if accepted.is_empty() {
        return outcome;
    }
    let sent = match timed(COMMAND_TIME_MAX, connection.command(Data)).await {
        Ok(_) => {
            // The connection adds the end of the last line.
            let text = message.strip_suffix(b"\r\n").unwrap_or(message);
            timed(MESSAGE_TIME_MAX, connection.message(text)).await
        }
        Err(refusal) => Err(refusal),
    };
    let attempt = match sent {
        Ok(response) => {
            let lines: Vec<&str> = response.message().collect();
            let passed_on = if dsn { PASSED_ON } else { "" };
            Attempt::Delivered(format!("{passed_on}{} {}", response.code(), lines.join(" ")))
        }
        Err(refusal) => refusal.attempt(),
    };
    outcome.extend(accepted.into_iter().map(|number| (number, attempt.clone())));
    outcome
}

/// Begins the answer of a server that reports its success itself.
pub(super) const PASSED_ON: &str = "(it reports) ";

/// What the message needs of the server.
fn mail_parameters(
    connection: &AsyncSmtpConnection,
    mail: &Queued,
    to: &[&Recipient],
    message: &Bytes,
) -> Result<Vec<MailParameter>, &'static str> {
    let server = connection.server_info();
    let mut parameters = Vec::new();
    let addresses = mail.envelope.from.is_ascii() && to.iter().all(|one| one.address.is_ascii());
    let head = memchr::memmem::find(message, b"\r\n\r\n").unwrap_or(message.len());
    if !addresses || !message[..head].is_ascii() {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            // RFC 6531 §3.2.
            return Err("5.6.7 The server does not take addresses or headers beyond ASCII");
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !message.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err("5.6.3 The server does not take 8-bit mail");
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

fn wants_dsn(mail: &Queued, to: &[&Recipient]) -> bool {
    let of_mail = mail.envelope.id.is_some() || mail.envelope.return_full.is_some();
    of_mail || to.iter().any(|one| one.notify != 0 || one.original.is_some())
}

/// The connection keeps only those keywords that it knows, so they are asked for once more.
async fn offers_dsn(shared: &Shared, connection: &mut AsyncSmtpConnection) -> bool {
    let asked = timed(COMMAND_TIME_MAX, connection.command(Ehlo::new(own_name(shared)))).await;
    asked.is_ok_and(|answer| answer.message().any(|line| line.trim().eq_ignore_ascii_case("DSN")))
}

fn dsn_of_mail(mail: &Queued) -> Vec<MailParameter> {
    let other =
        |keyword: &str, value: String| MailParameter::Other { keyword: keyword.into(), value: Some(value) };
    let full = mail.envelope.return_full.map(|full| other("RET", if full { "FULL" } else { "HDRS" }.into()));
    let id = mail.envelope.id.as_ref().map(|id| other("ENVID", id.clone()));
    full.into_iter().chain(id).collect()
}

fn dsn_of_recipient(recipient: &Recipient) -> Vec<RcptParameter> {
    let other =
        |keyword: &str, value: String| RcptParameter::Other { keyword: keyword.into(), value: Some(value) };
    let words = [
        (NOTIFY_NEVER, "NEVER"),
        (NOTIFY_SUCCESS, "SUCCESS"),
        (NOTIFY_FAILURE, "FAILURE"),
        (NOTIFY_DELAY, "DELAY"),
    ];
    let asked: Vec<&str> =
        words.iter().filter(|(bit, _)| recipient.notify & bit != 0).map(|(_, word)| *word).collect();
    let notify = (!asked.is_empty()).then(|| other("NOTIFY", asked.join(",")));
    let original = recipient.original.as_ref().map(|text| other("ORCPT", text.clone()));
    notify.into_iter().chain(original).collect()
}

/// Addresses were understood when they came in, quotes included.
fn address(text: &str) -> Address {
    Address::new_dangerous(local_of(text), domain_of(text).unwrap_or_default())
}

async fn timed<T>(most: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(most, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(refusal(&error)),
        Err(_) => Err(Refusal::Later("4.4.2 The server took too long".into())),
    }
}

fn refusal(error: &Error) -> Refusal {
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) if error.is_permanent() => Refusal::Never(format!("{code} {text}")),
        Some(code) => Refusal::Later(format!("{code} {text}")),
        None => Refusal::Later(format!("4.4.2 {error}")),
    }
}
