package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// records checks what producers and consumers do.
func records() {
	plain := kgo.DisableIdempotentWrite()
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		check("create, produce and consume "+name, roundTrip(name, kgo.ProducerBatchCompression(codecs[name])))
	}
	check("acks=0", roundTrip("acks-0", plain, kgo.RequiredAcks(kgo.NoAck())))
	check("acks=1", roundTrip("acks-1", plain, kgo.RequiredAcks(kgo.LeaderAck())))
	check("acks=all without idempotence", roundTrip("acks-all", plain, kgo.RequiredAcks(kgo.AllISRAcks())))
	check("idempotent, small batches", roundTrip("idempotent", kgo.ProducerBatchMaxBytes(512)))
	check("asynchronous sends in order", promises)
	check("small fetches", func(ctx context.Context) error {
		return verify(ctx, "none", 0, kgo.FetchMaxPartitionBytes(100), kgo.FetchMaxBytes(100))
	})
	check("consume from the middle", func(ctx context.Context) error { return verify(ctx, "zstd", 150) })
	check("read committed sees everything", func(ctx context.Context) error {
		return verify(ctx, "none", 0, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	})
	check("a consumer at the end waits and wakes", tail)
	check("offset out of range", func(ctx context.Context) error {
		_, err := read(ctx, "none", 10_000, 1, kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepRetryableFetchErrors())
		return refused(kerr.OffsetOutOfRange, err)
	})
	check("offsets by time", byTime)
	check("offsets at both ends", ends)
	check("record too large", func(ctx context.Context) error {
		producer, err := client(kgo.ProducerBatchMaxBytes(4_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			return err
		}
		defer producer.Close()
		big := &kgo.Record{Topic: topic("none"), Value: make([]byte, 2_000_000)}
		return refused(kerr.MessageTooLarge, producer.ProduceSync(ctx, big).FirstErr())
	})
	check("delete records", deleteRecords)
}

func promises(ctx context.Context) error {
	if err := create(ctx, "promises", 1, nil); err != nil {
		return err
	}
	producer, err := client()
	if err != nil {
		return err
	}
	defer producer.Close()
	var next int64
	var wrong error
	for index := range count {
		producer.Produce(ctx, record("promises", index), func(r *kgo.Record, err error) {
			if err != nil || r.Offset != next {
				wrong = errors.Join(wrong, err, same(r.Offset, next, "offset"))
			}
			next++
		})
	}
	if err := producer.Flush(ctx); err != nil {
		return err
	}
	return errors.Join(wrong, same(next, int64(count), "promises kept"))
}

func tail(ctx context.Context) error {
	if err := create(ctx, "tail", 1, nil); err != nil {
		return err
	}
	woken := make(chan error, 1)
	go func() {
		got, err := read(ctx, "tail", 0, 1)
		if err == nil {
			err = same(string(got[0].Value), "late", "value")
		}
		woken <- err
	}()
	time.Sleep(300 * time.Millisecond)
	producer, err := client()
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := producer.ProduceSync(ctx, &kgo.Record{Topic: topic("tail"), Value: []byte("late")}).FirstErr(); err != nil {
		return err
	}
	return <-woken
}

func byTime(ctx context.Context) error {
	for after, wanted := range map[time.Duration]int64{-time.Hour: 0, 123 * time.Millisecond: 123, 50 * time.Minute: count} {
		listed, err := admin.ListOffsetsAfterMilli(ctx, baseTime.Add(after).UnixMilli(), topic("zstd"))
		if err != nil {
			return err
		}
		got, _ := listed.Lookup(topic("zstd"), 0)
		if got.Err != nil || got.Offset != wanted {
			return fmt.Errorf("after %s: got %+v, wanted offset %d", after, got, wanted)
		}
	}
	return nil
}

func ends(ctx context.Context) error {
	for wanted, ask := range map[int64]func(context.Context, ...string) (kadm.ListedOffsets, error){
		0: admin.ListStartOffsets, count: admin.ListEndOffsets,
	} {
		listed, err := ask(ctx, topic("gzip"))
		if err != nil {
			return err
		}
		got, _ := listed.Lookup(topic("gzip"), 0)
		if err := errors.Join(got.Err, same(got.Offset, wanted, "offset")); err != nil {
			return err
		}
	}
	return nil
}

func deleteRecords(ctx context.Context) error {
	if err := roundTrip("trimmed")(ctx); err != nil {
		return err
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic("trimmed"), 0, 100, -1)
	answer, err := admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return err
	}
	trimmed, _ := answer.Lookup(topic("trimmed"), 0)
	if err := errors.Join(trimmed.Err, same(trimmed.LowWatermark, 100, "low watermark")); err != nil {
		return err
	}
	if err := verify(ctx, "trimmed", 100); err != nil {
		return err
	}
	_, err = read(ctx, "trimmed", 0, 1, kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepRetryableFetchErrors())
	return refused(kerr.OffsetOutOfRange, err)
}
