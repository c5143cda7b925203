//! Secrets of app credentials: how they look, and the keyed hash by which they are found.

use allod_model::CredentialId;
use zeroize::Zeroizing;

use crate::env::Env;

/// Lower-case letters and digits that people can't confuse (RFC 4648 base32, lower case).
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Random characters of an app password: 5 bits each, so 130 bits.
const PASSWORD_CHARS: usize = 26;
const BEARER_CHARS: usize = 40;
const ID_CHARS: usize = 16;
const ACCESS_KEY_CHARS: usize = 18;
const S3_SECRET_CHARS: usize = 40;
const RECOVERY_CHARS: usize = 16;
const LINK_CHARS: usize = 40;

/// How ids of sign-ins at the web page begin. No credential's id has a hyphen.
pub const WEB_SESSION_PREFIX: &str = "web-";

fn characters(env: &Env, count: usize) -> Zeroizing<String> {
    let bytes = Zeroizing::new(env.random::<64>());
    Zeroizing::new(bytes.iter().take(count).map(|b| ALPHABET[usize::from(b & 31)] as char).collect())
}

/// An app password, in groups of five or six for typing; hyphens and case do not matter when it is presented.
pub fn password(env: &Env) -> Zeroizing<String> {
    let raw = characters(env, PASSWORD_CHARS);
    let groups = [&raw[..6], &raw[6..11], &raw[11..16], &raw[16..21], &raw[21..]];
    Zeroizing::new(groups.join("-"))
}

/// A bearer token.
pub fn bearer(env: &Env) -> Zeroizing<String> {
    Zeroizing::new(format!("allod_{}", &*characters(env, BEARER_CHARS)))
}

/// How access tokens begin that live shortly.
pub const ACCESS_PREFIX: &str = "allod_t_";

/// A bearer token that lives shortly.
pub fn access_token(env: &Env) -> Zeroizing<String> {
    Zeroizing::new(format!("{ACCESS_PREFIX}{}", &*characters(env, BEARER_CHARS)))
}

/// The token of a link that opens without login.
pub fn link(env: &Env) -> Zeroizing<String> {
    characters(env, LINK_CHARS)
}

/// The token of a sign-in at the web page, of an invitation, or of the first set-up: 200 bits.
pub fn web_token(env: &Env) -> Zeroizing<String> {
    characters(env, BEARER_CHARS)
}

/// A recovery code: 80 bits, in groups of four.
pub fn recovery_code(env: &Env) -> Zeroizing<String> {
    let raw = characters(env, RECOVERY_CHARS);
    Zeroizing::new([&raw[..4], &raw[4..8], &raw[8..12], &raw[12..]].join("-"))
}

/// A sign-in's public id; told apart from a credential's by its first letters.
pub fn web_session_id(env: &Env) -> String {
    format!("{WEB_SESSION_PREFIX}{}", &*characters(env, ID_CHARS))
}

/// A credential's public id.
pub fn id(env: &Env) -> String {
    characters(env, ID_CHARS).to_string()
}

/// An S3 access key.
pub fn access_key(env: &Env) -> String {
    format!("AL{}", characters(env, ACCESS_KEY_CHARS).to_uppercase())
}

/// An S3 secret key.
pub fn s3_secret(env: &Env) -> Zeroizing<String> {
    characters(env, S3_SECRET_CHARS)
}

/// Finds secrets by keyed hash: O(1), and the stored form tells nothing without the master key.
pub struct SecretHasher(Zeroizing<[u8; 32]>);

impl SecretHasher {
    pub fn new(key: [u8; 32]) -> Self {
        SecretHasher(Zeroizing::new(key))
    }

    /// The hash of a password as a client presents it.
    pub fn password(&self, presented: &str) -> [u8; 32] {
        let plain: Zeroizing<String> = Zeroizing::new(
            presented.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect(),
        );
        self.hash(b"password", plain.as_bytes())
    }

    /// The hash of a bearer token.
    pub fn bearer(&self, presented: &str) -> [u8; 32] {
        self.hash(b"bearer", presented.as_bytes())
    }

    /// The hash of a link's token.
    pub fn link(&self, presented: &str) -> [u8; 32] {
        self.hash(b"link", presented.as_bytes())
    }

    /// The hash of an authorization code.
    pub fn code(&self, presented: &str) -> [u8; 32] {
        self.hash(b"code", presented.as_bytes())
    }

    /// What proves the refresh token of a generation.
    pub fn refresh(&self, credential: &CredentialId, family: &[u8; 32], generation: u64) -> [u8; 32] {
        self.hash(
            b"refresh",
            &[family.as_slice(), &generation.to_be_bytes(), credential.0.as_bytes()].concat(),
        )
    }

    /// The hash of a token of the web page; `what` keeps tokens of one use from being taken for another's.
    pub fn web(&self, what: &str, presented: &str) -> [u8; 32] {
        self.hash(what.as_bytes(), presented.as_bytes())
    }

    fn hash(&self, what: &[u8], secret: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(what).update(&[0]).update(secret);
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_130_bits_and_are_found_however_typed() {
        let env = Env::system();
        let (one, other) = (password(&env), password(&env));
        assert_ne!(*one, *other);
        assert_eq!(one.chars().filter(|c| *c != '-').count(), PASSWORD_CHARS);
        let hasher = SecretHasher::new([7; 32]);
        assert_eq!(hasher.password(&one), hasher.password(&one.replace('-', " ").to_uppercase()));
        assert_ne!(hasher.password(&one), hasher.bearer(&one));
        assert_ne!(hasher.password(&one), SecretHasher::new([8; 32]).password(&one));
    }
}
