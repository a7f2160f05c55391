//! Whose limit holds for whom: the most specific one that is set.
//!
//! Source: `ClientQuotaManager.DefaultQuotaCallback`.

use std::collections::HashMap;

use crate::metadata::image::ClientQuotas;
use crate::metadata::quotas::{CLIENT_ID, USER};

/// Name of the principal of who did not say who he is, as all do here.
pub const ANONYMOUS: &str = "ANONYMOUS";

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    /// Name of the principal.
    pub user: &'a str,
    /// Client id; empty where there is none.
    pub client_id: &'a str,
}

/// Those who share a limit: all of a user, all of a client id, or both; what does not matter is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub(super) user: String,
    pub(super) client_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Default,
    Is(String),
}

type Entity = (Option<Name>, Option<Name>);

/// Levels at which there are limits.
const CLIENT_IDS: u8 = 1;
const USERS: u8 = 2;
const BOTH: u8 = 4;

/// The limits of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    by_entity: HashMap<Entity, f64>,
    levels: u8,
}

impl Limits {
    /// Those of a key (as `producer_byte_rate`).
    pub fn of(quotas: &ClientQuotas, key: &str) -> Limits {
        let mut limits = Limits::default();
        for (entity, values) in quotas {
            let Some(limit) = values.get(key) else { continue };
            let name_of = |kind: &str| {
                let part = entity.iter().find(|(its, _)| its == kind)?;
                Some(part.1.clone().map_or(Name::Default, Name::Is))
            };
            let entity = (name_of(USER), name_of(CLIENT_ID));
            limits.levels |= match &entity {
                (Some(_), Some(_)) => BOTH,
                (Some(_), None) => USERS,
                (None, Some(_)) => CLIENT_IDS,
                (None, None) => continue,
            };
            limits.by_entity.insert(entity, *limit);
        }
        limits
    }

    /// Whether nobody has a limit.
    pub fn is_empty(&self) -> bool {
        self.by_entity.is_empty()
    }

    fn get(&self, user: Option<Name>, client_id: Option<Name>) -> Option<f64> {
        self.by_entity.get(&(user, client_id)).copied()
    }

    /// With whom a client is counted together.
    pub(super) fn group(&self, client: Client<'_>) -> Group {
        let (by_user, by_client_id) = match self.levels {
            0 | CLIENT_IDS => (false, true),
            USERS => (true, false),
            BOTH => (true, true),
            _ => self.most_specific(client),
        };
        let chosen = |is: bool, name: &str| if is { name.to_owned() } else { String::new() };
        Group { user: chosen(by_user, client.user), client_id: chosen(by_client_id, client.client_id) }
    }

    fn most_specific(&self, client: Client<'_>) -> (bool, bool) {
        let user = || Some(Name::Is(client.user.to_owned()));
        let client_id = || Some(Name::Is(client.client_id.to_owned()));
        let default = || Some(Name::Default);
        let has = |user, client_id| self.by_entity.contains_key(&(user, client_id));
        if has(user(), client_id()) || has(user(), default()) {
            (true, true)
        } else if has(user(), None) {
            (true, false)
        } else if has(default(), client_id()) || has(default(), default()) {
            (true, true)
        } else if has(default(), None) {
            (true, false)
        } else {
            (false, true)
        }
    }

    /// What those may do together; `None`: as much as they like.
    pub(super) fn limit(&self, group: &Group) -> Option<f64> {
        let name = |name: &str| Some(Name::Is(name.to_owned()));
        let (user, client_id) = (&group.user, &group.client_id);
        let default = || Some(Name::Default);
        match (user.is_empty(), client_id.is_empty()) {
            (false, false) => self
                .get(name(user), name(client_id))
                .or_else(|| self.get(name(user), default()))
                .or_else(|| self.get(default(), name(client_id)))
                .or_else(|| self.get(default(), default())),
            (false, true) => self.get(name(user), None).or_else(|| self.get(default(), None)),
            (true, false) => self.get(None, name(client_id)).or_else(|| self.get(None, default())),
            (true, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metadata::quotas::PRODUCER_BYTE_RATE;

    /// `U`, `C`: that name; `*`: the default; `-`: not part of the entity. In Kafka's order of precedence.
    const LEVELS: [(&str, f64); 8] =
        [("UC", 1.0), ("U*", 2.0), ("U-", 3.0), ("*C", 4.0), ("**", 5.0), ("*-", 6.0), ("-C", 7.0), ("-*", 8.0)];

    fn limits(levels: &[(&str, f64)]) -> Limits {
        let mut quotas = ClientQuotas::new();
        for (level, limit) in levels {
            let parts = [CLIENT_ID, USER].into_iter().zip(level.chars().rev());
            let part = |(kind, name): (&str, char)| match name {
                '-' => None,
                '*' => Some((kind.to_owned(), None)),
                name => Some((kind.to_owned(), Some(name.to_string()))),
            };
            let values = BTreeMap::from([(PRODUCER_BYTE_RATE.to_owned(), *limit)]);
            quotas.insert(parts.filter_map(part).collect(), values);
        }
        Limits::of(&quotas, PRODUCER_BYTE_RATE)
    }

    fn limit(limits: &Limits, user: &str, client_id: &str) -> Option<f64> {
        limits.limit(&limits.group(Client { user, client_id }))
    }

    #[test]
    fn the_most_specific_limit_holds() {
        for from in 0..LEVELS.len() {
            assert_eq!(limit(&limits(&LEVELS[from..]), "U", "C"), Some(LEVELS[from].1), "{:?}", &LEVELS[from..]);
        }
        let all = limits(&LEVELS);
        assert_eq!(limit(&all, "U", "other"), Some(2.0));
        assert_eq!(limit(&all, "other", "C"), Some(4.0));
        assert_eq!(limit(&all, "other", "other"), Some(5.0));
        assert_eq!(limit(&Limits::default(), "U", "C"), None);
        assert_eq!(limit(&limits(&[("-C", 7.0)]), "U", "other"), None);
        // Who has no client id has no limit of client ids, not even the default.
        assert_eq!(limit(&limits(&[("-*", 8.0)]), "U", ""), None);
        assert_eq!(limit(&limits(&[("U-", 3.0)]), "U", ""), Some(3.0));
    }

    #[test]
    fn who_shares_a_limit_is_counted_together() {
        let group = |levels: &[(&str, f64)], user, client_id| limits(levels).group(Client { user, client_id });
        let users = [("U-", 3.0)];
        assert_eq!(group(&users, "U", "a"), group(&users, "U", "b"));
        let ids = [("-*", 8.0)];
        assert_eq!(group(&ids, "U", "a"), group(&ids, "V", "a"));
        assert_ne!(group(&ids, "U", "a"), group(&ids, "U", "b"));
        let both = [("**", 5.0)];
        assert_ne!(group(&both, "U", "a"), group(&both, "V", "a"));
        let mixed = [("U-", 3.0), ("-*", 8.0)];
        assert_eq!(group(&mixed, "U", "a"), group(&mixed, "U", "b"));
        assert_ne!(group(&mixed, "V", "a"), group(&mixed, "V", "b"));
    }
}
