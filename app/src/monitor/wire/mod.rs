//! What goes over the wire: clients' connections and what is asked on each, requests by API, and the way of one batch. Pure: what brokers told
//! in, rows to show out. Knows no window.

pub mod apis;
pub mod connections;
pub mod way;
