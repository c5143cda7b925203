//! What may be put into a mailbox.

use super::header;

/// Whether bytes are a message, as a mailbox folder demands: they begin with a field or with the empty line that ends an
/// empty header, perhaps behind the line by which an mbox parts its messages, and no line of the header has a NUL. All
/// else is let through, for it came as mail.
///
/// # Errors
/// What is wrong, in words for a log.
pub fn is_message(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.is_empty() {
        return Err("it is empty");
    }
    let mut first = first_line(bytes);
    if first.starts_with(b"From ") || first.starts_with(b">From ") {
        // Importers bring such mail; the line stays and is no field to whoever reads the header.
        let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        first = first_line(&bytes[end..]);
    }
    if !first.is_empty() {
        let colon = memchr::memchr(b':', first).ok_or("its first line is no header field")?;
        let name = first[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err("its first line is no header field");
        }
    }
    if memchr::memchr(0, &bytes[..header::length(bytes)]).is_some() {
        return Err("its header has a NUL");
    }
    Ok(())
}

/// The bytes up to the first line end.
fn first_line(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end])
}
