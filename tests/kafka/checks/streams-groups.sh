# Streams groups (KIP-1071): an application of two processes, and Kafka's tool for such groups.

streams_groups() { kafka streams.StreamsGroupCommand --bootstrap-server "$bootstrap" "$@"; }

# application NAME: a process of the application; its id is in $process.
application() {
    java -Xmx256m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" \
        "$here/Counting.java" "$bootstrap" counting counted-in counted-out "$work/counting-$1" >"$work/counting-$1.log" 2>&1 &
    process=$!
}

stream_start() {
    create counted-in --partitions 3 --replication-factor 3
    create counted-out --partitions 3 --replication-factor 3
    kafka kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" --alter --entity-type groups --entity-name counting \
        --add-config streams.num.standby.replicas=1,streams.initial.rebalance.delay.ms=0
    local processes=() process code
    for name in one two; do
        application "$name"
        processes+=("$process")
    done
    streams_run && code=0 || code=1
    kill "${processes[@]}" 2>/dev/null
    wait "${processes[@]}" 2>/dev/null || :
    [ "$code" = 0 ] || tail -n 3 "$work"/counting-*.log >>"$why"
    return "$code"
}
streams_run() {
    until_so streams_are Stable 2 || return 1
    write_words 1 300 && until_so streams_have_read 300 || return 1
    streams_groups --list && says '^counting$' || return 1
    streams_groups --list --state && says '^counting +Stable *$' || return 1
    kafka GroupsCommand --bootstrap-server "$bootstrap" --list && says '^counting +Streams +streams *$' || return 1
    streams_groups --describe --group counting --members && lines 2 '^counting +[^ ]+ +[^ ]+ +[^ ]+ +.*ACTIVE: .*STANDBY: ' || return 1
    streams_groups --describe --group counting --members --verbose && lines 2 '^counting +[0-9]+ +0 +[^ ]+ +streams +[0-9]+ ' || return 1
    streams_groups --reset-offsets --group counting --all-input-topics --to-earliest --execute || :
    says 'can only be reset if the group .counting. is inactive, but the current state is Stable' || return 1
    streams_groups --delete --group counting || :
    says "Streams group 'counting' is not EMPTY" || return 1
    # One of the two goes for good, and the other has all.
    kill "${processes[1]}" && wait "${processes[1]}" 2>/dev/null || :
    until_so streams_are Stable 1 || return 1
    # The broker that coordinates the group dies, and another goes on with it.
    local coordinator
    coordinator=$(sed -n 's/^counting .*(\([1-3]\)) .*/\1/p' "$said")
    fault "{\"kind\":\"kill\",\"broker\":$coordinator}" || return 1
    write_words 301 400 && until_so streams_have_read 400 && code=0 || code=1
    heal
    until_so whole
    return "$code"
}
write_words() { # FIRST LAST: keys of their own, so that each partition gets some
    seq "$1" "$2" | sed 's/.*/&:word&/' >"$work/words"
    produce counted-in "$work/words" --reader-property parse.key=true --reader-property key.separator=:
}
streams_are() { # STATE MEMBERS
    streams_groups --describe --group counting --state
    says "^counting .*\([1-3]\) +$1 +$2 *$"
}
streams_have_read() { # COUNT
    streams_groups --describe --group counting --offsets --verbose || return 1
    is "the sum of the committed offsets" "$(awk '$2 == "counted-in" { sum += $4 } END { print sum }' "$said")" "$1"
}
check "an application with group.protocol=streams, described; a process leaves, a broker dies" stream_start

streams_reset() {
    until_so streams_are Empty 0
    streams_groups --reset-offsets --group counting --input-topic counted-in --to-earliest --execute
    lines 3 '^counting +counted-in +[0-2] +0 *$'
    streams_groups --reset-offsets --group counting --input-topic counted-in:1 --to-offset 3 --dry-run
    says '^counting +counted-in +1 +3 *$'
    streams_groups --reset-offsets --group counting --all-input-topics --to-latest --execute
    is "the sum of the new offsets" "$(awk '$2 == "counted-in" { sum += $4 } END { print sum }' "$said")" 400
    streams_groups --delete-offsets --group counting --input-topic counted-in:0
    says 'succeeded for deleting offsets|Successful'
}
check "StreamsGroupCommand --reset-offsets, --delete-offsets" streams_reset

streams_delete() {
    streams_groups --delete --group counting --delete-all-internal-topics
    says "Deletion of requested streams groups \('counting'\) was successful"
    streams_groups --list
    says_not '^counting$'
    kafka TopicCommand --bootstrap-server "$bootstrap" --list
    says_not '^counting-.*(changelog|repartition)$'
}
check "StreamsGroupCommand --delete" streams_delete
