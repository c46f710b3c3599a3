//! Histories as text, one operation a line of JSON, so that one that failed can be kept and judged again.

use serde_json::{Value as Json, json};

use super::operation::{Action, Key, Operation, Outcome, Process, Value};

/// A history as lines.
pub fn write_lines(operations: &[Operation]) -> String {
    let mut text = String::new();
    for operation in operations {
        let kind = match operation.outcome {
            Outcome::Ok => "ok",
            Outcome::Fail => "fail",
            Outcome::Info => "info",
        };
        let actions: Vec<Json> = operation.actions.iter().map(write_action).collect();
        let line = json!({
            "p": operation.process.0, "t": operation.began, "e": operation.ended, "type": kind, "value": actions,
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    text
}

fn write_action(action: &Action) -> Json {
    match action {
        Action::Send { key, value, offset } => json!(["send", key.0, value.0, offset]),
        Action::Read { key, value, offset } => json!(["read", key.0, value.0, offset]),
        Action::Seek { key } => json!(["seek", key.0]),
        Action::Delete { key, before } => json!(["delete", key.0, before]),
        Action::Drop { key } => json!(["drop", key.0]),
    }
}

/// A history from its lines.
///
/// # Errors
/// The line that is none, and why.
pub fn read_lines(text: &str) -> Result<Vec<Operation>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let json: Json =
                serde_json::from_str(line).map_err(|error| format!("line {}: {error}", index + 1))?;
            read_operation(&json).ok_or_else(|| format!("line {} is no operation: {line}", index + 1))
        })
        .collect()
}

fn read_operation(json: &Json) -> Option<Operation> {
    let outcome = match json["type"].as_str()? {
        "ok" => Outcome::Ok,
        "fail" => Outcome::Fail,
        "info" => Outcome::Info,
        _ => return None,
    };
    Some(Operation {
        process: Process(u32::try_from(json["p"].as_u64()?).ok()?),
        began: json["t"].as_u64()?,
        ended: json["e"].as_u64()?,
        outcome,
        actions: json["value"].as_array()?.iter().map(read_action).collect::<Option<_>>()?,
    })
}

fn read_action(json: &Json) -> Option<Action> {
    let key = Key(u32::try_from(json[1].as_u64()?).ok()?);
    Some(match json[0].as_str()? {
        "send" => Action::Send { key, value: Value(json[2].as_u64()?), offset: json[3].as_i64() },
        "read" => Action::Read { key, value: Value(json[2].as_u64()?), offset: json[3].as_i64()? },
        "seek" => Action::Seek { key },
        "delete" => Action::Delete { key, before: json[2].as_i64()? },
        "drop" => Action::Drop { key },
        _ => return None,
    })
}
