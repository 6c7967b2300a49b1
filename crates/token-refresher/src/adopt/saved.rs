//! What `--state-dir` keeps of a secret: times, and how to know its value again. It holds no value.

use std::time::{Duration, SystemTime};

use lifecycle::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    schedule::clock::{Moment, Now},
    value::fields::Fields,
};

/// The layout of the file; another one is ignored
const VERSION: u32 = 1;
/// No value lives longer; a file that says so is wrong.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The wall clock may have been set back by this much.
const TOLERANCE: Duration = Duration::from_secs(60);

/// The file of one secret
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    version: u32,
    /// A hash of the source's settings
    fingerprint: String,
    /// The boot of the machine, and the time since then at which the value was asked for
    boot: String,
    since_boot: f64,
    /// The same on the wall clock, in seconds of Unix time
    asked: f64,
    /// In seconds
    life: Option<f64>,
    /// The main field, and the names of the fields that stand in files
    main: String,
    fields: Vec<String>,
    salt: String,
    /// Of the values of these fields
    digest: String,
}

impl Saved {
    /// The values were asked for at `asked`, in the boot of this name.
    pub(crate) fn new(fingerprint: String, boot: &str, asked: &Now, life: Option<Duration>, fields: &Fields) -> Self {
        let salt = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self {
            version: VERSION,
            fingerprint,
            boot: boot.to_owned(),
            since_boot: asked.moment.seconds(),
            asked: asked.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            life: life.map(|life| life.as_secs_f64()),
            main: fields.main().to_owned(),
            fields: fields.names().map(str::to_owned).collect(),
            digest: digest(&salt, fields),
            salt,
        }
    }

    /// What is left of the life; `None` inside for a value without an expiry, which is used for as long as `every`. An error is
    /// the reason why the value is not used.
    pub(crate) fn rest(
        &self,
        fingerprint: &str,
        boot: &str,
        now: &Now,
        every: Duration,
    ) -> Result<Option<Duration>, &'static str> {
        if self.version != VERSION {
            return Err("it was written by another version");
        }
        if self.fingerprint != fingerprint {
            return Err("the settings of its source have changed");
        }
        let age = self.age(boot, now)?;
        let life = match self.life.map(Duration::try_from_secs_f64) {
            Some(Ok(life)) if life <= LONGEST => Some(life),
            Some(_) => return Err("its life cannot be right"),
            None => None,
        };
        match life.unwrap_or(every).checked_sub(age) {
            Some(rest) if !rest.is_zero() => Ok(life.map(|_| rest)),
            _ => Err("it has expired"),
        }
    }

    /// The fields that were found in files, if they are the ones that were written.
    pub(crate) fn fields(&self, found: Vec<(Option<String>, Secret)>) -> Option<Fields> {
        let named = found.into_iter().map(|(name, value)| (name.unwrap_or_else(|| self.main.clone()), value));
        let fields = Fields::new(self.main.as_str(), named.filter(|(name, _)| self.fields.contains(name)).collect());
        (digest(&self.salt, &fields) == self.digest).then_some(fields)
    }

    /// The longer one of the ages that both clocks tell
    fn age(&self, boot: &str, now: &Now) -> Result<Duration, &'static str> {
        let wrong = "its times cannot be right";
        let asked = Duration::try_from_secs_f64(self.asked).map_err(|_| wrong)?;
        let asked = SystemTime::UNIX_EPOCH.checked_add(asked).ok_or(wrong)?;
        let by_wall = now.wall.duration_since(asked);
        if !boot.is_empty() && self.boot == boot {
            let since_boot = Duration::try_from_secs_f64(self.since_boot).map_err(|_| wrong)?;
            let asked = Moment::since_boot(since_boot);
            if asked > now.moment {
                return Err(wrong);
            }
            return Ok(now.moment.since(asked).max(by_wall.unwrap_or_default()));
        }
        match by_wall {
            Ok(age) => Ok(age),
            Err(error) if error.duration() <= TOLERANCE => Ok(Duration::ZERO),
            Err(_) => Err("it is from the future: the clock went back"),
        }
    }
}

/// Salted, because a value may be a short password.
fn digest(salt: &str, fields: &Fields) -> String {
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    for name in fields.names() {
        let value = fields.get(Some(name)).map_or("", Secret::expose);
        for part in [name, value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hex(&hash.finalize())
}

/// Lower-case digits
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now(moment: f64, wall: f64) -> Now {
        Now {
            moment: Moment::since_boot(Duration::from_secs_f64(moment)),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(wall),
        }
    }

    fn fields(value: &str) -> Fields {
        Fields::single("token", Secret::from(value))
    }

    fn saved(life: Option<u64>) -> Saved {
        let life = life.map(Duration::from_secs);
        Saved::new("print".into(), "boot", &now(1000.0, 1_000_000.0), life, &fields("hunter2"))
    }

    #[test]
    fn what_is_left_of_a_life() {
        let rest = |boot, moment, wall| {
            let rest = saved(Some(600)).rest("print", boot, &now(moment, wall), HOUR);
            rest.map(|rest| rest.unwrap().as_secs())
        };
        assert_eq!(rest("boot", 1100.0, 1_000_100.0), Ok(500));
        assert_eq!(rest("boot", 1100.0, 1_000_000.0 - 5000.0), Ok(500), "the wall clock went back");
        assert_eq!(rest("boot", 1100.0, 1_000_200.0), Ok(400), "the longer age counts");
        assert_eq!(rest("other", 5.0, 1_000_100.0), Ok(500), "another boot");
        assert_eq!(rest("other", 5.0, 999_990.0), Ok(600));
        assert!(rest("other", 5.0, 999_000.0).is_err(), "from the future");
        assert!(rest("boot", 999.0, 1_000_100.0).is_err());
        assert!(rest("boot", 1600.0, 1_000_600.0).is_err());
        assert!(saved(Some(600)).rest("other", "boot", &now(1100.0, 1_000_100.0), HOUR).is_err());
        assert!(saved(Some(u64::from(u32::MAX))).rest("print", "boot", &now(1100.0, 1_000_100.0), HOUR).is_err());
        assert_eq!(saved(None).rest("print", "boot", &now(1100.0, 1_000_100.0), HOUR), Ok(None));
        assert!(saved(None).rest("print", "boot", &now(5000.0, 1_004_000.0), HOUR).is_err());
    }

    #[test]
    fn only_the_values_that_were_written_are_used() {
        let found = |value: &str| vec![(None, Secret::from(value))];
        assert!(saved(None).fields(found("hunter2")).is_some_and(|used| used.equals(&fields("hunter2"))));
        assert!(saved(None).fields(found("hunter3")).is_none());
        assert!(saved(None).fields(Vec::new()).is_none());
        let text = serde_json::to_string(&saved(Some(1))).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(serde_json::from_str::<Saved>(&text).is_ok());
    }

    proptest! {
        #[test]
        fn no_file_is_too_strange(asked in any::<f64>(), since_boot in any::<f64>(), life in any::<Option<f64>>()) {
            let saved = Saved { since_boot, asked, life, ..saved(None) };
            if let Ok(Some(rest)) = saved.rest("print", "boot", &now(1100.0, 1_000_100.0), HOUR) {
                prop_assert!(rest <= LONGEST);
            }
        }
    }
}
