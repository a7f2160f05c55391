//! What a process costs, from /proc.

use std::time::Duration;

/// Clock ticks per second, as Linux shows them to programs on every architecture that we run on.
const TICKS_PER_S: f64 = 100.0;

/// CPU time of these processes with all their threads so far.
pub fn cpu(pids: &[u32]) -> Duration {
    let ticks: u64 = pids.iter().filter_map(|pid| ticks(*pid)).sum();
    Duration::from_secs_f64(ticks as f64 / TICKS_PER_S)
}

fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; utime and stime are the 12th and 13th fields after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Resident memory of these processes.
pub fn rss_bytes(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|pid| rss(*pid)).sum()
}

fn rss(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let me = [std::process::id()];
        let before = cpu(&me);
        assert!(rss_bytes(&me) > 1 << 20);
        let mut spun = 0_u64;
        while cpu(&me) == before {
            spun = std::hint::black_box(spun + 1);
        }
        assert!(cpu(&me) > before);
    }
}
