//! Properties over arbitrary graphs of aliases, sound or not.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use restante::directory::{State, Switch, Target};
use restante::mail::{ForwardPath, Mailbox};
use restante::protocol::smtp::Reply;
use restante::router::{Decision, Limits, Route, Step, route};

use super::memory::{Memory, Outcome, limits};

const LOCALS: [&str; 6] = ["a", "b", "c", "a+x", "b+y", "postmaster"];
const DOMAINS: [&str; 3] = ["one.example", "two.example", "far.example"];
const POPS: [&str; 3] = ["p1", "p2", "p3"];

/// One alias of a graph: its key, its targets, whether it is in use.
type Entry = (String, Vec<Target>, bool);

fn address() -> impl Strategy<Value = String> {
    (prop::sample::select(&LOCALS[..]), prop::sample::select(&DOMAINS[..])).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => address(), 1 => prop::sample::select(&DOMAINS[..2]).prop_map(|domain| format!("@{domain}"))]
}

fn target() -> impl Strategy<Value = Target> {
    let text = prop_oneof![
        6 => address(),
        6 => prop::sample::select(&POPS[..]).prop_map(str::to_owned),
        2 => prop::sample::select(&DOMAINS[..]).prop_map(|domain| format!("@{domain}")),
        1 => prop::sample::select(vec!["discard", "reject:no", "nobody", "someone@else.example", "announce"]).prop_map(str::to_owned),
    ];
    text.prop_filter_map("not a target", |text| Target::parse(&text).ok())
}

fn graph() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (key(), prop::collection::vec(target(), 0..5), prop::bool::weighted(0.9));
    prop::collection::vec(entry, 0..16)
}

fn directory(graph: &[Entry]) -> Outcome<Memory> {
    let mut memory = Memory::default();
    memory.domain(DOMAINS[0])?;
    memory.domain(DOMAINS[1])?;
    for name in POPS {
        memory.pop(name, DOMAINS[0], State::Active)?;
    }
    memory.list("announce", DOMAINS[1])?;
    for (key, targets, used) in graph {
        memory.put(key, targets.clone())?.switch = if *used { Switch::Enabled } else { Switch::Disabled };
    }
    Ok(memory)
}

fn routed(graph: &[Entry], to: &str, limits: &Limits) -> Outcome<Route> {
    let path = if to == "postmaster" { ForwardPath::Postmaster } else { ForwardPath::Mailbox(Mailbox::parse(to)?) };
    Ok(route(&directory(graph)?, &path, limits, Timestamp::UNIX_EPOCH))
}

/// What a route comes to, whatever the order in which it was found and the bound that was met first.
fn meaning(route: &Route) -> (BTreeSet<String>, Option<String>) {
    match &route.decision {
        Decision::Deliver { mailboxes, .. } => (mailboxes.iter().map(|m| m.name.to_string()).collect(), None),
        Decision::Refuse(Reply::ExpansionLimit { .. }) => (BTreeSet::new(), Some("bound".into())),
        Decision::Refuse(reply) => (BTreeSet::new(), Some(reply.to_string())),
    }
}

fn tight() -> impl Strategy<Value = Limits> {
    (1usize..6, 1usize..5, 1usize..12).prop_map(|(max_depth, max_fan_out, max_total)| Limits {
        max_depth,
        max_fan_out,
        max_total,
        postmaster: Target::parse("p1").ok(),
        ..limits()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_ends_within_its_bounds(graph in graph(), to in address(), limits in tight()) {
        let route = routed(&graph, &to, &limits).map_err(|e| TestCaseError::fail(e.to_string()))?;
        // Up to four questions an entry (domain, exact, base, catch-all), as many for the recipient and its fallbacks.
        prop_assert!(route.trail.steps().len() <= 5 * limits.max_total + 16, "{}", route.trail);
        prop_assert!(route.followed.len() <= limits.max_total + 3);
        prop_assert_eq!(route.trail.reply(), &route.decision.reply());
    }

    #[test]
    fn each_mailbox_and_each_alias_comes_once(graph in graph(), to in address()) {
        let route = routed(&graph, &to, &limits()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let aliases: BTreeSet<_> = route.followed.iter().collect();
        prop_assert_eq!(aliases.len(), route.followed.len());
        if let Decision::Deliver { mailboxes, relays, lists } = &route.decision {
            let ids: BTreeSet<_> = mailboxes.iter().map(|mailbox| mailbox.id).collect();
            prop_assert_eq!(ids.len(), mailboxes.len());
            prop_assert!(relays.is_empty() && lists.is_empty());
            let discarded = route.trail.steps().contains(&Step::Discard);
            prop_assert!(!mailboxes.is_empty() || discarded, "accepted for nobody:\n{}", route.trail);
        }
    }

    #[test]
    fn the_order_of_entries_decides_nothing(
        graph in graph(),
        to in address(),
        limits in prop_oneof![Just(limits()), tight()],
        turns in prop::collection::vec(any::<Index>(), 16),
    ) {
        let mut turned = graph.clone();
        for ((_, targets, _), turn) in turned.iter_mut().zip(turns) {
            if !targets.is_empty() {
                let by = turn.index(targets.len());
                targets.rotate_left(by);
                targets.reverse();
            }
        }
        let fail = |e: Box<dyn std::error::Error>| TestCaseError::fail(e.to_string());
        let (one, other) = (routed(&graph, &to, &limits).map_err(fail)?, routed(&turned, &to, &limits).map_err(fail)?);
        prop_assert_eq!(meaning(&one), meaning(&other), "{}\n---\n{}", one.trail, other.trail);
    }

    #[test]
    fn an_unreadable_directory_never_says_no_such_user(graph in graph(), to in address()) {
        let fail = |e: Box<dyn std::error::Error>| TestCaseError::fail(e.to_string());
        let mut memory = directory(&graph).map_err(fail)?;
        memory.break_at(&to).map_err(fail)?;
        let path = ForwardPath::Mailbox(Mailbox::parse(&to).map_err(|e| TestCaseError::fail(e.to_string()))?);
        let route = route(&memory, &path, &limits(), Timestamp::UNIX_EPOCH);
        let expected = if to.ends_with(DOMAINS[2]) { Reply::RelayDenied } else { Reply::DirectoryUnreadable };
        prop_assert_eq!(route.decision, Decision::Refuse(expected));
    }
}

#[test]
fn a_lattice_of_a_thousand_paths_delivers_once() -> Outcome {
    let mut memory = Memory::default();
    memory.domain(DOMAINS[0])?;
    memory.pop("p1", DOMAINS[0], State::Active)?;
    for level in 0..10 {
        let below = |side: &str| format!("{side}{}@one.example", level + 1);
        for side in ["l", "r"] {
            memory.alias(&format!("{side}{level}@one.example"), &[&below("l"), &below("r")])?;
        }
    }
    memory.alias("l10@one.example", &["p1"])?;
    memory.alias("r10@one.example", &["p1@one.example", "p1"])?;
    let to = ForwardPath::Mailbox(Mailbox::parse("l0@one.example")?);
    let route = route(&memory, &to, &limits(), Timestamp::UNIX_EPOCH);
    let Decision::Deliver { mailboxes, .. } = &route.decision else { panic!("{}", route.trail) };
    assert_eq!(mailboxes.len(), 1);
    assert_eq!(route.followed.len(), 22, "{:?}", route.followed);
    Ok(())
}
