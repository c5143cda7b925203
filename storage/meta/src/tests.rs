//! The suite for every engine in this build.

use std::sync::Arc;

use crate::suite::Site;
use crate::{Engine, EngineKind, Error, Options, memory, open};

/// A temporary directory with a database of one kind.
struct OnDisk {
    dir: tempfile::TempDir,
    kind: EngineKind,
}

fn on_disk(kind: EngineKind) -> OnDisk {
    OnDisk { dir: tempfile::tempdir().unwrap(), kind }
}

impl Site for OnDisk {
    fn open(&self) -> Arc<dyn Engine> {
        open(self.dir.path(), self.kind, &Options::default()).unwrap()
    }

    fn open_again(&self) -> Option<Error> {
        open(self.dir.path(), self.kind, &Options::default()).err()
    }
}

/// One database in memory, which outlives being closed.
#[derive(Default)]
struct InMemory(Arc<memory::Memory>);

impl Site for InMemory {
    fn open(&self) -> Arc<dyn Engine> {
        self.0.clone()
    }

    fn locks(&self) -> bool {
        false
    }

    fn open_again(&self) -> Option<Error> {
        None
    }
}

crate::meta_suite!(memory_suite, InMemory::default());
crate::meta_suite!(redb_suite, on_disk(EngineKind::Redb));
#[cfg(feature = "fjall")]
crate::meta_suite!(fjall_suite, on_disk(EngineKind::Fjall));
#[cfg(feature = "sled")]
crate::meta_suite!(sled_suite, on_disk(EngineKind::Sled));
