//! Time and randomness, in one place so that a test with a seed runs the same twice.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use allod_model::Timestamp;
use parking_lot::Mutex;

/// The world outside: a clock and a source of random bytes. Cheap to clone.
#[derive(Clone)]
pub struct Env(Arc<dyn World>);

trait World: Send + Sync {
    fn now(&self) -> Timestamp;
    fn fill(&self, bytes: &mut [u8]);
}

impl Env {
    /// The system's clock and random numbers.
    pub fn system() -> Self {
        Env(Arc::new(System))
    }

    /// A clock that moves by hand, starting at `start`, and random numbers from `seed`. For tests.
    pub fn simulated(seed: u64, start: Timestamp) -> (Self, SimulatedClock) {
        let world = Arc::new(Simulated { clock: Mutex::new(start), state: Mutex::new(seed) });
        (Env(world.clone()), SimulatedClock(world))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// `N` random bytes, fit for secrets in [`Env::system`].
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
}

/// Moves the clock of [`Env::simulated`].
pub struct SimulatedClock(Arc<Simulated>);

impl SimulatedClock {
    /// Moves the clock on by `secs` seconds.
    pub fn advance_secs(&self, secs: i64) {
        let mut clock = self.0.clock.lock();
        *clock = clock.plus_secs(secs);
    }
}

struct System;

impl World for System {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(since.as_millis() as i64)
    }

    fn fill(&self, bytes: &mut [u8]) {
        // Without the system's random numbers no secret can be made: going on would be worse than stopping.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

struct Simulated {
    clock: Mutex<Timestamp>,
    state: Mutex<u64>,
}

impl World for Simulated {
    fn now(&self) -> Timestamp {
        *self.clock.lock()
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.state.lock();
        *state = state.wrapping_add(1);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&state.to_le_bytes());
        hasher.finalize_xof().fill(bytes);
    }
}
