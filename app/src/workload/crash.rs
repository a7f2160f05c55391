//! A consumer that is gone from one moment to the next, as if its process had been killed.
//!
//! The library's wrapper closes a consumer when it is dropped: it commits, and leaves its group. A crashed process does neither. librdkafka
//! itself can end a client without that, and this is the one call that the wrapper has no name for.

use std::mem::ManuallyDrop;

use rdkafka::bindings::{RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE, rd_kafka_destroy_flags};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

/// Ends a consumer without committing and without leaving its group: its coordinator learns of it when its session times out.
pub fn crash<C: ConsumerContext>(consumer: BaseConsumer<C>) {
    // It is not dropped: that would close it. What it holds beside the client (a queue's handle, its context) is given up, a few hundred bytes.
    let consumer = ManuallyDrop::new(consumer);
    let client = consumer.client().native_ptr();
    // SAFETY: the pointer is that of a client that lives, since its owner was not dropped; the owner is never used or dropped afterwards, so
    // nobody uses the client again; and no message of it is left, since each would borrow the consumer, which was moved here.
    #[expect(unsafe_code, reason = "the library's wrapper cannot end a consumer without closing it")]
    unsafe {
        rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
}
