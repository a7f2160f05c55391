# TopicCommand.

topic_create() {
    create made --partitions 4 --replication-factor 3 --config min.insync.replicas=2 --config segment.bytes=1048576
    says '^Created topic made\.$'
    topics --list
    says '^made$'
}
check "TopicCommand --create, --list" topic_create

topic_describe() {
    topics --describe --topic made
    says '^Topic: made	TopicId: [A-Za-z0-9_-]{22}	PartitionCount: 4	ReplicationFactor: 3	Configs: min.insync.replicas=2,segment.bytes=1048576$'
    lines 4 '^	Topic: made	Partition: [0-3]	Leader: [1-3]	Replicas: ([1-3],){2}[1-3]	Isr: ([1-3],){2}[1-3]	Elr: 	LastKnownElr: $'
    # Leaders are spread: no broker leads more than two of four.
    is "most leaders on one broker" "$(grep -oE 'Leader: [1-3]' "$said" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $1 }')" 2
}
check "TopicCommand --describe" topic_describe

topic_refused() {
    fails TopicCommand --bootstrap-server "$bootstrap" --create --topic made
    says "Topic 'made' already exists\."
    fails TopicCommand --bootstrap-server "$bootstrap" --create --topic wide --partitions 1 --replication-factor 4
    says 'Unable to replicate the partition 4 time\(s\): The target replication factor of 4 cannot be reached because only 3 broker\(s\) are registered or some brokers have all their log directories cordoned\.'
    fails TopicCommand --bootstrap-server "$bootstrap" --create --topic wrong --config retention.ms=soon
    says "Invalid value soon for configuration retention\.ms: Not a number of type LONG"
    fails TopicCommand --bootstrap-server "$bootstrap" --describe --topic absent
    says "Topic 'absent' does not exist as expected"
    topics --create --if-not-exists --topic made
}
check "TopicCommand: what is refused, and how" topic_refused

topic_placed() {
    create placed --replica-assignment 2:3,3:1,1:2
    topics --describe --topic placed
    says 'Partition: 0	Leader: 2	Replicas: 2,3	'
    says 'Partition: 1	Leader: 3	Replicas: 3,1	'
    says 'Partition: 2	Leader: 1	Replicas: 1,2	'
}
check "TopicCommand --replica-assignment" topic_placed

topic_alter() {
    topics --alter --topic placed --partitions 5
    topics --describe --topic placed
    says 'PartitionCount: 5	ReplicationFactor: 2	'
    fails TopicCommand --bootstrap-server "$bootstrap" --alter --topic placed --partitions 2
    says 'The topic placed currently has 5 partition\(s\); 2 would not be an increase\.'
}
check "TopicCommand --alter --partitions" topic_alter

topic_delete() {
    create doomed --partitions 2 --replication-factor 3
    topics --delete --topic doomed
    topics --list
    says_not '^doomed$'
    fails TopicCommand --bootstrap-server "$bootstrap" --delete --topic doomed
    says "Topic 'doomed' does not exist as expected"
}
check "TopicCommand --delete" topic_delete

topic_trouble() {
    create alone --replica-assignment 2
    create shared --replica-assignment 2:1:3 --config min.insync.replicas=3
    until_so in_sync shared 3
    fault '{"kind":"kill","broker":2}'
    until_so led_by shared 0 '1|3'
    topics --describe --under-replicated-partitions
    says '^	Topic: shared	Partition: 0	Leader: [13]	Replicas: 2,1,3	Isr: [13],[13]	'
    topics --describe --unavailable-partitions
    lines 1 '^	Topic: alone	Partition: 0	Leader: none	Replicas: 2	Isr: 2?	'
    topics --describe --under-min-isr-partitions
    says '	Topic: shared	Partition: 0	'
    says_not '	Topic: made	'
    topics --describe --at-min-isr-partitions
    lines 4 '	Topic: made	'
    heal
    until_so whole
    topics --describe --unavailable-partitions
    says_not Partition:
    until_so in_sync shared 3
}
check "TopicCommand: under-replicated, unavailable, under and at min ISR" topic_trouble
heal || :
