//! The rows of the acceptance table: what each wants of its cluster, and one round of its fault with what must hold then.

mod disks;
mod failovers;
mod last_member;
mod proposals;
mod share;
mod steps;
mod transactions;
mod zombies;

use std::fmt;
use std::time::Duration;

use rand::Rng;

use super::history::Anomaly;
use super::plan::Wants;
use super::world::World;

/// A row of the acceptance table, or the scenarios of truncation (0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(u8);

/// Rows that are played.
pub const ROWS: std::ops::RangeInclusive<u8> = 1..=19;

impl Row {
    /// Followers truncate by leader epoch: loss, divergence, fast double failover.
    pub const TRUNCATION: Row = Row(0);
    /// The row of share groups.
    pub const SHARE: Row = Row(20);
    /// The row of transactions.
    pub const TRANSACTIONS: Row = Row(19);

    /// Every row that is played.
    pub fn all() -> Vec<Row> {
        ROWS.map(Row).chain([Row::TRUNCATION, Row::SHARE]).collect()
    }

    /// `all`, a number, a range as `4-6`, `truncation`, `share`, or several of these with commas between.
    pub fn parse(text: &str) -> Option<Vec<Row>> {
        let mut rows = Vec::new();
        for part in text.split(',') {
            match part {
                "all" => rows.extend(Row::all()),
                "truncation" => rows.push(Row::TRUNCATION),
                "share" => rows.push(Row::SHARE),
                _ => {
                    let (first, last) = part.split_once('-').unwrap_or((part, part));
                    let range = first.parse::<u8>().ok()?..=last.parse::<u8>().ok()?;
                    if range.is_empty() || !range.clone().all(|row| ROWS.contains(&row)) {
                        return None;
                    }
                    rows.extend(range.map(Row));
                }
            }
        }
        Some(rows)
    }

    /// A number that goes into the seed, so that no two rows play the same.
    pub(super) fn salt(self) -> u64 {
        u64::from(self.0)
    }

    /// Its number in the table; 0 for truncation, 20 for share groups.
    pub fn number(self) -> u8 {
        self.0
    }

    /// In a few words.
    pub fn title(self) -> &'static str {
        match self.0 {
            0 => "truncation by leader epoch, double failover",
            1 => "acks=0, any fault",
            2 => "acks=1, leader killed, paused, cut off",
            3 => "acks=1, followers killed",
            4 => "acks=all, one killed",
            5 => "acks=all, two killed",
            6 => "acks=all, all killed",
            7 => "ISR = {leader}, then killed",
            8 => "ISR = {leader}, then power lost",
            9 => "power lost at one",
            10 => "power lost at the leader, back in its session",
            11 => "followers gone, power lost at the last of the ISR",
            12 => "power lost at all of the ISR",
            13 => "unclean election",
            14 => "leader paused, then resumed",
            15 => "leader cut off from the controllers",
            16 => "slow disk",
            17 => "ENOSPC, EIO",
            18 => "idempotent, rows 4-6, 9, 10, 14-17",
            19 => "transactions, as 18, and faults at their coordinator",
            20 => "share groups, as 18, and faults at their coordinators",
            _ => "",
        }
    }

    pub(super) fn wants(self) -> Wants {
        let any = Wants::default();
        match self.0 {
            0 => Wants { acks: &[-1, -1, 1], kafka_timings: false, ..any },
            1 => Wants { acks: &[0], commits: false, min_isr: &[1, 2], unclean: &[true, false], ..any },
            2 => Wants { acks: &[1], min_isr: &[1, 2], ..any },
            3 => Wants { acks: &[1], min_isr: &[1, 2], one_leader: true, ..any },
            5 => Wants { acks: &[-1, -1, 1], ..any },
            7 => Wants { min_isr: &[1], one_leader: true, ..any },
            8 => Wants { min_isr: &[1], one_leader: true, commits: false, ..any },
            11 => Wants { one_leader: true, commits: false, elr: &[true, false], ..any },
            12 => Wants { commits: false, ..any },
            13 => Wants { commits: false, acks: &[-1, 1], min_isr: &[1, 2], unclean: &[true], one_leader: true, ..any },
            14 | 15 => Wants { acks: &[-1, -1, 1], ..any },
            17 => Wants { log_dirs: &[1, 2, 3], ..any },
            19 => Wants { idempotent: Some(true), log_dirs: &[1, 2], commits: false, transactions: true, ..any },
            20 => Wants { idempotent: Some(true), log_dirs: &[1, 2], commits: false, share: true, ..any },
            18 => Wants { idempotent: Some(true), log_dirs: &[1, 2], ..any },
            _ => any,
        }
    }

    /// How long its seeds go on, in simulated time.
    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(60)
    }

    /// Whether anything goes for senders.
    pub(super) fn promises_nothing(self) -> bool {
        self.0 == 1
    }

    /// One round: precondition, fault, what must hold, and all healed again.
    pub(super) fn round(self, world: &mut World) -> Result<(), Anomaly> {
        match self.0 {
            0 => failovers::double_failover(world),
            1 => failovers::anything(world),
            2 => failovers::leader_lost(world),
            3 => failovers::followers_killed(world),
            4 => failovers::one_killed(world),
            5 => failovers::two_killed(world),
            6 => failovers::all_killed(world),
            7 => last_member::last_killed(world),
            8 => last_member::last_loses_power(world),
            9 => failovers::one_loses_power(world),
            10 => failovers::leader_loses_power_briefly(world),
            11 => last_member::followers_then_power(world),
            12 => last_member::all_lose_power(world),
            13 => last_member::unclean(world),
            14 => zombies::paused(world),
            15 => zombies::cut_off(world),
            16 => disks::slow(world),
            17 => disks::failing(world),
            19 => match world.rng.random_range(0..4) {
                0 => transactions::coordinator_lost(world),
                1 => transactions::leader_lost_ahead(world),
                _ => Row(18).round(world),
            },
            20 => match world.rng.random_range(0..4) {
                0 | 1 => share::coordinator_lost(world),
                2 => share::leader_lost_ahead(world),
                _ => Row(18).round(world),
            },
            _ => {
                const ROWS: [u8; 9] = [4, 5, 6, 9, 10, 14, 15, 16, 17];
                let row = ROWS[world.rng.random_range(0..ROWS.len())];
                world.say(|| format!("as row {row}"));
                Row(row).round(world)
            }
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("truncation"),
            20 => f.write_str("share"),
            number => write!(f, "{number}"),
        }
    }
}
