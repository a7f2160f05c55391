# A broker of Kafka's on our log, and ours on one of Kafka's. Both are stopped, trade the segments, indexes, snapshots and epochs of a
# partition (each keeps its topic id in partition.metadata), and must read what the other wrote.

all_fields=(--formatter-property print.partition=true --formatter-property print.offset=true --formatter-property print.timestamp=true
    --formatter-property print.key=true --formatter-property print.headers=true)

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 9000))
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

format_peer() {
    local port controller
    port=$(free_port) controller=$(free_port)
    peer_bootstrap=127.0.0.1:$port
    mkdir "$work/peer"
    cat >"$work/peer/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
log.dirs=$work/peer/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
END
    kafka kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAA -c "$work/peer/server.properties"
}

answers() { # BOOTSTRAP
    kafka BrokerApiVersionsCommand --bootstrap-server "$1" && says '\(id: 1 '
}

start_peer() {
    java -Xmx512m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
        kafka.Kafka "$work/peer/server.properties" >"$work/peer/log" 2>&1 &
    peer=$!
    until_so answers "$peer_bootstrap"
}

stop_peer() {
    kill "$peer" && wait "$peer"
    peer=''
}

# What a consumer sees of TOPIC at BOOTSTRAP, with all that it can print, into FILE: COUNT records, and no more by the log's end.
view() { # FILE BOOTSTRAP TOPIC COUNT ARGUMENT…
    local file=$1 bootstrap=$2 topic=$3 count=$4
    shift 4
    consume "$topic" "$count" "${all_fields[@]}" "$@"
    grep 'CreateTime:' "$said" | sort >"$file"
    is "the number of records of $topic" "$(wc -l <"$file")" "$count"
    offsets --topic "$topic" --time latest
    grep : "$said" >>"$file"
    offsets --topic "$topic" --time max-timestamp
    grep : "$said" >>"$file"
}

both_prepare() {
    local bootstrap=$peer_bootstrap codec
    create bulk --partitions 1 --replication-factor 1 --config segment.bytes=1048576
    create codecs --partitions 3 --replication-factor 1
    create theirs --partitions 1 --replication-factor 1 --config segment.bytes=1048576
    for codec in none gzip snappy lz4 zstd; do
        kafka ProducerPerformance --topic theirs --num-records 4000 --record-size 300 --throughput -1 \
            --command-property bootstrap.servers="$bootstrap" compression.type="$codec" batch.size=16384
    done
    kafka 'Tools$Transactions' "$bootstrap" theirs 40 zstd
    view "$work/theirs.all" "$peer_bootstrap" theirs 20400
    view "$work/theirs.committed" "$peer_bootstrap" theirs 20200 --isolation-level read_committed
    lines 0 '	aborted-'
}

ours_prepare() {
    create theirs --replica-assignment 1 --config segment.bytes=1048576
    view "$work/bulk.ours" "$bootstrap" bulk 20000
    view "$work/codecs.ours" "$bootstrap" codecs 2000
}

give() { # FROM TO: the log of a partition
    rm -f "$2"/0*
    cp "$1"/0* "$1/leader-epoch-checkpoint" "$2/"
}

trade() {
    local partition
    for partition in bulk-0 codecs-0 codecs-1 codecs-2; do
        # An empty log of ours has no indexes; Kafka makes them, and calls that an error.
        [ -s "$work/data/broker-1/$partition/00000000000000000000.log" ] || continue
        give "$work/data/broker-1/$partition" "$work/peer/data/$partition"
    done
    give "$work/peer/data/theirs-0" "$work/data/broker-1/theirs-0"
}

kafka_reads_ours() {
    view "$work/bulk.kafka" "$peer_bootstrap" bulk 20000
    same "what Kafka reads of bulk" "$work/bulk.ours" "$work/bulk.kafka"
    view "$work/codecs.kafka" "$peer_bootstrap" codecs 2000
    same "what Kafka reads of codecs" "$work/codecs.ours" "$work/codecs.kafka"
    if grep -E 'ERROR|[Cc]orrupt|Rebuilding' "$work/peer/log" >"$said"; then echo "Kafka complains" >"$why"; return 1; fi
    produce_more "$peer_bootstrap" bulk 20000
}

produce_more() { # BOOTSTRAP TOPIC OFFSET: the log goes on where it ended
    local bootstrap=$1
    echo 'one more' >"$work/more"
    # The other side's producers have the ids that this side gives out next.
    produce "$2" "$work/more" --command-property enable.idempotence=false
    offsets --topic "$2"
    says "^$2:0:$(($3 + 1))$"
}

ours_read_kafkas() {
    until_so answers "$bootstrap"
    view "$work/theirs.ours" "$bootstrap" theirs 20400
    same "what a broker of ours reads" "$work/theirs.all" "$work/theirs.ours"
    view "$work/theirs.ours-committed" "$bootstrap" theirs 20200 --isolation-level read_committed
    same "what it gives to read_committed" "$work/theirs.committed" "$work/theirs.ours-committed"
}

ours_go_on() {
    local end
    end=$(sed -n 's/^theirs:0:\([0-9]*\)$/\1/p' "$work/theirs.all" | sort -n | tail -n 1)
    produce_more "$bootstrap" theirs "$end"
}

if [ ${#wanted[@]} = 0 ] || [[ "both ways" == *"${wanted[-1]:-}"* ]]; then
    format_peer && start_peer
    check "both ways: Kafka's log of compressed batches and transactions" both_prepare
    check "both ways: our log" ours_prepare
    stop_peer && stop_server
    trade
    start_server
    start_peer
    check "both ways: Kafka's broker reads our log" kafka_reads_ours
    check "both ways: our broker reads Kafka's log" ours_read_kafkas
    stop_server
    rm "$work"/data/broker-1/.kafka_cleanshutdown
    start_server
    check "both ways: our broker recovers Kafka's log" ours_read_kafkas
    check "both ways: our broker writes on in Kafka's log" ours_go_on
    stop_peer
fi
