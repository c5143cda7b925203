#![allow(clippy::unwrap_used, missing_docs)]
use allod_blobs::*;
use md5::Digest as _;
use std::time::Instant;
fn t(what: &str, bytes: usize, mut f: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..7 {
        let s = Instant::now();
        f();
        best = best.min(s.elapsed().as_secs_f64());
    }
    println!(
        "{what}: {:.2} GB/s  ({:.3} s per GiB)",
        bytes as f64 / 1e9 / best,
        best * (1u64 << 30) as f64 / bytes as f64
    );
}
fn main() {
    const L: usize = 1_100_000;
    let key = AccountKey::from_bytes(&[1; 32]);
    let mut noise = vec![0u8; L];
    blake3::Hasher::new().update(b"x").finalize_xof().fill(&mut noise);
    let text: Vec<u8> = noise.iter().map(|b| b'a' + (b & 7)).collect();
    t("blake3 name", L, || {
        std::hint::black_box(key.chunk_name(&noise));
    });
    t("md5", L, || {
        std::hint::black_box(md5::Md5::digest(&noise));
    });
    t("digest update", L, || {
        let mut h = key.digest_hasher();
        h.update(&noise);
        std::hint::black_box(h.finish());
    });
    let mut to = vec![0u8; L];
    t("memcpy", L, || {
        to.copy_from_slice(&noise);
        std::hint::black_box(&to);
    });
    t("fresh alloc+copy", L, || {
        std::hint::black_box(noise.clone());
    });
    t("crc32c", L, || {
        std::hint::black_box(crc32c::crc32c(&noise));
    });
    t("fastcdc", L, || {
        for c in fastcdc::v2020::FastCDC::new(&noise, 512 * 1024, 1 << 20, 1536 * 1024) {
            std::hint::black_box(c);
        }
    });
    let (g, gl) = fastcdc::v2020::get_gear_with_seed(7);
    let g: &[u64; 256] = g.as_ref().try_into().unwrap();
    let gl: &[u64; 256] = gl.as_ref().try_into().unwrap();
    t("roll", L, || {
        let mut h = 0u64;
        for p in noise.as_chunks::<2>().0 {
            h = (h << 2).wrapping_add(gl[p[0] as usize]);
            if h & 0xffffffffff0000 == 0 {
                break;
            }
            h = h.wrapping_add(g[p[1] as usize]);
            if h & 0xffffffffff00000 == 0 {
                break;
            }
        }
        std::hint::black_box(h);
    });
    t("seal inline noise", L, || {
        std::hint::black_box(key.seal_inline(b"", &noise));
    });
    t("seal inline text", L, || {
        std::hint::black_box(key.seal_inline(b"", &text));
    });
    let s = key.seal_inline(b"", &noise);
    t("open inline noise", L, || {
        std::hint::black_box(key.open_inline(b"", &s).unwrap());
    });
    for level in [1, 3, -1] {
        let mut c = zstd::bulk::Compressor::new(level).unwrap();
        let mut out = vec![0u8; 2 * L];
        t(&format!("zstd {level} text"), L, || {
            std::hint::black_box(c.compress_to_buffer(&text, &mut out[..]).unwrap());
        });
        println!("  ratio {}", c.compress_to_buffer(&text, &mut out[..]).unwrap() as f64 / L as f64);
    }
}
