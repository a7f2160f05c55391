//! What was asked on one connection, by API and version.

use std::time::Duration;

use super::request_metrics::Answered;
use super::request_times::Parts;
use crate::metadata::connections::{ApiUse, ERRORS_TOLD_MAX};
use crate::protocol::Api;

/// Kinds of requests (API and version) that are counted apart on one connection. A client uses one version of each; there are some 60.
const KINDS_MAX: usize = 100;

#[derive(Debug)]
struct Kind {
    so_far: ApiUse,
    /// Requests when it was told of last.
    told: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Usage {
    kinds: Vec<Kind>,
    /// Requests since it was told of last.
    fresh: u64,
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Usage {
    fn of(&mut self, api: Api, version: i16) -> Option<&mut ApiUse> {
        let name = api.name();
        let is_it = |kind: &Kind| kind.so_far.version == version && kind.so_far.api == name;
        let place = match self.kinds.iter().position(is_it) {
            Some(place) => place,
            None if self.kinds.len() >= KINDS_MAX => return None,
            None => {
                let so_far = ApiUse { api: name, version, ..ApiUse::default() };
                self.kinds.push(Kind { so_far, told: 0 });
                self.kinds.len() - 1
            }
        };
        Some(&mut self.kinds[place].so_far)
    }

    /// One is done with.
    pub(super) fn done(&mut self, answered: &Answered, parts: &Parts, written_bytes: usize) {
        self.fresh += 1;
        let Some(so_far) = self.of(answered.api, answered.version) else { return };
        so_far.count += 1;
        so_far.in_bytes += answered.size_bytes as u64;
        so_far.out_bytes += written_bytes as u64;
        so_far.request_queue_us += us(parts.request_queue);
        so_far.local_us += us(parts.local);
        so_far.remote_us += us(parts.remote);
        so_far.throttle_us += us(answered.muted_for);
        so_far.response_queue_us += us(parts.response_queue);
        so_far.response_send_us += us(parts.response_send);
        so_far.max_us = so_far.max_us.max(us(parts.total()));
    }

    /// One was answered with this error.
    pub(super) fn failed(&mut self, api: Api, version: i16, code: i16) {
        let Some(so_far) = self.of(api, version) else { return };
        match so_far.errors.iter().position(|(known, _)| *known == code) {
            Some(place) => so_far.errors[place].1 += 1,
            None if so_far.errors.len() < ERRORS_TOLD_MAX => so_far.errors.push((code, 1)),
            None => {}
        }
    }

    /// Requests since it was told of last.
    pub(super) fn fresh(&self) -> u64 {
        self.fresh
    }

    /// What was asked so far, and how often since the last time; `None` if nobody wants to hear it. Either way a new interval begins.
    pub(super) fn tell(&mut self, since: Duration, is_wanted: bool) -> Option<Vec<ApiUse>> {
        self.fresh = 0;
        for kind in &mut self.kinds {
            let fresh = kind.so_far.count - kind.told;
            kind.told = kind.so_far.count;
            kind.so_far.per_s = fresh as f64 / since.as_secs_f64().max(f64::MIN_POSITIVE);
        }
        is_wanted.then(|| self.kinds.iter().map(|kind| kind.so_far.clone()).collect())
    }
}
