//! An operator: asks one thing of the cluster, of one broker after another, until somebody has answered.

use std::time::Duration;

use broker::protocol::Request;
use broker::protocol::messages::elect_leaders_request::TopicPartitions;
use broker::protocol::messages::{ElectLeadersRequestData, KafkaString};
use bytes::BytesMut;
use rand::Rng;

use super::client::{Call, Client, Link};
use super::plan::TOPIC;
use super::world::World;

const PATIENCE: Duration = Duration::from_millis(1_000);
/// `ElectionType.PREFERRED`
const PREFERRED: i8 = 0;

/// See the module.
struct Admin {
    me: usize,
    request: Request,
    api_version: i16,
    call: Option<Call>,
    next_at: Duration,
    link: Link,
    done: bool,
}

impl World {
    /// Has the preferred replica of a partition elected, if it can be.
    pub(super) fn elect_preferred(&mut self, partition: u32) {
        let topic = TopicPartitions::default()
            .with_topic(KafkaString::from_static(TOPIC))
            .with_partitions(vec![partition as i32]);
        let request = ElectLeadersRequestData::default()
            .with_election_type(PREFERRED)
            .with_topic_partitions(Some(vec![topic]))
            .with_timeout_ms(1_000);
        let (me, next_at) = (self.client_count(), self.now.mono);
        let request = Request::ElectLeaders(request);
        let (link, api_version) = (Link::default(), 2);
        self.enroll(Box::new(Admin { me, request, api_version, call: None, next_at, link, done: false }));
    }
}

impl Client for Admin {
    fn next_at(&self) -> Duration {
        if self.done { Duration::MAX } else { self.next_at }
    }

    fn act(&mut self, world: &mut World) {
        self.next_at = world.now.mono + PATIENCE;
        self.link.hang_up(world);
        let node = world.rng.random_range(1..=world.plan.brokers);
        self.call = self.link.call(world, self.me, node, &self.request, self.api_version);
        if self.call.is_none() {
            self.next_at = world.now.mono + Duration::from_millis(1);
        }
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        if let Some(call) = self.call.take_if(|call| call.conn == conn && call.seq == seq) {
            self.done = call.answer(world, frame).is_some();
        }
    }

    fn on_closed(&mut self, world: &mut World, conn: u64) {
        self.link.closed(conn);
        if self.call.take_if(|call| call.conn == conn).is_some() {
            self.next_at = world.now.mono + Duration::from_millis(1);
        }
    }

    fn finish(&mut self) {
        self.done = true;
    }

    fn is_idle(&self) -> bool {
        self.done
    }
}
