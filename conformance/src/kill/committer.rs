//! Who commits rising offsets to a group: a static member of it, or one that no group knows. After every start of the broker
//! the group must be at an offset that was not sent back: at least the last that was acknowledged, at most the last that was
//! sent; and the member must still be the one it was, of the same generation and with the same part.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use conformance::by_schema::hex;
use conformance::connection::{Answer, Connection, Gone};
use conformance::patience::{self, asks_again, error_codes};
use protocol::api_key::ApiKey;
use serde_json::{Value, json};

use crate::players::Progress;

/// Between two commits.
const PACE: Duration = Duration::from_millis(2);
/// It must not be what a kill waits for: each of its commits counts as so many.
const COUNTS: usize = 8;
/// Nobody is to be thought dead because the broker was.
const SESSION_MS: i32 = 600_000;
const INSTANCE: &str = "static";
const PART: &[u8] = b"the part of the only member";

/// A member as its coordinator knows it.
struct Member {
    id: String,
    generation: i64,
}

struct Committer<'c> {
    address: SocketAddr,
    progress: &'c Progress,
    group: &'c str,
    topic: &'c str,
    member: Option<Member>,
    acknowledged: i64,
    sent: i64,
    starts: u32,
}

/// Commits until it is over, as a member of the group or as none.
pub fn run(
    address: SocketAddr,
    progress: &Progress,
    (number, group, topic): (usize, &str, &str),
    is_member: bool,
) -> Result<()> {
    let find = json!({"KeyType": 0, "CoordinatorKeys": [group]});
    patience::insist(address, ApiKey::FindCoordinator, 4, &find)?;
    let member = if is_member { Some(join(address, group)?) } else { None };
    let mut committer =
        Committer { address, progress, group, topic, member, acknowledged: -1, sent: -1, starts: 0 };
    while !progress.is_over() {
        committer.look().with_context(|| format!("after {} starts", committer.starts))?;
        committer.starts += 1;
        // A broker that went before it was asked leaves nothing to be judged.
        let Ok(mut connection) = Connection::open(address) else { continue };
        while let Some(taken) = committer.commit(&mut connection)?
            && !progress.is_over()
        {
            progress.add(number, if taken { COUNTS } else { 0 });
            std::thread::sleep(PACE);
        }
    }
    let Committer { acknowledged, starts, .. } = committer;
    println!("     {group} is at offset {acknowledged}, which was looked at after {starts} starts");
    Ok(())
}

fn join(address: SocketAddr, group: &str) -> Result<Member> {
    let join = json!({"GroupId": group, "SessionTimeoutMs": SESSION_MS, "RebalanceTimeoutMs": SESSION_MS,
        "MemberId": "", "GroupInstanceId": INSTANCE, "ProtocolType": "consumer",
        "Protocols": [{"Name": "range", "Metadata": hex(b"of no interest")}]});
    let joined = patience::insist(address, ApiKey::JoinGroup, 7, &join)?;
    let id = joined["MemberId"].as_str().context("a member id")?.to_owned();
    let generation = joined["GenerationId"].as_i64().context("a generation")?;
    let member = Member { id, generation };
    let part = json!([{"MemberId": member.id, "Assignment": hex(PART)}]);
    let synced = patience::insist(address, ApiKey::SyncGroup, 5, &sync(group, &member, &part))?;
    ensure!(synced["Assignment"] == hex(PART), "the part of the member of {group} is {synced}");
    Ok(member)
}

/// Asks for the part of a member, which is refused to any other.
fn sync(group: &str, member: &Member, assignments: &Value) -> Value {
    json!({"GroupId": group, "GenerationId": member.generation, "MemberId": member.id,
        "GroupInstanceId": INSTANCE, "ProtocolType": "consumer", "ProtocolName": "range",
        "Assignments": assignments})
}

impl Committer<'_> {
    /// Looks at what a broker knows that has just started.
    fn look(&self) -> Result<()> {
        let wanted = json!({"Name": self.topic, "PartitionIndexes": [0]});
        let request = json!({"Groups": [{"GroupId": self.group, "Topics": [wanted]}]});
        let Some(answer) = self.ask(ApiKey::OffsetFetch, 8, &request)? else { return Ok(()) };
        let partition = &answer["Groups"][0]["Topics"][0]["Partitions"][0];
        let offset = partition["CommittedOffset"].as_i64().context("an offset")?;
        let (acknowledged, sent) = (self.acknowledged, self.sent);
        ensure!(
            (acknowledged..=sent).contains(&offset),
            "{} is at offset {offset}, where {acknowledged} was acknowledged and {sent} sent last",
            self.group
        );
        let Some(member) = &self.member else { return Ok(()) };
        let request = sync(self.group, member, &json!([]));
        let Some(synced) = self.ask(ApiKey::SyncGroup, 5, &request)? else { return Ok(()) };
        ensure!(synced["Assignment"] == hex(PART), "the part of the member of {} is {synced}", self.group);
        Ok(())
    }

    /// Asks until there is an answer without an error, or it is over: who kills may have given up.
    fn ask(&self, api: ApiKey, version: i16, request: &Value) -> Result<Option<Value>> {
        while !self.progress.is_over() {
            let answer = Connection::open(self.address).and_then(|mut open| open.ask(api, version, request));
            match answer {
                Ok(Answer::Response(answer)) => {
                    let codes = error_codes(&answer);
                    if codes.is_empty() {
                        return Ok(Some(answer));
                    }
                    ensure!(codes.into_iter().all(asks_again), "{} is answered with {answer}", api.name());
                }
                Err(error) if !Gone::is(&error) => return Err(error),
                _ => {}
            }
            std::thread::sleep(PACE);
        }
        Ok(None)
    }

    /// Commits the next offset; whether it was taken, or `None` if the broker has gone.
    fn commit(&mut self, connection: &mut Connection) -> Result<Option<bool>> {
        self.sent = self.acknowledged + 1;
        let partition = json!({"PartitionIndex": 0, "CommittedOffset": self.sent,
            "CommittedMetadata": "of the committer"});
        let mut request = json!({"GroupId": self.group, "GenerationIdOrMemberEpoch": -1, "MemberId": "",
            "GroupInstanceId": null, "Topics": [{"Name": self.topic, "Partitions": [partition]}]});
        if let Some(member) = &self.member {
            request["GenerationIdOrMemberEpoch"] = member.generation.into();
            request["MemberId"] = member.id.as_str().into();
            request["GroupInstanceId"] = INSTANCE.into();
        }
        let answer = match connection.ask(ApiKey::OffsetCommit, 8, &request) {
            Ok(Answer::Response(answer)) => answer,
            Err(error) if !Gone::is(&error) => return Err(error),
            _ => return Ok(None),
        };
        let codes = error_codes(&answer);
        if codes.is_empty() {
            self.acknowledged = self.sent;
            return Ok(Some(true));
        }
        ensure!(codes.into_iter().all(asks_again), "offset {} is refused: {answer}", self.sent);
        Ok(Some(false))
    }
}
