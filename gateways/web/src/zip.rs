//! A folder as one ZIP file, made while it is sent: entries are stored as they are, sizes and checksums follow each.
//! Every size is written in 64 bits, so that no file is too large (APPNOTE §4.3.9, §4.5.3).

use std::io;

use allod_core::{Node, Session};
use allod_kit::{empty_body, stream_body};
use allod_model::{Path, Precondition};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Method, Response};
use tokio::sync::mpsc;

use crate::error::Refusal;
use crate::place::path_of;
use crate::respond::{Answer, header, url_part};
use crate::visit::Visit;

/// Files in one archive at most: its directory is held in memory.
const FILES_MAX: usize = 200_000;
/// Folders listed at a time.
const PAGE: usize = 500;
/// Deepest folder that is followed.
const DEPTH_MAX: usize = 64;
/// Pieces on their way to the client.
const PIECES: usize = 8;

/// Version needed: 4.5, for 64 bits.
const VERSION: u16 = 45;
/// Names are UTF-8, and sizes follow the bytes.
const FLAGS: u16 = 1 << 11 | 1 << 3;

/// Serves a folder of the drive.
pub(crate) async fn serve(visit: &Visit) -> Answer {
    let path = path_of(visit, "zip")?;
    let session = visit.session()?.clone();
    let node = session.stat(&path, allod_core::Want::Folder, false).await?;
    if node.folder.is_some_and(|facts| facts.documents > FILES_MAX as u64) {
        return Err(Refusal::form("files.zip-too-many"));
    }
    let mut response = Response::new(empty_body());
    header(&mut response, CONTENT_TYPE, "application/zip");
    let name = path.last().map_or_else(|| "allod".to_owned(), |name| url_part(name.as_bytes()));
    header(&mut response, CONTENT_DISPOSITION, &format!("attachment; filename*=UTF-8''{name}.zip"));
    header(&mut response, CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
    if visit.method != Method::HEAD {
        let (sender, mut pieces) = mpsc::channel::<io::Result<Bytes>>(PIECES);
        // Ends by itself once the client is gone: then nothing takes the pieces.
        tokio::spawn(async move {
            let mut archive = Archive { sender: sender.clone(), at: 0, directory: BytesMut::new(), files: 0 };
            if let Err(error) = archive.write(&session, &path).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        let stream = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
        *response.body_mut() = stream_body(stream);
    }
    Ok(response)
}

struct Archive {
    sender: mpsc::Sender<io::Result<Bytes>>,
    at: u64,
    directory: BytesMut,
    files: u64,
}

impl Archive {
    async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.sender.send(Ok(bytes)).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    async fn write(&mut self, session: &Session, root: &Path) -> io::Result<()> {
        let mut folders = vec![(root.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let mut after = None;
            loop {
                let listing =
                    session.list(&folder, after.as_ref(), PAGE, false).await.map_err(io::Error::other)?;
                for node in listing.nodes.iter().filter(|node| node.name.is_strict()) {
                    let (path, name) = (folder.join(node.name.clone()), format!("{prefix}{}", node.name));
                    match node.is_folder() {
                        true if path.depth() < DEPTH_MAX => folders.push((path, format!("{name}/"))),
                        true => {}
                        false => self.file(session, &path, &name, node).await?,
                    }
                }
                match listing.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        self.end().await
    }

    async fn file(&mut self, session: &Session, path: &Path, name: &str, node: &Node) -> io::Result<()> {
        if self.files as usize >= FILES_MAX {
            return Err(io::Error::other("too many files"));
        }
        // What was removed meanwhile is left out.
        let Ok(file) = session.open(path, &Precondition::default()).await else { return Ok(()) };
        let (begin, time) = (self.at, dos_time(node.modified.secs()));
        let mut local = BytesMut::new();
        local.put_u32_le(0x0403_4b50);
        local.put_u16_le(VERSION);
        local.put_u16_le(FLAGS);
        local.put_u16_le(0);
        local.put_u32_le(time);
        local.put_u32_le(0);
        local.put_u32_le(u32::MAX);
        local.put_u32_le(u32::MAX);
        local.put_u16_le(name.len() as u16);
        local.put_u16_le(20);
        local.put_slice(name.as_bytes());
        local.put_u16_le(1);
        local.put_u16_le(16);
        local.put_u64_le(0);
        local.put_u64_le(0);
        self.send(local.freeze()).await?;
        let (mut crc, mut size) = (crc32fast::Hasher::new(), 0u64);
        let mut bytes = file.read(None);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(io::Error::other)?;
            crc.update(&piece);
            size += piece.len() as u64;
            self.send(piece).await?;
        }
        let crc = crc.finalize();
        let mut after = BytesMut::new();
        after.put_u32_le(0x0807_4b50);
        after.put_u32_le(crc);
        after.put_u64_le(size);
        after.put_u64_le(size);
        self.send(after.freeze()).await?;
        self.remember(name, time, crc, size, begin);
        Ok(())
    }

    fn remember(&mut self, name: &str, time: u32, crc: u32, size: u64, begin: u64) {
        let row = &mut self.directory;
        row.put_u32_le(0x0201_4b50);
        // Made on Unix, so that names are taken as UTF-8 everywhere.
        row.put_u16_le(3 << 8 | VERSION);
        row.put_u16_le(VERSION);
        row.put_u16_le(FLAGS);
        row.put_u16_le(0);
        row.put_u32_le(time);
        row.put_u32_le(crc);
        row.put_u32_le(u32::MAX);
        row.put_u32_le(u32::MAX);
        row.put_u16_le(name.len() as u16);
        row.put_u16_le(28);
        row.put_u16_le(0);
        row.put_u16_le(0);
        row.put_u16_le(0);
        row.put_u32_le(0o100_644 << 16);
        row.put_u32_le(u32::MAX);
        row.put_slice(name.as_bytes());
        row.put_u16_le(1);
        row.put_u16_le(24);
        row.put_u64_le(size);
        row.put_u64_le(size);
        row.put_u64_le(begin);
        self.files += 1;
    }

    async fn end(&mut self) -> io::Result<()> {
        let (begin, directory) = (self.at, std::mem::take(&mut self.directory).freeze());
        let length = directory.len() as u64;
        self.send(directory).await?;
        let end = self.at;
        let mut tail = BytesMut::new();
        tail.put_u32_le(0x0606_4b50);
        tail.put_u64_le(44);
        tail.put_u16_le(3 << 8 | VERSION);
        tail.put_u16_le(VERSION);
        tail.put_u32_le(0);
        tail.put_u32_le(0);
        tail.put_u64_le(self.files);
        tail.put_u64_le(self.files);
        tail.put_u64_le(length);
        tail.put_u64_le(begin);
        tail.put_u32_le(0x0706_4b50);
        tail.put_u32_le(0);
        tail.put_u64_le(end);
        tail.put_u32_le(1);
        tail.put_u32_le(0x0605_4b50);
        tail.put_u16_le(0);
        tail.put_u16_le(0);
        tail.put_u16_le(u16::MAX);
        tail.put_u16_le(u16::MAX);
        tail.put_u32_le(u32::MAX);
        tail.put_u32_le(u32::MAX);
        tail.put_u16_le(0);
        self.send(tail.freeze()).await
    }
}

/// The time as DOS wrote it: two seconds of precision, from 1980 on.
fn dos_time(secs: i64) -> u32 {
    let Ok(moment) = jiff::Timestamp::from_second(secs) else { return 0x21 << 16 };
    let at = jiff::tz::Offset::UTC.to_datetime(moment);
    let year = (i32::from(at.year()) - 1980).clamp(0, 127) as u32;
    let date = year << 9 | (at.month() as u32) << 5 | at.day() as u32;
    let time = (at.hour() as u32) << 11 | (at.minute() as u32) << 5 | ((at.second() as u32) / 2);
    date << 16 | time
}
