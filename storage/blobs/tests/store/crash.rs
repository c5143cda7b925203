//! A process that is killed in the middle of writing has lost nothing that it acknowledged.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use allod_blobs::*;

use crate::common::*;

const FOLDER: &str = "ALLOD_BLOBS_CRASH_FOLDER";
const ROUND: &str = "ALLOD_BLOBS_CRASH_ROUND";
const ROUNDS: u64 = 10;
/// Uploads that the child has under way at the same time.
const LANES: u64 = 6;

/// What the child acknowledges: which content, and where it is.
type Ack = (u64, usize, Vec<ChunkRef>);

fn content(seed: u64, len: usize) -> Vec<u8> {
    if seed.is_multiple_of(3) { prose(seed, len) } else { noise(seed, len) }
}

fn length(seed: u64) -> usize {
    match seed % 5 {
        0 => 1_200_000 + (seed as usize * 7919) % 3_000_000,
        1 => 9_000,
        _ => 8_193 + (seed as usize * 104_729) % 400_000,
    }
}

/// Not a test: what the killed process does. It stores contents until it dies, and says so after each.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let blobs = Blobs::open(&BlobConfig::local(folder)).await.unwrap();
    let lanes = (0..LANES).map(|lane| {
        let account = Account::new(&blobs, lane);
        async move {
            for n in 0.. {
                let seed = (round * LANES + lane) * 100_000 + n;
                let len = length(seed);
                let refs = account.store(&content(seed, len)).await;
                let ack: Ack = (lane, seed as usize, refs);
                let ack = postcard::to_allocvec(&ack).unwrap();
                let hex: String = ack.iter().map(|byte| format!("{byte:02x}")).collect();
                // One write, past the test harness: the line is there whole or not at all.
                std::io::stdout().lock().write_all(format!("ack {hex}\n").as_bytes()).unwrap();
            }
        }
    });
    futures_util::future::join_all(lanes).await;
}

/// Runs the child for a while and kills it; what it had acknowledged.
fn run_and_kill(folder: &Path, round: u64) -> Vec<Ack> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in stdout.lines().map_while(std::io::Result::ok) {
            if let Some((_, ack)) = line.split_once("ack ") {
                sender.send(ack.to_owned()).unwrap();
            }
        }
    });
    // However slow the machine, it dies in the middle of its work.
    let first = lines.recv_timeout(Duration::from_secs(60)).expect("the child stores something");
    std::thread::sleep(Duration::from_millis(round * 97 % 400));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    let unhex = |line: &String| -> Vec<u8> {
        (0..line.len() / 2).map(|n| u8::from_str_radix(&line[2 * n..2 * n + 2], 16).unwrap()).collect()
    };
    let acks = std::iter::once(first).chain(lines.try_iter());
    acks.map(|line| postcard::from_bytes(&unhex(&line)).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill() {
    let folder = tempfile::tempdir().unwrap();
    let root: PathBuf = folder.path().join("blobs");
    let mut acks: Vec<Ack> = Vec::new();
    for round in 0..ROUNDS {
        let (place, seen) = (root.clone(), acks.len());
        acks.extend(tokio::task::spawn_blocking(move || run_and_kill(&place, round)).await.unwrap());
        let blobs = Blobs::open(&BlobConfig::local(&root)).await.unwrap();
        assert_eq!(fs::read_dir(root.join("unfinished")).unwrap().count(), 0);
        // All of this round, and some of those before.
        for (n, (lane, seed, refs)) in acks.iter().enumerate() {
            if n >= seen || n % 7 == 0 {
                let account = Account::new(&blobs, *lane);
                let expected = content(*seed as u64, length(*seed as u64));
                let read = account.read_all(refs).await.unwrap_or_else(|e| panic!("round {round}: {e:?}"));
                assert!(read == expected, "round {round}: content {seed} came back changed");
            }
        }
    }
    assert!(acks.len() as u64 > ROUNDS, "only {} contents were acknowledged", acks.len());
}
