//! Running a command.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use allod_admin::{Password, Request, SOCKET_NAME, Served};
use allod_core::Core;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::args::*;
use super::rules::filing_request;
use crate::open::{KEY_NAME, given_passphrase, is_exposed, open, state_directory};
use crate::output;
use crate::serve::{page_url, serve, stopped_context};
use crate::settings::Settings;

/// Longest password taken from standard input, in bytes.
const STDIN_BYTES_MAX: u64 = 4096;

/// Runs a command.
///
/// # Errors
/// One line that says what to do.
pub async fn run(cli: Cli) -> Result<ExitCode, String> {
    let data = cli.data.clone().or_else(state_directory).unwrap_or_else(|| PathBuf::from("./allod-data"));
    let flags = Settings { passphrase_file: cli.passphrase_file.clone(), ..Settings::default() };
    let settings = flags.or(Settings::from_file(&data)?);
    let shell = Shell { data, settings, json: cli.json };
    match cli.command {
        Command::Quickstart { name, serve } => shell.quickstart(name, &serve).await,
        Command::Serve(args) => shell.serve(&args).await,
        Command::Version => shell.version(),
        Command::Key(command) => shell.key(&command),
        command => {
            let request = request(command)?;
            shell.ask(request).await
        }
    }
}

/// What every command needs.
struct Shell {
    data: PathBuf,
    settings: Settings,
    json: bool,
}

impl Shell {
    /// Asks the running server, or opens the store when none runs.
    async fn ask(&self, request: Request) -> Result<ExitCode, String> {
        crate::logging::start("warn");
        let bar = self.bar();
        let answer = {
            let mut tell = |text: &str| bar.set_message(text.to_owned());
            let socket = self.data.join(SOCKET_NAME);
            let called = allod_admin::call(&socket, &request, &mut tell).await;
            match called.map_err(|failure| failure.message)? {
                Some(answer) => answer,
                None => self.execute_directly(&request, &bar).await?,
            }
        };
        bar.finish_and_clear();
        output::print(&request, &answer, self.json);
        if answer["complete"] == json!(false) && matches!(request, Request::Dns { .. }) {
            return Ok(ExitCode::FAILURE);
        }
        let failed = matches!(request, Request::Check { .. }) && answer["clean"] == json!(false);
        if failed && !self.json {
            return Err(format!("{} problems found; see above", answer["problems_total"]));
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    async fn execute_directly(&self, request: &Request, bar: &ProgressBar) -> Result<Value, String> {
        let create = matches!(request, Request::AccountAdd { .. });
        let core = open(&self.data, &self.settings, create).await?;
        let context = stopped_context(&core, &self.data, &self.settings);
        let tell = |text: &str| bar.set_message(text.to_owned());
        let outcome = allod_admin::execute(&context, request.clone(), &tell).await;
        core.close().await.map_err(|error| error.message)?;
        outcome.map_err(|failure| failure.message)
    }

    fn bar(&self) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    async fn serve(&self, args: &ServeArgs) -> Result<ExitCode, String> {
        crate::logging::start("info");
        let settings = args.settings().or(self.settings.clone());
        let core = open(&self.data, &settings, true).await?;
        self.warn();
        let set_up = core.operator().offer_set_up().await.map_err(|error| error.message)?;
        serve(core, &self.data, &settings, |served| {
            self.announce(served);
            if let Some(token) = &set_up {
                let page = page_url(&settings, served.first().map_or("", |one| one.url.as_str()));
                eprintln!("allod: there is no account yet; make the first one here (this link works once):");
                eprintln!("  {page}{}", allod_web::set_up_path(token));
            }
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }

    fn warn(&self) {
        if is_exposed(&self.data) {
            eprintln!(
                "allod: warning: others on this machine can look into {0}; `chmod 700 {0}` closes it",
                self.data.display()
            );
        }
    }

    /// One line per listener, then `ready`.
    fn announce(&self, served: &[Served]) {
        for one in served {
            println!("{} {} ({})", one.listener, one.url, one.protocols);
        }
        println!("ready");
        // Whoever waits for this line through a pipe must get it now.
        let _ = std::io::Write::flush(&mut std::io::stdout());
    }

    async fn quickstart(&self, name: Option<String>, args: &ServeArgs) -> Result<ExitCode, String> {
        crate::logging::start("warn");
        let settings = args.settings().or(self.settings.clone());
        let core = open(&self.data, &settings, true).await?;
        self.warn();
        let first = self.first_account(&core, name, &settings).await?;
        let invitation = match first.as_ref().and_then(|made| made["username"].as_str()) {
            Some(account) => Some(core.operator().invite(account).await.map_err(|error| error.message)?),
            None => None,
        };
        let page = |url: &str| {
            let path = invitation.as_ref().map(|token| allod_web::invitation_path(token));
            page_url(&settings, url) + &path.unwrap_or_default()
        };
        serve(core, &self.data, &settings, |served| {
            let url = served.first().map_or("", |one| one.url.as_str());
            let s3 = served.iter().find(|one| one.listener == "s3").map(|one| one.url.as_str());
            let imap = served.iter().find(|one| one.listener.starts_with("imap"));
            let imap = imap.map(|one| one.url.as_str());
            match &first {
                Some(made) if self.json => {
                    println!("{}", json!({"url": url, "app": made, "page": page(url)}));
                }
                Some(made) => {
                    output::print_quickstart(made, url, s3, imap, &self.data);
                    output::print_page(&page(url));
                }
                None => println!(
                    "There is a store in {} already; make passwords for it with: allod app add ACCOUNT LABEL --grant all",
                    self.data.display()
                ),
            }
            self.announce(served);
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }

    /// Makes the account and its app password, unless the store has accounts.
    async fn first_account(
        &self,
        core: &Core,
        name: Option<String>,
        settings: &Settings,
    ) -> Result<Option<Value>, String> {
        let context = stopped_context(core, &self.data, settings);
        let quiet = |_: &str| {};
        let ask = |request| allod_admin::execute(&context, request, &quiet);
        let accounts = ask(Request::AccountList).await.map_err(|failure| failure.message)?;
        if accounts.as_array().is_some_and(|list| !list.is_empty()) {
            return Ok(None);
        }
        let name = name.unwrap_or_else(user_name);
        let add = Request::AccountAdd { name: name.clone(), emails: Vec::new(), quota: None, password: None };
        ask(add).await.map_err(|failure| failure.message)?;
        let app = Request::AppAdd {
            account: name,
            label: "First app".into(),
            grants: vec!["all".into()],
            expires_secs: None,
        };
        ask(app).await.map(Some).map_err(|failure| failure.message)
    }

    fn version(&self) -> Result<ExitCode, String> {
        let version = crate::VERSION;
        if self.json {
            println!("{}", json!({"name": "allod", "version": version}));
        } else {
            println!("allod {version}");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Seals or unseals the master key file; the running server is not disturbed, since it has the key.
    fn key(&self, command: &KeyCommand) -> Result<ExitCode, String> {
        let file = self.data.join(KEY_NAME);
        let told = |error: allod_blobs::Error| format!("{}: {error}", file.display());
        if !file.exists() {
            return Err(format!("there is no master key in {}", self.data.display()));
        }
        let old = match allod_blobs::MasterKey::needs_passphrase(&file).map_err(told)? {
            true => Some(given_passphrase(&self.settings)?.ok_or(
                "the master key is sealed: give its passphrase by --passphrase-file or ALLOD_PASSPHRASE",
            )?),
            false => None,
        };
        let new = match command {
            KeyCommand::Seal => Some(from_stdin()?),
            KeyCommand::Unseal => None,
        };
        let text = |secret: &Option<Zeroizing<String>>| secret.as_ref().map(|s| s.to_string());
        let (old, new) = (text(&old), text(&new));
        allod_blobs::MasterKey::change_passphrase(&file, old.as_deref(), new.as_deref()).map_err(told)?;
        println!(
            "{}",
            if new.is_some() {
                "The master key is sealed."
            } else {
                "The master key is not sealed any more."
            }
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// The request that a command makes.
fn request(command: Command) -> Result<Request, String> {
    Ok(match command {
        Command::Account(command) => account_request(command)?,
        Command::App(command) => app_request(command),
        Command::Share(command) => share_request(command),
        Command::Link(LinkCommand::Add { account, path }) => Request::LinkAdd { account, path },
        Command::Link(LinkCommand::Remove { account, path }) => Request::LinkRemove { account, path },
        Command::Queue(QueueCommand::List { account }) => Request::QueueList { account },
        Command::Queue(QueueCommand::Retry { id }) => Request::QueueRetry { id },
        Command::Queue(QueueCommand::Drop { id }) => Request::QueueDrop { id },
        Command::Filing(command) => filing_request(command)?,
        Command::Vacation(VacationCommand::Show { account }) => Request::VacationShow { account },
        Command::Vacation(VacationCommand::Off { account }) => Request::VacationOff { account },
        Command::Vacation(VacationCommand::Set { account, text, subject, from, until, days }) => {
            Request::VacationSet { account, text, subject, from, until, days }
        }
        Command::Dns { domain, check } => Request::Dns { domain, check },
        Command::Status => Request::Status,
        Command::Check { rebuild } => Request::Check { rebuild },
        Command::History { account, path, app, limit } => Request::History { account, path, app, limit },
        Command::Versions { account, path } => Request::Versions { account, path },
        Command::Trash { account, limit } => Request::Trash { account, limit },
        Command::Restore { account, path, at, seq, dry_run } => {
            Request::Restore { account, path, at, seq, dry_run }
        }
        Command::Undo { account, app, since, dry_run } => Request::Undo { account, app, since, dry_run },
        Command::Audit { account, limit } => Request::Audit { account, limit },
        Command::Collect => Request::Collect,
        Command::Quickstart { .. } | Command::Serve(_) | Command::Version | Command::Key(_) => {
            return Err("this command makes no request".into());
        }
    })
}

fn account_request(command: AccountCommand) -> Result<Request, String> {
    Ok(match command {
        AccountCommand::Add { name, settings } => Request::AccountAdd {
            name,
            password: password(&settings)?,
            emails: settings.emails,
            quota: settings.quota.filter(|bytes| *bytes > 0),
        },
        AccountCommand::List => Request::AccountList,
        AccountCommand::Show { name } => Request::AccountShow { name },
        AccountCommand::Set { name, settings } => Request::AccountSet {
            name,
            password: password(&settings)?,
            emails: (!settings.emails.is_empty()).then_some(settings.emails),
            quota: settings.quota,
        },
        AccountCommand::Invite { name } => Request::AccountInvite { name },
        AccountCommand::Birthdays { name } => Request::Birthdays { account: name },
        AccountCommand::Remove { name, yes: true } => Request::AccountRemove { name },
        AccountCommand::Remove { name, yes: false } => {
            return Err(format!("this removes '{name}' and everything in it for good; say so with --yes"));
        }
    })
}

fn share_request(command: ShareCommand) -> Request {
    match command {
        ShareCommand::Add { account, path, with, write } => Request::ShareAdd { account, path, with, write },
        ShareCommand::List { account, path } => Request::ShareList { account, path },
        ShareCommand::Remove { account, path, with } => Request::ShareRemove { account, path, with },
    }
}

fn app_request(command: AppCommand) -> Request {
    match command {
        AppCommand::Add { account, label, grants, expires } => {
            Request::AppAdd { account, label, grants, expires_secs: expires }
        }
        AppCommand::List { account } => Request::AppList { account },
        AppCommand::Show { id } => Request::AppShow { id },
        AppCommand::Revoke { id } => Request::AppRevoke { id },
    }
}

fn password(settings: &AccountArgs) -> Result<Option<Password>, String> {
    if !settings.password_stdin {
        return Ok(None);
    }
    from_stdin().map(|secret| Some(Password(secret)))
}

fn from_stdin() -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().take(STDIN_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read from standard input: {error}"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err("nothing came from standard input".into());
    }
    Ok(Zeroizing::new(secret.to_owned()))
}

/// The user's name, made fit for an account.
fn user_name() -> String {
    let name = std::env::var("USER").unwrap_or_default().to_ascii_lowercase();
    let fit: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    let starts_well = fit.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if starts_well { fit.chars().take(64).collect() } else { "me".into() }
}
