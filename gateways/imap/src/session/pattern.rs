//! Patterns of LIST (RFC 9051 §6.3.9): `*` stands for anything, `%` for anything within a level.

/// Longest pattern, in bytes; longer ones name nothing.
const PATTERN_BYTES_MAX: usize = 2048;

/// A pattern made ready.
pub(super) struct Pattern(Vec<u8>);

impl Pattern {
    /// `reference` and `pattern` are put together as they are: the delimiter is `/`, and there is one namespace.
    pub(super) fn new(reference: &str, pattern: &str) -> Pattern {
        let mut whole = Vec::with_capacity(reference.len() + pattern.len());
        for byte in reference.bytes().chain(pattern.bytes()) {
            // Several wildcards in a row are as the widest of them.
            match (whole.last(), byte) {
                (Some(b'*'), b'*' | b'%') => {}
                (Some(b'%'), b'%') => {}
                (Some(b'%'), b'*') => _ = whole.pop().map(|_| whole.push(b'*')),
                _ => whole.push(byte),
            }
        }
        whole.truncate(PATTERN_BYTES_MAX + 1);
        Pattern(whole)
    }

    /// Whether a name fits. Takes time in proportion to the name's length times the pattern's, whatever they are.
    pub(super) fn fits(&self, name: &str) -> bool {
        let pattern = &self.0;
        if pattern.len() > PATTERN_BYTES_MAX {
            return false;
        }
        if pattern == b"*" {
            return true;
        }
        // RFC 9051 §5.1: INBOX in any case.
        let any_case = if is_inbox_or_below(name) { super::name::INBOX.len() } else { 0 };
        // Which beginnings of the pattern fit what was read of the name.
        let mut fits = vec![false; pattern.len() + 1];
        fits[0] = true;
        pass_wildcards(pattern, &mut fits);
        for (at, byte) in name.bytes().enumerate() {
            let mut next = vec![false; pattern.len() + 1];
            for (place, token) in pattern.iter().enumerate().filter(|(place, _)| fits[*place]) {
                match token {
                    b'*' => next[place] = true,
                    b'%' => next[place] |= byte != b'/',
                    _ if *token == byte || at < any_case && token.eq_ignore_ascii_case(&byte) => {
                        next[place + 1] = true;
                    }
                    _ => {}
                }
            }
            pass_wildcards(pattern, &mut next);
            fits = next;
            if !fits.contains(&true) {
                return false;
            }
        }
        fits[pattern.len()]
    }
}

fn is_inbox_or_below(name: &str) -> bool {
    name.strip_prefix(super::name::INBOX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A wildcard may stand for nothing.
fn pass_wildcards(pattern: &[u8], fits: &mut [bool]) {
    for (place, token) in pattern.iter().enumerate() {
        if fits[place] && matches!(token, b'*' | b'%') {
            fits[place + 1] = true;
        }
    }
}
