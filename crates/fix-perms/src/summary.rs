//! `-h`: the help on one screen.

/// For a terminal of 80 columns and 24 lines
pub(crate) fn summary() -> String {
    SUMMARY.to_owned()
}

const SUMMARY: &str = "\
Set the owner and mode of everything below each PATH; change only wrong entries

Usage: fix-perms [OPTIONS] PATH... [-- COMMAND [ARG...]]
       fix-perms check FILE

  --owner OWNER          UID, UID:GID or :GID, by number or by name
  --mode MODE            as chmod reads it, such as u=rwX,g=rX,o=
  --dir-mode, --file-mode MODE
                         the same for directories, or for all but directories
  --fs-group GID         what the kubelet does for fsGroup
  --selinux-label LABEL  the whole SELinux label
  --private              never widen what only its owner can use, such as keys
  --create               make a missing PATH
  --policy stamp         look at a finished tree only once
  --skip-read-only       leave out what is mounted read-only below PATH
  --exclude GLOB         leave out names, or paths below PATH
  --verify, --dry-run    change nothing; print what is wrong
  --config FILE          read more trees from this YAML file
  --as UID:GID           become COMMAND as this user

Example: fix-perms --owner 1000:1000 --mode u=rwX,g=rX,o= /data -- /app
Exit codes: 0 right, 1 different or failed, 64 usage, 74 disk error, 77 denied
fix-perms --help explains all flags.
";
