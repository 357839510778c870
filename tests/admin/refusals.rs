//! Bad input: one line that says what to do, the right exit code, and nothing changed.

use serde_json::json;

use crate::place::{Place, both_ways};

#[test]
fn wishes_that_clash() {
    both_ways(|place| {
        place.peopled();
        place.done(&["alias", "add", "info@example.org", "alice"]);
        place.done(&["alias", "add", "help@example.org", "info@example.org"]);
        place.done(&["master", "add", "ada", "--role", "admin", "--generate"]);
        let clashes: &[(&[&str], &[&str])] = &[
            (&["domain", "add", "EXAMPLE.org"], &["example.org"]),
            (&["master", "add", "alice", "--role", "admin", "--generate"], &["alice", "POP account"]),
            (
                &["pop", "add", "ada", "--domain", "example.org", "--owner", "x", "--generate"],
                &["master", "ada-example-org", "ada@example.org"],
            ),
            (&["list", "add", "bob", "--domain", "example.org", "--owner", "alice"], &["POP account"]),
            (&["pop", "add", "info", "--domain", "example.org", "--owner", "x", "--generate"], &["info@example.org", "alias"]),
            (&["pop", "rename", "alice", "bob"], &["bob"]),
            (&["alias", "add", "info@example.org", "help@example.org"], &["info@example.org -> help@example.org"]),
            (&["alias", "remove", "alice@example.org"], &["hidden alias of `alice`"]),
            (&["alias", "add", "alice@example.org", "bob"], &["hidden alias of `alice`"]),
        ];
        let before = place.done(&["export"]).stdout;
        for (words, said) in clashes {
            let line = place.run(words).refused(4);
            assert!(said.iter().all(|part| line.contains(part)), "{words:?}: {line}");
        }
        assert_eq!(place.done(&["export"]).stdout, before, "nothing was changed");
    });
}

#[test]
fn things_that_do_not_exist() {
    both_ways(|place| {
        place.peopled();
        let missing: &[&[&str]] = &[
            &["pop", "show", "zoe"],
            &["pop", "edit", "zoe", "--owner", "x"],
            &["pop", "passwd", "zoe", "--generate"],
            &["pop", "suspend", "zoe"],
            &["pop", "rename", "zoe", "zara"],
            &["pop", "delete", "zoe", "--dry-run"],
            &["pop", "delete", "zoe", "--yes"],
            &["pop", "restore", "zoe"],
            &["pop", "add", "zoe", "--domain", "nowhere.example", "--owner", "x", "--generate"],
            &["domain", "delete", "nowhere.example"],
            &["domain", "add", "example.net", "--owner", "nobody"],
            &["master", "passwd", "nobody", "--generate"],
            &["master", "delete", "nobody"],
            &["alias", "add", "a@nowhere.example", "alice"],
            &["alias", "add", "a@example.org", "zoe"],
            &["alias", "add", "a@example.org", "missing@example.org"],
            &["alias", "remove", "a@example.org"],
            &["alias", "enable", "a@example.org"],
            &["list", "show", "staff"],
            &["list", "delete", "staff"],
            &["list", "members", "staff", "add", "alice"],
            &["trace", "nobody@example.org"],
            &["import", "missing.jsonl"],
        ];
        for words in missing {
            let printed = place.run(words);
            assert_eq!((printed.code, printed.stderr.lines().count()), (3, 1), "{words:?}: {printed:?}");
        }
    });
}

#[test]
fn command_lines_that_make_no_sense() {
    let place = Place::new();
    place.peopled();
    let wrong: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["pop", "add", "zoe"],
        &["pop", "add", "not a name", "--domain", "example.org", "--owner", "x", "--generate"],
        &["pop", "add", "zoe", "--domain", "exa mple", "--owner", "x", "--generate"],
        &["pop", "add", "zoe", "--domain", "example.org", "--owner", "x", "--generate", "--password-stdin"],
        &["pop", "add", "zoe", "--domain", "example.org", "--owner", "x", "--password", "secret"],
        &["pop", "add", "zoe", "--domain", "example.org", "--owner", "x", "--quota", "much", "--generate"],
        &["pop", "add", "zoe", "--domain", "example.org", "--owner", "x"],
        &["pop", "add", "zoe", "--domain", "example.org", "--owner", "Zoe\u{9b}31m", "--generate"],
        &["pop", "edit", "alice"],
        &["pop", "delete", "alice"],
        &["alias", "add", "info@example.org"],
        &["alias", "add", "not an address", "alice"],
        &["alias", "add", "info@example.org", "reject:"],
        &["alias", "add", "info@example.org", "alice", "--expires", "tomorrow"],
        &["master", "add", "ada", "--role", "king", "--generate"],
        &["trace", "not an address"],
        &["trace", "alice@example.org", "--from", "not an address"],
        &["test", "alice@example.org", "--timeout", "soon"],
    ];
    for words in wrong {
        let printed = place.run(words);
        assert_eq!(printed.code, 2, "{words:?}: {printed:?}");
        assert!(!printed.stderr.is_empty(), "{words:?} says what is wrong");
    }
    assert_eq!(place.json(&["pop", "list"]).as_array().map(Vec::len), Some(2));
}

#[test]
fn passwords_that_do_not_fit() {
    both_ways(|place| {
        place.peopled();
        let long = "x".repeat(1025);
        for (password, said) in [
            ("kurz!\n", "at least 6"),
            ("with space\n", "white space"),
            ("with\u{a0}space\n", "white space"),
            ("with\ttab\n", "white space"),
            (long.as_str(), "at most 1024"),
            ("\n", "no password"),
            ("", "no password"),
        ] {
            for words in [
                ["pop", "passwd", "alice", "--password-stdin"].as_slice(),
                &["pop", "add", "zoe", "--domain", "example.org", "--owner", "x", "--password-stdin"],
                &["master", "add", "ada", "--role", "admin", "--password-stdin"],
            ] {
                let line = place.tell(words, password).refused(1);
                assert!(line.contains(said), "{line}");
                assert!(password.trim().is_empty() || !line.contains(password.trim()), "it is never echoed: {line}");
            }
        }
        assert_eq!(place.run(&["pop", "show", "zoe"]).code, 3);
    });
}

#[test]
fn a_broken_configuration_is_told_whole() {
    let place = Place::new();
    std::fs::write(place.config(), "hostnam = \"x\"\n[smtp]\nlisten = [\"nowhere\"]\nmax_recipients = 3\n").expect("it is written");
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, 1, "{checked:?}");
    for part in ["restante.toml:1", "hostnam", "restante.toml:3", "smtp.listen", "restante.toml:4", "smtp.max_recipients"] {
        assert!(checked.stderr.contains(part), "{part} in {}", checked.stderr);
    }
    assert_eq!(place.run(&["serve"]).code, 1);
    assert_eq!(place.run(&["pop", "list"]).code, 1);
}

#[test]
fn a_directory_without_its_socket() {
    let mut place = Place::new();
    place.serve();
    std::fs::rename(place.path().join("spool/admin.sock"), place.path().join("spool/hidden.sock")).expect("it moves");
    let line = place.run(&["pop", "list"]).refused(1);
    assert!(line.contains("in use") && line.contains("admin.socket"), "{line}");
}

#[test]
fn two_admins_at_once() {
    let mut place = Place::new();
    place.serve();
    place.peopled();
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let one = |n: usize| {
            let place = &place;
            scope.spawn(move || place.run(&["pop", "rename", "alice", &format!("alice{n}")]).code)
        };
        let running: Vec<_> = (0..4).map(one).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "one wins: {codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 3).count(), 3, "the others hear that it is gone: {codes:?}");
    assert_eq!(place.json(&["pop", "list"]).as_array().map(Vec::len), Some(2));
    assert_eq!(place.json(&["trace", "bob@example.org"])["code"], json!(250));
}
