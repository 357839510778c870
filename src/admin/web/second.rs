//! One's own second factor: set up with a picture, done without against a code.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

use super::form::{self, Errors};
use super::layout::{Failure, Here, after, csrf, page};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Shared};
use crate::admin::operations::second;
use crate::admin::problem::Problem;

/// White squares around the picture (ISO/IEC 18004 wants four).
const QUIET: usize = 4;

/// What the account page says of it.
pub fn section(visitor: &Visitor, is_set: bool, errors: &Errors) -> Markup {
    html! {
        section.entry #second aria-labelledby="second-title" {
            h2 #second-title { "Second factor" }
            @if is_set {
                p { "Each login asks for a code of your authenticator." }
                form method="post" action="/account/second/off" {
                    (csrf(visitor))
                    div.fields { (form::text("code", "Code", &Fields::default(), errors).autocomplete("one-time-code").required()) }
                    div.buttons { button.danger type="submit" { "Do without it" } p.hint { "A code of the authenticator, or a recovery code." } }
                }
            } @else {
                p { "A code of an authenticator, beside the password, at each login. Tokens do not ask for it." }
                form method="post" action="/account/second/new" { (csrf(visitor)) div.buttons { button type="submit" { "Set up" } } }
            }
        }
    }
}

/// Shows a new secret, and asks for a code of it.
pub async fn begin(Sent { visitor, .. }: Sent) -> Answer {
    Ok(enrol(&visitor, second::new_secret(), &Errors::default()).await?.into_response())
}

async fn enrol(visitor: &Visitor, secret: String, errors: &Errors) -> Result<Markup, Failure> {
    let (name, shown) = (visitor.name().clone(), secret.clone());
    let address = visitor.run(move |context, _| Ok(second::address(context, &name, &shown))).await?;
    let body = html! {
        div.title { h1 { "Second factor" } p { "Take the picture with your authenticator, or type the secret into it; then type the code that it shows." } }
        section.entry.enrol aria-label="Set up" {
            (picture(&address))
            form method="post" action="/account/second" {
                (csrf(visitor))
                input type="hidden" name="secret" value=(secret);
                p.secret { code { (grouped(&secret)) } }
                (form::text("code", "Code", &Fields::default(), errors).autocomplete("one-time-code").required().focused())
                div.buttons { button.primary type="submit" { "Turn it on" } a.button href="/account" { "Cancel" } }
            }
        }
    };
    Ok(page(visitor, Here::Account, "Second factor", &body))
}

/// Turns it on; shows the recovery codes this once.
pub async fn set_up(Sent { visitor, fields }: Sent) -> Answer {
    let (secret, code) = (fields.get("secret").to_owned(), fields.get("code").to_owned());
    let given = secret.clone();
    match visitor.run(move |context, caller| second::set_up(context, caller, &given, &code)).await {
        Ok(codes) => {
            let body = html! {
                div.title { h1 { "Second factor" } p { "It is on: your next login asks for a code." } }
                div.once role="status" {
                    p { "Recovery codes, for the day that your authenticator is lost. Each is good once, and they are shown this once: keep them now." }
                    ul.codes { @for code in &codes { li { code { (code) } } } }
                }
                p { a.button href="/account" { "I have kept them" } }
            };
            Ok(page(&visitor, Here::Account, "Second factor", &body).into_response())
        }
        Err(problem) => {
            let errors = Errors::of(&problem, &["code"]);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, enrol(&visitor, secret, &errors).await?).into_response())
        }
    }
}

/// Turns it off.
pub async fn turn_off(State(panel): Shared, Sent { visitor, fields }: Sent) -> Answer {
    let (code, name) = (fields.get("code").to_owned(), visitor.name().clone());
    let spent = panel.login.may_try(&name);
    let done = match spent {
        Ok(()) => visitor.run(move |context, caller| second::give_up(context, caller, &code)).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(()) => Ok(Redirect::to(&after("/account", "changed", visitor.name().as_str())).into_response()),
        Err(problem) => {
            panel.login.tried_in_vain(&name);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, super::account::with_errors(&visitor, &problem).await?).into_response())
        }
    }
}

/// The words beside the field.
pub fn errors(problem: &Problem) -> Errors {
    Errors::one("code", problem.detail.clone())
}

/// In groups of four, to be typed.
fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The picture: dark squares on white, whatever the page's colours are, since cameras want it so.
fn picture(address: &str) -> Markup {
    let Ok(code) = QrCode::with_error_correction_level(address, EcLevel::M) else { return html! {} };
    let (width, colors) = (code.width(), code.to_colors());
    let dark = colors.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
    let path: String = dark.map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET)).collect();
    let side = width + 2 * QUIET;
    html! {
        svg.picture viewBox=(format!("0 0 {side} {side}")) role="img" aria-label="The secret as a QR code; the same in letters stands beside it" shape-rendering="crispEdges" {
            rect.light width=(side) height=(side) {}
            path.dark d=(path) {}
        }
    }
}
