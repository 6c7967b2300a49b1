//! Files of `/proc` and `/sys` in containers, as real systems have them but with numbers that all differ, so that a mix-up shows; and
//! the samples that follow from them. `peers/metrics_exporter_cgroup2.rs` boots a real system with version 2.

use super::fixtures::{Container, Files};

/// Kubernetes with containerd and Linux 6.8: a private cgroup namespace, limits of CPU and memory
pub(super) const VERSION_2: Files = &[
    ("proc/self/cgroup", "0::/\n"),
    (
        "proc/self/mountinfo",
        "1283 1187 0:187 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c\n\
         1284 1283 0:189 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n\
         1287 1283 0:178 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro\n\
         1288 1287 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw\n",
    ),
    ("sys/fs/cgroup/cgroup.type", "domain\n"),
    ("sys/fs/cgroup/cgroup.procs", "1\n17\n23\n"),
    ("sys/fs/cgroup/cpu.max", "50000 100000\n"),
    ("sys/fs/cgroup/cpu.weight", "4\n"),
    (
        "sys/fs/cgroup/cpu.stat",
        "usage_usec 12345678\nuser_usec 10000000\nsystem_usec 2345678\ncore_sched.force_idle_usec 0\nnr_periods 1200\n\
         nr_throttled 300\nthrottled_usec 7500000\nnr_bursts 2\nburst_usec 1500\n",
    ),
    ("sys/fs/cgroup/memory.current", "41943040\n"),
    ("sys/fs/cgroup/memory.peak", "52428800\n"),
    ("sys/fs/cgroup/memory.max", "67108864\n"),
    ("sys/fs/cgroup/memory.min", "0\n"),
    ("sys/fs/cgroup/memory.swap.current", "4096\n"),
    ("sys/fs/cgroup/memory.swap.max", "0\n"),
    ("sys/fs/cgroup/memory.events", "low 0\nhigh 1\nmax 22\noom 3\noom_kill 2\noom_group_kill 0\n"),
    (
        "sys/fs/cgroup/memory.stat",
        "anon 20971520\nfile 12582912\nkernel 1048576\nkernel_stack 114688\npagetables 212992\nsec_pagetables 0\npercpu 720\n\
         sock 0\nvmalloc 0\nshmem 0\nzswap 0\nzswapped 0\nfile_mapped 6291456\nfile_dirty 8192\nfile_writeback 4096\n\
         swapcached 0\nanon_thp 0\nfile_thp 0\nshmem_thp 0\ninactive_anon 20967424\nactive_anon 4096\n\
         inactive_file 8388608\nactive_file 4194304\nunevictable 0\nslab_reclaimable 371120\nslab_unreclaimable 435552\n\
         slab 806672\nworkingset_refault_anon 5\nworkingset_refault_file 66\nworkingset_activate_anon 0\npgscan 777\n\
         pgsteal 555\npgfault 2503\npgmajfault 19\npgrefill 0\nthp_fault_alloc 0\n",
    ),
    ("sys/fs/cgroup/pids.current", "30\n"),
    ("sys/fs/cgroup/pids.max", "120\n"),
    (
        "sys/fs/cgroup/io.stat",
        "259:0 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0 cost.usage=1500000 cost.wait=250000 \
         cost.indebt=0 cost.indelay=4\n253:1 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n",
    ),
    (
        "sys/fs/cgroup/cpu.pressure",
        "some avg10=3.39 avg60=2.61 avg300=3.91 total=21500000\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=250000\n",
    ),
    (
        "sys/fs/cgroup/memory.pressure",
        "some avg10=0.00 avg60=0.09 avg300=0.19 total=500000\nfull avg10=0.00 avg60=0.08 avg300=0.17 total=0\n",
    ),
    (
        "sys/fs/cgroup/io.pressure",
        "some avg10=0.48 avg60=1.14 avg300=2.36 total=8000000\nfull avg10=0.48 avg60=1.06 avg300=2.08 total=4000000\n",
    ),
];

const POD: &str = "/kubepods/burstable/pod9a18ffb8/d28e0087";

/// Kubernetes with Docker and Linux 5.10: the host's cgroup namespace, and the container's cgroup as root of each mount
pub(super) fn version_1() -> Container {
    let cgroup = format!(
        "11:memory:{POD}\n10:blkio:{POD}\n9:pids:{POD}\n4:cpu,cpuacct:{POD}\n1:name=systemd:{POD}\n0::/system.slice/containerd.service\n"
    );
    let mount = |id: u32, name: &str| {
        format!(
            "{id} 719 0:{id} {POD} /sys/fs/cgroup/{name} ro,nosuid,nodev,noexec,relatime master:{id} - cgroup cgroup rw,{name}\n"
        )
    };
    let mounts: String =
        [(31, "memory"), (32, "blkio"), (33, "pids"), (34, "cpu,cpuacct")].map(|(id, name)| mount(id, name)).concat();
    let container = Container::with(VERSION_1);
    container.write("proc/self/cgroup", cgroup);
    container
        .write("proc/self/mountinfo", format!("719 718 0:53 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n{mounts}"));
    container
}

const VERSION_1: Files = &[
    ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "20000\n"),
    ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
    ("sys/fs/cgroup/cpu,cpuacct/cpu.shares", "102\n"),
    (
        "sys/fs/cgroup/cpu,cpuacct/cpu.stat",
        "nr_periods 800\nnr_throttled 200\nthrottled_time 9500000000\nnr_bursts 3\nburst_time 250000000\n",
    ),
    ("sys/fs/cgroup/cpu,cpuacct/cpuacct.usage", "64500000000\n"),
    ("sys/fs/cgroup/cpu,cpuacct/cpuacct.stat", "user 5150\nsystem 1275\n"),
    ("sys/fs/cgroup/memory/memory.usage_in_bytes", "25165824\n"),
    ("sys/fs/cgroup/memory/memory.max_usage_in_bytes", "33554432\n"),
    ("sys/fs/cgroup/memory/memory.failcnt", "7\n"),
    ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
    ("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "9223372036854771712\n"),
    ("sys/fs/cgroup/memory/memory.soft_limit_in_bytes", "16777216\n"),
    ("sys/fs/cgroup/memory/memory.kmem.usage_in_bytes", "1048576\n"),
    ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"),
    (
        "sys/fs/cgroup/memory/memory.stat",
        "cache 1\nrss 2\nrss_huge 0\nshmem 0\nmapped_file 3\ndirty 0\nwriteback 0\nworkingset_refault_anon 0\n\
         workingset_refault_file 9\nswap 0\nswapcached 0\npgpgin 17558\npgpgout 15386\npgfault 3719\npgmajfault 13\n\
         inactive_anon 0\nactive_anon 8192\ninactive_file 4\nactive_file 5\nunevictable 0\n\
         hierarchical_memory_limit 67108864\nhierarchical_memsw_limit 9223372036854771712\n\
         total_cache 8413184\ntotal_rss 1073152\ntotal_rss_huge 0\ntotal_shmem 0\ntotal_mapped_file 20480\ntotal_dirty 12288\n\
         total_writeback 4096\ntotal_workingset_refault_anon 1\ntotal_workingset_refault_file 2049\ntotal_swap 8192\n\
         total_swapcached 0\ntotal_pgpgin 17435\ntotal_pgpgout 15145\ntotal_pgfault 3722\ntotal_pgmajfault 14\n\
         total_inactive_anon 1064960\ntotal_active_anon 8192\ntotal_inactive_file 8388608\ntotal_active_file 528384\n\
         total_unevictable 0\n",
    ),
    ("sys/fs/cgroup/pids/pids.current", "6\n"),
    ("sys/fs/cgroup/pids/pids.max", "max\n"),
    ("sys/fs/cgroup/pids/cgroup.procs", "1\n12\n"),
    (
        "sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes_recursive",
        "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 12288\nTotal 12288\n",
    ),
    (
        "sys/fs/cgroup/blkio/blkio.throttle.io_serviced_recursive",
        "8:0 Read 1\n8:0 Write 2\n8:0 Sync 3\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 3\nTotal 3\n",
    ),
];

/// The samples of `VERSION_2`
pub(super) const VERSION_2_SAMPLES: &[&str] = &[
    "container_spec_cpu_period 100000",
    "container_spec_cpu_quota 50000",
    "container_spec_cpu_shares 80",
    "container_cpu_usage_seconds_total{cpu=total} 12.345678",
    "container_cpu_user_seconds_total 10",
    "container_cpu_system_seconds_total 2.345678",
    "container_cpu_cfs_periods_total 1200",
    "container_cpu_cfs_throttled_periods_total 300",
    "container_cpu_cfs_throttled_seconds_total 7.5",
    "container_cpu_cfs_burst_periods_total 2",
    "container_cpu_cfs_burst_seconds_total 0.0015",
    "container_memory_pgscan_total 777",
    "container_memory_pgsteal_total 555",
    "container_memory_usage_bytes 41943040",
    "container_memory_working_set_bytes 33554432",
    "container_memory_max_usage_bytes 52428800",
    "container_memory_rss 20971520",
    "container_memory_cache 12582912",
    "container_memory_mapped_file 6291456",
    "container_memory_swap 4096",
    "container_memory_kernel_usage 1048576",
    "container_memory_total_active_file_bytes 4194304",
    "container_memory_total_inactive_file_bytes 8388608",
    "container_memory_file_dirty_bytes 8192",
    "container_memory_file_writeback_bytes 4096",
    "container_memory_workingset_refault_file_total 66",
    "container_memory_workingset_refault_anon_total 5",
    "container_memory_failcnt 22",
    "container_oom_events_total 2",
    "container_memory_failures_total{failure_type=pgfault,scope=container} 2503",
    "container_memory_failures_total{failure_type=pgmajfault,scope=container} 19",
    "container_memory_failures_total{failure_type=pgfault,scope=hierarchy} 2503",
    "container_memory_failures_total{failure_type=pgmajfault,scope=hierarchy} 19",
    "container_memory_events_high_total 1",
    "container_memory_events_max_total 22",
    "container_spec_memory_limit_bytes 67108864",
    "container_spec_memory_swap_limit_bytes 0",
    "container_spec_memory_reservation_limit_bytes 0",
    "container_fs_reads_bytes_total{device=259:0} 1459200",
    "container_fs_reads_bytes_total{device=253:1} 4096",
    "container_blkio_device_usage_total{device=259:0,major=259,minor=0,operation=Read} 1459200",
    "container_blkio_device_usage_total{device=259:0,major=259,minor=0,operation=Write} 314773504",
    "container_blkio_device_usage_total{device=253:1,major=253,minor=1,operation=Read} 4096",
    "container_blkio_device_usage_total{device=253:1,major=253,minor=1,operation=Write} 0",
    "container_fs_writes_bytes_total{device=259:0} 314773504",
    "container_fs_writes_bytes_total{device=253:1} 0",
    "container_fs_reads_total{device=259:0} 192",
    "container_fs_reads_total{device=253:1} 1",
    "container_fs_writes_total{device=259:0} 353",
    "container_fs_writes_total{device=253:1} 0",
    "container_fs_io_cost_usage_seconds_total{device=259:0} 1.5",
    "container_fs_io_cost_wait_seconds_total{device=259:0} 0.25",
    "container_fs_io_cost_indebt_seconds_total{device=259:0} 0",
    "container_fs_io_cost_indelay_seconds_total{device=259:0} 0.000004",
    "container_threads 30",
    "container_threads_max 120",
    "container_processes 3",
    "container_pressure_cpu_waiting_seconds_total 21.5",
    "container_pressure_cpu_stalled_seconds_total 0.25",
    "container_pressure_memory_waiting_seconds_total 0.5",
    "container_pressure_memory_stalled_seconds_total 0",
    "container_pressure_io_waiting_seconds_total 8",
    "container_pressure_io_stalled_seconds_total 4",
    "sidekit_metrics_exporter_memory_working_set_limit_ratio 0.5",
    "sidekit_metrics_exporter_pids_limit_ratio 0.25",
];

/// The samples of `version_1`
pub(super) const VERSION_1_SAMPLES: &[&str] = &[
    "container_spec_cpu_period 100000",
    "container_spec_cpu_quota 20000",
    "container_spec_cpu_shares 102",
    "container_cpu_cfs_periods_total 800",
    "container_cpu_cfs_throttled_periods_total 200",
    "container_cpu_cfs_throttled_seconds_total 9.5",
    "container_cpu_cfs_burst_periods_total 3",
    "container_cpu_cfs_burst_seconds_total 0.25",
    "container_cpu_usage_seconds_total{cpu=total} 64.5",
    "container_cpu_user_seconds_total 51.5",
    "container_cpu_system_seconds_total 12.75",
    "container_memory_usage_bytes 25165824",
    "container_memory_working_set_bytes 16777216",
    "container_memory_max_usage_bytes 33554432",
    "container_memory_rss 1073152",
    "container_memory_cache 8413184",
    "container_memory_mapped_file 20480",
    "container_memory_swap 8192",
    "container_memory_kernel_usage 1048576",
    "container_memory_total_active_file_bytes 528384",
    "container_memory_total_inactive_file_bytes 8388608",
    "container_memory_file_dirty_bytes 12288",
    "container_memory_file_writeback_bytes 4096",
    "container_memory_workingset_refault_file_total 2049",
    "container_memory_workingset_refault_anon_total 1",
    "container_memory_failcnt 7",
    "container_oom_events_total 4",
    "container_memory_failures_total{failure_type=pgfault,scope=container} 3719",
    "container_memory_failures_total{failure_type=pgmajfault,scope=container} 13",
    "container_memory_failures_total{failure_type=pgfault,scope=hierarchy} 3722",
    "container_memory_failures_total{failure_type=pgmajfault,scope=hierarchy} 14",
    "container_spec_memory_limit_bytes 0",
    "container_spec_memory_swap_limit_bytes 0",
    "container_spec_memory_reservation_limit_bytes 16777216",
    "container_fs_reads_bytes_total{device=8:0} 4096",
    "container_blkio_device_usage_total{device=8:0,major=8,minor=0,operation=Read} 4096",
    "container_blkio_device_usage_total{device=8:0,major=8,minor=0,operation=Write} 8192",
    "container_blkio_device_usage_total{device=8:0,major=8,minor=0,operation=Sync} 12288",
    "container_blkio_device_usage_total{device=8:0,major=8,minor=0,operation=Async} 0",
    "container_blkio_device_usage_total{device=8:0,major=8,minor=0,operation=Discard} 0",
    "container_blkio_device_usage_total{device=8:0,major=8,minor=0,operation=Total} 12288",
    "container_fs_writes_bytes_total{device=8:0} 8192",
    "container_fs_reads_total{device=8:0} 1",
    "container_fs_writes_total{device=8:0} 2",
    "container_threads 6",
    "container_threads_max 0",
    "container_processes 2",
    "sidekit_metrics_exporter_memory_working_set_limit_ratio 0.25",
];
