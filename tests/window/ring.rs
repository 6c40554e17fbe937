//! The ringing window beside another program that has the keyboard.

use crate::{
    desk::{Desk, wait_for},
    process::Process,
};
use std::{
    io::{BufRead, BufReader, Write},
    process::Stdio,
};
use x11rb::{
    connection::Connection,
    protocol::{
        Event,
        xproto::{ConfigureWindowAux, ConnectionExt, CreateWindowAux, EventMask, StackMode, WindowClass},
    },
    rust_connection::RustConnection,
};

/// Another program: a window that wants the keyboard and counts the keys it gets.
pub struct Other {
    connection: RustConnection,
    root: u32,
    window: u32,
}

impl Other {
    pub fn open(desk: &Desk) -> Self {
        let (connection, screen) = RustConnection::connect(Some(desk.display())).expect("the X server answers");
        let screen = connection.setup().roots[screen].clone();
        let window = connection.generate_id().expect("an id");
        let wanted = CreateWindowAux::new().event_mask(EventMask::KEY_PRESS).background_pixel(screen.white_pixel);
        connection
            .create_window(0, window, screen.root, 0, 0, 1280, 780, 0, WindowClass::INPUT_OUTPUT, 0, &wanted)
            .expect("sent")
            .check()
            .expect("a window");
        connection.map_window(window).expect("sent").check().expect("mapped");
        let other = Self { connection, root: screen.root, window };
        wait_for("the other program to have the keyboard", || {
            desk.xdotool(&["windowfocus", &other.window.to_string()]);
            other.has_keyboard().then_some(())
        });
        other
    }

    pub fn has_keyboard(&self) -> bool {
        let focus = self.connection.get_input_focus().expect("sent").reply().expect("the focus");
        focus.focus == self.window
    }

    /// Types a digit and waits until it arrives here.
    pub fn gets_what_is_typed(&self, desk: &Desk) -> bool {
        while self.connection.poll_for_event().expect("connected").is_some() {}
        desk.xdotool(&["key", "7"]);
        wait_for("the key", || match self.connection.poll_for_event().expect("connected") {
            Some(Event::KeyPress(_)) => Some(true),
            _ => (!self.has_keyboard()).then_some(false),
        })
    }

    /// The override-redirect window on the screen, once there is one, with its place.
    fn ringing_window(&self) -> Option<(u32, i16, i16)> {
        let tree = self.connection.query_tree(self.root).ok()?.reply().ok()?;
        tree.children.into_iter().find_map(|window| {
            let attributes = self.connection.get_window_attributes(window).ok()?.reply().ok()?;
            let place = self.connection.get_geometry(window).ok()?.reply().ok()?;
            let shown = attributes.override_redirect && u8::from(attributes.map_state) == 2 && place.width > 200;
            (shown && place.x > 800).then_some((window, place.x, place.y))
        })
    }

    fn raise(&self) {
        // What a window manager does when its user picks this window: the frame, its parent, comes to the top.
        let tree = self.connection.query_tree(self.window).expect("sent").reply().expect("the parent");
        let top = ConfigureWindowAux::new().stack_mode(StackMode::ABOVE);
        self.connection.configure_window(tree.parent, &top).expect("sent").check().expect("raised");
    }

    fn topmost(&self) -> Option<u32> {
        self.connection.query_tree(self.root).ok()?.reply().ok()?.children.last().copied()
    }
}

#[test]
fn ringing_takes_no_keyboard_stays_on_top_and_ends_with_its_input() {
    let desk = Desk::start();
    let other = Other::open(&desk);
    let mut ring = desk.agent_manager();
    let ring = ring.arg("ring").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
    let mut ring = Process(ring);
    let mut stdin = ring.0.stdin.take().expect("stdin was piped");
    let mut stdout = BufReader::new(ring.0.stdout.take().expect("stdout was piped"));
    writeln!(stdin, r#"{{"call":1,"name":"Maria Dlamini","line":"+27 21 555 0142 · for Sales","dark":false}}"#)
        .unwrap();

    let (window, x, y) = desk.wait_for("the ringing window", |_| other.ringing_window());
    assert!(other.has_keyboard(), "the ringing window took the keyboard when it appeared");
    assert!(other.gets_what_is_typed(&desk), "what is typed no longer arrives");

    other.raise();
    desk.wait_for("the ringing window to be on top again", |_| (other.topmost()? == window).then_some(()));
    desk.picture("root", "ringing.png");

    let (answer_x, answer_y) = (x + 100, y + 172 - 36);
    desk.xdotool(&["mousemove", &answer_x.to_string(), &answer_y.to_string(), "click", "1"]);
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "\"answer\"");
    assert!(other.has_keyboard(), "pressing Answer took the keyboard");
    assert!(other.gets_what_is_typed(&desk));

    drop(stdin);
    let ended = wait_for("the process to end", || ring.0.try_wait().expect("waited for"));
    assert!(ended.success(), "{ended}");
    assert_eq!(other.ringing_window(), None);
}

/// Both ends of a program that is spoken with in lines.
struct Lines {
    _process: Process,
    said: BufReader<std::process::ChildStdout>,
    told: std::process::ChildStdin,
}

impl Lines {
    fn of(command: &mut std::process::Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = Process(child.expect("started"));
        let told = process.0.stdin.take().expect("stdin was piped");
        let said = BufReader::new(process.0.stdout.take().expect("stdout was piped"));
        Self { _process: process, said, told }
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.told, "{line}").expect("it listens");
    }
}

#[test]
fn without_a_window_on_top_a_notification_stands_as_long_as_it_rings() {
    let desk = Desk::start();
    let service = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/window/notifications.py");
    let mut service = Lines::of(desk.command("/usr/bin/python3").arg(service).stderr(Stdio::inherit()));
    assert_eq!(service.hear(), "ready");
    let mut ring = Lines::of(desk.agent_manager().arg("ring").env("WAYLAND_DISPLAY", "wayland-0"));
    ring.tell(r#"{"call":1,"name":"Unknown"}"#);
    assert_eq!(service.hear(), "notify 1 0 Incoming call from Unknown");
    ring.tell(r#"{"call":1,"name":"Maria"}"#);
    assert_eq!(service.hear(), "notify 1 1 Incoming call from Maria", "in the same place");
    service.tell("dismiss 1");
    assert_eq!(service.hear(), "notify 2 0 Incoming call from Maria", "it still rings");
    drop(ring.told);
    assert_eq!(service.hear(), "notify 2 2 Incoming call from Maria");
    assert_eq!(service.hear(), "close 2", "it rings no more");

    let mut ring = Lines::of(desk.agent_manager().arg("ring").env("WAYLAND_DISPLAY", "wayland-0"));
    ring.tell(r#"{"call":2,"name":"Johan","hold_other":true}"#);
    assert_eq!(service.hear(), "notify 3 0 Incoming call from Johan");
    service.tell("press 3 answer");
    assert_eq!(ring.hear(), "\"answer\"");
}
