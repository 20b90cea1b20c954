//! Connections: accepted, served, and let go at the end.

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// Limits of one listening port.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Connections at once; further ones wait in the kernel's queue. Setting `http.connections`.
    pub connections_max: usize,
    /// How long a connection may take to send a request's head, and how long it may stay idle between two requests.
    /// Setting `http.idle`.
    pub idle: Duration,
    /// How long requests under way may take to finish once shutdown has begun; then they are cut off.
    /// Setting `drain.grace`.
    pub grace: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            idle: Duration::from_secs(60),
            grace: Duration::from_secs(30),
        }
    }
}

/// Serves a router until `shutdown` resolves and the requests under way have finished, or `grace` has passed.
///
/// Returns whether all of them finished. Idle connections are closed at once.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: ServeSettings,
    shutdown: impl Future<Output = ()>,
) -> bool {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(settings.connections_max));
    let cut = CancellationToken::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: what is open must close before the next can be accepted.
                tracing::error!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let connection = graceful.watch(connection(stream, router.clone(), &settings));
        let cut = cut.clone();
        tokio::spawn(async move {
            if let Some(Err(error)) = cut.run_until_cancelled(connection).await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    let finished = tokio::time::timeout(settings.grace, graceful.shutdown()).await;
    cut.cancel();
    finished.is_ok()
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await;
    let permit = permit.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    // Answers are small and whole: waiting to fill a segment would only delay them.
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

/// One connection as a future; `http1` only, because nothing here speaks TLS.
fn connection(
    stream: TcpStream,
    router: Router,
    settings: &ServeSettings,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> + use<> {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        router.clone().call(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.idle)
        .serve_connection(TokioIo::new(stream), service)
}
