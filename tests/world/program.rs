//! Programs that a test runs to their end.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Printed;

/// Runs a program with `input`; what it printed. Programs of the system's own (`/usr/sbin`) are found too.
pub fn run(program: &str, words: &[&str], input: &[u8]) -> Printed {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut child = Command::new(program)
        .args(words)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; `tests/install test` installs what is missing"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // On a thread of its own: the program may print more than a pipe holds before it has read everything. One that ends
    // without reading is its own business.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("a child can be waited for");
    let _ = writer.join();
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The same, for a program that has to succeed.
pub fn done(program: &str, words: &[&str], input: &[u8]) -> String {
    let printed = run(program, words, input);
    assert_eq!(printed.code, 0, "{program} {words:?}:\n{}\n{}", printed.stdout, printed.stderr);
    printed.stdout
}
