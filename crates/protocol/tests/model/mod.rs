//! Messages as trees of plain values, made from entropy and written by the schema alone: a second opinion on what
//! the derives write.

use protocol::messages::schema::{FieldSchema, Type};

/// A source of choices: the bytes it was given, then zeros, so that less of it makes a simpler message.
pub struct Entropy<'e>(&'e [u8]);

impl<'e> Entropy<'e> {
    pub fn new(bytes: &'e [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    fn number(&mut self) -> i64 {
        match self.below(4) {
            0 => 0,
            1 => i64::from(self.byte() as i8),
            _ => i64::from_be_bytes(std::array::from_fn(|_| self.byte())),
        }
    }
}

/// A value of a message.
pub enum Model {
    Null,
    /// Of any type of fixed length, in its bytes.
    Fixed(Vec<u8>),
    String(String),
    Bytes(Vec<u8>),
    Array(Vec<Model>),
    /// The fields that the version has, with their places in the schema.
    Struct(Vec<(usize, Model)>),
}

/// Makes the fields of a message or struct in a version.
pub fn fields(schema: &'static [FieldSchema], version: i16, entropy: &mut Entropy<'_>) -> Model {
    let present = schema.iter().enumerate().filter(|(_, field)| field.versions.contains(version));
    Model::Struct(present.map(|(place, field)| (place, self::field(field, version, entropy))).collect())
}

fn field(schema: &FieldSchema, version: i16, entropy: &mut Entropy<'_>) -> Model {
    if schema.nullable.contains(version) && entropy.below(4) == 0 {
        return Model::Null;
    }
    value(schema.ty, version, entropy)
}

fn value(ty: Type, version: i16, entropy: &mut Entropy<'_>) -> Model {
    match ty {
        Type::Bool => Model::Fixed(vec![entropy.below(2)]),
        Type::Int8 => Model::Fixed((entropy.number() as i8).to_be_bytes().into()),
        Type::Int16 | Type::Uint16 => Model::Fixed((entropy.number() as i16).to_be_bytes().into()),
        Type::Int32 | Type::Uint32 => Model::Fixed((entropy.number() as i32).to_be_bytes().into()),
        Type::Int64 => Model::Fixed(entropy.number().to_be_bytes().into()),
        // A number, since what is not one is not equal to itself.
        Type::Float64 => Model::Fixed((entropy.number() as f64).to_be_bytes().into()),
        Type::Uuid => Model::Fixed((0..16).map(|_| entropy.byte()).collect()),
        Type::String => {
            let letters = ['a', '.', '\0', 'é', '水', '🌊'];
            let length = entropy.below(9);
            Model::String((0..length).map(|_| letters[usize::from(entropy.below(6))]).collect())
        }
        Type::Bytes | Type::Records => {
            let length = entropy.below(20);
            Model::Bytes((0..length).map(|_| entropy.byte()).collect())
        }
        Type::Array(element) => {
            let count = entropy.below(4);
            Model::Array((0..count).map(|_| value(*element, version, entropy)).collect())
        }
        Type::Struct(structure) => fields(structure.fields, version, entropy),
    }
}

/// Writes what [`fields`] made.
pub fn write(schema: &'static [FieldSchema], model: &Model, version: i16, flexible: bool, out: &mut Vec<u8>) {
    let Model::Struct(fields) = model else { panic!("fields are a struct") };
    let mut tags = Vec::new();
    for (place, model) in fields {
        let field = &schema[*place];
        match field.tag.filter(|_| field.tagged.contains(version)) {
            None => write_field(field, model, version, flexible && !field.inflexible, out, [0xff, 1]),
            Some(_) if is_default(field, model) => {}
            Some(tag) => {
                let mut bytes = Vec::new();
                write_field(field, model, version, flexible, &mut bytes, [0, 1]);
                tags.push((tag, bytes));
            }
        }
    }
    if flexible {
        tags.sort();
        varint(tags.len(), out);
        for (tag, bytes) in tags {
            varint(tag as usize, out);
            varint(bytes.len(), out);
            out.extend(bytes);
        }
    }
}

/// `marks` are what stands before a struct that may be null: if it is null, and if it is not.
fn write_field(
    field: &FieldSchema,
    model: &Model,
    version: i16,
    flexible: bool,
    out: &mut Vec<u8>,
    marks: [u8; 2],
) {
    if matches!(field.ty, Type::Struct(_)) && field.nullable.contains(version) {
        let is_null = matches!(model, Model::Null);
        out.push(marks[usize::from(!is_null)]);
        if is_null {
            return;
        }
    }
    write_value(field.ty, model, version, flexible, out);
}

fn write_value(ty: Type, model: &Model, version: i16, flexible: bool, out: &mut Vec<u8>) {
    match (ty, model) {
        (_, Model::Null) if flexible => out.push(0),
        (Type::String, Model::Null) => out.extend([0xff; 2]),
        (_, Model::Null) => out.extend([0xff; 4]),
        (_, Model::Fixed(bytes)) => out.extend(bytes),
        (_, Model::String(text)) if flexible => {
            varint(text.len() + 1, out);
            out.extend(text.bytes());
        }
        (_, Model::String(text)) => {
            out.extend((text.len() as u16).to_be_bytes());
            out.extend(text.bytes());
        }
        (_, Model::Bytes(bytes)) => {
            length(bytes.len(), flexible, out);
            out.extend(bytes);
        }
        (Type::Array(element), Model::Array(elements)) => {
            length(elements.len(), flexible, out);
            for model in elements {
                write_value(*element, model, version, flexible, out);
            }
        }
        (Type::Struct(structure), model) => write(structure.fields, model, version, flexible, out),
        (_, Model::Array(_) | Model::Struct(_)) => panic!("the model was made of another type"),
    }
}

fn length(length: usize, flexible: bool, out: &mut Vec<u8>) {
    if flexible {
        varint(length + 1, out);
    } else {
        out.extend((length as u32).to_be_bytes());
    }
}

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number % 0x80) as u8 | 0x80);
        number /= 0x80;
    }
    out.push(number as u8);
}

fn is_default(field: &FieldSchema, model: &Model) -> bool {
    let default = field.default.unwrap_or_default().replace(' ', "");
    match model {
        Model::Null => default == "null",
        _ if default == "null" => false,
        Model::String(text) => text.is_empty(),
        Model::Bytes(bytes) => bytes.is_empty(),
        Model::Array(elements) => elements.is_empty(),
        Model::Fixed(bytes) => {
            let number = match default.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16).expect("a default is a number"),
                None if default.is_empty() => 0,
                None => default.parse().unwrap_or_else(|_| i64::from(default == "true")),
            };
            let wide =
                [if number < 0 { [0xff; 16] } else { [0; 16] }.as_slice(), &number.to_be_bytes()].concat();
            wide.ends_with(bytes)
        }
        Model::Struct(fields) => {
            let Type::Struct(structure) = field.ty else { panic!("the model was made of another type") };
            fields.iter().all(|(place, model)| is_default(&structure.fields[*place], model))
        }
    }
}
