//! What the operating system says of this process. Linux only: elsewhere these families are left out.

use super::families::Families;

/// Adds `process_*`, as Prometheus' own client libraries name them.
#[cfg(target_os = "linux")]
pub fn add(families: &mut Families) {
    if let Some(status) = read("status") {
        let kib = |field: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(field))?;
            value.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().ok()
        };
        add_gauge(
            families,
            "process_resident_memory_bytes",
            "Resident memory of the whole program.",
            kib("VmRSS:").map(|kib| kib * 1024.0),
        );
        add_gauge(
            families,
            "process_virtual_memory_bytes",
            "Virtual memory of the whole program.",
            kib("VmSize:").map(|kib| kib * 1024.0),
        );
        add_gauge(families, "process_threads", "Threads of the whole program.", kib("Threads:"));
    }
    let fds = std::fs::read_dir("/proc/self/fd").map(|entries| entries.count() as f64);
    add_gauge(families, "process_open_fds", "Open file descriptors of the whole program.", fds.ok());
    if let Some(seconds) = cpu_seconds() {
        families
            .counter("process_cpu_seconds_total", "User and system CPU time of the whole program.")
            .add(&[], seconds);
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
fn add_gauge(families: &mut Families, name: &str, help: &str, value: Option<f64>) {
    if let Some(value) = value {
        families.gauge(name, help).add(&[], value);
    }
}

/// `schedstat` would count one thread only; `stat` counts in ticks of 10 ms, whatever the kernel's own ticks are (USER_HZ).
#[cfg(target_os = "linux")]
fn cpu_seconds() -> Option<f64> {
    const TICKS_PER_S: f64 = 100.0;
    let stat = read("stat")?;
    // The name in brackets may hold blanks; after it, utime and stime are the 12th and 13th fields.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}
