//! The way of one batch in words: where it was seen, how long after it arrived, and what took the time.

use std::time::Duration;

use broker::protocol::{ErrorCode, error_name};
use broker::server::trace::{Station, Step, Trace};

/// What a step says.
pub fn words(trace: &Trace, step: &Step) -> String {
    match &step.station {
        Station::Arrived => "The last byte of the request is read from the socket".into(),
        Station::Begun => "The broker's thread takes the request up".into(),
        Station::Appended => match trace.last_offset - trace.first_offset {
            0 => format!("In the leader's log, at offset {}", trace.first_offset),
            _ => format!("In the leader's log, at offsets {} to {}", trace.first_offset, trace.last_offset),
        },
        Station::Refused(code) => format!("Refused: {}", name(*code)),
        Station::SentTo(follower) => format!("Sent to broker {follower} in the answer to its fetch"),
        Station::Replicated(_) => "In the follower's log".into(),
        Station::Confirmed(follower) => format!("Broker {follower}'s next fetch says that it has it"),
        Station::Committed => "Below the high watermark: committed, to be read".into(),
        Station::Lost(epoch) => format!("Lost: broker {} leads under epoch {epoch} without it", step.node_id),
        Station::Answered(0) => "The answer is ready".into(),
        Station::Answered(code) => format!("The answer is ready: {}", name(*code)),
        Station::Acknowledged if trace.acks == 0 => "Done with: acks=0 wants no answer".into(),
        Station::Acknowledged => "The answer is written to the socket".into(),
        Station::Fetched { client_id, connection } => {
            let who = if client_id.is_empty() { "a consumer without a client id" } else { client_id };
            format!("Fetched by {who} (connection {connection})")
        }
    }
}

fn name(code: i16) -> String {
    error_name(ErrorCode::from(code))
}

/// When it arrived, on the stopwatch: the first that was seen of it.
pub fn began(trace: &Trace) -> Duration {
    trace.steps.first().map_or(Duration::ZERO, |step| step.at)
}

/// How long after that a step was, ms.
pub fn after_ms(trace: &Trace, step: &Step) -> f64 {
    step.at.saturating_sub(began(trace)).as_secs_f64() * 1e3
}

fn at(trace: &Trace, is_it: impl Fn(&Station) -> bool) -> Option<f64> {
    trace.steps.iter().find(|step| is_it(&step.station)).map(|step| after_ms(trace, step))
}

/// What came of it, in a sentence or two; times by `millis`.
pub fn verdict(trace: &Trace, millis: impl Fn(f64) -> String) -> String {
    let refused = trace.steps.iter().find_map(|step| match step.station {
        Station::Refused(code) | Station::Answered(code) if code != 0 => Some(code),
        _ => None,
    });
    let appended = at(trace, |station| *station == Station::Appended);
    let committed = at(trace, |station| *station == Station::Committed);
    let acknowledged = at(trace, |station| *station == Station::Acknowledged);
    let lost = trace.steps.iter().find(|step| matches!(step.station, Station::Lost(_)));
    if let Some(step) = lost {
        let known = acknowledged.filter(|_| trace.acks != 0).map_or("", |_| "Acknowledged, and then ");
        let acks = if trace.acks == -1 { "all".to_owned() } else { trace.acks.to_string() };
        let said = if known.is_empty() { "Lost" } else { "lost" };
        return format!(
            "{known}{said} (acks={acks}): broker {} leads without it after {}.",
            step.node_id,
            millis(after_ms(trace, step))
        );
    }
    if let (0, Some(_), None) = (trace.acks, appended, refused) {
        // Nobody is told, so nothing is acknowledged.
        return match committed {
            Some(committed) => {
                format!("Committed after {}; with acks=0 the producer is told nothing.", millis(committed))
            }
            None => format!(
                "In the leader's log; it waits for {}. With acks=0 the producer is told nothing.",
                missing(trace)
            ),
        };
    }
    match (refused, appended, committed, acknowledged) {
        (Some(code), None, ..) => format!("Refused with {}: nothing of it is in the log.", name(code)),
        (Some(code), Some(_), ..) => {
            format!(
                "In the leader's log, but not acknowledged: {}. The producer cannot know what became of it.",
                name(code)
            )
        }
        (_, Some(appended), Some(committed), Some(acknowledged)) if committed <= acknowledged => format!(
            "Acknowledged after {}; {} of that until it was committed, on {} in sync.",
            millis(acknowledged),
            millis(committed - appended),
            plural(trace.isr.len())
        ),
        (_, Some(_), Some(committed), Some(acknowledged)) => format!(
            "Acknowledged after {}, {} before it was committed: with acks={} a leader that died between would have lost it.",
            millis(acknowledged),
            millis(committed - acknowledged),
            trace.acks
        ),
        (_, Some(_), Some(committed), None) => format!("Committed after {}; not acknowledged yet.", millis(committed)),
        (_, Some(_), None, Some(acknowledged)) => {
            format!(
                "Acknowledged after {}, but not committed yet: it waits for {}.",
                millis(acknowledged),
                missing(trace)
            )
        }
        (_, Some(_), None, None) => format!("In the leader's log; it waits for {}.", missing(trace)),
        _ => "On its way.".into(),
    }
}

fn plural(replicas: usize) -> String {
    if replicas == 1 { "1 replica".into() } else { format!("{replicas} replicas") }
}

/// In-sync replicas that are not known to have it.
fn missing(trace: &Trace) -> String {
    let has = |id: i32| id == trace.leader || trace.steps.iter().any(|step| step.station == Station::Confirmed(id));
    let missing: Vec<String> = trace.isr.iter().filter(|id| !has(**id)).map(|id| format!("broker {id}")).collect();
    if missing.is_empty() { "the leader".into() } else { missing.join(" and ") }
}

/// When the step was from which this one followed, ms after the batch arrived; `None`: it is the first.
pub fn since_ms(trace: &Trace, step: &Step) -> Option<f64> {
    let one_of = |stations: &[Station]| {
        let seen = trace.steps.iter().filter(|seen| stations.contains(&seen.station) && seen.at <= step.at);
        seen.map(|seen| after_ms(trace, seen)).reduce(f64::max)
    };
    match &step.station {
        Station::Arrived => None,
        Station::Begun => one_of(&[Station::Arrived]),
        Station::Appended | Station::Refused(_) => one_of(&[Station::Begun]),
        Station::SentTo(_) => one_of(&[Station::Appended]),
        Station::Replicated(id) => one_of(&[Station::SentTo(*id)]),
        Station::Confirmed(id) => one_of(&[Station::Replicated(*id)]),
        Station::Committed | Station::Lost(_) => one_of(&[Station::Appended]),
        Station::Answered(_) if trace.acks == -1 => {
            one_of(&[Station::Committed]).or_else(|| one_of(&[Station::Appended]))
        }
        Station::Answered(_) => one_of(&[Station::Appended]),
        Station::Acknowledged => {
            let answered = trace.steps.iter().find(|seen| matches!(seen.station, Station::Answered(_)));
            answered.map(|seen| after_ms(trace, seen)).or_else(|| one_of(&[Station::Appended]))
        }
        Station::Fetched { .. } => one_of(&[Station::Committed]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(acks: i16, steps: &[(u64, Station)]) -> Trace {
        let steps = steps.iter().map(|(ms, station)| Step {
            at: Duration::from_millis(100 + ms),
            node_id: 1,
            station: station.clone(),
        });
        Trace { acks, leader: 1, isr: vec![1, 2, 3], last_offset: 2, steps: steps.collect(), ..Trace::default() }
    }

    fn said(acks: i16, steps: &[(u64, Station)]) -> String {
        verdict(&trace(acks, steps), |ms| format!("{ms} ms"))
    }

    #[test]
    fn what_came_of_it_is_said_by_what_was_seen() {
        use Station::*;
        let begin = [(0, Arrived), (0, Begun), (1, Appended)];
        let with = |more: &[(u64, Station)]| [&begin[..], more].concat();
        assert_eq!(said(-1, &begin), "In the leader's log; it waits for broker 2 and broker 3.");
        let all = with(&[(3, Confirmed(2)), (4, Confirmed(3)), (4, Committed), (4, Answered(0)), (5, Acknowledged)]);
        assert_eq!(
            said(-1, &all),
            "Acknowledged after 5 ms; 3 ms of that until it was committed, on 3 replicas in sync."
        );
        let early = with(&[(1, Answered(0)), (2, Acknowledged), (3, Confirmed(2))]);
        assert_eq!(said(1, &early), "Acknowledged after 2 ms, but not committed yet: it waits for broker 3.");
        let later = [&early[..], &[(9, Confirmed(3)), (9, Committed)]].concat();
        assert!(said(1, &later).starts_with("Acknowledged after 2 ms, 7 ms before it was committed: with acks=1"));
        let late = with(&[(900, Answered(7)), (900, Acknowledged)]);
        assert!(said(-1, &late).contains("not acknowledged: REQUEST_TIMED_OUT"), "{}", said(-1, &late));
        let refused = [(0, Arrived), (1, Refused(19)), (1, Answered(19)), (2, Acknowledged)];
        assert_eq!(said(-1, &refused), "Refused with NOT_ENOUGH_REPLICAS: nothing of it is in the log.");
        let unheard = with(&[(2, Acknowledged), (3, Confirmed(2)), (3, Confirmed(3)), (4, Committed)]);
        assert_eq!(said(0, &unheard), "Committed after 4 ms; with acks=0 the producer is told nothing.");
        let lost = [&early[..], &[(1500, Lost(1))]].concat();
        assert_eq!(said(1, &lost), "Acknowledged, and then lost (acks=1): broker 1 leads without it after 1500 ms.");
        assert!(said(0, &with(&[(2, Acknowledged), (9, Lost(1))])).starts_with("Lost (acks=0)"));
        let times = |trace: &Trace| trace.steps.iter().map(|step| since_ms(trace, step)).collect::<Vec<_>>();
        let expected = [None, Some(0.0), Some(0.0), None, None, Some(1.0), Some(4.0), Some(4.0)];
        assert_eq!(times(&trace(-1, &all)), expected);
        assert_eq!(times(&trace(1, &later))[3..5], [Some(1.0), Some(1.0)], "acks=1 waits for nobody");
    }
}
