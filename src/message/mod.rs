//! Messages as the rest of Switchboard sees them, whatever the provider.
//!
//! A channel decodes its provider's wire format into [`Inbound`] events and encodes [`OutboundBody`] values
//! back. The engine only ever meets these types, so a flow behaves the same on every provider.
//! Nothing here does I/O.

mod inbound;
mod limits;
mod outbound;

pub use inbound::{
    Conversation, DedupeKey, DeliveryState, Forwarded, Inbound, InboundBody, Keeper, Media, MediaHandle,
    MediaKind, Party, Place, Role, RoomNews, StatusUpdate, Window,
};
pub use limits::{Limits, TextMeasure, clip, measure};
pub use outbound::{
    Address, ButtonValue, Choice, Choices, MediaSource, OutboundBody, QuickReply, TemplateHeader,
    TemplateParts,
};
