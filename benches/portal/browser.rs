//! As much of a browser as a measurement needs: a connection that is kept, cookies, one form.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Instant,
};

pub struct Browser {
    connection: BufReader<TcpStream>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_nodelay(true).expect("sets");
        Self { connection: BufReader::new(stream), cookies: BTreeMap::new() }
    }

    /// Signs in; how long the form's answer took, in milliseconds.
    pub fn sign_in(&mut self, username: &str, password: &str) -> f64 {
        let (_, page) = self.ask("GET", "/sign-in", "");
        let token = page.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let (username, password) = (username.replace('@', "%40"), password.replace(' ', "+"));
        let form = format!("form={}&username={username}&password={password}", token.expect("the form's token"));
        let started = Instant::now();
        let (status, page) = self.ask("POST", "/sign-in", &form);
        assert_eq!(status, 303, "{page}");
        started.elapsed().as_secs_f64() * 1000.0
    }

    /// Opens a page to its last byte.
    pub fn open(&mut self, path: &str) {
        let (status, page) = self.ask("GET", path, "");
        assert!(status == 200 && page.ends_with("</html>"), "{path}: {status} {page}");
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: tms\r\nAccept: text/html\r\nSec-Fetch-Site: same-origin\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            cookies.join("; "),
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes()).expect("sends");
        let status = self.line().split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut length = 0;
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().expect("a length"),
                "set-cookie" => {
                    let pair = value.split(';').next().and_then(|pair| pair.trim().split_once('='));
                    let (name, value) = pair.expect("a cookie");
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
                _ => {}
            }
        }
        let mut page = vec![0; length];
        self.connection.read_exact(&mut page).expect("the whole page");
        (status, String::from_utf8(page).expect("UTF-8"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.connection.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}
