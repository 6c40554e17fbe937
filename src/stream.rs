//! SIP over a byte stream (RFC 3261 §18): one task reads and writes a connection, so that a peer that does not read cannot
//! keep us from hearing it. Pings (RFC 5626 §4.4.1) and what cannot be read are answered here.

use crate::sip::{
    msg::Message,
    wire::{self, ReadError, StreamItem, StreamReader},
};
use std::{io, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

/// Messages that may wait to be written; a peer that lets more pile up has failed.
pub const QUEUE: usize = 64;
/// RFC 5626 §4.4.1: a double CRLF is a ping.
pub const PING: &[u8] = b"\r\n\r\n";
/// RFC 5626 §4.4.1: a single CRLF is the pong.
pub const PONG: &[u8] = b"\r\n";
const READ: usize = 8 * 1024;
/// For the answer to what ends a connection, and for any message at all.
const LAST_WRITE: Duration = Duration::from_secs(1);
const WRITE: Duration = Duration::from_secs(15);
/// A segment that is not acknowledged for so long is lost with its connection (a NAT that restarted says nothing).
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// How long a peer may say nothing.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until its first whole message; bytes that make none do not count.
    pub first: Duration,
    /// Afterwards.
    pub idle: Duration,
}

/// What comes off a connection.
#[derive(Debug)]
pub enum Heard {
    Message(Box<Message>),
    Pong,
}

/// Why a connection ended; a clause.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("the peer closed the connection")]
    ByPeer,
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
    #[error("the peer was silent for too long")]
    Silent,
    #[error("the peer does not read what it is sent")]
    Unread,
    #[error("the peer sent what is not SIP")]
    NotSip,
    #[error("the connection was closed")]
    ByUs,
}

/// Asks routers for the class that telephone systems give their signalling (CS3, DSCP 24), where the system lets us.
pub fn mark(socket: &socket2::SockRef<'_>, is_ipv6: bool) {
    const CLASS: u32 = 24 << 2;
    let set = if is_ipv6 { socket.set_tclass_v6(CLASS) } else { socket.set_tos_v4(CLASS) };
    if let Err(error) = set {
        tracing::debug!(%error, "signalling goes out unmarked");
    }
}

/// Small messages in both directions, each waited for: none is held back to fill a packet, and a peer that is gone is noticed.
pub fn prepare(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    mark(&socket, stream.local_addr().is_ok_and(|address| address.is_ipv6()));
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)));
    if let Err(error) = set {
        tracing::debug!(%error, "a connection works without the options wanted");
    }
}

/// Serves a connection until it ends. `queued` is written; `queue` is its other end, for answers made here. What is heard
/// goes to `heard`, as `wrap` makes it; nobody listening there ends the connection.
pub async fn serve<T>(
    stream: impl AsyncRead + AsyncWrite,
    (queue, queued): (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
    patience: Patience,
    heard: &mpsc::Sender<T>,
    wrap: impl Fn(Heard) -> T,
) -> Ended {
    let (reading, writing) = tokio::io::split(stream);
    let (enough, enough_said) = oneshot::channel();
    let mut reading = pin!(read(reading, queue, patience, heard, wrap));
    let mut writing = pin!(write(writing, queued, enough_said));
    tokio::select! {
        ended = &mut reading => {
            if matches!(ended, Ended::NotSip) {
                // The answer that says so is still to be written.
                drop(enough);
                let _ = timeout(LAST_WRITE, writing).await;
            }
            ended
        }
        ended = &mut writing => ended,
    }
}

async fn read<T>(
    mut stream: impl AsyncRead + Unpin,
    queue: mpsc::Sender<Vec<u8>>,
    patience: Patience,
    heard: &mpsc::Sender<T>,
    wrap: impl Fn(Heard) -> T,
) -> Ended {
    let mut reader = StreamReader::new();
    let mut buffer = vec![0; READ];
    // Until the first message, one deadline for all reads: a byte now and then is no sign of life.
    let (mut deadline, mut proven) = (clock() + patience.first, false);
    // A peer whose queue is full will not miss an answer.
    let answer = |payload: Vec<u8>| drop(queue.try_send(payload));
    loop {
        let length = match timeout_at(deadline, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => return Ended::ByPeer,
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return Ended::Lost(error),
            Err(_) => return Ended::Silent,
        };
        let now = clock();
        if proven {
            deadline = now + patience.idle;
        } else if now >= deadline {
            // A stream that always has more to read never lets the timer speak.
            return Ended::Silent;
        }
        reader.push(&buffer[..length]);
        while let Some(item) = reader.pop() {
            let item = match item {
                StreamItem::Message(message) => {
                    (proven, deadline) = (true, clock() + patience.idle);
                    Heard::Message(Box::new(message))
                }
                StreamItem::Pong => Heard::Pong,
                StreamItem::Ping => {
                    answer(PONG.to_vec());
                    continue;
                }
                StreamItem::Unreadable(error) => {
                    unreadable(error, answer);
                    continue;
                }
                StreamItem::Broken(error) => {
                    unreadable(error, answer);
                    return Ended::NotSip;
                }
            };
            if heard.send(wrap(item)).await.is_err() {
                return Ended::ByUs;
            }
        }
    }
}

/// The answer that RFC 3261 wants for what cannot be read, where one is possible.
pub fn unreadable(error: ReadError, answer: impl FnOnce(Vec<u8>)) {
    match error {
        ReadError::KeepAlive => {}
        ReadError::Drop(why) => tracing::debug!("dropped what is no SIP message: {why}"),
        ReadError::Answer(response) => {
            tracing::info!("an invalid request, answered {} {}", response.code(), response.reason);
            answer(wire::write_response(&response));
        }
    }
}

async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut queued: mpsc::Receiver<Vec<u8>>,
    mut enough_said: oneshot::Receiver<()>,
) -> Ended {
    let mut closing = false;
    loop {
        let payload = tokio::select! {
            payload = queued.recv() => payload,
            _ = &mut enough_said, if !closing => {
                closing = true;
                queued.close();
                continue;
            }
        };
        let Some(payload) = payload else {
            // Orderly, so that the peer reads all of it.
            let _ = stream.shutdown().await;
            return Ended::ByUs;
        };
        let written = timeout(WRITE, async {
            stream.write_all(&payload).await?;
            stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Ended::Lost(error),
            Err(_) => return Ended::Unread,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a shell, which keeps its own deadlines")]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:acme SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKa\r\nFrom: <sip:1@acme>;tag=1\r\n\
                           To: <sip:acme>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    const PATIENCE: Patience = Patience { first: Duration::from_millis(20), idle: Duration::from_secs(60) };

    fn on_runtime<F: Future>(test: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
    }

    /// Reads `stream` to its end: why it ended, what was heard.
    async fn hear(stream: impl AsyncRead + Unpin) -> (Ended, Vec<Heard>) {
        let (queue, _queued) = mpsc::channel(QUEUE);
        let (sender, mut receiver) = mpsc::channel(4);
        let ended = read(stream, queue, PATIENCE, &sender, |heard| heard).await;
        (ended, std::iter::from_fn(|| receiver.try_recv().ok()).collect())
    }

    #[test]
    fn bytes_without_a_message_do_not_keep_a_connection_open() {
        on_runtime(async {
            // Line ends without end, always more of them before the time is over.
            let (ended, _) = hear(tokio::io::repeat(b'\n')).await;
            assert!(matches!(ended, Ended::Silent), "{ended}");
            // A message, and the time does not count any more.
            let stream = OPTIONS.as_bytes().chain(tokio::io::repeat(b'\n').take(1_000_000));
            let (ended, heard) = hear(stream).await;
            assert!(matches!(ended, Ended::ByPeer) && matches!(heard[..], [Heard::Message(_)]), "{ended} {heard:?}");
        });
    }

    #[test]
    fn what_is_not_sip_is_told_so_before_the_connection_ends() {
        on_runtime(async {
            let (mut near, far) = tokio::io::duplex(4096);
            let (sender, mut heard) = mpsc::channel(4);
            let serving = tokio::spawn(async move { serve(far, mpsc::channel(QUEUE), PATIENCE, &sender, |h| h).await });
            let unframed = OPTIONS.replace("Content-Length: 0\r\n", "");
            near.write_all(format!("{OPTIONS}\r\n\r\n{unframed}").as_bytes()).await.expect("written");
            let mut answer = String::new();
            near.read_to_string(&mut answer).await.expect("an orderly end");
            let refusal = answer.strip_prefix("\r\n").expect("a pong first");
            assert!(refusal.starts_with("SIP/2.0 400 ") && refusal.ends_with("\r\n\r\n"), "{answer:?}");
            assert!(matches!(serving.await, Ok(Ended::NotSip)));
            assert!(matches!(heard.recv().await, Some(Heard::Message(_))) && heard.recv().await.is_none());
        });
    }
}
