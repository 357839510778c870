//! The file system, as far as mail needs it. One narrow trait, so that a test can fail or cut off any step.
//!
//! Promises private modes (files 0600, folders 0700), and errors that name the operation and the path.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that is being written: visible under its name at once, durable when [`Output::sync`] has returned.
pub trait Output: Write + Send {
    /// Waits until the disk has the content (not the name: see [`Disk::sync_folder`]).
    fn sync(&mut self) -> io::Result<()>;
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
    /// The names in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<(String, Kind)>>;
    /// Octets of a file.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// When a file or folder was changed last.
    fn modified(&self, path: &Path) -> io::Result<SystemTime>;
    /// Octets that are still free where `path` lies.
    fn free(&self, path: &Path) -> io::Result<u64>;
}

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
