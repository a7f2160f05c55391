//! One partition as a tape: what its log consists of, and who has come how far on it. Offsets are those of the newest snapshot; segments and
//! batches are read from a replica's files, for as much of the log as is looked at.

use std::sync::Arc;

use broker::log::LogOutline;
use egui::{Align, Color32, Layout, Ui};

use super::tape_words::{fact_list, footer, told};
use super::{key_partition, page, side_by_side};
use crate::monitor::command::{Command, FaultKind, FaultRequest};
use crate::monitor::inquiry::{Findings, Query, TapeWish};
use crate::monitor::operation::ConfigResource;
use crate::monitor::snapshot::{ActiveFault, Group, GroupOffset, Partition, Snapshot, Topic};
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{Around, line};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tape_picture::{self, Known, batch_facts};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button, Tone};
use crate::ui::widgets::card::{card, mood_card};
use crate::ui::widgets::empty::failed;
use crate::ui::widgets::field::toggle;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::lens::{Domain, Lens};
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::tape::{self, BlockKind, On, Picture, View};
use crate::ui::widgets::text;

/// Files of a log that grows are read again after so long.
const GROWS_MS: i64 = 300;
/// And those of one that rests.
const RESTS_MS: i64 = 5_000;
/// How late slow motion makes messages.
const DELAYS_MS: [u64; 4] = [200, 400, 800, 1_500];
/// One press of a button zooms so much.
const ZOOM: f64 = 0.5;
/// The facts' share of the width.
const FACTS_SHARE: f32 = 0.56;

/// Which log is read.
type Log = (Arc<str>, i32, i32);
/// What a picture is made of: which view, which answer, whose log, and which batch is chosen.
type Made = (u64, Option<(i64, i64, i64)>, Log, Option<i64>, bool);

/// What files told: of which log, of which stretch of it, when, and what.
type Read = (Log, (i64, i64), i64, Arc<Findings>);

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    partition: i32,
    replica: Option<i32>,
    view: View,
    asked: Asked,
    /// Where the log ended when it was asked for last.
    asked_end: i64,
    configs: Asked,
    /// What the files told last, of which log and which stretch.
    read: Option<Read>,
    chosen: Option<i64>,
    delay: Option<u64>,
    key: key_partition::State,
    picture: Cached<Made, Picture>,
}

impl State {
    /// Shows another partition.
    pub fn open(&mut self, partition: i32) {
        let (delay, key) = (self.delay, std::mem::take(&mut self.key));
        *self = State { partition, delay, key, ..State::default() };
    }

    /// The same of another topic.
    pub fn of_another_topic(self) -> State {
        State { delay: self.delay, key: self.key, ..State::default() }
    }
}

/// Paints it. Returns the partition and the offset that somebody wants to read from.
pub fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    topic: &Topic,
    state: &mut State,
    actions: &mut Vec<Action>,
) -> Option<(i32, i64)> {
    let mut wanted = None;
    page(ui, "tape", |ui| {
        let Some(partition) = topic.partitions.iter().find(|partition| partition.id == state.partition) else {
            controls(ui, topic, None, state);
            return failed(ui, "There is no such partition", "The topic may have been deleted and made anew.");
        };
        let domain = tape_picture::domain(partition);
        controls(ui, topic, Some(partition), state);
        let excuse = read_files(scene, topic, partition, state, actions);
        let is_compacted = is_compacted(scene, topic, state, actions);
        draw(ui, scene, topic, partition, state, excuse, is_compacted);
        let hit = tape_card(ui, scene, topic, partition, state, actions);
        wanted = hit.map(|offset| (partition.id, offset.clamp(domain.from, domain.to)));
        ui.add_space(space::M);
        let width = ui.available_width();
        let facts = ((width - space::M) * FACTS_SHARE).floor();
        side_by_side(ui, &[facts, width - facts - space::M], space::M, |ui, index| {
            if index == 0 {
                card(ui, |ui| wanted = facts_card(ui, scene, partition, state).map(|at| (partition.id, at)).or(wanted));
            } else if let Some(partition) = key_partition::show(ui, topic, &mut state.key) {
                state.open(partition);
            }
        });
    });
    wanted
}

fn controls(ui: &mut Ui, topic: &Topic, partition: Option<&Partition>, state: &mut State) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let names: Vec<String> = topic.partitions.iter().map(|partition| partition.id.to_string()).collect();
        let choices = topic.partitions.iter().zip(&names);
        let choices = choices.map(|(partition, name)| Choice { value: partition.id, name, enabled: true });
        let mut chosen = state.partition;
        if picker(ui, "Partition", &mut chosen, &choices.collect::<Vec<_>>()) {
            state.open(chosen);
        }
        let Some(partition) = partition else { return };
        let of = |id: &i32| {
            if partition.leader == *id { format!("broker {id}, the leader") } else { format!("broker {id}") }
        };
        let names: Vec<String> = partition.replicas.iter().map(of).collect();
        let choices = partition.replicas.iter().zip(&names);
        let choices = choices.map(|(id, name)| Choice { value: *id, name, enabled: true });
        let mut replica = replica(partition, state);
        if picker(ui, "Files of", &mut replica, &choices.collect::<Vec<_>>()) {
            state.replica = Some(replica).filter(|id| *id != partition.leader);
        }
        zooms(ui, tape_picture::domain(partition), state);
    });
    ui.add_space(space::XS);
}

fn zooms(ui: &mut Ui, domain: Domain, state: &mut State) {
    let lens = tape::lens(&state.view, domain);
    let middle = lens.from + lens.span / 2.0;
    let mut wished = None;
    if Button::icon(Icon::Minus, "Show more of the log").show(ui).clicked() {
        wished = Some(lens.zoomed(1.0 / ZOOM, middle, domain));
    }
    if Button::icon(Icon::Plus, "Show less of the log").show(ui).clicked() {
        wished = Some(lens.zoomed(ZOOM, middle, domain));
    }
    if Button::new("Whole log").show(ui).clicked() {
        wished = Some(Lens::whole(domain));
    }
    if Button::new("Records").name("Zoom to single records").show(ui).clicked() {
        wished = Some(if tape::follows(&state.view) {
            Lens::at_end(40.0, domain)
        } else {
            Lens { span: 40.0, ..lens }.around(middle, domain)
        });
    }
    if let Some(wished) = wished {
        let follow = tape::follows(&state.view) && wished.sees_end(domain);
        state.view = View { lens: Some(wished), follow };
    }
    let mut follow = tape::follows(&state.view);
    if toggle(ui, "Follow the end", &mut follow).changed() {
        state.view = View { lens: Some(tape::lens(&state.view, domain)), follow };
    }
}

/// Whose files are read: the leader's, if nobody wished otherwise.
fn replica(partition: &Partition, state: &State) -> i32 {
    let wished = state.replica.filter(|id| partition.replicas.contains(id));
    let leader = Some(partition.leader).filter(|id| *id >= 0);
    wished.or(leader).or(partition.replicas.first().copied()).unwrap_or(-1)
}

/// Has the files read, for what is shown. Why there is nothing of them, if there is not.
fn read_files(
    scene: &Scene<'_>,
    topic: &Topic,
    partition: &Partition,
    state: &mut State,
    actions: &mut Vec<Action>,
) -> Option<String> {
    let lens = tape::lens(&state.view, tape_picture::domain(partition));
    let log: Log = (Arc::clone(&topic.name), partition.id, replica(partition, state));
    let (from, to) = lens.window();
    let wish = TapeWish { topic: Arc::clone(&log.0), partition: log.1, replica: log.2, from, to };
    let end = tape_picture::log_end(partition);
    let old_ms = if end == state.asked_end { RESTS_MS } else { GROWS_MS };
    let before = actions.len();
    let answer = state.asked.look_every(old_ms, scene, &Query::Tape(wish), actions);
    if actions.len() > before {
        state.asked_end = end;
    }
    if state.read.as_ref().is_some_and(|(known, ..)| *known != log) {
        state.read = None;
    }
    match answer {
        Answer::Found(at_ms, findings) => {
            state.read = Some((log, (from, to), at_ms, findings));
            None
        }
        Answer::Waiting if state.read.is_some() => None,
        Answer::Waiting => Some("Reading the files…".to_owned()),
        Answer::Failed(why) => {
            state.read = None;
            Some(format!("Segments and batches are not shown: {why}"))
        }
    }
}

fn is_compacted(scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) -> bool {
    let query = Query::Configs(ConfigResource::Topic(Arc::clone(&topic.name)));
    let Answer::Found(_, findings) = state.configs.look_every(2 * RESTS_MS, scene, &query, actions) else {
        return false;
    };
    let Findings::Configs(configs) = &*findings else { return false };
    let policy =
        configs.iter().find(|config| config.name == "cleanup.policy").and_then(|config| config.value.as_deref());
    policy.is_some_and(|policy| policy.split(',').any(|one| one.trim() == "compact"))
}

fn outline(state: &State) -> Option<(&LogOutline, (i64, i64))> {
    let (_, window, _, findings) = state.read.as_ref()?;
    match &**findings {
        Findings::Tape(outline) => Some((outline, *window)),
        _ => None,
    }
}

/// Groups that have committed an offset of a partition, the furthest behind first.
fn groups<'a>(snapshot: &'a Snapshot, topic: &str, partition: i32) -> Vec<(&'a Group, &'a GroupOffset)> {
    let mut groups: Vec<(&Group, &GroupOffset)> = Vec::new();
    for group in &snapshot.groups {
        let offset = group.offsets.iter().find(|offset| offset.partition == partition && *offset.topic == *topic);
        groups.extend(offset.map(|offset| (&**group, offset)));
    }
    groups.sort_by(|one, other| other.1.lag.cmp(&one.1.lag).then_with(|| one.0.id.cmp(&other.0.id)));
    groups
}

/// Works the picture out, if what it is made of changed.
fn draw(
    ui: &Ui,
    scene: &Scene<'_>,
    topic: &Topic,
    partition: &Partition,
    state: &mut State,
    excuse: Option<String>,
    is_compacted: bool,
) {
    let mut cached = std::mem::take(&mut state.picture);
    let log = (Arc::clone(&topic.name), partition.id, replica(partition, state));
    let answer = state.read.as_ref().map(|(_, (from, to), at_ms, _)| (*at_ms, *from, *to));
    let key = (scene.model.generation, answer, log, state.chosen, is_compacted);
    let old_excuse = cached.peek().map(|picture| picture.excuse.clone());
    if old_excuse.is_some_and(|old| old != excuse) {
        cached = Cached::default();
        ui.ctx().request_repaint();
    }
    cached.get(key, || {
        let groups = groups(scene.model.snapshot(), &topic.name, partition.id);
        tape_picture::picture(&Known {
            partition,
            down: &scene.model.down,
            groups: &groups,
            files: outline(state),
            excuse,
            chosen: state.chosen,
            is_compacted,
        })
    });
    state.picture = cached;
}

/// The tape itself. Returns an offset at which somebody pressed to read it.
fn tape_card(
    ui: &mut Ui,
    scene: &Scene<'_>,
    topic: &Topic,
    partition: &Partition,
    state: &mut State,
    actions: &mut Vec<Action>,
) -> Option<i64> {
    let slow: Vec<&ActiveFault> = slow_motion(scene.model.snapshot(), partition);
    let mood = if slow.is_empty() { Mood::Quiet } else { Mood::Warning };
    let offset_minutes = scene.options.utc_offset_minutes;
    mood_card(ui, mood, |ui| {
        slow_motion_bar(ui, scene, partition, &slow, state, actions);
        ui.add_space(space::S);
        let name = spoken(topic, partition, state);
        let picture = state.picture.peek()?;
        let (response, hit) = tape::show(ui, &name, picture, &mut state.view);
        let known = state.read.as_ref().map(|(.., findings)| Arc::clone(findings));
        let outline = known.as_deref().and_then(|findings| match findings {
            Findings::Tape(outline) => Some(&**outline),
            _ => None,
        });
        let response = match hit.and_then(|hit| told(hit, outline, picture, offset_minutes)) {
            Some((title, facts)) => response.on_hover_ui_at_pointer(|ui| fact_list(ui, &title, &facts)),
            None => response,
        };
        footer(ui, picture, outline);
        let hit = hit.filter(|_| response.clicked())?;
        match hit.on {
            On::Block(index) => {
                let block = outline.and_then(|outline| outline.batches.get(index));
                state.chosen = block.map(|batch| batch.header.base_offset);
                None
            }
            On::Axis | On::Record => Some(hit.offset),
            _ => None,
        }
    })
    .inner
}

/// The tape in words, for those who do not see it.
fn spoken(topic: &Topic, partition: &Partition, state: &State) -> String {
    let lens = tape::lens(&state.view, tape_picture::domain(partition));
    let mut words = format!(
        "Tape of {}-{}, offsets {} to {}",
        topic.name,
        partition.id,
        format::count(lens.from.max(0.0) as i64),
        format::count(lens.to() as i64)
    );
    let Some(picture) = state.picture.peek() else { return words };
    let marks = picture.marks.iter().map(|mark| mark.label.clone());
    let lanes = picture.lanes.iter().map(|lane| format!("{}: {}", lane.label, lane.value));
    for part in marks.chain(lanes) {
        words.push_str("; ");
        words.push_str(&part);
    }
    words
}

/// Faults in force that make messages between this partition's replicas late.
fn slow_motion<'a>(snapshot: &'a Snapshot, partition: &Partition) -> Vec<&'a ActiveFault> {
    let is_meant = |fault: &&ActiveFault| {
        fault.kind == "delay"
            && fault.node_ids.len() == 2
            && fault.node_ids.iter().all(|id| partition.replicas.contains(id))
    };
    snapshot.faults.iter().filter(is_meant).collect()
}

fn slow_motion_bar(
    ui: &mut Ui,
    scene: &Scene<'_>,
    partition: &Partition,
    slow: &[&ActiveFault],
    state: &mut State,
    actions: &mut Vec<Action>,
) {
    let style = palette(ui);
    let mut delay_ms = state.delay.unwrap_or(DELAYS_MS[1]);
    let followers: Vec<i32> = partition.replicas.iter().copied().filter(|id| *id != partition.leader).collect();
    let wishes: Vec<Command> = followers
        .iter()
        .map(|follower| {
            Command::InjectFault(FaultRequest {
                from: Some(partition.leader.into()),
                to: Some((*follower).into()),
                both_ways: Some(true),
                delay_ms: Some(delay_ms),
                ..FaultRequest::new(FaultKind::Delay)
            })
        })
        .collect();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if slow.is_empty() {
            let can = partition.leader >= 0 && !followers.is_empty();
            let words = match (partition.leader >= 0, followers.is_empty()) {
                (false, _) => "Without a leader nothing is replicated.".to_owned(),
                (_, true) => "It has one replica: nothing is replicated.".to_owned(),
                _ => format!(
                    "Makes all messages between broker {} and {} late, so that one sees append, fetch and high watermark by eye",
                    partition.leader,
                    brokers(&followers)
                ),
            };
            if Button::new("Slow motion").with_icon(Icon::Clock).enabled(can).show(ui).clicked() {
                actions.extend(wishes.iter().cloned().map(Action::Send));
            }
            let names = DELAYS_MS.map(|ms| format!("{ms} ms"));
            let choices: Vec<Choice<'_, u64>> =
                DELAYS_MS.iter().zip(&names).map(|(ms, name)| Choice { value: *ms, name, enabled: true }).collect();
            if can && picker(ui, "Late by", &mut delay_ms, &choices) {
                state.delay = Some(delay_ms);
            }
            label_beside_copy(ui, &words, style.faint);
        } else {
            Pill::new(Mood::Warning, Icon::Clock, "Slow motion").show(ui);
            if Button::new("End slow motion").with_icon(Icon::Heal).tone(Tone::Primary).show(ui).clicked() {
                actions.extend(slow.iter().map(|fault| Action::Send(Command::HealFault(fault.id))));
            }
            let what = slow.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join(", ");
            label_beside_copy(
                ui,
                &format!("{what}. Real faults, of all that these brokers say to each other."),
                style.muted,
            );
        }
        let commands: Vec<Command> =
            if slow.is_empty() { wishes } else { slow.iter().map(|fault| Command::HealFault(fault.id)).collect() };
        let around = Around::scene(scene);
        let lines: Vec<String> = commands.iter().map(|command| line(command, &around)).filter(|line| !line.is_empty()).collect();
        if !lines.is_empty() {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let what = if slow.is_empty() { "the commands of slow motion" } else { "the commands that end slow motion" };
                button::copy(ui, &lines.join("\n"), what);
            });
        }
    });
}

/// Leaves room for the button at the end of the line.
fn label_beside_copy(ui: &mut Ui, words: &str, color: Color32) {
    ui.scope(|ui| {
        ui.set_max_width(ui.available_width() - size::CONTROL - space::S);
        text::label(ui, words, font::small(), color);
    });
}

/// `broker 2`, `brokers 2, 3`.
fn brokers(ids: &[i32]) -> String {
    format!("{} {}", if ids.len() == 1 { "broker" } else { "brokers" }, format::ids(ids))
}

/// The chosen batch, or the log as a whole. Returns an offset to be read from.
fn facts_card(ui: &mut Ui, scene: &Scene<'_>, partition: &Partition, state: &mut State) -> Option<i64> {
    let Some((outline, _)) = outline(state) else {
        text::label(ui, "The log's files", font::heading(), palette(ui).text);
        text::label(ui, "Nothing was read of them.", font::small(), palette(ui).muted);
        return None;
    };
    let picture = state.picture.peek();
    let index =
        state.chosen.and_then(|chosen| outline.batches.iter().position(|batch| batch.header.base_offset == chosen));
    let Some(index) = index else {
        log_facts(ui, partition, outline, picture.is_some_and(|picture| picture.clean_to.is_some()));
        return None;
    };
    let (batch, count) = (&outline.batches[index], outline.batches.len());
    let kind = picture.and_then(|picture| picture.blocks.get(index)).map_or(BlockKind::Data, |block| block.kind);
    let title = format!("Batch at offset {}", format::count(batch.header.base_offset));
    fact_list(ui, &title, &batch_facts(batch, kind, scene.options.utc_offset_minutes));
    let neighbours = (index.checked_sub(1), Some(index + 1).filter(|next| *next < count));
    let base = |index: usize| outline.batches[index].header.base_offset;
    let (before, after, here) = (neighbours.0.map(base), neighbours.1.map(base), batch.header.base_offset);
    let mut wanted = None;
    ui.add_space(space::XS);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if Button::new("Previous batch").small().enabled(before.is_some()).show(ui).clicked() {
            state.chosen = before;
        }
        if Button::new("Next batch").small().enabled(after.is_some()).show(ui).clicked() {
            state.chosen = after;
        }
        if Button::new("Read its records").small().with_icon(Icon::Forward).show(ui).clicked() {
            wanted = Some(here);
        }
        if Button::new("The whole log").small().tone(Tone::Bare).show(ui).clicked() {
            state.chosen = None;
        }
    });
    wanted
}

fn log_facts(ui: &mut Ui, partition: &Partition, outline: &LogOutline, is_compacted: bool) {
    let bytes: u64 = outline.segments.iter().map(|segment| segment.size_bytes).sum();
    let segments = outline.segments.len() + outline.segments_before + outline.segments_after;
    let mut facts = vec![
        ("Segments", format!("{}, {} in those told", format::count(segments as i64), format::bytes(bytes as f64))),
        (
            "Leader epoch",
            format!("{}, {} in the log", partition.leader_epoch, format::plural(outline.epochs.len(), "epoch")),
        ),
        ("Readable", format::plural((partition.high_watermark - partition.log_start_offset).max(0) as usize, "offset")),
        ("Batches here", format::count(outline.batches.len() as i64)),
    ];
    match outline.first_dirty_offset {
        Some(offset) if is_compacted => {
            facts.push(("Compacted", format!("below offset {} (cleaner-offset-checkpoint)", format::count(offset))));
        }
        _ => {}
    }
    if let Some(ratio) =
        tape_picture::dirty_ratio(outline).filter(|_| is_compacted || outline.first_dirty_offset.is_some())
    {
        facts.push(("Dirty ratio", format!("{} of closed segments' bytes", format::percent(ratio * 100.0))));
    }
    fact_list(ui, "The log", &facts);
    text::paragraph(
        ui,
        "Press a batch for its facts, an offset or a record to read it.",
        font::small(),
        palette(ui).faint,
    );
}
