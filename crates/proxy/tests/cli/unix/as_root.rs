//! What only root can set up: a socket on a mount whose server is gone.

use harness::{HungMount, config_file, until, with_own_mounts};
use tempfile::TempDir;

use crate::{
    support::{OK, Proxy},
    upstream::Upstream,
};

#[test]
fn an_upstream_on_a_mount_whose_server_is_gone_stops_no_other_request() {
    with_own_mounts(|| {
        let (directory, other) = (TempDir::new().unwrap(), Upstream::answering(OK));
        let path = directory.path().join("mnt");
        let _mount = HungMount::new(&path);
        let hung = format!("{{path: /hung, upstream: 'http+unix://{}/app.sock'}}", path.display());
        let routes = format!("[{hung}, {{upstream: '{}'}}]", other.url());
        let config = format!("listeners:\n- {{address: '127.0.0.1:0', direction: inbound, routes: {routes}}}\n");
        let (_directory, file) = config_file(&config);
        let proxy = Proxy::run(&["--config", &file]);
        let mut waiting = proxy.client();
        waiting.send("GET /hung HTTP/1.1\r\nHost: a\r\n\r\n");
        until("the request is in flight", || (proxy.active() == 1).then_some(()));
        assert_eq!(proxy.client().get("/").status, 200);
        assert_eq!(waiting.answer().body, "504 Gateway Timeout: upstream-unreachable\n");
        proxy.stop();
    });
}
