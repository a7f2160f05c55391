# Share groups (KIP-932), by Kafka's own tools.

share_groups() { kafka consumer.group.ShareGroupCommand --bootstrap-server "$bootstrap" "$@"; }

# Records by a member of a share group, until there are no more for a while.
consume_shared() { # GROUP TOPIC COUNT ARGUMENT…
    local group=$1 topic=$2 count=$3
    shift 3
    kafka consumer.ConsoleShareConsumer --bootstrap-server "$bootstrap" --group "$group" --topic "$topic" --max-messages "$count" \
        --timeout-ms 20000 "$@"
}

# Groups begin with the first record only where they are told to.
from_earliest() { # GROUP CONFIG…
    local group=$1 all='share.auto.offset.reset=earliest' config
    shift
    for config in "$@"; do all+=,$config; done
    configs --alter --entity-type groups --entity-name "$group" --add-config "$all"
}

share_consume() {
    needs ShareGroupHeartbeat ShareFetch ShareAcknowledge
    create share-read --partitions 3 --replication-factor 3
    seq -f 'value-%g' 1 600 >"$work/share-read"
    produce share-read "$work/share-read"
    from_earliest sharers
    consume_shared sharers share-read 600 --formatter-property print.delivery=true
    lines 600 '^Delivery:1.value-[0-9]+$'
    is "how many different records there are" "$(grep '^Delivery' "$said" | sort -u | wc -l)" 600
}
check "ConsoleShareConsumer" share_consume

share_redeliver() {
    needs ShareFetch
    create redelivered --partitions 1 --replication-factor 3
    seq -f 'value-%g' 1 4 >"$work/redelivered"
    produce redelivered "$work/redelivered"
    from_earliest releasers share.delivery.count.limit=3
    # Each comes so often as the group allows, and then no more.
    consume_shared releasers redelivered 12 --release --formatter-property print.delivery=true
    local count
    for count in 1 2 3; do lines 4 "^Delivery:$count.value-[1-4]$"; done
    from_earliest rejecters
    consume_shared rejecters redelivered 4 --reject
    lines 4 '^value-[1-4]$'
    for group in releasers rejecters; do
        kafka consumer.ConsoleShareConsumer --bootstrap-server "$bootstrap" --group $group --topic redelivered --timeout-ms 3000 || :
        says_not '^value'
    done
}
check "ConsoleShareConsumer --release and --reject" share_redeliver

share_list() {
    needs ShareGroupHeartbeat
    until_so share_state sharers Empty
    share_groups --list
    says '^sharers$'
    kafka GroupsCommand --bootstrap-server "$bootstrap" --list --share
    says '^sharers +Share +share *$'
}
share_state() { # GROUP STATE
    share_groups --list --state
    says "^$1 +$2 *$"
}
check "ShareGroupCommand --list" share_list

share_describe() {
    needs ShareGroupDescribe DescribeShareGroupOffsets
    local log=$work/sharer pid code
    java -Xmx256m -cp "$jars/*" org.apache.kafka.tools.VerifiableShareConsumer --bootstrap-server "$bootstrap" --topic share-read \
        --group-id watched-sharers --offset-reset-strategy earliest --acknowledgement-mode sync >"$log" 2>&1 &
    pid=$!
    share_described && code=0 || code=1
    kill "$pid"
    wait "$pid" 2>/dev/null || :
    return "$code"
}
share_described() {
    until_so shared_all 600 || return 1
    until_so share_state watched-sharers Stable || return 1
    share_groups --describe --group watched-sharers --state --verbose &&
        says '^watched-sharers +127\.0\.0\.1:[0-9]+ +\([1-3]\) +Stable +[0-9]+ +[0-9]+ +1 *$' &&
        share_groups --describe --group watched-sharers --members --verbose &&
        says '^watched-sharers +[^ ]+ +/?127\.0\.0\.1 +[^ ]+ +3 +[0-9]+ +share-read:0,1,2 *$' &&
        until_so share_lag 0 &&
        { ! share_groups --reset-offsets --group watched-sharers --topic share-read --to-earliest --execute || :; } &&
        says "Share group 'watched-sharers' is not empty"
}
shared_all() { # COUNT: so many records were read
    is "records read" "$(grep -so '"name":"records_consumed","count":[0-9]*' "$log" | awk -F: '{ sum += $NF } END { print sum + 0 }')" "$1"
}
share_lag() { # LAG: of all partitions together
    share_groups --describe --group watched-sharers --offsets
    # A partition without records has no offset yet.
    lines 3 '^watched-sharers +share-read +[0-2] +([0-9]+ +[0-9]+|- +-) *$' || return 1
    is "the lag" "$(awk '$2 == "share-read" { sum += $5 } END { print sum }' "$said")" "$1"
}
check "VerifiableShareConsumer, and ShareGroupCommand --describe of its group" share_describe

share_reset() {
    needs AlterShareGroupOffsets
    until_so share_state sharers Empty
    share_groups --reset-offsets --group sharers --topic share-read --to-earliest --dry-run
    lines 3 '^sharers +share-read +[0-2] +0 *$'
    share_groups --reset-offsets --group sharers --topic share-read --to-earliest --execute
    lines 3 '^sharers +share-read +[0-2] +0 *$'
    consume_shared sharers share-read 600 --formatter-property print.delivery=true
    lines 600 '^Delivery:1.value-[0-9]+$'
    until_so share_state sharers Empty
    share_groups --reset-offsets --group sharers --all-topics --to-latest --execute
    kafka consumer.ConsoleShareConsumer --bootstrap-server "$bootstrap" --group sharers --topic share-read --timeout-ms 3000 || :
    says_not '^value'
}
check "ShareGroupCommand --reset-offsets" share_reset

share_by_duration() {
    needs ShareFetch
    create young --partitions 1 --replication-factor 3
    seq -f 'value-%g' 1 4 >"$work/young"
    produce young "$work/young"
    configs --alter --entity-type groups --entity-name of-this-hour --add-config share.auto.offset.reset=by_duration:PT1H
    consume_shared of-this-hour young 4
    lines 4 '^value-[1-4]$'
    # Without it a group begins with what comes.
    kafka consumer.ConsoleShareConsumer --bootstrap-server "$bootstrap" --group of-no-hour --topic young --timeout-ms 3000 || :
    says_not '^value'
    fails kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type groups --entity-name of-this-hour \
        --add-config share.auto.offset.reset=by_duration:soon
    until_so share_state of-this-hour Empty
    share_groups --reset-offsets --group of-this-hour --topic young --to-datetime 2020-01-01T00:00:00.000 --execute
    says '^of-this-hour +young +0 +0 *$'
    consume_shared of-this-hour young 4
    lines 4 '^value-[1-4]$'
}
check "share.auto.offset.reset=by_duration, and --reset-offsets --to-datetime" share_by_duration

share_delete_offsets() {
    needs DeleteShareGroupOffsets
    until_so share_state sharers Empty
    share_groups --delete-offsets --group sharers --topic share-read
    says '^share-read +Successful *$'
    share_groups --describe --group sharers --offsets
    says_not '^sharers +share-read '
    # It begins anew.
    consume_shared sharers share-read 600
    lines 600 '^value-[0-9]+$'
}
check "ShareGroupCommand --delete-offsets" share_delete_offsets

share_delete() {
    needs ShareGroupHeartbeat
    until_so share_state sharers Empty
    share_groups --delete --group sharers
    says "Deletion of requested share groups \('sharers'\) was successful"
    share_groups --list
    says_not '^sharers$'
}
check "ShareGroupCommand --delete" share_delete
