//! A load generator that costs little itself: a thread and a kept-alive connection each, Signature Version 4 with an
//! unsigned payload, no HTTP library. Prints one line of JSON.
//!
//! ```text
//! allod-s3-load put   HOST:PORT BUCKET PREFIX SIZE CONNECTIONS SECONDS   # new keys until the time is over
//! allod-s3-load fill  HOST:PORT BUCKET PREFIX SIZE CONNECTIONS COUNT     # keys PREFIX00000000 up to COUNT
//! allod-s3-load get   HOST:PORT BUCKET PREFIX SIZE CONNECTIONS SECONDS COUNT
//! allod-s3-load list  HOST:PORT BUCKET PREFIX 1000 1 COUNT               # all pages; COUNT keys are expected
//! allod-s3-load parts HOST:PORT BUCKET PREFIX SIZE CONNECTIONS COUNT     # an upload of COUNT parts on each connection
//! ```
//!
//! Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with none of them requests go out unsigned.

mod client;
mod sign;

use std::time::{Duration, Instant};

use client::Client;

/// What one connection did.
#[derive(Default)]
struct Tally {
    latencies_us: Vec<u32>,
    errors: u64,
    first_error: Option<String>,
    keys: usize,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, address, bucket, prefix, size, connections, amount, rest @ ..] = words.as_slice() else {
        eprintln!("want KIND HOST:PORT BUCKET PREFIX SIZE CONNECTIONS AMOUNT [COUNT]; see the source");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<usize>().expect("a number");
    let (size, connections, amount) = (number(size), number(connections), number(amount));
    let count = rest.first().map_or(amount, number);
    let started = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|at| {
            let job = Job {
                kind: kind.clone(),
                bucket: bucket.clone(),
                prefix: prefix.clone(),
                size,
                at,
                connections,
                amount,
                count,
            };
            let address = address.clone();
            std::thread::spawn(move || job.run(&mut Client::new(&address), started))
        })
        .collect();
    let tallies: Vec<Tally> =
        threads.into_iter().map(|thread| thread.join().expect("a worker panicked")).collect();
    print(&tallies, started.elapsed());
}

struct Job {
    kind: String,
    bucket: String,
    prefix: String,
    size: usize,
    at: usize,
    connections: usize,
    amount: usize,
    count: usize,
}

impl Job {
    fn run(&self, client: &mut Client, started: Instant) -> Tally {
        let mut tally = Tally::default();
        let mut random = Random::new(self.at as u64);
        let deadline = started + Duration::from_secs(self.amount as u64);
        match self.kind.as_str() {
            "put" => {
                let mut next = 0;
                while Instant::now() < deadline {
                    let path = format!("/{}/{}{}-{next:08}", self.bucket, self.prefix, self.at);
                    next += 1;
                    self.put(client, &path, &mut random, &mut tally);
                }
            }
            "fill" => {
                for key in (self.at..self.amount).step_by(self.connections) {
                    self.put(
                        client,
                        &format!("/{}/{}{key:08}", self.bucket, self.prefix),
                        &mut random,
                        &mut tally,
                    );
                }
            }
            "get" => {
                while Instant::now() < deadline {
                    let key = random.next() as usize % self.count;
                    let path = format!("/{}/{}{key:08}", self.bucket, self.prefix);
                    let size = self.size;
                    tally.time(|| match client.request("GET", &path, "", None, false)? {
                        reply if reply.status == 200 && reply.length == size => Ok(()),
                        reply => Err(format!("{} with {} bytes", reply.status, reply.length)),
                    });
                }
            }
            "list" => self.list(client, &mut tally),
            "parts" => self.parts(client, &mut random, &mut tally),
            other => panic!("no load {other:?}"),
        }
        tally
    }

    fn put(&self, client: &mut Client, path: &str, random: &mut Random, tally: &mut Tally) {
        let mut source = |block: &mut [u8]| random.fill(block);
        tally.time(|| match client.request("PUT", path, "", Some((self.size, &mut source)), false)? {
            reply if reply.status == 200 => Ok(()),
            reply => Err(format!("{}", reply.status)),
        });
    }

    /// One multipart upload, from its beginning to its completion.
    fn parts(&self, client: &mut Client, random: &mut Random, tally: &mut Tally) {
        let path = format!("/{}/{}{}", self.bucket, self.prefix, self.at);
        let mut upload = String::new();
        tally.time(|| {
            let reply = client.request("POST", &path, "uploads=", None, true)?;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            let id =
                text.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once('<')).map(|(id, _)| id);
            upload = sign::encode(id.ok_or_else(|| format!("{} without an UploadId", reply.status))?);
            Ok(())
        });
        let mut list = String::from("<CompleteMultipartUpload>");
        for part in 1..=self.amount {
            if tally.errors > 0 {
                return;
            }
            let mut source = |block: &mut [u8]| random.fill(block);
            tally.time(|| {
                match client.request(
                    "PUT",
                    &path,
                    &format!("partNumber={part}&uploadId={upload}"),
                    Some((self.size, &mut source)),
                    false,
                )? {
                    reply if reply.status == 200 => {
                        list.push_str(&format!(
                            "<Part><PartNumber>{part}</PartNumber><ETag>{}</ETag></Part>",
                            reply.etag
                        ));
                        Ok(())
                    }
                    reply => Err(format!("part {part}: {}", reply.status)),
                }
            });
        }
        list.push_str("</CompleteMultipartUpload>");
        let mut rest = list.as_bytes();
        let mut source = |block: &mut [u8]| {
            let (now, later) = rest.split_at(block.len());
            block.copy_from_slice(now);
            rest = later;
        };
        tally.time(|| {
            match client.request(
                "POST",
                &path,
                &format!("uploadId={upload}"),
                Some((list.len(), &mut source)),
                true,
            )? {
                // An error may come after the 200: completing takes time, and the head has to leave before.
                reply if reply.status == 200 && !String::from_utf8_lossy(&reply.body).contains("<Error>") => {
                    Ok(())
                }
                reply => Err(format!("complete: {} {}", reply.status, String::from_utf8_lossy(&reply.body))),
            }
        });
    }

    /// Every page once; fails when the keys do not add up.
    fn list(&self, client: &mut Client, tally: &mut Tally) {
        let mut after = String::new();
        loop {
            // Query names in byte order, as the signature wants them.
            let query = format!(
                "{after}list-type=2&max-keys={}&prefix={}",
                self.size,
                self.prefix.replace('/', "%2F")
            );
            let path = format!("/{}", self.bucket);
            let mut page = Vec::new();
            tally.time(|| match client.request("GET", &path, &query, None, true)? {
                reply if reply.status == 200 => {
                    page = reply.body;
                    Ok(())
                }
                reply => Err(format!("{}", reply.status)),
            });
            let text = String::from_utf8_lossy(&page);
            tally.keys += text.matches("<Key>").count();
            let token = text
                .split_once("<NextContinuationToken>")
                .and_then(|(_, rest)| rest.split_once('<'))
                .map(|(token, _)| token);
            match token {
                Some(token) if tally.errors == 0 => {
                    after = format!("continuation-token={}&", sign::encode(&token.replace("&amp;", "&")))
                }
                _ => break,
            }
        }
        if tally.keys != self.count {
            tally.fail(format!("{} keys listed, {} expected", tally.keys, self.count));
        }
    }
}

impl Tally {
    fn time(&mut self, act: impl FnOnce() -> Result<(), String>) {
        let started = Instant::now();
        match act() {
            Ok(()) => self.latencies_us.push(started.elapsed().as_micros().min(u32::MAX.into()) as u32),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
        // A server that refuses everything must not be asked a million times.
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn print(tallies: &[Tally], elapsed: Duration) {
    let mut all: Vec<u32> = tallies.iter().flat_map(|tally| tally.latencies_us.iter().copied()).collect();
    all.sort_unstable();
    let quantile = |part: f64| {
        all.get(((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1)))
            .map_or(0.0, |us| f64::from(*us) / 1000.0)
    };
    let errors: u64 = tallies.iter().map(|tally| tally.errors).sum();
    let why = tallies.iter().find_map(|tally| tally.first_error.clone()).unwrap_or_default();
    println!(
        r#"{{"requests":{},"seconds":{:.4},"errors":{errors},"why":"{}","p50_ms":{:.3},"p99_ms":{:.3}}}"#,
        all.len(),
        elapsed.as_secs_f64(),
        why.replace(['"', '\\', '\n'], "'"),
        quantile(0.5),
        quantile(0.99)
    );
}

/// xorshift64*: content that does not repeat and cannot be compressed, at memory speed.
struct Random(u64);

impl Random {
    fn new(at: u64) -> Self {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock after 1970")
            .as_nanos() as u64;
        Self((now ^ (at << 48) ^ u64::from(std::process::id()) << 32) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn fill(&mut self, block: &mut [u8]) {
        for piece in block.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }
}
