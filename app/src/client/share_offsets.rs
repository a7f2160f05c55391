//! How far a share group has come, as its coordinator tells. KIP-932.

use broker::protocol::messages::{DescribeShareGroupOffsetsRequestData, DescribeShareGroupOffsetsRequestGroup};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::inquiry::ShareOffset;

/// Where a share group is in all partitions that it has a state of.
pub fn share_offsets(client: &mut Client, group: &str) -> Result<Vec<ShareOffset>, ClientError> {
    client.persist(|client, until| {
        let answer = client.call(To::Group(group), until, |_| {
            let wanted = DescribeShareGroupOffsetsRequestGroup::default()
                .with_group_id(group.to_owned().into())
                .with_topics(None);
            DescribeShareGroupOffsetsRequestData::default().with_groups(vec![wanted])
        })?;
        let mut offsets = Vec::new();
        for told in answer.groups {
            ClientError::check(told.error_code, told.error_message.as_ref().map(|words| words.as_str()))?;
            for topic in told.topics {
                let name: std::sync::Arc<str> = topic.topic_name.as_str().into();
                for one in topic.partitions {
                    ClientError::check(one.error_code, None)?;
                    offsets.push(ShareOffset {
                        topic: name.clone(),
                        partition: one.partition_index,
                        start_offset: one.start_offset,
                        lag: (one.lag >= 0).then_some(one.lag),
                    });
                }
            }
        }
        offsets.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
        Ok(offsets)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use broker::protocol::messages::{
        AlterShareGroupOffsetsRequestData, AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
        ShareGroupHeartbeatRequestData,
    };

    use super::*;
    use crate::client::create_topic;
    use crate::client::testing::{PATIENCE, house, until};

    const MEMBER: &str = "7xUDLIiERFSdtFwPbKFxGw";

    /// A member's heartbeat in an epoch: 0 joins, -1 leaves.
    fn beat(client: &mut Client, epoch: i32) {
        let beat = |_| {
            ShareGroupHeartbeatRequestData::default()
                .with_group_id("s".to_owned().into())
                .with_member_id(MEMBER.to_owned().into())
                .with_member_epoch(epoch)
                .with_subscribed_topic_names((epoch == 0).then(|| vec!["t".to_owned().into()]))
        };
        let answer = client.persist(|client, until| {
            let answer = client.call(To::Group("s"), until, beat)?;
            ClientError::check(answer.error_code, None).map(|()| answer)
        });
        assert!(answer.is_ok(), "{answer:?}");
    }

    #[test]
    fn a_share_groups_progress_is_told() {
        let house = house();
        let mut client = house.client();
        create_topic(&mut client, "t", 1, 3, &[]).unwrap();
        house.write("t", 0, 5);
        beat(&mut client, 0);
        until("its partition has a state", || match share_offsets(&mut client, "s") {
            Ok(told) if told.len() == 1 => Ok(()),
            other => Err(other),
        });
        beat(&mut client, -1);
        let partition = AlterShareGroupOffsetsRequestPartition::default().with_partition_index(0).with_start_offset(3);
        let topic = AlterShareGroupOffsetsRequestTopic::default()
            .with_topic_name("t".to_owned().into())
            .with_partitions(vec![partition]);
        let request = AlterShareGroupOffsetsRequestData::default().with_group_id("s".to_owned().into());
        let request = request.with_topics(vec![topic]);
        let set = client.call(To::Group("s"), Instant::now() + PATIENCE, |_| request.clone()).unwrap();
        assert_eq!(set.error_code, 0, "{set:?}");
        let expected = [ShareOffset { topic: "t".into(), partition: 0, start_offset: 3, lag: Some(2) }];
        until("where it was set to is told", || match share_offsets(&mut client, "s") {
            Ok(told) if told == expected => Ok(()),
            other => Err(other),
        });
        assert_eq!(share_offsets(&mut client, "nobody").unwrap(), []);
    }
}
