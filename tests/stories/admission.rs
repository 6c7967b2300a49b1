//! What namespaces admit, and what a pod with a capability too few says.

use std::thread;

use e2e::cluster::{Namespace, Profile};

use crate::examples::{changed, example, files, kustomization};

/// These give files away, which takes capabilities, and `restricted` admits no container with them.
const NEED_BASELINE: [&str; 3] = ["fix-perms.yaml", "main-app.yaml", "stateful-set.yaml"];

#[test]
fn restricted_admits_every_example_without_a_capability_and_baseline_admits_the_rest() {
    let (restricted, baseline) =
        (Namespace::new("restricted", Profile::Restricted), Namespace::new("baseline", Profile::Baseline));
    // A manifest that is only tried creates none, and a pod needs its own.
    for account in ["main-app", "openbao", "prometheus"] {
        restricted.create(&format!("{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {account}}}}}"));
    }
    let mut seen = Vec::new();
    for file in files() {
        let manifest = example(&file);
        if NEED_BASELINE.contains(&file.as_str()) {
            let complaint = restricted.complaint(&manifest);
            assert!(complaint.contains("PodSecurity \"restricted:latest\""), "{file}: {complaint:?}");
            assert_eq!(baseline.complaint(&manifest), "", "{file}");
            seen.push(file);
        } else {
            let others: Vec<_> =
                manifest.split("---\n").filter(|part| !part.contains("\nkind: ServiceAccount\n")).collect();
            assert_eq!(restricted.complaint(&others.join("---\n")), "", "{file}");
        }
    }
    assert_eq!(seen.len(), NEED_BASELINE.len(), "{seen:?}");
    assert_eq!(baseline.complaint(&kustomization("main-app")), "");
}

#[test]
fn fix_perms_names_the_one_capability_that_is_missing() {
    let namespace = Namespace::new("capabilities", Profile::Baseline);
    let all = ["CHOWN", "FOWNER", "DAC_OVERRIDE", "FSETID"];
    thread::scope(|scope| {
        for missing in all {
            let namespace = &namespace;
            scope.spawn(move || {
                let name = format!("without-{}", missing.to_lowercase().replace('_', "-"));
                let given: Vec<_> = all.into_iter().filter(|capability| *capability != missing).collect();
                namespace.create(&pod(&name, &given.join(", ")));
                let end = namespace.until_pod(&name, "fix-perms has ended", |pod| pod.ended("init-permissions"));
                assert_eq!(end.code, 77, "{missing}: {end:?}");
                assert!(end.message.starts_with("code=77 reason=denied what="), "{end:?}");
                assert!(end.message.contains(&format!("CAP_{missing} is missing")), "{missing}: {end:?}");
                let others = given.iter().filter(|capability| end.message.contains(**capability)).count();
                assert_eq!(others, 0, "{missing}: {end:?}");
            });
        }
        namespace.create(&pod("with-all", &all.join(", ")));
        let end = namespace.until_pod("with-all", "fix-perms has ended", |pod| pod.ended("init-permissions"));
        assert_eq!(end.code, 0, "{end:?}");
    });
}

/// The example's fix-perms with these capabilities, on a volume that holds what each of them is for
fn pod(name: &str, capabilities: &str) -> String {
    let own = example("main-app.yaml");
    let (_, fix_perms) = own.split_once("    - name: init-permissions\n").unwrap();
    let (fix_perms, _) = fix_perms.split_once("  containers:\n").unwrap();
    let fix_perms = changed(fix_perms, "CHOWN, FOWNER, DAC_OVERRIDE, FSETID", capabilities);
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{ name: {name} }}
spec:
  restartPolicy: Never
  initContainers:
    - name: someone-else
      image: busybox:1.36
      command:
        - sh
        - -ec
        - |
          mkdir -m 700 /data/closed
          touch /data/closed/x /data/y
          chmod 600 /data/y
          mkdir /data/shared
          chmod 2770 /data/shared
      securityContext: {{ runAsUser: 2000 }}
      volumeMounts: [{{ name: data, mountPath: /data }}]
    - name: init-permissions
{fix_perms}
  containers:
    - name: main-app
      image: busybox:1.36
      command: ["true"]
  volumes:
    - name: data
      emptyDir: {{}}
"#
    )
}
