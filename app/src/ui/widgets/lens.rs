//! The axis of a tape: which stretch of offsets is shown, how one moves and zooms over it, where its ticks and labels stand. Pure.

use egui::Rangef;

/// No fewer offsets are shown.
const SPAN_MIN: f64 = 8.0;
/// What is left free behind the end, as a part of what is shown.
const MARGIN: f64 = 0.04;

/// All that there is to see: from the first offset to the end, which is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Domain {
    /// First offset.
    pub from: i64,
    /// End.
    pub to: i64,
}

impl Domain {
    fn length(self) -> f64 {
        (self.to as f64 - self.from as f64).max(1.0)
    }
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Left edge.
    pub from: f64,
    /// Offsets across.
    pub span: f64,
}

impl Lens {
    /// All of it, and a little room behind the end.
    pub fn whole(domain: Domain) -> Lens {
        let span = (domain.length() / (1.0 - MARGIN)).max(SPAN_MIN);
        Lens { from: domain.from as f64, span }
    }

    /// The end, as far before it as `span` says.
    pub fn at_end(span: f64, domain: Domain) -> Lens {
        let span = span.clamp(SPAN_MIN, Lens::whole(domain).span);
        Lens { from: (domain.to as f64 - span * (1.0 - MARGIN)).max(domain.from as f64), span }
    }

    /// Right edge.
    pub fn to(self) -> f64 {
        self.from + self.span
    }

    /// Where an offset stands; outside of `range` where it is not shown, but never far from it.
    pub fn x(self, range: Rangef, offset: f64) -> f32 {
        let share = (offset - self.from) / self.span;
        // Beyond that, numbers of single precision would lose the way.
        range.min + range.span() * share.clamp(-1.0, 2.0) as f32
    }

    /// Which offset stands there.
    pub fn offset(self, range: Rangef, x: f32) -> f64 {
        self.from + f64::from((x - range.min) / range.span().max(1.0)) * self.span
    }

    /// How wide an offset is.
    pub fn width(self, range: Rangef) -> f32 {
        (f64::from(range.span()) / self.span) as f32
    }

    /// Shows `factor` times as many offsets; the one at `around` stays where it is.
    pub fn zoomed(self, factor: f64, around: f64, domain: Domain) -> Lens {
        let span = (self.span * factor).clamp(SPAN_MIN, Lens::whole(domain).span);
        let share = (around - self.from) / self.span;
        Lens { from: around - share * span, span }.held(domain)
    }

    /// Moves it by so many offsets.
    pub fn moved(self, offsets: f64, domain: Domain) -> Lens {
        Lens { from: self.from + offsets, ..self }.held(domain)
    }

    /// With an offset in the middle.
    pub fn around(self, offset: f64, domain: Domain) -> Lens {
        Lens { from: offset - self.span / 2.0, ..self }.held(domain)
    }

    /// Kept where there is something to see.
    pub fn held(self, domain: Domain) -> Lens {
        let last = Lens::at_end(self.span, domain);
        Lens { from: self.from.clamp(domain.from as f64, last.from), span: last.span }
    }

    /// Whether the end is in sight.
    pub fn sees_end(self, domain: Domain) -> bool {
        self.to() >= domain.to as f64
    }

    /// The stretch of offsets to be looked at so that all that is shown is known, on a grid: whoever moves a little asks for the same.
    pub fn window(self) -> (i64, i64) {
        let mut grid = 64_i64;
        while (grid as f64) < self.span {
            grid = grid.saturating_mul(2);
        }
        let grid = grid / 2;
        let from = (self.from.max(0.0) as i64).div_euclid(grid) * grid;
        let to = (self.to().max(0.0) as i64).div_euclid(grid).saturating_add(1).saturating_mul(grid);
        (from, to)
    }

    /// Round offsets, at least `apart` points from each other.
    pub fn ticks(self, range: Rangef, apart: f32) -> Vec<i64> {
        let least = f64::from(apart / self.width(range).max(f32::MIN_POSITIVE)).max(1.0);
        let magnitude = 10f64.powf(least.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
        let step = steps.into_iter().find(|step| *step >= least).unwrap_or(10.0 * magnitude).max(1.0) as i64;
        let first = (self.from.max(0.0) as i64).div_euclid(step) * step;
        let ticks = (0..).map(|index| first.saturating_add(step.saturating_mul(index)));
        // A range that is too narrow for anything has few ticks, not many.
        let shown = ticks.skip_while(|tick| (*tick as f64) < self.from).take_while(|tick| *tick as f64 <= self.to());
        shown.take(1_000).collect()
    }
}

/// Where a label stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Left edge.
    pub left: f32,
    /// Row, from the top.
    pub row: usize,
}

/// Places labels beside their marks in as many rows as may be, none over another: of those that do not fit, the later ones are left out.
pub fn place(labels: &[(f32, f32)], range: Rangef, rows: usize, gap: f32) -> Vec<Option<Placed>> {
    let mut taken: Vec<Vec<(f32, f32)>> = vec![Vec::new(); rows];
    let mut placed = Vec::with_capacity(labels.len());
    for (x, width) in labels {
        let fits = |left: f32, row: &Vec<(f32, f32)>| {
            left >= range.min
                && left + width <= range.max
                && row.iter().all(|(from, to)| left >= to + gap || left + width + gap <= *from)
        };
        let found = taken.iter().enumerate().find_map(|(row, others)| {
            // To the right of its mark, or else to the left.
            [x + gap, x - gap - width].into_iter().find(|left| fits(*left, others)).map(|left| Placed { left, row })
        });
        if let Some(Placed { left, row }) = found {
            taken[row].push((left, left + width));
        }
        placed.push(found);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANGE: Rangef = Rangef { min: 100.0, max: 1_100.0 };

    #[test]
    fn offsets_and_points_are_two_names_of_one_place() {
        let lens = Lens { from: 200.0, span: 100.0 };
        assert_eq!((lens.x(RANGE, 200.0), lens.x(RANGE, 250.0), lens.x(RANGE, 300.0)), (100.0, 600.0, 1_100.0));
        assert_eq!((lens.offset(RANGE, 600.0), lens.width(RANGE)), (250.0, 10.0));
        assert_eq!(lens.x(RANGE, 1e18), 2_100.0, "far away is beside");
    }

    #[test]
    fn all_of_a_log_ends_before_the_right_edge() {
        let domain = Domain { from: 0, to: 1_000 };
        let whole = Lens::whole(domain);
        assert!(whole.from == 0.0 && (1_040.0..1_045.0).contains(&whole.to()));
        let end = Lens::at_end(100.0, domain);
        assert_eq!((end.from, end.to()), (904.0, 1_004.0));
        assert!(end.sees_end(domain) && !end.moved(-50.0, domain).sees_end(domain));
        assert!((Lens::at_end(5e9, domain).from - whole.from).abs() < 1e-6);
        let empty = Lens::whole(Domain { from: 7, to: 7 });
        assert_eq!((empty.from, empty.span), (7.0, 8.0));
    }

    #[test]
    fn what_is_asked_for_stays_the_same_for_a_while() {
        let lens = Lens { from: 1_000.0, span: 200.0 };
        assert_eq!(lens.window(), (896, 1_280));
        assert_eq!(Lens { from: 1_020.0, ..lens }.window(), (896, 1_280));
        assert_eq!(Lens { from: 0.0, span: 8.0 }.window(), (0, 32));
    }

    #[test]
    fn ticks_are_round_and_apart() {
        assert_eq!(Lens { from: 3.0, span: 10.0 }.ticks(RANGE, 80.0), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!(Lens { from: 950.0, span: 1_000.0 }.ticks(RANGE, 150.0), [1_000, 1_200, 1_400, 1_600, 1_800]);
    }

    #[test]
    fn labels_move_to_another_row_or_side() {
        let placed = place(&[(200.0, 100.0), (210.0, 100.0), (1_090.0, 100.0), (150.0, 100.0)], RANGE, 2, 4.0);
        let of = |left: f32, row: usize| Some(Placed { left, row });
        assert_eq!(placed, [of(204.0, 0), of(214.0, 1), of(986.0, 0), None]);
    }

    fn domains() -> impl Strategy<Value = Domain> {
        (0..1i64 << 50, 0..1i64 << 40).prop_map(|(from, length)| Domain { from, to: from + length })
    }

    proptest! {
        #[test]
        fn whatever_one_does_it_stays_in_sight(
            domain in domains(),
            steps in prop::collection::vec((0..4u8, -2.0..2.0f64), 0..30),
        ) {
            let whole = Lens::whole(domain);
            let mut lens = Lens::at_end(200.0, domain);
            for (step, by) in steps {
                lens = match step {
                    0 => lens.zoomed(by.exp2(), lens.from + lens.span * 0.3, domain),
                    1 => lens.moved(by * lens.span, domain),
                    2 => lens.around(domain.from as f64 + by * whole.span, domain),
                    _ => Lens::at_end(lens.span, domain),
                };
                let slack = whole.span * 1e-6 + 1.0;
                prop_assert!(lens.from >= whole.from - slack && lens.to() <= whole.to() + slack, "{lens:?} in {domain:?}");
                let (from, to) = lens.window();
                prop_assert!(from as f64 <= lens.from + 1.0 && to as f64 >= lens.to() - 1.0);
                prop_assert!((to - from) as f64 <= 4.0 * lens.span + 128.0);
                let ticks = lens.ticks(RANGE, 90.0);
                prop_assert!(ticks.len() <= 13, "{}", ticks.len());
            }
        }

        #[test]
        fn zooming_keeps_what_is_under_the_pointer(at in 0.2..0.8f64, factor in 0.2..0.9f64) {
            let domain = Domain { from: 0, to: 1_000_000 };
            let lens = Lens { from: 400_000.0, span: 10_000.0 };
            let around = lens.from + at * lens.span;
            let nearer = lens.zoomed(factor, around, domain);
            prop_assert!((nearer.x(RANGE, around) - lens.x(RANGE, around)).abs() < 0.1);
        }

        #[test]
        fn no_label_stands_over_another(labels in prop::collection::vec((0.0..1_200.0f32, 5.0..300.0f32), 0..20)) {
            let placed = place(&labels, RANGE, 3, 4.0);
            for (index, one) in placed.iter().enumerate() {
                let Some(one) = one else { continue };
                prop_assert!(one.left >= RANGE.min && one.left + labels[index].1 <= RANGE.max);
                for (other_index, other) in placed.iter().enumerate().skip(index + 1) {
                    let Some(other) = other.filter(|other| other.row == one.row) else { continue };
                    prop_assert!(one.left + labels[index].1 <= other.left || other.left + labels[other_index].1 <= one.left);
                }
            }
        }
    }
}
