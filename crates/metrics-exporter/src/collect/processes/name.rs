//! The name of a process' group, which is the name of its program.
//!
//! The kernel's name (`comm`) is that of the program or script, but it has at most 15 bytes, and the name of the main thread
//! overwrites it: Node.js has `node-MainThread`. The command line has the whole name, but programs write titles there, for example
//! `nginx: worker process`. The command line therefore completes the kernel's name, and replaces it where it is a thread's.

/// The most bytes of a name; longer names are cut off
const NAME_LIMIT: usize = 64;
/// The most bytes of the kernel's name; a name of this length may have been cut off (`TASK_COMM_LEN`)
const COMM_LIMIT: usize = 15;
/// The number of arguments that may hold the program's name: an interpreter, one of its options, a script
const ARGUMENTS: usize = 3;

/// The name of the group, from the kernel's name and the command line, in which each argument ends with a NUL.
pub(super) fn of(comm: &[u8], command_line: &[u8]) -> String {
    let mut arguments = command_line.split(|byte| *byte == 0).take(ARGUMENTS).map(base_name);
    let first = arguments.clone().next().unwrap_or_default();
    let whole = arguments.find(|argument| is_same(comm, argument));
    let name = match whole {
        Some(argument) => without_title(argument),
        None if first.starts_with(comm) || !is_plain(first) => comm,
        None => first,
    };
    let name = String::from_utf8_lossy(&name[..name.len().min(NAME_LIMIT)]);
    name.trim().to_owned()
}

/// The part after the last slash, without the dash of a login shell.
fn base_name(argument: &[u8]) -> &[u8] {
    let start = memchr::memrchr(b'/', argument).map_or(0, |slash| slash + 1);
    let name = &argument[start..];
    name.strip_prefix(b"-").unwrap_or(name)
}

/// True when the kernel's name is that of this program, maybe cut off.
fn is_same(comm: &[u8], argument: &[u8]) -> bool {
    argument == comm || (comm.len() == COMM_LIMIT && argument.starts_with(comm))
}

/// The name in a title `NAME: TEXT`.
fn without_title(name: &[u8]) -> &[u8] {
    let end = name.windows(2).position(|pair| pair == b": ");
    &name[..end.unwrap_or(name.len())]
}

/// True when this may be the name of a program, and is no title.
fn is_plain(name: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(byte) || !byte.is_ascii();
    !name.is_empty() && name.iter().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_group_has_the_name_of_its_program() {
        let table: &[(&str, &str, &str)] = &[
            // The kernel's name, the command line, the group
            ("nginx", "nginx: worker process\0", "nginx"),
            ("postgres", "postgres: app db 10.0.0.1(5) idle\0", "postgres"),
            ("nginx-ingress-c", "/nginx-ingress-controller\0--x\0", "nginx-ingress-controller"),
            ("my-long-daemon-", "my-long-daemon-7: worker 3\0", "my-long-daemon-7"),
            ("node-MainThread", "node\0/app/server.js\0", "node"),
            ("MainThread", "/usr/local/bin/node\0server.js\0", "node"),
            ("gunicorn", "/usr/bin/python3\0/usr/bin/gunicorn\0app:app\0", "gunicorn"),
            ("a-long-script-n", "/bin/sh\0-e\0/opt/a-long-script-name.sh\0", "a-long-script-name.sh"),
            ("celery", "[celeryd: celery@host:MainProcess]\0", "celery"),
            ("python", "python3\0-m\0http.server\0", "python"),
            ("bash", "-bash\0", "bash"),
            ("my app server d", "/opt/my app server daemon\0", "my app server daemon"),
            ("odd) S (name", "/odd) S (name\0", "odd) S (name"),
            ("java", "/usr/bin/java\0-jar\0app.jar\0", "java"),
            ("defunct", "", "defunct"),
            ("", "", ""),
        ];
        for (comm, command_line, name) in table {
            assert_eq!(of(comm.as_bytes(), command_line.as_bytes()), *name, "{comm}");
        }
        assert_eq!(of(b"x", &[b'y'; 5000]).len(), NAME_LIMIT);
        assert_eq!(of(b"\xff", b""), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn no_name_causes_a_panic(
            comm in proptest::collection::vec(any::<u8>(), 0..=15),
            line in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = of(&comm, &line);
        }
    }
}
