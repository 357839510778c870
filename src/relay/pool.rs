//! Connections that wait for another message, and hosts that get their commands one by one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::client::Connection;
use super::target::NextHop;

/// How long a connection waits. Servers wait for us five minutes (RFC 5321 §4.5.3.2.7), and have better use for it.
const KEPT: Duration = Duration::from_secs(5);

/// Connections that wait at a time: each takes a file of the process.
const MOST: usize = 500;

/// How often it is looked whether one has waited long enough.
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Pool {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    waiting: HashMap<NextHop, Vec<Kept>>,
    count: usize,
    /// Somebody looks after it.
    is_swept: bool,
}

struct Kept {
    connection: Connection,
    address: IpAddr,
    since: Instant,
}

impl Pool {
    /// A connection to that next hop, if one is there that works.
    pub async fn take(&self, hop: &NextHop) -> Option<(Connection, IpAddr)> {
        loop {
            let Kept { mut connection, address, .. } = self.pop(hop)?;
            if connection.is_usable().await {
                return Some((connection, address));
            }
        }
    }

    /// The one used last: the others may go when there is less to do.
    fn pop(&self, hop: &NextHop) -> Option<Kept> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = inner.waiting.get_mut(hop)?;
        let kept = connections.pop();
        if connections.is_empty() {
            inner.waiting.remove(hop);
        }
        inner.count -= usize::from(kept.is_some());
        kept
    }

    /// Keeps a connection for a while, unless there are very many.
    pub fn put(self: &Arc<Self>, hop: NextHop, connection: Connection, address: IpAddr) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.count >= MOST {
            tokio::spawn(connection.close());
            return;
        }
        inner.count += 1;
        inner.waiting.entry(hop).or_default().push(Kept { connection, address, since: Instant::now() });
        if !std::mem::replace(&mut inner.is_swept, true) {
            tokio::spawn(Arc::clone(self).sweep());
        }
    }

    /// Closes what has waited long enough, until nothing waits.
    async fn sweep(self: Arc<Self>) {
        loop {
            time::sleep(SWEEP).await;
            let (old, done) = {
                let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                let mut old = Vec::new();
                for connections in inner.waiting.values_mut() {
                    old.extend(connections.extract_if(.., |kept| kept.since.elapsed() >= KEPT));
                }
                inner.waiting.retain(|_, connections| !connections.is_empty());
                inner.count -= old.len();
                let done = inner.waiting.is_empty();
                inner.is_swept = !done;
                (old, done)
            };
            old.into_iter().for_each(|kept| drop(tokio::spawn(kept.connection.close())));
            if done {
                return;
            }
        }
    }

    /// Closes all of them.
    pub async fn clear(&self) {
        let all: Vec<Kept> = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.count = 0;
            inner.waiting.drain().flat_map(|(_, connections)| connections).collect()
        };
        // At the same time: each may have a peer that does not answer.
        let closing: JoinSet<()> = all.into_iter().map(|kept| kept.connection.close()).collect();
        closing.join_all().await;
    }
}

/// Hosts that say PIPELINING and lose their way: for a day they get one command at a time.
#[derive(Default)]
pub(super) struct Shy(Mutex<HashMap<IpAddr, Instant>>);

/// How long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// How many are remembered.
const HOSTS: usize = 1000;

impl Shy {
    pub fn remember(&self, host: IpAddr) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, since| since.elapsed() < REMEMBERED);
        if hosts.len() < HOSTS {
            hosts.insert(host, Instant::now());
        }
    }

    pub fn is_known(&self, host: IpAddr) -> bool {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(&host).is_some_and(|since| since.elapsed() < REMEMBERED)
    }
}
