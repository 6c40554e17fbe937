//! The listener: accepts connections, with TLS or without, bounds their number and how long they may dawdle, and lets them end
//! at a stop.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

use super::input::Peer;

/// How much the listener puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// A connection that has not sent a whole request head by then, or is idle for so long, is closed.
    pub head: Duration,
    /// What is under way at a stop may take this long.
    pub last_words: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 8192, head: Duration::from_secs(15), last_words: Duration::from_secs(3) }
    }
}

/// Serves until `stopping` turns true and what was under way has ended; with TLS where there is an acceptor, of which the newest
/// counts.
pub async fn serve(
    listener: TcpListener,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    limits: Limits,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let tls = tls.as_ref().map(|newest| newest.borrow().clone());
                    let (router, stopping) = (router.clone(), stopping.clone());
                    connections.spawn(async move {
                        admit(stream, tls, Peer(peer), router, stopping, limits.head).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others must end first.
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            () = stopped(&mut stopping) => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let _ = tokio::time::timeout(limits.last_words, async { while connections.join_next().await.is_some() {} }).await;
}

/// Returns once the server is to stop.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop the server is gone, so it stops too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Plain, or after the handshake, which counts towards the time that a request's head may take.
async fn admit(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    head: Duration,
) {
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = tls else { return connection(stream, peer, router, stopping, head).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(head, handshake(stream, acceptor)) => shaken,
        () = stopped(&mut stopping) => return,
    };
    // Whoever is too slow or does not speak TLS is let go.
    if let Ok(Some(stream)) = shaken {
        connection(stream, peer, router, stopping, head).await;
    }
}

/// The first byte of a TLS connection: a handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 0x16;
const SPEAKS_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
    This server speaks HTTPS here: write https:// before its address.\n";

async fn handshake(mut stream: TcpStream, acceptor: TlsAcceptor) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 1 && first[0] != HANDSHAKE {
        stream.write_all(SPEAKS_HTTPS).await.ok()?;
        // What was asked is read first: closing over it would take the answer away with it.
        let _ = stream.shutdown().await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        return None;
    }
    acceptor.accept(stream).await.ok()
}

async fn connection<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    head: Duration,
) {
    let service = tower::service_fn(move |mut request: Request<_>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    // HTTP/1.1 only: waiting to see which version a peer speaks has no time limit.
    let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(head);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    // An error here is the peer's: it hung up or spoke something else.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stopping) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A listener that soon loses patience, and whoever can stop it.
    async fn start(connections: usize) -> (std::net::SocketAddr, watch::Sender<bool>, JoinSet<()>) {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = socket.local_addr().expect("bound");
        let (stop, stopping) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "here" }));
        let limits = Limits { connections, head: Duration::from_millis(100), last_words: Duration::from_millis(100) };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(socket, None, router, stopping, limits));
        (address, stop, tasks)
    }

    #[tokio::test]
    async fn who_dawdles_is_cut_off() {
        let (address, _stop, _tasks) = start(10).await;
        for (sent, answered) in [("", ""), ("GET / HTTP/1.1\r\nHo", ""), ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "here")]
        {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.write_all(sent.as_bytes()).await.expect("writes");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("is closed");
            assert!(answer.ends_with(answered), "{sent:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn who_comes_too_many_waits_for_a_place() {
        let (address, _stop, _tasks) = start(1).await;
        let mut first = TcpStream::connect(address).await.expect("connects");
        let mut second = TcpStream::connect(address).await.expect("waits in the queue");
        second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("writes");
        let mut nothing = String::new();
        first.read_to_string(&mut nothing).await.expect("is closed");
        let mut answer = String::new();
        second.read_to_string(&mut answer).await.expect("is served then");
        assert!(nothing.is_empty() && answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn a_stop_waits_for_nobody_for_long() {
        let (address, stop, mut tasks) = start(10).await;
        let _dawdler = TcpStream::connect(address).await.expect("connects");
        stop.send(true).expect("listened to");
        tasks.join_next().await.expect("one task").expect("no panic");
        assert!(TcpStream::connect(address).await.is_err(), "still listening");
    }
}
