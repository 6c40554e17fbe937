//! The XML API: answers, and each way to be refused.

use std::sync::atomic::Ordering;

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
        (
            "GetFullSipStatus",
            "<UserName> 100-acme </UserName>",
            vec!["<Since>2027-01-15T07:43:20Z</Since>", "<Latency>23</Latency>"],
        ),
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

/// As where the Kamailio beside it is just restarting.
#[tokio::test]
async fn a_sip_side_that_does_not_answer_is_asked_again_later() {
    let h = Harness::new().await;
    h.sip.down.store(true, Ordering::Relaxed);
    for (action, fields) in [
        ("GetCurrentCalls", ""),
        ("HangUpChannel", "<Channel>1</Channel>"),
        ("Originate", "<Extension>100</Extension><Destination>101</Destination>"),
    ] {
        let answer = ask(&h, action, fields).await;
        assert!(answer.contains("<Error>") && answer.contains("Try again in a moment"), "{action}: {answer}");
    }
}

#[tokio::test]
async fn each_mistake_has_its_own_error() {
    let h = Harness::new().await;
    let key = h.demo.api_key.as_str();
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let originate = |extension: &str, destination: &str| {
        let fields = format!("<Extension>{extension}</Extension><Destination>{destination}</Destination>");
        request("acme", key, "Originate", &fields).into_bytes()
    };
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
        (request("acme", key, "HangUpChannel", "<Channel>1</Channel>").into(), "no such call"),
        (request("acme", key, "HangUpChannel", "").into(), "needs the field &lt;Channel&gt;"),
        (request("acme", key, "Originate", "<Extension>100</Extension>").into(), "needs the field &lt;Destination&gt;"),
        (originate("100", "101; DROP"), "as it is dialled"),
        (originate("100", &"1".repeat(65)), "as it is dialled"),
        (originate("999", "101"), "no extension 999"),
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
async fn a_history_is_asked_for_in_full() {
    let h = Harness::new().await;
    let good = [("pageSize", "10"), ("startAt", "0"), ("startDate", "2026-01-01"), ("endDate", "2026-01-01")];
    let fields = |field: &str, value: &str| {
        let others = good.iter().filter(|(name, _)| *name != field);
        let others: String = others.map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
        format!("{others}<{field}>{value}</{field}>")
    };
    for (field, value, said) in [
        ("pageSize", "1000", "<Records></Records>"),
        ("endDate", "2026-01-01T08:00:00Z", "<Records></Records>"),
        ("endDate", "2026-01-01 08:00:00", "<Records></Records>"),
        ("extension", "100", "<Records></Records>"),
        ("onlyAnswered", "TRUE", "<Records></Records>"),
        ("pageSize", "", "needs the field &lt;pageSize&gt;"),
        ("pageSize", "0", "&lt;pageSize&gt; must be a number from 1 to 1000"),
        ("pageSize", "1001", "number from 1 to 1000"),
        ("startAt", "-1", "&lt;startAt&gt; must be a number from 0"),
        ("startAt", "ten", "must be a number"),
        ("startDate", "yesterday", "&lt;startDate&gt; must be a date"),
        ("endDate", "2026-02-30", "&lt;endDate&gt; must be a date"),
        ("endDate", "2025-12-31", "must not be before"),
        ("onlyAnswered", "perhaps", "must be true or false"),
    ] {
        for action in ["GetInboundCallingHistory", "GetOutboundCallingHistory", "GetAnyCallDetailRecords"] {
            let answer = ask(&h, action, &fields(field, value)).await;
            assert!(answer.contains(said), "{field}={value}: {answer}");
        }
    }
}

#[tokio::test]
async fn guessing_keys_is_slowed_and_use_is_logged() {
    let h = Harness::new().await;
    ask(&h, "GetExtensions", "").await;
    h.app.notebook.flush().await;
    let logged: String = query("SELECT request FROM api_key_use").scalar(&h.app.store).await.expect("one");
    assert_eq!(logged, "xml GetExtensions");
    let mut last = String::new();
    for _ in 0..20 {
        last = send(&h, Method::POST, request("acme", "wrong", "DoNothing", "")).await;
    }
    assert!(last.contains("Try again in"), "{last}");
}
