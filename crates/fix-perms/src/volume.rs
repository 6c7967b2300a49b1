//! One tree and how it should be: the same settings as flags and as YAML.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use lifecycle::{Lines, LinesParser};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

mod choices;
mod number_or_text;

pub(crate) use self::choices::{HardLinkRule, OnDenied, Policy};
use self::number_or_text::NumberOrText;
use crate::{
    accounts::Owner,
    exclude::{Excludes, Glob},
    paths,
    trail::printed,
    wanted::{Modes, Wanted, acl::DefaultAcl, label::Label, mode::Rule},
};

// Not a doc comment: clap would take it for the helper's description.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Volume {
    /// The root of the tree
    #[arg(skip)]
    pub(crate) path: PathBuf,
    /// Wanted owner: UID, UID:GID or :GID; names are taken from /etc/passwd and /etc/group
    #[arg(long, value_name = "OWNER")]
    #[serde(default, deserialize_with = "optional_number")]
    #[schemars(with = "Option<NumberOrText>")]
    pub(crate) owner: Option<Owner>,
    /// Wanted mode, as chmod reads it: 0640, or `u=rwX,g=rX,o=`
    #[arg(long, value_name = "MODE")]
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    pub(crate) mode: Option<Rule>,
    /// Wanted mode of directories, instead of --mode
    #[arg(long, value_name = "MODE")]
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    pub(crate) dir_mode: Option<Rule>,
    /// Wanted mode of everything that is not a directory, instead of --mode
    #[arg(long, value_name = "MODE")]
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    pub(crate) file_mode: Option<Rule>,
    /// Do what the kubelet does for fsGroup, bit for bit, instead of --owner and modes
    #[arg(long, value_name = "GID")]
    #[serde(default, deserialize_with = "optional_number")]
    #[schemars(with = "Option<NumberOrText>")]
    pub(crate) fs_group: Option<Group>,
    /// With --fs-group: set the modes that the kubelet sets on a volume that is mounted read-only
    #[arg(long)]
    #[serde(default)]
    pub(crate) read_only: bool,
    /// Never give group and others a permission on entries that give them none (for example keys)
    #[arg(long)]
    #[serde(default)]
    pub(crate) private: bool,
    /// Change the owner of symbolic links too; they are never followed
    #[arg(long)]
    #[serde(default)]
    pub(crate) links: bool,
    /// Wanted default ACL of directories, such as `u:1000:rwx,g::rx`
    #[arg(long, value_name = "ACL")]
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    pub(crate) default_acl: Option<DefaultAcl>,
    /// Wanted SELinux label of everything, such as `system_u:object_r:container_file_t:s0`
    #[arg(long, value_name = "LABEL")]
    #[serde(default, deserialize_with = "optional")]
    #[schemars(with = "Option<String>")]
    pub(crate) selinux_label: Option<Label>,
    /// Make PATH and its missing parents, with the wanted owner and mode
    #[arg(long)]
    #[serde(default)]
    pub(crate) create: bool,
    /// When to trust what is there: always look at everything, root-match trusts a right root,
    /// stamp
    #[arg(long, value_name = "POLICY", value_enum, hide_possible_values = true)]
    #[arg(
        help = "always looks at everything; root-match trusts a root that is right; stamp trusts a finished run [default: always]"
    )]
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Policy")]
    pub(crate) policy: Option<Policy>,
    /// Leave out names like this, or paths below PATH if there is a slash in it; repeat for more;
    /// in the variable, one a line
    #[arg(long, value_name = "GLOB", value_parser = GLOBS)]
    #[serde(default, deserialize_with = "list")]
    #[schemars(with = "Vec<String>")]
    pub(crate) exclude: Vec<Lines<Glob>>,
    /// Do not leave out `.snapshot` and `lost+found` at the top of PATH
    #[arg(long)]
    #[serde(default)]
    pub(crate) no_default_excludes: bool,
    /// Do not look into what is mounted below PATH
    #[arg(long)]
    #[serde(default)]
    pub(crate) one_file_system: bool,
    /// Leave out and count what is mounted read-only below PATH (for example by `subPath`)
    #[arg(long)]
    #[serde(default)]
    pub(crate) skip_read_only: bool,
    /// Look at most DEPTH levels below PATH; 0 is PATH alone
    #[arg(long, value_name = "DEPTH")]
    #[serde(default)]
    pub(crate) max_depth: Option<usize>,
    /// Files with names outside the tree: leave them alone, or allow their change
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true)]
    #[arg(
        help = "Files with names outside PATH: leave them alone, or allow their change (leave, allow) [default: leave]"
    )]
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "HardLinkRule")]
    pub(crate) hard_links: Option<HardLinkRule>,
    /// How a change counts that is refused (EPERM, EACCES, EROFS) or ignored
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true)]
    #[arg(
        help = "How a refused or ignored change counts: fail, warn, or accessible (no failure if the wanted owner can already read and write) [default: fail]"
    )]
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "OnDenied")]
    pub(crate) on_denied: Option<OnDenied>,
    /// Refuse a PATH that contains a symbolic link
    #[arg(long)]
    #[serde(default)]
    pub(crate) no_symlinks: bool,
    /// Where PATH is a symbolic link, use the directory or file that it leads to
    #[arg(long)]
    #[serde(default)]
    pub(crate) follow_root: bool,
    /// Accept / as a PATH
    #[arg(long)]
    #[serde(default)]
    pub(crate) allow_root: bool,
}

/// Patterns, one a line in the variable
const GLOBS: LinesParser<Glob> = LinesParser::new("pattern", str::parse, str::to_owned);

/// A group, by number or name
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group(pub(crate) u32);

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        files::accounts::group(text).map(Self)
    }
}

impl Volume {
    /// The same for a PATH. A slash or a dot at its end would follow a link there.
    pub(crate) fn at(&self, path: &Path) -> Self {
        Self { path: path.components().collect(), ..self.clone() }
    }

    /// Whether anything but the way to look at it is said.
    pub(crate) fn wants_something(&self) -> bool {
        let has_attribute = self.default_acl.is_some() || self.selinux_label.is_some();
        self.has_mode() || has_attribute || self.owner.is_some() || self.fs_group.is_some() || self.create
    }

    /// Whether any setting is given.
    pub(crate) fn says_something(&self) -> bool {
        let switches = [
            self.read_only,
            self.private,
            self.links,
            self.no_default_excludes,
            self.one_file_system,
            self.skip_read_only,
            self.no_symlinks,
            self.follow_root,
            self.allow_root,
        ];
        let has_choice = self.policy.is_some() || self.hard_links.is_some() || self.on_denied.is_some();
        let has_limit = self.max_depth.is_some() || !self.exclude.is_empty();
        self.wants_something() || switches.contains(&true) || has_choice || has_limit
    }

    /// When the tree is trusted: never, unless the policy says more.
    pub(crate) fn policy(&self) -> Policy {
        self.policy.unwrap_or_default()
    }

    fn has_mode(&self) -> bool {
        self.mode.is_some() || self.dir_mode.is_some() || self.file_mode.is_some()
    }

    /// Faults of settings together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let says = |what: &str| Err(what.to_owned());
        if self.no_symlinks && self.follow_root {
            return says("no-symlinks and follow-root say opposite things: give one of them");
        }
        if self.create && paths::has_variable(&self.path) {
            return Err(format!("{} is not made: {}", printed(&self.path), paths::NOT_REPLACED));
        }
        let behind = |lines: &Lines<Glob>| lines.0.iter().find_map(|glob| Some(glob.behind(&self.path)?.to_owned()));
        if let Some(rest) = self.exclude.iter().find_map(behind) {
            let rest = if rest.is_empty() { "the names that PATH is to keep" } else { &rest };
            return Err(format!("exclude: a path in a pattern begins below PATH: write {rest}"));
        }
        match self.fs_group {
            Some(_) if self.has_mode() || self.owner.is_some() => {
                says("fs-group takes the place of owner and modes: give the one or the others")
            }
            None if self.read_only => says("read-only goes with fs-group: name the group"),
            None if !self.wants_something() => {
                says("nothing is wanted: give owner, mode, fs-group, default-acl, selinux-label or create")
            }
            _ => Ok(()),
        }
    }

    /// The wanted state of each entry.
    pub(crate) fn wanted(&self, umask: u16) -> Wanted {
        let rule = |special: &Option<Rule>| special.clone().or_else(|| self.mode.clone());
        let modes = match self.fs_group {
            Some(_) => Modes::FsGroup { read_only: self.read_only },
            None => Modes::Rules { directory: rule(&self.dir_mode), file: rule(&self.file_mode) },
        };
        Wanted {
            user: self.owner.and_then(|owner| owner.user),
            group: self.fs_group.map(|group| group.0).or_else(|| self.owner?.group),
            modes,
            private: self.private,
            // The kubelet re-owns them.
            links: self.links || self.fs_group.is_some(),
            acl: self.default_acl.clone(),
            label: self.selinux_label.clone(),
            umask,
        }
    }

    pub(crate) fn excludes(&self) -> Excludes {
        let globs = self.exclude.iter().flat_map(|lines| lines.0.clone()).collect();
        Excludes::new(globs, !self.no_default_excludes)
    }
}

/// A text as it is written, parsed as the flag's value would be: the numbers that YAML makes of
/// `0640` and `0o640` are others.
fn optional<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// A value that is not empty where its key is there
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A text, or a whole number.
fn optional_number<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Option::<NumberOrText>::deserialize(deserializer)?;
    text.map(|text| text.0.parse().map_err(D::Error::custom)).transpose()
}

fn list<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<Vec<Lines<T>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let entries: Result<Vec<T>, _> = texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect();
    Ok(vec![Lines(entries?)])
}
