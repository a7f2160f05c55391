//! A broker's standing with the controller: registration, heartbeats, fencing, controlled shutdown. Pure.
//!
//! Source: KIP-631, `kafka.server.BrokerLifecycleManager`.

use std::time::Duration;

use crate::types::Now;

/// After a refusal or a lost answer, wait this long before asking again.
const RETRY: Duration = Duration::from_millis(50);

/// Where a broker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not registered yet in this incarnation.
    Registering,
    /// Registered; fenced until the controller says otherwise.
    Active,
    /// Asked to leave; leadership is being moved away.
    ShuttingDown,
    /// The controller has nothing left on it (or it waited long enough): it may go.
    MayStop,
}

/// What is to be sent to the active controller now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// BrokerRegistration.
    Register,
    /// BrokerHeartbeat.
    Heartbeat {
        /// Stay fenced.
        want_fence: bool,
        /// Move leadership away.
        want_shut_down: bool,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Lifecycle {
    standing: Standing,
    broker_epoch: i64,
    fenced: bool,
    heartbeat_interval: Duration,
    in_flight: bool,
    /// What is on its way was sent before [`Lifecycle::hurry`]: its answer is no reason to wait.
    hurried: bool,
    next_at: Duration,
    give_up_at: Option<Duration>,
}

impl Lifecycle {
    /// A broker that just started.
    pub fn new(heartbeat_interval: Duration, now: Now) -> Lifecycle {
        Lifecycle {
            standing: Standing::Registering,
            broker_epoch: -1,
            fenced: true,
            heartbeat_interval,
            in_flight: false,
            hurried: false,
            next_at: now.mono,
            give_up_at: None,
        }
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Its broker epoch; -1 before registration.
    pub fn broker_epoch(&self) -> i64 {
        self.broker_epoch
    }

    /// Whether the controller last said that it is fenced.
    pub fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// How long an answer is awaited.
    pub fn patience(&self) -> Duration {
        (self.heartbeat_interval * 2).max(Duration::from_millis(200))
    }

    /// A shutdown that no controller answers ends all the same.
    pub fn on_tick(&mut self, now: Now) {
        if self.give_up_at.is_some_and(|at| at <= now.mono) && self.standing == Standing::ShuttingDown {
            self.standing = Standing::MayStop;
        }
    }

    /// What to ask the controller now, if anything. `caught_up`: its metadata reaches its own registration.
    pub fn poll(&mut self, now: Now, caught_up: bool) -> Option<Ask> {
        if self.in_flight || now.mono < self.next_at || self.standing == Standing::MayStop {
            return None;
        }
        (self.in_flight, self.hurried) = (true, false);
        Some(match self.standing {
            Standing::Registering => Ask::Register,
            _ => Ask::Heartbeat { want_fence: !caught_up, want_shut_down: self.standing == Standing::ShuttingDown },
        })
    }

    /// The metadata reached this broker's registration: the next heartbeat, which asks to be unfenced, need not wait.
    pub fn hurry(&mut self, now: Now) {
        self.next_at = now.mono;
        self.hurried = self.in_flight;
    }

    /// The controller registered this incarnation.
    pub fn registered(&mut self, now: Now, broker_epoch: i64) {
        self.in_flight = false;
        self.next_at = now.mono;
        self.broker_epoch = broker_epoch;
        if self.standing == Standing::Registering {
            self.standing = Standing::Active;
        }
    }

    /// The controller answered a heartbeat.
    pub fn heard(&mut self, now: Now, fenced: bool, should_shut_down: bool) {
        self.in_flight = false;
        self.fenced = fenced;
        let wait = match self.standing {
            Standing::ShuttingDown => RETRY,
            _ if self.hurried => Duration::ZERO,
            _ => self.heartbeat_interval,
        };
        self.next_at = now.mono + wait;
        if should_shut_down && self.standing == Standing::ShuttingDown {
            self.standing = Standing::MayStop;
        }
    }

    /// The controller does not know this epoch (any more): register anew.
    pub fn unknown_to_controller(&mut self, now: Now) {
        self.in_flight = false;
        self.next_at = now.mono + RETRY;
        self.broker_epoch = -1;
        self.fenced = true;
        self.standing = match self.standing {
            Standing::ShuttingDown | Standing::MayStop => Standing::MayStop,
            _ => Standing::Registering,
        };
    }

    /// No answer, or one that says to try again.
    pub fn failed(&mut self, now: Now) {
        self.in_flight = false;
        self.next_at = now.mono + RETRY;
    }

    /// There is a new active controller: what was asked of the old one is asked again at once.
    pub fn controller_moved(&mut self, now: Now) {
        self.in_flight = false;
        self.next_at = now.mono;
    }

    /// Leave politely; at the latest after `patience`, leave anyway.
    pub fn begin_shutdown(&mut self, now: Now, patience: Duration) {
        match self.standing {
            Standing::Registering => self.standing = Standing::MayStop,
            Standing::Active => {
                self.standing = Standing::ShuttingDown;
                self.give_up_at = Some(now.mono + patience);
                self.next_at = now.mono;
            }
            Standing::ShuttingDown | Standing::MayStop => {}
        }
    }

    /// When `on_tick`, or `poll` where a controller is known, has something to do.
    pub fn next_deadline(&self, controller_known: bool) -> Option<Duration> {
        let asks = controller_known && !self.in_flight && self.standing != Standing::MayStop;
        let ask = asks.then_some(self.next_at);
        match (ask, self.give_up_at.filter(|_| self.standing == Standing::ShuttingDown)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now { mono: Duration::from_millis(ms), wall_ms: ms as i64 }
    }

    #[test]
    fn a_life_from_registration_to_controlled_shutdown() {
        let mut life = Lifecycle::new(Duration::from_millis(300), at(0));
        assert_eq!(life.poll(at(0), false), Some(Ask::Register));
        assert_eq!(life.poll(at(1), false), None, "one question at a time");
        life.registered(at(5), 42);
        assert_eq!(life.poll(at(5), false), Some(Ask::Heartbeat { want_fence: true, want_shut_down: false }));
        life.heard(at(6), true, false);
        assert!(life.is_fenced());
        life.hurry(at(7));
        assert_eq!(life.poll(at(7), true), Some(Ask::Heartbeat { want_fence: false, want_shut_down: false }));
        life.heard(at(8), false, false);
        assert!(!life.is_fenced());
        assert_eq!(life.next_deadline(true), Some(Duration::from_millis(308)));
        life.begin_shutdown(at(10), Duration::from_secs(5));
        assert_eq!(life.poll(at(10), true), Some(Ask::Heartbeat { want_fence: false, want_shut_down: true }));
        life.heard(at(11), false, true);
        assert_eq!(life.standing(), Standing::MayStop);
    }

    #[test]
    fn who_catches_up_while_a_heartbeat_is_on_its_way_asks_again_at_once() {
        let mut life = Lifecycle::new(Duration::from_secs(2), at(0));
        life.poll(at(0), false);
        life.registered(at(1), 7);
        assert_eq!(life.poll(at(1), false), Some(Ask::Heartbeat { want_fence: true, want_shut_down: false }));
        life.hurry(at(2));
        life.heard(at(3), true, false);
        assert_eq!(life.poll(at(3), true), Some(Ask::Heartbeat { want_fence: false, want_shut_down: false }));
        life.heard(at(4), false, false);
        assert_eq!(life.poll(at(5), true), None);
    }

    #[test]
    fn without_a_controller_a_shutdown_still_ends() {
        let mut life = Lifecycle::new(Duration::from_millis(300), at(0));
        life.poll(at(0), false);
        life.registered(at(1), 1);
        life.begin_shutdown(at(2), Duration::from_secs(5));
        life.poll(at(2), true);
        assert_eq!(life.next_deadline(true), Some(Duration::from_millis(5002)));
        life.on_tick(at(5002));
        assert_eq!(life.standing(), Standing::MayStop);
    }

    #[test]
    fn a_forgotten_broker_registers_anew() {
        let mut life = Lifecycle::new(Duration::from_millis(300), at(0));
        life.poll(at(0), false);
        life.registered(at(1), 1);
        life.poll(at(1), true);
        life.unknown_to_controller(at(2));
        assert_eq!((life.standing(), life.broker_epoch()), (Standing::Registering, -1));
        assert_eq!(life.poll(at(60), false), Some(Ask::Register));
    }
}
