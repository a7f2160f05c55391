//! Brokers and controllers that are added and removed. That takes as long as their data takes to move, so each wish gets a thread of its own,
//! and the desk hears from it.

use std::sync::Arc;

use broker::cluster::ControllerChange;
use broker::types::NodeId;
use crossbeam_channel::Sender;

use crate::monitor::command::NewBroker;
use crate::monitor::order::{Answer, Done, Refusal, Reply};

/// Wishes under way at a time.
const WISHES_MAX: usize = 16;

/// Control over who belongs to the cluster. Methods may block for as long as data takes to move.
pub trait BrokerControl: Send + Sync {
    /// Starts one more broker; its id.
    fn add(&self, wish: &NewBroker) -> Result<NodeId, Refusal>;
    /// Gives all brokers their share; returns when they have it.
    fn spread(&self) -> Result<(), Refusal>;
    /// Begins to move everything off a broker, or says why that cannot be.
    fn begin_removal(&self, id: NodeId) -> Result<(), Refusal>;
    /// Sees that through; false: it was called off.
    fn finish_removal(&self, id: NodeId) -> Result<bool, Refusal>;
    /// A broker that is being removed stays after all.
    fn keep(&self, id: NodeId) -> Result<(), Refusal>;
    /// Starts one more controller and makes it a voter; its id.
    fn add_controller(&self, id: Option<NodeId>) -> Result<NodeId, Refusal>;
    /// Takes a controller out of the voters, and away.
    fn remove_controller(&self, id: NodeId) -> Result<(), Refusal>;
    /// The change of controllers that the data directory remembers.
    fn controller_change(&self) -> Option<ControllerChange>;
    /// Sees it through; what it was.
    fn finish_controller_change(&self) -> Result<Option<ControllerChange>, Refusal>;
    /// The broker whose removal the data directory remembers.
    fn leaving(&self) -> Option<NodeId>;
    /// Ends what waits in these methods: the cluster is to stop. What was under way goes on at its next start.
    fn end(&self);
}

/// What a thread has to tell the desk.
pub enum News {
    /// A wish was granted, or not.
    Answered(Answer, Option<Reply>),
    /// What went on after the answer came to its end; something to be told.
    Over(Answer),
    /// A node is gone.
    Removed(NodeId),
    /// The thread ends.
    Ended,
}

/// The wishes under way.
pub struct BrokerWishes {
    control: Arc<dyn BrokerControl>,
    news: Sender<News>,
    under_way: usize,
}

/// A wish, and who waits for the answer.
type Wished<'a> = (&'a str, Option<Reply>);

impl BrokerWishes {
    /// None; but what the data directory remembers to be under way goes on.
    pub fn new(control: Arc<dyn BrokerControl>, news: Sender<News>) -> BrokerWishes {
        let mut wishes = BrokerWishes { control, news, under_way: 0 };
        if let Some(id) = wishes.control.leaving() {
            let unheard: Wished<'_> = ("removal", None);
            // Without a thread it stays as it is until the next start.
            drop(wishes.aside(unheard, move |control, news, _| finish_removal(control, news, id)));
        }
        if wishes.control.controller_change().is_some() {
            let unheard: Wished<'_> = ("controllers", None);
            drop(wishes.aside(unheard, move |control, news, _| finish_controller_change(control, news)));
        }
        wishes
    }

    /// Adds a broker, and if that is wished gives it its share. An answer that is returned is to be given at once.
    pub fn add(&mut self, wish: NewBroker, reply: Option<Reply>) -> Option<(Answer, Option<Reply>)> {
        self.aside(("add-broker", reply), move |control, news, reply| {
            let added = control.add(&wish);
            let done =
                added.map(|id| Done { id: Some(id.unsigned_abs().into()), text: format!("Broker {id} was added.") });
            let is_added = done.is_ok();
            tell(news, News::Answered(done, reply));
            if is_added && wish.rebalance {
                // Only the end of the cluster keeps it from that.
                let _ = control.spread();
            }
        })
    }

    /// Begins a removal, answers, and sees it through.
    pub fn remove(&mut self, id: NodeId, reply: Option<Reply>) -> Option<(Answer, Option<Reply>)> {
        self.aside(("remove-broker", reply), move |control, news, reply| {
            let begun = control.begin_removal(id);
            let is_begun = begun.is_ok();
            let text = format!("Broker {id} is being removed: its replicas move to the others, then it leaves.");
            tell(news, News::Answered(begun.map(|()| Done { id: None, text }), reply));
            if is_begun {
                finish_removal(control, news, id);
            }
        })
    }

    /// Calls a removal off.
    pub fn keep(&mut self, id: NodeId, reply: Option<Reply>) -> Option<(Answer, Option<Reply>)> {
        self.aside(("keep-broker", reply), move |control, news, reply| {
            let text = format!("Broker {id} stays; what has left it already stays where it is.");
            let kept = control.keep(id).map(|()| Done { id: None, text });
            tell(news, News::Answered(kept, reply));
        })
    }

    /// Adds a controller; the answer comes when it votes.
    pub fn add_controller(&mut self, id: Option<NodeId>, reply: Option<Reply>) -> Option<(Answer, Option<Reply>)> {
        self.aside(("add-controller", reply), move |control, news, reply| {
            tell(news, News::Answered(control.add_controller(id).map(controller_added), reply));
        })
    }

    /// Removes a controller; the answer comes when it is gone.
    pub fn remove_controller(&mut self, id: NodeId, reply: Option<Reply>) -> Option<(Answer, Option<Reply>)> {
        self.aside(("remove-controller", reply), move |control, news, reply| {
            let removed = control.remove_controller(id).map(|()| controller_removed(id));
            if removed.is_ok() {
                tell(news, News::Removed(id));
            }
            tell(news, News::Answered(removed, reply));
        })
    }

    fn aside(
        &mut self,
        (name, reply): Wished<'_>,
        run: impl FnOnce(&dyn BrokerControl, &Sender<News>, Option<Reply>) + Send + 'static,
    ) -> Option<(Answer, Option<Reply>)> {
        if self.under_way >= WISHES_MAX {
            return Some((Err(Refusal::failed("Too many changes of nodes are under way; try again.")), reply));
        }
        let (control, news) = (self.control.clone(), self.news.clone());
        let run = move || {
            run(&*control, &news, reply);
            tell(&news, News::Ended);
        };
        match std::thread::Builder::new().name(name.to_owned()).spawn(run) {
            Ok(_) => {
                self.under_way += 1;
                None
            }
            // The reply went with the closure; whoever waits for it sees it dropped.
            Err(error) => Some((Err(Refusal::failed(format!("No thread could be started: {error}."))), None)),
        }
    }

    /// A thread has ended.
    pub fn ended(&mut self) {
        self.under_way -= 1;
    }

    /// The desk closes.
    pub fn end(&self) {
        self.control.end();
    }
}

/// The desk may have closed meanwhile.
fn tell(news: &Sender<News>, what: News) {
    let _ = news.send(what);
}

fn controller_added(id: NodeId) -> Done {
    Done { id: Some(id.unsigned_abs().into()), text: format!("Controller {id} was added, and votes.") }
}

fn controller_removed(id: NodeId) -> Done {
    Done { id: None, text: format!("Controller {id} was removed.") }
}

fn finish_controller_change(control: &dyn BrokerControl, news: &Sender<News>) {
    match control.finish_controller_change() {
        Ok(Some(ControllerChange::Comes(id))) => tell(news, News::Over(Ok(controller_added(id)))),
        Ok(Some(ControllerChange::Goes(id))) => {
            tell(news, News::Removed(id));
            tell(news, News::Over(Ok(controller_removed(id))));
        }
        Ok(None) => {}
        Err(refusal) => tell(news, News::Over(Err(refusal))),
    }
}

fn finish_removal(control: &dyn BrokerControl, news: &Sender<News>, id: NodeId) {
    match control.finish_removal(id) {
        Ok(true) => {
            tell(news, News::Removed(id));
            tell(news, News::Over(Ok(Done { id: None, text: format!("Broker {id} was removed.") })));
        }
        // Whoever called it off was told.
        Ok(false) => {}
        Err(refusal) => tell(news, News::Over(Err(refusal))),
    }
}
