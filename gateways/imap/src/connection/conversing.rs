//! From login to the end: commands, IDLE, and what happens meanwhile.

use std::pin::Pin;

use allod_core::Session;
use tokio::time::{Instant, timeout_at};

use super::{Client, End, settle};
use crate::capability;
use crate::limits::{IDLE_TIME_MAX, LINE_BYTES_MAX};
use crate::session::{APPEND_BYTES_MAX, Conversation, Moment};
use crate::syntax::append::Head;
use crate::syntax::ast::Command;
use crate::syntax::literal::Announced;
use crate::wire::{Code, Completion, Deflate, Incoming, Io, Literals, ReadEnd};

/// Resolves when the credential is over.
type Revoked = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the connection does after a command.
enum Next {
    Command,
    /// IDLE, under this tag.
    Idle(String),
}

impl Client {
    /// Serves a client that is known. What it waits in while nothing happens is kept small; everything larger is boxed
    /// and lives as long as one command.
    pub(super) async fn converse(&mut self, session: Session) -> End {
        let mut conversation = Box::new(Conversation::new(session.clone()));
        let mut revoked: Revoked = Box::pin(async move { session.revoked().await });
        loop {
            let waited = self.wait(&mut conversation, &mut revoked).await;
            let outcome = match waited {
                Ok(()) => Box::pin(self.next_command(&mut conversation, &mut revoked)).await,
                Err(end) => return end,
            };
            let idled = match outcome {
                Ok(Next::Command) => continue,
                Ok(Next::Idle(tag)) => self.idle(&tag, &mut conversation, &mut revoked).await,
                Err(end) => return end,
            };
            if let Err(end) = idled {
                return end;
            }
        }
    }

    /// Waits for a command to begin.
    async fn wait(&mut self, conversation: &mut Conversation, revoked: &mut Revoked) -> Result<(), End> {
        let end = Instant::now() + IDLE_TIME_MAX;
        loop {
            let notifies = conversation.notifies();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(End::stopping()),
                () = revoked.as_mut() => return Err(over()),
                waited = timeout_at(end, self.reader.wait()) => match waited {
                    Ok(received) => return received.map_err(End::Gone),
                    Err(_) => return Err(End::bye("Nothing was asked for half an hour")),
                },
                () = conversation.changed(), if notifies => {}
            }
            self.report(conversation, Moment::Between).await?;
        }
    }

    /// RFC 2177: tells changes until DONE.
    async fn idle(
        &mut self,
        tag: &str,
        conversation: &mut Conversation,
        revoked: &mut Revoked,
    ) -> Result<(), End> {
        self.out.raw("+ idling\r\n").flush().await?;
        let end = Instant::now() + IDLE_TIME_MAX;
        self.report(conversation, Moment::Idle).await?;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(End::stopping()),
                () = revoked.as_mut() => return Err(over()),
                waited = timeout_at(end, self.reader.wait()) => match waited {
                    Ok(received) => break received.map_err(End::Gone)?,
                    Err(_) => return Err(End::bye("Idle for half an hour; ask again")),
                },
                () = conversation.changed() => {}
            }
            self.report(conversation, Moment::Idle).await?;
        }
        let line = Box::pin(self.reader.line(LINE_BYTES_MAX)).await?;
        let done = line.trim_ascii().eq_ignore_ascii_case(b"DONE");
        let completion =
            if done { Completion::ok("IDLE completed") } else { Completion::bad("Expected DONE") };
        self.answer(Some(tag), completion).await
    }

    async fn report(&mut self, conversation: &mut Conversation, moment: Moment) -> Result<(), End> {
        let reported = Box::pin(conversation.report(&mut self.out, moment)).await;
        settle(reported.map(|()| Completion::ok("")))?;
        self.out.flush().await?;
        Ok(())
    }

    /// Reads one command and carries it out.
    async fn next_command(
        &mut self,
        conversation: &mut Conversation,
        revoked: &mut Revoked,
    ) -> Result<Next, End> {
        let reading = self.reading();
        let incoming = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(End::stopping()),
            () = revoked.as_mut() => return Err(over()),
            incoming = self.reader.command(reading, true) => incoming?,
        };
        // A command under way is finished when the server stops; revoking ends it at once.
        tokio::select! {
            biased;
            () = revoked.as_mut() => Err(over()),
            done = self.carry_out(incoming, conversation) => done,
        }
    }

    async fn carry_out(&mut self, incoming: Incoming, conversation: &mut Conversation) -> Result<Next, End> {
        let tagged = match incoming {
            Incoming::Refused(tag, refusal) => {
                self.answer(tag.as_deref(), refusal).await?;
                return Ok(Next::Command);
            }
            Incoming::Streamed(head, literal) => {
                self.take_messages(head, literal, conversation).await?;
                return Ok(Next::Command);
            }
            Incoming::Command(bytes) => match self.understand(bytes).await? {
                Some(tagged) => tagged,
                None => return Ok(Next::Command),
            },
        };
        let tag = tagged.tag.clone();
        let completion = match tagged.command {
            Command::Idle => return Ok(Next::Idle(tag)),
            Command::Capability => {
                let compressed = self.reader.transport().is_compressed();
                self.out.raw("* CAPABILITY ").raw(capability::logged_in(compressed, APPEND_BYTES_MAX)).end();
                Completion::ok("CAPABILITY completed")
            }
            Command::Logout => return Err(self.log_out(&tag).await),
            Command::Id(fields) => {
                self.identify(&tag, &fields).await?;
                if let Some(name) = &self.name {
                    conversation.note_client(name);
                }
                return Ok(Next::Command);
            }
            Command::StartTls | Command::Login { .. } | Command::Authenticate { .. } => {
                Completion::bad("You are logged in already")
            }
            Command::Enable(names) => self.enable(&names, conversation),
            Command::Compress(algorithm) => {
                self.compress(&tag, &algorithm).await?;
                return Ok(Next::Command);
            }
            ref command if needs_mailbox(command) && !conversation.is_selected() => {
                Completion::bad("Select a mailbox first")
            }
            _ => {
                let mut none = Literals::none(&mut self.reader);
                let ran = Box::pin(conversation.run(tagged, &mut self.out, &mut none)).await;
                settle(ran)?
            }
        };
        self.answer(Some(&tag), completion).await?;
        Ok(Next::Command)
    }

    /// APPEND and REPLACE.
    async fn take_messages(
        &mut self,
        head: Head,
        literal: Announced,
        conversation: &mut Conversation,
    ) -> Result<(), End> {
        let Head { tagged, message } = head;
        let tag = tagged.tag.clone();
        let allowed = !needs_mailbox(&tagged.command) || conversation.is_selected();
        let mut messages = Literals::begin(&mut self.reader, message, literal);
        let ran = match allowed {
            true => Box::pin(conversation.run(tagged, &mut self.out, &mut messages)).await,
            false => Ok(Completion::bad("Select a mailbox first")),
        };
        let settled = settle(ran);
        match (messages.finish().await, settled) {
            (Err(ReadEnd::Bye(text)), Ok(completion)) => {
                self.answer(Some(&tag), completion).await?;
                Err(End::bye(text))
            }
            (Err(end), _) => Err(end.into()),
            (Ok(()), settled) => self.answer(Some(&tag), settled?).await,
        }
    }

    /// RFC 5161.
    fn enable(&mut self, names: &[String], conversation: &mut Conversation) -> Completion {
        let mut enabled = self.out.enabled();
        let mut told = Vec::new();
        for name in names {
            match name.as_str() {
                "CONDSTORE" => enabled.condstore = true,
                // RFC 7162 §3.2.3: CONDSTORE comes with it.
                "QRESYNC" => (enabled.qresync, enabled.condstore) = (true, true),
                "UTF8=ACCEPT" => enabled.utf8_accept = true,
                "IMAP4REV2" => enabled.imap4rev2 = true,
                // RFC 5161 §3.1: what is not known is passed over.
                _ => continue,
            }
            let spelled = if name == "IMAP4REV2" { "IMAP4rev2" } else { name };
            if !told.contains(&spelled) {
                told.push(spelled);
            }
        }
        conversation.enable(enabled, &mut self.out);
        self.out.raw("* ENABLED");
        for name in told {
            self.out.raw(" ").raw(name);
        }
        self.out.end();
        Completion::ok("ENABLE completed")
    }

    /// RFC 4978.
    async fn compress(&mut self, tag: &str, algorithm: &str) -> Result<(), End> {
        if algorithm != "DEFLATE" {
            return self.answer(Some(tag), Completion::bad("There is no such algorithm")).await;
        }
        if self.reader.transport().is_compressed() {
            let refusal = Completion::no(Code::COMPRESSION_ACTIVE, "It is compressed already");
            return self.answer(Some(tag), refusal).await;
        }
        self.answer(Some(tag), Completion::ok("DEFLATE active")).await?;
        let transport = self.reader.transport().clone();
        let Io::Socket(connection) = transport.take() else {
            return Err(End::bye("It is compressed already"));
        };
        // RFC 4978 §3: what follows the command's CRLF is compressed.
        let received = std::mem::take(self.reader.received());
        transport.put(Io::Deflate(Box::new(Deflate::new(connection, received))));
        Ok(())
    }
}

fn over() -> End {
    End::bye("This app password was revoked or has expired")
}

/// RFC 9051 §6.4: commands of the selected state.
fn needs_mailbox(command: &Command) -> bool {
    matches!(
        command,
        Command::Check
            | Command::Close
            | Command::Unselect
            | Command::Expunge { .. }
            | Command::Search(_)
            | Command::Sort(_)
            | Command::Thread(_)
            | Command::Fetch(_)
            | Command::Store(_)
            | Command::Copy { .. }
            | Command::Move { .. }
            | Command::Replace { .. }
    )
}
