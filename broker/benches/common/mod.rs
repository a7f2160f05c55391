//! What the benchmarks share: a cluster, a client that speaks frames, the machine's limits, and tables.
//!
//! Each figure is a ratio to what this machine can do at all, measured in the same run: rounds alternate between the limit and us, and the
//! medians are compared.

#![allow(dead_code, reason = "no benchmark uses all of it")]

pub mod client;
pub mod limit;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use broker::cluster::{Cluster, ClusterConfig, Profile};
use broker::records::{BatchBuilder, Compression};
use bytes::Bytes;

/// The longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// `--quick`: as little as shows that it works.
pub fn is_quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Rounds of each measurement.
pub fn rounds() -> usize {
    if is_quick() { 1 } else { 5 }
}

/// Three brokers with Kafka's own timings, so that nothing is fenced while the machine is busy.
pub fn start(dir: &Path, profile: Profile) -> Cluster {
    let config = ClusterConfig {
        brokers: 3,
        controllers: 3,
        zones: 3,
        log_dirs: 1,
        data_dir: dir.to_path_buf(),
        kafka_port: 0,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        profile,
        overrides: BTreeMap::new(),
    };
    let (sender, reports) = crossbeam_channel::bounded(1024);
    std::thread::spawn(move || reports.iter().for_each(drop));
    let cluster = Cluster::start(config, sender, crossbeam_channel::bounded(1).0).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    cluster
}

/// An uncompressed batch of about `batch_bytes` bytes, never more, of records with values of `record_bytes` bytes.
pub fn batch(batch_bytes: usize, record_bytes: usize) -> Bytes {
    let value = vec![b'x'; record_bytes];
    let mut builder = BatchBuilder::new(0, Compression::None);
    let wall_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    // What a record has beside its value.
    while builder.size_bytes() + record_bytes + 20 <= batch_bytes {
        builder.push(wall_ms, None, Some(&value), &[]);
    }
    builder.build()
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Bytes per second as MB/s.
pub fn mb_per_s(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

/// Resident memory of this process, bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}
