//! Commands of every state: LOGOUT, ID.

use super::{Client, End};
use crate::wire::Completion;

/// What is kept of a client's name, in bytes.
const NAME_BYTES_MAX: usize = 120;

impl Client {
    /// RFC 9051 §6.1.3.
    pub(super) async fn log_out(&mut self, tag: &str) -> End {
        self.out.raw("* BYE Good-bye\r\n");
        match self.answer(Some(tag), Completion::ok("LOGOUT completed")).await {
            Ok(()) => End::LoggedOut,
            Err(end) => end,
        }
    }

    /// RFC 2971: who we are, and who the client says it is.
    pub(super) async fn identify(
        &mut self,
        tag: &str,
        fields: &[(String, Option<String>)],
    ) -> Result<(), End> {
        let value = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.and_then(|(_, value)| value.as_deref()).filter(|value| !value.is_empty())
        };
        if let Some(name) = value("name") {
            let mut text = match value("version") {
                Some(version) => format!("{name} {version}"),
                None => name.to_owned(),
            };
            text.retain(|c| !c.is_control());
            text.truncate(text.floor_char_boundary(NAME_BYTES_MAX));
            tracing::debug!(address = %self.address, client = %text, "client");
            self.name = Some(text);
        }
        self.out
            .raw("* ID (\"name\" \"allod\" \"version\" ")
            .string(&self.shared.options.version)
            .raw(")\r\n");
        self.answer(Some(tag), Completion::ok("ID completed")).await
    }
}
