//! The key of the signatures: made at the first start, and kept in the spool, readable by its user alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rand::Rng as _;

use super::address::Signer;

/// The file's name in the spool.
const NAME: &str = "lists.key";

/// Octets of a key.
const OCTETS: usize = 32;

/// The signer of a spool. A key that is lost makes links and bounces of earlier postings worthless, and nothing else.
pub fn load(spool: &Path) -> io::Result<Signer> {
    let path = spool.join(NAME);
    let mut key = Vec::new();
    match File::open(&path) {
        Ok(file) => file.take(1024).read_to_end(&mut key).map(drop)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => key = make(spool, &path)?,
        Err(error) => return Err(error),
    }
    if key.len() < OCTETS {
        return Err(io::Error::other(format!("{} is damaged; remove it, and a new one is made", path.display())));
    }
    Ok(Signer::new(&key))
}

/// Whole or not at all: a key that a crash cut short would never be noticed.
fn make(spool: &Path, path: &Path) -> io::Result<Vec<u8>> {
    let mut key = vec![0; OCTETS];
    rand::rng().fill_bytes(&mut key);
    let beside = path.with_extension("key.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(spool)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Target;
    use crate::mail::Address;

    #[test]
    fn a_key_stays_and_is_for_its_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (list, member) = (Address::parse("team@x.example").unwrap(), Target::parse("a@y.example").unwrap());
        let sign = |signer: &Signer| signer.unsubscribing(&list, &member);
        let first = load(folder.path()).unwrap();
        assert_eq!(sign(&load(folder.path()).unwrap()), sign(&first));
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, b"short").unwrap();
        assert!(load(folder.path()).is_err());
    }
}
