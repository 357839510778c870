//! `domain`, `alias`.

use std::io::{self, IsTerminal};

use hyper::Method;
use serde_json::json;

use super::accounts::{confirm, moment};
use super::args::{AliasCommand, DomainCommand};
use super::connection::{Connection, NOTHING, segment, with_query};
use super::failure::Failure;
use super::output::{Listing, Output, Row};
use crate::admin::operations::{Removal, aliases, domains};
use crate::mail::Domain;

pub(super) async fn domain(connection: &Connection, output: Output, command: DomainCommand) -> Result<(), Failure> {
    match command {
        DomainCommand::Add { domain, owner } => {
            let request = json!({ "domain": domain, "owner": owner });
            output.record(&connection.call::<_, domains::Shown>(Method::POST, "/domains", Some(&request)).await?)
        }
        DomainCommand::Edit { domain, owner } => {
            let path = format!("/domains/{}", segment(domain));
            output.record(&connection.call::<_, domains::Shown>(Method::PATCH, &path, Some(&json!({ "owner": owner }))).await?)
        }
        DomainCommand::List => {
            let mut listing = Listing::new(output);
            connection.pages("/domains", &[], |page: Vec<domains::Shown>| listing.add(&page)).await?;
            listing.end("no domains; add one with `restante domain add`")
        }
        DomainCommand::Delete { domain, cascade, dry_run, yes } => {
            let path = |dry: bool| removal_path(&domain, cascade, dry);
            // Without --cascade nothing but the domain itself can go; in a script, --cascade is the consent.
            if cascade && !dry_run && !yes && io::stdin().is_terminal() {
                let preview: Removal = connection.call(Method::DELETE, &path(true), NOTHING).await?;
                confirm(&preview)?;
            }
            output.removal(&connection.call(Method::DELETE, &path(dry_run), NOTHING).await?)
        }
    }
}

fn removal_path(domain: &Domain, cascade: bool, dry: bool) -> String {
    with_query(&format!("/domains/{}", segment(domain)), &[("cascade", cascade.to_string()), ("dry_run", dry.to_string())])
}

pub(super) async fn alias(connection: &Connection, output: Output, command: AliasCommand) -> Result<(), Failure> {
    match command {
        AliasCommand::Add { address, targets, note, expires } => {
            let request = json!({ "address": address, "targets": targets, "note": note, "expires": expires.map(|when| when.0) });
            output.record(&connection.call::<_, aliases::Shown>(Method::POST, "/aliases", Some(&request)).await?)
        }
        AliasCommand::Remove { address, targets, dry_run } => {
            let at = format!("/aliases/{}", segment(address));
            let dry = [("dry_run", dry_run.to_string())];
            let removal: Removal = if targets.is_empty() {
                connection.call(Method::DELETE, &with_query(&at, &dry), NOTHING).await?
            } else {
                let path = with_query(&format!("{at}/remove"), &dry);
                connection.call(Method::POST, &path, Some(&json!({ "targets": targets }))).await?
            };
            output.removal(&removal)
        }
        AliasCommand::Enable { address } => switch(connection, output, &segment(address), "enable").await,
        AliasCommand::Disable { address } => switch(connection, output, &segment(address), "disable").await,
        AliasCommand::List { hidden, domain, target } => {
            let mut filter = vec![("hidden", hidden.to_string())];
            filter.extend(domain.map(|domain| ("domain", domain.to_string())));
            filter.extend(target.map(|target| ("target", target.to_string())));
            let mut listing = Listing::new(output);
            connection.pages("/aliases", &filter, |page: Vec<aliases::Shown>| listing.add(&page)).await?;
            listing.end("no such aliases; add one with `restante alias add`")
        }
    }
}

async fn switch(connection: &Connection, output: Output, address: &str, what: &str) -> Result<(), Failure> {
    output.record(&connection.call::<_, aliases::Shown>(Method::POST, &format!("/aliases/{address}/{what}"), Some(&json!({}))).await?)
}

impl Row for domains::Shown {
    const HEADINGS: &'static [&'static str] = &["Domain", "Shown as", "Owner", "Created"];

    fn cells(&self) -> Vec<String> {
        let owner = self.owner.as_ref().map(ToString::to_string).unwrap_or_default();
        vec![self.domain.to_string(), self.unicode.clone(), owner, moment(self.created)]
    }
}

impl Row for aliases::Shown {
    const HEADINGS: &'static [&'static str] = &["Alias", "Leads to", "State", "Note", "Expires", "Last used", "Uses"];

    fn cells(&self) -> Vec<String> {
        let state = match (self.enabled, self.hidden) {
            (true, false) => "enabled",
            (true, true) => "enabled, hidden",
            (false, false) => "disabled",
            (false, true) => "disabled, hidden",
        };
        vec![
            self.address.to_string(),
            self.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            state.into(),
            self.note.clone(),
            self.expires.map(moment).unwrap_or_default(),
            self.last_used.map(moment).unwrap_or_default(),
            self.uses.to_string(),
        ]
    }
}
