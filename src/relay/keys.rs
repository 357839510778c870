//! The secrets of [`super::srs`]: a file in the spool, made when it is first needed, and renewed now and then.
//!
//! A line for each secret, the newest first: when it was made, and its octets in hexadecimal digits. A secret that was replaced is read
//! with for as long as addresses written with it are valid. The file is replaced as a whole, after its successor is on the disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;

use super::srs::{SECRET_OCTETS, Srs, VALID_DAYS};

/// How long a secret is written with.
const RENEWED: SignedDuration = SignedDuration::from_hours(24 * 180);

/// A secret and when it was made.
type Secret = (Timestamp, [u8; SECRET_OCTETS]);

/// Reads the file, renewing or making it where that is due. Blocks.
pub fn open(path: &Path, now: Timestamp) -> io::Result<Srs> {
    let mut secrets = match fs::read_to_string(path) {
        Ok(text) => {
            read(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged; remove it", path.display())))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if secrets.first().is_none_or(|(made, _)| now.duration_since(*made) > RENEWED) {
        let mut secret = [0; SECRET_OCTETS];
        rand::rng().fill_bytes(&mut secret);
        secrets.insert(0, (now, secret));
        secrets = still_valid(secrets, now);
        write(path, &secrets)?;
    }
    Ok(Srs::new(secrets.iter().map(|(_, secret)| secret)))
}

/// A secret is of use for as long after its successor was made as an address is valid, and a day more.
fn still_valid(secrets: Vec<Secret>, now: Timestamp) -> Vec<Secret> {
    let validity = SignedDuration::from_hours(24 * i64::from(VALID_DAYS + 1));
    let mut successor = now;
    let mut kept = Vec::new();
    for (made, secret) in secrets {
        if now.duration_since(successor) <= validity {
            kept.push((made, secret));
        }
        successor = made;
    }
    kept
}

fn read(text: &str) -> Option<Vec<Secret>> {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let line = |line: &str| {
        let (made, digits) = line.split_once(' ')?;
        let octets: Vec<u8> = digits.as_bytes().chunks(2).map(octet).collect::<Option<_>>()?;
        Some((made.parse().ok()?, octets.try_into().ok()?))
    };
    text.lines().map(line).collect::<Option<Vec<_>>>().filter(|secrets| !secrets.is_empty())
}

fn write(path: &Path, secrets: &[Secret]) -> io::Result<()> {
    let next = path.with_extension("next");
    // What an earlier attempt left behind.
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&next)?;
    for (made, secret) in secrets {
        let digits: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(file, "{made} {digits}")?;
    }
    file.sync_all()?;
    fs::rename(&next, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Domain, Mailbox, ReversePath};
    use std::os::unix::fs::PermissionsExt as _;

    fn days(count: i64) -> Timestamp {
        Timestamp::from_second(count * 24 * 3600).unwrap_or_default()
    }

    #[test]
    fn secrets_outlive_the_process_and_are_renewed() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("srs.keys");
        let (sender, ours) = (ReversePath::Mailbox(Mailbox::parse("a@example.com")?), Domain::parse("ours.example")?);
        let rewritten = open(&path, days(1000))?.forward(&sender, &ours, days(1180), |_| false);
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        let reads = |now| -> Result<bool, Box<dyn std::error::Error>> {
            let srs = open(&path, now)?;
            Ok(rewritten.mailbox().and_then(|to| srs.reverse(to, days(1181))).is_some_and(|found| found.is_ok()))
        };
        assert!(reads(days(1180))?, "the same secret");
        assert!(reads(days(1181))?, "renewed, and the old one still reads");
        assert_eq!(fs::read_to_string(&path)?.lines().count(), 2);
        assert!(reads(days(1202))?);
        assert!(!reads(days(1400))?, "two renewals later it is gone");
        assert_eq!(fs::read_to_string(&path)?.lines().count(), 2);
        fs::write(&path, "2026-01-01T00:00:00Z 00ff\n")?;
        assert!(open(&path, days(1400)).is_err_and(|error| error.kind() == io::ErrorKind::InvalidData));
        Ok(())
    }
}
