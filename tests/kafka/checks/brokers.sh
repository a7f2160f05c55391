# BrokerApiVersionsCommand, LogDirsCommand.

brokers_versions() {
    kafka BrokerApiVersionsCommand --bootstrap-server "$bootstrap"
    lines 3 '^127\.0\.0\.1:[0-9]+ \(id: [1-3] rack: [a-c] isFenced: false\) -> \($'
    says '^	Produce\(0\): 0 to 13 \[usable: 13\],$'
    says '^	Fetch\(1\): 4 to 18 \[usable: 18\],$'
}
check "BrokerApiVersionsCommand" brokers_versions

brokers_log_dirs() {
    kafka LogDirsCommand --bootstrap-server "$bootstrap" --describe --topic-list bulk,codecs
    says '^Received log directory information from brokers 1,2,3$'
    local json
    json=$(grep '^{' "$said")
    is "copies of bulk-0 that lag by nothing" \
        "$(grep -oE '"partition":"bulk-0","size":[1-9][0-9]*,"offsetLag":0,"isFuture":false' <<<"$json" | wc -l)" 3
    is "their size, which is that of the files" \
        "$(grep -oE '"partition":"bulk-0","size":[0-9]+' <<<"$json" | sed 's/.*://' | sort -u)" \
        "$(cat "$work"/data/broker-1/bulk-0/*.log | wc -c)"
    is "partitions" "$(grep -oE '"partition":"codecs-[0-2]"' <<<"$json" | wc -l)" 9
    is "errors" "$(grep -oE '"error":"[^"]+"' <<<"$json" | wc -l)" 0
}
check "LogDirsCommand --describe" brokers_log_dirs
