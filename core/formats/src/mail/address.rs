//! Lists of addresses (RFC 5322 §3.4 and §4.4), and what stands in their place in the wild.

use super::Address;
use super::header::collapse;
use super::lexer::{Lexer, is_atom};

/// The host of an address that has none: without one it would be a group (RFC 9051 §7.5.2).
pub(super) const NO_HOST: &[u8] = b"MISSING_DOMAIN";
const NO_MAILBOX: &[u8] = b"MISSING_MAILBOX";
const BROKEN_ROUTE: &[u8] = b"INVALID_ROUTE";
const BROKEN: &[u8] = b"SYNTAX_ERROR";

/// Adds the addresses of a value to a list, until it has `max`.
pub(super) fn parse(value: &[u8], max: usize, list: &mut Vec<Address>) {
    let mut parser = Parser { lexer: Lexer::new(value), list, max };
    parser.lexer.skip_cfws();
    while parser.lexer.peek().is_some() && parser.list.len() < max {
        if parser.lexer.peek() == Some(b',') {
            parser.lexer.skip();
        } else if !parser.group() {
            parser.mailbox();
            parser.resynchronize(|byte| byte == b',');
        }
        parser.lexer.skip_cfws();
    }
}

/// Words.
struct Phrase {
    text: Vec<u8>,
    /// It has several words or quotes, so it is a name and no local part.
    is_many: bool,
}

struct Parser<'a, 'b> {
    lexer: Lexer<'a>,
    list: &'b mut Vec<Address>,
    max: usize,
}

impl Parser<'_, '_> {
    /// Passes what cannot be read up to the byte that ends an address.
    fn resynchronize(&mut self, ends: impl Fn(u8) -> bool) {
        loop {
            self.lexer.skip_cfws();
            match self.lexer.peek() {
                Some(byte) if !ends(byte) => self.lexer.skip(),
                _ => return,
            }
        }
    }

    fn push(&mut self, address: Address) {
        if self.list.len() < self.max {
            self.list.push(address);
        }
    }

    /// `name: address, address;`
    fn group(&mut self) -> bool {
        let start = self.lexer.position();
        let name = self.phrase();
        if !self.lexer.take(b':') {
            self.lexer.go_to(start);
            return false;
        }
        self.push(Address { mailbox: Some(collapse(&name.text)), ..Address::default() });
        loop {
            self.lexer.skip_cfws();
            match self.lexer.peek() {
                None => break,
                Some(b';') => {
                    self.lexer.skip();
                    break;
                }
                Some(b',') => self.lexer.skip(),
                Some(_) => {
                    self.mailbox();
                    self.resynchronize(|byte| byte == b',' || byte == b';');
                }
            }
        }
        self.push(Address::default());
        true
    }

    /// `name <address>` or `address (name)`.
    fn mailbox(&mut self) {
        let start = self.lexer.position();
        self.lexer.comment.clear();
        let name = self.phrase();
        let mut address = Address::default();
        if self.lexer.peek() == Some(b'<') {
            address.name = Some(name.text).filter(|name| !name.is_empty());
            self.angle(&mut address);
        } else {
            let after = self.lexer.position();
            self.lexer.go_to(start);
            self.lexer.comment.clear();
            self.spec(&mut address);
            if address.host.is_none() && name.is_many {
                // Words without an address.
                self.lexer.go_to(after);
                let name = Some(name.text).filter(|name| !name.is_empty());
                address = Address { name, ..Address::default() };
            } else {
                self.lexer.skip_cfws();
                if !self.lexer.comment.is_empty() {
                    address.name = Some(std::mem::take(&mut self.lexer.comment));
                }
            }
        }
        address.name = address.name.map(|name| collapse(&name));
        let missing = |text: &Option<Vec<u8>>| text.as_deref().is_none_or(<[u8]>::is_empty);
        if missing(&address.mailbox) {
            address.mailbox = Some(NO_MAILBOX.to_vec());
        }
        if missing(&address.host) {
            address.host = Some(NO_HOST.to_vec());
        }
        self.push(address);
    }

    /// Words up to something that is none; between them is one space. Unquoted dots are admitted.
    fn phrase(&mut self) -> Phrase {
        let mut phrase = Phrase { text: Vec::new(), is_many: false };
        let mut words = 0;
        loop {
            self.lexer.skip_cfws();
            let length = phrase.text.len();
            match self.lexer.peek() {
                Some(b'"') => {
                    phrase.text.extend((words > 0).then_some(b' '));
                    self.lexer.quoted(&mut phrase.text);
                    phrase.is_many = true;
                }
                Some(byte) if is_atom(byte) || byte == b'.' => {
                    phrase.text.extend((words > 0).then_some(b' '));
                    phrase.text.extend_from_slice(self.lexer.run(|byte| is_atom(byte) || byte == b'.'));
                }
                _ => return phrase,
            }
            words += usize::from(phrase.text.len() > length);
            phrase.is_many |= words > 1;
        }
    }

    /// `<@route:local@domain>`
    fn angle(&mut self, address: &mut Address) {
        self.lexer.skip();
        self.lexer.skip_cfws();
        if self.lexer.peek() == Some(b'@') && !self.route(address) {
            return;
        }
        if self.lexer.take(b'>') {
            return;
        }
        self.spec(address);
        self.lexer.skip_cfws();
        let empty_host = address.host.as_deref().is_some_and(<[u8]>::is_empty);
        if !self.lexer.take(b'>') || empty_host {
            address.host = Some(BROKEN.to_vec());
        }
    }

    /// `@domain,@domain:`; false when it does not end.
    fn route(&mut self, address: &mut Address) -> bool {
        let mut route = Vec::new();
        loop {
            if self.lexer.take(b',') {
                self.lexer.skip_cfws();
                if self.lexer.peek() == Some(b'@') {
                    route.push(b',');
                }
            } else if self.lexer.take(b'@') {
                route.push(b'@');
                self.lexer.skip_cfws();
                self.domain(&mut route);
                self.lexer.skip_cfws();
            } else {
                break;
            }
        }
        let ended = self.lexer.take(b':');
        address.route = Some(if ended { route } else { BROKEN_ROUTE.to_vec() });
        ended
    }

    /// `local@domain`
    fn spec(&mut self, address: &mut Address) {
        let mut mailbox = Vec::new();
        self.local_part(&mut mailbox);
        address.mailbox = Some(mailbox);
        if self.lexer.take(b'@') {
            let mut host = Vec::new();
            self.lexer.skip_cfws();
            self.domain(&mut host);
            address.host = Some(host);
        }
    }

    /// Atoms and quoted strings with dots between; the quotes are taken off.
    fn local_part(&mut self, out: &mut Vec<u8>) {
        self.lexer.skip_cfws();
        loop {
            match self.lexer.peek() {
                Some(b'"') => {
                    self.lexer.quoted(out);
                }
                Some(byte) if is_atom(byte) || byte == b'.' => {
                    out.extend_from_slice(self.lexer.run(|byte| is_atom(byte) || byte == b'.'));
                }
                _ => return,
            }
            let end = self.lexer.position();
            self.lexer.skip_cfws();
            // RFC 5322 §4.4: white space and comments may stand around dots.
            let goes_on = out.ends_with(b".") || self.lexer.peek() == Some(b'.');
            if !goes_on && self.lexer.peek() != Some(b'@') {
                self.lexer.go_to(end);
                return;
            }
        }
    }

    fn domain(&mut self, out: &mut Vec<u8>) {
        if self.lexer.peek() == Some(b'[') {
            out.extend_from_slice(self.lexer.run(|byte| byte != b']' && byte != b'\r' && byte != b'\n'));
            if self.lexer.take(b']') {
                out.push(b']');
            }
            return;
        }
        loop {
            out.extend_from_slice(self.lexer.run(|byte| is_atom(byte) || byte == b'.'));
            let end = self.lexer.position();
            self.lexer.skip_cfws();
            let goes_on = out.ends_with(b".") && self.lexer.peek().is_some_and(is_atom);
            if !goes_on && self.lexer.peek() != Some(b'.') {
                self.lexer.go_to(end);
                return;
            }
        }
    }
}
