//! Receiving: `receive`, selective receive, timeouts.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::context::{Context, ReceiveTimeout};
use super::mailbox::Scan;
use crate::message::Message;

impl Context {
    /// The next message, waiting for it as long as it takes.
    pub async fn receive(&mut self) -> Message {
        self.receive_map(|_| Some(())).await.0
    }

    /// The first message that `wanted` accepts; the others stay, in order, for later receives.
    pub async fn receive_matching(&mut self, mut wanted: impl FnMut(&Message) -> bool) -> Message {
        self.receive_map(|message| wanted(message).then_some(())).await.0
    }

    /// As [`Context::receive_matching`], for a match that also takes the message apart.
    pub async fn receive_map<T>(
        &mut self,
        mut choose: impl FnMut(&Message) -> Option<T>,
    ) -> (Message, T) {
        // A process whose mailbox is never empty must let others run too.
        tokio::task::consume_budget().await;
        let mut scan = Scan::default();
        let (process, mailbox) = self.mailbox_parts();
        let found = poll_fn(|task| {
            loop {
                if let Some(found) = mailbox.search(process, &mut scan, &mut choose) {
                    return Poll::Ready(found);
                }
                if !mailbox.refill(process, Some(task)) {
                    return Poll::Pending;
                }
            }
        })
        .await;
        self.note_received(&found.0);
        found
    }

    /// The next message, if one comes in time: Erlang's `after`. Zero looks without waiting.
    ///
    /// # Errors
    /// [`ReceiveTimeout`] when the time passed.
    pub async fn receive_timeout(&mut self, time: Duration) -> Result<Message, ReceiveTimeout> {
        self.receive_map_timeout(time, |_| Some(())).await.map(|found| found.0)
    }

    /// As [`Context::receive_matching`], for so long at most.
    ///
    /// # Errors
    /// [`ReceiveTimeout`] when the time passed.
    pub async fn receive_matching_timeout(
        &mut self,
        time: Duration,
        mut wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Message, ReceiveTimeout> {
        self.receive_map_timeout(time, |message| wanted(message).then_some(()))
            .await
            .map(|found| found.0)
    }

    /// As [`Context::receive_map`], for so long at most. A message that is already there is found
    /// even when the time is zero.
    ///
    /// # Errors
    /// [`ReceiveTimeout`] when the time passed.
    pub async fn receive_map_timeout<T>(
        &mut self,
        time: Duration,
        mut choose: impl FnMut(&Message) -> Option<T>,
    ) -> Result<(Message, T), ReceiveTimeout> {
        let (process, mailbox) = self.mailbox_parts();
        if let Some(found) = mailbox.search(process, &mut Scan::default(), &mut choose) {
            self.note_received(&found.0);
            return Ok(found);
        }
        if time.is_zero() {
            return Err(ReceiveTimeout);
        }
        match tokio::time::timeout(time, self.receive_map(choose)).await {
            Ok(found) => Ok(found),
            Err(_) => Err(ReceiveTimeout),
        }
    }

    /// The first message that `wanted` accepts among those already here.
    pub fn try_receive_matching(
        &mut self,
        mut wanted: impl FnMut(&Message) -> bool,
    ) -> Option<Message> {
        let (process, mailbox) = self.mailbox_parts();
        let mut choose = |message: &Message| wanted(message).then_some(());
        let found = mailbox.search(process, &mut Scan::default(), &mut choose)?.0;
        self.note_received(&found);
        Some(found)
    }

    /// The next message already here.
    pub fn try_receive(&mut self) -> Option<Message> {
        self.try_receive_matching(|_| true)
    }
}
