//! Records as they are written and found again, and the emergency numbers beside them.

use jiff::{SignedDuration, Timestamp};

use super::{CallRecord, Direction, EndedBy, History, Party, history, queries::write};
use crate::server::{http::testing::Harness, store::query};

const START: i64 = 1_800_000_000;

fn party(number: &str) -> Party {
    Party { number: number.into(), name: format!("Name of {number}") }
}

/// Begun so many minutes after [`START`].
fn call(minute: i64, caller: &str, callee: &str, code: u16) -> CallRecord {
    let started_at = Timestamp::from_second(START + 60 * minute).expect("in range");
    let answered_at = (code < 300).then(|| started_at + SignedDuration::from_secs(5));
    CallRecord {
        realm: "acme".into(),
        call_id: format!("call-{minute}"),
        caller: format!("{caller}-acme"),
        caller_extension: party(caller),
        dialled: callee.into(),
        callee_extension: party(callee),
        started_at,
        answered_at,
        ended_at: started_at + SignedDuration::from_secs(35),
        code,
        ended_by: (code < 300).then_some(EndedBy::Callee),
    }
}

fn all() -> History {
    let (from, until) = (START * 1000, (START + 3600) * 1000);
    History { direction: Direction::Any, from, until, extension: None, only_answered: false, offset: 0, limit: 100 }
}

#[tokio::test]
async fn records_are_found_by_time_extension_and_answer() {
    let h = Harness::new().await;
    let store = &h.app.store;
    let calls = [call(0, "100", "101", 200), call(1, "101", "100", 486), call(2, "100", "600", 487)];
    let strangers = CallRecord { realm: "nobody".into(), ..call(3, "100", "101", 200) };
    write(store, &[&calls[..], &[strangers]].concat()).await.expect("writes");
    let account: i64 = query("SELECT id FROM account WHERE realm = 'acme'").scalar(store).await.expect("there");
    let extension = |number: &str| Some(number.to_owned());
    let minute = |m: i64| (START + 60 * m) * 1000;
    let cases = [
        (all(), vec![2, 1, 0]),
        (History { only_answered: true, ..all() }, vec![0]),
        (History { extension: extension("101"), ..all() }, vec![1, 0]),
        (History { extension: extension("101"), direction: Direction::Inbound, ..all() }, vec![0]),
        (History { extension: extension("101"), direction: Direction::Outbound, ..all() }, vec![1]),
        (History { extension: extension("'; --"), ..all() }, vec![]),
        (History { from: minute(1), ..all() }, vec![2, 1]),
        (History { until: minute(1), ..all() }, vec![0]),
        (History { limit: 1, offset: 1, ..all() }, vec![1]),
        (History { offset: 3, ..all() }, vec![]),
    ];
    for (wanted, expected) in cases {
        let found = history(&store.within(account), account, &wanted).await.expect("reads");
        let found: Vec<_> = found.into_iter().map(|(_, record)| record).collect();
        let expected: Vec<_> = expected.into_iter().map(|i: usize| calls[i].clone()).collect();
        assert_eq!(found, expected, "{wanted:?}");
    }
    let other = history(store, account + 1, &all()).await.expect("reads");
    assert_eq!(other, [], "another account's");
}

#[test]
fn how_a_call_ended_is_said_in_words() {
    let cases = [
        (200, "Answered", 30),
        (480, "No answer", 0),
        (486, "Busy", 0),
        (487, "Cancelled", 0),
        (603, "Declined", 0),
        (500, "Failed", 0),
    ];
    for (code, word, seconds) in cases {
        let call = call(0, "100", "101", code);
        assert_eq!((call.outcome().0, call.duration()), (word, seconds));
        assert!(call.outcome().1.ends_with('.'), "{:?}", call.outcome());
    }
}

#[test]
fn who_hung_up_is_said() {
    for (ended_by, words) in [
        (None, "101 answered."),
        (Some(EndedBy::Caller), "100 hung up."),
        (Some(EndedBy::Callee), "101 hung up."),
        (Some(EndedBy::Tms), "told to end"),
        (Some(EndedBy::Nobody), "not heard of any more"),
    ] {
        let call = CallRecord { ended_by, ..call(0, "100", "101", 200) };
        assert!(call.outcome().1.contains(words), "{:?}", call.outcome());
        assert_eq!(ended_by, ended_by.and_then(|by| EndedBy::read(by.written())));
    }
}

#[tokio::test]
async fn who_manages_sees_and_searches_them() {
    let h = Harness::new().await;
    write(&h.app.store, &[call(0, "100", "101", 200), call(1, "101", "100", 486)]).await.expect("writes");
    let token = h.operator().await;
    let ask = |query: &'static str| h.get(&format!("/v1/accounts/acme/call-records{query}")).token(&token).send();
    let all = ask("").await;
    assert_eq!(all.json[0]["status"], "Busy", "newest first: {}", all.text);
    assert_eq!((&all.json[1]["duration"], &all.json[1]["ended_by"]), (&30.into(), &"callee".into()));
    let found = ask("?search=NAME%20of%20101&limit=1").await;
    assert_eq!(found.json.as_array().map(Vec::len), Some(1), "{}", found.text);
    assert_eq!(ask("?search=nobody").await.json, serde_json::json!([]));
    let unknown = h.get("/v1/accounts/acme/calls").token(&token).send().await;
    assert_eq!(unknown.status.as_u16(), 503, "this SIP side lists none: {}", unknown.text);
}

/// Both databases' migrations have the same list.
#[tokio::test]
async fn the_emergency_numbers_are_those_of_every_database() {
    let h = Harness::new().await;
    let rows =
        query("SELECT number FROM emergency_number ORDER BY number").fetch_all(&h.app.store).await.expect("reads");
    let numbers: Vec<String> = rows.iter().map(|row| row.try_get("number").expect("a text")).collect();
    assert_eq!(numbers, ["10111", "10177", "112", "911", "999"]);
    if let Some(database) = h.app.store.postgres() {
        // An additional registration of an Express account, which may call nobody else.
        let refused = r#"SELECT call_refused(r, '10177') IS NULL AND call_refused(r, '101') IS NOT NULL
             FROM account a, LATERAL jsonb_populate_record(NULL::registration, jsonb_build_object(
                 'edition', 'express', 'slot', 1, 'name', '100-x-y', 'account_id', a.id)) r WHERE a.tenant = 'acme'"#;
        assert!(sqlx::query_scalar::<_, bool>(refused).fetch_one(database).await.expect("asks"));
    }
}
