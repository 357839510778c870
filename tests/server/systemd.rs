//! The program as systemd runs it: sockets handed over, and what it is told of the state of things.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::house::{PATIENCE, furnish, text, until};
use crate::port::Port;

/// Binds the addresses in its first argument, and becomes the server with those sockets from descriptor 3 on.
const HAND_OVER: &str = r#"
import fcntl, os, socket, sys
names, addresses, command = sys.argv[1], sys.argv[2].split(), sys.argv[3:]
held = []
for address in addresses:
    if address.startswith("/"):
        found = socket.socket(socket.AF_UNIX)
        found.bind(address)
    else:
        host, port = address.rsplit(":", 1)
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, int(port)))
    found.listen(16)
    held.append(fcntl.fcntl(found, fcntl.F_DUPFD, 100))
for place, descriptor in enumerate(held):
    os.dup2(descriptor, 3 + place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)))
if names:
    os.environ["LISTEN_FDNAMES"] = names
os.execv(command[0], command)
"#;

struct Unit {
    folder: TempDir,
    child: Child,
}

impl Unit {
    /// A server on free ports that gets sockets on `addresses`, under `names`; `configure` changes its configuration.
    fn start(names: &str, addresses: &[String], configure: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path());
        fs::write(folder.path().join("restante.toml"), configure(text(folder.path()))).unwrap();
        let mut command = Command::new("python3");
        command.args(["-c", HAND_OVER, names, &addresses.join(" ")]);
        let child = serve(&mut command, folder.path());
        Self { folder, child }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn run(&mut self) -> Value {
        let path = self.folder.path().join("spool/run.json");
        until("the server is ready", || {
            assert!(self.child.try_wait().unwrap().is_none(), "{}", fs::read_to_string(self.folder.path().join("log")).unwrap());
            path.exists()
        });
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(command: &mut Command, folder: &Path) -> Child {
    let log = File::create(folder.join("log")).unwrap();
    command.args([env!("CARGO_BIN_EXE_restante"), "serve", "--config"]).arg(folder.join("restante.toml"));
    command.current_dir(folder).env_remove("RESTANTE_CONFIG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

#[test]
fn sockets_are_told_apart_by_their_names() {
    let ports = [Port::new(), Port::new()];
    let [lmtp, smtp] = ports.each_ref().map(|port| port.address().to_string());
    let mut unit = Unit::start("lmtp:smtp", &[lmtp.clone(), smtp.clone()], |text| text);
    let run = unit.run();
    assert_eq!((&run["smtp"], &run["lmtp"]), (&serde_json::json!([smtp]), &serde_json::json!([lmtp])));
    Client::tcp(&smtp).greeted().expect("EHLO c", "250");
    Client::tcp(&lmtp).greeted().expect("LHLO c", "250");
}

#[test]
fn sockets_without_such_names_are_told_apart_by_their_addresses() {
    let ports = [Port::new(), Port::new()];
    let [lmtp, smtp] = ports.each_ref().map(|port| port.address().to_string());
    // systemd gives a socket the name of its unit where the unit has no FileDescriptorName.
    let mut unit = Unit::start("restante.socket:restante.socket", &[lmtp.clone(), smtp.clone()], |text| {
        let text = text.replace("[smtp]\nlisten = [\"127.0.0.1:0\"]", &format!("[smtp]\nlisten = [\"{smtp}\"]"));
        text.replace("[lmtp]\nlisten = [\"127.0.0.1:0\"", &format!("[lmtp]\nlisten = [\"{lmtp}\""))
    });
    let run = unit.run();
    assert_eq!(run["smtp"], serde_json::json!([smtp]));
    assert_eq!(run["lmtp"], serde_json::json!([lmtp]), "what systemd does not hold of a door is not bound beside it");
    Client::tcp(&smtp).greeted().expect("EHLO c", "250");
    Client::tcp(&lmtp).greeted().expect("LHLO c", "250");
}

#[test]
fn a_unix_socket_is_known_by_its_path() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("lmtp.sock").display().to_string();
    let mut unit = Unit::start("", std::slice::from_ref(&path), |text| {
        let listens = text.lines().find(|line| line.contains("unix:")).unwrap().to_owned();
        text.replace(&listens, &format!("listen = [\"unix:{path}\"]"))
    });
    assert_eq!(unit.run()["lmtp"], serde_json::json!([format!("unix:{path}")]));
    Client::unix(Path::new(&path)).greeted().expect("LHLO c", "250");
}

#[test]
fn a_socket_that_nothing_tells_is_refused_with_what_to_do() {
    let port = Port::new();
    let stray = port.address().to_string();
    let mut unit = Unit::start("", std::slice::from_ref(&stray), |text| text);
    let mut status = None;
    until("the server has given up", || {
        status = unit.child.try_wait().unwrap();
        status.is_some()
    });
    let said = unit.log();
    assert_eq!(status.unwrap().code(), Some(1), "{said}");
    for word in [stray.as_str(), "FileDescriptorName=", "smtp.listen"] {
        assert!(said.contains(word), "{word} is not in {said}");
    }
}

#[test]
fn systemd_hears_of_ready_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    furnish(folder.path());
    fs::write(folder.path().join("restante.toml"), text(folder.path())).unwrap();
    let path = folder.path().join("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || {
        let mut said = [0; 512];
        let octets = heard.recv(&mut said).expect("systemd is told");
        String::from_utf8(said[..octets].to_vec()).unwrap()
    };
    let mut command = Command::new("env");
    command.arg(format!("NOTIFY_SOCKET={}", path.display()));
    let mut child = serve(&mut command, folder.path());
    assert_eq!(next().trim_end(), "READY=1");
    assert!(folder.path().join("spool/run.json").exists(), "ready means that all listeners accept");
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    let reloading = next();
    assert!(reloading.starts_with("RELOADING=1\n") && reloading.contains("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(next().trim_end(), "READY=1");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(next().trim_end(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}
