//! Programs that run beside a test, and end with it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A program that runs; dropped, it is killed.
pub struct Process {
    child: Child,
    ending: Ending,
}

/// How a program is ended when nobody waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// `SIGKILL`.
    Kill,
    /// `SIGTERM` first: the program has children of its own to end.
    Terminate,
}

impl Process {
    /// Starts a program whose output goes to the end of `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("the log can be written");
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        // A program that has just been copied is busy as long as another test's child, forked meanwhile, has not begun its own.
        let child = loop {
            match command.spawn() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                spawned => break spawned.unwrap_or_else(|error| panic!("{command:?}: {error}")),
            }
        };
        Self { child, ending: Ending::Kill }
    }

    /// Has children of its own, which it ends when it is asked to end.
    pub fn with_children(mut self) -> Self {
        self.ending = Ending::Terminate;
        self
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended(within).expect("the program ends when it is asked to")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end.
    pub fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        until(within, || self.child.try_wait().expect("a child can be waited for"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ending == Ending::Terminate {
            self.signal(Signal::TERM);
            let _ = self.ended(Duration::from_secs(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer, or the time is up.
pub fn until<T>(within: Duration, mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(answer) = answer() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        sleep(Duration::from_millis(10));
    }
}
