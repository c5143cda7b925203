//! The file of the master key: a few lines of text, so that it can be printed and typed back in.
//!
//! ```text
//! allod master key 1
//! sealed argon2id m=65536 t=3 p=1 salt=<32 hex digits>      or: clear
//! key <hex digits>
//! check <8 hex digits: CRC-32C of the lines above>
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::fill_random;
use crate::{
    Error, ErrorKind, Result, disk, envelope,
    name::{hex, unhex},
};

const TITLE: &str = "allod master key 1";
/// argon2id for new files: 64 MiB, three passes, one lane. A guess costs an attacker about a tenth of a second.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Greatest parameters that a file may ask for, so that a forged one cannot exhaust the machine.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;
const SALT_LEN: usize = 16;
/// The sealing key is fresh for each salt, so the nonce's key may be constant.
const NONCE_KEY: [u8; 32] = *b"allod master key file nonce v1..";

struct Sealing {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; SALT_LEN],
}

impl Sealing {
    fn fresh() -> Result<Sealing> {
        let mut salt = [0; SALT_LEN];
        fill_random(&mut salt)?;
        Ok(Sealing { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt })
    }

    fn line(&self) -> String {
        let Sealing { memory_kib, passes, lanes, salt } = self;
        format!("sealed argon2id m={memory_kib} t={passes} p={lanes} salt={}", hex(salt))
    }

    fn parse(line: &str) -> Option<Sealing> {
        let mut words = line.strip_prefix("sealed argon2id ")?.split(' ');
        let mut value = |name: &str| words.next()?.strip_prefix(name);
        let sealing = Sealing {
            memory_kib: value("m=")?.parse().ok()?,
            passes: value("t=")?.parse().ok()?,
            lanes: value("p=")?.parse().ok()?,
            salt: unhex(value("salt=")?)?,
        };
        let within = sealing.memory_kib <= MEMORY_KIB_MAX
            && sealing.passes <= PASSES_MAX
            && sealing.lanes <= LANES_MAX;
        within.then_some(sealing)
    }

    fn cipher(&self, passphrase: &str) -> Result<crate::envelope::Cipher> {
        let wrong = |e: argon2::Error| {
            Error::corrupt("the master key file's argon2id parameters are wrong").caused_by(e.to_string())
        };
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(wrong)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &self.salt, key.as_mut())
            .map_err(wrong)?;
        Ok(envelope::cipher(&key))
    }
}

/// The text of a key file.
pub(super) fn encode(key: &[u8; 32], passphrase: Option<&str>) -> Result<Zeroizing<String>> {
    let (how, stored) = match passphrase {
        None => ("clear".to_owned(), Zeroizing::new(hex(key))),
        Some("") => return Err(Error::invalid("the passphrase is empty")),
        Some(passphrase) => {
            let sealing = Sealing::fresh()?;
            let how = sealing.line();
            let sealed =
                envelope::seal_small(&sealing.cipher(passphrase)?, &NONCE_KEY, how.as_bytes(), key, false);
            (how, Zeroizing::new(hex(&sealed)))
        }
    };
    let mut text = Zeroizing::new(format!("{TITLE}\n{how}\nkey {}\n", stored.as_str()));
    let check = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("check {check:08x}\n"));
    Ok(text)
}

/// The key in the text of a key file.
pub(super) fn decode(text: &str, passphrase: Option<&str>) -> Result<Zeroizing<[u8; 32]>> {
    let (how, stored) = parse(text)?;
    if how == "clear" {
        return unhex(stored).map(Zeroizing::new).ok_or_else(damaged);
    }
    let sealing = Sealing::parse(how).ok_or_else(damaged)?;
    let passphrase =
        passphrase.ok_or_else(|| Error::new(ErrorKind::Denied, "the master key needs its passphrase"))?;
    let sealed: [u8; 66] = unhex(stored).ok_or_else(damaged)?;
    let key = envelope::open_small(&sealing.cipher(passphrase)?, how.as_bytes(), &sealed)
        // The checksum proved the file whole, so what does not fit is the passphrase.
        .map_err(|_| Error::new(ErrorKind::Denied, "the passphrase is wrong"))?;
    let key = Zeroizing::new(key);
    key.as_slice().try_into().map(Zeroizing::new).map_err(|_| damaged())
}

/// Whether the key in this text is sealed by a passphrase.
pub(super) fn is_sealed(text: &str) -> Result<bool> {
    Ok(parse(text)?.0 != "clear")
}

fn parse(text: &str) -> Result<(&str, &str)> {
    let parts = || {
        // Line ends as editors on other systems leave them are forgiven at the very end only.
        let (body, check) = text.trim_end().rsplit_once('\n')?;
        let check = u32::from_str_radix(check.strip_prefix("check ")?, 16).ok()?;
        let covered = &text[..body.len() + 1];
        if crc32c::crc32c(covered.as_bytes()) != check {
            return None;
        }
        let mut lines = body.split('\n');
        let title = lines.next()?;
        let how = lines.next()?;
        let key = lines.next()?.strip_prefix("key ")?;
        (title == TITLE && lines.next().is_none()).then_some((how, key))
    };
    parts().ok_or_else(damaged)
}

fn damaged() -> Error {
    Error::corrupt("the master key file is damaged, or is something else")
}

/// Reads the file of a key. Longer files than a key's are not read whole.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>> {
    use io::Read;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = File::open(path).and_then(|file| file.take(4096).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged()),
        Err(error) => Err(Error::io(format!("cannot read the master key {}", path.display()), error)),
    }
}

/// Stores `text` in a new file, whole or not at all.
pub(super) fn store_new(path: &Path, text: &str) -> Result<()> {
    let exists = || Error::invalid(format!("{} exists and is not overwritten", path.display()));
    if path.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let fail = |e| Error::io(format!("cannot store the master key {}", path.display()), e);
    let temporary = write_temporary(path, text)?;
    // A hard link fails if the name is taken, which a rename does not; not every file system has links.
    let published = match fs::hard_link(&temporary, path) {
        Ok(()) => fs::remove_file(&temporary).map_err(fail),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
        Err(_) => fs::rename(&temporary, path).map_err(fail),
    };
    if published.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    published.and_then(|()| disk::sync_folder(disk::parent(path)))
}

/// Stores `text` in place of the file that is there.
pub(super) fn replace(path: &Path, text: &str) -> Result<()> {
    let temporary = write_temporary(path, text)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(Error::io(format!("cannot replace the master key {}", path.display()), error));
    }
    disk::sync_folder(disk::parent(path))
}

fn write_temporary(path: &Path, text: &str) -> Result<PathBuf> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // What an earlier crash left here was never the key.
    let _ = fs::remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map(|()| temporary.clone()).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Error::io(format!("cannot write {}", temporary.display()), error)
    })
}
