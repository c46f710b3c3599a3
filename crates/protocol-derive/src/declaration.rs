//! A declaration as its attributes say it.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitInt, LitStr, Result, Type};

/// A range of versions, both ends in it; `i16::MAX` is an open end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub const NONE: Self = Self { first: 0, last: -1 };
    pub const ALL: Self = Self { first: 0, last: i16::MAX };

    pub fn is_empty(self) -> bool {
        self.first > self.last
    }

    fn contains_all(self, other: Self) -> bool {
        other.is_empty() || (self.first <= other.first && other.last <= self.last)
    }

    fn parse(literal: &LitStr) -> Result<Self> {
        let text = literal.value();
        let number = |text: &str| {
            let refusal = "versions are \"3+\", \"3-5\", \"3\" or \"none\"";
            text.parse::<i16>().ok().filter(|n| *n >= 0).ok_or_else(|| Error::new(literal.span(), refusal))
        };
        if text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Ok(Self { first: number(first)?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let versions = Self { first: number(first)?, last: number(last)? };
        if versions.is_empty() {
            return Err(Error::new(literal.span(), "the last version is before the first"));
        }
        Ok(versions)
    }
}

/// The attributes of a message.
pub struct Top {
    /// The variant of `Kind`.
    pub kind: Ident,
    pub api_key: Option<i16>,
    pub versions: Versions,
    pub current: Versions,
    pub unstable: Versions,
    pub flexible: Versions,
    /// Variants of `Listener`.
    pub listeners: Vec<Ident>,
}

/// One field with its attributes.
pub struct Member {
    pub ident: Ident,
    pub ty: Type,
    pub name: String,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub tagged: Versions,
    pub default: Option<Expr>,
    pub ignorable: bool,
    pub records: bool,
    pub inflexible: bool,
}

impl Member {
    pub fn is_option(&self) -> bool {
        !self.nullable.is_empty()
    }

    pub fn default_is_null(&self) -> bool {
        matches!(&self.default, Some(Expr::Path(path)) if path.path.is_ident("null"))
    }

    fn parse(field: &Field) -> Result<Self> {
        let ident = field.ident.clone().ok_or_else(|| Error::new_spanned(field, "fields have names here"))?;
        let mut member = Self {
            name: camel_case(&ident.to_string()),
            ident,
            ty: field.ty.clone(),
            versions: Versions::ALL,
            nullable: Versions::NONE,
            tag: None,
            tagged: Versions::NONE,
            default: None,
            ignorable: false,
            records: false,
            inflexible: false,
        };
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("kafka")) {
            attribute.parse_nested_meta(|meta| member.attribute(&meta))?;
        }
        member.check().map_err(|message| Error::new(member.ident.span(), message))?;
        Ok(member)
    }

    fn attribute(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(key) = meta.path.get_ident() else { return Err(meta.error("no such attribute")) };
        match key.to_string().as_str() {
            "name" => self.name = meta.value()?.parse::<LitStr>()?.value(),
            "versions" => self.versions = versions(meta)?,
            "nullable" => self.nullable = versions(meta)?,
            "tag" => self.tag = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?),
            "tagged" => self.tagged = versions(meta)?,
            "default" => self.default = Some(meta.value()?.parse()?),
            "ignorable" => self.ignorable = true,
            "records" => self.records = true,
            "inflexible" => self.inflexible = true,
            _ => return Err(meta.error("no such attribute of a field")),
        }
        Ok(())
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        if self.tag.is_some() == self.tagged.is_empty() {
            return Err("a tag and its versions go together");
        }
        if !self.versions.contains_all(self.tagged) {
            return Err("tagged versions must be versions of the field");
        }
        if self.default_is_null() && !self.is_option() {
            return Err("null is the default of nullable fields only");
        }
        if self.inflexible && (!self.is_option() || self.tag.is_some()) {
            return Err("inflexible is known for nullable fields without a tag only");
        }
        Ok(())
    }
}

/// A message or a struct within one.
pub struct Declaration<'i> {
    pub input: &'i DeriveInput,
    /// The attributes of a message; `None` for a struct.
    pub top: Option<Top>,
    /// Kafka's name.
    pub name: String,
    pub members: Vec<Member>,
}

impl<'i> Declaration<'i> {
    pub fn parse(input: &'i DeriveInput, message: bool) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(input, "messages are structs"));
        };
        let members = match &data.fields {
            Fields::Named(fields) => fields.named.iter().map(Member::parse).collect::<Result<_>>()?,
            Fields::Unit => Vec::new(),
            Fields::Unnamed(_) => return Err(Error::new_spanned(input, "fields have names here")),
        };
        let mut name = input.ident.to_string();
        let mut top = message.then(|| Top {
            kind: Ident::new("Data", Span::call_site()),
            api_key: None,
            versions: Versions::NONE,
            current: Versions::ALL,
            unstable: Versions::NONE,
            flexible: Versions::NONE,
            listeners: Vec::new(),
        });
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("kafka")) {
            attribute.parse_nested_meta(|meta| match &mut top {
                _ if meta.path.is_ident("name") => {
                    name = meta.value()?.parse::<LitStr>()?.value();
                    Ok(())
                }
                Some(top) => top.attribute(&meta),
                None => Err(meta.error("no such attribute of a struct")),
            })?;
        }
        if let Some(top) = &mut top {
            top.finish(input)?;
        }
        Ok(Self { input, top, name, members })
    }
}

impl Top {
    fn attribute(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(key) = meta.path.get_ident() else { return Err(meta.error("no such attribute")) };
        match key.to_string().as_str() {
            "versions" => self.versions = versions(meta)?,
            "current" => self.current = versions(meta)?,
            "unstable" => self.unstable = versions(meta)?,
            "flexible" => self.flexible = versions(meta)?,
            "listeners" => meta.parse_nested_meta(|listener| {
                let name = listener.path.require_ident()?;
                self.listeners.push(Ident::new(&camel_case(&name.to_string()), name.span()));
                Ok(())
            })?,
            kind @ ("request" | "response" | "metadata" | "coordinator_key" | "coordinator_value") => {
                self.kind = Ident::new(&camel_case(kind), key.span());
                self.api_key = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
            }
            kind @ ("header" | "data") => self.kind = Ident::new(&camel_case(kind), key.span()),
            _ => return Err(meta.error("no such attribute of a message")),
        }
        Ok(())
    }

    fn finish(&mut self, input: &DeriveInput) -> Result<()> {
        let versions = self.versions;
        if versions.is_empty() || versions.last == i16::MAX {
            return Err(Error::new_spanned(&input.ident, "a message has a first and a last version"));
        }
        if self.current == Versions::ALL {
            self.current = versions;
        }
        if !versions.contains_all(self.current) {
            return Err(Error::new_spanned(&input.ident, "current versions must be versions of the message"));
        }
        Ok(())
    }
}

fn versions(meta: &ParseNestedMeta<'_>) -> Result<Versions> {
    Versions::parse(&meta.value()?.parse()?)
}

/// `topic_name` as Kafka spells it: `TopicName`.
fn camel_case(name: &str) -> String {
    let mut camel = String::new();
    for word in name.trim_start_matches("r#").split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
