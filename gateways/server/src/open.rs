//! Opening the store that settings describe: data directory, master key, metadata engine, blobs.

use std::fs;
use std::io::IsTerminal;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{Core, Options};
use allod_meta::{EngineKind, ErrorKind, Store};
use zeroize::Zeroizing;

use crate::settings::Settings;

/// The master key's file name.
pub const KEY_NAME: &str = "master.key";
/// Which engine a data directory was made with.
const ENGINE_NAME: &str = "engine";

/// Opens the store in `data`. `create` makes it when there is none.
///
/// # Errors
/// A line that says what to do.
pub async fn open(data: &Path, settings: &Settings, create: bool) -> Result<Core, String> {
    let key_file = data.join(KEY_NAME);
    let fresh = !key_file.exists();
    if fresh && !create {
        return Err(format!(
            "there is no store in {}; make one with `allod quickstart` or `allod serve`, or name another with --data",
            data.display()
        ));
    }
    make_directory(data)?;
    let engine = engine_kind(data, settings, fresh)?;
    let options = meta_options(settings)?;
    // The engine's lock is taken first: of two processes that start at once, one makes the key.
    let opened = allod_meta::open(data, engine, &options).map_err(|error| explain(data, &error))?;
    let store = Store::new(opened);
    let master = master_key(&key_file, settings, &store)?;
    let core = Core::open(store, master, core_options(data, settings)?).await;
    core.map_err(|error| format!("the content store cannot be used: {error}"))
}

fn make_directory(data: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| format!("cannot make the data directory {}: {error}", data.display()))
}

fn meta_options(settings: &Settings) -> Result<allod_meta::Options, String> {
    let mut options = allod_meta::Options::default();
    if let Some(bytes) = settings.metadata_cache_bytes()? {
        options.cache_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    Ok(options)
}

/// The engine this directory was made with. Another one would show an empty store, so a mismatch is refused.
fn engine_kind(data: &Path, settings: &Settings, fresh: bool) -> Result<EngineKind, String> {
    let asked: Option<EngineKind> = match &settings.engine {
        Some(name) => Some(name.parse().map_err(|error| format!("engine: {error}"))?),
        None => None,
    };
    let note = data.join(ENGINE_NAME);
    let made_with = match fs::read_to_string(&note) {
        Ok(name) => Some(name.trim().parse::<EngineKind>().map_err(|error| error.to_string())?),
        Err(_) if fresh => None,
        Err(_) => Some(EngineKind::default()),
    };
    let kind = match (asked, made_with) {
        (Some(asked), Some(made)) if asked != made => {
            return Err(format!(
                "this store was made with the engine '{made}', not '{asked}'; leave out the setting"
            ));
        }
        (_, Some(made)) => made,
        (asked, None) => {
            let kind = asked.unwrap_or_default();
            fs::write(&note, format!("{kind}\n")).map_err(|error| format!("{}: {error}", note.display()))?;
            kind
        }
    };
    if !kind.is_available() {
        return Err(format!("this build has no engine '{kind}'; build it with --features {kind}"));
    }
    Ok(kind)
}

fn explain(data: &Path, error: &allod_meta::Error) -> String {
    match error.kind {
        ErrorKind::Busy => format!(
            "another allod process uses {} and does not answer on its admin socket; stop it or wait until it is ready",
            data.display()
        ),
        _ => format!("the metadata in {} cannot be opened: {error}", data.display()),
    }
}

/// Loads the master key, or makes one for an empty store. A store with data and no key is never given a new one.
fn master_key(file: &Path, settings: &Settings, store: &Store) -> Result<MasterKey, String> {
    let told = |error: allod_blobs::Error| format!("{}: {error}", file.display());
    if file.exists() {
        let sealed = MasterKey::needs_passphrase(file).map_err(told)?;
        let passphrase = if sealed { Some(ask_passphrase(settings)?) } else { None };
        return MasterKey::load(file, passphrase.as_ref().map(|p| p.as_str())).map_err(told);
    }
    let empty = store
        .view()
        .and_then(|view| allod_meta::Lookup::scan_prefix(&view, b"", None, 1))
        .map_err(|error| error.to_string())?
        .is_empty();
    if !empty {
        return Err(format!("the master key {} is missing; put it back from your backup", file.display()));
    }
    let passphrase = given_passphrase(settings)?;
    MasterKey::create(file, passphrase.as_ref().map(|p| p.as_str())).map_err(told)
}

/// A passphrase from the environment or a file.
pub fn given_passphrase(settings: &Settings) -> Result<Option<Zeroizing<String>>, String> {
    if let Ok(passphrase) = std::env::var("ALLOD_PASSPHRASE") {
        return Ok(Some(Zeroizing::new(passphrase)));
    }
    let Some(file) = &settings.passphrase_file else { return Ok(None) };
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())))
}

fn ask_passphrase(settings: &Settings) -> Result<Zeroizing<String>, String> {
    if let Some(passphrase) = given_passphrase(settings)? {
        return Ok(passphrase);
    }
    if std::io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("Passphrase of the master key: ");
        return typed.map(Zeroizing::new).map_err(|error| error.to_string());
    }
    Err("the master key is sealed: give its passphrase by --passphrase-file or ALLOD_PASSPHRASE".into())
}

fn core_options(data: &Path, settings: &Settings) -> Result<Options, String> {
    let url = settings.blobs.clone().unwrap_or_default();
    let local = url.is_empty() || url.starts_with("file:");
    let mut blobs = if url.is_empty() { BlobConfig::local(data.join("blobs")) } else { BlobConfig::new(url) };
    if blobs.root.as_os_str().is_empty() {
        blobs.root = data.join("blobs");
    }
    if let Some(s3) = &settings.blobs_s3 {
        blobs.s3.endpoint = s3.endpoint.clone();
        blobs.s3.region = s3.region.clone();
        blobs.s3.access_key_id = s3.access_key.clone();
        blobs.s3.secret_access_key = s3.secret_key.clone();
        blobs.s3.allow_http = s3.allow_http;
        blobs.s3.virtual_hosted = s3.virtual_hosted;
    }
    let mut options = Options::new(blobs);
    // The metadata lies on this disk in any case; content only when it is local.
    options.disk = Some(data.to_path_buf()).filter(|_| local);
    if let Some(secs) = settings.s3().lifecycle_day_secs {
        options.lifecycle_day_secs = secs;
    }
    if let Some(secs) = settings.retention_secs()? {
        options.retention_secs = secs;
    }
    if let Some(bytes) = settings.disk_reserve_bytes()? {
        options.disk_reserve_bytes = bytes;
    }
    Ok(options)
}

/// Whether others than the owner can look into the data directory; worth a warning.
pub fn is_exposed(data: &Path) -> bool {
    fs::metadata(data).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

/// The data directory that systemd gives, if it runs this.
pub fn state_directory() -> Option<PathBuf> {
    let list = std::env::var_os("STATE_DIRECTORY")?;
    let first = list.to_string_lossy().split(':').next().map(PathBuf::from);
    first.filter(|path| path.is_absolute())
}
