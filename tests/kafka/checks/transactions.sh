# Transactions: what Kafka's tools read of them, say of them, and do to one that its producer left open.

transactions() { kafka TransactionsCommand --bootstrap-server "$bootstrap" "$@"; }

transactions_read() {
    create transacted --partitions 1 --replication-factor 3
    kafka 'Tools$Transactions' "$bootstrap" transacted 10 zstd
    consume transacted 50 --isolation-level read_committed
    lines 50 '^committed-'
    lines 0 '^aborted-'
    consume transacted 100
    lines 50 '^aborted-'
}
check "ConsoleConsumer --isolation-level read_committed" transactions_read

transactions_list() {
    transactions list
    says '^in-turn[[:space:]]+[123][[:space:]]+[0-9]+[[:space:]]+CompleteAbort[[:space:]]*$'
    transactions list --transactional-id-pattern 'in-.*'
    lines 1 '^in-turn'
    transactions list --transactional-id-pattern 'turn'
    lines 0 '^in-turn'
    transactions list --duration-filter 3600000
    lines 0 '^in-turn'
}
check "TransactionsCommand list" transactions_list

transactions_describe() {
    transactions describe --transactional-id in-turn
    says '^[123][[:space:]]+in-turn[[:space:]]+[0-9]+[[:space:]]+10[[:space:]]+CompleteAbort[[:space:]]+60000'
    fails TransactionsCommand --bootstrap-server "$bootstrap" describe --transactional-id nobody
    transactions describe-producers --topic transacted --partition 0
    says '^[0-9]+[[:space:]]+10[[:space:]]+[0-9]+[[:space:]]+-1[[:space:]]+[0-9]+[[:space:]]+None[[:space:]]*$'
}
check "TransactionsCommand describe, describe-producers" transactions_describe

transactions_files() {
    local files
    files=$(find "$work/data/broker-1" -path '*__transaction_state-*' -name '*.log' -size +0 | paste -sd,)
    dump --transaction-log-decoder --files "$files"
    says 'in-turn.*"transactionStatus":0'
    says 'in-turn.*"transactionStatus":1.*"topic":"transacted","partitionIds":\[0\]'
    says 'in-turn.*"transactionStatus":[23]'
    says 'in-turn.*"transactionStatus":5.*"transactionPartitions":\[\]'
    says_not 'isvalid: false|Exception'
    kafka consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic __transaction_state --from-beginning --timeout-ms 20000 \
        --max-messages 10 --formatter org.apache.kafka.tools.consumer.TransactionLogMessageFormatter
    says '"transactionalId":"in-turn"'
}
check "DumpLogSegments --transaction-log-decoder, TransactionLogMessageFormatter" transactions_files

transactions_abort() {
    local start
    create left-open --partitions 1 --replication-factor 3
    kafka 'Tools$LeftOpen' "$bootstrap" left-open
    transactions describe --transactional-id leaves-open
    says 'leaves-open.*Ongoing.*left-open-0'
    transactions describe-producers --topic left-open --partition 0
    start=$(awk '$6 ~ /^[0-9]+$/ { print $6 }' "$said")
    is "the start of the open transaction" "$start" 0
    echo 'behind it' >"$work/behind"
    produce left-open "$work/behind"
    transactions abort --topic left-open --partition 0 --start-offset 0
    transactions describe-producers --topic left-open --partition 0
    says_not '[[:space:]]0[[:space:]]*$'
    consume left-open 1 --isolation-level read_committed
    lines 1 '^behind it$'
    transactions find-hanging --broker-id 1
    lines 0 'left-open'
}
check "TransactionsCommand abort, find-hanging" transactions_abort
