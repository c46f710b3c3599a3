//! Messages as JSON, written and read by their schema: fields by Kafka's names, bytes in hex, ids in Kafka's base64.
//!
//! A request says only the fields it cares for; the others have Kafka's defaults, and a field that a version lacks
//! is left out of that version. So one table serves every version. It is a codec of its own, apart from the derived
//! ones, which thereby are checked against it on every answer.

use anyhow::{Context, Result, bail, ensure};
use protocol::id::Uuid;
use protocol::messages::schema::{FieldSchema, Schema, Type};
use serde_json::{Map, Value, json};

/// Writes `message` in `version`.
pub fn encode(schema: &Schema, version: i16, message: &Value) -> Result<Vec<u8>> {
    let mut out = Writer { bytes: Vec::new(), version, flexible: schema.flexible.contains(version) };
    out.structure(schema.fields, message).with_context(|| format!("writing {} {version}", schema.name))?;
    Ok(out.bytes)
}

/// Reads a message that takes all of `bytes`.
pub fn decode(schema: &Schema, version: i16, bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader { bytes, version, flexible: schema.flexible.contains(version) };
    let message =
        reader.structure(schema.fields).with_context(|| format!("reading {} {version}", schema.name))?;
    ensure!(reader.bytes.is_empty(), "{} bytes follow {} {version}", reader.bytes.len(), schema.name);
    Ok(message)
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hex.
pub fn unhex(text: &str) -> Result<Vec<u8>> {
    ensure!(text.len().is_multiple_of(2) && text.is_ascii(), "not hex: {text}");
    (0..text.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?)).collect()
}

struct Writer {
    bytes: Vec<u8>,
    version: i16,
    flexible: bool,
}

impl Writer {
    fn structure(&mut self, fields: &[FieldSchema], value: &Value) -> Result<()> {
        let given = value.as_object().with_context(|| format!("a struct is needed, not {value}"))?;
        if let Some(unknown) = given.keys().find(|key| fields.iter().all(|field| field.name != *key)) {
            bail!("there is no field {unknown:?}");
        }
        let mut tagged = Vec::new();
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            let value = given.get(field.name).cloned().map_or_else(|| default(field), Ok)?;
            if self.flexible && field.tagged.contains(self.version) {
                if value != default(field)? {
                    tagged.push((field, value));
                }
                continue;
            }
            self.field(field, &value).with_context(|| field.name.to_owned())?;
        }
        if self.flexible {
            self.tagged(tagged)?;
        }
        Ok(())
    }

    fn tagged(&mut self, mut fields: Vec<(&FieldSchema, Value)>) -> Result<()> {
        fields.sort_by_key(|(field, _)| field.tag);
        self.varint(fields.len());
        for (field, value) in fields {
            let mut inner = Self { bytes: Vec::new(), version: self.version, flexible: true };
            inner.field(field, &value).with_context(|| field.name.to_owned())?;
            self.varint(field.tag.context("a tagged field has a tag")? as usize);
            self.varint(inner.bytes.len());
            self.bytes.extend(inner.bytes);
        }
        Ok(())
    }

    fn field(&mut self, field: &FieldSchema, value: &Value) -> Result<()> {
        let flexible = self.flexible;
        self.flexible &= !field.inflexible;
        let nullable = field.nullable.contains(self.version);
        ensure!(nullable || !value.is_null(), "may not be null");
        self.value(&field.ty, nullable, value)?;
        self.flexible = flexible;
        Ok(())
    }

    fn value(&mut self, ty: &Type, nullable: bool, value: &Value) -> Result<()> {
        let number = || value.as_i64().with_context(|| format!("a number is needed, not {value}"));
        match ty {
            Type::Bool => self.bytes.push(u8::from(value.as_bool().context("a bool is needed")?)),
            Type::Int8 => self.bytes.extend(i8::try_from(number()?)?.to_be_bytes()),
            Type::Int16 => self.bytes.extend(i16::try_from(number()?)?.to_be_bytes()),
            Type::Int32 => self.bytes.extend(i32::try_from(number()?)?.to_be_bytes()),
            Type::Int64 => self.bytes.extend(number()?.to_be_bytes()),
            Type::Uint16 => self.bytes.extend(u16::try_from(number()?)?.to_be_bytes()),
            Type::Uint32 => self.bytes.extend(u32::try_from(number()?)?.to_be_bytes()),
            Type::Float64 => self.bytes.extend(value.as_f64().context("a number is needed")?.to_be_bytes()),
            Type::Uuid => {
                let id =
                    value.as_str().and_then(Uuid::parse).with_context(|| format!("not an id: {value}"))?;
                self.bytes.extend(id.0);
            }
            Type::String => {
                let text = value.as_str();
                self.length(text.map(str::len), 2)?;
                self.bytes.extend(text.unwrap_or_default().as_bytes());
            }
            Type::Bytes | Type::Records => {
                let bytes = value.as_str().map(unhex).transpose()?;
                self.length(bytes.as_ref().map(Vec::len), 4)?;
                self.bytes.extend(bytes.unwrap_or_default());
            }
            Type::Array(element) => {
                let elements = value.as_array();
                self.length(elements.map(Vec::len), 4)?;
                for value in elements.into_iter().flatten() {
                    self.value(element, false, value)?;
                }
            }
            Type::Struct(schema) => {
                if nullable {
                    self.bytes.push(if value.is_null() { 0xff } else { 1 });
                }
                if !value.is_null() {
                    self.structure(schema.fields, value)?;
                }
            }
        }
        Ok(())
    }

    fn length(&mut self, length: Option<usize>, width: usize) -> Result<()> {
        if self.flexible {
            self.varint(length.map_or(0, |length| length + 1));
            return Ok(());
        }
        let length = length.map_or(Ok(-1), i32::try_from)?;
        if width == 2 {
            self.bytes.extend(i16::try_from(length)?.to_be_bytes());
        } else {
            self.bytes.extend(length.to_be_bytes());
        }
        Ok(())
    }

    fn varint(&mut self, mut value: usize) {
        while value > 0x7f {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// What a field is if nothing is said: Kafka's default, or the emptiest value of its type.
fn default(field: &FieldSchema) -> Result<Value> {
    if let Some(text) = field.default {
        let text = text.replace(' ', "");
        return Ok(match text.strip_prefix("0x") {
            Some(digits) => json!(i64::from_str_radix(digits, 16)?),
            None => serde_json::from_str(&text).with_context(|| format!("the default {text}"))?,
        });
    }
    Ok(match field.ty {
        Type::Bool => json!(false),
        Type::Float64 => json!(0.0),
        Type::Uuid => json!(Uuid::ZERO.to_string()),
        Type::String | Type::Bytes | Type::Records => json!(""),
        Type::Array(_) => json!([]),
        Type::Struct(schema) => {
            let fields = schema.fields.iter().map(|field| Ok((field.name.to_owned(), default(field)?)));
            Value::Object(fields.collect::<Result<Map<_, _>>>()?)
        }
        _ => json!(0),
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
}

impl<'a> Reader<'a> {
    fn structure(&mut self, fields: &[FieldSchema]) -> Result<Value> {
        let mut read = Map::new();
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            let value = if self.flexible && field.tagged.contains(self.version) {
                default(field)?
            } else {
                self.field(field).with_context(|| field.name.to_owned())?
            };
            read.insert(field.name.to_owned(), value);
        }
        if self.flexible {
            for _ in 0..self.varint()? {
                let tag = self.varint()?;
                let length = self.varint()?;
                let mut inner = Self { bytes: self.take(length)?, version: self.version, flexible: true };
                let known = |field: &&FieldSchema| {
                    field.tag.map(|tag| tag as usize) == Some(tag) && field.tagged.contains(self.version)
                };
                let (name, value) = match fields.iter().find(known) {
                    Some(field) => (field.name.to_owned(), inner.field(field)?),
                    None => (format!("tag {tag}"), json!(hex(inner.bytes))),
                };
                read.insert(name, value);
            }
        }
        Ok(Value::Object(read))
    }

    fn field(&mut self, field: &FieldSchema) -> Result<Value> {
        let flexible = self.flexible;
        self.flexible &= !field.inflexible;
        let value = self.value(&field.ty, field.nullable.contains(self.version))?;
        self.flexible = flexible;
        Ok(value)
    }

    fn value(&mut self, ty: &Type, nullable: bool) -> Result<Value> {
        Ok(match ty {
            Type::Bool => json!(self.take(1)?[0] != 0),
            Type::Int8 => json!(i8::from_be_bytes(self.array()?)),
            Type::Int16 => json!(i16::from_be_bytes(self.array()?)),
            Type::Int32 => json!(i32::from_be_bytes(self.array()?)),
            Type::Int64 => json!(i64::from_be_bytes(self.array()?)),
            Type::Uint16 => json!(u16::from_be_bytes(self.array()?)),
            Type::Uint32 => json!(u32::from_be_bytes(self.array()?)),
            Type::Float64 => json!(f64::from_be_bytes(self.array()?)),
            Type::Uuid => json!(Uuid(self.array()?).to_string()),
            Type::String => match self.length(2, nullable)? {
                Some(length) => json!(std::str::from_utf8(self.take(length)?)?),
                None => Value::Null,
            },
            Type::Bytes | Type::Records => match self.length(4, nullable)? {
                Some(length) => json!(hex(self.take(length)?)),
                None => Value::Null,
            },
            Type::Array(element) => match self.length(4, nullable)? {
                Some(count) => {
                    (0..count).map(|_| self.value(element, false)).collect::<Result<Vec<_>>>()?.into()
                }
                None => Value::Null,
            },
            Type::Struct(schema) => {
                if nullable && i8::from_be_bytes(self.array()?) < 0 {
                    return Ok(Value::Null);
                }
                self.structure(schema.fields)?
            }
        })
    }

    fn length(&mut self, width: usize, nullable: bool) -> Result<Option<usize>> {
        let length = if self.flexible {
            i64::try_from(self.varint()?)? - 1
        } else if width == 2 {
            i64::from(i16::from_be_bytes(self.array()?))
        } else {
            i64::from(i32::from_be_bytes(self.array()?))
        };
        ensure!(length >= 0 || (nullable && length == -1), "the length {length}");
        Ok(usize::try_from(length).ok())
    }

    fn varint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        bail!("a varint of more than five bytes")
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .with_context(|| format!("{count} bytes wanted, {} left", self.bytes.len()))?;
        self.bytes = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::api_key::ApiKey;

    #[test]
    fn what_is_written_by_schema_is_read_by_the_derived_codec_and_back() {
        let schema = ApiKey::CreateTopics.request();
        let request = json!({"Topics": [{"Name": "events", "NumPartitions": 3, "ReplicationFactor": 1,
            "Configs": [{"Name": "retention.ms", "Value": null}]}], "validateOnly": true});
        for version in schema.versions.iter() {
            let bytes = encode(schema, version, &request).unwrap();
            let read = decode(schema, version, &bytes).unwrap();
            assert_eq!(read["Topics"][0]["Configs"][0]["Value"], Value::Null);
            assert_eq!(read["timeoutMs"], 60000);
            let entry =
                protocol::messages::catalogue::APIS.iter().find(|entry| entry.schema.name == schema.name);
            let mut again = Vec::new();
            (entry.unwrap().recode)(&bytes, version, &mut again).unwrap().unwrap();
            assert_eq!(again, bytes, "version {version}");
        }
    }

    #[test]
    fn every_default_message_reads_the_same_by_schema() {
        for entry in protocol::messages::catalogue::APIS {
            for version in entry.schema.versions.iter() {
                let mut bytes = Vec::new();
                if (entry.encode_default)(version, &mut bytes).is_err() {
                    continue;
                }
                let read = decode(entry.schema, version, &bytes).unwrap();
                assert_eq!(
                    encode(entry.schema, version, &read).unwrap(),
                    bytes,
                    "{} {version}",
                    entry.schema.name
                );
            }
        }
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let refusal = encode(ApiKey::Metadata.request(), 1, &json!({"Topic": []})).unwrap_err();
        assert!(format!("{refusal:#}").contains("no field \"Topic\""));
    }
}
