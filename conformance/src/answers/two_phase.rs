//! InitProducerId 6: transactions that a coordinator of the clients' own decides about (KIP-939). Kafka has the version behind
//! `unstable.api.versions.enable`, and what is new in it behind `transaction.two.phase.commit.enable`.

use protocol::api_key::ApiKey::{AddPartitionsToTxn, DescribeTransactions, InitProducerId};
use protocol::error_code::ErrorCode::{
    ConcurrentTransactions, InvalidTransactionTimeout, TransactionalIdAuthorizationFailed, UnsupportedVersion,
};
use serde_json::{Value, json};

use super::case::{Case, Settings, case};
use super::scene::Scene;
use super::transactions::{add, describe, init, with};

const UNSTABLE: Settings = &[("unstable.api.versions.enable", "true")];
const TWO_PHASE: Settings =
    &[("unstable.api.versions.enable", "true"), ("transaction.two.phase.commit.enable", "true")];

/// The table.
pub fn cases() -> Vec<Case> {
    let asked = |what, settings| case(InitProducerId, what).versions(6, 6).topic(1).restart_with(settings);
    let open = |what| {
        let case = asked(what, TWO_PHASE).transactional();
        case.asked(AddPartitionsToTxn, 3, |s| add(s, &[0]))
    };
    let begun = |more: Value| move |s: &Scene| with(init(s), &more);
    let prepares = |case: Case| case.then(DescribeTransactions, 0, describe);
    vec![
        prepares(asked("one phase, in the version of two", UNSTABLE)).ask(begun(json!({}))),
        asked("two phases where they are not enabled", UNSTABLE)
            .errors(&[TransactionalIdAuthorizationFailed])
            .ask(begun(json!({"Enable2Pc": true}))),
        asked("to keep what is prepared where that is not enabled", UNSTABLE)
            .errors(&[UnsupportedVersion])
            .ask(begun(json!({"KeepPreparedTxn": true}))),
        prepares(asked("two phases", TWO_PHASE)).ask(begun(json!({"Enable2Pc": true}))),
        prepares(asked("two phases, in no time", TWO_PHASE))
            .ask(begun(json!({"Enable2Pc": true, "TransactionTimeoutMs": 0}))),
        prepares(asked("two phases, in more time than there is", TWO_PHASE))
            .ask(begun(json!({"Enable2Pc": true, "TransactionTimeoutMs": i32::MAX}))),
        asked("one phase, in more time than there is, where two are enabled", TWO_PHASE)
            .errors(&[InvalidTransactionTimeout])
            .ask(begun(json!({"TransactionTimeoutMs": i32::MAX}))),
        asked("to keep what is prepared", TWO_PHASE)
            .errors(&[UnsupportedVersion])
            .ask(begun(json!({"Enable2Pc": true, "KeepPreparedTxn": true}))),
        prepares(open("two phases, with a transaction open"))
            .errors(&[ConcurrentTransactions])
            .ask(begun(json!({"Enable2Pc": true}))),
        asked("two phases of a producer without a transactional id", TWO_PHASE)
            .ask(begun(json!({"Enable2Pc": true, "TransactionalId": null}))),
    ]
}
