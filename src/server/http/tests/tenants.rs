//! Nothing opens to another tenant: every operation of the OpenAPI document and every action of the XML API, tried with another
//! tenant's names and keys. Requests are made from the document, so that a new route cannot be forgotten.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::server::{
    http::testing::{GOOD, Harness, INSTANCE, Reply},
    xml::ACTIONS,
};

/// What belongs to *acme*, for the document's path parameters; one that is not here fails the test.
pub struct Theirs {
    pub api_key: String,
    pub session: String,
}

impl Theirs {
    pub fn path(&self, template: &str, tenant: &str) -> String {
        let path = template
            .replace("{tenant}", tenant)
            .replace("{number}", "100")
            .replace("{name}", "100-acme")
            .replace("{username}", "agent@acme.example")
            .replace("/api-keys/{id}", &format!("/api-keys/{}", self.api_key))
            .replace("/sessions/{id}", &format!("/sessions/{}", self.session));
        assert!(!path.contains('{'), "{template} has a parameter that this test does not know");
        path
    }
}

/// A body that the route can read, so that it is the caller who is refused and not the form.
pub fn body(document: &Value, operation: &Value) -> Option<Value> {
    let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
    Some(example(document, schema, ""))
}

fn example(document: &Value, schema: &Value, name: &str) -> Value {
    if let Some(pointer) = schema["$ref"].as_str() {
        return example(document, document.pointer(&pointer[1..]).expect("a schema"), name);
    }
    if let Some(one) = schema["oneOf"].as_array().or(schema["allOf"].as_array()).and_then(|any| any.last()) {
        return example(document, one, name);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("object");
    match (kind, name) {
        ("string", "instance_id") => INSTANCE.into(),
        ("string", "number") => "999".into(),
        ("string", "password") => GOOD.into(),
        ("string", "expires_at" | "old_until") => "2027-01-20T00:00:00Z".into(),
        ("string", "time_zone") => "UTC".into(),
        ("string", _) => "xxx".into(),
        ("integer", _) => 1.into(),
        ("boolean", _) => true.into(),
        ("array", _) => json!([]),
        _ => {
            let required: Vec<_> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let fields = schema["properties"].as_object().into_iter().flatten();
            let wanted = fields.filter(|(name, _)| required.contains(&name.as_str()));
            wanted.map(|(name, field)| (name.clone(), example(document, field, name))).collect::<Map<_, _>>().into()
        }
    }
}

pub async fn ask(h: &Harness, method: &Method, path: &str, body: Option<&Value>, token: Option<&str>) -> Reply {
    let mut call = h.call(method.clone(), path);
    if let Some(body) = body {
        call = call.json(body.clone());
    }
    if let Some(token) = token {
        call = call.token(token);
    }
    call.send().await
}

/// All that a tenant's administrator sees of it.
pub async fn everything(h: &Harness) -> Vec<String> {
    let token = h.operator().await;
    let mut seen = Vec::new();
    for part in ["", "/extensions", "/extensions/100/registrations", "/logins", "/api-keys"] {
        seen.push(h.get(&format!("/v1/accounts/acme{part}")).token(&token).send().await.text);
    }
    seen
}

/// A second tenant like the first: its members' tokens by role, and its API key.
pub async fn beta(h: &Harness) -> (Vec<String>, String, String) {
    let operator = h.operator().await;
    let post = |path: &'static str, body| h.post(path, body).token(&operator).send();
    post("/v1/accounts", json!({"name": "Beta", "tenant": "beta", "edition": "enterprise"})).await;
    post("/v1/accounts/beta/extensions", json!({"number": "100", "name": "Bea"})).await;
    let key = post("/v1/accounts/beta/api-keys", json!({"name": "K"})).await;
    let mut managing = Vec::new();
    for role in ["admin", "manager", "extension"] {
        managing.push(h.member("beta", &format!("{role}@beta.example"), role).await);
    }
    let tie = json!({"login": "extension@beta.example", "api_key": key.json["id"]});
    h.patch("/v1/accounts/beta/extensions/100", tie).token(&operator).send().await;
    let softphone = h.try_sign_in("extension@beta.example", GOOD, &key.string("key")).await;
    (managing, softphone.string("token"), key.string("key"))
}

/// Opened without a session, for they begin one.
pub const OPEN: [&str; 4] = ["/v1/sessions", "/v1/manage/session", "/v1/link", "/v1/passwords/check"];

#[tokio::test]
async fn no_operation_opens_without_its_token_or_to_another_tenant() {
    let h = Harness::new().await;
    let (managing, softphone, _) = beta(&h).await;
    let own = h.manager(&h.demo.username, &h.demo.password).await;
    let sessions = h.get("/v1/manage/sessions").token(&own).send().await;
    let operator = h.operator().await;
    let keys = h.get("/v1/accounts/acme/api-keys").token(&operator).send().await;
    let theirs = Theirs {
        api_key: keys.json[0]["id"].to_string(),
        session: sessions.json[0]["id"].as_str().expect("a session").to_owned(),
    };
    let before = everything(&h).await;
    let document = h.get("/v1/openapi.json").send().await.json;
    let mut tried = 0;
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            if OPEN.contains(&template.as_str()) && method == Method::POST {
                continue;
            }
            let body = body(&document, operation);
            let path = theirs.path(template, "acme");
            let what = format!("{method} {template}");
            let bare = ask(&h, &method, &path, body.as_ref(), None).await;
            assert_eq!(bare.status.as_u16(), 401, "{what}: {}", bare.text);
            let for_softphones = operation["tags"][0] == "softphone";
            let wrong_kind = if for_softphones { &managing[0] } else { &softphone };
            let refused = ask(&h, &method, &path, body.as_ref(), Some(wrong_kind)).await;
            assert_eq!(refused.status.as_u16(), 401, "{what} with the other kind of token: {}", refused.text);
            let strangers = if for_softphones { std::slice::from_ref(&softphone) } else { &managing };
            // Signing out and changing the own password would end the session that the next operation is tried with; a stream
            // of events never ends.
            let ends = method == Method::DELETE || template.ends_with("/password");
            let streams = operation.pointer("/responses/200/content/text~1event-stream").is_some();
            if !template.contains('{') && (ends || streams) {
                continue;
            }
            for token in strangers {
                // Their account; and their things under one's own.
                for tenant in ["acme", "beta"] {
                    if tenant == "beta" && template.matches('{').count() < 2 {
                        continue;
                    }
                    // Both have an extension 100; the rest of a path is theirs.
                    if tenant == "beta" && !["{name}", "{username}", "{id}"].iter().any(|p| template.contains(p)) {
                        continue;
                    }
                    let reply = ask(&h, &method, &theirs.path(template, tenant), body.as_ref(), Some(token)).await;
                    let status = reply.status.as_u16();
                    let about_nobody = !template.contains('{');
                    assert!(matches!(status, 403 | 404) || about_nobody, "{what} on {tenant}: {status} {}", reply.text);
                    assert!(!reply.text.contains("Alex") && !reply.text.contains("Acme"), "{what}: {}", reply.text);
                }
            }
            tried += 1;
        }
    }
    assert!(tried >= 30, "{tried} operations");
    assert_eq!(everything(&h).await, before, "something of theirs was altered");
}

#[tokio::test]
async fn what_a_body_names_must_be_ones_own() {
    let h = Harness::new().await;
    let (managing, _, _) = beta(&h).await;
    let theirs = h.get("/v1/accounts/acme/extensions/100").token(&h.operator().await).send().await;
    for body in [json!({"login": "agent@acme.example"}), json!({"api_key": theirs.json["api_key"]})] {
        let reply = h.patch("/v1/accounts/beta/extensions/100", body).token(&managing[0]).send().await;
        assert_eq!(reply.status.as_u16(), 422, "{}", reply.text);
    }
    let body =
        json!({"username": "new@beta.example", "name": "N", "password": GOOD, "role": "extension", "extension": "101"});
    let reply = h.post("/v1/accounts/beta/logins", body).token(&managing[0]).send().await;
    assert_eq!(reply.status.as_u16(), 409, "acme has a 101, beta has none: {}", reply.text);
}

#[tokio::test]
async fn no_action_of_the_xml_api_opens_to_another_tenant() {
    let h = Harness::new().await;
    let (_, _, key) = beta(&h).await;
    h.sip.hold("100-acme", Some(INSTANCE), None);
    assert!(ACTIONS.len() >= 11);
    for (action, fields) in ACTIONS {
        let fields: String = fields.iter().map(|field| format!("<{field}>100-acme</{field}>")).collect();
        for (tenant, key, refused) in
            [("acme", key.as_str(), true), ("beta", &h.demo.api_key, true), ("beta", &key, false)]
        {
            let request = format!(
                "<XML><Tenant><Name>{tenant}</Name><Auth>{key}</Auth></Tenant><ActionName>{action}</ActionName>{fields}</XML>"
            );
            let answer = h.call(Method::POST, "/Euphoria.Api.aspx").raw(request).send().await.text;
            assert!(!refused || answer.contains("<Error>"), "{action} of {tenant}: {answer}");
            for mark in ["Alex", "laptop", "Desk", "10.0.0.12"] {
                assert!(!answer.contains(mark), "{action} of {tenant} shows {mark}: {answer}");
            }
        }
    }
}
