//! The loop's side of a TCP or TLS connection.

use super::tls::Way;
use crate::{
    sip::flow::Flow,
    stream::{self, Heard, Patience, QUEUE},
};
use rustls::pki_types::CertificateDer;
use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

/// Marks of requests sent lately, to be reported when the connection is lost before they are answered.
const MARKS: usize = 64;
/// Well below Timer B (32 s), so that a request moves on to the next address in time. With the TLS handshake.
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
    /// What proved the peer's name, over TLS.
    pub(super) certificate: Option<CertificateDer<'static>>,
    queue: mpsc::Sender<Vec<u8>>,
    marks: VecDeque<u64>,
    task: AbortHandle,
}

/// What a connection reports.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) flow: Flow,
    pub(super) serial: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// The TLS handshake is done.
    Secured(CertificateDer<'static>),
    Heard(Heard),
    /// The last word; a clause.
    Closed(String),
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The task's way to the loop.
struct Reporter {
    flow: Flow,
    serial: u64,
    notices: mpsc::Sender<Notice>,
}

impl Connection {
    /// `way`: the connection is to be TLS.
    pub(super) fn open(
        now: Instant,
        serial: u64,
        (flow, way): (Flow, Option<Way>),
        notices: mpsc::Sender<Notice>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (answers, reporter) = (queue.clone(), Reporter { flow, serial, notices });
        let task = tasks.spawn(async move {
            let reason = reporter.connect(way, (answers, queued)).await;
            reporter.report(What::Closed(reason)).await;
        });
        Self { serial, incoming: false, last_heard: now, certificate: None, queue, marks: VecDeque::new(), task }
    }

    pub(super) fn accepted(
        now: Instant,
        serial: u64,
        (stream, flow): (TcpStream, Flow),
        notices: mpsc::Sender<Notice>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE);
        let (answers, reporter) = (queue.clone(), Reporter { flow, serial, notices });
        let task = tasks.spawn(async move {
            stream::prepare(&stream);
            let reason = reporter.serve(stream, (answers, queued), FIRST_MESSAGE).await;
            reporter.report(What::Closed(reason)).await;
        });
        Self { serial, incoming: true, last_heard: now, certificate: None, queue, marks: VecDeque::new(), task }
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

type Queue = (mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>);

impl Reporter {
    /// Opens the connection and serves it until it ends; a clause saying why.
    async fn connect(&self, way: Option<Way>, queue: Queue) -> String {
        let remote = self.flow.remote;
        let connected = timeout(CONNECT_TIMEOUT, async {
            let stream = TcpStream::connect(remote).await.map_err(|e| match e.kind() {
                io::ErrorKind::ConnectionRefused => format!("nothing listens at {remote}"),
                _ => format!("{remote} cannot be reached: {e}"),
            })?;
            stream::prepare(&stream);
            match way {
                None => Ok((Stream::Plain(stream), None)),
                Some(way) => way.secure(stream).await.map(|(stream, shown)| (Stream::Tls(Box::new(stream)), shown)),
            }
        });
        let (stream, shown) = match connected.await {
            Ok(Ok(connected)) => connected,
            Ok(Err(why)) => return why,
            Err(_) => return format!("{remote} does not answer"),
        };
        if let Some(certificate) = shown {
            self.report(What::Secured(certificate)).await;
        }
        match stream {
            Stream::Plain(stream) => self.serve(stream, queue, IDLE).await,
            Stream::Tls(stream) => self.serve(stream, queue, IDLE).await,
        }
    }

    /// Until the connection ends; a clause saying why.
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite, queue: Queue, first: Duration) -> String {
        let heard = |heard| self.notice(What::Heard(heard));
        stream::serve(stream, queue, Patience { first, idle: IDLE }, &self.notices, heard).await.to_string()
    }

    async fn report(&self, what: What) {
        // The loop ends before its connections only when everything ends.
        let _ = self.notices.send(self.notice(what)).await;
    }

    const fn notice(&self, what: What) -> Notice {
        Notice { flow: self.flow, serial: self.serial, what }
    }
}
