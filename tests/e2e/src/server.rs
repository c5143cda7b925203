//! Starting, killing and asking the real binary.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Connection, Reply, Request};

/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The binary under test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("ALLOD_BIN") {
        return path.into();
    }
    let exe = std::env::current_exe().expect("a test knows its own path");
    let folder = exe.parent().and_then(Path::parent).expect("tests run from the target folder");
    let path = folder.join("allod");
    assert!(path.exists(), "{} is missing: run `cargo build -p allod-server` first", path.display());
    path
}

/// Runs a command of the binary on a data directory, whether or not a server runs there.
pub fn run(data: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .args(args)
        .arg("--data")
        .arg(data)
        .env_remove("ALLOD_DATA")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

/// As [`run`], with something to read.
pub fn run_reading(data: &Path, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(binary())
        .args(args)
        .arg("--data")
        .arg(data)
        .env_remove("ALLOD_DATA")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    pipe.write_all(stdin.as_bytes()).expect("the command reads");
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

/// A running server on its own data directory with the account `alice`.
pub struct Server {
    _folder: Option<TempDir>,
    data: PathBuf,
    child: Option<Child>,
    address: String,
    s3_address: String,
    imap_address: String,
    flags: Vec<String>,
}

/// An app credential.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: String,
    /// The account's name.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Its bearer token.
    pub bearer: String,
    /// Its S3 access key.
    pub access_key: String,
    /// Its S3 secret key.
    pub secret_key: String,
}

impl Server {
    /// Makes a store with the account `alice` and serves it.
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// As [`Server::start`], with more flags for `serve`.
    pub fn start_with(flags: &[&str]) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        let data = folder.path().join("data");
        let mut server = Server::unserved(Some(folder), data, flags);
        server.cli(&["account", "add", "alice", "--json"]);
        server.serve();
        server
    }

    /// Serves a store that is there already.
    pub fn on(data: PathBuf) -> Server {
        let mut server = Server::unserved(None, data, Vec::new());
        server.serve();
        server
    }

    fn unserved(folder: Option<TempDir>, data: PathBuf, flags: Vec<String>) -> Server {
        let (address, s3_address, imap_address) = (String::new(), String::new(), String::new());
        Server { _folder: folder, data, child: None, address, s3_address, imap_address, flags }
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Where HTTP is served.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where S3 is served.
    pub fn s3_address(&self) -> &str {
        &self.s3_address
    }

    /// Where IMAP is served.
    pub fn imap_address(&self) -> &str {
        &self.imap_address
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// Starts to serve; returns once it says `ready`.
    pub fn serve(&mut self) {
        let mut child = Command::new(binary())
            .args([
                "serve",
                "--http",
                "127.0.0.1:0",
                "--s3",
                "127.0.0.1:0",
                "--imap",
                "127.0.0.1:0",
                "--submission",
                "127.0.0.1:0",
                "--mx",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(self.data())
            .args(&self.flags)
            .env_remove("ALLOD_DATA")
            .env("ALLOD_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let started = Instant::now();
        let stdout = child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).lines() {
            let line = line.expect("the server writes text");
            let address = |rest: &str| {
                let url = rest.split(' ').next().unwrap_or_default();
                url.rsplit('/').next().unwrap_or_default().to_owned()
            };
            if let Some(rest) = line.strip_prefix("http ") {
                self.address = address(rest);
            }
            if let Some(rest) = line.strip_prefix("s3 ") {
                self.s3_address = address(rest);
            }
            if let Some(rest) = line.strip_prefix("imap ") {
                self.imap_address = address(rest);
            }
            if line == "ready" {
                self.child = Some(child);
                return;
            }
            assert!(started.elapsed() < START_TIMEOUT, "the server does not get ready");
        }
        panic!("the server ended before it was ready: {:?}", child.wait());
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("it ends");
        }
    }

    /// Stops the server with SIGTERM; it must end well within 10 seconds.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal can be sent");
        let began = Instant::now();
        let status = child.wait().expect("it ends");
        assert!(status.success(), "a clean stop exits with 0, not {status}");
        assert!(began.elapsed() < Duration::from_secs(10), "a stop takes less than 10 s");
    }

    /// Runs a command that must succeed and returns its JSON.
    pub fn cli(&self, args: &[&str]) -> Value {
        let output = run(&self.data(), args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Sets the password by which a person signs in at the web page.
    pub fn set_password(&self, account: &str, password: &str) {
        let args = ["account", "set", account, "--password-stdin"];
        let output = run_reading(&self.data(), &args, &format!("{password}\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes an app credential of `alice`.
    pub fn app(&self, grants: &[&str]) -> App {
        let mut args = vec!["app", "add", "alice", "test", "--json"];
        grants.iter().for_each(|grant| args.extend(["--grant", grant]));
        let made = self.cli(&args);
        let text = |value: &Value| value.as_str().expect("the contract names it").to_owned();
        App {
            id: text(&made["id"]),
            user: text(&made["username"]),
            password: text(&made["password"]),
            bearer: text(&made["bearer"]),
            access_key: text(&made["s3"]["access_key"]),
            secret_key: text(&made["s3"]["secret_key"]),
        }
    }

    /// A new connection.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// A new connection to S3.
    pub fn connect_s3(&self) -> Connection {
        Connection::open(&self.s3_address)
    }

    /// Sends one request on a connection of its own.
    pub fn send(&self, request: &Request) -> Reply {
        self.connect().send(request)
    }

    /// Demands that everything stored is sound.
    pub fn assert_sound(&self) {
        let output = run(&self.data(), &["check", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test is over; how the server ends does not matter any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
