//! What can go wrong, as data, and the links between nodes that it acts on. Knows nodes only as numbers; whoever owns the nodes (`cluster`)
//! starts and stops them.

mod links;

pub use links::Links;
