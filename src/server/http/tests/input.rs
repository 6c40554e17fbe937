//! Bad input in every field of every operation, made from the OpenAPI document: refused in words, and nothing changes.

use axum::http::Method;
use serde_json::{Value, json};

use super::tenants::{OPEN, Theirs, ask, body, everything};
use crate::server::{
    http::testing::{CALL, Harness},
    throttle,
    xml::ACTIONS,
};

/// What a field of this schema cannot be.
fn wrong(document: &Value, schema: &Value) -> Vec<Value> {
    if let Some(pointer) = schema["$ref"].as_str() {
        return wrong(document, document.pointer(&pointer[1..]).expect("a schema"));
    }
    if let Some(any) = schema["oneOf"].as_array() {
        return wrong(document, any.last().expect("one"));
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
    let mut values = vec![json!([]), json!({}), json!({"$ne": 1})];
    match kind {
        "string" => {
            values.extend([
                json!(5),
                json!(true),
                json!(""),
                json!("x".repeat(10_000)),
                json!("a\u{7}\u{0}b"),
                json!("\u{202e}\n"),
            ]);
            values.push(json!("<script>alert(1)</script> ' OR 1=1; --".repeat(20)));
        }
        "integer" => values.extend([json!("x"), json!(1.5), json!(-1), json!(1e30)]),
        "boolean" => values.extend([json!("yes"), json!(1)]),
        _ => values.extend([json!("x"), json!(1)]),
    }
    values
}

#[tokio::test]
async fn every_field_refuses_what_it_cannot_be() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    let theirs = Theirs { api_key: "1".into(), session: "token-1".into() };
    let before = everything(&h).await;
    let document = h.get("/v1/openapi.json").send().await.json;
    let mut tried = 0;
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Some(good) = body(&document, operation) else { continue };
            let reference = operation.pointer("/requestBody/content/application~1json/schema/$ref");
            let schema =
                document.pointer(&reference.and_then(Value::as_str).expect("a named schema")[1..]).expect("it");
            let method: Method = method.to_uppercase().parse().expect("a method");
            let token = if operation["tags"][0] == "softphone" { &agent } else { &operator };
            for (field, schema) in schema["properties"].as_object().expect("fields") {
                for value in wrong(&document, schema) {
                    let mut body = good.clone();
                    body[field] = value.clone();
                    let reply = ask(&h, &method, &theirs.path(template, "acme"), Some(&body), Some(token)).await;
                    let shown: String = value.to_string().chars().take(60).collect();
                    let what = format!("{method} {template} with {field} = {shown}: {}", reply.text);
                    // A password is only judged there, whatever it is.
                    let judged = template == "/v1/passwords/check" && value.is_string();
                    assert!(reply.status.is_client_error() || judged, "{what}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 200, "{tried} values; {} operations are open", OPEN.len());
    // Wrong passwords were among it.
    h.pass(throttle::WINDOW_S);
    assert_eq!(everything(&h).await, before, "something was altered");
}

#[tokio::test]
async fn what_is_far_too_large_is_not_read() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let mut body = br#"{"name":""#.to_vec();
    body.resize(100 << 20, b'x');
    let post =
        h.call(Method::POST, "/v1/accounts").header("content-type", "application/json").token(&token).raw(body.clone());
    assert_eq!(post.send().await.status.as_u16(), 413);
    let xml = h.call(Method::POST, "/Euphoria.Api.aspx").raw(body).send().await;
    assert!(xml.text.contains("too large"), "{}", xml.text);
}

/// A value that is taken, so that it is the other field that is refused.
fn good(field: &str) -> &'static str {
    match field {
        "pageSize" => "10",
        "startAt" => "0",
        "startDate" | "endDate" => "2026-01-01",
        "Extension" => "100",
        "Destination" => "101",
        "Channel" => CALL,
        _ => "100-acme",
    }
}

#[tokio::test]
async fn every_field_of_the_xml_api_refuses_what_it_cannot_be() {
    let h = Harness::new().await;
    // All but when the key was last used.
    let rest = async || everything(&h).await.into_iter().filter(|part| !part.contains("last_used")).collect::<Vec<_>>();
    let before = rest().await;
    let send = async |action: &str, fields: String| {
        let request = format!(
            "<XML><Tenant><Name>acme</Name><Auth>{}</Auth></Tenant><ActionName>{action}</ActionName>{fields}</XML>",
            h.demo.api_key
        );
        h.call(Method::POST, "/Euphoria.Api.aspx").raw(request).send().await
    };
    for (action, fields) in ACTIONS {
        let good_ones = fields.iter().map(|name| format!("<{name}>{}</{name}>", good(name))).collect();
        let reply = send(action, good_ones).await;
        // There are no queues yet.
        let taken = !reply.text.contains("<Error>") || fields.is_empty() || action == "GetQueueAnalytics";
        assert!(taken, "{action} with good fields: {}", reply.text);
        for bad in fields {
            for value in ["", &"x".repeat(10_000), "&#7;", "<b>1</b>", "&lt;script&gt;' OR 1=1; --", "\u{202e}"] {
                let field = |name: &&str| match name == bad {
                    true => format!("<{name}>{value}</{name}>"),
                    false => format!("<{name}>{}</{name}>", good(name)),
                };
                let reply = send(action, fields.iter().map(field).collect()).await;
                let shown: String = value.chars().take(30).collect();
                let what = format!("{action} with {bad} = {shown}: {}", reply.text);
                assert!(reply.status == 200 && reply.text.contains("<Error>"), "{what}");
                assert!(!reply.text.contains("<script>"), "{what}");
            }
        }
    }
    assert_eq!(rest().await, before, "something was altered");
}
