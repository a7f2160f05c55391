//! How much a client may do, and how long it is to wait when it did more: client quotas. Pure: what was done, by whom and when, in;
//! throttle times out.
//!
//! Knows the quotas of the metadata image. Knows no request and no connection: what is counted, and how a client is made to wait, is
//! the server's.
//!
//! KIP-13, KIP-55, KIP-124, KIP-219, KIP-599, KIP-612. Source: `org.apache.kafka.server.quota.ClientQuotaManager` and those around it,
//! `org.apache.kafka.common.metrics.stats.{Rate, SampledStat, TokenBucket}`, `org.apache.kafka.server.quota.QuotaUtils`.

mod connections;
mod limits;
mod manager;
mod mutations;
mod rate;
mod sensors;

pub use connections::{ConnectionRates, Verdict};
pub use limits::{ANONYMOUS, Client, Limits};
pub use manager::{ClientQuotas, Delays, QuotaManager};
pub use mutations::MutationQuotas;
pub use rate::{Rate, Windows};
