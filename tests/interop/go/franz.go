package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franz-go: codecs, groups, transactions with GroupTransactSession, admin by kadm.
func franz(bootstrap string) {
	seeds := kgo.SeedBrokers(strings.Split(bootstrap, ",")...)
	within := func(d time.Duration) context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		time.AfterFunc(d, cancel)
		return ctx
	}
	admin := kadm.NewClient(must(kgo.NewClient(seeds)))
	defer admin.Close()
	try := func(name string, run func() error) { feature("franz-go 1.22.3", name, run) }

	create := func(topic string, partitions int32) error {
		_, err := admin.CreateTopic(within(30*time.Second), partitions, 3, nil, topic)
		return err
	}
	produce := func(topic string, count int, opts ...kgo.Opt) error {
		client, err := kgo.NewClient(append(opts, seeds, kgo.DefaultProduceTopic(topic))...)
		if err != nil {
			return err
		}
		defer client.Close()
		var records []*kgo.Record
		for n := range count {
			records = append(records, &kgo.Record{Key: fmt.Appendf(nil, "k%d", n), Value: fmt.Appendf(nil, "v%d", n), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte{1}}}})
		}
		return client.ProduceSync(within(30*time.Second), records...).FirstErr()
	}
	take := func(client *kgo.Client, count int) ([]*kgo.Record, error) {
		ctx := within(40 * time.Second)
		var records []*kgo.Record
		for len(records) < count {
			fetches := client.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return nil, fmt.Errorf("read %d of %d: %w", len(records), count, err)
			}
			records = append(records, fetches.Records()...)
		}
		return records, nil
	}
	values := func(topic string, count int, level kgo.IsolationLevel) ([]string, error) {
		client, err := kgo.NewClient(seeds, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(level), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return nil, err
		}
		defer client.Close()
		records, err := take(client, count)
		if err != nil {
			return nil, err
		}
		records = append(records, client.PollFetches(within(1500*time.Millisecond)).Records()...)
		var read []string
		for _, record := range records {
			read = append(read, string(record.Value))
		}
		return sorted(read), nil
	}
	holds := func(topic string, level kgo.IsolationLevel, want []string) error {
		read, err := values(topic, len(want), level)
		if err != nil {
			return err
		}
		return same("what was read", read, want)
	}

	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		try("idempotent produce and fetch, "+name, func() error {
			topic := "franz-" + name
			return errors.Join(create(topic, 3), produce(topic, 300, kgo.ProducerBatchCompression(codecs[name])), holds(topic, kgo.ReadUncommitted(), wanted(300)))
		})
	}
	try("group (cooperative-sticky): commit, resume, two members share", func() error {
		topic, group := "franz-group", "franz-group"
		if err := errors.Join(create(topic, 4), produce(topic, 200)); err != nil {
			return err
		}
		member := func() *kgo.Client {
			return must(kgo.NewClient(seeds, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
		}
		one := member()
		if _, err := take(one, 200); err != nil {
			return err
		}
		if err := one.CommitUncommittedOffsets(within(20 * time.Second)); err != nil {
			return err
		}
		offsets, err := admin.FetchOffsets(within(20*time.Second), group)
		if err != nil {
			return err
		}
		var sum int64
		offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
		if err := same("committed", sum, 200); err != nil {
			return err
		}
		two := member()
		ctx := within(40 * time.Second)
		for {
			described, err := admin.DescribeGroups(ctx, group)
			if err != nil {
				return err
			}
			var shares []int
			for _, m := range described[group].Members {
				assigned, _ := m.Assigned.AsConsumer()
				shares = append(shares, 0)
				if assigned != nil && len(assigned.Topics) > 0 {
					shares[len(shares)-1] = len(assigned.Topics[0].Partitions)
				}
			}
			if len(shares) == 2 && shares[0] == 2 && shares[1] == 2 {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("shares are %v", shares)
			}
			time.Sleep(100 * time.Millisecond)
		}
		two.Close()
		one.Close()
		if err := produce(topic, 1); err != nil {
			return err
		}
		again := member()
		defer again.Close()
		records, err := take(again, 1)
		if err != nil {
			return err
		}
		return same("resumed with", fmt.Sprintf("%d %s", len(records), records[0].Value), "1 v0")
	})
	try("transactions: commit, abort, read_committed and read_uncommitted", func() error {
		if err := create("franz-txn", 3); err != nil {
			return err
		}
		client := must(kgo.NewClient(seeds, kgo.TransactionalID("franz-txn"), kgo.DefaultProduceTopic("franz-txn"), kgo.RecordPartitioner(kgo.ManualPartitioner())))
		defer client.Close()
		var kept, all []string
		for t := range 9 {
			if err := client.BeginTransaction(); err != nil {
				return err
			}
			for p := range 3 {
				value := fmt.Sprintf("%d-%d", t, p)
				all = append(all, value)
				if t%3 != 2 {
					kept = append(kept, value)
				}
				if err := client.ProduceSync(within(20*time.Second), &kgo.Record{Partition: int32(p), Value: []byte(value)}).FirstErr(); err != nil {
					return err
				}
			}
			if err := client.EndTransaction(within(20*time.Second), kgo.TransactionEndTry(t%3 != 2)); err != nil {
				return err
			}
		}
		return errors.Join(holds("franz-txn", kgo.ReadCommitted(), sorted(kept)), holds("franz-txn", kgo.ReadUncommitted(), sorted(all)))
	})
	try("transactions: consume, transform, produce with offsets (GroupTransactSession)", func() error {
		if err := errors.Join(create("franz-in", 3), create("franz-out", 3), produce("franz-in", 100)); err != nil {
			return err
		}
		session, err := kgo.NewGroupTransactSession(seeds, kgo.TransactionalID("franz-ctp"), kgo.ConsumerGroup("franz-ctp"), kgo.ConsumeTopics("franz-in"),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.DefaultProduceTopic("franz-out"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return err
		}
		defer session.Close()
		ctx := within(40 * time.Second)
		for round, done := 0, 0; done < 100; round++ {
			fetches := session.PollRecords(ctx, 20)
			if err := fetches.Err(); err != nil {
				return err
			}
			if err := session.Begin(); err != nil {
				return err
			}
			fetches.EachRecord(func(r *kgo.Record) { session.Produce(ctx, &kgo.Record{Value: r.Value}, nil) })
			committed, err := session.End(ctx, kgo.TransactionEndTry(round%3 != 0))
			if err != nil {
				return err
			}
			if committed {
				done += fetches.NumRecords()
			}
		}
		return holds("franz-out", kgo.ReadCommitted(), wanted(100))
	})
	try("transactions: a second producer of the same id fences the first", func() error {
		if err := create("franz-fence", 1); err != nil {
			return err
		}
		producer := func() *kgo.Client {
			return must(kgo.NewClient(seeds, kgo.TransactionalID("franz-fence"), kgo.DefaultProduceTopic("franz-fence")))
		}
		first, second := producer(), producer()
		defer first.Close()
		defer second.Close()
		ctx := within(30 * time.Second)
		if err := first.BeginTransaction(); err != nil {
			return err
		}
		if err := first.ProduceSync(ctx, kgo.StringRecord("zombie")).FirstErr(); err != nil {
			return err
		}
		if err := second.BeginTransaction(); err != nil {
			return err
		}
		if err := second.ProduceSync(ctx, kgo.StringRecord("fresh")).FirstErr(); err != nil {
			return err
		}
		err := first.EndTransaction(ctx, kgo.TryCommit)
		if !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
			return fmt.Errorf("the first's commit ended with %v", err)
		}
		if err := second.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return err
		}
		return holds("franz-fence", kgo.ReadCommitted(), []string{"fresh"})
	})
	try("admin: cluster, topics, partitions, configs, offsets, transactions", func() error {
		ctx := within(40 * time.Second)
		brokers, err := admin.ListBrokers(ctx)
		if err != nil {
			return err
		}
		retention := "123456"
		_, err = admin.CreateTopic(ctx, 1, 3, map[string]*string{"retention.ms": &retention}, "franz-made")
		if err != nil {
			return err
		}
		_, err = admin.CreateTopic(ctx, 1, 3, nil, "franz-made")
		if !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("created again: %v", err)
		}
		if _, err = admin.UpdatePartitions(ctx, 3, "franz-made"); err != nil {
			return err
		}
		configs, err := admin.DescribeTopicConfigs(ctx, "franz-made")
		if err != nil {
			return err
		}
		var got string
		for _, c := range configs[0].Configs {
			if c.Key == "retention.ms" {
				got = *c.Value
			}
		}
		ends, err := admin.ListEndOffsets(ctx, "franz-none")
		if err != nil {
			return err
		}
		var sum int64
		ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
		described, err := admin.DescribeTransactions(ctx, "franz-txn")
		if err != nil {
			return err
		}
		deleted, err := admin.DeleteTopics(ctx, "franz-made")
		return errors.Join(err, deleted.Error(), same("brokers", len(brokers), 3), same("retention.ms", got, retention), same("ends", sum, 300),
			same("state", described["franz-txn"].State, "CompleteAbort"))
	})
}
