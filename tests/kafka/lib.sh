# What the checks are made of. Sourced by run.

passed=0 failed=0 skipped=0
said=$work/said           # what the last tool printed
why=$work/why             # what a check found wrong

# --- Our cluster, with its data in $work/data

start_server() { # ARGUMENT…
    rm -f "$work/ready"
    "$program" serve --data-dir "$work/data" --kafka-port 0 --http-port 0 --ready-file "$work/ready" "$@" >"$work/server.log" 2>&1 &
    server=$!
    until [ -s "$work/ready" ]; do
        kill -0 "$server" 2>/dev/null || { echo "brokerscope ended early:"; cat "$work/server.log"; exit 1; }
        pause
    done
    http=$(sed -n 's/.*"http" *: *"\([^"]*\)".*/\1/p' "$work/ready")
    bootstrap=$(sed -n 's/.*"bootstrap_servers" *: *"\([^"]*\)".*/\1/p' "$work/ready")
}

stop_server() {
    kill "$server" && wait "$server"
    server=''
}

fault() { # JSON
    curl --silent --fail -H 'content-type: application/json' -d "$1" "$http/api/faults" >/dev/null
}

heal() {
    curl --silent --fail -X DELETE "$http/api/faults" >/dev/null
}

# --- Kafka's tools, in one JVM (Tools.java)

start_tools() {
    mkfifo "$work/calls" "$work/answers"
    java -Xmx512m -XX:TieredStopAtLevel=1 -Xshare:auto -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
        -cp "$jars/*" "$here/Tools.java" <"$work/calls" >"$work/answers" 2>"$work/tools.log" &
    exec 7>"$work/calls" 6<"$work/answers"
}

# kafka CLASS ARGUMENT…: runs a tool (of org.apache.kafka.tools, if no package is named); what it prints is in $said.
kafka() {
    local class=$1 code IFS=$'\x1f'
    case $class in
    kafka.* | Tools*) ;;
    *) class=org.apache.kafka.tools.$class ;;
    esac
    shift
    printf '%s\n' "${input:-/dev/null}"$'\x1f'"$said"$'\x1f'"$class"$'\x1f'"$*" >&7
    read -r code <&6 || { echo "Kafka's tools ended: $(cat "$work/tools.log")" >"$why"; return 1; }
    [ "$code" = 0 ] || echo "$class ended with $code" >"$why"
    return "$code"
}

fails() { # CLASS ARGUMENT…: the tool must end with an error
    if kafka "$@"; then echo "$1 ended well" >"$why"; return 1; fi
}

# --- Checks

# check NAME FUNCTION: the function runs in a shell of its own and ends at the first command that fails.
check() {
    local name=$1 code wish
    if [ ${#wanted[@]} -gt 0 ]; then
        for wish in "${wanted[@]}"; do [[ $name == *"$wish"* ]] && break; done
        [[ $name == *"$wish"* ]] || return 0
    fi
    : >"$why"
    : >"$said"
    (set -e; "$2")
    code=$?
    case $code in
    0) echo "PASSED  $name"; passed=$((passed + 1)) ;;
    77) echo "SKIPPED $name: $(cat "$why")"; skipped=$((skipped + 1)) ;;
    *)
        echo "FAILED  $name: $(cat "$why")"
        head -n 20 "$said" | cut -c1-300 | sed 's/^/        | /'
        failed=$((failed + 1)) ;;
    esac
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ]
}

needs() { # API…: skips the check of what is still to come
    local api
    for api in "$@"; do
        grep -q "	$api([0-9]*): [0-9]" "$offered" || { echo "$api is not offered yet" >"$why"; exit 77; }
    done
}

says() { # REGEX: the tool printed such a line
    grep -qE -- "$1" "$said" || { echo "it does not say /$1/" >"$why"; return 1; }
}

says_not() { # REGEX
    if grep -qE -- "$1" "$said"; then echo "it says /$1/" >"$why"; return 1; fi
}

lines() { # COUNT REGEX: so many lines are like this
    local count
    count=$(grep -cE -- "$2" "$said" || :)
    [ "$count" = "$1" ] || { echo "$count lines and not $1 are like /$2/" >"$why"; return 1; }
}

is() { # WHAT GOT WANTED
    [ "$2" = "$3" ] || { echo "$1 is '$2' and not '$3'" >"$why"; return 1; }
}

same() { # WHAT FILE FILE: the files have the same content
    cmp -s "$2" "$3" || { echo "$1 differs: $(wc -l <"$2") lines and $(wc -l <"$3"); $(diff "$2" "$3" | head -n 4 | cut -c1-120 | tr '\n' ' ')" >"$why"; return 1; }
}

pause() { read -rt "${1:-0.05}" <> <(:) || :; }

# until_so COMMAND…: runs it until it succeeds, 30 s at most.
until_so() {
    local end=$((SECONDS + 30))
    while ! "$@"; do
        [ "$SECONDS" -lt "$end" ] || { echo "not within 30 s: $*; $(cat "$why")" >"$why.late"; mv "$why.late" "$why"; return 1; }
        pause 0.2
    done
}

# --- Shorthands

topics() { kafka TopicCommand --bootstrap-server "$bootstrap" "$@"; }
configs() { kafka kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" "$@"; }
reassign() { kafka reassign.ReassignPartitionsCommand --bootstrap-server "$bootstrap" "$@"; }
offsets() { kafka GetOffsetShell --bootstrap-server "$bootstrap" "$@"; }
dump() { kafka DumpLogSegments "$@"; }

create() { topics --create --topic "$@"; }

produce() { # TOPIC FILE ARGUMENT…: each line a record
    local topic=$1 input=$2
    shift 2
    kafka ConsoleProducer --bootstrap-server "$bootstrap" --topic "$topic" --command-property acks=all "$@"
    says_not 'ERROR|Exception'
}

consume() { # TOPIC COUNT ARGUMENT…: reads from the beginning; COUNT records must come
    local topic=$1 count=$2
    shift 2
    kafka consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic "$topic" --from-beginning --timeout-ms 20000 \
        --max-messages "$count" "$@"
}

leader() { # TOPIC PARTITION, from TopicCommand
    topics --describe --topic "$1" && sed -n "s/.*Partition: $2	Leader: \([0-9none]*\)	.*/\1/p" "$said"
}

led_by() { # TOPIC PARTITION REGEX
    local now
    now=$(leader "$1" "$2")
    [[ $now =~ ^($3)$ ]] || { echo "$1-$2 is led by $now" >"$why"; return 1; }
}

in_sync() { # TOPIC COUNT: all its partitions have so many in-sync replicas
    topics --describe --topic "$1"
    local short
    short=$(grep -oE 'Isr: [0-9,]*' "$said" | awk -v want="$2" '{ if (split($2, ids, ",") != want) short++ } END { print short + 0 }')
    [ "$short" = 0 ] || { echo "$short partitions of $1 have other than $2 in-sync replicas" >"$why"; return 1; }
}

whole() { # every partition of the cluster is in sync
    topics --describe --under-replicated-partitions && says_not Partition:
}
