//! What the commands do and print when all is well.

use serde_json::{Value, json};

use crate::place::{Place, both_ways};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The record without what differs from run to run.
fn timeless(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        for key in ["created", "deleted", "password", "id"] {
            object.remove(key);
        }
    }
    value
}

#[test]
fn domains() {
    both_ways(|place| {
        place.done(&["master", "add", "olivia", "--role", "owner", "--generate"]);
        let added = place.json(&["domain", "add", "Bücher.Example.", "--owner", "olivia"]);
        assert_eq!(keys(&added), ["created", "domain", "owner", "unicode"]);
        assert_eq!(timeless(added.clone()), json!({"domain": "xn--bcher-kva.example", "unicode": "bücher.example", "owner": "olivia"}));
        assert_eq!(place.json(&["domain", "list"]), json!([added]));
        assert_eq!(place.json(&["domain", "edit", "bücher.example"])["owner"], Value::Null);
        let dry = place.json(&["domain", "delete", "bücher.example", "--dry-run"]);
        assert_eq!(dry, json!({"run": "dry", "effects": [{"effect": "domain_removed", "domain": "xn--bcher-kva.example"}]}));
        place.done(&["domain", "delete", "XN--BCHER-KVA.example"]);
        assert_eq!(place.json(&["domain", "list"]), json!([]));
    });
}

#[test]
fn a_domain_goes_with_all_that_is_in_it_when_told_so() {
    both_ways(|place| {
        place.peopled().done(&["alias", "add", "info@example.org", "alice"]);
        let refused = place.run(&["domain", "delete", "example.org"]).refused(4);
        assert!(refused.contains("--cascade"), "{refused}");
        let dry = place.done(&["domain", "delete", "example.org", "--cascade", "--dry-run"]).stdout;
        for gone in ["POP account alice", "POP account bob", "alias info@example.org", "domain example.org"] {
            assert!(dry.contains(gone), "{gone} in {dry}");
        }
        place.done(&["domain", "delete", "example.org", "--cascade"]);
        assert_eq!(place.json(&["pop", "list"]), json!([]));
        assert_eq!(place.json(&["alias", "list", "--hidden"]), json!([]));
    });
}

#[test]
fn masters() {
    both_ways(|place| {
        let added = place.json(&["master", "add", "Ada", "--role", "admin", "--generate"]);
        assert_eq!(keys(&added), ["created", "name", "password", "role"]);
        let listed = place.json(&["master", "list"]);
        let ada = listed.as_array().and_then(|all| all.iter().find(|master| master["name"] == "ada")).cloned().unwrap_or_default();
        assert_eq!(keys(&ada), ["created", "name", "role"], "a password is shown once");
        place.tell(&["master", "add", "olivia", "--role", "owner", "--password-stdin"], "correct-horse\n");
        let again = place.json(&["master", "passwd", "olivia", "--generate"]);
        assert!(again["password"].as_str().is_some_and(|password| password.len() >= 6), "{again}");
        place.done(&["master", "delete", "olivia"]);
        assert_eq!(place.json(&["master", "list"]).as_array().map(|all| all.iter().any(|m| m["name"] == "olivia")), Some(false));
    });
}

#[test]
fn a_pop_account_from_its_first_day_to_its_last() {
    both_ways(|place| {
        place.done(&["domain", "add", "example.org"]);
        let words =
            ["pop", "add", "Alice", "--domain", "example.org", "--owner", "Alice Ashford", "--quota", "1GiB", "--password-stdin", "--json"];
        let added = place.tell(&words, "päss-wörd\nnot this\n").json();
        let expected = json!({
            "name": "alice", "domain": "example.org", "owner": "Alice Ashford", "address": "alice@example.org", "quota": 1 << 30,
            "state": "active", "aliases": [], "hidden_alias": "alice@example.org", "size": 0, "messages": 0,
            "last_login": null,
        });
        assert_eq!(timeless(added.clone()), expected);
        assert!(added.get("password").is_none(), "a given password is never echoed");
        assert!(place.maildir("alice").join("new").is_dir(), "the Maildir comes with the account");
        assert_eq!(place.json(&["pop", "list"]), json!([added]));

        place.done(&["alias", "add", "info@example.org", "alice"]);
        let edited = place.json(&["pop", "edit", "alice", "--quota", "default", "--owner", "Front desk"]);
        assert_eq!(
            (&edited["quota"], &edited["owner"], &edited["aliases"]),
            (&Value::Null, &json!("Front desk"), &json!(["info@example.org"]))
        );
        assert_eq!(place.json(&["pop", "edit", "alice", "--quota", "unlimited"])["quota"], "unlimited");
        let words: String = place.done(&["pop", "show", "alice"]).stdout;
        assert!(words.lines().any(|line| line.contains("Quota") && line.contains("unlimited")), "{words}");
        assert_eq!(place.json(&["pop", "suspend", "alice"])["state"], "suspended");
        assert_eq!(place.json(&["pop", "resume", "alice"])["state"], "active");
        assert!(place.json(&["pop", "passwd", "alice", "--generate"])["password"].is_string());

        std::fs::write(place.maildir("alice").join("new/1.test"), "Subject: hi\n\nhi\n").expect("a message");
        let renamed = place.json(&["pop", "rename", "alice", "desk", "--keep-alias"]);
        assert_eq!(renamed["aliases"], json!(["alice@example.org", "info@example.org"]));
        assert_eq!((&renamed["messages"], &renamed["hidden_alias"]), (&json!(1), &json!("desk@example.org")));
        assert!(place.maildir("desk").join("new/1.test").exists() && !place.maildir("alice").exists());

        let dry = place.json(&["pop", "delete", "desk", "--dry-run"]);
        let gone = place.json(&["pop", "delete", "desk", "--yes"]);
        assert_eq!(dry["effects"], gone["effects"], "the dry run tells the truth");
        assert_eq!(place.json(&["alias", "list", "--hidden"]), json!([]));
        assert!(!place.maildir("desk").exists());
        let trash = place.json(&["pop", "trash"]);
        assert_eq!(keys(&trash[0]), ["deleted", "domain", "entries", "id", "name", "owner"]);

        let restored = place.json(&["pop", "restore", "desk"]);
        assert_eq!(restored["pop"]["aliases"], json!(["alice@example.org", "info@example.org"]));
        assert!(place.maildir("desk").join("new/1.test").exists(), "the mail is back");
    });
}

#[test]
fn a_taken_name_is_helped_along() {
    both_ways(|place| {
        place.peopled().done(&["domain", "add", "example.net"]);
        let words = ["pop", "add", "alice", "--domain", "example.net", "--owner", "Another Alice", "--generate"];
        let refused = place.run(&words).refused(4);
        assert!(
            refused.contains("POP account") && refused.contains("alice-example-net") && refused.contains("alice@example.net"),
            "{refused}"
        );
        let added = place.json(&[words.as_slice(), &["--suggest"]].concat());
        assert_eq!((&added["name"], &added["aliases"]), (&json!("alice-example-net"), &json!(["alice@example.net"])));
        let trace = place.json(&["trace", "alice@example.net"]);
        assert_eq!(trace["mailboxes"][0]["name"], "alice-example-net");
    });
}

#[test]
fn aliases() {
    both_ways(|place| {
        place.peopled();
        let words = ["alias", "add", "Info@Example.org", "alice", "--note", "front desk", "--expires", "2100-01-31"];
        let expected = json!({
            "address": "info@example.org", "targets": ["alice"], "hidden": false, "enabled": true, "note": "front desk",
            "expires": "2100-01-31T00:00:00Z", "last_used": null, "uses": 0,
        });
        assert_eq!(timeless(place.json(&words)), expected);
        assert_eq!(
            place.json(&["alias", "add", "info@example.org", "bob", "carol@example.com"])["targets"],
            json!(["alice", "bob", "carol@example.com"])
        );
        place.done(&["alias", "add", "@example.org", "discard"]);
        place.done(&["alias", "add", "old@example.org", "reject:We have moved"]);

        let addresses = |words: &[&str]| -> Vec<String> {
            let listed = place.json(words);
            listed
                .as_array()
                .map(|all| all.iter().filter_map(|alias| alias["address"].as_str().map(str::to_owned)).collect())
                .unwrap_or_default()
        };
        assert_eq!(addresses(&["alias", "list"]), ["@example.org", "info@example.org", "old@example.org"]);
        assert_eq!(addresses(&["alias", "list", "--target", "bob", "--hidden"]), ["bob@example.org", "info@example.org"]);
        assert_eq!(addresses(&["alias", "list", "--domain", "example.net"]), [""; 0]);

        assert_eq!(place.json(&["alias", "disable", "info@example.org"])["enabled"], false);
        assert_eq!(place.json(&["alias", "enable", "info@example.org"])["enabled"], true);
        let removed = place.json(&["alias", "remove", "info@example.org", "bob"]);
        assert_eq!(removed["effects"], json!([{"effect": "entry_removed", "address": "info@example.org", "target": "bob"}]));
        place.done(&["alias", "remove", "info@example.org"]);
        assert_eq!(addresses(&["alias", "list"]), ["@example.org", "old@example.org"]);
    });
}

#[test]
fn lists() {
    both_ways(|place| {
        place.peopled();
        let added = place.json(&["list", "add", "staff", "--domain", "example.org", "--owner", "alice", "--post", "anyone", "alice"]);
        let expected = json!({
            "name": "staff", "domain": "example.org", "address": "staff@example.org", "owner": "alice", "posting": "anyone", "members": ["alice"],
            "member_count": 1, "description": "", "tag": false,
        });
        assert_eq!(timeless(added), expected);
        assert_eq!(
            place.json(&["list", "members", "staff", "add", "bob", "carol@example.com"])["members"],
            json!(["alice", "bob", "carol@example.com"])
        );
        assert_eq!(place.json(&["list", "members", "staff", "remove", "alice"])["members"], json!(["bob", "carol@example.com"]));
        assert_eq!(place.json(&["list", "show", "staff"]), place.json(&["list", "show"])[0]);
        place.done(&["list", "delete", "staff"]);
        assert_eq!(place.json(&["list", "list"]), json!([]));
    });
}

#[test]
fn trails() {
    both_ways(|place| {
        place.peopled();
        place.done(&["alias", "add", "support@example.org", "bob"]);
        place.done(&["alias", "add", "help@example.org", "support@example.org", "alice"]);
        let trace = place.json(&["trace", "Help+spring@example.org", "--from", "<>"]);
        assert_eq!(keys(&trace), ["code", "lists", "mailboxes", "recipient", "relays", "reply", "steps"]);
        assert_eq!((&trace["code"], &trace["recipient"]), (&json!(250), &json!("Help+spring@example.org")));
        let mut names: Vec<_> =
            trace["mailboxes"].as_array().into_iter().flatten().filter_map(|mailbox| mailbox["name"].as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["alice", "bob"]);
        assert!(trace["steps"].as_array().is_some_and(|steps| steps.iter().all(|step| keys(step) == ["answer", "question"])));
        assert_eq!(trace["steps"][0], json!({"question": "What does MAIL FROM:<> hear?", "answer": "250 2.1.0 Ok"}));
        let text = place.done(&["trace", "help@example.org", "--from", "<jos\u{e9}@example.com>"]).stdout;
        assert!(text.starts_with("What does MAIL FROM:<jos\u{e9}@example.com> hear? 250 2.1.0 Ok\nIs example.org"), "{text}");
        let text = place.done(&["trace", "help@example.org"]).stdout;
        assert!(!text.contains("MAIL FROM"), "nobody asked: {text}");
        assert!(text.contains("250 2.1.5 Ok") && text.contains("spool/mail/alice"), "{text}");

        for (address, code, reply) in [("nobody@example.org", 3, "550 5.1.1"), ("a@elsewhere.example", 1, "550 5.7.1")] {
            let printed = place.run(&["trace", address, "--json"]);
            assert_eq!(printed.code, code, "{printed:?}");
            assert!(printed.json()["reply"].as_str().is_some_and(|text| text.starts_with(reply)), "{printed:?}");
        }
    });
}

#[test]
fn init_makes_what_is_missing_and_never_overwrites() {
    let place = Place::new();
    std::fs::remove_file(place.config()).expect("it is there");
    let first = place.json(&["init"]);
    assert!(first["password"].is_string(), "{first}");
    let written = std::fs::read_to_string(place.config()).expect("it is written");
    assert_eq!(place.done(&["check"]).stdout, "ok\n");
    assert_eq!(place.json(&["master", "list"])[0]["name"], "admin");

    std::fs::write(place.config(), format!("{written}\n# mine\n")).expect("it is written");
    assert_eq!(place.json(&["init"])["made"], json!([]));
    assert_eq!(std::fs::read_to_string(place.config()).ok(), Some(format!("{written}\n# mine\n")));
}

#[test]
fn the_configuration_is_found_where_it_is_named() {
    let place = Place::new();
    let elsewhere = place.path().join("elsewhere.toml");
    std::fs::rename(place.config(), &elsewhere).expect("it moves");
    let elsewhere = elsewhere.display().to_string();
    place.done(&["domain", "add", "example.org", "--config", &elsewhere]);
    let printed = place.command(&["domain", "list", "--json"]).env("RESTANTE_CONFIG", &elsewhere).output().expect("restante runs");
    assert!(String::from_utf8_lossy(&printed.stdout).contains("example.org"), "{printed:?}");
    let missing = place.run(&["domain", "list", "--config", "missing.toml"]).refused(1);
    assert!(missing.contains("missing.toml"), "{missing}");
}

#[test]
fn help_completions_and_manual() {
    let place = Place::new();
    let help = place.done(&["--help"]).stdout;
    for command in [
        "serve",
        "init",
        "check",
        "demo",
        "domain",
        "master",
        "pop",
        "alias",
        "list",
        "trace",
        "test",
        "export",
        "import",
        "completions",
        "man",
    ] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command} in {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.done(&["completions", shell]).stdout.contains("restante"), "{shell}");
    }
    let manual = place.done(&["man"]).stdout;
    for part in [".TH restante", "POP DELETE", "keep\\-alias"] {
        assert!(manual.contains(part), "{part}");
    }
    assert_eq!(place.run(&["--version"]).stdout, format!("restante {}\n", env!("CARGO_PKG_VERSION")));
}
