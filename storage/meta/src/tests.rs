//! The suite for every engine in this build, and the choice of one.

use std::sync::Arc;

use crate::suite::Site;
use crate::{Engine, EngineKind, Error, ErrorKind, Options, memory, open};

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

#[test]
fn engines_are_named() {
    for kind in EngineKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        let dir = tempfile::tempdir().unwrap();
        match open(dir.path(), kind, &Options::default()) {
            Ok(engine) => assert!(kind.is_available() && engine.name() == kind.as_str()),
            Err(err) => assert!(!kind.is_available() && err.kind == ErrorKind::Unavailable),
        }
    }
    assert_eq!(EngineKind::default(), EngineKind::Redb);
    let unknown = "rocksdb".parse::<EngineKind>().unwrap_err();
    assert_eq!(unknown.to_string(), "unknown metadata engine `rocksdb` (known: redb fjall sled memory)");
}
