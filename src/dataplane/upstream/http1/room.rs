//! How much is read at a time.

use bytes::BytesMut;

use super::left::Left;

/// What a first read has room for, at least. Most answers are shorter.
const LEAST: usize = 8 * 1024;

/// What a first read has room for, at most: heads, and pieces of a stream, hold what
/// they were read into.
const MOST_FIRST: usize = 32 * 1024;

/// What any read has room for, at most.
const MOST: usize = 128 * 1024;

/// More than is expected, so that a read that got all leaves some: then the socket is
/// known to be empty, and bytes that are too many show.
const MORE: usize = 64;

/// Learns from what came how much to make room for.
#[derive(Debug)]
pub(super) struct Room {
    /// For the next read.
    next: usize,
    /// Of this answer.
    read: usize,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            next: LEAST,
            read: 0,
        }
    }

    /// Makes room for what comes next of an answer.
    pub(super) fn make(&self, buf: &mut BytesMut, left: &Left) {
        let want = match left {
            Left::Length(left) => usize::try_from(*left)
                .unwrap_or(MOST)
                .saturating_add(MORE)
                .min(MOST),
            Left::Chunked(_) | Left::Nothing | Left::UntilClose => self.next,
        };
        // Half of it does: what is there is not thrown away for each small read.
        if buf.capacity() - buf.len() < want.div_ceil(2) {
            buf.reserve(want);
        }
    }

    /// So many bytes were read.
    pub(super) fn record(&mut self, read: usize) {
        self.read = self.read.saturating_add(read);
        if read >= self.next {
            self.next = (self.next * 2).min(MOST);
        }
    }

    /// The answer was read. The next one over this connection may be as long.
    pub(super) fn settle(&mut self) {
        let whole = self.read.saturating_add(MORE).min(MOST_FIRST);
        self.next = whole.next_power_of_two().clamp(LEAST, MOST_FIRST);
        self.read = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room_after(reads: &[usize]) -> Room {
        let mut room = Room::new();
        reads.iter().for_each(|read| room.record(*read));
        room
    }

    #[test]
    fn reads_that_fill_their_room_get_more_up_to_a_bound() {
        assert_eq!(room_after(&[LEAST - 1, 100]).next, LEAST);
        assert_eq!(room_after(&[LEAST]).next, 2 * LEAST);
        assert_eq!(room_after(&[MOST; 20]).next, MOST);
    }

    #[test]
    fn an_answer_as_long_as_the_last_one_is_read_at_once_within_a_bound() {
        let mut room = room_after(&[LEAST, 8_500]);
        room.settle();
        assert_eq!(room.next, 32 * 1024);
        room.record(100);
        room.settle();
        assert_eq!(room.next, LEAST);
        room.record(10 * MOST);
        room.settle();
        assert_eq!(room.next, MOST_FIRST);
    }

    #[test]
    fn the_rest_of_a_known_length_has_room_at_once_and_some_more() {
        let mut buf = BytesMut::new();
        Room::new().make(&mut buf, &Left::Length(20_000));
        assert!((20_001..MOST).contains(&buf.capacity()));
        let mut buf = BytesMut::new();
        Room::new().make(&mut buf, &Left::Length(u64::MAX));
        assert!(buf.capacity() < 2 * MOST);
    }

    #[test]
    fn small_reads_share_what_there_is() {
        let mut buf = BytesMut::new();
        let room = Room::new();
        room.make(&mut buf, &Left::UntilClose);
        let start = buf.as_ptr();
        for _ in 0..30 {
            room.make(&mut buf, &Left::UntilClose);
            buf.extend_from_slice(&[0; 100]);
        }
        assert_eq!(buf.as_ptr(), start);
    }
}
