//! `meta.properties` of a log directory: which cluster and node its data belongs to, and the directory's own id
//! (KIP-858). A directory without it is not formatted.
//!
//! The file is Java properties text; ours lists the same keys under the same kind of date comment as Kafka's.

use std::path::Path;

use protocol::id::{DirectoryId, NodeId, Timestamp};

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file;

/// The name of the file.
pub const META_PROPERTIES: &str = "meta.properties";
const VERSION: &str = "1";

/// What `meta.properties` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaProperties {
    /// The cluster the data belongs to.
    pub cluster_id: String,
    /// The node that wrote it.
    pub node_id: NodeId,
    /// The id of this directory; absent in files of Kafka before 3.7.
    pub directory_id: Option<DirectoryId>,
}

impl MetaProperties {
    /// Reads the file in a log directory; `None` if the directory is not formatted.
    pub fn read<D: Disk>(disk: &D, directory: &Path) -> Result<Option<Self>, Fault> {
        let path = directory.join(META_PROPERTIES);
        let Some(text) = whole_file::read_text(disk, &path)? else { return Ok(None) };
        Self::parse(&path, &text).map(Some)
    }

    /// Replaces the file in a log directory.
    pub fn write<D: Disk>(&self, disk: &D, directory: &Path, now: Timestamp) -> Result<(), Fault> {
        let mut text = format!("#\n#{}\nnode.id={}\n", java_date(now), self.node_id);
        if let Some(id) = self.directory_id {
            text.push_str(&format!("directory.id={id}\n"));
        }
        text.push_str(&format!("version={VERSION}\ncluster.id={}\n", self.cluster_id));
        whole_file::replace(disk, &directory.join(META_PROPERTIES), text.as_bytes())
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        let mismatch = |reason: String| Fault::Mismatch { path: path.to_owned(), reason };
        let value =
            |key: &str| properties(text).filter(|(known, _)| known == key).last().map(|(_, value)| value);
        let required = |key: &str| value(key).ok_or_else(|| mismatch(format!("the key {key} is missing")));
        let version = required("version")?;
        if version != VERSION {
            return Err(mismatch(format!("version={version} where only version={VERSION} is known")));
        }
        let node = required("node.id")?;
        let Some(node) = node.parse().ok().filter(|node| *node >= 0) else {
            return Err(mismatch(format!("node.id={node} is not a node id: 0 or more belongs here")));
        };
        let directory_id =
            match value("directory.id") {
                None => None,
                Some(id) => {
                    let parsed = DirectoryId::parse(&id);
                    Some(parsed.ok_or_else(|| {
                        mismatch(format!("directory.id={id} is not a uuid in 22 characters"))
                    })?)
                }
            };
        Ok(Self { cluster_id: required("cluster.id")?, node_id: NodeId(node), directory_id })
    }
}

/// The keys and values of a Java properties text, as far as Kafka's tools write one: no continuation lines.
fn properties(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    lines.map(|line| {
        let end = separator(line).unwrap_or(line.len());
        let value = line[end..].trim_start();
        let value = value.strip_prefix(['=', ':']).unwrap_or(value).trim_start();
        (unescaped(&line[..end]), unescaped(value))
    })
}

fn separator(line: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// A date as `java.util.Date` prints it, in UTC.
fn java_date(now: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = now.0.max(0) / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since the first of March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 2 } else { march_month - 10 };
    let year = year_of_era + era * 400 + i64::from(month < 2);
    let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[month as usize]);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use proptest::prelude::*;

    const WRITTEN_BY_KAFKA: &str = "#\n#Sat Nov 21 08:21:36 UTC 2026\nnode.id=1\n\
        directory.id=U9Xs375ujVSVFRm2UsEQ9A\nversion=1\ncluster.id=mrCdW2TjSle6T75rAlwjZQ\n";

    #[test]
    fn the_file_is_kafkas_to_the_byte() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(META_PROPERTIES);
        assert_eq!(MetaProperties::read(&RealDisk, directory.path()).unwrap(), None);
        std::fs::write(&path, WRITTEN_BY_KAFKA).unwrap();
        let read = MetaProperties::read(&RealDisk, directory.path()).unwrap().unwrap();
        assert_eq!((read.cluster_id.as_str(), read.node_id), ("mrCdW2TjSle6T75rAlwjZQ", NodeId(1)));
        read.write(&RealDisk, directory.path(), Timestamp(1_795_249_296_000)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), WRITTEN_BY_KAFKA);
    }

    #[test]
    fn what_java_may_write_differently_is_read() {
        let text = "! note\ncluster.id : a\\:b\nnode.id 7\n version=1\n";
        let read = MetaProperties::parse(Path::new("m"), text).unwrap();
        assert_eq!(read, MetaProperties { cluster_id: "a:b".into(), node_id: NodeId(7), directory_id: None });
    }

    #[test]
    fn a_wrong_value_is_named() {
        let table = [
            ("node.id=1\ncluster.id=c\n", "m: the key version is missing"),
            ("version=0\nbroker.id=1\n", "m: version=0 where only version=1 is known"),
            ("version=1\nnode.id=-1\n", "m: node.id=-1 is not a node id: 0 or more belongs here"),
            ("version=1\nnode.id=1\ndirectory.id=x\n", "m: directory.id=x is not a uuid in 22 characters"),
            ("version=1\nnode.id=1\n", "m: the key cluster.id is missing"),
        ];
        for (text, expected) in table {
            assert_eq!(MetaProperties::parse(Path::new("m"), text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn dates_are_javas() {
        assert_eq!(java_date(Timestamp(0)), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(java_date(Timestamp(1_709_251_199_999)), "Thu Feb 29 23:59:59 UTC 2024");
        assert_eq!(java_date(Timestamp(1_704_067_200_000)), "Mon Jan 01 00:00:00 UTC 2024");
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_an_error_or_properties(text in "\\PC{0,60}", key in "version=1\nnode.id=.{0,9}\n") {
            let _ = MetaProperties::parse(Path::new("m"), &text);
            let _ = MetaProperties::parse(Path::new("m"), &key);
        }
    }
}
