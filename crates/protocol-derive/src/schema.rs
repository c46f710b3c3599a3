//! The schema of a declaration, as data.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::declaration::{Declaration, Member, Top, Versions};

impl ToTokens for Versions {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { first, last } = *self;
        tokens.extend(match self {
            _ if *self == Self::ALL => quote!(::protocol::messages::schema::Versions::ALL),
            _ if *self == Self::NONE => quote!(::protocol::messages::schema::Versions::NONE),
            _ => quote!(::protocol::messages::schema::Versions::new(#first, #last)),
        });
    }
}

/// Writes the `Message` of a message. A struct needs nothing beside its type, which the codec has.
pub fn expand(declaration: &Declaration<'_>) -> TokenStream {
    let Some(top) = &declaration.top else { return TokenStream::new() };
    let ident = &declaration.input.ident;
    let (_, generics, _) = declaration.input.generics.split_for_impl();
    let name = &declaration.name;
    let Top { kind, api_key, versions, current, unstable, flexible, listeners } = top;
    let api_key = option(api_key.as_ref());
    quote! {
        impl<'a> ::protocol::messages::Message<'a> for #ident #generics {
            const SCHEMA: &'static ::protocol::messages::schema::Schema =
                &::protocol::messages::schema::Schema {
                    name: #name,
                    kind: ::protocol::messages::schema::Kind::#kind,
                    api_key: #api_key,
                    versions: #versions,
                    current: #current,
                    unstable: #unstable,
                    flexible: #flexible,
                    listeners: &[#(::protocol::messages::schema::Listener::#listeners),*],
                    fields: <Self as ::protocol::wire::Value<'a>>::TYPE.fields(),
                };
        }
    }
}

/// The schemas of fields.
pub fn fields(members: &[Member]) -> TokenStream {
    let fields = members.iter().map(|member| {
        let Member { name, versions, nullable, tagged, ignorable, inflexible, .. } = member;
        let value = crate::codec::value_type(member);
        let ty = if member.records {
            quote!(::protocol::messages::schema::Type::Records)
        } else {
            quote!(<#value as ::protocol::wire::Value<'a>>::TYPE)
        };
        let tag = option(member.tag.as_ref());
        let default = member.default.as_ref().map(|default| default.to_token_stream().to_string());
        let default = option(default.as_ref());
        quote! {
            ::protocol::messages::schema::FieldSchema {
                name: #name,
                ty: #ty,
                versions: #versions,
                nullable: #nullable,
                tag: #tag,
                tagged: #tagged,
                default: #default,
                ignorable: #ignorable,
                inflexible: #inflexible,
            }
        }
    });
    quote!(&[#(#fields),*])
}

fn option<T: ToTokens>(value: Option<&T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
