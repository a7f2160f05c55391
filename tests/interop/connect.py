"""Kafka Connect, a standalone worker: a file source into a topic and a file sink out of it."""

import shutil
import subprocess
import sys
import tempfile
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

bootstrap, jars = sys.argv[1:]
work = tempfile.mkdtemp()
failed = []


def told(name, error=None):
    print(f"FAILED  connect 4.3.0: {name}: {error}" if error else f"PASSED  connect 4.3.0: {name}", flush=True)
    if error:
        failed.append(name)


def properties(of, **settings):
    path = f"{work}/{of}.properties"
    with open(path, "w") as out:
        out.writelines(f"{key.replace('_', '.')}={value}\n" for key, value in settings.items())
    return path


def start():
    log = open(f"{work}/log", "w")
    return subprocess.Popen(["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*",
                             "org.apache.kafka.connect.cli.ConnectStandalone", worker, source, sink], stdout=log, stderr=subprocess.STDOUT)


def until(what, wanted, get):
    end = time.time() + 60
    while get() != wanted:
        if time.time() > end or process.poll() is not None:
            with open(f"{work}/log") as log:
                last = [line.strip()[:200] for line in log if "ERROR" in line or "Exception" in line][:3]
            return f"{what}: {len(get())} of {len(wanted)} lines; {last}"
        time.sleep(0.2)
    return None


def lines(name):
    try:
        with open(f"{work}/{name}") as text:
            return text.read().splitlines()
    except FileNotFoundError:
        return []


converter = "org.apache.kafka.connect.storage.StringConverter"
worker = properties("worker", bootstrap_servers=bootstrap, key_converter=converter, value_converter=converter, offset_storage_file_filename=f"{work}/offsets",
              offset_flush_interval_ms=1000, listeners="http://127.0.0.1:0", plugin_discovery="service_load")
source = properties("source", name="file-source", connector_class="org.apache.kafka.connect.file.FileStreamSourceConnector", tasks_max=1, file=f"{work}/in",
              topic="connect-lines")
sink = properties("sink", name="file-sink", connector_class="org.apache.kafka.connect.file.FileStreamSinkConnector", tasks_max=1, file=f"{work}/out",
            topics="connect-lines")

wanted = [f"line {n}" for n in range(1000)]
with open(f"{work}/in", "w") as text:
    text.writelines(f"{line}\n" for line in wanted)
process = start()
try:
    told("file source to topic to file sink", until("the sink's file", wanted, lambda: lines("out")))
    more = [f"more {n}" for n in range(100)]
    with open(f"{work}/in", "a") as text:
        text.writelines(f"{line}\n" for line in more)
    told("lines appended meanwhile", until("the sink's file", wanted + more, lambda: lines("out")))
    process.terminate()
    process.wait(30)
    with open(f"{work}/in", "a") as text:
        text.write("after the restart\n")
    process = start()
    told("a restarted worker goes on: source offsets from its file, sink offsets from the group",
         until("the sink's file", wanted + more + ["after the restart"], lambda: lines("out")))
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "connect-file-sink"})
    process.terminate()
    process.wait(30)
    committed = consumer.committed([TopicPartition("connect-lines", 0)], 30)[0].offset
    told("the sink's group has committed all", None if committed == 1101 else f"committed {committed} and not 1101")
    consumer.close()
    # Held until it has answered: a client that nothing refers to is closed, with what it was asked.
    admin = AdminClient({"bootstrap.servers": bootstrap})
    groups = [group.group_id for group in admin.list_consumer_groups().result(30).valid]
    told("the sink's group is listed", None if "connect-file-sink" in groups else f"listed are {groups}")
finally:
    if process.poll() is None:
        process.kill()
        process.wait()
    shutil.rmtree(work)
sys.exit(1 if failed else 0)
