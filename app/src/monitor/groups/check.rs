//! Whether a group's partitions are well spread over its members: who is idle, who has more than others, and what helps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::monitor::names;
use crate::monitor::snapshot::{AssignedPartition, Group, Member, Topic};

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether all is well.
    pub is_good: bool,
    /// What.
    pub text: String,
    /// What helps; empty where nothing need be done.
    pub advice: String,
}

impl Finding {
    fn good(text: String) -> Finding {
        Finding { is_good: true, text, advice: String::new() }
    }

    fn bad(text: String, advice: &str) -> Finding {
        Finding { is_good: false, text, advice: advice.into() }
    }
}

/// How a member is called.
pub fn name(member: &Member) -> &str {
    names::member(member.instance_id.as_deref(), &member.client_id, &member.id)
}

/// What is to be said of a group's assignment; nothing while it has no members or rebalances.
pub fn check(group: &Group, topics: &[Arc<Topic>]) -> Vec<Finding> {
    if group.members.is_empty() || group.state != "Stable" {
        return Vec::new();
    }
    // Connect's workers and the like share out other things than partitions: their group tells of no topics.
    if group.members.iter().all(|member| member.topics.is_empty() && member.assignment.is_empty()) {
        return Vec::new();
    }
    let read = read(group, topics);
    let mut findings = Vec::new();
    if read.is_empty() {
        let text = "None of the topics that its members read exists.";
        findings.push(Finding::bad(text.into(), "Create the topics, or mend the subscriptions."));
        return findings;
    }
    if group.kind == "share" {
        findings.extend(share(group));
    } else {
        findings.extend(spread(group, read.len()));
        findings.extend(by_topic(group, &read));
        findings.extend(unread(group, &read));
    }
    findings.extend(one_zone(group));
    findings
}

/// All partitions that somebody reads or is to read.
fn read(group: &Group, topics: &[Arc<Topic>]) -> BTreeSet<AssignedPartition> {
    let held = group.members.iter().flat_map(|member| member.assignment.iter().cloned());
    let mut read: BTreeSet<AssignedPartition> = held.collect();
    let named: BTreeSet<&Arc<str>> = group.members.iter().flat_map(|member| &member.topics).collect();
    for topic in topics.iter().filter(|topic| named.contains(&topic.name)) {
        let partition = |known: &crate::monitor::snapshot::Partition| AssignedPartition {
            topic: topic.name.clone(),
            partition: known.id,
        };
        read.extend(topic.partitions.iter().map(partition));
    }
    read
}

fn members(count: usize) -> String {
    names::count(count as i64, "member", "members")
}

fn partitions(count: usize) -> String {
    names::count(count as i64, "partition", "partitions")
}

/// `a`, `a and b`, `a, b and 3 more`.
fn listed(all: &[&Member]) -> String {
    match all {
        [] => String::new(),
        [one] => name(one).into(),
        [one, other] => format!("{} and {}", name(one), name(other)),
        [one, other, more @ ..] => format!("{}, {} and {} more", name(one), name(other), more.len()),
    }
}

fn spread(group: &Group, all: usize) -> Vec<Finding> {
    let count = group.members.len();
    let is_one_subscription = group.members.windows(2).all(|pair| pair[0].topics == pair[1].topics);
    let idle: Vec<&Member> = group.members.iter().filter(|member| member.assignment.is_empty()).collect();
    let of = format!("{} for {}", members(count), partitions(all));
    if !idle.is_empty() {
        let be = if idle.len() == 1 { "is" } else { "are" };
        let text = format!("{of}: {} {be} idle.", listed(&idle));
        let advice = if count > all {
            "A partition is read by one member at a time. Give the topic more partitions, or take consumers away."
        } else if is_one_subscription {
            "There is a partition for each: look at the assignor, and at how members name the topics."
        } else {
            "Its topics are read by others: see what it subscribes to."
        };
        return vec![Finding::bad(text, advice)];
    }
    let sizes = || group.members.iter().map(|member| member.assignment.len());
    let (least, most) = (sizes().min().unwrap_or(0), sizes().max().unwrap_or(0));
    if least == most {
        return vec![Finding::good(format!("{of}: each has {least}."))];
    }
    let text = format!("{of}: some have {most}, others {least}.");
    let advice = if !is_one_subscription {
        "Its members do not read the same topics, so that this may be as even as it can be."
    } else if most - least > 1 {
        "It could be more even: of the assignors, cooperative-sticky and roundrobin look at all topics together, range at each by itself."
    } else {
        "It cannot be more even: take a number of members that divides the partitions."
    };
    vec![Finding::bad(text, advice)]
}

/// Range gives the same members more of each topic.
fn by_topic(group: &Group, read: &BTreeSet<AssignedPartition>) -> Vec<Finding> {
    let mut sizes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for partition in read {
        *sizes.entry(&partition.topic).or_default() += 1;
    }
    if sizes.len() < 2 {
        return Vec::new();
    }
    let alone = sizes.iter().filter(|(topic, size)| {
        let mine = |member: &&Member| member.assignment.iter().filter(|held| held.topic == ***topic).count() == **size;
        **size > 1 && group.members.len() > 1 && group.members.iter().any(|member| mine(&member))
    });
    let alone: Vec<&str> = alone.map(|(topic, _)| &***topic).collect();
    match alone.as_slice() {
        [] => Vec::new(),
        all => {
            let text = format!("All of {} is read by one member.", all.join(", "));
            vec![Finding::bad(
                text,
                "If that topic is the busy one, the others cannot help: roundrobin spreads each topic.",
            )]
        }
    }
}

fn unread(group: &Group, read: &BTreeSet<AssignedPartition>) -> Vec<Finding> {
    let held: BTreeSet<&AssignedPartition> = group.members.iter().flat_map(|member| &member.assignment).collect();
    let unread: Vec<&AssignedPartition> = read.iter().filter(|partition| !held.contains(partition)).collect();
    match unread.as_slice() {
        [] => Vec::new(),
        [first, more @ ..] => {
            let rest = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            let text = format!("Nobody reads {}-{}{rest}.", first.topic, first.partition);
            vec![Finding::bad(
                text,
                "Members find new partitions when they refresh their metadata (metadata.max.age.ms).",
            )]
        }
    }
}

fn share(group: &Group) -> Vec<Finding> {
    let idle: Vec<&Member> = group.members.iter().filter(|member| member.assignment.is_empty()).collect();
    if idle.is_empty() {
        let text = format!("Each of {} has partitions to take records from.", members(group.members.len()));
        return vec![Finding::good(text)];
    }
    let be = if idle.len() == 1 { "has" } else { "have" };
    let text = format!("{} {be} no partition to take records from.", listed(&idle));
    vec![Finding::bad(text, "Members of a share group share partitions: see what these subscribe to.")]
}

fn one_zone(group: &Group) -> Vec<Finding> {
    // Clients of the classic protocol that have no rack tell an empty one.
    let rack = |rack: &Option<String>| rack.clone().filter(|rack| !rack.is_empty());
    let racks: Option<BTreeSet<String>> = group.members.iter().map(|member| rack(&member.rack_id)).collect();
    match racks {
        Some(racks) if racks.len() == 1 && group.members.len() > 1 => {
            let zone = racks.into_iter().next().unwrap_or_default();
            let text = format!("All members are in zone {zone}.");
            vec![Finding::bad(text, "If that zone fails, nobody reads: run a member in another one.")]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::snapshot::Partition;

    fn topic(name: &str, partitions: i32) -> Arc<Topic> {
        let partition = |id| Partition { id, ..Partition::default() };
        Arc::new(Topic { partitions: (0..partitions).map(partition).collect(), ..Topic::named(name) })
    }

    /// Members by what they have: `t0 t1`.
    fn group(kind: &'static str, held: &[&str]) -> Group {
        let member = |(index, held): (usize, &&str)| Member {
            client_id: format!("c{index}"),
            topics: vec!["t".into()],
            assignment: held
                .split_whitespace()
                .map(|one| AssignedPartition { topic: one[..1].into(), partition: one[1..].parse().unwrap() })
                .collect(),
            ..Member::default()
        };
        let members = held.iter().enumerate().map(member).collect();
        Group { state: "Stable", members, ..Group::of_kind(kind) }
    }

    fn said(group: &Group, topics: &[Arc<Topic>]) -> Vec<(bool, String)> {
        check(group, topics).into_iter().map(|found| (found.is_good, found.text)).collect()
    }

    #[test]
    fn the_seeds_cases() {
        let topics = [topic("t", 3)];
        for (what, held, is_good, text, advice) in [
            ("GOOD 3:3", &["t0", "t1", "t2"][..], true, "3 members for 3 partitions: each has 1.", ""),
            (
                "BAD 2 for 3",
                &["t0 t1", "t2"],
                false,
                "2 members for 3 partitions: some have 2, others 1.",
                "It cannot be more even: take a number of members that divides the partitions.",
            ),
            (
                "BAD 4 for 3",
                &["t0", "t1", "t2", ""],
                false,
                "4 members for 3 partitions: c3 is idle.",
                "A partition is read by one member at a time. Give the topic more partitions, or take consumers away.",
            ),
        ] {
            let found = check(&group("classic", held), &topics);
            assert_eq!(found, [Finding { is_good, text: text.into(), advice: advice.into() }], "{what}");
        }
    }

    #[test]
    fn what_else_can_be_wrong() {
        let topics = [topic("t", 4), topic("u", 2)];
        let uneven = group("consumer", &["t0 t1 t2", "t3"]);
        assert!(check(&uneven, &topics)[0].advice.starts_with("It could be more even"));
        let unread = group("classic", &["t0", "t1"]);
        let nobody = (false, "Nobody reads t-2 and 1 more.".to_owned());
        assert!(said(&unread, &topics).contains(&nobody));
        let mut both = group("classic", &["t0 t1 u0 u1", "t2 t3"]);
        both.members.iter_mut().for_each(|member| member.topics.push("u".into()));
        assert!(said(&both, &topics).contains(&(false, "All of u is read by one member.".into())));
        let mut zoned = group("consumer", &["t0 t1", "t2 t3"]);
        zoned.members.iter_mut().for_each(|member| member.rack_id = Some("a".into()));
        assert_eq!(said(&zoned, &topics)[1], (false, "All members are in zone a.".into()));
        zoned.members[0].rack_id = None;
        assert_eq!(said(&zoned, &topics).len(), 1, "who does not tell may be anywhere");
        zoned.members.iter_mut().for_each(|member| member.rack_id = Some(String::new()));
        assert_eq!(said(&zoned, &topics).len(), 1, "an empty rack tells nothing");
        let mut nothing = group("classic", &["", ""]);
        nothing.members.iter_mut().for_each(|member| member.topics = vec!["x".into()]);
        assert_eq!(said(&nothing, &[])[0].1, "None of the topics that its members read exists.");
        nothing.members.iter_mut().for_each(|member| member.topics.clear());
        assert_eq!(said(&nothing, &[]), [], "workers of Connect share out no partitions");
        let share = group("share", &["t0 t1", "t0 t1", ""]);
        assert_eq!(said(&share, &topics), [(false, "c2 has no partition to take records from.".into())]);
    }

    #[test]
    fn a_group_on_its_way_is_not_judged() {
        let topics = [topic("t", 3)];
        let group = Group { state: "PreparingRebalance", ..group("classic", &["t0", ""]) };
        assert_eq!(check(&group, &topics), []);
        assert_eq!(check(&Group { state: "Stable", ..Group::of_kind("classic") }, &topics), []);
    }
}
