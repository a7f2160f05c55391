//! Heals everything, waits until the cluster is whole, and ends a round: all is acknowledged, level, read, and the same on every replica.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::consumer::{ConsumerThread, Habit};
use super::producer::ProducerThread;
use super::stage::{BROKERS, CONTROLLERS, PATIENCE, Stage};
use super::transactor::TransactorThread;
use super::view::View;
use super::{files, gauge, open_transactions};
use crate::campaign::{Anomaly, Kind};

/// Producers give the last of their records up by then.
const ANSWERED_MAX: Duration = Duration::from_secs(130);
/// Transactions that each transactional producer has behind it at the end of a round.
const TRANSACTIONS_MIN: u64 = 15;
/// A leader answers within this.
const ANSWER: Duration = Duration::from_secs(5);

impl Stage<'_> {
    fn is_whole(&self, view: &View) -> bool {
        let partitions = view.partitions(&self.topic);
        BROKERS.iter().all(|id| self.is_back(view, *id))
            && CONTROLLERS.iter().all(|id| view.state(*id) == "running")
            && view.quorum.leader_id > 0
            && partitions.len() == self.plan.partitions as usize
            && partitions.iter().all(|partition| partition.leader > 0 && partition.isr.len() == BROKERS.len())
    }

    /// Everybody takes part, every partition has a leader and a full ISR.
    pub(super) fn await_whole(&self) -> Result<(), Anomaly> {
        if self.until(PATIENCE, |view| self.is_whole(view))? {
            return Ok(());
        }
        let what = format!("waited {PATIENCE:?} for a whole cluster\n    {}", self.describe());
        Err(Anomaly::new(Kind::Liveness, what))
    }

    /// All faults end, and the cluster must become whole.
    pub(super) fn settle(&mut self) -> Result<(), Anomaly> {
        self.say("heal all");
        let start = Instant::now();
        // A node may be in the middle of a stop, or about to fail by itself.
        while let Err(error) = self.house.order("DELETE", "/api/faults", None) {
            if start.elapsed() > PATIENCE {
                return Err(Anomaly::new(Kind::NodeFailed, error));
            }
            self.say(format!("not yet: {error}"));
            self.house.next_view()?;
        }
        self.await_whole()?;
        self.say("whole");
        self.recorder.end_licences();
        Ok(())
    }

    fn client_for_ends(&self, committed: bool) -> Result<BaseConsumer, Anomaly> {
        gauge::client(self.house.bootstrap_servers(), committed).map_err(|what| Anomaly::new(Kind::Liveness, what))
    }

    /// What the leaders of all partitions answer.
    fn ends(&self, client: &BaseConsumer) -> Option<Vec<i64>> {
        let end = |partition| client.fetch_watermarks(&self.topic, partition as i32, ANSWER).map(|(_, end)| end);
        self.partitions().map(end).collect::<Result<Vec<i64>, _>>().ok()
    }

    /// Whatever was left open is ended: readers of committed records come to the ends, too.
    fn await_stable(&self) -> Result<(), Anomaly> {
        if !self.until(PATIENCE, |_| !open_transactions::are_there(self.house.bootstrap_servers()))? {
            let what =
                format!("a transaction is still open, and nobody is left who would end it\n    {}", self.describe());
            return Err(Anomaly::new(Kind::HangingTransaction, what));
        }
        let (all, committed) = (self.client_for_ends(false)?, self.client_for_ends(true)?);
        let (mut ends, mut stable) = (None, None);
        let done = |_: &View| {
            // In this order: a marker that comes between the two only raises the second.
            (ends, stable) = (self.ends(&all), self.ends(&committed));
            ends.is_some() && ends == stable
        };
        if self.until(PATIENCE, done)? {
            return Ok(());
        }
        let what = format!("the last stable offsets are {stable:?} and the ends {ends:?}\n    {}", self.describe());
        Err(Anomaly::new(Kind::HangingTransaction, what))
    }

    /// Ends of all partitions as their leaders tell them, once nothing is under way any more: all replicas end there.
    fn level(&self) -> Result<Vec<i64>, Anomaly> {
        let client = self.client_for_ends(false)?;
        let mut ends = Vec::new();
        let level = |view: &View| {
            let Some(told) = self.ends(&client) else { return false };
            let same = self.is_whole(view)
                && view.partitions(&self.topic).iter().zip(&told).all(|(partition, end)| {
                    partition.high_watermark == *end
                        && partition.log_end_offsets.len() == BROKERS.len()
                        && partition.log_end_offsets.values().all(|other| other == end)
                });
            ends = told;
            same
        };
        if self.until(PATIENCE, level)? {
            return Ok(ends);
        }
        let what = format!("replicas did not become level at {ends:?}\n    {}", self.describe());
        Err(Anomaly::new(Kind::ReplicasDiffer, what))
    }

    /// Whoever follows, under this isolation level, has come to the end.
    fn await_consumers(&self, ends: &[i64], committed: bool) -> Result<(), Anomaly> {
        let follows = |consumer: &&ConsumerThread| follows(consumer) && consumer.reader.committed == committed;
        let position =
            |consumer: &ConsumerThread, partition| self.recorder.position(consumer.reader.process, partition);
        let behind =
            |consumer: &ConsumerThread| (0..).zip(ends).find(|(partition, end)| position(consumer, *partition) < **end);
        if self.until(PATIENCE, |_| self.consumers.iter().filter(follows).all(|consumer| behind(consumer).is_none()))? {
            return Ok(());
        }
        let stuck = self.consumers.iter().filter(follows).find_map(|consumer| {
            let (partition, end) = behind(consumer)?;
            let position = position(consumer, partition);
            let reader = consumer.reader;
            Some(format!("consumer {reader:?} stands at {position} of partition {partition}, whose end is {end}"))
        });
        Err(Anomaly::new(Kind::Liveness, stuck.unwrap_or_default()))
    }

    fn await_clients(&self, patience: Duration, what: &str, done: impl Fn(&Stage<'_>) -> bool) -> Result<(), Anomaly> {
        match self.until(patience, |_| done(self))? {
            true => Ok(()),
            false => Err(Anomaly::new(Kind::Liveness, format!("{what}\n    {}", self.describe()))),
        }
    }

    /// Files follow what their brokers say at once; whatever else differs is given time to be mended, since it is the end that counts.
    fn compare_files(&self, ends: &[i64]) -> Result<(), Anomaly> {
        let mut wrong = String::new();
        let same = |_: &View| {
            let all = (0..).zip(ends).try_for_each(|(partition, end)| {
                files::check(self.house.data_dir(), &BROKERS, &self.topic, partition, *end)
            });
            wrong = all.clone().err().unwrap_or_default();
            all.is_ok()
        };
        match self.until(Duration::from_secs(10), same)? {
            true => Ok(()),
            false => Err(Anomaly::new(Kind::ReplicasDiffer, wrong)),
        }
    }
}

/// After the faults: writes go on, producers end, replicas become level, everything is read from the beginning, and compared on disk.
pub(super) fn wind_up(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    if stage.plan.producers.iter().any(|producer| producer.acks != 0) {
        let since = stage.recorder.now();
        let unmeasured = stage.resumed(since)?;
        stage.say(format!("the healed cluster takes writes after {} ms", unmeasured.as_millis()));
    }
    let busy = |stage: &Stage<'_>| stage.transactors.iter().all(|transactor| transactor.ended() >= TRANSACTIONS_MIN);
    stage.await_clients(ANSWERED_MAX, "transactions do not get on in a cluster that is whole", busy)?;
    stage.producers.iter().for_each(ProducerThread::stop);
    stage.transactors.iter().for_each(TransactorThread::stop);
    let answered = |stage: &Stage<'_>| {
        stage.producers.iter().all(ProducerThread::is_finished)
            && stage.transactors.iter().all(TransactorThread::is_finished)
    };
    stage.await_clients(ANSWERED_MAX, "producers were not answered in a cluster that is whole", answered)?;
    if stage.has_transactions() {
        stage.await_stable()?;
    }
    let ends = stage.level()?;
    for (partition, end) in (0..).zip(&ends) {
        // Where nothing may be lost, nothing that was said to be committed may be beyond the end.
        let committed = stage.recorder.committed(partition);
        if committed > *end && !stage.recorder.lossy() {
            let what = format!("partition {partition} was committed up to {committed}, and ends at {end}");
            return Err(Anomaly::new(Kind::HighWatermarkFell, what));
        }
    }
    for committed in stage.isolations() {
        stage.consume(Habit::Drain, *committed);
        let drained = |stage: &Stage<'_>| stage.consumers.last().is_none_or(ConsumerThread::is_finished);
        stage.await_clients(PATIENCE, "the final read did not come to an end", drained)?;
        let Some(drain) = stage.consumers.last().map(|consumer| consumer.reader.process) else { continue };
        // Behind the last record there may be markers, which nobody is given.
        let read = |(partition, end): (u32, &i64)| match stage.has_transactions() {
            true => stage.recorder.position(drain, partition),
            false => *end,
        };
        let ends: Vec<i64> = (0..).zip(&ends).map(read).collect();
        stage.await_consumers(&ends, *committed)?;
        missed(stage, drain, *committed)?;
    }
    stage.compare_files(&ends)?;
    stage.say(format!("ends {ends:?}"));
    Ok(())
}

fn follows(consumer: &ConsumerThread) -> bool {
    matches!(consumer.reader.habit, Habit::Tail | Habit::Group)
}

/// Consumers that followed all along, in a group too, have seen all that is there. (Rebalances may hide a gap from the checker.)
fn missed(stage: &Stage<'_>, drain: u32, committed: bool) -> Result<(), Anomaly> {
    if stage.recorder.lossy() {
        return Ok(());
    }
    let there = stage.recorder.values_read(drain);
    for reader in stage.consumers.iter().filter(|consumer| follows(consumer)).map(|consumer| consumer.reader) {
        let seen: HashSet<_> = stage.recorder.values_read(reader.process);
        let missed = there.difference(&seen).count();
        if reader.committed == committed && missed > 0 {
            let what = format!("consumer {reader:?} came to the end and missed {missed}");
            return Err(Anomaly::new(Kind::PollSkip, what));
        }
    }
    Ok(())
}
