//! What is left of secrets in the memory of the helper.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
};

use harness::{HttpServer, Reply, until};
use serde_json::json;

use crate::support::{Refresher, read};

/// The readable memory of a process
fn memory(id: u32) -> Vec<u8> {
    let mut memory = File::open(format!("/proc/{id}/mem")).unwrap();
    let mut all = Vec::new();
    for line in fs::read_to_string(format!("/proc/{id}/maps")).unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let bounds: Vec<_> = range.split('-').map(|bound| u64::from_str_radix(bound, 16).unwrap()).collect();
        if !rest.starts_with('r') || memory.seek(SeekFrom::Start(bounds[0])).is_err() {
            continue;
        }
        // A part that the kernel keeps to itself ends early.
        let _ = (&mut memory).take(bounds[1] - bounds[0]).read_to_end(&mut all);
    }
    all
}

fn count(memory: &[u8], text: &str) -> usize {
    memory.windows(text.len()).filter(|part| *part == text.as_bytes()).count()
}

mod as_root {
    use super::*;

    #[test]
    fn a_value_that_was_replaced_and_a_client_secret_leave_no_copy() {
        let directory = tempfile::tempdir().unwrap();
        let (path, shown) = (|name: &str| directory.path().join(name), directory.path().display());
        let given = std::sync::atomic::AtomicUsize::new(0);
        let server = HttpServer::start(move |_| {
            let number = given.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let token = format!("s3cr3t-value-{number}");
            Reply::json(200, &json!({"access_token": token, "token_type": "Bearer", "expires_in": 2}))
        });
        fs::write(path("client"), "s3cr3t-of-client").unwrap();
        let (url, outputs) = (server.url("/token"), ["raw", "json"]);
        let outputs = outputs.map(|format| format!("{{file: {shown}/{format}, format: {format}}}")).join(", ");
        let refresher = Refresher::start(
            directory.path(),
            &format!(
                "secrets:\n- name: token\n  source:\n    oauth2: {{token-endpoint: '{url}', client-id: a, client-auth: \
                 client_secret_post, client-secret: {{file: {shown}/client}}}}\n  outputs: [{outputs}]\n"
            ),
        );
        until("the third value is written", || read(&path("json")).contains("s3cr3t-value-2").then_some(()));
        let memory = memory(refresher.program.id());
        assert!(count(&memory, "s3cr3t-value-") > 0, "the newest value is there");
        for gone in ["s3cr3t-value-0", "s3cr3t-value-1", "s3cr3t-of-client"] {
            assert_eq!(count(&memory, gone), 0, "{gone} is still in memory");
        }
        refresher.stop();
    }
}
