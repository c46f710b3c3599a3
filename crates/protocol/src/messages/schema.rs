//! What a message looks like in each version, as data: the declarations as Kafka's schema files would say them.
//!
//! The derives write one [`Schema`] a message. Encoding and decoding do not use them; checks against Kafka's own
//! files, generators of test values and the registry of APIs do.

/// A range of versions, both ends in it; empty if `first` is larger than `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The first version.
    pub first: i16,
    /// The last version; `i16::MAX` where the range is open.
    pub last: i16,
}

impl Versions {
    /// No version at all.
    pub const NONE: Self = Self { first: 0, last: -1 };

    /// Every version.
    pub const ALL: Self = Self { first: 0, last: i16::MAX };

    /// The versions from `first` to `last`.
    pub const fn new(first: i16, last: i16) -> Self {
        Self { first, last }
    }

    /// Whether `version` is one of them.
    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = i16> {
        self.first..=self.last
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request of an API.
    Request,
    /// The response of an API.
    Response,
    /// The header before a request or response.
    Header,
    /// A record of the metadata log, or of the remote log metadata topic.
    Metadata,
    /// The key of a record of a coordinator's topic.
    CoordinatorKey,
    /// The value of a record of a coordinator's topic.
    CoordinatorValue,
    /// Anything else: files, control records, what clients tell each other.
    Data,
}

/// Where Kafka 4.4 answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// On the listeners of brokers.
    Broker,
    /// On the listeners of controllers.
    Controller,
}

/// One message.
#[derive(Debug)]
pub struct Schema {
    /// Kafka's name of it.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// The API key of a request or response, the record type of a metadata or coordinator record.
    pub api_key: Option<i16>,
    /// The versions that can be read and written.
    pub versions: Versions,
    /// Those of them that Kafka 4.4 knows; the others were removed before it.
    pub current: Versions,
    /// The versions that Kafka 4.4 serves only where unstable versions are enabled.
    pub unstable: Versions,
    /// The versions with tagged fields and compact lengths (KIP-482).
    pub flexible: Versions,
    /// Where Kafka 4.4 answers it, if it is a request.
    pub listeners: &'static [Listener],
    /// Its fields, in the order of the wire.
    pub fields: &'static [FieldSchema],
}

impl Schema {
    /// The versions that Kafka 4.4 serves without further ado.
    pub const fn stable(&self) -> Versions {
        if self.unstable.is_empty() {
            self.current
        } else {
            Versions::new(self.current.first, self.unstable.first - 1)
        }
    }
}

/// A struct within a message.
#[derive(Debug)]
pub struct StructSchema {
    /// Kafka's name of it.
    pub name: &'static str,
    /// Its fields, in the order of the wire.
    pub fields: &'static [FieldSchema],
}

/// A field of a message or struct.
#[derive(Debug)]
pub struct FieldSchema {
    /// Kafka's name of it.
    pub name: &'static str,
    /// What it holds.
    pub ty: Type,
    /// The versions that have it.
    pub versions: Versions,
    /// The versions in which it may be null.
    pub nullable: Versions,
    /// Its tag in the versions of `tagged`.
    pub tag: Option<u32>,
    /// The versions that have it among the tagged fields.
    pub tagged: Versions,
    /// The default Kafka declares for it, as its declaration here spells it.
    pub default: Option<&'static str>,
    /// Whether a version that lacks it may be written although it has a value.
    pub ignorable: bool,
    /// Whether it is written as in inflexible versions even in flexible ones.
    pub inflexible: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the variants are Kafka's types, by Kafka's names")]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint16,
    Uint32,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Array(&'static Type),
    Struct(&'static StructSchema),
}

impl Type {
    /// The fields of a struct; none of anything else.
    pub const fn fields(self) -> &'static [FieldSchema] {
        match self {
            Self::Struct(structure) => structure.fields,
            _ => &[],
        }
    }
}
