//! The progress of a replica's log, as `shared` follows it.

use std::sync::Arc;

use partition::fetch::Isolation;
use protocol::offset::Offset;
use storage::Fault;

use super::shared::{Followed, Follower, Standing};
use crate::runtime::delayed::{Place, Waiter};
use crate::runtime::partitions::Replica;

impl Followed for Replica {
    fn commit(
        self: &Arc<Self>,
        done: impl FnOnce(Result<Option<Offset>, String>) + Send + 'static,
    ) -> Result<Standing, Fault> {
        let mut log = self.log()?;
        let commit_due = log.commit_due();
        if commit_due {
            let replica = self.clone();
            log.commit(Box::new(move |outcome| match outcome {
                Ok(()) => done(Ok(replica.synced(1))),
                Err(fault) => done(Err(fault.to_string())),
            }));
        }
        Ok(Standing { commit_due, high_watermark: log.partition().watermarks().high_watermark })
    }

    fn follower(self: &Arc<Self>) -> impl Follower {
        let waiter = Waiter::new(Isolation::HighWatermark, 1);
        let place = self.waiters.add(waiter.clone());
        Hanging { replica: self.clone(), waiter, place }
    }
}

/// One that hangs among the fetches that wait for the replica.
struct Hanging {
    replica: Arc<Replica>,
    waiter: Arc<Waiter>,
    place: Place,
}

impl Follower for Hanging {
    fn begin(&self) {
        self.waiter.lacks(1);
    }

    fn look(&self) -> Option<(Offset, Offset)> {
        let replica = &self.replica;
        let marks = replica.at_directory(|_| replica.log().map(|log| log.partition().watermarks())).ok()?;
        // Whoever is told of nothing any more waits for nothing.
        let end = if replica.waiters.have_ended() { marks.high_watermark } else { marks.log_end };
        Some((marks.high_watermark, end))
    }

    async fn woken(&self) {
        self.waiter.woken().await;
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.replica.waiters.remove(self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;

    use super::super::shared::Progress;
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_did_not_come_to_stable_storage_once_holds_up_nothing_later() {
        let progress = Progress::new(Offset(0), Handle::current());
        progress.replicated(Offset(20));
        progress.fail(Offset(5), "the disk is full");
        assert_eq!(progress.wait(Offset(5), LONG).await, Err("the disk is full".to_owned()));
        let waits = progress.clone();
        let later = tokio::spawn(async move { waits.wait(Offset(10), LONG).await });
        tokio::task::yield_now().await;
        progress.durable(Offset(10));
        assert_eq!(later.await.unwrap(), Ok(()), "there was room again");
        assert_eq!(progress.wait(Offset(5), LONG).await, Ok(()), "it is there now, too");
    }

    #[tokio::test]
    async fn who_waits_has_all_tried_again_that_did_not_come_to_stable_storage() {
        let progress = Progress::new(Offset(0), Handle::current());
        progress.replicated(Offset(20));
        progress.fail(Offset(12), "the disk is full");
        let nobody = |_: Offset| panic!("nobody has tried that yet, or somebody is at it");
        let waits = progress.clone();
        let not_tried = tokio::spawn(async move { waits.wait_or_try(Offset(13), LONG, nobody).await });
        tokio::task::yield_now().await;
        let waits = progress.clone();
        let again = |at| waits.durable(at);
        assert_eq!(progress.wait_or_try(Offset(5), LONG, again).await, Ok(()));
        assert_eq!(
            progress.wait_or_try(Offset(12), LONG, nobody).await,
            Ok(()),
            "it is there with the first"
        );
        progress.durable(Offset(13));
        assert_eq!(not_tried.await.unwrap(), Ok(()));
    }
}
