//! What an author's domain asks of receivers (RFC 7489 §6): looked up once in a while, and never waited for long.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::time;

use super::dress::Strict;
use crate::mail::Domain;

/// How long an answer is believed, and the absence of one.
const KEPT: Duration = Duration::from_secs(3600);

/// A posting does not wait longer than this for an answer: without one, nothing is rewritten.
const PATIENCE: Duration = Duration::from_secs(5);

/// Domains remembered.
const DOMAINS: usize = 10_000;

/// Asks, and remembers.
pub struct Dmarc {
    resolver: Option<TokioResolver>,
    known: Mutex<HashMap<String, (Instant, Strict)>>,
}

impl Dmarc {
    /// Asks these resolvers, or those that this machine is configured for.
    pub fn asking(resolvers: &[SocketAddr]) -> Self {
        let builder = if resolvers.is_empty() {
            TokioResolver::builder_tokio().ok()
        } else {
            let servers = resolvers.iter().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Some(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        Self { resolver: builder.and_then(|builder| builder.build().ok()), known: Mutex::default() }
    }

    /// What the domain of an author asks, or else the domain above it. A failure of DNS asks nothing.
    pub async fn policy(&self, domain: &Domain) -> Strict {
        let key = domain.as_str().to_owned();
        if let Some((since, strict)) = self.known().get(&key)
            && since.elapsed() < KEPT
        {
            return *strict;
        }
        let strict = time::timeout(PATIENCE, self.ask(domain.as_str())).await.unwrap_or_default();
        let mut known = self.known();
        if known.len() >= DOMAINS {
            known.clear();
        }
        known.insert(key, (Instant::now(), strict));
        strict
    }

    /// The domain itself, and then each domain above it that is not a top one. The organisational domain is among those, and the
    /// others have no record of this name.
    async fn ask(&self, domain: &str) -> Strict {
        let mut rest = domain;
        let mut itself = true;
        loop {
            if let Some(record) = self.record(rest).await {
                return strictness(&record, itself);
            }
            itself = false;
            match rest.split_once('.') {
                Some((_, above)) if above.contains('.') => rest = above,
                _ => return Strict::No,
            }
        }
    }

    async fn record(&self, domain: &str) -> Option<String> {
        let answer = self.resolver.as_ref()?.txt_lookup(format!("_dmarc.{domain}.")).await.ok()?;
        let texts = answer.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(text) => Some(text.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect::<String>()),
            _ => None,
        });
        texts.into_iter().find(|text| text.trim_start().starts_with("v=DMARC1"))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Strict)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

/// `p`, or for a subdomain `sp` where there is one.
fn strictness(record: &str, itself: bool) -> Strict {
    let tag = |name: &str| {
        let mut tags = record.split(';').filter_map(|tag| tag.split_once('='));
        tags.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    let policy = if itself { tag("p") } else { tag("sp").or_else(|| tag("p")) };
    match policy.as_deref() {
        Some("quarantine" | "reject") => Strict::Yes,
        _ => Strict::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_they_ask() {
        assert_eq!(strictness("v=DMARC1; p=none; sp=reject", true), Strict::No);
        assert_eq!(strictness("v=DMARC1; p=none; sp=reject", false), Strict::Yes);
        assert_eq!(strictness("v=DMARC1;P = Quarantine", true), Strict::Yes);
        assert_eq!(strictness("v=DMARC1; rua=mailto:x@y", true), Strict::No);
        assert_eq!(strictness("v=DMARC1; p=reject", false), Strict::Yes);
    }
}
