//! The admin socket: a Unix socket in the data directory that only the server's own user can open.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allod_kit::Stop;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::answer::Failure;
use crate::execute::{Context, execute};
use crate::request::Request;

/// The socket's file name in the data directory.
pub const SOCKET_NAME: &str = "admin.sock";
/// Longest path that every Unix takes for a socket, in bytes.
const SOCKET_PATH_BYTES: usize = 100;
/// Longest request, in bytes.
const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// Time within which a client must have sent its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Progress lines waiting for a slow client; more are left out.
const PROGRESS_LINES_MAX: usize = 64;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress(String),
    Done(Value),
    Failed(Failure),
}

/// Serves commands on the socket until `stop`. A socket file left by a crash is replaced: the caller holds the store,
/// so nobody else serves it.
///
/// # Errors
/// When the socket can't be made.
pub async fn serve(socket: &Path, context: Context, stop: Stop) -> io::Result<()> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let address = Address::of(socket)?;
    let listener = UnixListener::bind(address.path())?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    let path = socket.to_path_buf();
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let context = context.clone();
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, context).await {
                            tracing::debug!(%error, "an admin client went away");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin socket did not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        // A file left behind is no harm: the next start replaces it.
        let _ = std::fs::remove_file(path);
    });
    Ok(())
}

/// A socket's path in a form that the system takes: it allows about a hundred bytes, and a data directory may lie
/// deeper. A longer one is named by an open handle of its folder.
struct Address {
    path: PathBuf,
    /// Open as long as the path is used.
    _folder: Option<File>,
}

impl Address {
    fn of(socket: &Path) -> io::Result<Address> {
        let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if socket.as_os_str().len() <= SOCKET_PATH_BYTES {
            return Ok(Address { path: socket.to_path_buf(), _folder: None });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Address { path, _folder: Some(folder) })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

async fn answer(stream: UnixStream, context: Context) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reading.take(REQUEST_BYTES_MAX));
    tokio::time::timeout(REQUEST_TIMEOUT, reader.read_line(&mut line)).await??;
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            let failure = Failure::invalid(format!("the running server does not understand this: {error}"));
            return write(&mut writing, &Line::Failed(failure)).await;
        }
    };
    let (sender, mut lines) = mpsc::channel::<String>(PROGRESS_LINES_MAX);
    let tell = move |text: &str| drop(sender.try_send(text.to_owned()));
    let work = async move { execute(&context, request, &tell).await };
    let mut work = std::pin::pin!(work);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            Some(text) = lines.recv() => write(&mut writing, &Line::Progress(text)).await?,
        }
    };
    let last = match outcome {
        Ok(value) => Line::Done(value),
        Err(failure) => Line::Failed(failure),
    };
    write(&mut writing, &last).await
}

async fn write(writing: &mut (impl AsyncWriteExt + Unpin), line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    writing.write_all(&text).await
}

/// Asks the server that serves this socket. `None` when none does.
///
/// # Errors
/// The command's own [`Failure`], or one that says that the server went away.
pub async fn call(
    socket: &Path,
    request: &Request,
    progress: &mut dyn FnMut(&str),
) -> Result<Option<Value>, Failure> {
    let Ok(address) = Address::of(socket) else { return Ok(None) };
    let Ok(stream) = UnixStream::connect(address.path()).await else { return Ok(None) };
    let gone = |_| Failure {
        code: "unavailable".into(),
        message: "the server went away during the command; look at its log and try again".into(),
    };
    let (reading, mut writing) = stream.into_split();
    let mut text = serde_json::to_vec(request).map_err(|error| Failure::invalid(error.to_string()))?;
    text.push(b'\n');
    writing.write_all(&text).await.map_err(gone)?;
    let mut lines = BufReader::new(reading).lines();
    while let Some(line) = lines.next_line().await.map_err(gone)? {
        match serde_json::from_str(&line) {
            Ok(Line::Progress(text)) => progress(&text),
            Ok(Line::Done(value)) => return Ok(Some(value)),
            Ok(Line::Failed(failure)) => return Err(failure),
            Err(error) => {
                return Err(Failure::invalid(format!("the server's answer is not understood: {error}")));
            }
        }
    }
    Err(gone(io::ErrorKind::UnexpectedEof.into()))
}
