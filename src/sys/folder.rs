//! Reading mail back: the files of a folder by name, and their text without waiting for the disk where it can be helped.
//!
//! Apart from [`super::Disk`], since it is about time: a mailbox of 100,000 messages is listed without an allocation for
//! each, and what the system has in memory is read without a change of threads.

use std::fs::File;
use std::io::{self, IoSliceMut, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, openat2, statat};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// Octets of names that are asked for at a time.
const NAMES: usize = 64 * 1024;

/// Hands over the name of each regular file in a folder, in no order. Hidden ones are left out.
pub fn each_file(path: &Path, visit: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let folder = File::open(path)?;
    let mut names = Vec::with_capacity(NAMES);
    let mut entries = RawDir::new(&folder, names.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes().first() == Some(&b'.') {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not tell.
            FileType::Unknown => match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => FileType::from_raw_mode(found.st_mode),
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            },
            known => known,
        };
        if kind == FileType::RegularFile {
            visit(name.to_bytes());
        }
    }
    Ok(())
}

/// The path of a file by the octets of its name.
pub fn file_in(folder: &Path, name: &[u8]) -> std::path::PathBuf {
    folder.join(std::ffi::OsStr::from_bytes(name))
}

/// Whether a call may wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It may: on a thread that is there for that.
    Allowed,
    /// It may not: it fails with [`io::ErrorKind::WouldBlock`] instead.
    Never,
}

/// A text that is read from front to back.
#[derive(Debug)]
pub struct Source {
    file: File,
    at: u64,
}

impl Source {
    /// Opens a regular file; a link is not followed, and nothing is waited for at the other end of a pipe.
    pub fn open(path: &Path, wait: Wait) -> io::Result<Self> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match wait {
            Wait::Allowed => File::options().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or_default()).open(path)?,
            Wait::Never => {
                let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
                match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED) {
                    Ok(file) => file.into(),
                    // Not there is certain: it was looked up in what is cached.
                    Err(Errno::NOENT) => return Err(Errno::NOENT.into()),
                    // Not in memory, or a system that does not know how to say so.
                    Err(_) => return Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        };
        Ok(Self { file, at: 0 })
    }

    /// Reads what comes next; 0 octets at the end.
    pub fn read(&mut self, into: &mut [u8], wait: Wait) -> io::Result<usize> {
        let read = match wait {
            Wait::Allowed => self.file.read_at(into, self.at)?,
            Wait::Never => match preadv2(&self.file, &mut [IoSliceMut::new(into)], self.at, ReadWriteFlags::NOWAIT) {
                Ok(read) => read,
                Err(_) => return Err(io::ErrorKind::WouldBlock.into()),
            },
        };
        self.at += read as u64;
        Ok(read)
    }

    /// Reads the whole of it in pieces.
    pub fn each_piece(mut self, piece: &mut [u8], mut visit: impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            match self.file.read(piece)? {
                0 => return Ok(()),
                read => visit(piece.get(..read).unwrap_or_default()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_alone_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        for name in ["a", ".hidden", "b:2,S"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let mut found = Vec::new();
        each_file(folder.path(), &mut |name| found.push(String::from_utf8_lossy(name).into_owned())).unwrap();
        found.sort();
        assert_eq!(found, ["a", "b:2,S"]);
        assert!(each_file(&folder.path().join("none"), &mut |_| {}).is_err());
    }

    #[test]
    fn a_text_is_read_piece_by_piece_whether_one_waits_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"12345").unwrap();
        for wait in [Wait::Allowed, Wait::Never] {
            let mut source = match Source::open(&path, wait) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Source::open(&path, Wait::Allowed).unwrap(),
                opened => opened.unwrap(),
            };
            let (mut text, mut piece) = (Vec::new(), [0; 2]);
            loop {
                let read = match source.read(&mut piece, wait) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => source.read(&mut piece, Wait::Allowed).unwrap(),
                    read => read.unwrap(),
                };
                text.extend_from_slice(&piece[..read]);
                if read == 0 {
                    break;
                }
            }
            assert_eq!(text, b"12345", "{wait:?}");
        }
        assert_eq!(Source::open(&folder.path().join("none"), Wait::Allowed).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
