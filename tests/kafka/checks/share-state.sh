# The state of share groups' partitions: what Kafka's tools read of it, and that it outlives each broker.

# Records of __share_group_state, one a line: the formatter ends no line.
share_states() { # GROUP COUNT: at least so many are of this group
    kafka consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic __share_group_state --from-beginning --timeout-ms 5000 \
        --formatter org.apache.kafka.tools.consumer.group.share.ShareGroupStateMessageFormatter || :
    sed 's/{"key":/\n&/g' "$said" | grep -F "\"groupId\":\"$1\"" >"$work/states" || :
    cp "$work/states" "$said"
    [ "$(wc -l <"$said")" -ge "$2" ] || { echo "$(wc -l <"$said") records are there and not $2" >"$why"; return 1; }
}

share_state_read() {
    needs ShareGroupHeartbeat ShareFetch ShareAcknowledge
    local id
    create share-states --partitions 1 --replication-factor 3
    topics --describe --topic share-states
    id=$(sed -n 's/.*TopicId: \([^	 ]*\).*/\1/p' "$said")
    seq -f 'value-%g' 1 20 >"$work/share-states"
    produce share-states "$work/share-states"
    configs --alter --entity-type groups --entity-name state-sharers --add-config share.auto.offset.reset=earliest
    kafka consumer.ConsoleShareConsumer --bootstrap-server "$bootstrap" --group state-sharers --topic share-states \
        --max-messages 20 --timeout-ms 20000
    lines 20 '^value-'
    until_so share_states state-sharers 2
    says "\"type\":0,\"data\":.\"groupId\":\"state-sharers\",\"topicId\":\"$id\",\"partition\":0.*\"snapshotEpoch\":0,.*\"leaderEpoch\":0,\"startOffset\":-1,"
    says '"type":1,.*"snapshotEpoch":0,"leaderEpoch":0,"startOffset":[0-9]+,'
    topics --describe --topic __share_group_state
    says 'ReplicationFactor: 3.*min.insync.replicas=2.*cleanup.policy=delete.*retention.ms=-1'
}
check "ShareGroupStateMessageFormatter" share_state_read

share_starts() { # OFFSET
    kafka consumer.group.ShareGroupCommand --bootstrap-server "$bootstrap" --describe --group state-sharers --offsets
    says "^state-sharers +share-states +0 +$1 "
}
share_state_kept() {
    needs AlterShareGroupOffsets DescribeShareGroupOffsets
    local broker
    until_so kafka consumer.group.ShareGroupCommand --bootstrap-server "$bootstrap" --reset-offsets --group state-sharers \
        --topic share-states --to-earliest --execute
    says '^state-sharers +share-states +0 +0 *$'
    for broker in 1 2 3; do
        fault "{\"kind\":\"kill\",\"broker\":$broker}"
        # Kafka's AdminClient asks a coordinator that it knows until its time is over.
        until_so leads_nothing "$broker"
        until_so share_starts 0
        heal
        until_so all_in_sync
    done
}
leads_nothing() { # BROKER
    topics --describe
    says_not "Leader: $1	"
}
all_in_sync() {
    topics --describe --under-replicated-partitions
    says_not 'Partition:'
}
check "ShareGroupCommand --describe --offsets after the death of each broker" share_state_kept
heal || :

share_state_deleted() {
    needs ShareGroupHeartbeat
    local files
    topics --delete --topic share-states
    until_so share_state_is_gone
    files=$(find "$work/data/broker-1" -path '*__share_group_state-*' -name '*.log' -size +0 | paste -sd,)
    dump --share-group-state-decoder --files "$files"
    says '"type":"0","data":."groupId":"state-sharers".*payload: ."version":"0","data":."snapshotEpoch":[0-9]+,'
    says '"type":"1","data":."groupId":"state-sharers".*payload: ."version":"0","data":."snapshotEpoch":[0-9]+,'
    says '"type":"0","data":."groupId":"state-sharers".*payload: <DELETE>'
    says_not 'isvalid: false|Exception|could not be decoded'
}
share_state_is_gone() {
    share_states state-sharers 3
    says '"value":null'
}
check "DumpLogSegments --share-group-state-decoder, and the state of a topic that is deleted" share_state_deleted
