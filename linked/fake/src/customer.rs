//! A customer: somebody with a phone and keys of their own, who writes to the owner and hears the answers.

use std::time::Duration;

use anyhow::{Context, Result};
use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use crate::server::{StandIn, now};
use crate::world::{Order, World};

/// Something a party opened and read.
#[derive(Clone, Debug)]
pub struct Heard {
    pub id: String,
    /// The words, however they came: plain, extended, or as the caption of a file.
    pub text: String,
    /// Who it was addressed to, by number.
    pub to: String,
    pub message: Box<wa::Message>,
}

/// A customer of the stand-in.
pub struct Customer<'a> {
    pub(crate) server: &'a StandIn,
    pub(crate) number: String,
}

impl Customer<'_> {
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Writes a text; gives its id.
    pub async fn says(&self, text: &str) -> Result<String> {
        self.sends(wa::Message {
            conversation: Some(text.to_owned()),
            ..Default::default()
        })
        .await
    }

    /// Writes a text from the hidden id, as chats without a visible number do.
    pub async fn says_as_lid(&self, text: &str) -> Result<String> {
        let message = wa::Message {
            conversation: Some(text.to_owned()),
            ..Default::default()
        };
        let number = self.number.clone();
        let (lid, name) = self.server.change(|world| known(world, &number)).await?;
        say_as(self.server, &self.number, message, |builder| {
            builder
                .attr("from", Jid::lid(lid))
                .attr("sender_pn", Jid::pn(number.clone()))
                .attr("addressing_mode", "lid")
                .attr("notify", name)
        })
        .await
    }

    /// Sends any message.
    pub async fn sends(&self, message: wa::Message) -> Result<String> {
        let number = self.number.clone();
        let (lid, name) = self.server.change(|world| known(world, &number)).await?;
        say_as(self.server, &self.number, message, |builder| {
            builder
                .attr("from", Jid::pn(number.clone()))
                .attr("sender_lid", Jid::lid(lid))
                .attr("notify", name)
        })
        .await
    }

    /// The next message that reached this customer.
    pub async fn hears(&self, limit: Duration) -> Result<Heard> {
        let what = format!("a message for {}", self.number);
        self.server
            .wait(limit, &what, |world| {
                world
                    .customers
                    .get_mut(&self.number)
                    .and_then(|person| person.heard.pop_front())
            })
            .await
    }

    /// Whether anything has reached this customer that nobody has looked at.
    pub async fn has_unheard(&self) -> bool {
        self.server
            .change(|world| {
                world
                    .customers
                    .get(&self.number)
                    .is_some_and(|person| !person.heard.is_empty())
            })
            .await
    }

    /// Opens the chat: the blue ticks for `id`.
    pub async fn reads(&self, id: &str) {
        let receipt = NodeBuilder::new("receipt")
            .attr("from", Jid::pn(self.number.clone()))
            .attr("id", id)
            .attr("type", "read")
            .attr("t", now().to_string())
            .build();
        self.server
            .change(|world| world.tell_online(Order::Send(receipt)))
            .await;
    }

    /// Makes the next message undecryptable once, as after a restored backup: the device has to ask for it again.
    pub async fn says_garbled(&self, text: &str) -> Result<String> {
        let id = self.says_hidden(text).await?;
        let mut world = self.server.world().await;
        let node = world
            .queue
            .back_mut()
            .context("a message that was just sent is in the queue")?;
        if let Some(wacore_binary::node::NodeContent::Nodes(children)) = &mut node.content {
            for child in children.iter_mut() {
                if let Some(wacore_binary::node::NodeContent::Bytes(bytes)) = &mut child.content {
                    // The end is the seal: the shape stays, and the seal is broken.
                    if let Some(last) = bytes.last_mut() {
                        *last ^= 0x55;
                    }
                }
            }
        }
        let node = node.clone();
        world.deliver(&node);
        Ok(id)
    }

    async fn says_hidden(&self, text: &str) -> Result<String> {
        let online = self.server.change(|world| world.online.take()).await;
        let sent = self.says(text).await;
        self.server.change(|world| world.online = online).await;
        sent
    }
}

impl StandIn {
    /// The next message that reaches any customer, with the customer's number.
    pub async fn hears_anything(&self, limit: Duration) -> Result<(String, Heard)> {
        self.wait(limit, "a message for anybody", |world| {
            let mut people = world.customers.iter_mut();
            people.find_map(|(number, person)| Some((number.clone(), person.heard.pop_front()?)))
        })
        .await
    }
}

fn known(world: &mut World, number: &str) -> Result<(String, String)> {
    let person = world
        .customers
        .get(number)
        .with_context(|| format!("nobody here has the number {number}"))?;
    Ok((person.lid.clone(), person.name.clone()))
}

/// Seals `message` for the linked device, queues it, and delivers it when the device is there.
pub(crate) async fn say_as(
    server: &StandIn,
    number: &str,
    message: wa::Message,
    envelope: impl FnOnce(NodeBuilder) -> NodeBuilder,
) -> Result<String> {
    let mut world = server.world().await;
    let id = world.id();
    world
        .sent
        .insert(id.clone(), (number.to_owned(), message.clone(), false));
    let enc = sealed_for_device(&mut world, number, &message).await?;
    let builder = NodeBuilder::new("message")
        .attr("id", id.clone())
        .attr("type", "text")
        .attr("t", now().to_string());
    let node = envelope(builder).children([enc]).build();
    world.queue.push_back(node.clone());
    world.deliver(&node);
    drop(world);
    server.changed();
    Ok(id)
}

pub(crate) async fn sealed_for_device(
    world: &mut World,
    number: &str,
    message: &wa::Message,
) -> Result<wacore_binary::Node> {
    let device = world
        .device
        .as_mut()
        .context("no device is linked to this account")?;
    let address = device.address();
    let mut bundle = device
        .bundle
        .clone()
        .context("the linked device has not uploaded its keys yet")?;
    let party = world.party(number)?;
    if !party.knows(&address) {
        party.meet(&address, &mut bundle).await?;
        if let Some(device) = &mut world.device {
            device.bundle = Some(bundle);
        }
    }
    let sealed = world.party(number)?.seal(&address, message).await?;
    Ok(NodeBuilder::new("enc")
        .attr("v", "2")
        .attr("type", sealed.kind)
        .bytes(sealed.bytes)
        .build())
}

/// The words of a message, wherever they stand.
pub(crate) fn words(message: &wa::Message) -> String {
    if let Some(text) = &message.conversation {
        return text.clone();
    }
    if let Some(text) = message
        .extended_text_message
        .as_option()
        .and_then(|message| message.text.clone())
    {
        return text;
    }
    if let Some(reaction) = message
        .reaction_message
        .as_option()
        .and_then(|reaction| reaction.text.clone())
    {
        return reaction;
    }
    String::new()
}
