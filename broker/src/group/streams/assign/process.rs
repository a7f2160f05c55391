//! An instance of the application while tasks are given out: its threads, and what each has.
//!
//! Source: `ProcessState`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Task;

/// Tasks per thread.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    tasks: usize,
    threads: usize,
}

impl Ord for Load {
    fn cmp(&self, other: &Load) -> Ordering {
        (self.tasks * other.threads).cmp(&(other.tasks * self.threads))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Load) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Load {
    fn eq(&self, other: &Load) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Load {}

/// What a thread has.
#[derive(Debug, Default)]
pub struct Thread {
    /// Active tasks.
    pub active: BTreeSet<Task>,
    /// Standby tasks.
    pub standby: BTreeSet<Task>,
}

impl Thread {
    fn tasks(&self) -> usize {
        self.active.len() + self.standby.len()
    }
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct Process {
    /// Its threads.
    pub members: BTreeMap<Arc<str>, Thread>,
    tasks: BTreeSet<Task>,
    by_tasks: BTreeSet<(usize, Arc<str>)>,
    count: usize,
}

impl Process {
    /// It has a thread more.
    pub fn add_member(&mut self, id: &Arc<str>) {
        self.members.insert(id.clone(), Thread::default());
        self.by_tasks.insert((0, id.clone()));
    }

    /// Its load.
    pub fn load(&self) -> Load {
        Load { tasks: self.count, threads: self.members.len() }
    }

    /// How many tasks a thread has.
    pub fn tasks_of(&self, member: &str) -> usize {
        self.members.get(member).map_or(0, Thread::tasks)
    }

    /// Whether any of its threads has a task.
    pub fn has(&self, task: &Task) -> bool {
        self.tasks.contains(task)
    }

    /// Gives a task to a thread, or to the one that has least. Returns how many that has then.
    pub fn give(&mut self, member: Option<&Arc<str>>, task: Task, is_active: bool) -> usize {
        let id = member.cloned().or_else(|| self.by_tasks.first().map(|(_, id)| id.clone()));
        let Some((id, thread)) = id.and_then(|id| Some((id.clone(), self.members.get_mut(&id)?))) else { return 0 };
        self.by_tasks.remove(&(thread.tasks(), id.clone()));
        let of = if is_active { &mut thread.active } else { &mut thread.standby };
        of.insert(task.clone());
        self.tasks.insert(task);
        self.count += 1;
        let has = thread.tasks();
        self.by_tasks.insert((has, id));
        has
    }
}
