//! The OpenAPI document: what the routes say of themselves, completed.

use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, PathItem, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(info(
    title = "TMS",
    description = "Telephone management system. Errors are problem details (RFC 9457). POSTs take an Idempotency-Key."
))]
struct Document;

/// The document before the routes join it.
pub fn start() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Names the security scheme that the routes refer to, and gives each operation an id of its own: several handlers are
/// called `list`.
pub fn complete(document: &mut utoipa::openapi::OpenApi) {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A session's token")).build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let words = path.split('/').filter(|w| !w.is_empty() && *w != "v1").map(|w| w.trim_matches(['{', '}']));
            let words: Vec<String> = words.map(|w| w.replace('-', "_")).collect();
            operation.operation_id = Some(format!("{method}_{}", words.join("_")));
            describe_errors(operation);
        }
    }
}

/// Errors are problem details, and any operation may fail in a way that it does not list: too many attempts, a database that
/// does not answer.
fn describe_errors(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let (true, RefOr::T(response)) = (status.starts_with(['4', '5']), response)
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response.content.insert("application/problem+json".to_owned(), content);
        }
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let any =
        ResponseBuilder::new().description("Any other error").content("application/problem+json", content).build();
    responses.insert("default".to_owned(), any.into());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use crate::server::http::testing::Harness;

    /// Every value below `value` that stands under this name.
    fn under<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    if key == name {
                        found.push(value);
                    }
                    under(value, name, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| under(item, name, found)),
            _ => {}
        }
    }

    #[tokio::test]
    async fn the_document_is_whole() {
        let h = Harness::new().await;
        let document = h.get("/v1/openapi.json").send().await.json;
        let mut references = Vec::new();
        under(&document, "$ref", &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.as_str().and_then(|r| r.strip_prefix('#')).expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
        }
        let mut ids = Vec::new();
        under(&document, "operationId", &mut ids);
        let different: HashSet<_> = ids.iter().map(|id| id.to_string()).collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
        assert_eq!(document.pointer("/components/securitySchemes/bearer/scheme"), Some(&Value::from("bearer")));
    }
}
