//! The listener: accepts connections, bounds their number and how long they may dawdle, and lets them end at a stop.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt;

use super::input::Peer;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 8192;
/// A connection that has not sent a whole request head by then is closed.
const HEAD: Duration = Duration::from_secs(15);
/// What is under way at a stop may take this long.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Serves until `stopping` turns true and what was under way has ended.
pub async fn serve(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connection = connection(stream, Peer(peer), router.clone(), stopping.clone());
                    connections.spawn(async move { connection.await; drop(place) });
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
    let _ = tokio::time::timeout(LAST_WORDS, async { while connections.join_next().await.is_some() {} }).await;
}

/// Returns once the server is to stop.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that whoever could stop the server is gone, so it stops too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, mut stopping: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = tower::service_fn(move |mut request: Request<_>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD).max_concurrent_streams(32);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    // An error here is the peer's: it hung up or spoke something else.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stopped(&mut stopping) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
