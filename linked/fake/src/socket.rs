//! One WebSocket of the stand-in, as bytes in and bytes out.

use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_websockets::{Message, ServerBuilder, WebSocketStream};

pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    pub(crate) async fn accept(stream: TcpStream) -> Result<Self> {
        let (_request, stream) = ServerBuilder::new().accept(stream).await?;
        Ok(Self { stream })
    }

    pub(crate) async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.stream.send(Message::binary(Bytes::from(bytes))).await?;
        Ok(())
    }

    /// The next bytes, or nothing once the other side has closed.
    pub(crate) async fn receive(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            match self.stream.next().await {
                None => return Ok(None),
                Some(Err(error)) => bail!("the socket broke: {error}"),
                Some(Ok(message)) if message.is_binary() => return Ok(Some(message.into_payload().to_vec())),
                Some(Ok(message)) if message.is_close() => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn close(&mut self) {
        // A client that is gone already has nothing to be told.
        let _ = self.stream.close().await;
    }
}
