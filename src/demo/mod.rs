//! The demonstration's parties: a desk phone, a colleague, an echo and one that calls back, each a real user agent of ours on
//! a real socket.

mod party;
mod role;
mod speech;
mod story;

pub use party::Login;
pub use story::{Stage, StoryError, play};

use party::Party;
use role::Role;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// How long the parties may take to register.
const PATIENCE: Duration = Duration::from_secs(10);

/// The parties at work.
pub struct Parties {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// Their registrations: the desk phone's, the colleague's, the echo's and the call-back's.
pub struct Cast {
    /// `None` with `--demo-data=quiet`: desk phone and colleague are left out.
    pub people: Option<[Login; 2]>,
    pub services: [Login; 2],
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("a party of the demonstration has no socket: {0}")]
    Socket(#[from] io::Error),
    #[error("a party of the demonstration could not register at {0}; the log (TMS_LOG=debug) says why")]
    Offline(SocketAddr),
}

impl Parties {
    /// Starts them; when this returns, all have registered at `registrar`.
    ///
    /// # Errors
    /// Where one of them cannot.
    pub async fn start(registrar: SocketAddr, cast: Cast) -> Result<Self, DemoError> {
        let speech: Arc<[i16]> = speech::phrase().into();
        let people = cast.people.into_iter().flatten().zip([Role::DeskPhone, Role::Colleague]);
        let services = cast.services.into_iter().zip([Role::Echo, Role::CallBack]);
        let (stop, stopping) = watch::channel(false);
        let (mut tasks, mut online) = (JoinSet::new(), Vec::new());
        for (login, role) in people.chain(services) {
            let (tell, told) = watch::channel(false);
            let party = Party::new(role, login, registrar, Arc::clone(&speech), tell).await?;
            tasks.spawn(party.run(stopping.clone()));
            online.push(told);
        }
        for mut party in online {
            let registered = timeout(PATIENCE, party.wait_for(|online| *online)).await;
            if !matches!(registered, Ok(Ok(_))) {
                return Err(DemoError::Offline(registrar));
            }
        }
        Ok(Self { tasks, stop })
    }

    /// They hang up and un-register, within a second.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(Duration::from_secs(1), all).await;
    }
}
