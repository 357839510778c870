//! What all processes of one server cost together, those that have ended included.

use std::fs;
use std::iter::Sum;
use std::ops::Add;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::world::process::until;

/// The clock ticks of `/proc/PID/stat`: a constant of Linux, whatever its kernel's own.
const TICKS_PER_SECOND: f64 = 100.0;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long processes may take to go after their server has ended.
const GONE: Duration = Duration::from_secs(5);

/// The processes of a server.
pub enum Group {
    /// A control group (version 2) of their own, in this folder: exact, whoever their parents are.
    Control(PathBuf),
    /// The process of this id and its descendants, where no control group can be made. Exact to a clock tick a process; a
    /// child that has ended counts from when its parent has waited for it.
    Tree(u32),
}

/// Memory, in octets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident, where what several processes share counts once.
    pub proportional: u64,
    /// Resident, added up process by process.
    pub added: u64,
}

impl Group {
    /// Starts a server, whose main process `pid` tells, in a group of its own.
    pub fn start<T>(name: &str, start: impl FnOnce() -> T, pid: impl FnOnce(&T) -> u32) -> (T, Self) {
        let made = own().and_then(|own| {
            let folder = own.join(format!("restante-bench-{}-{name}", process::id()));
            fs::create_dir(&folder).ok().map(|()| (own, folder))
        });
        let Some((own, folder)) = made else {
            let started = start();
            let pid = pid(&started);
            return (started, Self::Tree(pid));
        };
        let group = Self::Control(folder.clone());
        let visit = Visit::new(&folder, own);
        let started = start();
        drop(visit);
        (started, group)
    }

    /// Processor time so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        match self {
            Self::Control(folder) => {
                let stat = fs::read_to_string(folder.join("cpu.stat")).expect("the group is there");
                let micros = stat.lines().find_map(|line| line.strip_prefix("usage_usec "));
                micros.and_then(|micros| micros.parse::<f64>().ok()).expect("a group counts its time") / 1e6
            }
            Self::Tree(_) => self.processes().into_iter().map(|pid| cpu_seconds(pid, Children::Too)).sum(),
        }
    }

    /// Memory now.
    pub fn memory(&self) -> Memory {
        self.processes().into_iter().map(memory).sum()
    }

    /// The most memory that was seen while `act` ran.
    pub fn peak<T>(&self, act: impl FnOnce() -> T) -> (T, Memory) {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut peak = self.memory();
                while !ended.load(Ordering::Relaxed) {
                    thread::sleep(LOOK);
                    peak = peak.max(self.memory());
                }
                peak
            });
            let ended = Ended(&ended);
            let result = act();
            drop(ended);
            (result, watcher.join().expect("the watcher does not panic"))
        })
    }

    fn processes(&self) -> Vec<u32> {
        match self {
            Self::Control(folder) => {
                let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                list.lines().filter_map(|pid| pid.parse().ok()).collect()
            }
            Self::Tree(root) => descendants(*root),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Self::Control(folder) = self {
            // The last processes have been told to end, and may not quite have done so.
            until(GONE, || fs::remove_dir(&*folder).ok());
        }
    }
}

/// Our own stay in a group: what we start meanwhile is born there.
struct Visit {
    home: PathBuf,
}

impl Visit {
    fn new(group: &Path, home: PathBuf) -> Self {
        join(group);
        Self { home }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        join(&self.home);
    }
}

/// Says that it is over also when what it waits for panics: whoever watches would never end.
pub struct Ended<'a>(pub &'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The folder of our own control group, of version 2.
fn own() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|mount| mount.get(2) == Some(&"cgroup2"))?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount.get(1)?).join(own))
}

fn join(group: &Path) {
    fs::write(group.join("cgroup.procs"), process::id().to_string()).expect("root may move itself");
}

/// Whether the time of children that have ended belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    Too,
    Apart,
}

/// Processor time of one process so far.
pub fn cpu_seconds(pid: u32, children: Children) -> f64 {
    let fields = if children == Children::Too { 4 } else { 2 };
    // utime, stime, cutime, cstime are the fields 14 to 17 (proc_pid_stat(5)).
    let ticks = stat(pid).into_iter().skip(11).take(fields);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The fields of `/proc/PID/stat` from the third, the state, on: the second, the name, may hold blanks.
fn stat(pid: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or_default().split(' ').map(str::to_owned).collect()
}

fn descendants(root: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> = all.filter_map(|pid| Some((pid, stat(pid).get(1)?.parse().ok()?))).collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

fn memory(pid: u32) -> Memory {
    let sums = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let octets = |field: &str| {
        let line = sums.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|value| value.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
    };
    Memory { proportional: octets("Pss"), added: octets("Rss") }
}

impl Memory {
    /// The greater of each figure.
    pub fn max(self, other: Self) -> Self {
        Self { proportional: self.proportional.max(other.proportional), added: self.added.max(other.added) }
    }
}

impl Add for Memory {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { proportional: self.proportional + other.proportional, added: self.added + other.added }
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}
