//! Prometheus' text format.

use std::fmt::{Display, Write};

/// What a metric is to Prometheus.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Grows only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles, with a count and a sum.
    Summary,
}

/// Text being written.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
}

impl Text {
    /// Opens a metric: its help and type come before its samples.
    pub fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
        };
        // Writing to a string cannot fail.
        let _written = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (index, (label, content)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            for character in content.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _written = writeln!(self.text, " {value}");
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_prometheus_text() {
        let mut text = Text::default();
        text.metric("a_total", Kind::Counter, "All of a.");
        text.sample("a_total", &[], 3);
        text.sample("a_total", &[("topic", "x\"y\\"), ("partition", "0")], 0.5);
        let expected = "# HELP a_total All of a.\n# TYPE a_total counter\na_total 3\n\
                        a_total{topic=\"x\\\"y\\\\\",partition=\"0\"} 0.5\n";
        assert_eq!(text.finish(), expected);
    }
}
