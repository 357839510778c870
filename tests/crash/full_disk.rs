//! A full disk: `4xx`, nothing acknowledged lost, and the service resumes by itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Protocol, Session, message};
use crate::world::process::{Process, until};
use crate::world::{Settings, User, World};

/// Room for an empty directory and some mail.
const SIZE: &str = "192m";

/// How long the service may take to notice that there is room again.
const RESUMED: Duration = Duration::from_secs(60);

/// A small disk that only this test sees: a tmpfs in a mount namespace that a sleeping process holds open. It goes with
/// the process, whatever happens to the test.
struct SmallDisk {
    folder: TempDir,
    holder: Process,
}

impl SmallDisk {
    /// None, with the reason printed, where the machine does not allow it.
    fn new() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("restante-disk-").tempdir().expect("a temporary folder");
        let (log, mounted) = (folder.path().join("log"), folder.path().join("disk"));
        fs::create_dir(&mounted).expect("a folder");
        let script = format!("mount -t tmpfs -o size={SIZE} small '{}' && echo ready && exec sleep 600", mounted.display());
        let mut holder = Process::start(Command::new("unshare").args(["--mount", "sh", "-c", &script]), &log);
        let text = || fs::read_to_string(&log).unwrap_or_default();
        until(Duration::from_secs(10), || (text().contains("ready") || !holder.runs()).then_some(()));
        if !text().contains("ready") {
            eprintln!("skipped: no tmpfs can be mounted here ({})", text().trim());
            return None;
        }
        Some(Self { folder, holder })
    }

    /// The disk as seen from outside its namespace.
    fn path(&self) -> PathBuf {
        let inside = self.folder.path().join("disk");
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), inside.display()))
    }

    /// Writes until nothing fits any more.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).expect("a file");
        for step in [1 << 20, 4096, 1] {
            let zeros = vec![0; step];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).expect("the filler goes");
    }
}

#[test]
fn a_full_disk_defers_and_loses_nothing() {
    let Some(disk) = SmallDisk::new() else { return };
    let mut world = World::with(User::Same, Settings { spool: Some(disk.path().join("spool")), ..Settings::default() });
    world.domain("example.org").pop("alice").alias("info@example.org", &["alice"]);
    let mut taken = Vec::new();
    let mut send = |id: String, octets: usize| {
        let replies =
            Session::open(world.smtp(), Protocol::Smtp).and_then(|mut session| session.send(&["info@example.org"], &message(&id, octets)));
        let reply = replies.expect("the server answers").remove(0);
        if reply.taken() {
            taken.push(message(&id, octets));
        }
        reply
    };
    for number in 0..20 {
        let reply = send(format!("before{number}"), 3_000);
        assert!(reply.taken(), "{reply:?}");
    }
    disk.fill();
    // Both ways in: through memory, and through a file of the spool.
    for (number, octets) in [3_000, 600_000].into_iter().cycle().take(10).enumerate() {
        let reply = send(format!("full{number}"), octets);
        assert!(reply.later(), "a full disk must defer, not answer {reply:?}");
    }
    assert!(
        world.log().lines().any(|line| line.contains("ERROR") && line.contains("the disk is full")),
        "the operator is told:\n{}",
        world.log()
    );
    // A change of the directory may still fit into what RocksDB has set aside; what matters is that the answer is true.
    let changes = (0..20).map(|number| format!("full{number}@example.org"));
    let made: Vec<String> = changes.filter(|alias| change(&world, alias)).collect();

    disk.make_room();
    let resumed = until(RESUMED, || send("after".into(), 600_000).taken().then_some(()));
    assert!(resumed.is_some(), "no mail is taken although there is room:\n{}", world.log());
    let changed = until(RESUMED, || change(&world, "after@example.org").then_some(()));
    assert!(changed.is_some(), "no change is taken although there is room:\n{}", world.log());

    // What is there has to be there after a crash too.
    world.kill();
    world.bury();
    world.start();
    let export = world.done(&["export"]);
    for alias in made.iter().map(String::as_str).chain(["after@example.org"]) {
        assert!(export.contains(&format!("\"{alias}\"")), "{alias} was acknowledged");
    }
    let there: Vec<_> = world.maildir("alice").wait(taken.len()).iter().map(|file| file.sent().to_vec()).collect();
    for text in &taken {
        assert_eq!(
            there.iter().filter(|there| *there == text).count(),
            1,
            "{}",
            String::from_utf8_lossy(text.get(..80).unwrap_or_default())
        );
    }
}

/// Adds an alias; whether that was acknowledged. A refusal has words.
fn change(world: &World, alias: &str) -> bool {
    let printed = world.restante(&["alias", "add", alias, "alice"]);
    assert!(printed.code == 0 || (printed.code == 1 && !printed.stderr.trim().is_empty()), "{printed:?}");
    printed.code == 0
}
