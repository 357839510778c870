//! The file system, as far as mail needs it. One narrow trait, so that a test can fail or cut off any step.
//!
//! Promises private modes (files 0600, folders 0700), and errors that name the operation and the path.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

/// A file that is being written: visible under its name at once, durable when [`Output::sync`] has returned.
pub trait Output: Write + Send {
    /// Waits until the disk has the content (not the name: see [`Disk::sync_folder`]).
    fn sync(&mut self) -> io::Result<()>;
}

/// A file of a fixed size that is written in place, so that a sync has no more to do than to write.
pub trait InPlace: Send + Sync {
    /// Writes from octet `at` on.
    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<()>;
    /// Reads from octet `at` on; fewer octets than asked for at the end of the file.
    fn read_at(&self, octets: &mut [u8], at: u64) -> io::Result<usize>;
    /// Waits until the disk has what was written.
    fn sync(&self) -> io::Result<()>;
}

/// A file system that is being watched.
pub trait Volume: Send + Sync {
    /// Waits until the disk has everything that was written to it: contents and names. Fails for any write that has failed
    /// since the last call, or since the volume was opened; who opens it anew does not hear of those (syncfs(2)).
    fn sync(&self) -> io::Result<()>;
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else.
    Other,
}

/// The operations of a file system.
pub trait Disk: Send + Sync {
    /// Makes a file that must not exist yet, mode 0600.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens a file of `octets` octets for writing in place. Where it is missing or too short, it is filled with zeros, and
    /// the disk has those and its name when this returns.
    fn open_in_place(&self, path: &Path, octets: u64) -> io::Result<Box<dyn InPlace>>;
    /// Begins to watch the file system in which `path` lies.
    fn open_volume(&self, path: &Path) -> io::Result<Box<dyn Volume>>;
    /// A number that changes when the machine is booted: what a process had written before that, and not synced, may be gone.
    fn boot(&self) -> io::Result<u64>;
    /// The number of the file system in which `path` lies.
    fn volume(&self, path: &Path) -> io::Result<u64>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;
    /// Gives a file or folder another name, replacing a file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and everything in it.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder, mode 0700; content to find it there already.
    fn make_folder(&self, path: &Path) -> io::Result<()>;
    /// Waits until the disk has the names in a folder.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// A hint: the folders that will be made in this one have nothing to do with each other, and are to lie apart on the disk.
    fn spread(&self, _path: &Path) {}
    /// The names in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<(String, Kind)>>;
    /// Octets of a file.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// When a file or folder was changed last.
    fn modified(&self, path: &Path) -> io::Result<SystemTime>;
    /// Octets that are still free where `path` lies.
    fn free(&self, path: &Path) -> io::Result<u64>;
}

/// Makes a folder that only our own user can look into, or makes one so: whoever writes there may choose no modes itself.
pub fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE).create(path)?;
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(PRIVATE)) }
}

/// The mode of our folders.
const PRIVATE: u32 = 0o700;

/// What groups and others may do.
const OTHERS: u32 = 0o077;

/// Makes a folder and those above it, and waits until the disk has their names: what is synced in a folder is of no use
/// while the folder itself can vanish. Names of folders that are there already are synced too, since an earlier start may
/// have come no further than making them.
pub fn make_folders(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if !parent.as_os_str().is_empty() {
        make_folders(disk, parent)?;
    }
    disk.make_folder(path)?;
    match disk.sync_folder(parent) {
        // A folder of somebody else, or of a file system that cannot sync folders: ours was not made in it just now, or
        // an admin chose to do without.
        Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

struct Written {
    file: File,
    path: PathBuf,
}

impl Write for Written {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.file.write(text).map_err(|e| explained(e, "write", &self.path))
    }
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(parts).map_err(|e| explained(e, "write", &self.path))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Written {
    /// `fdatasync`: it covers all that is needed to read the file back, its length among it.
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data().map_err(|e| explained(e, "sync", &self.path))
    }
}

/// Where Linux tells boots apart (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Zeros written at a time.
const ZEROS: usize = 64 * 1024;

struct Fixed {
    file: File,
    path: PathBuf,
}

impl InPlace for Fixed {
    fn write_at(&self, octets: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(octets, at).map_err(|e| explained(e, "write", &self.path))
    }
    fn read_at(&self, octets: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(octets, at).map_err(|e| explained(e, "read", &self.path))
    }
    /// `fdatasync`: size and blocks of the file are on the disk already.
    fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|e| explained(e, "sync", &self.path))
    }
}

impl Fixed {
    /// Writes zeros up to `octets`, so that no later write has to find room.
    fn fill(&self, octets: u64) -> io::Result<()> {
        let metadata = |e| explained(e, "look at", &self.path);
        let mut at = self.file.metadata().map_err(metadata)?.len();
        while at < octets {
            let part = usize::try_from(octets - at).unwrap_or(ZEROS).min(ZEROS);
            self.write_at(ZERO.get(..part).unwrap_or(&ZERO), at)?;
            at += part as u64;
        }
        self.file.sync_all().map_err(|e| explained(e, "sync", &self.path))
    }
}

static ZERO: [u8; ZEROS] = [0; ZEROS];

struct Watched {
    folder: File,
    path: PathBuf,
}

impl Volume for Watched {
    fn sync(&self) -> io::Result<()> {
        rustix::fs::syncfs(&self.folder).map_err(|e| explained(e, "sync the file system of", &self.path))
    }
}

/// Adds what was tried, and where, to an error of the operating system; its kind stays.
fn explained(error: impl Into<io::Error>, operation: &str, path: &Path) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("cannot {operation} {}: {error}", path.display()))
}

/// A file name without a folder lies in `.`, which the operating system does not know by an empty name.
fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn entry(found: std::fs::DirEntry) -> io::Result<(String, Kind)> {
    let kind = match found.file_type()? {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Folder,
        _ => Kind::Other,
    };
    Ok((found.file_name().to_string_lossy().into_owned(), kind))
}

impl Disk for Real {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Output>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| explained(e, "create", path))?;
        Ok(Box::new(Written { file, path: path.to_owned() }))
    }

    fn open_in_place(&self, path: &Path, octets: u64) -> io::Result<Box<dyn InPlace>> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let fixed = Fixed { file: opened.map_err(|e| explained(e, "open", path))?, path: path.to_owned() };
        if fixed.file.metadata().map_err(|e| explained(e, "look at", path))?.len() < octets {
            fixed.fill(octets)?;
        }
        self.sync_folder(path.parent().unwrap_or(path))?;
        Ok(Box::new(fixed))
    }

    fn open_volume(&self, path: &Path) -> io::Result<Box<dyn Volume>> {
        let folder = File::open(named(path)).map_err(|e| explained(e, "open", path))?;
        Ok(Box::new(Watched { folder, path: path.to_owned() }))
    }

    fn boot(&self) -> io::Result<u64> {
        let id = std::fs::read(BOOT_ID).map_err(|e| explained(e, "read", Path::new(BOOT_ID)))?;
        Ok(xxhash_rust::xxh3::xxh3_64(&id))
    }

    fn volume(&self, path: &Path) -> io::Result<u64> {
        std::fs::metadata(named(path)).map(|found| found.dev()).map_err(|e| explained(e, "look at", path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(path).map_err(|e| explained(e, "open", path))?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to).map_err(|e| explained(e, &format!("move {} to", from.display()), to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path).map_err(|e| explained(e, "remove", path))
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path).map_err(|e| explained(e, "remove the folder", path))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| explained(e, "make the folder", path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(named(path)).and_then(|folder| folder.sync_all()).map_err(|e| explained(e, "sync the folder", path))
    }

    /// ext4 then gives each folder a block group (128 MiB) of its own as long as there are enough of them, as it does for those in
    /// the root of the file system (chattr(1), `T`). In one group for all, whoever makes a file looks at each inode that was freed
    /// in the last minutes, since ext4 does not use those again at once: with mail that comes and goes, at thousands of them.
    fn spread(&self, path: &Path) {
        let Ok(folder) = File::open(named(path)) else { return };
        // File systems without such a flag have no such trouble.
        if let Ok(flags) = ioctl_getflags(&folder).map(|flags| flags | IFlags::TOPDIR) {
            let _ = ioctl_setflags(&folder, flags);
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, Kind)>> {
        let listed: io::Result<_> = std::fs::read_dir(named(path)).and_then(|all| all.map(|found| found.and_then(entry)).collect());
        listed.map_err(|e| explained(e, "list the folder", path))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        std::fs::metadata(path).map(|found| found.len()).map_err(|e| explained(e, "look at", path))
    }

    fn modified(&self, path: &Path) -> io::Result<SystemTime> {
        std::fs::metadata(named(path)).and_then(|found| found.modified()).map_err(|e| explained(e, "look at", path))
    }

    fn free(&self, path: &Path) -> io::Result<u64> {
        let found = rustix::fs::statvfs(named(path)).map_err(|e| explained(e, "ask for the free space of", path))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_spread_where_the_file_system_knows_how() {
        let [probe, folder] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let flags = |path: &Path| ioctl_getflags(File::open(path).unwrap());
        let knows =
            flags(probe.path()).is_ok_and(|flags| ioctl_setflags(File::open(probe.path()).unwrap(), flags | IFlags::TOPDIR).is_ok());
        Real.spread(folder.path());
        assert_eq!(flags(folder.path()).is_ok_and(|flags| flags.contains(IFlags::TOPDIR)), knows);
        Real.spread(&folder.path().join("missing"));
    }
}
