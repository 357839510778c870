//! What the server has of the machine's memory: idle, while many large messages arrive at once, while passwords are set, and
//! when all of that is over.
//!
//! `cargo bench --bench memory [-- SESSIONS MIB]`.

#![allow(missing_docs, reason = "a bench")]

mod program;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::{Outcome, PROGRAM, Program};

const SESSIONS: usize = 50;
const MIB: usize = 20;
const PASSWORDS: usize = 16;

fn main() -> Outcome<()> {
    let words: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (sessions, mib) = (words.first().copied().unwrap_or(SESSIONS), words.get(1).copied().unwrap_or(MIB));
    let server = Program::start()?;
    // The first start hashes a password.
    thread::sleep(Duration::from_secs(3));
    told(&server, "idle")?;
    administer(&server, &["domain", "add", "example.org"])?;
    administer(&server, &["pop", "add", "alice", "--domain", "example.org", "--owner", "Alice", "--generate"])?;
    let smtp = server.addresses.smtp.first().ok_or("no SMTP listener")?;
    let began = Instant::now();
    together(sessions, |_| send(smtp, mib))?;
    told(&server, &format!("after {sessions} messages of {mib} MiB at once, in {:.1?}", began.elapsed()))?;
    together(PASSWORDS, |_| administer(&server, &["pop", "passwd", "alice", "--generate"]))?;
    told(&server, &format!("after {PASSWORDS} passwords set at once"))?;
    for seconds in [10, 30] {
        thread::sleep(Duration::from_secs(seconds));
        told(&server, &format!("{seconds} s later"))?;
    }
    server.stop()
}

fn told(server: &Program, when: &str) -> Outcome<()> {
    let resident = server.resident()?;
    println!("{:6.1} MiB resident, {:6.1} at most: {when}", resident.now as f64 / 1024.0, resident.most as f64 / 1024.0);
    Ok(())
}

/// So many at the same time; all have to succeed.
fn together(count: usize, act: impl Fn(usize) -> Outcome<()> + Sync) -> Outcome<()> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let act = &act;
                    move || act(number).map_err(|error| error.to_string())
                })
            })
            .collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
    })?;
    Ok(())
}

fn administer(server: &Program, words: &[&str]) -> Outcome<()> {
    let status = Command::new(PROGRAM).args(words).arg("--config").arg(server.config()).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{words:?}: {status}").into()) }
}

fn send(server: &str, mib: usize) -> Outcome<()> {
    let stream = TcpStream::connect(server)?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let mut client = stream;
    let mut heard = |code: &str| -> Outcome<()> {
        loop {
            let mut line = String::new();
            replies.read_line(&mut line)?;
            if !line.starts_with(code) {
                return Err(format!("expected {code}, heard `{line}`").into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    };
    heard("220")?;
    for (command, code) in [("EHLO c", "250"), ("MAIL FROM:<a@b.example>", "250"), ("RCPT TO:<alice@example.org>", "250"), ("DATA", "354")]
    {
        client.write_all(format!("{command}\r\n").as_bytes())?;
        heard(code)?;
    }
    client.write_all(b"Subject: large\r\n\r\n")?;
    let block = [[b'x'; 62].as_slice(), b"\r\n"].concat().repeat(1024);
    for _ in 0..mib * (1 << 20) / block.len() {
        client.write_all(&block)?;
    }
    client.write_all(b".\r\n")?;
    heard("250")
}
