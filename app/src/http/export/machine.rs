//! What node_exporter would say of the machine that a node runs on, and cAdvisor and the kubelet of its container.
//!
//! All nodes share one machine and one process. What belongs to a node alone is its thread's CPU time; all else is the machine's or the program's,
//! and its help says so. Linux only, but for the disks.

use std::path::Path;

use super::families::Families;
use super::threads::{self, TICKS_PER_S};

/// File systems that node_exporter leaves out, for they are on no disk. `overlay` is among them there; here it may be what `/` is.
const NO_DISKS: [&str; 22] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

/// File systems that are shown; a machine that mounts more has the rest left out.
const MOUNTS_MAX: usize = 64;

/// Adds what is known of `node_id`'s machine.
pub fn add(families: &mut Families, node_id: i32, data_dir: &Path) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    processors(families, &read("/proc/stat"));
    file_systems(families, &read("/proc/self/mounts"));
    disks(families, &read("/proc/diskstats"));
    let labels = [
        ("branch", ""),
        ("goversion", ""),
        ("revision", ""),
        ("version", concat!("brokerscope-", env!("CARGO_PKG_VERSION"))),
    ];
    families.gauge("node_exporter_build_info", "Who speaks for node_exporter: this program.").add(&labels, 1.0);
    container(families, node_id, &read("/proc/self/status"));
    volume(families, data_dir);
}

fn processors(families: &mut Families, stat: &str) {
    const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
    let mut family = families.counter("node_cpu_seconds_total", "CPU time of the machine that all nodes share.");
    for line in stat.lines() {
        let Some((cpu, times)) = line.strip_prefix("cpu").and_then(|line| line.split_once(' ')) else { continue };
        // The line without a number is the sum.
        if cpu.is_empty() {
            continue;
        }
        for (mode, ticks) in MODES.iter().zip(times.split_whitespace()) {
            let Ok(ticks) = ticks.parse::<f64>() else { continue };
            family.add(&[("cpu", cpu), ("mode", mode)], ticks / TICKS_PER_S);
        }
    }
}

#[derive(Debug, PartialEq)]
struct Mount {
    device: String,
    point: String,
    kind: String,
    is_read_only: bool,
}

/// What is mounted. Octal escapes of the kernel are put back.
fn mounts(text: &str) -> Vec<Mount> {
    let mut mounts = Vec::<Mount>::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, point, kind, options, ..] = words[..] else { continue };
        let is_shown = !NO_DISKS.contains(&kind) && (kind != "overlay" || point == "/");
        let point = unescaped(point);
        if is_shown && mounts.len() < MOUNTS_MAX && mounts.iter().all(|other| other.point != point) {
            let is_read_only = options.split(',').any(|option| option == "ro");
            mounts.push(Mount { device: unescaped(device), point, kind: kind.to_owned(), is_read_only });
        }
    }
    mounts
}

fn unescaped(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn file_systems(families: &mut Families, text: &str) {
    let told: Vec<_> = mounts(text)
        .into_iter()
        .filter_map(|mount| {
            let told = rustix::fs::statvfs(Path::new(&mount.point)).ok()?;
            (told.f_blocks > 0).then_some((mount, told))
        })
        .collect();
    type Value = fn(&rustix::fs::StatVfs, bool) -> f64;
    let names: [(&str, &str, Value); 6] = [
        ("avail_bytes", "Bytes that this program could still write.", |told, _| bytes(told.f_bavail, told)),
        ("size_bytes", "Bytes of the file system.", |told, _| bytes(told.f_blocks, told)),
        ("free_bytes", "Bytes that are free.", |told, _| bytes(told.f_bfree, told)),
        ("files", "Inodes.", |told, _| told.f_files as f64),
        ("files_free", "Free inodes.", |told, _| told.f_ffree as f64),
        ("readonly", "1: it may only be read.", |_, is_read_only| if is_read_only { 1.0 } else { 0.0 }),
    ];
    for (name, help, value) in names {
        let mut family = families.gauge(&format!("node_filesystem_{name}"), help);
        for (mount, told) in &told {
            let labels = [("device", &*mount.device), ("fstype", &*mount.kind), ("mountpoint", &*mount.point)];
            family.add(&labels, value(told, mount.is_read_only));
        }
    }
}

fn bytes(blocks: u64, told: &rustix::fs::StatVfs) -> f64 {
    blocks as f64 * told.f_frsize as f64
}

/// Source: the kernel's `Documentation/admin-guide/iostats.rst`; a sector is 512 bytes there, whatever the disk's is.
fn disks(families: &mut Families, diskstats: &str) {
    const SECTOR: f64 = 512.0;
    let names = [
        ("reads_completed", "Reads of the machine's disks.", 3, 1.0),
        ("read_bytes", "Bytes read from the machine's disks.", 5, SECTOR),
        ("writes_completed", "Writes to the machine's disks.", 7, 1.0),
        ("written_bytes", "Bytes written to the machine's disks.", 9, SECTOR),
    ];
    for (name, help, column, scale) in names {
        let mut family = families.counter(&format!("node_disk_{name}_total"), help);
        for line in diskstats.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (Some(device), Some(value)) = (words.get(2), words.get(column)) else { continue };
            // As node_exporter: no memory disks, loops or drives.
            let is_left_out = ["ram", "loop", "fd", "sr"].iter().any(|start| device.starts_with(start));
            let Ok(value) = value.parse::<f64>() else { continue };
            if !is_left_out {
                family.add(&[("device", device)], value * scale);
            }
        }
    }
}

/// Which pod and container this is, the scrape's configuration says.
fn container(families: &mut Families, node_id: i32, status: &str) {
    if let Some(seconds) = threads::cpu_seconds().get(&node_id) {
        let help = "CPU time of the node's own thread.";
        families.counter("container_cpu_usage_seconds_total", help).add(&[], *seconds);
    }
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<f64> = resident.and_then(|value| value.split_whitespace().next()?.parse().ok());
    if let Some(kib) = kib {
        let help = "Resident memory of the whole program.";
        families.gauge("container_memory_usage_bytes", help).add(&[], kib * 1024.0);
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    if let Ok(now) = now {
        let help = "When the node was last seen: now, for it answers.";
        families.gauge("container_last_seen", help).add(&[], now.as_secs_f64().floor());
    }
}

/// The volume that holds the data of all nodes.
fn volume(families: &mut Families, data_dir: &Path) {
    let Ok(told) = rustix::fs::statvfs(data_dir) else { return };
    let names = [
        ("available_bytes", "Bytes that the nodes can still write to the volume that they share.", told.f_bavail),
        ("capacity_bytes", "Bytes of the volume that the nodes share.", told.f_blocks),
    ];
    for (name, help, blocks) in names {
        families.gauge(&format!("kubelet_volume_stats_{name}"), help).add(&[], bytes(blocks, &told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(add: impl Fn(&mut Families)) -> String {
        let mut families = Families::default();
        add(&mut families);
        let text = families.finish().unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn processors_are_told_one_by_one() {
        let stat = "cpu  9 9 9 9\ncpu0 100 0 50 1000 7 0 1 2 3 4\ncpu1 x\nintr 5\n";
        let told = text(|families| processors(families, stat));
        assert!(told.starts_with("node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1\n"), "{told}");
        assert!(told.contains("{cpu=\"0\",mode=\"idle\"} 10\n") && told.contains("{cpu=\"0\",mode=\"steal\"} 0.02\n"));
        assert_eq!(told.lines().count(), 8, "guest times stand in user's already: {told}");
    }

    #[test]
    fn mounts_are_those_of_disks_once_each() {
        let told = mounts(
            "proc /proc proc rw 0 0\noverlay / overlay rw,relatime 0 0\noverlay /x overlay rw 0 0\n\
             /dev/sda1 /a\\040b ext4 ro,noatime 0 0\n/dev/sda1 /a\\040b ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nshort\n",
        );
        let expected = [("overlay", "/", "overlay", false), ("/dev/sda1", "/a b", "ext4", true)];
        let expected = expected.map(|(device, point, kind, is_read_only)| Mount {
            device: device.into(),
            point: point.into(),
            kind: kind.into(),
            is_read_only,
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn disks_count_in_sectors() {
        let told =
            text(|families| disks(families, "8 0 sda 10 1 20 3 40 5 60 7 0 0 0\n7 0 loop0 1 1 1 1 1 1 1 1\n9 0 md\n"));
        let expected = "node_disk_reads_completed_total{device=\"sda\"} 10\nnode_disk_read_bytes_total{device=\"sda\"} 10240\n\
            node_disk_writes_completed_total{device=\"sda\"} 40\nnode_disk_written_bytes_total{device=\"sda\"} 30720\n";
        assert_eq!(told, expected);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_is_told() {
        // Other tests of this process may run nodes.
        const NOBODY: i32 = 987_654;
        let dir = tempfile::tempdir().unwrap();
        let told = text(|families| add(families, NOBODY, dir.path()));
        for name in ["node_cpu_seconds_total{", "container_memory_usage_bytes ", "kubelet_volume_stats_capacity_bytes "]
        {
            assert!(told.lines().any(|line| line.starts_with(name)), "{name} {told}");
        }
        assert!(!told.contains("container_cpu"), "no node runs here: {told}");
    }
}
