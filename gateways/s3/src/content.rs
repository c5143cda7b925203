//! The body of a request: streamed into the store with everything taken that it claims, or read whole for parsing.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use allod_core::{ChecksumHasher, ChecksumKind};
use allod_kit::RequestBody;
use allod_model::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body_util::BodyDataStream;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::chunked::{ChunkSigner, Dechunker};
use crate::claims::{Claims, Payload, Taken};
use crate::error::{Code, Doing, Failure};

/// What passes between a streamed body, core, and the gateway: why it broke, or what was taken of it.
#[derive(Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    failure: Option<Failure>,
    taken: Option<Taken>,
}

impl Outcome {
    /// Keeps a failure and gives an error that makes core undo the write.
    pub(crate) fn fail(&self, failure: Failure) -> Error {
        self.lock().failure.get_or_insert(failure);
        Error::new(ErrorKind::InvalidContent, "the body is not what the request says")
    }

    /// What was taken; `None` unless the body came whole.
    pub(crate) fn taken(&self) -> Option<Taken> {
        self.lock().taken.clone()
    }

    /// Keeps what was taken of a body that came whole.
    pub(crate) fn set(&self, taken: Taken) {
        self.lock().taken = Some(taken);
    }

    /// The failure to answer with: what broke the body explains more than what core makes of it.
    pub(crate) fn explain(&self, error: Error, doing: Doing) -> Failure {
        self.lock().failure.take().unwrap_or_else(|| Failure::of(error, doing))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves at worst an outcome that is not complete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The content of a request's body, without its framing. Ends in an `Err` when it is not whole, so that nothing is
/// stored; why is left in its [`Outcome`].
pub(crate) struct Content {
    body: BodyDataStream<RequestBody>,
    dechunker: Option<Dechunker>,
    /// What came and was not looked at yet.
    rest: Bytes,
    length: Option<u64>,
    received: u64,
    sha256: Option<Sha256>,
    summer: Option<ChecksumHasher>,
    /// A second checksum, to be kept instead of the one that is compared.
    kept: Option<ChecksumHasher>,
    outcome: Outcome,
    ended: bool,
}

impl Content {
    /// The content that `claims` describe. `signer` signs its chunks, if they have signatures.
    ///
    /// # Errors
    /// `MissingContentLength` when nobody says how long it is; `EntityTooLarge`.
    pub(crate) fn new(
        body: RequestBody,
        claims: &Claims,
        signer: Option<ChunkSigner>,
    ) -> Result<Self, Failure> {
        if claims.length.is_none() && !claims.in_chunks {
            return Err(Failure::new(
                Code::MISSING_LENGTH,
                "You must provide the Content-Length HTTP header.",
            ));
        }
        if let Some(length) = claims.length.filter(|length| *length > allod_core::PART_BYTES_MAX) {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return Err(Failure::new(Code::ENTITY_TOO_LARGE, message)
                .fact("ProposedSize", length.to_string())
                .fact("MaxSizeAllowed", allod_core::PART_BYTES_MAX.to_string()));
        }
        let dechunker = match claims.payload {
            Payload::Chunked { signed, trailers } => {
                if signed && signer.is_none() {
                    return Err(Failure::request(
                        "signed chunks need a signature in the Authorization header",
                    ));
                }
                Some(Dechunker::new(signer.filter(|_| signed), trailers))
            }
            Payload::Unsigned | Payload::Sha256(_) => None,
        };
        Ok(Content {
            body: BodyDataStream::new(body),
            dechunker,
            rest: Bytes::new(),
            length: claims.length,
            received: 0,
            sha256: matches!(claims.payload, Payload::Sha256(_)).then(Sha256::new),
            summer: Some(ChecksumHasher::new(claims.kind())),
            kept: None,
            outcome: Outcome::default(),
            ended: false,
        })
    }

    /// Takes a checksum of this kind too.
    pub(crate) fn keep(&mut self, kind: ChecksumKind) {
        let same = self.summer.as_ref().is_some_and(|summer| summer.kind() == kind);
        self.kept = (!same).then(|| ChecksumHasher::new(kind));
    }

    /// Where its outcome will be.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            match &mut self.dechunker {
                None if !self.rest.is_empty() => {
                    return Poll::Ready(Ok(Some(std::mem::take(&mut self.rest))));
                }
                None => {}
                Some(dechunker) => {
                    if let Some(piece) = dechunker.next(&mut self.rest)? {
                        return Poll::Ready(Ok(Some(piece)));
                    }
                }
            }
            match ready!(self.body.poll_next_unpin(context)) {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn look_at(&mut self, piece: &Bytes) -> Result<(), Failure> {
        self.received += piece.len() as u64;
        if self.received > self.length.unwrap_or(allod_core::PART_BYTES_MAX) {
            return Err(Failure::new(
                Code::INCOMPLETE_BODY,
                "You did not provide the number of bytes specified by the Content-Length HTTP header: there are more",
            ));
        }
        if let Some(hash) = &mut self.sha256 {
            hash.update(piece);
        }
        for summer in [&mut self.summer, &mut self.kept].into_iter().flatten() {
            summer.update(piece);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let trailers = self.dechunker.as_mut().map(Dechunker::finish).transpose()?.unwrap_or_default();
        if self.length.is_some_and(|length| self.received != length) {
            return Err(incomplete());
        }
        let Some(summer) = self.summer.take() else { return Ok(()) };
        let taken = Taken {
            sha256: self.sha256.take().map(|hash| hash.finalize().into()),
            kind: summer.kind(),
            checksum: summer.finish().value,
            kept: self.kept.take().map(|summer| (summer.kind(), summer.finish().value)),
            trailers,
        };
        self.outcome.set(taken);
        Ok(())
    }
}

impl Stream for Content {
    type Item = Result<Bytes>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let outcome = match ready!(self.poll_piece(context)) {
            Ok(Some(piece)) => self.look_at(&piece).map(|()| Some(piece)),
            Ok(None) => {
                self.ended = true;
                self.end().map(|()| None)
            }
            Err(failure) => Err(failure),
        };
        Poll::Ready(match outcome {
            Ok(piece) => piece.map(Ok),
            Err(failure) => {
                self.ended = true;
                Some(Err(self.outcome.fail(failure)))
            }
        })
    }
}

fn incomplete() -> Failure {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    Failure::new(Code::INCOMPLETE_BODY, message)
}

/// What to say when a body did not arrive.
pub(crate) fn broken(error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::TimedOut => Failure::new(
            Code::REQUEST_TIMEOUT,
            "Your socket connection to the server was not read from or written to within the timeout period.",
        ),
        _ => incomplete(),
    }
}

/// Reads a body that will be parsed, and compares it with what the request claims.
///
/// # Errors
/// `MaxMessageLengthExceeded` over `max` bytes, by the announced length before a byte is read; what [`Content`] and
/// [`Claims::judge`] say.
pub(crate) async fn read_whole(
    body: RequestBody,
    claims: &Claims,
    signer: Option<ChunkSigner>,
    max: usize,
) -> Result<Bytes, Failure> {
    let too_long = || Failure::new(Code::MESSAGE_TOO_LARGE, "Your request was too big.");
    if claims.length.is_some_and(|length| length > max as u64) {
        return Err(too_long());
    }
    let mut content = match claims.length {
        Some(_) => Content::new(body, claims, signer)?,
        // A document may come without its length: it is short in any case.
        None => Content {
            length: None,
            ..Content::new(body, &Claims { length: Some(0), ..claims.clone() }, signer)?
        },
    };
    let outcome = content.outcome();
    let mut whole = BytesMut::new();
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(|error| outcome.explain(error, Doing::Bucket))?;
        if whole.len() + piece.len() > max {
            return Err(too_long());
        }
        whole.extend_from_slice(&piece);
    }
    let md5 = claims.md5.is_some().then(|| Md5::digest(&whole).into());
    let arrived = allod_core::Arrived { size: whole.len() as u64, md5 };
    if let Some(taken) = outcome.taken() {
        claims.judge(&arrived, taken)?;
    }
    Ok(whole.freeze())
}
