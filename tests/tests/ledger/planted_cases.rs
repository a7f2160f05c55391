//! What provokes each bug, in words that faults have, and what the broker and the topic are set to for that.

use super::*;

fn nothing() -> Value {
    json!({})
}

fn shrinks_to_one() -> Value {
    json!({"min.insync.replicas": "1"})
}

fn synced() -> Value {
    json!({"flush.messages": "1"})
}

fn several_producers() -> Value {
    json!({"producers": 4})
}

/// What one producer repeats would stand where it stood; and what is in larger batches does not fit where other batches end.
fn several_producers_of_single_records() -> Value {
    json!({"producers": 4, "batch_bytes": 250})
}

fn aborts_often() -> Value {
    json!({"transaction_ms": 200, "abort_percent": 50})
}

const NO_LAG: &[&str] = &["--set", "replica.lag.time.max.ms=60000"];
const LONG_SESSIONS: &[&str] = &[
    "--set",
    "replica.lag.time.max.ms=60000",
    "--set",
    "broker.session.timeout.ms=20000",
    "--set",
    "broker.heartbeat.interval.ms=500",
];

pub(super) const CASES: [Case; 15] = [
    Case {
        bugs: &["AckBeforeIsr"],
        settings: &[],
        configs: nothing,
        workload: nothing,
        provoke: |scene| scene.leader_alone(),
    },
    Case {
        bugs: &["ShowUncommitted"],
        settings: &[],
        configs: nothing,
        workload: several_producers,
        provoke: |scene| scene.leader_alone(),
    },
    Case {
        bugs: &["ShrinkIsrAlone"],
        settings: &[],
        configs: shrinks_to_one,
        workload: nothing,
        provoke: |scene| scene.leader_alone(),
    },
    Case {
        bugs: &["GrowIsrEarly"],
        settings: &[],
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            let lags = scene.hit("isolate", scene.followers[0]);
            scene.wait_for_isr(2);
            scene.must_acknowledge(300);
            // It asks, and what it asks for takes minutes.
            let narrow =
                json!({"kind": "bandwidth", "from": scene.leader, "to": scene.followers[0], "bytes_per_s": 10});
            scene.serve.fault(&narrow);
            scene.heal(lags);
            soon(|| scene.partition()["isr"].as_array().map(Vec::len) == Some(3));
            scene.left_with(scene.followers[0]);
        },
    },
    Case {
        bugs: &["HighWatermarkByMajority"],
        settings: NO_LAG,
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            scene.cut(&json!(scene.leader), &json!(scene.followers[0]));
            scene.acknowledges(50);
            scene.left_with(scene.followers[0]);
        },
    },
    Case {
        bugs: &["LoseBrokerEpoch"],
        settings: LONG_SESSIONS,
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            let [weak, other] = scene.followers;
            let power = scene.hit("power_loss", weak);
            for id in [scene.leader, other] {
                scene.cut(&json!(id), &json!(weak));
            }
            scene.heal(power);
            wait_for("a broker that runs", PATIENCE, || {
                let broker = scene.serve.cluster()["brokers"][weak as usize - 1].clone();
                if broker["state"] == "running" && broker["fenced"] == false { Ok(()) } else { Err(broker.to_string()) }
            });
            [scene.leader, other].into_iter().for_each(|id| scene.stop(id));
            soon(|| scene.is_led_by(&[weak]));
        },
    },
    Case {
        bugs: &["UncleanRestartStaysEligible"],
        settings: &[],
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            let [first, second] = scene.followers;
            scene.hit("kill", first);
            scene.wait_for_isr(2);
            scene.must_acknowledge(50);
            scene.hit("kill", second);
            scene.wait_for_isr(1);
            let power = scene.hit("power_loss", second);
            scene.hit("kill", scene.leader);
            soon(|| scene.serve.leader(scene.topic, 0) < 0);
            scene.heal(power);
            soon(|| scene.is_led_by(&[second]));
        },
    },
    Case {
        bugs: &["UncleanLeader"],
        settings: &[],
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            let [weak, other] = scene.followers;
            let lags = scene.hit("kill", weak);
            scene.wait_for_isr(2);
            scene.must_acknowledge(50);
            scene.hit_each("kill", &[other, scene.leader]);
            soon(|| scene.serve.leader(scene.topic, 0) < 0);
            scene.heal(lags);
            soon(|| scene.is_led_by(&[weak]));
        },
    },
    Case {
        bugs: &["FlushIgnored"],
        settings: &[],
        configs: synced,
        workload: nothing,
        provoke: |scene| scene.hit_each("power_loss", &[1, 2, 3]),
    },
    Case {
        bugs: &["TornTailKept", "CleanMarkerKept"],
        settings: &[],
        configs: shrinks_to_one,
        workload: nothing,
        provoke: |scene| {
            let weak = scene.followers[0];
            // It was stopped well once.
            let stop = scene.hit("stop", weak);
            scene.wait_until_stopped(weak);
            scene.heal(stop);
            scene.wait_for_isr(3);
            scene.must_acknowledge(50);
            let damage = json!({"kind": "corrupt_tail", "broker": weak, "topic": scene.topic, "partition": 0});
            let damage = scene.serve.fault(&damage);
            scene.wait_for_isr(2);
            scene.must_acknowledge(50);
            scene.heal(damage);
            scene.wait_for_isr(3);
            scene.left_with(weak);
        },
    },
    Case {
        bugs: &["LeaderEpochNotRaised", "SkipEpochCheckOnFetch"],
        settings: &[],
        configs: nothing,
        workload: several_producers_of_single_records,
        provoke: |scene| {
            scene.leader_alone();
            scene.must_acknowledge(100);
            scene.heal_all();
            soon(|| scene.partition()["isr"].as_array().map(Vec::len) == Some(3));
            scene.left_with(scene.leader);
        },
    },
    Case {
        bugs: &["TruncateByHighWatermark"],
        settings: NO_LAG,
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            let [one, other] = scene.followers;
            // What they have been sent is acknowledged before they hear of that, and neither will hear from the other.
            for follower in scene.followers {
                scene.delay(scene.leader, follower, 700);
            }
            scene.cut(&json!(one), &json!(other));
            scene.cut(&json!(other), &json!(one));
            scene.must_acknowledge(300);
            scene.hit("kill", scene.leader);
            soon(|| scene.is_led_by(&scene.followers));
            let next = scene.serve.some_leader(scene.topic, 0);
            scene.hit("kill", next);
            soon(|| scene.is_led_by(&scene.followers) && !scene.is_led_by(&[next]));
        },
    },
    Case {
        bugs: &["MetadataUnsynced"],
        settings: &[],
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            let [weak, other] = scene.followers;
            let lags = scene.hit("kill", weak);
            scene.wait_for_isr(2);
            scene.must_acknowledge(50);
            scene.hit_each("kill", &[other, scene.leader]);
            // A majority of the controllers forgets what it has not synced, and the third is away.
            let active = scene.serve.some_active_controller();
            let forgetful: Vec<i64> = scene.controllers().filter(|id| *id != active).collect();
            scene.hit_controller("kill", active);
            let powers: Vec<u64> = forgetful.iter().map(|id| scene.hit_controller("power_loss", *id)).collect();
            powers.into_iter().for_each(|power| scene.heal(power));
            scene.heal(lags);
            soon(|| scene.is_led_by(&[weak]));
        },
    },
    Case {
        bugs: &["ProducerSnapshotIgnored", "ProducersNotRebuilt", "SequenceCheckOff"],
        settings: &[],
        configs: nothing,
        workload: nothing,
        provoke: |scene| {
            scene.unanswered();
            [1, 2, 3].into_iter().for_each(|id| scene.stop(id));
        },
    },
    Case {
        bugs: &["AbortedIndexNotRebuilt"],
        settings: &[],
        configs: nothing,
        workload: aborts_often,
        provoke: |scene| scene.kill_all(),
    },
];
