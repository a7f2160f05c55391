//! InitProducerId v0–5: ids for idempotent producers, out of blocks of a thousand that the controller gives to each broker.
//!
//! An idempotent producer always gets a new id at epoch 0, also when it names an old one: it bumps its epoch by itself and comes back only
//! when that is used up (KIP-360). A transactional id is its coordinator's.
//!
//! KIP-98, KIP-360, KIP-730 (blocks), KIP-890, KIP-939. Source: `kafka.server.KafkaApis.handleInitProducerIdRequest`,
//! `TransactionCoordinator.handleInitProducerId`, `RPCProducerIdManager`.

use std::collections::VecDeque;
use std::ops::Range;

use super::Broker;
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use super::peer_requests::Purpose;
use super::txn_bridge::{self, Caller, fenced_for};
use crate::protocol::messages::{
    AllocateProducerIdsRequestData, AllocateProducerIdsResponseData, InitProducerIdRequestData,
    InitProducerIdResponseData,
};
use crate::protocol::{ErrorCode, Response};
use crate::transaction::InitTxn;
use crate::types::Now;

const NO_PRODUCER_ID: i64 = -1;
const NO_PRODUCER_EPOCH: i16 = -1;

/// From this version on, clients know PRODUCER_FENCED.
const FIRST_WITH_FENCED: i16 = 4;

/// At most so many producers wait for a block; more are told to come again.
const MAX_WAITING: usize = 1_000;

/// The next block is asked for once less than a tenth of this one is left.
const PREFETCH_BELOW_TENTHS: i64 = 1;

/// This broker's ids, and who waits for more.
#[derive(Debug, Default)]
pub struct ProducerIds {
    current: Range<i64>,
    block_len: i64,
    next: Option<Range<i64>>,
    asked: bool,
    waiting: VecDeque<RequestContext>,
}

impl ProducerIds {
    /// The next id, if one is left.
    pub(super) fn take(&mut self) -> Option<i64> {
        if self.current.is_empty() {
            self.current = self.next.take()?;
            self.block_len = self.current.end - self.current.start;
        }
        self.current.next()
    }

    fn needs_block(&self) -> bool {
        let left = self.current.end - self.current.start;
        !self.asked && self.next.is_none() && left * 10 <= self.block_len * PREFETCH_BELOW_TENTHS
    }

    /// A new block, unless it makes no sense.
    fn add(&mut self, start: i64, len: i32) {
        if start >= 0 && len > 0 {
            self.next = Some(start..start.saturating_add(i64::from(len)));
        }
    }
}

/// Answers from this broker's block; waits for a new one if it is used up.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: InitProducerIdRequestData) -> Handled {
    if let Some(error) = refusal(&request) {
        return Handled::Reply(refused(error));
    }
    if let Some(transactional_id) = &request.transactional_id {
        return of_transactional_id(broker, context, now, transactional_id.as_str(), &request);
    }
    let taken = broker.producer_ids.take();
    if taken.is_none() {
        if broker.producer_ids.waiting.len() >= MAX_WAITING {
            return Handled::Reply(refused(ErrorCode::CoordinatorLoadInProgress));
        }
        broker.producer_ids.waiting.push_back(context.clone());
    }
    ask_for_block(broker, now);
    taken.map_or(Handled::Later, |id| Handled::Reply(given(id)))
}

fn of_transactional_id(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    transactional_id: &str,
    request: &InitProducerIdRequestData,
) -> Handled {
    let expected = (request.producer_id != NO_PRODUCER_ID).then_some((request.producer_id, request.producer_epoch));
    let init = InitTxn {
        transactional_id,
        timeout_ms: request.transaction_timeout_ms,
        enable_2pc: request.enable2_pc,
        keep_prepared: request.keep_prepared_txn,
        expected,
    };
    let caller = Caller::Init(Box::new(context.clone()));
    let handled = txn_bridge::ask(broker, context, caller, |broker, to| {
        let ids = &mut broker.producer_ids;
        broker.transactions.coordinator.init_producer_id(now, to, init, &mut || ids.take());
    });
    ask_for_block(broker, now);
    handled
}

/// What the coordinator gave to a transactional id.
pub(super) fn transactional(version: i16, result: Result<(i64, i16), ErrorCode>) -> Response {
    match result {
        Err(error) => refused(fenced_for(error, version, FIRST_WITH_FENCED)),
        Ok((producer_id, epoch)) => {
            let response = InitProducerIdResponseData::default().with_producer_id(producer_id);
            Response::InitProducerId(response.with_producer_epoch(epoch))
        }
    }
}

/// The controller gave a block, or did not answer in time.
pub fn on_block(broker: &mut Broker, now: Now, answer: Result<AllocateProducerIdsResponseData, ErrorCode>) {
    broker.producer_ids.asked = false;
    if let Ok(block) = answer
        && block.error_code == ErrorCode::None.code()
    {
        broker.producer_ids.add(block.producer_id_start, block.producer_id_len);
    }
    // Those who waited in vain ask again by themselves: the error tells them to.
    while let Some(context) = broker.producer_ids.waiting.pop_front() {
        let response = match broker.producer_ids.take() {
            Some(id) => given(id),
            None => refused(ErrorCode::CoordinatorLoadInProgress),
        };
        broker.reply(now, &context, response);
    }
}

/// Asks the controller for a block if this broker's is nearly used up.
pub(super) fn ask_for_block(broker: &mut Broker, now: Now) {
    if broker.producer_ids.needs_block() {
        broker.producer_ids.asked = true;
        let request = AllocateProducerIdsRequestData::default()
            .with_broker_id(broker.config.node_id)
            .with_broker_epoch(broker.lifecycle.broker_epoch());
        let patience = broker.config.millis("request.timeout.ms");
        let request = PeerRequest::AllocateProducerIds(Box::new(request));
        broker.send_to_controller(Purpose::ProducerIds, now, request, patience);
    }
}

fn refusal(request: &InitProducerIdRequestData) -> Option<ErrorCode> {
    if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == NO_PRODUCER_EPOCH) {
        return Some(ErrorCode::InvalidRequest);
    }
    match &request.transactional_id {
        Some(id) if id.is_empty() => Some(ErrorCode::InvalidRequest),
        _ => None,
    }
}

fn given(producer_id: i64) -> Response {
    Response::InitProducerId(InitProducerIdResponseData::default().with_producer_id(producer_id).with_producer_epoch(0))
}

fn refused(error: ErrorCode) -> Response {
    let response = InitProducerIdResponseData::default().with_error_code(error.code());
    Response::InitProducerId(response.with_producer_id(NO_PRODUCER_ID).with_producer_epoch(NO_PRODUCER_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::text;
    use super::*;

    #[test]
    fn ids_are_given_once_each_across_blocks() {
        let mut ids = ProducerIds::default();
        assert!(ids.needs_block() && ids.take().is_none());
        ids.add(1000, 20);
        let mut given = Vec::new();
        while let Some(id) = ids.take() {
            given.push(id);
            if ids.needs_block() && given.len() < 30 {
                assert!(given.len() >= 18, "asked too early: {}", given.len());
                ids.add(5000, 20);
            }
        }
        assert_eq!(given, (1000..1020).chain(5000..5020).collect::<Vec<_>>());
    }

    #[test]
    fn one_block_is_asked_for_at_a_time_and_nonsense_is_no_block() {
        let mut ids = ProducerIds { asked: true, ..ProducerIds::default() };
        assert!(!ids.needs_block());
        ids.asked = false;
        for (start, len) in [(-1, 10), (5, 0), (5, -3)] {
            ids.add(start, len);
            assert_eq!(ids.take(), None);
        }
        ids.add(i64::MAX - 1, 10);
        assert_eq!(ids.take(), Some(i64::MAX - 1));
        assert_eq!(ids.take(), None);
    }

    #[test]
    fn what_is_refused() {
        let request = InitProducerIdRequestData::default;
        assert_eq!(refusal(&request()), None);
        assert_eq!(refusal(&request().with_producer_id(5).with_producer_epoch(3)), None);
        assert_eq!(refusal(&request().with_producer_id(5)), Some(ErrorCode::InvalidRequest));
        assert_eq!(refusal(&request().with_producer_epoch(5)), Some(ErrorCode::InvalidRequest));
        assert_eq!(refusal(&request().with_transactional_id(Some(text("")))), Some(ErrorCode::InvalidRequest));
        assert_eq!(refusal(&request().with_transactional_id(Some(text("t")))), None);
    }
}
