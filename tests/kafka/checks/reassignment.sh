# ReassignPartitionsCommand.

placed_on() { # REPLICAS: of moved-0
    topics --describe --topic moved
    says "Partition: 0	Leader: [1-3]	Replicas: $1	Isr: "
}

reassignment_generate() {
    needs DescribeLogDirs
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
    needs AlterPartitionReassignments ListPartitionReassignments IncrementalAlterConfigs
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

still_moving() { # skips the check if the last tool told that nothing moves any more
    if grep -qE '^No partition reassignments found|^Reassignment of partition heavy-0 is complete' "$said"; then
        echo "the move was over before it was cancelled" >"$why"
        exit 77
    fi
}

reassignment_cancel() {
    needs AlterPartitionReassignments ListPartitionReassignments IncrementalAlterConfigs
    create heavy --replica-assignment 1:2
    kafka ProducerPerformance --topic heavy --num-records 20000 --record-size 1000 --throughput -1 \
        --command-property bootstrap.servers="$bootstrap" acks=all
    echo '{"version":1,"partitions":[{"topic":"heavy","partition":0,"replicas":[3,2],"log_dirs":["any","any"]}]}' >"$work/move.json"
    reassign --execute --reassignment-json-file "$work/move.json" --throttle 1000
    # Throttles are not enforced yet, so that the move may be over before it can be cancelled.
    reassign --list
    still_moving
    says '^Current partition reassignments:$'
    says '^heavy-0: replicas: 3,2,1\. adding: 3\. removing: 1\.$'
    reassign --verify --reassignment-json-file "$work/move.json"
    still_moving
    says '^Reassignment of partition heavy-0 is still in progress\.$'
    reassign --cancel --reassignment-json-file "$work/move.json"
    grep -q '^Successfully cancelled' "$said" || { reassign --list; still_moving; }
    says '^Successfully cancelled partition reassignments? for: heavy-0$'
    reassign --list
    says '^No partition reassignments found\.$'
    topics --describe --topic heavy
    says 'Partition: 0	Leader: [12]	Replicas: 2,1	'
}
check "ReassignPartitionsCommand --cancel" reassignment_cancel

reassignment_factor() {
    needs AlterPartitionReassignments ListPartitionReassignments
    create grown --replica-assignment 1
    produce grown "$work/values"
    echo '{"version":1,"partitions":[{"topic":"grown","partition":0,"replicas":[1,2,3]}]}' >"$work/move.json"
    reassign --execute --reassignment-json-file "$work/move.json"
    until_so in_sync grown 3
    topics --describe --topic grown
    says 'ReplicationFactor: 3	'
}
check "ReassignPartitionsCommand: a larger replication factor" reassignment_factor
