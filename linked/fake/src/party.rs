//! A party of the Signal protocol with keys of its own: a customer, or the owner's phone.
//!
//! Every text that crosses the stand-in is really sealed and really opened, so a test asserts words and not that some
//! frame went out.

use std::collections::HashMap;

use anyhow::{Result, bail};
use async_trait::async_trait;
use wacore::libsignal::protocol::{
    CiphertextMessage, Direction, GenericSignedPreKey as _, IdentityChange, IdentityKey, IdentityKeyPair,
    IdentityKeyStore, KeyPair, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore,
    ProtocolAddress, SessionRecord, SessionStore, SignalMessage, SignalProtocolError, SignedPreKeyId,
    SignedPreKeyRecord, SignedPreKeyStore, Timestamp, UsePQRatchet, message_decrypt, message_encrypt,
    process_prekey_bundle,
};
use waproto::whatsapp as wa;

type Kept<T> = std::result::Result<T, SignalProtocolError>;

/// What a server hands out so that strangers can write to somebody.
#[derive(Clone)]
pub(crate) struct Bundle {
    pub(crate) registration: u32,
    pub(crate) identity: [u8; 32],
    pub(crate) signed: (u32, [u8; 32], Vec<u8>),
    pub(crate) once: Vec<(u32, [u8; 32])>,
}

/// How a text is sealed on the wire.
pub(crate) struct Sealed {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Party {
    identity: IdentityKeyPair,
    registration: u32,
    signed: KeyPair,
    signature: Vec<u8>,
    next_once: u32,
    sessions: Sessions,
    identities: Identities,
    once: OnceKeys,
    signed_keys: SignedKeys,
}

#[derive(Default)]
struct Sessions(HashMap<String, SessionRecord>);

struct Identities {
    own: IdentityKeyPair,
    registration: u32,
    known: HashMap<String, IdentityKey>,
}

#[derive(Default)]
struct OnceKeys(HashMap<u32, PreKeyRecord>);

struct SignedKeys(SignedPreKeyRecord);

impl Party {
    pub(crate) fn new() -> Result<Self> {
        let mut random = rand::rng();
        let identity = IdentityKeyPair::generate(&mut random);
        let signed = KeyPair::generate(&mut random);
        let signature = identity
            .private_key()
            .calculate_signature(&signed.public_key.serialize(), &mut random)?
            .to_vec();
        let registration = 4711;
        let record = SignedPreKeyRecord::new(
            SignedPreKeyId::from(1),
            Timestamp::from_epoch_millis(1_700_000_000_000),
            &signed,
            &signature,
        );
        Ok(Self {
            identities: Identities {
                own: identity.clone(),
                registration,
                known: HashMap::new(),
            },
            identity,
            registration,
            signed,
            signature,
            next_once: 1,
            sessions: Sessions::default(),
            once: OnceKeys::default(),
            signed_keys: SignedKeys(record),
        })
    }

    pub(crate) fn identity_key(&self) -> [u8; 32] {
        bytes32(self.identity.public_key().public_key_bytes())
    }

    /// Signs as the owner of this identity.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(self
            .identity
            .private_key()
            .calculate_signature(message, &mut rand::rng())?
            .to_vec())
    }

    /// A bundle with a one-time key that nobody was given before.
    pub(crate) fn bundle(&mut self) -> Bundle {
        let id = self.next_once;
        self.next_once += 1;
        let pair = KeyPair::generate(&mut rand::rng());
        self.once
            .0
            .insert(id, PreKeyRecord::new(PreKeyId::from(id), &pair));
        Bundle {
            registration: self.registration,
            identity: self.identity_key(),
            signed: (
                1,
                bytes32(self.signed.public_key.public_key_bytes()),
                self.signature.clone(),
            ),
            once: vec![(id, bytes32(pair.public_key.public_key_bytes()))],
        }
    }

    pub(crate) fn knows(&self, address: &ProtocolAddress) -> bool {
        self.sessions.0.contains_key(address.as_str())
    }

    /// Forgets a device, as a phone does when its owner unlinks it or its keys turn out to be dead.
    pub(crate) fn forget(&mut self, address: &ProtocolAddress) {
        self.sessions.0.remove(address.as_str());
        self.identities.known.remove(address.as_str());
    }

    /// Begins a session with the device behind `bundle`, taking its one-time key.
    pub(crate) async fn meet(&mut self, address: &ProtocolAddress, bundle: &mut Bundle) -> Result<()> {
        let once = match bundle.once.pop() {
            Some((id, key)) => Some((PreKeyId::from(id), public(&key)?)),
            None => None,
        };
        let theirs = PreKeyBundle::new(
            bundle.registration,
            address.device_id(),
            once,
            SignedPreKeyId::from(bundle.signed.0),
            public(&bundle.signed.1)?,
            bundle.signed.2.clone(),
            IdentityKey::new(public(&bundle.identity)?),
        )?;
        process_prekey_bundle(
            address,
            &mut self.sessions,
            &mut self.identities,
            &theirs,
            &mut rand::make_rng::<rand::rngs::StdRng>(),
            UsePQRatchet::No,
        )
        .await?;
        Ok(())
    }

    pub(crate) async fn seal(&mut self, address: &ProtocolAddress, message: &wa::Message) -> Result<Sealed> {
        let plain = wacore::messages::MessageUtils::encode_and_pad(message);
        let sealed = message_encrypt(&plain, address, &mut self.sessions, &mut self.identities).await?;
        Ok(match sealed {
            CiphertextMessage::SignalMessage(message) => Sealed {
                kind: "msg",
                bytes: message.serialized().to_vec(),
            },
            CiphertextMessage::PreKeySignalMessage(message) => Sealed {
                kind: "pkmsg",
                bytes: message.serialized().to_vec(),
            },
            CiphertextMessage::SenderKeyMessage(_) | CiphertextMessage::PlaintextContent(_) => {
                bail!("a text between two was sealed for a group")
            }
        })
    }

    pub(crate) async fn open(
        &mut self,
        address: &ProtocolAddress,
        kind: &str,
        bytes: &[u8],
    ) -> Result<wa::Message> {
        let sealed = match kind {
            "pkmsg" => CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(bytes)?),
            "msg" => CiphertextMessage::SignalMessage(SignalMessage::try_from(bytes)?),
            other => bail!("nothing here opens a message of kind {other:?}"),
        };
        let opened = message_decrypt(
            &sealed,
            address,
            &mut self.sessions,
            &mut self.identities,
            &mut self.once,
            &self.signed_keys,
            &mut rand::make_rng::<rand::rngs::StdRng>(),
            UsePQRatchet::No,
        )
        .await?;
        wacore::messages::decode_plaintext(&opened.plaintext, 2)
    }
}

fn bytes32(bytes: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(bytes);
    key
}

fn public(key: &[u8; 32]) -> Result<wacore::libsignal::protocol::PublicKey> {
    Ok(wacore::libsignal::protocol::PublicKey::from_djb_public_key_bytes(
        key,
    )?)
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> Kept<Option<SessionRecord>> {
        Ok(self.0.get(address.as_str()).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Kept<bool> {
        Ok(self.0.contains_key(address.as_str()))
    }

    async fn store_session(&mut self, address: &ProtocolAddress, record: SessionRecord) -> Kept<()> {
        self.0.insert(address.as_str().to_owned(), record);
        Ok(())
    }
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> Kept<IdentityKeyPair> {
        Ok(self.own.clone())
    }

    async fn get_local_registration_id(&self) -> Kept<u32> {
        Ok(self.registration)
    }

    async fn save_identity(
        &mut self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> Kept<IdentityChange> {
        Ok(match self.known.insert(address.as_str().to_owned(), *identity) {
            Some(before) if before != *identity => IdentityChange::ReplacedExisting,
            Some(_) | None => IdentityChange::NewOrUnchanged,
        })
    }

    async fn is_trusted_identity(
        &self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
        _direction: Direction,
    ) -> Kept<bool> {
        Ok(self
            .known
            .get(address.as_str())
            .is_none_or(|known| known == identity))
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> Kept<Option<IdentityKey>> {
        Ok(self.known.get(address.as_str()).copied())
    }
}

#[async_trait]
impl PreKeyStore for OnceKeys {
    async fn get_pre_key(&self, id: PreKeyId) -> Kept<PreKeyRecord> {
        self.0
            .get(&u32::from(id))
            .cloned()
            .ok_or(SignalProtocolError::InvalidPreKeyId)
    }

    async fn save_pre_key(&mut self, id: PreKeyId, record: &PreKeyRecord) -> Kept<()> {
        self.0.insert(u32::from(id), record.clone());
        Ok(())
    }

    async fn remove_pre_key(&mut self, id: PreKeyId) -> Kept<()> {
        self.0.remove(&u32::from(id));
        Ok(())
    }
}

#[async_trait]
impl SignedPreKeyStore for SignedKeys {
    async fn get_signed_pre_key(&self, _id: SignedPreKeyId) -> Kept<SignedPreKeyRecord> {
        Ok(self.0.clone())
    }

    async fn save_signed_pre_key(&mut self, _id: SignedPreKeyId, record: &SignedPreKeyRecord) -> Kept<()> {
        self.0 = record.clone();
        Ok(())
    }
}
