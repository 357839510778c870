//! Fields of forms: label, control, hint, and the message of what is wrong, tied together for screen readers.

use maud::{Markup, Render, html};

use super::visitor::Fields;
use crate::admin::problem::Problem;

/// What is wrong with a form: by field, or with the whole of it.
#[derive(Debug, Clone, Default)]
pub struct Errors(Vec<(String, String)>);

impl Errors {
    /// One message, beside a field; `""` for the whole form.
    pub fn one(field: &str, message: impl Into<String>) -> Self {
        Self(vec![(field.to_owned(), message.into())])
    }

    /// What an operation refused, beside the field that it names, if the form has it.
    pub fn of(problem: &Problem, known: &[&str]) -> Self {
        let field = problem.field().filter(|field| known.contains(field)).unwrap_or_default();
        Self::one(field, problem.detail.clone())
    }

    /// Adds a message, if there is one, and gives the value.
    pub fn note<T, E: std::fmt::Display>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.0.push((field.to_owned(), error.to_string()))).ok()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn beside(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == field).map(|(_, message)| message.as_str())
    }

    /// What is wrong with the form as a whole.
    pub fn general(&self) -> Markup {
        html! { @if let Some(message) = self.beside("") { p.error role="alert" { (message) } } }
    }
}

/// One field.
pub struct Field<'a> {
    name: &'a str,
    label: &'a str,
    error: Option<&'a str>,
    hint: Markup,
    control: Control<'a>,
    attributes: Attributes<'a>,
}

#[derive(Default)]
struct Attributes<'a> {
    autocomplete: Option<&'a str>,
    placeholder: Option<&'a str>,
    check: Option<&'a str>,
    required: bool,
    focused: bool,
    class: &'a str,
}

enum Control<'a> {
    Input { kind: &'a str, value: &'a str },
    Lines { value: &'a str },
    Choice { value: &'a str, options: Vec<(String, String)> },
}

fn field<'a>(name: &'a str, label: &'a str, errors: &'a Errors, control: Control<'a>) -> Field<'a> {
    Field { name, label, error: errors.beside(name), hint: html! {}, control, attributes: Attributes::default() }
}

/// A line of text.
pub fn text<'a>(name: &'a str, label: &'a str, fields: &'a Fields, errors: &'a Errors) -> Field<'a> {
    field(name, label, errors, Control::Input { kind: "text", value: fields.get(name) })
}

/// A password: never filled in.
pub fn password<'a>(name: &'a str, label: &'a str, errors: &'a Errors) -> Field<'a> {
    field(name, label, errors, Control::Input { kind: "password", value: "" })
}

/// A day.
pub fn day<'a>(name: &'a str, label: &'a str, fields: &'a Fields, errors: &'a Errors) -> Field<'a> {
    field(name, label, errors, Control::Input { kind: "date", value: fields.get(name) })
}

/// Several lines of text.
pub fn lines<'a>(name: &'a str, label: &'a str, fields: &'a Fields, errors: &'a Errors) -> Field<'a> {
    field(name, label, errors, Control::Lines { value: fields.get(name) })
}

/// One of a few values, each with the words that are shown for it.
/// Whatever else was sent stays to be seen, and is refused with its message, rather than turn into another of them.
pub fn choice<'a>(name: &'a str, label: &'a str, mut options: Vec<(String, String)>, fields: &'a Fields, errors: &'a Errors) -> Field<'a> {
    let value = fields.get(name);
    if !value.is_empty() && !options.iter().any(|(known, _)| known == value) {
        options.push((value.to_owned(), value.to_owned()));
    }
    field(name, label, errors, Control::Choice { value, options })
}

/// A box to tick.
pub fn tick(name: &str, label: &str, fields: &Fields) -> Markup {
    html! {
        label.tick { input type="checkbox" name=(name) value="yes" checked[fields.ticked(name)]; span { (label) } }
    }
}

impl<'a> Field<'a> {
    /// What stands below it.
    pub fn hint(mut self, hint: impl Render) -> Self {
        self.hint = html! { (hint) };
        self
    }

    /// What browsers may fill in.
    pub fn autocomplete(mut self, what: &'a str) -> Self {
        self.attributes.autocomplete = Some(what);
        self
    }

    /// An example, while nothing is typed.
    pub fn placeholder(mut self, example: &'a str) -> Self {
        self.attributes.placeholder = Some(example);
        self
    }

    /// The page that says whether what is typed can be had; asked by the script.
    pub fn checked_by(mut self, page: &'a str) -> Self {
        self.attributes.check = Some(page);
        self
    }

    /// Has to be filled in.
    pub fn required(mut self) -> Self {
        self.attributes.required = true;
        self
    }

    /// Where typing begins.
    pub fn focused(mut self) -> Self {
        self.attributes.focused = true;
        self
    }

    /// A class, for its width.
    pub fn class(mut self, class: &'a str) -> Self {
        self.attributes.class = class;
        self
    }

    fn control(&self, described: &str) -> Markup {
        let Attributes { autocomplete, placeholder, check, required, focused, .. } = &self.attributes;
        let (id, invalid) = (format!("field-{}", self.name), self.error.map(|_| "true"));
        html! {
            @match &self.control {
                Control::Input { kind, value } => {
                    input id=(id) type=(kind) name=(self.name) value=[(*kind != "password").then_some(value)]
                        autocomplete=(autocomplete.unwrap_or("off")) placeholder=[*placeholder] data-check=[*check]
                        required[*required] autofocus[*focused] aria-invalid=[invalid] aria-describedby=(described)
                        autocapitalize="none" spellcheck="false";
                }
                Control::Lines { value } => {
                    textarea id=(id) name=(self.name) rows="3" placeholder=[*placeholder] required[*required] autofocus[*focused]
                        aria-invalid=[invalid] aria-describedby=(described) autocapitalize="none" spellcheck="false" { (value) }
                }
                Control::Choice { value, options } => {
                    select id=(id) name=(self.name) required[*required] autofocus[*focused] aria-invalid=[invalid] aria-describedby=(described) {
                        @for (option, words) in options { option value=(option) selected[option == value] { (words) } }
                    }
                }
            }
        }
    }
}

impl Render for Field<'_> {
    fn render(&self) -> Markup {
        let described = format!("about-{}", self.name);
        html! {
            div class={ "field " (self.attributes.class) } {
                label for={ "field-" (self.name) } { (self.label) }
                (self.control(&described))
                div.about id=(described) {
                    @if let Some(message) = self.error { p.error { (message) } }
                    p.hint data-hint { (self.hint) }
                }
            }
        }
    }
}
