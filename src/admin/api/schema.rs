//! What requests and answers look like, for the OpenAPI document: the schemas of types that are text in JSON, of the
//! extractors, and of the answers. Everything else is derived where the type stands.

use std::borrow::Cow;

use aide::generate::GenContext;
use aide::openapi::{
    HeaderStyle, MediaType, Operation, Parameter, ParameterData, ParameterSchemaOrContent, PathStyle, ReferenceOr, Response, SchemaObject,
};
use aide::operation::{OperationInput, OperationOutput, add_parameters};
use axum::Json;
use axum::extract;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::extract::{Condition, Path, Query, Who};
use super::respond::{Created, Tagged};
use crate::admin::operations::password::Clear;
use crate::admin::problem::Problem;
use crate::directory::{AccountId, AliasKey, Revision, Target, TokenId};
use crate::mail::{Address, Domain, Name, QueueId};

/// Declares a type that is text in JSON: its name, the form of the text, its longest length, and what it is.
macro_rules! texts {
    ($($kind:ty = $name:literal, $pattern:literal, $longest:literal, $description:literal;)*) => {$(
        impl JsonSchema for $kind {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "minLength": 1, "maxLength": $longest, "pattern": $pattern, "description": $description
                })
            }
        }
    )*};
}

texts! {
    Name = "Name", "^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$", 64, "A name; folded to lower case.";
    Domain = "Domain", r"^[^\s@/\\]+$", 1020, "A domain, in A-labels or U-labels; answered in lower-case A-labels.";
    Address = "Address", "@", 1320, "local@domain.";
    AliasKey = "AliasKey", "@", 1320, "local@domain, or @domain for a catch-all.";
    Target = "Target", "^[^\\x00-\\x1f]+$", 1320, "An account's name, an address, @domain (only of a catch-all), reject:TEXT, or discard.";
    TokenId = "TokenId", "^[0-9A-Fa-f]{16}$", 16, "What a token is called.";
    QueueId = "QueueId", "^[0-9A-Za-z]+$", 13, "The id of a message, as its 250 told it.";
    Clear = "Password", r"^\S*$", 1024, "A password: 6 characters at least, and no white space.";
}

/// Declares a type that is a whole number in JSON.
macro_rules! numbers {
    ($($kind:ty = $name:literal, $description:literal;)*) => {$(
        impl JsonSchema for $kind {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "description": $description })
            }
        }
    )*};
}

numbers! {
    AccountId = "AccountId", "What an account is called for ever, whatever its name.";
    Revision = "Revision", "A number that grows with each change of the directory.";
}

/// A type that stands in a path: how its place there is called.
pub trait Segment: JsonSchema {
    /// Between the braces of the route.
    const NAME: &'static str;
}

impl Segment for Name {
    const NAME: &'static str = "name";
}

impl Segment for Domain {
    const NAME: &'static str = "domain";
}

impl Segment for AliasKey {
    const NAME: &'static str = "address";
}

impl Segment for TokenId {
    const NAME: &'static str = "id";
}

impl Segment for Revision {
    const NAME: &'static str = "revision";
}

impl Segment for QueueId {
    const NAME: &'static str = "id";
}

fn parameter(name: &str, description: Option<String>, required: bool, schema: Schema) -> ParameterData {
    ParameterData {
        name: name.into(),
        description,
        required,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(SchemaObject { json_schema: schema, external_docs: None, example: None }),
        example: None,
        examples: Default::default(),
        explode: None,
        extensions: Default::default(),
    }
}

impl<T: Segment> OperationInput for Path<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let parameter_data = parameter(T::NAME, None, true, context.schema.subschema_for::<T>());
        add_parameters(context, operation, [Parameter::Path { parameter_data, style: PathStyle::Simple }]);
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        extract::Query::<T>::operation_input(context, operation);
    }
}

impl<T: JsonSchema> OperationInput for super::extract::Json<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Json::<T>::operation_input(context, operation);
    }
}

impl OperationInput for Who {}

impl OperationInput for Condition {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let description = "The ETag that was seen: if the record has changed since, nothing is done, and the answer is 412.";
        let schema = json_schema!({ "type": "string", "pattern": r#"^("[0-9]{1,19}"|\*)$"# });
        let parameter_data = parameter("If-Match", Some(description.into()), false, schema);
        add_parameters(context, operation, [Parameter::Header { parameter_data, style: HeaderStyle::Simple }]);
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(context: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Response)> {
        Json::<T>::operation_response(context, operation).map(|response| (Some(201), response)).into_iter().collect()
    }
}

impl<T: JsonSchema> OperationOutput for Tagged<T> {
    type Inner = T;

    fn inferred_responses(context: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Response)> {
        let Some(mut response) = Json::<T>::operation_response(context, operation) else { return Vec::new() };
        response.headers.insert("ETag".into(), ReferenceOr::Item(entity_tag()));
        vec![(Some(200), response)]
    }
}

fn entity_tag() -> aide::openapi::Header {
    aide::openapi::Header {
        description: Some("What to give as If-Match.".into()),
        style: HeaderStyle::Simple,
        required: false,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(SchemaObject {
            json_schema: json_schema!({ "type": "string" }),
            external_docs: None,
            example: None,
        }),
        example: None,
        examples: Default::default(),
        extensions: Default::default(),
    }
}

impl OperationOutput for Problem {
    type Inner = Self;

    /// Every operation may fail in the same form, so it is the default response of all of them.
    fn inferred_responses(context: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Response)> {
        let json_schema = context.schema.subschema_for::<Self>();
        let schema = Some(SchemaObject { json_schema, external_docs: None, example: None });
        let content = [("application/problem+json".to_owned(), MediaType { schema, ..MediaType::default() })];
        let description = "What went wrong (RFC 9457).".to_owned();
        vec![(None, Response { description, content: content.into_iter().collect(), ..Response::default() })]
    }
}
