//! What DNS may say, and what follows.

use super::*;
use crate::mail::AddressError;
use crate::relay::settings::tests::settings;

fn mx(preference: u16, lot: u32, name: &str) -> Exchange {
    Exchange { preference, lot, name: name.to_owned() }
}

fn at(ip: &str) -> Address {
    Address { ip: ip.parse().expect("an address"), is_ours: false } // constants of these tests
}

fn domain() -> Domain {
    Domain::parse("example.org").expect("a domain") // a constant
}

/// The names in order, or the status of the refusal.
fn named(records: Vec<Exchange>) -> Result<Vec<String>, String> {
    match exchanges(&domain(), Answer::Found(records), "mx.here.example") {
        Ok(Exchanges::Named(named)) => Ok(named.into_iter().map(|exchange| exchange.name).collect()),
        Ok(Exchanges::Implicit) => Ok(vec!["implicit".into()]),
        Err(trouble) => Err(trouble.status.to_string()),
    }
}

#[test]
fn order_is_by_preference_and_then_by_lot() {
    assert_eq!(named(vec![mx(20, 1, "c"), mx(10, 9, "b"), mx(10, 3, "a")]), Ok(["a", "b", "c"].map(str::to_owned).to_vec()));
    assert_eq!(named(vec![mx(10, 1, "b"), mx(10, 9, "a")]), Ok(["b", "a"].map(str::to_owned).to_vec()));
    assert_eq!(named(vec![]), Ok(vec!["implicit".into()]));
}

#[test]
fn a_null_mx_is_final_and_means_nothing_beside_others() {
    assert_eq!(named(vec![mx(0, 0, "")]), Err("5.1.10".into()));
    assert_eq!(named(vec![mx(0, 0, ""), mx(10, 0, "a")]), Ok(vec!["a".into()]));
}

#[test]
fn hosts_behind_ourselves_are_cut_off() {
    let list = |ours: u16| vec![mx(10, 0, "a"), mx(ours, 0, "MX.here.example"), mx(30, 0, "c")];
    assert_eq!(named(list(20)), Ok(vec!["a".into()]));
    assert_eq!(named(list(10)), Err("5.4.6".into()));
    let by_address = |preference| {
        let ours = Address { is_ours: true, ..at("192.0.2.9") };
        let named = vec![(mx(10, 0, "a"), Answer::Found(vec![at("192.0.2.1")])), (mx(preference, 0, "b"), Answer::Found(vec![ours]))];
        hosts(&domain(), named).map(|hosts| hosts.len()).map_err(|trouble| trouble.status.to_string())
    };
    assert_eq!((by_address(20), by_address(10)), (Ok(1), Err("5.4.6".into())));
    // Even behind more hosts than are looked at.
    let mut many: Vec<Exchange> = (0..1000).map(|lot| mx(10, lot, &format!("h{lot}"))).collect();
    assert_eq!(named(many.clone()).map(|hosts| hosts.len()), Ok(HOSTS));
    many.push(mx(10, 2000, "mx.here.example"));
    assert_eq!(named(many), Err("5.4.6".into()));
}

#[test]
fn what_is_not_known_waits_and_what_is_known_ends() {
    let status = |answer| exchanges(&domain(), answer, "x").map(|_| ()).map_err(|trouble| trouble.status.to_string());
    assert_eq!(status(Answer::NoSuchName), Err("5.1.2".into()));
    assert_eq!(status(Answer::Unknown("timeout".into())), Err("4.4.3".into()));
    let addresses = |answers: Vec<Answer<Address>>| {
        let named = answers.into_iter().map(|answer| (mx(10, 0, "a"), answer)).collect();
        hosts(&domain(), named).map(|hosts| hosts.len()).map_err(|trouble| trouble.status.to_string())
    };
    let unknown = || Answer::Unknown("timeout".into());
    assert_eq!(addresses(vec![unknown(), Answer::Found(vec![at("192.0.2.1")])]), Ok(1));
    assert_eq!(addresses(vec![unknown(), Answer::NoSuchName]), Err("4.4.3".into()));
    assert_eq!(addresses(vec![Answer::Nothing, Answer::NoSuchName]), Err("5.4.4".into()));
    let lone = |answer| host("example.org", answer).map(|_| ()).map_err(|trouble| trouble.status.to_string());
    assert_eq!(lone(Answer::Nothing), Err("5.4.4".into()));
    assert_eq!(lone(Answer::NoSuchName), Err("5.1.2".into()));
    assert_eq!(lone(Answer::Found(vec![Address { is_ours: true, ..at("127.0.0.1") }])), Err("5.4.6".into()));
}

#[test]
fn families_take_turns_and_their_number_is_bounded() {
    let found: Vec<Address> = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3"].map(at).to_vec();
    let order: Vec<String> = alternating(&found).iter().map(ToString::to_string).collect();
    assert_eq!(order, ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    let many: Vec<Address> = (0..200).map(|last| at(&format!("192.0.2.{last}"))).collect();
    assert_eq!(alternating(&many).len(), ADDRESSES);
}

#[test]
fn the_next_hop_follows_the_address_and_the_settings() -> Result<(), AddressError> {
    let shown = |settings: &Settings, to: &str| {
        let hop = Mailbox::parse(to).map(|to| NextHop::of(&to, settings));
        hop.map(|hop| hop.map_or_else(|trouble| trouble.status.to_string(), |hop| format!("{hop} {:?}", hop.tls)))
    };
    let mut settings = settings();
    assert_eq!(shown(&settings, "a@Example.ORG")?, "example.org Opportunistic");
    assert_eq!(shown(&settings, "a@[192.0.2.1]")?, "[192.0.2.1] Opportunistic");
    assert_eq!(shown(&settings, "a@[IPv6:2001:db8::1]")?, "[2001:db8::1] Opportunistic");
    let via = Via { host: HostName::Address("2001:db8::9".parse().expect("an address")), port: 26 }; // a constant
    settings.exceptions = vec![
        crate::relay::settings::Exception { domain: domain(), subdomains: false, tls: Some(Tls::Require), via: None },
        crate::relay::settings::Exception { domain: domain(), subdomains: true, tls: None, via: Some(via) },
    ];
    assert_eq!(shown(&settings, "a@example.org")?, "example.org Require");
    assert_eq!(shown(&settings, "a@x.example.org")?, "[2001:db8::9]:26 Opportunistic");
    settings.mode = Mode::Off;
    assert_eq!(shown(&settings, "a@example.org")?, "4.3.0");
    assert_eq!(shown(&settings, "a@x.example.org")?, "[2001:db8::9]:26 Opportunistic");
    Ok(())
}
