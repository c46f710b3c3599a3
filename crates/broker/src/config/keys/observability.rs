//! Keys of metrics and client telemetry.

use super::{NO_JAVA, NO_SAMPLES};
use crate::config::key::{Key, int, list, long, string};

/// The table.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    int("kafka.metrics.polling.interval.secs", "10").at_least(1).low().since("0.8.0").without_effect(NO_JAVA)
        .doc("How often Java metrics reporters are asked."),
    list("kafka.metrics.reporters", "").list().low().since("0.8.0").without_effect(NO_JAVA)
        .doc("Java classes that report Kafka's older metrics."),
    list("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter").list().low().cluster_wide().since("0.8.2").without_effect(NO_JAVA)
        .doc("Java classes that report metrics. Read metrics from headwater.http.listen instead."),
    int("metrics.num.samples", "2").at_least(1).low().since("0.8.2").without_effect(NO_SAMPLES)
        .doc("Number of samples that Kafka's rates are made of."),
    string("metrics.recording.level", "INFO").low().since("0.10.2").without_effect(NO_SAMPLES)
        .doc("How much detail Kafka's metrics record."),
    long("metrics.sample.window.ms", "30000").at_least(1).low().since("0.8.2").without_effect(NO_SAMPLES)
        .doc("Length of one of those samples."),
    int("telemetry.max.bytes", "1048576").at_least(1).low().since("3.7").honoured()
        .doc("Most bytes of metrics that a client may push at once."),
];
