//! Who has fenced whom: each InitProducerId of a transactional id, and what may be acknowledged to whom after it.

use std::time::Duration;

use super::history::{Anomaly, Kind};

/// Beyond this an InitProducerId that was never answered fences nobody any more.
const UNANSWERED_MAX: Duration = Duration::from_secs(40);
/// From this epoch on a new producer id may come instead of a new epoch.
const EPOCHS_END: i16 = i16::MAX - 1;

/// An InitProducerId that was sent.
#[derive(Clone, Copy, Debug)]
struct Claim {
    process: u32,
    sent: Duration,
    /// When, and with what producer; `None`: it was refused.
    answered: Option<(Duration, Option<(i64, i16)>)>,
}

/// All claims of a run, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Fences {
    claims: Vec<Claim>,
}

impl Fences {
    /// A transactional id's producer is asked for; the claim's number.
    pub(super) fn claimed(&mut self, process: u32, now: Duration) -> usize {
        self.claims.push(Claim { process, sent: now, answered: None });
        self.claims.len() - 1
    }

    /// How often it was claimed by now.
    pub(super) fn count(&self, process: u32) -> usize {
        self.claims.iter().filter(|claim| claim.process == process).count()
    }

    /// The claim was granted. Whoever was told so before it was sent must be told apart from it.
    pub(super) fn granted(&mut self, number: usize, now: Duration, producer: (i64, i16)) -> Result<(), Anomaly> {
        let Claim { process, sent, .. } = self.claims[number];
        for before in self.claims.iter().filter(|before| before.process == process) {
            let Some((answered, Some((id, epoch)))) = before.answered else { continue };
            let rises = if producer.0 == id { producer.1 > epoch } else { epoch >= EPOCHS_END };
            if producer == (id, epoch) || (answered <= sent && !rises) {
                let what = format!(
                    "process {process} was given producer {producer:?}, which does not fence {:?} that was given before",
                    (id, epoch)
                );
                return Err(Anomaly::new(Kind::NotFenced, what));
            }
        }
        self.claims[number].answered = Some((now, Some(producer)));
        Ok(())
    }

    /// The claim was refused, and will not be granted later.
    pub(super) fn refused(&mut self, number: usize, now: Duration) {
        self.claims[number].answered = Some((now, None));
    }

    /// Something that this producer sent at that time was acknowledged.
    pub(super) fn acknowledged(
        &self,
        process: u32,
        (id, epoch): (i64, i16),
        sent: Duration,
        what: &str,
    ) -> Result<(), Anomaly> {
        let fences = |claim: &&Claim| {
            let Some((answered, Some(by))) = claim.answered else { return false };
            claim.process == process && answered < sent && by.0 == id && by.1 > epoch
        };
        let Some(by) = self.claims.iter().find(fences) else { return Ok(()) };
        let what = format!("{what} of process {process} under {:?} was acknowledged; fenced by {by:?}", (id, epoch));
        Err(Anomaly::new(Kind::NotFenced, what))
    }

    /// Whether somebody may have fenced the holder of this claim by now.
    pub(super) fn may_be_fenced(&self, number: usize, now: Duration) -> bool {
        let mine = &self.claims[number];
        let since = mine.answered.map_or(mine.sent, |(answered, _)| answered);
        self.claims.iter().enumerate().any(|(index, other)| {
            index != number
                && other.process == mine.process
                && match other.answered {
                    Some((answered, _)) => answered >= since,
                    None => other.sent + UNANSWERED_MAX > now,
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn who_comes_next_fences_who_was_there() {
        let mut fences = Fences::default();
        let first = fences.claimed(7, at(1));
        fences.granted(first, at(2), (5, 0)).unwrap();
        assert!(!fences.may_be_fenced(first, at(2)));
        let second = fences.claimed(7, at(3));
        assert!(fences.may_be_fenced(first, at(3)), "its answer is under way");
        fences.granted(second, at(4), (5, 1)).unwrap();
        assert!(fences.may_be_fenced(first, at(5)) && !fences.may_be_fenced(second, at(5)));
        assert_eq!(fences.acknowledged(7, (5, 0), at(4), "a commit"), Ok(()), "sent before");
        assert_eq!(fences.acknowledged(7, (5, 1), at(5), "a commit"), Ok(()));
        assert_eq!(fences.acknowledged(8, (5, 0), at(5), "a commit"), Ok(()), "another id");
        assert_eq!(fences.acknowledged(7, (5, 0), at(5), "a commit").unwrap_err().kind, Kind::NotFenced);
    }

    #[test]
    fn who_comes_next_is_told_apart() {
        for (given, is_apart) in [((5, 3), false), ((5, 2), false), ((6, 0), false), ((5, 4), true)] {
            let mut fences = Fences::default();
            let first = fences.claimed(7, at(1));
            fences.granted(first, at(2), (5, 3)).unwrap();
            let second = fences.claimed(7, at(3));
            assert_eq!(fences.granted(second, at(4), given).is_ok(), is_apart, "{given:?}");
        }
    }
}
