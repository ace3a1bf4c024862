//! The server's half of the Noise handshake: XX for a device that knows no server, IK for one that has met us before, and
//! XXfallback for one that remembers keys we no longer have.
//!
//! The certificate chain is shaped like the real one but signed by nobody, so a client that checks signatures refuses us.
//! That refusal is what the guard tests of the shippable build look for.

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use wacore::framing::{FrameDecoder, encode_frame};
use wacore::handshake::{NoiseCipher, NoiseHandshake};
use wacore::libsignal::protocol::KeyPair;
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, NOISE_PATTERN_XXFALLBACK, WA_CONN_HEADER};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::{self as wa, cert_chain::NoiseCertificate, cert_chain::noise_certificate};

use crate::socket::Socket;

/// What the server is known by between connections.
pub(crate) struct ServerKeys {
    identity: KeyPair,
    chain: Vec<u8>,
}

/// A finished handshake: who came, and with what.
pub(crate) struct Greeted {
    pub(crate) payload: wa::ClientPayload,
    pub(crate) noise_key: [u8; 32],
    pub(crate) how: Greeting,
    pub(crate) line: Line,
}

/// How the two came to know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Met,
    /// The device greeted us as an old acquaintance.
    Resumed,
    /// It did, but our keys are not the ones it remembered.
    FellBack,
}

/// The two ciphers of a connection and how far each has counted.
pub(crate) struct Line {
    write: NoiseCipher,
    read: NoiseCipher,
    written: u32,
    read_so_far: u32,
}

impl Line {
    pub(crate) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let sealed = self.write.encrypt_with_counter(self.written, plain)?;
        self.written += 1;
        encode_frame(&sealed, None)
    }

    pub(crate) fn open(&mut self, mut frame: BytesMut) -> Result<BytesMut> {
        self.read
            .decrypt_in_place_with_counter(self.read_so_far, &mut frame)?;
        self.read_so_far += 1;
        Ok(frame)
    }
}

impl ServerKeys {
    pub(crate) fn new() -> Self {
        let identity = KeyPair::generate(&mut rand::rng());
        let chain = unsigned_chain(&public(&identity));
        Self { identity, chain }
    }

    /// Reads the client's first frames and answers them until both sides have their keys.
    pub(crate) async fn greet(&self, socket: &mut Socket, frames: &mut FrameDecoder) -> Result<Greeted> {
        let hello = hello_of(&first_frame(socket, frames).await?)?;
        let theirs = key(hello.ephemeral.as_deref())?;
        match (hello.r#static, hello.payload) {
            (Some(sealed_static), Some(sealed_payload)) => match self.recognised(theirs, &sealed_static) {
                Ok(noise) => self.resume(socket, noise, theirs, &sealed_payload).await,
                Err(_) => self.meet(socket, frames, theirs, Greeting::FellBack).await,
            },
            _ => self.meet(socket, frames, theirs, Greeting::Met).await,
        }
    }

    /// XX: the client learns our static key from the sealed hello, and sends its own in a third message.
    async fn meet(
        &self,
        socket: &mut Socket,
        frames: &mut FrameDecoder,
        theirs: [u8; 32],
        how: Greeting,
    ) -> Result<Greeted> {
        let pattern = if how == Greeting::FellBack {
            NOISE_PATTERN_XXFALLBACK
        } else {
            NOISE_PATTERN_XX
        };
        let mut noise = NoiseHandshake::new(pattern, &WA_CONN_HEADER)?;
        noise.authenticate(&theirs);
        let ours = KeyPair::generate(&mut rand::rng());
        noise.authenticate(&public(&ours));
        noise.mix_shared_secret(ours.private_key.serialize(), &theirs)?;
        let sealed_static = noise.encrypt(&public(&self.identity))?;
        noise.mix_shared_secret(self.identity.private_key.serialize(), &theirs)?;
        let sealed_chain = noise.encrypt(&self.chain)?;
        socket
            .send(server_hello(&ours, Some(sealed_static), sealed_chain)?)
            .await?;

        let finish = wa::HandshakeMessage::decode_from_slice(&next_frame(socket, frames).await?)?
            .client_finish
            .into_option()
            .context("the client's third message is no ClientFinish")?;
        let sealed_key = finish.r#static.context("the ClientFinish carries no key")?;
        let noise_key: [u8; 32] = noise
            .decrypt(&sealed_key)?
            .try_into()
            .ok()
            .context("the client's key is not 32 bytes long")?;
        noise.mix_shared_secret(ours.private_key.serialize(), &noise_key)?;
        let payload = noise.decrypt(&finish.payload.context("the ClientFinish carries no payload")?)?;
        greeted(noise, &payload, noise_key, how)
    }

    /// The beginning of IK: the client's static key, sealed for the key it believes is ours.
    fn recognised(&self, theirs: [u8; 32], sealed_static: &[u8]) -> Result<(NoiseHandshake, [u8; 32])> {
        let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &WA_CONN_HEADER)?;
        noise.authenticate(&public(&self.identity));
        noise.authenticate(&theirs);
        noise.mix_shared_secret(self.identity.private_key.serialize(), &theirs)?;
        let noise_key: [u8; 32] = noise
            .decrypt(sealed_static)?
            .try_into()
            .ok()
            .context("the client's key is not 32 bytes long")?;
        Ok((noise, noise_key))
    }

    /// IK: the client knows our static key and sent everything at once.
    async fn resume(
        &self,
        socket: &mut Socket,
        (mut noise, noise_key): (NoiseHandshake, [u8; 32]),
        theirs: [u8; 32],
        sealed_payload: &[u8],
    ) -> Result<Greeted> {
        noise.mix_shared_secret(self.identity.private_key.serialize(), &noise_key)?;
        let payload = noise.decrypt(sealed_payload)?;

        let ours = KeyPair::generate(&mut rand::rng());
        noise.authenticate(&public(&ours));
        noise.mix_shared_secret(ours.private_key.serialize(), &theirs)?;
        noise.mix_shared_secret(ours.private_key.serialize(), &noise_key)?;
        let sealed_chain = noise.encrypt(&self.chain)?;
        socket.send(server_hello(&ours, None, sealed_chain)?).await?;
        greeted(noise, &payload, noise_key, Greeting::Resumed)
    }
}

fn greeted(noise: NoiseHandshake, payload: &[u8], noise_key: [u8; 32], how: Greeting) -> Result<Greeted> {
    // The client writes with the first of the two keys, so it is the one we read with.
    let (read, write) = noise.finish()?;
    Ok(Greeted {
        payload: wa::ClientPayload::decode_from_slice(payload)?,
        noise_key,
        how,
        line: Line {
            write,
            read,
            written: 0,
            read_so_far: 0,
        },
    })
}

fn server_hello(ours: &KeyPair, sealed_static: Option<Vec<u8>>, sealed_chain: Vec<u8>) -> Result<Vec<u8>> {
    let hello = wa::HandshakeMessage {
        server_hello: MessageField::some(wa::handshake_message::ServerHello {
            ephemeral: Some(public(ours).to_vec()),
            r#static: sealed_static,
            payload: Some(sealed_chain),
            ..Default::default()
        }),
        ..Default::default()
    };
    encode_frame(&hello.encode_to_vec(), None)
}

fn hello_of(frame: &[u8]) -> Result<wa::handshake_message::ClientHello> {
    wa::HandshakeMessage::decode_from_slice(frame)?
        .client_hello
        .into_option()
        .context("the client's first message is no ClientHello")
}

/// The first frame follows the prologue, and the prologue may follow a routing hint.
async fn first_frame(socket: &mut Socket, frames: &mut FrameDecoder) -> Result<BytesMut> {
    let mut bytes = socket
        .receive()
        .await?
        .context("the client left before it said hello")?;
    if bytes.starts_with(b"ED\x00\x01") && bytes.len() >= 7 {
        let length = usize::from(bytes[4]) << 16 | usize::from(bytes[5]) << 8 | usize::from(bytes[6]);
        bytes = bytes.split_off((7 + length).min(bytes.len()));
    }
    // Dictionary 2 is accepted in the prologue; what we send is always encoded with dictionary 3.
    if bytes.len() < 4 || !bytes.starts_with(b"WA\x06") || !matches!(bytes[3], 2 | 3) {
        bail!("the client did not begin with the prologue of WhatsApp");
    }
    frames.feed(&bytes[4..]);
    match frames.decode_frame() {
        Some(frame) => Ok(frame),
        None => next_frame(socket, frames).await,
    }
}

async fn next_frame(socket: &mut Socket, frames: &mut FrameDecoder) -> Result<BytesMut> {
    loop {
        if let Some(frame) = frames.decode_frame() {
            return Ok(frame);
        }
        let bytes = socket
            .receive()
            .await?
            .context("the client left during the handshake")?;
        frames.feed(&bytes);
    }
}

fn public(pair: &KeyPair) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(pair.public_key.public_key_bytes());
    key
}

fn key(bytes: Option<&[u8]>) -> Result<[u8; 32]> {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .context("the client's passing key is not 32 bytes long")
}

fn unsigned_chain(server: &[u8; 32]) -> Vec<u8> {
    let certificate = |serial, issuer, key: &[u8]| {
        let details = noise_certificate::Details {
            serial: Some(serial),
            issuer_serial: Some(issuer),
            key: Some(key.to_vec()),
            not_before: Some(1_700_000_000),
            not_after: Some(4_000_000_000),
        };
        MessageField::some(NoiseCertificate {
            details: Some(details.encode_to_vec()),
            signature: Some(vec![0; 64]),
        })
    };
    wa::CertChain {
        leaf: certificate(2, 1, server),
        intermediate: certificate(1, 0, &[0x5A; 32]),
    }
    .encode_to_vec()
}
