use std::{fs, path::PathBuf};

use super::*;

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    (folder, path)
}

/// What distinguishes a key from another, without showing it.
fn print(key: &MasterKey) -> [u8; 32] {
    key.derive("allod-blobs test fingerprint")
}

#[test]
fn a_master_key_comes_back() {
    let (folder, path) = place();
    for passphrase in [None, Some("correct horse")] {
        let made = MasterKey::create(&path, passphrase).unwrap();
        let loaded = MasterKey::load(&path, passphrase).unwrap();
        assert_eq!(print(&made), print(&loaded));
        assert_eq!(MasterKey::needs_passphrase(&path).unwrap(), passphrase.is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
        fs::remove_file(&path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = place();
    MasterKey::create(&path, None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    MasterKey::change_passphrase(&path, None, Some("new")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_is_never_overwritten() {
    let (_folder, path) = place();
    let made = MasterKey::create(&path, None).unwrap();
    assert_eq!(MasterKey::create(&path, None).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(print(&MasterKey::load(&path, None).unwrap()), print(&made));
    // What a crash during creation left does not stand in the way.
    let (_folder, path) = place();
    fs::write(path.with_extension("key.new"), "half a fi").unwrap();
    MasterKey::create(&path, None).unwrap();
}

#[test]
fn what_is_wrong_is_said() {
    let (_folder, path) = place();
    assert_eq!(MasterKey::load(&path, None).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(MasterKey::create(&path, Some("")).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(MasterKey::create(&path.join("below"), None).unwrap_err().kind(), ErrorKind::NotFound);
    MasterKey::create(&path, Some("right")).unwrap();
    for (passphrase, words) in [(None, "needs its passphrase"), (Some("left"), "passphrase is wrong")] {
        let error = MasterKey::load(&path, passphrase).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn any_damage_to_the_file_is_found() {
    let (_folder, path) = place();
    MasterKey::create(&path, None).unwrap();
    let whole = fs::read(&path).unwrap();
    let sound = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match MasterKey::load(&path, None) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                false
            }
        }
    };
    assert!(sound(&whole));
    // Hexadecimal digits of the checksum may change case, and the last line end does not matter.
    for offset in 0..whole.len() - 10 {
        for bit in [0x01, 0x20, 0x80] {
            let mut flipped = whole.clone();
            flipped[offset] ^= bit;
            assert!(!sound(&flipped), "flipped {bit:#x} at {offset}");
        }
    }
    for len in 0..whole.len() - 1 {
        assert!(!sound(&whole[..len]), "cut to {len}");
    }
    assert!(!sound(&[0xff; 100]));
    assert!(!sound(&[b'x'; 100_000]));
}

#[test]
fn a_forged_file_cannot_ask_for_all_memory() {
    let line = "sealed argon2id m=4000000000 t=3 p=1 salt=00000000000000000000000000000000";
    let text = format!("allod master key 1\n{line}\nkey {}\n", "00".repeat(66));
    let text = format!("{text}check {:08x}\n", crc32c::crc32c(text.as_bytes()));
    assert_eq!(file::decode(&text, Some("x")).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_passphrase_changes_and_the_key_stays() {
    let (_folder, path) = place();
    let made = print(&MasterKey::create(&path, None).unwrap());
    let steps = [(None, Some("one")), (Some("one"), Some("two")), (Some("two"), None)];
    for (old, new) in steps {
        MasterKey::change_passphrase(&path, old, new).unwrap();
        assert_eq!(print(&MasterKey::load(&path, new).unwrap()), made);
    }
    MasterKey::change_passphrase(&path, None, Some("three")).unwrap();
    let error = MasterKey::change_passphrase(&path, Some("wrong"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(
        MasterKey::change_passphrase(&path, Some("three"), Some("")).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(print(&MasterKey::load(&path, Some("three")).unwrap()), made);
}

#[test]
fn account_keys_are_wrapped() {
    let (master, other) = (MasterKey::from_bytes(&[1; 32]), MasterKey::from_bytes(&[2; 32]));
    let account = AccountKey::random().unwrap();
    let wrapped = master.wrap(&account, b"account 7");
    let unwrapped = master.unwrap(&wrapped, b"account 7").unwrap();
    assert_eq!(unwrapped.chunk_name(b"x"), account.chunk_name(b"x"));
    let corrupt = |result: Result<AccountKey>| assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
    corrupt(master.unwrap(&wrapped, b"account 8"));
    corrupt(other.unwrap(&wrapped, b"account 7"));
    for offset in 0..wrapped.len() {
        let mut flipped = wrapped.clone();
        flipped[offset] ^= 4;
        corrupt(master.unwrap(&flipped, b"account 7"));
        corrupt(master.unwrap(&wrapped[..offset], b"account 7"));
    }
}

#[test]
fn secrets_are_sealed() {
    let master = MasterKey::from_bytes(&[1; 32]);
    for len in [0, 1, 40, 5_000] {
        let secret = vec![b's'; len];
        let sealed = master.seal(b"s3 secret of credential 9", &secret);
        // A compressed secret would betray by its length what it is like.
        assert_eq!(sealed.len(), len + 34);
        assert_eq!(master.open(b"s3 secret of credential 9", &sealed).unwrap(), secret);
        assert_eq!(master.open(b"another context", &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    // What was wrapped is no secret, and the other way round.
    let wrapped = master.wrap(&AccountKey::random().unwrap(), b"c");
    assert_eq!(master.open(b"c", &wrapped).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn keys_of_different_purposes_differ() {
    let account = AccountKey::from_bytes(&[3; 32]);
    assert_ne!(account.chunk_name(b"x").0, account.digest(b"x").0);
    let master = MasterKey::from_bytes(&[3; 32]);
    assert_ne!(master.derive("a"), master.derive("b"));
    assert_ne!(master.derive("a"), MasterKey::from_bytes(&[4; 32]).derive("a"));
    let mut pieces = account.digest_hasher();
    pieces.update(b"in pie");
    pieces.update(b"ces");
    assert_eq!(pieces.finish(), account.digest(b"in pieces"));
}

/// Names, digests and sealed bytes of the first release. They must never change: content of old stores hangs on them.
#[test]
fn derivations_stay_as_they_are() {
    use crate::name::hex;
    let account = AccountKey::from_bytes(&[7; 32]);
    let master = MasterKey::from_bytes(&[7; 32]);
    let found = [
        hex(&account.chunk_name(b"allod").0),
        hex(&account.digest(b"allod").0),
        hex(&account.seal_inline(b"context", b"allod")),
        hex(&master.wrap(&account, b"context")),
        hex(&master.seal(b"context", b"allod")),
        hex(&master.derive("context")),
        format!("{:016x}", account.cut_seed()),
    ];
    assert_eq!(found, FIRST_RELEASE);
    let sealed = crate::name::unhex::<39>(FIRST_RELEASE[2]).unwrap();
    assert_eq!(account.open_inline(b"context", &sealed).unwrap(), b"allod");
}

const FIRST_RELEASE: [&str; 7] = [
    "b4f92474b473411c49ac017e5531d49951f32f7b32756312a5f68812a6784da6",
    "64f8fd520d0779362541cef374b9438eef73b70fcd8a36940dcb5e7b3cb3448b",
    "0100050000004068d1e8b06bc281d99cb8bd047ff1cb99fe05e97efc8ac0c35078212f94e05de4",
    "010020000000bbd3711315a5b9f3da67a91e3c6400331091143baaf80a9aa7c2393bc5b5524df6aa56fdff9e11984a62dfd6f10a4650cc60afdff82c588d98a07b55",
    "010005000000b6f4e2f70c871209598ad9a9060608bb93cf3d6a8b74f9e29322d1517b74f00fcc",
    "16a0a2a81ac6a2a64e66ad52cc1da0357ae534f9de1336dc01f2421834444908",
    "bd65bc30cd377a94",
];

#[test]
fn nothing_prints_a_key() {
    let account = AccountKey::from_bytes(&[0xAB; 32]);
    let master = MasterKey::from_bytes(&[0xAB; 32]);
    assert_eq!(format!("{account:?} {master:?}"), "AccountKey(..) MasterKey(..)");
}
