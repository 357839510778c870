//! Configuration: the reference file, what values mean, and every error at once.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use restante::config::{self, Config, Errors, LoadError, parse};
use restante::directory::Target;
use restante::protocol::smtp::{BareNewline, Vrfy};
use restante::relay::settings::{Exception, HostName, Login, Via};
use restante::relay::{Mode, Schedule, Smarthost, Timeouts, Tls};
use restante::router::Disabled;
use restante::server::pop3::Plaintext;
use restante::server::{Certificate, Listen, ReverseLookup};
use restante::spool::Bounds;
use restante::spool::log::SEGMENT;
use restante::telemetry::Format;
use restante::{maildir, router};

/// Every problem as it is shown, without the name of the source.
fn problems(text: &str) -> Vec<String> {
    let shown = parse(text).err().map(|errors| errors.to_string()).unwrap_or_default();
    shown.lines().map(|line| line.strip_prefix("configuration").unwrap_or(line).to_owned()).collect()
}

fn tcp(text: &str) -> Listen {
    Listen::Tcp(text.parse::<SocketAddr>().unwrap())
}

/// `RESTANTE_BLESS=1 cargo test --test config` writes the file.
#[test]
fn the_reference_file_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/restante.toml");
    if std::env::var_os("RESTANTE_BLESS").is_some() {
        fs::write(&path, config::reference()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    for (written, generated) in written.lines().zip(config::reference().lines()) {
        assert_eq!(written, generated, "run this test with RESTANTE_BLESS=1");
    }
    assert_eq!(written.len(), config::reference().len(), "run this test with RESTANTE_BLESS=1");
    assert_eq!(config::load(&path).unwrap(), parse("").unwrap());
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn the_defaults_are_those_of_the_design() {
    let Config { hostname, spool, mail, trash_days, session, routing, relay, server, admin, password, log, ledger, pop3, spool_log, lists } =
        parse("").unwrap();
    assert_eq!(spool_log, Bounds { segment: SEGMENT, total: 512 << 20 });
    assert_eq!((lists.panel, lists.bounce_days, lists.bounce_window, lists.held), (None, 3, 14, SignedDuration::from_hours(168)));
    assert_eq!((hostname.as_str(), spool, trash_days), ("localhost", PathBuf::from("spool"), 30));
    assert_eq!((mail.root, mail.hostname.as_str(), mail.default_quota), (PathBuf::from("spool/mail"), "localhost", None));
    assert_eq!(mail.over, maildir::Over::Defer);
    assert_eq!((session.max_message_size, session.max_recipients, session.max_errors, session.max_line), (50 << 20, 1000, 10, None));
    assert_eq!((session.bare_newline, session.vrfy), (BareNewline::Normalize, Vrfy::Noncommittal));
    assert_eq!((session.command_timeout, session.min_rate), (Duration::from_secs(300), 100));
    assert_eq!((routing.max_depth, routing.max_fan_out, routing.max_total), (20, 1000, 1000));
    assert_eq!((routing.subaddress_separators.as_str(), routing.postmaster, routing.disabled), ("+", None, Disabled::Unknown));
    assert_eq!((server.smtp, server.smtp_tls, server.lmtp), (vec![tcp("127.0.0.1:2525")], vec![], vec![tcp("127.0.0.1:2424")]));
    assert_eq!((server.max_connections, server.max_connections_per_client), (16_000, 12_000));
    assert_eq!((server.pop3, server.pop3_tls), (vec![tcp("127.0.0.1:2110")], vec![tcp("127.0.0.1:2995")]));
    assert_eq!((server.max_callers, server.max_callers_per_client, server.plaintext), (8000, 4000, Plaintext::Loopback));
    assert_eq!((pop3.idle_timeout, pop3.max_errors, server.stall_timeout), (Duration::from_secs(600), 20, Duration::from_secs(120)));
    assert_eq!((server.proxy_from, server.xclient_from, server.reverse_lookup), (vec![], vec![], ReverseLookup::Background));
    assert_eq!(server.certificate, Certificate::SelfSigned { folder: "spool/tls".into() });
    assert_eq!(server.shutdown_grace, Duration::from_secs(30));
    assert_eq!((admin.listen, admin.socket), ("127.0.0.1:2080".parse().unwrap(), PathBuf::from("spool/admin.sock")));
    assert_eq!((password.memory_kib, password.passes, password.lanes), (19_456, 2, 1));
    assert_eq!((log.format, log.level.as_str()), (Format::Text, "info"));
    assert_eq!((&relay.mode, relay.hostname.as_str(), relay.port, relay.tls), (&Mode::Direct, "localhost", 25, Tls::Opportunistic));
    assert_eq!((&relay.exceptions, &relay.sources, &relay.resolvers), (&vec![], &vec![], &vec![]));
    assert_eq!((relay.connections, relay.messages_per_connection, relay.rate), (20, 100, None));
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let schedule = Schedule { first_retry: minutes(5), max_retry: minutes(240), life: minutes(5 * 24 * 60), delay_notice: minutes(240) };
    assert_eq!((relay.schedule, relay.timeouts), (schedule, Timeouts::default()));
    assert_eq!((relay.srs, &relay.srs_domain, relay.returned), (true, &None, 1 << 20));
    assert_eq!((ledger.folder, ledger.retention, ledger.max_size), (PathBuf::from("spool/ledger"), 14 * DAY, 2 << 30));
}

#[test]
fn every_key_reaches_its_setting() {
    let config = parse(
        r#"
        hostname = "Mail.Example.ORG."
        spool.dir = "/var/lib/restante"
        spool.max_log = "1GiB"
        mail = { root = "/srv/mail", trash_days = 7 }
        [smtp]
        listen = ["0.0.0.0:0", "[::]:25"]
        listen_tls = ["127.0.0.1:465"]
        max_message_size = 1_000_000
        max_recipients = 100
        max_errors = 3
        max_line = "998B"
        bare_newline = "reject"
        vrfy = "disabled"
        subaddress_separators = "+-"
        postmaster = "boss@example.org"
        disabled_alias = "5.2.1"
        max_alias_depth = 1
        max_alias_fan_out = 2
        max_alias_total = 3
        max_connections = 4
        max_connections_per_client = 5
        command_timeout = "1m 30s"
        min_rate = "0"
        proxy_from = ["192.0.2.1", "2001:db8::/32"]
        xclient_from = ["10.0.0.0/8"]
        reverse_lookup = false
        shutdown_grace = "0s"
        [lmtp]
        listen = ["unix:run/lmtp", "unix:/run/lmtp"]
        [pop3]
        listen = ["0.0.0.0:110"]
        listen_tls = []
        plaintext = "never"
        max_connections = 6
        max_connections_per_client = 7
        max_errors = 8
        idle_timeout = "20m"
        stall_timeout = "30s"
        [dns]
        servers = ["192.0.2.53", "[2001:db8::53]:5353"]
        [admin]
        listen = "127.0.0.1:0"
        socket = "/run/restante.sock"
        [tls]
        certificate = "chain.pem"
        key = "key.pem"
        [relay]
        mode = "smarthost"
        smarthost = "smtps://[2001:db8::25]"
        username = "us"
        password_file = "/etc/restante/smarthost"
        tls = "verify"
        destinations = ["Example.NET tls=off", ".example.net via=mx.internal tls=require", "bücher.example via=192.0.2.7:26"]
        port = 26
        source = ["192.0.2.3", "2001:db8::3"]
        connections = 4
        messages_per_connection = 9
        rate = 60
        first_retry = "1m"
        max_retry = "1h"
        life = "2d"
        delay_notice = "2h"
        connect_timeout = "5s"
        command_timeout = "6s"
        data_timeout = "7s"
        srs = false
        srs_domain = "srs.example.org"
        max_returned = "10KiB"
        [lists]
        url = "https://mail.example.org/"
        bounce_days = 2
        bounce_window = 5
        held_days = 1
        [quota]
        default = "1GiB"
        over = "reject"
        [password]
        memory = "64KiB"
        passes = 1
        lanes = 8
        [log]
        format = "json"
        level = "warn,restante::router=debug"
        retention = "2days"
        max_size = "32MiB"
        "#,
    );
    let Config { hostname, spool, mail, trash_days, session, routing, relay, server, admin, password, log, ledger, pop3, spool_log, lists } =
        config.unwrap();
    assert_eq!(spool_log, Bounds { segment: SEGMENT, total: 1 << 30 });
    let panel = Some("https://mail.example.org".into());
    assert_eq!((lists.panel, lists.bounce_days, lists.bounce_window, lists.held), (panel, 2, 5, SignedDuration::from_hours(24)));
    assert_eq!((hostname.as_str(), spool, trash_days), ("mail.example.org", PathBuf::from("/var/lib/restante"), 7));
    assert_eq!((mail.root, mail.default_quota, mail.over), (PathBuf::from("/srv/mail"), Some(1 << 30), maildir::Over::Reject));
    assert_eq!((session.max_message_size, session.max_recipients, session.max_errors, session.max_line), (1_000_000, 100, 3, Some(998)));
    assert_eq!((session.bare_newline, session.vrfy), (BareNewline::Reject, Vrfy::Disabled));
    assert_eq!((session.command_timeout, session.min_rate), (Duration::from_secs(90), 0));
    assert_eq!(session.hostname, "mail.example.org");
    let limits = router::Limits {
        hostname: Some("mail.example.org".parse().unwrap()),
        subaddress_separators: "+-".into(),
        postmaster: Some(Target::parse("boss@example.org").unwrap()),
        disabled: Disabled::SwitchedOff,
        relay: router::Relay::On,
        lists: router::Lists::On,
        max_depth: 1,
        max_fan_out: 2,
        max_total: 3,
    };
    assert_eq!(routing, limits);
    assert_eq!((server.smtp, server.smtp_tls), (vec![tcp("0.0.0.0:0"), tcp("[::]:25")], vec![tcp("127.0.0.1:465")]));
    assert_eq!(server.lmtp, [Listen::Unix("run/lmtp".into()), Listen::Unix("/run/lmtp".into())]);
    assert_eq!((server.max_connections, server.max_connections_per_client), (4, 5));
    assert_eq!((server.pop3, server.pop3_tls, server.plaintext), (vec![tcp("0.0.0.0:110")], vec![], Plaintext::Never));
    assert_eq!((server.max_callers, server.max_callers_per_client, server.stall_timeout), (6, 7, Duration::from_secs(30)));
    assert_eq!((pop3.hostname.as_str(), pop3.idle_timeout, pop3.max_errors), ("mail.example.org", Duration::from_secs(1200), 8));
    let networks: Vec<String> = server.proxy_from.iter().chain(&server.xclient_from).map(ToString::to_string).collect();
    assert_eq!(networks, ["192.0.2.1/32", "2001:db8::/32", "10.0.0.0/8"]);
    assert_eq!((server.reverse_lookup, server.shutdown_grace), (ReverseLookup::Off, Duration::ZERO));
    let resolvers: Vec<String> = server.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    assert_eq!(server.certificate, Certificate::Files { certificate: "chain.pem".into(), key: "key.pem".into() });
    assert_eq!((admin.listen, admin.socket), ("127.0.0.1:0".parse().unwrap(), PathBuf::from("/run/restante.sock")));
    assert_eq!((password.memory_kib, password.passes, password.lanes), (64, 1, 8));
    assert_eq!((log.format, log.level.as_str()), (Format::Json, "warn,restante::router=debug"));
    let login = Some(Login { username: "us".into(), password_file: "/etc/restante/smarthost".into() });
    let via = Via { host: HostName::Address("2001:db8::25".parse().unwrap()), port: 465 };
    assert_eq!(relay.mode, Mode::Smarthost(Smarthost { via, implicit_tls: true, login }));
    let exception = |domain: &str, subdomains, tls, via: Option<(HostName, u16)>| Exception {
        domain: domain.parse().unwrap(),
        subdomains,
        tls,
        via: via.map(|(host, port)| Via { host, port }),
    };
    let exceptions = [
        exception("example.net", false, Some(Tls::Off), None),
        exception("example.net", true, Some(Tls::Require), Some((HostName::Name("mx.internal".parse().unwrap()), 25))),
        exception("xn--bcher-kva.example", false, None, Some((HostName::Address("192.0.2.7".parse().unwrap()), 26))),
    ];
    assert_eq!(relay.exceptions, exceptions);
    assert_eq!((relay.hostname.as_str(), relay.port, relay.tls), ("mail.example.org", 26, Tls::Verify));
    let resolvers: Vec<String> = relay.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["192.0.2.53:53", "[2001:db8::53]:5353"]);
    let sources: Vec<String> = relay.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["192.0.2.3", "2001:db8::3"]);
    assert_eq!((relay.connections, relay.messages_per_connection, relay.rate), (4, 9, Some(60)));
    let seconds = Duration::from_secs;
    let schedule = Schedule { first_retry: seconds(60), max_retry: seconds(3600), life: seconds(2 * 86_400), delay_notice: seconds(7200) };
    let timeouts = Timeouts { connect: seconds(5), command: seconds(6), data_end: seconds(7), ..Timeouts::default() };
    assert_eq!((relay.schedule, relay.timeouts), (schedule, timeouts));
    assert_eq!((relay.srs, relay.srs_domain.as_ref().map(ToString::to_string).as_deref()), (false, Some("srs.example.org")));
    assert_eq!(relay.returned, 10 << 10);
    assert_eq!((ledger.folder, ledger.retention, ledger.max_size), (PathBuf::from("/var/lib/restante/ledger"), 2 * DAY, 32 << 20));
}

#[test]
fn folders_follow_the_spool() {
    let config = parse("spool.dir = '/var/spool/restante'").unwrap();
    assert_eq!(config.mail.root, Path::new("/var/spool/restante/mail"));
    assert_eq!(config.admin.socket, Path::new("/var/spool/restante/admin.sock"));
    assert_eq!(config.server.certificate, Certificate::SelfSigned { folder: "/var/spool/restante/tls".into() });
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let text = r#"hostname = "no domain"
colour = "blue"
[smpt]
listen = []
[smtp]
lisen = ["127.0.0.1:25"]
root = "x"
listen = "127.0.0.1:2525"
max_recipients = 99
max_message_size = "fifty"
max_line = "0"
bare_newline = "fix"
postmaster = "a b@c"
proxy_from = [
  "10.0.0.0/8",
  "10.0.0.0/33",
]
command_timeout = "0s"
reverse_lookup = "yes"
subaddress_separators = "a"
[lmtp]
listen = ["localhost:24"]
[tls]
key = "key.pem"
[relay]
mode = "smarthost"
[password]
memory = "1KiB"
[log]
level = "inof"
"#;
    let expected = [
        ":1: hostname: `no domain` is not a domain name: use letters, digits and hyphens in labels of at most 63 octets, with dots between them",
        ":2: colour: there is no such key; config/restante.toml lists them all",
        ":3: smpt: there is no such section; [smtp] is the nearest",
        ":6: smtp.lisen: there is no such key; `smtp.listen` is the nearest",
        ":7: smtp.root: there is no such key; `mail.root` is the nearest",
        ":8: smtp.listen: is a string: write a list of strings, as in `listen = [\"127.0.0.1:2525\"]`",
        ":9: smtp.max_recipients: is 99: write a number from 100 to 1048576",
        ":10: smtp.max_message_size: `fifty` is no size: write 50MiB, 1GB or 1000",
        ":11: smtp.max_line: is 0, which no line fits: write a size, or unlimited",
        ":12: smtp.bare_newline: `fix` is not among the choices: write \"normalize\" or \"reject\"",
        ":13: smtp.postmaster: `a b` is not a local part: quote it, or leave out spaces, control characters, `<>()[]:;,\\\"` and doubled dots; \
         write the name of an account, an address, or nothing",
        ":16: smtp.proxy_from: `10.0.0.0/33` is no address and no network: write 192.0.2.1 or 192.0.2.0/24",
        ":18: smtp.command_timeout: is no time at all: write a length such as 5m",
        ":19: smtp.reverse_lookup: is a string: write true or false, as in `reverse_lookup = true`",
        ":20: smtp.subaddress_separators: 'a' cannot set off a detail: write \"+\", or several such characters, as in \"+-\"",
        ":22: lmtp.listen: `localhost:24` is no address with a port: write 127.0.0.1:2525 or [::1]:2525, or unix:/path",
        ":24: tls.key: stands alone: set tls.certificate as well, or neither for a self-signed pair",
        ":26: relay.mode: \"smarthost\" needs to know which: set relay.smarthost, as in \"mail.example.net:587\"",
        ":28: password.memory: is too small: write 8KiB at least, 8KiB for each lane",
        ":30: log.level: `inof` is no level: write error, warn, info, debug or trace, or a filter such as info,restante::router=debug",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn text_that_is_no_toml_is_shown_with_the_rest() {
    let shown = problems("hostname = localhost\n[smtp\nmax_errors = 0\n");
    assert!(shown.iter().any(|line| line.starts_with(":1: not TOML here: ")), "{shown:?}");
    assert!(shown.iter().any(|line| line.starts_with(":2: not TOML here: ")), "{shown:?}");
    let shown = problems("[smtp]\nmax_errors = 0\nvrfy = \"x\"\nvrfy = \"disabled\"\nmin_rate = \"fast\"");
    assert!(shown.iter().any(|line| line.starts_with(":4: not TOML here: duplicate key")), "{shown:?}");
    assert!(shown.iter().any(|line| line.starts_with(":5: smtp.min_rate: ")), "{shown:?}");
}

#[test]
fn keys_are_checked_against_each_other() {
    for (text, expected) in [
        ("[smtp]\nlisten = ['127.0.0.1:2424']", ":2: smtp.listen: `127.0.0.1:2424` is wanted by lmtp.listen (its default) as well: "),
        ("[smtp]\nlisten = ['0.0.0.0:2424']", ":2: smtp.listen: `0.0.0.0:2424` is wanted by lmtp.listen (its default) as well: "),
        ("[lmtp]\nlisten = ['127.0.0.1:9', '127.0.0.1:9']", ":2: lmtp.listen: `127.0.0.1:9` is wanted by lmtp.listen as well: "),
        ("[lmtp]\nlisten = ['unix:a', 'unix:a']", ":2: lmtp.listen: `unix:a` is wanted by lmtp.listen as well: "),
        ("[lmtp]\nlisten = ['unix:spool/admin.sock']", ":2: lmtp.listen: `unix:spool/admin.sock` is admin.socket as well: "),
        ("[smtp]\nlisten = ['unix:/run/smtp']", ":2: smtp.listen: `unix:/run/smtp`: only lmtp.listen takes Unix sockets"),
        ("[mail]\nroot = './spool/'", ":2: mail.root: holds the spool folder"),
        ("[mail]\nroot = '.'", ":2: mail.root: holds the spool folder"),
        ("[mail]\nroot = 'spool/queue/mail'", ":2: mail.root: lies in `queue`, a folder of the spool"),
        ("[tls]\ncertificate = 'chain.pem'", ":2: tls.certificate: stands alone: set tls.key as well"),
        ("[password]\nlanes = 64\nmemory = '511KiB'", ":3: password.memory: is too small: write 512KiB at least"),
        ("[password]\nmemory = '19GiB'", ":2: password.memory: is too much for one hash: write 4GiB at most"),
        ("[relay]\nusername = 'us'", ":2: relay.username: stands alone: set relay.password_file as well"),
        ("[relay]\npassword_file = 'p'", ":2: relay.password_file: stands alone: set relay.username as well"),
        ("[relay]\nfirst_retry = '5h'", ":2: relay.max_retry: is shorter than relay.first_retry"),
        ("[relay]\nsmarthost = 'a:b:1'", ":2: relay.smarthost: `a:b:1` is no host: write mail.example.net"),
        ("[relay]\nsource = ['host']", ":2: relay.source: `host` is no address"),
        ("[relay]\nrate = 2000000", ":2: relay.rate: is 2000000: write a number from 0 to 1048576"),
        ("[relay]\ndestinations = ['example.org']", ":2: relay.destinations: `example.org` says nothing about the domain"),
        ("[relay]\ndestinations = ['example.org tls=yes']", ":2: relay.destinations: `yes`: write tls=opportunistic"),
        ("[relay]\ndestinations = ['example.org port=1']", ":2: relay.destinations: `port=1`: write tls=… or via=…"),
        ("smtp = 1", ":1: smtp: is a section: write [smtp]"),
        ("spool.max_log = '31MiB'", ":1: spool.max_log: is too little: write at least 32MiB"),
        ("[spool]\ndir = ''", ":2: spool.dir: is empty"),
    ] {
        let shown = problems(text);
        assert!(matches!(shown.as_slice(), [one] if one.starts_with(expected)), "{text}\n{shown:#?}");
    }
    let deep = format!("spool.dir = '/{}'", "d".repeat(100));
    let shown = problems(&deep);
    assert!(matches!(shown.as_slice(), [one] if one.starts_with(":1: admin.socket: the default, /ddd")), "{shown:?}");
}

#[test]
fn addresses_that_can_live_together_may() {
    for text in [
        "[smtp]\nlisten = ['127.0.0.1:0', '127.0.0.1:0']",
        "[smtp]\nlisten = ['127.0.0.1:7', '127.0.0.2:7', '[::1]:7']",
        "[smtp]\nlisten = ['0.0.0.0:7', '[::]:7']",
        "[smtp]\nlisten = []\n[lmtp]\nlisten = []",
    ] {
        assert_eq!(problems(text), [""; 0], "{text}");
    }
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restante.toml");
    let missing = config::load(&path).unwrap_err();
    assert!(matches!(missing, LoadError::Missing { .. }) && missing.to_string().contains("`restante init`"), "{missing}");
    assert!(matches!(config::load(folder.path()).unwrap_err(), LoadError::Unreadable { .. }));
    fs::write(&path, "\nhostnam = 1").unwrap();
    let invalid: LoadError = config::load(&path).unwrap_err();
    let expected = format!("{}:2: hostnam: there is no such key; `hostname` is the nearest", path.display());
    assert_eq!(invalid.to_string(), expected);
}

#[test]
fn other_encodings_are_told_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restante.toml");
    fs::write(&path, b"hostname = \"a\"\n# B\xfccher\n").unwrap();
    let told = config::load(&path).unwrap_err().to_string();
    assert_eq!(told, format!("{}:2: not UTF-8 here: save the file in that encoding", path.display()));
    fs::write(&path, "\"a\\nb\\u001b[31m\" = 1\n").unwrap();
    let told = config::load(&path).unwrap_err().to_string();
    assert!(told.contains(":1: a\\nb\\u{1b}[31m: there is no such key"), "what a key holds stays on its line: {told}");
    fs::write(&path, "\u{feff}hostname = \"a\"\r\n").unwrap();
    assert_eq!(config::load(&path).unwrap().hostname, "a", "as editors of other systems write it");
}

/// Text that is nearly a configuration.
fn nearly() -> impl Strategy<Value = String> {
    let lines: Vec<String> = config::reference().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let line =
        (prop::sample::select(lines), any::<prop::sample::Index>(), "\\PC{0,3}", any::<bool>()).prop_map(|(line, at, noise, keep)| {
            let at = (0..=line.len()).filter(|at| line.is_char_boundary(*at)).nth(at.index(line.len() + 1)).unwrap_or(0);
            let (head, tail) = line.split_at(at);
            if keep { line.clone() } else { format!("{head}{noise}{tail}") }
        });
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_file_holds_makes_it_panic(text in prop_oneof![nearly(), any::<String>()]) {
        let errors: Option<Errors> = parse(&text).err();
        let lines = text.lines().count().max(1) + 1;
        for problem in errors.iter().flat_map(Errors::problems) {
            prop_assert!(!problem.what.is_empty());
            prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
        }
    }
}
