//! The rows of the acceptance table: what each wants of its round, and its fault with what must hold then.

mod disks;
mod failovers;
mod last_member;
mod zombies;

use rand::Rng;

use super::plan::Wants;
use super::stage::Stage;
use crate::campaign::{Anomaly, Row};

/// What a row plays.
pub(super) struct Scenario {
    pub(super) wants: Wants,
    /// Beyond the defaults of `brokerscope serve`.
    pub(super) arguments: &'static [&'static str],
    /// Precondition, fault, what must hold, and all healed again.
    pub(super) round: fn(&mut Stage<'_>) -> Result<(), Anomaly>,
}

/// One disk per broker, as by default.
const ONE_DISK: &[&str] = &[];
/// A broker whose second disk fails goes on with its first, where the metadata is.
const TWO_DISKS: &[&str] = &["--log-dirs", "2"];
/// Who oversleeps is not to wait long for its transaction's end.
const TRANSACTIONS: &[&str] =
    &["--log-dirs", "2", "--set", "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000"];

fn play(wants: Wants, round: fn(&mut Stage<'_>) -> Result<(), Anomaly>) -> Scenario {
    Scenario { wants, arguments: ONE_DISK, round }
}

/// The scenario of a row.
pub(super) fn scenario(row: Row) -> Scenario {
    const ALL: Wants = Wants::ALL;
    const EITHER_ISR: &[i32] = &[1, 2];
    let mixed = Wants { also_acks_1: true, ..ALL };
    let alone = Wants { min_isr: &[1], one_leader: true, ..ALL };
    match row.number() {
        0 => play(mixed, failovers::double_failover),
        1 => {
            let wants = Wants { acks: 0, min_isr: EITHER_ISR, unclean: &[true, false], lossy: true, ..ALL };
            play(wants, failovers::anything)
        }
        2 => play(Wants { acks: 1, min_isr: EITHER_ISR, ..ALL }, failovers::leader_lost),
        3 => play(Wants { acks: 1, min_isr: EITHER_ISR, one_leader: true, ..ALL }, failovers::followers_killed),
        4 => play(ALL, failovers::one_killed),
        // Who repeats is not told NOT_ENOUGH_REPLICAS by its client.
        5 => play(Wants { idempotent: Some(false), ..mixed }, failovers::two_killed),
        6 => play(ALL, failovers::all_killed),
        7 => play(alone, last_member::last_killed),
        8 => play(Wants { lossy: true, ..alone }, last_member::last_loses_power),
        9 => play(ALL, failovers::one_loses_power),
        10 => play(ALL, failovers::leader_loses_power_briefly),
        11 => play(Wants { one_leader: true, lossy: true, ..ALL }, last_member::followers_then_power),
        12 => play(Wants { lossy: true, ..ALL }, last_member::all_lose_power),
        13 => {
            let wants = Wants { min_isr: EITHER_ISR, unclean: &[true], one_leader: true, lossy: true, ..mixed };
            play(wants, last_member::unclean)
        }
        14 => play(mixed, zombies::paused),
        15 => play(mixed, zombies::cut_off),
        16 => play(ALL, disks::slow),
        17 => Scenario { arguments: TWO_DISKS, ..play(ALL, disks::failing) },
        18 => Scenario { arguments: TWO_DISKS, ..play(Wants { idempotent: Some(true), ..ALL }, any_of_these) },
        _ => {
            let wants = Wants { idempotent: Some(true), transactions: true, ..ALL };
            Scenario { arguments: TRANSACTIONS, ..play(wants, any_of_these) }
        }
    }
}

fn any_of_these(stage: &mut Stage<'_>) -> Result<(), Anomaly> {
    let (row, round) = IDEMPOTENT[stage.rng.random_range(0..IDEMPOTENT.len())];
    stage.say(format!("as row {row}"));
    round(stage)
}

type Round = fn(&mut Stage<'_>) -> Result<(), Anomaly>;

/// The rows through which idempotent and transactional producers go.
const IDEMPOTENT: [(u8, Round); 9] = [
    (4, failovers::one_killed),
    (5, failovers::two_killed),
    (6, failovers::all_killed),
    (9, failovers::one_loses_power),
    (10, failovers::leader_loses_power_briefly),
    (14, zombies::paused),
    (15, zombies::cut_off),
    (16, disks::slow),
    (17, disks::failing),
];
