echo hello | kcat -b BOOTSTRAP_SERVERS -P -t greetings -X acks=all
kcat -b BOOTSTRAP_SERVERS -C -t greetings -o beginning -e
