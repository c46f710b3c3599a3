package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// topics checks what an administrator does.
func topics() {
	check("an existing topic is TOPIC_ALREADY_EXISTS", func(ctx context.Context) error {
		return refused(kerr.TopicAlreadyExists, create(ctx, "none", 1, nil))
	})
	check("an illegal name is INVALID_TOPIC_EXCEPTION", func(ctx context.Context) error {
		return refused(kerr.InvalidTopicException, create(ctx, "a/b", 1, nil))
	})
	check("no partitions is INVALID_PARTITIONS", func(ctx context.Context) error {
		return refused(kerr.InvalidPartitions, create(ctx, "zero", 0, nil))
	})
	check("a wrong config is INVALID_CONFIG", func(ctx context.Context) error {
		return refused(kerr.InvalidConfig, create(ctx, "wrong", 1, map[string]*string{"retention.ms": kadm.StringPtr("soon")}))
	})
	check("an unknown topic", func(ctx context.Context) error {
		details, err := admin.ListTopics(ctx, topic("nowhere"))
		return errors.Join(err, refused(kerr.UnknownTopicOrPartition, details[topic("nowhere")].Err))
	})
	check("topic configs", topicConfigs)
	check("broker configs", brokerConfigs)
	check("log directories", logDirs)
	check("create partitions", createPartitions)
	check("delete topic", deleteTopic)
}

func config(ctx context.Context, name, key string) (kadm.Config, error) {
	answer, err := admin.DescribeTopicConfigs(ctx, topic(name))
	if err != nil {
		return kadm.Config{}, err
	}
	for _, entry := range answer[0].Configs {
		if entry.Key == key {
			return entry, answer[0].Err
		}
	}
	return kadm.Config{}, errors.Join(answer[0].Err, errors.New("no config "+key))
}

func topicConfigs(ctx context.Context) error {
	if err := create(ctx, "configured", 1, map[string]*string{"retention.ms": kadm.StringPtr("7200000")}); err != nil {
		return err
	}
	entry, err := config(ctx, "configured", "retention.ms")
	if err := errors.Join(err, same(entry.MaybeValue(), "7200000", "retention.ms")); err != nil {
		return err
	}
	steps := []struct {
		change kadm.AlterConfig
		after  string
	}{
		{kadm.AlterConfig{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("3600000")}, "3600000"},
		{kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "retention.ms"}, "604800000"},
	}
	for _, step := range steps {
		answer, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{step.change}, topic("configured"))
		if err := errors.Join(err, answer[0].Err); err != nil {
			return err
		}
		settled := func() bool {
			entry, err := config(ctx, "configured", "retention.ms")
			return err == nil && entry.MaybeValue() == step.after
		}
		if err := until(ctx, settled); err != nil {
			return err
		}
	}
	unknown := kadm.AlterConfig{Op: kadm.SetConfig, Name: "no.such.key", Value: kadm.StringPtr("1")}
	answer, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{unknown}, topic("configured"))
	if err != nil {
		return err
	}
	return refused(kerr.InvalidConfig, answer[0].Err)
}

func brokerConfigs(ctx context.Context) error {
	metadata, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	answer, err := admin.DescribeBrokerConfigs(ctx, metadata.Brokers[0].NodeID)
	if err := errors.Join(err, answer[0].Err); err != nil {
		return err
	}
	for _, entry := range answer[0].Configs {
		if entry.Key == "message.max.bytes" {
			return same(entry.MaybeValue(), "1048588", entry.Key)
		}
	}
	return errors.New("no message.max.bytes")
}

func logDirs(ctx context.Context) error {
	all, err := admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return err
	}
	for _, dirs := range all {
		if partition, there := dirs.LookupPartition(topic("none"), 0); !there || partition.Size == 0 {
			return errors.New("the topic's partition is in no log directory, or empty")
		}
	}
	return dirsError(all)
}

func dirsError(all kadm.DescribedAllLogDirs) error {
	var errs []error
	all.Each(func(dir kadm.DescribedLogDir) { errs = append(errs, dir.Err) })
	return errors.Join(errs...)
}

func createPartitions(ctx context.Context) error {
	if err := create(ctx, "grown", 1, nil); err != nil {
		return err
	}
	answer, err := admin.CreatePartitions(ctx, 2, topic("grown"))
	if err := errors.Join(err, answer[topic("grown")].Err); err != nil {
		return err
	}
	grown := func() bool {
		details, err := admin.ListTopics(ctx, topic("grown"))
		return err == nil && len(details[topic("grown")].Partitions) == 3
	}
	if err := until(ctx, grown); err != nil {
		return err
	}
	answer, err = admin.UpdatePartitions(ctx, 2, topic("grown"))
	return errors.Join(err, refused(kerr.InvalidPartitions, answer[topic("grown")].Err))
}

func deleteTopic(ctx context.Context) error {
	answer, err := admin.DeleteTopics(ctx, topic("gzip"))
	if err := errors.Join(err, answer[topic("gzip")].Err); err != nil {
		return err
	}
	gone := func() bool {
		all, err := admin.ListTopics(ctx)
		return err == nil && !all.Has(topic("gzip"))
	}
	if err := until(ctx, gone); err != nil {
		return err
	}
	answer, err = admin.DeleteTopics(ctx, topic("gzip"))
	return errors.Join(err, refused(kerr.UnknownTopicOrPartition, answer[topic("gzip")].Err))
}
