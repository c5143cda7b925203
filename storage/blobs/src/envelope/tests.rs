use super::*;
use crate::{AccountKey, ErrorKind, budget::Budget, name::unhex};

fn key() -> AccountKey {
    AccountKey::from_bytes(&[5; 32])
}

fn filled(budget: &Budget, header_room: usize, bytes: &[u8]) -> Buf {
    let mut buf = budget.buf(header_room + bytes.len() + TAG_LEN);
    buf.set_len(header_room);
    buf.extend(bytes);
    buf
}

fn seal(plain: &[u8]) -> (ChunkName, Vec<u8>) {
    let budget = Budget::new(1 << 20);
    let name = key().chunk_name(plain);
    let sealed = seal_chunk(key().chunk_cipher(), &name, filled(&budget, HEADER_LEN, plain), &budget);
    (name, sealed.to_vec())
}

fn open(name: &ChunkName, plain_len: usize, sealed: &[u8]) -> Result<Vec<u8>> {
    let budget = Budget::new(1 << 20);
    let sealed = filled(&budget, 0, sealed);
    let (buf, range) = open_chunk(key().chunk_cipher(), name, plain_len as u32, sealed, &budget)?;
    Ok(buf[range].to_vec())
}

/// RFC 8452 appendix C.2: the cipher is the one we think it is.
#[test]
fn the_cipher_gives_the_known_answer() {
    let mut secret = [0; 32];
    secret[0] = 1;
    let mut nonce = [0; 12];
    nonce[0] = 3;
    let mut text = [0; 16];
    text[0] = 1;
    let tag = encrypt(&cipher(&secret), &nonce, b"", &mut text);
    assert_eq!(text, unhex("85a01b63025ba19b7fd3ddfc033b3e76").unwrap());
    assert_eq!(tag.as_slice(), unhex::<16>("c9eac6fa700942702e90862383c6c366").unwrap());
}

#[test]
fn chunks_come_back() {
    let noise = crate::tests::noise(1, 100_000);
    let half = [crate::tests::noise(2, 30_000), vec![b'a'; 70_000]].concat();
    for plain in [&noise[..1], &noise[..200], &noise, &[0; 127], &[0; 129], &vec![7; 1 << 20], &half] {
        let (name, sealed) = seal(plain);
        assert!(sealed.len() <= plain.len() + CHUNK_OVERHEAD);
        assert_eq!(seal(plain), (name, sealed.clone()), "sealing is deterministic");
        assert!(open(&name, plain.len(), &sealed).unwrap() == plain[..]);
        let other = key().chunk_name(b"another");
        assert_eq!(open(&other, plain.len(), &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(open(&name, plain.len() + 1, &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(seal(&[0; 1 << 20]).1.len() < 1000);
    assert_eq!(seal(&noise).1.len(), noise.len() + CHUNK_OVERHEAD);
}

#[test]
fn any_flipped_bit_is_found() {
    for plain in [crate::tests::noise(1, 60), vec![b'a'; 300]] {
        let (name, sealed) = seal(&plain);
        for offset in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[offset] ^= 1 << bit;
                let error = open(&name, plain.len(), &flipped).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit} at {offset}");
            }
            assert_eq!(open(&name, plain.len(), &sealed[..offset]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

/// A frame that unpacks to more than its header says, sealed with the right key, is refused at the recorded length.
#[test]
fn decompression_is_bounded() {
    let mut frame = vec![0; 4096];
    let len = compress::compress(&[0; 1 << 20], &mut frame).unwrap();
    let mut out = vec![1; 1000];
    let error = compress::decompress(&frame[..len], &mut out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let mut out = vec![1; (1 << 20) + 1];
    assert_eq!(compress::decompress(&frame[..len], &mut out).unwrap_err().kind(), ErrorKind::Corrupt);
    let mut out = vec![1; 1 << 20];
    compress::decompress(&frame[..len], &mut out).unwrap();
    assert!(out.iter().all(|byte| *byte == 0));
}

#[test]
fn only_what_shrinks_is_compressed() {
    assert!(!compress::promising(&crate::tests::noise(1, 100_000)));
    assert!(compress::promising(&vec![b'a'; 100_000]));
    assert!(!compress::promising(&[b'a'; 100]));
    assert_eq!(compress::worthwhile(1000), 950);
    assert_eq!(compress::worthwhile(0), 0);
    // A compressible header before noise, as pictures have it, does not deceive.
    let picture = [vec![b'a'; 20_000], crate::tests::noise(1, 400_000)].concat();
    assert!(!compress::promising(&picture));
}
