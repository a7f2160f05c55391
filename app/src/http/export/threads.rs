//! Each node is one thread of this program, named `broker-ID` or `controller-ID`: what the kernel counts of it is the node's own. Linux only:
//! elsewhere there are none.

use std::collections::BTreeMap;

/// `/proc` counts in ticks of 10 ms, whatever the kernel's own ticks are (USER_HZ).
pub(super) const TICKS_PER_S: f64 = 100.0;

/// CPU seconds of the nodes' threads since they began. Of two, the newer: a node that was killed may still be ending while it starts again.
pub fn cpu_seconds() -> BTreeMap<i32, f64> {
    let mut newest = BTreeMap::<i32, (u64, f64)>::new();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return BTreeMap::new() };
    for task in tasks.flatten() {
        // A thread may end meanwhile.
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((name, seconds)) = cpu_of(&stat) else { continue };
        let Some(node) = node_of(name) else { continue };
        let id = task.file_name().to_str().and_then(|id| id.parse().ok()).unwrap_or(0);
        if newest.get(&node).is_none_or(|(other, _)| *other < id) {
            newest.insert(node, (id, seconds));
        }
    }
    newest.into_iter().map(|(node, (_, seconds))| (node, seconds)).collect()
}

fn node_of(thread: &str) -> Option<i32> {
    thread.strip_prefix("broker-").or_else(|| thread.strip_prefix("controller-"))?.parse().ok()
}

/// Name and CPU seconds of a thread or process, from its `stat`.
pub(super) fn cpu_of(stat: &str) -> Option<(&str, f64)> {
    // The name in brackets may hold blanks and brackets; after it, utime and stime are the 12th and 13th fields.
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((name, (user + system) / TICKS_PER_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let stat = "42 (a) (b) c) S 1 1 1 0 -1 4194368 9 0 0 0 170 30 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu_of(stat), Some(("a) (b) c", 2.0)));
        assert_eq!(cpu_of("42 (x) S 1"), None);
        for (name, node) in
            [("broker-12", Some(12)), ("controller-3000", Some(3000)), ("broker-x", None), ("http", None)]
        {
            assert_eq!(node_of(name), node, "{name}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_nodes_thread_is_found() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (started, is_started) = std::sync::mpsc::channel();
        let node = std::thread::Builder::new().name("controller-78".into()).spawn(move || {
            started.send(()).unwrap();
            let _ = stopped.recv();
        });
        is_started.recv().unwrap();
        let threads = cpu_seconds();
        drop(stop);
        node.unwrap().join().unwrap();
        assert!(threads.contains_key(&78), "{threads:?}");
    }
}
