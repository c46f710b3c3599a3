// sarama of 2017 against one broker: message sets of both formats, lists of offsets, committed offsets.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/Shopify/sarama"
)

const count = 60

var (
	bootstrap string
	run       = fmt.Sprintf("%08x", rand.New(rand.NewSource(time.Now().UnixNano())).Uint32())
	passed    int
	failed    int
)

func check(what string, action func() error) {
	begin := time.Now()
	if err := action(); err != nil {
		failed++
		fmt.Printf("FAIL %s: %v\n", what, err)
		return
	}
	passed++
	fmt.Printf("ok   %s (%.1f s)\n", what, time.Since(begin).Seconds())
}

func config(version sarama.KafkaVersion) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = version
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Return.Errors = true
	return config
}

func value(index int) string { return fmt.Sprintf("value-%d", index) }

func bothWays(version sarama.KafkaVersion, codec sarama.CompressionCodec, topic string) error {
	config := config(version)
	config.Producer.Compression = codec
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	var messages []*sarama.ProducerMessage
	for index := 0; index < count; index++ {
		message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value(index))}
		if index%7 != 0 {
			message.Key = sarama.StringEncoder(fmt.Sprintf("key-%d", index%11))
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		return err
	}
	for index, message := range messages {
		if message.Offset != int64(index) {
			return fmt.Errorf("message %d got offset %d", index, message.Offset)
		}
	}
	if err := producer.Close(); err != nil {
		return err
	}
	for _, start := range []int{0, 23} {
		if err := read(config, topic, start); err != nil {
			return err
		}
	}
	return nil
}

func read(config *sarama.Config, topic string, start int) error {
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, int64(start))
	if err != nil {
		return err
	}
	defer partition.Close()
	for index := start; index < count; index++ {
		select {
		case message := <-partition.Messages():
			if message.Offset != int64(index) || string(message.Value) != value(index) {
				return fmt.Errorf("offset %d holds %q where %d was due", message.Offset, message.Value, index)
			}
			if (index%7 == 0) != (message.Key == nil) {
				return fmt.Errorf("offset %d has key %q", message.Offset, message.Key)
			}
			if config.Version.IsAtLeast(sarama.V0_10_0_0) && time.Since(message.Timestamp) > time.Hour {
				return fmt.Errorf("offset %d is of %v", message.Offset, message.Timestamp)
			}
		case err := <-partition.Errors():
			return err
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%d of %d messages", index-start, count-start)
		}
	}
	return nil
}

func offsets(version sarama.KafkaVersion, topic string) error {
	client, err := sarama.NewClient([]string{bootstrap}, config(version))
	if err != nil {
		return err
	}
	defer client.Close()
	for at, wanted := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: count} {
		got, err := client.GetOffset(topic, 0, at)
		if err != nil || got != wanted {
			return fmt.Errorf("offset %d for %d, %v", got, at, err)
		}
	}
	for round := int64(0); round < 2; round++ {
		manager, err := sarama.NewOffsetManagerFromClient("group-"+topic, client)
		if err != nil {
			return err
		}
		partition, err := manager.ManagePartition(topic, 0)
		if err != nil {
			return err
		}
		if next, metadata := partition.NextOffset(); round == 1 && (next != 41 || metadata != "here") {
			return fmt.Errorf("committed is %d with %q", next, metadata)
		}
		partition.MarkOffset(41, "here")
		if err := partition.Close(); err != nil {
			return err
		}
		if err := manager.Close(); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	bootstrap = os.Args[1]
	versions := []sarama.KafkaVersion{sarama.V0_8_2_2, sarama.V0_9_0_1, sarama.V0_10_0_1, sarama.V0_10_2_0}
	for number, version := range versions {
		name := []string{"0.8.2", "0.9", "0.10.0", "0.10.2"}[number]
		codecs := map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
			"snappy": sarama.CompressionSnappy}
		if number >= 2 {
			codecs["lz4"] = sarama.CompressionLZ4
		}
		for codec, kind := range codecs {
			topic := fmt.Sprintf("check-%s-sarama-%s-%s", run, name, codec)
			check(name+": "+codec+" both ways", func() error { return bothWays(version, kind, topic) })
		}
		check(name+": offsets", func() error { return offsets(version, fmt.Sprintf("check-%s-sarama-%s-none", run, name)) })
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
