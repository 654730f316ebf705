//! Dask's own protocol, as far as it is plain: a few messages to a scheduler or a worker, and what each is answered.

mod frames;
mod message;
mod reply;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ask::AskError;
pub(super) use message::{going_on, question, removal, retirement, what_it_processes, which_may_close};
pub(super) use reply::{Identity, Told, closable, identity, is_done, processing, retired, target};

const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// What is said on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// To whom.
    pub address: SocketAddr,
    /// The messages, in msgpack.
    pub messages: Vec<Vec<u8>>,
    /// Whether each of them is answered; else the other side hangs up when it has done as it was told.
    pub answered: bool,
    /// So many bytes are read in all.
    pub most: usize,
    /// All of it has to be over by then.
    pub within: Duration,
}

/// Says it, and returns the answers in msgpack. Nothing in them is ever executed: what is pickled stays so.
pub(super) async fn talk(talk: Talk) -> Result<Vec<Vec<u8>>, AskError> {
    let within = talk.within;
    timeout(within, converse(talk))
        .await
        .unwrap_or_else(|_| Err(AskError::Call("no answer in time".to_owned())))
}

async fn converse(talk: Talk) -> Result<Vec<Vec<u8>>, AskError> {
    let connected = timeout(CONNECTED_WITHIN, TcpStream::connect(talk.address)).await;
    let connected = connected.map_err(|_| AskError::Call("no connection in time".to_owned()))?;
    let mut stream = connected.map_err(|error| AskError::Call(error.kind().to_string()))?;
    frames::write(&mut stream, &message::greeting()).await?;
    frames::greeted(&mut stream).await?;
    let (mut answers, mut left) = (Vec::new(), talk.most);
    for message in &talk.messages {
        frames::write(&mut stream, message).await?;
        if talk.answered {
            let answer = frames::read(&mut stream, &mut left).await;
            answers.push(answer.map_err(|error| of_all(error, talk.most))?);
        }
    }
    if !talk.answered {
        frames::closed(&mut stream).await?;
    }
    Ok(answers)
}

/// In words that do not change with what came before.
fn of_all(error: AskError, most: usize) -> AskError {
    if matches!(error, AskError::TooLong(_)) { AskError::TooLong(most) } else { error }
}

#[cfg(test)]
mod tests;
