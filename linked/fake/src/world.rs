//! What the stand-in knows: the account, its linked device, the customers, and what waits to be delivered.

use std::collections::{HashMap, HashSet, VecDeque};

use anyhow::{Context, Result};
use tokio::sync::mpsc::UnboundedSender;
use wacore::libsignal::protocol::{DeviceId, ProtocolAddress};
use wacore_binary::{Jid, Node, Server};
use waproto::whatsapp as wa;

use crate::controls::Policy;
use crate::customer::Heard;
use crate::party::{Bundle, Party};

/// What a connection is told to do.
pub(crate) enum Order {
    Send(Node),
    /// A clean end, as the server ends a stream.
    End,
    /// The cable is cut.
    Cut,
    /// Nothing is answered any more, and nothing is said.
    Deaf,
}

/// The one account of this world.
pub(crate) const OWNER: &str = "6281100000099";
pub(crate) const OWNER_LID: &str = "900000000000099";

pub(crate) struct World {
    pub(crate) owner: Party,
    pub(crate) device: Option<Device>,
    pub(crate) next_device: u16,
    pub(crate) customers: HashMap<String, Person>,
    /// Not yet confirmed by the device, in order.
    pub(crate) queue: VecDeque<Node>,
    /// What customers sent, in case the device asks for it again.
    pub(crate) sent: HashMap<String, (String, wa::Message, bool)>,
    /// Codes that can be scanned now, and the connection each belongs to.
    pub(crate) refs: HashMap<String, u64>,
    pub(crate) lines: HashMap<u64, UnboundedSender<Order>>,
    /// The connection that is logged in, and whether it takes messages yet.
    pub(crate) online: Option<(u64, bool)>,
    pub(crate) policy: Policy,
    pub(crate) counted: Counted,
    pub(crate) phone_heard: VecDeque<Heard>,
    /// What was uploaded, sealed as it came.
    pub(crate) files: crate::media::Files,
    /// Ids the device has confirmed by a receipt.
    pub(crate) receipts: HashSet<String>,
    pub(crate) next_id: u64,
    /// Words of the last thing that went wrong here, for a test that waits in vain.
    pub(crate) faults: Vec<String>,
}

/// What a test may want to count.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub connections: u64,
    pub logins: u64,
    pub resumed: u64,
    pub fell_back: u64,
    pub unlink_requests: u64,
    pub retries_asked: u64,
    pub pings: u64,
    pub pair_refusals: u64,
    pub typing: u64,
    pub read: u64,
    pub swallowed: u64,
    /// Connections that have ended.
    pub ended: u64,
}

pub(crate) struct Device {
    pub(crate) number: u16,
    pub(crate) noise_key: [u8; 32],
    pub(crate) identity: [u8; 32],
    pub(crate) bundle: Option<Bundle>,
    pub(crate) unlinked: bool,
    pub(crate) signed: bool,
    pub(crate) keys_shared: bool,
}

pub(crate) struct Person {
    pub(crate) party: Party,
    pub(crate) lid: String,
    pub(crate) name: String,
    pub(crate) heard: VecDeque<Heard>,
}

impl Device {
    pub(crate) fn address(&self) -> ProtocolAddress {
        ProtocolAddress::new(OWNER, DeviceId::from(u32::from(self.number)))
    }

    pub(crate) fn jid(&self) -> Jid {
        Jid::pn_device(OWNER, self.number)
    }

    pub(crate) fn lid(&self) -> Jid {
        Jid::lid_device(OWNER_LID, self.number)
    }
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            owner: Party::new()?,
            device: None,
            next_device: 1,
            customers: HashMap::new(),
            queue: VecDeque::new(),
            sent: HashMap::new(),
            refs: HashMap::new(),
            lines: HashMap::new(),
            online: None,
            policy: Policy::default(),
            counted: Counted::default(),
            phone_heard: VecDeque::new(),
            files: Default::default(),
            receipts: HashSet::new(),
            next_id: 1,
            faults: Vec::new(),
        })
    }

    pub(crate) fn id(&mut self) -> String {
        self.next_id += 1;
        format!("3EB0{:016X}", self.next_id)
    }

    pub(crate) fn tell(&self, line: u64, order: Order) {
        if let Some(line) = self.lines.get(&line) {
            // A line whose task has ended hears nothing, as it should.
            let _ = line.send(order);
        }
    }

    pub(crate) fn tell_online(&self, order: Order) {
        if let Some((line, _)) = self.online {
            self.tell(line, order);
        }
    }

    /// Whom a jid means. The owner's hidden id is the owner: with two identities the copies to the own phone would
    /// fail.
    pub(crate) fn number_of(&self, jid: &Jid) -> Option<String> {
        match jid.server {
            Server::Lid if jid.user == OWNER_LID => Some(OWNER.to_owned()),
            Server::Lid => self
                .customers
                .iter()
                .find(|(_, person)| jid.user == person.lid)
                .map(|(number, _)| number.clone()),
            _ => Some(jid.user.to_string()),
        }
    }

    pub(crate) fn party(&mut self, number: &str) -> Result<&mut Party> {
        if number == OWNER {
            return Ok(&mut self.owner);
        }
        let person = self
            .customers
            .get_mut(number)
            .with_context(|| format!("nobody here has the number {number}"))?;
        Ok(&mut person.party)
    }

    /// Gives the device what waits for it, when it is there to take it.
    pub(crate) fn deliver(&self, node: &Node) {
        if let Some((line, true)) = self.online {
            self.tell(line, Order::Send(node.clone()));
        }
    }

    pub(crate) fn confirm(&mut self, id: &str) {
        self.receipts.insert(id.to_owned());
        self.queue
            .retain(|node| node.attrs.get("id").is_none_or(|known| known.as_str() != id));
    }
}
