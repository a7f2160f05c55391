//! Amazon CloudWatch's API on our metrics and alarms, so that `boto3.client("cloudwatch", endpoint_url=…)` and Grafana's CloudWatch source work.
//!
//! Operations: ListMetrics, GetMetricData, GetMetricStatistics, PutMetricAlarm, DescribeAlarms, DescribeAlarmsForMetric, DescribeAlarmHistory,
//! DescribeAlarmContributors, DeleteAlarms, SetAlarmState; and CloudWatch Logs' DescribeLogGroups. Protocols: AWS JSON 1.0 (boto3), Smithy RPC v2 CBOR (newer SDKs), query with XML answers (older ones, Grafana).
//! Source: the service model `cloudwatch/2010-08-01` of botocore 1.44.
//!
//! There is no secret here that a signature could be checked with, so none is checked; that there is one keeps web pages out (see `guard`).

mod alarms;
mod call;
mod fault;
mod metrics;
mod params;
mod queries;
mod tree;
mod wire;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_alarms;
#[cfg(test)]
mod tests_math;

pub use call::{call, call_by_path};
