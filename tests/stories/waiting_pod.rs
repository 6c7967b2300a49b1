//! A pod that waits, then runs one program; admitted by `restricted`.

/// What differs from story to story
pub(crate) struct WaitingPod<'a> {
    pub(crate) name: &'a str,
    /// A field of the pod's `spec`, or nothing
    pub(crate) settings: &'a str,
    /// Of wait-for, each in quotes
    pub(crate) arguments: &'a str,
    /// Of the container `main-app`
    pub(crate) image: &'a str,
    /// Its program and arguments, each in quotes
    pub(crate) command: &'a str,
}

impl Default for WaitingPod<'_> {
    fn default() -> Self {
        Self { name: "main-app", settings: "", arguments: "", image: "busybox:1.36", command: r#""true""# }
    }
}

impl WaitingPod<'_> {
    pub(crate) fn manifest(&self) -> String {
        let Self { name, settings, arguments, image, command } = self;
        format!(
            r"
apiVersion: v1
kind: Pod
metadata: {{ name: {name} }}
spec:
  restartPolicy: Never
  {settings}
  securityContext: {{ runAsNonRoot: true, runAsUser: 65532, seccompProfile: {{ type: RuntimeDefault }} }}
  initContainers:
    - name: wait-for
      image: localhost/sidekit/wait-for:0.1.0
      args: [{arguments}]
      securityContext: &restricted {{ allowPrivilegeEscalation: false, capabilities: {{ drop: [ALL] }} }}
  containers:
    - name: main-app
      image: {image}
      command: [{command}]
      securityContext: *restricted
"
        )
    }
}
