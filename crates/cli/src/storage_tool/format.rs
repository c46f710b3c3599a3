//! `storage format`: gives log directories their cluster, their ids and the first metadata.

use broker::config::NodeConfig;
use clap::Args;
use metadata::MetadataRecord;
use metadata::controller::features::{FEATURES, metadata_version_name};
use protocol::id::{DirectoryId, NodeId};
use protocol::messages::record::feature_level_record::FeatureLevelRecord;
use raft::{Endpoint, ReplicaKey, Voter};
use storage::RealDisk;
use storage::format::{FormatRequest, FormatVoters, Formatted};

use super::Config;
use crate::failure::{Directories, Failure};
use crate::formatting;

/// The flags of `storage format`.
#[derive(Args)]
pub struct Format {
    #[command(flatten)]
    config: Config,
    /// The id of the cluster; `random-uuid` makes one.
    #[arg(long, short = 't')]
    cluster_id: String,
    /// Pass over directories that are formatted already instead of refusing.
    #[arg(long, short = 'g')]
    ignore_formatted: bool,
    /// The release whose features the cluster starts with: 4.4 (4.4-IV2), the only one here.
    #[arg(long, short)]
    release_version: Option<String>,
    /// The level of one feature, such as group.version=1; may come often.
    #[arg(long, short, value_name = "FEATURE=LEVEL")]
    feature: Vec<String>,
    /// This controller is the only voter to begin with; others can join later.
    #[arg(long, short, group = "quorum")]
    standalone: bool,
    /// The node joins a quorum that is there already, or is a broker.
    #[arg(long, short = 'N', group = "quorum")]
    no_initial_controllers: bool,
    /// The voters to begin with, as id@host:port:directory-id entries; the same on all of them.
    #[arg(long, short = 'I', value_name = "VOTERS", group = "quorum")]
    initial_controllers: Option<String>,
    /// Not there yet: SCRAM credentials in the first metadata.
    #[arg(long, short = 'S', hide = true)]
    add_scram: Vec<String>,
}

impl Format {
    /// Formats and prints what was done.
    pub fn run(&self) -> Result<u8, Failure> {
        let config = self.config.read()?;
        if !self.add_scram.is_empty() {
            return Err(Failure::new(
                "--add-scram is not there yet: Headwater does not know SCRAM credentials",
            )
            .hint("format without it"));
        }
        let levels = self.levels()?;
        let voters = self.voters(&config)?;
        let request = FormatRequest {
            ignore_formatted: self.ignore_formatted,
            records: levels
                .iter()
                .filter(|(_, level)| *level != 0)
                .map(|(name, level)| level_record(name, *level))
                .collect(),
            ..formatting::request(&config, self.cluster_id.clone(), voters)
        };
        let formatted = storage::format::format(&RealDisk, &request, formatting::now())
            .map_err(|fault| Failure::of_disk(&fault, &Directories::of(&config.log_dirs)))?;
        self.tell(&request, &levels, &formatted);
        Ok(0)
    }

    fn voters(&self, config: &NodeConfig) -> Result<FormatVoters, Failure> {
        let fixed = !config.quorum.voters.is_empty();
        if fixed && (self.standalone || self.initial_controllers.is_some()) {
            return Err(Failure::new(
                "controller.quorum.voters fixes the voters, so --standalone and --initial-controllers have no place",
            )
            .hint("for a quorum that can grow, replace controller.quorum.voters by controller.quorum.bootstrap.servers"));
        }
        if self.standalone {
            if !config.roles.controller {
                return Err(Failure::new("--standalone needs controller among process.roles")
                    .hint("use --no-initial-controllers for a broker"));
            }
            return Ok(formatting::standalone(config));
        }
        if let Some(text) = &self.initial_controllers {
            return initial_voters(text, &config.listeners.controller_names).map(FormatVoters::Initial);
        }
        match (fixed, config.roles.controller && !self.no_initial_controllers) {
            (true, _) => Ok(FormatVoters::Fixed),
            (false, false) => Ok(FormatVoters::Join),
            (false, true) => Err(Failure::new(
                "controller.quorum.voters is not set on this controller, so it must be said who votes",
            )
            .hint("add --standalone for a new cluster, --no-initial-controllers to join one, or --initial-controllers")),
        }
    }

    /// The features of this release with the levels asked for.
    fn levels(&self) -> Result<Vec<(&'static str, i16)>, Failure> {
        let newest = metadata_version_name(FEATURES[0].finalised).unwrap_or_default();
        if let Some(release) =
            self.release_version.as_deref().filter(|release| !matches!(*release, "4.4") && *release != newest)
        {
            return Err(Failure::new(format!(
                "cannot format for release {release}: Headwater writes the metadata of {newest}"
            ))
            .hint("leave --release-version out, or say 4.4"));
        }
        let mut levels: Vec<(&str, i16)> =
            FEATURES.iter().map(|feature| (feature.name, feature.finalised)).collect();
        for setting in &self.feature {
            let parsed =
                setting.split_once('=').and_then(|(name, level)| Some((name, level.parse::<i16>().ok()?)));
            let (name, level) = parsed.ok_or_else(|| {
                Failure::new(format!("cannot understand --feature \"{setting}\""))
                    .hint("use FEATURE=LEVEL, such as group.version=1")
            })?;
            set_level(&mut levels, name, level)?;
        }
        Ok(levels)
    }

    /// Kafka's lines, in Kafka's order: the metadata directory last.
    fn tell(&self, request: &FormatRequest, levels: &[(&str, i16)], formatted: &[Formatted]) {
        let new: Vec<_> = formatted
            .iter()
            .filter_map(|one| if let Formatted::Now(path, _) = one { Some(path) } else { None })
            .collect();
        if new.is_empty() {
            println!("All of the log directories are already formatted.");
            return;
        }
        let records: Vec<String> = levels
            .iter()
            .filter(|(_, level)| *level != 0)
            .map(|(name, level)| {
                format!("ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at version 0)")
            })
            .collect();
        println!(
            "Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)",
            records.join(", "),
            request.metadata_version
        );
        let metadata_kind = match request.voters {
            FormatVoters::Fixed => "metadata directory",
            FormatVoters::Join => "dynamic metadata directory",
            FormatVoters::Standalone(_) | FormatVoters::Initial(_) => "dynamic metadata voter directory",
        };
        let version = metadata_version_name(request.metadata_version).unwrap_or_default();
        let (metadata, data): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|path| **path == request.metadata_directory);
        for (path, kind) in data
            .iter()
            .map(|path| (path, "data directory"))
            .chain(metadata.iter().map(|path| (path, metadata_kind)))
        {
            println!("Formatting {kind} {} with metadata.version {version}.", path.display());
        }
    }
}

fn set_level(levels: &mut [(&str, i16)], name: &str, level: i16) -> Result<(), Failure> {
    if name == FEATURES[0].name {
        return Err(
            Failure::new(format!("--feature {name} is the release itself")).hint("use --release-version")
        );
    }
    let known = FEATURES.iter().find(|feature| feature.name == name);
    let Some((feature, slot)) = known.zip(levels.iter_mut().find(|(known, _)| *known == name)) else {
        let names: Vec<&str> = FEATURES.iter().skip(1).map(|feature| feature.name).collect();
        return Err(Failure::new(format!("{name} is not a feature"))
            .hint(format!("the features are {}", names.join(", "))));
    };
    if !(feature.range.min..=feature.range.max).contains(&level) {
        return Err(Failure::new(format!("{name} has no level {level}"))
            .hint(format!("its levels are {} to {}", feature.range.min, feature.range.max)));
    }
    slot.1 = level;
    Ok(())
}

fn level_record(name: &str, level: i16) -> MetadataRecord<'static> {
    MetadataRecord::FeatureLevel(FeatureLevelRecord { name: name.to_owned().into(), feature_level: level })
}

/// Reads `id@host:port:directory-id` entries.
fn initial_voters(text: &str, listeners: &[String]) -> Result<Vec<Voter>, Failure> {
    let voter = |entry: &str| {
        let (id, rest) = entry.split_once('@')?;
        let (address, directory) = rest.rsplit_once(':')?;
        let (host, port) = broker::config::value::split_host_port(address)?;
        let id = NodeId(id.parse().ok().filter(|id| *id >= 0)?);
        let key = ReplicaKey { id, directory: DirectoryId::parse(directory)? };
        let listener = listeners.first()?.clone();
        let endpoints = vec![Endpoint { listener, host: host.to_owned(), port }];
        Some(Voter { key, endpoints, kraft_versions: (0, 1) })
    };
    text.split(',')
        .map(|entry| {
            voter(entry.trim()).ok_or_else(|| {
                Failure::new(format!("cannot understand \"{entry}\" of --initial-controllers"))
                    .hint("use id@host:port:directory-id, such as 1@localhost:9093:f3ba1TzJTRinQfPoGF0sxg")
            })
        })
        .collect()
}
