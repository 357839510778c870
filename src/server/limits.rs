//! How many connections there may be, in total and from one client.
//!
//! A client is a [`Network`]. Unix sockets count in the total only. A [`Place`] gives itself back when dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::mail::Network;
use crate::protocol::smtp::Busy;

/// The counts of one server.
#[derive(Debug)]
pub struct Limits {
    clients: Mutex<HashMap<Network, usize>>,
    total: watch::Sender<usize>,
}

/// One connection's place in the counts.
#[derive(Debug)]
pub struct Place {
    limits: Arc<Limits>,
    client: Option<Network>,
}

impl Limits {
    /// Nobody is here yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { clients: Mutex::default(), total: watch::Sender::new(0) })
    }

    /// Connections now.
    pub fn total(&self) -> usize {
        *self.total.borrow()
    }

    /// Waits until nobody is here any more.
    pub async fn empty(&self) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.total.subscribe().wait_for(|total| *total == 0).await;
    }

    /// A place for a new connection, unless `most` are here already.
    pub fn enter(self: &Arc<Self>, most: usize) -> Result<Place, Busy> {
        let entered = self.total.send_if_modified(|total| {
            let room = *total < most;
            *total += usize::from(room);
            room
        });
        if entered { Ok(Place { limits: Arc::clone(self), client: None }) } else { Err(Busy::Server) }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Counts the connection as one of this client's, unless that has `most` already.
    pub fn belongs_to(&mut self, address: IpAddr, most: usize) -> Result<(), Busy> {
        let client = Network::of(address);
        let mut clients = self.limits.clients();
        let count = clients.entry(client).or_default();
        if *count >= most {
            if *count == 0 {
                clients.remove(&client);
            }
            return Err(Busy::Client);
        }
        *count += 1;
        self.client = Some(client);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(client) = self.client {
            let mut clients = self.limits.clients();
            if let Some(count) = clients.get_mut(&client) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    clients.remove(&client);
                }
            }
        }
        self.limits.total.send_modify(|total| *total = total.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let limits = Limits::new();
        let first = limits.enter(2).unwrap();
        let second = limits.enter(2).unwrap();
        assert_eq!(limits.enter(2).err(), Some(Busy::Server));
        drop(first);
        assert!(limits.enter(2).is_ok());
        drop(second);
        assert_eq!(limits.total(), 0);
    }

    #[test]
    fn clients_are_ipv4_addresses_and_ipv6_networks() {
        let limits = Limits::new();
        let enter = |address: &str| {
            let mut place = limits.enter(100).unwrap();
            place.belongs_to(address.parse().unwrap(), 1).map(|()| place)
        };
        let _v4 = enter("192.0.2.1").unwrap();
        assert_eq!(enter("192.0.2.1").err(), Some(Busy::Client));
        assert_eq!(enter("::ffff:192.0.2.1").err(), Some(Busy::Client), "the same client on a dual-stack socket");
        let _other = enter("192.0.2.2").unwrap();
        let v6 = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::ffff:2").err(), Some(Busy::Client));
        let _next = enter("2001:db8:0:1::1").unwrap();
        drop(v6);
        assert!(enter("2001:db8::3").is_ok());
    }
}
