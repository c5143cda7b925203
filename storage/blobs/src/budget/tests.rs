use super::*;

#[test]
fn extras_stop_at_the_budget_and_needs_do_not() {
    let budget = Budget::new(3 * LARGE_BYTES);
    let mut held: Vec<Buf> = (0..3).map(|_| budget.try_buf(LARGE_BYTES).unwrap()).collect();
    assert!(budget.try_buf(1).is_none());
    held.push(budget.buf(LARGE_BYTES));
    assert_eq!(budget.used(), 4 * LARGE_BYTES);
    held.truncate(2);
    assert!(budget.try_buf(LARGE_BYTES).is_some());
    held.clear();
    assert_eq!(budget.used(), 0);
}

#[test]
fn buffers_grow_and_keep_their_bytes() {
    let budget = Budget::new(0);
    let mut buf = budget.buf(10);
    buf.extend(b"0123456789");
    buf.grow(20);
    buf.extend(b"abc");
    assert_eq!(&buf[..], b"0123456789abc");
    buf.grow(SMALL_BYTES_MAX + 1);
    assert_eq!((buf.capacity(), budget.used()), (LARGE_BYTES, LARGE_BYTES));
    assert_eq!(&buf[..], b"0123456789abc");
}

#[test]
fn large_buffers_are_used_again_but_not_hoarded() {
    let budget = Budget::new(usize::MAX);
    let mut held: Vec<Buf> = (0..20).map(|_| budget.buf(LARGE_BYTES)).collect();
    held.truncate(10);
    assert!((1..=10 + LARGE_KEPT).contains(&budget.0.kept.lock().len()));
    drop(held);
    assert_eq!(budget.0.kept.lock().len(), LARGE_KEPT);
    let again = budget.buf(LARGE_BYTES);
    assert_eq!(again.len(), 0);
    assert_eq!(budget.0.kept.lock().len(), LARGE_KEPT - 1);
}
