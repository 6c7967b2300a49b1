//! Names: a static binary looks them up as the network of its container knows them.

use crate::{
    container::{Container, HARDENED, run},
    image::{BUSYBOX, WAIT_FOR},
    network::Network,
};

#[test]
fn a_container_of_the_same_network_is_found_by_name() {
    let network = Network::new();
    let options = [network.option(), "--network-alias=server"];
    let _server = Container::start(&options, BUSYBOX, &["httpd", "-f", "-p", "8080"]);
    let ended = run(
        &[&HARDENED[..], &[network.option()]].concat(),
        WAIT_FOR,
        &["tcp://server:8080", "dns://server", "--timeout=30s"],
    );
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[test]
fn a_name_that_nobody_has_is_told_as_such() {
    let network = Network::new();
    // Docker keeps a name without a dot to itself if ndots is set, and else asks the machine's DNS, which can be out of reach.
    let options = [&HARDENED[..], &[network.option(), "--dns-option=ndots:1"]].concat();
    let ended = run(&options, WAIT_FOR, &["tcp://nowhere:8080", "--timeout=1s"]);
    assert_eq!(ended.code, 124, "{}", ended.log);
    assert!(ended.log.contains("unknown name nowhere"), "{}", ended.log);
}
