//! A line of standard input as a command.

use crate::{
    driver::api::{Command, Dtmf, Tagged},
    media::{engine::DtmfVia, voice::VoiceProcessing},
    ua::api::{ForwardWhen, Package, ServiceCommand, TransferTo},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;
use std::{fmt, path::PathBuf};

/// A line that is no command that can be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub command: Option<String>,
    pub id: Option<Value>,
    pub message: String,
}

#[derive(Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Registrations,
    Select {
        registration: String,
        #[serde(default)]
        takeover: bool,
    },
    Offline,
    Dial {
        to: String,
        #[serde(default)]
        anonymous: bool,
    },
    DoNotDisturb {
        on: bool,
    },
    Forward {
        when: ForwardWhen,
        #[serde(default)]
        to: Option<String>,
        #[serde(default)]
        after_s: Option<u64>,
    },
    Answer {
        call: u32,
    },
    Reject {
        call: u32,
        #[serde(default = "busy_here")]
        code: u16,
    },
    Hangup {
        call: u32,
    },
    Hold {
        call: u32,
    },
    Resume {
        call: u32,
    },
    Mute {
        call: u32,
    },
    Unmute {
        call: u32,
    },
    Dtmf {
        call: u32,
        digits: String,
        #[serde(default)]
        via: Option<Via>,
    },
    Message {
        to: String,
        text: String,
    },
    Subscribe {
        what: Package,
        #[serde(default)]
        to: String,
    },
    Unsubscribe {
        what: Package,
        #[serde(default)]
        to: String,
    },
    PickUp {
        to: String,
    },
    Transfer {
        call: u32,
        #[serde(default)]
        to: Option<String>,
        #[serde(default)]
        with: Option<u32>,
    },
    AnswerDial {
        request: u32,
        accept: bool,
    },
    Conference {
        calls: Vec<u32>,
    },
    Record {
        call: u32,
        #[serde(default)]
        file: Option<PathBuf>,
        #[serde(default)]
        stop: bool,
        #[serde(default)]
        tone: Option<bool>,
    },
    Stats {
        call: u32,
    },
    VoiceProcessing {
        #[serde(default)]
        on: Option<bool>,
        #[serde(default)]
        echo: Option<bool>,
        #[serde(default)]
        noise: Option<bool>,
        #[serde(default)]
        gain: Option<bool>,
    },
    Exposure,
    Check {
        #[serde(default)]
        echo: Option<String>,
    },
    Quit,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Via {
    Rfc4733,
    Info,
    Inband,
}

const fn busy_here() -> u16 {
    486
}

/// Of the contract, not built yet.
const LATER: [(&str, &str); 1] = [("agent_state", "agent states")];

/// Digits that one command may send, half a minute's worth.
const MOST_DIGITS: usize = 128;

/// Reads one line.
///
/// # Errors
/// What to say about a line that cannot be carried out.
pub fn parse(line: &str) -> Result<Tagged<Command>, Rejected> {
    let mut value: Value = serde_json::from_str(line).map_err(|e| {
        let message = format!(
            "this line is not JSON ({e}); one object a line is expected, like {{\"cmd\":\"dial\",\"to\":\"101\"}}"
        );
        Rejected { command: None, id: id_before_end(line), message }
    })?;
    let id = value.as_object_mut().and_then(|line| line.remove("id"));
    let command = value.get("cmd").and_then(Value::as_str).map(str::to_owned);
    let reject = |message: String| Rejected { command: command.clone(), id: id.clone(), message };
    let Some(name) = command.as_deref() else {
        return Err(reject("this line has no \"cmd\"; see the headless documentation for the commands".into()));
    };
    if let Some((_, what)) = LATER.iter().find(|(later, _)| *later == name) {
        return Err(reject(format!("not supported yet: {what}")));
    }
    let line: Line = serde_json::from_value(value).map_err(|e| match e.to_string() {
        // Whoever writes it counts on what it does.
        text if text.starts_with("unknown field") => reject(format!("not supported yet: {text}")),
        text => reject(text),
    })?;
    Ok(Tagged { what: meaning(line).map_err(reject)?, id })
}

/// The `id` of a line that is no JSON to its end, like one that was too long, where it stands before that.
fn id_before_end(line: &str) -> Option<Value> {
    struct Found<'a>(&'a mut Option<Value>);
    impl<'de> Visitor<'de> for Found<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut line: A) -> Result<(), A::Error> {
            let mut id = None;
            while let Some(name) = line.next_key::<String>()? {
                // What something follows is whole: a number may be cut.
                *self.0 = id.take().or(self.0.take());
                match name.as_str() {
                    "id" => id = Some(line.next_value()?),
                    _ => drop(line.next_value::<IgnoredAny>()?),
                }
            }
            *self.0 = id.or(self.0.take());
            Ok(())
        }
    }
    let mut id = None;
    // That it is no JSON is told already.
    let _ = serde_json::Deserializer::from_str(line).deserialize_map(Found(&mut id));
    id
}

fn meaning(line: Line) -> Result<Command, String> {
    Ok(match line {
        Line::Registrations => Command::Registrations,
        Line::Select { registration, takeover } => Command::Select { registration, takeover },
        Line::Offline => Command::Offline,
        Line::Dial { to, anonymous } => Command::Dial { to, anonymous },
        Line::DoNotDisturb { on } => Command::Services(ServiceCommand::DoNotDisturb { on }),
        Line::Forward { when, to, after_s } => Command::Services(ServiceCommand::Forward { when, to, after_s }),
        Line::Answer { call } => Command::Answer { call },
        Line::Reject { code, .. } if !(300..700).contains(&code) => {
            return Err(format!(
                "{code} does not reject a call; use a code from 300 to 699, like 486 (busy) or 603 (decline)"
            ));
        }
        Line::Reject { call, code } => Command::Reject { call, code },
        Line::Hangup { call } => Command::Hangup { call },
        Line::Hold { call } => Command::Hold { call },
        Line::Resume { call } => Command::Resume { call },
        Line::Mute { call } => Command::Mute { call, on: true },
        Line::Unmute { call } => Command::Mute { call, on: false },
        Line::Dtmf { call, digits, via } => {
            let known = |c: char| matches!(c, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d');
            if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.chars().all(known) {
                return Err(format!("digits are 1 to {MOST_DIGITS} of 0-9 * # A-D"));
            }
            let via = via.map(|via| match via {
                Via::Rfc4733 => Dtmf::Media(DtmfVia::Rfc4733),
                Via::Inband => Dtmf::Media(DtmfVia::Inband),
                Via::Info => Dtmf::Info,
            });
            Command::Dtmf { call, digits: digits.to_ascii_uppercase(), via }
        }
        Line::Message { to, text } => Command::Message { to, text },
        Line::Subscribe { what, to } => Command::Subscribe { package: watched(what, &to)?, to },
        Line::Unsubscribe { what, to } => Command::Unsubscribe { package: what, to },
        Line::PickUp { to } => Command::PickUp { to },
        Line::Transfer { call, to, with } => {
            let to = match (to, with) {
                (Some(to), None) => TransferTo::Address(to),
                (None, Some(with)) => TransferTo::Call(with),
                _ => return Err("a transfer names either \"to\", a number, or \"with\", another call".into()),
            };
            Command::Transfer { call, to }
        }
        Line::AnswerDial { request, accept } => Command::AnswerDial { request, accept },
        Line::Conference { calls } => Command::Conference { calls },
        Line::Record { stop: true, tone: Some(_), .. } => {
            return Err("\"tone\" is for a recording that begins".to_owned());
        }
        Line::Record { call, file, stop, tone } if file.is_some() != stop => Command::Record { call, file, tone },
        Line::Record { .. } => {
            return Err("say either \"file\", a name that ends in .opus or .wav, or \"stop\": true".to_owned());
        }
        Line::Stats { call } => Command::Stats { call },
        Line::VoiceProcessing { on, echo, noise, gain } => match (on, echo.and(noise).and(gain)) {
            (None, None) => return Err("say \"on\", or each of \"echo\", \"noise\" and \"gain\"".to_owned()),
            (on, _) => {
                let or = |one: Option<bool>| one.or(on).unwrap_or_default();
                Command::Voice(VoiceProcessing { echo: or(echo), noise: or(noise), gain: or(gain) })
            }
        },
        Line::Exposure => Command::Exposure,
        Line::Check { echo } => Command::Check { echo },
        Line::Quit => Command::Quit,
    })
}

/// Voicemail may be the account's own; a colleague is somebody.
fn watched(what: Package, to: &str) -> Result<Package, String> {
    match what {
        Package::Dialog | Package::Presence if to.is_empty() => Err("say in \"to\" whom to watch".to_owned()),
        what => Ok(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_the_contract() {
        for (line, expected) in [
            (r#"{"cmd":"registrations"}"#, "Registrations"),
            (
                r#"{"cmd":"select","registration":"100-acme-laptop","takeover":true}"#,
                r#"Select { registration: "100-acme-laptop", takeover: true }"#,
            ),
            (r#"{"cmd":"select","registration":"a"}"#, r#"Select { registration: "a", takeover: false }"#),
            (r#"{"cmd":"offline"}"#, "Offline"),
            (r#"{"cmd":"dial","to":"101"}"#, r#"Dial { to: "101", anonymous: false }"#),
            (r#"{"cmd":"dial","to":"101","anonymous":true}"#, r#"Dial { to: "101", anonymous: true }"#),
            (r#"{"cmd":"do_not_disturb","on":true}"#, "Services(DoNotDisturb { on: true })"),
            (r#"{"cmd":"forward","when":"off"}"#, "Services(Forward { when: Off, to: None, after_s: None })"),
            (
                r#"{"cmd":"forward","when":"no_answer","to":"103","after_s":20}"#,
                r#"Services(Forward { when: NoAnswer, to: Some("103"), after_s: Some(20) })"#,
            ),
            (r#"{"cmd":"answer","call":1}"#, "Answer { call: 1 }"),
            (r#"{"cmd":"reject","call":1,"code":603}"#, "Reject { call: 1, code: 603 }"),
            (r#"{"cmd":"reject","call":1}"#, "Reject { call: 1, code: 486 }"),
            (r#"{"cmd":"hangup","call":1}"#, "Hangup { call: 1 }"),
            (r#"{"cmd":"hold","call":1}"#, "Hold { call: 1 }"),
            (r#"{"cmd":"resume","call":1}"#, "Resume { call: 1 }"),
            (r#"{"cmd":"mute","call":1}"#, "Mute { call: 1, on: true }"),
            (r#"{"cmd":"unmute","call":1}"#, "Mute { call: 1, on: false }"),
            (
                r#"{"cmd":"dtmf","call":1,"digits":"12#d","via":"info"}"#,
                r##"Dtmf { call: 1, digits: "12#D", via: Some(Info) }"##,
            ),
            (r#"{"cmd":"dtmf","call":1,"digits":"1"}"#, r#"Dtmf { call: 1, digits: "1", via: None }"#),
            (r#"{"cmd":"message","to":"101","text":"Hi"}"#, r#"Message { to: "101", text: "Hi" }"#),
            (r#"{"cmd":"subscribe","what":"message-summary"}"#, r#"Subscribe { package: MessageSummary, to: "" }"#),
            (r#"{"cmd":"unsubscribe","what":"dialog","to":"101"}"#, r#"Unsubscribe { package: Dialog, to: "101" }"#),
            (r#"{"cmd":"pick_up","to":"101"}"#, r#"PickUp { to: "101" }"#),
            (r#"{"cmd":"transfer","call":1,"to":"102"}"#, r#"Transfer { call: 1, to: Address("102") }"#),
            (r#"{"cmd":"transfer","call":1,"with":2}"#, "Transfer { call: 1, to: Call(2) }"),
            (r#"{"cmd":"answer_dial","request":1,"accept":true}"#, "AnswerDial { request: 1, accept: true }"),
            (r#"{"cmd":"conference","calls":[1,2]}"#, "Conference { calls: [1, 2] }"),
            (r#"{"cmd":"record","call":1,"file":"x.opus"}"#, r#"Record { call: 1, file: Some("x.opus"), tone: None }"#),
            (
                r#"{"cmd":"record","call":1,"file":"x.opus","tone":true}"#,
                r#"Record { call: 1, file: Some("x.opus"), tone: Some(true) }"#,
            ),
            (r#"{"cmd":"record","call":1,"stop":true}"#, "Record { call: 1, file: None, tone: None }"),
            (r#"{"cmd":"stats","call":1}"#, "Stats { call: 1 }"),
            (
                r#"{"cmd":"voice_processing","on":true,"gain":false}"#,
                "Voice(VoiceProcessing { echo: true, noise: true, gain: false })",
            ),
            (
                r#"{"cmd":"voice_processing","echo":true,"noise":false,"gain":false}"#,
                "Voice(VoiceProcessing { echo: true, noise: false, gain: false })",
            ),
            (r#"{"cmd":"exposure"}"#, "Exposure"),
            (r#"{"cmd":"check"}"#, "Check { echo: None }"),
            (r#"{"cmd":"check","echo":"600"}"#, r#"Check { echo: Some("600") }"#),
            (r#"{"cmd":"quit"}"#, "Quit"),
        ] {
            assert_eq!(format!("{:?}", parse(line).expect(line).what), expected, "{line}");
        }
        let tagged = parse(r#"{"cmd":"quit","id":"x7"}"#).expect("a command");
        assert_eq!(tagged.id, Some("x7".into()));
    }

    #[test]
    fn what_cannot_be_understood_changes_nothing_and_says_so() {
        for (line, command, said) in [
            ("", None, "not JSON"),
            ("dial 101", None, "not JSON"),
            ("{\"cmd\":\"dial\"", None, "not JSON"),
            ("[]", None, "no \"cmd\""),
            ("{}", None, "no \"cmd\""),
            (r#"{"cmd":7}"#, None, "no \"cmd\""),
            (r#"{"cmd":"fly"}"#, Some("fly"), "unknown variant `fly`"),
            (r#"{"cmd":"dial"}"#, Some("dial"), "missing field `to`"),
            (r#"{"cmd":"answer","call":-1}"#, Some("answer"), "invalid value"),
            (r#"{"cmd":"reject","call":1,"code":200}"#, Some("reject"), "does not reject"),
            (r#"{"cmd":"dtmf","call":1,"digits":"1x"}"#, Some("dtmf"), "digits are"),
            (r#"{"cmd":"dtmf","call":1,"digits":""}"#, Some("dtmf"), "digits are"),
            (r#"{"cmd":"dtmf","call":1,"digits":"1","via":"smoke"}"#, Some("dtmf"), "unknown variant `smoke`"),
            (r#"{"cmd":"transfer","call":1}"#, Some("transfer"), "either"),
            (r#"{"cmd":"transfer","call":1,"to":"102","with":2}"#, Some("transfer"), "either"),
            (r#"{"cmd":"answer_dial","request":1}"#, Some("answer_dial"), "missing field `accept`"),
            (r#"{"cmd":"conference","calls":1}"#, Some("conference"), "invalid type"),
            (r#"{"cmd":"voice_processing","echo":true}"#, Some("voice_processing"), "or each of"),
            (r#"{"cmd":"record","call":1}"#, Some("record"), "say either"),
            (r#"{"cmd":"record","call":1,"file":"x.wav","stop":true}"#, Some("record"), "say either"),
            (r#"{"cmd":"do_not_disturb"}"#, Some("do_not_disturb"), "missing field `on`"),
            (r#"{"cmd":"forward","when":"never"}"#, Some("forward"), "unknown variant `never`"),
            (r#"{"cmd":"message","to":"101"}"#, Some("message"), "missing field `text`"),
            (r#"{"cmd":"subscribe","what":"dialog"}"#, Some("subscribe"), "whom to watch"),
            (r#"{"cmd":"subscribe","what":"weather"}"#, Some("subscribe"), "unknown variant `weather`"),
            (r#"{"cmd":"dial","to":"101","video":true}"#, Some("dial"), "not supported yet: unknown field `video`"),
            (r#"{"cmd":"agent_state","state":"paused"}"#, Some("agent_state"), "not supported yet: "),
        ] {
            let rejected = parse(line).expect_err(line);
            assert_eq!(rejected.command.as_deref(), command, "{line}");
            assert!(rejected.message.contains(said), "{line}: {}", rejected.message);
        }
        let rejected = parse(r#"{"cmd":"record","id":[1]}"#).expect_err("later");
        assert_eq!(rejected.id, Some(serde_json::json!([1])), "the mark comes back");
        for (line, id) in [
            (r#"{"cmd":"message","id":"x7","text":"too lo"#, Some("x7".into())),
            (r#"{"cmd":"dial","id":7,"to":101"#, Some(7.into())),
            (r#"{"cmd":"message","text":"{\"id\":7} and so on"#, None),
            (r#"{"cmd":"message","id":"x"#, None),
            // It may have been 123.
            (r#"{"cmd":"hangup","id":12"#, None),
            (r#"{"cmd":"hangup","id":12} now"#, Some(12.into())),
            (r#"[{"id":7}"#, None),
        ] {
            assert_eq!(parse(line).expect_err(line).id, id, "{line}");
        }
    }
}
