# ReassignPartitionsCommand.

placed_on() { # REPLICAS: of moved-0
    topics --describe --topic moved
    says "Partition: 0	Leader: [1-3]	Replicas: $1	Isr: "
}

reassignment_generate() {
    create moved --replica-assignment 1:2
    produce moved "$work/values"
    echo '{"topics":[{"topic":"moved"}],"version":1}' >"$work/topics.json"
    reassign --generate --topics-to-move-json-file "$work/topics.json" --broker-list 2,3
    says '^Current partition replica assignment$'
    says '\{"topic":"moved","partition":0,"replicas":\[1,2\],"log_dirs":\["[^"]+","[^"]+"\]\}'
    says '^Proposed partition reassignment configuration$'
    says '"replicas":\[(2,3|3,2)\]'
}
check "ReassignPartitionsCommand --generate" reassignment_generate

reassignment_done() {
    reassign --verify --reassignment-json-file "$work/move.json"
    says '^Reassignment of partition moved-0 is completed\.$'
}

reassignment_execute() {
    echo '{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[3,2],"log_dirs":["any","any"]}]}' >"$work/move.json"
    reassign --execute --reassignment-json-file "$work/move.json" --throttle 50000000
    says '^The inter-broker throttle limit was set to 50000000 B/s$'
    says '^Successfully started partition reassignment for moved-0$'
    until_so reassignment_done
    says '^Clearing broker-level throttles on brokers 1,2,3$'
    says '^Clearing topic-level throttles on topic moved$'
    placed_on '3,2'
    configs --describe --entity-type brokers --entity-name 1
    says_not throttled
    consume moved 400
    lines 400 '^value-'
    reassign --list
    says '^No partition reassignments found\.$'
}
check "ReassignPartitionsCommand --execute --throttle, --verify, --list" reassignment_execute

throttled() { # RATE: both rates of broker 3
    configs --describe --entity-type brokers --entity-name 3
    says "leader.replication.throttled.rate=$1 " && says "follower.replication.throttled.rate=$1 "
}

not_throttled() { # by neither the brokers nor the topic
    configs --describe --entity-type brokers --entity-name 3
    says_not throttled
    configs --describe --entity-type topics --entity-name heavy
    says_not throttled
}

# 20 MB at 1 kB/s: the move cannot be over.
reassignment_throttle() {
    create heavy --replica-assignment 1:2
    kafka ProducerPerformance --topic heavy --num-records 20000 --record-size 1000 --throughput -1 \
        --command-property bootstrap.servers="$bootstrap" acks=all
    echo '{"version":1,"partitions":[{"topic":"heavy","partition":0,"replicas":[3,2],"log_dirs":["any","any"]}]}' >"$work/move.json"
    reassign --execute --reassignment-json-file "$work/move.json" --throttle 1000
    says '^The inter-broker throttle limit was set to 1000 B/s$'
    reassign --list
    says '^Current partition reassignments:$'
    says '^heavy-0: replicas: 3,2,1\. adding: 3\. removing: 1\.$'
    reassign --verify --reassignment-json-file "$work/move.json"
    says '^Reassignment of partition heavy-0 is still in progress\.$'
    says_not Clearing
    throttled 1000
    configs --describe --entity-type topics --entity-name heavy
    says 'leader.replication.throttled.replicas=0:1,0:2 ' && says 'follower.replication.throttled.replicas=0:3 '
    # What is in sync is not held back.
    produce heavy "$work/values"
    reassign --list
    says '^heavy-0: replicas: 3,2,1\. adding: 3\. removing: 1\.$'
    reassign --cancel --reassignment-json-file "$work/move.json"
    says '^Successfully cancelled partition reassignments? for: heavy-0$'
    # Kafka begins no new line here.
    says 'Clearing broker-level throttles on brokers 1,2,3$'
    says '^Clearing topic-level throttles on topic heavy$'
    not_throttled
    reassign --list
    says '^No partition reassignments found\.$'
    topics --describe --topic heavy
    says 'Partition: 0	Leader: [12]	Replicas: 2,1	'
}
check "ReassignPartitionsCommand: a throttled move stays under way, and --cancel takes it back and lifts the throttles" reassignment_throttle

heavy_is_moved() {
    reassign --verify --reassignment-json-file "$work/move.json"
    says '^Reassignment of partition heavy-0 is completed\.$'
}

reassignment_faster() {
    echo '{"version":1,"partitions":[{"topic":"heavy","partition":0,"replicas":[3,2],"log_dirs":["any","any"]}]}' >"$work/move.json"
    reassign --execute --reassignment-json-file "$work/move.json" --throttle 1000
    reassign --verify --reassignment-json-file "$work/move.json"
    says '^Reassignment of partition heavy-0 is still in progress\.$'
    reassign --execute --additional --reassignment-json-file "$work/move.json" --throttle 50000000
    says '^The inter-broker throttle limit was set to 50000000 B/s$'
    throttled 50000000
    until_so heavy_is_moved
    says '^Clearing broker-level throttles on brokers 1,2,3$'
    says '^Clearing topic-level throttles on topic heavy$'
    not_throttled
    topics --describe --topic heavy
    says 'Partition: 0	Leader: [23]	Replicas: 3,2	'
}
check "ReassignPartitionsCommand: a larger --throttle lets the move go on, and --verify lifts it" reassignment_faster

reassignment_factor() {
    create grown --replica-assignment 1
    produce grown "$work/values"
    echo '{"version":1,"partitions":[{"topic":"grown","partition":0,"replicas":[1,2,3]}]}' >"$work/move.json"
    reassign --execute --reassignment-json-file "$work/move.json"
    until_so in_sync grown 3
    topics --describe --topic grown
    says 'ReplicationFactor: 3	'
}
check "ReassignPartitionsCommand: a larger replication factor" reassignment_factor
