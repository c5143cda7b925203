//! Protocols that are not HTTP: a listener of their own, within limits.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{Accepted, Listener, Stop};

/// How long a cut connection may take to notice, before serving ends without it.
const CUT_TIME_MAX: Duration = Duration::from_secs(1);

/// Limits of a listener.
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions {
    /// Connections at once; further ones wait in the system's queue. Default 4,096.
    pub connections_max: usize,
    /// At shutdown, the time for connections to say good-bye. Default 8 s.
    pub shutdown_timeout: Duration,
}

impl Default for TcpOptions {
    fn default() -> Self {
        TcpOptions { connections_max: 4096, shutdown_timeout: Duration::from_secs(8) }
    }
}

/// Serves each connection of `listener` in a task of its own until `stop`, which `serve` is expected to watch too; then
/// waits for [`TcpOptions::shutdown_timeout`], drops what is left, and returns. The handshake is `serve`'s to do. A
/// panic ends its connection and nothing else.
pub async fn serve_tcp<S, F>(listener: Listener, options: TcpOptions, stop: Stop, serve: S)
where
    S: Fn(Accepted) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(options.connections_max));
    let (tasks, cut) = (TaskTracker::new(), Stop::new());
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let Some((place, accepted)) = stop.run_until_cancelled(next).await.flatten() else { break };
        // Made here and boxed, so that the task holds a pointer to it and not a second copy.
        let connection = Box::pin(serve(accepted));
        let cut = cut.clone();
        tasks.spawn(async move {
            cut.run_until_cancelled_owned(connection).await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(options.shutdown_timeout, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "cutting connections that did not finish in time");
        cut.cancel();
        let _ = tokio::time::timeout(CUT_TIME_MAX, tasks.wait()).await;
    }
}
