//! Names of client addresses, for trace fields alone: no decision rests on them.
//!
//! A name counts only if it leads back to the address (RFC 8601 §3, `iprev`). Sessions never wait for it, and a flood of
//! connections is not turned into a flood of queries: beyond [`QUERIES`] at a time, addresses stay nameless.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use tokio::sync::{Semaphore, oneshot};
use tokio::time;

use crate::sys::dns::{self, RData};

/// Lookups under way at a time.
const QUERIES: usize = 256;

/// A name that takes longer than this comes too late for most messages.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names that are tried: an address with more is set up wrongly, or made to keep us busy.
const CANDIDATES: usize = 4;

/// Looks names up.
pub struct Names {
    resolver: TokioResolver,
    room: Arc<Semaphore>,
}

impl Names {
    /// Asks these resolvers, or those that this machine is configured for; nothing if it is configured for none.
    pub fn asking(resolvers: &[SocketAddr]) -> Option<Self> {
        Some(Self { resolver: dns::resolver(resolvers).ok()?, room: Arc::new(Semaphore::new(QUERIES)) })
    }

    /// Begins to look for the name of an address. The receiver never hears of a name that does not exist.
    pub fn look_up(&self, address: IpAddr) -> Option<oneshot::Receiver<String>> {
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let (sender, receiver) = oneshot::channel();
        let resolver = self.resolver.clone();
        tokio::spawn(async move {
            if let Ok(Some(name)) = time::timeout(PATIENCE, verified(&resolver, address)).await {
                // The session may be over by now.
                let _ = sender.send(name);
            }
            drop(room);
        });
        Some(receiver)
    }
}

async fn verified(resolver: &TokioResolver, address: IpAddr) -> Option<String> {
    let answer = resolver.reverse_lookup(address).await.ok()?;
    let names = answer.answers().iter().filter_map(|record| match &record.data {
        RData::PTR(name) => Some(name.0.clone()),
        _ => None,
    });
    for name in names.take(CANDIDATES) {
        let Ok(addresses) = resolver.lookup_ip(name.clone()).await else { continue };
        if addresses.iter().any(|candidate| candidate.to_canonical() == address) {
            let text = name.to_ascii();
            return Some(text.strip_suffix('.').unwrap_or(&text).to_owned());
        }
    }
    None
}
