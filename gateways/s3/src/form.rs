//! HTML forms as `multipart/form-data` (RFC 7578): small fields first, then the file as a stream.

use std::task::{Context, Poll, ready};

use allod_kit::RequestBody;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::HeaderValue;
use http_body_util::BodyDataStream;

use crate::content::broken;
use crate::error::{Code, Failure};

/// All fields before the file together with their heads, in bytes.
const FIELDS_BYTES_MAX: usize = 64 * 1024;
/// Fields of a form at most.
const FIELDS_MAX: usize = 200;
/// Longest boundary (RFC 2046 §5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// The boundary of a form, when the type is one.
pub(crate) fn boundary(content_type: Option<&HeaderValue>) -> Option<String> {
    let text = content_type?.to_str().ok()?;
    let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    Some(value.unwrap_or_default().to_owned())
}

/// What stands in a form before its file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// Names in lower case.
    fields: Vec<(String, String)>,
    /// The name that the file has on the client's side, without its folders.
    pub(crate) filename: String,
}

impl Fields {
    /// A field's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same fields with another key, made of the key and the file's name.
    pub(crate) fn with_key(mut self, change: impl Fn(&str, &str) -> String) -> Fields {
        for (_, value) in self.fields.iter_mut().filter(|(name, _)| name == "key") {
            *value = change(value, &self.filename);
        }
        self
    }

    /// All fields.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Fields {
        let fields = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Fields { fields, filename: String::new() }
    }
}

/// A form whose file has not been read yet.
pub(crate) struct Form {
    body: BodyDataStream<RequestBody>,
    /// What came and was not looked at yet.
    rest: BytesMut,
    /// What ends the file: a line end, two hyphens, the boundary.
    end: Vec<u8>,
    done: bool,
}

impl Form {
    /// Reads the fields of a form up to its file.
    ///
    /// # Errors
    /// `MalformedPOSTRequest`; `MaxPostPreDataLengthExceededError`; what breaks a body.
    pub(crate) async fn begin(body: RequestBody, boundary: &str) -> Result<(Fields, Form), Failure> {
        if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
            return Err(malformed("it has no boundary"));
        }
        let end = format!("\r\n--{boundary}").into_bytes();
        // The first boundary stands at the beginning, or behind a preamble that ends a line.
        let rest = BytesMut::from(&b"\r\n"[..]);
        let mut form = Form { body: BodyDataStream::new(body), rest, end, done: false };
        let mut fields = Fields::default();
        let mut bytes = 0;
        form.take_until_end(FIELDS_BYTES_MAX).await?;
        loop {
            let head = form.take_head().await?;
            bytes += head.len();
            let (name, filename) = parse_head(&head)?;
            if name == "file" {
                fields.filename = base_name(&filename.unwrap_or_default());
                return Ok((fields, form));
            }
            let left = FIELDS_BYTES_MAX.checked_sub(bytes).ok_or_else(too_long)?;
            let value = form.take_until_end(left).await?;
            bytes += value.len();
            if fields.fields.len() == FIELDS_MAX {
                return Err(malformed("it has too many fields"));
            }
            let value = String::from_utf8(value.to_vec()).map_err(|_| malformed("a field is not UTF-8"))?;
            fields.fields.push((name, value));
        }
    }

    /// Everything up to the next boundary, which is taken too.
    async fn take_until_end(&mut self, max: usize) -> Result<Bytes, Failure> {
        loop {
            if let Some(at) = find(&self.rest, &self.end) {
                let value = self.rest.split_to(at).freeze();
                let _ = self.rest.split_to(self.end.len());
                return Ok(value);
            }
            if self.rest.len() > max + self.end.len() {
                return Err(too_long());
            }
            self.more().await?;
        }
    }

    /// The lines of a part's head.
    async fn take_head(&mut self) -> Result<String, Failure> {
        loop {
            if self.rest.starts_with(b"--") {
                return Err(malformed("it has no field called 'file'"));
            }
            if let Some(at) = find(&self.rest, b"\r\n\r\n") {
                let head = self.rest.split_to(at);
                // The line end stays where a value is empty: it begins the next boundary.
                let _ = self.rest.split_to(4);
                return String::from_utf8(head.to_vec())
                    .map_err(|_| malformed("a field's head is not UTF-8"));
            }
            if self.rest.len() > FIELDS_BYTES_MAX {
                return Err(too_long());
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Failure> {
        match self.body.next().await {
            Some(Ok(bytes)) => {
                self.rest.extend_from_slice(&bytes);
                Ok(())
            }
            Some(Err(error)) => Err(broken(&error)),
            None => Err(malformed("it ends too early")),
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            if self.done {
                return Poll::Ready(Ok(None));
            }
            if let Some(at) = find(&self.rest, &self.end) {
                self.done = true;
                let last = self.rest.split_to(at).freeze();
                // What follows the file is of no interest.
                self.rest.clear();
                return Poll::Ready(Ok(Some(last).filter(|last| !last.is_empty())));
            }
            // The end may have begun in the last bytes.
            let safe = self.rest.len().saturating_sub(self.end.len() - 1);
            if safe > 0 {
                return Poll::Ready(Ok(Some(self.rest.split_to(safe).freeze())));
            }
            match ready!(self.body.poll_next_unpin(context)) {
                Some(Ok(bytes)) => self.rest.extend_from_slice(&bytes),
                Some(Err(error)) => return Poll::Ready(Err(broken(&error))),
                None => {
                    let message = "The form ended before its file did";
                    return Poll::Ready(Err(Failure::new(Code::INCOMPLETE_BODY, message)));
                }
            }
        }
    }
}

/// The file's bytes.
impl Stream for Form {
    type Item = Result<Bytes, Failure>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Failure>>> {
        let piece = ready!(self.poll_piece(context));
        if piece.is_err() {
            self.done = true;
        }
        Poll::Ready(piece.transpose())
    }
}

/// A field's name in lower case and its file name, from the lines of its head.
fn parse_head(head: &str) -> Result<(String, Option<String>), Failure> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let line = line.ok_or_else(|| malformed("a field has no Content-Disposition"))?;
    let name = parameter(line, "name").ok_or_else(|| malformed("a field has no name"))?;
    Ok((name.to_ascii_lowercase(), parameter(line, "filename")))
}

/// A parameter of a header field, quoted or not.
fn parameter(line: &str, wanted: &str) -> Option<String> {
    let mut rest = line.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (&quoted[..end], quoted[end + 1..].split_once(';').map_or("", |(_, left)| left))
            }
            None => after.split_once(';').unwrap_or((after, "")),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().to_owned());
        }
        rest = left;
    }
}

/// Some browsers send a whole path.
fn base_name(name: &str) -> String {
    name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        let at = from + at;
        if text.len() - at < wanted.len() {
            return None;
        }
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn too_long() -> Failure {
    let message = "Your POST request fields preceding the upload file were too large.";
    Failure::new(Code("MaxPostPreDataLengthExceededError", 400), message)
}

fn malformed(why: &'static str) -> Failure {
    let message = format!("The body of your POST request is not well-formed multipart/form-data: {why}.");
    Failure::new(Code::MALFORMED_POST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        let boundary = |text: &str| super::boundary(Some(&text.parse().unwrap()));
        assert_eq!(boundary("multipart/form-data; boundary=x"), Some("x".into()));
        assert_eq!(boundary("Multipart/Form-Data; charset=a; Boundary=\"x y\""), Some("x y".into()));
        assert_eq!(boundary("multipart/form-data"), Some(String::new()));
        assert_eq!(boundary("multipart/mixed; boundary=x"), None);
        assert_eq!(super::boundary(None), None);
    }

    #[test]
    fn heads() {
        let head = "Content-Type: text/plain\r\ncontent-disposition: form-data; name=\"Key\"; filename=\"a;b\\c.txt\"";
        let (name, filename) = parse_head(head).unwrap();
        assert_eq!((name.as_str(), base_name(&filename.unwrap()).as_str()), ("key", "c.txt"));
        assert_eq!(parse_head("Content-Disposition: form-data; name=x").unwrap(), ("x".into(), None));
        for wrong in
            ["", "X: y", "Content-Disposition: form-data", "Content-Disposition: form-data; name=\"x"]
        {
            assert_eq!(parse_head(wrong).unwrap_err().code, "MalformedPOSTRequest", "{wrong}");
        }
    }

    #[test]
    fn found_at_any_place() {
        assert_eq!(find(b"\r\r\n--x", b"\r\n--x"), Some(1));
        assert_eq!(find(b"\r\n--", b"\r\n--x"), None);
        assert_eq!(find(b"", b"\r\n--x"), None);
    }
}
