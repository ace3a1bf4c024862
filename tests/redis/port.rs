//! Ports that a server keeps over its restarts. A port from the system's own range could be taken by any connection
//! while its server is down; these lie below that range, and a locked file keeps the tests' other processes away.

use std::fs::File;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

const RANGE: Range<u16> = 12_000..32_000;

/// A port of loopback that is ours for as long as this lives.
#[derive(Debug)]
pub struct Port {
    pub number: u16,
    /// Its lock ends with the process, however that ends.
    _lock: File,
}

impl Port {
    pub fn free() -> Port {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join("switchboard-test-ports");
        std::fs::create_dir_all(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        let size = u32::from(RANGE.end - RANGE.start);
        // Other processes begin elsewhere.
        let start = std::process::id().wrapping_mul(2_654_435_761) % size;
        for _ in 0..size {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let offset = (start + step) % size;
            let number = RANGE.start + u16::try_from(offset).expect("the range has fewer ports than a u16");
            let Ok(lock) = File::create(folder.join(number.to_string())) else {
                continue;
            };
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Port { number, _lock: lock };
            }
        }
        panic!("all ports of {RANGE:?} are taken");
    }
}
