//! `master`, `pop`, `list`.

use std::io::{self, BufRead, IsTerminal};

use hyper::Method;
use serde_json::{Map, Value, json};

use super::args::{ListCommand, MasterCommand, OnOff, PasswordSource, PopCommand, Quota};
use super::connection::{Connection, NOTHING, segment, with_query};
use super::failure::Failure;
use super::members;
use super::output::{Listing, Output, Row, STRONG, describe, note, styled};
use super::password;
use crate::admin::operations::{Removal, handling, held, lists, masters, pops, trash};
use crate::directory::{Posting, Role, State, UNLIMITED};
use crate::mail::Name;

pub(super) async fn master(connection: &Connection, output: Output, command: MasterCommand) -> Result<(), Failure> {
    match command {
        MasterCommand::Add { name, role, password } => {
            let mut request = object(json!({ "name": name, "role": Role::from(role) }));
            password::ask(password, &mut request)?;
            let added: masters::Shown = connection.call(Method::POST, "/masters", Some(&request)).await?;
            shown_once(output, &added, added.password.as_deref())
        }
        MasterCommand::List => {
            let mut listing = Listing::new(output);
            connection.pages("/masters", &[], |page: Vec<masters::Shown>| listing.add(&page)).await?;
            listing.end("no masters")
        }
        MasterCommand::Passwd { name, password } => {
            let set: masters::Shown = set_password(connection, &format!("/masters/{}", segment(&name)), password).await?;
            password_set(output, &set, &name, set.password.as_deref())
        }
        MasterCommand::Totp { name, reset } => {
            let at = format!("/masters/{}", segment(&name));
            let shown: masters::Shown = if reset {
                connection.call(Method::DELETE, &format!("{at}/second-factor"), NOTHING).await?
            } else {
                connection.get(&at).await?
            };
            output.record(&shown)
        }
        MasterCommand::Delete { name } => {
            let removal: Removal = connection.call(Method::DELETE, &format!("/masters/{}", segment(name)), NOTHING).await?;
            output.removal(&removal)
        }
    }
}

pub(super) async fn pop(connection: &Connection, output: Output, command: PopCommand) -> Result<(), Failure> {
    match command {
        PopCommand::Add { name, domain, owner, quota, password, suggest } => {
            let quota = quota.map(|Quota(quota)| quota);
            let mut request = object(json!({ "name": name, "domain": domain, "owner": owner, "quota": quota, "suggest": suggest }));
            password::ask(password, &mut request)?;
            let added: pops::Shown = connection.call(Method::POST, "/pops", Some(&request)).await?;
            if added.name != name {
                note(&format!("the name {name} is taken; created {}, and the alias {name}@{domain} -> {}", added.name, added.name))?;
            }
            shown_once(output, &added, added.password.as_deref())
        }
        PopCommand::List { domain } => {
            let filter: Vec<_> = domain.iter().map(|domain| ("domain", domain.to_string())).collect();
            let mut listing = Listing::new(output);
            connection.pages("/pops", &filter, |page: Vec<pops::Shown>| listing.add(&page)).await?;
            listing.end("no POP accounts; add one with `restante pop add`")
        }
        PopCommand::Show { name } => output.record(&connection.get::<pops::Shown>(&at(&name)).await?),
        PopCommand::Edit { name, owner, domain, quota } => edit(connection, output, &name, object(edits(owner, domain, quota))).await,
        PopCommand::Passwd { name, password } => {
            let set: pops::Shown = set_password(connection, &at(&name), password).await?;
            password_set(output, &set, &name, set.password.as_deref())
        }
        PopCommand::Suspend { name } => act(connection, output, &name, "suspend", &json!({})).await,
        PopCommand::Resume { name } => act(connection, output, &name, "resume", &json!({})).await,
        PopCommand::Rename { name, new, keep_alias } => {
            act(connection, output, &name, "rename", &json!({ "name": new, "keep_alias": keep_alias })).await
        }
        PopCommand::Handling { name } => output.record(&connection.get::<handling::Shown>(&format!("{}/handling", at(&name))).await?),
        PopCommand::Copies { name, targets, .. } => members::copies(connection, output, &at(&name), targets).await,
        PopCommand::Vacation { name, text_file, from, until, off: _ } => {
            let span = members::Span { from, until };
            members::vacation(connection, output, &at(&name), text_file.as_deref(), span).await
        }
        PopCommand::Delete { name, dry_run, yes } => delete_pop(connection, output, &name, dry_run, yes).await,
        PopCommand::Restore { name, id } => restore(connection, output, &name, id).await,
        PopCommand::Trash => {
            let mut listing = Listing::new(output);
            connection.pages("/trash", &[], |page: Vec<trash::Shown>| listing.add(&page)).await?;
            listing.end("the trash is empty")
        }
    }
}

pub(super) async fn list(connection: &Connection, output: Output, command: ListCommand) -> Result<(), Failure> {
    let at = |name: &Name| format!("/lists/{}", segment(name));
    match command {
        ListCommand::Add { name, domain, owner, post, members } => {
            let request = json!({ "name": name, "domain": domain, "owner": owner, "posting": Posting::from(post), "members": members });
            output.record(&connection.call::<_, lists::Shown>(Method::POST, "/lists", Some(&request)).await?)
        }
        ListCommand::Show { name: Some(name) } => output.record(&connection.get::<lists::Shown>(&at(&name)).await?),
        ListCommand::List | ListCommand::Show { name: None } => {
            let mut listing = Listing::new(output);
            connection.pages("/lists", &[], |page: Vec<lists::Shown>| listing.add(&page)).await?;
            listing.end("no list accounts; add one with `restante list add`")
        }
        ListCommand::Edit { name, owner, post, description, tag } => {
            let mut request = Map::new();
            request.extend(owner.map(|owner| ("owner".to_owned(), owner.to_string().into())));
            request.extend(post.map(|post| ("posting".to_owned(), json!(Posting::from(post)))));
            request.extend(description.map(|description| ("description".to_owned(), description.into())));
            request.extend(tag.map(|tag| ("tag".to_owned(), (tag == OnOff::On).into())));
            if request.is_empty() {
                return Err(Failure::usage("nothing to change; give --owner, --post, --description or --tag"));
            }
            output.record(&connection.call::<_, lists::Shown>(Method::PATCH, &at(&name), Some(&request)).await?)
        }
        ListCommand::Members { name, what } => members::members(connection, output, &at(&name), what).await,
        ListCommand::Held { name } => {
            let found: Vec<held::Shown> = connection.get(&format!("{}/held", at(&name))).await?;
            let mut listing = Listing::new(output);
            listing.add(&found)?;
            listing.end("no message waits")
        }
        ListCommand::Approve { id } => members::decide(connection, output, &format!("/held/{id}/approve"), &json!({})).await,
        ListCommand::Refuse { id, reason } => {
            members::decide(connection, output, &format!("/held/{id}/refuse"), &json!({ "reason": reason })).await
        }
        ListCommand::Delete { name, dry_run } => {
            let path = with_query(&at(&name), &[("dry_run", dry_run.to_string())]);
            output.removal(&connection.call(Method::DELETE, &path, NOTHING).await?)
        }
    }
}

fn at(name: &Name) -> String {
    format!("/pops/{}", segment(name))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn edits(owner: Option<String>, domain: Option<crate::mail::Domain>, quota: Option<Quota>) -> Value {
    let mut request = Map::new();
    request.extend(owner.map(|owner| ("owner".to_owned(), owner.into())));
    request.extend(domain.map(|domain| ("domain".to_owned(), domain.to_string().into())));
    request.extend(quota.map(|Quota(quota)| ("quota".to_owned(), quota)));
    request.into()
}

async fn edit(connection: &Connection, output: Output, name: &Name, request: Map<String, Value>) -> Result<(), Failure> {
    if request.is_empty() {
        return Err(Failure::usage("nothing to change; give --owner, --domain or --quota"));
    }
    output.record(&connection.call::<_, pops::Shown>(Method::PATCH, &at(name), Some(&request)).await?)
}

async fn act(connection: &Connection, output: Output, name: &Name, what: &str, request: &Value) -> Result<(), Failure> {
    let path = format!("{}/{what}", at(name));
    output.record(&connection.call::<_, pops::Shown>(Method::POST, &path, Some(request)).await?)
}

async fn set_password<T: serde::de::DeserializeOwned>(connection: &Connection, path: &str, source: PasswordSource) -> Result<T, Failure> {
    let mut request = Map::new();
    password::ask(source, &mut request)?;
    connection.call(Method::PUT, &format!("{path}/password"), Some(&request)).await
}

async fn restore(connection: &Connection, output: Output, name: &Name, id: Option<u64>) -> Result<(), Failure> {
    let restored: pops::Restored = connection.call(Method::POST, &format!("{}/restore", at(name)), Some(&json!({ "id": id }))).await?;
    match output {
        Output::Json => output.json(&restored),
        Output::Text => restored.effects.iter().try_for_each(|effect| output.line(&describe(effect, ""))),
    }
}

async fn delete_pop(connection: &Connection, output: Output, name: &Name, dry_run: bool, yes: bool) -> Result<(), Failure> {
    let dry = with_query(&at(name), &[("dry_run", "true".into())]);
    if dry_run {
        return output.removal(&connection.call(Method::DELETE, &dry, NOTHING).await?);
    }
    if !yes {
        let preview: Removal = connection.call(Method::DELETE, &dry, NOTHING).await?;
        confirm(&preview)?;
    }
    output.removal(&connection.call(Method::DELETE, &at(name), NOTHING).await?)
}

/// Shows what would go, and asks; without a terminal there is nobody to ask.
pub(super) fn confirm(preview: &Removal) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("no terminal to ask whether this may go; give --yes to do it, or --dry-run to see what goes"));
    }
    preview.effects.iter().try_for_each(|effect| note(&describe(effect, "will be ")))?;
    note("Go on? [y/N]")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::failed("not confirmed; nothing was changed")) }
}

/// Prints a record with the password that was generated for it: the only time that it is shown.
fn shown_once<T: Row>(output: Output, record: &T, password: Option<&str>) -> Result<(), Failure> {
    output.record(record)?;
    password.map_or(Ok(()), |password| output.line(&format!("password: {}", styled(STRONG, password))))
}

fn password_set<T: Row>(output: Output, record: &T, name: &Name, password: Option<&str>) -> Result<(), Failure> {
    match (output, password) {
        (Output::Json, _) => output.json(record),
        (Output::Text, Some(password)) => output.line(&format!("password: {}", styled(STRONG, password))),
        (Output::Text, None) => output.line(&format!("the password of {name} is set")),
    }
}

impl Row for masters::Shown {
    const HEADINGS: &'static [&'static str] = &["Master", "Role", "Created", "Second factor"];

    fn cells(&self) -> Vec<String> {
        let role = if self.role == Role::Admin { "admin" } else { "owner" };
        let second = if self.second_factor { "yes" } else { "no" };
        vec![self.name.to_string(), role.into(), moment(self.created), second.into()]
    }
}

impl Row for pops::Shown {
    const HEADINGS: &'static [&'static str] =
        &["POP account", "Owner", "Domain", "Aliases", "Size", "Messages", "Quota", "Last login", "State"];

    fn cells(&self) -> Vec<String> {
        let unknown = || "unreadable".to_owned();
        vec![
            self.name.to_string(),
            self.owner.clone(),
            self.domain.unicode(),
            self.aliases.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            self.size.map_or_else(unknown, size),
            self.messages.map_or_else(unknown, |messages| messages.to_string()),
            match self.quota {
                None => "default".into(),
                Some(UNLIMITED) => "unlimited".into(),
                Some(octets) => size(octets),
            },
            self.last_login.map_or_else(|| "never".into(), moment),
            if self.state == State::Active { "active" } else { "suspended" }.into(),
        ]
    }
}

impl Row for trash::Shown {
    const HEADINGS: &'static [&'static str] = &["POP account", "Id", "Owner", "Domain", "Deleted", "Alias entries"];

    fn cells(&self) -> Vec<String> {
        let entries: Vec<String> = self.entries.iter().map(|entry| format!("{} -> {}", entry.address, entry.target)).collect();
        vec![
            self.name.to_string(),
            self.id.0.to_string(),
            self.owner.clone(),
            self.domain.unicode(),
            moment(self.deleted),
            entries.join(", "),
        ]
    }
}

impl Row for lists::Shown {
    const HEADINGS: &'static [&'static str] = &["List", "Address", "Owner", "May post", "Members", "Created"];

    fn cells(&self) -> Vec<String> {
        let posting = match self.posting {
            Posting::Anyone => "anyone",
            Posting::Members => "members",
            Posting::Owner => "owner",
            Posting::Moderated => "moderated",
        };
        let mut members: Vec<String> = self.members.iter().map(ToString::to_string).collect();
        if self.member_count > members.len() as u64 {
            members.push(format!("and {} more", self.member_count - members.len() as u64));
        }
        vec![
            self.name.to_string(),
            self.address.unicode(),
            self.owner.to_string(),
            posting.into(),
            members.join(", "),
            moment(self.created),
        ]
    }
}

fn size(octets: u64) -> String {
    bytesize::ByteSize(octets).display().iec().to_string()
}

/// A moment, to the second.
pub(super) fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
