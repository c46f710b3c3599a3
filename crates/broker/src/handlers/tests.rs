use std::net::SocketAddr;

use protocol::ErrorCode;
use protocol::id::{NodeId, Timestamp};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, Message};

use ::metadata::Image;
use storage::{LogDirs, LogDirsConfig, RealDisk};

use super::*;
use crate::Holdings;
use crate::config::{NodeConfig, Texts};
use crate::runtime::quorum::Quorum;

#[test]
fn the_table_rises_and_serves_only_versions_that_are_declared() {
    assert!(TABLE.is_sorted_by(|one, next| (one.api as i16) < next.api as i16));
    for served in TABLE {
        let (request, response) = (served.api.request(), served.api.response());
        for version in served.first..=served.last {
            assert!(request.versions.contains(version), "{} {version}", served.api.name());
            assert!(response.versions.contains(version), "{} {version}", served.api.name());
        }
    }
}

const CLUSTER: &str = "q7BYUm_3RB63eZmaB98g0Q";

/// A broker without partitions, over a directory that goes with it.
fn broker() -> (tempfile::TempDir, Arc<Broker>) {
    let directory = tempfile::tempdir().unwrap();
    let settings = [
        ("node.id", "1"),
        ("process.roles", "broker"),
        ("log.dirs", directory.path().to_str().unwrap()),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let config = NodeConfig::from_texts(Texts::from(settings.map(|(key, value)| (key.into(), value.into()))));
    storage::log_dirs::format(&RealDisk, directory.path(), (CLUSTER, NodeId(1)), Timestamp(1)).unwrap();
    let dirs = LogDirsConfig {
        directories: vec![directory.path().to_owned()],
        node_id: NodeId(1),
        cluster_id: None,
        open_files_max: 10,
        batch_positions_bytes: 0,
        recovery_threads: 1,
        reserve_bytes: 0,
    };
    let log_dirs = LogDirs::open(RealDisk, &dirs, Timestamp(1)).unwrap();
    let reserve = Arc::clone(log_dirs.directories().next().unwrap().reserve());
    let holdings = Arc::new(Holdings::new(config.unwrap(), log_dirs, reserve));
    (directory, Arc::new(Broker::new(holdings, Quorum::fixed(Image::default()))))
}

fn call(dispatch: &Dispatch, frame: &[u8]) -> (Step, Vec<u8>) {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let peer = Arc::new(Peer::new(0, address, "PLAINTEXT".into()));
    let mut out = Outbound::default();
    let step = dispatch.call(&peer, Instant::now(), &mut frame.to_vec(), &mut out);
    (step, std::mem::take(out.bytes()))
}

fn header(api_key: i16, version: i16) -> Vec<u8> {
    [&api_key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 7], &[0, 1, b'x']].concat()
}

#[test]
fn an_api_versions_too_new_is_answered_in_version_0_with_its_range() {
    let (_directory, broker) = broker();
    let (step, answer) = call(&Dispatch::new(broker), &[&header(18, 9)[..], &[0]].concat());
    assert!(matches!(step, Step::Done));
    // As Apache Kafka 4.4.0 answers it: correlation id, error 35, one API: key 18, versions 0 to 5.
    assert_eq!(answer, [0, 0, 0, 16, 0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5]);
}

#[test]
fn unknown_keys_versions_and_bodies_end_the_connection() {
    let (_directory, broker) = broker();
    let dispatch = Dispatch::new(broker);
    let cases: [(Vec<u8>, &str); 7] = [
        (header(999, 0), "api_key"),
        (header(-1, 0), "api_key"),
        (header(4, 0), "api_key"),
        ([&header(10, 99)[..], &[0]].concat(), "version"),
        (header(10, -1), "version"),
        ([&header(18, 3)[..], &[0, 200]].concat(), "body"),
        (vec![0, 18, 0, 0, 0, 0, 0, 7, 0, 9, b'x'], "header"),
    ];
    for (frame, kind) in cases {
        match call(&dispatch, &frame) {
            (Step::Close(close), answer) => {
                assert_eq!(close.kind(), kind, "{frame:?}");
                assert!(answer.is_empty());
            }
            _ => panic!("{frame:?} was served"),
        }
    }
}

#[test]
fn api_versions_lists_the_table_and_checks_whom_it_is_meant_for() {
    let (_directory, broker) = broker();
    let dispatch = Dispatch::new(broker);
    let ask = |request: ApiVersionsRequest<'_>, version| {
        let mut frame = header(18, version);
        if version >= 3 {
            frame.push(0);
        }
        request.encode(version, &mut frame).unwrap();
        let (step, answer) = call(&dispatch, &frame);
        assert!(matches!(step, Step::Done));
        // The response header is version 0 in every version: four bytes after the length.
        let response = ApiVersionsResponse::decode(&answer[8..], version).unwrap();
        (response.error_code, response.api_keys.len())
    };
    let listed = advertised(Listener::Broker, false).count();
    let named = ApiVersionsRequest {
        client_software_name: "a".into(),
        client_software_version: "1.0".into(),
        ..ApiVersionsRequest::default()
    };
    for version in 0..=5 {
        assert_eq!(ask(named.clone(), version), (0, listed), "{version}");
    }
    let unnamed = ApiVersionsRequest::default();
    assert_eq!(ask(unnamed, 3), (ErrorCode::InvalidRequest.into(), 0));
    let meant = |cluster_id: Option<&'static str>, node_id| ApiVersionsRequest {
        cluster_id: cluster_id.map(Into::into),
        node_id,
        ..named.clone()
    };
    let here = Some(CLUSTER);
    assert_eq!(ask(meant(here, 1), 5), (0, listed));
    assert_eq!(ask(meant(here, 2), 5), (ErrorCode::RebootstrapRequired.into(), 0));
    assert_eq!(ask(meant(Some("another"), 1), 5), (ErrorCode::RebootstrapRequired.into(), 0));
    assert_eq!(ask(meant(here, -1), 5), (ErrorCode::InvalidRequest.into(), 0));
    assert_eq!(ask(meant(None, 1), 5), (ErrorCode::InvalidRequest.into(), 0));
}

#[test]
fn a_controllers_port_serves_what_is_for_controllers() {
    let listed: Vec<_> = advertised(Listener::Controller, false).map(|(api, ..)| api).collect();
    assert!(listed.contains(&ApiKey::DescribeQuorum) && listed.contains(&ApiKey::CreateTopics));
    for api in [ApiKey::Produce, ApiKey::Fetch, ApiKey::Metadata, ApiKey::ListOffsets] {
        assert!(!listed.contains(&api), "{}", api.name());
    }
}

#[test]
fn requests_are_counted_by_api() {
    let (_directory, broker) = broker();
    let dispatch = Dispatch::new(broker.clone());
    call(&dispatch, &header(18, 0));
    call(&dispatch, &header(18, 0));
    let counted: Vec<_> =
        broker.metrics.requests.iter().map(|(key, api)| (key, api.total_time.count())).collect();
    assert_eq!(counted, [(18, 2)]);
}
