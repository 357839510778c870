//! What idle connections cost: resident memory of the server before and after 10,000 SMTP clients have said EHLO, and what
//! the next client waits for its greeting.
//!
//! `cargo bench --bench connections [-- COUNT]`. Server and clients are processes of their own (each connection is a
//! file in both): this program, called again. Clients come from many loopback addresses.

#![allow(missing_docs, reason = "a bench")]

#[allow(dead_code, reason = "the bench of memory needs more of it")]
mod program;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use program::{Outcome, Program};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

const CONNECTIONS: usize = 10_000;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["clients", address, count] => clients(address.parse()?, count.parse()?),
        [count] => measure(count.parse()?),
        _ => measure(CONNECTIONS),
    }
}

fn measure(count: usize) -> Outcome<()> {
    let server = Program::start()?;
    let smtp: SocketAddr = server.addresses.smtp.first().ok_or("no SMTP listener")?.parse()?;
    let before = server.resident()?.now;
    let began = Instant::now();
    let mut clients = Command::new(std::env::current_exe()?)
        .args(["clients", &smtp.to_string(), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    BufReader::new(clients.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    let took = began.elapsed();
    let after = server.resident()?.now;
    let greeted = Instant::now();
    TcpStream::connect(smtp)?.read_exact(&mut [0; 4])?;
    let next = greeted.elapsed();
    println!("{} connections greeted and idle after {took:.2?}", said.trim());
    println!("resident before {before} KiB, after {after} KiB: {:.1} KiB a connection", (after - before) as f64 / count as f64);
    println!("the next client is greeted after {next:.2?}");
    drop(clients.stdin.take());
    clients.wait()?;
    std::thread::sleep(Duration::from_secs(1));
    println!("resident when they are gone {} KiB", server.resident()?.now);
    server.stop()
}

/// Connects, says EHLO, tells the number, and waits until nobody holds its input any more.
fn clients(server: SocketAddr, count: usize) -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?;
    let mut streams = Vec::with_capacity(count);
    for number in 0..count {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let [high, low] = u16::try_from(number / 200 + 1)?.to_be_bytes();
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 0)).into())?;
        socket.connect(&server.into())?;
        streams.push(BufReader::with_capacity(512, TcpStream::from(socket)));
    }
    for stream in &mut streams {
        reply(stream, "220")?;
        stream.get_mut().write_all(b"EHLO client.example\r\n")?;
    }
    for stream in &mut streams {
        reply(stream, "250")?;
    }
    println!("{}", streams.len());
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn reply(stream: &mut BufReader<TcpStream>, code: &str) -> Outcome<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if !line.starts_with(code) {
            return Err(format!("expected {code}, heard `{line}`").into());
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
