//! One signal that everything stops on.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Can be waited for by any number of tasks.
#[derive(Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Gives the signal. It has to outlive those who wait.
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// It is time to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A signal that the caller gives.
    pub fn by_hand() -> (Stop, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stop(sender), Self(receiver))
    }

    /// Listens for SIGTERM and SIGINT.
    pub(crate) fn on_signal() -> std::io::Result<Self> {
        let (stop, shutdown) = Self::by_hand();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("told to stop");
            stop.stop();
            // The receivers see the value only while the sender lives.
            stop.0.closed().await;
        });
        Ok(shutdown)
    }

    /// Returns when it is time to stop.
    pub(crate) async fn wait(mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
