//! The Meta channel against the provider double, over HTTP: what one side sends, the other must take.

// Helpers of tests panic where tests do.
#![allow(clippy::unwrap_used)]

#[path = "../double/mod.rs"]
mod double;

mod control;
mod inbox;
mod media;
mod plans;
mod program;
mod refusals;
mod sending;
mod webhooks;

use std::time::Duration;

use double::{Double, Setup};
use secrecy::SecretString;
use switchboard::channel::meta::{Meta, MetaSettings};
use switchboard::channel::{
    Channel, NetworkTransport, Outbound, Receipt, SendClass, SendError, Step, Transport,
};
use switchboard::message::{Address, Choice, Choices, OutboundBody};

const SARI: &str = "6281100000011";

fn settings(double: &Double) -> MetaSettings {
    let secret = |text: &str| SecretString::from(text);
    let setup = double.setup();
    let mut settings = MetaSettings::new(
        &setup.phone_number_id,
        secret(&setup.access_tokens[0]),
        vec![secret(&setup.app_secret)],
        secret(&setup.verify_token),
    );
    settings.base_url = double.base_url();
    settings
}

fn meta(double: &Double) -> Meta {
    Meta::new(settings(double)).unwrap()
}

fn network() -> NetworkTransport {
    NetworkTransport::new(Duration::from_secs(2), Duration::from_secs(20)).unwrap()
}

fn to_sari(body: OutboundBody) -> Outbound {
    Outbound {
        to: Address::WaId(SARI.into()),
        reply_to: None,
        ours: Some("1.7.0".into()),
        body,
    }
}

fn text(body: &str) -> OutboundBody {
    OutboundBody::Text {
        body: body.into(),
        preview: false,
    }
}

fn option(id: &str, title: &str) -> Choice {
    Choice {
        id: id.into(),
        title: title.into(),
        description: None,
        section: None,
    }
}

fn menu(options: Vec<Choice>) -> OutboundBody {
    OutboundBody::Choices(Choices {
        header: Some("Kopi Senja".into()),
        body: "What may it be?".into(),
        footer: Some("Prices with tax".into()),
        open: Some("Menu".into()),
        as_list: false,
        options,
    })
}

async fn carry(meta: &Meta, step: &Step) -> Result<Receipt, SendError> {
    meta.interpret(network().send(meta.encode(step).unwrap()).await, 1)
}

/// Sends a message in all its steps; the first failure ends it.
async fn send(meta: &Meta, outbound: &Outbound) -> Result<Vec<Receipt>, SendError> {
    let mut receipts = Vec::new();
    for step in meta.plan(outbound).steps {
        receipts.push(carry(meta, &step).await?);
    }
    Ok(receipts)
}

async fn class_of(meta: &Meta, outbound: &Outbound) -> SendClass {
    send(meta, outbound).await.unwrap_err().class
}
