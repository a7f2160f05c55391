//! Whether a newer view has anything new for the screen that is painted: the window rests while it has not.
//!
//! Pure. What may differ unseen is named here, field by field; all else counts, so that whatever is added to a view is shown without a word here.

use std::sync::Arc;

use super::screen::Screen;
use super::screens::{cluster_cards, cluster_flow};
use crate::monitor::groups::{GroupsView, Watched};
use crate::monitor::snapshot::{Quorum, Snapshot, Voter};
use crate::monitor::view::View;

/// What the window shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The screen.
    pub screen: Screen,
    /// What it is painted from.
    pub view: View,
    /// How closely it follows what happens.
    pub pace: Pace,
}

/// How closely what is shown follows what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As closely as the screen needs it.
    Screen,
    /// Something may show anything, or goes on with each view: a dialog, a menu, a scenario.
    All,
    /// The past is shown: what is new only makes the time longer.
    Past,
}

/// What a newer view has for the screen, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Nothing.
    None,
    /// Time went on: ages, and the end of the metadata log, which grows by itself so that its leader is seen to live.
    Time,
    /// A second was measured that looks otherwise than the one before.
    Measured,
    /// Something happened.
    Happened,
}

/// What is shown, and whether it is at rest.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    shown: Option<Shown>,
    /// In the last second that was shown, something moved. What is worked out of two seconds, as rates are, may move in the next one still.
    moved: bool,
}

impl Watch {
    /// A frame is being made of `view`. What was shown is not held on to: whoever paints lets it go, elsewhere.
    pub fn begin(&mut self, view: &View) {
        let Some(shown) = self.shown.take() else { return };
        if news(&shown, view) >= News::Measured {
            self.moved = true;
        } else if !Arc::ptr_eq(&shown.view.series, &view.series) {
            self.moved = false;
        }
    }

    /// The frame was made.
    pub fn show(&mut self, shown: Shown) {
        self.shown = Some(shown);
    }

    /// What `view` has that is not shown; `None`: nothing is shown now, as a frame is being made or the window is hidden.
    pub fn news(&self, view: &View) -> Option<News> {
        let shown = self.shown.as_ref()?;
        let news = news(shown, view);
        let is_next_second = !Arc::ptr_eq(&shown.view.series, &view.series);
        Some(if news == News::Time && self.moved && is_next_second { News::Measured } else { news })
    }
}

/// What `new` has that is not shown.
fn news(shown: &Shown, new: &View) -> News {
    let old = &shown.view;
    if is_same(old, new) {
        return News::None;
    }
    match shown.pace {
        // An answer is waited for whatever is shown.
        _ if !new.notices.is_empty() => News::Happened,
        Pace::All => News::Happened,
        Pace::Past if Arc::ptr_eq(&old.series, &new.series) => News::Time,
        Pace::Past => News::Measured,
        Pace::Screen if happened(shown.screen, old, new) => News::Happened,
        Pace::Screen if is_measured_otherwise(shown.screen, old, new) => News::Measured,
        Pace::Screen => News::Time,
    }
}

/// It is the very same view.
fn is_same(old: &View, new: &View) -> bool {
    Arc::ptr_eq(&old.snapshot, &new.snapshot)
        && Arc::ptr_eq(&old.events, &new.events)
        && !is_measured_anew(old, new)
        && Arc::ptr_eq(&old.cloudwatch.alarms, &new.cloudwatch.alarms)
        && Arc::ptr_eq(&old.groups.plays, &new.groups.plays)
        && old.logs.is_same(&new.logs)
        && is_asked_the_same(old, new)
        && new.notices.is_empty()
}

/// Nobody asked for anything, and no answer came.
fn is_asked_the_same(old: &View, new: &View) -> bool {
    old.inquiries.is_same(&new.inquiries)
        && old.messages.generation == new.messages.generation
        && old.export.generation == new.export.generation
        && old.ledger.generation == new.ledger.generation
}

fn is_measured_anew(old: &View, new: &View) -> bool {
    !(Arc::ptr_eq(&old.series, &new.series)
        && Arc::ptr_eq(&old.metrics, &new.metrics)
        && Arc::ptr_eq(&old.connections, &new.connections)
        && Arc::ptr_eq(&old.cloudwatch.store, &new.cloudwatch.store)
        && Arc::ptr_eq(&old.groups.watched, &new.groups.watched))
}

fn happened(screen: Screen, old: &View, new: &View) -> bool {
    // Of alarms, what is evaluated each second is told by the screen of alarms alone; what became of them counts everywhere.
    !Arc::ptr_eq(&old.events, &new.events)
        || !is_asked_the_same(old, new)
        || old.cloudwatch.mark() != new.cloudwatch.mark()
        || !Arc::ptr_eq(&old.groups.plays, &new.groups.plays)
        || !is_judged_alike(&old.groups, &new.groups)
        || (screen == Screen::Logs && !old.logs.is_same(&new.logs))
        || !match screen {
            // It is the metadata log that this screen is about.
            Screen::Quorum => Arc::ptr_eq(&old.snapshot, &new.snapshot),
            _ => is_as_it_was(&old.snapshot, &new.snapshot),
        }
}

/// What groups are called, wherever they are named.
fn is_judged_alike(old: &GroupsView, new: &GroupsView) -> bool {
    let verdict = |watched: &Watched| watched.standing.verdict;
    let verdicts = |groups: &GroupsView| groups.watched.values().map(verdict).collect::<Vec<_>>();
    Arc::ptr_eq(&old.watched, &new.watched)
        || (old.watched.keys().eq(new.watched.keys()) && verdicts(old) == verdicts(new))
}

/// Whether a second looks otherwise than the one that is shown.
fn is_measured_otherwise(screen: Screen, old: &View, new: &View) -> bool {
    match screen {
        // They show nothing of that.
        Screen::Start | Screen::Topics => false,
        Screen::Cluster => {
            !(cluster_cards::looks_alike(&old.series, &new.series)
                && cluster_flow::is_measured_alike(&old.metrics, &new.metrics)
                && cluster_flow::is_pace_alike(&old.groups, &new.groups))
        }
        _ => is_measured_anew(old, new) || !Arc::ptr_eq(&old.cloudwatch.alarms, &new.cloudwatch.alarms),
    }
}

/// All that a cluster is but its clock, and how far its metadata log is that grows with it.
fn is_as_it_was(old: &Snapshot, new: &Snapshot) -> bool {
    // Whatever is added is to be thought of here.
    let Snapshot {
        cluster_id,
        profile,
        sequence: _,
        at_ms: _,
        quorum,
        image,
        brokers,
        settings,
        membership,
        topics,
        groups,
        totals,
        workloads,
        faults,
        past_faults,
        scripts,
        client_metrics,
    } = old;
    Arc::ptr_eq(image, &new.image)
        && *cluster_id == new.cluster_id
        && *profile == new.profile
        && is_quorum_alike(quorum, &new.quorum)
        && *membership == new.membership
        && *totals == new.totals
        && *brokers == new.brokers
        && *settings == new.settings
        && *faults == new.faults
        && Arc::ptr_eq(past_faults, &new.past_faults)
        && Arc::ptr_eq(scripts, &new.scripts)
        && *workloads == new.workloads
        && are_same(topics, &new.topics)
        && are_same(groups, &new.groups)
        && are_same(client_metrics, &new.client_metrics)
}

/// What did not change keeps its place in memory.
fn are_same<T: PartialEq>(old: &[Arc<T>], new: &[Arc<T>]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(one, other)| Arc::ptr_eq(one, other) || one == other)
}

/// Members that are no farther behind than this are on their way: a record is appended, fetched and committed one after the other.
const ON_THE_WAY: i64 = 4;

/// But for how far its log is, as long as all go with it.
fn is_quorum_alike(old: &Quorum, new: &Quorum) -> bool {
    let Quorum { leader_id, epoch, high_watermark, voters, observers, kraft_version } = old;
    let behind = |committed: i64, end: i64| Some(committed - end).filter(|behind| *behind > ON_THE_WAY);
    let voter = |committed: i64, one: &Voter| Voter {
        log_end_offset: behind(committed, one.log_end_offset).unwrap_or_default(),
        high_watermark: behind(committed, one.high_watermark).unwrap_or_default(),
        fetched_ago_ms: None,
        ..one.clone()
    };
    let is_voter_alike =
        |(one, other): (&Voter, &Voter)| voter(*high_watermark, one) == voter(new.high_watermark, other);
    *leader_id == new.leader_id
        && *epoch == new.epoch
        && *kraft_version == new.kraft_version
        && voters.len() == new.voters.len()
        && voters.iter().zip(&new.voters).all(is_voter_alike)
        && observers.len() == new.observers.len()
        && observers.iter().zip(&new.observers).all(|(one, other)| {
            one.id == other.id
                && behind(*high_watermark, one.log_end_offset) == behind(new.high_watermark, other.log_end_offset)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::command::Notice;
    use crate::monitor::view::{Metric, Series, SeriesStore};
    use crate::ui::fixture;

    fn shown(screen: Screen, view: &View) -> Shown {
        Shown { screen, view: view.clone(), pace: Pace::Screen }
    }

    /// A cluster at rest, a second later: all is measured anew, and the metadata log is longer.
    fn a_second_later(view: &View) -> View {
        let mut later = view.clone();
        let snapshot = Arc::make_mut(&mut later.snapshot);
        (snapshot.sequence, snapshot.at_ms) = (snapshot.sequence + 1, snapshot.at_ms + 1_000);
        snapshot.quorum.high_watermark += 2;
        for voter in &mut snapshot.quorum.voters {
            (voter.log_end_offset, voter.high_watermark) = (voter.log_end_offset + 2, voter.high_watermark + 2);
            voter.fetched_ago_ms = voter.fetched_ago_ms.map(|ago_ms| ago_ms + 1);
        }
        snapshot.quorum.observers.iter_mut().for_each(|one| one.log_end_offset += 2);
        let series = Arc::make_mut(&mut later.series);
        series.at_ms.push_back(snapshot.at_ms);
        for series in &mut series.series {
            let last = series.points.back().copied().unwrap_or_default();
            Arc::make_mut(series).points.push_back(last);
        }
        later.metrics = Arc::new((*later.metrics).clone());
        later.cloudwatch.store = Arc::new((*later.cloudwatch.store).clone());
        later.cloudwatch.alarms = Arc::new((*later.cloudwatch.alarms).clone());
        later
    }

    /// Nothing flows.
    fn at_rest() -> View {
        let mut view = fixture::empty();
        let flat = |metric, broker: i32| Series { metric, label: broker.to_string(), points: [0.0; 3].into() };
        let metrics = [Metric::BytesInPerS, Metric::BytesOutPerS];
        let all = metrics.into_iter().flat_map(|metric| (1..=3).map(move |broker| Arc::new(flat(metric, broker))));
        view.series = Arc::new(SeriesStore { at_ms: [1, 2, 3].into(), series: all.collect() });
        view
    }

    #[test]
    fn the_same_view_is_no_news() {
        let view = fixture::incident();
        for screen in Screen::ALL {
            assert_eq!(news(&shown(screen, &view), &view), News::None, "{screen:?}");
        }
    }

    #[test]
    fn a_second_of_a_cluster_at_rest_is_news_where_it_is_charted_or_counted() {
        let view = at_rest();
        let later = a_second_later(&view);
        for screen in Screen::ALL {
            let expected = match screen {
                Screen::Start | Screen::Cluster | Screen::Topics => News::Time,
                Screen::Quorum => News::Happened,
                _ => News::Measured,
            };
            assert_eq!(news(&shown(screen, &view), &later), expected, "{screen:?}");
        }
    }

    #[test]
    fn what_happens_is_news_everywhere() {
        let view = at_rest();
        type Change = fn(&mut View);
        let changes: [(&str, Change); 7] = [
            ("a broker's state", |view| Arc::make_mut(&mut view.snapshot).brokers[0].fenced ^= true),
            ("a broker's traffic", |view| Arc::make_mut(&mut view.snapshot).brokers[0].rates.bytes_in_per_s += 1.0),
            ("a role", |view| Arc::make_mut(&mut view.snapshot).quorum.voters[0].role = "candidate".into()),
            ("one that stays behind", |view| Arc::make_mut(&mut view.snapshot).quorum.voters[0].log_end_offset -= 9),
            ("a topic", |view| {
                Arc::make_mut(&mut view.snapshot).topics = fixture::healthy().snapshot.topics.clone();
            }),
            ("an event", |view| view.events = Arc::new((*view.events).clone())),
            ("an answer", |view| view.notices.push(Notice { ok: true, text: "Done.".into() })),
        ];
        for (what, change) in changes {
            let mut later = a_second_later(&view);
            change(&mut later);
            for screen in Screen::ALL {
                assert_eq!(news(&shown(screen, &view), &later), News::Happened, "{what} on {screen:?}");
            }
        }
    }

    #[test]
    fn traffic_is_news_on_the_cluster_screen_until_it_has_left_the_chart() {
        let mut view = at_rest();
        let series = Arc::make_mut(&mut Arc::make_mut(&mut view.series).series[0]);
        series.points.push_back(7.0);
        series.points.push_back(0.0);
        let later = a_second_later(&view);
        assert_eq!(news(&shown(Screen::Cluster, &view), &later), News::Measured);
        assert_eq!(news(&shown(Screen::Start, &view), &later), News::Time);
    }

    #[test]
    fn after_what_moved_one_more_second_is_shown() {
        let mut watch = Watch::default();
        let first = at_rest();
        assert_eq!(watch.news(&first), None, "nothing is shown yet");
        watch.show(shown(Screen::Cluster, &first));
        let mut second = a_second_later(&first);
        Arc::make_mut(&mut second.snapshot).brokers[0].rates.bytes_in_per_s += 1.0;
        assert_eq!(watch.news(&second), Some(News::Happened));
        watch.begin(&second);
        watch.show(shown(Screen::Cluster, &second));
        // In the same second nothing is to be waited for.
        let same = View { series: second.series.clone(), metrics: second.metrics.clone(), ..a_second_later(&second) };
        assert_eq!(watch.news(&same), Some(News::Time));
        let third = a_second_later(&second);
        assert_eq!(watch.news(&third), Some(News::Measured));
        watch.begin(&third);
        watch.show(shown(Screen::Cluster, &third));
        assert_eq!(watch.news(&a_second_later(&third)), Some(News::Time), "it is at rest");
    }

    #[test]
    fn what_is_open_follows_everything_and_the_past_nothing() {
        let view = at_rest();
        let later = a_second_later(&view);
        let of = |pace, new: &View| news(&Shown { pace, ..shown(Screen::Start, &view) }, new);
        assert_eq!(of(Pace::All, &later), News::Happened);
        assert_eq!(of(Pace::Past, &later), News::Measured);
        let events = View { events: Arc::new((*view.events).clone()), ..view.clone() };
        assert_eq!(of(Pace::Past, &events), News::Time);
        let told = View { notices: vec![Notice { ok: true, text: "Done.".into() }], ..view.clone() };
        assert_eq!(of(Pace::Past, &told), News::Happened);
    }
}
