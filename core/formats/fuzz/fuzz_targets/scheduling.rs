//! Two objects of any make: what the first becomes when the second is written over it, or arrives as a message.
#![no_main]

use allod_formats::calendar::itip::{
    Making, Owner, apply_cancel, apply_reply, apply_request, attendee_write, busy_request, incoming, organizer_write,
    parties, standing,
};
use allod_formats::value::Utc;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|both: (Vec<u8>, Vec<u8>)| {
    let (one, other) = both;
    let making = Making { now: Utc(1_700_000_000), product: "-//x//y" };
    for address in ["mailto:a@example.com", "mailto:cyrus@example.com", "mailto:lisa@example.com"] {
        let owner = Owner::new([address]);
        let _ = (standing(&one, &owner), parties(&one), incoming(&other), busy_request(&other));
        let _ = organizer_write(Some(&one), Some(&other), &owner, true, making);
        let _ = attendee_write(Some(&one), Some(&other), &owner, making);
        let _ = apply_request(Some(&one), &other, &owner, true);
        let _ = apply_cancel(&one, &other, &owner);
        let _ = apply_reply(&one, &other, address, &owner);
    }
});
