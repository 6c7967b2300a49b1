//! Commands of a helper's own.

use crate::support::{Program, UNTOUCHED, end, end_with_message, sidecar, sidecar_command};

#[test]
fn a_question_is_answered_beside_the_running_helper() {
    let (_directory, file) = harness::config_file("greeting: hello\n");
    let mut running = Program::start(&mut sidecar(&["--config", &file]));
    let address = running.address("health").to_string();
    // The same listeners as the running helper's, which an answer does not need
    let asked = ["--config", &file, "--health-addr", &address, "say", "2"];
    let ended = end(sidecar_command(&asked));
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "hello hello\n"), "{ended:#?}");
    assert!(ended.log.is_empty(), "{ended:#?}");
    let mut by_variable = sidecar_command(&["say", "1"]);
    by_variable.env("SIDEKIT_TEST_SIDECAR_CONFIG", &file);
    assert_eq!(end(by_variable).stdout, "hello\n");
}

#[test]
fn a_bad_end_and_a_misuse_have_their_codes() {
    let (_directory, file) = harness::config_file("greeting: hello\n");
    end(sidecar_command(&["--config", &file, "say", "0"])).ended_with(65, "reason=data last=\"nothing was said\"");
    end(sidecar_command(&["say", "1"])).ended_with(64, "reason=usage last=\"say needs --config\"");
    assert_eq!(end(sidecar_command(&["say", "twice"])).code, Some(64));
    let (_directory, wrong) = harness::config_file("gretting: hello\n");
    end(sidecar_command(&["--config", &wrong, "say", "1"])).ended_with(78, "reason=config");
    assert!(end(sidecar_command(&["--help"])).stdout.contains("Say the greeting of the configuration file"));
}

#[test]
fn an_answer_leaves_the_termination_message_alone() {
    let (ended, message) = end_with_message(&sidecar_command(&["say", "1"]));
    assert_eq!((ended.code, &*message), (Some(64), UNTOUCHED), "{ended:#?}");
}
