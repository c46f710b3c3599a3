//! The declarations of `protocol`, from the schemas that its derives write.

use protocol::messages::catalogue;
use protocol::messages::schema::{FieldSchema, Kind, Schema, Type};

use super::facts::{Field, Message};

/// Every declared message.
pub fn messages() -> Vec<Message> {
    catalogue::all().map(|entry| message(entry.schema)).collect()
}

fn message(schema: &Schema) -> Message {
    let kind = match schema.kind {
        Kind::Request => "request",
        Kind::Response => "response",
        Kind::Header => "header",
        Kind::Metadata => "metadata",
        Kind::CoordinatorKey => "coordinator-key",
        Kind::CoordinatorValue => "coordinator-value",
        Kind::Data => "data",
    };
    Message {
        name: schema.name.into(),
        kind: kind.into(),
        api_key: schema.api_key.map(i64::from),
        versions: schema.versions,
        current: schema.current,
        unstable: !schema.unstable.is_empty(),
        flexible: schema.flexible,
        listeners: schema.listeners.iter().map(|listener| format!("{listener:?}").to_lowercase()).collect(),
        fields: schema.fields.iter().map(field).collect(),
    }
}

fn field(schema: &FieldSchema) -> Field {
    let default = schema.default.unwrap_or_default().replace(' ', "");
    let (ty, fields) = spell(schema.ty);
    Field {
        name: schema.name.into(),
        ty,
        versions: schema.versions,
        nullable: schema.nullable,
        tag: schema.tag.map(i64::from),
        tagged: schema.tagged,
        default: super::kafka::canonical_default(&default),
        ignorable: schema.ignorable,
        inflexible: schema.inflexible,
        fields: fields.iter().map(field).collect(),
    }
}

/// A type as the schema files spell it, and its fields.
fn spell(ty: Type) -> (String, &'static [FieldSchema]) {
    let name = match ty {
        Type::Bool => "bool",
        Type::Int8 => "int8",
        Type::Int16 => "int16",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::Uint16 => "uint16",
        Type::Uint32 => "uint32",
        Type::Float64 => "float64",
        Type::Uuid => "uuid",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Records => "records",
        Type::Struct(structure) => return (structure.name.into(), structure.fields),
        Type::Array(element) => {
            let (name, fields) = spell(*element);
            return (format!("[]{name}"), fields);
        }
    };
    (name.into(), &[])
}
