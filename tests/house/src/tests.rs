use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor of each package: it may use packages of lower floors only.
const FLOORS: [(&str, u32); 16] = [
    ("allod-model", 0),
    ("allod-formats", 0),
    ("allod-meta", 0),
    ("allod-blobs", 0),
    ("allod-core", 1),
    ("allod-kit", 2),
    ("allod-dav", 3),
    ("allod-s3", 3),
    ("allod-imap", 3),
    ("allod-smtp", 3),
    ("allod-remotestorage", 3),
    ("allod-web", 3),
    ("allod-admin", 3),
    ("allod-server", 4),
    ("allod-tests", 5),
    ("allod-house", 0),
];

/// Outside crates with one home, and the packages that may name them.
const HOMES: [(&str, &[&str]); 30] = [
    ("redb", &["allod-meta"]),
    ("fjall", &["allod-meta"]),
    ("sled", &["allod-meta"]),
    ("object_store", &["allod-blobs"]),
    ("fastcdc", &["allod-blobs"]),
    ("zstd", &["allod-blobs"]),
    ("aws-lc-rs", &["allod-blobs", "allod-smtp"]),
    ("argon2", &["allod-blobs", "allod-core"]),
    ("unicode-normalization", &["allod-formats"]),
    ("charset", &["allod-formats"]),
    ("html-escape", &["allod-formats"]),
    ("quick-xml", &["allod-dav"]),
    ("s3s", &["allod-s3"]),
    ("imap-codec", &["allod-imap"]),
    ("imap-types", &["allod-imap"]),
    ("lettre", &["allod-smtp"]),
    ("mail-auth", &["allod-smtp"]),
    ("mail-builder", &["allod-smtp"]),
    ("hickory-resolver", &["allod-smtp"]),
    ("crc-fast", &["allod-core", "allod-s3"]),
    ("hyper", &["allod-kit"]),
    ("hyper-util", &["allod-kit"]),
    ("rustls", &["allod-kit", "allod-smtp"]),
    ("rustls-platform-verifier", &["allod-kit"]),
    ("tokio-rustls", &["allod-kit", "allod-smtp"]),
    ("askama", &["allod-web"]),
    ("rust-embed", &["allod-web"]),
    ("clap", &["allod-server"]),
    ("indicatif", &["allod-server"]),
    ("mimalloc", &["allod-server"]),
];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the house stands two folders below the root").to_path_buf()
}

fn manifests() -> BTreeMap<String, toml::Table> {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = text.parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let mut found = BTreeMap::new();
    for member in members {
        let file = root().join(member.as_str().unwrap()).join("Cargo.toml");
        let table: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
        found.insert(table["package"]["name"].as_str().unwrap().to_owned(), table);
    }
    found
}

fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn arrows_point_down_only() {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let manifests = manifests();
    for (package, manifest) in &manifests {
        let own = floors.get(package.as_str()).unwrap_or_else(|| panic!("{package} has no floor"));
        for used in dependencies(manifest).iter().filter(|d| d.starts_with("allod-")) {
            let below = floors[used.as_str()];
            assert!(below < *own, "{package} (floor {own}) must not use {used} (floor {below})");
        }
    }
    for package in floors.keys() {
        assert!(manifests.contains_key(*package), "{package} has a floor and does not exist");
    }
}

#[test]
fn outside_crates_live_in_one_home() {
    for (package, manifest) in manifests() {
        for used in dependencies(&manifest) {
            let Some((_, homes)) = HOMES.iter().find(|(outside, _)| *outside == used) else { continue };
            assert!(homes.contains(&package.as_str()), "{package} uses {used}, whose home is {homes:?}");
        }
    }
}

#[test]
fn nothing_is_left_behind() {
    let mut files = Vec::new();
    for folder in ["core", "storage", "gateways", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 50, "the sources are found");
    let words = ["dbg!(", "todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore]"];
    for file in files.iter().filter(|file| !file.ends_with("house/src/tests.rs")) {
        let text = fs::read_to_string(file).unwrap();
        for word in words {
            assert!(!text.contains(word), "{} holds {word}", file.display());
        }
    }
}

#[test]
fn every_suite_has_a_ledger_that_gives_reasons() {
    let conformance = root().join("conformance");
    let mut ledgers = 0;
    for entry in fs::read_dir(conformance).unwrap() {
        let ledger = entry.unwrap().path().join("ledger.tsv");
        let Ok(text) = fs::read_to_string(&ledger) else { continue };
        ledgers += 1;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).skip(1) {
            let fields: Vec<_> = line.split('\t').collect();
            assert!(fields.len() >= 3, "{}: {line}", ledger.display());
            let passes = fields[1] == "pass";
            assert!(passes || !fields[2].trim().is_empty(), "{}: no reason: {line}", ledger.display());
        }
    }
    assert!(ledgers > 0);
}
