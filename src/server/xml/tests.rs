//! The XML API: answers, and each way to be refused.

use axum::http::Method;

use crate::server::http::testing::{Harness, INSTANCE};
use crate::server::store::query;

const PATH: &str = "/Euphoria.Api.aspx";

fn request(tenant: &str, key: &str, action: &str, fields: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><XML><Tenant><Name>{tenant}</Name><Auth>{key}</Auth></Tenant><ActionName>{action}</ActionName>{fields}</XML>"#
    )
}

/// The answer, which must be well-formed XML whatever was asked.
async fn send(h: &Harness, method: Method, body: impl Into<Vec<u8>>) -> String {
    let reply = h.call(method, PATH).header("content-type", "application/x-www-form-urlencoded").raw(body).send().await;
    assert_eq!(reply.status.as_u16(), 200);
    assert_eq!(reply.headers["content-type"], "text/xml; charset=utf-8");
    roxmltree::Document::parse(&reply.text).unwrap_or_else(|e| panic!("{e}: {}", reply.text));
    reply.text
}

async fn ask(h: &Harness, action: &str, fields: &str) -> String {
    send(h, Method::POST, request("acme", &h.demo.api_key, action, fields)).await
}

#[tokio::test]
async fn answers() {
    let h = Harness::new().await;
    h.sip.hold("100-acme", Some(INSTANCE), None);
    for (action, fields, parts) in [
        ("DoNothing", "", vec!["<XML>Nothing Done</XML>"]),
        (
            "GetExtensions",
            "",
            vec![
                "<Number>100</Number>",
                "<UserName>100-acme-laptop</UserName>",
                "<Type>Additional</Type>",
                "<Device>Desk &lt;phone&gt; &amp; co</Device>",
                "<Address>10.0.0.12:5060</Address>",
                "<Sip><Domain>acme</Domain><Server>sip:",
                "<Instance>urn:uuid:",
            ],
        ),
        ("GetSimpleSipStatus", "<UserName>100-acme</UserName>", vec!["<Registered>true</Registered>"]),
        ("GetSimpleSipStatus", "<UserName>101-acme</UserName>", vec!["<Registered>false</Registered>"]),
        ("GetFullSipStatus", "<UserName> 100-acme </UserName>", vec!["<Since>2027-01-15T07:43:20Z</Since>"]),
    ] {
        let answer = ask(&h, action, fields).await;
        for part in parts {
            assert!(answer.contains(part), "{action}: {part} in {answer}");
        }
        assert!(!answer.contains("<Error>"), "{answer}");
    }
    let by_get = send(&h, Method::GET, request("acme", &h.demo.api_key, "DoNothing", "")).await;
    assert!(by_get.contains("Nothing Done"));
}

#[tokio::test]
async fn each_mistake_has_its_own_error() {
    let h = Harness::new().await;
    let key = h.demo.api_key.as_str();
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><XML>&b;</XML>"#;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (request("acme", "wrong", "DoNothing", "").into(), "key is wrong"),
        (request("other", key, "DoNothing", "").into(), "key is wrong"),
        (request("acme", key, "NoSuchAction", "").into(), "NoSuchAction is no action"),
        (request("acme", key, "donothing", "").into(), "is no action"),
        (request("acme", key, "<b/>", "").into(), "ActionName"),
        (request("acme", key, "GetSimpleSipStatus", "").into(), "needs the field"),
        (request("acme", key, "GetSimpleSipStatus", "<username>100-acme</username>").into(), "case sensitive"),
        (request("acme", key, "GetFullSipStatus", "<UserName>100-other</UserName>").into(), "no SIP user"),
        (request("acme", key, "GetCallingCredit", "").into(), "billing"),
        (request("acme", key, "GetQueueAnalytics", "<QueueName>q</QueueName>").into(), "startDate"),
        (request("acme", key, "GetCurrentCalls", "").into(), "cannot list"),
        (request("acme", key, "HangUpChannel", "<Channel>1</Channel>").into(), "yet"),
        (b"".to_vec(), "empty"),
        (b"{}".to_vec(), "not well-formed"),
        (b"<XML><Tenant>".to_vec(), "not well-formed"),
        (b"<xml/>".to_vec(), "root element"),
        (b"<XML/>".to_vec(), "Tenant"),
        (b"<XML><Tenant/><ActionName>DoNothing</ActionName></XML>".to_vec(), "Name"),
        (b"\xff\xfe<XML/>".to_vec(), "UTF-8"),
        (bomb.into(), "DOCTYPE"),
        (br#"<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><XML>&b;</XML>"#.to_vec(), "DOCTYPE"),
        (deep.into(), "not well-formed"),
        (vec![b' '; 70_000], "too large"),
    ];
    for (body, word) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        let answer = send(&h, Method::POST, body).await;
        assert!(answer.contains("<Status>Error</Status><Error>"), "{shown}: {answer}");
        assert!(answer.contains(word), "{shown}: {answer}");
    }
    assert!(send(&h, Method::PUT, "").await.contains("POST"));
}

#[tokio::test]
async fn guessing_keys_is_slowed_and_use_is_logged() {
    let h = Harness::new().await;
    ask(&h, "GetExtensions", "").await;
    let logged: String = query("SELECT request FROM api_key_use").scalar(&h.app.store).await.expect("one");
    assert_eq!(logged, "xml GetExtensions");
    let mut last = String::new();
    for _ in 0..20 {
        last = send(&h, Method::POST, request("acme", "wrong", "DoNothing", "")).await;
    }
    assert!(last.contains("Try again in"), "{last}");
}
