//! Asks the leaders again and again for the end of each partition, as any client can (ListOffsets), and expects that it never falls
//! (unless somebody may answer who does not know yet that it leads no more).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::producer::impatient;
use super::recorder::Recorder;
use crate::campaign::{Anomaly, Kind};
use crate::clients;

/// An answer that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// A running gauge.
pub(super) struct Gauge {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<Result<u64, String>>,
}

impl Gauge {
    pub(super) fn start(bootstrap_servers: &str, topic: &str, partitions: u32, recorder: Arc<Recorder>) -> Gauge {
        let stop = Arc::new(AtomicBool::new(false));
        let (servers, topic, stopped) = (bootstrap_servers.to_owned(), topic.to_owned(), stop.clone());
        let handle = std::thread::spawn(move || watch(&servers, &topic, partitions, &recorder, &stopped));
        Gauge { stop, handle }
    }

    /// How many answers there were.
    pub(super) fn join(self) -> Result<u64, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.handle.join().unwrap_or_else(|_| Err("the gauge's thread panicked".into()))
    }
}

/// A client that asks for ends: high watermarks, or with `committed` last stable offsets.
pub(super) fn client(bootstrap_servers: &str, committed: bool) -> Result<BaseConsumer, String> {
    let mut config = clients::config(bootstrap_servers);
    config.set("isolation.level", if committed { "read_committed" } else { "read_uncommitted" });
    for (key, value) in impatient() {
        config.set(key, value);
    }
    config.create().map_err(|error| format!("no client: {error}"))
}

fn watch(servers: &str, topic: &str, partitions: u32, recorder: &Recorder, stop: &AtomicBool) -> Result<u64, String> {
    let client = client(servers, false)?;
    let mut ends = vec![0; partitions as usize];
    let mut answers = 0;
    while !stop.load(Ordering::Relaxed) {
        for (partition, last) in ends.iter_mut().enumerate() {
            // Without a leader there is no answer.
            let Ok((_, end)) = client.fetch_watermarks(topic, partition as i32, PATIENCE) else { continue };
            answers += 1;
            if end < *last && recorder.ends_stand() {
                let what = format!("partition {partition} ended at {last}, and then at {end}");
                recorder.anomaly(Anomaly::new(Kind::HighWatermarkFell, what));
            }
            *last = end;
        }
        std::thread::park_timeout(PAUSE);
    }
    Ok(answers)
}
