//! Properties of storms.

use proptest::prelude::*;

use super::storm::{Shape, Storm, USUAL_KINDS};
use super::{STEPS_MAX, Step};
use crate::monitor::fault::FaultKind;
use crate::monitor::names::is_controller;

fn shape(brokers: i32, controllers: i32) -> Shape {
    Shape {
        brokers: (1..=brokers).map(|id| (id, Some(["a", "b", "c"][(id % 3) as usize].to_owned()))).collect(),
        controllers: (3000..3000 + controllers).collect(),
    }
}

/// At each moment: which controllers something is wrong with.
fn most_controllers_at_once(steps: &[Step], shape: &Shape) -> usize {
    let until = |step: &Step| step.at_ms + step.fault.duration_ms.unwrap();
    let at_once = |moment: u64| {
        let hit = steps.iter().filter(|step| (step.at_ms..=until(step)).contains(&moment));
        let mut hit: Vec<i32> =
            hit.flat_map(|step| shape.hit_by(&step.fault)).filter(|id| is_controller(*id)).collect();
        hit.sort_unstable();
        hit.dedup();
        hit.len()
    };
    steps.iter().map(|step| at_once(step.at_ms)).max().unwrap_or(0)
}

fn any_storm() -> impl Strategy<Value = Storm> {
    let kinds = proptest::sample::subsequence(USUAL_KINDS.to_vec(), 0..USUAL_KINDS.len());
    (
        any::<u64>(),
        1.0..300.0,
        kinds,
        1..5_000_u64,
        0..20_000_u64,
        prop_oneof![Just(0), 1..4_000_u64],
        1_000..200_000_u64,
    )
        .prop_map(|(seed, rate_per_min, kinds, min_duration_ms, more_ms, quiet_ms, for_ms)| Storm {
            seed,
            rate_per_min,
            kinds,
            min_duration_ms,
            max_duration_ms: min_duration_ms + more_ms,
            quiet_ms,
            for_ms,
            ..Storm::default()
        })
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_faults_and_all_are_within_bounds(
        storm in any_storm(), brokers in 1..7_i32, controllers in 1..6_i32,
    ) {
        let shape = shape(brokers, controllers);
        let steps = storm.steps(&shape);
        prop_assert_eq!(&steps, &storm.steps(&shape));
        prop_assert!(steps.len() <= STEPS_MAX);
        prop_assert!(steps.is_sorted_by_key(|step| step.at_ms));
        let durations = storm.min_duration_ms..=storm.max_duration_ms;
        let mut over_ms = 0;
        for step in &steps {
            prop_assert!(step.at_ms <= storm.for_ms && durations.contains(&step.fault.duration_ms.unwrap()));
            prop_assert!(storm.kinds.is_empty() || storm.kinds.contains(&step.fault.kind));
            prop_assert!(!shape.hit_by(&step.fault).is_empty(), "{:?} hits nobody", step.fault);
            if storm.quiet_ms > 0 && over_ms > 0 {
                prop_assert!(step.at_ms >= over_ms + storm.quiet_ms);
            }
            over_ms = over_ms.max(step.at_ms + step.fault.duration_ms.unwrap());
        }
        let hit = most_controllers_at_once(&steps, &shape);
        prop_assert!(hit * 2 < shape.controllers.len().max(1), "{hit} of {controllers} controllers at once");
    }
}

#[test]
fn a_storm_has_its_rate_its_kinds_and_its_targets() {
    let shape = shape(3, 3);
    let storm = Storm { rate_per_min: 60.0, for_ms: 600_000, max_duration_ms: 1_000, ..Storm::default() };
    let steps = storm.steps(&shape);
    assert!((400..750).contains(&steps.len()), "{} of about 600", steps.len());
    for kind in USUAL_KINDS {
        assert!(steps.iter().any(|step| step.fault.kind == kind), "{kind:?}");
    }
    let other = Storm { seed: 2, ..storm.clone() };
    assert_ne!(other.steps(&shape), steps);
    let few = Storm { count: Some(3), ..storm.clone() };
    assert_eq!(few.steps(&shape), steps[..3]);
    let aimed = Storm { targets: vec![2], ..storm.clone() };
    assert!(aimed.steps(&shape).iter().all(|step| shape.hit_by(&step.fault).contains(&2)));
    let reckless = Storm { kinds: vec![FaultKind::Kill], max_duration_ms: 30_000, may_lose_quorum: true, ..storm };
    assert_eq!(most_controllers_at_once(&reckless.steps(&shape), &shape), 3, "if it is asked to");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (storm, field) in [
        (Storm { rate_per_min: f64::NAN, ..Storm::default() }, "rate_per_min"),
        (Storm { min_duration_ms: 9, max_duration_ms: 8, ..Storm::default() }, "min_duration_ms"),
        (Storm { for_ms: 0, ..Storm::default() }, "for_ms"),
        (Storm { count: Some(0), ..Storm::default() }, "count"),
        (Storm { kinds: vec![FaultKind::SlowConsumer], ..Storm::default() }, "slow_consumer"),
    ] {
        assert!(storm.check().unwrap_err().contains(field), "{field}");
    }
    assert_eq!(Storm::default().check(), Ok(()));
    assert_eq!(Storm::default().steps(&Shape::default()), [], "nobody is there to be hit");
}
