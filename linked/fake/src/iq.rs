//! The questions a linked device asks the server, each answered in the shape of the real one; whatever is not known
//! here is answered with 404, as the real server answers what it does not know.

use anyhow::{Context, Result};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::party::Bundle;
use crate::stanza::{bundle_of, share_state_key, text};
use crate::world::{OWNER, OWNER_LID, Order, World};

pub(crate) async fn answer(world: &mut World, line: u64, node: &NodeRef<'_>) -> Result<()> {
    let id = text(node, "id").context("a question without an id")?;
    let kind = text(node, "type").unwrap_or_default();
    let space = text(node, "xmlns").unwrap_or_default();
    if kind == "result" || kind == "error" {
        return answered(world, line, &kind, node);
    }
    let child = node.children().and_then(|children| children.first());
    let tag = child
        .map(|child| child.tag.as_ref().to_owned())
        .unwrap_or_default();
    let reply = match (space.as_str(), tag.as_str()) {
        ("encrypt", "count") => {
            let left = world
                .device
                .as_ref()
                .and_then(|device| device.bundle.as_ref())
                .map_or(0, |b| b.once.len());
            result(
                &id,
                [NodeBuilder::new("count").attr("value", left.to_string()).build()],
            )
        }
        ("encrypt", "key") => result(&id, [bundles(world, child.context("a fetch of no keys")?)?]),
        ("encrypt", "digest") => not_found(&id),
        ("encrypt", "rotate") => {
            if let (Some(device), Some(rotate)) = (&mut world.device, child) {
                let given = bundle_of(rotate, 0);
                if let (Some(bundle), Ok(given)) = (&mut device.bundle, given) {
                    bundle.signed = given.signed;
                }
            }
            result(&id, [])
        }
        ("encrypt", _) if kind == "set" => {
            upload(world, node)?;
            let reply = result(&id, []);
            world.tell(line, Order::Send(reply));
            return share_state_key(world).await;
        }
        ("passive", "active") => {
            world.tell(line, Order::Send(result(&id, [])));
            activate(world, line);
            return Ok(());
        }
        ("passive", _) => result(&id, []),
        ("usync", _) => result(&id, [users(world, child.context("a search for nobody")?)?]),
        ("w:sync:app:state", _) => result(&id, [collections(child.context("a sync of nothing")?)]),
        ("w:p", _) => {
            world.counted.pings += 1;
            result(&id, [])
        }
        ("md", "remove-companion-device") => {
            world.counted.unlink_requests += 1;
            if let Some(device) = &mut world.device {
                device.unlinked = true;
            }
            result(&id, [])
        }
        ("w:m", _) => result(&id, [crate::media::hosts()]),
        ("urn:xmpp:whatsapp:dirty", _) => result(&id, []),
        _ => not_found(&id),
    };
    world.tell(line, Order::Send(reply));
    Ok(())
}

/// The device answers us only when it is being paired.
fn answered(world: &mut World, line: u64, kind: &str, node: &NodeRef<'_>) -> Result<()> {
    if kind == "error" {
        // The device did not accept what the phone vouched for: nothing is linked.
        world.device = None;
        world.counted.pair_refusals += 1;
        return Ok(());
    }
    if node.get_optional_child("pair-device-sign").is_none() {
        return Ok(());
    }
    if let Some(device) = &mut world.device {
        device.signed = true;
    }
    world.refs.retain(|_, owner| *owner != line);
    world.tell(
        line,
        Order::Send(NodeBuilder::new("stream:error").attr("code", "515").build()),
    );
    world.tell(line, Order::End);
    Ok(())
}

fn upload(world: &mut World, node: &NodeRef<'_>) -> Result<()> {
    let registration = node
        .get_optional_child("registration")
        .and_then(|child| child.content_bytes())
        .and_then(|bytes| bytes.try_into().ok().map(u32::from_be_bytes))
        .context("an upload without a registration id")?;
    let given = bundle_of(node, registration)?;
    let device = world
        .device
        .as_mut()
        .context("an upload of a device that nobody linked")?;
    match &mut device.bundle {
        Some(bundle) => {
            bundle.signed = given.signed;
            for key in given.once {
                if bundle.once.iter().all(|known| known.0 != key.0) {
                    bundle.once.push(key);
                }
            }
        }
        None => device.bundle = Some(given),
    }
    Ok(())
}

/// After `active` comes what waited: a preview, the messages, and the end of the list.
fn activate(world: &mut World, line: u64) {
    let waiting = world.queue.len().to_string();
    world.online = Some((line, true));
    let preview = NodeBuilder::new("offline_preview")
        .attr("count", waiting.clone())
        .attr("message", waiting.clone());
    world.tell(line, Order::Send(ib(preview.build())));
    for node in world.queue.clone() {
        let mut node = node;
        node.attrs.insert("offline", "1");
        world.tell(line, Order::Send(node));
    }
    world.tell(
        line,
        Order::Send(ib(NodeBuilder::new("offline").attr("count", waiting).build())),
    );
}

fn ib(child: Node) -> Node {
    NodeBuilder::new("ib")
        .attr("from", "s.whatsapp.net")
        .children([child])
        .build()
}

fn bundles(world: &mut World, wanted: &NodeRef<'_>) -> Result<Node> {
    let mut found = Vec::new();
    for user in wanted.get_children_by_tag("user") {
        let Some(name) = text(user, "jid") else { continue };
        let jid: Jid = name.parse()?;
        let known = world
            .number_of(&jid)
            .filter(|number| number == OWNER || world.customers.contains_key(number));
        let builder = NodeBuilder::new("user").attr("jid", jid);
        found.push(match known {
            Some(number) => builder.children(keys(&world.party(&number)?.bundle())).build(),
            None => builder.children([error("404", "item-not-found")]).build(),
        });
    }
    Ok(NodeBuilder::new("list").children(found).build())
}

fn keys(bundle: &Bundle) -> Vec<Node> {
    let id = |id: u32| {
        NodeBuilder::new("id")
            .bytes(id.to_be_bytes()[1..].to_vec())
            .build()
    };
    let value = |key: &[u8; 32]| NodeBuilder::new("value").bytes(key.to_vec()).build();
    let (signed, signed_key, signature) = &bundle.signed;
    let mut nodes = vec![
        NodeBuilder::new("registration")
            .bytes(bundle.registration.to_be_bytes().to_vec())
            .build(),
        NodeBuilder::new("type").bytes(vec![5]).build(),
        NodeBuilder::new("identity")
            .bytes(bundle.identity.to_vec())
            .build(),
        NodeBuilder::new("skey")
            .children([
                id(*signed),
                value(signed_key),
                NodeBuilder::new("signature").bytes(signature.clone()).build(),
            ])
            .build(),
    ];
    if let Some((number, key)) = bundle.once.first() {
        nodes.push(
            NodeBuilder::new("key")
                .children([id(*number), value(key)])
                .build(),
        );
    }
    nodes
}

fn users(world: &World, usync: &NodeRef<'_>) -> Result<Node> {
    let mut found = Vec::new();
    if let Some(list) = usync.get_optional_child("list") {
        for user in list.get_children_by_tag("user") {
            let asked = text(user, "jid")
                .and_then(|jid| jid.parse::<Jid>().ok())
                .or_else(|| {
                    let contact = user.get_optional_child("contact")?.content_as_string()?;
                    Some(Jid::pn(contact.trim_start_matches('+')))
                });
            if let Some(jid) = asked {
                found.push(user_of(world, &jid)?);
            }
        }
    }
    Ok(NodeBuilder::new("usync")
        .attr("sid", text(usync, "sid").unwrap_or_default())
        .attr("mode", "query")
        .attr("last", "true")
        .attr("index", "0")
        .attr("context", "message")
        .children([
            NodeBuilder::new("result").build(),
            NodeBuilder::new("list").children(found).build(),
        ])
        .build())
}

fn user_of(world: &World, jid: &Jid) -> Result<Node> {
    let number = world.number_of(jid);
    let device = |id: u16| NodeBuilder::new("device").attr("id", id.to_string());
    let (mut devices, lid) = match number.as_deref() {
        Some(OWNER) => (vec![device(0).build()], Some(OWNER_LID.to_owned())),
        Some(number) => match world.customers.get(number) {
            Some(person) => (vec![device(0).build()], Some(person.lid.clone())),
            None => (Vec::new(), None),
        },
        None => (Vec::new(), None),
    };
    let mut indexes = None;
    if number.as_deref() == Some(OWNER)
        && let Some(linked) = &world.device
        && !linked.unlinked
    {
        devices.push(
            device(linked.number)
                .attr("key-index", linked.number.to_string())
                .build(),
        );
        indexes = Some(vouched_indexes(world, linked.number)?);
    }
    let contact = if devices.is_empty() { "out" } else { "in" };
    let mut listed = vec![NodeBuilder::new("device-list").children(devices).build()];
    listed.extend(indexes);
    let mut children = vec![
        NodeBuilder::new("devices").children(listed).build(),
        NodeBuilder::new("contact").attr("type", contact).build(),
    ];
    if let Some(lid) = lid {
        children.push(NodeBuilder::new("lid").attr("val", Jid::lid(lid)).build());
    }
    Ok(NodeBuilder::new("user")
        .attr("jid", jid.to_non_ad())
        .children(children)
        .build())
}

/// Which linked devices the phone still vouches for. Without it a device is not taken for one of the account.
fn vouched_indexes(world: &World, device: u16) -> Result<Node> {
    let details = wa::ADVKeyIndexList {
        raw_id: Some(1),
        timestamp: Some(1_700_000_000),
        current_index: Some(u32::from(device)),
        valid_indexes: vec![0, u32::from(device)],
        ..Default::default()
    }
    .encode_to_vec();
    let signed = wa::ADVSignedKeyIndexList {
        account_signature: Some(world.owner.sign(&[&[6, 2], details.as_slice()].concat())?),
        account_signature_key: Some(world.owner.identity_key().to_vec()),
        details: Some(details),
    };
    Ok(NodeBuilder::new("key-index-list")
        .attr("ts", "1700000000")
        .bytes(signed.encode_to_vec())
        .build())
}

/// Every collection is empty and up to date.
fn collections(sync: &NodeRef<'_>) -> Node {
    let answered = sync.get_children_by_tag("collection").map(|collection| {
        NodeBuilder::new("collection")
            .attr("name", text(collection, "name").unwrap_or_default())
            .attr(
                "version",
                text(collection, "version").unwrap_or_else(|| "0".to_owned()),
            )
            .build()
    });
    NodeBuilder::new("sync")
        .children(answered.collect::<Vec<_>>())
        .build()
}

fn result(id: &str, children: impl IntoIterator<Item = Node>) -> Node {
    let children: Vec<Node> = children.into_iter().collect();
    let builder = NodeBuilder::new("iq")
        .attr("from", "s.whatsapp.net")
        .attr("id", id)
        .attr("type", "result");
    if children.is_empty() {
        builder.build()
    } else {
        builder.children(children).build()
    }
}

fn not_found(id: &str) -> Node {
    NodeBuilder::new("iq")
        .attr("from", "s.whatsapp.net")
        .attr("id", id)
        .attr("type", "error")
        .children([error("404", "item-not-found")])
        .build()
}

fn error(code: &'static str, words: &'static str) -> Node {
    NodeBuilder::new("error")
        .attr("code", code)
        .attr("text", words)
        .build()
}
