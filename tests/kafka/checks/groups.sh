# Groups and their offsets.

consumer_groups() { kafka consumer.group.ConsumerGroupCommand --bootstrap-server "$bootstrap" "$@"; }

groups_list() {
    consume codecs 2000 --group readers
    kafka GroupsCommand --bootstrap-server "$bootstrap" --list
    says '^readers +Classic +consumer *$'
    consumer_groups --list
    says '^readers$'
}
check "GroupsCommand --list" groups_list

groups_describe() {
    consumer_groups --describe --group readers
    lines 3 '^readers +codecs +[0-2] +([0-9]+) +\1 +0 +- +- +- *$'
    is "the sum of the committed offsets" "$(awk '$2 == "codecs" { sum += $4 } END { print sum }' "$said")" 2000
    consumer_groups --describe --group readers --state
    says '^readers +127\.0\.0\.1:[0-9]+ +\([1-3]\) +- +Empty +0 *$'
    consumer_groups --describe --group readers --members
    says "Consumer group 'readers' has no active members"
}
check "ConsumerGroupCommand --describe" groups_describe

groups_reset() {
    consumer_groups --reset-offsets --group readers --topic codecs --to-earliest --execute
    lines 3 '^readers +codecs +[0-2] +0'
    consumer_groups --describe --group readers
    lines 3 '^readers +codecs +[0-2] +0 '
    is "the sum of the lags" "$(awk '$2 == "codecs" { sum += $6 } END { print sum }' "$said")" 2000
}
check "ConsumerGroupCommand --reset-offsets" groups_reset

groups_delete_offsets() {
    consumer_groups --delete-offsets --group readers --topic codecs:0
    says '^codecs +0 +Successful'
}
check "ConsumerGroupCommand --delete-offsets" groups_delete_offsets

groups_delete() {
    consumer_groups --delete --group readers
    says "Deletion of requested consumer groups \('readers'\) was successful"
    consumer_groups --list
    says_not '^readers$'
}
check "ConsumerGroupCommand --delete" groups_delete
