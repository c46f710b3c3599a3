//! Apache Kafka and real clients held against Headwater: `cargo run -p headwater-conformance -- WHAT`.

mod answers;
mod broken_disk;
mod clients;
mod compaction;
mod connect;
mod full_disk;
mod injected;
mod kill;
mod messages;
mod mounted;
mod old_formats;
mod players;
mod reader;
mod schemas;
mod streams;
mod there_and_back;
mod transactions;

use clap::Parser;

/// Apache Kafka and real clients held against Headwater.
#[derive(Parser)]
#[command(name = "headwater-conformance")]
enum What {
    /// Put the same requests to Apache Kafka and to Headwater and compare the answers.
    Answers(answers::Answers),
    /// Have the device of a log directory fail and see what goes on.
    BrokenDisk(broken_disk::BrokenDisk),
    /// Run the clients of conformance/clients against a broker.
    Clients(clients::Clients),
    /// Run the clients of years ago, in conformance/old-clients, against a broker.
    OldClients(clients::Clients),
    /// Compact the same segments by Apache Kafka and by Headwater and compare what survives.
    Compaction(compaction::Compaction),
    /// Have Kafka Connect carry the lines of a file into another while the broker is killed.
    Connect(connect::Connect),
    /// Fill small disks to the last byte and see what goes on.
    FullDisk(full_disk::FullDisk),
    /// Send random messages of every version through the classes of Apache Kafka.
    Messages(messages::Messages),
    /// Kill the broker while it is written to and read back what was acknowledged.
    Kill(kill::Kill),
    /// Take over logs that Apache Kafka 2.8 wrote in formats v0 and v1, serve and compact them.
    OldFormats(old_formats::OldFormats),
    /// Compare every declared message with the schema files of Apache Kafka.
    Schemas(schemas::Schemas),
    /// Have Kafka Streams count words exactly once while the broker is killed.
    Streams(streams::Streams),
    /// Have Headwater and Apache Kafka open each other's directories.
    ThereAndBack(there_and_back::ThereAndBack),
    /// Kill the broker in the middle of transactions and judge what readers of committed data saw.
    Transactions(transactions::Transactions),
}

/// The broker under examination: Headwater on a directory of its own unless another is named.
#[derive(clap::Args)]
struct Against {
    /// A broker that already runs.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Apache Kafka instead, to see that the examination itself is right.
    #[arg(long, conflicts_with = "bootstrap")]
    apache_kafka: bool,
}

fn main() -> anyhow::Result<()> {
    match What::parse() {
        What::Answers(answers) => answers.run(),
        What::BrokenDisk(broken_disk) => broken_disk.run(),
        What::Clients(clients) => clients.run("clients"),
        What::OldClients(clients) => clients.run(clients::OLD),
        What::Compaction(compaction) => compaction.run(),
        What::Connect(connect) => connect.run(),
        What::FullDisk(full_disk) => full_disk.run(),
        What::Messages(messages) => messages.run(),
        What::Kill(kill) => kill.run(),
        What::OldFormats(old_formats) => old_formats.run(),
        What::Schemas(schemas) => schemas.run(),
        What::Streams(streams) => streams.run(),
        What::ThereAndBack(there_and_back) => there_and_back.run(),
        What::Transactions(transactions) => transactions.run(),
    }
}
