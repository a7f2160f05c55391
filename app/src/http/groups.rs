//! `GET /api/groups`: how each group stands, in the words of the window.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::server::Sources;
use crate::monitor::groups::verdict::Verdict;
use crate::monitor::groups::{GroupsView, Watched};

/// How a group stands.
#[derive(Debug, Serialize)]
struct Standing<'a> {
    id: &'a str,
    /// `watching`, `keeping_up`, `recovering`, `falling_behind`, `stalled`, `overtaken`: the worst of its partitions.
    verdict: Verdict,
    /// Why, in a sentence.
    reason: &'a str,
    /// How old the oldest unread record is.
    behind_ms: Option<i64>,
    /// When it will have read all, at this pace.
    caught_up_in_ms: Option<i64>,
    /// When retention may begin to delete what it has not read, at this pace.
    overtaken_in_ms: Option<i64>,
    partitions: Vec<OfPartition<'a>>,
}

#[derive(Debug, Serialize)]
struct OfPartition<'a> {
    topic: &'a str,
    partition: i32,
    verdict: Verdict,
    lag: i64,
    /// Records per second between the commits that were seen.
    written_per_s: Option<f64>,
    read_per_s: Option<f64>,
    /// Records that were deleted before they were read.
    lost: i64,
}

/// `GET /api/groups`.
pub async fn groups(State(sources): State<Sources>) -> Response {
    let view: GroupsView = sources.slot.latest().groups;
    let all: Vec<Standing<'_>> = view.watched.iter().map(|(id, watched)| standing(id, watched)).collect();
    Json(all).into_response()
}

fn standing<'a>(id: &'a str, watched: &'a Watched) -> Standing<'a> {
    let told = &*watched.standing;
    let names = watched.rows.back().map_or(&[][..], |row| &row.names);
    let finite = |rate: f64| rate.is_finite().then_some(rate);
    let partitions = names.iter().zip(&told.partitions).map(|((topic, partition), judged)| OfPartition {
        topic,
        partition: *partition,
        verdict: judged.verdict,
        lag: judged.lag,
        written_per_s: finite(judged.written_per_s),
        read_per_s: finite(judged.read_per_s),
        lost: judged.lost,
    });
    Standing {
        id,
        verdict: told.verdict,
        reason: &told.reason,
        behind_ms: told.behind_ms,
        caught_up_in_ms: told.caught_up_in_s.map(|left_s| (left_s * 1e3) as i64),
        overtaken_in_ms: told.overtaken_in_ms,
        partitions: partitions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::monitor::groups::Standing as Told;
    use crate::monitor::groups::lags::{Row, Sample};
    use crate::monitor::groups::verdict::Judgement;

    #[test]
    fn a_group_is_told_with_its_partitions_and_what_is_not_known_is_null() {
        let sample = Sample { committed: 10, lag: 40, behind_ms: -1 };
        let row = Row { at_ms: 0, members: 1, names: vec![("t".into(), 3)].into(), samples: [sample].into() };
        let judged = Judgement {
            verdict: Verdict::FallingBehind,
            lag: 40,
            written_per_s: 100.0,
            read_per_s: f64::NAN,
            ..Judgement::default()
        };
        let told = Told {
            verdict: Verdict::FallingBehind,
            reason: "It is too slow.".into(),
            overtaken_in_ms: Some(5_000),
            partitions: vec![judged],
            ..Told::default()
        };
        let watched = Watched { rows: Arc::new([Arc::new(row)].into()), standing: Arc::new(told) };
        let partition = json!({"topic": "t", "partition": 3, "verdict": "falling_behind", "lag": 40, "written_per_s": 100.0,
            "read_per_s": null, "lost": 0});
        assert_eq!(
            serde_json::to_value(standing("g", &watched)).unwrap(),
            json!({"id": "g", "verdict": "falling_behind", "reason": "It is too slow.", "behind_ms": null,
                "caught_up_in_ms": null, "overtaken_in_ms": 5000, "partitions": [partition]})
        );
    }
}
