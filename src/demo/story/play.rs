//! The story, played in the terminal: each step printed as it happens.

use super::{
    Stage, StoryError, echo,
    quality::{Quality, Table},
    softphone::Softphone,
};
use serde_json::{Value, json};
use std::time::Duration;

/// For what takes one exchange with the TMS or the PBX.
const SOON: Duration = Duration::from_secs(10);
/// How long we listen to ourselves.
const ECHO: Duration = Duration::from_secs(5);
/// 601 hangs up within 3 s and calls back 3 s later.
const CALL_BACK: Duration = Duration::from_secs(15);
/// In which the desk phone registers again, several times.
const HOLDS: Duration = Duration::from_secs(12);
/// Seconds of our own tone that prove the echo.
const ENOUGH: f64 = 2.0;

const PRIMARY: &str = "100-acme";
const SECONDARY: &str = "100-acme-laptop";

/// # Errors
/// The first step that fails, in words.
pub async fn play(stage: &Stage) -> Result<(), StoryError> {
    println!("The story of an agent, played by the softphone without its window against the TMS at {}", stage.tms);
    echo::write_tone(&stage.tone())?;
    let mut phone = stage.headless()?;
    sign_in(&mut phone).await?;
    choose(&mut phone).await?;
    let calls = vec![hear_oneself(&mut phone).await?, be_called_back(&mut phone).await?];
    take_over(&mut phone).await?;
    phone.quit().await?;
    let heard = echo::seconds_heard(&stage.recording())?;
    if heard < ENOUGH {
        return Err(StoryError::Wrong(format!("of the tone we sent to 600 only {heard:.1} s came back")));
    }
    step("Echo", &format!("{heard:.1} s of our own 440 Hz tone came back"));
    println!("\nCall quality\n{}", Table(calls));
    Ok(())
}

async fn sign_in(phone: &mut Softphone) -> Result<(), StoryError> {
    let login = phone.wait("Initialized", SOON, |event| {
        (event["event"] == "login" && event["state"] != "signing_in").then(|| event.clone())
    });
    let login = login.await?;
    if login["state"] != "initialized" {
        return Err(StoryError::Wrong(format!("the TMS refused the sign-in: {}", text(&login["reason"]))));
    }
    step("Sign in", "Initialized");
    Ok(())
}

/// The list, the conflict on the primary, and the secondary beside it.
async fn choose(phone: &mut Softphone) -> Result<(), StoryError> {
    let list = registrations(phone).await?;
    step("Registrations", &format!("{} of extension 100", list.len()));
    for row in &list {
        let held = &row["in_use"];
        let holder = match held.is_null() {
            true => "free".to_owned(),
            false => format!("in use by {} at {} since {}", text(&held["device"]), text(&held["address"]), since(held)),
        };
        println!("       ({}) {:<16} {holder}", text(&row["kind"]), text(&row["name"]));
    }
    let conflict = select(phone, PRIMARY, false, "conflict").await?;
    step("Choose (P)", &format!("conflict: {}", text(&conflict["reason"])));
    select(phone, SECONDARY, false, "online").await?;
    step("Choose (S)", &format!("{SECONDARY} is online, the desk phone keeps {PRIMARY}"));
    match registrations(phone).await?.iter().find(|row| row["name"] == PRIMARY) {
        Some(row) if !row["in_use"].is_null() && row["in_use"]["this_device"] == false => Ok(()),
        _ => Err(StoryError::Wrong(format!("the desk phone lost {PRIMARY}"))),
    }
}

async fn hear_oneself(phone: &mut Softphone) -> Result<Quality, StoryError> {
    phone.send(json!({"cmd": "dial", "to": "600"})).await?;
    let call = call(phone, "600 answers", SOON, "out", &["connected"]).await?;
    step("Dial 600", &format!("connected with {}, a tone is spoken and comes back", text(&call["codec"])));
    phone.watch(ECHO, |event| ended(event, &call)).await?;
    let quality = quality(phone, "600 echo", &call).await?;
    hang_up(phone, &call).await?;
    Ok(quality)
}

async fn be_called_back(phone: &mut Softphone) -> Result<Quality, StoryError> {
    phone.send(json!({"cmd": "dial", "to": "601"})).await?;
    call(phone, "601 answers", SOON, "out", &["connected"]).await?;
    call(phone, "601 hangs up", SOON, "out", &["ended"]).await?;
    step("Dial 601", "answered and hung up");
    let incoming = call(phone, "the call back", CALL_BACK, "in", &["ringing"]).await?;
    step("It rings", &format!("{} {}", text(&incoming["peer_name"]), text(&incoming["peer"])));
    phone.send(json!({"cmd": "answer", "call": incoming["call"]})).await?;
    let answered = call(phone, "the answer", SOON, "in", &["connected"]).await?;
    phone.watch(Duration::from_secs(3), |event| ended(event, &answered)).await?;
    step("Answer", &format!("connected with {}", text(&answered["codec"])));
    let quality = quality(phone, "601 calling back", &answered).await?;
    hang_up(phone, &answered).await?;
    Ok(quality)
}

async fn take_over(phone: &mut Softphone) -> Result<(), StoryError> {
    select(phone, PRIMARY, true, "online").await?;
    step("Take (P) over", &format!("{PRIMARY} is online here, the desk phone was pushed off"));
    let lost = |event: &Value| {
        let lost = event["event"] == "registration" && event["name"] == PRIMARY && event["state"] != "online";
        lost.then(|| format!("{PRIMARY} went {}: {}", text(&event["state"]), text(&event["reason"])))
    };
    phone.watch(HOLDS, lost).await?;
    let list = registrations(phone).await?;
    let held = list.iter().any(|row| row["name"] == PRIMARY && row["in_use"]["this_device"] == true);
    if !held {
        return Err(StoryError::Wrong(format!("the desk phone took {PRIMARY} back")));
    }
    step("It holds", &format!("for {} s, although the desk phone registered again and again", HOLDS.as_secs()));
    Ok(())
}

async fn registrations(phone: &mut Softphone) -> Result<Vec<Value>, StoryError> {
    phone.send(json!({"cmd": "registrations", "id": "story"})).await?;
    let list = phone.wait("the list of registrations", SOON, |event| {
        (event["event"] == "registrations" && event["id"] == "story").then(|| event["list"].as_array().cloned())
    });
    Ok(list.await?.unwrap_or_default())
}

/// Chooses a registration; the event that brings it to `state`, or what it came to instead.
async fn select(phone: &mut Softphone, name: &str, takeover: bool, state: &str) -> Result<Value, StoryError> {
    phone.send(json!({"cmd": "select", "registration": name, "takeover": takeover})).await?;
    let what = format!("{name} {state}");
    let settled = phone.wait(&what, SOON, |event| {
        let about = event["event"] == "registration" && event["name"] == name;
        (about && event["state"] != "registering" && event["state"] != "offline").then(|| event.clone())
    });
    let settled = settled.await?;
    if settled["state"] == state {
        return Ok(settled);
    }
    let (came, reason) = (text(&settled["state"]), text(&settled["reason"]));
    Err(StoryError::Wrong(format!("{name} should be {state} and is {came}: {reason}")))
}

/// A call in one of these states, or why it ended before.
async fn call(
    phone: &mut Softphone,
    what: &str,
    within: Duration,
    direction: &str,
    states: &[&str],
) -> Result<Value, StoryError> {
    let found = phone.wait(what, within, |event| {
        let ours = event["event"] == "call" && event["direction"] == direction;
        let state = event["state"].as_str().unwrap_or_default();
        (ours && (states.contains(&state) || state == "ended")).then(|| event.clone())
    });
    let found = found.await?;
    if states.contains(&found["state"].as_str().unwrap_or_default()) {
        return Ok(found);
    }
    Err(StoryError::Wrong(format!("{what}: the call ended: {}", text(&found["reason"]))))
}

fn ended(event: &Value, call: &Value) -> Option<String> {
    let over = event["event"] == "call" && event["call"] == call["call"] && event["state"] == "ended";
    over.then(|| format!("the call ended too soon: {}", text(&event["reason"])))
}

async fn quality(phone: &mut Softphone, name: &'static str, call: &Value) -> Result<Quality, StoryError> {
    phone.send(json!({"cmd": "stats", "call": call["call"]})).await?;
    let stats =
        phone.wait("the call's figures", SOON, |event| (event["event"] == "stats").then(|| event.clone())).await?;
    Ok(Quality { call: name, codec: text(&call["codec"]).to_owned(), stats })
}

async fn hang_up(phone: &mut Softphone, call: &Value) -> Result<(), StoryError> {
    phone.send(json!({"cmd": "hangup", "call": call["call"]})).await?;
    phone.wait("the end of the call", SOON, |event| ended(event, call)).await?;
    Ok(())
}

/// The time of day alone: nothing here is older than the demonstration.
fn since(held: &Value) -> String {
    let since = text(&held["since"]).parse::<jiff::Timestamp>();
    since.map_or_else(|_| "an unknown time".to_owned(), |since| since.strftime("%H:%M:%S UTC").to_string())
}

fn step(name: &str, what: &str) {
    println!("  ✓ {name:<14} {what}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
