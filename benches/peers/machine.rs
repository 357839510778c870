//! What the figures were taken on.

use std::fs;
use std::path::Path;
use std::thread;

use bytesize::ByteSize;
use jiff::Zoned;

use crate::world::program::done;

/// A list for people, in Markdown.
pub fn describe() -> String {
    let folder = std::env::temp_dir();
    let versions = format!(
        "Restante {}, Postfix {}, Dovecot {}",
        env!("CARGO_PKG_VERSION"),
        done("postconf", &["-d", "-h", "mail_version"], b"").trim(),
        done("dovecot", &["--version"], b"").split(' ').next().unwrap_or_default(),
    );
    format!(
        "- date: {}\n- processors: {} × {}, shared by client and server\n- memory: {}\n- system: Linux {}\n- file system: {}\n- programs: {versions}\n",
        Zoned::now().strftime("%Y-%m-%d"),
        thread::available_parallelism().map_or(1, usize::from),
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
        memory(),
        rustix::system::uname().release().to_string_lossy(),
        file_system(&folder),
    )
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory() -> String {
    let kilobytes = field("/proc/meminfo", "MemTotal").and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    kilobytes.map_or_else(|| "unknown".into(), |kilobytes| ByteSize::kib(kilobytes).display().iec().to_string())
}

/// Type and options of the mount that a folder lies in, and whether ext4 keeps a journal there: without one, a sync costs less.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|fields| fields.get(1).is_some_and(|point| folder.starts_with(point)));
    // Of two mounts at the same point, the later one is seen.
    let mount = above.max_by_key(|fields| fields.get(1).map(|point| point.len()));
    let Some([device, _, kind, options, ..]) = mount.as_deref() else { return "unknown".into() };
    let journal = if *kind == "ext4" && !has_journal(device) { ", no journal" } else { "" };
    format!("{kind} ({options}){journal}")
}

/// Linux has a folder `/proc/fs/jbd2/<device>-<inode>` for each journal that is in use.
fn has_journal(device: &str) -> bool {
    let device = fs::canonicalize(device).unwrap_or_else(|_| device.into());
    let prefix = format!("{}-", device.file_name().unwrap_or_default().to_string_lossy());
    let journals = fs::read_dir("/proc/fs/jbd2").into_iter().flatten().flatten();
    journals.into_iter().any(|journal| journal.file_name().to_string_lossy().starts_with(&prefix))
}
