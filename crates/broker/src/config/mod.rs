//! Configuration: what every key is, what a node runs with, what is shown and what may change.
//!
//! [`key`] and [`keys`] declare the keys; [`properties`] reads a file; [`settings`] keeps the layers of text;
//! [`static_config`] gives the typed [`NodeConfig`] of a node and [`topic_config`] the typed [`TopicConfig`]
//! of a topic; [`dynamic`] judges changes; [`describe`] answers DescribeConfigs. Nothing here opens a socket
//! or a log directory.

pub mod cleaner_config;
pub mod client_metrics_config;
pub mod controller_check;
pub mod cross_checks;
pub mod describe;
pub mod dynamic;
pub mod group_config;
pub mod group_coordinator_config;
#[cfg(test)]
mod honoured;
pub mod key;
pub mod keys;
pub mod listeners;
pub mod log_dirs_config;
mod log_rules;
pub mod network_config;
mod numbers;
pub mod properties;
pub mod quorum_config;
pub mod registration_config;
pub mod replication_config;
pub mod request_config;
pub mod settings;
pub mod static_config;
mod streams_groups_config;
pub mod topic_config;
pub mod topic_creation;
pub mod transaction_coordinator_config;
pub mod value;

pub use cleaner_config::CleanerConfig;
pub use controller_check::ControllerCheck;
pub use group_coordinator_config::GroupCoordinatorConfig;
pub use listeners::{Endpoint, Listeners, SecurityProtocol};
pub use log_dirs_config::LogDirsConfig;
pub use quorum_config::{QuorumConfig, Voter};
pub use request_config::ReadCheck;
pub use settings::{ConfigError, Settings, Texts};
pub use static_config::NodeConfig;
pub use topic_config::TopicConfig;
pub use transaction_coordinator_config::TransactionCoordinatorConfig;
