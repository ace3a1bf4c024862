//! Stanzas of the device that are no questions: messages, receipts, acks, presence.

use anyhow::{Context, Result};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

use crate::customer::{Heard, sealed_for_device, words};
use crate::party::Bundle;
use crate::server::now;
use crate::world::{OWNER, Order, World};

/// A message of the device: opened by everybody it is sealed for, then acknowledged or refused.
pub(crate) async fn message(world: &mut World, line: u64, node: &NodeRef<'_>) -> Result<()> {
    let id = text(node, "id").context("a message without an id")?;
    let to: Jid = text(node, "to")
        .context("a message without a recipient")?
        .parse()?;
    if let Some(code) = world.policy.nack.take() {
        world.tell(line, Order::Send(ack("message", &id, &to, Some(code))));
        return Ok(());
    }
    if std::mem::take(&mut world.policy.swallow) {
        world.counted.swallowed += 1;
        return Ok(());
    }
    let mut copies = Vec::new();
    if let Some(participants) = node.get_optional_child("participants") {
        for participant in participants.get_children_by_tag("to") {
            let whose: Jid = text(participant, "jid").context("a copy for nobody")?.parse()?;
            if let Some(enc) = participant.get_optional_child("enc") {
                copies.push((whose, enc));
            }
        }
    }
    if let Some(enc) = node.get_optional_child("enc") {
        copies.push((to.clone(), enc));
    }
    let addressed = world.number_of(&to).unwrap_or_default();
    let mut reached = false;
    for (whose, enc) in copies {
        let Some(number) = world.number_of(&whose) else {
            continue;
        };
        let address = world
            .device
            .as_ref()
            .context("a message of a device that nobody linked")?
            .address();
        let kind = text(enc, "type").unwrap_or_default();
        let bytes = enc.content_bytes().unwrap_or_default();
        match world.party(&number)?.open(&address, &kind, bytes).await {
            Ok(message) => {
                reached |= number != OWNER || addressed == OWNER;
                hear(world, &number, &id, &addressed, message);
            }
            Err(fault) => world
                .faults
                .push(format!("{number} could not open {kind} {id}: {fault}")),
        }
    }
    world.tell(line, Order::Send(ack("message", &id, &to, None)));
    if reached {
        world.tell(line, Order::Send(delivered(&id, &to)));
    }
    Ok(())
}

fn hear(world: &mut World, number: &str, id: &str, addressed: &str, message: wa::Message) {
    if number == OWNER {
        // The copy may come with its wrapping or without.
        let inner = match message.device_sent_message.as_option() {
            Some(copy) => copy.message.as_option().cloned().unwrap_or_default(),
            None => message,
        };
        let heard = Heard {
            id: id.to_owned(),
            text: words(&inner),
            to: addressed.to_owned(),
            message: Box::new(inner),
        };
        world.phone_heard.push_back(heard);
    } else if let Some(person) = world.customers.get_mut(number) {
        person.heard.push_back(Heard {
            id: id.to_owned(),
            text: words(&message),
            to: number.to_owned(),
            message: Box::new(message),
        });
    }
}

/// Receipts confirm what was delivered, or ask for it again.
pub(crate) async fn receipt(world: &mut World, line: u64, node: &NodeRef<'_>) -> Result<()> {
    let id = text(node, "id").context("a receipt without an id")?;
    let kind = text(node, "type").unwrap_or_default();
    let mut ids = vec![id.clone()];
    if let Some(list) = node.get_optional_child("list") {
        ids.extend(
            list.get_children_by_tag("item")
                .filter_map(|item| text(item, "id")),
        );
    }
    if kind == "retry" {
        world.counted.retries_asked += 1;
        again(world, &id, node).await?;
    } else {
        if kind == "read" {
            world.counted.read += 1;
        }
        for id in ids {
            world.confirm(&id);
        }
    }
    let to: Jid = text(node, "to").context("a receipt for nobody")?.parse()?;
    world.tell(line, Order::Send(ack("receipt", &id, &to, None)));
    Ok(())
}

/// The sender's phone makes a new session with the keys in the request, and seals the same message again.
async fn again(world: &mut World, id: &str, node: &NodeRef<'_>) -> Result<()> {
    let Some((number, message, false)) = world.sent.get(id).cloned() else {
        return Ok(());
    };
    if let Some(sent) = world.sent.get_mut(id) {
        sent.2 = true;
    }
    let old = world
        .queue
        .iter()
        .find(|node| node.attrs.get("id").is_some_and(|known| known.as_str() == id))
        .cloned();
    let mut old = old.context("a message that was asked for again is not in the queue")?;
    let device = world
        .device
        .as_mut()
        .context("a receipt of a device that nobody linked")?;
    let address = device.address();
    if let Some(keys) = node.get_optional_child("keys") {
        let mut given = bundle_of(
            keys,
            device.bundle.as_ref().map_or(1, |bundle| bundle.registration),
        )?;
        if let Some(bundle) = &mut device.bundle {
            // The key in the request is the one to use next.
            bundle.once.append(&mut given.once);
            bundle.signed = given.signed;
        }
    }
    world.party(&number)?.forget(&address);
    let enc = sealed_for_device(world, &number, &message).await?;
    old.content = Some(wacore_binary::node::NodeContent::Nodes(vec![enc]));
    world
        .queue
        .retain(|node| node.attrs.get("id").is_none_or(|known| known.as_str() != id));
    world.queue.push_back(old.clone());
    world.deliver(&old);
    Ok(())
}

/// Keys as they stand in an upload or in a request to send again.
pub(crate) fn bundle_of(node: &NodeRef<'_>, registration: u32) -> Result<Bundle> {
    let bytes = |node: &NodeRef<'_>, tag: &str| -> Vec<u8> {
        node.get_optional_child(tag)
            .and_then(|child| child.content_bytes())
            .unwrap_or_default()
            .to_vec()
    };
    let id_of = |node: &NodeRef<'_>| {
        bytes(node, "id")
            .iter()
            .fold(0_u32, |id, byte| id << 8 | u32::from(*byte))
    };
    let key32 = |bytes: Vec<u8>| -> Result<[u8; 32]> {
        bytes
            .try_into()
            .ok()
            .context("an uploaded key is not 32 bytes long")
    };
    let signed = node
        .get_optional_child("skey")
        .context("keys without a signed one")?;
    let mut once = Vec::new();
    let listed = node.get_optional_child("list").unwrap_or(node);
    for key in listed.get_children_by_tag("key") {
        once.push((id_of(key), key32(bytes(key, "value"))?));
    }
    Ok(Bundle {
        registration,
        identity: key32(bytes(node, "identity"))?,
        signed: (
            id_of(signed),
            key32(bytes(signed, "value"))?,
            bytes(signed, "signature"),
        ),
        once,
    })
}

/// The key of the app state, which the phone shares with a device it has just linked.
pub(crate) async fn share_state_key(world: &mut World) -> Result<()> {
    let Some(device) = &mut world.device else {
        return Ok(());
    };
    if device.keys_shared || device.bundle.is_none() {
        return Ok(());
    }
    device.keys_shared = true;
    let key = wa::message::AppStateSyncKey {
        key_id: MessageField::some(wa::message::AppStateSyncKeyId {
            key_id: Some(vec![0, 0, 0, 0, 0, 1]),
        }),
        key_data: MessageField::some(wa::message::AppStateSyncKeyData {
            key_data: Some(vec![7; 32]),
            fingerprint: MessageField::some(wa::message::AppStateSyncKeyFingerprint {
                raw_id: Some(1),
                current_index: Some(0),
                ..Default::default()
            }),
            timestamp: Some(1_700_000_000),
        }),
    };
    let message = wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            r#type: Some(wa::message::protocol_message::Type::APP_STATE_SYNC_KEY_SHARE),
            app_state_sync_key_share: MessageField::some(wa::message::AppStateSyncKeyShare {
                keys: vec![key],
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let id = world.id();
    let enc = sealed_for_device(world, OWNER, &message).await?;
    let node = NodeBuilder::new("message")
        .attr("id", id)
        .attr("from", Jid::pn(OWNER))
        .attr("type", "text")
        .attr("category", "peer")
        .attr("t", now().to_string())
        .children([enc])
        .build();
    // Before the device takes messages in general: it waits for this one.
    world.tell_online(Order::Send(node));
    Ok(())
}

pub(crate) fn ack(class: &'static str, id: &str, from: &Jid, error: Option<u16>) -> Node {
    let ack = NodeBuilder::new("ack")
        .attr("class", class)
        .attr("id", id)
        .attr("from", from.clone())
        .attr("t", now().to_string());
    match error {
        Some(code) => ack.attr("error", code.to_string()).build(),
        None => ack.build(),
    }
}

fn delivered(id: &str, from: &Jid) -> Node {
    NodeBuilder::new("receipt")
        .attr("from", from.clone())
        .attr("id", id)
        .attr("t", now().to_string())
        .build()
}

pub(crate) fn text(node: &NodeRef<'_>, name: &str) -> Option<String> {
    node.get_attr(name).map(|value| value.as_str().into_owned())
}
