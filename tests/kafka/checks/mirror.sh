# MirrorMaker 2 between a broker of Kafka's and our cluster, both ways at once and exactly once, with a broker of ours killed meanwhile.

start_mirror() {
    cat >"$work/mirror.properties" <<END
clusters=ours,kafka
ours.bootstrap.servers=$bootstrap
kafka.bootstrap.servers=$peer_bootstrap
ours->kafka.enabled=true
ours->kafka.topics=mirror-out
kafka->ours.enabled=true
kafka->ours.topics=mirror-in
groups=mirrored-.*
replication.factor=1
ours.exactly.once.source.support=enabled
kafka.exactly.once.source.support=enabled
dedicated.mode.enable.internal.rest=true
listeners=http://127.0.0.1:0
kafka.offset.storage.replication.factor=1
kafka.status.storage.replication.factor=1
kafka.config.storage.replication.factor=1
ours.offset.storage.replication.factor=3
ours.status.storage.replication.factor=3
ours.config.storage.replication.factor=3
kafka->ours.replication.factor=3
ours->kafka.checkpoints.topic.replication.factor=1
ours->kafka.heartbeats.topic.replication.factor=1
kafka->ours.checkpoints.topic.replication.factor=3
kafka->ours.heartbeats.topic.replication.factor=3
ours->kafka.offset-syncs.topic.replication.factor=3
kafka->ours.offset-syncs.topic.replication.factor=1
sync.topic.acls.enabled=false
sync.group.offsets.enabled=true
sync.group.offsets.interval.seconds=1
emit.checkpoints.interval.seconds=1
emit.heartbeats.interval.seconds=1
refresh.topics.interval.seconds=2
refresh.groups.interval.seconds=2
sync.topic.configs.interval.seconds=2
offset.lag.max=0
offset.flush.interval.ms=1000
END
    java -Xmx512m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
        org.apache.kafka.connect.mirror.MirrorMaker "$work/mirror.properties" >"$work/mirror.log" 2>&1 &
    mirror=$!
}

stop_mirror() {
    kill "$mirror" && wait "$mirror"
    mirror=''
}

mirror_prepare() {
    seq 1 500 | sed 's/.*/&:out &/' >"$work/out"
    seq 1 500 | sed 's/.*/&:in &/' >"$work/in"
    create mirror-out --partitions 3 --replication-factor 3 --config retention.ms=7200000 --config max.message.bytes=2000000
    keyed mirror-out "$work/out"
    consume mirror-out 500 --group mirrored-out
    local bootstrap=$peer_bootstrap
    create mirror-in --partitions 2 --replication-factor 1 --config cleanup.policy=compact
    keyed mirror-in "$work/in"
    consume mirror-in 500 --group mirrored-in
}

keyed() { # TOPIC FILE: lines of key:value
    produce "$1" "$2" --reader-property parse.key=true --reader-property key.separator=:
}

end_is() { # BOOTSTRAP TOPIC COUNT: so many records or more stand there
    local bootstrap=$1 sum
    offsets --topic "$2"
    sum=$(awk -F: '{ sum += $3 } END { print sum + 0 }' "$said")
    [ "$sum" -ge "$3" ] || { echo "$2 has $sum records and not $3; MirrorMaker: $(grep -E 'ERROR|Exception' "$work/mirror.log" | head -n 2 | cut -c1-300)" >"$why"; return 1; }
}

patiently() { until_so "$@" || until_so "$@"; }

arrived() { # BOOTSTRAP TOPIC FILE: each line of FILE once
    local bootstrap=$1 count
    count=$(wc -l <"$3")
    patiently end_is "$1" "$2" "$count"
    # One more than there are: the end is found by waiting.
    kafka consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic "$2" --from-beginning --timeout-ms 5000 \
        --max-messages $((count + 1)) --isolation-level read_committed --formatter-property print.key=true \
        --formatter-property key.separator=: || :
    grep -E '^[0-9]+:' "$said" | sort >"$work/arrived"
    sort "$3" >"$work/wanted"
    same "$2" "$work/wanted" "$work/arrived"
}

mirror_arrives() {
    arrived "$peer_bootstrap" ours.mirror-out "$work/out"
    arrived "$bootstrap" kafka.mirror-in "$work/in"
}

mirror_configs() {
    until_so has_config "$peer_bootstrap" ours.mirror-out 'retention.ms=7200000'
    until_so has_config "$peer_bootstrap" ours.mirror-out 'max.message.bytes=2000000'
    until_so has_config "$bootstrap" kafka.mirror-in 'cleanup.policy=compact'
    topics --describe --topic kafka.mirror-in && says 'PartitionCount: 2.*ReplicationFactor: 3'
}

has_config() { # BOOTSTRAP TOPIC CONFIG
    local bootstrap=$1
    configs --describe --entity-type topics --entity-name "$2" && says "$3"
}

mirror_groups() {
    patiently translated "$peer_bootstrap" mirrored-out ours.mirror-out 500
    patiently translated "$bootstrap" mirrored-in kafka.mirror-in 500
}

translated() { # BOOTSTRAP GROUP TOPIC SUM: the group's offsets on the mirrored topic come to the sum
    kafka consumer.group.ConsumerGroupCommand --bootstrap-server "$1" --describe --group "$2" || return 1
    local sum
    sum=$(awk -v topic="$3" '$2 == topic { sum += $4 } END { print sum + 0 }' "$said")
    [ "$sum" = "$4" ] || { echo "the offsets of $2 on $3 come to $sum and not $4" >"$why"; return 1; }
}

mirror_failover() {
    seq 501 1500 | sed 's/.*/&:out &/' >"$work/out.more"
    seq 501 1500 | sed 's/.*/&:in &/' >"$work/in.more"
    fault '{"kind":"kill","broker":2}'
    keyed mirror-out "$work/out.more"
    bootstrap=$peer_bootstrap keyed mirror-in "$work/in.more"
    cat "$work/out.more" >>"$work/out"
    cat "$work/in.more" >>"$work/in"
    patiently end_is "$bootstrap" kafka.mirror-in 1500
    heal
    mirror_arrives
}

if [ ${#wanted[@]} = 0 ] || [[ "MirrorMaker" == *"${wanted[-1]:-}"* ]]; then
    rm -rf "$work/peer"
    format_peer && start_peer
    check "MirrorMaker: topics and groups on both sides" mirror_prepare
    start_mirror
    check "MirrorMaker: each record once on the other side, both ways" mirror_arrives
    check "MirrorMaker: configs and partitions" mirror_configs
    check "MirrorMaker: committed offsets are translated" mirror_groups
    check "MirrorMaker: exactly once both ways while a broker of ours is killed" mirror_failover
    stop_mirror
    stop_peer
fi
