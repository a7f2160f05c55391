//! A partition as a tape: offsets from left to right; epochs, segments, batches and records on it, and below it who has come how far.
//!
//! One zooms with the wheel and moves by dragging, in the overview too; with the keys when it has the focus. It costs what is visible.

use egui::{
    CursorIcon, EventFilter, Key, PointerButton, Rangef, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::lens::{Domain, Lens};
use super::{tape_paint, text};
use crate::ui::tokens::{font, palette, size, space};

/// A stretch with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// First offset.
    pub from: i64,
    /// End.
    pub to: i64,
    /// What stands in it, if there is room.
    pub label: String,
    /// Whether it stands out: it is the one that grows.
    pub is_marked: bool,
}

/// What a batch is, each with its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Records.
    Data,
    /// Records of a transaction: lined below.
    Transactional,
    /// Records of a transaction that was aborted: lined below and struck out.
    Aborted,
    /// The marker of a commit: a tick.
    Commit,
    /// The marker of an abort: a cross.
    Abort,
    /// Another marker.
    Control,
}

/// A batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// First offset.
    pub from: i64,
    /// End.
    pub to: i64,
    /// What it is.
    pub kind: BlockKind,
    /// Share of its offsets that still have a record.
    pub filled: f32,
    /// Whether its facts are shown.
    pub is_chosen: bool,
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// With a value.
    Record,
    /// Without one: a ring.
    Tombstone,
    /// A marker of a transaction: a line.
    Marker,
}

/// A place that has a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where.
    pub offset: i64,
    /// Its name.
    pub label: String,
    /// How it is drawn.
    pub line: Line,
}

/// How a mark is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Quiet.
    Plain,
    /// What counts most.
    Strong,
    /// Dashed.
    Dashed,
}

/// How somebody keeps up, each with its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Leads: solid.
    Leads,
    /// Keeps up: solid, thinner.
    Level,
    /// Is behind: the gap is hatched.
    Behind,
    /// Is behind and does not count any more: hollow, the gap hatched.
    Out,
    /// Nobody knows: blank.
    Unknown,
}

/// Somebody who has come so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// What stands above it: what these lanes are, and what their numbers say.
    pub heading: Option<(&'static str, &'static str)>,
    /// Who.
    pub label: String,
    /// How far, and how far behind, in words.
    pub value: String,
    /// How far.
    pub end: i64,
    /// How far there is to go.
    pub goal: i64,
    /// How it keeps up.
    pub pace: Pace,
}

/// All that is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// All offsets.
    pub domain: Domain,
    /// Places with names, the most important first.
    pub marks: Vec<Mark>,
    /// Leader epochs.
    pub epochs: Vec<Band>,
    /// Segments.
    pub segments: Vec<Band>,
    /// Batches.
    pub blocks: Vec<Block>,
    /// Stretches that have no batch any more: compaction took them.
    pub holes: Vec<(i64, i64)>,
    /// Records.
    pub dots: Vec<(i64, Dot)>,
    /// Between which offsets batches are known.
    pub known: Option<(i64, i64)>,
    /// Up to where the log is compacted.
    pub clean_to: Option<i64>,
    /// Replicas, then groups.
    pub lanes: Vec<Lane>,
    /// Groups that have no lane.
    pub lanes_left_out: usize,
    /// What stands in the place of the batches if there are none to be shown.
    pub excuse: Option<String>,
}

/// What of it is shown.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The stretch; `None`: nobody has chosen one, and it is the end of the log, however that grows.
    pub lens: Option<Lens>,
    /// Whether the end stays in sight.
    pub follow: bool,
}

/// What is under the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The axis.
    Axis,
    /// An epoch.
    Epoch(usize),
    /// A segment.
    Segment(usize),
    /// A batch.
    Block(usize),
    /// A hole.
    Hole(usize),
    /// A record, or the place of one that is gone.
    Record,
    /// A lane.
    Lane(usize),
    /// The name of a row.
    Name(&'static RowName),
}

/// A row above the lanes.
#[derive(Debug, PartialEq, Eq)]
pub struct RowName {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub meaning: &'static str,
}

/// The rows from the top, but for that of labels.
pub(super) static ROW_NAMES: [RowName; 6] = [
    RowName {
        name: "Whole log",
        meaning: "All of it from the log start to the log end, a shade for each segment. The frame is what is shown below: drag it.",
    },
    RowName {
        name: "Offset",
        meaning: "The number of a record in its partition. It never changes, and is never given twice.",
    },
    RowName {
        name: "Leader epoch",
        meaning: "Grows by one with each new leader. Records carry that of the leader that took them; by it a replica finds where its log parts from the leader's.",
    },
    RowName {
        name: "Segments",
        meaning: "The files of the log, named by their first offset. The last one is active: new records go there. Retention deletes whole segments.",
    },
    RowName {
        name: "Batches",
        meaning: "Records that a producer sent together. They are stored, replicated and fetched as they came; compaction takes single records out of them.",
    },
    RowName {
        name: "Records",
        meaning: "One mark for each record: filled with a value, hollow without one (a tombstone), a line for a marker of a transaction.",
    },
];

/// Where the pointer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Offset.
    pub offset: i64,
    /// What stands there.
    pub on: On,
}

/// Width of the names at the left.
const NAMES: f32 = 150.0;
/// Width of the numbers at the right.
const VALUES: f32 = 190.0;
/// Rows of labels.
pub(super) const LABEL_ROWS: usize = 3;
/// So many offsets are shown at first.
const FIRST_SPAN: f64 = 240.0;
/// From this width on, an offset shows its record.
pub(super) const RECORD_WIDTH: f32 = 4.0;
/// What one press of a key moves: a part of what is shown.
const KEY_STEP: f64 = 0.15;
/// What one press of a key zooms.
const KEY_ZOOM: f64 = 0.7;

/// Where the rows stand.
pub(super) struct Rows {
    pub all: Rect,
    pub x: Rangef,
    pub overview: Rect,
    pub axis: Rect,
    pub labels: Rect,
    pub epochs: Rect,
    pub segments: Rect,
    pub batches: Rect,
    pub records: Rect,
    pub headings: Vec<Rect>,
    pub lanes: Vec<Rect>,
}

impl Rows {
    fn height(lanes: &[Lane]) -> f32 {
        Rows::stacked(Rect::from_min_size(pos2(0.0, 0.0), vec2(1.0, 0.0)), lanes).1
    }

    /// The rows below each other, and how high they are together.
    fn stacked(all: Rect, lanes: &[Lane]) -> (Rows, f32) {
        let x = Rangef::new(all.left() + NAMES, (all.right() - VALUES).max(all.left() + NAMES + 1.0));
        let mut top = all.top();
        let mut row = |height: f32, gap: f32| {
            let rect = Rect::from_x_y_ranges(x, top..=top + height);
            top += height + gap;
            rect
        };
        let text = font::tiny().size + space::XS;
        let mut rows = Rows {
            all,
            x,
            overview: row(size::CONTROL_SMALL, space::XS),
            axis: row(text, 0.0),
            labels: row(LABEL_ROWS as f32 * text, space::XS),
            epochs: row(text + 2.0, space::XS / 2.0),
            segments: row(size::CONTROL_SMALL, space::XS / 2.0),
            batches: row(size::CONTROL + space::S, space::XS / 2.0),
            records: row(size::PILL, space::S),
            headings: Vec::new(),
            lanes: Vec::new(),
        };
        for lane in lanes {
            if lane.heading.is_some() {
                rows.headings.push(row(size::ROW_DENSE, 0.0));
            }
            rows.lanes.push(row(size::ROW_DENSE, 0.0));
        }
        (rows, top - all.top())
    }

    /// The rows that have a name, in the order of [`ROW_NAMES`].
    pub fn named(&self) -> [Rect; ROW_NAMES.len()] {
        [self.overview, self.axis, self.epochs, self.segments, self.batches, self.records]
    }

    fn hit(&self, at: egui::Pos2, lens: Lens, picture: &Picture) -> Option<Hit> {
        if at.x < self.x.min {
            let row = self.named().iter().position(|row| row.y_range().contains(at.y));
            if let Some(name) = row.and_then(|row| ROW_NAMES.get(row)) {
                return Some(Hit { offset: 0, on: On::Name(name) });
            }
        }
        let offset = lens.offset(self.x, at.x).floor() as i64;
        let within = self.x.contains(at.x);
        let in_row = |row: &Rect| within && row.y_range().contains(at.y);
        let band =
            |bands: &[Band]| bands.iter().position(|band| band.from <= offset && offset < band.to.max(band.from + 1));
        let on = if in_row(&self.axis) || in_row(&self.labels) {
            On::Axis
        } else if in_row(&self.epochs) {
            On::Epoch(band(&picture.epochs)?)
        } else if in_row(&self.segments) {
            On::Segment(band(&picture.segments)?)
        } else if in_row(&self.batches) {
            block_at(picture, offset)?
        } else if in_row(&self.records) && lens.width(self.x) >= RECORD_WIDTH {
            On::Record
        } else {
            let lane = self.lanes.iter().position(|row| row.y_range().contains(at.y))?;
            On::Lane(lane)
        };
        Some(Hit { offset, on })
    }
}

fn block_at(picture: &Picture, offset: i64) -> Option<On> {
    let after = picture.blocks.partition_point(|block| block.from <= offset);
    let block = after.checked_sub(1).filter(|index| offset < picture.blocks[*index].to);
    let hole = || picture.holes.iter().position(|(from, to)| (*from..*to).contains(&offset)).map(On::Hole);
    block.map(On::Block).or_else(hole)
}

/// What is shown now: as chosen, or the end of the log.
pub fn lens(view: &View, domain: Domain) -> Lens {
    match view.lens {
        Some(lens) if view.follow => Lens::at_end(lens.span, domain),
        Some(lens) => lens.held(domain),
        None => Lens::at_end(FIRST_SPAN, domain),
    }
}

/// Whether the end stays in sight.
pub fn follows(view: &View) -> bool {
    view.follow || view.lens.is_none()
}

/// Paints it, and moves what is shown as is wished. Returns what is under the pointer.
pub fn show(ui: &mut Ui, name: &str, picture: &Picture, view: &mut View) -> (Response, Option<Hit>) {
    let height = Rows::height(&picture.lanes);
    let (all, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    let rows = Rows::stacked(all, &picture.lanes).0;
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let overview = ui.interact(rows.overview, response.id.with("overview"), Sense::click_and_drag());
    overview.widget_info(|| WidgetInfo::labeled(Role::Image, true, "The whole log: drag to choose what is shown"));
    let domain = picture.domain;
    let before = lens(view, domain);
    let mut now = before;
    let mut end_wanted = false;
    if let Some(at) = overview.interact_pointer_pos().filter(|_| overview.dragged() || overview.clicked()) {
        now = now.around(Lens::whole(domain).offset(rows.x, at.x), domain);
    }
    if response.dragged_by(PointerButton::Primary) {
        now = now.moved(-f64::from(response.drag_delta().x / rows.x.span()) * now.span, domain);
    }
    if response.hovered() || overview.hovered() {
        now = wheel(ui, &rows, now, domain);
    }
    if response.clicked() || response.drag_started() {
        response.request_focus();
    }
    if response.has_focus() {
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        (now, end_wanted) = keys(ui, now, domain);
    }
    if now != before || end_wanted {
        // Whoever sees the end goes on with it.
        view.follow = end_wanted || now.sees_end(domain);
        view.lens = Some(now);
    }
    let now = lens(view, domain);
    let pointer = response.hover_pos();
    let hit = pointer.and_then(|at| rows.hit(at, now, picture));
    if ui.is_rect_visible(all) {
        tape_paint::paint(ui, &rows, picture, now, pointer.filter(|at| rows.x.contains(at.x)), response.has_focus());
    }
    let hand = hit.is_some_and(|hit| !matches!(hit.on, On::Lane(_) | On::Epoch(_) | On::Name(_)));
    let response = if hand { response.on_hover_cursor(CursorIcon::PointingHand) } else { response };
    (response, hit)
}

/// The wheel zooms, sideways it moves. What is used of it moves nothing else.
fn wheel(ui: &Ui, rows: &Rows, lens: Lens, domain: Domain) -> Lens {
    let Some(at) = ui.input(|input| input.pointer.hover_pos()).filter(|at| rows.x.contains(at.x)) else { return lens };
    let (turned, pinch) = ui.input_mut(|input| {
        let pinch = f64::from(input.zoom_delta());
        (std::mem::replace(&mut input.smooth_scroll_delta, Vec2::ZERO), pinch)
    });
    let mut lens = lens;
    let factor = (-f64::from(turned.y) / 160.0).exp2() / pinch;
    if factor != 1.0 {
        lens = lens.zoomed(factor, lens.offset(rows.x, at.x), domain);
    }
    if turned.x != 0.0 {
        lens = lens.moved(-f64::from(turned.x / rows.x.span()) * lens.span, domain);
    }
    lens
}

/// Where the keys lead, and whether they lead to the end.
fn keys(ui: &Ui, lens: Lens, domain: Domain) -> (Lens, bool) {
    let pressed = |key: Key| ui.input(|input| input.key_pressed(key) && !input.modifiers.any());
    let middle = lens.from + lens.span / 2.0;
    if pressed(Key::ArrowLeft) {
        (lens.moved(-lens.span * KEY_STEP, domain), false)
    } else if pressed(Key::ArrowRight) {
        (lens.moved(lens.span * KEY_STEP, domain), false)
    } else if pressed(Key::ArrowUp) {
        (lens.zoomed(KEY_ZOOM, middle, domain), false)
    } else if pressed(Key::ArrowDown) {
        (lens.zoomed(1.0 / KEY_ZOOM, middle, domain), false)
    } else if pressed(Key::Home) {
        (Lens { from: domain.from as f64, ..lens }.held(domain), false)
    } else if pressed(Key::End) {
        (Lens::at_end(lens.span, domain), true)
    } else {
        (lens, false)
    }
}

/// Something that a legend tells of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// A batch, of whose offsets this share still has a record.
    Block(BlockKind, f32),
    /// A stretch without batches.
    Hole,
    /// Up to where the log is compacted.
    Clean,
    /// How somebody keeps up.
    Pace(Pace),
}

/// Shows what each shape means.
pub fn legend(ui: &mut Ui, samples: &[(Sample, &str)]) {
    let style = palette(ui);
    for (sample, words) in samples {
        // In one piece, so that no line ends between a sample and its words.
        let galley = text::line(ui.painter(), words, font::tiny(), style.muted, f32::INFINITY);
        let sample_size = vec2(size::ICON * 1.25, size::ICON - 2.0);
        let whole = vec2(sample_size.x + space::XS + galley.size().x, sample_size.y.max(galley.size().y));
        let (rect, response) = ui.allocate_exact_size(whole, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, *words));
        let place = Rect::from_min_size(pos2(rect.left(), rect.center().y - sample_size.y / 2.0), sample_size);
        tape_paint::sample(ui, place, *sample);
        let at = pos2(place.right() + space::XS, rect.center().y - galley.size().y / 2.0);
        ui.painter().galley(at, galley, style.muted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let band = |from, to| Band { from, to, label: String::new(), is_marked: false };
        let block = |from, to| Block { from, to, kind: BlockKind::Data, filled: 1.0, is_chosen: false };
        let lane =
            Lane { heading: None, label: "broker 1".into(), value: "30".into(), end: 30, goal: 30, pace: Pace::Leads };
        Picture {
            domain: Domain { from: 0, to: 30 },
            epochs: vec![band(0, 30)],
            segments: vec![band(0, 20), band(20, 30)],
            blocks: vec![block(0, 5), block(10, 20), block(20, 30)],
            holes: vec![(5, 10)],
            lanes: vec![lane.clone(), lane],
            ..Picture::default()
        }
    }

    #[test]
    fn what_is_drawn_somewhere_is_found_there() {
        let picture = picture();
        let all = Rect::from_min_size(pos2(10.0, 20.0), vec2(1_000.0, 400.0));
        let rows = Rows::stacked(all, &picture.lanes).0;
        let lens = Lens::whole(picture.domain);
        let at = |row: Rect, offset: f64| {
            rows.hit(pos2(lens.x(rows.x, offset), row.center().y), lens, &picture).map(|hit| (hit.offset, hit.on))
        };
        assert_eq!(at(rows.segments, 19.5), Some((19, On::Segment(0))));
        assert_eq!(at(rows.segments, 20.5), Some((20, On::Segment(1))));
        assert_eq!(at(rows.batches, 4.5), Some((4, On::Block(0))));
        assert_eq!(at(rows.batches, 7.5), Some((7, On::Hole(0))));
        assert_eq!(at(rows.batches, 25.5), Some((25, On::Block(2))));
        assert_eq!(at(rows.batches, 30.5), None);
        assert_eq!(at(rows.axis, 3.5), Some((3, On::Axis)));
        assert_eq!(at(rows.records, 3.5), Some((3, On::Record)));
        assert_eq!(at(rows.lanes[1], 3.5), Some((3, On::Lane(1))));
        let name = rows.hit(pos2(all.left() + 4.0, rows.epochs.center().y), lens, &picture);
        let Some(Hit { on: On::Name(name), .. }) = name else { panic!("{name:?}") };
        assert_eq!(name.name, "Leader epoch");
    }

    #[test]
    fn rows_stand_below_each_other() {
        let mut lanes = picture().lanes;
        lanes[1].heading = Some(("Groups", "committed offset"));
        let rows = Rows::stacked(Rect::from_min_size(pos2(0.0, 0.0), vec2(900.0, 500.0)), &lanes).0;
        let mut all =
            vec![rows.overview, rows.axis, rows.labels, rows.epochs, rows.segments, rows.batches, rows.records];
        all.extend([rows.lanes[0], rows.headings[0], rows.lanes[1]]);
        assert!(all.windows(2).all(|pair| pair[0].bottom() <= pair[1].top() + 0.01));
        assert!((all[9].bottom() - Rows::height(&lanes)).abs() < 1.0 + space::S);
    }

    #[test]
    fn who_follows_stays_at_the_end_and_who_does_not_stays_where_he_is() {
        let domain = Domain { from: 0, to: 10_000 };
        let young = lens(&View::default(), Domain { from: 0, to: 20 });
        assert!(follows(&View::default()) && young.span < 30.0, "a short log is shown whole, until it is longer");
        let first = lens(&View::default(), domain);
        assert!(first.sees_end(domain) && first.span == FIRST_SPAN);
        let longer = Domain { to: 20_000, ..domain };
        let follows = View { lens: Some(first), follow: true };
        assert!(lens(&follows, longer).sees_end(longer));
        assert_eq!(lens(&View { follow: false, ..follows }, longer), first);
        // Retention took what was shown.
        let gone = Domain { from: 15_000, to: 20_000 };
        assert_eq!(lens(&View { lens: Some(first), follow: false }, gone).from, 15_000.0);
    }
}
