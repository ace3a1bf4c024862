//! A stream that writes a moment later: whoever has something for Redis in the same moment goes along. A write is a call of
//! the system on both sides, and costs each of them more than most scripts do.
//!
//! The moment is one turn of the tasks that are ready now, not a time: with nothing else to do it is over at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug)]
pub(super) struct Gathering<S> {
    stream: S,
    /// The others have had their turn.
    waited: bool,
}

impl<S> Gathering<S> {
    pub(super) fn new(stream: S) -> Gathering<S> {
        Gathering {
            stream,
            waited: false,
        }
    }

    /// Stands back once before each write.
    fn lets_others_by(&mut self, context: &Context<'_>) -> bool {
        self.waited = !self.waited;
        if self.waited {
            // To the end of the line: a task that wakes itself while it runs is polled after all that are ready.
            context.waker().wake_by_ref();
        }
        self.waited
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.lets_others_by(context) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.lets_others_by(context) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Says when it is written to.
    struct Told(Arc<Mutex<Vec<&'static str>>>);

    impl AsyncWrite for Told {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().push("written");
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn whoever_is_ready_has_a_turn_before_a_write_and_nobody_is_waited_for() {
        let happened = Arc::new(Mutex::new(Vec::new()));
        let mut stream = Gathering::new(Told(happened.clone()));
        let writing = tokio::spawn(async move {
            for _ in 0..2 {
                stream.write_all(b"PING").await.unwrap();
            }
        });
        let asked = happened.clone();
        let asking = tokio::spawn(async move { asked.lock().unwrap().push("asked") });
        writing.await.unwrap();
        asking.await.unwrap();
        assert_eq!(*happened.lock().unwrap(), ["asked", "written", "written"]);
    }
}
