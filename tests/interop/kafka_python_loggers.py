"""kafka-python changes levels of a broker's loggers while it runs (BROKER_LOGGER; librdkafka's admin client knows no such resource): the
log over HTTP shows it."""

import json
import sys
import time
import urllib.request

from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, KafkaAdminClient

from features import feature as run_feature, finish, same

bootstrap, http = sys.argv[1:3]
LOGGER = "kafka.server.logger.RuntimeLoggerManager"  # which tells of changes at WARN, so that it tells of its own
admin = KafkaAdminClient(bootstrap_servers=bootstrap)


def get(path):
    with urllib.request.urlopen(http + path) as answer:
        return json.load(answer)


def level():
    [node] = get("/api/loggers?node=1")
    [logger] = [one for one in node["loggers"] if one["logger"] == LOGGER]
    return logger["level"], logger["is_own"]


def until(what, condition):
    end = time.time() + 30
    while not condition():
        assert time.time() < end, what
        time.sleep(0.1)


def lines(after):
    return get(f"/api/logs?after={after}&node=1&logger={LOGGER}&limit=10000")


def alter(op, value):
    admin.alter_configs([ConfigResource(ConfigResourceType.BROKER_LOGGER, "1", configs={LOGGER: (op, value)})])


@run_feature("kafka-python", "a logger's level is set, and less is told")
def off():
    same("the level at first", level(), ("INFO", False))
    alter(AlterConfigOp.SET, "ERROR")
    until("the level is ERROR", lambda: level() == ("ERROR", True))
    same("lines", lines(0), [])


@run_feature("kafka-python", "a logger's level is taken away, and it is told")
def on():
    alter(AlterConfigOp.DELETE, None)
    until("the level is inherited", lambda: level() == ("INFO", False))
    until("the change is told", lambda: [line["level"] for line in lines(0)] == ["WARN"])


finish()
