// franz-go against one broker: what works without groups and transactions.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const count = 300

var (
	bootstrap string
	admin     *kadm.Client
	run       = fmt.Sprintf("%08x", rand.Uint32())
	baseTime  = time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	passed    int
	failed    int
)

func topic(name string) string { return "check-" + run + "-" + name }

func check(what string, action func(context.Context) error) bool {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := action(ctx); err != nil {
		failed++
		fmt.Printf("FAIL %s: %v\n", what, err)
		return false
	}
	passed++
	fmt.Printf("ok   %s (%.1f s)\n", what, time.Since(begin).Seconds())
	return true
}

// refused turns the wanted error into success and everything else into a failure.
func refused(wanted *kerr.Error, got error) error {
	if errors.Is(got, wanted) {
		return nil
	}
	return fmt.Errorf("got %v, wanted %s", got, wanted.Message)
}

func until(ctx context.Context, question func() bool) error {
	for !question() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within the time: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func same[T comparable](got, wanted T, what string) error {
	if got != wanted {
		return fmt.Errorf("%s: got %v, wanted %v", what, got, wanted)
	}
	return nil
}

// record is record number `index` of every run: some keys and values are null.
func record(name string, index int) *kgo.Record {
	r := &kgo.Record{
		Topic:     topic(name),
		Timestamp: baseTime.Add(time.Duration(index) * time.Millisecond),
		Headers: []kgo.RecordHeader{
			{Key: "index", Value: []byte(fmt.Sprint(index))}, {Key: "empty", Value: []byte{}},
			{Key: "null", Value: nil}, {Key: "index", Value: []byte("again")},
		},
	}
	if index%7 != 0 {
		r.Key = []byte(fmt.Sprintf("key-%d", index%11))
	}
	if index%7 != 3 {
		r.Value = []byte(fmt.Sprintf("value-%d-", index) + strings.Repeat("x", index%50))
	}
	return r
}

func create(ctx context.Context, name string, partitions int32, configs map[string]*string) error {
	answer, err := admin.CreateTopic(ctx, partitions, 1, configs, topic(name))
	if err != nil {
		return err
	}
	return answer.Err
}

func client(options ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	return kgo.NewClient(append(base, options...)...)
}

func send(ctx context.Context, name string, options ...kgo.Opt) error {
	producer, err := client(options...)
	if err != nil {
		return err
	}
	defer producer.Close()
	records := make([]*kgo.Record, count)
	for index := range records {
		records[index] = record(name, index)
	}
	return producer.ProduceSync(ctx, records...).FirstErr()
}

func read(ctx context.Context, name string, from int64, wanted int, options ...kgo.Opt) ([]*kgo.Record, error) {
	where := map[string]map[int32]kgo.Offset{topic(name): {0: kgo.NewOffset().At(from)}}
	consumer, err := client(append(options, kgo.ConsumePartitions(where))...)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	var records []*kgo.Record
	for len(records) < wanted {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("after %d of %d records: %w", len(records), wanted, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

func differs(got, wanted []byte) bool {
	return (got == nil) != (wanted == nil) || !bytes.Equal(got, wanted)
}

func verify(ctx context.Context, name string, first int, options ...kgo.Opt) error {
	records, err := read(ctx, name, int64(first), count-first, options...)
	if err != nil {
		return err
	}
	for at, got := range records {
		wanted := record(name, first+at)
		if got.Offset != int64(first+at) || differs(got.Key, wanted.Key) || differs(got.Value, wanted.Value) ||
			!got.Timestamp.Equal(wanted.Timestamp) || len(got.Headers) != len(wanted.Headers) {
			return fmt.Errorf("record %d is %+v, wanted %+v", first+at, got, wanted)
		}
		for i, header := range got.Headers {
			if header.Key != wanted.Headers[i].Key || differs(header.Value, wanted.Headers[i].Value) {
				return fmt.Errorf("header %d of record %d is %v, wanted %v", i, first+at, header, wanted.Headers[i])
			}
		}
	}
	return nil
}

func roundTrip(name string, options ...kgo.Opt) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := create(ctx, name, 1, nil); err != nil {
			return err
		}
		if err := send(ctx, name, options...); err != nil {
			return err
		}
		return verify(ctx, name, 0)
	}
}

func main() {
	bootstrap = os.Args[1]
	begin := time.Now()
	base, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	admin = kadm.NewClient(base)
	if check("describe the cluster", cluster) {
		records()
		topics()
	}
	fmt.Printf("# franz-go: %.0f s\n%d passed, %d failed\n", time.Since(begin).Seconds(), passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func cluster(ctx context.Context) error {
	metadata, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	return same(len(metadata.Brokers), 1, "brokers")
}
