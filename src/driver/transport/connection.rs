//! The loop's side of a TCP connection.

use crate::stream::{self, Heard, Patience, QUEUE};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Marks of requests sent lately, to be reported when the connection is lost before they are answered.
const MARKS: usize = 64;
/// Well below Timer B (32 s), so that a request moves on to the next address in time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// A peer that says nothing for so long is gone; one that uses RFC 5626 pings every two minutes.
const IDLE: Duration = Duration::from_secs(3600);
/// One that connected has come to say something.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);

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
    Heard(Heard),
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
        let (queue, queued) = mpsc::channel(QUEUE);
        let (answers, reporter) = (queue.clone(), Reporter { remote, serial, notices });
        let task = tasks.spawn(async move {
            let reason = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(remote)).await {
                Ok(Ok(stream)) => reporter.serve(stream, (answers, queued), IDLE).await,
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
        let (queue, queued) = mpsc::channel(QUEUE);
        let (answers, reporter) = (queue.clone(), Reporter { remote, serial, notices });
        let task = tasks.spawn(async move {
            let reason = reporter.serve(stream, (answers, queued), FIRST_MESSAGE).await;
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
    /// Until the connection ends; a clause saying why.
    async fn serve(
        &self,
        stream: TcpStream,
        queue: (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>),
        first: Duration,
    ) -> String {
        stream::prepare(&stream);
        let heard = |heard| self.notice(What::Heard(heard));
        stream::serve(stream, queue, Patience { first, idle: IDLE }, &self.notices, heard).await.to_string()
    }

    async fn report(&self, what: What) {
        // The loop ends before its connections only when everything ends.
        let _ = self.notices.send(self.notice(what)).await;
    }

    const fn notice(&self, what: What) -> Notice {
        Notice { remote: self.remote, serial: self.serial, what }
    }
}
