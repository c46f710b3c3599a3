//! What a member is told beside its tasks.

/// How many names are told where there are many.
const NAMES_TOLD: usize = 3;

/// The first few names, and how many more there are.
pub(super) fn summary(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let mut told = String::new();
    let mut more = 0_usize;
    for (place, name) in names.enumerate() {
        match place {
            0 => told = name.to_string(),
            _ if place < NAMES_TOLD => told.push_str(&format!(", {name}")),
            _ => more += 1,
        }
    }
    if more > 0 {
        told.push_str(&format!(" and {more} more"));
    }
    told
}

/// What there is to say, with Kafka's number of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum StatusCode {
    /// The member has an older topology than the group.
    StaleTopology,
    /// Topics that the application reads are not there.
    MissingSourceTopics,
    /// Topics that must be of one size are not.
    IncorrectlyPartitionedTopics,
    /// Topics of the application's own are not there yet.
    MissingInternalTopics,
    /// A member asked all others to end.
    ShutdownApplication,
    /// The assignment comes later.
    AssignmentDelayed,
    /// The member lacks tags by which standby tasks would be spread.
    MissingClientTags,
}

impl StatusCode {
    /// Kafka's number.
    pub fn number(self) -> i8 {
        match self {
            Self::StaleTopology => 0,
            Self::MissingSourceTopics => 1,
            Self::IncorrectlyPartitionedTopics => 2,
            Self::MissingInternalTopics => 3,
            Self::ShutdownApplication => 4,
            Self::AssignmentDelayed => 5,
            Self::MissingClientTags => 6,
        }
    }
}

/// One thing that a member is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// What.
    pub code: StatusCode,
    /// In words.
    pub detail: String,
}

impl Status {
    pub(super) fn new(code: StatusCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}
