//! Who is in the quorum: voters, then those that follow it; the elections that a member's log tells of, and its snapshots.

use egui::Ui;

use super::{page, side_by_side};
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::names::{is_controller, node, nodes};
use crate::monitor::quorum::{LogFindings, LogWish};
use crate::monitor::snapshot::Snapshot;
use crate::ui::app::{Action, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::commands::objects::{self, Object};
use crate::ui::format;
use crate::ui::model::{Cached, node_pill};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::empty;
use crate::ui::widgets::field;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Whose files are looked at; without one, the active controller's.
    pub chosen: Option<i32>,
    /// Of the table of members.
    pub table: TableState,
    asked: Asked,
    rows: Cached<u64, Vec<Member>>,
    elections: TableState,
    snapshots: TableState,
}

/// A member as a row.
#[derive(Clone, Debug, PartialEq)]
struct Member {
    id: i32,
    role: Pill,
    state: Pill,
    log_end_offset: i64,
    /// Behind the leader; `None`: there is no leader, or it is not running.
    behind: Option<i64>,
    fetched_ago_ms: Option<i64>,
    /// Of controllers.
    epoch: Option<i32>,
    voted_for: Option<i32>,
}

const COLUMNS: [Column; 8] = [
    Column::text("Member", 124.0, 0.6).unsorted(),
    Column::text("Role", 116.0, 0.4)
        .help("Voters elect the leader and acknowledge records; observers only follow the log")
        .unsorted(),
    Column::text("State", 104.0, 0.4).unsorted(),
    Column::text("Log end offset", 150.0, 1.6).help("How far each log is; the bar shows the last part only").unsorted(),
    Column::number("Behind", 64.0, 0.3).help("Records that the leader has and this member has not").unsorted(),
    Column::number("Fetched", 84.0, 0.3).help("How long ago it last fetched, as the leader tells").unsorted(),
    Column::number("Epoch", 54.0, 0.2).help("The quorum's epoch that it is in").unsorted(),
    Column::number("Voted for", 72.0, 0.2).help("Whom it gave its vote in that epoch").unsorted(),
];

const ELECTIONS: [Column; 5] = [
    Column::number("Epoch", 52.0, 0.2).unsorted(),
    Column::text("Leader", 112.0, 0.4).unsorted(),
    Column::text("Votes", 140.0, 1.0).help("Who voted for the leader, of those that could").unsorted(),
    Column::number("From offset", 84.0, 0.3).help("The first record that it wrote").unsorted(),
    Column::text("When", 90.0, 0.4).help("By the leader's clock").unsorted(),
];

const SNAPSHOTS: [Column; 4] = [
    Column::number("Up to offset", 90.0, 0.4).help("All records below are in it").unsorted(),
    Column::number("Epoch", 52.0, 0.2).unsorted(),
    Column::number("Size", 72.0, 0.3).unsorted(),
    Column::text("Holds all until", 100.0, 0.5).help("When its last record was written").unsorted(),
];

/// Rows of members in sight before the table scrolls.
const MEMBERS_SHOWN: usize = 9;
/// Rows of elections and snapshots in sight.
const ROWS_SHOWN: usize = 6;
/// What is looked at of a log for this panel: none of its records.
const NOTHING: i64 = 0;
/// A member that lacks so many records is late; a few are always on their way.
const LATE_RECORDS: i64 = 20;
/// An observer that fetched no more for so long is late, ms.
const LATE_MS: i64 = 5_000;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    let members = state.rows.get(scene.model.generation, || members(snapshot)).clone();
    let chosen = state.chosen.filter(|id| members.iter().any(|member| member.id == *id));
    let leader = Some(snapshot.quorum.leader_id).filter(|id| *id >= 0);
    let chosen = chosen.or(leader).or_else(|| members.first().map(|member| member.id));
    let selected = members.iter().position(|member| Some(member.id) == chosen);
    page(ui, "quorum", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        framed(ui, |ui| overview(ui, scene, state, &members, selected, actions));
        if let Some(id) = chosen {
            files(ui, scene, state, id, actions);
        }
        card(ui, |ui| {
            let line = format!("kafka-metadata-quorum.sh --bootstrap-server {}", scene.model.bootstrap);
            field::command(ui, "The same by Kafka's tool", &format!("{line} describe --replication --human-readable"));
        });
    });
}

fn overview(
    ui: &mut Ui,
    scene: &Scene<'_>,
    state: &mut State,
    members: &[Member],
    selected: Option<usize>,
    actions: &mut Vec<Action>,
) {
    let table = Table {
        id: "quorum members",
        columns: &COLUMNS,
        rows: members.len(),
        row_height: size::ROW,
        max_height: Some(size::HEADER + size::ROW * members.len().min(MEMBERS_SHOWN) as f32),
        active: true,
        selected,
    };
    let (floor, top) = ends(members);
    let menu = |index: usize| objects::menu(&object(members[index].id), scene);
    let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
        let member = &members[index];
        row.strong(&node(member.id));
        row.pill(Some(&member.role));
        row.pill(Some(&member.state));
        let share = (member.log_end_offset - floor) as f32 / (top - floor).max(1) as f32;
        let mood = if member.behind.is_some_and(|behind| behind > LATE_RECORDS) { Mood::Busy } else { Mood::Quiet };
        row.bar(share, &format::count(member.log_end_offset), mood);
        row.text(&member.behind.map_or_else(String::new, format::count));
        let late = member.fetched_ago_ms.is_some_and(|ago_ms| ago_ms > LATE_MS);
        let ago = member.fetched_ago_ms.map(|ago_ms| format!("{} ago", format::millis(ago_ms as f64)));
        row.toned(&ago.unwrap_or_default(), if late { Mood::Warning } else { Mood::Quiet });
        row.text(&member.epoch.map_or_else(String::new, |epoch| epoch.to_string()));
        row.text(&member.voted_for.map_or_else(String::new, |voted| voted.to_string()));
    });
    actions.extend(asked);
    if let Some(member) = pressed.and_then(|row| members.get(row)) {
        state.chosen = Some(member.id);
    }
}

fn object(id: i32) -> Object {
    if is_controller(id) { Object::Controller(id) } else { Object::Broker(id) }
}

/// Between which offsets bars stand: from a little below the last member's end to the first's.
fn ends(members: &[Member]) -> (i64, i64) {
    let all = || members.iter().map(|member| member.log_end_offset);
    let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
    ((least - (most - least).max(9) - 1).max(0), most)
}

fn members(snapshot: &Snapshot) -> Vec<Member> {
    let quorum = &snapshot.quorum;
    let leader = quorum.voters.iter().find(|voter| voter.id == quorum.leader_id);
    let behind = |end: i64| leader.map(|leader| (leader.log_end_offset - end).max(0));
    let voters = quorum.voters.iter().map(|voter| {
        let is_up = voter.role != "offline";
        Member {
            id: voter.id,
            role: role_pill(&voter.role),
            state: node_pill(voter.state, false),
            log_end_offset: voter.log_end_offset,
            behind: behind(voter.log_end_offset).filter(|_| is_up),
            fetched_ago_ms: voter.fetched_ago_ms.filter(|_| is_up),
            epoch: is_up.then_some(voter.epoch),
            voted_for: Some(voter.voted_for).filter(|voted| is_up && *voted >= 0),
        }
    });
    let known = |id: i32| quorum.voters.iter().any(|voter| voter.id == id);
    let observers = quorum.observers.iter().filter(|observer| !known(observer.id)).map(|observer| {
        let broker = snapshot.brokers.iter().find(|broker| broker.id == observer.id);
        Member {
            id: observer.id,
            role: Pill::new(Mood::Quiet, Icon::Search, "Observer"),
            state: broker.map_or(Pill::new(Mood::Quiet, Icon::Info, "Unknown"), |one| node_pill(one.state, one.fenced)),
            log_end_offset: observer.log_end_offset,
            behind: behind(observer.log_end_offset),
            fetched_ago_ms: observer.fetched_ago_ms,
            epoch: None,
            voted_for: None,
        }
    });
    voters.chain(observers).collect()
}

fn role_pill(role: &str) -> Pill {
    match role {
        "leader" => Pill::new(Mood::Busy, Icon::Star, "Leader"),
        "follower" => Pill::new(Mood::Quiet, Icon::Check, "Follower"),
        "candidate" => Pill::new(Mood::Warning, Icon::Clock, "Candidate"),
        "prospective" => Pill::new(Mood::Warning, Icon::Clock, "Prospective"),
        "resigned" => Pill::new(Mood::Warning, Icon::Stop, "Resigned"),
        "observer" => Pill::new(Mood::Quiet, Icon::Search, "Observer"),
        "offline" => Pill::new(Mood::Critical, Icon::Critical, "Offline"),
        _ => Pill::new(Mood::Warning, Icon::Warning, "Unattached"),
    }
}

/// What stands in a member's files: its vote, elections, snapshots.
fn files(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, id: i32, actions: &mut Vec<Action>) {
    let query = Query::Quorum(LogWish { node_id: id, from: NOTHING, to: NOTHING });
    let findings = match state.asked.look(scene, &query, actions) {
        Answer::Waiting => {
            return empty(ui, Icon::Clock, "Reading its files…", "Its elections and snapshots stand there.");
        }
        Answer::Failed(why) => return empty(ui, Icon::Warning, "Its files cannot be read", &why),
        Answer::Found(_, findings) => findings,
    };
    let Findings::Quorum(found) = &*findings else { return };
    let room = ui.available_width() - space::M;
    let left = (room * 0.58).floor();
    side_by_side(ui, &[left, room - left], space::M, |ui, index| {
        let clock = (scene.model.now_ms(), scene.options.utc_offset_minutes);
        match index {
            0 => card(ui, |ui| elections(ui, &mut state.elections, id, found, clock)),
            _ => card(ui, |ui| snapshots(ui, &mut state.snapshots, id, found, clock)),
        };
    });
}

fn elections(ui: &mut Ui, table: &mut TableState, id: i32, found: &LogFindings, (now_ms, zone): (i64, i32)) {
    let style = palette(ui);
    text::label(ui, &format!("Elections in the log of {}", node(id).to_lowercase()), font::heading(), style.text);
    text::paragraph(ui, &written_down(found), font::small(), style.muted);
    let all = &found.outline.elections;
    if all.is_empty() {
        text::paragraph(ui, "Its log tells of none.", font::body(), style.muted);
        return;
    }
    let list = Table {
        id: "elections",
        columns: &ELECTIONS,
        rows: all.len(),
        row_height: size::ROW_DENSE,
        max_height: Some(size::HEADER + size::ROW_DENSE * all.len().min(ROWS_SHOWN) as f32),
        active: false,
        selected: None,
    };
    list.show(ui, table, |index, row| {
        let one = &all[all.len() - 1 - index];
        row.strong(&one.epoch.to_string());
        if one.leader_id < 0 {
            row.text("(cut away)");
            row.text("");
        } else {
            row.text(&node(one.leader_id));
            row.text(&format!("{} of {}", nodes(&one.granting), one.voters.len()));
            row.hint(|| format!("Who could vote: {}", nodes(&one.voters)));
        }
        row.text(&format::count(one.start_offset));
        row.text(&when(one.at_ms, now_ms));
        row.hint(|| format!("At {}", format::clock_ms(one.at_ms, zone)));
    });
}

/// `3 min ago`; nothing where no time is known.
fn when(at_ms: i64, now_ms: i64) -> String {
    match (at_ms, format::ago(now_ms, at_ms)) {
        (..0, _) => String::new(),
        (_, ago) if ago == "now" => ago,
        (_, ago) => format!("{ago} ago"),
    }
}

/// The vote as it stands in `quorum-state`.
fn written_down(found: &LogFindings) -> String {
    let Some(state) = &found.outline.state else {
        return "Its quorum-state file holds no vote yet.".into();
    };
    let leader = state.leader.map_or("no leader".to_owned(), |leader| format!("leader {leader}"));
    let vote = state.voted.map_or("no vote".to_owned(), |voted| format!("its vote for {}", voted.id));
    format!("Written down, so that a restart does not forget it: epoch {}, {leader}, {vote}.", state.epoch)
}

fn snapshots(ui: &mut Ui, table: &mut TableState, id: i32, found: &LogFindings, (now_ms, zone): (i64, i32)) {
    let style = palette(ui);
    text::label(ui, &format!("Snapshots of {}", node(id).to_lowercase()), font::heading(), style.text);
    let outline = &found.outline;
    let size_bytes: u64 = outline.segments.iter().map(|(_, size_bytes)| size_bytes).sum();
    let from = outline.segments.first().map_or(0, |(base, _)| *base);
    let words = format!(
        "The log: {}, {}, from offset {}.",
        format::plural(outline.segments.len(), "segment"),
        format::bytes(size_bytes as f64),
        format::count(from)
    );
    text::paragraph(ui, &words, font::small(), style.muted);
    let all = &outline.snapshots;
    if all.is_empty() {
        let words = "None yet: one is made when the log has grown enough since the last (metadata.log.max.record.bytes.between.snapshots) or when \
                     the last is old (metadata.log.max.snapshot.interval.ms).";
        text::paragraph(ui, words, font::body(), style.muted);
        return;
    }
    let list = Table {
        id: "metadata snapshots",
        columns: &SNAPSHOTS,
        rows: all.len(),
        row_height: size::ROW_DENSE,
        max_height: Some(size::HEADER + size::ROW_DENSE * all.len().min(ROWS_SHOWN) as f32),
        active: false,
        selected: None,
    };
    list.show(ui, table, |index, row| {
        let one = &all[all.len() - 1 - index];
        row.strong(&format::count(one.id.end_offset));
        row.text(&one.id.epoch.to_string());
        row.text(&format::bytes(one.size_bytes as f64));
        row.text(&when(one.last_contained_ms, now_ms));
        row.hint(|| format!("Until {}", format::clock_ms(one.last_contained_ms, zone)));
    });
    if let Some(newest) = all.last() {
        let file = found.dir.join(newest.id.file_name());
        let line =
            format!("kafka-metadata-shell.sh --snapshot {}", crate::ui::as_command::quoted(&file.to_string_lossy()));
        field::command(ui, "The newest in Kafka's metadata shell", &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn voters_first_with_what_each_lacks() {
        let view = fixture::incident();
        let all = members(&view.snapshot);
        assert_eq!(all.iter().map(|member| member.id).collect::<Vec<_>>(), [3000, 3001, 3002, 1, 2, 3]);
        let of = |id: i32| all.iter().find(|member| member.id == id).unwrap();
        assert_eq!((of(3001).role.text, of(3001).behind), ("Leader", Some(0)));
        assert_eq!((of(3000).role.text, of(3000).behind), ("Follower", Some(1)));
        assert_eq!((of(2).role.text, of(2).state.text), ("Observer", "Killed"));
        let (floor, top) = ends(&all);
        assert!(floor < 18_204 && top == 18_934);
    }

    #[test]
    fn a_voter_that_is_down_tells_nothing_any_more() {
        let mut snapshot = (*fixture::healthy().snapshot).clone();
        snapshot.quorum.voters[0].role = "offline".into();
        let down = members(&snapshot).remove(0);
        assert_eq!((down.behind, down.epoch, down.voted_for, down.role.text), (None, None, None, "Offline"));
    }
}
