use proptest::prelude::*;

use super::*;

/// The example of the S3 API reference: 66,560 bytes of `a` in chunks of 64 KiB.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
const TIME: &str = "20130524T000000Z";

fn example() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
    );
    body.extend_from_slice(&[b'a'; 65_536]);
    body.extend_from_slice(
        b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
    );
    body.extend_from_slice(&[b'a'; 1024]);
    body.extend_from_slice(
        b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    );
    body
}

fn signer() -> ChunkSigner {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    ChunkSigner::new(SECRET, TIME, SCOPE, seed)
}

/// The example with trailers of the same reference.
fn trailer_signer() -> ChunkSigner {
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    ChunkSigner::new(SECRET, TIME, SCOPE, seed)
}

fn trailer_example() -> Vec<u8> {
    let text = String::from_utf8(example()).unwrap();
    let text = text
        .replace(
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        )
        .replace(
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        )
        .replace(
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        );
    let end = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
               x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";
    (text.strip_suffix("\r\n").unwrap().to_owned() + end).into_bytes()
}

type Outcome = Result<(Vec<u8>, Vec<(String, String)>), String>;

/// Reads `body` in pieces of `step` bytes.
fn read(mut dechunker: Dechunker, body: &[u8], step: usize) -> Outcome {
    let mut content = Vec::new();
    let code = |failure: Failure| failure.code.into_owned();
    for piece in body.chunks(step.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(data) = dechunker.next(&mut piece).map_err(code)? {
            content.extend_from_slice(&data);
        }
    }
    Ok((content, dechunker.finish().map_err(code)?))
}

#[test]
fn the_published_examples() {
    for step in [1, 7, 1000, 1 << 20] {
        let (content, trailers) = read(Dechunker::new(Some(signer()), false), &example(), step).unwrap();
        assert_eq!((content, trailers), (vec![b'a'; 66_560], Vec::new()));
        let read = read(Dechunker::new(Some(trailer_signer()), true), &trailer_example(), step).unwrap();
        assert_eq!(read.0.len(), 66_560);
        assert_eq!(read.1, [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
    }
}

#[test]
fn what_was_changed_is_found() {
    let wrong = Err("SignatureDoesNotMatch".to_owned());
    for at in [100, 65_536, 65_800, 66_700] {
        let mut body = example();
        body[at] = b'b';
        assert_eq!(read(Dechunker::new(Some(signer()), false), &body, 999), wrong, "{at}");
    }
    let text = String::from_utf8(trailer_example()).unwrap();
    for (from, to) in [("sOO8", "sOO9"), ("d81f", "d81e"), ("x-amz-trailer-signature", "x-other")] {
        let body = text.replace(from, to).into_bytes();
        assert_eq!(read(Dechunker::new(Some(trailer_signer()), true), &body, 999), wrong, "{from}");
    }
}

#[test]
fn cut_off_bodies_are_incomplete() {
    let body = example();
    for length in [0, 5, 80, 1000, 65_630, 65_700, body.len() - 100, body.len() - 6] {
        let outcome = read(Dechunker::new(Some(signer()), false), &body[..length], 64);
        assert_eq!(outcome, Err("IncompleteBody".into()), "{length}");
    }
    // Only the empty line is missing: everything that was announced is there.
    assert!(read(Dechunker::new(Some(signer()), false), &body[..body.len() - 2], 64).is_ok());
}

#[test]
fn unsigned_framing() {
    let read = |body: &str| read(Dechunker::new(None, true), body.as_bytes(), 3);
    let trailer = vec![("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned())];
    let table = [
        ("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", Ok((b"abc".to_vec(), trailer.clone()))),
        ("3\nabc\n0\nX-Amz-Checksum-Crc32: AAAAAA==\n\n", Ok((b"abc".to_vec(), trailer.clone()))),
        ("3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==", Ok((b"abc".to_vec(), trailer))),
        ("1;a=b\r\na\r\n1\r\nb\r\n0\r\n\r\n\r\n", Ok((b"ab".to_vec(), Vec::new()))),
        ("3\r\nabcd\r\n0\r\n\r\n", Err("InvalidRequest".to_owned())),
        ("3\r\nabc\r\n0\r\n\r\n0\r\n\r\n", Err("InvalidRequest".to_owned())),
        ("\r\n", Err("InvalidRequest".to_owned())),
        ("g\r\n", Err("InvalidRequest".to_owned())),
        ("-1\r\n", Err("InvalidRequest".to_owned())),
        ("+1\r\na\r\n0\r\n\r\n", Err("InvalidRequest".to_owned())),
        ("10000000ff\r\n", Err("InvalidRequest".to_owned())),
        ("ffffffffffffffffff\r\n", Err("InvalidRequest".to_owned())),
        ("0\r\nno colon\r\n\r\n", Err("MalformedTrailerError".to_owned())),
        ("3\r\nabc\r\n", Err("IncompleteBody".to_owned())),
        ("3\r\nab", Err("IncompleteBody".to_owned())),
        ("", Err("IncompleteBody".to_owned())),
    ];
    for (body, wanted) in table {
        assert_eq!(read(body), wanted, "{body:?}");
    }
    assert_eq!(read(&"1".repeat(100_000)), Err("InvalidRequest".into()));
    assert_eq!(read(&format!("0\r\n{}", "a:b\r\n".repeat(10_000))), Err("MalformedTrailerError".into()));
}

#[test]
fn times() {
    assert_eq!(parse_amz_time("20130524T000000Z"), Some(Timestamp(1_369_353_600_000)));
    for wrong in
        ["", "20130524", "20130524T000000", "2013052AT000000Z", "20130524 000000Z ", "é0130524T00000Z"]
    {
        assert_eq!(parse_amz_time(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn never_panics(body: Vec<u8>, step in 1_usize..20, trailers: bool) {
        let _ = read(Dechunker::new(None, trailers), &body, step);
        let _ = read(Dechunker::new(Some(signer()), trailers), &body, step);
    }

    #[test]
    fn any_chunking_gives_the_content(pieces in proptest::collection::vec(".{1,50}", 0..8), step in 1_usize..60) {
        let mut body = String::new();
        for piece in &pieces {
            body += &format!("{:x}\r\n{piece}\r\n", piece.len());
        }
        body += "0\r\n\r\n";
        let read = read(Dechunker::new(None, false), body.as_bytes(), step).unwrap();
        prop_assert_eq!(read.0, pieces.concat().into_bytes());
    }
}
