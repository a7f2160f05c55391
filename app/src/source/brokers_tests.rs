//! Wishes about brokers, with a fake cluster.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker::cluster::ControllerChange;
use broker::types::NodeId;
use crossbeam_channel::{Receiver, unbounded};

use super::brokers::{BrokerControl, BrokerWishes, News};
use crate::monitor::command::NewBroker;
use crate::monitor::order::{Refusal, RefusalKind};

const PATIENCE: Duration = Duration::from_secs(20);

/// Grants everything, and writes down what it was asked for; broker 9 cannot go.
#[derive(Default)]
pub struct FakeBrokers {
    pub asked: Mutex<Vec<String>>,
    pub leaving: Option<NodeId>,
    pub controller_change: Option<ControllerChange>,
}

impl FakeBrokers {
    fn note(&self, what: impl Into<String>) {
        self.asked.lock().unwrap().push(what.into());
    }
}

impl BrokerControl for FakeBrokers {
    fn add(&self, wish: &NewBroker) -> Result<NodeId, Refusal> {
        self.note("add");
        wish.zone.as_ref().map_or(Ok(4), |_| Err(Refusal::conflict("There is no such zone.")))
    }

    fn spread(&self) -> Result<(), Refusal> {
        self.note("spread");
        Ok(())
    }

    fn begin_removal(&self, id: NodeId) -> Result<(), Refusal> {
        self.note(format!("begin {id}"));
        if id == 9 { Err(Refusal::conflict("Broker 9 cannot leave.")) } else { Ok(()) }
    }

    fn finish_removal(&self, id: NodeId) -> Result<bool, Refusal> {
        self.note(format!("finish {id}"));
        Ok(id != 8)
    }

    fn keep(&self, id: NodeId) -> Result<(), Refusal> {
        self.note(format!("keep {id}"));
        Ok(())
    }

    fn add_controller(&self, id: Option<NodeId>) -> Result<NodeId, Refusal> {
        id.map_or(Ok(3003), |_| Err(Refusal::conflict("It is there.")))
    }

    fn remove_controller(&self, id: NodeId) -> Result<(), Refusal> {
        if id == 3001 { Ok(()) } else { Err(Refusal::not_found("There is none.")) }
    }

    fn controller_change(&self) -> Option<ControllerChange> {
        self.controller_change
    }

    fn finish_controller_change(&self) -> Result<Option<ControllerChange>, Refusal> {
        Ok(self.controller_change)
    }

    fn leaving(&self) -> Option<NodeId> {
        self.leaving
    }

    fn end(&self) {
        self.note("end");
    }
}

/// All that is told, in words, until the thread ends.
fn heard(news: &Receiver<News>, wishes: &mut BrokerWishes) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        heard.push(match news.recv_timeout(PATIENCE).unwrap() {
            News::Answered(Ok(done), _) | News::Over(Ok(done)) => format!("{:?} {}", done.id, done.text),
            News::Answered(Err(refusal), _) | News::Over(Err(refusal)) => refusal.text,
            News::Removed(id) => format!("removed {id}"),
            News::Ended => {
                wishes.ended();
                return heard;
            }
        });
    }
}

#[test]
fn a_broker_is_added_and_gets_its_share_if_that_is_wished() {
    let brokers = Arc::new(FakeBrokers::default());
    let (news_in, news) = unbounded();
    let mut wishes = BrokerWishes::new(brokers.clone(), news_in);
    for (wish, expected) in [
        (NewBroker::default(), "Some(4) Broker 4 was added."),
        (NewBroker { rebalance: false, ..NewBroker::default() }, "Some(4) Broker 4 was added."),
        (NewBroker { zone: Some("x".into()), ..NewBroker::default() }, "There is no such zone."),
    ] {
        assert!(wishes.add(wish, None).is_none());
        assert_eq!(heard(&news, &mut wishes), [expected]);
    }
    assert_eq!(*brokers.asked.lock().unwrap(), ["add", "spread", "add", "add"]);
}

#[test]
fn a_removal_is_answered_when_it_begins_and_told_when_it_is_done() {
    let brokers = Arc::new(FakeBrokers::default());
    let (news_in, news) = unbounded();
    let mut wishes = BrokerWishes::new(brokers.clone(), news_in);
    assert!(wishes.remove(1, None).is_none());
    let begun = "None Broker 1 is being removed: its replicas move to the others, then it leaves.";
    assert_eq!(heard(&news, &mut wishes), [begun, "removed 1", "None Broker 1 was removed."]);
    assert!(wishes.remove(8, None).is_none());
    assert_eq!(heard(&news, &mut wishes).len(), 1, "called off: whoever did that was told");
    assert!(wishes.remove(9, None).is_none());
    assert_eq!(heard(&news, &mut wishes), ["Broker 9 cannot leave."]);
    assert!(wishes.keep(2, None).is_none());
    assert_eq!(heard(&news, &mut wishes), ["None Broker 2 stays; what has left it already stays where it is."]);
    wishes.end();
    let asked = ["begin 1", "finish 1", "begin 8", "finish 8", "begin 9", "keep 2", "end"];
    assert_eq!(*brokers.asked.lock().unwrap(), asked);
}

#[test]
fn a_controller_comes_or_goes_and_what_was_interrupted_goes_on() {
    let change = |controller_change| Arc::new(FakeBrokers { controller_change, ..FakeBrokers::default() });
    let (news_in, news) = unbounded();
    let mut wishes = BrokerWishes::new(change(None), news_in.clone());
    assert!(wishes.add_controller(None, None).is_none());
    assert_eq!(heard(&news, &mut wishes), ["Some(3003) Controller 3003 was added, and votes."]);
    assert!(wishes.add_controller(Some(3000), None).is_none());
    assert_eq!(heard(&news, &mut wishes), ["It is there."]);
    assert!(wishes.remove_controller(3001, None).is_none());
    assert_eq!(heard(&news, &mut wishes), ["removed 3001", "None Controller 3001 was removed."]);
    assert!(wishes.remove_controller(3009, None).is_none());
    assert_eq!(heard(&news, &mut wishes), ["There is none."]);
    let mut wishes = BrokerWishes::new(change(Some(ControllerChange::Comes(3003))), news_in.clone());
    assert_eq!(heard(&news, &mut wishes), ["Some(3003) Controller 3003 was added, and votes."]);
    let mut wishes = BrokerWishes::new(change(Some(ControllerChange::Goes(3001))), news_in);
    assert_eq!(heard(&news, &mut wishes), ["removed 3001", "None Controller 3001 was removed."]);
}

#[test]
fn a_removal_goes_on_after_a_restart_and_wishes_are_bounded() {
    let brokers = Arc::new(FakeBrokers { leaving: Some(3), ..FakeBrokers::default() });
    let (news_in, news) = unbounded();
    let mut wishes = BrokerWishes::new(brokers, news_in);
    assert_eq!(heard(&news, &mut wishes), ["removed 3", "None Broker 3 was removed."]);
    let refused = (0..100).filter_map(|id| wishes.keep(id, None)).next().unwrap();
    assert_eq!(refused.0.unwrap_err().kind, RefusalKind::Failed);
}
