//! What is known about one config key: a declaration, not a value.
//!
//! Every key of Apache Kafka 4.4 and every `headwater.` key is declared once, in a table under
//! [`super::keys`], with the builder functions of this file. Parsing, validation, DescribeConfigs,
//! dynamic updates and the warnings at start all read those declarations; none keeps a list of its own.
//! Nothing here holds or reads a value.

use super::value;

/// The type of a key's value, with the number that DescribeConfigs sends for it (KIP-569).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Type {
    /// `true` or `false`, any case.
    Boolean = 1,
    /// Text, trimmed.
    String = 2,
    /// 32-bit integer.
    Int = 3,
    /// 16-bit integer.
    Short = 4,
    /// 64-bit integer.
    Long = 5,
    /// 64-bit floating point number.
    Double = 6,
    /// Comma separated list.
    List = 7,
    /// Name of a Java class: kept as text.
    Class = 8,
    /// Text that is never shown.
    Password = 9,
}

/// How much a key matters, in Kafka's three steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Worth knowing by everybody.
    High,
    /// Worth knowing when tuning.
    Medium,
    /// Rarely changed.
    Low,
}

/// Whether a broker key can change while the node runs (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Only by a restart.
    ReadOnly,
    /// For a single broker, by its id.
    PerBroker,
    /// For a single broker or for all brokers at once.
    ClusterWide,
}

/// What a key has when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// It must be set.
    Required,
    /// No value, and that means something.
    Null,
    /// This value, written as DescribeConfigs writes it.
    Value(&'static str),
}

/// Which values of the right type are allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// All.
    Any,
    /// Numbers from this one up.
    AtLeast(i64),
    /// Numbers between these two, both included.
    Between(i64, i64),
    /// Floating point numbers between zero and this, both included.
    Fraction(f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// A list without empty entries.
    List {
        /// The words it may hold; empty means any.
        of: &'static [&'static str],
        /// Whether the list may be empty.
        empty: bool,
    },
    /// Text that is not empty.
    NonEmpty,
    /// A gzip level: 1 to 9, or -1 for the codec's own default.
    GzipLevel,
    /// `*` or `partition:broker` pairs.
    ThrottledReplicas,
    /// `latest`, `earliest` or `by_duration:` and an ISO-8601 duration (KIP-1106).
    AutoOffsetReset,
    /// `id@host:port` entries.
    QuorumVoters,
    /// `host:port` entries.
    BootstrapServers,
    /// One `host:port`, or nothing.
    AddressOrEmpty,
}

/// What setting the key does in Headwater.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does what its documentation says.
    Honoured,
    /// It is accepted and changes nothing, for this reason, and never will.
    WithoutEffect(&'static str),
    /// It is known and validated, but nothing obeys it: setting it is named in a warning at start.
    NotYet,
}

/// The declaration of one config key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name as written in a properties file.
    pub name: &'static str,
    /// Type of its value.
    pub kind: Type,
    /// Value when unset.
    pub default: Default,
    /// Values of that type that are allowed.
    pub allowed: Allowed,
    /// Kafka's rating.
    pub importance: Importance,
    /// Whether it can change while the node runs; broker keys only.
    pub update: Update,
    /// Hidden from DescribeConfigs, as Kafka hides its internal keys.
    pub internal: bool,
    /// The Kafka release that brought it (or `headwater`).
    pub since: &'static str,
    /// What setting it does here.
    pub state: State,
    /// One or two sentences for people.
    pub doc: &'static str,
}

impl Key {
    const fn new(name: &'static str, kind: Type, default: Default) -> Key {
        Key {
            name,
            kind,
            default,
            allowed: Allowed::Any,
            importance: Importance::Medium,
            update: Update::ReadOnly,
            internal: false,
            since: "",
            state: State::NotYet,
            doc: "",
        }
    }

    /// A key with a default value; `boolean("x", "true")` and the like read better in the tables.
    pub const fn of(kind: Type, name: &'static str, default: &'static str) -> Key {
        Key::new(name, kind, Default::Value(default))
    }

    /// A key that has no value unless it is set.
    pub const fn unset(kind: Type, name: &'static str) -> Key {
        Key::new(name, kind, Default::Null)
    }

    /// A key that must be set.
    pub const fn required(kind: Type, name: &'static str) -> Key {
        Key::new(name, kind, Default::Required)
    }

    /// Restricts the values.
    pub const fn allow(mut self, allowed: Allowed) -> Key {
        self.allowed = allowed;
        self
    }

    /// Numbers from `least` up.
    pub const fn at_least(self, least: i64) -> Key {
        self.allow(Allowed::AtLeast(least))
    }

    /// Numbers between two bounds, both included.
    pub const fn between(self, least: i64, most: i64) -> Key {
        self.allow(Allowed::Between(least, most))
    }

    /// One of these words.
    pub const fn one_of(self, words: &'static [&'static str]) -> Key {
        self.allow(Allowed::OneOf(words))
    }

    /// A list that may be empty.
    pub const fn list(self) -> Key {
        self.allow(Allowed::List { of: &[], empty: true })
    }

    /// A list with at least one entry.
    pub const fn filled_list(self) -> Key {
        self.allow(Allowed::List { of: &[], empty: false })
    }

    /// Marks it important.
    pub const fn high(mut self) -> Key {
        self.importance = Importance::High;
        self
    }

    /// Marks it unimportant.
    pub const fn low(mut self) -> Key {
        self.importance = Importance::Low;
        self
    }

    /// Can be changed for one broker while it runs.
    pub const fn per_broker(mut self) -> Key {
        self.update = Update::PerBroker;
        self
    }

    /// Can be changed for one broker or all while they run.
    pub const fn cluster_wide(mut self) -> Key {
        self.update = Update::ClusterWide;
        self
    }

    /// Hides it from DescribeConfigs.
    pub const fn internal(mut self) -> Key {
        self.internal = true;
        self
    }

    /// The release that brought it.
    pub const fn since(mut self, release: &'static str) -> Key {
        self.since = release;
        self
    }

    /// It works.
    pub const fn honoured(mut self) -> Key {
        self.state = State::Honoured;
        self
    }

    /// It is accepted and changes nothing, for a reason.
    pub const fn without_effect(mut self, why: &'static str) -> Key {
        self.state = State::WithoutEffect(why);
        self
    }

    /// What people read about it.
    pub const fn doc(mut self, doc: &'static str) -> Key {
        self.doc = doc;
        self
    }

    /// The default as text, when there is one.
    pub fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Default::Value(text) => Some(text),
            Default::Null | Default::Required => None,
        }
    }

    /// Whether its value must never be shown.
    pub fn sensitive(&self) -> bool {
        self.kind == Type::Password
    }

    /// Checks one value against type and bounds.
    ///
    /// # Errors
    /// [`value::Invalid`], which names key, value and what is allowed.
    pub fn check(&self, text: &str) -> Result<value::Value, value::Invalid> {
        value::Value::parse(self, text)
    }
}

/// Shorter spellings of [`Key::of`] for the tables.
macro_rules! spellings {
    ($($spelling:ident $kind:ident),*) => { $(
        #[doc = concat!("A key of type ", stringify!($kind), " with this default.")]
        pub const fn $spelling(name: &'static str, default: &'static str) -> Key {
            Key::of(Type::$kind, name, default)
        }
    )* };
}
spellings!(boolean Boolean, string String, int Int, short Short, long Long, double Double, list List, class Class);
