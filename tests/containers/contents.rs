//! The contents of an image, read from its archive: the files, their size, the certificates, the bill of materials.

use std::{collections::BTreeSet, fs, process::Command};

use crate::{
    archive::{Archive, unpack_binaries},
    engine::said,
    image::{OURS, workspace},
};

/// Where Debian and so the image have the authorities that everybody trusts
pub(crate) const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

#[test]
fn an_image_holds_its_files_and_no_other() {
    for helper in OURS {
        assert_eq!(Archive::of_helper(helper).files(), files(helper), "{helper}");
    }
}

#[test]
fn an_image_is_as_small_as_promised() {
    let mut sizes = Command::new(workspace().join("images/sizes"));
    said(sizes.arg(workspace().join("target/images")).args(OURS)).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_certificates_are_the_machines() {
    let bundle = String::from_utf8(Archive::of_helper("wait-for").file(BUNDLE)).unwrap();
    assert!(Archive::of_helper("log-forwarder").file(BUNDLE) == bundle.as_bytes(), "each has the same");
    assert!(bundle == fs::read_to_string(format!("/{BUNDLE}")).unwrap(), "the bundle is another");
    let count = bundle.matches("-----BEGIN CERTIFICATE-----").count();
    assert!(count > 100, "{count} certificates");
    let root = fs::read_to_string("/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt").unwrap();
    assert!(bundle.contains(root.trim()), "ISRG Root X1 is not in the bundle");
}

#[test]
fn a_scanner_can_read_which_crates_a_binary_was_built_from() {
    let wait_for = crates("wait-for");
    assert!(wait_for.contains(&"rustls".to_owned()), "{wait_for:?}");
    let fix_perms = crates("fix-perms");
    assert!(fix_perms.contains(&"rustix".to_owned()) && !fix_perms.contains(&"rustls".to_owned()), "{fix_perms:?}");
}

/// The entries of an image, as `ls` shows them, with owner and group
pub(crate) fn files(helper: &str) -> BTreeSet<String> {
    let shared = ["drwxr-xr-x 0/0 etc", "-rw-r--r-- 0/0 etc/group", "-rw-r--r-- 0/0 etc/passwd", "drwxrwxrwt 0/0 tmp"];
    let certificates =
        ["drwxr-xr-x 0/0 etc/ssl".into(), "drwxr-xr-x 0/0 etc/ssl/certs".into(), format!("-rw-r--r-- 0/0 {BUNDLE}")];
    let state = ["drwxrwxrwt 0/0 state".to_owned()];
    let (speaks_tls, remembers) = (!matches!(helper, "fix-perms" | "proxy"), helper == "log-forwarder");
    let own = [format!("-rwxr-xr-x 0/0 {helper}")];
    let some = certificates.into_iter().filter(|_| speaks_tls).chain(state.into_iter().filter(|_| remembers));
    shared.map(str::to_owned).into_iter().chain(own).chain(some).collect()
}

/// The names in the section that cargo-auditable writes: compressed JSON
fn crates(helper: &str) -> Vec<String> {
    let directory = unpack_binaries();
    let (binary, section) = (directory.path().join(helper), directory.path().join("section"));
    let dump = format!("--dump-section=.dep-v0={}", section.display());
    said(Command::new("objcopy").arg(dump).arg(&binary).arg("/dev/null")).unwrap();
    assert!(section.exists(), "{helper} has no bill of materials: build it by `make release`");
    let inflate = "import sys, zlib; print(zlib.decompress(open(sys.argv[1], 'rb').read()).decode())";
    let json = said(Command::new("/usr/bin/python3").args(["-c", inflate]).arg(&section)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    json["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect()
}
