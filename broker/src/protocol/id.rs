//! Our ids and the codec's.

use kacrab_protocol::KafkaUuid;

use crate::types::Id;

impl From<Id> for KafkaUuid {
    fn from(id: Id) -> KafkaUuid {
        let bits = u128::from_be_bytes(id.0);
        KafkaUuid::from_parts((bits >> 64) as u64, bits as u64)
    }
}

impl From<KafkaUuid> for Id {
    fn from(id: KafkaUuid) -> Id {
        Id(id.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_and_print_alike() {
        let id = Id([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255]);
        let kafka = KafkaUuid::from(id);
        assert_eq!(Id::from(kafka), id);
        assert_eq!(kafka.to_string(), id.to_string());
        assert_eq!(KafkaUuid::from(Id::ZERO), KafkaUuid::ZERO);
    }
}
