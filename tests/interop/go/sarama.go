package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// member is a consumer group's handler that passes records on and marks them.
type member struct {
	records chan *sarama.ConsumerMessage
	claims  atomic.Int32
}

func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	var count int32
	for _, partitions := range s.Claims() {
		count += int32(len(partitions))
	}
	m.claims.Store(count)
	return nil
}
func (m *member) Cleanup(s sarama.ConsumerGroupSession) error { s.Commit(); return nil }
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case record, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			select {
			case m.records <- record:
				s.MarkMessage(record, "")
			case <-s.Context().Done():
				return nil
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

// sarama: codecs, groups, transactions, admin; with its default protocol version and with the newest that it has.
func saramaClient(bootstrap string) {
	servers := strings.Split(bootstrap, ",")
	for _, version := range []sarama.KafkaVersion{sarama.V2_1_0_0, sarama.MaxVersion} {
		saramaAs(servers, version)
	}
}

func saramaAs(servers []string, version sarama.KafkaVersion) {
	try := func(name string, run func() error) { feature("sarama 1.61.1 (as "+version.String()+")", name, run) }
	pre := "sarama-" + version.String() + "-"
	config := func() *sarama.Config {
		c := sarama.NewConfig()
		c.Version = version
		c.Producer.RequiredAcks = sarama.WaitForAll
		c.Producer.Idempotent = true
		c.Net.MaxOpenRequests = 1
		c.Producer.Return.Successes = true
		c.Producer.Partitioner = sarama.NewManualPartitioner
		c.Consumer.Offsets.Initial = sarama.OffsetOldest
		c.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
		return c
	}
	admin := must(sarama.NewClusterAdmin(servers, config()))
	defer admin.Close()
	create := func(topic string, partitions int32) error {
		return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 3}, false)
	}
	send := func(c *sarama.Config, topic string, partitions, count int) error {
		producer, err := sarama.NewSyncProducer(servers, c)
		if err != nil {
			return err
		}
		defer producer.Close()
		var messages []*sarama.ProducerMessage
		for n := range count {
			messages = append(messages, &sarama.ProducerMessage{Topic: topic, Partition: int32(n % partitions), Key: sarama.StringEncoder(fmt.Sprint("k", n)),
				Value: sarama.StringEncoder(fmt.Sprint("v", n)), Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte{1}}}})
		}
		return producer.SendMessages(messages)
	}
	values := func(topic string, partitions, count int, level sarama.IsolationLevel) ([]string, error) {
		c := config()
		c.Consumer.IsolationLevel = level
		consumer, err := sarama.NewConsumer(servers, c)
		if err != nil {
			return nil, err
		}
		defer consumer.Close()
		records := make(chan string, 1000)
		for p := range partitions {
			part, err := consumer.ConsumePartition(topic, int32(p), sarama.OffsetOldest)
			if err != nil {
				return nil, err
			}
			defer part.AsyncClose()
			go func() {
				for message := range part.Messages() {
					records <- string(message.Value)
				}
			}()
		}
		var read []string
		for wait := 30 * time.Second; ; {
			if len(read) >= count {
				wait = 1500 * time.Millisecond
			}
			select {
			case value := <-records:
				read = append(read, value)
			case <-time.After(wait):
				return sorted(read), nil
			}
		}
	}
	holds := func(topic string, partitions int, level sarama.IsolationLevel, want []string) error {
		read, err := values(topic, partitions, len(want), level)
		if err != nil {
			return err
		}
		return same("what was read", read, want)
	}

	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		try("idempotent produce and fetch, "+codec.String(), func() error {
			c := config()
			c.Producer.Compression = codec
			topic := pre + codec.String()
			return errors.Join(create(topic, 3), send(c, topic, 3, 300), holds(topic, 3, sarama.ReadUncommitted, wanted(300)))
		})
	}
	try("group: commit, resume, two members share", func() error {
		topic := pre + "group"
		if err := errors.Join(create(topic, 4), send(config(), topic, 4, 200)); err != nil {
			return err
		}
		join := func() (*member, func()) {
			group := must(sarama.NewConsumerGroup(servers, topic, config()))
			m := &member{records: make(chan *sarama.ConsumerMessage)}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for ctx.Err() == nil {
					group.Consume(ctx, []string{topic}, m)
				}
			}()
			return m, func() { cancel(); <-done; group.Close() }
		}
		take := func(m *member, count int) (last string, err error) {
			for n := range count {
				select {
				case record := <-m.records:
					last = string(record.Value)
				case <-time.After(30 * time.Second):
					return "", fmt.Errorf("read %d of %d", n, count)
				}
			}
			return last, nil
		}
		one, leaveOne := join()
		if _, err := take(one, 200); err != nil {
			return err
		}
		two, leaveTwo := join()
		for end := time.Now().Add(40 * time.Second); one.claims.Load() != 2 || two.claims.Load() != 2; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("claims are %d and %d", one.claims.Load(), two.claims.Load())
			}
		}
		leaveTwo()
		leaveOne()
		offsets, err := admin.ListConsumerGroupOffsets(topic, map[string][]int32{topic: {0, 1, 2, 3}})
		if err != nil {
			return err
		}
		var sum int64
		for _, block := range offsets.Blocks[topic] {
			sum += block.Offset
		}
		if err := errors.Join(same("committed", sum, 200), send(config(), topic, 4, 1)); err != nil {
			return err
		}
		again, leave := join()
		defer leave()
		last, err := take(again, 1)
		return errors.Join(err, same("resumed with", last, "v0"))
	})
	transactional := func(id string) (sarama.SyncProducer, error) {
		c := config()
		c.Producer.Transaction.ID = id
		return sarama.NewSyncProducer(servers, c)
	}
	try("transactions: commit, abort, read_committed and read_uncommitted", func() error {
		topic := pre + "txn"
		if err := create(topic, 3); err != nil {
			return err
		}
		producer, err := transactional(topic)
		if err != nil {
			return err
		}
		defer producer.Close()
		var kept, all []string
		for t := range 9 {
			if err := producer.BeginTxn(); err != nil {
				return err
			}
			for p := range 3 {
				value := fmt.Sprintf("%d-%d", t, p)
				all = append(all, value)
				if t%3 != 2 {
					kept = append(kept, value)
				}
				if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: int32(p), Value: sarama.StringEncoder(value)}); err != nil {
					return err
				}
			}
			end := producer.CommitTxn
			if t%3 == 2 {
				end = producer.AbortTxn
			}
			if err := end(); err != nil {
				return err
			}
		}
		return errors.Join(holds(topic, 3, sarama.ReadCommitted, sorted(kept)), holds(topic, 3, sarama.ReadUncommitted, sorted(all)))
	})
	try("transactions: offsets in a transaction", func() error {
		topic := pre + "offsets"
		if err := create(topic, 1); err != nil {
			return err
		}
		producer, err := transactional(topic)
		if err != nil {
			return err
		}
		defer producer.Close()
		for round, offset := range []int64{5, 9} {
			positions := map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: offset}}}
			if err := producer.BeginTxn(); err != nil {
				return err
			}
			if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")}); err != nil {
				return err
			}
			if err := producer.AddOffsetsToTxn(positions, topic+"-group"); err != nil {
				return err
			}
			end := producer.CommitTxn
			if round == 1 {
				end = producer.AbortTxn
			}
			if err := end(); err != nil {
				return err
			}
		}
		offsets, err := admin.ListConsumerGroupOffsets(topic+"-group", map[string][]int32{topic: {0}})
		if err != nil {
			return err
		}
		return same("committed", offsets.GetBlock(topic, 0).Offset, 5)
	})
	try("admin: cluster, topics, partitions, configs, delete records", func() error {
		topic, retention := pre+"made", "123456"
		brokers, _, err := admin.DescribeCluster()
		if err != nil {
			return err
		}
		if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3, ConfigEntries: map[string]*string{"retention.ms": &retention}}, false); err != nil {
			return err
		}
		if err := create(topic, 1); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("created again: %v", err)
		}
		if err := admin.CreatePartitions(topic, 3, nil, false); err != nil {
			return err
		}
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
		if err != nil {
			return err
		}
		return errors.Join(same("brokers", len(brokers), 3), same("retention.ms", entries[0].Value, retention),
			admin.DeleteRecords(pre+"none", map[int32]int64{0: 50}), admin.DeleteTopic(topic))
	})
}
