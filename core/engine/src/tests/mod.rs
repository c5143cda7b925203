//! Tests of the whole crate through its public doors, on memory engines and a simulated clock.

use std::net::IpAddr;
use std::sync::Arc;

use allod_blobs::{BlobConfig, MasterKey};
use allod_meta::Store;
use allod_model::{NameRule, Path, Precondition, Protocol, Timestamp, parse_grant};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::*;

mod attach;
mod birthdays;
mod find;
mod history;
mod kinds;
mod lifecycle;
mod locks;
mod mail;
mod mail_random;
mod person;
mod post;
mod random;
mod refusals;
mod scan;
mod scan_versions;
mod schedule;
mod sharing;
mod storage;
mod tree;
mod upload;
mod versions;

/// A store in memory with one account, and its clock.
pub struct Bench {
    pub core: Core,
    pub clock: SimulatedClock,
}

impl Bench {
    pub async fn new() -> Bench {
        Bench::with(|_| {}).await
    }

    pub async fn with(adjust: impl FnOnce(&mut Options)) -> Bench {
        let (env, clock) = Env::simulated(42, Timestamp::from_secs(1_700_000_000));
        let mut options = Options::new(BlobConfig::new("memory:///"));
        options.env = env;
        adjust(&mut options);
        let store = Store::new(Arc::new(allod_meta::memory::Memory::new()));
        let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.unwrap();
        core.operator().add_account("alice", AccountChange::default()).await.unwrap();
        Bench { core, clock }
    }

    /// A session with these grants by WebDAV.
    pub async fn session(&self, grants: &[&str]) -> Session {
        self.app(grants).await.1
    }

    pub async fn app(&self, grants: &[&str]) -> (NewCredential, Session) {
        let grants = grants.iter().map(|g| parse_grant(g).unwrap()).collect();
        let new = self.core.operator().add_credential("alice", "test", grants, None).await.unwrap();
        let session = self.login("alice", &new.password, "webdav").await.unwrap();
        (new, session)
    }

    pub async fn login(&self, name: &str, password: &str, protocol: &str) -> model::Result<Session> {
        let proof = Proof::Password { username: name.into(), password: password.to_owned().into() };
        self.core.authenticate(proof, door(protocol)).await
    }

    pub async fn assert_clean(&self) {
        let report = self.core.check(false, &|_, _| {}).await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.problems);
    }
}

pub fn door(protocol: &str) -> Door {
    let address: IpAddr = "10.0.0.1".parse().unwrap();
    Door { protocols: vec![Protocol::new(protocol)], address: Some(address), client: Some("test".into()) }
}

pub fn path(text: &str) -> Path {
    Path::parse(text.as_bytes(), NameRule::Strict).unwrap()
}

pub fn body(bytes: &[u8]) -> stream::Iter<std::vec::IntoIter<model::Result<Bytes>>> {
    let pieces: Vec<_> = bytes.chunks(70_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

pub async fn put(session: &Session, at: &str, bytes: &[u8]) -> model::Result<Written> {
    session.put(&path(at), PutOptions::default(), Precondition::default(), body(bytes)).await
}

pub async fn get(session: &Session, at: &str) -> model::Result<Vec<u8>> {
    let file = session.open(&path(at), &Precondition::default()).await?;
    collect(file.read(None)).await
}

pub async fn collect(mut pieces: ByteStream) -> model::Result<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

pub async fn names(session: &Session, at: &str) -> Vec<String> {
    let listing = session.list(&path(at), None, 2000, false).await.unwrap();
    let shown = |node: &Node| format!("{}{}", node.name, if node.is_folder() { "/" } else { "" });
    listing.nodes.iter().map(shown).collect()
}

pub async fn mkdir(session: &Session, at: &str) -> model::Result<Node> {
    session.make_folder(&path(at), FolderOptions::default(), Precondition::default()).await
}

pub async fn remove(session: &Session, at: &str) -> model::Result<()> {
    session.remove(&path(at), Want::Any, Precondition::default()).await
}

pub const OVERWRITE: TransferOptions = TransferOptions { overwrite: true, shallow: false };

pub async fn rename(session: &Session, from: &str, to: &str) -> model::Result<Written> {
    session.rename(&path(from), &path(to), OVERWRITE, Precondition::default()).await
}

pub async fn copy(session: &Session, from: &str, to: &str) -> model::Result<Written> {
    session.copy(&path(from), &path(to), OVERWRITE, Precondition::default()).await
}

/// Bytes that do not compress and do not repeat.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
