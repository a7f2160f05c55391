//! What the operating system says of this program and its machine: CPU time of the nodes' threads, memory, files, disks.
//!
//! The one part of the monitor that reads the machine. Linux has all of it; elsewhere only the disks are known.

use std::collections::BTreeMap;
use std::path::Path;

use broker::types::NodeId;

/// CPU time of one thread since it began, in ticks of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTicks {
    /// The thread: a node that was started again has another.
    pub thread: u64,
    /// In the program's own code.
    pub user: u64,
    /// In the kernel.
    pub system: u64,
}

/// Ticks of all processors since the machine began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineTicks {
    /// Idle while an I/O was under way.
    pub io_wait: u64,
    /// All.
    pub total: u64,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident memory of this program.
    pub program: u64,
    /// Free on the machine.
    pub free: u64,
    /// In the machine's buffers.
    pub buffered: u64,
    /// In the machine's page cache.
    pub cached: u64,
    /// Free swap space.
    pub swap_free: u64,
    /// Swap space in use.
    pub swap_used: u64,
}

/// A file system, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// In use by anybody.
    pub used: u64,
    /// What this program could still write.
    pub available: u64,
}

/// One look at the machine. What is not known is `None`, or absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostReading {
    /// By node.
    pub threads: BTreeMap<NodeId, CpuTicks>,
    /// All processors.
    pub machine: Option<MachineTicks>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Open file descriptors, in percent of the limit.
    pub files_percent: Option<f64>,
    /// Memory maps, in percent of the limit.
    pub maps_percent: Option<f64>,
    /// The file system that the machine was started from.
    pub root: Option<Volume>,
    /// The file system of the data directory.
    pub data: Option<Volume>,
    /// Bytes of each broker's own application log, under `logs/broker-ID` of the data directory; a broker without one has no entry.
    pub app_logs: BTreeMap<NodeId, u64>,
}

/// Looks at the machine once a second.
#[derive(Debug, Default)]
pub struct Host {
    looks: u64,
    maps_percent: Option<f64>,
    app_logs: BTreeMap<NodeId, u64>,
}

/// What is dear to find out and changes slowly is looked at every so many times.
const SELDOM: u64 = 10;

/// Files of application logs that are looked at; more are not counted.
const LOG_FILES_MAX: usize = 10_000;

impl Host {
    /// One look.
    pub fn read(&mut self, data_dir: &Path) -> HostReading {
        if self.looks.is_multiple_of(SELDOM) {
            self.maps_percent = linux::maps_percent();
            self.app_logs = app_logs(&data_dir.join("logs"));
        }
        self.looks += 1;
        HostReading {
            threads: linux::threads(),
            machine: linux::machine(),
            memory: linux::memory(),
            files_percent: linux::files_percent(),
            maps_percent: self.maps_percent,
            root: volume(Path::new("/")),
            data: volume(data_dir),
            app_logs: self.app_logs.clone(),
        }
    }
}

fn volume(path: &Path) -> Option<Volume> {
    let told = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some(Volume { used: bytes(told.f_blocks.saturating_sub(told.f_bfree)), available: bytes(told.f_bavail) })
}

/// `broker-1`, `broker-1.log`, `broker-1.log.3` → 1.
fn broker_of(name: &str) -> Option<NodeId> {
    let digits = name.strip_prefix("broker-")?.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn app_logs(dir: &Path) -> BTreeMap<NodeId, u64> {
    let mut sizes = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return sizes };
    let mut left = LOG_FILES_MAX;
    for entry in entries.flatten() {
        let Some(broker) = entry.file_name().to_str().and_then(broker_of) else { continue };
        let files = std::fs::read_dir(entry.path()).map(|inside| inside.flatten().take(left).collect::<Vec<_>>());
        let files = files.unwrap_or_else(|_| vec![entry]);
        left = left.saturating_sub(files.len());
        let bytes: u64 = files.iter().filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum();
        *sizes.entry(broker).or_default() += bytes;
    }
    sizes
}

/// The node that runs on a thread of this name.
fn node_of(thread: &str) -> Option<NodeId> {
    thread.strip_prefix("broker-").or_else(|| thread.strip_prefix("controller-"))?.parse().ok()
}

/// Name, user and system ticks of a `stat` file.
fn ticks_of(stat: &str) -> Option<(&str, u64, u64)> {
    // The name in brackets may hold blanks; after it, utime and stime are the 12th and 13th fields.
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1;
    let mut fields = after.split_whitespace().skip(11);
    Some((name, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// `MemFree:  123 kB` → 125,952.
fn kib_of(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, …; the last two stand in others.
fn machine_of(stat: &str) -> Option<MachineTicks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|ticks| ticks.parse().ok()).collect();
    Some(MachineTicks { io_wait: *ticks.get(4)?, total: ticks.iter().sum() })
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use std::fs::{read_dir, read_to_string};

    pub(super) fn threads() -> BTreeMap<NodeId, CpuTicks> {
        let mut threads = BTreeMap::<NodeId, CpuTicks>::new();
        let Ok(tasks) = read_dir("/proc/self/task") else { return threads };
        for task in tasks.flatten() {
            // A thread may end meanwhile.
            let Ok(stat) = read_to_string(task.path().join("stat")) else { continue };
            let Some((name, user, system)) = ticks_of(&stat) else { continue };
            let Some(node) = node_of(name) else { continue };
            let thread = task.file_name().to_str().and_then(|id| id.parse().ok()).unwrap_or(0);
            let seen = CpuTicks { thread, user, system };
            // A node that was killed may still be ending while its next thread runs.
            let newest = threads.get(&node).is_none_or(|other| other.thread < thread);
            if newest {
                threads.insert(node, seen);
            }
        }
        threads
    }

    pub(super) fn machine() -> Option<MachineTicks> {
        machine_of(&read_to_string("/proc/stat").ok()?)
    }

    pub(super) fn memory() -> Option<Memory> {
        let machine = read_to_string("/proc/meminfo").ok()?;
        let program = read_to_string("/proc/self/status").ok()?;
        let swap_free = kib_of(&machine, "SwapFree")?;
        Some(Memory {
            program: kib_of(&program, "VmRSS")?,
            free: kib_of(&machine, "MemFree")?,
            buffered: kib_of(&machine, "Buffers")?,
            cached: kib_of(&machine, "Cached")?,
            swap_free,
            swap_used: kib_of(&machine, "SwapTotal")?.saturating_sub(swap_free),
        })
    }

    pub(super) fn files_percent() -> Option<f64> {
        let open = read_dir("/proc/self/fd").ok()?.count() as f64;
        let limits = read_to_string("/proc/self/limits").ok()?;
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        let limit: f64 = limit.split_whitespace().next()?.parse().ok()?;
        (limit > 0.0).then(|| 100.0 * open / limit)
    }

    pub(super) fn maps_percent() -> Option<f64> {
        let maps = read_to_string("/proc/self/maps").ok()?.lines().count() as f64;
        let limit: f64 = read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()?;
        (limit > 0.0).then(|| 100.0 * maps / limit)
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use super::*;

    pub(super) fn threads() -> BTreeMap<NodeId, CpuTicks> {
        BTreeMap::new()
    }

    pub(super) fn machine() -> Option<MachineTicks> {
        None
    }

    pub(super) fn memory() -> Option<Memory> {
        None
    }

    pub(super) fn files_percent() -> Option<f64> {
        None
    }

    pub(super) fn maps_percent() -> Option<f64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let stat = "42 (controller-3000) S 1 1 1 0 -1 4194368 9 0 0 0 170 33 0 0 20 0 9 0 1 2 3";
        assert_eq!(ticks_of(stat), Some(("controller-3000", 170, 33)));
        assert_eq!(ticks_of("42 (a) (b) c) S 1 1 1 0 -1 4194368 9 0 0 0 1 2"), Some(("a) (b) c", 1, 2)));
        assert_eq!(ticks_of("42 (x) S 1"), None);
        assert_eq!(node_of("controller-3000"), Some(3000));
        assert_eq!(node_of("broker-12"), Some(12));
        assert_eq!(node_of("broker-x"), None);
        assert_eq!(kib_of("MemTotal: 5 kB\nMemFree:    123 kB\n", "MemFree"), Some(125_952));
        assert_eq!(kib_of("MemFreeX: 1 kB\n", "MemFree"), None);
        let machine = "cpu  10 0 20 60 10 0 0 0 5 5\ncpu0 1 2\n";
        assert_eq!(machine_of(machine), Some(MachineTicks { io_wait: 10, total: 100 }));
    }

    #[test]
    fn logs_belong_to_brokers() {
        for (name, broker) in [
            ("broker-1", Some(1)),
            ("broker-1.log", Some(1)),
            ("broker-12.log.3", Some(12)),
            ("broker-", None),
            ("x", None),
        ] {
            assert_eq!(broker_of(name), broker, "{name}");
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("broker-1.log"), [0; 10]).unwrap();
        std::fs::create_dir(dir.path().join("broker-2")).unwrap();
        std::fs::write(dir.path().join("broker-2/server.log"), [0; 7]).unwrap();
        std::fs::write(dir.path().join("broker-2/server.log.1"), [0; 5]).unwrap();
        assert_eq!(app_logs(dir.path()), [(1, 10), (2, 12)].into());
        assert!(app_logs(&dir.path().join("none")).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_can_be_read() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (started, is_started) = std::sync::mpsc::channel();
        let node = std::thread::Builder::new().name("broker-77".into()).spawn(move || {
            started.send(()).unwrap();
            let _ = stopped.recv();
        });
        is_started.recv().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let reading = Host::default().read(dir.path());
        drop(stop);
        node.unwrap().join().unwrap();
        assert!(reading.threads.contains_key(&77));
        assert!(reading.machine.unwrap().total > 0 && reading.memory.unwrap().program > 0);
        assert!(reading.files_percent.unwrap() > 0.0 && reading.maps_percent.unwrap() > 0.0);
        assert!(reading.data.unwrap().available > 0 && reading.root.is_some());
    }
}
