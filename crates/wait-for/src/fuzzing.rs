//! The door for fuzz targets, which are a crate of their own: answers of servers.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a fuzz target fails")]

use endpoint::RsaPublicKey;
use futures_util::FutureExt;

use crate::{
    kinds::{
        amqp_wire::Method,
        bson::Document,
        http::pointer,
        kafka_wire::{Handshake, Metadata, Step, Versions},
        kubernetes::events,
        ldap_wire, mysql, mysql_wire,
        postgres::wire::Message,
        question::migration,
        redis_wire,
    },
    lines,
};

/// Reads any bytes as the content of a message of LDAP.
pub fn ldap(bytes: &[u8]) {
    if let Some(outcome) = ldap_wire::outcome(bytes) {
        assert!(outcome.text.len() <= bytes.len() * 3, "{outcome:?}");
    }
}

/// Reads any bytes as the events of a watch, cut into parts of 1 to 256 bytes by the first byte.
pub fn kubernetes(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let (events, _) = events::read_in_parts(bytes.chunks(usize::from(*size) + 1));
    assert_eq!(events, events::read_in_parts([bytes]).0, "the parts decide");
}

/// Reads any bytes as the lines of memcached, NATS or SMTP.
pub fn lines(mut bytes: &[u8]) {
    const MOST: u64 = 64;
    while let Some(Ok(line)) = lines::read_line(&mut bytes, MOST).now_or_never() {
        assert!(line.chars().count() < 64, "{line:?}");
    }
}

/// Looks for values in any bytes as a document of JSON, as a reading of the whole would find them.
pub fn json(bytes: &[u8]) {
    let whole = serde_json::from_slice::<serde_json::Value>(bytes);
    for pointer in ["", "/a", "/0", "/a/b/1", "/~0~1"] {
        let found = pointer::find(bytes, pointer);
        // The search skips parts that the whole can't have: text that is no UTF-8,
        // or a number out of range.
        if let (Ok(whole), Ok(found)) = (&whole, found) {
            let found = found.and_then(|found| serde_json::from_str::<serde_json::Value>(found.get()).ok());
            assert_eq!(whole.pointer(pointer), found.as_ref(), "{pointer}");
        }
    }
}

/// Reads any bytes as a reply of Redis. All of them are there, so nothing waits.
pub fn redis(bytes: &[u8]) {
    assert!(redis_wire::read(&mut &bytes[..]).now_or_never().is_some());
}

/// Reads any bytes as what MySQL sends during a login.
pub fn mysql(bytes: &[u8]) {
    if let Ok(greeting) = mysql_wire::Greeting::parse(bytes) {
        assert!(greeting.nonce.len() < bytes.len());
    }
    let _ = (mysql_wire::Refusal::parse(bytes), mysql_wire::parse_switch(bytes));
    if let Some(row) = mysql::query::parse_row(bytes) {
        assert!(row.iter().flatten().map(String::len).sum::<usize>() <= bytes.len() * 3, "{row:?}");
        migration::judge_any(&row);
    }
    if let Ok(key) = RsaPublicKey::from_pem(bytes) {
        assert!(key.modulus.len() + key.exponent.len() < bytes.len());
    }
}

/// Reads any bytes as the answers of Kafka.
pub fn kafka(bytes: &[u8]) {
    let _ = (Versions::parse(bytes), Handshake::parse(bytes), Step::parse(bytes));
    if let Some(Metadata { brokers, topics }) = Metadata::parse(bytes) {
        // An item takes at least two bytes.
        assert!(brokers + topics.iter().map(|topic| topic.partitions).sum::<usize>() <= bytes.len());
    }
}

/// Reads any bytes as the content of a frame of AMQP.
pub fn amqp(bytes: &[u8]) {
    if let Some(Method::Start { mechanisms }) = Method::parse(bytes) {
        assert!(mechanisms.len() <= bytes.len());
    }
}

/// Reads any bytes as a document in an answer of `MongoDB`.
pub fn mongodb(bytes: &[u8]) {
    let Some(document) = Document::parse(bytes) else { return };
    for name in ["a", "payload", "saslSupportedMechs"] {
        let texts = document.texts(name);
        assert!(texts.iter().map(|text| text.len()).sum::<usize>() <= bytes.len());
        assert!(document.binary(name).is_none_or(|value| value.len() < bytes.len()));
    }
}

/// Reads any bytes as the type and the content of a message of PostgreSQL, and a row as one of
/// every migration tool.
pub fn postgres(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    if let Some(Message::Row(row)) = Message::parse(*kind, body) {
        assert!(row.iter().flatten().map(String::len).sum::<usize>() <= body.len() * 3, "{row:?}");
        migration::judge_any(&row);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_entry_takes_messages_and_what_none_is() {
        for bytes in [&b"\x02\x01\x02\x61\x07\x0a\x01\x31\x04\x00\x04\x00"[..], b"", b"\xff\xff\xff"] {
            super::ldap(bytes);
        }
        for bytes in [&b"\x03{\"type\":\"X\"}\n\n"[..], b"", b"\x00\n{"] {
            super::kubernetes(bytes);
        }
        for bytes in [&b"220 ready\r\n250 OK\n"[..], b"no end", b"\n\r\n\xff\n"] {
            super::lines(bytes);
        }
        for bytes in [&b"{\"a\": {\"b\": [1, 2]}, \"~/\": 3}"[..], b"[1", b"\xff"] {
            super::json(bytes);
        }
        for bytes in [&b"*2\r\n$1\r\na\r\n:1\r\n"[..], b"*1\r\n", b"\xff"] {
            super::redis(bytes);
        }
        for bytes in [&b"\x15\x04#28000Access denied"[..], b"client_ed25519\0nonce\0", b"\x0a5.5.5\0"] {
            super::mysql(bytes);
        }
        for bytes in [&b"\0\0\0\0\0\0\0\0\xff\xff\0\0\0\x01\0\0\0\0"[..], b"", b"\xff\xff\xff\xff\xff\xff"] {
            super::kafka(bytes);
        }
        for bytes in [&b"\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN"[..], b"\0\x0a\0\x32\x01", b"\xff"] {
            super::amqp(bytes);
        }
        for bytes in [&b"\x14\0\0\0\x04a\0\x0c\0\0\0\x020\0\x01\0\0\0\0\0\0"[..], b"\x05\0\0\0\0", b"\xff"] {
            super::mongodb(bytes);
        }
        for bytes in [&b"D\0\x02\0\0\0\x0212\0\0\0\x07applied"[..], b"", b"D\0\x01\xff", b"E"] {
            super::postgres(bytes);
        }
    }
}
