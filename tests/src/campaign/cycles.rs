//! G1c: a cycle over write-write and write-read edges between operations. Without transactions an operation is one batch or one read, so
//! that a cycle means batches that were torn apart and mixed.

use std::collections::HashMap;

use super::checker::Order;
use super::history::{History, Op, Promise, Value};

/// Edges, and the operations that they join.
struct Graph {
    edges: Vec<Vec<u32>>,
    names: Vec<usize>,
}

/// Tells each cycle in one sentence.
pub(super) fn check(history: &History, orders: &HashMap<u32, Order>, promise: &Promise, tell: &mut dyn FnMut(String)) {
    let graph = graph(history, orders, promise);
    for cycle in components(&graph.edges) {
        if cycle.len() > 1 {
            let mut ops: Vec<usize> = cycle.iter().map(|node| graph.names[*node as usize]).collect();
            ops.sort_unstable();
            tell(format!("operations {ops:?} each come before the other"));
        }
    }
}

fn graph(history: &History, orders: &HashMap<u32, Order>, promise: &Promise) -> Graph {
    let mut names = Vec::new();
    let mut txns: HashMap<u32, u32> = HashMap::new();
    let mut writer: HashMap<Value, u32> = HashMap::new();
    let mut node_of = |op: usize, txn: Option<u32>, names: &mut Vec<usize>| {
        let mut new = || {
            names.push(op);
            names.len() as u32 - 1
        };
        match txn {
            Some(txn) => *txns.entry(txn).or_insert_with(new),
            None => new(),
        }
    };
    let mut reads = Vec::new();
    for (index, op) in history.ops.iter().enumerate() {
        match op {
            // What stands there twice comes before itself.
            Op::Send(send) if promise.repeaters.contains(&send.process) => {}
            Op::Send(send) => {
                let node = node_of(index, send.txn, &mut names);
                writer.extend(send.values.iter().map(|value| (*value, node)));
            }
            // A read outside of a transaction has no edge that leaves it.
            Op::Poll(poll) if poll.txn.is_some() => reads.push((node_of(index, poll.txn, &mut names), poll)),
            _ => {}
        }
    }
    let mut edges = vec![Vec::new(); names.len()];
    let mut join = |from: u32, to: u32| {
        if from != to && edges[from as usize].last() != Some(&to) {
            edges[from as usize].push(to);
        }
    };
    for order in orders.values() {
        for pair in order.entries.windows(2) {
            if let (Some(from), Some(to)) = (writer.get(&pair[0].1), writer.get(&pair[1].1))
                && pair[0].0 < pair[1].0
            {
                join(*from, *to);
            }
        }
    }
    for (node, poll) in reads {
        for (_, value) in &poll.records {
            if let Some(from) = writer.get(value) {
                join(*from, node);
            }
        }
    }
    Graph { edges, names }
}

/// Strongly connected components (Tarjan), without recursion.
fn components(edges: &[Vec<u32>]) -> Vec<Vec<u32>> {
    const UNSEEN: u32 = u32::MAX;
    let mut index = vec![UNSEEN; edges.len()];
    let mut low = vec![0; edges.len()];
    let mut on_stack = vec![false; edges.len()];
    let (mut stack, mut found, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..edges.len() as u32 {
        if index[root as usize] != UNSEEN {
            continue;
        }
        let mut work = vec![(root, 0usize)];
        while let Some((node, edge)) = work.pop() {
            let at = node as usize;
            if edge == 0 {
                (index[at], low[at]) = (next, next);
                next += 1;
                stack.push(node);
                on_stack[at] = true;
            }
            if let Some(&to) = edges[at].get(edge) {
                work.push((node, edge + 1));
                if index[to as usize] == UNSEEN {
                    work.push((to, 0));
                } else if on_stack[to as usize] {
                    low[at] = low[at].min(index[to as usize]);
                }
                continue;
            }
            if let Some(&(parent, _)) = work.last() {
                low[parent as usize] = low[parent as usize].min(low[at]);
            }
            if low[at] == index[at] {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member as usize] = false;
                    component.push(member);
                    if member == node {
                        break;
                    }
                }
                if component.len() > 1 {
                    found.push(component);
                }
            }
        }
    }
    found
}
