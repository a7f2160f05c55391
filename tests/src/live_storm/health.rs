//! Whether a cluster is healthy, as its HTTP API tells it, and how its process and its window do.

use std::time::Instant;

use serde_json::{Value, json};

use crate::serve::Serve;

/// Kibibytes of memory: resident, and of that not of files.
pub fn memory_kib(pid: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((field("VmRSS:")?, field("RssAnon:")?))
}

/// Why the cluster is not healthy: a fault is in force, a node is down, a partition has no leader or lacks a replica, the quorum is not whole.
///
/// # Errors
/// That, in a few words.
pub fn healthy(serve: &Serve) -> Result<(), String> {
    let (_, faults) = serve.request("GET", "/api/faults", None)?;
    if faults != json!([]) {
        return Err(format!("faults in force: {faults}"));
    }
    let (_, cluster) = serve.request("GET", "/api/cluster", None)?;
    let of = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (brokers, voters) = (of(&cluster["brokers"]), of(&cluster["quorum"]["voters"]));
    if let Some(node) = brokers.iter().chain(&voters).find(|node| node["state"] != "running") {
        return Err(format!("node {} is {}", node["id"], node["state"]));
    }
    if let Some(broker) = brokers.iter().find(|broker| broker["fenced"] != false) {
        return Err(format!("broker {} is fenced", broker["id"]));
    }
    if cluster["quorum"]["leader_id"].as_i64().unwrap_or(-1) < 0 {
        return Err("no active controller".into());
    }
    let committed = cluster["quorum"]["high_watermark"].as_i64().unwrap_or_default();
    let is_behind = |voter: &&Value| voter["log_end_offset"].as_i64() < Some(committed);
    if let Some(voter) = voters.iter().find(is_behind) {
        return Err(format!("controller {} is at {}, {committed} is committed", voter["id"], voter["log_end_offset"]));
    }
    for topic in of(&cluster["topics"]) {
        for partition in of(&topic["partitions"]) {
            let size = |field: &str| partition[field].as_array().map_or(0, Vec::len);
            if size("isr") < size("replicas") || partition["leader"].as_i64().unwrap_or(-1) < 0 {
                let (name, id) = (topic["name"].as_str().unwrap_or_default(), &partition["id"]);
                return Err(format!("{name}-{id}: leader {}, ISR {}", partition["leader"], partition["isr"]));
            }
        }
    }
    Ok(())
}

/// Frames that the window has painted; `None`: there is no window, or no answer.
pub fn frames(serve: &Serve) -> Option<u64> {
    let text = serve.try_text("/metrics").ok()?;
    let line = text.lines().find(|line| line.starts_with("brokerscope_window_frames_total "))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|frames| frames as u64)
}

/// Watches that the window goes on painting.
#[derive(Debug)]
pub struct WindowWatch {
    frames: u64,
    at: Instant,
    /// The longest time without a new frame, in seconds.
    pub longest_gap_s: f64,
}

impl WindowWatch {
    /// From now on.
    pub fn new() -> WindowWatch {
        WindowWatch { frames: 0, at: Instant::now(), longest_gap_s: 0.0 }
    }

    /// So many frames it has painted by now.
    pub fn note(&mut self, frames: u64) {
        let gap_s = self.at.elapsed().as_secs_f64();
        self.longest_gap_s = self.longest_gap_s.max(gap_s);
        if frames > self.frames {
            (self.frames, self.at) = (frames, Instant::now());
        }
    }

    /// So many in all.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}

impl Default for WindowWatch {
    fn default() -> WindowWatch {
        WindowWatch::new()
    }
}
