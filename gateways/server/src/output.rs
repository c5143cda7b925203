//! Answers for people, and for machines with `--json`.

use std::path::Path;

use allod_admin::Request;
use serde_json::Value;

/// Prints a command's answer.
pub fn print(request: &Request, answer: &Value, json: bool) {
    if json {
        println!("{answer}");
        return;
    }
    match request {
        Request::AppAdd { .. } => print_app(answer),
        Request::Status => print_status(answer),
        Request::Check { .. } => print_check(answer),
        Request::AccountList => {
            table(answer, &["name", "used_bytes", "quota", "documents", "apps", "created"])
        }
        Request::AppList { .. } => print_apps(answer),
        Request::History { .. } => print_history(answer),
        Request::Versions { .. } => table(answer, &["seq", "until", "size", "modified", "etag"]),
        Request::ShareList { .. } => table(answer, &["account", "address", "rights", "since"]),
        Request::LinkAdd { .. } => println!("{}", text(&answer["url"])),
        Request::AccountInvite { .. } => println!("{}", text(&answer["link"])),
        Request::Trash { .. } => table(answer, &["removed", "seq", "size", "app", "path"]),
        Request::Restore { dry_run, .. } | Request::Undo { dry_run, .. } => print_outcomes(answer, *dry_run),
        Request::QueueList { .. } => table(answer, &["id", "from", "to", "state", "tries", "next", "answer"]),
        Request::FilingList { .. } => table(answer, &["position", "name", "when", "then"]),
        Request::Dns { .. } => print_dns(answer),
        Request::Audit { .. } => table(answer, &["time", "event", "protocol", "address", "text"]),
        _ => print_fields(answer),
    }
}

/// How to connect to a store that was just made.
pub fn print_quickstart(app: &Value, url: &str, s3: Option<&str>, imap: Option<&str>, data: &Path) {
    let (user, password) = (text(&app["username"]), text(&app["password"]));
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    let dav = format!("{url}/dav/{user}/");
    println!(
        "Your cloud is in {}. Its master key is {}/master.key: keep a copy elsewhere.",
        data.display(),
        data.display()
    );
    println!();
    println!("  Address   {dav}");
    println!("  User      {user}");
    println!("  Password  {password}     (shown once; more: allod app add {user} LABEL --grant …)");
    println!();
    println!("Mount it:");
    println!("  Files (GNOME), Dolphin   dav://{user}@{address}/dav/{user}/");
    println!("  Finder (macOS)           Go > Connect to Server: {dav}");
    println!("  Explorer (Windows)       Map network drive: {dav}");
    println!("  davfs2                   mount -t davfs {dav} /mnt");
    println!("  rclone                   rclone lsf --webdav-url {dav} --webdav-user {user} \\");
    println!("                             --webdav-pass \"$(rclone obscure {password})\" :webdav:");
    println!();
    println!(
        "Calendars and contacts (Thunderbird, DAVx5, iOS, macOS, Evolution …): {url} and the same login."
    );
    println!();
    if let Some(s3) = s3 {
        println!(
            "Back up to it by S3 (restic, rclone, aws …; a bucket is a folder at the top of the drive):"
        );
        println!("  Endpoint    {s3}");
        println!("  Access key  {}", text(&app["s3"]["access_key"]));
        println!("  Secret key  {}", text(&app["s3"]["secret_key"]));
        println!();
    }
    if let Some((_, server)) = imap.and_then(|url| url.split_once("://")) {
        let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
        println!("Mail (Thunderbird, Apple Mail, K-9, mutt …), set up by hand as an IMAP account:");
        println!("  Server    {host}");
        println!("  Port      {port}");
        println!("  Security  {}", security(imap.unwrap_or_default(), url, is_loopback(host)));
        println!("  User      {user}");
        println!("  Password  {password}");
        println!();
    }
    println!("Stop with Ctrl-C; start again with: allod serve --data {}", data.display());
    println!();
}

/// What a mail program calls the way in which it is encrypted.
fn security(imap: &str, http: &str, local: bool) -> &'static str {
    match (imap.starts_with("imaps:"), http.starts_with("https:"), local) {
        (true, _, _) => "SSL/TLS",
        (false, true, _) => "STARTTLS",
        (false, false, true) => "none (this machine only)",
        (false, false, false) => {
            "none: whoever carries the mail can read it and the password (--tls-cert, --tls-key)"
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Records as a zone file has them, each below what it is for.
fn print_dns(answer: &Value) {
    for record in answer["records"].as_array().into_iter().flatten() {
        let state = match record["state"].as_str() {
            Some("right") => " (is there)".to_owned(),
            Some("other") => format!(" (IS NOT SO: {})", text(&record["found"])),
            Some("missing") => " (IS MISSING)".to_owned(),
            Some(_) => " (the DNS does not answer)".to_owned(),
            None => String::new(),
        };
        println!("; {}{state}", text(&record["purpose"]));
        let (kind, value) = (text(&record["type"]), text(&record["value"]));
        let value = if kind == "TXT" { quoted(&value) } else { value };
        println!("{}. IN {kind} {value}", text(&record["name"]));
    }
    println!("; The name of this server needs an address (A, AAAA), and that address this name (PTR).");
}

/// Where the web page waits, after [`print_quickstart`].
pub fn print_page(link: &str) {
    println!(
        "Your page, where you see and set up everything (choose a password there; the link works once):"
    );
    println!("  {link}");
    println!();
}

/// RFC 1035 §3.3: strings of 255 bytes at most.
fn quoted(value: &str) -> String {
    let parts: Vec<String> =
        value.as_bytes().chunks(255).map(|part| format!("\"{}\"", String::from_utf8_lossy(part))).collect();
    parts.join(" ")
}

fn print_app(app: &Value) {
    println!(
        "App credential '{}' of {} (id {})",
        text(&app["label"]),
        text(&app["account"]),
        text(&app["id"])
    );
    println!("These secrets are shown once:");
    println!("  user name   {}", text(&app["username"]));
    println!("  password    {}", text(&app["password"]));
    println!("  bearer      {}", text(&app["bearer"]));
    println!("  S3          {}", text(&app["s3"]["endpoint"]));
    println!("    access key  {}", text(&app["s3"]["access_key"]));
    println!("    secret key  {}", text(&app["s3"]["secret_key"]));
    println!("It opens: {}", list(&app["grants"]));
}

fn print_apps(apps: &Value) {
    let rows = apps.as_array().into_iter().flatten().map(|app| {
        let last = &app["last_use"];
        let used = match last["time"].as_str() {
            Some(time) => format!("{time} {} {}", text(&last["protocol"]), text(&last["client"])),
            None => "never".into(),
        };
        vec![
            text(&app["id"]),
            text(&app["account"]),
            text(&app["label"]),
            list(&app["grants"]),
            text(&app["expires"]),
            used,
        ]
    });
    columns(&["id", "account", "label", "grants", "expires", "last use"], rows.collect());
}

fn print_status(status: &Value) {
    let running = if status["running"] == Value::Bool(true) { "running" } else { "stopped" };
    let health = if status["healthy"] == Value::Bool(true) { "healthy" } else { "NOT healthy: see the log" };
    println!("allod {} {running}, {health}", text(&status["version"]));
    for one in status["listeners"].as_array().into_iter().flatten() {
        println!("  {:<10} {} ({})", text(&one["listener"]), text(&one["url"]), text(&one["protocols"]));
    }
    println!("  data       {}", text(&status["data"]));
    println!("  accounts   {}", status["accounts"]);
    println!("  documents  {} ({})", status["documents"], size(&status["used_bytes"]));
    println!("  metadata   {} ({})", size(&status["metadata_bytes"]), text(&status["engine"]));
    println!("  content    {}", size(&status["blob_bytes"]));
    println!("  disk free  {}", size(&status["disk_free_bytes"]));
}

fn print_check(report: &Value) {
    for problem in report["problems"].as_array().into_iter().flatten() {
        println!("{}", text(problem));
    }
    println!(
        "{} records, {} accounts, {} entries, {} contents, {} chunks ({}) verified",
        report["records"],
        report["accounts"],
        report["entries"],
        report["contents"],
        report["chunks"],
        size(&report["chunk_bytes"])
    );
    match report["problems_total"].as_u64() {
        Some(0) => println!("Everything is sound."),
        _ => println!("{} problems, {} derived rows mended", report["problems_total"], report["mended"]),
    }
}

fn print_history(lines: &Value) {
    for line in lines.as_array().into_iter().flatten() {
        let who = match line["app"].as_str() {
            Some(id) => format!("app {id}"),
            None => "operator".into(),
        };
        println!(
            "{} #{} {who} {} {}",
            text(&line["time"]),
            line["seq"],
            text(&line["protocol"]),
            text(&line["address"])
        );
        for change in line["changes"].as_array().into_iter().flatten() {
            println!("    {:<8} {}", text(&change["what"]), text(&change["path"]));
        }
    }
}

fn print_outcomes(outcomes: &Value, dry_run: bool) {
    let all: Vec<_> = outcomes.as_array().into_iter().flatten().collect();
    for outcome in &all {
        let reason = outcome["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        println!("{:<9} {}{reason}", text(&outcome["action"]), text(&outcome["path"]));
    }
    match (all.len(), dry_run) {
        (0, _) => println!("Nothing to change."),
        (n, true) => println!("{n} changes; nothing was done yet, leave out --dry-run to do it."),
        (n, false) => println!("{n} changes."),
    }
}

fn print_fields(answer: &Value) {
    for (name, value) in answer.as_object().into_iter().flatten() {
        println!("{name:<14} {}", text(value));
    }
}

fn table(rows: &Value, names: &[&str]) {
    let rows = rows.as_array().into_iter().flatten();
    columns(names, rows.map(|row| names.iter().map(|name| text(&row[*name])).collect()).collect());
}

fn columns(names: &[&str], rows: Vec<Vec<String>>) {
    let head = names.iter().map(|name| name.replace('_', " ")).collect();
    let all: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let width = |n: usize| all.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    for row in &all {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(_) => list(value),
        other => other.to_string(),
    }
}

fn size(value: &Value) -> String {
    let Some(bytes) = value.as_u64() else { return "-".into() };
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_encrypted_is_named() {
        assert_eq!(security("imaps://mail.example.org:993", "https://example.org", false), "SSL/TLS");
        assert_eq!(security("imap://example.org:143", "https://example.org", false), "STARTTLS");
        assert!(
            security("imap://10.0.0.5:1143", "http://10.0.0.5:8080", is_loopback("10.0.0.5"))
                .contains("password")
        );
        for host in ["localhost", "127.0.0.1", "[::1]", "127.8.8.8"] {
            assert_eq!(
                security("imap://h:1143", "http://h:8080", is_loopback(host)),
                "none (this machine only)"
            );
        }
    }
}
