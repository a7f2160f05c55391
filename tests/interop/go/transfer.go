package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transfer is the transfer loop's worker with franz-go (see transfer.py).
func transfer(bootstrap, name string) {
	closed, stop := context.WithCancel(context.Background())
	go func() {
		io.ReadAll(os.Stdin)
		stop()
	}()
	committed, aborted, renewed := 0, 0, 0
	work := func() error {
		session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.TransactionalID(name), kgo.ConsumerGroup(name),
			kgo.ConsumeTopics(name+"-in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.DefaultProduceTopic(name+"-out"),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.TransactionTimeout(20*time.Second),
			kgo.SessionTimeout(10*time.Second), kgo.ProducerLinger(0))
		if err != nil {
			return err
		}
		defer session.Close()
		for closed.Err() == nil {
			fetches := session.PollRecords(closed, 200)
			if fetches.NumRecords() == 0 {
				continue
			}
			if err := session.Begin(); err != nil {
				return err
			}
			fetches.EachRecord(func(r *kgo.Record) {
				session.Produce(context.Background(), &kgo.Record{Partition: r.Partition, Value: bytes.ToUpper(r.Value)}, nil)
			})
			if err := session.Client().Flush(context.Background()); err != nil { // so that an abort has something to abort
				return err
			}
			// A record that cannot be produced makes End abort; so does a rebalance meanwhile. What was aborted is read again.
			did, err := session.End(context.Background(), kgo.TransactionEndTry((committed+aborted)%7 != 6))
			if err != nil {
				return err
			}
			if did {
				committed++
			} else {
				aborted++
			}
		}
		return nil
	}
	for closed.Err() == nil {
		if err := work(); err != nil {
			fmt.Println("anew after", err)
			renewed++
		}
	}
	fmt.Println("transactions", committed, aborted, renewed)
}
