//! Inputs that come and go with changes of the configuration.

use crate::{
    configuration::{change, configured},
    support::{Pod, Writer, ledger, stop},
};

#[test]
fn inputs_come_and_go() {
    let pod = Pod::new();
    let (mut one, mut two) = (Writer::new(&pod.log("one.log")), Writer::new(&pod.log("two.log")));
    one.write(10);
    let outputs = format!("outputs: ['{}']\n", pod.file_output());
    let input = |name: &str| format!("inputs: [{{path: {}}}]\n{outputs}", pod.log(name).display());
    let mut program = configured(&pod, &input("one.log"));
    pod.wait_for_lines(10);
    change(&pod, &input("two.log"));
    program.wait_for_message("no input leads to it any more");
    one.write(10);
    two.write(5);
    pod.wait_for_lines(15);
    stop(program);
    assert_eq!(pod.out().lines().count(), 15);
}

#[test]
fn an_input_that_comes_back_goes_on_where_it_was() {
    let pod = Pod::new();
    let (mut one, mut two) = (Writer::new(&pod.log("one.log")), Writer::new(&pod.log("two.log")));
    one.write(10);
    let outputs = format!("outputs: ['{}']\n", pod.file_output());
    let input = |text: &str| format!("inputs: [{{path: '{}', {text}}}]\n{outputs}", pod.log("*.log").display());
    let mut program = configured(&pod, &input(""));
    pod.wait_for_lines(10);
    change(&pod, &input(&format!("exclude: ['{}']", pod.log("one.log").display())));
    program.wait_for_message("no input leads to it any more");
    one.write(5);
    two.write(1);
    pod.wait_for_lines(11);
    change(&pod, &input("format: raw"));
    pod.wait_for_lines(16);
    one.write(1);
    pod.wait_for_lines(17);
    // Now it comes back after a restart, and after a rotation.
    change(&pod, &format!("inputs: [{{path: {}}}]\n{outputs}", pod.log("two.log").display()));
    program.wait_for_message("no input leads to it any more");
    assert_eq!(ledger(&stop(program))["lines"], 17);
    one.write(1);
    one.rotate(3);
    one.write(1);
    let program = configured(&pod, &input("format: raw"));
    pod.wait_for_lines(19);
    let ended = stop(program);
    assert_eq!((ledger(&ended)["lines"], ledger(&ended)["lost"]), (2, 0));
    assert_eq!(pod.out().lines().count(), 19);
}
