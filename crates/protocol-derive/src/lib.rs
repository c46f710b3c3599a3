//! The derives that turn message declarations into codecs and schemas.
//!
//! `#[derive(Message)]` stands on a message, `#[derive(Struct)]` on a struct within one. Both read the
//! `#[kafka(...)]` attributes and write one read function, one write function, the defaults and the schema; what
//! these do lives in `protocol::wire`, so that the expansion stays small. The crate knows no message.
//!
//! On a message: what it is (`request = 0`, `response = 0`, `metadata = 2`, `coordinator_key = 3`,
//! `coordinator_value = 3`, `header` or `data`), `versions = "0-13"`, `flexible = "9+"`, and where they apply
//! `current = "3-13"` (the versions Kafka 4.4 still knows), `unstable = "6+"` and `listeners(broker, controller)`.
//!
//! On a field: `versions = "3+"` (all, if nothing is said), `nullable = "3+"` (the field is an `Option`),
//! `tag = 0` with `tagged = "3+"`, `default = -1` (or `null`, or another literal), `ignorable`, `records`,
//! `inflexible`, and `name = ".."` where Kafka's name is not the field's own in camel case.

mod codec;
mod declaration;
mod schema;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

use declaration::Declaration;

/// Writes `Value`, `Default` and `Message` for a message.
#[proc_macro_derive(Message, attributes(kafka))]
pub fn message(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), true)
}

/// Writes `Value` and `Default` for a struct within a message.
#[proc_macro_derive(Struct, attributes(kafka))]
pub fn structure(input: TokenStream) -> TokenStream {
    derive(&parse_macro_input!(input as DeriveInput), false)
}

fn derive(input: &DeriveInput, message: bool) -> TokenStream {
    let declaration = match Declaration::parse(input, message) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error().into(),
    };
    let codec = codec::expand(&declaration);
    let schema = schema::expand(&declaration);
    quote! { #codec #schema }.into()
}
