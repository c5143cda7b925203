//! Random contents, lengths and pieces.

use allod_blobs::*;
use bytes::Bytes;
use proptest::prelude::*;

use crate::common::*;

/// A content of runs of noise, prose and zeros, and the lengths of the pieces in which it is given.
fn content() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let run =
        (0..3u8, any::<u64>(), prop_oneof![0..20_000usize, 0..900_000usize]).prop_map(|(kind, seed, len)| {
            match kind {
                0 => noise(seed, len),
                1 => prose(seed, len),
                _ => vec![0; len],
            }
        });
    let pieces = prop::collection::vec(prop_oneof![1..100usize, 1000..300_000usize], 1..40);
    (prop::collection::vec(run, 0..5).prop_map(|runs| runs.concat()), pieces)
}

/// Stores `plain` in pieces of these lengths, over and over.
async fn store_in_pieces(account: &Account, plain: &[u8], lengths: &[usize]) -> Finished {
    let mut writer = account.writer(false);
    let mut rest = plain;
    // Very small pieces only at the beginning, or a long content takes forever.
    for length in lengths.iter().copied().chain(std::iter::repeat(150_000)) {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
        rest = after;
    }
    writer.finish().await.unwrap()
}

fn without_freshness(finished: &Finished) -> (u64, Digest, Option<Vec<(ChunkName, u32)>>) {
    let names = match &finished.stored {
        Stored::Inline { .. } => None,
        Stored::Chunks { last_page } => Some(last_page.iter().map(|c| (c.name, c.plain_len)).collect()),
    };
    (finished.size, finished.digest, names)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_went_in_comes_out((plain, pieces) in content(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 8)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (blobs, _folder) = local().await;
            let account = Account::new(&blobs, 1);
            let finished = store_in_pieces(&account, &plain, &pieces).await;
            prop_assert_eq!(finished.digest, account.key.digest(&plain));
            // How the content was split on its way in changes nothing.
            let whole = store_in_pieces(&account, &plain, &[usize::MAX]).await;
            prop_assert_eq!(without_freshness(&finished), without_freshness(&whole));
            let refs = match finished.stored {
                Stored::Inline { plain: inline } => {
                    prop_assert!(plain.len() <= 8192 && inline == plain);
                    return Ok(());
                }
                Stored::Chunks { last_page } => last_page,
            };
            prop_assert!(refs.iter().all(|c| c.plain_len > 0 && c.plain_len as usize <= CHUNK_BYTES_MAX));
            prop_assert!(account.read_all(&refs).await.unwrap() == plain);
            for pair in cuts.chunks(2) {
                let (a, b) = (pair[0].index(plain.len() + 1), pair[1].index(plain.len() + 1));
                let (from, to) = (a.min(b), a.max(b));
                let part = account.read(&refs, from as u64..to as u64).await.unwrap();
                prop_assert!(part == plain[from..to]);
            }
            // Another account's names have nothing in common with these.
            let stranger = Account::new(&blobs, 2);
            let other = stranger.store(&plain).await;
            prop_assert!(other.iter().all(|c| refs.iter().all(|mine| mine.name != c.name)));
            // And its key opens none of them.
            let stolen = Account { key: stranger.key.clone(), ..Account::new(&blobs, 1) };
            prop_assert_eq!(stolen.read_all(&refs).await.unwrap_err().kind(), ErrorKind::Corrupt);
            Ok(())
        })?;
    }

    #[test]
    fn inline_content_comes_back(plain in prop::collection::vec(any::<u8>(), 0..9000), context in any::<Vec<u8>>()) {
        let key = AccountKey::from_bytes(&[9; 32]);
        let sealed = key.seal_inline(&context, &plain);
        prop_assert!(sealed.len() <= plain.len() + 34);
        prop_assert_eq!(&key.seal_inline(&context, &plain), &sealed);
        prop_assert_eq!(key.open_inline(&context, &sealed).unwrap(), plain);
        let other = [&context[..], b"x"].concat();
        prop_assert_eq!(key.open_inline(&other, &sealed).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
