//! One TCP connection: a task reads and another future of the same task writes, so that a peer that does not read cannot
//! keep us from hearing it.

use crate::sip::{
    msg::Message,
    wire::{ReadError, StreamItem, StreamReader},
};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Messages that wait to be written; a peer that lets more pile up has failed.
const QUEUE: usize = 64;
/// Marks of requests sent lately, to be reported when the connection is lost before they are answered.
const MARKS: usize = 64;
/// Well below Timer B (32 s), so that a request moves on to the next address in time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// A peer that connected and says nothing for so long is gone; one that uses RFC 5626 pings every two minutes.
const SILENCE: Duration = Duration::from_secs(3600);
const READ: usize = 8 * 1024;

/// The loop's side of a connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Tells this connection from an earlier one to the same peer.
    pub(super) serial: u64,
    pub(super) incoming: bool,
    pub(super) last_heard: Instant,
    queue: mpsc::Sender<Vec<u8>>,
    marks: VecDeque<u64>,
    task: AbortHandle,
}

/// What a connection reports.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) remote: SocketAddr,
    pub(super) serial: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Message(Message),
    Unreadable(ReadError),
    Ping,
    Pong,
    /// The last word; a clause.
    Closed(String),
}

/// The task's way to the loop.
struct Reporter {
    remote: SocketAddr,
    serial: u64,
    notices: mpsc::Sender<Notice>,
}

impl Connection {
    pub(super) fn open(
        now: Instant,
        serial: u64,
        remote: SocketAddr,
        notices: mpsc::Sender<Notice>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let reporter = Reporter { remote, serial, notices };
        let task = tasks.spawn(async move {
            let reason = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => serve(stream, waiting, &reporter).await,
                Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => format!("nothing listens at {remote}"),
                Ok(Err(e)) => format!("{remote} cannot be reached: {e}"),
                Err(_) => format!("{remote} does not answer"),
            };
            reporter.report(What::Closed(reason)).await;
        });
        Self { serial, incoming: false, last_heard: now, queue, marks: VecDeque::new(), task }
    }

    pub(super) fn accepted(
        now: Instant,
        serial: u64,
        stream: TcpStream,
        remote: SocketAddr,
        notices: mpsc::Sender<Notice>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let reporter = Reporter { remote, serial, notices };
        let task = tasks.spawn(async move {
            let reason = serve(stream, waiting, &reporter).await;
            reporter.report(What::Closed(reason)).await;
        });
        Self { serial, incoming: true, last_heard: now, queue, marks: VecDeque::new(), task }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    pub(super) fn send(&mut self, payload: Vec<u8>, token: Option<u64>) -> Result<(), String> {
        self.queue.try_send(payload).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => "the peer does not read what it is sent",
            mpsc::error::TrySendError::Closed(_) => "the connection was lost",
        })?;
        if let Some(token) = token {
            if self.marks.len() >= MARKS {
                self.marks.pop_front();
            }
            self.marks.push_back(token);
        }
        Ok(())
    }

    /// Ends the connection; the marks of what may not have been answered.
    pub(super) fn abandon(self) -> Vec<u64> {
        self.task.abort();
        self.marks.into()
    }
}

impl Reporter {
    async fn report(&self, what: What) {
        // The loop ends before its connections only when everything ends.
        let _ = self.notices.send(Notice { remote: self.remote, serial: self.serial, what }).await;
    }
}

/// Until the connection ends; a clause saying why.
async fn serve(stream: TcpStream, waiting: mpsc::Receiver<Vec<u8>>, reporter: &Reporter) -> String {
    // Small messages in both directions: waiting to fill a packet would only delay them.
    if let Err(e) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY: {e}");
    }
    let (reading, writing) = stream.into_split();
    tokio::select! {
        reason = read(reading, reporter) => reason,
        reason = write(writing, waiting) => reason,
    }
}

async fn read(mut stream: OwnedReadHalf, reporter: &Reporter) -> String {
    let mut reader = StreamReader::new();
    let mut buffer = vec![0; READ];
    loop {
        let length = match tokio::time::timeout(SILENCE, stream.read(&mut buffer)).await {
            Ok(Ok(0)) => return "the peer closed the connection".into(),
            Ok(Ok(length)) => length,
            Ok(Err(e)) => return format!("the connection was lost: {e}"),
            Err(_) => return "the peer was silent for too long".into(),
        };
        reader.push(&buffer[..length]);
        while let Some(item) = reader.pop() {
            match item {
                StreamItem::Message(message) => reporter.report(What::Message(message)).await,
                StreamItem::Unreadable(error) => reporter.report(What::Unreadable(error)).await,
                StreamItem::Ping => reporter.report(What::Ping).await,
                StreamItem::Pong => reporter.report(What::Pong).await,
                StreamItem::Broken(error) => {
                    reporter.report(What::Unreadable(error)).await;
                    // Time for the loop to queue the answer and for the writer to write it.
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    return "the peer sent what is not SIP".into();
                }
            }
        }
    }
}

async fn write(mut stream: OwnedWriteHalf, mut waiting: mpsc::Receiver<Vec<u8>>) -> String {
    while let Some(payload) = waiting.recv().await {
        match tokio::time::timeout(WRITE_TIMEOUT, stream.write_all(&payload)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return format!("the connection was lost: {e}"),
            Err(_) => return "the peer does not read what it is sent".into(),
        }
    }
    "the connection was closed".into()
}
