//! The desk's part that breaks and heals.

use broker::fault::Rot;
use broker::metadata::report::{NodeState, Why};
use broker::types::NodeId;

use super::desk::{Worker, not_done, now_ms};
use super::faults::{self, Healing};
use super::plan::{self, Deed, Plan, TailWish};
use crate::monitor::command::{FaultRequest, WorkloadChange};
use crate::monitor::names::{count, node};
use crate::monitor::order::{Answer, Done, Refusal, RefusalKind};

/// Faults in force at a time.
const FAULTS_MAX: usize = 1_000;

impl Worker {
    pub(super) fn inject(&mut self, wanted: &FaultRequest) -> Answer {
        if self.faults.list().len() >= FAULTS_MAX {
            return Err(Refusal::conflict(format!("{FAULTS_MAX} faults are in force; heal some first.")));
        }
        let plan = plan::plan(wanted, &*self.tools.nodes)?;
        let why = Why { words: faults::cause(wanted), fault: Some(self.faults.next_id()) };
        let mut request = wanted.clone();
        let mut what = plan::what(&request, &plan);
        let (node_ids, healing) = match plan {
            Plan::Nodes(ids, deed) => {
                let (ids, more) = self.put_down(ids, &deed, &why)?;
                what.push_str(&more);
                (ids, Healing::Start)
            }
            Plan::Links(ids, directions, effect) => {
                (ids, Healing::Links(self.tools.nodes.break_links(directions, effect)))
            }
            Plan::Disk(id, fault) => (vec![id], Healing::Disk(self.tools.nodes.break_disk(id, fault)?)),
            Plan::Clock(id, skew_ms) => {
                self.end_skew_of(id);
                self.tools.nodes.skew_clock(id, skew_ms)?;
                (vec![id], Healing::Clock)
            }
            Plan::Rot(id, wish, seed) => {
                let rot = self.rot(id, &wish, seed)?;
                what.push_str(&told_rot(&rot));
                (vec![id], Healing::Bit(rot))
            }
            Plan::SlowConsumers(workload, per_record_us) => {
                (Vec::new(), Healing::Pace(workload, self.slow_consumers(workload, per_record_us)?))
            }
            Plan::CrashConsumer(workload, consumer) => {
                let crashed = self.tools.workloads.crash(workload, consumer);
                let consumer = crashed.map_err(|why| not_done(workload, why))?;
                self.tell_workloads();
                // Which of them it was, if nobody said.
                request.consumer = Some(consumer);
                what = format!("consumer {consumer} of workload {workload} has crashed");
                (Vec::new(), Healing::Revive(workload, consumer))
            }
            Plan::ZombieProducer(workload, producer) => {
                let frozen = self.tools.workloads.freeze(workload, producer);
                let producer = frozen.map_err(|why| not_done(workload, why))?;
                self.tell_workloads();
                what = format!("producer {producer} of workload {workload} is frozen, and another takes its place");
                (Vec::new(), Healing::Wake(workload, producer))
            }
        };
        let text = sentence(&what);
        let fault = self.faults.add(&request, &node_ids, what, healing, now_ms());
        self.tell_faults();
        Ok(Done { id: Some(fault), text })
    }

    /// Puts nodes into another state. Of several (a zone) those that are down already stay as they are. Who was hit, and what is to be added
    /// to what is said.
    fn put_down(&mut self, ids: Vec<NodeId>, deed: &Deed, why: &Why) -> Result<(Vec<NodeId>, String), Refusal> {
        let several = ids.len() > 1;
        let mut hit = Vec::new();
        for id in ids {
            let state = self.state_of(id)?;
            match faults::check_state(deed, id, state) {
                Ok(()) => hit.push(id),
                Err(refusal) if !several => return Err(refusal),
                Err(_) => {}
            }
        }
        if hit.is_empty() {
            return Err(Refusal::conflict("All its brokers are down already."));
        }
        let mut more = String::new();
        for id in &hit {
            let nodes = self.tools.nodes.clone();
            match deed {
                Deed::Stop if self.stopping.contains(id) => return Err(faults::still_stopping(*id)),
                Deed::Pause if self.stopping.contains(id) => return Err(faults::still_stopping(*id)),
                Deed::Stop => self.stop_aside(*id, why.clone())?,
                Deed::Kill => nodes.kill(*id, why)?,
                Deed::PowerLoss(seed) => nodes.power_loss(*id, seed.unwrap_or_else(rand::random), why)?,
                Deed::Pause => nodes.pause(*id, why)?,
                Deed::CorruptTail(wish) => more = self.corrupt_tails(*id, wish, why)?,
            }
        }
        Ok((hit, more))
    }

    fn corrupt_tails(&self, id: NodeId, wish: &TailWish, why: &Why) -> Result<String, Refusal> {
        if !matches!(self.state_of(id)?, NodeState::Stopped | NodeState::Killed) {
            self.tools.nodes.kill(id, why)?;
        }
        let chosen = |log: &str| wish.means(log);
        let tails = self.tools.nodes.corrupt_tails(id, wish.log_dir.as_deref(), wish.damage, &chosen)?;
        Ok(format!(" ({})", count(tails as i64, "log", "logs")))
    }

    fn rot(&self, id: NodeId, wish: &TailWish, seed: Option<u64>) -> Result<Rot, Refusal> {
        let chosen = |log: &str| wish.means(log);
        let seed = seed.unwrap_or_else(rand::random);
        let rot = self.tools.nodes.rot(id, wish.log_dir.as_deref(), seed, &chosen)?;
        rot.ok_or_else(|| Refusal::conflict(format!("{} holds no record of that in its files.", node(id))))
    }

    /// How long they took before.
    fn slow_consumers(&mut self, workload: u64, per_record_us: u64) -> Result<u64, Refusal> {
        let statuses = self.tools.workloads.statuses();
        let before = statuses.iter().find(|one| one.id == workload).map(|one| one.spec.processing_us);
        let before = before.ok_or_else(|| not_done(workload, None))?;
        self.pace_consumers(workload, per_record_us)?;
        Ok(before)
    }

    fn pace_consumers(&mut self, workload: u64, per_record_us: u64) -> Result<(), Refusal> {
        let change = WorkloadChange::of("processing_us", per_record_us);
        self.tools.workloads.change(workload, &change).map_err(|why| not_done(workload, why))?;
        self.tell_workloads();
        Ok(())
    }

    fn state_of(&self, id: NodeId) -> Result<NodeState, Refusal> {
        self.tools.nodes.node_state(id).ok_or_else(|| Refusal::not_found(format!("There is no node {id}.")))
    }

    /// A clock is wrong by one fault at a time.
    fn end_skew_of(&mut self, id: NodeId) {
        let skews = self.faults.list().into_iter().filter(|fault| fault.node_ids.contains(&id));
        for fault in skews.map(|fault| fault.id).collect::<Vec<_>>() {
            if self.faults.get(fault).is_ok_and(|(_, healing)| healing == Healing::Clock) {
                self.faults.remove(fault);
            }
        }
    }

    pub(super) fn heal(&mut self, fault: u64) -> Answer {
        let text = match self.faults.get(fault)? {
            (active, Healing::Start) => match active.node_ids.as_slice() {
                [id] => format!("{} runs again.", node(*id)),
                _ => "Its nodes run again.".into(),
            },
            (active, _) => format!("No longer: {}.", active.what),
        };
        self.end(fault, "its fault was healed")?;
        Ok(Done { id: Some(fault), text })
    }

    fn end(&mut self, fault: u64, cause: &str) -> Result<(), Refusal> {
        let (active, healing) = self.faults.get(fault)?;
        let node_ids = active.node_ids.clone();
        match healing {
            Healing::Start => return node_ids.into_iter().try_for_each(|id| self.start_again(id, cause)),
            Healing::Links(links) => self.tools.nodes.heal_links(links),
            Healing::Disk(disk) => node_ids.into_iter().try_for_each(|id| self.tools.nodes.heal_disk(id, disk))?,
            Healing::Clock => node_ids.into_iter().try_for_each(|id| self.tools.nodes.skew_clock(id, 0))?,
            // A file that is another by now has no bit to be flipped back.
            Healing::Bit(rot) => {
                node_ids.into_iter().try_for_each(|id| self.tools.nodes.mend_rot(id, &rot).map(drop))?;
            }
            // A workload that is gone has no consumers to be healed.
            Healing::Pace(workload, per_record_us) => match self.pace_consumers(workload, per_record_us) {
                Err(refusal) if refusal.kind != RefusalKind::NotFound => return Err(refusal),
                _ => {}
            },
            Healing::Revive(workload, consumer) => {
                // One that was started again by hand is there already.
                let _ = self.tools.workloads.revive(workload, Some(consumer));
                self.tell_workloads();
            }
            // A workload that is gone has no producer to be woken; one that is busy is told again.
            Healing::Wake(workload, producer) => match self.tools.workloads.wake(workload, producer) {
                Err(Some(why)) => return Err(not_done(workload, Some(why))),
                _ => self.tell_workloads(),
            },
        }
        self.faults.remove(fault);
        self.tell_faults();
        Ok(())
    }

    fn start_again(&mut self, id: NodeId, cause: &str) -> Result<(), Refusal> {
        if self.stopping.contains(&id) {
            // It starts as soon as it has stopped.
            self.start_when_stopped.insert(id);
            self.faults.release(id);
            self.tell_faults();
            return Ok(());
        }
        self.start_node(id, cause).map(drop)
    }

    pub(super) fn heal_all(&mut self) -> Answer {
        let mut failures = Vec::new();
        // What is around the nodes first, so that they find a sound disk and sound links.
        for fault in self.faults.list().into_iter().map(|fault| fault.id) {
            if self.faults.get(fault).is_ok_and(|(_, healing)| healing != Healing::Start) {
                failures.extend(self.end(fault, "all faults were healed").err().map(|refusal| refusal.text));
            }
        }
        let mut started = 0;
        for id in self.tools.nodes.node_ids() {
            let down = self.stopping.contains(&id)
                || matches!(
                    self.tools.nodes.node_state(id),
                    Some(NodeState::Stopped | NodeState::Killed | NodeState::Paused)
                );
            match down.then(|| self.start_again(id, "its fault was healed")) {
                None => {}
                Some(Ok(())) => started += 1,
                Some(Err(refusal)) => failures.push(refusal.text),
            }
        }
        if !failures.is_empty() {
            return Err(Refusal::failed(failures.join(" ")));
        }
        Ok(Done { id: None, text: format!("All nodes run; {started} had to be started.") })
    }

    /// A broker is gone for good, and what was wrong with it alone.
    pub(super) fn forget_faults_of(&mut self, id: NodeId) {
        self.faults.release(id);
        for fault in self.faults.list().into_iter().filter(|fault| fault.node_ids == [id]) {
            // Its disk and its clock are gone with it; links are healed.
            let _ = self.end(fault.id, "its broker was removed");
            self.faults.remove(fault.id);
        }
        self.tell_faults();
    }

    pub(super) fn heal_what_is_due(&mut self) {
        for fault in self.faults.due(now_ms()) {
            if let Err(refusal) = self.end(fault, "the fault's time is over") {
                // It will not be tried again: what is down stays down, and who looks is told.
                self.faults.remove(fault);
                self.tell_faults();
                self.notify_failure(refusal);
            }
        }
    }
}

/// Where a bit flipped.
fn told_rot(rot: &Rot) -> String {
    let names: Vec<_> = rot.path.iter().rev().take(2).map(|name| name.to_string_lossy()).collect();
    let name = |index: usize| names.get(index).map(|name| name.as_ref()).unwrap_or_default();
    let (file, log) = (name(0), name(1));
    format!(" (in {log}/{file}, byte {}, in the batch at offset {})", rot.position, rot.base_offset)
}

/// `broker 2 is killed` → `Broker 2 is killed.`
fn sentence(what: &str) -> String {
    let mut chars = what.chars();
    let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
