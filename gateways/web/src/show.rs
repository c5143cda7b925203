//! Numbers, times and addresses as people read them.

use allod_core::LastUse;
use allod_model::Timestamp;

use crate::text::Text;

/// A size in bytes, as people read it.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 9.95 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// How long ago something was.
pub(crate) fn ago(text: &Text, then: Timestamp, now: Timestamp) -> String {
    let secs = now.secs().saturating_sub(then.secs()).max(0) as u64;
    match secs {
        0..=59 => text.count("ago.seconds", secs),
        60..=3599 => text.count("ago.minutes", secs / 60),
        3600..=86_399 => text.count("ago.hours", secs / 3600),
        86_400..=5_183_999 => text.count("ago.days", secs / 86_400),
        _ => text.count("ago.months", secs / 2_592_000),
    }
}

/// A moment in UTC, for `datetime` attributes; a script shows it by the clock of the one who looks.
pub(crate) fn iso(time: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A moment for people, in UTC.
pub(crate) fn moment(time: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
    moment.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A moment as its page shows it: both forms.
#[derive(Clone, Debug)]
pub(crate) struct When {
    /// For machines.
    pub iso: String,
    /// For people.
    pub text: String,
    /// How long ago.
    pub ago: String,
}

impl When {
    /// A moment seen from now.
    pub fn of(text: &Text, time: Timestamp, now: Timestamp) -> When {
        When { iso: iso(time), text: moment(time), ago: ago(text, time, now) }
    }
}

/// The name of a protocol.
pub(crate) fn protocol(text: &Text, protocol: &str) -> String {
    match protocol {
        "webdav" => "WebDAV".into(),
        "caldav" => "CalDAV".into(),
        "carddav" => "CardDAV".into(),
        "imap" => "IMAP".into(),
        "smtp" => "SMTP".into(),
        "s3" => "S3".into(),
        "remotestorage" => "remoteStorage".into(),
        "web" => text.s("protocol.web").into(),
        "operator" => text.s("protocol.operator").into(),
        other => other.to_owned(),
    }
}

/// What a client calls itself, made short: `Thunderbird/153.0 (X11; …)` is Thunderbird.
pub(crate) fn client(agent: &str) -> String {
    const KNOWN: [(&str, &str); 24] = [
        ("DAVx5", "DAVx⁵"),
        ("Thunderbird", "Thunderbird"),
        ("rclone", "rclone"),
        ("restic", "restic"),
        ("Nextcloud-iOS", "Nextcloud (iOS)"),
        ("Nextcloud-android", "Nextcloud (Android)"),
        ("mirall", "Nextcloud"),
        ("Microsoft-WebDAV", "Windows"),
        ("WebDAVFS", "Finder (Mac)"),
        ("gvfs", "GNOME"),
        ("KIO", "KDE"),
        ("davfs2", "davfs2"),
        ("Joplin", "Joplin"),
        ("KeePass", "KeePass"),
        ("iOS", "iPhone / iPad"),
        ("macOS", "Mac"),
        ("Evolution", "Evolution"),
        ("Boto", "boto3"),
        ("aws-cli", "aws"),
        ("Edg/", "Edge"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
    ];
    if let Some((_, name)) = KNOWN.iter().find(|(sign, _)| agent.contains(sign)) {
        let system = match agent {
            _ if !matches!(*name, "Edge" | "Firefox" | "Chrome" | "Safari") => None,
            agent if agent.contains("iPhone") => Some("iPhone"),
            agent if agent.contains("Android") => Some("Android"),
            agent if agent.contains("Mac OS") => Some("Mac"),
            agent if agent.contains("Windows") => Some("Windows"),
            agent if agent.contains("Linux") => Some("Linux"),
            _ => None,
        };
        return system.map_or((*name).to_owned(), |system| format!("{name}, {system}"));
    }
    let first = agent.split([' ', '/', '(']).next().unwrap_or_default();
    first.chars().take(40).collect()
}

/// Where from and with what something was used, in one line.
pub(crate) fn whence(text: &Text, last: &LastUse) -> String {
    let mut parts = vec![protocol(text, &last.protocol)];
    parts.extend(last.client.as_deref().map(client).filter(|client| !client.is_empty()));
    parts.extend(last.address.clone());
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_440_000, "1.4 MB"),
            (999_960, "1.0 MB"),
            (u64::MAX, "18447 PB"),
        ];
        for (bytes, wanted) in table {
            assert_eq!(size(bytes), wanted);
        }
    }

    #[test]
    fn clients_have_short_names() {
        let table = [
            ("rclone/v1.60", "rclone"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
                "Chrome, Linux",
            ),
            ("SomeThing/2 (x)", "SomeThing"),
            ("", ""),
        ];
        for (agent, wanted) in table {
            assert_eq!(client(agent), wanted);
        }
    }

    #[test]
    fn times_ago() {
        let text = &Text::all()[0];
        let now = Timestamp::from_secs(10_000_000);
        assert_eq!(ago(text, now, now), "0 seconds ago");
        assert_eq!(ago(text, now.plus_secs(-60), now), "1 minute ago");
        assert_eq!(ago(text, now.plus_secs(-7200), now), "2 hours ago");
        assert_eq!(ago(text, now.plus_secs(60), now), "0 seconds ago");
    }
}
