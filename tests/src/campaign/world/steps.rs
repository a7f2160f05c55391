//! How time passes in the world: who is called next, and what is carried from one to another. Knows no row and no client's purpose.

use super::*;

/// Calls in a row without time passing: a livelock, found instead of suffered.
const CALLS_WITHOUT_TIME_MAX: u32 = 100_000;

impl World {
    /// Lets so much time pass.
    pub(in crate::campaign) fn run_for(&mut self, time: Duration) -> Result<(), Anomaly> {
        self.advance(self.now.mono + time)
    }

    /// Lets time pass until something holds; false: it did not in time.
    pub(in crate::campaign) fn run_until(
        &mut self,
        patience: Duration,
        every: Duration,
        mut done: impl FnMut(&mut World) -> bool,
    ) -> Result<bool, Anomaly> {
        let give_up = self.now.mono + patience;
        while !done(self) {
            if self.now.mono >= give_up {
                return Ok(false);
            }
            self.advance((self.now.mono + every).min(give_up))?;
        }
        Ok(true)
    }

    /// Lets time pass until then.
    pub(in crate::campaign) fn advance(&mut self, until: Duration) -> Result<(), Anomaly> {
        let mut calls_without_time = 0;
        loop {
            let node = self.next_node();
            let delivery = self.queue.first_key_value().map(|((at, _), _)| *at);
            let client = self.next_client();
            let action = self.schedule.first_key_value().map(|((at, _), _)| (*at).max(self.now.mono));
            let times = [node.map(|(at, _)| at), delivery, client.map(|(at, _)| at), action];
            let next = times.into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else {
                self.pass_to(until);
                return Ok(());
            };
            calls_without_time = if at > self.now.mono { 0 } else { calls_without_time + 1 };
            if calls_without_time > CALLS_WITHOUT_TIME_MAX {
                return Err(Anomaly::new(Kind::Liveness, format!("time stands still; next is node {node:?}")));
            }
            self.pass_to(at);
            if action == Some(at) {
                if let Some((_, action)) = self.schedule.pop_first() {
                    self.act(action)?;
                }
            } else if delivery == Some(at) {
                if let Some((_, delivery)) = self.queue.pop_first() {
                    self.deliver(delivery)?;
                }
            } else if let Some((_, slot)) = node.filter(|(due, _)| *due == at) {
                self.tick(slot)?;
            } else if let Some((_, index)) = client {
                self.with_client(index, |client, world| client.act(world));
            }
        }
    }

    fn pass_to(&mut self, mono: Duration) {
        if mono > self.now.mono {
            self.now = self.now.plus(mono - self.now.mono);
        }
    }

    fn next_node(&self) -> Option<(Duration, usize)> {
        let mut first: Option<(Duration, usize)> = None;
        for (slot, node) in self.nodes.iter().enumerate() {
            if node.paused || node.core.is_none() {
                continue;
            }
            let wants = if node.backlog.is_empty() { node.due } else { Some(Duration::ZERO) };
            let Some(at) = wants.map(|at| at.max(node.busy_until).max(self.now.mono)) else { continue };
            if first.is_none_or(|(then, _)| at < then) {
                first = Some((at, slot));
            }
        }
        first
    }

    fn next_client(&self) -> Option<(Duration, usize)> {
        let first = self.client_due.iter().enumerate().min_by_key(|(_, at)| **at)?;
        (*first.1 < Duration::MAX).then(|| ((*first.1).max(self.now.mono), first.0))
    }

    /// A node's turn: its timers, or what has piled up.
    fn tick(&mut self, slot: usize) -> Result<(), Anomaly> {
        let now = self.now;
        let node = &mut self.nodes[slot];
        // A thread that wakes finds timers and messages ready at once; which come first is open.
        let timers_first = node.due.is_some_and(|due| due <= now.mono) && node.backlog.len().is_multiple_of(2);
        if !timers_first && let Some(delivery) = node.backlog.pop_front() {
            return self.hand_over(slot, delivery);
        }
        match node.core.as_mut() {
            Some(Core::Broker(core)) => core.on_tick(now),
            Some(Core::Controller(core)) => core.on_tick(now),
            None => {}
        }
        let id = node.id;
        self.after(id)
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), Anomaly> {
        let (to, incarnation) = match &delivery {
            Delivery::Peer { to, incarnation, .. }
            | Delivery::Frame { to, incarnation, .. }
            | Delivery::Hangup { to, incarnation, .. } => (*to, *incarnation),
            Delivery::Answer { .. } | Delivery::Closed { .. } => {
                self.hand_to_client(delivery);
                return Ok(());
            }
        };
        let slot = self.slot(to);
        let node = &mut self.nodes[slot];
        if node.core.is_none() || node.incarnation != incarnation {
            return Ok(());
        }
        if node.paused || node.busy_until > self.now.mono || !node.backlog.is_empty() {
            node.backlog.push_back(delivery);
            return Ok(());
        }
        self.hand_over(slot, delivery)
    }

    fn hand_to_client(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Answer { conn, seq, frame } => {
                let Some(client) = self.conns.get(&conn).map(|conn| conn.client) else { return };
                self.with_client(client, |client, world| client.on_answer(world, conn, seq, frame));
            }
            Delivery::Closed { conn } => {
                let Some(gone) = self.conns.remove(&conn) else { return };
                self.with_client(gone.client, |client, world| client.on_closed(world, conn));
            }
            _ => {}
        }
    }

    fn hand_over(&mut self, slot: usize, delivery: Delivery) -> Result<(), Anomaly> {
        let now = self.now;
        let node = &mut self.nodes[slot];
        let id = node.id;
        match (node.core.as_mut(), delivery) {
            (Some(Core::Broker(core)), Delivery::Peer { from, message, .. }) => {
                core.on_peer_message(now, from, message)
            }
            (Some(Core::Controller(core)), Delivery::Peer { from, message, .. }) => {
                core.on_peer_message(now, from, message);
            }
            (Some(Core::Broker(core)), Delivery::Frame { conn, seq, frame, .. }) => {
                core.on_client_frame(now, conn, seq, IpAddr::V4(Ipv4Addr::LOCALHOST), frame);
            }
            (Some(Core::Broker(core)), Delivery::Hangup { conn, .. }) => {
                self.conns.remove(&conn);
                core.on_disconnect(now, conn);
            }
            _ => return Ok(()),
        }
        self.after(id)
    }

    /// Takes out what a node wants sent, sees how long its disk kept it, and looks whether all is well.
    pub(in crate::campaign) fn after(&mut self, id: NodeId) -> Result<(), Anomaly> {
        let slot = self.slot(id);
        let node = &mut self.nodes[slot];
        let broken;
        let (peer, responses, closes) = match node.core.as_mut() {
            Some(Core::Broker(core)) => {
                inside::take_events(&mut core.events, id, self.verbose, self.now);
                broken = inside::broker_failure(core);
                let outbox = std::mem::take(&mut core.out);
                node.due = core.next_deadline();
                node.listens |= core.takes_part();
                (outbox.peer, outbox.responses, outbox.closes)
            }
            Some(Core::Controller(core)) => {
                let mut outbox = core.take_outbox();
                inside::take_events(&mut outbox.events, id, self.verbose, self.now);
                broken = core.failure().map(ToString::to_string);
                node.due = core.next_deadline();
                (outbox.peer, Vec::new(), Vec::new())
            }
            None => return Ok(()),
        };
        let delay = self.disk_time(slot);
        for (to, message) in peer {
            self.post(id, to, message, delay);
        }
        for response in responses {
            self.answer(id, response.conn, response.seq, response.frame, delay);
        }
        for (conn, _) in closes {
            self.enqueue_after(delay, id, -1, Delivery::Closed { conn });
        }
        if let Some(why) = broken {
            self.say(|| format!("node {id} stops: {why}"));
            if !self.may_fail.contains(&id) {
                return Err(Anomaly::new(Kind::NodeFailed, format!("node {id} failed: {why}")));
            }
            self.node(id).disk.kill();
            self.down(id, true);
            return Ok(());
        }
        if id < 3000 { inside::after_broker(self, id) } else { inside::after_controller(self, id) }
    }

    /// How long the disk keeps a node after a step in which it wrote.
    fn disk_time(&mut self, slot: usize) -> Duration {
        let node = &mut self.nodes[slot];
        let Some((least, most)) = node.slow else { return Duration::ZERO };
        let wrote = node.disk.writes() != node.writes;
        node.writes = node.disk.writes();
        if !wrote {
            return Duration::ZERO;
        }
        let time = self.rng.random_range(least..=most);
        self.nodes[slot].busy_until = self.now.mono + time;
        time
    }
}
