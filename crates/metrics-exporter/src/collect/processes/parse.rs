//! Parsers for the files of a process, pure: `proc_pid_stat(5)`, `proc_pid_status(5)`, `proc_pid_io(5)`, `proc_pid_limits(5)`.

/// The flag of kernel threads (`PF_KTHREAD` in include/linux/sched.h)
const KERNEL_THREAD: u64 = 0x0020_0000;

/// The fields of `/proc/PID/stat` that are metrics or tell processes apart
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// The first 15 bytes of the name of the program or of its main thread
    pub(super) comm: Vec<u8>,
    pub(super) state: State,
    pub(super) is_kernel_thread: bool,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    pub(super) user_ticks: u64,
    pub(super) system_ticks: u64,
    pub(super) threads: u64,
    /// The start, since the system's start
    pub(super) start_ticks: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_pages: u64,
}

/// The states of process-exporter, in the order of their series
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Sleeping,
    Waiting,
    Zombie,
    Other,
}

impl Stat {
    /// Reads `PID (COMM) STATE …`. COMM may hold any bytes, also parentheses and newlines.
    pub(super) fn parse(stat: &[u8]) -> Option<Self> {
        let open = memchr::memchr(b'(', stat)?;
        let close = memchr::memrchr(b')', stat)?;
        let comm = stat.get(open + 1..close)?.to_vec();
        // The manual numbers fields from 1, and the first field here is its third.
        let mut fields = [""; 24 - 2];
        let words = std::str::from_utf8(&stat[close + 1..]).ok()?.split_ascii_whitespace();
        fields.iter_mut().zip(words).for_each(|(field, word)| *field = word);
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            comm,
            state: State::parse(fields.first()?),
            is_kernel_thread: number(9)? & KERNEL_THREAD != 0,
            minor_faults: number(10)?,
            major_faults: number(12)?,
            user_ticks: number(14)?,
            system_ticks: number(15)?,
            threads: number(20)?,
            start_ticks: number(22)?,
            virtual_bytes: number(23)?,
            // The kernel's estimate may be below zero for a moment.
            resident_pages: fields.get(24 - 3)?.parse::<i64>().ok()?.try_into().unwrap_or(0),
        })
    }
}

impl State {
    fn parse(letter: &str) -> Self {
        match letter {
            "R" => Self::Running,
            "S" => Self::Sleeping,
            "D" => Self::Waiting,
            "Z" => Self::Zombie,
            _ => Self::Other,
        }
    }
}

/// Bytes in swap, from `/proc/PID/status`.
pub(super) fn swapped_bytes(status: &[u8]) -> Option<u64> {
    let kilobytes = field(status, b"VmSwap:")?.strip_suffix(" kB")?.trim_end().parse::<u64>().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

/// Bytes read from and written to disks, from `/proc/PID/io`.
pub(super) fn disk_bytes(io: &[u8]) -> Option<(u64, u64)> {
    Some((field(io, b"read_bytes:")?.parse().ok()?, field(io, b"write_bytes:")?.parse().ok()?))
}

/// The soft limit of descriptors, from `/proc/PID/limits`; `u64::MAX` is unlimited.
pub(super) fn descriptor_limit(limits: &[u8]) -> Option<u64> {
    match field(limits, b"Max open files ")?.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        limit => limit.parse().ok(),
    }
}

/// The time of the system's start in seconds since the epoch, from `/proc/stat`.
pub(super) fn boot_seconds(stat: &str) -> Option<u64> {
    field(stat.as_bytes(), b"btime ")?.parse().ok()
}

/// The time since the system's start in ticks, from `/proc/uptime`, which has seconds with two decimal places.
pub(super) fn uptime_ticks(uptime: &str, ticks_per_second: u64) -> Option<u64> {
    let (seconds, hundredths) = uptime.split_ascii_whitespace().next()?.split_once('.')?;
    let hundredths = if hundredths.len() == 2 { hundredths.parse::<u64>().ok()? } else { return None };
    let ticks = seconds.parse::<u64>().ok()?.checked_mul(ticks_per_second)?;
    ticks.checked_add(hundredths * ticks_per_second / 100)
}

/// The rest of the line that begins with `name`, trimmed. A line without a newline was cut off and does not count.
fn field<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let rest = lines.find_map(|line| line.strip_prefix(name)?.strip_suffix(b"\n"))?;
    Some(std::str::from_utf8(rest).ok()?.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of Linux 6.18, with the name replaced
    const STAT: &str = "2381 (tmux: server (1)) S 1 2381 2381 0 -1 4194560 6414 89 7 3 1520 412 34 8 20 0 3 0 5277 \
                        18446744073709551615 1210 18446744073709551615 1 1 0 0 0 0 0 3674112 134433281 0 0 0 17 1 0 0 0 0 0\n";
    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max core file size        0                    unlimited            bytes     
Max open files            1024                 1048576              files     
Max locked memory         8388608              8388608              bytes     
";

    #[test]
    fn a_name_may_hold_spaces_and_parentheses() {
        let stat = Stat::parse(STAT.as_bytes()).unwrap();
        let expected = Stat {
            comm: b"tmux: server (1)".to_vec(),
            state: State::Sleeping,
            is_kernel_thread: false,
            minor_faults: 6414,
            major_faults: 7,
            user_ticks: 1520,
            system_ticks: 412,
            threads: 3,
            start_ticks: 5277,
            virtual_bytes: u64::MAX,
            resident_pages: 1210,
        };
        assert_eq!(stat, expected);
        let kernel = STAT.replace("4194560", "69238880");
        assert!(Stat::parse(kernel.as_bytes()).unwrap().is_kernel_thread);
        assert_eq!(Stat::parse(STAT.replace(" 1210 ", " -7 ").as_bytes()).unwrap().resident_pages, 0);
    }

    #[test]
    fn a_stat_that_is_cut_off_is_none() {
        let end = STAT.find(" 1210 ").unwrap();
        for end in 0..end {
            assert_eq!(Stat::parse(&STAT.as_bytes()[..end]), None, "{}", &STAT[..end]);
        }
    }

    #[test]
    fn other_files_are_read_by_the_names_of_their_fields() {
        let status = b"Name:\tVmSwap: 7 kB\nVmRSS:\t    5120 kB\nVmSwap:\t    1024 kB\nThreads:\t3\n";
        assert_eq!(swapped_bytes(status), Some(1024 * 1024));
        assert_eq!(swapped_bytes(b"VmSwap:\t    1024"), None);
        assert_eq!(swapped_bytes(b"VmSwap:\t18446744073709551615 kB\n"), Some(u64::MAX));
        let io =
            b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 0\ncancelled_write_bytes: 9\n";
        assert_eq!(disk_bytes(io), Some((4096, 0)));
        assert_eq!(disk_bytes(b"read_bytes: 4096\nwrite_bytes: 1"), None);
        assert_eq!(descriptor_limit(LIMITS.as_bytes()), Some(1024));
        assert_eq!(descriptor_limit(b"Max open files            unlimited   unlimited   files\n"), Some(u64::MAX));
        assert_eq!(descriptor_limit(b"Max open files            10"), None);
        assert_eq!(boot_seconds("cpu  1 2\nbtime 1764204000\nprocesses 7\n"), Some(1_764_204_000));
        assert_eq!(uptime_ticks("4211.07 8000.11\n", 100), Some(421_107));
        assert_eq!(uptime_ticks("4211.07 8000.11\n", 1000), Some(4_211_070));
        for wrong in ["", "\n", "4211", "4211.7", "x.07", "99999999999999999999.00"] {
            assert_eq!(uptime_ticks(wrong, 100), None);
        }
    }

    proptest! {
        #[test]
        fn a_name_may_hold_anything(comm in proptest::collection::vec(any::<u8>(), 0..=15)) {
            let numbers = &STAT[STAT.rfind(')').unwrap()..];
            let stat = [b"7 (", &*comm, numbers.as_bytes()].concat();
            prop_assert_eq!(Stat::parse(&stat).unwrap().comm, comm);
        }

        #[test]
        fn no_text_causes_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200), line in "[0-9 ().RSZ-]{0,200}") {
            for text in [&*text, line.as_bytes()] {
                let _ = (Stat::parse(text), swapped_bytes(text), disk_bytes(text), descriptor_limit(text));
            }
            let _ = (boot_seconds(&line), uptime_ticks(&line, 100));
        }
    }
}
