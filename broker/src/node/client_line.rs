//! The line between a broker and its clients, as bytes meet it: nothing passes, or late, or a piece is lost and sent again, or only so much
//! per second. What passes late passes whole and in order, as on a connection; who cut the line, and why, is not known here. Pure.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

/// What one direction does to what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Way {
    /// Nothing passes.
    pub is_cut: bool,
    /// Everything is late by this.
    pub delay: Duration,
    /// And by up to so much more.
    pub jitter: Duration,
    /// Share that is lost, 0 to 1.
    pub loss: f64,
    /// How much passes; `None`: as much as comes.
    pub bytes_per_s: Option<u64>,
}

impl Way {
    /// Nothing is wrong with it.
    pub fn is_sound(&self) -> bool {
        *self == Way::default()
    }

    /// Both taken together.
    pub fn and(self, other: Way) -> Way {
        Way {
            is_cut: self.is_cut || other.is_cut,
            delay: self.delay + other.delay,
            jitter: self.jitter + other.jitter,
            loss: 1.0 - (1.0 - self.loss) * (1.0 - other.loss),
            bytes_per_s: match (self.bytes_per_s, other.bytes_per_s) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// How late something is; `chance` gives numbers from 0 to 1.
    pub fn lateness(&self, chance: impl FnOnce() -> f64) -> Duration {
        match self.jitter.is_zero() {
            true => self.delay,
            false => self.delay + self.jitter.mul_f64(chance()),
        }
    }

    /// How long so many bytes take.
    pub fn duration(&self, bytes: usize) -> Duration {
        match self.bytes_per_s {
            Some(bytes_per_s) => Duration::from_secs_f64(bytes as f64 / bytes_per_s.max(1) as f64),
            None => Duration::ZERO,
        }
    }
}

/// Both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClientLine {
    /// From clients to the broker.
    pub inward: Way,
    /// From the broker to clients.
    pub outward: Way,
}

/// After a loss it is sent again, as TCP does: first after this, and each time after twice as long.
const RESEND_FIRST: Duration = Duration::from_millis(200);
const RESEND_MOST: Duration = Duration::from_secs(120);

/// What is lost is lost by pieces of at most this.
const PIECE_BYTES: usize = 16 * 1024;

/// Of a narrow line a piece takes this part of a second, so that connections share it.
const PIECES_PER_S: u64 = 20;

/// When one direction of all connections together is free again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    free_at: Cell<Duration>,
}

/// What is to be done with the first that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing waits.
    Idle,
    /// It passes when something changes.
    Never,
    /// It is to be looked at again then.
    At(Duration),
    /// So many bytes of it pass now; 0 of what has none: the end of a stream, an answer that is none by protocol.
    Pass(usize),
}

#[derive(Debug)]
struct Parcel {
    bytes_left: usize,
    late_until: Duration,
    piece: Piece,
}

/// How far the next piece of a parcel is.
#[derive(Debug, Default)]
struct Piece {
    /// It is known not to be lost (any more).
    is_through: bool,
    resend: Option<(Duration, Duration)>,
    arrives: Option<(Duration, u64)>,
}

/// What is on its way in one direction of one connection, in order.
#[derive(Debug, Default)]
pub(super) struct Lane {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

impl Lane {
    /// Nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }

    /// Bytes that are on their way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many bytes set out. They overtake nothing.
    pub(super) fn push(&mut self, bytes: usize, way: &Way, now: Duration, chance: impl FnOnce() -> f64) {
        let before = self.parcels.back().map_or(Duration::ZERO, |parcel| parcel.late_until);
        let late_until = (now + way.lateness(chance)).max(before);
        self.parcels.push_back(Parcel { bytes_left: bytes, late_until, piece: Piece::default() });
        self.bytes += bytes;
    }

    /// What becomes of the first now. What passes is no longer on its way.
    pub(super) fn step(&mut self, way: &Way, pace: &Pace, now: Duration, mut chance: impl FnMut() -> f64) -> Step {
        let Some(parcel) = self.parcels.front_mut() else { return Step::Idle };
        if way.is_cut {
            return Step::Never;
        }
        if parcel.late_until > now {
            return Step::At(parcel.late_until);
        }
        let size = parcel.bytes_left.min(piece_bytes(way));
        if let Some(resend_at) = parcel.piece.lost_until(way, now, &mut chance) {
            return Step::At(resend_at);
        }
        if let Some(arrives_at) = parcel.piece.arrives_at(way, size, pace, now).filter(|at| *at > now) {
            return Step::At(arrives_at);
        }
        parcel.bytes_left -= size;
        parcel.piece = Piece::default();
        self.bytes -= size;
        if parcel.bytes_left == 0 {
            self.parcels.pop_front();
        }
        Step::Pass(size)
    }
}

fn piece_bytes(way: &Way) -> usize {
    let narrow = way.bytes_per_s.map(|bytes_per_s| (bytes_per_s / PIECES_PER_S).max(1));
    match narrow.and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) => bytes.min(PIECE_BYTES),
        None if way.loss > 0.0 => PIECE_BYTES,
        None => usize::MAX,
    }
}

impl Piece {
    /// Until when it is lost. A line that loses nothing any more lets it pass at once.
    fn lost_until(&mut self, way: &Way, now: Duration, chance: &mut impl FnMut() -> f64) -> Option<Duration> {
        if self.is_through || way.loss <= 0.0 {
            self.is_through = true;
            return None;
        }
        if let Some((at, _)) = self.resend.filter(|(at, _)| *at > now) {
            return Some(at);
        }
        if chance() >= way.loss {
            self.is_through = true;
            return None;
        }
        let wait = self.resend.map_or(RESEND_FIRST, |(_, wait)| (wait * 2).min(RESEND_MOST));
        self.resend = Some((now + wait, wait));
        Some(now + wait)
    }

    /// When it has passed a narrow line, which others use too. Another width counts anew.
    fn arrives_at(&mut self, way: &Way, size: usize, pace: &Pace, now: Duration) -> Option<Duration> {
        let bytes_per_s = way.bytes_per_s?;
        if let Some((at, _)) = self.arrives.filter(|(_, then)| *then == bytes_per_s) {
            return Some(at);
        }
        // Others wait for no more than a piece of each.
        let at = pace.free_at.get().max(now) + way.duration(size);
        pace.free_at.set(at);
        self.arrives = Some((at, bytes_per_s));
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn always(value: f64) -> impl FnMut() -> f64 {
        move || value
    }

    #[test]
    fn faults_of_one_direction_add_up() {
        let late = Way { delay: MS(5), jitter: MS(3), bytes_per_s: Some(10), ..Way::default() };
        let lossy = Way { loss: 0.5, bytes_per_s: Some(7), ..Way::default() };
        let both = late.and(lossy).and(lossy);
        let (delay, jitter) = (MS(5), MS(3));
        assert_eq!(both, Way { is_cut: false, delay, jitter, loss: 0.75, bytes_per_s: Some(7) });
        assert!(both.and(Way { is_cut: true, ..Way::default() }).is_cut);
        assert!(Way::default().and(Way::default()).is_sound() && !both.is_sound());
    }

    #[test]
    fn a_sound_line_and_a_cut_one() {
        let (mut lane, pace, sound) = (Lane::default(), Pace::default(), Way::default());
        let cut = Way { is_cut: true, ..sound };
        assert_eq!(lane.step(&sound, &pace, MS(1), always(0.0)), Step::Idle);
        lane.push(70_000, &sound, MS(1), always(0.0));
        assert_eq!(lane.step(&cut, &pace, MS(900), always(0.0)), Step::Never);
        assert_eq!((lane.step(&sound, &pace, MS(901), always(0.0)), lane.bytes()), (Step::Pass(70_000), 0));
        lane.push(0, &sound, MS(901), always(0.0));
        assert!(!lane.is_empty(), "an end is on its way too");
        assert_eq!((lane.step(&sound, &pace, MS(901), always(0.0)), lane.is_empty()), (Step::Pass(0), true));
    }

    #[test]
    fn what_is_late_keeps_its_order_and_its_pace() {
        let (mut lane, pace) = (Lane::default(), Pace::default());
        let late = Way { delay: MS(50), jitter: MS(20), ..Way::default() };
        lane.push(10, &late, MS(0), always(1.0));
        lane.push(10, &late, MS(5), always(0.0));
        lane.push(10, &late, MS(40), always(0.0));
        assert_eq!(lane.step(&late, &pace, MS(60), always(0.0)), Step::At(MS(70)));
        let sound = Way::default();
        assert_eq!(lane.step(&sound, &pace, MS(70), always(0.0)), Step::Pass(10), "what is late stays late");
        assert_eq!(lane.step(&late, &pace, MS(70), always(0.0)), Step::Pass(10), "55 was before what went before");
        assert_eq!(lane.step(&late, &pace, MS(70), always(0.0)), Step::At(MS(90)));
    }

    #[test]
    fn what_is_lost_is_sent_again_later_and_later() {
        let (mut lane, pace) = (Lane::default(), Pace::default());
        let lossy = Way { loss: 0.5, ..Way::default() };
        lane.push(20_000, &lossy, MS(0), always(0.0));
        assert_eq!(lane.step(&lossy, &pace, MS(0), always(0.4)), Step::At(MS(200)));
        assert_eq!(lane.step(&lossy, &pace, MS(100), always(0.9)), Step::At(MS(200)), "it is not sent before");
        assert_eq!(lane.step(&lossy, &pace, MS(200), always(0.4)), Step::At(MS(600)));
        assert_eq!(lane.step(&lossy, &pace, MS(600), always(0.5)), Step::Pass(16 * 1024));
        assert_eq!(lane.step(&lossy, &pace, MS(600), always(0.4)), Step::At(MS(800)), "the next piece is another");
        assert_eq!(lane.step(&Way::default(), &pace, MS(601), always(0.4)), Step::Pass(20_000 - 16 * 1024));
    }

    #[test]
    fn connections_share_a_narrow_line() {
        let pace = Pace::default();
        let narrow = Way { bytes_per_s: Some(1_000), ..Way::default() };
        let mut lanes = [Lane::default(), Lane::default()];
        for lane in &mut lanes {
            lane.push(500, &narrow, MS(0), always(0.0));
        }
        let (mut now, mut passed) = (MS(0), [0, 0]);
        while lanes.iter().any(|lane| !lane.is_empty()) {
            let mut next = Duration::MAX;
            for (lane, passed) in lanes.iter_mut().zip(&mut passed) {
                match lane.step(&narrow, &pace, now, always(0.0)) {
                    Step::Pass(bytes) => (*passed, next) = (*passed + bytes, now),
                    Step::At(at) => next = next.min(at),
                    other => assert_eq!(other, Step::Idle),
                }
            }
            assert!(passed[0].abs_diff(passed[1]) <= 50, "{passed:?}");
            if lanes.iter().any(|lane| !lane.is_empty()) {
                now = next;
            }
        }
        assert_eq!((passed, now), ([500, 500], MS(1_000)));
        lanes[0].push(1_000, &narrow, now, always(0.0));
        assert_eq!(lanes[0].step(&narrow, &pace, now, always(0.0)), Step::At(MS(1_050)));
        let wide = Way { bytes_per_s: Some(1_000_000), ..Way::default() };
        assert_eq!(lanes[0].step(&wide, &pace, now, always(0.0)), Step::At(MS(1_051)));
    }
}
