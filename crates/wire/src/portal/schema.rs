//! Schemas of the types that come from `leasehold-core`, which knows no OpenAPI.

use leasehold_core::access::{MemberState, OrganizationRole, PendingSeats, TokenScope};
use leasehold_core::license::{Channel, Kind, Mode, Scope, Share};
use utoipa::openapi::schema::{Array, ArrayBuilder, KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

fn words(all: impl Iterator<Item = &'static str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(all.collect::<Vec<_>>())).build()
}

pub(super) fn kind_words() -> Object {
    words(Kind::ALL.iter().map(|word| word.word()))
}

pub(super) fn channel_words() -> Object {
    words(Channel::ALL.iter().map(|word| word.word()))
}

pub(super) fn organization_role_words() -> Object {
    words(OrganizationRole::ALL.iter().map(|word| word.word()))
}

pub(super) fn member_role_words() -> Object {
    words(OrganizationRole::ALL.iter().filter(|role| **role != OrganizationRole::Owner).map(|word| word.word()))
}

pub(super) fn member_state_words() -> Object {
    words(MemberState::ALL.iter().map(|word| word.word()))
}

pub(super) fn pending_seats_words() -> Object {
    words(PendingSeats::ALL.iter().map(|word| word.word()))
}

pub(super) fn share_words() -> Object {
    words(Share::ALL.iter().map(|word| word.word()))
}

pub(super) fn mode_words() -> Object {
    words(Mode::ALL.iter().map(|word| word.word()))
}

pub(super) fn scope_words() -> Object {
    words(Scope::ALL.iter().map(|word| word.word()))
}

pub(super) fn token_scopes() -> Array {
    ArrayBuilder::new().items(words(TokenScope::ALL.iter().map(|word| word.word()))).build()
}

pub(super) fn date() -> Object {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).build()
}

pub(super) fn bundle() -> Object {
    let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(count))
        .description(Some("How many of each feature one seat holds, by feature code."))
        .build()
}

pub(super) fn term() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("term", words(["subscription", "perpetual"].into_iter()))
        .property("until", date())
        .property("maintenance_until", date())
        .required("term")
        .description(Some("`subscription` with `until` (the last day), or `perpetual` with `maintenance_until`."))
        .build()
}
