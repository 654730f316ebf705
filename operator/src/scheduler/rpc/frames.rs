//! How messages lie in the stream: their size, how many parts there are, the size of each, and the parts.
//!
//! The first part is the message. Others are what Dask has serialised in its own ways, and not for us.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::super::ask::AskError;

/// Whoever says more before it was asked anything is no scheduler.
const LONGEST_GREETING: usize = 64 << 10;
/// An answer that is plain has one part; an error has some more.
const MOST_PARTS: u64 = 64;
/// How a TLS alert begins: somebody did not understand what we said. Most hang up without a word.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// Sends one message.
pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> Result<(), AskError> {
    let size = message.len() as u64;
    let head = [size + 16, 1, size].map(u64::to_le_bytes).concat();
    stream.write_all(&[head.as_slice(), message].concat()).await.map_err(in_words)
}

/// Reads what the other side says first: Dask does so before it has heard anything.
pub(super) async fn greeted(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), AskError> {
    let mut first = [0; 1];
    match stream.read(&mut first).await {
        Ok(1..) => read_greeting(&mut first.as_slice().chain(stream)).await,
        Ok(0) => Err(AskError::Tls),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(AskError::Tls),
        Err(error) => Err(in_words(error)),
    }
}

/// Reads one message, of so many bytes at most: what it takes is taken from them.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    left: &mut usize,
) -> Result<Vec<u8>, AskError> {
    let size = size(stream).await?;
    let body = body(stream, size, *left).await?;
    *left -= body.len();
    message(body).ok_or_else(|| AskError::Call("its answer is not of Dask's protocol".to_owned()))
}

/// Waits for the other side to hang up.
pub(super) async fn closed(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), AskError> {
    let mut rest = [0; 1024];
    let mut heard = 0;
    while heard <= LONGEST_GREETING {
        match stream.read(&mut rest).await {
            Ok(0) => return Ok(()),
            Ok(count) => heard += count,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(in_words(error)),
        }
    }
    Err(AskError::TooLong(LONGEST_GREETING))
}

async fn read_greeting(stream: &mut (impl AsyncRead + Unpin)) -> Result<(), AskError> {
    let size = size(stream).await?;
    // A size that makes sense may begin with the same bytes.
    if size > LONGEST_GREETING as u64 && size.to_le_bytes().starts_with(&TLS_ALERT) {
        return Err(AskError::Tls);
    }
    body(stream, size, LONGEST_GREETING).await.map(drop)
}

async fn size(stream: &mut (impl AsyncRead + Unpin)) -> Result<u64, AskError> {
    let mut size = [0; 8];
    stream.read_exact(&mut size).await.map_err(in_words)?;
    Ok(u64::from_le_bytes(size))
}

async fn body(stream: &mut (impl AsyncRead + Unpin), size: u64, most: usize) -> Result<Vec<u8>, AskError> {
    let size = usize::try_from(size).ok().filter(|size| *size <= most).ok_or(AskError::TooLong(most))?;
    let mut body = Vec::new();
    // Memory grows with what comes, not with what is announced.
    stream.take(size as u64).read_to_end(&mut body).await.map_err(in_words)?;
    if body.len() < size {
        return Err(AskError::Call("it hangs up in the middle of an answer".to_owned()));
    }
    Ok(body)
}

/// The first part that is not empty.
fn message(mut body: Vec<u8>) -> Option<Vec<u8>> {
    let number = |at: usize| {
        let bytes = body.get(at * 8..at * 8 + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let parts = number(0).filter(|parts| (1..=MOST_PARTS).contains(parts))?;
    let parts = usize::try_from(parts).ok()?;
    let sizes: Option<Vec<_>> = (1..=parts).map(number).collect();
    let size = sizes?.into_iter().find(|size| *size > 0)?;
    let (begin, size) = ((parts + 1) * 8, usize::try_from(size).ok()?);
    let end = begin.checked_add(size).filter(|end| *end <= body.len())?;
    body.truncate(end);
    body.drain(..begin);
    // What was beside it is not kept.
    body.shrink_to_fit();
    Some(body)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps the errors of results")]
fn in_words(error: io::Error) -> AskError {
    AskError::Call(match error.kind() {
        io::ErrorKind::UnexpectedEof => "it hangs up without an answer".to_owned(),
        kind => kind.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let sizes = parts.iter().map(|part| part.len() as u64);
        let numbers: Vec<_> =
            std::iter::once(parts.len() as u64).chain(sizes).map(u64::to_le_bytes).collect();
        [numbers.concat(), parts.concat()].concat()
    }

    async fn read_from(mut bytes: &[u8]) -> Result<Vec<u8>, AskError> {
        read(&mut bytes, &mut 1000).await
    }

    fn sized(body: &[u8]) -> Vec<u8> {
        [(body.len() as u64).to_le_bytes().as_slice(), body].concat()
    }

    #[tokio::test]
    async fn what_is_written_can_be_read() {
        let mut stream = Vec::new();
        write(&mut stream, b"hello").await.unwrap();
        assert_eq!(read_from(&stream).await.unwrap(), b"hello");
    }

    #[tokio::test]
    async fn the_message_is_the_first_part_and_no_other_is_looked_at() {
        let several = sized(&framed(&[b"", b"first", b"second"]));
        assert_eq!(read_from(&several).await.unwrap(), b"first");
    }

    #[tokio::test]
    async fn no_garbage_does_harm() {
        let nonsense = [
            sized(b""),
            sized(&[0; 8]),
            sized(&[255; 64]),
            sized(&framed(&[])),
            sized(&framed(&[&b""[..]; 100])),
            sized(&[framed(&[b"x"]), vec![0; 3]].concat()[..16]),
            sized(&[1_u64.to_le_bytes(), u64::MAX.to_le_bytes()].concat()),
        ];
        for bytes in nonsense {
            let answer = read_from(&bytes).await;
            assert!(matches!(answer, Err(AskError::Call(_))), "{bytes:?}: {answer:?}");
        }
        assert_eq!(read_from(&u64::MAX.to_le_bytes()).await, Err(AskError::TooLong(1000)));
        assert!(matches!(read_from(&[0; 3]).await, Err(AskError::Call(_))));
        assert!(matches!(read_from(&sized(b"12345678")[..12]).await, Err(AskError::Call(_))));
    }

    #[tokio::test]
    async fn one_that_listens_to_tls_alone_is_told_from_others() {
        let alert = [0x15, 0x03, 0x03, 0, 2, 2, 70, 0];
        assert_eq!(greeted(&mut alert.as_slice()).await, Err(AskError::Tls));
        assert_eq!(read_from(&alert).await, Err(AskError::TooLong(1000)));
    }

    #[tokio::test]
    async fn no_size_that_makes_sense_is_taken_for_an_alert() {
        let answer = sized(&framed(&[&[7; 789 - 16]]));
        assert!(answer.starts_with(&TLS_ALERT));
        assert_eq!(read_from(&answer).await.unwrap(), [7; 789 - 16]);
        assert_eq!(greeted(&mut answer.as_slice()).await, Ok(()));
    }

    #[tokio::test]
    async fn what_an_answer_takes_is_not_left_for_the_next_whatever_part_of_it_is_kept() {
        let answer = sized(&framed(&[b"short", &[0; 400]]));
        let (mut stream, mut left) = (&*answer.repeat(3), 1000);
        for kept in [left - 429, left - 2 * 429] {
            assert_eq!(read(&mut stream, &mut left).await.unwrap(), b"short");
            assert_eq!(left, kept);
        }
        assert_eq!(read(&mut stream, &mut left).await, Err(AskError::TooLong(142)));
    }
}
