// franz-go as a load: sends so many records of one size as fast as it can, or reads them.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: franz-go-load HOST:PORT produce|consume TOPIC RECORDS BYTES")
	}
	topic := os.Args[3]
	records, bytes := number(os.Args[4]), number(os.Args[5])
	options := []kgo.Opt{kgo.SeedBrokers(os.Args[1])}
	var work func(*kgo.Client) int
	switch os.Args[2] {
	case "produce":
		options = append(options, kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.LeaderAck()),
			kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
		work = func(client *kgo.Client) int { return produce(client, records, bytes) }
	case "consume":
		options = append(options, kgo.ConsumeTopics(topic),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		work = func(client *kgo.Client) int { return consume(client, records) }
	default:
		log.Fatalf("neither produce nor consume: %s", os.Args[2])
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	begin := time.Now()
	done := work(client)
	fmt.Printf("%d records in %f s\n", done, time.Since(begin).Seconds())
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func produce(client *kgo.Client, records, bytes int) int {
	// Every record is another part of the same bytes.
	pool := make([]byte, 1<<20)
	rand.New(rand.NewSource(1)).Read(pool)
	sent := 0
	failed := func(_ *kgo.Record, err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	for ; sent < records; sent++ {
		at := sent * 61 % (len(pool) - bytes)
		client.Produce(context.Background(), &kgo.Record{Value: pool[at : at+bytes]}, failed)
	}
	if err := client.Flush(context.Background()); err != nil {
		log.Fatal(err)
	}
	return sent
}

func consume(client *kgo.Client, records int) int {
	read := 0
	for read < records {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			log.Fatal(err)
		}
		read += fetches.NumRecords()
	}
	return read
}
