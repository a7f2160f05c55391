"""CloudWatch's API by boto3, in all protocols that it knows, against truth that others tell: what a producer sent, what Kafka's protocol says of
offsets, what Kafka's own client sees of a broker that is killed."""

import datetime
import json
import sys
import time
import urllib.request

import boto3
import botocore.exceptions
import botocore.loaders
from botocore.config import Config
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from features import bootstrap, feature, finish, same

http = sys.argv[2]
CLIENT = sys.argv[3] if len(sys.argv) > 3 else "boto3-cloudwatch"
TOPIC, GROUP = f"by-{CLIENT}", f"readers-{CLIENT}"
CLUSTER = {"Name": "Cluster Name", "Value": "brokerscope"}
RECORDS, VALUE = 3_000, b"x" * 500
SEEDS = {
    "ActiveControllerCount", "OfflinePartitionsCount", "GlobalPartitionCount", "GlobalTopicCount", "KafkaAppLogsDiskUsed",
    "KafkaDataLogsDiskUsed", "RootDiskUsed", "PartitionCount", "LeaderCount", "UnderMinIsrPartitionCount", "UnderReplicatedPartitions",
    "FetchConsumerTotalTimeMsMean", "ProduceTotalTimeMsMean",
}


def client(protocol=None):
    """boto3 chooses JSON; the others are what other SDKs and older ones speak."""
    session = boto3.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name="local")
    if protocol:
        loader = session._session.get_component("data_loader")
        load = loader.load_service_model

        def only(service, kind, *more, **named):
            model = load(service, kind, *more, **named)
            if service == "cloudwatch" and kind == "service-2":
                model = dict(model, metadata=dict(model["metadata"], protocol=protocol, protocols=[protocol]))
            return model

        loader.load_service_model = only
    return session.client("cloudwatch", endpoint_url=http, config=Config(retries={"max_attempts": 1}))


cloudwatch = client()
# Before JSON and CBOR there was the query protocol alone.
if "protocols" not in cloudwatch.meta.service_model.metadata:
    clients = {"query": cloudwatch}
else:
    clients = {"json": cloudwatch, "smithy-rpc-v2-cbor": client("smithy-rpc-v2-cbor"), "query": client("query")}
admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def ask(method, path, body=None):
    request = urllib.request.Request(http + path, json.dumps(body).encode() if body is not None else None, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def until(what, action, seconds=40):
    deadline = time.monotonic() + seconds
    while not (result := action()):
        assert time.monotonic() < deadline, f"{what} did not come to pass"
        time.sleep(0.2)
    return result


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def statistic(name, stat, dimensions, period=1, since=None, of=None):
    """All points of a series, oldest first."""
    answer = (of or cloudwatch).get_metric_statistics(
        Namespace="AWS/Kafka", MetricName=name, Dimensions=[CLUSTER, *dimensions], StartTime=since or now() - datetime.timedelta(minutes=10),
        EndTime=now() + datetime.timedelta(seconds=1), Period=period, Statistics=[stat])
    return [point[stat] for point in sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])]


def broker(number):
    return {"Name": "Broker ID", "Value": str(number)}


def of_group(name):
    return statistic(name, "Maximum", [{"Name": "Consumer Group", "Value": GROUP}, {"Name": "Topic", "Value": TOPIC}])


BEGUN = now()
same("level", ask("PUT", "/api/monitoring", {"level": "PER_TOPIC_PER_PARTITION"})["level"], "PER_TOPIC_PER_PARTITION")
admin.create_topics([NewTopic(TOPIC, 4, 3)])[TOPIC].result(30)
# A rate has a value from a broker's second look on.
until("rates", lambda: all(statistic("MessagesInPerSec", "Sum", [broker(number)]) for number in (1, 2, 3)))


@feature(CLIENT, "what clients sent is what BytesInPerSec and MessagesInPerSec add up to")
def sums():
    before = sum(sum(statistic("MessagesInPerSec", "Sum", [broker(number)])) for number in (1, 2, 3))
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "compression.type": "none", "linger.ms": 5})
    for number in range(RECORDS):
        producer.produce(TOPIC, VALUE, partition=number % 4)
        producer.poll(0)
        time.sleep(0.001)
    same("unsent", producer.flush(30), 0)
    topic = {"Name": "Topic", "Value": TOPIC}

    def counted():
        records = sum(sum(statistic("MessagesInPerSec", "Sum", [broker(number), topic])) for number in (1, 2, 3))
        return records if records > RECORDS * 0.97 else None

    records = until("all records counted", counted)
    # A datum is a rate over the monitor's second, which is not to the millisecond one.
    assert abs(records - RECORDS) <= RECORDS * 0.03, f"{records} records of {RECORDS}"
    total = sum(sum(statistic("MessagesInPerSec", "Sum", [broker(number)])) for number in (1, 2, 3)) - before
    assert total >= RECORDS * 0.97, f"{total} records by broker"
    sent = RECORDS * len(VALUE)
    got = sum(sum(statistic("BytesInPerSec", "Sum", [broker(number), topic])) for number in (1, 2, 3))
    # Besides the values there are keys' and offsets' bytes of each record (about 8), and the headers of batches (61).
    assert sent * 0.97 <= got <= sent * 1.2, f"{got} bytes of {sent}"


@feature(CLIENT, "consumer lag is what Kafka's protocol says")
def lag():
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 0})
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(4)])
    committed = {0: 100, 1: 250, 2: 700, 3: 740}
    consumer.commit(offsets=[TopicPartition(TOPIC, partition, offset) for partition, offset in committed.items()], asynchronous=False)
    latest = admin.list_offsets({TopicPartition(TOPIC, partition): OffsetSpec.latest() for partition in range(4)})
    ends = {partition.partition: future.result(30).offset for partition, future in latest.items()}
    told = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)])[GROUP].result(30)
    lags = [ends[one.partition] - one.offset for one in told.topic_partitions]
    same("partitions", len(lags), 4)
    until("SumOffsetLag", lambda: of_group("SumOffsetLag")[-1:] == [sum(lags)])
    same("MaxOffsetLag", of_group("MaxOffsetLag")[-1], max(lags))
    partition = [{"Name": "Consumer Group", "Value": GROUP}, {"Name": "Topic", "Value": TOPIC}, {"Name": "Partition", "Value": "2"}]
    same("OffsetLag", statistic("OffsetLag", "Maximum", partition)[-1], ends[2] - committed[2])
    # The oldest record that was not read is offset 100 of partition 0: how old it is, its own timestamp tells.
    consumer.assign([TopicPartition(TOPIC, 0, 100)])
    record = until("the record", lambda: consumer.poll(1))
    seconds = of_group("EstimatedMaxTimeLag")[-1]
    age = time.time() - record.timestamp()[1] / 1000
    assert abs(seconds - age) < 3, f"EstimatedMaxTimeLag {seconds} s, the record is {age} s old"
    consumer.close()


@feature(CLIENT, "lag in seconds is told by records' timestamps")
def late():
    topic, group, now_ms = f"{TOPIC}-late", f"{GROUP}-late", int(time.time() * 1000)
    admin.create_topics([NewTopic(topic, 1, 3)])[topic].result(30)
    # Of an hour ago, ten minutes apart, in one batch: no speed of reading or writing could tell that.
    ages_s = [3600, 3000, 2400, 1800]
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 100, "compression.type": "lz4", "log_level": 0})
    for age_s in ages_s:
        producer.produce(topic, VALUE, partition=0, timestamp=now_ms - age_s * 1000)
    producer.flush(30)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0})
    dimensions = [{"Name": "Consumer Group", "Value": group}, {"Name": "Topic", "Value": topic}]
    for offset, age_s in [(0, 3600), (2, 2400), (1, 3000), (4, None)]:
        consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)

        def told():
            expected = 0 if age_s is None else time.time() - now_ms / 1000 + age_s
            seconds = statistic("EstimatedMaxTimeLag", "Maximum", dimensions)[-1:]
            return seconds and abs(seconds[0] - expected) < 3

        until(f"the age at offset {offset}", told)
    consumer.close()


@feature(CLIENT, "a fetch and a produce request took time, and all thirteen seeds are listed")
def seeds():
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"once-{CLIENT}", "auto.offset.reset": "earliest", "log_level": 0})
    consumer.subscribe([TOPIC])
    until("a record", lambda: (message := consumer.poll(1)) and not message.error())

    def listed():
        pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/Kafka")
        return SEEDS <= {metric["MetricName"] for page in pages for metric in page["Metrics"]}

    until("the seeds", listed)
    consumer.close()
    slowest = max(sum((statistic("ProduceTotalTimeMsMean", "Maximum", [broker(number)]) for number in (1, 2, 3)), []))
    assert 0 < slowest < 30_000, slowest


@feature(CLIENT, "sockets carried what clients sent, and requests' time has its parts")
def network():
    sent = RECORDS * len(VALUE)
    carried = sum(sum(statistic("TrafficBytes", "Sum", [broker(number)], since=BEGUN)) for number in (1, 2, 3))
    # Besides what was sent there is what was read, by which some of it came back.
    assert sent * 0.97 <= carried <= sent * 4, f"{carried} bytes of {sent}"
    for number in (1, 2, 3):
        for name in ("ProduceLocalTimeMsMean", "ProduceResponseSendTimeMsMean", "FetchFollowerTotalTimeMsMean"):
            assert statistic(name, "Average", [broker(number)]), f"{name} of {number}"
        idle = statistic("RequestHandlerAvgIdlePercent", "Average", [broker(number)])
        assert idle and 0 <= min(idle) <= max(idle) <= 100, idle


def leading():
    """Partitions that each broker leads, as the admin client sees it: after a kill, leadership goes back in its own time."""
    partitions = [one for topic in admin.list_topics(timeout=30).topics.values() for one in topic.partitions.values()]
    return {str(number): sum(one.leader == number for one in partitions) for number in (1, 2, 3)}


@feature(CLIENT, "states are what Kafka's admin client sees")
def states():
    metadata = admin.list_topics(timeout=30)
    partitions = [partition for topic in metadata.topics.values() for partition in topic.partitions.values()]
    until("GlobalPartitionCount", lambda: statistic("GlobalPartitionCount", "Maximum", [])[-1] == len(partitions))
    same("GlobalTopicCount", statistic("GlobalTopicCount", "Maximum", [])[-1], len(metadata.topics))
    until("LeaderCount", lambda: [statistic("LeaderCount", "Maximum", [broker(number)])[-1] for number in (1, 2, 3)] == list(leading().values()))
    for number in (1, 2, 3):
        same(f"PartitionCount of {number}", statistic("PartitionCount", "Maximum", [broker(number)])[-1], sum(number in one.replicas for one in partitions))
    same("OfflinePartitionsCount", statistic("OfflinePartitionsCount", "Maximum", [])[-1], 0)
    same("ActiveControllerCount", statistic("ActiveControllerCount", "Sum", [])[-1], 1)


@feature(CLIENT, "all protocols say the same")
def protocols():
    since = now() - datetime.timedelta(seconds=40)
    for name, one in clients.items():
        answers = [metric["MetricName"] for page in one.get_paginator("list_metrics").paginate(MetricName="LeaderCount") for metric in page["Metrics"]]
        same(f"metrics by {name}", answers, ["LeaderCount"] * 3)
        search = "SEARCH('{AWS/Kafka,\"Cluster Name\",\"Broker ID\"} MetricName=\"LeaderCount\"', 'Average', 10)"
        metric = {"Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": [CLUSTER, broker(1)]}
        queries = [{"Id": "stat", "MetricStat": {"Metric": metric, "Period": 10, "Stat": "p99"}}, {"Id": "found", "Expression": search}]
        queries += [{"Id": "sum", "Expression": "SUM(METRICS()) * 2"}]
        data = one.get_metric_data(MetricDataQueries=queries, StartTime=since, EndTime=now(), ScanBy="TimestampAscending")
        same(f"results by {name}", [result["Id"] for result in data["MetricDataResults"]], ["stat", "found", "found", "found", "sum"])
        same(f"metric math by {name}", data["MetricDataResults"][4]["Values"], [2 * value for value in data["MetricDataResults"][0]["Values"]])
        stamps = data["MetricDataResults"][0]["Timestamps"]
        assert stamps and all(stamp.timestamp() % 10 == 0 for stamp in stamps), (name, stamps)
        assert data["MetricDataResults"][0]["Values"], name
        try:
            one.get_metric_statistics(Namespace="AWS/Kafka", MetricName="x", StartTime=now(), EndTime=since, Period=60, Statistics=["Sum"])
            raise AssertionError(f"{name}: no error")
        except botocore.exceptions.ClientError as error:
            same(f"error by {name}", error.response["Error"]["Code"], "InvalidParameterValue")
        one.put_metric_alarm(
            AlarmName=f"by <{name}>", Namespace="AWS/Kafka", MetricName="LeaderCount", Dimensions=[CLUSTER, broker(1)], Statistic="Maximum",
            Period=10, EvaluationPeriods=1, Threshold=-1.5, ComparisonOperator="LessThanThreshold", ActionsEnabled=False, TreatMissingData="ignore")
        alarm = one.describe_alarms(AlarmNames=[f"by <{name}>"])["MetricAlarms"][0]
        same(f"alarm by {name}", (alarm["Threshold"], alarm["ActionsEnabled"], alarm["TreatMissingData"]), (-1.5, False, "ignore"))
        one.set_alarm_state(AlarmName=f"by <{name}>", StateValue="ALARM", StateReason="to see & be seen")
        history = one.describe_alarm_history(AlarmName=f"by <{name}>", HistoryItemType="StateUpdate")["AlarmHistoryItems"]
        assert any("to ALARM" in item["HistorySummary"] for item in history), (name, history)
        until(f"back by {name}", lambda: one.describe_alarms(AlarmNames=[f"by <{name}>"])["MetricAlarms"][0]["StateValue"] == "OK")
        one.delete_alarms(AlarmNames=[f"by <{name}>"])
        try:
            one.delete_alarms(AlarmNames=[f"by <{name}>"])
            raise AssertionError(f"{name}: no error")
        except one.exceptions.ResourceNotFound:
            pass


def leaders(id, number, period=10):
    metric = {"Namespace": "AWS/Kafka", "MetricName": "LeaderCount", "Dimensions": [CLUSTER, broker(number)]}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": "Maximum"}, "ReturnData": False}


@feature(CLIENT, "metric math is watched: what the admin client counts, and not one more")
def math_alarm():
    count = len([one for topic in admin.list_topics(timeout=30).topics.values() for one in topic.partitions.values()])
    metrics = [{"Id": "all", "Expression": "l1 + l2 +\n l3", "Label": "Leaders & all", "ReturnData": True}, *(leaders(f"l{number}", number, 1) for number in (1, 2, 3))]
    for name, one in clients.items():
        rings, other = f"math <{name}>", f"math <{name}> no"
        for alarm, threshold in ((rings, count - 0.5), (other, count + 0.5)):
            one.put_metric_alarm(AlarmName=alarm, Metrics=metrics, EvaluationPeriods=1, Threshold=threshold, ComparisonOperator="GreaterThanThreshold")

        def states():
            return {alarm["AlarmName"]: alarm["StateValue"] for alarm in one.describe_alarms(AlarmNamePrefix=rings)["MetricAlarms"]}

        until(f"ALARM by {name}", lambda: states() == {rings: "ALARM", other: "OK"})
        told = one.describe_alarms(AlarmNames=[rings])["MetricAlarms"][0]
        same(f"metrics by {name}", told["Metrics"], metrics)
        assert not told.keys() & {"MetricName", "Namespace", "Period", "Statistic"}, told
        assert f"the newest are {count} (" in told["StateReason"], told["StateReason"]
        of_metric = one.describe_alarms_for_metric(Namespace="AWS/Kafka", MetricName="LeaderCount", Dimensions=[CLUSTER, broker(1)])
        assert rings not in [alarm["AlarmName"] for alarm in of_metric["MetricAlarms"]], "alarms on metric math are no metric's"
        for wrong in ({"MetricName": "LeaderCount"}, {"Metrics": metrics[1:]}, {"Metrics": metrics[:1]}, {"ThresholdMetricId": "all"}):
            wish = {"Metrics": metrics, "AlarmName": rings, "EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold", **wrong}
            try:
                one.put_metric_alarm(**wish)
                raise AssertionError(f"{name}: {wrong} was taken")
            except botocore.exceptions.ClientError as error:
                same(f"error by {name}", error.response["Error"]["Code"], "ValidationError")
        one.delete_alarms(AlarmNames=[rings, other])


@feature(CLIENT, "Metrics Insights says by broker what the admin client counts, and is watched")
def insights():
    count = sum(leading().values())
    schema = 'FROM SCHEMA("AWS/Kafka", "Cluster Name", "Broker ID")'
    for name, one in clients.items():
        def ask(text, period=1):
            queries = [{"Id": "q1", "Expression": text, "Period": period}, {"Id": "sum", "Expression": "SUM(q1)"}]
            data = one.get_metric_data(MetricDataQueries=queries, StartTime=now() - datetime.timedelta(seconds=8), EndTime=now())["MetricDataResults"]
            return [(line["Label"], line["Values"]) for line in data if line["Id"] == "q1"], [line["Values"] for line in data if line["Id"] == "sum"]

        by_broker = f'SELECT MAX(LeaderCount) {schema} GROUP BY "Broker ID" ORDER BY MAX() DESC'
        until(f"leaders by {name}", lambda: {label: values[0] for label, values in ask(by_broker)[0]} == leading())
        highest = [max(values) for _, values in ask(by_broker)[0]]
        same(f"order by {name}", highest, sorted(highest, reverse=True))
        until(f"sum by {name}", lambda: [values[0] for values in ask(by_broker)[1]] == [count])
        few, _ = ask(f"SELECT MAX(LeaderCount) {schema} WHERE \"Broker ID\" != '2' GROUP BY \"Broker ID\" LIMIT 1")
        same(f"without broker 2 by {name}", [label for label, _ in few], ["1"])
        try:
            ask("SELECT MAX(LeaderCount) FROM AWS/Kafka")  # which wants quotation marks
            raise AssertionError(f"{name}: no error")
        except botocore.exceptions.ClientError as error:
            same(f"error by {name}", error.response["Error"]["Code"], "ValidationError")
            assert "at character 33 " in str(error), error
        query = {"Id": "q1", "Expression": f"SELECT SUM(LeaderCount) {schema}", "Period": 1, "ReturnData": True}
        one.put_metric_alarm(
            AlarmName=f"sql <{name}>", Metrics=[query], EvaluationPeriods=1, Threshold=count, ComparisonOperator="GreaterThanOrEqualToThreshold")
        until(f"ALARM by {name}", lambda: one.describe_alarms(AlarmNames=[f"sql <{name}>"])["MetricAlarms"][0]["StateValue"] == "ALARM")
        one.delete_alarms(AlarmNames=[f"sql <{name}>"])
        # By broker: the one that leads the most is beyond what the others lead.
        if not hasattr(one, "describe_alarm_contributors"):
            continue
        most = max(leading().values())
        one.put_metric_alarm(
            AlarmName=f"by broker <{name}>", Metrics=[{**query, "Expression": by_broker}], EvaluationPeriods=1, Threshold=most - 0.5,
            ComparisonOperator="GreaterThanThreshold")
        told = until(f"contributors by {name}", lambda: one.describe_alarm_contributors(AlarmName=f"by broker <{name}>")["AlarmContributors"])
        same(f"contributors by {name}", {one["ContributorAttributes"]["Broker ID"] for one in told}, {id for id, led in leading().items() if led == most})
        until(f"ALARM by {name}", lambda: one.describe_alarms(AlarmNames=[f"by broker <{name}>"])["MetricAlarms"][0]["StateValue"] == "ALARM")
        one.delete_alarms(AlarmNames=[f"by broker <{name}>"])


@feature(CLIENT, "CloudWatch Logs has no log groups, which Grafana asks for when it tests a data source")
def log_groups():
    logs = boto3.client("logs", endpoint_url=http, region_name="local", aws_access_key_id="any", aws_secret_access_key="any")
    same("log groups", logs.describe_log_groups(limit=1)["logGroups"], [])
    same("billing", cloudwatch.list_metrics(Namespace="AWS/Billing", MetricName="EstimatedCharges")["Metrics"], [])


@feature(CLIENT, "an alarm follows a broker that is killed and comes back")
def alarm():
    for number in (1, 3):
        cloudwatch.put_metric_alarm(
            AlarmName=f"redundancy-{number}", Namespace="AWS/Kafka", MetricName="UnderReplicatedPartitions", Dimensions=[CLUSTER, broker(number)],
            Statistic="Maximum", Period=1, EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold")

    # Missing counts for nothing, so that what is filled with zeros tells that a broker is gone.
    replicas = {"Namespace": "AWS/Kafka", "MetricName": "PartitionCount", "Dimensions": [CLUSTER, broker(2)]}
    gone = [
        {"Id": "p2", "MetricStat": {"Metric": replicas, "Period": 1, "Stat": "Maximum"}, "ReturnData": False},
        {"Id": "gone", "Expression": "IF(FILL(p2, 0) < 1, 1, 0)", "ReturnData": True},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName="redundancy-gone-2", Metrics=gone, EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold")

    def states():
        return {one["AlarmName"]: one["StateValue"] for one in cloudwatch.describe_alarms(AlarmNamePrefix="redundancy-")["MetricAlarms"]}

    until("OK", lambda: set(states().values()) == {"OK"})
    ask("POST", "/api/faults", {"kind": "kill", "broker": 2})
    until("ALARM", lambda: set(states().values()) == {"ALARM"})
    silent = statistic("LeaderCount", "Maximum", [broker(2)])
    ask("POST", "/api/brokers/2/start", {})
    until("OK again", lambda: set(states().values()) == {"OK"})
    assert len(statistic("LeaderCount", "Maximum", [broker(2)])) >= len(silent) > 5, "what was kept of a broker outlives it"
    kinds = [event for event in ask("GET", "/api/events") if event["kind"] == "alarm_state_changed" and event["subject"] == "redundancy-1"]
    assert len(kinds) >= 2, kinds


finish()
