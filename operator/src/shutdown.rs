//! One signal that everything stops on.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Can be waited for by any number of tasks.
#[derive(Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens for SIGTERM and SIGINT.
    pub(crate) fn on_signal() -> std::io::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("told to stop");
            sender.send_replace(true);
            // The receivers see the value only while the sender lives.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Returns when it is time to stop.
    pub(crate) async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
