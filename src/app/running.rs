//! A server that runs: what a reload changes, and how it ends.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

use super::run_file::{Addresses, RunFile};
use super::{commands, start};
use crate::admin::Context;
use crate::config::Config;
use crate::relay::schedule::Dispatch;
use crate::server::Service;
use crate::server::tls::TlsError;
use crate::telemetry::Event;

/// A server that accepts.
pub struct Running {
    /// What sessions work with.
    pub service: Arc<Service>,
    /// What administrators work with.
    pub context: Arc<Context>,
    /// What sends mail on.
    pub dispatch: Arc<Dispatch>,
    /// Where it listens.
    pub addresses: Addresses,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) run_file: RunFile,
    pub(super) socket: PathBuf,
    pub(super) stop: watch::Sender<bool>,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Takes a new configuration and the certificate that it names, and tells which keys only a restart changes. When it is
    /// refused, nothing has changed.
    pub fn reload(&self, config: Config) -> Result<Vec<&'static str>, TlsError> {
        self.service.tls.reload(&config.server.certificate, &config.hostname)?;
        if let Err(error) = self.dispatch.set_settings(Arc::clone(&config.relay)) {
            Event::TaskFailed { task: "reading the certificates of this machine", cause: &error.to_string() }.say();
        }
        let restart = need_restart(&self.config.load(), &config);
        self.service.maildirs.set_default_quota(config.mail.default_quota);
        self.service.logins.set_cost(config.password);
        self.service.rules.store(Arc::new(start::rules(&config)));
        self.service.lists.set_rules(config.lists.clone());
        self.context.rules.store(Arc::new(commands::rules(&config)));
        self.service.office.set_limits(config.routing.clone());
        match start::srs(&config) {
            Ok(srs) => self.service.office.set_srs(srs),
            Err(error) => Event::TaskFailed { task: "reading the secrets of rewritten senders", cause: &error.to_string() }.say(),
        }
        self.config.store(Arc::new(config));
        Ok(restart)
    }

    /// Stops accepting, says 421 to idle sessions, lets transactions under way end within the grace, and puts everything in
    /// order.
    pub async fn stop(self) {
        let grace = self.service.rules.load().server.shutdown_grace;
        let (limits, callers) = (&self.service.limits, &self.service.callers);
        Event::Stopping { connections: limits.total() + callers.total() }.say();
        self.service.stopping.send_replace(true);
        // Whoever is still there afterwards is counted, and cut off when the runtime ends.
        let _ = time::timeout(grace, async { tokio::join!(limits.empty(), callers.empty()) }).await;
        let cut = limits.total() + callers.total();
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that panicked has ended, which is what we wait for.
            let _ = task.await;
        }
        self.service.ledger.flush().await;
        // Somebody may have removed it before us.
        let _ = fs::remove_file(&self.socket);
        drop(self.run_file);
        Event::Stopped { cut }.say();
    }
}

/// The keys whose values differ, and which are read once. Compared with the configuration that was read last, so that a
/// difference is told once.
fn need_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("hostname", old.hostname != new.hostname),
        ("spool.dir", old.spool != new.spool),
        ("spool.max_log", old.spool_log != new.spool_log),
        ("mail.root", old.mail.root != new.mail.root),
        ("smtp.listen", old.server.smtp != new.server.smtp),
        ("smtp.listen_tls", old.server.smtp_tls != new.server.smtp_tls),
        ("lmtp.listen", old.server.lmtp != new.server.lmtp),
        ("dns.servers", old.server.resolvers != new.server.resolvers),
        ("pop3.listen", old.server.pop3 != new.server.pop3),
        ("pop3.listen_tls", old.server.pop3_tls != new.server.pop3_tls),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("admin.socket", old.admin.socket != new.admin.socket),
        ("log.retention", old.ledger.retention != new.ledger.retention),
        ("log.max_size", old.ledger.max_size != new.ledger.max_size),
        ("log.format", old.log.format != new.log.format),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
