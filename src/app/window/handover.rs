//! One window a configuration folder: a second start hands what it was to open to the one that runs, and ends. They meet at
//! a socket in the folder, which only this user may open: one line with the link, or an empty one; `ok` comes back.

use super::session::Input;
use crate::{
    config::{cli::WindowArgs, folder::ConfigFolder},
    tms::link::LONGEST,
    ua::api::Secret,
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    sync::mpsc::SyncSender,
    time::Duration,
};

#[cfg(unix)]
use std::{
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
};

#[cfg(unix)]
const SOCKET: &str = "window";
/// The other side is on this machine and has nothing to look up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a running window has taken over what this start was for.
pub fn to_running(args: &WindowArgs) -> bool {
    let Ok(folder) = ConfigFolder::locate(args.common.config_dir.as_deref()) else { return false };
    let link = args.link.as_ref().map_or("", |link| link.0.trim());
    let taken = link.len() <= LONGEST && hand_over(&folder, link).is_ok();
    if taken {
        eprintln!("agent-manager: it runs already; its window has come to the front");
    }
    taken
}

#[cfg(unix)]
fn hand_over(folder: &Path, link: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(folder.join(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    writeln!(stream, "{}", link.replace(['\r', '\n'], " "))?;
    let mut answer = String::new();
    BufReader::new(stream.take(16)).read_line(&mut answer)?;
    if answer == "ok\n" { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(not(unix))]
fn hand_over(_folder: &Path, _link: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Where second starts are heard; gone with this.
#[derive(Debug)]
pub struct Reception {
    #[cfg(unix)]
    socket: PathBuf,
}

#[cfg(unix)]
impl Reception {
    /// The folder must be held by this process.
    ///
    /// # Errors
    /// A sentence; second starts will be refused, everything else works.
    pub fn open(folder: &Path, input: SyncSender<Input>) -> Result<Self, String> {
        let socket = folder.join(SOCKET);
        listen(&socket, input).map_err(|why| {
            format!(
                "Links cannot be opened while this window runs ({}: {why}); quit it before you open one.",
                socket.display()
            )
        })?;
        Ok(Self { socket })
    }
}

#[cfg(unix)]
impl Drop for Reception {
    fn drop(&mut self) {
        // One that stays is nobody's, and replaced at the next start.
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[cfg(unix)]
fn listen(socket: &Path, input: SyncSender<Input>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Of a process that is gone, for the folder is ours.
    match std::fs::remove_file(socket) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    // Not waited for: it may stand in `accept` for ever.
    std::thread::Builder::new().name("second-start".into()).spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever says nothing sensible gets no answer.
            if let Ok(link) = receive(&stream)
                && input.send(Input::HandedOver(link)).is_err()
            {
                return;
            }
        }
    })?;
    Ok(())
}

#[cfg(unix)]
fn receive(mut stream: &UnixStream) -> io::Result<Secret> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST as u64 + 1)).read_line(&mut line)?;
    let Some(link) = line.strip_suffix('\n') else { return Err(io::ErrorKind::InvalidData.into()) };
    stream.write_all(b"ok\n")?;
    Ok(Secret(link.to_owned()))
}

#[cfg(not(unix))]
impl Reception {
    pub fn open(_folder: &Path, _input: SyncSender<Input>) -> Result<Self, String> {
        Ok(Self {})
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_second_start_is_heard_while_the_first_runs() {
        let dir = tempfile::tempdir().expect("a folder");
        hand_over(dir.path(), "early").expect_err("nobody runs");
        let (input, inputs) = sync_channel(4);
        // What a crash left behind is in nobody's way.
        drop(UnixListener::bind(dir.path().join(SOCKET)).expect("binds"));
        hand_over(dir.path(), "stale").expect_err("nobody runs");
        let reception = Reception::open(dir.path(), input).expect("opens");
        let link = "agent-manager://link?tms=https%3A%2F%2Ftms.example&code=c0de";
        for handed in [link, ""] {
            hand_over(dir.path(), handed).expect("taken");
            let heard = inputs.recv_timeout(PATIENCE).expect("heard");
            assert!(
                matches!(&heard, Input::HandedOver(link) if link.0 == handed) && !format!("{heard:?}").contains("c0de")
            );
        }
        let mut rude = UnixStream::connect(dir.path().join(SOCKET)).expect("connects");
        rude.write_all(&[b'x'; LONGEST + 1]).expect("writes");
        let mut answer = String::new();
        // Closed with unread bytes, or without an answer.
        let _ = rude.read_to_string(&mut answer);
        assert_eq!(answer, "");
        hand_over(dir.path(), "after").expect("the rude one harmed nobody");
        assert!(matches!(inputs.recv_timeout(PATIENCE), Ok(Input::HandedOver(link)) if link.0 == "after"));
        drop(reception);
        hand_over(dir.path(), "late").expect_err("nobody runs any more");
    }
}
