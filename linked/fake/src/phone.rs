//! The owner's phone: it scans, it unlinks, and it hears copies of what its linked device sends.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp as wa;

use crate::controls::conflict;
use crate::customer::{Heard, say_as};
use crate::server::StandIn;
use crate::world::{Device, OWNER, Order, World};

/// The owner's phone.
pub struct Phone<'a> {
    pub(crate) server: &'a StandIn,
}

impl Phone<'_> {
    pub fn number(&self) -> &'static str {
        OWNER
    }

    /// Scans what a QR code says. An old code is refused, as the server refuses its reference.
    pub async fn scan(&self, text: &str) -> Result<()> {
        let fields: Vec<&str> = text.split(',').collect();
        let [reference, noise, identity, secret, _client] = fields[..] else {
            bail!("this is no code for linking a device");
        };
        let (noise, identity, secret) = (key(noise)?, key(identity)?, key(secret)?);
        let mut world = self.server.world().await;
        let line = *world
            .refs
            .get(reference)
            .context("this code has expired; show a new one")?;
        let number = world.next_device;
        world.next_device += 1;
        let device = Device {
            number,
            noise_key: noise,
            identity,
            bundle: None,
            unlinked: false,
            signed: false,
            keys_shared: false,
        };
        let answer = pair_success(&mut world, &device, &secret)?;
        world.device = Some(device);
        world.queue.clear();
        world.tell(line, Order::Send(answer));
        drop(world);
        self.server.changed();
        Ok(())
    }

    /// Removes the linked device in the phone's settings.
    pub async fn unlink(&self) {
        self.server
            .change(|world| {
                if let Some(device) = &mut world.device {
                    device.unlinked = true;
                }
                world.tell_online(Order::Send(conflict("device_removed")));
                world.tell_online(Order::End);
            })
            .await;
    }

    /// The owner writes to a customer from the phone itself; the linked device gets a copy.
    pub async fn write(&self, customer: &str, text: &str) -> Result<String> {
        let message = wa::Message {
            device_sent_message: MessageField::some(wa::message::DeviceSentMessage {
                destination_jid: Some(Jid::pn(customer).to_string()),
                message: MessageField::some(wa::Message {
                    conversation: Some(text.to_owned()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let recipient = Jid::pn(customer);
        say_as(self.server, OWNER, message, |builder| {
            builder.attr("from", Jid::pn(OWNER)).attr("recipient", recipient)
        })
        .await
    }

    /// The next copy of something the linked device sent.
    pub async fn hears(&self, limit: Duration) -> Result<Heard> {
        self.server
            .wait(limit, "a copy on the owner's phone", |world| {
                world.phone_heard.pop_front()
            })
            .await
    }

    /// Whether the linked device of this phone is still linked.
    pub async fn is_linked(&self) -> bool {
        self.server
            .change(|world| world.device.as_ref().is_some_and(|device| !device.unlinked))
            .await
    }
}

/// What the phone vouches for: this device belongs to this account. The HMAC is made with the secret of the code, so
/// a code of another session fails by itself.
fn pair_success(world: &mut World, device: &Device, secret: &[u8; 32]) -> Result<Node> {
    let details = wa::ADVDeviceIdentity {
        raw_id: Some(1),
        timestamp: Some(1_700_000_000),
        key_index: Some(u32::from(device.number)),
        ..Default::default()
    }
    .encode_to_vec();
    let mut vouched = vec![6, 0];
    vouched.extend_from_slice(&details);
    vouched.extend_from_slice(&device.identity);
    let identity = wa::ADVSignedDeviceIdentity {
        account_signature: Some(world.owner.sign(&vouched)?),
        account_signature_key: Some(world.owner.identity_key().to_vec()),
        details: Some(details),
        ..Default::default()
    }
    .encode_to_vec();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).context("a secret of 32 bytes is a key")?;
    mac.update(&identity);
    let sealed = wa::ADVSignedDeviceIdentityHMAC {
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        details: Some(identity),
        ..Default::default()
    }
    .encode_to_vec();
    let id = world.id();
    Ok(NodeBuilder::new("iq")
        .attr("from", "s.whatsapp.net")
        .attr("type", "set")
        .attr("id", id)
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-success")
            .children([
                NodeBuilder::new("device-identity").bytes(sealed).build(),
                NodeBuilder::new("device")
                    .attr("jid", device.jid())
                    .attr("lid", device.lid())
                    .build(),
                NodeBuilder::new("platform").attr("name", "android").build(),
                NodeBuilder::new("biz").attr("name", "Kopi Senja").build(),
            ])
            .build()])
        .build())
}

fn key(text: &str) -> Result<[u8; 32]> {
    BASE64_STANDARD
        .decode(text)?
        .try_into()
        .ok()
        .context("a key of the code is not 32 bytes long")
}
