//! `kill -9` under load: what was acknowledged is there and whole. `conformance/run crash` does this at length.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use allod_tests::{App, Request, Server};

use crate::noise;

const ROUNDS: u64 = 6;
const WRITERS: u64 = 4;
const NAMES: u64 = 12;

/// What a name may hold after the kill: the last acknowledged content, or one whose reply never came.
type Ledger = HashMap<String, Vec<Option<(u64, usize)>>>;

fn size(seed: u64) -> usize {
    [50, 5_000, 60_000, 1_500_000][(seed % 4) as usize]
}

fn write_until_killed(
    server: &Server,
    app: &App,
    writer: u64,
    round: u64,
    ledger: &Mutex<Ledger>,
    over: &AtomicBool,
) {
    let mut seed = round * 1_000_003 + writer * 7919;
    while !over.load(Ordering::Relaxed) {
        seed += 1;
        let name = format!("/{writer}-{}", seed % NAMES);
        let remove = seed % 5 == 4;
        let content = (!remove).then(|| (seed, size(seed / 3)));
        // Noted before it is sent: without a reply it may or may not have happened.
        ledger.lock().unwrap().entry(name.clone()).or_insert_with(|| vec![None]).push(content);
        let request = match content {
            Some((seed, len)) => Request::dav("PUT", app, &name).body(noise(seed, len)),
            None => Request::dav("DELETE", app, &name),
        };
        let Ok(mut connection) = std::panic::catch_unwind(|| server.connect()) else { return };
        let reply = connection.send(&request);
        if reply.status == 0 {
            return;
        }
        let done = matches!(reply.status, 201 | 204) || (remove && reply.status == 404);
        assert!(done, "{} {name}", reply.status);
        ledger.lock().unwrap().insert(name, vec![content]);
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let mut server = Server::start();
    let app = server.app(&["all"]);
    let ledger = Mutex::new(Ledger::new());
    for round in 0..ROUNDS {
        let over = AtomicBool::new(false);
        let pid = server.pid();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (server, app, ledger, over) = (&server, &app, &ledger, &over);
                scope.spawn(move || write_until_killed(server, app, writer, round, ledger, over));
            }
            thread::sleep(Duration::from_millis(150 + round * 130));
            let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process id");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it can be killed");
            over.store(true, Ordering::Relaxed);
        });
        server.kill();
        server.assert_sound();
        server.serve();
        for (name, may_be) in ledger.lock().unwrap().iter_mut() {
            let reply = server.send(&Request::dav("GET", &app, name));
            let found = may_be.iter().position(|content| match content {
                None => reply.status == 404,
                Some((seed, len)) => reply.status == 200 && reply.body == noise(*seed, *len),
            });
            let Some(found) = found else {
                panic!(
                    "round {round}: {name} is {} with {} bytes, not {may_be:?}",
                    reply.status,
                    reply.body.len()
                );
            };
            *may_be = vec![may_be[found]];
        }
    }
}
