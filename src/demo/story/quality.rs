//! The table of call quality that ends the story.

use serde_json::Value;
use std::fmt;

/// One call's figures, from a `stats` event.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    pub call: &'static str,
    pub codec: String,
    pub stats: Value,
}

/// All calls of the story.
pub struct Table(pub Vec<Quality>);

impl Quality {
    fn figure(&self, pointer: &str) -> Option<f64> {
        self.stats.pointer(pointer).and_then(Value::as_f64)
    }

    fn loss_percent(&self) -> Option<f64> {
        let (lost, received) = (self.figure("/rx/lost")?, self.figure("/rx/packets")?);
        (received + lost > 0.0).then(|| 100.0 * lost / (received + lost))
    }

    /// One way: half the round trip and what the jitter buffer holds.
    fn delay_ms(&self) -> Option<f64> {
        let buffer = self.figure("/rx/buffer_ms")?;
        Some(self.figure("/rtt_ms").unwrap_or_default() / 2.0 + buffer)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = ["call", "codec", "sent", "received", "loss", "jitter", "delay", "MOS"];
        row(f, line.map(str::to_owned))?;
        for call in &self.0 {
            let figure = |value: Option<f64>, decimals: usize, unit: &str| {
                value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}{unit}"))
            };
            row(
                f,
                [
                    call.call.to_owned(),
                    call.codec.clone(),
                    figure(call.figure("/tx/packets"), 0, ""),
                    figure(call.figure("/rx/packets"), 0, ""),
                    figure(call.loss_percent(), 1, " %"),
                    figure(call.figure("/rx/jitter_ms"), 1, " ms"),
                    figure(call.delay_ms(), 0, " ms"),
                    figure(call.figure("/mos"), 2, ""),
                ],
            )?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, cells: [String; 8]) -> fmt::Result {
    let [call, codec, sent, received, loss, jitter, delay, mos] = cells;
    writeln!(f, "  {call:<22} {codec:<11} {sent:>6} {received:>9} {loss:>7} {jitter:>9} {delay:>8} {mos:>5}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_have_units_and_gaps_are_shown() {
        let stats = json!({"rx": {"packets": 95, "lost": 5, "jitter_ms": 0.42, "buffer_ms": 40.0},
            "tx": {"packets": 100}, "rtt_ms": 2.0, "mos": 4.126});
        let table = Table(vec![
            Quality { call: "600 echo", codec: "opus/48000".into(), stats },
            Quality { call: "601", codec: "PCMU/8000".into(), stats: json!({"rx": {"packets": 0, "lost": 0}}) },
        ]);
        let printed = table.to_string();
        let lines: Vec<String> =
            printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[1], "600 echo opus/48000 100 95 5.0 % 0.4 ms 41 ms 4.13");
        assert_eq!(lines[2], "601 PCMU/8000 – 0 – – – –");
    }
}
