//! One step of a pod: what is said for it, and what the answers come to.

use std::net::SocketAddr;

use super::super::ask::Schedulers;
use super::super::links::Place;
use super::super::rpc::{self, Talk};
use super::drain::{Action, Outcome};
use super::{Bounds, ask, read};

pub(super) async fn act(action: Action, schedulers: &dyn Schedulers, place: &Place) -> Outcome {
    let (messages, named) = match action {
        Action::Retire(workers) => (vec![rpc::retirement(&workers)], workers),
        Action::Remove(workers) => (workers.iter().map(|worker| rpc::removal(worker)).collect(), Vec::new()),
        Action::GoOn(addresses) => return go_on(&addresses, schedulers).await,
    };
    match ask(schedulers, place, messages, Bounds::STEP).await {
        Ok(answers) if named.is_empty() => {
            let failed = answers.iter().any(|answer| rpc::is_done(answer).is_err());
            if failed { Outcome::Unknown } else { Outcome::Done }
        }
        Ok(answers) => match read(rpc::retired, &answers, 0) {
            Ok(retired) if named.iter().all(|worker| retired.contains(worker)) => Outcome::Done,
            Ok(_) => Outcome::Refused,
            Err(_) => Outcome::Unknown,
        },
        Err(_) => Outcome::Unknown,
    }
}

async fn go_on(addresses: &[SocketAddr], schedulers: &dyn Schedulers) -> Outcome {
    for address in addresses {
        let messages = rpc::going_on();
        let Bounds { most, within } = Bounds::STEP;
        let talk = Talk { address: *address, messages, answered: false, most, within };
        if let Err(why) = schedulers.talk(talk).await {
            tracing::warn!(%address, %why, "a worker that is wanted again does not take work");
            return Outcome::Unknown;
        }
    }
    Outcome::Done
}
