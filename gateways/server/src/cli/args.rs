//! What can be typed. Every command has an example in its help.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Domains, ImapServing, S3Serving, Settings, SmtpServing};

/// Your own cloud: everything you own in one store, behind the protocols that your apps already speak.
#[derive(Parser, Debug)]
#[command(
    name = "allod",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  allod quickstart                      make a store and serve it
  allod app add alice Laptop --grant all
Settings come from flags, then the environment (ALLOD_*), then allod.toml in the data directory."
)]
pub struct Cli {
    /// The data directory [default: ./allod-data]
    #[arg(long, global = true, env = "ALLOD_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON, for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// A file with the passphrase of the master key
    #[arg(long, global = true, env = "ALLOD_PASSPHRASE_FILE", value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make a store with one account and one app password for everything, say how to connect, and serve
    #[command(after_help = "Example:\n  allod quickstart alice")]
    Quickstart {
        /// The account's name [default: your user name]
        name: Option<String>,
        /// How to serve.
        #[command(flatten)]
        serve: ServeArgs,
    },
    /// Serve the store until SIGTERM or Ctrl-C
    #[command(after_help = "Example:\n  allod serve --http 127.0.0.1:8080")]
    Serve(ServeArgs),
    /// Accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// App credentials: what each app may open
    #[command(subcommand)]
    App(AppCommand),
    /// Calendars and address books shared with other accounts of this server
    #[command(subcommand)]
    Share(ShareCommand),
    /// Calendars that whoever has the link may read
    #[command(subcommand)]
    Link(LinkCommand),
    /// Mail that waits to be sent
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Rules by which an account's arriving mail is filed
    #[command(subcommand)]
    Filing(FilingCommand),
    /// An answer to whoever writes while an account's owner is away
    #[command(subcommand)]
    Vacation(VacationCommand),
    /// What the DNS must hold for a domain whose mail comes here
    #[command(after_help = "Example:\n  allod dns example.org --check")]
    Dns {
        /// The domain
        domain: String,
        /// Look whether it does
        #[arg(long)]
        check: bool,
    },
    /// What is served where, sizes, health
    #[command(after_help = "Example:\n  allod status --json")]
    Status,
    /// Verify everything stored; exit code 1 when anything is wrong
    #[command(after_help = "Example:\n  allod check")]
    Check {
        /// Rewrite derived rows that are wrong
        #[arg(long)]
        rebuild: bool,
    },
    /// What happened in an account, newest first
    #[command(after_help = "Example:\n  allod history alice /photos --limit 20")]
    History {
        /// The account
        account: String,
        /// Only below this path
        #[arg(default_value = "/")]
        path: String,
        /// Only what this app credential did
        #[arg(long, value_name = "ID")]
        app: Option<String>,
        /// At most so many commits
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Earlier versions of a file
    #[command(after_help = "Example:\n  allod versions alice /notes/today.md")]
    Versions {
        /// The account
        account: String,
        /// The file
        path: String,
    },
    /// What was removed and can be had back
    #[command(after_help = "Example:\n  allod trash alice")]
    Trash {
        /// The account
        account: String,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Put a file, a folder or the whole account back as it was
    #[command(after_help = "Examples:\n  allod restore alice /photos --at 2h --dry-run\n  \
        allod restore alice / --at '2026-11-24 18:30'")]
    Restore {
        /// The account
        account: String,
        /// What to put back
        path: String,
        /// As of this moment, or this long ago
        #[arg(long, required_unless_present = "seq", conflicts_with = "seq")]
        at: Option<String>,
        /// As of the state after this commit
        #[arg(long)]
        seq: Option<u64>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo everything that one app did since a moment
    #[command(after_help = "Example:\n  allod undo alice --app ID --since 3d --dry-run")]
    Undo {
        /// The account
        account: String,
        /// The app credential
        #[arg(long, value_name = "ID")]
        app: String,
        /// From this moment on, or for so long
        #[arg(long)]
        since: String,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// The audit log of an account: credentials, logins, refusals
    #[command(after_help = "Example:\n  allod audit alice --limit 20")]
    Audit {
        /// The account
        account: String,
        /// At most so many events
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Give back space now instead of in the background
    #[command(after_help = "Example:\n  allod collect")]
    Collect,
    /// The master key
    #[command(subcommand)]
    Key(KeyCommand),
    /// The version
    #[command(after_help = "Example:\n  allod version --json")]
    Version,
}

/// Accounts.
#[derive(Subcommand, Debug)]
pub enum AccountCommand {
    /// Make an account
    #[command(after_help = "Example:\n  allod account add alice --email alice@example.org --quota 500G")]
    Add {
        /// Its name
        name: String,
        /// What to set.
        #[command(flatten)]
        settings: AccountArgs,
    },
    /// All accounts
    #[command(after_help = "Example:\n  allod account list --json")]
    List,
    /// One account
    #[command(after_help = "Example:\n  allod account show alice")]
    Show {
        /// Its name
        name: String,
    },
    /// Change an account
    #[command(after_help = "Example:\n  allod account set alice --quota 1T")]
    Set {
        /// Its name
        name: String,
        /// What to set.
        #[command(flatten)]
        settings: AccountArgs,
    },
    /// Make a link, good for once and a week, by which its person chooses a password for the web page
    #[command(after_help = "Example:\n  allod account invite alice")]
    Invite {
        /// Its name
        name: String,
    },
    /// Make the calendar of birthdays again after it was removed
    #[command(after_help = "Example:\n  allod account birthdays alice")]
    Birthdays {
        /// Its name
        name: String,
    },
    /// Remove an account and everything in it, for good
    #[command(after_help = "Example:\n  allod account remove alice --yes")]
    Remove {
        /// Its name
        name: String,
        /// Yes, for good
        #[arg(long)]
        yes: bool,
    },
}

/// What can be set of an account.
#[derive(Args, Debug)]
pub struct AccountArgs {
    /// A mail address; give it again for more. All are replaced
    #[arg(long = "email", value_name = "ADDR")]
    pub emails: Vec<String>,
    /// The most it may hold, such as 500G; 0 for no limit
    #[arg(long, value_parser = size)]
    pub quota: Option<u64>,
    /// Read the password for the web page from standard input
    #[arg(long)]
    pub password_stdin: bool,
}

/// App credentials.
#[derive(Subcommand, Debug)]
pub enum AppCommand {
    /// Make an app credential; its secrets are shown once
    #[command(after_help = "\
Examples:
  allod app add alice Laptop --grant all
  allod app add alice 'Photo frame' --grant /photos:r --expires 90d
  allod app add alice restic --grant backup=/backups/laptop
Grants: all, files, mail, calendar, contacts, backup=/PATH (append only), or /PATH:RIGHTS[@PROTO,...]
with RIGHTS r, a (append) or rw, and PROTO webdav caldav carddav imap smtp remotestorage s3.")]
    Add {
        /// Whose
        account: String,
        /// What you call the app
        label: String,
        /// What it may open; give it again for more
        #[arg(long = "grant", value_name = "G", required = true)]
        grants: Vec<String>,
        /// When it ends, such as 90d
        #[arg(long, value_parser = duration)]
        expires: Option<u64>,
    },
    /// App credentials, with their last use
    #[command(after_help = "Example:\n  allod app list alice")]
    List {
        /// Only of this account
        account: Option<String>,
    },
    /// One app credential
    #[command(after_help = "Example:\n  allod app show ID")]
    Show {
        /// Its id
        id: String,
    },
    /// Revoke an app credential at once, on open connections too
    #[command(after_help = "Example:\n  allod app revoke ID")]
    Revoke {
        /// Its id
        id: String,
    },
}

/// Shares.
#[derive(Subcommand, Debug)]
pub enum ShareCommand {
    /// Share a folder, for reading unless --write is given; again, it changes what the other may do
    #[command(after_help = "Example:\n  allod share add alice /Calendars/Family bob --write")]
    Add {
        /// Whose
        account: String,
        /// The calendar or address book
        path: String,
        /// The other account, by name or mail address
        with: String,
        /// The other may change it
        #[arg(long)]
        write: bool,
    },
    /// With whom a folder is shared
    #[command(after_help = "Example:\n  allod share list alice /Calendars/Family")]
    List {
        /// Whose
        account: String,
        /// The calendar or address book
        path: String,
    },
    /// End a share, at once
    #[command(after_help = "Example:\n  allod share remove alice /Calendars/Family bob")]
    Remove {
        /// Whose
        account: String,
        /// The calendar or address book
        path: String,
        /// The other account
        with: String,
    },
}

/// Links.
#[derive(Subcommand, Debug)]
pub enum LinkCommand {
    /// Publish a calendar and print its link, the same one each time; private events are left out
    #[command(after_help = "Example:\n  allod link add alice /Calendars/Family")]
    Add {
        /// Whose
        account: String,
        /// The calendar
        path: String,
    },
    /// End a calendar's link for good
    #[command(after_help = "Example:\n  allod link remove alice /Calendars/Family")]
    Remove {
        /// Whose
        account: String,
        /// The calendar
        path: String,
    },
}

/// Rules by which mail is filed.
#[derive(Subcommand, Debug)]
pub enum FilingCommand {
    /// The rules, in the order in which they are tried
    #[command(after_help = "Example:\n  allod filing list alice")]
    List {
        /// Whose
        account: String,
    },
    /// Add a rule; a mail must meet all that is said of it, and all that is said is done
    #[command(
        after_help = "Example:\n  allod filing add alice rust --header List-Id:rust-lang --file Lists/rust --stop"
    )]
    Add(Box<RuleArgs>),
    /// Remove a rule
    #[command(after_help = "Example:\n  allod filing remove alice rust")]
    Remove {
        /// Whose
        account: String,
        /// The rule's name
        name: String,
    },
}

/// A rule.
#[derive(clap::Args, Debug)]
pub struct RuleArgs {
    /// Whose
    pub account: String,
    /// What the rule is called
    pub name: String,
    /// The From field has this text
    #[arg(long, value_name = "TEXT")]
    pub from: Vec<String>,
    /// The To field has this text
    #[arg(long, value_name = "TEXT")]
    pub to: Vec<String>,
    /// The subject has this text
    #[arg(long, value_name = "TEXT")]
    pub subject: Vec<String>,
    /// Another header field has this text
    #[arg(long, value_name = "NAME:TEXT")]
    pub header: Vec<String>,
    /// It was sent to this address
    #[arg(long, value_name = "ADDRESS")]
    pub sent_to: Vec<String>,
    /// It is larger
    #[arg(long, value_name = "SIZE")]
    pub larger: Option<String>,
    /// It is taken for junk
    #[arg(long)]
    pub junk: bool,
    /// One of these is enough
    #[arg(long)]
    pub any: bool,
    /// Put it into this mailbox
    #[arg(long, value_name = "MAILBOX")]
    pub file: Vec<String>,
    /// Also send it to this address
    #[arg(long, value_name = "ADDRESS")]
    pub forward: Vec<String>,
    /// Give it this keyword
    #[arg(long, value_name = "WORD")]
    pub keyword: Vec<String>,
    /// Mark it as read
    #[arg(long)]
    pub seen: bool,
    /// Mark it as flagged
    #[arg(long)]
    pub flagged: bool,
    /// Put it into Trash
    #[arg(long)]
    pub discard: bool,
    /// Try no further rule
    #[arg(long)]
    pub stop: bool,
    /// Its place among the rules, counted from 1; at the end where it is not said
    #[arg(long, value_name = "N")]
    pub position: Option<usize>,
}

/// The answer while somebody is away.
#[derive(Subcommand, Debug)]
pub enum VacationCommand {
    /// Answer whoever writes
    #[command(
        after_help = "Example:\n  allod vacation set alice --text 'Back in January.' --until 2027-01-04"
    )]
    Set {
        /// Whose
        account: String,
        /// What the answer says
        #[arg(long)]
        text: String,
        /// Its subject [default: made from the mail's]
        #[arg(long)]
        subject: Option<String>,
        /// Not before this moment
        #[arg(long, value_name = "MOMENT")]
        from: Option<String>,
        /// Not after this moment
        #[arg(long, value_name = "MOMENT")]
        until: Option<String>,
        /// Nobody is answered twice within so many days
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: u32,
    },
    /// What is answered
    #[command(after_help = "Example:\n  allod vacation show alice")]
    Show {
        /// Whose
        account: String,
    },
    /// Answer nobody any more
    #[command(after_help = "Example:\n  allod vacation off alice")]
    Off {
        /// Whose
        account: String,
    },
}

/// Mail that waits to be sent.
#[derive(Subcommand, Debug)]
pub enum QueueCommand {
    /// What waits, for whom, and the last answer
    #[command(after_help = "Example:\n  allod queue list alice")]
    List {
        /// Only of this account
        account: Option<String>,
    },
    /// Try a mail now
    #[command(after_help = "Example:\n  allod queue retry ID")]
    Retry {
        /// Its id
        id: String,
    },
    /// Take a mail out of the queue; nobody is told
    #[command(after_help = "Example:\n  allod queue drop ID")]
    Drop {
        /// Its id
        id: String,
    },
}

/// The master key.
#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Seal the master key by a passphrase (read from standard input), or change it
    #[command(after_help = "Example:\n  printf %s 'a long passphrase' | allod key seal")]
    Seal,
    /// Take the passphrase off the master key
    #[command(after_help = "Example:\n  allod key unseal --passphrase-file FILE")]
    Unseal,
}

/// How to serve.
#[derive(Args, Debug, Default)]
pub struct ServeArgs {
    /// Where to serve HTTP (WebDAV) [default: 127.0.0.1:8080, with a certificate :443]
    #[arg(long, env = "ALLOD_HTTP", value_name = "ADDR:PORT", value_parser = address)]
    pub http: Option<SocketAddr>,
    /// Where to serve S3 [default: 127.0.0.1:9000, with a certificate :9000]
    #[arg(long, env = "ALLOD_S3", value_name = "ADDR:PORT", value_parser = address, conflicts_with = "no_s3")]
    pub s3: Option<SocketAddr>,
    /// Where to serve IMAP [default: 127.0.0.1:1143, with a certificate :143 (STARTTLS) and :993 (TLS)]
    #[arg(long, env = "ALLOD_IMAP", value_name = "ADDR:PORT", value_parser = address, conflicts_with = "no_imap")]
    pub imap: Option<SocketAddr>,
    /// Where to serve IMAP by TLS from the start; needs a certificate
    #[arg(long, env = "ALLOD_IMAPS", value_name = "ADDR:PORT", value_parser = address, conflicts_with = "no_imap")]
    pub imaps: Option<SocketAddr>,
    /// Where to take mail from your apps [default: 127.0.0.1:1587, with a certificate :587 (STARTTLS) and :465 (TLS)]
    #[arg(long, env = "ALLOD_SUBMISSION", value_name = "ADDR:PORT", value_parser = address, conflicts_with = "no_submission")]
    pub submission: Option<SocketAddr>,
    /// Where to take mail from your apps by TLS from the start; needs a certificate
    #[arg(long, env = "ALLOD_SUBMISSIONS", value_name = "ADDR:PORT", value_parser = address, conflicts_with = "no_submission")]
    pub submissions: Option<SocketAddr>,
    /// Where to take mail from the world [default: 127.0.0.1:1025, with a certificate :25]
    #[arg(long, env = "ALLOD_MX", value_name = "ADDR:PORT", value_parser = address, conflicts_with = "no_mx")]
    pub mx: Option<SocketAddr>,
    /// Do not serve S3
    #[arg(long)]
    pub no_s3: bool,
    /// A name below which S3 buckets are host names; give it again for more
    #[arg(long = "s3-domain", env = "ALLOD_S3_DOMAIN", value_name = "NAME", value_delimiter = ',')]
    pub s3_domains: Vec<String>,
    /// The region that S3 clients are told [default: us-east-1]
    #[arg(long, env = "ALLOD_S3_REGION", value_name = "NAME")]
    pub s3_region: Option<String>,
    /// The length of a lifecycle day, for tests
    #[arg(long, hide = true, value_name = "SECS")]
    pub s3_lifecycle_day: Option<u64>,
    /// Do not serve IMAP
    #[arg(long)]
    pub no_imap: bool,
    /// Do not take mail from apps
    #[arg(long)]
    pub no_submission: bool,
    /// Do not take mail from the world
    #[arg(long)]
    pub no_mx: bool,
    /// A domain in which every account has a mail address by its name; give it again for more
    #[arg(long = "mail-domain", env = "ALLOD_MAIL_DOMAIN", value_name = "NAME", value_delimiter = ',')]
    pub mail_domains: Vec<String>,
    /// The name of this machine in the DNS, for mail [default: as the system has it]
    #[arg(long = "mail-hostname", env = "ALLOD_MAIL_HOSTNAME", value_name = "NAME")]
    pub mail_hostname: Option<String>,
    /// Certificate chain, PEM
    #[arg(long, env = "ALLOD_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, env = "ALLOD_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Serve plain text on addresses that others can reach
    #[arg(long, env = "ALLOD_INSECURE")]
    pub insecure: bool,
    /// Where content lies: file:///PATH or s3://BUCKET/PREFIX [default: in the data directory]
    #[arg(long, env = "ALLOD_BLOBS", value_name = "URL")]
    pub blobs: Option<String>,
    /// Metadata engine of a new store [default: redb]
    #[arg(long, env = "ALLOD_ENGINE")]
    pub engine: Option<String>,
}

impl ServeArgs {
    /// As settings.
    pub fn settings(&self) -> Settings {
        let s3 = S3Serving {
            enabled: self.no_s3.then_some(false),
            listen: self.s3,
            domain: Some(self.s3_domains.clone()).filter(|names| !names.is_empty()).map(Domains::Several),
            region: self.s3_region.clone(),
            lifecycle_day_secs: self.s3_lifecycle_day,
        };
        let imap = ImapServing {
            enabled: self.no_imap.then_some(false),
            listen: self.imap,
            listen_tls: self.imaps,
            ..ImapServing::default()
        };
        let smtp = SmtpServing {
            submission_enabled: self.no_submission.then_some(false),
            submission: self.submission,
            submission_tls: self.submissions,
            mx_enabled: self.no_mx.then_some(false),
            mx: self.mx,
            domains: Some(self.mail_domains.clone()).filter(|names| !names.is_empty()).map(Domains::Several),
            hostname: self.mail_hostname.clone(),
            ..SmtpServing::default()
        };
        Settings {
            http: self.http,
            s3: Some(s3),
            imap: Some(imap),
            smtp: Some(smtp),
            tls_cert: self.tls_cert.clone(),
            tls_key: self.tls_key.clone(),
            insecure: self.insecure.then_some(true),
            blobs: self.blobs.clone(),
            engine: self.engine.clone(),
            ..Settings::default()
        }
    }
}

/// An address and port; a name is looked up, and a port alone means every address of this machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let usage = "write ADDR:PORT, such as 127.0.0.1:8080, localhost:8080 or :8080";
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse().map_err(|_| usage.to_owned())?;
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    let found = text.to_socket_addrs().map_err(|error| format!("{error}; {usage}"))?;
    // An IPv4 address where a name has both: it is what people mean by localhost.
    let found: Vec<SocketAddr> = found.collect();
    found.iter().find(|a| a.is_ipv4()).or(found.first()).copied().ok_or_else(|| usage.to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    allod_model::parse_size(text).ok_or_else(|| "write a size as 500M, 20G or 1T".into())
}

fn duration(text: &str) -> Result<u64, String> {
    allod_model::parse_duration_secs(text).ok_or_else(|| "write a time as 12h, 90d or 1y".into())
}
