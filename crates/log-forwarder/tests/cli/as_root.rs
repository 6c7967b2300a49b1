//! Conditions that only root can set up: full and read-only disks, mounts without events, another user.

mod reaching;
mod volumes;

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use harness::with_own_mounts;

use crate::{
    collector::{Answer, Collector},
    rotation::assert_all_there_in_any_order,
    support::{Pod, Signal, Writer, append, assert_all_there, ledger, line, start, stop, until},
};

/// Nobody, everywhere
const USER: u32 = 65534;

#[track_caller]
fn mount(arguments: &[&str], target: &Path) {
    let output = Command::new("mount").args(arguments).arg(target).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A pod whose state directory is a file system of its own
fn pod_with_small_state() -> Pod {
    let pod = Pod::new();
    fs::create_dir(pod.beside("state")).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=16k", "tmpfs"], &pod.beside("state"));
    pod
}

#[test]
fn a_full_state_directory_costs_nothing_but_what_comes_twice() {
    with_own_mounts(|| {
        let pod = pod_with_small_state();
        let mut writer = Writer::new(&pod.log("app.log"));
        writer.write(50);
        let mut program = pod.start(&["--output", &pod.file_output()]);
        pod.wait_for_lines(50);
        until("the checkpoint knows", || {
            let size = fs::metadata(pod.log("app.log")).unwrap().len();
            pod.checkpoint()?.contains(&format!("\"position\":{size}")).then_some(())
        });
        let before = pod.checkpoint().unwrap();
        // Whatever is free, this is more.
        assert!(fs::write(pod.beside("state/filler"), vec![b'x'; 64 << 10]).is_err());
        writer.write(50);
        writer.rotate(3);
        writer.write(50);
        program.wait_for_message("cannot save the checkpoint; a restart would deliver lines again");
        pod.wait_for_lines(150);
        assert_eq!(pod.checkpoint().unwrap(), before);
        program.signal(Signal::KILL);
        program.end();
        let mut program = pod.start(&["--output", &pod.file_output()]);
        program.wait_for_message("cannot save the checkpoint; a restart would deliver lines again");
        pod.wait_for_lines(250);
        fs::remove_file(pod.beside("state/filler")).unwrap();
        program.wait_for_message("the checkpoint is saved again");
        let ended = stop(program);
        assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (100, 0));
        assert_all_there_in_any_order(pod.out().lines(), 150);
        assert_eq!(ledger(&stop(pod.start(&["--output", &pod.file_output()])))["read"], 0);
    });
}

#[test]
fn a_state_directory_that_becomes_read_only_is_told_and_stops_nothing() {
    with_own_mounts(|| {
        let pod = pod_with_small_state();
        let mut writer = Writer::new(&pod.log("app.log"));
        let mut program = pod.start(&["--output", &pod.file_output()]);
        pod.wait_for_checkpoint();
        mount(&["-o", "remount,ro"], &pod.beside("state"));
        writer.write(50);
        program.wait_for_message("cannot save the checkpoint; a restart would deliver lines again");
        pod.wait_for_lines(50);
        mount(&["-o", "remount,rw"], &pod.beside("state"));
        program.wait_for_message("the checkpoint is saved again");
        stop(program);
        assert_all_there(pod.out().lines(), 50);
    });
}

#[test]
fn files_that_grow_without_events_are_found_out_and_polled() {
    with_own_mounts(|| {
        let pod = Pod::new();
        for name in ["lower", "upper", "work"] {
            fs::create_dir(pod.beside(name)).unwrap();
        }
        // What is written below an overlay is no event of it.
        let mut writer = Writer::new(&pod.beside("lower/app.log"));
        let layer = |name: &str| format!("{name}dir={}", pod.beside(name).display());
        let layers = ["lower", "upper", "work"].map(layer).join(",");
        mount(&["-t", "overlay", "-o", &layers, "overlay"], &pod.beside("logs"));
        writer.write(1);
        let mut program = pod.start(&["--output", &pod.file_output()]);
        pod.wait_for_lines(1);
        let mut lines = 1;
        until("it is found out", || {
            writer.write(1);
            lines += 1;
            pod.wait_for_lines(lines);
            (lines > 5).then_some(())
        });
        program.wait_for_message("its files grow without events; it is polled");
        for _ in 0..10 {
            writer.write(10);
            lines += 10;
            pod.wait_for_lines(lines);
        }
        stop(program);
        assert_all_there(pod.out().lines(), writer.written());
    });
}

/// A pod in which everybody may do everything, and log-forwarder as nobody
fn start_as_nobody(pod: &Pod) -> harness::Program {
    let logs = pod.beside("logs");
    fs::set_permissions(logs.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    start(pod.command(&["--output", &pod.file_output()]).uid(USER).gid(USER))
}

#[test]
fn permission_that_is_taken_away_and_given_back_costs_nothing() {
    let pod = Pod::new();
    let path = pod.log("app.log");
    let set = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let mut writer = Writer::new(&path);
    writer.write(10);
    set(0o000);
    let mut program = start_as_nobody(&pod);
    program.wait_for_message("cannot open; it is tried again");
    set(0o644);
    pod.wait_for_lines(10);
    // An open file stays open.
    set(0o000);
    writer.write(10);
    pod.wait_for_lines(20);
    program.signal(Signal::TERM);
    program.end();
    // Unreadable at a restart, it is not taken for lost, wherever it goes.
    writer.write(10);
    let mut program = start_as_nobody(&pod);
    program.wait_for_message("cannot open; it is tried again");
    fs::rename(&path, pod.log("app.log.1")).unwrap();
    let mut next = Writer::new(&path);
    set(0o644);
    next.skip(30);
    next.write(1);
    until("the new one is read", || pod.out().contains("line 00000030").then_some(()));
    fs::set_permissions(pod.log("app.log.1"), fs::Permissions::from_mode(0o644)).unwrap();
    pod.wait_for_lines(31);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (11, 0));
    assert_all_there_in_any_order(pod.out().lines(), 31);
}

#[test]
fn a_directory_that_cannot_be_listed_at_a_restart_is_waited_for() {
    let pod = Pod::new();
    let set = |mode: u32| fs::set_permissions(pod.beside("logs"), fs::Permissions::from_mode(mode)).unwrap();
    let mut writer = Writer::new(&pod.log("app.log"));
    writer.write(10);
    let program = start_as_nobody(&pod);
    pod.wait_for_lines(10);
    stop(program);
    writer.write(10);
    set(0o700);
    chown(pod.beside("logs"), Some(0), Some(0)).unwrap();
    let program = start_as_nobody(&pod);
    let first = pod.checkpoint();
    until("a checkpoint is saved", || (pod.checkpoint() != first || pod.checkpoint().is_some()).then_some(()));
    set(0o755);
    pod.wait_for_lines(20);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (10, 0));
    assert_all_there(pod.out().lines(), 20);
}

#[test]
fn a_full_disk_tears_no_dead_letter() {
    with_own_mounts(|| {
        let (pod, collector) = (Pod::new(), Collector::start());
        collector.refuse_lines_with("bad");
        fs::create_dir(pod.beside("dead")).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=32k", "tmpfs"], &pod.beside("dead"));
        fs::write(pod.log("app.log"), "bad\n").unwrap();
        let dead = pod.beside("dead/letters");
        let mut program = pod.start(&["--output", &collector.url(), "--dead-letter", &dead.display().to_string()]);
        let letters = || fs::read_to_string(&dead).unwrap_or_default();
        until("there is a letter", || letters().ends_with('\n').then_some(()));
        // A part of the next one has room behind it.
        assert!(fs::write(pod.beside("dead/filler"), vec![b'x'; 64 << 10]).is_err());
        std::io::Write::write_all(&mut append(&pod.log("app.log")), format!("bad{}\n", "x".repeat(8000)).as_bytes())
            .unwrap();
        let told = program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
        assert!(told["reason"].as_str().unwrap().starts_with("cannot write the dead letter"), "{told}");
        fs::remove_file(pod.beside("dead/filler")).unwrap();
        until("there is another letter", || (letters().len() > 8000 && letters().ends_with('\n')).then_some(()));
        stop(program);
        let letters = letters();
        let parsed: Result<Vec<serde_json::Value>, _> = letters.lines().map(serde_json::from_str).collect();
        assert_eq!(parsed.unwrap().len(), 2);
    });
}

#[test]
fn a_name_that_nobody_knows_for_a_while_costs_nothing() {
    with_own_mounts(|| {
        let (pod, listener) = (Pod::new(), TcpListener::bind("127.0.0.1:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        // No server is asked, and one file tells all names.
        for name in ["hosts", "resolv.conf", "nsswitch.conf"] {
            fs::write(pod.beside(name), if name == "nsswitch.conf" { "hosts: files\n" } else { "" }).unwrap();
            let (file, target) = (pod.beside(name).display().to_string(), Path::new("/etc").join(name));
            if target.exists() {
                mount(&["--bind", &file], &target);
            }
        }
        let know = |names: &str| fs::write(pod.beside("hosts"), names).unwrap();
        let mut writer = Writer::new(&pod.log("app.log"));
        writer.write(10);
        let mut program = pod.start(&["--output", &format!("http://collector.test:{port}/")]);
        let told = program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
        assert_eq!(told["reason"], "unknown name collector.test", "{told}");
        know("127.0.0.1 collector.test\n");
        let collector = Collector::on(listener);
        collector.wait_for(&line(9));
        // The connection breaks while the name is gone.
        know("");
        collector.answer([Answer::HalfAndClose]);
        writer.write(10);
        program.wait_for_message("cannot deliver; the batch is sent again until it is delivered");
        know("127.0.0.1 collector.test\n");
        collector.wait_for(&line(19));
        let ended = stop(program);
        assert_all_there(collector.messages().iter().map(String::as_str), 20);
        assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (20, 0));
    });
}
