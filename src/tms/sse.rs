//! Server-sent events (WHATWG HTML §9.2.6): bytes in, events out.

/// Longer lines or events end the stream: a TMS sends a few hundred bytes.
const LIMIT: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEvent {
    /// `message` where the server names none.
    pub name: String,
    pub data: String,
}

/// The stream broke its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    name: String,
    data: String,
    has_data: bool,
}

impl Parser {
    /// # Errors
    /// When a line or an event is longer than any TMS would send.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, TooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.end_of_line(&String::from_utf8_lossy(&line)));
                }
                _ => {
                    self.after_cr = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.data.len() + self.name.len() > LIMIT {
                return Err(TooLarge);
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self, line: &str) -> Option<ServerEvent> {
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return std::mem::take(&mut self.has_data).then_some(ServerEvent { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // Comments, `id` and `retry`: the session asks anew after a gap and keeps its own back-off.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> ServerEvent {
        ServerEvent { name: name.into(), data: data.into() }
    }

    #[test]
    fn the_same_events_however_the_bytes_are_cut() {
        let stream = "\u{feff}: hello\r\n\r\nevent: registrations\ndata: {}\n\nevent:session\r\ndata:a\r\ndata: b\r\n\r\nevent: none\n\ndata\n\nid: 7\rdata: x\r\r";
        let expected =
            [event("registrations", "{}"), event("session", "a\nb"), event("message", ""), event("message", "x")];
        for step in [1, 2, 3, 7, stream.len()] {
            let mut parser = Parser::default();
            let events: Vec<_> =
                stream.as_bytes().chunks(step).flat_map(|part| parser.push(part).expect("within bounds")).collect();
            assert_eq!(events, expected, "in steps of {step}");
        }
    }

    #[test]
    fn bounded() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'x'; LIMIT + 1]), Err(TooLarge));
        let mut parser = Parser::default();
        let many = "data: 0123456789\n".repeat(LIMIT / 8);
        assert_eq!(parser.push(many.as_bytes()), Err(TooLarge));
    }
}
