//! Default ACLs, beside setfacl(1): the same words make the same ACL.

use std::fs;

use e2e::process::{binary, command, output};

/// With an access ACL the mode says nothing of the owning group.
#[test]
fn default_acls_of_directories_with_an_access_acl_are_those_of_setfacl() {
    assert_same("0770", "u:1000:rx", Some("u:5:rwx,g::---"));
    assert_same("0755", "g:7:rwX,o::-", Some("g:8:r,m::rx"));
}

#[test]
fn default_acls_are_those_of_setfacl() {
    for (mode, spec) in [
        ("0750", "u:1000:rwx"),
        ("0755", "g:2000:rx,u:1000:rw"),
        ("0700", "g::rx,o::-"),
        ("2775", "u:1000:7,g:2000:5,m::rx"),
        ("0711", "user:0:r,group:0:w,other::x"),
    ] {
        assert_same(mode, spec, None);
    }
}

fn assert_same(mode: &str, spec: &str, access: Option<&str>) {
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for root in [&ours, &theirs] {
        fs::create_dir(root.path().join("d")).unwrap();
        let mut chmod = command("chmod");
        chmod.args(["-R", mode]).arg(root.path());
        output(chmod);
        if let Some(access) = access {
            let mut setfacl = command("setfacl");
            setfacl.args(["-R", "-m", access]).arg(root.path());
            output(setfacl);
        }
    }
    let mut fix_perms = command(binary("fix-perms"));
    fix_perms.arg(format!("--default-acl={spec}")).arg(ours.path());
    output(fix_perms);
    let mut setfacl = command("setfacl");
    let entries: Vec<_> = spec.split(',').map(|entry| format!("d:{entry}")).collect();
    setfacl.args(["-R", "-m", &entries.join(",")]).arg(theirs.path());
    output(setfacl);
    let [of_ours, of_theirs] = [&ours, &theirs].map(|root| {
        let mut getfacl = command("getfacl");
        getfacl.args(["--omit-header", "--numeric", "-R", "--no-effective", "."]).current_dir(root.path());
        output(getfacl)
    });
    assert_eq!(of_ours, of_theirs, "{mode} {spec} {access:?}");
}
