//! `audit`.

use hyper::Method;

use super::accounts::moment;
use super::args::AuditCommand;
use super::connection::{Connection, NOTHING, with_query};
use super::failure::Failure;
use super::output::{Listing, Output, Row, describe};
use crate::admin::operations::Page;
use crate::admin::operations::audit::{Difference, Shown};

/// Changes of one request.
const PAGE: usize = 500;

pub(super) async fn audit(connection: &Connection, output: Output, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List { about, actor, limit } => {
            let mut filter = Vec::new();
            filter.extend(about.map(|about| ("about", about)));
            filter.extend(actor.map(|actor| ("actor", actor)));
            list(connection, output, &filter, limit).await
        }
        AuditCommand::Undo { revision } => {
            output.record(&connection.call::<_, Shown>(Method::POST, &format!("/audit/{revision}/undo"), NOTHING).await?)
        }
    }
}

async fn list(connection: &Connection, output: Output, filter: &[(&str, String)], limit: usize) -> Result<(), Failure> {
    let mut listing = Listing::new(output);
    let (mut left, mut after) = (limit, None);
    while left > 0 {
        let mut query = filter.to_vec();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(after.take().map(|after| ("after", after)));
        let page: Page<Shown> = connection.get(&with_query("/audit", &query)).await?;
        listing.add(&page.items)?;
        left = left.saturating_sub(page.items.len());
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    listing.end("no such change")
}

impl Row for Shown {
    const HEADINGS: &'static [&'static str] = &["REVISION", "TIME", "WHO", "WHAT", "BEFORE AND AFTER", "UNDO"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.revision.0.to_string(),
            moment(self.at),
            self.actor.clone(),
            self.effects.iter().map(|effect| describe(effect, "")).collect::<Vec<_>>().join("; "),
            self.differences.iter().map(changed).collect::<Vec<_>>().join("; "),
            if self.can_be_undone { "possible" } else { "" }.to_owned(),
        ]
    }
}

fn changed(difference: &Difference) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    format!("{} {}: {} -> {}", difference.record, difference.field, value(&difference.before), value(&difference.after))
}
