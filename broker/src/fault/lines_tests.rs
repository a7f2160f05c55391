//! What a node hears of others that end, and what answers reach it.

use std::sync::Arc;

use super::{LinkEffect, Links, Parting, Plug};
use crate::node::{Delivered, Inbox, Network};
use crate::quorum::Message;
use crate::server::peer::{PeerMessage, PeerRequest, PeerResponse};

fn ask(correlation: u64) -> PeerMessage {
    PeerMessage::Request { correlation, body: PeerRequest::DescribeQuorum(Box::default()) }
}

/// Takes the next request; the number that it came under.
fn taken(inbox: &mut Inbox) -> u64 {
    match inbox.try_recv() {
        Ok(Delivered { message: PeerMessage::Request { correlation, .. }, .. }) => correlation,
        other => panic!("{other:?}"),
    }
}

fn answer(correlation: u64, leader_id: i32) -> PeerMessage {
    PeerMessage::Response { correlation, body: PeerResponse::NotController { leader_id } }
}

/// All that waits: correlation, and what the answer says; `None`: it was refused.
fn heard(inbox: &mut Inbox) -> Vec<(u64, Option<i32>)> {
    let next = || inbox.try_recv().ok();
    std::iter::from_fn(next)
        .map(|delivered| match delivered.message {
            PeerMessage::Refused { correlation } => (correlation, None),
            PeerMessage::Response { correlation, body: PeerResponse::NotController { leader_id } } => {
                (correlation, Some(leader_id))
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn pair(links: &Links) -> ((Arc<Plug>, Inbox), (Arc<Plug>, Inbox)) {
    (links.plug_in(1), links.plug_in(2))
}

#[test]
fn a_process_that_ends_resets_what_it_had_taken_in() {
    let links = Links::default();
    let ((one, mut one_in), (two, mut two_in)) = pair(&links);
    let (three, mut three_in) = links.plug_in(3);
    (5..8).for_each(|correlation| one.send(2, ask(correlation)));
    three.send(2, PeerMessage::Quorum(Message::BeginQuorumEpochResponse { epoch: 1, leader: None }));
    let first = taken(&mut two_in);
    two.send(1, answer(first, 40));
    two.pull(Parting::Reset);
    assert_eq!(heard(&mut one_in), [(5, Some(40)), (6, None), (7, None)]);
    assert_eq!(heard(&mut three_in), [(0, None)]);
    two.send(1, answer(taken(&mut two_in), 40));
    one.send(2, ask(8));
    assert_eq!(heard(&mut one_in), [(8, None)], "what is dead says nothing, and new connections are refused");
    two.pull(Parting::Reset);
    assert_eq!(heard(&mut one_in), []);
}

#[test]
fn a_node_that_ends_by_itself_does_the_same() {
    let links = Links::default();
    let ((one, mut one_in), (_two, two_in)) = pair(&links);
    one.send(2, ask(1));
    drop(two_in);
    assert_eq!(heard(&mut one_in), []);
    one.send(2, ask(2));
    assert_eq!(heard(&mut one_in), [(1, None), (2, None)]);
}

#[test]
fn a_machine_without_power_is_silent_and_resets_when_it_is_back() {
    let links = Links::default();
    let ((one, mut one_in), (two, two_in)) = pair(&links);
    let (three, mut three_in) = links.plug_in(3);
    one.send(2, ask(1));
    three.send(2, ask(1));
    two.pull(Parting::Silence);
    drop((two, two_in));
    three.send(2, ask(2));
    assert_eq!((heard(&mut one_in), heard(&mut three_in)), (vec![], vec![]));
    let (two, mut two_in) = links.plug_in(2);
    assert_eq!(heard(&mut three_in), [(1, None), (2, None)], "who wrote meanwhile writes again");
    assert_eq!(heard(&mut one_in), [], "who waits, waits");
    one.send(2, ask(3));
    assert_eq!(heard(&mut one_in), [(1, None), (3, None)]);
    one.send(2, ask(4));
    two.send(1, answer(taken(&mut two_in), 40));
    assert_eq!(heard(&mut one_in), [(4, Some(40))]);
}

#[test]
fn answers_to_a_former_life_reach_nobody() {
    let links = Links::default();
    let ((one, one_in), (two, mut two_in)) = pair(&links);
    one.send(2, ask(1));
    let former = taken(&mut two_in);
    one.pull(Parting::Reset);
    one.send(2, ask(2));
    drop(one_in);
    let (again, mut one_in) = links.plug_in(1);
    one.send(2, ask(2));
    again.send(2, ask(1));
    two.send(1, answer(former, 40));
    assert_eq!(heard(&mut one_in), []);
    let present = taken(&mut two_in);
    two.send(1, answer(present, 50));
    two.send(1, answer(present, 60));
    assert_eq!(heard(&mut one_in), [(1, Some(50))], "and each is answered once");
    assert!(two_in.try_recv().is_err(), "the former life sent nothing more");
}

#[test]
fn a_reset_does_not_pass_a_cut() {
    let links = Links::default();
    let ((one, mut one_in), (two, _two_in)) = pair(&links);
    one.send(2, ask(1));
    let cut = links.break_them(vec![(2, 1)], LinkEffect::Cut);
    two.pull(Parting::Reset);
    assert_eq!(heard(&mut one_in), []);
    let (again, mut two_in) = links.plug_in(2);
    links.heal(cut);
    assert_eq!(heard(&mut one_in), []);
    one.send(2, ask(2));
    assert_eq!(heard(&mut one_in), [(1, None), (2, None)]);
    one.send(2, ask(3));
    taken(&mut two_in);
    let cut = links.break_them(vec![(1, 2)], LinkEffect::Cut);
    one.send(9, ask(4));
    assert_eq!(heard(&mut one_in), [(4, None)]);
    links.break_them(vec![(1, 9)], LinkEffect::Cut);
    one.send(9, ask(5));
    assert_eq!(heard(&mut one_in), [], "whom nothing reaches, refuses nothing");
    one.send(2, ask(6));
    again.pull(Parting::Reset);
    one.send(2, ask(7));
    assert_eq!(heard(&mut one_in), [(3, None), (6, None)], "the other direction passes");
    links.heal(cut);
}

#[test]
fn what_is_never_answered_is_forgotten_in_the_end() {
    let links = Links::default();
    let ((one, mut one_in), (two, mut two_in)) = pair(&links);
    let cut = links.break_them(vec![(1, 2)], LinkEffect::Cut);
    (0..10_000).for_each(|correlation| one.send(2, ask(correlation)));
    links.heal(cut);
    one.send(2, ask(10_000));
    two.send(1, answer(taken(&mut two_in), 40));
    two.pull(Parting::Reset);
    let heard = heard(&mut one_in);
    assert_eq!(heard[0], (10_000, Some(40)));
    assert_eq!((heard.len(), heard[1]), (1 + 4_095, (10_000 - 4_095, None)));
}
