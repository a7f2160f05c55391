//! What the operating system says of this process, as Prometheus' own client libraries name it and as a JVM would. Linux only: elsewhere these
//! families are left out.
//!
//! All nodes run in one process: what stands here is the whole program's, at whichever node's endpoint.

use super::families::Families;

/// Adds `process_*` and `jvm_*`.
#[cfg(target_os = "linux")]
pub fn add(families: &mut Families) {
    let status = read("status").unwrap_or_default();
    let number = |field: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(field))?;
        value.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().ok()
    };
    let (resident_kib, threads) = (number("VmRSS:"), number("Threads:"));
    let bytes = |kib: Option<f64>| kib.map(|kib| kib * 1024.0);
    let gauges = [
        ("process_resident_memory_bytes", "Resident memory of the whole program.", bytes(resident_kib)),
        ("process_virtual_memory_bytes", "Virtual memory of the whole program.", bytes(number("VmSize:"))),
        ("process_threads", "Threads of the whole program.", threads),
        ("process_open_fds", "Open file descriptors of the whole program.", open_fds()),
        ("jvm_threads_current", "In place of a JVM's: threads of the whole program.", threads),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            families.gauge(name, help).add(&[], value);
        }
    }
    if let Some(bytes) = bytes(resident_kib) {
        let help = "In place of a JVM's heap: resident memory of the whole program.";
        families.gauge("jvm_memory_used_bytes", help).add(&[("area", "heap")], bytes);
    }
    for name in ["jvm_gc_collection_seconds_count", "jvm_gc_collection_seconds_sum"] {
        let help = "In place of a JVM's: 0, for nothing here collects garbage.";
        families.counter(name, help).add(&[("gc", "none")], 0.0);
    }
    if let Some(seconds) = cpu_seconds() {
        let help = "User and system CPU time of the whole program.";
        families.counter("process_cpu_seconds_total", help).add(&[], seconds);
    }
}

/// Nothing is known here.
#[cfg(not(target_os = "linux"))]
pub fn add(_families: &mut Families) {}

#[cfg(target_os = "linux")]
fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/{file}")).ok()
}

#[cfg(target_os = "linux")]
fn open_fds() -> Option<f64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

#[cfg(target_os = "linux")]
fn cpu_seconds() -> Option<f64> {
    let (_, seconds) = super::threads::cpu_of(&read("stat")?)?;
    Some(seconds)
}
