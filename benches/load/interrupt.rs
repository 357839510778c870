//! An interrupted bench unwinds, so that whatever it started ends with it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on `SIGINT` and `SIGTERM` end nothing by themselves; [`check`] does.
pub fn watch() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).expect("a signal");
            let mut terminate = signal(SignalKind::terminate()).expect("a signal");
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
            INTERRUPTED.store(true, Ordering::Relaxed);
        });
    });
}

/// Gives up if the bench was interrupted.
pub fn check() {
    assert!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
}
