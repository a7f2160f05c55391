//! A group's rebalances as a play: for each generation who was there with what, who came and went before it and why, and what moved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::metadata::report::{MemberChange, MemberIdentity, MemberReport};
use broker::types::TopicPartition;
use egui::{Align, Layout, Ui};

use crate::monitor::groups::theatre::{Generation, Moved, Play, moved};
use crate::monitor::names;
use crate::monitor::snapshot::Group;
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::card;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::roster::{self, Line, Slot};
use crate::ui::widgets::steps::{Step, steps};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The generation that is looked at; `None`: the newest.
    chosen: Option<i64>,
    lines: Cached<(Arc<str>, i64, usize, usize), Stage>,
}

/// A generation as it is shown.
#[derive(Debug, Default, PartialEq)]
struct Stage {
    heads: Vec<(String, i32)>,
    lines: Vec<Line>,
    moved: Vec<Moved>,
    left_out: (usize, usize),
}

/// Members that are shown of a generation, and who came and went.
const MEMBERS_MAX: usize = 60;
const NEWS_MAX: usize = 12;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    let Some(play) = scene.model.view.plays(&group.id).filter(|play| !play.generations.is_empty()) else {
        card(ui, |ui| {
            let style = palette(ui);
            text::label(ui, "No rebalance was seen yet", font::heading(), style.text);
            let words =
                "Members that join make one; it is kept from then on. A group that only commits offsets has none.";
            text::paragraph(ui, words, font::body(), style.muted);
        });
        return;
    };
    let last = play.generations.len() - 1;
    let found = state.chosen.and_then(|at_ms| play.generations.iter().position(|one| one.at_ms == at_ms));
    let index = found.unwrap_or(last);
    let mut wanted = None;
    card(ui, |ui| {
        wanted = timeline(ui, scene, group, &play, index);
        words(ui, scene, group, &play, index, actions);
    });
    card(ui, |ui| stage(ui, state, group, &play, index));
    if let Some(wanted) = wanted {
        state.chosen = (wanted != last).then(|| play.generations[wanted].at_ms);
    }
}

fn counter(kind: &str) -> &'static str {
    if kind == "classic" { "Generation" } else { "Epoch" }
}

fn timeline(ui: &mut Ui, scene: &Scene<'_>, group: &Group, play: &Play, index: usize) -> Option<usize> {
    let style = palette(ui);
    let last = play.generations.len() - 1;
    let mut wanted = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let one = &play.generations[index];
        let title = format!("{} {}", counter(group.kind), one.number);
        text::label(ui, &title, font::heading(), style.text);
        if let Some((since_ms, _)) = &play.rebalancing {
            Pill::new(Mood::Busy, Icon::Clock, "Rebalancing").show(ui);
            let words = format!("since {}", format::clock(*since_ms, scene.options.utc_offset_minutes));
            text::label(ui, &words, font::small(), style.muted);
        } else if index == last {
            Pill::new(Mood::Quiet, Icon::Info, "Newest").show(ui);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let next = Button::icon(Icon::Forward, "Next generation").small().enabled(index < last);
            if next.show(ui).clicked() {
                wanted = Some(index + 1);
            }
            let before = Button::icon(Icon::Back, "Generation before").small().enabled(index > 0);
            if before.show(ui).clicked() {
                wanted = Some(index - 1);
            }
            let words = format!("{} of {} kept", index + 1, last + 1);
            text::label(ui, &words, font::small(), style.faint);
        });
    });
    let all: Vec<Step> = play
        .generations
        .iter()
        .map(|one| Step {
            number: one.number.to_string(),
            name: format!(
                "{} {}, {}, {}",
                counter(group.kind),
                one.number,
                format::clock(one.at_ms, scene.options.utc_offset_minutes),
                format::plural(one.members.len(), "member")
            ),
            mood: if one.news.iter().any(|news| is_bad(&news.change)) { Mood::Warning } else { Mood::Quiet },
        })
        .collect();
    wanted.or(steps(ui, &all, index))
}

fn words(ui: &mut Ui, scene: &Scene<'_>, group: &Group, play: &Play, index: usize, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let zone = scene.options.utc_offset_minutes;
    let one = &play.generations[index];
    let took = match (one.took_ms(), one.settled_ms) {
        (Some(took_ms), _) => format!("it took {} until all had their partitions", format::millis(took_ms as f64)),
        (None, None) if one.began_ms.is_some() => "not all have their partitions yet".to_owned(),
        _ => "how it came about was not seen".to_owned(),
    };
    let words = format!(
        "{} · {} · {} · coordinator {}",
        format::clock_ms(one.began_ms.unwrap_or(one.at_ms), zone),
        took,
        if one.protocol.is_empty() { "no assignor" } else { &one.protocol },
        one.coordinator
    );
    text::label(ui, &words, font::small(), style.muted);
    if !one.cause.is_empty() {
        text::label(ui, &format!("Why: {}.", cause(one)), font::body(), style.text);
    }
    if one.news.is_empty() && one.began_ms.is_some() {
        let words = match group.kind {
            "classic" => "Nobody came or went.",
            _ => "Nobody came or went: its topics or their partitions changed.",
        };
        text::label(ui, words, font::body(), style.muted);
    }
    for news in one.news.iter().take(NEWS_MAX) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            change_pill(&news.change).show(ui);
            text::label(ui, called(&news.member), font::body(), style.text).on_hover_text(&news.member.member_id);
            text::label(ui, &why(&news.change), font::body(), style.muted);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                text::label(ui, &format::clock_ms(news.at_ms, zone), font::small(), style.faint);
                text::label(ui, &news.member.client_host, font::mono(), style.faint);
            });
        });
    }
    if one.news.len() > NEWS_MAX {
        text::label(ui, &format!("and {} more", one.news.len() - NEWS_MAX), font::small(), style.faint);
    }
    if one.coordinator >= 0 {
        let name = "Log of its coordinator then";
        if Button::new(name).small().with_icon(Icon::Logs).show(ui).clicked() {
            actions.push(Action::OpenLogs { node_id: one.coordinator, at_ms: one.at_ms });
        }
    }
}

fn called(member: &MemberIdentity) -> &str {
    names::member(member.instance_id.as_deref(), &member.client_id, &member.member_id)
}

/// Why a generation came about, with members by the names that people gave them.
fn cause(one: &Generation) -> String {
    let came = one.news.iter().map(|news| (&news.member.member_id, called(&news.member)));
    let stayed = one.members.iter().map(|member| (&member.member_id, name(member)));
    let named = came.chain(stayed).find(|(id, _)| !id.is_empty() && one.cause.contains(id.as_str()));
    named.map_or_else(|| one.cause.clone(), |(id, name)| one.cause.replace(id.as_str(), name))
}

fn name(member: &MemberReport) -> &str {
    names::member(member.instance_id.as_deref(), &member.client_id, &member.member_id)
}

fn is_bad(change: &MemberChange) -> bool {
    use MemberChange::{NotRejoined, NotRevoked, NotSynced, SessionExpired};
    matches!(change, SessionExpired | NotRejoined | NotSynced | NotRevoked)
}

fn change_pill(change: &MemberChange) -> Pill {
    match change {
        MemberChange::Joined => Pill::new(Mood::Good, Icon::Plus, "Joined"),
        MemberChange::Replaced { .. } => Pill::new(Mood::Good, Icon::Heal, "Came back"),
        MemberChange::Resubscribed => Pill::new(Mood::Busy, Icon::Settings, "Other topics"),
        MemberChange::Left { .. } | MemberChange::LeftForAWhile => Pill::new(Mood::Quiet, Icon::Minus, "Left"),
        MemberChange::SessionExpired => Pill::new(Mood::Warning, Icon::Clock, "Session expired"),
        MemberChange::NotRejoined => Pill::new(Mood::Warning, Icon::Clock, "Did not rejoin"),
        MemberChange::NotSynced => Pill::new(Mood::Warning, Icon::Clock, "Did not sync"),
        MemberChange::NotRevoked => Pill::new(Mood::Warning, Icon::Clock, "Did not revoke"),
    }
}

fn why(change: &MemberChange) -> String {
    match change {
        MemberChange::Joined => String::new(),
        MemberChange::Replaced { member_id } => {
            format!("a static member; it was {} before", format::shortened(member_id, 24))
        }
        MemberChange::Resubscribed => "it subscribes to other topics, or offers other assignors".into(),
        MemberChange::Left { reason } if reason.is_empty() => "by its own word".into(),
        MemberChange::Left { reason } => reason.clone(),
        MemberChange::LeftForAWhile => "a static member, whose partitions are kept until its session ends".into(),
        MemberChange::SessionExpired => "no heartbeat for as long as session.timeout.ms".into(),
        MemberChange::NotRejoined => "it did not join again within max.poll.interval.ms".into(),
        MemberChange::NotSynced => "it did not ask for its assignment in time".into(),
        MemberChange::NotRevoked => "it did not give up its partitions in time".into(),
    }
}

fn stage(ui: &mut Ui, state: &mut State, group: &Group, play: &Play, index: usize) {
    let style = palette(ui);
    let one = &play.generations[index];
    let before = index.checked_sub(1).map(|before| &play.generations[before]);
    let room = roster::fits(ui);
    // A generation that is not settled is told anew under the same number.
    let key = (Arc::clone(&group.id), one.at_ms, Arc::as_ptr(one) as usize, room);
    let shown = state.lines.get(key, || make_stage(before.map(|before| &**before), one, room));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let title = format!("{}, {}", format::plural(one.members.len(), "member"), held(one));
        text::label(ui, &title, font::heading(), style.text);
        if before.is_some() {
            let words = match shown.moved.len() {
                0 => "Nothing moved.".to_owned(),
                some => format!("{} moved.", format::plural(some, "partition")),
            };
            text::label(ui, &words, font::body(), style.muted);
        }
    });
    roster::roster(ui, &shown.heads, &shown.lines);
    ui.add_space(space::S);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for slot in [Slot::Kept, Slot::Gained, Slot::Lost, Slot::Coming, Slot::Going] {
            if shown.lines.iter().any(|line| line.slots.contains(&slot)) {
                roster::sample(ui, slot);
                text::label(ui, roster::words(slot), font::small(), style.muted);
                ui.add_space(space::S);
            }
        }
    });
    let (partitions, members) = shown.left_out;
    if partitions + members > 0 {
        let words = format!(
            "Without {} and {}, for which there is no room; what moved comes first.",
            format::plural(partitions, "partition"),
            format::plural(members, "member")
        );
        text::label(ui, &words, font::small(), style.muted);
    }
}

fn held(one: &Generation) -> String {
    let held: BTreeSet<&TopicPartition> = one.members.iter().flat_map(|member| &member.assignment).collect();
    format::plural(held.len(), "partition")
}

fn make_stage(before: Option<&Generation>, one: &Generation, room: usize) -> Stage {
    let moved = before.map(|before| moved(before, one)).unwrap_or_default();
    let targets = one.members.iter().filter_map(|member| member.target.as_ref()).flatten();
    let all: BTreeSet<&TopicPartition> = one
        .members
        .iter()
        .flat_map(|member| &member.assignment)
        .chain(targets)
        .chain(before.into_iter().flat_map(|before| before.members.iter()).flat_map(|member| &member.assignment))
        .collect();
    let count = all.len();
    let mut kept: Vec<&TopicPartition> = if count > room {
        let first: BTreeSet<&TopicPartition> = moved.iter().map(|one| &one.partition).collect();
        let rest = all.iter().copied().filter(|partition| !first.contains(partition));
        first.iter().copied().chain(rest).take(room).collect()
    } else {
        all.into_iter().collect()
    };
    kept.sort_unstable();
    let places: BTreeMap<&TopicPartition, usize> = kept.iter().enumerate().map(|(place, one)| (*one, place)).collect();
    let was: BTreeMap<&str, &MemberReport> = before
        .into_iter()
        .flat_map(|before| before.members.iter())
        .map(|member| (&*member.member_id, member))
        .collect();
    let is: BTreeSet<&str> = one.members.iter().map(|member| &*member.member_id).collect();
    let mut lost: BTreeMap<&str, Vec<&TopicPartition>> = BTreeMap::new();
    for moved in &moved {
        if let Some(from) = &moved.from {
            lost.entry(from).or_default().push(&moved.partition);
        }
    }
    let gained: BTreeSet<(&str, &TopicPartition)> =
        moved.iter().filter_map(|moved| Some((moved.to.as_deref()?, &moved.partition))).collect();
    let gone = was.values().copied().filter(|member| !is.contains(&*member.member_id));
    let members: Vec<(&MemberReport, bool)> =
        one.members.iter().map(|member| (member, false)).chain(gone.map(|member| (member, true))).collect();
    let mut lines: Vec<Line> = members
        .iter()
        .map(|(member, is_gone)| {
            let mut slots = vec![Slot::Empty; kept.len()];
            let mut set = |partition: &TopicPartition, slot: Slot| {
                if let Some(place) = places.get(partition) {
                    slots[*place] = slot;
                }
            };
            let id: &str = &member.member_id;
            for partition in lost.get(id).into_iter().flatten() {
                set(partition, Slot::Lost);
            }
            if !is_gone {
                let target = member.target.as_ref().map(|target| target.iter().collect::<BTreeSet<_>>());
                for partition in &member.assignment {
                    let goes = target.as_ref().is_some_and(|target| !target.contains(partition));
                    let is_new = gained.contains(&(id, partition));
                    set(
                        partition,
                        if goes {
                            Slot::Going
                        } else if is_new {
                            Slot::Gained
                        } else {
                            Slot::Kept
                        },
                    );
                }
                let has: BTreeSet<&TopicPartition> = member.assignment.iter().collect();
                for partition in target.into_iter().flatten().filter(|partition| !has.contains(partition)) {
                    set(partition, Slot::Coming);
                }
            }
            line(one, member, *is_gone, slots, before.is_some() && !was.contains_key(id))
        })
        .collect();
    let left_out = (count - kept.len(), lines.len().saturating_sub(MEMBERS_MAX));
    lines.truncate(MEMBERS_MAX);
    let heads = kept.iter().map(|one| (one.topic.to_string(), one.partition)).collect();
    Stage { heads, lines, moved, left_out }
}

fn line(one: &Generation, member: &MemberReport, is_gone: bool, slots: Vec<Slot>, is_new: bool) -> Line {
    let name = name(member).to_owned();
    let behind = member.epoch > 0 && member.epoch < one.number;
    let note = match (is_gone, is_new) {
        (true, _) => "gone".to_owned(),
        (_, true) => "new".to_owned(),
        _ if behind => format!("still in epoch {}", member.epoch),
        _ if member.assignment.is_empty() => "has nothing".to_owned(),
        _ => member.client_host.clone(),
    };
    let mut of: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in member.assignment.iter().filter(|_| !is_gone) {
        of.entry(&partition.topic).or_default().push(partition.partition);
    }
    let has: Vec<String> = of.into_iter().map(|(topic, ids)| format!("{topic} {}", format::ids(&ids))).collect();
    let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
    Line { spoken: format!("{name}, {note}: {has}"), name, note, is_gone, slots }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, held: &[i32], target: Option<&[i32]>) -> MemberReport {
        let all = |ids: &[i32]| ids.iter().map(|id| TopicPartition::new("t", *id)).collect();
        MemberReport {
            member_id: id.into(),
            client_id: id.into(),
            assignment: all(held),
            target: target.map(all),
            ..MemberReport::default()
        }
    }

    fn of(number: i32, members: Vec<MemberReport>) -> Generation {
        Generation { number, members: members.into(), ..Generation::default() }
    }

    #[test]
    fn what_moved_has_shapes_of_its_own() {
        let before = of(1, vec![member("a", &[0, 1], None), member("gone", &[2], None)]);
        let after = of(2, vec![member("a", &[0], None), member("b", &[1, 2], None)]);
        let stage = make_stage(Some(&before), &after, 100);
        let slots: Vec<&[Slot]> = stage.lines.iter().map(|line| &line.slots[..]).collect();
        use Slot::{Empty, Gained, Kept, Lost};
        assert_eq!(slots, [&[Kept, Lost, Empty][..], &[Empty, Gained, Gained], &[Empty, Empty, Lost]]);
        assert_eq!((stage.moved.len(), stage.left_out), (2, (0, 0)));
        assert_eq!(stage.lines[1].spoken, "b, new: t 1, 2");
        assert_eq!(stage.lines[2].spoken, "gone, gone: nothing");
    }

    #[test]
    fn the_cause_names_members_as_people_do() {
        let mut one = of(2, vec![member("app-1-5b0c", &[0], None)]);
        one.cause = "member app-1-5b0c left".into();
        let members = [MemberReport { client_id: "app-1".into(), ..one.members[0].clone() }];
        one.members = members.into();
        assert_eq!(cause(&one), "member app-1 left");
        one.cause = "a topic grew".into();
        assert_eq!(cause(&one), "a topic grew");
    }

    #[test]
    fn what_is_on_its_way_is_told() {
        let now = of(3, vec![member("a", &[0, 1], Some(&[0])), member("b", &[], Some(&[1]))]);
        let stage = make_stage(None, &now, 100);
        assert_eq!(stage.lines[0].slots, [Slot::Kept, Slot::Going]);
        assert_eq!(stage.lines[1].slots, [Slot::Empty, Slot::Coming]);
    }

    #[test]
    fn without_room_what_moved_is_kept() {
        let all: Vec<i32> = (0..100).collect();
        let before = of(1, vec![member("a", &all, None)]);
        let after = of(2, vec![member("a", &all[..99], None), member("b", &[99], None)]);
        let stage = make_stage(Some(&before), &after, 10);
        assert_eq!((stage.heads.len(), stage.left_out), (10, (90, 0)));
        assert!(stage.heads.contains(&("t".into(), 99)));
    }
}
