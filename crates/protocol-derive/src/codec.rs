//! The codec of a declaration: reading, writing, defaults.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{GenericArgument, PathArguments, Type};

use crate::declaration::{Declaration, Member, Versions};
use crate::schema;

/// Writes `Default` and `Value`.
pub fn expand(declaration: &Declaration<'_>) -> TokenStream {
    let ident = &declaration.input.ident;
    let (impl_generics, generics, _) = declaration.input.generics.split_for_impl();
    let borrows = !declaration.input.generics.params.is_empty();
    let owned = if borrows { quote!(#ident<'static>) } else { quote!(Self) };
    let idents = declaration.members.iter().map(|member| &member.ident);
    let defaults = declaration.members.iter().map(default);
    let into_owned = declaration.members.iter().map(into_owned);
    let name = &declaration.name;
    let fields = schema::fields(&declaration.members);
    let (read, write) = (read(declaration), write(declaration));
    quote! {
        impl #impl_generics ::core::default::Default for #ident #generics {
            fn default() -> Self {
                Self { #(#idents: #defaults),* }
            }
        }

        impl<'a> ::protocol::wire::Value<'a> for #ident #generics {
            type Static = #owned;

            const TYPE: ::protocol::messages::schema::Type = ::protocol::messages::schema::Type::Struct(
                &::protocol::messages::schema::StructSchema { name: #name, fields: #fields },
            );

            #read

            #write

            fn is_default(&self) -> bool {
                *self == Self::default()
            }

            #[inline]
            fn into_owned(self) -> Self::Static {
                #ident { #(#into_owned),* }
            }
        }
    }
}

/// The type of a field without the `Option` of a nullable one.
pub fn value_type(member: &Member) -> &Type {
    if member.is_option()
        && let Type::Path(path) = &member.ty
        && let Some(segment) = path.path.segments.last()
        && let PathArguments::AngleBracketed(arguments) = &segment.arguments
        && let Some(GenericArgument::Type(value)) = arguments.args.first()
    {
        return value;
    }
    &member.ty
}

fn default(member: &Member) -> TokenStream {
    let value = match &member.default {
        _ if member.default_is_null() => return quote!(::core::option::Option::None),
        Some(literal) => quote!(#literal),
        None => quote!(::core::default::Default::default()),
    };
    if member.is_option() { quote!(::core::option::Option::Some(#value)) } else { value }
}

fn into_owned(member: &Member) -> TokenStream {
    let ident = &member.ident;
    if member.is_option() {
        quote!(#ident: self.#ident.map(::protocol::wire::Value::into_owned))
    } else {
        quote!(#ident: ::protocol::wire::Value::into_owned(self.#ident))
    }
}

/// The condition that `v` is one of `versions`.
fn is_in(versions: Versions) -> TokenStream {
    let Versions { first, last } = versions;
    match (first, last) {
        _ if versions.is_empty() => quote!(false),
        (0, i16::MAX) => quote!(true),
        (_, i16::MAX) => quote!(v >= #first),
        (0, _) => quote!(v <= #last),
        _ if first == last => quote!(v == #first),
        _ => quote!((#first..=#last).contains(&v)),
    }
}

/// The condition that the field stands at its place; `None` if it never does.
fn placed(member: &Member) -> Option<TokenStream> {
    if member.tagged.is_empty() {
        return Some(is_in(member.versions));
    }
    if member.tagged == member.versions {
        return None;
    }
    let (versions, tagged) = (is_in(member.versions), is_in(member.tagged));
    Some(quote!(#versions && !(#tagged)))
}

/// Where a field stands: at its place, or among the tagged fields.
#[derive(Clone, Copy, PartialEq)]
enum Stand {
    Place,
    Tag,
}

fn read_one(member: &Member, stand: Stand) -> TokenStream {
    let name = &member.name;
    let nullable = is_in(member.nullable);
    match stand {
        _ if !member.is_option() => quote!(reader.get(#name)?),
        Stand::Tag => quote!(reader.get_tagged_nullable(#name, #nullable)?),
        Stand::Place if member.inflexible => quote!(reader.get_inflexible(#name, #nullable)?),
        Stand::Place => quote!(reader.get_nullable(#name, #nullable)?),
    }
}

fn read(declaration: &Declaration<'_>) -> TokenStream {
    let members = declaration.members.iter().map(|member| {
        let (ident, default, read) = (&member.ident, default(member), read_one(member, Stand::Place));
        match placed(member) {
            None => quote!(#ident: #default),
            Some(condition) if condition.to_string() == "true" => quote!(#ident: #read),
            Some(condition) => quote!(#ident: if #condition { #read } else { #default }),
        }
    });
    let arms = declaration.members.iter().filter_map(|member| {
        let (ident, tag, read) = (&member.ident, member.tag?, read_one(member, Stand::Tag));
        let condition = is_in(member.tagged);
        Some(quote!(#tag if #condition => this.#ident = #read,))
    });
    let arms: Vec<_> = arms.collect();
    let (this, tags) = if arms.is_empty() {
        (quote!(let this), quote!(reader.no_tags()?;))
    } else {
        let tags = quote! {
            reader.tags(|tag, reader| {
                match tag {
                    #(#arms)*
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        };
        (quote!(let mut this), tags)
    };
    quote! {
        #[allow(unused_variables, clippy::absurd_extreme_comparisons)]
        fn read(reader: &mut ::protocol::wire::Reader<'a>) -> Result<Self, ::protocol::wire::Malformed> {
            let v = reader.version();
            #this = Self { #(#members),* };
            #tags
            Ok(this)
        }
    }
}

fn write_one(member: &Member, stand: Stand) -> TokenStream {
    let (ident, name) = (&member.ident, &member.name);
    let nullable = is_in(member.nullable);
    match stand {
        _ if !member.is_option() => quote!(writer.put(#name, &self.#ident)?),
        Stand::Tag => quote!(writer.put_tagged_nullable(#name, #nullable, &self.#ident)?),
        Stand::Place if member.inflexible => quote!(writer.put_inflexible(#name, #nullable, &self.#ident)?),
        Stand::Place => quote!(writer.put_nullable(#name, #nullable, &self.#ident)?),
    }
}

/// The condition that a field has its default.
fn is_default(member: &Member) -> TokenStream {
    let ident = &member.ident;
    match &member.default {
        _ if member.default_is_null() => quote!(self.#ident.is_none()),
        Some(literal) if member.is_option() => quote!(self.#ident == Some(#literal)),
        Some(literal) => quote!(self.#ident == #literal),
        None if member.is_option() => {
            quote!(self.#ident.as_ref().is_some_and(::protocol::wire::Value::is_default))
        }
        None => quote!(::protocol::wire::Value::is_default(&self.#ident)),
    }
}

fn write(declaration: &Declaration<'_>) -> TokenStream {
    let members = declaration.members.iter().map(|member| {
        let name = &member.name;
        let (write, is_default) = (write_one(member, Stand::Place), is_default(member));
        let placed = placed(member).map(|condition| quote!(if #condition { #write; }));
        let absent = (!member.ignorable && member.versions != Versions::ALL).then(|| {
            let condition = is_in(member.versions);
            quote!(if !(#condition) { writer.absent(#name, #is_default)?; })
        });
        quote!(#placed #absent)
    });
    let mut tagged: Vec<_> = declaration.members.iter().filter(|member| member.tag.is_some()).collect();
    tagged.sort_by_key(|member| member.tag);
    let flags: Vec<_> = (0..tagged.len()).map(|index| format_ident!("tag_{index}")).collect();
    let conditions = tagged.iter().map(|member| {
        let (condition, is_default) = (is_in(member.tagged), is_default(member));
        quote!((#condition) && !(#is_default))
    });
    let tags = tagged.iter().zip(&flags).map(|(member, flag)| {
        let (tag, write) = (member.tag, write_one(member, Stand::Tag));
        quote!(if #flag { writer.tag(#tag, |writer| { #write; Ok(()) })?; })
    });
    quote! {
        #[allow(unused_variables, clippy::nonminimal_bool)]
        fn write(
            &self,
            writer: &mut ::protocol::wire::Writer<'_>,
        ) -> Result<(), ::protocol::wire::Unwritable> {
            let v = writer.version();
            #(#members)*
            #(let #flags = #conditions;)*
            writer.tags(0 #(+ u32::from(#flags))*);
            #(#tags)*
            Ok(())
        }
    }
}
