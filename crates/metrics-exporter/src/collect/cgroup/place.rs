//! The place of the own cgroup: the hierarchies of `/proc/self/cgroup` (`cgroups(7)`), each with its directory under a mount of
//! `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::path::{Path, PathBuf};

/// The most levels above the own cgroup whose limits count; systemd and the kubelet together nest about six
const ABOVE_LIMIT: usize = 16;

/// Every hierarchy that this process belongs to, and the mounts that may show them
pub(super) struct Hierarchies<'a> {
    /// The controllers of version 1, joined by commas, empty for the unified hierarchy; then the path
    memberships: Vec<(&'a str, &'a str)>,
    mounts: Vec<Mount<'a>>,
}

/// The hierarchy of a controller
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Controller {
    /// The controller has a hierarchy of version 1. The error is the reason why its directory is not visible.
    Version1(Result<Place, &'static str>),
    /// The controller has no hierarchy of version 1, so the unified hierarchy may have it.
    Unified,
}

/// The directory of a cgroup
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory of the cgroup itself
    pub(super) own: PathBuf,
    /// The topmost visible cgroup; equal to `own` where that is the root of its mount
    pub(super) mount: PathBuf,
    /// The number of visible levels above the own cgroup
    pub(super) above: usize,
}

/// A mount of a cgroup file system
struct Mount<'a> {
    /// The cgroup at the root of the mount, relative to the cgroup namespace; it begins with `/..` outside of that
    root: &'a str,
    directory: PathBuf,
    is_unified: bool,
    /// For version 1, the controllers and other options, joined by commas
    options: &'a str,
}

impl<'a> Hierarchies<'a> {
    /// Reads the two files. `sys` is the directory that holds this process's `/sys`. Mounts below `sys` count; when there are
    /// none, mounts below `/sys` count, with `sys` in its place.
    pub(super) fn parse(cgroup: &'a str, mountinfo: &'a str, sys: &Path) -> Self {
        // The path may contain colons.
        let membership = |line: &'a str| line.split_once(':')?.1.split_once(':');
        let memberships = cgroup.lines().filter_map(membership).collect();
        let all = || mountinfo.lines().filter_map(Mount::parse);
        let mut mounts: Vec<_> = all().filter(|mount| mount.directory.starts_with(sys)).collect();
        if mounts.is_empty() {
            mounts = all().filter_map(|mount| mount.moved(sys)).collect();
        }
        Self { memberships, mounts }
    }

    /// The hierarchy of a controller.
    pub(super) fn controller(&self, name: &str) -> Controller {
        let has = |list: &str| list.split(',').any(|controller| controller == name);
        match self.memberships.iter().find(|(controllers, _)| has(controllers)) {
            Some((_, path)) => Controller::Version1(self.place(path, |mount| !mount.is_unified && has(mount.options))),
            None => Controller::Unified,
        }
    }

    /// True when any controller has a hierarchy of version 1.
    pub(super) fn have_version1(&self) -> bool {
        let is_version1 = |controllers: &str| !controllers.is_empty() && !controllers.starts_with("name=");
        self.memberships.iter().any(|(controllers, _)| is_version1(controllers))
    }

    /// The own cgroup of version 2.
    pub(super) fn unified(&self) -> Result<Place, &'static str> {
        let membership = self.memberships.iter().find(|(controllers, _)| controllers.is_empty());
        let (_, path) = membership.ok_or("no cgroup")?;
        self.place(path, |mount| mount.is_unified)
    }

    fn place(&self, path: &str, shows: impl Fn(&Mount) -> bool) -> Result<Place, &'static str> {
        // The last mount first, because a later mount hides an earlier one at the same directory.
        let mounts = || self.mounts.iter().rev().filter(|mount| shows(mount));
        if let Some(place) = mounts().find_map(|mount| mount.place(path)) {
            return Ok(place);
        }
        // In a container with the host's cgroup namespace the path is the host's, and the root of the mount is the container.
        if let Some(mount) = mounts().find(|mount| !mount.root.starts_with("/..")) {
            return Ok(Place { own: mount.directory.clone(), mount: mount.directory.clone(), above: 0 });
        }
        Err(if mounts().next().is_some() { "outside of the mount" } else { "not mounted" })
    }
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let is_unified = match filesystem.next()? {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        let mut fields = mount.split(' ').skip(3);
        let (root, directory) = (fields.next()?, fields.next()?);
        Some(Self { root, directory: unescape(directory), is_unified, options: filesystem.nth(1)? })
    }

    /// The mount with its directory moved from `/sys` to `sys`; `None` for a mount elsewhere.
    fn moved(mut self, sys: &Path) -> Option<Self> {
        self.directory = sys.join(self.directory.strip_prefix("/sys").ok()?);
        Some(self)
    }

    /// The place of the cgroup with this path; `None` when it lies outside of the mount's root or of the namespace.
    fn place(&self, path: &str) -> Option<Place> {
        let path = Path::new(path);
        if path.components().any(|part| part.as_os_str() == "..") {
            return None;
        }
        let below = path.strip_prefix(self.root).ok()?;
        let above = below.components().count().min(ABOVE_LIMIT);
        Some(Place { own: self.directory.join(below), mount: self.directory.clone(), above })
    }
}

/// Decodes a path of mountinfo, which has spaces, tabs, newlines and backslashes as octal numbers.
fn unescape(path: &str) -> PathBuf {
    let mut parts = path.split('\\');
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_at_checked(3).map(|(octal, rest)| (u8::from_str_radix(octal, 8), rest)) {
            Some((Ok(byte), rest)) if byte.is_ascii() => {
                unescaped.push(char::from(byte));
                unescaped.push_str(rest);
            }
            _ => {
                unescaped.push('\\');
                unescaped.push_str(part);
            }
        }
    }
    unescaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(cgroup: &str, mountinfo: &str, sys: &str) -> [Controller; 4] {
        let hierarchies = Hierarchies::parse(cgroup, mountinfo, Path::new(sys));
        let unified = hierarchies.unified();
        let [cpu, cpuacct, memory] = ["cpu", "cpuacct", "memory"].map(|name| hierarchies.controller(name));
        [cpu, cpuacct, memory, Controller::Version1(unified)]
    }

    fn at(own: &str, mount: &str, above: usize) -> Controller {
        Controller::Version1(Ok(Place { own: own.into(), mount: mount.into(), above }))
    }

    const V2: &str = "486 477 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n";
    const POD: &str = "/kubepods/besteffort/pod9a18ffb8-8513-11e7-b26e-7e29fbe2a5a3/d28e0087cf8f3f04";

    #[test]
    fn a_container_with_a_namespace_of_its_own_is_the_root_of_version_2() {
        let [cpu, cpuacct, memory, unified] = places("0::/\n", V2, "/sys");
        assert_eq!([cpu, cpuacct, memory], [Controller::Unified, Controller::Unified, Controller::Unified]);
        assert_eq!(unified, at("/sys/fs/cgroup", "/sys/fs/cgroup", 0));
    }

    #[test]
    fn a_service_of_systemd_sees_the_slices_above_it() {
        let mount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
        let [.., unified] = places("0::/system.slice/exporter.service\n", mount, "/sys");
        assert_eq!(unified, at("/sys/fs/cgroup/system.slice/exporter.service", "/sys/fs/cgroup", 2));
        let deep = format!("0::{}\n", "/a".repeat(40));
        let [.., unified] = places(&deep, mount, "/sys");
        assert!(matches!(unified, Controller::Version1(Ok(place)) if place.above == ABOVE_LIMIT));
    }

    #[test]
    fn in_the_hosts_namespace_the_root_of_the_mount_is_the_container() {
        let cgroup = format!(
            "11:cpu,cpuacct:{POD}\n4:memory:{POD}\n1:name=systemd:{POD}\n0::/system.slice/containerd.service\n"
        );
        let mountinfo = format!(
            "395 394 0:20 / /sys/fs/cgroup ro - tmpfs tmpfs rw,mode=755\n\
             396 395 0:21 {POD} /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:9 - cgroup cgroup rw,cpu,cpuacct\n\
             397 395 0:22 {POD} /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:10 - cgroup cgroup rw,memory\n\
             398 395 0:23 {POD} /sys/fs/cgroup/systemd ro - cgroup cgroup rw,xattr,name=systemd\n"
        );
        let both = || at("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct", 0);
        let memory = at("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory", 0);
        assert_eq!(
            places(&cgroup, &mountinfo, "/sys"),
            [both(), both(), memory, Controller::Version1(Err("not mounted"))]
        );
    }

    #[test]
    fn a_path_that_the_mount_does_not_show_is_the_root_of_the_mount() {
        let mountinfo = "397 395 0:22 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        for path in ["/docker/2", "/", "/docker/10", "/../docker/1"] {
            let [_, _, memory, _] = places(&format!("4:memory:{path}\n"), mountinfo, "/sys");
            assert_eq!(memory, at("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory", 0), "{path}");
        }
        // The path of a process that was moved out of its namespace must not lead out of the mount.
        let [.., unified] = places("0::/../../etc\n", V2, "/sys");
        assert_eq!(unified, at("/sys/fs/cgroup", "/sys/fs/cgroup", 0));
    }

    #[test]
    fn a_mount_of_the_host_in_a_private_namespace_does_not_show_the_container() {
        let mountinfo = "50 40 0:26 /../../.. /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let [.., unified] = places("0::/\n", mountinfo, "/sys");
        assert_eq!(unified, Controller::Version1(Err("outside of the mount")));
        // A mount that shows the container counts, before or after the other one.
        let both = format!("{V2}{mountinfo}");
        assert_eq!(places("0::/\n", &both, "/sys")[3], at("/sys/fs/cgroup", "/sys/fs/cgroup", 0));
    }

    #[test]
    fn another_root_has_mounts_of_its_own_or_those_of_sys() {
        let moved = at("/tmp/fixture/sys/fs/cgroup", "/tmp/fixture/sys/fs/cgroup", 0);
        assert_eq!(places("0::/\n", V2, "/tmp/fixture/sys")[3], moved);
        let host = "90 80 0:26 / /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let own = at("/host/sys/fs/cgroup/kubepods", "/host/sys/fs/cgroup", 1);
        assert_eq!(places("0::/kubepods\n", &format!("{V2}{host}"), "/host/sys")[3], own);
        let elsewhere = "90 80 0:26 / /cgroup/memory rw - cgroup cgroup rw,memory\n";
        assert_eq!(places("4:memory:/\n", elsewhere, "/sys")[2], Controller::Version1(Err("not mounted")));
    }

    #[test]
    fn names_of_controllers_are_whole_words() {
        let cgroup = "5:cpuset:/a\n4:cpuacct,cpu:/b\n3:net_cls,net_prio:/c\n2:cpu:memory:/d\n";
        let mountinfo = "1 2 0:1 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
             3 2 0:2 / /sys/fs/cgroup/cpuacct,cpu rw - cgroup cgroup rw,cpuacct,cpu\n";
        let [cpu, cpuacct, memory, _] = places(cgroup, mountinfo, "/sys");
        let both = || at("/sys/fs/cgroup/cpuacct,cpu/b", "/sys/fs/cgroup/cpuacct,cpu", 1);
        assert_eq!([cpu, cpuacct, memory], [both(), both(), Controller::Unified]);
    }

    #[test]
    fn broken_files_give_no_place() {
        let lines = [
            "",
            "0",
            "0:",
            "0::",
            ":::",
            "\n\n",
            "a b c - cgroup",
            " - ",
            "- cgroup2 x rw",
            "1 2 3 - cgroup2 x",
            "1 2 3 / /sys - cgroup2",
        ];
        for line in lines {
            let hierarchies = Hierarchies::parse(line, line, Path::new("/sys"));
            assert!(hierarchies.unified().is_err(), "{line:?}");
            assert!(!matches!(hierarchies.controller("memory"), Controller::Version1(Ok(_))), "{line:?}");
        }
    }

    #[test]
    fn mountinfo_has_octal_escapes() {
        assert_eq!(unescape("/sys/a\\040b\\134c"), Path::new("/sys/a b\\c"));
        for odd in ["\\", "\\0", "\\999", "\\377", "a\\04é"] {
            assert_eq!(unescape(odd), Path::new(odd), "{odd}");
        }
    }
}
