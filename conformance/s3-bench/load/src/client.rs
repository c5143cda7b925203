//! HTTP/1.1 over one blocking connection, as much of it as a load needs.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::sign::Signer;

const BLOCK: usize = 256 * 1024;

pub struct Client {
    address: String,
    signer: Option<Signer>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

pub struct Reply {
    pub status: u16,
    pub length: usize,
    pub etag: String,
    pub body: Vec<u8>,
}

/// A body of that many bytes, made block by block.
pub type Body<'a> = (usize, &'a mut dyn FnMut(&mut [u8]));

impl Client {
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            signer: Signer::from_env(),
            stream: None,
            buffer: vec![0; BLOCK],
            start: 0,
            end: 0,
        }
    }

    /// One exchange. The reply's body is read to its end and kept only if `keep`.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: Option<Body>,
        keep: bool,
    ) -> Result<Reply, String> {
        let done = self.exchange(method, path, query, body, keep);
        if done.is_err() {
            self.stream = None;
        }
        done.map_err(|error| error.to_string())
    }

    fn exchange(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        body: Option<Body>,
        keep: bool,
    ) -> std::io::Result<Reply> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(std::time::Duration::from_secs(120)))?;
            self.stream = Some(stream);
            (self.start, self.end) = (0, 0);
        }
        let length = body.as_ref().map_or(0, |(length, _)| *length);
        let mut head = format!(
            "{method} {path}{}{query} HTTP/1.1\r\nhost: {}\r\n",
            if query.is_empty() { "" } else { "?" },
            self.address
        );
        if let Some(signer) = &mut self.signer {
            signer.sign(&mut head, method, &self.address, path, query);
        }
        if method != "GET" {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.into_bytes(), body)?;
        self.receive(keep)
    }

    /// The head leaves together with the first block of the body.
    fn send(&mut self, mut out: Vec<u8>, body: Option<Body>) -> std::io::Result<()> {
        let stream = self.stream.as_mut().expect("connected");
        if let Some((length, source)) = body {
            let mut left = length;
            while left > 0 {
                let (at, block) = (out.len(), left.min(BLOCK));
                out.resize(at + block, 0);
                source(&mut out[at..]);
                left -= block;
                stream.write_all(&out)?;
                out.clear();
            }
        }
        stream.write_all(&out)
    }

    fn receive(&mut self, keep: bool) -> std::io::Result<Reply> {
        let head = self.line_block()?;
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let status: u16 =
            text.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(|| bad("no status"))?;
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
        };
        let mut reply =
            Reply { status, length: 0, etag: field("etag:").unwrap_or_default(), body: Vec::new() };
        if field("transfer-encoding:").is_some_and(|value| value.contains("chunked")) {
            loop {
                let line = self.line()?;
                let size = usize::from_str_radix(
                    String::from_utf8_lossy(&line).split(';').next().unwrap_or("").trim(),
                    16,
                )
                .map_err(|_| bad("chunk size"))?;
                self.take(size, &mut reply, keep)?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else if status != 204 && status != 304 {
            let length = field("content-length:")
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| bad("no length"))?;
            self.take(length, &mut reply, keep)?;
        }
        if field("connection:").is_some_and(|value| value == "close") {
            self.stream = None;
        }
        Ok(reply)
    }

    fn more(&mut self) -> std::io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            return Err(bad("head too long"));
        }
        let count = self.stream.as_mut().expect("connected").read(&mut self.buffer[self.end..])?;
        if count == 0 {
            return Err(bad("closed"));
        }
        self.end += count;
        Ok(())
    }

    fn until(&mut self, mark: &[u8]) -> std::io::Result<Vec<u8>> {
        loop {
            let seen = &self.buffer[self.start..self.end];
            if let Some(at) = seen.windows(mark.len()).position(|window| window == mark) {
                let found = seen[..at].to_vec();
                self.start += at + mark.len();
                return Ok(found);
            }
            self.more()?;
        }
    }

    fn line_block(&mut self) -> std::io::Result<Vec<u8>> {
        self.until(b"\r\n\r\n")
    }

    fn line(&mut self) -> std::io::Result<Vec<u8>> {
        self.until(b"\r\n")
    }

    fn take(&mut self, mut left: usize, reply: &mut Reply, keep: bool) -> std::io::Result<()> {
        reply.length += left;
        while left > 0 {
            if self.start == self.end {
                self.more()?;
            }
            let piece = left.min(self.end - self.start);
            if keep {
                reply.body.extend_from_slice(&self.buffer[self.start..self.start + piece]);
            }
            self.start += piece;
            left -= piece;
        }
        Ok(())
    }
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}
