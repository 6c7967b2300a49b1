//! Commands to `MongoDB` and their answers, as messages of the type `OP_MSG`.
//!
//! <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>: length, number, number
//! of the request, type; then flags, a section's kind and a document.

use endpoint::{Stream, one_line};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bson::{self, Document};
use crate::{
    not_ready::{Cause, NotReady},
    wire,
};

/// Bytes of a message; the names of fifty members are a third of it.
const MESSAGE_LIMIT: usize = 64 * 1024;
const HEADER: usize = 16;
/// Flags and the kind of the section that stand before the document
const BEFORE_DOCUMENT: usize = 5;
const OP_MSG: i32 = 2013;

// Error codes of <https://www.mongodb.com/docs/manual/reference/error-codes/>
const UNAUTHORIZED: u32 = 13;
const AUTHENTICATION_FAILED: u32 = 18;
const COMMAND_NOT_FOUND: u32 = 59;
const MECHANISM_UNAVAILABLE: u32 = 334;
/// All errors of the proxy before an Atlas cluster, such as `bad auth : Authentication failed.`
const ATLAS_ERROR: u32 = 8000;

/// Commands and answers on a stream
pub(super) struct Channel {
    pub(super) stream: Box<dyn Stream>,
    number: i32,
}

impl Channel {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, number: 0 }
    }

    /// Sends a command to a database, and reads the bytes of its answer, a document.
    pub(super) async fn ask(&mut self, database: &str, command: &[Vec<u8>]) -> Result<Vec<u8>, NotReady> {
        self.number += 1;
        let document = bson::document(&[&command.concat()[..], &bson::text("$db", database)].map(<[u8]>::to_vec));
        let length = i32::try_from(HEADER + BEFORE_DOCUMENT + document.len());
        let length = length.map_err(|_| NotReady::never("the password is too long"))?;
        let head = [length, self.number, 0, OP_MSG, 0].map(i32::to_le_bytes).concat();
        self.stream.write_all(&[&head[..], &[0], &document].concat()).await?;
        self.stream.flush().await?;
        let length = wire::read_head(&mut self.stream, "add tls=require").await;
        let length = if self.number == 1 { length? } else { length.map_err(NotReady::without_tls_doubt)? };
        let length = usize::try_from(i32::from_le_bytes(length)).unwrap_or_default();
        if !(HEADER + BEFORE_DOCUMENT..=MESSAGE_LIMIT).contains(&length) {
            return Err(not_mongodb());
        }
        let mut message = vec![0; length - 4];
        self.stream.read_exact(&mut message).await?;
        let number = |at: usize| message[at..].first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
        if number(4) != Some(self.number) || number(8) != Some(OP_MSG) || message[16] != 0 {
            return Err(not_mongodb());
        }
        Ok(message.split_off(HEADER - 4 + BEFORE_DOCUMENT))
    }
}

/// Reads an answer, which says whether the command was done.
pub(super) fn outcome(answer: &[u8]) -> Result<Document<'_>, NotReady> {
    let answer = Document::parse(answer).ok_or_else(not_mongodb)?;
    if answer.is_true("ok") {
        return Ok(answer);
    }
    answer.number("ok").ok_or_else(not_mongodb)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "codes are small; any other number is no code of those here"
    )]
    let code = answer.number("code").unwrap_or_default() as u32;
    let text = one_line(answer.text("errmsg").unwrap_or_default());
    Err(match code {
        UNAUTHORIZED | AUTHENTICATION_FAILED => NotReady::denied(format!("login refused: {text}")),
        ATLAS_ERROR if text.contains("auth") => NotReady::denied(format!("login refused: {text}")),
        COMMAND_NOT_FOUND => NotReady::never(
            "the server does not know the command hello, which MongoDB has since 4.4.2: wait for it by tcp:// instead",
        ),
        MECHANISM_UNAVAILABLE => NotReady::never(format!("error {code}: {text}")),
        // The server starts, ends, or changes its role.
        _ => NotReady::new(Cause::Busy, format!("error {code}: {text}")),
    })
}

pub(super) fn not_mongodb() -> NotReady {
    NotReady::new(Cause::Odd, "the answer is not MongoDB")
}
