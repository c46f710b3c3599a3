// kafka-go of 2018 against one broker: message sets that it writes in format v1 and reads in v0, without times, lists of
// offsets, a group. What it calls compression compresses single values in a way no broker of any time has known, so that
// nothing here is compressed.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

const count = 60

var (
	bootstrap string
	topic     = fmt.Sprintf("check-%08x-kafka-go", rand.New(rand.NewSource(time.Now().UnixNano())).Uint32())
	begin     = time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	passed    int
	failed    int
)

func check(what string, action func(context.Context) error) {
	started := time.Now()
	patience, stop := context.WithTimeout(context.Background(), 40*time.Second)
	defer stop()
	if err := action(patience); err != nil {
		failed++
		fmt.Printf("FAIL %s: %v\n", what, err)
		return
	}
	passed++
	fmt.Printf("ok   %s (%.1f s)\n", what, time.Since(started).Seconds())
}

func value(index int) string { return fmt.Sprintf("value-%d", index) }

func create(context.Context) error {
	conn, err := kafka.Dial("tcp", bootstrap)
	if err != nil {
		return err
	}
	defer conn.Close()
	config := kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}
	if err := conn.CreateTopics(config); err != nil {
		return err
	}
	partitions, err := conn.ReadPartitions(topic)
	if err != nil || len(partitions) != 1 {
		return fmt.Errorf("partitions %v, %v", partitions, err)
	}
	return nil
}

func write(patience context.Context) error {
	writer := kafka.NewWriter(kafka.WriterConfig{Brokers: []string{bootstrap}, Topic: topic, RequiredAcks: -1,
		BatchTimeout: 50 * time.Millisecond})
	var messages []kafka.Message
	for index := 0; index < count; index++ {
		message := kafka.Message{Value: []byte(value(index)), Time: begin.Add(time.Duration(index) * time.Millisecond)}
		if index%7 != 0 {
			message.Key = []byte(fmt.Sprintf("key-%d", index%11))
		}
		messages = append(messages, message)
	}
	if err := writer.WriteMessages(patience, messages...); err != nil {
		return err
	}
	return writer.Close()
}

func expect(reader *kafka.Reader, patience context.Context, first int) error {
	for index := first; index < count; index++ {
		message, err := reader.FetchMessage(patience)
		if err != nil {
			return fmt.Errorf("after %d of %d messages: %v", index-first, count-first, err)
		}
		if message.Offset != int64(index) || string(message.Value) != value(index) {
			return fmt.Errorf("offset %d holds %q where %d was due", message.Offset, message.Value, index)
		}
		if (index%7 == 0) != (len(message.Key) == 0) {
			return fmt.Errorf("offset %d has key %q", message.Offset, message.Key)
		}
	}
	return nil
}

func read(patience context.Context) error {
	for _, first := range []int{0, 23} {
		for _, most := range []int{300, 1 << 20} {
			reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap}, Topic: topic, MinBytes: 1,
				MaxBytes: most, MaxWait: 200 * time.Millisecond})
			if err := reader.SetOffset(int64(first)); err != nil {
				return err
			}
			if err := expect(reader, patience, first); err != nil {
				return err
			}
			if err := reader.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

func offsets(patience context.Context) error {
	conn, err := kafka.DialLeader(patience, "tcp", bootstrap, topic, 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	if first, last, err := conn.ReadOffsets(); err != nil || first != 0 || last != count {
		return fmt.Errorf("offsets from %d to %d, %v", first, last, err)
	}
	if found, err := conn.ReadOffset(begin.Add(17 * time.Millisecond)); err != nil || found != 17 {
		return fmt.Errorf("a time is found at %d, %v", found, err)
	}
	return nil
}

func group(patience context.Context) error {
	for round := 0; round < 2; round++ {
		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap}, Topic: topic, GroupID: "group-" + topic,
			MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 200 * time.Millisecond,
			// It does not say that it leaves: its successor waits for that long.
			SessionTimeout: 6 * time.Second})
		first := 0
		if round == 1 {
			first = 42
		}
		if err := expect(reader, patience, first); err != nil {
			return fmt.Errorf("round %d: %v", round, err)
		}
		if err := reader.CommitMessages(patience, kafka.Message{Topic: topic, Offset: 41}); err != nil {
			return err
		}
		if err := reader.Close(); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	bootstrap = os.Args[1]
	check("a topic", create)
	check("produce", write)
	check("consume", read)
	check("offsets", offsets)
	check("a group", group)
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
