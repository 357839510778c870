//! A mail server that answers as a test wants it to, and remembers what it took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::world::process::until;

/// How long a test waits for mail.
const ARRIVED: Duration = Duration::from_secs(60);

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub sender: String,
    pub recipients: Vec<String>,
    /// Without its dots, LF line ends.
    pub text: String,
}

type Script = Box<dyn Fn(&str) -> Option<String> + Send>;

/// A mail server.
#[derive(Clone)]
pub struct Mx {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Message>>>,
    script: Arc<Mutex<Script>>,
    connections: Arc<AtomicUsize>,
    /// Connections that are open, and the most that ever were.
    open: Arc<Mutex<(usize, usize)>>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
}

impl Mx {
    /// One that takes everything.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mx = Self {
            address: listener.local_addr().unwrap(),
            taken: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(|_| None))),
            connections: Arc::default(),
            open: Arc::default(),
            arrivals: Arc::default(),
        };
        let shared = mx.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = shared.clone();
                shared.opened(1);
                thread::spawn(move || {
                    // A client that goes away in the middle ends the conversation.
                    let _ = shared.serve(stream);
                    shared.opened(-1);
                });
            }
        });
        mx
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The most connections that were open at a time.
    pub fn most_open(&self) -> usize {
        self.open.lock().unwrap().1
    }

    fn opened(&self, by: isize) {
        let mut open = self.open.lock().unwrap();
        open.0 = open.0.saturating_add_signed(by);
        open.1 = open.1.max(open.0);
    }

    /// When each message was there.
    pub fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().unwrap().clone()
    }

    /// What is answered to a command line, or to `.`; nothing: yes.
    pub fn answer(&self, script: impl Fn(&str) -> Option<String> + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Refuses these recipients with that reply.
    pub fn refuse(&self, recipient: &str, reply: &str) {
        let (recipient, reply) = (format!("<{recipient}>"), reply.to_owned());
        self.answer(move |line| (line.starts_with("RCPT") && line.contains(&recipient)).then(|| reply.clone()));
    }

    pub fn taken(&self) -> Vec<Message> {
        self.taken.lock().unwrap().clone()
    }

    /// Waits until it has taken so many.
    pub fn wait(&self, count: usize) -> Vec<Message> {
        let found = until(ARRIVED, || Some(self.taken()).filter(|taken| taken.len() >= count));
        let found = found.unwrap_or_else(|| panic!("{} messages instead of {count}: {:?}", self.taken().len(), self.taken()));
        assert_eq!(found.len(), count, "{found:?}");
        found
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        // Replies to commands that came together are not to wait for each other's acknowledgement.
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        let mut say = |line: &str| writer.write_all(format!("{line}\r\n").as_bytes());
        say(&self.reply("GREETING").unwrap_or_else(|| "220 mx.test ESMTP".into()))?;
        let (mut sender, mut recipients): (Option<String>, Vec<String>) = (None, Vec::new());
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            let command = std::mem::take(&mut line).trim_end().to_owned();
            let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let scripted = self.reply(&command);
            let yes = scripted.as_ref().is_none_or(|reply| reply.starts_with('2'));
            match verb.as_str() {
                "EHLO" => say(&scripted
                    .unwrap_or_else(|| "250-mx.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES".into()))?,
                "MAIL" => {
                    (sender, recipients) = (yes.then(|| path(&command)), Vec::new());
                    say(&scripted.unwrap_or_else(|| "250 2.1.0 Ok".into()))?;
                }
                "RCPT" if sender.is_none() => say("503 5.5.1 MAIL first")?,
                "RCPT" => {
                    if yes {
                        recipients.push(path(&command));
                    }
                    say(&scripted.unwrap_or_else(|| "250 2.1.5 Ok".into()))?;
                }
                "DATA" if recipients.is_empty() => say("554 5.5.1 No valid recipients")?,
                "DATA" => {
                    say("354 Go on")?;
                    let text = text(&mut reader)?;
                    let reply = self.reply(".").unwrap_or_else(|| "250 2.0.0 Taken".into());
                    if reply.starts_with('2') {
                        let message = Message { sender: sender.clone().unwrap_or_default(), recipients: recipients.clone(), text };
                        self.arrivals.lock().unwrap().push(Instant::now());
                        self.taken.lock().unwrap().push(message);
                    }
                    say(&reply)?;
                }
                "QUIT" => return say("221 2.0.0 Bye"),
                _ => say(&scripted.unwrap_or_else(|| "250 2.0.0 Ok".into()))?,
            }
        }
        Ok(())
    }

    fn reply(&self, line: &str) -> Option<String> {
        (self.script.lock().unwrap())(line)
    }
}

fn path(command: &str) -> String {
    let begin = command.find('<').map_or(0, |at| at + 1);
    command[begin..].split('>').next().unwrap_or_default().to_owned()
}

fn text(reader: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(line));
        text.push('\n');
    }
}

/// Hands a message in over SMTP; the replies to RCPT and to the end of data.
pub fn send(server: SocketAddr, sender: &str, recipients: &[&str], text: &str) -> Vec<String> {
    let stream = TcpStream::connect(server).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut ask = |line: Option<String>| {
        if let Some(line) = line {
            writer.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        }
        loop {
            let mut reply = String::new();
            reader.read_line(&mut reply).unwrap();
            if reply.as_bytes().get(3) != Some(&b'-') {
                return reply.trim_end().to_owned();
            }
        }
    };
    ask(None);
    ask(Some("EHLO client.test".into()));
    assert_eq!(ask(Some(format!("MAIL FROM:<{sender}>"))), "250 2.1.0 Ok");
    let mut replies: Vec<String> = recipients.iter().map(|to| ask(Some(format!("RCPT TO:<{}", closed(to))))).collect();
    if replies.iter().any(|reply| reply.starts_with("250")) {
        ask(Some("DATA".into()));
        replies.push(ask(Some(format!("{}\r\n.", text.replace("\n.", "\n..").replace('\n', "\r\n").trim_end()))));
    }
    ask(Some("QUIT".into()));
    replies
}

/// `a@b` or `a@b NOTIFY=…`: the bracket goes behind the address.
fn closed(to: &str) -> String {
    match to.split_once(' ') {
        Some((address, parameters)) => format!("{address}> {parameters}"),
        None => format!("{to}>"),
    }
}
