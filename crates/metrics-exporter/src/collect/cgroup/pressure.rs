//! `*.pressure`: the time that tasks waited for a resource (the kernel's accounting/psi.rst).

use super::{flaw::Flaw, values::digits};

/// Microseconds of waiting since the cgroup was created
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pressure {
    /// Time in which at least one task waited
    pub(super) some: Result<u64, Flaw>,
    /// Time in which all tasks waited; cpu.pressure has this line since Linux 5.13
    pub(super) full: Result<u64, Flaw>,
}

/// Reads `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same with `full`.
pub(super) fn pressure(text: &str) -> Pressure {
    let mut pressure = Pressure { some: Err(Flaw::MISSING), full: Err(Flaw::MISSING) };
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("some", fields)) => pressure.some = total(fields),
            Some(("full", fields)) => pressure.full = total(fields),
            _ => {}
        }
    }
    pressure
}

fn total(fields: &str) -> Result<u64, Flaw> {
    let total = fields.split(' ').find_map(|field| field.strip_prefix("total=")).ok_or(Flaw::MALFORMED)?;
    digits(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read() {
        let text = "some avg10=0.48 avg60=1.14 avg300=2.36 total=887302662\nfull avg10=0.48 avg60=1.06 avg300=2.08 total=282576421\n";
        assert_eq!(pressure(text), Pressure { some: Ok(887_302_662), full: Ok(282_576_421) });
    }

    #[test]
    fn before_linux_5_13_cpu_pressure_has_one_line() {
        let text = "some avg10=0.00 avg60=0.00 avg300=0.00 total=4711\n";
        assert_eq!(pressure(text), Pressure { some: Ok(4711), full: Err(Flaw::MISSING) });
    }

    #[test]
    fn a_broken_line_is_no_zero() {
        let text = "some avg10=0.00 total=\nfull avg10=0.00 avg60=0.00\n";
        assert_eq!(pressure(text), Pressure { some: Err(Flaw::MALFORMED), full: Err(Flaw::MALFORMED) });
        for text in ["", "\n", "some", "none total=1\n"] {
            assert_eq!(pressure(text), Pressure { some: Err(Flaw::MISSING), full: Err(Flaw::MISSING) }, "{text:?}");
        }
        assert_eq!(pressure("some total=-1\n").some, Err(Flaw::MALFORMED));
    }
}
