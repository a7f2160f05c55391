# Groups of the consumer protocol (KIP-848), by the same tools.

# Records from the beginning, by a consumer whose assignment the broker works out.
consume_new() { # GROUP COUNT ARGUMENT…
    local group=$1 count=$2
    shift 2
    consume codecs "$count" --group "$group" --command-property group.protocol=consumer "$@"
}

new_consume() {
    consume_new modern 2000
    lines 2000 'value-'
    kafka GroupsCommand --bootstrap-server "$bootstrap" --list
    says '^modern +Consumer +consumer *$'
    kafka GroupsCommand --bootstrap-server "$bootstrap" --list --group-type classic
    says_not '^modern'
    consumer_groups --list --type
    says '^modern +Consumer *$'
    consumer_groups --list --state
    says '^modern +Empty *$'
}
check "ConsoleConsumer with group.protocol=consumer" new_consume

new_assignor() {
    consume_new ranged 2000 --command-property group.remote.assignor=range
    lines 2000 'value-'
    consumer_groups --list --type consumer
    says '^ranged +Consumer *$'
}
check "ConsoleConsumer with group.remote.assignor=range" new_assignor

new_regex() {
    kafka consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --include 'co.*cs' --from-beginning --timeout-ms 20000 \
        --max-messages 2000 --group expressed --command-property group.protocol=consumer
    lines 2000 'value-'
}
check "ConsoleConsumer with a regular expression" new_regex

# The broker looks for topics itself, and finds one that comes later.
new_pattern() {
    kafka 'Tools$Matching' "$bootstrap" matched 'co.*cs(-late)?' 2000 codecs-late
    says '^read codecs-late$'
    kafka 'Tools$Matching' "$bootstrap" refused 'co[' 1 codecs-never || :
    says 'InvalidRegularExpression.*SubscribedTopicRegex `co\[` is not a valid regular expression: missing closing \]'
}
check "KafkaConsumer with a SubscriptionPattern, resolved by the broker" new_pattern

# A group with a member that stays, while the tools look at it.
new_describe() {
    local log=$work/verifiable pid code
    java -Xmx256m -cp "$jars/*" org.apache.kafka.tools.VerifiableConsumer --bootstrap-server "$bootstrap" --topic codecs \
        --group-id watched --group-instance-id first --reset-policy earliest --group-protocol consumer >"$log" 2>&1 &
    pid=$!
    if ! until_so grep -q partitions_assigned "$log"; then
        kill "$pid"
        return 1
    fi
    described && code=0 || code=1
    kill "$pid"
    wait "$pid" 2>/dev/null || :
    return "$code"
}
described() {
    until_so watched_all &&
        consumer_groups --describe --group watched --state --verbose &&
        says '^watched +127\.0\.0\.1:[0-9]+ +\([1-3]\) +uniform +Stable +([0-9]+) +\1 +1 *$' &&
        consumer_groups --describe --group watched --members --verbose &&
        says '^watched +[^ ]+ +first +/?127\.0\.0\.1 +[^ ]+ +3 +([0-9]+) +codecs:0,1,2 +\1 +codecs:0,1,2' &&
        { ! consumer_groups --reset-offsets --group watched --topic codecs --to-earliest --execute || :; } &&
        says 'can only be reset if the group .watched. is inactive, but the current state is Stable' &&
        { ! consumer_groups --delete-offsets --group watched --topic codecs:0 || :; } &&
        says 'GROUP_SUBSCRIBED_TO_TOPIC|subscribed to the topic|actively subscribed'
}
watched_all() {
    consumer_groups --describe --group watched
    # A partition without records has no offset yet.
    lines 3 '^watched +codecs +[0-2] +(([0-9]+) +\2 +0|- +0 +-) +[^ ]+ +/?127\.0\.0\.1 +'
}
check "ConsumerGroupCommand --describe of a consumer group" new_describe

new_reset() {
    local how
    for how in --to-earliest --to-latest '--to-offset 5' '--shift-by -1' '--to-datetime 2020-01-01T00:00:00.000' \
        '--by-duration PT1H' --to-current; do
        # shellcheck disable=SC2086
        consumer_groups --reset-offsets --group modern --topic codecs $how --execute
        lines 3 '^modern +codecs +[0-2] +[0-9]+'
    done
    consumer_groups --reset-offsets --group modern --topic codecs:1 --to-offset 3 --dry-run --export
    says '"?modern"?,"?codecs"?,1,3|"?codecs"?,1,3'
    cp "$said" "$work/plan.csv"
    consumer_groups --reset-offsets --group modern --from-file "$work/plan.csv" --execute
    consumer_groups --describe --group modern
    says '^modern +codecs +1 +3 '
    consumer_groups --reset-offsets --group modern --all-topics --to-earliest --execute
    consumer_groups --describe --group modern
    lines 3 '^modern +codecs +[0-2] +0 '
}
check "ConsumerGroupCommand --reset-offsets of a consumer group, in all forms" new_reset

# Members of both protocols in one group: first a classic one, then a new one, then the classic one alone again.
new_migration() {
    local classic modern code
    java -Xmx256m -cp "$jars/*" org.apache.kafka.tools.VerifiableConsumer --bootstrap-server "$bootstrap" --topic codecs \
        --group-id moving --reset-policy earliest --group-protocol classic >"$work/classic" 2>&1 &
    classic=$!
    until_so grep -q partitions_assigned "$work/classic" || { kill "$classic"; return 1; }
    java -Xmx256m -cp "$jars/*" org.apache.kafka.tools.VerifiableConsumer --bootstrap-server "$bootstrap" --topic codecs \
        --group-id moving --reset-policy earliest --group-protocol consumer >"$work/modern" 2>&1 &
    modern=$!
    moved && code=0 || code=1
    kill "$classic" "$modern" 2>/dev/null
    wait "$classic" "$modern" 2>/dev/null || :
    return "$code"
}
moved() {
    until_so type_is moving Consumer && until_so members_share moving 2 3 || return 1
    kill "$modern"
    wait "$modern" 2>/dev/null || :
    until_so type_is moving Classic && until_so members_share moving 1 3
}
type_is() { # GROUP TYPE
    consumer_groups --list --type
    says "^$1 +$2 *$"
}
members_share() { # GROUP COUNT PARTITIONS: so many members share so many partitions
    consumer_groups --describe --group "$1" --state
    says "^$1 .* Stable +$2 *$" || return 1
    consumer_groups --describe --group "$1" --members
    lines "$2" "^$1 " || return 1
    is "partitions of $1" "$(awk -v group="$1" '$1 == group { sum += $5 } END { print sum }' "$said")" "$3"
}
check "a classic group becomes a consumer group and a classic one again" new_migration

# The broker that coordinates the group dies while its members read.
new_failover() {
    create survived --partitions 6 --replication-factor 3
    local pids=() code member
    for member in 1 2; do
        java -Xmx256m -cp "$jars/*" org.apache.kafka.tools.VerifiableConsumer --bootstrap-server "$bootstrap" --topic survived \
            --group-id survivors --reset-policy earliest --group-protocol consumer >"$work/survivor-$member" 2>&1 &
        pids+=($!)
    done
    survived && code=0 || code=1
    kill "${pids[@]}" 2>/dev/null
    wait "${pids[@]}" 2>/dev/null || :
    heal
    until_so whole
    return "$code"
}
survived() {
    local coordinator before
    until_so members_share survivors 2 6 || return 1
    before=$(revocations)
    seq 1 1000 >"$work/numbers"
    produce survived "$work/numbers" && until_so read_all 1000 || return 1
    consumer_groups --describe --group survivors --state || return 1
    coordinator=$(sed -n 's/^survivors .*(\([1-3]\)) .*/\1/p' "$said")
    fault "{\"kind\":\"kill\",\"broker\":$coordinator}" || return 1
    seq 1001 2000 >"$work/numbers"
    produce survived "$work/numbers" && until_so read_all 2000 && until_so members_share survivors 2 6 || return 1
    # Nobody has lost what it had.
    is "the number of revocations" "$(revocations)" "$before"
}
revocations() { cat "$work"/survivor-* | grep -cE '"name":"partitions_(revoked|lost)"' || :; }
read_all() { # COUNT: so many records have come to both, and no more
    is "records read" "$(grep -ho '"name":"records_consumed","count":[0-9]*' "$work"/survivor-* | awk -F: '{ sum += $NF } END { print sum + 0 }')" "$1"
}
check "a consumer group whose coordinator is killed reads on" new_failover

new_dump() {
    local dir
    : >"$work/decoded"
    for dir in "$work"/data/broker-1/__consumer_offsets-*; do
        dump --offsets-decoder --print-data-log --files "$dir/00000000000000000000.log"
        grep -hE '"group(Id)?":"(modern|matched|watched|ranged)"' "$said" >>"$work/decoded" || :
    done
    cp "$work/decoded" "$said"
    says 'key: ."type":"3","data":."groupId":"modern".. payload: ."version":"0","data":."epoch":[0-9]+,"metadataHash":-?[0-9]+'
    says '"type":"5".*"subscribedTopicRegex":"co\.\*cs\(-late\)\?"'
    says '"type":"5".*"instanceId":"first"'
    says '"type":"5".*"serverAssignor":"range"'
    says '"type":"6".*"assignmentEpoch":2,"assignmentTimestamp":[0-9]+'
    says '"type":"7".*"partitions":\[0,1,2\]'
    says '"type":"8".*"assignedPartitions":.*"assignmentEpochs":\[2,2,2\]'
    says '"type":"16".*"topics":\["codecs"\]'
    says '"type":"16".*"topics":\["codecs","codecs-late"\]'
}
check "DumpLogSegments --offsets-decoder on consumer groups" new_dump

new_delete() {
    for group in modern ranged expressed; do
        consumer_groups --delete --group $group
        says "Deletion of requested consumer groups \('$group'\) was successful"
    done
    consumer_groups --list
    says_not '^(modern|ranged|expressed)$'
}
check "ConsumerGroupCommand --delete of consumer groups" new_delete
