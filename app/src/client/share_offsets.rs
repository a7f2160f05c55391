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
