//! The `OpenBao` of the examples, which knows the service account of a story's namespace.

use e2e::cluster::Namespace;

use crate::examples::{changed, example};

/// A pod with the secret `app`
pub(crate) struct OpenBao<'a>(&'a Namespace);

impl<'a> OpenBao<'a> {
    /// Starts it, and waits until it has its settings.
    pub(crate) fn start(namespace: &'a Namespace) -> Self {
        let name = namespace.name();
        let manifest = changed(&example("openbao.yaml"), "namespace: default", &format!("namespace: {name}"));
        let manifest = changed(&manifest, "namespaces=default", &format!("namespaces={name}"));
        namespace.create(&changed(&manifest, "name: openbao-of-default\n", &binding(namespace)));
        namespace.until_pod("openbao", "it is ready", |pod| pod.is_ready().then_some(()));
        Self(namespace)
    }

    /// Changes the password.
    pub(crate) fn put(&self, password: &str) {
        self.run(&format!("kv put -mount=secret app username=app password={password}"));
    }

    /// Lets this service account log in.
    pub(crate) fn role(&self, account: &str, settings: &str) {
        let namespace = self.0.name();
        self.run(&format!(
            "write auth/kubernetes/role/app bound_service_account_names={account} \
             bound_service_account_namespaces={namespace} audience=vault token_policies=app {settings}"
        ));
    }

    fn run(&self, command: &str) -> String {
        self.0
            .shell("openbao", "openbao", &format!("bao {command}"))
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }
}

/// The metadata of a binding that goes with the namespace, because it stands in none
fn binding(namespace: &Namespace) -> String {
    let name = namespace.name();
    let object = namespace.find(&format!("namespace/{name}")).unwrap();
    let uid = object["metadata"]["uid"].as_str().unwrap();
    format!(
        "name: openbao-of-{name}\n  ownerReferences: [{{ apiVersion: v1, kind: Namespace, name: {name}, uid: {uid} }}]\n"
    )
}
