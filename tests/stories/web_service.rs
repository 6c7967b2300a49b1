//! The Deployment of the examples in which proxy stands before three apps, and the Service that leads to them.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use e2e::{
    cluster::Namespace,
    load::{Load, Protocol},
};

use crate::examples::changed;

/// The part of a manifest that replaces one pod after the other
const ONE_BY_ONE: &str = "maxSurge: 1";

/// A Deployment and a Service, both called `web`
pub(crate) struct WebService<'a> {
    namespace: &'a Namespace,
    /// Of the Service
    pub(crate) address: SocketAddr,
    protocol: Protocol,
}

impl<'a> WebService<'a> {
    /// Creates what the manifest says, and waits until it answers. The pods are those of the manifest, and the strategy too, but for one
    /// thing: a restart replaces all pods at once, because it takes seconds so.
    pub(crate) fn start(namespace: &'a Namespace, manifest: &str) -> Self {
        Self::start_with(namespace, manifest, &Protocol::Http1)
    }

    /// The same with another protocol than HTTP/1.1
    pub(crate) fn start_with(namespace: &'a Namespace, manifest: &str, protocol: &Protocol) -> Self {
        namespace.create(&changed(manifest, ONE_BY_ONE, "maxSurge: 100%"));
        let address = namespace.until("the Service has an address", || {
            let spec = namespace.find("service/web")?["spec"].take();
            let ip: IpAddr = spec["clusterIP"].as_str()?.parse().ok()?;
            Some(SocketAddr::new(ip, spec["ports"][0]["port"].as_u64()?.try_into().ok()?))
        });
        let service = Self { namespace, address, protocol: protocol.clone() };
        service.until_rolled_out();
        namespace.until("the Service answers", || (service.load(1).end().failed == 0).then_some(()));
        service
    }

    /// Clients of the Service
    pub(crate) fn load(&self, a_second: u32) -> Load {
        Load::start_with(&self.protocol, self.address, a_second)
    }

    /// Replaces all pods.
    pub(crate) fn restart(&self) {
        self.kubectl(&["rollout", "restart", "deployment/web"]);
        self.until_rolled_out();
    }

    /// Changes the number of pods.
    pub(crate) fn scale(&self, replicas: u32) {
        self.kubectl(&["scale", "deployment/web", &format!("--replicas={replicas}")]);
        self.until_rolled_out();
        self.namespace.until(&format!("{replicas} pods are ready"), || {
            let status = self.namespace.find("deployment/web")?["status"].take();
            let count = |key: &str| status[key].as_u64().unwrap_or(0);
            ([count("replicas"), count("readyReplicas")] == [u64::from(replicas); 2]).then_some(())
        });
    }

    fn until_rolled_out(&self) {
        self.kubectl(&["rollout", "status", "deployment/web", &format!("--timeout={}s", ROLLOUT.as_secs())]);
    }

    fn kubectl(&self, arguments: &[&str]) {
        let output = self.namespace.kubectl(arguments.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Long on an idle machine, so that a busy one fits too
const ROLLOUT: Duration = Duration::from_secs(180);
